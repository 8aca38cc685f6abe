/* recycled.h - the small cache of recycled attention: what a full step leaves, and what the steps behind it make of it. */
#ifndef GA_ATTENTION_RECYCLED_H
#define GA_ATTENTION_RECYCLED_H

#include "attention/plan.h"

typedef enum ga__recycled_reduce {
    GA__RECYCLED_MAX,
    GA__RECYCLED_MEAN,
    GA__RECYCLED_SUM
} ga__recycled_reduce;

/* Parameters of the variant. */
typedef struct ga__recycling {
    int64_t top_k, stride, check;
    bool by_similarity, append;
    double similarity;
    ga__recycled_reduce reduce;
} ga__recycling;

ga__recycling ga__recycling_of(const ga__part *part);

/* True when step `step` attends to everything, which is decided from its queries q (heads, dim) and those of the last full
 * step, which then become these. */
bool ga__recycling_full(const ga__recycling *r, int64_t step, int64_t heads, int64_t dim, const double *q,
                        double *last_q);

/* weights (group, count) of a step become one row: the first. */
void ga__recycling_reduce(const ga__recycling *r, int64_t group, int64_t count, double *weights);
/* Behind a full step: the top_k largest of n weights, ascending, into slots. scratch: top_k numbers. Returns their number. */
int64_t ga__recycling_best(ga_context *context, const ga__recycling *r, const double *weights, int64_t n,
                           int32_t *slots, double *scratch);
/* Behind a step that appended: drops the least of more than top_k slots (ties: the lower one). Returns their number. */
int64_t ga__recycling_drop(const ga__recycling *r, const double *weights, int64_t count, int32_t *slots);
/* The place of the least of count >= 1 weights (ties: the lower one). */
int64_t ga__recycling_least(const double *weights, int64_t count);

/* Scores of one key/value head, from which the same follows without the weights of all keys. */
typedef struct ga__recycled_scores {
    int64_t group, count, stride;
    const float *scores;  /* (group, stride), the first `count` of each */
    const double *lse;    /* (group): weights are e^(score - lse) */
    const int32_t *order; /* key i is column order[i] of the scores; NULL = i */
} ga__recycled_scores;

/* What ga__recycling_best gives for the reduced weights. slots: top_k. (recycled_weights.c) */
ga_status ga__recycling_best_of(ga_context *context, const ga__recycling *r,
                                const ga__recycled_scores *scores, int32_t *slots, int64_t *count);
/* What ga__recycling_least gives for them. */
ga_status ga__recycling_least_of(ga_context *context, const ga__recycling *r,
                                 const ga__recycled_scores *scores, int64_t *place);

#endif
