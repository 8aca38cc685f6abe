/* scan_device.c - linear recurrences on the context's device: what it takes, and the tensors brought there. */
#include "config.h"

#include "lib/engine/device/traffic.h"
#include "lib/engine/scan_attention/scan.h"
#include "lib/engine/scan_attention/scan_device.h"

enum { MOST_SHARED = 200 << 10 }; /* bytes of a token */

static ga_status bring(const ga__scan_plan *p, ga__traffic *t, ga__scan_forward_launch_args *args)
{
    ga_status status = GA_OK;
    GA_TRY(ga__traffic_in_matrix(t, &p->q, &args->q));
    GA_TRY(ga__traffic_in_matrix(t, &p->k, &args->k));
    GA_TRY(ga__traffic_in_matrix(t, &p->v, &args->v));
    GA_TRY(ga__traffic_in_matrix(t, &p->decay, &args->decay));
    GA_TRY(ga__traffic_in_matrix(t, &p->beta, &args->beta));
    GA_TRY(ga__traffic_in_matrix(t, &p->bonus, &args->bonus));
    GA_TRY(ga__traffic_in_matrix(t, &p->initial, &args->initial));
    GA_TRY(ga__traffic_out_view(t, &p->o, &args->o));
    GA_TRY(ga__traffic_out_view(t, &p->state, &args->state));
done:
    return status;
}

ga_status ga__scan_forward_on_device(ga_context *context, const ga__scan_plan *p, bool wide)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    int64_t blocks = 0;
    ga__scan_forward_launch_args args = {
        .decay_kind = (int)p->decay_kind,
        .delta = p->delta,
        .causal = p->causal,
        .normalise = p->normalise,
        .batch = p->batch,
        .heads = p->heads,
        .groups = p->groups,
        .queries = p->queries,
        .keys = p->keys,
        .d = p->d,
        .e = p->e,
        .ratio = p->ratio,
        .scale = (float)p->scale,
        .eps = (float)p->eps,
    };
    if (wide || p->o.type == GA__F64 || p->state.type == GA__F64) {
        return ga__device_refuse(context, "scan", "compute in f64");
    }
    if (p->d > GA__DEVICE_SCAN_ROWS) {
        return ga__device_refuse(context, "scan", "carry states of more than 512 rows");
    }
    if (p->ratio > MOST_SHARED || ga__scan_device_token(&args) > MOST_SHARED) {
        return ga__device_refuse(context, "scan", "share a state among so many heads");
    }
    if (p->batch * p->groups == 0) {
        return GA_OK;
    }
    if (!ga__mul(p->batch * p->groups, p->e + 1, &blocks) || blocks > INT32_MAX) {
        return ga__fail(context, GA_LIMIT, "scan: too many heads for a device");
    }
    if ((status = ga__traffic_open(context, "scan", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(bring(p, &traffic, &args));
    GA_TRY(ga__traffic_check(&traffic, traffic.table->scan_forward(&args, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}
