/* attention.c - which family computes an attention problem, and calling it. */
#include "config.h"

#include <math.h>

#include "lib/engine/attention/places.h"
#include "lib/engine/device/device.h"
#include "lib/engine/paged_attention/paged.h"
#include "lib/engine/tile_attention/tile_device_call.h"

const char *ga_family_name(ga_family family)
{
    static const char *const names[] = { "auto", "rows", "tiles", "edges" };
    return (unsigned)family < sizeof names / sizeof *names ? names[family] : "?";
}

const char *ga__normaliser_name(ga_normaliser_kind kind)
{
    static const char *const names[] = { "softmax",           "sigmoid", "softplus",
                                         "softplus-reweight", "relu-l1", "norm-attention",
                                         "identity",          "inline",  "p-laplacian" };
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

/* ---- row constants ---- */

double ga__row_shift(const ga__attention *a, int64_t n)
{
    const ga_normaliser *norm = &a->normaliser;
    return norm->bias_mode == GA_BIAS_FIXED
               ? norm->bias
               : norm->bias - log((double)(norm->bias_mode == GA_BIAS_LOG_N ? a->keys : n));
}

double ga__row_factor(const ga__attention *a, int64_t n)
{
    int64_t dim = a->normaliser.length_dim > 0 ? a->normaliser.length_dim : a->dim;
    return a->normaliser.length_scale ? log((double)dim) * log((double)n) : 1;
}

double ga__row_eta(const ga__attention *a, int64_t batch, int64_t head, int64_t query)
{
    double logit = ga__view_get(&a->eta, 0, batch, head, query), small = exp(-fabs(logit));
    switch (a->normaliser.eta) {
    case GA_ETA_EXP: return exp(-logit);
    case GA_ETA_SOFTPLUS: return 1 / ((logit > 0 ? logit : 0) + log1p(small));
    case GA_ETA_SIGMOID: break;
    }
    return 1 + exp(-logit);
}

/* ---- choosing ---- */

static const ga__family_ops *const families[] = { NULL, &ga__rows_family, &ga__tiles_family,
                                                  &ga__edges_family };

/* Runs of an explicit pattern shorter than this on average leave most of a tile empty. */
enum { SHORT_RUN = 8 };

static bool has_short_runs(const ga_pattern *p)
{
    if (p->source != GA__SOURCE_EXPLICIT) {
        return false;
    }
    int64_t runs = 0, entries = p->offsets[p->queries];
    for (int64_t i = 0; i < p->queries; i++) {
        for (int64_t e = p->offsets[i]; e < p->offsets[i + 1]; e++) {
            runs += e == p->offsets[i] || p->indices[e] != p->indices[e - 1] + 1;
        }
    }
    return entries < SHORT_RUN * runs;
}

/* A problem with what is asked of it: result or gradients. */
typedef struct request {
    const ga__attention *a;
    const ga_attention_result *result;
    const ga_attention_gradients *gradients;
} request;

static const char *cannot(ga_family family, const request *r)
{
    return r->result ? families[family]->can_forward(r->a, r->result)
                     : families[family]->can_backward(r->a, r->gradients);
}

static bool rows_only(const request *r)
{
    const ga_post *post = r->a->problem->post;
    return r->a->wide || (r->result && r->result->map) ||
           (post && (post->form == GA_POST_ROW || post->form == GA_POST_FULL));
}

static ga_status choose(ga_context *context, const request *r, ga_family family, ga_family *chosen)
{
    if ((unsigned)family > GA_FAMILY_EDGES) {
        return ga__fail(context, GA_INVALID, "family: no family %d", (int)family);
    }
    if (family == GA_FAMILY_AUTO) {
        family = rows_only(r)                                                          ? GA_FAMILY_ROWS
                 : has_short_runs(r->a->pattern) && cannot(GA_FAMILY_EDGES, r) == NULL ? GA_FAMILY_EDGES
                 : cannot(GA_FAMILY_TILES, r) == NULL                                  ? GA_FAMILY_TILES
                                                                                       : GA_FAMILY_ROWS;
    }
    const char *why = cannot(family, r);
    if (why) {
        return ga__fail(context, GA_UNSUPPORTED, "%s cannot %s", ga_family_name(family), why);
    }
    *chosen = family;
    return GA_OK;
}

/* ---- the two calls ---- */

/* Devices have tiles alone. */
static ga_status on_device(ga_context *context, const ga__attention *a, ga_family family,
                           const ga_attention_result *result)
{
    if (family != GA_FAMILY_AUTO && family != GA_FAMILY_TILES) {
        return ga__device_refuse(context, "attention", "run another family than tiles");
    }
    return ga__tiles_forward_on_device(context, a, result);
}

ga_status ga_attention_forward(ga_context *context, const ga_attention *problem, ga_family family,
                               const ga_attention_result *result, ga_family *used)
{
    ga_status status = GA_OK;
    ga__attention a = { 0 };
    bool asked = family != GA_FAMILY_AUTO;
    ga__begin(context);
    if (!result) {
        GA_TRY(ga__fail(context, GA_INVALID, "result: missing"));
    }
    GA_TRY(ga__attention_resolve(context, problem, &a));
    GA_TRY(ga__attention_check_result(context, &a, result));
    if (ga__device_of(context)) {
        GA_TRY(on_device(context, &a, family, result));
        if (used) {
            *used = GA_FAMILY_TILES;
        }
        goto done;
    }
    GA_TRY(choose(context, &(request){ .a = &a, .result = result }, family, &family));
    if (family == GA_FAMILY_TILES && !asked && ga__paged_suits(context, &a, result)) {
        GA_TRY(ga__paged_forward(context, &a, result));
    } else {
        GA_TRY(families[family]->forward(context, &a, result));
    }
    if (used) {
        *used = family;
    }
done:
    ga__attention_release(context, &a);
    return status;
}

ga_status ga_attention_backward(ga_context *context, const ga_attention *problem, ga_family family,
                                const ga_attention_gradients *gradients, ga_family *used)
{
    ga_status status = GA_OK;
    ga__attention a = { 0 };
    ga__begin(context);
    if (!gradients) {
        GA_TRY(ga__fail(context, GA_INVALID, "gradients: missing"));
    }
    GA_TRY(ga__attention_resolve(context, problem, &a));
    if (problem->post && problem->post->form != GA_POST_NONE) {
        GA_TRY(ga__fail(context, GA_UNSUPPORTED, "no gradient flows through post steps"));
    }
    GA_TRY(ga__attention_check_gradients(context, &a, gradients));
    if (ga__device_of(context)) {
        if (family != GA_FAMILY_AUTO && family != GA_FAMILY_TILES) {
            GA_TRY(ga__device_refuse(context, "attention", "run another family than tiles"));
        }
        GA_TRY(ga__tiles_backward_on_device(context, &a, gradients));
        if (used) {
            *used = GA_FAMILY_TILES;
        }
        goto done;
    }
    GA_TRY(choose(context, &(request){ .a = &a, .gradients = gradients }, family, &family));
    GA_TRY(families[family]->backward(context, &a, gradients));
    if (used) {
        *used = family;
    }
done:
    ga__attention_release(context, &a);
    return status;
}
