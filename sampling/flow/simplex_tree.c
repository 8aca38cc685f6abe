/* simplex_tree.c - one pivot of the network simplex method. */
#include "config.h"

#include "sampling/flow/simplex.h"

void ga__hang(ga__simplex *s, int32_t node, int32_t parent)
{
    ga__branch *b = &s->tree[node], *p = &s->tree[parent];
    b->parent = parent;
    b->before = -1;
    b->next = p->child;
    if (p->child >= 0) {
        s->tree[p->child].before = node;
    }
    p->child = node;
}

void ga__unhang(ga__simplex *s, int32_t node)
{
    ga__branch *b = &s->tree[node];
    if (b->before >= 0) {
        s->tree[b->before].next = b->next;
    } else {
        s->tree[b->parent].child = b->next;
    }
    if (b->next >= 0) {
        s->tree[b->next].before = b->before;
    }
}

int32_t ga__after(const ga__simplex *s, int32_t node, int32_t top)
{
    if (s->tree[node].child >= 0) {
        return s->tree[node].child;
    }
    while (node != top && s->tree[node].next < 0) {
        node = s->tree[node].parent;
    }
    return node == top ? -1 : s->tree[node].next;
}

/* Segments without width are no place to rest beside. */
void ga__rest_at(ga__simplex *s, int64_t a, int64_t segment, int64_t at)
{
    const ga__costs *c = s->costs;
    int64_t first = c->first[a], end = c->first[a + 1], below = segment - 1;
    while (segment < end && c->width[segment] == 0) {
        segment++;
    }
    while (below >= first && c->width[below] == 0) {
        below--;
    }
    s->at[a] = at;
    s->segment[a] = segment;
    s->left[a] = below >= first ? c->slope[below] : -GA__FAR;
    s->right[a] = segment < end ? c->slope[segment] : GA__FAR;
}

/* The cycle that an entering arc closes: from the top down to `from`, over the arc to `to`, back up to the top. */
typedef struct cycle {
    int32_t from, to, top;
    int64_t amount;  /* what it can take */
    int32_t leaving; /* lower node of the tree arc that blocks, -1 = the entering arc blocks */
    bool below_from; /* the leaving arc is on from's side */
} cycle;

static cycle close_cycle(const ga__simplex *s, const ga__entering *in)
{
    const ga__branch *t = s->tree;
    int32_t tail = s->network->tail[in->arc], head = s->network->head[in->arc];
    cycle c = { .from = in->increase ? tail : head, .to = in->increase ? head : tail, .leaving = -1 };
    int64_t down = INT64_MAX, up = INT64_MAX;
    int32_t u = c.from, v = c.to, down_at = -1, up_at = -1;
    while (u != v) {
        int32_t size_u = t[u].size, size_v = t[v].size;
        if (size_u <= size_v) {
            if (t[u].room_down < down) {
                down = t[u].room_down;
                down_at = u;
            }
            u = t[u].parent;
        }
        if (size_v <= size_u) {
            if (t[v].room_up <= up) {
                up = t[v].room_up;
                up_at = v;
            }
            v = t[v].parent;
        }
    }
    c.top = u;
    c.amount = in->room;
    if (down < c.amount) {
        c.amount = down;
        c.leaving = down_at;
        c.below_from = true;
    }
    if (up <= c.amount) {
        c.amount = up;
        c.leaving = up_at;
        c.below_from = false;
    }
    return c;
}

static void add_weights(const ga__watch *w, int64_t arc, int64_t units, int64_t *change)
{
    for (int i = 0; arc != GA__ARTIFICIAL && i < GA__WATCHED; i++) {
        change[i] += units * w->weight[i][arc];
    }
}

/* What sending the cycle's amount would add to the sums watched. */
static void foresee(const ga__simplex *s, const ga__entering *in, const cycle *c, int64_t *change)
{
    const ga__branch *t = s->tree;
    add_weights(s->watch, in->arc, in->increase ? c->amount : -c->amount, change);
    for (int32_t u = c->from; u != c->top; u = t[u].parent) {
        add_weights(s->watch, t[u].arc, t[u].up ? -c->amount : c->amount, change);
    }
    for (int32_t v = c->to; v != c->top; v = t[v].parent) {
        add_weights(s->watch, t[v].arc, t[v].up ? c->amount : -c->amount, change);
    }
}

static void send(ga__simplex *s, const cycle *c)
{
    if (c->amount == 0) {
        return;
    }
    for (int32_t u = c->from; u != c->top; u = s->tree[u].parent) {
        s->tree[u].room_down -= c->amount;
        s->tree[u].room_up += c->amount;
    }
    for (int32_t v = c->to; v != c->top; v = s->tree[v].parent) {
        s->tree[v].room_up -= c->amount;
        s->tree[v].room_down += c->amount;
    }
}

/* The arc above node, at an end of its segment, leaves the tree. */
static void leave(ga__simplex *s, int32_t node)
{
    const ga__branch *b = &s->tree[node];
    if (b->arc != GA__ARTIFICIAL) {
        int64_t more = b->up ? b->room_up : b->room_down, segment = s->segment[b->arc];
        if (more == 0) {
            ga__rest_at(s, b->arc, segment + 1, s->at[b->arc] + s->costs->width[segment]);
        } else {
            ga__rest_at(s, b->arc, segment, s->at[b->arc]);
        }
    }
}

/* What the subtree that changes its place carries along; its size is added on the new way up, taken off the old. */
static void resize_ways(ga__simplex *s, int32_t old_way, int32_t new_way, int32_t top, int32_t size)
{
    for (int32_t v = old_way; v != top; v = s->tree[v].parent) {
        s->tree[v].size -= size;
    }
    for (int32_t v = new_way; v != top; v = s->tree[v].parent) {
        s->tree[v].size += size;
    }
}

/* Turns the subtree of `top` round so that `node` is its root, and hangs it from `parent` by the given connection. */
static void turn(ga__simplex *s, int32_t top, int32_t node, int32_t parent, ga__branch link)
{
    int32_t size = s->tree[top].size, taken = 0;
    for (;;) {
        ga__branch *b = &s->tree[node], old = *b;
        ga__unhang(s, node);
        b->arc = link.arc;
        b->up = link.up;
        b->room_up = link.room_up;
        b->room_down = link.room_down;
        b->size = size - taken;
        ga__hang(s, node, parent);
        if (node == top) {
            return;
        }
        taken = old.size;
        link = old;
        link.up = !old.up;
        link.room_up = old.room_down;
        link.room_down = old.room_up;
        parent = node;
        node = old.parent;
    }
}

/* All nodes of the subtree of `top` but those of the subtree of `without` (-1 = none). */
static void add_to_potentials(ga__simplex *s, int32_t top, int32_t without, int64_t by)
{
    const ga__branch *tree = s->tree;
    int64_t *potential = s->potential;
    int32_t v = top;
    for (;;) {
        if (v != without) {
            potential[v] += by;
        }
        if (v != without && tree[v].child >= 0) {
            v = tree[v].child;
            continue;
        }
        while (v != top && tree[v].next < 0) {
            v = tree[v].parent;
        }
        if (v == top) {
            return;
        }
        v = tree[v].next;
    }
}

/* Only differences of potentials matter: of the subtree and the rest the smaller part is shifted. */
static void shift_potentials(ga__simplex *s, int32_t top, int64_t by)
{
    int32_t root = s->network->nodes;
    if (by == 0) {
        return;
    }
    if (2 * (int64_t)s->tree[top].size <= root) {
        add_to_potentials(s, top, -1, by);
        return;
    }
    add_to_potentials(s, root, top, -by);
    if (s->potential[root] > GA__FAR / 4 || s->potential[root] < -GA__FAR / 4) {
        ga__simplex_price_tree(s);
    }
}

/* The entering arc as the connection of `node` with a parent. */
static ga__branch connection(const ga__simplex *s, const ga__entering *in, int64_t flow, int32_t node)
{
    int64_t less = flow - in->start, more = s->costs->width[in->segment] - less;
    bool up = s->network->tail[in->arc] == node;
    return (
        ga__branch){ .arc = in->arc, .up = up, .room_up = up ? more : less, .room_down = up ? less : more };
}

/* The entering arc for the leaving one. */
static void exchange(ga__simplex *s, const ga__entering *in, const cycle *c)
{
    int64_t a = in->arc;
    int32_t tail = s->network->tail[a], head = s->network->head[a];
    int64_t reduced = s->costs->slope[in->segment] + s->potential[tail] - s->potential[head];
    int64_t flow = in->increase ? in->flow + c->amount : in->flow - c->amount;
    if (c->leaving < 0) {
        ga__rest_at(s, a, in->segment + in->increase, flow);
        return;
    }
    leave(s, c->leaving);
    int32_t node = c->below_from ? c->from : c->to, parent = c->below_from ? c->to : c->from;
    resize_ways(s, s->tree[c->leaving].parent, parent, c->top, s->tree[c->leaving].size);
    turn(s, c->leaving, node, parent, connection(s, in, flow, node));
    s->at[a] = in->start;
    s->segment[a] = in->segment;
    s->left[a] = -GA__FAR;
    s->right[a] = GA__FAR;
    shift_potentials(s, node, node == head ? reduced : -reduced);
}

ga__pivoted ga__pivot(ga__simplex *s, const ga__entering *in)
{
    cycle c = close_cycle(s, in);
    int64_t change[GA__WATCHED] = { 0 };
    bool watched = s->watch && c.amount != 0;
    if (watched) {
        foresee(s, in, &c, change);
        if (!s->watch->accept(s->watch->user, change)) {
            return GA__REFUSED;
        }
    }
    send(s, &c);
    exchange(s, in, &c);
    s->pivots++;
    for (int i = 0; watched && i < GA__WATCHED; i++) {
        s->watch->sum[i] += change[i];
    }
    return watched && s->watch->moved(s->watch->user) ? GA__STOP : GA__DONE;
}
