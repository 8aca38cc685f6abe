/* lists_kernels.h - units of work, loads of features and weights: what kernels over edges share. */
#ifndef GA_LIB_ENGINE_SPMM_LISTS_KERNELS_H
#define GA_LIB_ENGINE_SPMM_LISTS_KERNELS_H

#include "lib/engine/device/kernel.h"
#include "lib/engine/spmm/lists.h"

namespace ga__edges
{

enum { WARPS = 8, THREADS = 32 * WARPS, SUM_THREADS = 256 };

/* Kernels ask for two blocks a multiprocessor, no more: left to itself ptxas spills to reach a round number of them. */

/* Edges first .. last - 1 of a row; slot -1: all of them. */
struct unit {
    int64_t row, first, last, slot;
};

/* False when there is nothing to do under that number. */
__device__ __forceinline__ bool find_unit(const ga__edge_lists &lists, int64_t number, unit &u)
{
    if (number < lists.rows) {
        u.row = number;
        u.first = lists.offsets[number];
        u.last = lists.offsets[number + 1];
        u.slot = -1;
        return u.last - u.first <= GA__CHUNK;
    }
    if (number >= lists.rows + lists.pieces) {
        return false;
    }
    const ga__piece &piece = lists.piece[number - lists.rows];
    u.row = piece.row;
    u.first = piece.first;
    u.last = piece.last;
    u.slot = piece.slot;
    return piece.slot >= 0;
}

/* The number of this warp in the grid. */
__device__ __forceinline__ int64_t warp_number()
{
    return (int64_t)blockIdx.x * WARPS + threadIdx.x / 32;
}

/* Blocks for so many warps, or threads of SUM_THREADS; a launch needs one at least. */
static inline unsigned blocks_for(int64_t work, int each)
{
    int64_t blocks = (work + each - 1) / each;
    return (unsigned)(blocks < 1 ? 1 : blocks > 0x7fffffff ? 0x7fffffff : blocks);
}

/* ---- features: f32, bf16 and f16, one or four at a time ---- */

struct half_bits {
    uint16_t bits;
};
struct bf16_bits {
    uint16_t bits;
};

__device__ __forceinline__ float to_float(float x)
{
    return x;
}
__device__ __forceinline__ float to_float(bf16_bits x)
{
    return ga__bf16_to_float(x.bits);
}
__device__ __forceinline__ float to_float(half_bits x)
{
    return ga__half_to_float(x.bits);
}

template <int VEC, class X> __device__ __forceinline__ void load(const X *from, float (&to)[VEC])
{
    if constexpr (VEC == 1) {
        to[0] = to_float(from[0]);
    } else if constexpr (sizeof(X) == 4) {
        float4 four = *reinterpret_cast<const float4 *>(from);
        to[0] = four.x;
        to[1] = four.y;
        to[2] = four.z;
        to[3] = four.w;
    } else {
        uint2 four = *reinterpret_cast<const uint2 *>(from);
        to[0] = to_float(X{ (uint16_t)(four.x & 0xffff) });
        to[1] = to_float(X{ (uint16_t)(four.x >> 16) });
        to[2] = to_float(X{ (uint16_t)(four.y & 0xffff) });
        to[3] = to_float(X{ (uint16_t)(four.y >> 16) });
    }
}

template <int VEC> __device__ __forceinline__ void store(float *to, const float (&from)[VEC])
{
    if constexpr (VEC == 1) {
        to[0] = from[0];
    } else {
        *reinterpret_cast<float4 *>(to) = make_float4(from[0], from[1], from[2], from[3]);
    }
}

/* Whether rows of that stride can be read in fours. */
static inline bool fours(const void *data, int64_t stride, int64_t width, int size)
{
    return width % 4 == 0 && stride % 4 == 0 && (uintptr_t)data % (size_t)(4 * size) == 0;
}

/* Lanes that a row of so many pieces needs: a power of two up to 32. */
static inline int lanes_for(int64_t pieces)
{
    int lanes = 1;
    while (lanes < 32 && lanes < pieces) {
        lanes *= 2;
    }
    return lanes;
}

/* Number e of f32 or f64 values; NULL = 1. */
__device__ __forceinline__ float number_at(const void *values, int wide, int64_t e)
{
    return !values ? 1.0f : wide ? (float)((const double *)values)[e] : ((const float *)values)[e];
}

} // namespace ga__edges

#endif
