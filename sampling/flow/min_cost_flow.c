/* min_cost_flow.c - minimum-cost flow by the primal network simplex method with block pricing. */
#include "config.h"

#include "sampling/flow/simplex.h"

enum { LEAST_BLOCK = 32, CHECK_EVERY = 256 };

/* The arcs to look at, in blocks. */
typedef struct pricing {
    int64_t *arc, count;
    int64_t next; /* where the next block begins */
    int64_t block;
} pricing;

/* By how much a unit more or less on arc a lowers the cost; at most one of the two is positive. */
static inline int64_t gain(const ga__simplex *s, int64_t a)
{
    int64_t difference = s->potential[s->network->head[a]] - s->potential[s->network->tail[a]];
    int64_t more = difference - s->right[a], less = s->left[a] - difference;
    return more > less ? more : less;
}

/* The arc with the greatest gain of those listed from `from` to `end`, the first one of equals; -1 when none has a
 * gain. */
static int64_t best_of(const ga__simplex *s, const pricing *p, int64_t from, int64_t end)
{
    const int32_t *tail = s->network->tail, *head = s->network->head;
    const int64_t *potential = s->potential, *left = s->left, *right = s->right;
    int64_t best = 0, arc = -1;
    for (int64_t i = from; i < end; i++) {
        int64_t a = p->arc[i], difference = potential[head[a]] - potential[tail[a]];
        if ((difference > right[a]) | (difference < left[a])) {
            int64_t g = gain(s, a);
            if (g > best) {
                best = g;
                arc = a;
            }
        }
    }
    return arc;
}

/* Looks at all arcs and lists those that may soon have a gain: the tree's, and those that the greatest gain of all
 * would be enough for. Far from the optimum that is nearly all of them. False when there is no gain. */
static bool list_near_arcs(const ga__simplex *s, pricing *p)
{
    int64_t arcs = s->network->arcs, most = 0;
    for (int64_t a = 0; a < arcs; a++) {
        most = ga__max(most, gain(s, a));
    }
    p->count = p->next = 0;
    for (int64_t a = 0; a < arcs && most > 0; a++) {
        bool in_tree = s->left[a] == -GA__FAR && s->right[a] == GA__FAR;
        p->arc[p->count] = a;
        p->count += in_tree || gain(s, a) >= -most;
    }
    for (p->block = LEAST_BLOCK; 4 * p->block * p->block < p->count;) {
        p->block += LEAST_BLOCK / 2;
    }
    return most > 0;
}

static void list_all_arcs(const ga__simplex *s, pricing *p)
{
    while (p->count < s->network->arcs) {
        p->arc[p->count] = p->count;
        p->count++;
    }
    for (p->block = 2 * LEAST_BLOCK; p->block * p->block < p->count;) {
        p->block += LEAST_BLOCK;
    }
}

/* The best arc of the first block that has one; -1 when no arc listed has a gain. */
static int64_t choose_listed(const ga__simplex *s, pricing *p)
{
    int64_t arc = -1;
    for (int64_t seen = 0; seen < p->count && arc < 0;) {
        int64_t end = ga__min(p->next + p->block, p->count);
        arc = best_of(s, p, p->next, end);
        seen += end - p->next;
        p->next = end == p->count ? 0 : end;
    }
    return arc;
}

/* An arc with a gain; -1 when the flow is optimal. */
static int64_t choose(const ga__simplex *s, pricing *p)
{
    int64_t arc = choose_listed(s, p);
    return arc < 0 && s->near && list_near_arcs(s, p) ? choose_listed(s, p) : arc;
}

/* The way in which a resting arc with a gain enters. */
static ga__entering entering(const ga__simplex *s, int64_t a)
{
    const ga__costs *c = s->costs;
    int64_t difference = s->potential[s->network->head[a]] - s->potential[s->network->tail[a]];
    ga__entering in = { .arc = a, .flow = s->at[a], .increase = difference > s->right[a] };
    in.segment = s->segment[a];
    if (!in.increase) {
        do {
            in.segment--;
        } while (c->width[in.segment] == 0);
    }
    in.room = c->width[in.segment];
    in.start = in.increase ? in.flow : in.flow - in.room;
    return in;
}

static void bar(ga__simplex *s, int64_t a)
{
    s->barred[s->barred_count++] = a;
    s->left[a] = -GA__FAR;
    s->right[a] = GA__FAR;
}

ga_status ga__simplex_solve(ga__simplex *s, double deadline, bool *stopped)
{
    ga_status status = GA_OK;
    pricing p = { 0 };
    *stopped = false;
    GA_TRY(GA_NEW(s->context, s->network->arcs, &p.arc));
    if (!s->near) {
        list_all_arcs(s, &p);
    }
    for (int64_t turn = 0;; turn++) {
        if (turn % CHECK_EVERY == 0) {
            GA_TRY(ga__check(s->context));
            if (deadline > 0 && ga__now() >= deadline) {
                *stopped = true;
                break;
            }
        }
        int64_t a = choose(s, &p);
        if (a < 0) {
            break;
        }
        ga__pivoted done_so;
        do {
            ga__entering in = entering(s, a);
            done_so = ga__pivot(s, &in);
        } while (done_so == GA__DONE && gain(s, a) > 0);
        if (done_so == GA__REFUSED) {
            bar(s, a);
        } else if (done_so == GA__STOP) {
            *stopped = true;
            break;
        }
    }
done:
    ga_free(s->context, p.arc);
    return status;
}

void ga__simplex_flow(const ga__simplex *s, int64_t *flow)
{
    for (int64_t a = 0; a < s->network->arcs; a++) {
        flow[a] = s->at[a];
    }
    for (int32_t v = 0; v < s->network->nodes; v++) {
        const ga__branch *b = &s->tree[v];
        if (b->arc != GA__ARTIFICIAL) {
            flow[b->arc] += b->up ? b->room_down : b->room_up;
        }
    }
}

void ga__simplex_price_tree(ga__simplex *s)
{
    int32_t root = s->network->nodes;
    s->potential[root] = 0;
    for (int32_t v = ga__after(s, root, root); v >= 0; v = ga__after(s, v, root)) {
        const ga__branch *b = &s->tree[v];
        int64_t slope = b->arc == GA__ARTIFICIAL ? 0 : s->costs->slope[s->segment[b->arc]];
        s->potential[v] = s->potential[b->parent] + (b->up ? -slope : slope);
    }
}

void ga__simplex_reprice(ga__simplex *s)
{
    while (s->barred_count > 0) {
        int64_t a = s->barred[--s->barred_count];
        ga__rest_at(s, a, s->segment[a], s->at[a]);
    }
    for (int64_t a = 0; a < s->network->arcs; a++) {
        if (s->left[a] > -GA__FAR || s->right[a] < GA__FAR) {
            ga__rest_at(s, a, s->segment[a], s->at[a]);
        }
    }
    ga__simplex_price_tree(s);
}

ga_status ga__min_cost_flow(ga_context *context, const ga__network *network, const ga__costs *costs,
                            double deadline, int64_t *flow, ga__flow_report *report)
{
    ga_status status = GA_OK;
    ga__simplex s = { .context = context, .network = network, .costs = costs, .near = true };
    bool stopped = false;
    GA_TRY(ga__simplex_start(&s, flow));
    GA_TRY(ga__simplex_solve(&s, deadline, &stopped));
    ga__simplex_flow(&s, flow);
    if (report) {
        *report = (ga__flow_report){ .pivots = s.pivots, .stopped = stopped };
    }
done:
    ga__simplex_free(&s);
    return status;
}
