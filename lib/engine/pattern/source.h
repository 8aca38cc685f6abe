/* source.h - what the pattern sources offer to pattern.c. For lib/engine/pattern only. */
#ifndef GA_LIB_ENGINE_PATTERN_SOURCE_H
#define GA_LIB_ENGINE_PATTERN_SOURCE_H

#include "lib/engine/pattern/axis.h"

/* Most places and most queries: they are counted in int32_t. */
enum { GA__MOST_PLACES = INT32_MAX - 1 };

/* Runs that are appended in ascending order, cut to places below limit, joined where they touch. */
typedef struct ga__run_list {
    ga__run *runs;
    int64_t count, limit;
} ga__run_list;

static inline void ga__run_append(ga__run_list *list, int64_t first, int64_t last)
{
    last = ga__min(last, list->limit);
    if (list->count > 0) {
        ga__run *end = &list->runs[list->count - 1];
        if (first <= end->last) {
            end->last = ga__max(end->last, last);
            return;
        }
    }
    if (first < last) {
        list->runs[list->count++] = (ga__run){ first, last };
    }
}

/* Keys below this one are visible to the query under a causal pattern of blocks or lists. */
static inline int64_t ga__causal_limit(const ga_pattern *pattern, int64_t query)
{
    int64_t limit = pattern->causal ? query + pattern->keys - pattern->queries + 1 : pattern->keys;
    return ga__min(ga__max(limit, 0), pattern->keys);
}

/* real: key numbers without ghosts and extra keys, else places. */
int64_t ga__product_row(const ga_pattern *pattern, int64_t query, bool real, ga__run *runs);
/* Places of the grid below this one are not hidden by the flattened causal order. */
int64_t ga__product_limit(const ga_pattern *pattern, int64_t query);
/* Appends the product of the ranges of three axes on a grid of these lengths. */
void ga__product_append(ga__run_list *list, const ga__range range[3], const int64_t step[3],
                        const int64_t length[3]);
int64_t ga__product_length(const ga_pattern *pattern, int64_t query);
int64_t ga__product_nonzeros(const ga_pattern *pattern);

int64_t ga__blocks_row(const ga_pattern *pattern, int64_t head, int64_t query, ga__run *runs);
int64_t ga__blocks_length(const ga_pattern *pattern, int64_t head, int64_t query);
int64_t ga__blocks_nonzeros(const ga_pattern *pattern, int64_t head);
ga_status ga__blocks_transpose(ga_context *context, const ga_pattern *pattern, ga_pattern **transposed);

int64_t ga__explicit_row(const ga_pattern *pattern, int64_t query, ga__run *runs);

int64_t ga__selected_row(const ga_pattern *pattern, int64_t head, int64_t query, ga__run *runs);
int64_t ga__selected_length(const ga_pattern *pattern, int64_t head, int64_t query);
int64_t ga__selected_nonzeros(const ga_pattern *pattern, int64_t head);

#endif
