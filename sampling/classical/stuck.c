/* stuck.c - when a walker gives up. */
#include "config.h"

#include "sampling/classical/draw.h"

enum { STEPS_EACH = 100, FIRST_LOOK = 64, LEAST_ROOM = 256 };

typedef struct search {
    ga__draw *d;
    ga__goal goal;
    ga__set seen;
    uint32_t *queue; /* owned */
    int64_t count, room;
    ga__list list;
    int64_t cost;
} search;

static ga_status push(search *s, uint32_t v)
{
    ga_status status = GA_OK;
    bool fresh;
    GA_TRY(ga__set_add(&s->seen, v, &fresh));
    if (fresh && s->count == s->room) {
        int64_t room = ga__max(LEAST_ROOM, 2 * s->room);
        GA_TRY(ga__resize(s->d->context, s->room, room, sizeof *s->queue, &s->queue));
        s->room = room;
    }
    if (fresh) {
        s->queue[s->count++] = v;
    }
done:
    return status;
}

static bool is_goal(const search *s, uint32_t v, uint32_t w)
{
    switch (s->goal) {
    case GA__GOAL_NODE: return !ga__set_has(&s->d->inside, w);
    case GA__GOAL_EDGE: return !ga__set_has(&s->d->edges, ga__view_edge(&s->d->view, v, w));
    case GA__GOAL_SAMPLED: return ga__set_has(&s->d->inside, w);
    }
    return true;
}

static ga_status visit(search *s, uint32_t v, bool *found)
{
    ga_status status = GA_OK;
    GA_TRY(ga__tick(s->d));
    GA_TRY(ga__view_list(&s->d->view, v, &s->list));
    for (int64_t i = 0; i < s->list.count && !*found; i++) {
        *found = is_goal(s, v, s->list.nodes[i]);
        GA_TRY(push(s, s->list.nodes[i]));
    }
    s->cost += s->list.count;
done:
    return status;
}

/* Breadth first. */
static ga_status look(ga__draw *d, ga__goal goal, const uint32_t *from, int64_t count, bool *found,
                      int64_t *cost)
{
    ga_status status = GA_OK;
    search s = { .d = d, .goal = goal };
    GA_TRY(ga__set_open(d->context, d->graph->nodes, FIRST_LOOK, &s.seen));
    for (int64_t i = 0; i < count; i++) {
        GA_TRY(push(&s, from[i]));
    }
    *found = false;
    for (int64_t i = 0; i < s.count && !*found; i++) {
        GA_TRY(visit(&s, s.queue[i], found));
    }
    *cost = s.cost + count;
done:
    ga__list_clear(d->context, &s.list);
    ga__set_clear(d->context, &s.seen);
    ga_free(d->context, s.queue);
    return status;
}

ga_status ga__in_vain(ga__draw *d, ga__patience *patience, ga__goal goal, const uint32_t *from, int64_t count,
                      bool *stuck)
{
    ga_status status = GA_OK;
    int64_t limit;
    if (!ga__mul(STEPS_EACH, d->wanted, &limit)) {
        limit = INT64_MAX;
    }
    patience->idle++;
    patience->since++;
    *stuck = patience->idle >= limit;
    int64_t wait = ga__max(FIRST_LOOK, 2 * patience->cost);
    if (!*stuck && count > 0 && patience->idle >= FIRST_LOOK && patience->since >= wait) {
        bool found;
        GA_TRY(look(d, goal, from, count, &found, &patience->cost));
        patience->since = 0;
        *stuck = !found;
    }
done:
    return status;
}
