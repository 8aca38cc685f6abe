/* fire.c - forest_fire, snowball, bfs, dfs, node_neighbour: nodes joined by way of their neighbours. */
#include "config.h"

#include <math.h>

#include "sampling/classical/draw.h"

/* ---- breadth first ----
 *
 * The members are the queue: first in, first out. */

/* Up to `most` uniform ones of the nodes that are not sampled, in uniform order; they are moved to the front. */
static int64_t pick(ga__draw *d, ga__list *list, int64_t most)
{
    int64_t left = 0;
    for (int64_t i = 0; i < list->count; i++) {
        if (!ga__set_has(&d->inside, list->buffer[i])) {
            list->buffer[left++] = list->buffer[i];
        }
    }
    int64_t count = ga__min(most, left);
    ga__shuffle(d, list->buffer, count, left);
    return count;
}

/* Up to `most` unsampled neighbours of v join. */
static ga_status spread(ga__draw *d, uint32_t v, ga__direction direction, int64_t most, ga__list *list)
{
    ga_status status = GA_OK;
    if (most == 0) {
        goto done;
    }
    GA_TRY(ga__view_copy(&d->view, v, direction, list));
    int64_t count = pick(d, list, ga__min(most, d->wanted - d->count));
    for (int64_t i = 0; i < count; i++) {
        bool inward = direction == GA__IN;
        GA_TRY(ga__join(d, list->buffer[i], NULL));
        if (d->keeps_edges && inward && d->view.direction != GA__IN) {
            GA_TRY(ga__cross(d, list->buffer[i], v)); /* the edge goes that way */
        } else {
            GA_TRY(ga__cross(d, v, list->buffer[i]));
        }
    }
done:
    return status;
}

typedef ga_status (*grow_fn)(ga__draw *d, uint32_t v, ga__list *list, const void *user);

/* Members grow in order; when all have, a new seed is set. */
static ga_status in_order(ga__draw *d, grow_fn grow, const void *user)
{
    ga_status status = GA_OK;
    ga__list list = { .nodes = NULL };
    uint32_t v;
    GA_TRY(ga__seed_all(d));
    for (int64_t next = 0; !ga__full(d); next++) {
        GA_TRY(ga__tick(d));
        if (next == d->count) {
            GA_TRY(ga__seed(d, &v));
        }
        GA_TRY(grow(d, d->members[next], &list, user));
    }
done:
    ga__list_clear(d->context, &list);
    return status;
}

static ga_status grow_neighbours(ga__draw *d, uint32_t v, ga__list *list, const void *user)
{
    return spread(d, v, d->view.direction, *(const int64_t *)user, list);
}

static ga_status draw_snowball(ga__draw *d)
{
    int64_t fanout = ga__integer(d, "fanout");
    ga_status status = ga__look(d);
    return status == GA_OK ? in_order(d, grow_neighbours, &fanout) : status;
}
const struct ga__sampler ga__snowball_sampler = { draw_snowball, false, false };

static ga_status draw_bfs(ga__draw *d)
{
    const int64_t all = INT64_MAX;
    ga_status status = ga__look(d);
    return status == GA_OK ? in_order(d, grow_neighbours, &all) : status;
}
const struct ga__sampler ga__bfs_sampler = { draw_bfs, false, false };

/* ---- forest_fire ---- */

typedef struct fire {
    double forward, backward; /* burning probabilities along and against edges */
} fire;

/* P(x = i) = (1 - p) p^i: x = floor(log U / log p) with U in (0, 1]. */
static int64_t geometric(ga__draw *d, double p)
{
    double u = 1 - ga__random_unit(&d->random);
    double x = p > 0 ? floor(log(u) / log(p)) : 0;
    return x < 0x1p62 ? (int64_t)x : INT64_MAX;
}

static ga_status burn(ga__draw *d, uint32_t v, ga__list *list, const void *user)
{
    ga_status status = GA_OK;
    const fire *f = user;
    GA_TRY(spread(d, v, GA__OUT, geometric(d, f->forward), list));
    if (f->backward > 0) {
        GA_TRY(spread(d, v, GA__IN, geometric(d, f->backward), list));
    }
done:
    return status;
}

static ga_status draw_fire(ga__draw *d)
{
    ga_status status = GA_OK;
    double forward = ga__real(d, "forward");
    fire f = { forward, forward * ga__real(d, "backward") };
    GA_TRY(ga__view_open(d->context, d->graph, GA__OUT, &d->view));
    if (f.backward > 0) {
        GA_TRY(ga__view_transpose(&d->view));
    }
    status = in_order(d, burn, &f);
done:
    return status;
}
const struct ga__sampler ga__forest_fire_sampler = { draw_fire, false, false };

/* ---- node_neighbour ---- */

static ga_status draw_stars(ga__draw *d)
{
    ga_status status = GA_OK;
    ga__list list = { .nodes = NULL };
    uint32_t v;
    GA_TRY(ga__look(d));
    while (!ga__full(d)) {
        GA_TRY(ga__tick(d));
        if (d->starts_used < d->start_count) {
            v = d->starts[d->starts_used++];
        } else {
            v = (uint32_t)ga__below(d, d->graph->nodes);
        }
        GA_TRY(ga__join(d, v, NULL));
        GA_TRY(spread(d, v, d->view.direction, INT64_MAX, &list));
    }
done:
    ga__list_clear(d->context, &list);
    return status;
}
const struct ga__sampler ga__node_neighbour_sampler = { draw_stars, false, false };

/* ---- dfs ---- */

/* A link that is still to be followed. */
typedef struct link {
    uint32_t from, to;
} link;

typedef struct stack {
    link *links; /* owned */
    int64_t count, room;
} stack;

/* The unsampled neighbours of v in uniform order. */
static ga_status push_all(ga__draw *d, stack *s, uint32_t v, ga__list *list)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_copy(&d->view, v, d->view.direction, list));
    int64_t count = pick(d, list, list->count);
    if (s->count + count > s->room) {
        int64_t room = 2 * (s->count + count);
        GA_TRY(ga__resize(d->context, s->room, room, sizeof *s->links, &s->links));
        s->room = room;
    }
    for (int64_t i = 0; i < count; i++) {
        s->links[s->count++] = (link){ v, list->buffer[i] };
    }
done:
    return status;
}

/* A node joins when the walk comes to it; its neighbours then stand on top. */
static ga_status draw_dfs(ga__draw *d)
{
    ga_status status = GA_OK;
    ga__list list = { .nodes = NULL };
    stack s = { .links = NULL };
    GA_TRY(ga__look(d));
    while (!ga__full(d)) {
        uint32_t v;
        GA_TRY(ga__tick(d));
        if (s.count == 0) {
            GA_TRY(ga__seed(d, &v));
        } else {
            bool fresh;
            link top = s.links[--s.count];
            v = top.to;
            GA_TRY(ga__join(d, v, &fresh));
            if (!fresh) {
                continue;
            }
            GA_TRY(ga__cross(d, top.from, v));
        }
        GA_TRY(push_all(d, &s, v, &list));
    }
done:
    ga__list_clear(d->context, &list);
    ga_free(d->context, s.links);
    return status;
}
const struct ga__sampler ga__dfs_sampler = { draw_dfs, false, false };
