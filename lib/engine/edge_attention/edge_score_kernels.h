/* edge_score_kernels.h - scores of a batch of edges and the heads of a tile, by one warp. */
#ifndef GA_LIB_ENGINE_EDGE_SCORE_KERNELS_H
#define GA_LIB_ENGINE_EDGE_SCORE_KERNELS_H

#include "lib/engine/edge_attention/edge_formula_kernels.h"

namespace ga__edges
{

constexpr int BATCH = 32, MOST_HEADS = 16;

/* How the columns of values are cut, for all warps alike. */
struct cut {
    int heads, columns, parts; /* of a tile; tiles of one head */
    int value_lanes, score_lanes;
};

/* ---- scores ---- */

/* The dot, distance, ... of a pair of rows: this lane's share of the columns, added up over its group. */
template <bool PLAIN, int VEC>
__device__ __forceinline__ float pair_score(const ga__edge_forward_launch_args &a, int64_t row,
                                            int64_t source, int head, int at, int lanes, bool valid)
{
    const ga__edge_formula &is = a.is;
    float sum = 0, qq = 0, kk = 0;
    if (valid) {
        int64_t q_at = row * a.q.stride + head * is.width, k_at = source * a.k.stride + head * is.width;
        float ti = is.target_scale ? is.target_scale[row] : 1.0f;
        float tj = is.source_scale ? is.source_scale[source] : 1.0f;
        for (int c = at * VEC; c < is.width; c += lanes * VEC) {
            float q[VEC], k[VEC];
            load_at<PLAIN, VEC>(a.q, q_at + c, q);
            load_at<PLAIN, VEC>(a.k, k_at + c, k);
            if (is.score == GA_EDGE_GATV2) {
                for (int i = 0; i < VEC; i++) {
                    sum = fmaf(is.att[head * is.width + c + i], leaky(q[i] + k[i], is.slope), sum);
                }
            } else if (is.score == GA_EDGE_DISTANCE) {
                for (int i = 0; i < VEC; i++) {
                    float d = fmaf(tj, k[i], -(ti * q[i]));
                    sum = fmaf(d, d, sum);
                }
            } else {
                for (int i = 0; i < VEC; i++) {
                    sum = fmaf(q[i], k[i], sum);
                    qq = fmaf(q[i], q[i], qq);
                    kk = fmaf(k[i], k[i], kk);
                }
            }
        }
    }
    bool cosine = is.score == GA_EDGE_COSINE;
    for (int o = lanes / 2; o; o /= 2) {
        sum += __shfl_xor_sync(GA__FULL_WARP, sum, o);
        if (cosine) {
            qq += __shfl_xor_sync(GA__FULL_WARP, qq, o);
            kk += __shfl_xor_sync(GA__FULL_WARP, kk, o);
        }
    }
    if (cosine) {
        float x = sqrtf(qq), y = sqrtf(kk);
        sum = x <= 1e-12f || y <= 1e-12f ? 0 : sum / x / y;
    }
    return is.score == GA_EDGE_DOT || cosine ? sum * is.scale : sum;
}

/* Scores of n edges, from `base` on, into score[edge * heads + head]; id: the source of edge `lane`. */
template <bool PLAIN, int VEC>
__device__ __forceinline__ void batch_scores(const ga__edge_forward_launch_args &a, const cut &by,
                                             const head_tile &tile, int64_t row, int64_t base, int n,
                                             uint32_t id, float *score)
{
    const ga__edge_formula &is = a.is;
    int lane = (int)threadIdx.x & 31, lanes = by.score_lanes, groups = 32 / lanes, pairs = n * tile.count;
    bool rows = is.score != GA_EDGE_ADDITIVE && is.score != GA_EDGE_CONSTANT;
    for (int k = 0; k < pairs; k += groups) {
        int pair = k + lane / lanes, e = pair / tile.count, head = tile.first + pair % tile.count;
        uint32_t source = __shfl_sync(GA__FULL_WARP, id, e & 31);
        bool valid = pair < pairs;
        float s = rows ? pair_score<PLAIN, VEC>(a, row, source, head, lane % lanes, lanes, valid) : 0.0f;
        if (valid && lane % lanes == 0) {
            if (is.score == GA_EDGE_ADDITIVE) {
                s = leaky(additive(is, row, source, base + e, head), is.slope);
            } else {
                s += bias_of(is, base + e, head);
            }
            score[pair] = s;
        }
    }
}

} // namespace ga__edges

#endif
