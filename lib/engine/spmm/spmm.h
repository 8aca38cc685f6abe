/* spmm.h - sums and maxima of gathered rows, the kernel under spmm, sddmm's gradients and their kin.
 *
 * Offsets are checked (from 0, ascending, to count) before they are followed; the ids of edges are not: an id that is
 * not below the number of rows of x is the caller's fault. ga_edges_transpose checks them.
 */
#ifndef GA_LIB_ENGINE_SPMM_H
#define GA_LIB_ENGINE_SPMM_H

#include "lib/base/workers.h"
#include "lib/engine/isa.h"
#include "lib/engine/spmm/pieces.h"
#include "lib/engine/view.h"

/* ---- how work is split ---- */

typedef struct ga__split {
    ga__piece *pieces;
    ga__hub *hubs;
    int64_t count, hub_count, slots;
} ga__split;

/* Checks the offsets on the way; name stands in front of messages. Free with ga__split_free. */
ga_status ga__split_edges(ga_context *context, const char *name, int64_t rows, int64_t count,
                          const int64_t *offsets, ga__split *split);
void ga__split_free(ga_context *context, ga__split *split);

/* GA_INVALID unless the members agree and the pointers that are needed are there. */
ga_status ga__edges_check(ga_context *context, const ga_edges *edges);
/* GA_INVALID "NAME: source .. of .. sources" unless all ids are below bound. */
ga_status ga__ids_check(ga_context *context, const char *name, const uint32_t *ids, int64_t count,
                        int64_t bound);
/* Reads a tensor of (count) or (count, heads) values, wherever it lies, as a view of count rows; its type must be f32 or
 * f64. */
ga_status ga__edge_values(ga_context *context, const char *name, const DLTensor *tensor, int64_t count,
                          int64_t heads, ga__view *view);

/* ---- gathering ---- */

/* Row i of y, head h: scale_i * sum (or max) over edges e of row i of w[e][h] * x[ids[e]][h]. */
typedef struct ga__gather {
    int64_t rows, count;
    const int64_t *offsets;
    const uint32_t *ids;
    int64_t heads, width; /* rows of x and y have heads * width columns */
    const void *x;
    int64_t x_rows;      /* for devices, where ids are checked */
    ga__type x_type;     /* f64: everything is double; else y is f32 */
    int64_t x_stride;    /* elements */
    const void *weights; /* NULL = 1; head h of edge e at weight_stride * e + h */
    ga__type weights_type;
    int64_t weight_stride;
    const int64_t *edge; /* weights of the edge at place e are those of edge[e]; NULL = e */
    const int64_t
        *degrees; /* offsets of the other side: weights are divided by the degree of ids[e]; NULL = no */
    bool mean;    /* scale_i = 1 / (number of edges of row i), else 1 */
    bool max;     /* weights have one head */
    bool stream;  /* y is large and aligned: past the caches */
    void *y;
    int64_t *argmax; /* (rows, columns), of max; NULL = not wanted */
    /* which of them lie on the context's device; the lists are on the host */
    bool x_on_device, weights_on_device, y_on_device, argmax_on_device;
    /* On devices alone: x of an edge counts where chosen, (rows of x, columns), is that edge; NULL = everywhere. */
    const int64_t *chosen;
    bool chosen_on_device;
} ga__gather;

/* Fills y, on the context's device if it has one. */
ga_status ga__gather_run(ga_context *context, const char *name, ga__gather *gather);
/* The part of it that runs on a device. */
ga_status ga__gather_on_device(ga_context *context, const char *name, const ga__gather *gather,
                               const ga__split *split);

typedef struct ga__gather_kernels {
    /* Results of a piece go to out (rows of heads * width elements, the first for piece->row); those of max have the
     * edges they came from in at (NULL: not wanted). scratch: GA__CHUNK * heads elements. */
    void (*sum[2])(const ga__gather *gather, const ga__piece *piece, void *out, void *scratch);
    void (*max[2])(const ga__gather *gather, const ga__piece *piece, void *out, int64_t *at, void *scratch);
} ga__gather_kernels; /* [0] f32, [1] f64 */

extern const ga__gather_kernels ga__gather_scalar, ga__gather_avx2, ga__gather_avx512;

#endif
