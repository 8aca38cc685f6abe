/* start.c - a flow near the best one, so that little is left to the minimum-cost flow. */
#include "config.h"

#include <math.h>

#include "sampling/rescale/objective.h"

enum { LEVELS = 1024, SWEEPS = 4 };

/* A unit with reward w between k and l is worth w - price[k] - price[l]. A node's price is what its last stub
 * earns when it serves the dearest units first; the two sides set theirs in turn: coordinate descent on the
 * dual problem, to the accuracy of the levels. With a hub nobody works for less than nothing. */
typedef struct pricing {
    ga__problem *p;
    int64_t *arc, *order; /* of segments; the segments of a node stand together in order */
    int64_t *first;       /* by node */
    int32_t *level;       /* of segments */
    int64_t top, bottom;  /* range of the levels */
} pricing;

/* Level 0 is the dearest. */
static int level_of(const pricing *q, int64_t value)
{
    value = ga__max(q->bottom, ga__min(q->top, value));
    return (int)((double)(q->top - value) / (double)(q->top - q->bottom) * (LEVELS - 1));
}

static void set_price(const pricing *q, int64_t node, int64_t stubs)
{
    const ga__problem *p = q->p;
    int64_t width[LEVELS] = { 0 }, least[LEVELS];
    int level = 0;
    for (int64_t i = q->first[node]; i < q->first[node + 1]; i++) {
        int64_t s = q->order[i], a = q->arc[s], other = p->tail[a] == node ? p->head[a] : p->tail[a];
        int64_t value = -p->slope[s] - p->price[other];
        int at = level_of(q, value);
        least[at] = width[at] > 0 ? ga__min(least[at], value) : value;
        width[at] = ga__min(stubs, width[at] + ga__min(stubs, p->width[s]));
    }
    while (level < LEVELS && width[level] <= stubs) {
        stubs -= width[level++];
    }
    p->price[node] = level < LEVELS ? least[level] : q->bottom;
    p->price[node] = p->hub ? ga__max(0, p->price[node]) : p->price[node];
}

static ga_status group_segments(ga_context *context, pricing *q)
{
    ga_status status = GA_OK;
    const ga__problem *p = q->p;
    int64_t nodes = p->stage->out.count + p->stage->in.count;
    GA_TRY(GA_NEW(context, p->segments, &q->arc));
    GA_TRY(GA_NEW(context, p->segments, &q->level));
    GA_TRY(ga_alloc(context, p->segments, 2 * sizeof *q->order, &q->order));
    GA_TRY(GA_NEW_ZERO(context, nodes + 2, &q->first));
    GA_TRY(GA_NEW_ZERO(context, nodes + 1, &q->p->price));
    for (int64_t a = 0; a < p->arcs; a++) {
        for (int64_t s = p->first[a]; s < p->first[a + 1]; s++) {
            q->arc[s] = a;
            q->first[p->tail[a] + 2]++;
            q->first[p->head[a] + 2]++;
        }
    }
    for (int64_t v = 0; v < nodes; v++) {
        q->first[v + 2] += q->first[v + 1];
    }
    for (int64_t s = 0; s < p->segments; s++) {
        q->order[q->first[p->tail[q->arc[s]] + 1]++] = s;
        q->order[q->first[p->head[q->arc[s]] + 1]++] = s;
    }
done:
    return status;
}

static ga_status find_prices(ga_context *context, pricing *q)
{
    ga_status status = GA_OK;
    const ga__stage *stage = q->p->stage;
    GA_TRY(group_segments(context, q));
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        GA_TRY(ga__check(context));
        for (int64_t l = 0; l < stage->in.count; l++) {
            set_price(q, stage->out.count + l, stage->in.stubs[l]);
        }
        for (int64_t k = 0; k < stage->out.count; k++) {
            set_price(q, k, stage->out.stubs[k]);
        }
    }
done:
    return status;
}

/* Segments by level of what they are worth. Within an arc worth falls, so its segments come in order. */
static void sort_by_worth(pricing *q)
{
    const ga__problem *p = q->p;
    int64_t next[LEVELS + 1] = { 0 };
    for (int64_t s = 0; s < p->segments; s++) {
        int64_t a = q->arc[s];
        q->level[s] = level_of(q, -p->slope[s] - p->price[p->tail[a]] - p->price[p->head[a]]);
        next[q->level[s] + 1]++;
    }
    for (int i = 0; i < LEVELS; i++) {
        next[i + 1] += next[i];
    }
    for (int64_t s = 0; s < p->segments; s++) {
        q->order[next[q->level[s]]++] = s;
    }
}

void ga__shift_slopes(ga__problem *problem)
{
    for (int64_t a = 0; a < problem->arcs; a++) {
        int64_t by = problem->price[problem->tail[a]] + problem->price[problem->head[a]];
        for (int64_t s = problem->first[a]; s < problem->first[a + 1]; s++) {
            problem->slope[s] += by;
        }
    }
}

ga_status ga__good_start(ga_context *context, ga__problem *problem, int64_t *left_out, int64_t *left_in)
{
    ga_status status = GA_OK;
    int64_t most = llrint((2 + problem->lambda) * problem->scale), rows = problem->stage->out.count;
    pricing q = { .p = problem, .top = 2 * most + 1, .bottom = problem->hub ? -most : -2 * most };
    GA_TRY(find_prices(context, &q));
    sort_by_worth(&q);
    for (int64_t i = 0; i < problem->segments; i++) {
        int64_t s = q.order[i], a = q.arc[s];
        int64_t *out = &left_out[problem->tail[a]], *in = &left_in[problem->head[a] - rows];
        int64_t units = ga__min(problem->width[s], ga__min(*out, *in));
        problem->flow[a] += units;
        *out -= units;
        *in -= units;
    }
done:
    ga_free(context, q.arc);
    ga_free(context, q.order);
    ga_free(context, q.first);
    ga_free(context, q.level);
    return status;
}
