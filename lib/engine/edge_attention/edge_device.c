/* edge_device.c - message passing on the context's device: the problem brought there, and the forward pass. */
#include "config.h"

#include <math.h>
#include <stdio.h>

#include "lib/engine/edge_attention/edge_device_call.h"

ga_status ga__edge_room(ga__traffic *traffic, int64_t rows, int64_t columns, float **out)
{
    int64_t bytes = 0;
    if (!ga__mul(rows, columns, &bytes) || !ga__mul(bytes, (int64_t)sizeof(float), &bytes)) {
        return ga__fail(traffic->context, GA_OVERFLOW, "%s: %lld rows of %lld numbers", traffic->what,
                        (long long)rows, (long long)columns);
    }
    return ga__traffic_scratch(traffic, bytes, out);
}

ga_status ga__edge_bring_flat(ga__edge_call *c, ga__traffic *traffic, const char *name, const ga__view *view,
                              const float **out)
{
    ga_status status = GA_OK;
    const float *flat = NULL;
    *out = NULL;
    if (view->on_device) {
        if (view->type != GA__F32 || (view->rows > 1 && view->stride_row != view->columns)) {
            char what[64];
            (void)snprintf(what, sizeof what, "read %s other than contiguous f32", name);
            return ga__device_refuse(c->context, "edge attention", what);
        }
        *out = view->data;
        return GA_OK;
    }
    GA_TRY(ga__edge_flat(c, view, &flat));
    GA_TRY(ga__traffic_in(traffic, flat, view->rows * view->columns * (int64_t)sizeof *flat, false, out));
done:
    return status;
}

ga_status ga__edge_bring_rows(ga__traffic *traffic, const ga__view *view, ga__edge_rows_on_device *rows)
{
    rows->type = (int)view->type;
    rows->stride = view->stride_row;
    return ga__traffic_in_view(traffic, view, &rows->data);
}

static ga_status bring_bits(ga__traffic *traffic, const ga_keep *keep, int64_t elements, const uint32_t **out)
{
    return ga__traffic_in(traffic, keep->bits, ga_keep_words(elements) * (int64_t)sizeof *keep->bits, false,
                          out);
}

static ga_status bring_formula(ga__edge_call *c, ga__traffic *traffic, ga__edge_formula *is)
{
    const ga__edge_problem *p = &c->problem;
    const ga_edge_attention *g = p->given;
    ga_status status = GA_OK;
    *is = (ga__edge_formula){
        .score = (int)g->score,
        .kind = (int)g->normaliser.kind,
        .heads = p->heads,
        .width = p->width,
        .width_v = p->width_v,
        .bias_heads = p->bias_heads,
        .scale = (float)g->scale,
        .slope = (float)g->slope,
        .shift = (float)g->normaliser.bias,
        .log_width = (float)log((double)p->width),
        .length_scale = g->normaliser.length_scale,
        .eps = (float)g->normaliser.eps,
        .p = (float)g->p,
        .guard = (float)g->guard,
        .keep_weights_scale = (float)g->keep_weights.scale,
        .keep_values_scale = g->keep_values.bits ? (float)g->keep_values.scale : 1,
    };
    GA_TRY(ga__edge_bring_flat(c, traffic, "l", &p->l, &is->l));
    GA_TRY(ga__edge_bring_flat(c, traffic, "r", &p->r, &is->r));
    GA_TRY(ga__edge_bring_flat(c, traffic, "att", &p->att, &is->att));
    GA_TRY(ga__edge_bring_flat(c, traffic, "edge_bias", &p->bias, &is->bias));
    GA_TRY(ga__edge_bring_flat(c, traffic, "edge_scale", &p->mask, &is->mask));
    GA_TRY(ga__edge_bring_flat(c, traffic, "edge_weights", &p->weight, &is->edge_weight));
    GA_TRY(ga__edge_bring_flat(c, traffic, "node_scale_target", &p->target_scale, &is->target_scale));
    GA_TRY(ga__edge_bring_flat(c, traffic, "node_scale_source", &p->source_scale, &is->source_scale));
    GA_TRY(bring_bits(traffic, &g->keep_weights, p->edges->count * p->heads, &is->keep_weights));
    GA_TRY(bring_bits(traffic, &g->keep_values, p->edges->sources_count * p->v.columns, &is->keep_values));
done:
    return status;
}

ga_status ga__edge_bring(ga__edge_call *c, ga__traffic *traffic, const ga__split *split,
                         ga__edge_forward_launch_args *args)
{
    const ga__edge_problem *p = &c->problem;
    const ga_edges *edges = p->edges;
    ga_status status = GA_OK;
    *args = (ga__edge_forward_launch_args){ .lists = { .rows = edges->targets,
                                                       .count = edges->count,
                                                       .offsets = edges->offsets,
                                                       .ids = edges->sources } };
    GA_TRY(ga__lists_in(traffic, split, &args->lists));
    GA_TRY(bring_formula(c, traffic, &args->is));
    GA_TRY(ga__edge_bring_rows(traffic, &p->q, &args->q));
    GA_TRY(ga__edge_bring_rows(traffic, &p->k, &args->k));
    if (p->k.data && ga__edge_same_rows(&p->k, &p->v)) {
        args->v = args->k;
    } else {
        GA_TRY(ga__edge_bring_rows(traffic, &p->v, &args->v));
    }
    if (split->hub_count > 0) {
        GA_TRY(ga__edge_room(traffic, split->slots, p->v.columns, &args->slot_y));
        GA_TRY(ga__edge_room(traffic, split->slots, 2 * p->heads, &args->slot_stat));
        GA_TRY(ga__edge_room(traffic, edges->targets, 2 * p->heads, &args->stat));
    }
done:
    return status;
}

static ga_status forward(ga__edge_call *c, const ga__edge_outputs *out, const ga__split *split)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    ga__edge_forward_launch_args args;
    if ((status = ga__traffic_open(c->context, "edge attention", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__edge_bring(c, &traffic, split, &args));
    GA_TRY(ga__traffic_out_view(&traffic, &out->y, &args.y));
    GA_TRY(ga__traffic_out_view(&traffic, &out->lse, &args.lse));
    GA_TRY(ga__traffic_out_view(&traffic, &out->sums, &args.sums));
    GA_TRY(ga__traffic_out_view(&traffic, &out->map, &args.map));
    GA_TRY(ga__traffic_check(&traffic, traffic.table->edge_forward(&args, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}

ga_status ga__edge_forward_on_device(ga__edge_call *c, const ga__edge_outputs *out, bool wide)
{
    const ga__edge_problem *p = &c->problem;
    const ga_edges *edges = p->edges;
    ga__split split = { 0 };
    ga_status status = GA_OK;
    GA_TRY(
        ga__lists_refuse(c->context, "edge attention", wide, p->heads, ga__max(p->v.columns, p->q.columns)));
    GA_TRY(ga__split_edges(c->context, "edges", edges->targets, edges->count, edges->offsets, &split));
    if (edges->targets > 0) {
        GA_TRY(forward(c, out, &split));
    }
done:
    ga__split_free(c->context, &split);
    return status;
}
