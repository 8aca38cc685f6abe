/* partition.c - k parts: the graph is halved again and again, each time by way of ever coarser graphs. */
#include "config.h"

#include <string.h>

#include "sampling/batches/partition.h"

#include <graphattn/batches.h>

#include "sampling/classical/view.h"

enum {
    SMALL = 120,  /* nodes of the coarsest graph */
    LEVELS = 48,  /* of coarser graphs at most: each has at most 15/16 of the nodes of the one before */
    ALLOWED = 29, /* thousandths by which a part may be too heavy; (1 + .029 / L)^L < 1.03 */
    TRIES = 4,    /* bisections of which the best is taken, where together they see fewer nodes than */
    TRIED_NODES = 1 << 18,
};

/* ---- halves ---- */

static ga_status coarsen_all(ga_context *context, ga__weighted *levels, int *count, uint64_t number)
{
    ga_status status = GA_OK;
    int64_t most = ga__max(1, levels[0].weight * 3 / (2 * SMALL));
    for (*count = 1; *count < LEVELS && levels[*count - 1].nodes > SMALL; ++*count) {
        ga__weighted *fine = &levels[*count - 1];
        ga__random stream = ga__random_at(number, GA__RANDOM_PARTS, (uint64_t)*count);
        GA_TRY(ga__coarsen(context, fine, most, &stream, &levels[*count]));
        if (levels[*count].nodes > fine->nodes - fine->nodes / 16) { /* no node found another */
            ++*count;
            break;
        }
    }
done:
    return status;
}

/* What coarse nodes weigh may be in the way of the caps. */
static ga__halves loosened(const ga__halves *halves, const ga__weighted *g)
{
    ga__halves loose = *halves;
    for (int i = 0; i < 2 && g->heaviest > 1; i++) {
        loose.cap[i] = halves->cap[i] + g->heaviest;
    }
    return loose;
}

/* From the sides of the coarser graph, in place: coarse numbers never exceed fine ones. */
static void project(const ga__weighted *fine, uint8_t *side)
{
    for (int64_t v = fine->nodes - 1; v >= 0; v--) {
        side[v] = side[fine->coarse[v]];
    }
}

ga_status ga__bisect(ga_context *context, ga__weighted *g, const ga__halves *halves, uint64_t number,
                     uint8_t *side)
{
    ga_status status = GA_OK;
    ga__weighted levels[LEVELS] = { *g }; /* the first is the caller's */
    int count = 1;
    ga__random stream = ga__random_at(number, GA__RANDOM_PARTS, 0);
    GA_TRY(coarsen_all(context, levels, &count, number));
    ga__halves loose = loosened(halves, &levels[count - 1]);
    GA_TRY(ga__grow(context, &levels[count - 1], &loose, &stream, side));
    for (int i = count - 2; i >= 0; i--) {
        project(&levels[i], side);
        loose = loosened(halves, &levels[i]);
        GA_TRY(ga__refine(context, &levels[i], &loose, side));
    }
done:
    ga_free(context, levels[0].coarse);
    for (int i = 1; i < LEVELS; i++) {
        ga__weighted_clear(context, &levels[i]);
    }
    return status;
}

/* ---- recursion ---- */

typedef struct splitting {
    ga_context *context;
    uint64_t seed;
    int depth; /* of bisections */
    int64_t parts, made;
    int64_t *part;
} splitting;

/* Nodes of one side of g, whose originals are in nodes (NULL = the same numbers). */
static ga_status take_side(ga_context *context, const ga__weighted *g, const uint32_t *nodes,
                           const uint8_t *side, int which, ga__weighted *half, uint32_t **half_nodes)
{
    ga_status status = GA_OK;
    uint32_t *place = NULL;
    int64_t edges = 0;
    *half = (ga__weighted){ .heaviest = 1 };
    GA_TRY(GA_NEW(context, g->nodes, &place));
    for (int64_t v = 0; v < g->nodes; v++) {
        place[v] = (uint32_t)half->nodes;
        half->nodes += side[v] == which;
        for (int64_t e = g->offsets[v]; side[v] == which && e < g->offsets[v + 1]; e++) {
            edges += side[g->targets[e]] == which;
        }
    }
    half->weight = half->nodes;
    GA_TRY(GA_NEW(context, half->nodes, half_nodes));
    GA_TRY(GA_NEW(context, half->nodes + 1, &half->offsets));
    GA_TRY(GA_NEW(context, edges, &half->targets));
    half->offsets[0] = edges = 0;
    for (int64_t v = 0; v < g->nodes; v++) {
        for (int64_t e = g->offsets[v]; side[v] == which && e < g->offsets[v + 1]; e++) {
            if (side[g->targets[e]] == which) {
                half->targets[edges++] = place[g->targets[e]];
            }
        }
        if (side[v] == which) {
            (*half_nodes)[place[v]] = nodes ? nodes[v] : (uint32_t)v;
            half->offsets[place[v] + 1] = edges;
        }
    }
done:
    ga_free(context, place);
    return status;
}

static ga__halves halves_for(const splitting *s, int64_t nodes, int64_t k)
{
    int64_t parts[2] = { k / 2, k - k / 2 };
    ga__halves h;
    for (int i = 0; i < 2; i++) {
        double wanted = (double)nodes * (double)parts[i] / (double)k;
        h.wanted[i] = (int64_t)(wanted + 0.5);
        int64_t cap = (int64_t)(wanted * (1 + ALLOWED / 1000.0 / s->depth)) + 1;
        h.cap[i] = ga__min(cap, nodes - parts[!i]); /* every part of the other side gets a node */
    }
    return h;
}

static int64_t cut_between(const ga__weighted *g, const uint8_t *side)
{
    int64_t cut = 0;
    for (int64_t v = 0; v < g->nodes; v++) {
        for (int64_t e = g->offsets[v]; side[v] && e < g->offsets[v + 1]; e++) {
            cut += !side[g->targets[e]];
        }
    }
    return cut;
}

/* The best of several bisections, where these cost little. */
static ga_status halve(splitting *s, ga__weighted *g, const ga__halves *halves, uint64_t number,
                       uint8_t *side)
{
    ga_status status = GA_OK;
    uint8_t *other = NULL;
    int64_t best = INT64_MAX, tries = ga__max(1, ga__min(TRIES, TRIED_NODES / ga__max(1, g->nodes)));
    GA_TRY(GA_NEW_ZERO(s->context, g->nodes, &other));
    for (int64_t i = 0; i < tries && best > 0; i++) {
        uint64_t key[2];
        ga__random_block(s->seed, GA__RANDOM_PARTS, number, (uint32_t)i, key);
        GA_TRY(ga__bisect(s->context, g, halves, key[0], other));
        int64_t cut = cut_between(g, other);
        if (cut < best && g->nodes > 0) {
            best = cut;
            memcpy(side, other, (size_t)g->nodes);
        }
    }
done:
    ga_free(s->context, other);
    return status;
}

/* Parts first .. first + k - 1 among nodes; g is used up. number: of the bisection, as in a heap. */
static ga_status split(splitting *s, ga__weighted *g, uint32_t *nodes, int64_t first, int64_t k,
                       uint64_t number)
{
    ga_status status = GA_OK;
    uint8_t *side = NULL;
    ga__weighted half[2] = { { 0 } };
    uint32_t *half_nodes[2] = { NULL };
    if (k == 1) {
        for (int64_t v = 0; v < g->nodes; v++) {
            s->part[nodes ? nodes[v] : v] = first;
        }
        ga__progress(s->context, "partition", ++s->made, s->parts);
        goto done;
    }
    ga__halves halves = halves_for(s, g->nodes, k);
    GA_TRY(GA_NEW_ZERO(s->context, g->nodes, &side));
    GA_TRY(halve(s, g, &halves, number, side));
    for (int i = 0; i < 2; i++) {
        GA_TRY(take_side(s->context, g, nodes, side, i, &half[i], &half_nodes[i]));
    }
    ga__weighted_clear(s->context, g);
    for (int i = 0; i < 2; i++) {
        GA_TRY(split(s, &half[i], half_nodes[i], first + (i ? k / 2 : 0), i ? k - k / 2 : k / 2,
                     2 * number + (uint64_t)i));
    }
done:
    ga_free(s->context, side);
    for (int i = 0; i < 2; i++) {
        ga__weighted_clear(s->context, &half[i]);
        ga_free(s->context, half_nodes[i]);
    }
    return status;
}

/* ---- all ---- */

/* The undirected view, each neighbour once. */
static ga_status undirected(ga_context *context, const ga_graph *graph, ga__weighted *g)
{
    ga_status status = GA_OK;
    ga__view view;
    ga__list near = { .nodes = NULL };
    int64_t room = 0, n = graph->nodes, count = 0;
    *g = (ga__weighted){ .nodes = n, .weight = n, .heaviest = 1 };
    GA_TRY(ga__view_open(context, graph, GA__BOTH, &view));
    GA_TRY(GA_NEW(context, n + 1, &g->offsets));
    g->offsets[0] = 0;
    for (int64_t v = 0; v < n; v++) {
        GA_TRY(v % 4096 ? GA_OK : ga__check(context));
        GA_TRY(ga__view_list(&view, (uint32_t)v, &near));
        if (count + near.count > room) {
            int64_t more = ga__max(count + near.count, room + room / 2);
            GA_TRY(ga__resize(context, room, more, sizeof *g->targets, &g->targets));
            room = more;
        }
        for (int64_t i = 0; i < near.count; i++) {
            g->targets[count++] = near.nodes[i];
        }
        g->offsets[v + 1] = count;
    }
done:
    ga__list_clear(context, &near);
    ga__view_clear(&view);
    return status;
}

static int64_t edges_between(const ga__weighted *g, const int64_t *part)
{
    int64_t cut = 0;
    for (int64_t v = 0; v < g->nodes; v++) {
        for (int64_t e = g->offsets[v]; e < g->offsets[v + 1]; e++) {
            cut += g->targets[e] > v && part[v] != part[g->targets[e]];
        }
    }
    return cut;
}

ga_status ga_graph_partition(ga_context *context, const ga_graph *graph, int64_t k, int64_t *part,
                             int64_t *cut)
{
    ga_status status = GA_OK;
    ga__weighted g = { 0 }, copy = { 0 };
    splitting s = { .context = context, .seed = ga_context_seed(context), .parts = k };
    ga__begin(context);
    if (k < 1 || k > ga__max(1, graph->nodes) || graph->nodes >= UINT32_MAX) {
        GA_TRY(ga__fail(context, GA_INVALID, "%lld parts of %lld nodes, expected 1 to as many as nodes",
                        (long long)k, (long long)graph->nodes));
    }
    for (s.depth = 1; INT64_C(1) << s.depth < k; s.depth++) {
    }
    GA_TRY(GA_NEW(context, graph->nodes, &s.part));
    GA_TRY(undirected(context, graph, &g));
    GA_TRY(split(&s, &g, NULL, 0, k, 1));
    if (cut) {
        GA_TRY(undirected(context, graph, &copy));
        *cut = edges_between(&copy, s.part);
    }
    for (int64_t v = 0; v < graph->nodes; v++) {
        part[v] = s.part[v];
    }
done:
    ga__weighted_clear(context, &g);
    ga__weighted_clear(context, &copy);
    ga_free(context, s.part);
    return status;
}
