/* recycled_weights.c - what a step of decoding leaves in the small cache, from the scores of its keys.
 *
 * The weight of a key is its probability e^(s - lse), reduced over the g query heads of a key/value head. It lies between
 * e^x and g e^x, x = max (s - lse) over the heads, so x alone tells which keys may be among the best, or the least: no
 * exponential of another one is taken, and the choice is the one that all weights would give. */
#include "config.h"

#include <string.h>

#include "attention/dynamic/recycled.h"

/* Below FLOOR weights lose their digits and end as 0: they count as alike. SLACK is more than a bound is rounded by. */
#define FLOOR (-700.0)
#define SLACK 1e-3

/* Keys that may be chosen. */
typedef struct candidates {
    float *bounds;   /* owned: x of every key */
    int32_t *keys;   /* owned: their places in the order of the call */
    int64_t count;   /* of keys */
    double *weights; /* owned: of them */
    bool lost;       /* some score is not a number: all keys are candidates */
} candidates;

static void candidates_free(ga_context *context, candidates *c)
{
    ga_free(context, c->bounds);
    ga_free(context, c->keys);
    ga_free(context, c->weights);
}

static int64_t column_of(const ga__recycled_scores *x, int64_t key)
{
    return x->order ? x->order[key] : key;
}

/* Bounds of a piece of the keys; they are within [FLOOR, 0], rounded. */
static void bound(const ga__recycled_scores *x, int64_t from, int64_t to, candidates *c)
{
    bool lost = false;
    for (int64_t j = from; j < to; j++) {
        c->bounds[j] = (float)FLOOR;
    }
    for (int64_t h = 0; h < x->group; h++) {
        const float *scores = x->scores + h * x->stride;
        double lse = x->lse[h];
        for (int64_t j = from; j < to; j++) {
            float value = (float)((double)scores[column_of(x, j)] - lse);
            lost |= value != value;
            c->bounds[j] = value > c->bounds[j] ? value : c->bounds[j];
        }
    }
    for (int64_t j = from; j < to; j++) {
        c->bounds[j] = c->bounds[j] > 0 ? 0 : c->bounds[j];
    }
    c->lost |= lost;
}

static ga_status find_bounds(ga_context *context, const ga__recycled_scores *x, candidates *c)
{
    enum { PIECE = 1024 };
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, x->count, &c->bounds));
    GA_TRY(GA_NEW(context, x->count, &c->keys));
    for (int64_t j = 0; j < x->count; j += PIECE) {
        bound(x, j, ga__min(x->count, j + PIECE), c);
    }
done:
    return status;
}

/* A bound that at least `wanted` of more keys reach, and not many more: they are counted by the upper half of their bits,
 * which rise with -x. */
static ga_status reached_by(ga_context *context, const candidates *c, int64_t count, int64_t wanted,
                            double *least)
{
    enum { CLASSES = 0x8000 };
    ga_status status = GA_OK;
    int32_t *counts = NULL;
    GA_TRY(GA_NEW_ZERO(context, CLASSES, &counts));
    for (int64_t j = 0; j < count; j++) {
        uint32_t bits;
        memcpy(&bits, &c->bounds[j], sizeof bits);
        counts[(bits & INT32_MAX) >> 16]++;
    }
    uint32_t last = 0;
    for (int64_t sum = counts[0]; sum < wanted;) {
        sum += counts[++last];
    }
    uint32_t bits = last << 16 | 0xffff;
    float farthest;
    memcpy(&farthest, &bits, sizeof farthest);
    *least = -(double)farthest;
done:
    ga_free(context, counts);
    return status;
}

/* By how much less, in logarithms, a bound may be than the one of a key that weighs less. */
static double margin(const ga__recycling *r, const ga__recycled_scores *x)
{
    return SLACK + (r->reduce == GA__RECYCLED_MAX ? 0 : log((double)x->group));
}

/* The weights of the candidates, reduced: the first row. */
static ga_status weigh(ga_context *context, const ga__recycling *r, const ga__recycled_scores *x,
                       candidates *c)
{
    ga_status status = GA_OK;
    int64_t size = 0;
    if (!ga__mul(x->group, c->count, &size)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "recycled: too many keys"));
    }
    GA_TRY(GA_NEW(context, size, &c->weights));
    for (int64_t h = 0; h < x->group; h++) {
        for (int64_t i = 0; i < c->count; i++) {
            double score = (double)x->scores[h * x->stride + column_of(x, c->keys[i])];
            c->weights[h * c->count + i] = exp(score - x->lse[h]);
        }
    }
    ga__recycling_reduce(r, x->group, c->count, c->weights);
done:
    return status;
}

ga_status ga__recycling_best_of(ga_context *context, const ga__recycling *r, const ga__recycled_scores *x,
                                int32_t *slots, int64_t *count)
{
    ga_status status = GA_OK;
    candidates c = { .bounds = NULL };
    int64_t most = ga__min(r->top_k, x->count);
    double least = -INFINITY, *scratch = NULL;
    GA_TRY(GA_NEW(context, most, &scratch));
    GA_TRY(find_bounds(context, x, &c));
    if (!c.lost && most < x->count) {
        GA_TRY(reached_by(context, &c, x->count, most, &least));
        least -= margin(r, x);
    }
    for (int64_t j = 0; j < x->count; j++) {
        if ((double)c.bounds[j] >= least) {
            c.keys[c.count++] = (int32_t)j;
        }
    }
    GA_TRY(weigh(context, r, x, &c));
    *count = ga__recycling_best(context, r, c.weights, c.count, slots, scratch);
    for (int64_t i = 0; i < *count; i++) {
        slots[i] = c.keys[slots[i]];
    }
done:
    ga_free(context, scratch);
    candidates_free(context, &c);
    return status;
}

ga_status ga__recycling_least_of(ga_context *context, const ga__recycling *r, const ga__recycled_scores *x,
                                 int64_t *place)
{
    ga_status status = GA_OK;
    candidates c = { .bounds = NULL };
    double most = INFINITY;
    GA_TRY(find_bounds(context, x, &c));
    for (int64_t j = 0; j < x->count && !c.lost; j++) {
        most = fmin(most, (double)c.bounds[j]);
    }
    most += margin(r, x);
    for (int64_t j = 0; j < x->count; j++) {
        if ((double)c.bounds[j] <= most) {
            c.keys[c.count++] = (int32_t)j;
        }
    }
    GA_TRY(weigh(context, r, x, &c));
    *place = c.keys[ga__recycling_least(c.weights, c.count)];
done:
    candidates_free(context, &c);
    return status;
}
