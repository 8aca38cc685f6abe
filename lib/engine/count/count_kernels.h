/* count_kernels.h - degrees, and pairs of classes, over edges.
 *
 * Sums of integers come out the same in any order, so that atomic additions are deterministic here. Counters are one
 * table in global memory: frequent pairs meet in the L2, which adds up.
 */
#ifndef GA_LIB_ENGINE_COUNT_KERNELS_H
#define GA_LIB_ENGINE_COUNT_KERNELS_H

#include "lib/engine/count/count_call.h"
#include "lib/engine/device/kernel.h"

namespace ga__counts
{

enum { THREADS = 256, EDGES = 4096 }; /* of a block */

typedef unsigned long long wide;

/* The last row in low .. high - 1 that starts at the edge or before: that of the edge, as empty rows stand before it. */
__device__ __forceinline__ int64_t row_of(const int64_t *offsets, int64_t low, int64_t high, int64_t edge)
{
    while (low + 1 < high) {
        int64_t middle = low + (high - low) / 2;
        if (offsets[middle] <= edge) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

__global__ void count_targets(const ga__count_targets_launch_args a)
{
    int64_t first = (int64_t)blockIdx.x * EDGES + threadIdx.x, end = (int64_t)(blockIdx.x + 1) * EDGES;
    for (int64_t e = first; e < end && e < a.edges; e += THREADS) {
        atomicAdd(a.degrees + a.targets[e], 1u);
    }
}

template <class C> __global__ void count_pairs(const ga__count_pairs_launch_args a)
{
    __shared__ int64_t bound[2]; /* the rows of the first and of the last edge of the block */
    int64_t first = (int64_t)blockIdx.x * EDGES, end = first + EDGES < a.edges ? first + EDGES : a.edges;
    C *counts = (C *)a.counts;
    if (threadIdx.x < 2) {
        bound[threadIdx.x] = row_of(a.offsets, 0, a.rows, threadIdx.x ? end - 1 : first);
    }
    __syncthreads();
    int64_t row = bound[0], last = bound[1] + 1;
    for (int64_t e = first + threadIdx.x; e < end; e += THREADS) {
        row = row_of(a.offsets, row, last, e);
        int64_t class_ = a.row_class[row] - a.first;
        if (class_ >= 0 && class_ < a.classes) {
            atomicAdd(counts + class_ * a.columns + a.column_class[a.targets[e]], (C)1);
        }
    }
}

static inline unsigned blocks_for(int64_t edges)
{
    return (unsigned)((edges + EDGES - 1) / EDGES);
}

} // namespace ga__counts

int ga__count_targets_launch(const ga__count_targets_launch_args *args, void *stream)
{
    return GA__LAUNCH(ga__counts::count_targets, ga__counts::blocks_for(args->edges), ga__counts::THREADS, 0,
                      stream, *args);
}

int ga__count_pairs_launch(const ga__count_pairs_launch_args *args, void *stream)
{
    unsigned blocks = ga__counts::blocks_for(args->edges);
    auto narrow = ga__counts::count_pairs<unsigned>;
    auto wide = ga__counts::count_pairs<ga__counts::wide>;
    return args->wide ? GA__LAUNCH(wide, blocks, ga__counts::THREADS, 0, stream, *args)
                      : GA__LAUNCH(narrow, blocks, ga__counts::THREADS, 0, stream, *args);
}

#endif
