/* ppr.c - the nodes of largest personalised PageRank. */
#include "config.h"

#include <math.h>

#include "sampling/classical/draw.h"
#include "sampling/classical/power.h"

/* The part of the graph that the start nodes reach, numbered in the order in which it was reached. */
typedef struct reach {
    ga__draw *d;
    uint32_t *nodes; /* owned */
    int64_t count, room, starts;
    ga__table places; /* of nodes */
    ga__list near;
    int64_t *offsets;     /* owned: links into each, among these nodes */
    uint32_t *sources;    /* owned */
    uint32_t *degree;     /* owned: links that leave each */
    double *start, *rank; /* owned */
} reach;

static ga_status push(reach *r, uint32_t v)
{
    ga_status status = GA_OK;
    int64_t *place;
    GA_TRY(ga__table_at(&r->places, v, r->count, &place));
    if (*place < r->count) {
        goto done;
    }
    if (r->count == r->room) {
        int64_t room = ga__max(256, 2 * r->room);
        GA_TRY(ga__resize(r->d->context, r->room, room, sizeof *r->nodes, &r->nodes));
        r->room = room;
    }
    r->nodes[r->count++] = v;
done:
    return status;
}

/* Everything within reach of nodes[*next ..]. */
static ga_status spread(reach *r, int64_t *next)
{
    ga_status status = GA_OK;
    for (; *next < r->count; ++*next) {
        GA_TRY(ga__tick(r->d));
        GA_TRY(ga__view_list(&r->d->view, r->nodes[*next], &r->near));
        for (int64_t i = 0; i < r->near.count; i++) {
            GA_TRY(push(r, r->near.nodes[i]));
        }
    }
done:
    return status;
}

/* Start nodes are in `inside` until enough is reached: the given ones, then uniform ones that are not reached. */
static ga_status reach_enough(reach *r)
{
    ga_status status = GA_OK;
    ga__draw *d = r->d;
    int64_t next = 0;
    for (int64_t i = 0; i < d->start_count; i++) {
        GA_TRY(push(r, d->starts[i]));
    }
    r->starts = r->count;
    GA_TRY(GA_NEW_ZERO(d->context, d->graph->nodes, &r->start));
    for (int64_t i = 0; i < r->count; i++) {
        r->start[i] = 1;
    }
    GA_TRY(spread(r, &next));
    while (r->count < d->wanted) {
        uint32_t v = (uint32_t)ga__below(d, d->graph->nodes);
        GA_TRY(ga__tick(d));
        if (!ga__table_find(&r->places, v)) {
            r->start[r->count] = 1;
            r->starts++;
            GA_TRY(push(r, v));
            GA_TRY(spread(r, &next));
        }
    }
done:
    return status;
}

/* Links into the nodes by way of the opposite direction; every link that leaves a reached node ends in one. */
static ga_status find_links(reach *r)
{
    ga_status status = GA_OK;
    ga__view *view = &r->d->view;
    ga__direction back = view->direction == GA__OUT ? GA__IN : view->direction == GA__IN ? GA__OUT : GA__BOTH;
    int64_t room = 0, count = 0;
    GA_TRY(ga__view_transpose(view));
    GA_TRY(GA_NEW(r->d->context, r->count + 1, &r->offsets));
    GA_TRY(GA_NEW_ZERO(r->d->context, r->count, &r->degree));
    for (int64_t i = 0; i < r->count; i++) {
        GA_TRY(ga__tick(r->d));
        GA_TRY(ga__view_list_of(view, r->nodes[i], back, &r->near));
        if (count + r->near.count > room) {
            int64_t more = 2 * (count + r->near.count);
            GA_TRY(ga__resize(r->d->context, room, more, sizeof *r->sources, &r->sources));
            room = more;
        }
        r->offsets[i] = count;
        for (int64_t j = 0; j < r->near.count; j++) {
            const int64_t *place = ga__table_find(&r->places, r->near.nodes[j]);
            if (place) {
                r->sources[count++] = (uint32_t)*place;
                r->degree[*place]++;
            }
        }
    }
    r->offsets[r->count] = count;
done:
    return status;
}

/* Scores that agree to 9 digits are equal: sums of the same numbers in another order are. */
static double rounded(double score)
{
    int exponent;
    double digits = frexp(score, &exponent);
    return ldexp(nearbyint(digits * 0x1p30), exponent - 30);
}

static ga_status take_best(reach *r)
{
    ga_status status = GA_OK;
    ga__draw *d = r->d;
    ga__keys keys = { .heap = NULL };
    GA_TRY(ga__keys_open(d->context, d->wanted, &keys));
    for (int64_t i = 0; i < r->count; i++) {
        ga__keys_offer(&keys, -rounded(r->rank[i]), r->nodes[i]);
    }
    for (int64_t i = 0; i < keys.count; i++) {
        GA_TRY(ga__join(d, (uint32_t)keys.heap[i].item, NULL));
    }
done:
    ga__keys_clear(d->context, &keys);
    return status;
}

static ga_status score(reach *r)
{
    ga_status status = GA_OK;
    ga__draw *d = r->d;
    for (int64_t i = 0; i < r->count; i++) {
        r->start[i] /= (double)r->starts;
    }
    GA_TRY(GA_NEW(d->context, r->count, &r->rank));
    ga__links links = { r->count, r->offsets, r->sources, r->degree, r->start };
    status = ga__power(d->context, &links, 1 - ga__real(d, "alpha"), ga__real(d, "tolerance"), r->rank);
done:
    return status;
}

static ga_status draw_ppr(ga__draw *d)
{
    ga_status status = GA_OK;
    reach r = { .d = d, .places = { .context = d->context } };
    GA_TRY(ga__look(d));
    GA_TRY(reach_enough(&r));
    GA_TRY(find_links(&r));
    GA_TRY(score(&r));
    status = take_best(&r);
done:
    ga_free(d->context, r.nodes);
    ga_free(d->context, r.offsets);
    ga_free(d->context, r.sources);
    ga_free(d->context, r.degree);
    ga_free(d->context, r.start);
    ga_free(d->context, r.rank);
    ga__table_clear(&r.places);
    ga__list_clear(d->context, &r.near);
    return status;
}
const struct ga__sampler ga__ppr_sampler = { draw_ppr, false, false };
