/* refine.c - moving nodes between two sides, the best first: growing a side, refining both. */
#include "config.h"

#include <string.h>

#include "sampling/batches/partition.h"

enum {
    GROWTHS = 8,      /* sides that are grown, of which the best is kept */
    PASSES = 8,       /* of a refinement at most */
    LEAST_VAIN = 200, /* moves without gain that end a pass: 2 % of the nodes within these */
    MOST_VAIN = 10000,
};

/* The nodes of a side that may move, by what moving them takes off the cut; ties to the lower node. */
typedef struct heap {
    uint32_t *nodes; /* owned */
    int64_t count;
} heap;

typedef struct sides {
    ga_context *context;
    const ga__weighted *g;
    const ga__halves *halves;
    uint8_t *side;
    int64_t *gain;   /* owned, as all below: what moving a node takes off the cut */
    int64_t *at;     /* place in the heap of its side, AWAY or LOCKED */
    uint32_t *moved; /* nodes of this pass in their order */
    uint8_t *best;   /* growing */
    int64_t move_count;
    heap heaps[2];
    int64_t weight[2], cut;
} sides;

enum { AWAY = -1, LOCKED = -2 };

/* ---- heaps ---- */

static bool before(const sides *s, uint32_t u, uint32_t v)
{
    return s->gain[u] > s->gain[v] || (s->gain[u] == s->gain[v] && u < v);
}

static void put(sides *s, heap *h, int64_t place, uint32_t v)
{
    h->nodes[place] = v;
    s->at[v] = place;
}

static void rise(sides *s, heap *h, int64_t place, uint32_t v)
{
    for (; place > 0 && before(s, v, h->nodes[(place - 1) / 2]); place = (place - 1) / 2) {
        put(s, h, place, h->nodes[(place - 1) / 2]);
    }
    put(s, h, place, v);
}

static void sink(sides *s, heap *h, int64_t place, uint32_t v)
{
    for (int64_t child; (child = 2 * place + 1) < h->count; place = child) {
        child += child + 1 < h->count && before(s, h->nodes[child + 1], h->nodes[child]);
        if (!before(s, h->nodes[child], v)) {
            break;
        }
        put(s, h, place, h->nodes[child]);
    }
    put(s, h, place, v);
}

static void insert(sides *s, uint32_t v)
{
    heap *h = &s->heaps[s->side[v]];
    rise(s, h, h->count++, v);
}

static void take_out(sides *s, uint32_t v)
{
    heap *h = &s->heaps[s->side[v]];
    int64_t place = s->at[v];
    uint32_t last = h->nodes[--h->count];
    s->at[v] = AWAY;
    if (last != v) {
        rise(s, h, place, last);
        sink(s, h, s->at[last], last);
    }
}

/* A node's gain changed; it comes in if it may move. */
static void change(sides *s, uint32_t v, int64_t by)
{
    s->gain[v] += by;
    if (s->at[v] == AWAY) {
        insert(s, v);
    } else if (s->at[v] >= 0) {
        heap *h = &s->heaps[s->side[v]];
        rise(s, h, s->at[v], v);
        sink(s, h, s->at[v], v);
    }
}

/* ---- moves ---- */

static void flip(sides *s, uint32_t v)
{
    int64_t weight = ga__node_weight(s->g, v);
    s->weight[s->side[v]] -= weight;
    s->side[v] ^= 1;
    s->weight[s->side[v]] += weight;
    s->cut -= s->gain[v];
    s->gain[v] = -s->gain[v];
}

/* v, which is in its heap, goes to the other side for good. */
static void move(sides *s, uint32_t v)
{
    const ga__weighted *g = s->g;
    take_out(s, v);
    s->at[v] = LOCKED;
    flip(s, v);
    s->moved[s->move_count++] = v;
    for (int64_t e = g->offsets[v]; e < g->offsets[v + 1]; e++) {
        uint32_t u = g->targets[e];
        change(s, u, s->side[u] == s->side[v] ? -2 * ga__edge_weight(g, e) : 2 * ga__edge_weight(g, e));
    }
}

/* Gains, weights and cut from the sides. The heaps get the nodes that have edges to the other side. */
static void measure(sides *s)
{
    const ga__weighted *g = s->g;
    s->weight[0] = s->weight[1] = s->cut = 0;
    s->heaps[0].count = s->heaps[1].count = s->move_count = 0;
    for (int64_t v = 0; v < g->nodes; v++) {
        int64_t across = 0, within = 0;
        for (int64_t e = g->offsets[v]; e < g->offsets[v + 1]; e++) {
            int64_t weight = ga__edge_weight(g, e);
            across += s->side[g->targets[e]] != s->side[v] ? weight : 0;
            within += s->side[g->targets[e]] == s->side[v] ? weight : 0;
        }
        s->gain[v] = across - within;
        s->at[v] = AWAY;
        s->weight[s->side[v]] += ga__node_weight(g, v);
        s->cut += s->side[v] ? across : 0;
        if (across > 0) {
            insert(s, (uint32_t)v);
        }
    }
}

/* By how much both sides are too heavy. */
static int64_t excess(const sides *s)
{
    return ga__max(0, s->weight[0] - s->halves->cap[0]) + ga__max(0, s->weight[1] - s->halves->cap[1]);
}

/* ---- refining ---- */

/* The best move: off a side that is too heavy, else the one that takes most off the cut and does not make the other side too
 * heavy. Those that would are out for this pass. False when there is none. */
static bool best_move(sides *s, uint32_t *v)
{
    const int64_t *cap = s->halves->cap;
    for (int from = 0; from < 2; from++) {
        if (s->weight[from] > cap[from]) {
            *v = s->heaps[from].count > 0 ? s->heaps[from].nodes[0] : 0;
            return s->heaps[from].count > 0;
        }
    }
    for (int from = 0; from < 2; from++) {
        heap *h = &s->heaps[from];
        while (h->count > 0 && s->weight[!from] + ga__node_weight(s->g, h->nodes[0]) > cap[!from]) {
            uint32_t heavy = h->nodes[0];
            take_out(s, heavy);
            s->at[heavy] = LOCKED;
        }
    }
    const heap *a = &s->heaps[0], *b = &s->heaps[1];
    if (a->count > 0 && b->count > 0) {
        *v = before(s, b->nodes[0], a->nodes[0]) ? b->nodes[0] : a->nodes[0];
    } else if (a->count + b->count > 0) {
        *v = a->count > 0 ? a->nodes[0] : b->nodes[0];
    }
    return a->count + b->count > 0;
}

/* Moves every node at most once and goes back to the best state on the way; false when that was the first. */
static bool pass(sides *s)
{
    int64_t vain = ga__min(MOST_VAIN, ga__max(LEAST_VAIN, s->g->nodes / 50));
    int64_t best = 0, best_cut, best_excess;
    uint32_t v;
    measure(s);
    best_cut = s->cut;
    best_excess = excess(s);
    for (int64_t u = 0; u < s->g->nodes && best_excess > 0; u++) {
        if (s->at[u] == AWAY) {
            insert(s, (uint32_t)u);
        }
    }
    while (s->move_count - best < vain && best_move(s, &v)) {
        move(s, v);
        int64_t now = excess(s);
        if (now < best_excess || (now == best_excess && s->cut < best_cut)) {
            best = s->move_count;
            best_cut = s->cut;
            best_excess = now;
        }
    }
    while (s->move_count > best) {
        flip(s, s->moved[--s->move_count]);
    }
    return best > 0;
}

/* ---- life ---- */

static ga_status open_sides(ga_context *context, const ga__weighted *g, const ga__halves *halves,
                            uint8_t *side, sides *s)
{
    ga_status status = GA_OK;
    *s = (sides){ .context = context, .g = g, .halves = halves, .side = side };
    GA_TRY(GA_NEW(context, g->nodes, &s->gain));
    GA_TRY(GA_NEW(context, g->nodes, &s->at));
    GA_TRY(GA_NEW(context, g->nodes, &s->moved));
    GA_TRY(GA_NEW(context, g->nodes, &s->heaps[0].nodes));
    GA_TRY(GA_NEW(context, g->nodes, &s->heaps[1].nodes));
done:
    return status;
}

static void close_sides(sides *s)
{
    ga_free(s->context, s->gain);
    ga_free(s->context, s->at);
    ga_free(s->context, s->moved);
    ga_free(s->context, s->best);
    ga_free(s->context, s->heaps[0].nodes);
    ga_free(s->context, s->heaps[1].nodes);
}

static ga_status refine(sides *s)
{
    ga_status status = GA_OK;
    bool better = true;
    for (int i = 0; i < PASSES && better; i++) {
        GA_TRY(ga__check(s->context));
        better = pass(s);
    }
done:
    return status;
}

ga_status ga__refine(ga_context *context, const ga__weighted *g, const ga__halves *halves, uint8_t *side)
{
    ga_status status = GA_OK;
    sides s;
    GA_TRY(open_sides(context, g, halves, side, &s));
    status = refine(&s);
done:
    close_sides(&s);
    return status;
}

/* ---- growing ---- */

/* Side 0 grows from a uniform node, and from another one where it cannot go on. */
static void grow(sides *s, ga__random *stream)
{
    int64_t n = s->g->nodes;
    memset(s->side, 1, (size_t)n);
    measure(s);
    while (s->weight[0] < s->halves->wanted[0] && s->move_count < n) {
        if (s->heaps[1].count == 0) {
            int64_t v = (int64_t)ga__random_below(stream, (uint64_t)n);
            while (s->side[v] == 0) {
                v = v + 1 < n ? v + 1 : 0;
            }
            insert(s, (uint32_t)v);
        }
        move(s, s->heaps[1].nodes[0]);
    }
}

ga_status ga__grow(ga_context *context, const ga__weighted *g, const ga__halves *halves, ga__random *stream,
                   uint8_t *side)
{
    ga_status status = GA_OK;
    sides s;
    int64_t best_cut = 0, best_excess = 0;
    GA_TRY(open_sides(context, g, halves, side, &s));
    GA_TRY(GA_NEW(context, g->nodes, &s.best));
    for (int i = 0; i < GROWTHS && g->nodes > 0; i++) {
        grow(&s, stream);
        GA_TRY(refine(&s));
        measure(&s);
        int64_t now = excess(&s);
        if (i == 0 || now < best_excess || (now == best_excess && s.cut < best_cut)) {
            best_cut = s.cut;
            best_excess = now;
            memcpy(s.best, side, (size_t)g->nodes);
        }
    }
    if (g->nodes > 0) {
        memcpy(side, s.best, (size_t)g->nodes);
    }
done:
    close_sides(&s);
    return status;
}
