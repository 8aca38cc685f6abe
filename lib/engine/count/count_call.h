/* count_call.h - counts over edges on a device: what a launch needs. */
#ifndef GA_LIB_ENGINE_COUNT_CALL_H
#define GA_LIB_ENGINE_COUNT_CALL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* degrees[v] += edges into v, modulo 2^32. */
typedef struct ga__count_targets_launch_args {
    int64_t edges;
    const uint32_t *targets;
    uint32_t *degrees;
} ga__count_targets_launch_args;

int ga__count_targets_launch(const ga__count_targets_launch_args *args, void *stream);

/* counts[row_class[u] - first][column_class[v]] += edges u -> v, where first <= row_class[u] < first + classes. */
typedef struct ga__count_pairs_launch_args {
    int64_t rows, edges;
    const int64_t *offsets; /* rows + 1 */
    const uint32_t *targets;
    const int32_t *row_class, *column_class; /* of every row and target */
    int64_t first, classes, columns;
    int wide;     /* counts of 64 bits, else of 32 */
    void *counts; /* (classes, columns) */
} ga__count_pairs_launch_args;

int ga__count_pairs_launch(const ga__count_pairs_launch_args *args, void *stream);

#ifdef __cplusplus
}
#endif

#endif
