/* edge_terms.c - features of edges: from the lines of the file to edges and back, and keys and values with them. */
#include "config.h"

#include "gnn/layer.h"
#include "lib/engine/view.h"

typedef struct gather {
    const ga__messages *m;
    ga__view from, to;
    const ga_transposed *transposed;
    int64_t columns;
    int64_t arcs_of_line;
} gather;

static void add_row(const ga__view *from, int64_t row, int64_t columns, double *sum)
{
    for (int64_t c = 0; c < columns; c++) {
        sum[c] += ga__view_get(from, 0, 0, row, c);
    }
}

/* ---- lines and edges ---- */

/* A row of an edge; of an inserted loop, the mean of the lines of the other edges into its node. */
static void edge_row(const void *user, int64_t e, double *const *in, double *const *out, double *sums)
{
    const gather *g = user;
    const ga__messages *m = g->m;
    (void)in;
    (void)sums;
    if (m->edge_line[e] >= 0) {
        ga__view_load_f64(&g->from, 0, 0, m->edge_line[e], out[0]);
        return;
    }
    int64_t node = m->edges.sources[e], first = m->edges.offsets[node], last = m->edges.offsets[node + 1];
    for (int64_t c = 0; c < g->columns; c++) {
        out[0][c] = 0;
    }
    for (int64_t other = first; other < last; other++) {
        if (other != e) {
            add_row(&g->from, m->edge_line[other], g->columns, out[0]);
        }
    }
    for (int64_t c = 0; last - first > 1 && c < g->columns; c++) {
        out[0][c] /= (double)(last - first - 1);
    }
}

ga_status ga__lines_to_edges(ga__layer_run *run, const DLTensor *lines, DLTensor *edges)
{
    ga_status status = GA_OK;
    gather g = { .m = run->graph, .columns = lines->shape[1] };
    GA_TRY(ga__view_of(run->context, "lines", lines, true, &g.from));
    ga__row_work work = { .fn = edge_row, .user = &g, .out = { edges }, .rows = run->graph->edges.count };
    GA_TRY(ga__each_row(run->context, &work));
done:
    return status;
}

/* The row of an inserted loop goes to the other edges into its node, each of which has one such loop. */
static void spread_loop(const void *user, int64_t loop, double *const *in, double *const *out, double *sums)
{
    const gather *g = user;
    const ga__messages *m = g->m;
    int64_t e = m->loop_edge[loop], node = m->edges.sources[e];
    int64_t first = m->edges.offsets[node], last = m->edges.offsets[node + 1];
    (void)in;
    (void)out;
    (void)sums;
    for (int64_t other = first; other < last; other++) {
        for (int64_t c = 0; other != e && c < g->columns; c++) {
            double share = ga__view_get(&g->to, 0, 0, e, c) / (double)(last - first - 1);
            ga__view_set(&g->to, 0, 0, other, c, ga__view_get(&g->to, 0, 0, other, c) + share);
        }
    }
}

static void line_row(const void *user, int64_t line, double *const *in, double *const *out, double *sums)
{
    const gather *g = user;
    (void)in;
    (void)sums;
    for (int64_t c = 0; c < g->columns; c++) {
        out[0][c] = 0;
    }
    for (int64_t a = line * g->arcs_of_line; a < (line + 1) * g->arcs_of_line; a++) {
        if (g->m->arc_edge[a] >= 0) {
            add_row(&g->from, g->m->arc_edge[a], g->columns, out[0]);
        }
    }
}

ga_status ga__edges_to_lines(ga__layer_run *run, DLTensor *edges, DLTensor *lines)
{
    ga_status status = GA_OK;
    const ga__messages *m = run->graph;
    gather g = { .m = m, .columns = lines->shape[1], .arcs_of_line = m->lines ? m->arcs / m->lines : 0 };
    GA_TRY(ga__view_of(run->context, "edges", edges, true, &g.to));
    g.from = g.to;
    ga__row_work spread = { .fn = spread_loop, .user = &g, .rows = m->loops };
    GA_TRY(ga__each_row(run->context, &spread));
    ga__row_work work = { .fn = line_row, .user = &g, .out = { lines }, .rows = m->lines };
    GA_TRY(ga__each_row(run->context, &work));
done:
    return status;
}

ga_status ga__check_edge_tensors(ga__layer_run *run, int64_t columns, const char *att, bool *given)
{
    ga_status status = GA_OK;
    const DLTensor *features = ga__tensor(run, "edge_features"), *weight = ga__tensor(run, "weight_edge");
    const DLTensor *vector = att ? ga__tensor(run, att) : weight;
    *given = features != NULL;
    if (!features != !weight || !features != !vector) {
        return ga__fail(run->context, GA_INVALID, "%s: edge_features, weight_edge%s%s go together",
                        run->layer->name, att ? ", " : "", att ? att : "");
    }
    const int64_t of_features[] = { run->graph->lines, -1 };
    const int64_t of_weight[] = { features ? ga__columns(features) : 0, columns };
    GA_TRY(ga__fits(run, "edge_features", 2, of_features));
    GA_TRY(ga__fits(run, "weight_edge", 2, of_weight));
    if (features && (run->noise || !run->graph->edge_line)) {
        GA_TRY(ga__fail(run->context, GA_UNSUPPORTED, "%s: no dropout where edges have features",
                        run->layer->name));
    }
done:
    return status;
}

/* ---- edges that carry keys and values ---- */

static void carry_row(const void *user, int64_t e, double *const *in, double *const *out, double *sums)
{
    const gather *g = user;
    (void)sums;
    ga__view_load_f64(&g->from, 0, 0, g->m->edges.sources[e], out[0]);
    for (int64_t c = 0; in[0] && c < g->columns; c++) {
        out[0][c] += in[0][c];
    }
}

static ga_status carry_one(ga__layer_run *run, const DLTensor *nodes, const DLTensor *term, DLTensor **out)
{
    ga_status status = GA_OK;
    gather g = { .m = run->graph, .columns = nodes->shape[1] };
    GA_TRY(ga__temp(run, run->graph->edges.count, g.columns, out));
    GA_TRY(ga__view_of(run->context, "nodes", nodes, true, &g.from));
    ga__row_work work = {
        .fn = carry_row, .user = &g, .in = { term }, .out = { *out }, .rows = run->graph->edges.count
    };
    GA_TRY(ga__each_row(run->context, &work));
done:
    return status;
}

static ga_status carried_lists(ga__layer_run *run, ga__carried *c)
{
    ga_status status = GA_OK;
    const ga_edges *edges = &run->graph->edges;
    int64_t count = edges->count;
    DLTensor *short_room = NULL, *long_room = NULL;
    if (count > INT64_C(1) << 32) {
        GA_TRY(ga__fail(run->context, GA_LIMIT, "edges: %lld with features, expected at most 2^32",
                        (long long)count));
    }
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLInt, .bits = 32, .lanes = 1 }, 2 * count,
                            &short_room));
    GA_TRY(
        ga__temp_numbers(run, (DLDataType){ .code = kDLInt, .bits = 64, .lanes = 1 }, count + 1, &long_room));
    uint32_t *ids = short_room->data, *targets = ids + count;
    int64_t *places = long_room->data;
    for (int64_t i = 0; i < run->nodes; i++) {
        for (int64_t e = edges->offsets[i]; e < edges->offsets[i + 1]; e++) {
            targets[e] = (uint32_t)i;
        }
    }
    for (int64_t e = 0; e <= count; e++) {
        places[e] = e;
    }
    for (int64_t e = 0; e < count; e++) {
        ids[e] = (uint32_t)e;
    }
    c->edges = (ga_edges){ edges->targets, count, count, edges->offsets, ids };
    c->transposed = (ga_transposed){ places, targets, places };
done:
    return status;
}

ga_status ga__carry(ga__layer_run *run, const DLTensor *k, const DLTensor *v, bool in_value, ga__carried *c)
{
    ga_status status = GA_OK;
    GA_TRY(carried_lists(run, c));
    GA_TRY(ga__linear(run, ga__tensor(run, "edge_features"), "weight_edge", NULL, &c->lines));
    GA_TRY(ga__temp(run, c->edges.count, k->shape[1], &c->term));
    GA_TRY(ga__lines_to_edges(run, c->lines, c->term));
    GA_TRY(carry_one(run, k, c->term, &c->k));
    GA_TRY(carry_one(run, v, in_value ? c->term : NULL, &c->v));
done:
    return status;
}

static void node_row(const void *user, int64_t j, double *const *in, double *const *out, double *sums)
{
    const gather *g = user;
    (void)in;
    (void)sums;
    for (int64_t c = 0; c < g->columns; c++) {
        out[0][c] = 0;
    }
    for (int64_t at = g->transposed->offsets[j]; at < g->transposed->offsets[j + 1]; at++) {
        add_row(&g->from, g->transposed->edge[at], g->columns, out[0]);
    }
}

static ga_status to_nodes(ga__layer_run *run, const DLTensor *by_edge, DLTensor *nodes)
{
    ga_status status = GA_OK;
    gather g = { .m = run->graph, .transposed = &run->graph->transposed, .columns = by_edge->shape[1] };
    GA_TRY(ga__view_of(run->context, "edges", by_edge, true, &g.from));
    ga__row_work work = { .fn = node_row, .user = &g, .out = { nodes }, .rows = run->nodes };
    GA_TRY(ga__each_row(run->context, &work));
done:
    return status;
}

ga_status ga__carry_backward(ga__layer_run *run, const ga__carried *c, bool in_value, DLTensor *dk,
                             DLTensor *dv, DLTensor *grad_k, DLTensor *grad_v)
{
    ga_status status = GA_OK;
    GA_TRY(to_nodes(run, dk, grad_k));
    GA_TRY(to_nodes(run, dv, grad_v));
    if (in_value) {
        GA_TRY(ga__axpby(run->context, 1, dv, 1, dk));
    }
    GA_TRY(ga__edges_to_lines(run, dk, c->lines));
    GA_TRY(ga__linear_backward(run, ga__tensor(run, "edge_features"), c->lines, "weight_edge", NULL, 0,
                               ga__grad(run, "edge_features")));
done:
    return status;
}
