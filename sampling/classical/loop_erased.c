/* loop_erased.c - loop_erased_walk: trees grown by walks without their loops (Wilson). */
#include "config.h"

#include "sampling/classical/draw.h"

typedef struct eraser {
    ga__draw *d;
    ga__table
        next; /* where the walk last went on from a node: following it from the start leaves the loops out */
    uint32_t *path; /* owned */
    int64_t count, room;
} eraser;

/* One walk from an unsampled node until it hits the sample; *hit is false when the stuck rule ends it. */
static ga_status walk(eraser *e, uint32_t start, bool *hit)
{
    ga_status status = GA_OK;
    ga__draw *d = e->d;
    ga__patience patience = { 0 };
    uint32_t at = start, to;
    bool found, stuck = false;
    while (!ga__set_has(&d->inside, at) && !stuck) {
        int64_t *next;
        GA_TRY(ga__tick(d));
        GA_TRY(ga__view_draw(&d->view, &d->random, at, &to, &found));
        stuck = !found;
        if (found) {
            GA_TRY(ga__table_at(&e->next, at, 0, &next));
            *next = to;
            at = to;
            GA_TRY(ga__in_vain(d, &patience, GA__GOAL_SAMPLED, &start, 1, &stuck));
        }
    }
    *hit = ga__set_has(&d->inside, at);
done:
    return status;
}

static ga_status add_to_path(eraser *e, uint32_t v)
{
    ga_status status = GA_OK;
    if (e->count == e->room) {
        int64_t room = ga__max(256, 2 * e->room);
        GA_TRY(ga__resize(e->d->context, e->room, room, sizeof *e->path, &e->path));
        e->room = room;
    }
    e->path[e->count++] = v;
done:
    return status;
}

/* The walk without its loops joins from its end, so that what fits in is connected with the sample. */
static ga_status join_path(eraser *e, uint32_t start)
{
    ga_status status = GA_OK;
    ga__draw *d = e->d;
    uint32_t v = start;
    e->count = 0;
    while (!ga__set_has(&d->inside, v)) {
        GA_TRY(add_to_path(e, v));
        v = (uint32_t)*ga__table_find(&e->next, v);
    }
    for (int64_t i = e->count - 1; i >= 0 && !ga__full(d); i--) {
        GA_TRY(ga__join(d, e->path[i], NULL));
        GA_TRY(ga__cross(d, e->path[i], v));
        v = e->path[i];
    }
done:
    return status;
}

static ga_status draw_loop_erased(ga__draw *d)
{
    ga_status status = GA_OK;
    eraser e = { .d = d, .next = { .context = d->context } };
    uint32_t v;
    GA_TRY(ga__look(d));
    GA_TRY(ga__seed_all(d));
    while (!ga__full(d)) {
        bool hit;
        uint32_t start = ga__unsampled(d);
        GA_TRY(walk(&e, start, &hit));
        GA_TRY(hit ? join_path(&e, start) : ga__seed(d, &v));
    }
done:
    ga__table_clear(&e.next);
    ga_free(d->context, e.path);
    return status;
}
const struct ga__sampler ga__loop_erased_walk_sampler = { draw_loop_erased, false, false };
