/* edges.c - edge, node_edge, hybrid_edge, ties: edges drawn one by one. */
#include "config.h"

#include "graph/csr.h"
#include "sampling/classical/draw.h"

/* e' uniform edges. */
static ga_status draw_edges(ga__draw *d)
{
    return ga__choose(d, d->graph->edges, d->wanted, &d->edges);
}
const struct ga__sampler ga__edge_sampler = { draw_edges, true, false };

/* ---- an edge of a node ---- */

/* The number of the edge at a place of v's incoming row; repeated edges have places in the same order in both rows. */
static int64_t incoming_edge(const ga__view *view, uint32_t v, int64_t place)
{
    const ga_graph *g = view->graph;
    const uint32_t *sources = view->transpose.in_sources + view->transpose.in_offsets[v];
    uint32_t u = sources[place];
    int64_t repeat = place - ga__lower_bound(sources, ga__in_degree(view, v), u);
    const uint32_t *targets = g->out_targets + g->out_offsets[u];
    return g->out_offsets[u] + ga__lower_bound(targets, ga__out_degree(g, u), v) + repeat;
}

static int64_t edges_of(const ga__view *view, int64_t v)
{
    return ga__out_degree(view->graph, v) + ga__in_degree(view, v);
}

/* A uniform node with edges, then a uniform one of these. */
static int64_t edge_of_node(ga__draw *d)
{
    uint32_t v;
    do {
        v = (uint32_t)ga__below(d, d->graph->nodes);
    } while (edges_of(&d->view, v) == 0);
    int64_t i = (int64_t)ga__below(d, edges_of(&d->view, v)), out = ga__out_degree(d->graph, v);
    return i < out ? d->graph->out_offsets[v] + i : incoming_edge(&d->view, v, i - out);
}

/* ---- repeats ignored, until e' are distinct ----
 *
 * The edges in the order of their first draws are those of successive draws without replacement with the probabilities of
 * a single draw. When repeats become frequent, the edges that are still wanted are the smallest keys of the others. */

enum { DRAWS_EACH = 4, DRAWS_MORE = 1000 };

/* p / n+ (1/deg(u) + 1/deg(v)) + (1 - p) / m, n+ nodes with edges. */
typedef struct law {
    double by_node, by_edge;
} law;

static law make_law(const ga__draw *d, double p)
{
    int64_t nodes = 0;
    for (int64_t v = 0; v < d->graph->nodes; v++) {
        nodes += edges_of(&d->view, v) > 0;
    }
    return (law){ p / (double)nodes, (1 - p) / (double)d->graph->edges };
}

static double probability(const ga__view *view, law l, int64_t u, int64_t v)
{
    return l.by_node * (1 / (double)edges_of(view, u) + 1 / (double)edges_of(view, v)) + l.by_edge;
}

static ga_status take_rest(ga__draw *d, double p)
{
    ga_status status = GA_OK;
    const ga_graph *g = d->graph;
    ga__keys keys = { .heap = NULL };
    law l = make_law(d, p);
    GA_TRY(ga__keys_open(d->context, d->wanted - d->edges.count, &keys));
    for (int64_t u = 0; u < g->nodes; u++) {
        for (int64_t e = g->out_offsets[u]; e < g->out_offsets[u + 1]; e++) {
            GA_TRY(ga__tick(d));
            if (!ga__set_has(&d->edges, e)) {
                ga__keys_offer(&keys, ga__key_of(d, e, probability(&d->view, l, u, g->out_targets[e])), e);
            }
        }
    }
    for (int64_t i = 0; i < keys.count; i++) {
        GA_TRY(ga__keep_edge(d, keys.heap[i].item, NULL));
    }
done:
    ga__keys_clear(d->context, &keys);
    return status;
}

/* With probability p an edge of a node, else a uniform edge. */
static ga_status draw_mixed(ga__draw *d, double p)
{
    ga_status status = GA_OK;
    int64_t draws = DRAWS_EACH * d->wanted + DRAWS_MORE;
    GA_TRY(ga__view_open(d->context, d->graph, GA__IN, &d->view));
    for (; !ga__full(d) && draws > 0; draws--) {
        int64_t edge = ga__chance(d, p) ? edge_of_node(d) : (int64_t)ga__below(d, d->graph->edges);
        GA_TRY(ga__tick(d));
        GA_TRY(ga__keep_edge(d, edge, NULL));
    }
    if (!ga__full(d)) {
        status = take_rest(d, p);
    }
done:
    return status;
}

static ga_status draw_node_edges(ga__draw *d)
{
    return draw_mixed(d, 1);
}
const struct ga__sampler ga__node_edge_sampler = { draw_node_edges, true, false };

static ga_status draw_hybrid_edges(ga__draw *d)
{
    return draw_mixed(d, ga__real(d, "probability"));
}
const struct ga__sampler ga__hybrid_edge_sampler = { draw_hybrid_edges, true, false };

/* ---- ties ---- */

/* Both ends join, the source first: if one place is left and neither is in, the source takes it. */
static ga_status join_ends(ga__draw *d, int64_t edge)
{
    ga_status status = GA_OK;
    uint32_t u = (uint32_t)ga__row_of(d->graph->out_offsets, d->graph->nodes, edge);
    uint32_t v = d->graph->out_targets[edge];
    GA_TRY(ga__tick(d));
    GA_TRY(ga__join(d, u, NULL));
    GA_TRY(ga__join(d, v, NULL));
    if (d->keeps_edges && ga__set_has(&d->inside, v)) {
        GA_TRY(ga__keep_edge(d, edge, NULL));
    }
done:
    return status;
}

/* Uniform draws until enough nodes are in; when most of them add nothing, the edges that would, in uniform order,
 * which is the order of their first draws. Then uniform nodes: those without edges. */
static ga_status finish_ties(ga__draw *d)
{
    ga_status status = GA_OK;
    const ga_graph *g = d->graph;
    int64_t *left = NULL, count = 0;
    uint32_t v;
    GA_TRY(GA_NEW(d->context, g->edges, &left));
    for (int64_t u = 0; u < g->nodes; u++) {
        for (int64_t e = g->out_offsets[u]; e < g->out_offsets[u + 1]; e++) {
            if (!ga__set_has(&d->inside, u) || !ga__set_has(&d->inside, g->out_targets[e])) {
                left[count++] = e;
            }
        }
    }
    for (int64_t i = 0; i < count && !ga__full(d); i++) {
        int64_t j = i + (int64_t)ga__below(d, count - i), edge = left[j];
        left[j] = left[i];
        GA_TRY(join_ends(d, edge));
    }
    while (!ga__full(d)) {
        GA_TRY(ga__tick(d));
        GA_TRY(ga__seed(d, &v));
    }
done:
    ga_free(d->context, left);
    return status;
}

static ga_status draw_ties(ga__draw *d)
{
    ga_status status = GA_OK;
    int64_t draws = d->graph->edges > 0 ? DRAWS_EACH * d->wanted + DRAWS_MORE : 0;
    for (; !ga__full(d) && draws > 0; draws--) {
        GA_TRY(join_ends(d, (int64_t)ga__below(d, d->graph->edges)));
    }
    if (!ga__full(d)) {
        status = finish_ties(d);
    }
done:
    return status;
}
const struct ga__sampler ga__ties_sampler = { draw_ties, false, false };
