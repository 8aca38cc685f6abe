/* shortest_path.c - the nodes of shortest paths between uniform pairs.
 *
 * Breadth first from both ends, always on the side that has fewer links to look at, until the sides meet. All meetings of
 * one layer lie on shortest paths, since there were none before; the nodes of a layer are looked at in random order, and
 * the first one with a meeting is taken. A node remembers one of the nodes of the layer before from which it was reached,
 * each with the same chance. */
#include "config.h"

#include "sampling/classical/draw.h"

enum { MISSES = 100, LEAST_ROOM = 256 };
#define NOBODY UINT32_MAX

/* What a side knows of a node it has reached. */
typedef struct reached {
    uint32_t node, parent;
    int64_t distance, ways; /* ways: nodes of the layer before that lead here */
} reached;

typedef struct side {
    ga__direction direction; /* of the links that it follows */
    ga__table places;        /* of nodes in list */
    reached *list;           /* owned, in the order in which they were reached */
    int64_t count, room;
    int64_t layer, distance; /* first of the last layer, and how far that is */
    int64_t links;           /* of the last layer */
} side;

typedef struct finder {
    ga__draw *d;
    side from, to;
    ga__list near;
    int64_t meetings;
    uint32_t left, right; /* the link on which the sides met */
    uint32_t *path;       /* owned */
    int64_t path_count, path_room;
} finder;

/* Links to look at, those twice that go both ways. */
static int64_t links_of(const finder *f, const side *s, uint32_t v)
{
    const ga__view *view = &f->d->view;
    return (s->direction != GA__IN ? ga__out_degree(view->graph, v) : 0) +
           (s->direction != GA__OUT ? ga__in_degree(view, v) : 0);
}

static ga_status reach(finder *f, side *s, uint32_t node, uint32_t parent, int64_t distance)
{
    ga_status status = GA_OK;
    int64_t *place;
    GA_TRY(ga__table_at(&s->places, node, s->count, &place));
    if (*place < s->count) { /* reached before: another way only if from the same layer */
        reached *known = &s->list[*place];
        if (known->distance == distance && ga__below(f->d, ++known->ways) == 0) {
            known->parent = parent;
        }
        goto done;
    }
    if (s->count == s->room) {
        int64_t room = ga__max(LEAST_ROOM, 2 * s->room);
        GA_TRY(ga__resize(f->d->context, s->room, room, sizeof *s->list, &s->list));
        s->room = room;
    }
    s->list[s->count++] = (reached){ node, parent, distance, 1 };
    s->links += links_of(f, s, node);
done:
    return status;
}

static ga_status start_side(finder *f, side *s, uint32_t v)
{
    ga__table_clear(&s->places);
    s->count = s->layer = s->distance = s->links = 0;
    return reach(f, s, v, NOBODY, 0);
}

/* A uniform one of the nodes at places i .. end - 1 moves to place i. */
static void draw_next(finder *f, side *s, int64_t i, int64_t end)
{
    int64_t j = i + (int64_t)ga__below(f->d, end - i);
    reached kept = s->list[i];
    s->list[i] = s->list[j];
    s->list[j] = kept;
    *ga__table_known(&s->places, s->list[i].node) = i;
    *ga__table_known(&s->places, s->list[j].node) = j;
}

/* Meetings of node u of side s with the other side, of which one is kept. */
static void meet(finder *f, const side *s, const side *other, uint32_t u)
{
    for (int64_t j = 0; j < f->near.count; j++) {
        uint32_t w = f->near.nodes[j];
        if (ga__table_find(&other->places, w) && ga__below(f->d, ++f->meetings) == 0) {
            f->left = s == &f->from ? u : w;
            f->right = s == &f->from ? w : u;
        }
    }
}

/* The next layer of one side, or a meeting. */
static ga_status grow(finder *f, side *s, const side *other)
{
    ga_status status = GA_OK;
    int64_t begin = s->layer, end = s->count;
    s->links = 0;
    s->layer = end;
    for (int64_t i = begin; i < end && f->meetings == 0; i++) {
        GA_TRY(ga__tick(f->d));
        draw_next(f, s, i, end);
        uint32_t u = s->list[i].node;
        GA_TRY(ga__view_list_of(&f->d->view, u, s->direction, &f->near));
        meet(f, s, other, u);
        for (int64_t j = 0; j < f->near.count && f->meetings == 0; j++) {
            GA_TRY(reach(f, s, f->near.nodes[j], u, s->distance + 1));
        }
    }
    s->distance++;
done:
    return status;
}

static ga_status add(finder *f, uint32_t v)
{
    ga_status status = GA_OK;
    if (f->path_count == f->path_room) {
        int64_t room = ga__max(LEAST_ROOM, 2 * f->path_room);
        GA_TRY(ga__resize(f->d->context, f->path_room, room, sizeof *f->path, &f->path));
        f->path_room = room;
    }
    f->path[f->path_count++] = v;
done:
    return status;
}

static uint32_t parent_of(const side *s, uint32_t v)
{
    return s->list[*ga__table_find(&s->places, v)].parent;
}

/* From the start to the left end of the meeting link, then from its right end to the target. */
static ga_status make_path(finder *f)
{
    ga_status status = GA_OK;
    f->path_count = 0;
    for (uint32_t v = f->left; v != NOBODY; v = parent_of(&f->from, v)) {
        GA_TRY(add(f, v));
    }
    for (int64_t i = 0, j = f->path_count - 1; i < j; i++, j--) {
        uint32_t kept = f->path[i];
        f->path[i] = f->path[j];
        f->path[j] = kept;
    }
    for (uint32_t v = f->right; v != NOBODY; v = parent_of(&f->to, v)) {
        GA_TRY(add(f, v));
    }
done:
    return status;
}

static ga_status find_path(finder *f, uint32_t a, uint32_t b, bool *found)
{
    ga_status status = GA_OK;
    f->meetings = 0;
    GA_TRY(start_side(f, &f->from, a));
    GA_TRY(start_side(f, &f->to, b));
    while (f->meetings == 0 && f->from.layer < f->from.count && f->to.layer < f->to.count) {
        bool forward = f->from.links <= f->to.links;
        GA_TRY(forward ? grow(f, &f->from, &f->to) : grow(f, &f->to, &f->from));
    }
    *found = f->meetings > 0;
    if (*found) {
        GA_TRY(make_path(f));
    }
done:
    return status;
}

static ga_status join_path(finder *f, bool *fresh)
{
    ga_status status = GA_OK;
    ga__draw *d = f->d;
    *fresh = false;
    for (int64_t i = 0; i < f->path_count && !ga__full(d); i++) {
        bool added;
        GA_TRY(ga__join(d, f->path[i], &added));
        *fresh |= added;
        if (i > 0) {
            GA_TRY(ga__cross(d, f->path[i - 1], f->path[i]));
        }
    }
done:
    return status;
}

/* One uniform ordered pair. */
static ga_status try_pair(finder *f, bool *found, bool *fresh)
{
    ga_status status = GA_OK;
    int64_t n = f->d->graph->nodes;
    *found = *fresh = false;
    if (n > 1) {
        uint32_t a = (uint32_t)ga__below(f->d, n), b = (uint32_t)ga__below(f->d, n - 1);
        GA_TRY(find_path(f, a, b + (b >= a), found));
    }
    if (*found) {
        GA_TRY(join_path(f, fresh));
    }
done:
    return status;
}

static ga_status draw_shortest_paths(ga__draw *d)
{
    ga_status status = GA_OK;
    finder f = { .d = d, .from.places.context = d->context, .to.places.context = d->context };
    ga__patience patience = { 0 };
    int64_t misses = 0;
    uint32_t v;
    GA_TRY(ga__look(d));
    GA_TRY(ga__view_transpose(&d->view));
    f.from.direction = d->view.direction;
    f.to.direction = d->view.direction == GA__OUT ? GA__IN : d->view.direction == GA__IN ? GA__OUT : GA__BOTH;
    while (!ga__full(d)) {
        bool found, fresh, stuck = false;
        GA_TRY(ga__tick(d));
        GA_TRY(try_pair(&f, &found, &fresh));
        misses += !found;
        if (fresh) {
            patience.idle = 0;
            misses = 0;
        } else {
            GA_TRY(ga__in_vain(d, &patience, GA__GOAL_NODE, NULL, 0, &stuck));
        }
        if (stuck || misses == MISSES) {
            GA_TRY(ga__seed(d, &v));
            patience.idle = 0;
            misses = 0;
        }
    }
done:
    ga__table_clear(&f.from.places);
    ga__table_clear(&f.to.places);
    ga_free(d->context, f.from.list);
    ga_free(d->context, f.to.list);
    ga_free(d->context, f.path);
    ga__list_clear(d->context, &f.near);
    return status;
}
const struct ga__sampler ga__shortest_path_sampler = { draw_shortest_paths, false, false };
