/* graph.h - the graph inside: for graph/ and for sampling/ where it builds graphs without copying. */
#ifndef GA_GRAPH_INTERNAL_H
#define GA_GRAPH_INTERNAL_H

#include <graphattn/graph.h>

#include "lib/base/base.h"
#include "lib/engine/count/count_device.h"

struct ga_graph {
    int64_t nodes, edges;
    int64_t *out_offsets;  /* nodes + 1 */
    uint32_t *out_targets; /* edges, ascending inside a row */
    float *weights;        /* edges, or NULL */
    int64_t *in_offsets;   /* NULL until asked for */
    uint32_t *in_sources;
    float *in_weights; /* weights in the order of in_sources, or NULL */
    uint64_t *ids;     /* nodes, ascending, or NULL for 0 .. nodes - 1 */
    void *map;         /* a mapped .gab: the arrays above then point into it, except those built later */
    int64_t map_size;
    ga__device_edges on_device;       /* a copy of the rows (ga_graph_to_device) */
    uint64_t file_device, file_inode; /* of the file it came from (0, 0 = none), to refuse writing over it */
};

/* Takes over arrays made by ga_alloc: offsets (nodes + 1), targets (sorted in each row). Returns owned. On failure
 * the arrays stay the caller's. */
ga_status ga__graph_adopt(ga_context *context, int64_t nodes, int64_t edges, int64_t *offsets,
                          uint32_t *targets, uint64_t *ids, ga_graph **graph);

/* Frees an array of the graph unless it lies in the mapped file. */
void ga__graph_free_array(ga_context *context, const ga_graph *graph, void *array);
/* Drops the transpose. */
void ga__graph_free_in(ga_context *context, ga_graph *graph);

/* GA_UNSUPPORTED when a count of edges into a node went round 2^32, which leaves too small a sum. */
ga_status ga__degrees_check(ga_context *context, const ga_graph *graph, const uint32_t *degrees);

/* Edge pairs (count of them, any order, repetitions as given) to a CSR with sorted rows, in parallel and without
 * policies; pairs is used as scratch. Returns owned arrays. */
typedef struct ga__pair {
    uint32_t source, target;
} ga__pair;
ga_status ga__pairs_to_csr(ga_context *context, int64_t nodes, int64_t count, ga__pair *pairs,
                           int64_t **offsets, uint32_t **targets);

#endif
