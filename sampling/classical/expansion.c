/* expansion.c - the node next to the sample that has most neighbours outside sample and its neighbourhood.
 *
 * That number only falls as the sample grows: a heap holds for every candidate the number at some earlier time, and one
 * that comes to the top is counted again before it is believed. */
#include "config.h"

#include "sampling/classical/draw.h"

typedef struct candidate {
    int64_t gain;
    uint32_t node;
} candidate;

typedef struct front {
    ga__draw *d;
    candidate *heap; /* owned; the largest gain first, of equal ones the lowest node */
    int64_t count, room;
    ga__set covered; /* sample and its neighbourhood */
    ga__list near, beyond;
} front;

static bool before(candidate a, candidate b)
{
    return a.gain > b.gain || (a.gain == b.gain && a.node < b.node);
}

static ga_status push(front *f, candidate c)
{
    ga_status status = GA_OK;
    if (f->count == f->room) {
        int64_t room = ga__max(256, 2 * f->room);
        GA_TRY(ga__resize(f->d->context, f->room, room, sizeof *f->heap, &f->heap));
        f->room = room;
    }
    int64_t at = f->count++;
    for (; at > 0 && before(c, f->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        f->heap[at] = f->heap[(at - 1) / 2];
    }
    f->heap[at] = c;
done:
    return status;
}

static candidate pop(front *f)
{
    candidate top = f->heap[0], moved = f->heap[--f->count];
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < f->count; at = child) {
        child += child + 1 < f->count && before(f->heap[child + 1], f->heap[child]);
        if (!before(f->heap[child], moved)) {
            break;
        }
        f->heap[at] = f->heap[child];
    }
    if (f->count > 0) {
        f->heap[at] = moved;
    }
    return top;
}

static ga_status count_gain(front *f, uint32_t v, int64_t *gain)
{
    ga_status status = ga__view_list(&f->d->view, v, &f->beyond);
    *gain = 0;
    for (int64_t i = 0; status == GA_OK && i < f->beyond.count; i++) {
        *gain += !ga__set_has(&f->covered, f->beyond.nodes[i]);
    }
    return status;
}

/* A member's neighbours become candidates; all of them are covered before any is counted. */
static ga_status cover(front *f, uint32_t v)
{
    ga_status status = GA_OK;
    ga__draw *d = f->d;
    bool fresh;
    int64_t new_ones = 0;
    GA_TRY(ga__set_add(&f->covered, v, NULL));
    GA_TRY(ga__view_copy(&d->view, v, d->view.direction, &f->near));
    for (int64_t i = 0; i < f->near.count; i++) {
        GA_TRY(ga__set_add(&f->covered, f->near.buffer[i], &fresh));
        if (fresh) {
            f->near.buffer[new_ones++] = f->near.buffer[i];
        }
    }
    for (int64_t i = 0; i < new_ones; i++) {
        candidate c = { .node = f->near.buffer[i] };
        GA_TRY(ga__tick(d));
        GA_TRY(count_gain(f, c.node, &c.gain));
        GA_TRY(push(f, c));
    }
done:
    return status;
}

/* *found is false when there is no candidate. */
static ga_status best(front *f, uint32_t *v, bool *found)
{
    ga_status status = GA_OK;
    *found = false;
    while (f->count > 0 && !*found) {
        candidate c = pop(f);
        int64_t gain;
        GA_TRY(ga__tick(f->d));
        if (ga__set_has(&f->d->inside, c.node)) {
            continue;
        }
        GA_TRY(count_gain(f, c.node, &gain));
        *found = gain == c.gain;
        *v = c.node;
        c.gain = gain;
        if (!*found) {
            GA_TRY(push(f, c));
        }
    }
done:
    return status;
}

static ga_status draw_expansion(ga__draw *d)
{
    ga_status status = GA_OK;
    front f = { .d = d };
    uint32_t v;
    int64_t seen = 0;
    GA_TRY(ga__look(d));
    GA_TRY(ga__set_open(d->context, d->graph->nodes, d->wanted, &f.covered));
    GA_TRY(ga__seed_all(d));
    while (!ga__full(d)) {
        bool found;
        for (; seen < d->count; seen++) {
            GA_TRY(cover(&f, d->members[seen]));
        }
        GA_TRY(best(&f, &v, &found));
        GA_TRY(found ? ga__join(d, v, NULL) : ga__seed(d, &v));
    }
done:
    ga_free(d->context, f.heap);
    ga__set_clear(d->context, &f.covered);
    ga__list_clear(d->context, &f.near);
    ga__list_clear(d->context, &f.beyond);
    return status;
}
const struct ga__sampler ga__expansion_sampler = { draw_expansion, false, false };
