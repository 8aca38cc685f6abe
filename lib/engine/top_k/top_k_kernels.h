/* top_k_kernels.h - the k largest of a row: a block a row.
 *
 * Numbers become unsigned keys of the same order. The k-th largest is found digit by digit, from histograms of the keys that
 * share the digits found so far; then the row is gone through once more in order, which gives ascending indices and takes
 * the first of what equals the k-th.
 */
#ifndef GA_LIB_ENGINE_TOP_K_KERNELS_H
#define GA_LIB_ENGINE_TOP_K_KERNELS_H

#include "lib/engine/device/kernel.h"
#include "lib/engine/top_k/top_k_device.h"

namespace ga__top_k
{

typedef ga__top_k_launch_args arguments;
enum { THREADS = 256, WARPS = THREADS / 32, BITS = 8, DIGITS = 1 << BITS, EACH = DIGITS / 32 };

/* 0 is less than every number and stands for NaN. Zeros of both signs are equal. */
__device__ __forceinline__ unsigned key_of(float x)
{
    unsigned bits;
    float even = x == 0 ? 0.0f : x;
    memcpy(&bits, &even, sizeof bits);
    return x != x ? 0 : bits >> 31 ? ~bits : bits | 0x80000000u;
}

struct row {
    int64_t number, first; /* first: of the row in x */
    int columns;
};

__device__ __forceinline__ unsigned key_at(const arguments &a, const row &r, int i)
{
    return key_of(ga__element(a.x.data, a.x.type, r.first + i));
}

__device__ __forceinline__ row find_row(const arguments &a)
{
    int64_t number = blockIdx.x, i = number % a.rows, head = number / a.rows % a.heads,
            batch = number / a.rows / a.heads;
    int64_t limit =
        a.count ? a.count[batch * a.count_stride_batch + head * a.count_stride_head + i] : a.columns;
    int64_t columns = limit < 0 ? 0 : limit < a.columns ? limit : a.columns;
    return { number, batch * a.x.stride_batch + head * a.x.stride_head + i * a.x.stride_row, (int)columns };
}

/* What the digits found so far leave to be found. */
struct target {
    unsigned prefix;
    int left; /* so many of the keys that start with the prefix are taken */
};

/* The digit under which the left-th largest lies, by the first warp. */
__device__ __forceinline__ void next_digit(const int *histogram, int shift, target *t)
{
    int lane = threadIdx.x, top = DIGITS - 1 - lane * EACH, sum = 0, left = t->left;
    for (int i = 0; i < EACH; i++) {
        sum += histogram[top - i];
    }
    int before = sum; /* of this lane and those with larger digits */
    for (int o = 1; o < 32; o *= 2) {
        int other = __shfl_up_sync(GA__FULL_WARP, before, o);
        before += lane >= o ? other : 0;
    }
    before -= sum;
    __syncwarp();
    if (before < left && left <= before + sum) {
        int digit = top;
        for (; left > before + histogram[digit]; digit--) {
            before += histogram[digit];
        }
        t->prefix |= (unsigned)digit << shift;
        t->left = left - before;
    }
}

/* Sums over the block before this thread, of the whole block in *all. part: (WARPS) in shared memory. */
__device__ __forceinline__ int rank_of(bool one, int *part, int *all)
{
    unsigned votes = __ballot_sync(GA__FULL_WARP, one), lane = threadIdx.x % 32;
    int warp = threadIdx.x / 32, before = __popc(votes & ((1u << lane) - 1)), sum = 0;
    __syncthreads();
    if (lane == 0) {
        part[warp] = __popc(votes);
    }
    __syncthreads();
    for (int i = 0; i < WARPS; i++) {
        before += i < warp ? part[i] : 0;
        sum += part[i];
    }
    *all = sum;
    return before;
}

__device__ __forceinline__ void put_value(const arguments &a, int64_t at, float value)
{
    switch (a.values_type) {
    case 0: ((float *)a.values)[at] = value; break;
    case 1: ((uint16_t *)a.values)[at] = ga__float_to_bf16(value); break;
    default: ((uint16_t *)a.values)[at] = ga__float_to_half(value); break;
    }
}

__global__ void __launch_bounds__(THREADS) select(const arguments a)
{
    __shared__ int histogram[DIGITS], part[WARPS];
    __shared__ target t;
    row r = find_row(a);
    int numbers = 0, thread = threadIdx.x;
    for (int i = thread; i < r.columns; i += THREADS) {
        numbers += key_at(a, r, i) != 0;
    }
    histogram[thread] = numbers;
    __syncthreads();
    if (thread == 0) {
        int sum = 0;
        for (int i = 0; i < THREADS; i++) {
            sum += histogram[i];
        }
        t.prefix = 0;
        t.left = sum < a.k ? sum : (int)a.k;
    }
    __syncthreads();
    int wanted = t.left;
    for (int shift = 32 - BITS; shift >= 0 && wanted > 0; shift -= BITS) {
        unsigned found = shift + BITS < 32 ? ~0u << (shift + BITS) : 0u, prefix = t.prefix;
        __syncthreads();
        histogram[thread] = 0;
        __syncthreads();
        for (int i = thread; i < r.columns; i += THREADS) {
            unsigned key = key_at(a, r, i);
            if (key != 0 && (key & found) == prefix) {
                atomicAdd(&histogram[key >> shift & (DIGITS - 1)], 1);
            }
        }
        __syncthreads();
        if (thread < 32) {
            next_digit(histogram, shift, &t);
        }
        __syncthreads();
    }
    int32_t *indices = a.indices + r.number * a.k;
    int taken = 0, equal = 0, left = t.left;
    unsigned least = t.prefix;
    for (int first = 0; first < r.columns && taken < wanted; first += THREADS) {
        int i = first + thread, all;
        unsigned key = i < r.columns ? key_at(a, r, i) : 0;
        bool same = key != 0 && key == least;
        int order = equal + rank_of(same, part, &all);
        equal += all;
        bool take = key > least || (same && order < left);
        int at = taken + rank_of(take, part, &all);
        taken += all;
        if (take) {
            indices[at] = i;
            if (a.values) {
                put_value(a, r.number * a.k + at, ga__element(a.x.data, a.x.type, r.first + i));
            }
        }
    }
    for (int64_t i = wanted + thread; i < a.k; i += THREADS) {
        indices[i] = -1;
        if (a.values) {
            put_value(a, r.number * a.k + i, -INFINITY);
        }
    }
}

} // namespace ga__top_k

int ga__top_k_launch(const ga__top_k_launch_args *args, void *stream)
{
    return GA__LAUNCH(ga__top_k::select, (unsigned)(args->batch * args->heads * args->rows),
                      ga__top_k::THREADS, 0, stream, *args);
}

#endif
