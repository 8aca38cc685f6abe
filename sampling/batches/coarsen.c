/* coarsen.c - a graph of about half the nodes by matching. */
#include "config.h"

#include "sampling/batches/partition.h"

#define NONE UINT32_MAX

void ga__weighted_clear(ga_context *context, ga__weighted *g)
{
    ga_free(context, g->offsets);
    ga_free(context, g->targets);
    ga_free(context, g->edge_weights);
    ga_free(context, g->node_weights);
    ga_free(context, g->coarse);
    *g = (ga__weighted){ .nodes = 0 };
}

/* ---- matching ---- */

typedef struct matching {
    const ga__weighted *g;
    int64_t most;
    uint32_t *order, *mate; /* owned; mate NONE = alone so far */
    uint32_t *waiting;      /* owned: a node that is left over near each node */
} matching;

static bool light(const matching *m, int64_t u, int64_t v)
{
    return ga__node_weight(m->g, u) + ga__node_weight(m->g, v) <= m->most;
}

static void match(matching *m, uint32_t u, uint32_t v)
{
    m->mate[u] = v;
    m->mate[v] = u;
}

/* The free neighbour along the heaviest edge, of equal ones the lightest, and of those the first from a uniform place on: the
 * lowest would be one of another part more often than not in a graph whose parts are numbered one after the other. */
static uint32_t heaviest(const matching *m, uint32_t v, ga__random *stream)
{
    const ga__weighted *g = m->g;
    uint32_t best = NONE;
    int64_t best_weight = 0, begin = g->offsets[v], degree = g->offsets[v + 1] - begin;
    int64_t start = degree > 0 ? (int64_t)ga__random_below(stream, (uint64_t)degree) : 0;
    for (int64_t i = 0; i < degree; i++) {
        int64_t e = begin + (start + i < degree ? start + i : start + i - degree);
        uint32_t u = g->targets[e];
        int64_t weight = ga__edge_weight(g, e);
        if (m->mate[u] != NONE || !light(m, u, v)) {
            continue;
        }
        if (best == NONE || weight > best_weight ||
            (weight == best_weight && ga__node_weight(g, u) < ga__node_weight(g, best))) {
            best = u;
            best_weight = weight;
        }
    }
    return best;
}

/* Those that are left over at the same neighbour, or without any, by twos: the leaves of hubs, which no edge joins. */
static void match_left_over(matching *m, uint32_t v, uint32_t *isolated)
{
    const ga__weighted *g = m->g;
    uint32_t *waiting = isolated;
    if (g->offsets[v] < g->offsets[v + 1]) {
        int64_t best = g->offsets[v];
        for (int64_t e = best + 1; e < g->offsets[v + 1]; e++) {
            best = ga__edge_weight(g, e) > ga__edge_weight(g, best) ? e : best;
        }
        waiting = &m->waiting[g->targets[best]];
    }
    if (*waiting != NONE && light(m, *waiting, v)) {
        match(m, *waiting, v);
        *waiting = NONE;
    } else {
        *waiting = v;
    }
}

static ga_status match_all(ga_context *context, matching *m, ga__random *stream)
{
    ga_status status = GA_OK;
    int64_t n = m->g->nodes;
    uint32_t isolated = NONE;
    GA_TRY(GA_NEW(context, n, &m->order));
    GA_TRY(GA_NEW(context, n, &m->mate));
    GA_TRY(GA_NEW(context, n, &m->waiting));
    for (int64_t v = 0; v < n; v++) { /* each new one goes to a uniform place */
        int64_t at = (int64_t)ga__random_below(stream, (uint64_t)v + 1);
        m->order[v] = m->order[at];
        m->order[at] = (uint32_t)v;
        m->mate[v] = NONE;
        m->waiting[v] = NONE;
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t v = m->order[i], u = m->mate[v] == NONE ? heaviest(m, v, stream) : NONE;
        if (u != NONE && u != v) {
            match(m, u, v);
        }
    }
    for (int64_t i = 0; i < n; i++) {
        if (m->mate[m->order[i]] == NONE) {
            match_left_over(m, m->order[i], &isolated);
        }
    }
done:
    return status;
}

/* ---- the coarser graph ---- */

static ga_status number_pairs(ga_context *context, ga__weighted *g, const matching *m, ga__weighted *coarse)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, g->nodes, &g->coarse));
    for (int64_t v = 0; v < g->nodes; v++) {
        bool second = m->mate[v] != NONE && m->mate[v] < v;
        g->coarse[v] = second ? g->coarse[m->mate[v]] : (uint32_t)coarse->nodes++;
    }
    GA_TRY(GA_NEW_ZERO(context, coarse->nodes, &coarse->node_weights));
    for (int64_t v = 0; v < g->nodes; v++) {
        int64_t *weight = &coarse->node_weights[g->coarse[v]];
        *weight += ga__node_weight(g, v);
        coarse->heaviest = ga__max(coarse->heaviest, *weight);
    }
    coarse->weight = g->weight;
done:
    return status;
}

/* Adds the edges of v to row `row`, which began at `begin`; at[c] is the place of c in it when that is not before begin. */
static int64_t add_row(const ga__weighted *g, int64_t v, uint32_t row, int64_t begin, int64_t end,
                       int64_t *at, ga__weighted *coarse)
{
    for (int64_t e = g->offsets[v]; e < g->offsets[v + 1]; e++) {
        uint32_t c = g->coarse[g->targets[e]];
        if (c == row) {
            continue;
        }
        if (at[c] < begin) {
            at[c] = end;
            coarse->targets[end] = c;
            coarse->edge_weights[end++] = 0;
        }
        coarse->edge_weights[at[c]] += ga__edge_weight(g, e);
    }
    return end;
}

static ga_status join_rows(ga_context *context, const ga__weighted *g, const matching *m,
                           ga__weighted *coarse)
{
    ga_status status = GA_OK;
    int64_t *at = NULL, end = 0, all = g->offsets[g->nodes];
    GA_TRY(GA_NEW(context, coarse->nodes, &at));
    GA_TRY(GA_NEW(context, coarse->nodes + 1, &coarse->offsets));
    GA_TRY(GA_NEW(context, all, &coarse->targets));
    GA_TRY(GA_NEW(context, all, &coarse->edge_weights));
    for (int64_t c = 0; c < coarse->nodes; c++) {
        at[c] = -1;
    }
    coarse->offsets[0] = 0;
    for (int64_t v = 0; v < g->nodes; v++) {
        uint32_t mate = m->mate[v], row = g->coarse[v];
        if (mate != NONE && mate < v) {
            continue;
        }
        int64_t begin = end;
        end = add_row(g, v, row, begin, end, at, coarse);
        end = mate != NONE ? add_row(g, mate, row, begin, end, at, coarse) : end;
        coarse->offsets[row + 1] = end; /* rows come in their order */
    }
    GA_TRY(ga__resize(context, all, end, sizeof *coarse->targets, &coarse->targets));
    GA_TRY(ga__resize(context, all, end, sizeof *coarse->edge_weights, &coarse->edge_weights));
done:
    ga_free(context, at);
    return status;
}

ga_status ga__coarsen(ga_context *context, ga__weighted *g, int64_t most, ga__random *stream,
                      ga__weighted *coarse)
{
    ga_status status = GA_OK;
    matching m = { .g = g, .most = most };
    *coarse = (ga__weighted){ .nodes = 0 };
    GA_TRY(ga__check(context));
    GA_TRY(match_all(context, &m, stream));
    GA_TRY(number_pairs(context, g, &m, coarse));
    status = join_rows(context, g, &m, coarse);
done:
    if (status != GA_OK) {
        ga__weighted_clear(context, coarse);
    }
    ga_free(context, m.order);
    ga_free(context, m.mate);
    ga_free(context, m.waiting);
    return status;
}
