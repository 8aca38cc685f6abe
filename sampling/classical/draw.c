/* draw.c - one run of a classical sampler: joining, choosing, starting. */
#include "config.h"

#include "sampling/classical/draw.h"

enum { TICKS = 1 << 12, LEAST_ROOM = 256 };

ga_status ga__tick(ga__draw *d)
{
    if (++d->ticks % TICKS) {
        return GA_OK;
    }
    ga__progress(d->context, "sampling", d->counts_edges ? d->edges.count : d->count, d->wanted);
    return ga__check(d->context);
}

/* ---- joining ---- */

ga_status ga__join(ga__draw *d, uint32_t v, bool *fresh)
{
    ga_status status = GA_OK;
    bool added = false;
    if (d->counts_edges || d->count < d->wanted) {
        GA_TRY(ga__set_add(&d->inside, v, &added));
    }
    if (added && d->count == d->room) {
        int64_t room = ga__max(LEAST_ROOM, 2 * d->room);
        GA_TRY(ga__resize(d->context, d->room, room, sizeof *d->members, &d->members));
        d->room = room;
    }
    if (added) {
        d->members[d->count++] = v;
    }
    if (fresh) {
        *fresh = added;
    }
done:
    return status;
}

ga_status ga__keep_edge(ga__draw *d, int64_t edge, bool *fresh)
{
    bool added = false;
    ga_status status = GA_OK;
    if (!d->counts_edges || d->edges.count < d->wanted) {
        status = ga__set_add(&d->edges, edge, &added);
    }
    if (fresh) {
        *fresh = added;
    }
    return status;
}

ga_status ga__cross(ga__draw *d, uint32_t v, uint32_t w)
{
    return d->keeps_edges ? ga__keep_edge(d, ga__view_edge(&d->view, v, w), NULL) : GA_OK;
}

/* ---- choosing ---- */

/* By rejection: n / (n - count) tries on average, n H(n) for all nodes of a graph together. */
uint32_t ga__unsampled(ga__draw *d)
{
    uint32_t v;
    do {
        v = (uint32_t)ga__below(d, d->graph->nodes);
    } while (ga__set_has(&d->inside, v));
    return v;
}

void ga__shuffle(ga__draw *d, uint32_t *nodes, int64_t count, int64_t all)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t j = i + (int64_t)ga__below(d, all - i);
        uint32_t kept = nodes[i];
        nodes[i] = nodes[j];
        nodes[j] = kept;
    }
}

/* Floyd: after the step of j the set is a uniform one of its size among 0 .. j. */
ga_status ga__choose(ga__draw *d, int64_t all, int64_t wanted, ga__set *set)
{
    ga_status status = GA_OK;
    for (int64_t j = all - wanted; j < all; j++) {
        int64_t x = (int64_t)ga__below(d, j + 1);
        GA_TRY(ga__tick(d));
        GA_TRY(ga__set_add(set, ga__set_has(set, x) ? j : x, NULL));
    }
done:
    return status;
}

/* ---- starting ---- */

ga_status ga__seed(ga__draw *d, uint32_t *v)
{
    bool given = false;
    while (d->starts_used < d->start_count && !given) {
        *v = d->starts[d->starts_used++];
        given = !ga__set_has(&d->inside, *v);
    }
    if (!given) {
        *v = ga__unsampled(d);
    }
    return ga__join(d, *v, NULL);
}

ga_status ga__seed_all(ga__draw *d)
{
    ga_status status = GA_OK;
    uint32_t v;
    for (; d->starts_used < d->start_count; d->starts_used++) {
        GA_TRY(ga__join(d, d->starts[d->starts_used], NULL));
    }
    if (d->start_count == 0) {
        status = ga__seed(d, &v);
    }
done:
    return status;
}

ga_status ga__look(ga__draw *d)
{
    return ga__view_open(d->context, d->graph, (ga__direction)ga__integer(d, "direction"), &d->view);
}
