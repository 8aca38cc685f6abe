/* simplex_start.c - the first spanning tree, for a flow that is already feasible. */
#include "config.h"

#include <string.h>

#include "sampling/flow/simplex.h"

void ga__simplex_free(ga__simplex *s)
{
    ga_free(s->context, s->tree);
    ga_free(s->context, s->potential);
    ga_free(s->context, s->left);
    ga_free(s->context, s->right);
    ga_free(s->context, s->at);
    ga_free(s->context, s->segment);
    ga_free(s->context, s->barred);
}

static ga_status allocate(ga__simplex *s)
{
    ga_status status = GA_OK;
    int64_t arcs = s->network->arcs, nodes = s->network->nodes;
    GA_TRY(GA_NEW(s->context, nodes + 1, &s->tree));
    GA_TRY(GA_NEW_ZERO(s->context, nodes + 1, &s->potential));
    GA_TRY(GA_NEW(s->context, arcs, &s->left));
    GA_TRY(GA_NEW(s->context, arcs, &s->right));
    GA_TRY(GA_NEW(s->context, arcs, &s->at));
    GA_TRY(GA_NEW(s->context, arcs, &s->segment));
done:
    return status;
}

/* The arcs that lie strictly within a segment, and the search that makes trees of them. */
typedef struct start {
    ga__simplex *s;
    const int64_t *flow;
    int64_t free_count, free_room;
    int64_t *free_arc;
    int64_t *first, *place; /* free arcs by node: twice free_count places */
    int32_t *queue;
} start;

static ga_status add_free(start *t, int64_t a)
{
    ga_status status = GA_OK;
    if (t->free_count == t->free_room) {
        int64_t room = t->free_room ? 2 * t->free_room : 64;
        GA_TRY(ga__resize(t->s->context, t->free_room, room, sizeof *t->free_arc, &t->free_arc));
        t->free_room = room;
    }
    t->free_arc[t->free_count++] = a;
done:
    return status;
}

/* Puts an arc on its breakpoint, or notes the segment it lies in. Also sums up the cost, for its range. */
static ga_status place_arc(start *t, int64_t a, int64_t *cost)
{
    ga__simplex *s = t->s;
    const ga__costs *c = s->costs;
    int64_t rest = t->flow[a], at = 0, i = c->first[a], product;
    bool fits = rest >= 0;
    while (fits && i < c->first[a + 1] && rest >= c->width[i]) {
        fits = ga__mul(c->slope[i], c->width[i], &product) && ga__add(*cost, product, cost);
        rest -= c->width[i];
        at += c->width[i++];
    }
    if (!fits) {
        return ga__fail(s->context, GA_OVERFLOW, "minimum-cost flow: the cost needs more than 63 bits");
    }
    if (rest == 0) {
        ga__rest_at(s, a, i, at);
        return GA_OK;
    }
    if (i == c->first[a + 1]) {
        return ga__fail(s->context, GA_INTERNAL,
                        "minimum-cost flow: arc %lld starts with %lld units too many", (long long)a,
                        (long long)rest);
    }
    s->at[a] = at;
    s->segment[a] = i;
    s->left[a] = -GA__FAR;
    s->right[a] = GA__FAR;
    return add_free(t, a);
}

/* Potentials are sums of at most `nodes` slopes, and the sums with them must stay clear of GA__FAR. */
static ga_status check_ranges(const ga__simplex *s)
{
    const ga__costs *c = s->costs;
    int64_t steepest = 0, product, width;
    bool fits = true;
    for (int64_t a = 0; a < s->network->arcs; a++) {
        width = 0;
        for (int64_t i = c->first[a]; i < c->first[a + 1]; i++) {
            fits = fits && ga__add(width, c->width[i], &width) && c->slope[i] != INT64_MIN;
            steepest = ga__max(steepest, c->slope[i] < 0 ? -c->slope[i] : c->slope[i]);
        }
        fits = fits && width < GA__FAR / 2;
    }
    if (!fits || !ga__mul(steepest, 2 * (int64_t)s->network->nodes + 4, &product) || product >= GA__FAR / 2) {
        return ga__fail(s->context, GA_OVERFLOW,
                        "minimum-cost flow: widths or slopes need more than 62 bits");
    }
    return GA_OK;
}

static ga_status place_arcs(start *t)
{
    ga_status status = GA_OK;
    int64_t cost = 0;
    GA_TRY(check_ranges(t->s));
    for (int64_t a = 0; a < t->s->network->arcs; a++) {
        GA_TRY(place_arc(t, a, &cost));
    }
done:
    return status;
}

static ga_status group_free(start *t)
{
    ga_status status = GA_OK;
    const ga__network *n = t->s->network;
    GA_TRY(GA_NEW_ZERO(t->s->context, (int64_t)n->nodes + 2, &t->first));
    GA_TRY(GA_NEW(t->s->context, 2 * t->free_count, &t->place));
    int64_t *next = t->first + 1;
    for (int64_t i = 0; i < t->free_count; i++) {
        next[n->tail[t->free_arc[i]] + 1]++;
        next[n->head[t->free_arc[i]] + 1]++;
    }
    for (int32_t v = 0; v < n->nodes; v++) {
        next[v + 1] += next[v];
    }
    for (int64_t i = 0; i < t->free_count; i++) {
        t->place[next[n->tail[t->free_arc[i]]]++] = t->free_arc[i];
        t->place[next[n->head[t->free_arc[i]]]++] = t->free_arc[i];
    }
done:
    return status;
}

/* Hangs node from parent by an arc that lies in its segment. */
static void adopt(start *t, int32_t node, int32_t parent, int64_t a)
{
    ga__simplex *s = t->s;
    int64_t segment = s->segment[a], less = t->flow[a] - s->at[a], more = s->costs->width[segment] - less;
    ga__branch *b = &s->tree[node];
    b->arc = a;
    b->up = s->network->tail[a] == node;
    b->room_up = b->up ? more : less;
    b->room_down = b->up ? less : more;
    int64_t slope = s->costs->slope[segment];
    s->potential[node] = s->potential[parent] + (b->up ? -slope : slope);
    ga__hang(s, node, parent);
}

/* Everything that free arcs connect with top, breadth first. */
static int32_t grow(start *t, int32_t top, int32_t count)
{
    ga__simplex *s = t->s;
    const ga__network *n = s->network;
    int32_t at = count;
    t->queue[count++] = top;
    for (; at < count; at++) {
        int32_t v = t->queue[at];
        for (int64_t p = t->first[v]; p < t->first[v + 1]; p++) {
            int64_t a = t->place[p];
            int32_t w = n->tail[a] == v ? n->head[a] : n->tail[a];
            if (s->tree[w].parent < 0) {
                adopt(t, w, v, a);
                t->queue[count++] = w;
            }
        }
    }
    return count;
}

static void build_tree(start *t)
{
    ga__simplex *s = t->s;
    int32_t nodes = s->network->nodes, count = 0;
    for (int32_t v = 0; v <= nodes; v++) {
        s->tree[v] = (ga__branch){
            .parent = -1, .child = -1, .next = -1, .before = -1, .size = 1, .arc = GA__ARTIFICIAL
        };
    }
    for (int32_t v = 0; v < nodes; v++) {
        if (s->tree[v].parent < 0) {
            s->tree[v].up = true;
            s->tree[v].room_up = GA__FAR;
            ga__hang(s, v, nodes);
            count = grow(t, v, count);
        }
    }
    while (count-- > 0) {
        int32_t v = t->queue[count];
        s->tree[s->tree[v].parent].size += s->tree[v].size;
    }
}

/* A free arc outside the tree closes a cycle of arcs that can all change: in the direction that does not raise the
 * cost, until one of them comes to rest. */
static void enter_free(start *t, int64_t a)
{
    ga__simplex *s = t->s;
    int32_t tail = s->network->tail[a], head = s->network->head[a];
    if (s->tree[tail].arc == a || s->tree[head].arc == a || s->left[a] > -GA__FAR || s->right[a] < GA__FAR) {
        return; /* in the tree, or put to rest by another one's pivot */
    }
    int64_t segment = s->segment[a], slope = s->costs->slope[segment];
    ga__entering in = { .arc = a, .segment = segment, .start = s->at[a], .flow = t->flow[a] };
    in.increase = slope + s->potential[tail] - s->potential[head] < 0;
    in.room = in.increase ? in.start + s->costs->width[segment] - in.flow : in.flow - in.start;
    ga__pivot(s, &in);
}

ga_status ga__simplex_start(ga__simplex *s, const int64_t *flow)
{
    ga_status status = GA_OK;
    start t = { .s = s, .flow = flow };
    GA_TRY(allocate(s));
    GA_TRY(place_arcs(&t));
    GA_TRY(group_free(&t));
    GA_TRY(GA_NEW(s->context, s->network->nodes, &t.queue));
    build_tree(&t);
    for (int64_t i = 0; i < t.free_count; i++) {
        if ((i & 1023) == 0) {
            GA_TRY(ga__check(s->context));
        }
        enter_free(&t, t.free_arc[i]);
    }
done:
    ga_free(s->context, t.free_arc);
    ga_free(s->context, t.first);
    ga_free(s->context, t.place);
    ga_free(s->context, t.queue);
    return status;
}
