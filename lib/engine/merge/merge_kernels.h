/* merge_kernels.h - results over disjoint key sets joined: a warp a row, parts in their order.
 *
 * m = max lse_p, w_p = e^(lse_p - m), o = sum w_p o_p / sum w_p, lse = m + ln sum w_p. A part that saw no key is not
 * looked at.
 */
#ifndef GA_LIB_ENGINE_MERGE_KERNELS_H
#define GA_LIB_ENGINE_MERGE_KERNELS_H

#include "lib/engine/device/kernel.h"
#include "lib/engine/merge/merge_device.h"

namespace ga__merge
{

typedef ga__merge_launch_args arguments;
enum { WARPS = 8 };

struct place {
    int64_t batch, head, row;
};

__device__ __forceinline__ float lse_of(const arguments &a, const place &at, int64_t part)
{
    const ga__device_matrix &m = a.side[a.pair ? part : 0].lse;
    int64_t i = at.batch * m.stride_batch + at.head * m.stride_head + at.row;
    return ga__element(m.data, m.type, i + (a.pair ? 0 : part * a.next_lse));
}

__device__ __forceinline__ float value_of(const arguments &a, const place &at, int64_t part, int64_t column)
{
    const ga__device_matrix &m = a.side[a.pair ? part : 0].o;
    int64_t i = at.batch * m.stride_batch + at.head * m.stride_head + at.row * m.stride_row + column;
    return ga__element(m.data, m.type, i + (a.pair ? 0 : part * a.next_o));
}

/* The largest, and NaN where one is. */
__device__ __forceinline__ float largest(const arguments &a, const place &at)
{
    float most = -INFINITY;
    for (int64_t p = 0; p < a.parts; p++) {
        float lse = lse_of(a, at, p);
        most = isnan(lse) || lse > most ? lse : most;
    }
    return most;
}

/* alone: no other part saw a key, so that its values pass whatever its lse is. */
__device__ __forceinline__ float weight(float lse, float most, bool alone)
{
    return lse == -INFINITY ? 0.0f : lse == most || alone ? 1.0f : expf(lse - most);
}

__global__ void merge(const arguments a)
{
    int64_t number = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (number >= a.batch * a.heads * a.rows) {
        return;
    }
    place at = { number / a.rows / a.heads, number / a.rows % a.heads, number % a.rows };
    float most = largest(a, at), whole = 0;
    bool alone = a.pair && (lse_of(a, at, 0) == -INFINITY || lse_of(a, at, a.parts - 1) == -INFINITY);
    for (int64_t p = 0; p < a.parts; p++) {
        whole += weight(lse_of(a, at, p), most, alone);
    }
    for (int64_t c = lane; c < a.columns; c += 32) {
        float sum = 0;
        for (int64_t p = 0; p < a.parts; p++) {
            float w = weight(lse_of(a, at, p), most, alone);
            sum += w != 0 ? w * value_of(a, at, p, c) : 0.0f;
        }
        float o = whole != 0 ? sum / whole : 0.0f;
        int64_t i = number * a.columns + c;
        switch (a.o_type) {
        case 0: ((float *)a.o)[i] = o; break;
        case 1: ((uint16_t *)a.o)[i] = ga__float_to_bf16(o); break;
        default: ((uint16_t *)a.o)[i] = ga__float_to_half(o); break;
        }
    }
    __syncwarp(); /* the result may take the place of a part */
    if (lane == 0 && a.lse) {
        ((float *)a.lse)[number] = whole != 0 ? most + logf(whole) : -INFINITY;
    }
}

} // namespace ga__merge

int ga__merge_launch(const ga__merge_launch_args *args, void *stream)
{
    int64_t rows = args->batch * args->heads * args->rows;
    return GA__LAUNCH(ga__merge::merge, (unsigned)((rows + ga__merge::WARPS - 1) / ga__merge::WARPS),
                      ga__merge::WARPS * 32, 0, stream, *args);
}

#endif
