/* edge_check.c - what a problem of message passing has to satisfy. */
#include "config.h"

#include "lib/engine/edge_attention/edge.h"
#include "lib/engine/spmm/spmm.h"

/* ---- edges ---- */

static ga_status check_edges(ga_context *context, const ga_edges *edges)
{
    if (!edges || !edges->offsets || edges->targets < 0 || edges->sources_count < 0 || edges->count < 0) {
        return ga__fail(context, GA_INVALID, "edges: offsets and extents from 0 up expected");
    }
    if (edges->count > 0 && !edges->sources) {
        return ga__fail(context, GA_INVALID, "edges: no sources");
    }
    if (edges->offsets[0] != 0 || edges->offsets[edges->targets] != edges->count) {
        return ga__fail(context, GA_INVALID, "edges: offsets must run from 0 to %lld",
                        (long long)edges->count);
    }
    for (int64_t i = 0; i < edges->targets; i++) {
        if (edges->offsets[i + 1] < edges->offsets[i]) {
            return ga__fail(context, GA_INVALID, "edges: offsets decrease at target %lld", (long long)i);
        }
    }
    return ga__ids_check(context, "edges", edges->sources, edges->count, edges->sources_count);
}

/* ---- tensors ---- */

static ga_status read_matrix(ga_context *context, const char *name, const DLTensor *tensor, int64_t rows,
                             int64_t columns, ga__view *view)
{
    ga_status status = ga__view_anywhere(context, name, tensor, true, view);
    return status != GA_OK || !tensor ? status : ga__view_expect(context, name, view, 1, 1, rows, columns);
}

static ga_status need(ga_context *context, const char *name, const DLTensor *tensor)
{
    return tensor ? GA_OK : ga__fail(context, GA_INVALID, "%s: this score needs it", name);
}

static ga_status read_width(ga_context *context, const char *name, const ga__view *view, int64_t heads,
                            int64_t *width)
{
    if (view->columns % heads != 0) {
        return ga__fail(context, GA_INVALID, "%s: %lld columns, a multiple of %lld heads expected", name,
                        (long long)view->columns, (long long)heads);
    }
    *width = view->columns / heads;
    return GA_OK;
}

static ga_status read_score_tensors(ga_context *context, ga__edge_problem *p)
{
    const ga_edge_attention *g = p->given;
    const ga_edges *e = p->edges;
    ga_status status = GA_OK;
    p->width = p->width_v;
    switch (g->score) {
    case GA_EDGE_ADDITIVE:
        GA_TRY(need(context, "l", g->l));
        GA_TRY(need(context, "r", g->r));
        GA_TRY(read_matrix(context, "l", g->l, e->sources_count, p->heads, &p->l));
        GA_TRY(read_matrix(context, "r", g->r, e->targets, p->heads, &p->r));
        break;
    case GA_EDGE_DOT:
    case GA_EDGE_GATV2:
    case GA_EDGE_COSINE:
    case GA_EDGE_DISTANCE:
        GA_TRY(need(context, "q", g->q));
        GA_TRY(need(context, "k", g->k));
        GA_TRY(read_matrix(context, "q", g->q, e->targets, -1, &p->q));
        GA_TRY(read_width(context, "q", &p->q, p->heads, &p->width));
        GA_TRY(read_matrix(context, "k", g->k, e->sources_count, p->q.columns, &p->k));
        if (g->score == GA_EDGE_GATV2) {
            GA_TRY(need(context, "att", g->att));
            GA_TRY(read_matrix(context, "att", g->att, p->heads, p->width, &p->att));
        }
        break;
    case GA_EDGE_CONSTANT: GA_TRY(need(context, "edge_bias", g->edge_bias)); break;
    default: status = ga__fail(context, GA_INVALID, "no edge score %d", (int)g->score);
    }
done:
    return status;
}

static ga_status read_edge_tensors(ga_context *context, ga__edge_problem *p)
{
    const ga_edge_attention *g = p->given;
    const ga_edges *e = p->edges;
    ga_status status = GA_OK;
    p->bias_heads = p->heads;
    if (g->edge_bias && g->edge_bias->ndim < 2) {
        p->bias_heads = 1;
        GA_TRY(read_matrix(context, "edge_bias", g->edge_bias, 1, e->count, &p->bias));
    } else {
        GA_TRY(read_matrix(context, "edge_bias", g->edge_bias, e->count, p->heads, &p->bias));
    }
    GA_TRY(read_matrix(context, "edge_scale", g->edge_scale, e->count, p->heads, &p->mask));
    GA_TRY(read_matrix(context, "edge_weights", g->edge_weights, 1, e->count, &p->weight));
    GA_TRY(read_matrix(context, "node_scale_target", g->node_scale_target, 1, e->targets, &p->target_scale));
    GA_TRY(read_matrix(context, "node_scale_source", g->node_scale_source, 1, e->sources_count,
                       &p->source_scale));
done:
    return status;
}

/* Dropout, and the maps from v to l and r. */
static ga_status read_dropout(ga_context *context, ga__edge_problem *p)
{
    const ga_edge_attention *g = p->given;
    bool keeps = g->keep_weights.bits || g->keep_values.bits, maps = g->att_source || g->att_target;
    ga_status status = GA_OK;
    GA_TRY(ga__keep_check(context, "keep_weights", &g->keep_weights));
    GA_TRY(ga__keep_check(context, "keep_values", &g->keep_values));
    if (keeps && g->normaliser.kind != GA_SOFTMAX) {
        return ga__fail(context, GA_UNSUPPORTED, "keep_weights and keep_values go with softmax alone");
    }
    if (maps && (g->score != GA_EDGE_ADDITIVE || p->edges->targets != p->edges->sources_count)) {
        return ga__fail(
            context, GA_INVALID,
            "att_source and att_target: the additive score on as many targets as sources expected");
    }
    GA_TRY(read_matrix(context, "att_source", g->att_source, p->heads, p->width_v, &p->att_source));
    GA_TRY(read_matrix(context, "att_target", g->att_target, p->heads, p->width_v, &p->att_target));
done:
    return status;
}

static ga_status check_formula(ga_context *context, const ga_edge_attention *g)
{
    bool laplacian = g->normaliser.kind == GA_P_LAPLACIAN;
    if (laplacian != (g->score == GA_EDGE_DISTANCE)) {
        return ga__fail(context, GA_INVALID, "the p-Laplacian and the distance score go together");
    }
    if (laplacian && g->edge_bias) {
        return ga__fail(context, GA_INVALID, "edge_bias: the p-Laplacian takes none");
    }
    if (laplacian && (!(g->p > 0) || !(g->guard >= 0) || g->p > 1e6)) {
        return ga__fail(context, GA_INVALID,
                        "p-Laplacian: p above 0 and guard from 0 up expected, not %g and %g", g->p, g->guard);
    }
    if (!laplacian && (g->edge_weights || g->node_scale_source || g->node_scale_target)) {
        return ga__fail(context, GA_INVALID, "edge_weights and node scales belong to the p-Laplacian");
    }
    switch (g->normaliser.kind) {
    case GA_SIGMOID:
        if (g->normaliser.bias_mode != GA_BIAS_FIXED) {
            return ga__fail(context, GA_INVALID, "message passing: sigmoid takes a fixed bias only");
        }
        return GA_OK;
    case GA_RELU_L1:
        if (!(g->normaliser.eps > 0)) {
            return ga__fail(context, GA_INVALID, "relu-l1: eps above 0 expected, not %g", g->normaliser.eps);
        }
        return GA_OK;
    case GA_SOFTMAX:
    case GA_SOFTPLUS:
    case GA_IDENTITY:
    case GA_P_LAPLACIAN: return GA_OK;
    default: return ga__fail(context, GA_UNSUPPORTED, "message passing does not have this normaliser");
    }
}

ga_status ga__edge_resolve(ga_context *context, const ga_edge_attention *given, ga__edge_problem *p)
{
    ga_status status = GA_OK;
    *p = (ga__edge_problem){ .given = given };
    if (!given) {
        return ga__fail(context, GA_INVALID, "edge attention: no problem");
    }
    p->edges = given->edges;
    p->heads = given->heads;
    if (p->heads < 1 || p->heads > 1 << 20) {
        return ga__fail(context, GA_INVALID, "edge attention: %lld heads", (long long)p->heads);
    }
    GA_TRY(check_edges(context, p->edges));
    GA_TRY(check_formula(context, given));
    if (!given->v) {
        return ga__fail(context, GA_INVALID, "v: edge attention needs it");
    }
    GA_TRY(read_matrix(context, "v", given->v, p->edges->sources_count, -1, &p->v));
    GA_TRY(read_width(context, "v", &p->v, p->heads, &p->width_v));
    GA_TRY(read_score_tensors(context, p));
    GA_TRY(read_edge_tensors(context, p));
    GA_TRY(read_dropout(context, p));
    const ga__view *all[] = { &p->q,
                              &p->k,
                              &p->v,
                              &p->l,
                              &p->r,
                              &p->att,
                              &p->bias,
                              &p->mask,
                              &p->weight,
                              &p->target_scale,
                              &p->source_scale,
                              &p->att_source,
                              &p->att_target };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        p->wide = p->wide || (all[i]->data && all[i]->type == GA__F64);
    }
done:
    return status;
}

ga_status ga__edge_output(ga_context *context, const char *name, const DLTensor *tensor, int64_t rows,
                          int64_t columns, ga__view *view, bool *wide)
{
    ga_status status = read_matrix(context, name, tensor, rows, columns, view);
    if (status == GA_OK && tensor) {
        status = ga__view_output(context, name, view, GA__F32, GA__F64);
        *wide = *wide || view->type == GA__F64;
    }
    return status;
}
