/* tile_common_kernels.h - what the kernels of tiles share: finding work, scores in full dress, weights, and what weights are
 * divided by. Scores and maxima of softmax are in powers of two. */
#ifndef GA_LIB_ENGINE_TILE_COMMON_KERNELS_H
#define GA_LIB_ENGINE_TILE_COMMON_KERNELS_H

#include "lib/engine/device/kernel.h"
#include "lib/engine/tile_attention/tile_device.h"

namespace ga__tile
{

typedef ga__tile_forward_launch_args arguments;
constexpr float LOG2_E = 1.4426950408889634f, LN_2 = 0.6931471805599453f;
enum { F32 = 0, BF16 = 1, F16 = 2 }; /* of ga__type */

__device__ __forceinline__ void store(void *data, int type, int64_t at, float value)
{
    if (type == F32) {
        static_cast<float *>(data)[at] = value;
    } else {
        static_cast<uint16_t *>(data)[at] =
            type == BF16 ? ga__float_to_bf16(value) : ga__float_to_half(value);
    }
}

/* A block of queries of a head, and the part of its list that a thread block goes over. */
struct work {
    int batch, head, query, list; /* list: row of lists, pattern head times queries */
    int64_t first, last, split;
};

/* The last queries come first: under a causal order they see most. */
__device__ __forceinline__ work find_work(const arguments &a)
{
    int64_t number = blockIdx.x;
    work w;
    w.split = number % a.splits;
    number /= a.splits;
    int64_t block = a.lists.blocks - 1 - number % a.lists.blocks, slice = number / a.lists.blocks;
    w.batch = (int)(slice / a.heads);
    w.head = (int)(slice % a.heads);
    w.query = (int)block * GA__DEVICE_TILE;
    int64_t of = a.lists.heads == 1 ? 0 : w.head;
    w.list = (int)of;
    int64_t first = a.lists.offsets[of * a.lists.blocks + block],
            count = a.lists.offsets[of * a.lists.blocks + block + 1] - first;
    w.first = first + count * w.split / a.splits;
    w.last = first + count * (w.split + 1) / a.splits;
    return w;
}

__device__ __forceinline__ int64_t row_at(const arguments &a, const work &w, int64_t query)
{
    return ((int64_t)w.batch * a.heads + w.head) * a.queries + query;
}

/* The score of a pair from the product of its rows: the equation of ga_score. */
__device__ __forceinline__ float dress(const arguments &a, const work &w, int query, int place, float x)
{
    const ga__tile_dress &d = a.dress;
    int key = d.real ? d.real[place] : place;
    if (d.softcap > 0) {
        x = d.softcap * tanhf(x / d.softcap);
    }
    if (d.column_factor) {
        x *= d.column_factor[w.batch * d.factor_step[0] + w.head * d.factor_step[1] + place];
    }
    if (d.column_gain && query >= d.gain_from) {
        x += d.column_gain[w.batch * d.gain_step[0] + w.head * d.gain_step[1] + place] * fabsf(x);
    }
    if (d.bias && key >= 0) {
        x += ga__element(d.bias, d.bias_type, w.head * d.bias_stride_head + query * d.bias_stride_row + key);
    }
    if (d.table) {
        int64_t cell = d.origin + d.key_cell[place] - d.query_cell[query];
        x += cell >= 0 && cell < d.cells ? d.table[w.head * d.table_stride_head + cell] : 0.0f;
    }
    if (d.slopes && key >= 0) {
        x -= d.slopes[w.head] * fabsf((float)(query + d.shift - key));
    }
    if (d.column_bias) {
        x += d.column_bias[w.batch * d.bias_step[0] + w.head * d.bias_step[1] + place];
    }
    return x;
}

/* Constants of a row. */
struct row_constants {
    float shift, factor;
};

__device__ __forceinline__ row_constants constants_of(const arguments &a, const work &w, int query)
{
    int64_t at = w.list * a.queries + query;
    bool there = query < a.queries;
    return { there && a.shift ? a.shift[at] : 0.0f, there && a.factor ? a.factor[at] : 1.0f };
}

/* ---- normalisers: the weight of a score; online: relative to the running maximum ---- */

struct softmax {
    static constexpr bool online = true;
};
/* All others; which of them is the same for a whole launch. NaN stays NaN. */
struct direct {
    static constexpr bool online = false;
};

__device__ __forceinline__ float direct_weight(int kind, float s, const row_constants &c)
{
    float x;
    switch (kind) {
    case GA_SIGMOID: return 1.0f / (1.0f + ga__exp2(-(s + c.shift) * LOG2_E));
    case GA_SOFTPLUS: x = c.factor * s; return fmaxf(x, 0.0f) + log1pf(ga__exp2(-fabsf(x) * LOG2_E));
    case GA_RELU_L1: return s <= 0 ? 0.0f : s;
    default: return s;
    }
}

/* 1 / what the weights of a row are divided by. */
__device__ __forceinline__ float inverse_of(const arguments &a, int64_t row, float sum)
{
    bool nan = !(sum == sum);
    float divisor;
    switch (a.kind) {
    case GA_SOFTMAX:
    case GA_SOFTPLUS: return nan ? sum : sum > 0 ? 1.0f / sum : 0.0f;
    case GA_RELU_L1: divisor = nan || sum > a.eps ? sum : a.eps; return divisor == 0 ? 1.0f : 1.0f / divisor;
    case GA_NORM_ATTENTION: return a.eta[row];
    default: return 1.0f;
    }
}

__device__ __forceinline__ float log_sum(float max, float sum)
{
    return sum > 0 ? LN_2 * (max + log2f(sum)) : sum == sum ? -INFINITY : sum;
}

} // namespace ga__tile

#endif
