/* count_device.h - the edges of a graph on the context's device, and counts over them. */
#ifndef GA_LIB_ENGINE_COUNT_DEVICE_H
#define GA_LIB_ENGINE_COUNT_DEVICE_H

#include "lib/engine/device/device.h"

/* Rows of edges in the memory of a device. */
typedef struct ga__device_edges {
    int device; /* its id; 0 = they are nowhere */
    int64_t rows, count;
    const int64_t *offsets;  /* owned: rows + 1 */
    const uint32_t *targets; /* owned: count, each below rows */
} ga__device_edges;

/* Copies rows from the host to the context's device. To be freed, by a context that has the device. */
ga_status ga__device_edges_bring(ga_context *context, int64_t rows, const int64_t *offsets,
                                 const uint32_t *targets, ga__device_edges *edges);
/* Nothing is left of them. */
void ga__device_edges_free(ga_context *context, ga__device_edges *edges);

/* degrees[v] = edges into v, modulo 2^32; on the host. */
ga_status ga__count_targets(ga_context *context, const ga__device_edges *edges, uint32_t *degrees);

/* Edges by the class of their source and that of their target. Arrays are on the host. */
typedef struct ga__pair_counts {
    const int32_t *row_class, *column_class; /* of every node */
    int64_t first, classes;                  /* of sources: those that are counted */
    int64_t columns;                         /* classes of targets */
    bool wide;                               /* counts of 64 bits, else of 32 */
    void *counts;                            /* (classes, columns) */
} ga__pair_counts;

ga_status ga__count_pairs(ga_context *context, const ga__device_edges *edges, const ga__pair_counts *pairs);

#endif
