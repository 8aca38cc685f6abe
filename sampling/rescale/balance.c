/* balance.c - degrees within the cap, and as many out-stubs as in-stubs. */
#include "config.h"

#include "sampling/rescale/plan.h"

static int64_t sum_of(const int64_t *degree, int64_t nodes)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < nodes; i++) {
        sum += degree[i];
    }
    return sum;
}

static int64_t clip(ga__draft *draft)
{
    int64_t clipped = 0, cap = draft->degree_cap;
    for (int64_t i = 0; i < draft->nodes; i++) {
        clipped += draft->out[i] > cap || draft->in[i] > cap;
        draft->out[i] = ga__min(draft->out[i], cap);
        draft->in[i] = ga__min(draft->in[i], cap);
    }
    return clipped;
}

/* The side's nodes by class of the base; degrees are the class's or the cap. */
typedef struct levels {
    const ga__classes *classes;
    int64_t cap, *size;
} levels;

static int64_t level_of(const levels *l, int64_t c)
{
    return c < 0 ? 0 : ga__min(l->classes->degree[c], l->cap);
}

/* Water level: nodes above *level come down to it, *below of those on it to one less. */
static void find_level(const levels *l, int64_t excess, int64_t *level, int64_t *below)
{
    int64_t wet = 0, top = level_of(l, l->classes->count - 1);
    for (int64_t c = l->classes->count - 1; c >= 0; c--) {
        wet += l->size[c];
        int64_t next = level_of(l, c - 1), fall = top - next, cost;
        if (!ga__mul(wet, fall, &cost) || cost > excess) {
            break;
        }
        excess -= cost;
        top = next;
    }
    *level = top - (wet > 0 ? excess / wet : 0);
    *below = wet > 0 ? excess % wet : 0;
}

static int64_t lower(const levels *l, int64_t nodes, int64_t excess, int64_t *degree)
{
    int64_t level, below, changed = 0;
    find_level(l, excess, &level, &below);
    for (int64_t i = 0; i < nodes; i++) {
        int64_t now = ga__min(degree[i], level);
        if (below > 0 && now == level) {
            now--;
            below--;
        }
        changed += now != degree[i];
        degree[i] = now;
    }
    return changed;
}

/* The level that can no longer rise to the cap as a whole; *wanted is left with what its nodes still rise. */
static int64_t find_threshold(const levels *l, int64_t *wanted)
{
    int64_t c = l->classes->count - 1;
    while (c >= 0) {
        int64_t level = level_of(l, c), size = 0, room;
        for (; c >= 0 && level_of(l, c) == level; c--) {
            size += l->size[c];
        }
        if (!ga__mul(size, l->cap - level, &room) || room >= *wanted) {
            return level;
        }
        *wanted -= room;
    }
    return -1;
}

/* The largest nodes rise to the cap, in order of degree, then of donor: that touches the fewest. */
static int64_t raise_largest(const levels *l, int64_t nodes, int64_t wanted, int64_t *degree)
{
    int64_t changed = 0, threshold = find_threshold(l, &wanted);
    for (int64_t i = 0; i < nodes; i++) {
        int64_t now = degree[i] > threshold ? l->cap : degree[i];
        if (degree[i] == threshold && wanted > 0) {
            int64_t step = ga__min(wanted, l->cap - threshold);
            now += step;
            wanted -= step;
        }
        changed += now != degree[i];
        degree[i] = now;
    }
    return changed;
}

ga_status ga__balance(ga_context *context, ga__draft *draft)
{
    ga_status status = GA_OK;
    const ga_matrices *base = draft->base;
    ga_rescale_report *report = draft->report;
    levels l = { .cap = draft->degree_cap };
    report->clipped = clip(draft);
    int64_t delta = sum_of(draft->in, draft->nodes) - sum_of(draft->out, draft->nodes);
    bool raise = draft->options->balance == GA_BALANCE_RAISE, out_side = (delta < 0) != raise;
    report->delta = delta;
    if (delta == 0) {
        return GA_OK;
    }
    l.classes = out_side ? &base->out : &base->in;
    GA_TRY(GA_NEW_ZERO(context, l.classes->count, &l.size));
    for (int64_t i = 0; i < draft->nodes; i++) {
        l.size[out_side ? base->dcm.column[draft->cell[i]] : base->dcm.row[draft->cell[i]]]++;
    }
    report->balanced_nodes = (raise ? raise_largest : lower)(&l, draft->nodes, delta < 0 ? -delta : delta,
                                                             out_side ? draft->out : draft->in);
done:
    ga_free(context, l.size);
    return status;
}
