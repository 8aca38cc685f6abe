/* pies.c - one pass over a stream of edges: nodes join, later ones replace members together with their edges.
 *
 * A member that is replaced may come back, without the edges that it had. An edge therefore counts if both ends are in and
 * have been since its time: members remember when they joined, and edges are dropped when they are next looked through. */
#include "config.h"

#include "graph/csr.h"
#include "sampling/classical/draw.h"

enum { LEAST_ROOM = 256, TABLE_EACH = 4 };

typedef struct kept_edge {
    int64_t edge, time;
    uint32_t source, target;
} kept_edge;

typedef struct stream {
    ga__draw *d;
    uint32_t *slots; /* owned: members */
    int64_t count;
    ga__table joined; /* of nodes: the time when they joined; -1 when they were replaced */
    kept_edge *kept;  /* owned */
    int64_t kept_count, room;
    int64_t time, full_at; /* edges seen, and how many were when the sample was full; -1 = not yet */
} stream;

static bool is_in(const stream *s, uint32_t v)
{
    const int64_t *time = ga__table_find(&s->joined, v);
    return time && *time >= 0;
}

static ga_status take(stream *s, uint32_t v, int64_t slot)
{
    ga_status status = GA_OK;
    int64_t *time;
    if (slot < s->count) {
        GA_TRY(ga__table_at(&s->joined, s->slots[slot], -1, &time));
        *time = -1;
    }
    GA_TRY(ga__table_at(&s->joined, v, -1, &time));
    *time = s->time;
    s->slots[slot] = v;
    s->count = ga__max(s->count, slot + 1);
done:
    return status;
}

/* Ends join while there is room; then, for edges that are considered, each takes the place of a uniform member. */
static ga_status let_in(stream *s, uint32_t v, bool considered)
{
    if (is_in(s, v)) {
        return GA_OK;
    }
    if (s->full_at < 0 && s->count < s->d->wanted) {
        return take(s, v, s->count);
    }
    return considered ? take(s, v, (int64_t)ga__below(s->d, s->count)) : GA_OK;
}

static bool counts(const stream *s, const kept_edge *e)
{
    const int64_t *source = ga__table_find(&s->joined, e->source);
    const int64_t *target = ga__table_find(&s->joined, e->target);
    return source && target && *source >= 0 && *target >= 0 && *source <= e->time && *target <= e->time;
}

/* Forgets edges that no longer count and nodes that were replaced. */
static ga_status sweep(stream *s)
{
    ga_status status = GA_OK;
    ga__table fresh = { .context = s->d->context };
    int64_t left = 0, *time;
    for (int64_t i = 0; i < s->kept_count; i++) {
        if (counts(s, &s->kept[i])) {
            s->kept[left++] = s->kept[i];
        }
    }
    s->kept_count = left;
    for (int64_t i = 0; i < s->count; i++) {
        GA_TRY(ga__table_at(&fresh, s->slots[i], *ga__table_find(&s->joined, s->slots[i]), &time));
    }
    ga__table_clear(&s->joined);
    s->joined = fresh;
    fresh = (ga__table){ .context = s->d->context };
done:
    ga__table_clear(&fresh);
    return status;
}

static ga_status keep(stream *s, int64_t edge, uint32_t u, uint32_t v)
{
    ga_status status = GA_OK;
    if (s->kept_count == s->room) {
        GA_TRY(sweep(s));
    }
    if (2 * s->kept_count >= s->room) { /* most of them count */
        int64_t room = ga__max(LEAST_ROOM, 2 * s->room);
        GA_TRY(ga__resize(s->d->context, s->room, room, sizeof *s->kept, &s->kept));
        s->room = room;
    }
    s->kept[s->kept_count++] = (kept_edge){ edge, s->time, u, v };
done:
    return status;
}

static ga_status pass_edge(stream *s, int64_t edge, uint32_t u, uint32_t v)
{
    ga_status status = GA_OK;
    GA_TRY(ga__tick(s->d));
    s->time++;
    bool considered = s->full_at >= 0 && ga__chance(s->d, (double)s->full_at / (double)s->time);
    GA_TRY(let_in(s, u, considered));
    GA_TRY(let_in(s, v, considered));
    if (is_in(s, u) && is_in(s, v)) {
        GA_TRY(keep(s, edge, u, v));
    }
    if (s->full_at < 0 && s->count == s->d->wanted) {
        s->full_at = s->time;
    }
    if (s->joined.count > TABLE_EACH * s->d->wanted + LEAST_ROOM) {
        GA_TRY(sweep(s));
    }
done:
    return status;
}

static ga_status finish(stream *s)
{
    ga_status status = GA_OK;
    uint32_t v;
    GA_TRY(sweep(s));
    for (int64_t i = 0; i < s->count; i++) {
        GA_TRY(ga__join(s->d, s->slots[i], NULL));
    }
    for (int64_t i = 0; i < s->kept_count; i++) {
        GA_TRY(ga__keep_edge(s->d, s->kept[i].edge, NULL));
    }
    while (!ga__full(s->d)) { /* more than there are nodes with edges */
        GA_TRY(ga__tick(s->d));
        GA_TRY(ga__seed(s->d, &v));
    }
done:
    return status;
}

static ga_status pass_rows(stream *s, const ga_graph *g)
{
    ga_status status = GA_OK;
    for (int64_t u = 0; u < g->nodes; u++) {
        for (int64_t e = g->out_offsets[u]; e < g->out_offsets[u + 1]; e++) {
            GA_TRY(pass_edge(s, e, (uint32_t)u, g->out_targets[e]));
        }
    }
done:
    return status;
}

static ga_status pass_stream(stream *s, const ga_graph *g, const int64_t *edges, int64_t count)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < count; i++) {
        int64_t e = edges[i];
        if (e < 0 || e >= g->edges) {
            GA_TRY(ga__fail(s->d->context, GA_INVALID, "edge %lld of a stream, the graph has %lld",
                            (long long)e, (long long)g->edges));
        }
        uint32_t u = (uint32_t)ga__row_of(g->out_offsets, g->nodes, e);
        GA_TRY(pass_edge(s, e, u, g->out_targets[e]));
    }
done:
    return status;
}

static ga_status draw_pies(ga__draw *d)
{
    ga_status status = GA_OK;
    stream s = { .d = d, .joined = { .context = d->context }, .full_at = -1 };
    GA_TRY(GA_NEW(d->context, d->wanted, &s.slots));
    GA_TRY(d->stream ? pass_stream(&s, d->graph, d->stream, d->stream_count) : pass_rows(&s, d->graph));
    status = finish(&s);
done:
    ga_free(d->context, s.slots);
    ga_free(d->context, s.kept);
    ga__table_clear(&s.joined);
    return status;
}
const struct ga__sampler ga__pies_sampler = { draw_pies, false, true };
