/* frontier.c - frontier, directed_frontier: several walkers, of which the one with many ways on moves more often. */
#include "config.h"

#include "sampling/classical/draw.h"

enum { TRIES = 32 };

typedef struct frontier {
    ga__draw *d;
    int64_t walkers;
    uint32_t *at; /* owned */
    double *tree; /* owned: leaves walkers_up .. are weights, inner nodes sums; the root is 1 */
    int64_t leaves;
    double jump;      /* b: weight of a jump beside the degree; 0 = none */
    int64_t walkable; /* edges that a walker can use: no loops, of repeated edges the first */
} frontier;

/* ---- walkers ---- */

static ga_status put(frontier *f, int64_t walker, uint32_t v)
{
    ga_status status = GA_OK;
    int64_t degree;
    GA_TRY(ga__view_degree(&f->d->view, v, &degree));
    f->at[walker] = v;
    int64_t node = f->leaves + walker;
    f->tree[node] = f->jump + (double)degree;
    for (node /= 2; node >= 1; node /= 2) {
        f->tree[node] = f->tree[2 * node] + f->tree[2 * node + 1];
    }
done:
    return status;
}

/* By weight; the total must not be 0. */
static int64_t choose(frontier *f)
{
    int64_t node = 1;
    double x = ga__random_unit(&f->d->random) * f->tree[1];
    while (node < f->leaves) {
        bool right = x >= f->tree[2 * node] && f->tree[2 * node + 1] > 0;
        x -= right ? f->tree[2 * node] : 0;
        node = 2 * node + right;
    }
    return node - f->leaves;
}

static int64_t count_walkable(const ga__draw *d)
{
    const ga_graph *g = d->graph;
    int64_t count = d->view.simple ? g->edges : 0;
    for (int64_t v = 0; v < g->nodes && !d->view.simple; v++) {
        int64_t before = -1;
        for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
            count += g->out_targets[e] != v && g->out_targets[e] != before;
            before = g->out_targets[e];
        }
    }
    return count;
}

static ga_status frontier_open(ga__draw *d, double jump, frontier *f)
{
    ga_status status = GA_OK;
    f->walkers = ga__integer(d, "walkers");
    f->jump = jump;
    f->walkable = count_walkable(d);
    GA_TRY(GA_NEW(d->context, f->walkers, &f->at)); /* what can be had is far below 2^62 */
    for (f->leaves = 1; f->leaves < f->walkers;) {
        f->leaves *= 2;
    }
    GA_TRY(GA_NEW_ZERO(d->context, 2 * f->leaves, &f->tree));
    for (int64_t i = 0; i < f->walkers; i++) {
        uint32_t v =
            d->start_count > 0 ? d->starts[i % d->start_count] : (uint32_t)ga__below(d, d->graph->nodes);
        GA_TRY(ga__tick(d));
        GA_TRY(put(f, i, v));
    }
done:
    return status;
}

/* ---- steps ---- */

static ga_status step(frontier *f, bool *fresh)
{
    ga_status status = GA_OK;
    ga__draw *d = f->d;
    int64_t walker = choose(f);
    uint32_t v = f->at[walker], w;
    bool found;
    *fresh = false;
    if (f->jump > 0 && ga__chance(d, f->jump / f->tree[f->leaves + walker])) {
        return put(f, walker, (uint32_t)ga__below(d, d->graph->nodes));
    }
    GA_TRY(ga__view_draw(&d->view, &d->random, v, &w, &found));
    if (found) {
        GA_TRY(ga__keep_edge(d, ga__view_edge(&d->view, v, w), fresh));
        GA_TRY(ga__join(d, v, NULL));
        GA_TRY(ga__join(d, w, NULL));
        GA_TRY(put(f, walker, w));
    }
done:
    return status;
}

/* A node with a way on that is not an end of a kept edge, if some tries find one. */
static ga_status fresh_node(frontier *f, uint32_t *v, bool *found)
{
    ga_status status = GA_OK;
    ga__draw *d = f->d;
    *found = false;
    for (int i = 0; i < TRIES && !*found && d->count < d->graph->nodes; i++) {
        int64_t degree;
        *v = ga__unsampled(d);
        GA_TRY(ga__view_degree(&d->view, *v, &degree));
        *found = degree > 0;
    }
done:
    return status;
}

/* The end from which a uniform edge that is not kept can be walked. */
static uint32_t end_of_edge(frontier *f)
{
    ga__draw *d = f->d;
    const ga_graph *g = d->graph;
    for (;;) {
        uint32_t v = (uint32_t)ga__below(d, g->nodes);
        int64_t degree = ga__out_degree(g, v);
        if (degree == 0) {
            continue;
        }
        int64_t edge = g->out_offsets[v] + (int64_t)ga__below(d, degree);
        uint32_t w = g->out_targets[edge];
        bool back = d->view.direction == GA__IN;
        if (v != w && !ga__set_has(&d->edges, edge) &&
            ga__view_edge(&d->view, back ? w : v, back ? v : w) == edge) {
            return back ? w : v;
        }
    }
}

/* All walkers continue from nodes not yet sampled, or, where there are none with a way on, one from the end of an edge
 * that is still missing. */
static ga_status start_anew(frontier *f)
{
    ga_status status = GA_OK;
    bool any = false;
    for (int64_t i = 0; i < f->walkers; i++) {
        bool found;
        uint32_t v;
        GA_TRY(ga__tick(f->d));
        GA_TRY(fresh_node(f, &v, &found));
        any |= found;
        if (found) {
            GA_TRY(put(f, i, v));
        }
    }
    if (!any) {
        GA_TRY(put(f, 0, end_of_edge(f)));
    }
done:
    return status;
}

ga_status ga__frontier_walk(ga__draw *d, double jump)
{
    ga_status status = GA_OK;
    frontier f = { .d = d };
    ga__patience patience = { 0 };
    GA_TRY(frontier_open(d, jump, &f));
    while (!ga__full(d) && d->edges.count < f.walkable) {
        bool fresh = false, stuck = !(f.tree[1] > 0);
        GA_TRY(ga__tick(d));
        if (!stuck) {
            GA_TRY(step(&f, &fresh));
        }
        patience.idle = fresh ? 0 : patience.idle;
        if (!fresh && !stuck) {
            GA_TRY(ga__in_vain(d, &patience, GA__GOAL_EDGE, f.at, jump > 0 ? 0 : f.walkers, &stuck));
        }
        if (stuck) {
            GA_TRY(start_anew(&f));
            patience.idle = 0;
        }
    }
    while (d->counts_edges && !ga__full(d)) { /* loops and repetitions, which nobody walks */
        GA_TRY(ga__tick(d));
        GA_TRY(ga__keep_edge(d, (int64_t)ga__below(d, d->graph->edges), NULL));
    }
done:
    ga_free(d->context, f.at);
    ga_free(d->context, f.tree);
    return status;
}

static ga_status draw_frontier(ga__draw *d)
{
    ga_status status = ga__look(d);
    return status == GA_OK ? ga__frontier_walk(d, 0) : status;
}
const struct ga__sampler ga__frontier_sampler = { draw_frontier, true, false };

static ga_status draw_directed_frontier(ga__draw *d)
{
    ga_status status = ga__view_open(d->context, d->graph, GA__BOTH, &d->view);
    return status == GA_OK ? ga__frontier_walk(d, ga__real(d, "jump_weight")) : status;
}
const struct ga__sampler ga__directed_frontier_sampler = { draw_directed_frontier, true, false };
