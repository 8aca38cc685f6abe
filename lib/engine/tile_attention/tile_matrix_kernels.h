/* tile_matrix_kernels.h - attention by tiles of bf16 and f16 rows: products by the tensor cores, sums in f32.
 *
 * 4 warps take 64 queries, 16 each: of a block of 64 places a thread has the scores of queries g and g + 8 of its warp at
 * places 8 n + t and 8 n + t + 1 (g = lane / 4, t = 2 (lane % 4)), in the registers of the next product's left side. Keys and
 * values of the next block are fetched while one is in work.
 */
#ifndef GA_LIB_ENGINE_TILE_MATRIX_KERNELS_H
#define GA_LIB_ENGINE_TILE_MATRIX_KERNELS_H

#include "lib/engine/tile_attention/tile_common_kernels.h"

namespace ga__tile
{

constexpr int MATRIX_THREADS = 128;

struct bf16 {
    static constexpr unsigned infinite = 0x7f80; /* the exponent of what is not finite */
    __device__ static __forceinline__ void multiply(float d[4], const unsigned a[4], unsigned b0, unsigned b1)
    {
        ga__mma_bf16(d, a, b0, b1);
    }
    __device__ static __forceinline__ unsigned pack(float lo, float hi)
    {
        return ga__pack_bf16(lo, hi);
    }
    __device__ static __forceinline__ float wide(uint16_t bits)
    {
        return ga__bf16_to_float(bits);
    }
};

struct f16 {
    static constexpr unsigned infinite = 0x7c00;
    __device__ static __forceinline__ void multiply(float d[4], const unsigned a[4], unsigned b0, unsigned b1)
    {
        ga__mma_f16(d, a, b0, b1);
    }
    __device__ static __forceinline__ unsigned pack(float lo, float hi)
    {
        return ga__pack_f16(lo, hi);
    }
    __device__ static __forceinline__ float wide(uint16_t bits)
    {
        return ga__half_to_float(bits);
    }
};

/* Layout of shared memory: two stages, each 64 rows of keys, then 64 of values; 8 elements more a row keep ldmatrix free of
 * conflicts. */
template <int D> struct layout {
    static constexpr int LD = D + 8, TILE = 64 * LD, STAGE = 2 * TILE;
    static constexpr size_t BYTES = 2 * STAGE * sizeof(uint16_t);
};

/* 64 rows from `first` on, as far as there are any, into shared memory; zeros elsewhere. */
template <int D>
__device__ __forceinline__ void fetch_rows(const ga__device_matrix &m, int64_t at, int first, int64_t rows,
                                           int columns, bool aligned, uint16_t *to)
{
    const uint16_t *data = static_cast<const uint16_t *>(m.data) + at;
    for (int i = (int)threadIdx.x; i < 64 * D / 8; i += MATRIX_THREADS) {
        int r = i / (D / 8), c = i % (D / 8) * 8;
        uint16_t *here = to + r * layout<D>::LD + c;
        const uint16_t *from = data + (first + r) * m.stride_row + c;
        int count = first + r < rows ? columns - c : 0;
        if (aligned && count >= 8) {
            ga__cp_async16(here, from);
        } else if (count <= 0) {
            *reinterpret_cast<uint4 *>(here) = make_uint4(0, 0, 0, 0);
        } else {
            for (int e = 0; e < 8; e++) {
                here[e] = e < count ? from[e] : (uint16_t)0;
            }
        }
    }
}

/* Of the two queries of a thread. */
template <int D> struct matrix_rows {
    float max[2], sum[2], o[D / 8][4];
};

/* Scores c become weights; bit 4 n + j of hidden: not seen. */
template <class N, int D>
__device__ __forceinline__ void matrix_weights(const arguments &a, unsigned hidden,
                                               const row_constants (&row)[2], float (&c)[8][4],
                                               matrix_rows<D> &r)
{
    if (N::online) {
        float most[2] = { r.max[0], r.max[1] }, base[2];
        GA__UNROLL(8)
        for (int n = 0; n < 8; n++) {
            GA__UNROLL(4)
            for (int j = 0; j < 4; j++) {
                c[n][j] = hidden >> (4 * n + j) & 1 ? -INFINITY : c[n][j] * (a.scale * LOG2_E);
                most[j >> 1] = fmaxf(most[j >> 1], c[n][j]);
            }
        }
        GA__UNROLL(2)
        for (int i = 0; i < 2; i++) {
            most[i] = fmaxf(most[i], __shfl_xor_sync(GA__FULL_WARP, most[i], 1));
            most[i] = fmaxf(most[i], __shfl_xor_sync(GA__FULL_WARP, most[i], 2));
            base[i] = most[i] == -INFINITY ? 0.0f : most[i];
            float shrink = ga__exp2(r.max[i] - base[i]);
            r.max[i] = most[i];
            r.sum[i] *= shrink;
            GA__UNROLL(16)
            for (int n = 0; n < D / 8; n++) {
                r.o[n][2 * i] *= shrink;
                r.o[n][2 * i + 1] *= shrink;
            }
        }
        GA__UNROLL(8)
        for (int n = 0; n < 8; n++) {
            GA__UNROLL(4)
            for (int j = 0; j < 4; j++) {
                c[n][j] = ga__exp2(c[n][j] - base[j >> 1]);
                r.sum[j >> 1] += c[n][j];
            }
        }
        return;
    }
    GA__UNROLL(8)
    for (int n = 0; n < 8; n++) {
        GA__UNROLL(4)
        for (int j = 0; j < 4; j++) {
            float weight = direct_weight(a.kind, c[n][j] * a.scale, row[j >> 1]);
            c[n][j] = hidden >> (4 * n + j) & 1 ? 0.0f : weight;
            r.sum[j >> 1] += c[n][j];
        }
    }
}

/* o += weights v, place by place: what is not seen must not meet values that are not finite. The weights go through the
 * keys' place in shared memory, which every warp has read. */
template <class T, int D>
__device__ __forceinline__ void careful_values(const float (&c)[8][4], const uint64_t (&seen)[2], uint16_t *p,
                                               const uint16_t *v, matrix_rows<D> &r)
{
    constexpr int LD_P = 72;
    int lane = (int)threadIdx.x & 31, g = lane >> 2, t = (lane & 3) * 2;
    GA__UNROLL(8)
    for (int n = 0; n < 8; n++) {
        *reinterpret_cast<unsigned *>(p + g * LD_P + 8 * n + t) = T::pack(c[n][0], c[n][1]);
        *reinterpret_cast<unsigned *>(p + (g + 8) * LD_P + 8 * n + t) = T::pack(c[n][2], c[n][3]);
    }
    __syncwarp();
    GA__UNROLL(1)
    for (int j = 0; j < 64; j++) {
        GA__UNROLL(2)
        for (int i = 0; i < 2; i++) {
            if (!(seen[i] >> j & 1)) {
                continue;
            }
            float weight = T::wide(p[(g + 8 * i) * LD_P + j]);
            GA__UNROLL(16)
            for (int n = 0; n < D / 8; n++) {
                r.o[n][2 * i] += weight * T::wide(v[j * layout<D>::LD + 8 * n + t]);
                r.o[n][2 * i + 1] += weight * T::wide(v[j * layout<D>::LD + 8 * n + t + 1]);
            }
        }
    }
}

template <class T, int D>
__device__ __forceinline__ void matrix_values(const float (&c)[8][4], const uint16_t *v, matrix_rows<D> &r)
{
    int lane = (int)threadIdx.x & 31;
    GA__UNROLL(4)
    for (int k = 0; k < 4; k++) {
        unsigned p[4] = { T::pack(c[2 * k][0], c[2 * k][1]), T::pack(c[2 * k][2], c[2 * k][3]),
                          T::pack(c[2 * k + 1][0], c[2 * k + 1][1]),
                          T::pack(c[2 * k + 1][2], c[2 * k + 1][3]) };
        GA__UNROLL(8)
        for (int n = 0; n < D / 8; n += 2) {
            unsigned b[4];
            ga__ldmatrix_x4_trans(b, v + (16 * k + (lane & 15)) * layout<D>::LD + 8 * n + (lane >> 4) * 8);
            T::multiply(r.o[n], p, b[0], b[1]);
            T::multiply(r.o[n + 1], p, b[2], b[3]);
        }
    }
}

template <class T, int D>
__device__ __forceinline__ void matrix_scores(const unsigned (&q)[D / 16][4], const uint16_t *k,
                                              float (&c)[8][4])
{
    int lane = (int)threadIdx.x & 31;
    GA__UNROLL(8)
    for (int d = 0; d < D / 16; d++) {
        GA__UNROLL(4)
        for (int n = 0; n < 8; n += 2) {
            unsigned b[4];
            ga__ldmatrix_x4(b, k + (8 * n + (lane >> 4) * 8 + (lane & 7)) * layout<D>::LD + 16 * d +
                                   (lane >> 3 & 1) * 8);
            T::multiply(c[n], q[d], b[0], b[1]);
            T::multiply(c[n + 1], q[d], b[2], b[3]);
        }
    }
}

/* Bits 4 n + j of what the two queries do not see. */
__device__ __forceinline__ unsigned hidden_of(const uint64_t (&seen)[2])
{
    int t = ((int)threadIdx.x & 3) * 2;
    unsigned hidden = 0;
    GA__UNROLL(8)
    for (int n = 0; n < 8; n++) {
        unsigned first = ~(unsigned)(seen[0] >> (8 * n + t)) & 3,
                 second = ~(unsigned)(seen[1] >> (8 * n + t)) & 3;
        hidden |= (first | second << 2) << (4 * n);
    }
    return hidden;
}

template <class T, int D> __device__ __forceinline__ bool has_odd(const uint16_t *v)
{
    bool odd = false;
    for (int i = (int)threadIdx.x; i < 64 * D; i += MATRIX_THREADS) {
        odd = odd || (v[i / D * layout<D>::LD + i % D] & T::infinite) == T::infinite;
    }
    return odd;
}

template <int D>
__device__ __forceinline__ void matrix_store(const arguments &a, const work &w, int i, int query, float sum,
                                             const matrix_rows<D> &r)
{
    int t = ((int)threadIdx.x & 3) * 2;
    int64_t row = row_at(a, w, query), part = row * a.splits + w.split;
    bool whole = a.splits == 1;
    float factor = whole ? inverse_of(a, row, sum) * (a.head_scale ? a.head_scale[w.head] : 1.0f) : 1.0f;
    GA__UNROLL(16)
    for (int n = 0; n < D / 8; n++) {
        GA__UNROLL(2)
        for (int e = 0; e < 2; e++) {
            int column = 8 * n + t + e;
            float value = r.o[n][2 * i + e] * factor;
            if (column >= a.dim_v) {
            } else if (!whole) {
                a.part_o[part * a.dim_v + column] = value;
            } else if (a.o) {
                store(a.o, a.o_type, row * a.dim_v + column, value);
            }
        }
    }
    if (t == 0 && !whole) {
        a.part_stat[2 * part] = r.max[i];
        a.part_stat[2 * part + 1] = sum;
    } else if (t == 0 && a.lse) {
        a.lse[row] = log_sum(r.max[i], sum);
    }
}

template <class T, class N, int D>
__global__ void __launch_bounds__(MATRIX_THREADS, D <= 64 ? 3 : 2) forward_matrices(arguments a)
{
    typedef layout<D> L;
    GA__SHARED(uint16_t, room);
    work w = find_work(a);
    int warp = (int)threadIdx.x >> 5, lane = (int)threadIdx.x & 31, g = lane >> 2;
    int64_t kv = w.head / a.group, k_at = w.batch * a.k.stride_batch + kv * a.k.stride_head;
    int64_t v_at = w.batch * a.v.stride_batch + kv * a.v.stride_head;
    /* the queries come through the place of the second stage */
    fetch_rows<D>(a.q, w.batch * a.q.stride_batch + w.head * a.q.stride_head, w.query, a.queries, (int)a.dim,
                  a.aligned, room + L::STAGE);
    ga__cp_commit();
    ga__cp_wait<0>();
    __syncthreads();
    unsigned q[D / 16][4];
    GA__UNROLL(8)
    for (int d = 0; d < D / 16; d++) {
        ga__ldmatrix_x4(q[d], room + L::STAGE + (warp * 16 + (lane & 15)) * L::LD + 16 * d + (lane >> 4) * 8);
    }
    __syncthreads();
    auto fetch = [&](int64_t t) {
        uint16_t *to = room + ((t - w.first) & 1) * L::STAGE;
        fetch_rows<D>(a.k, k_at, a.lists.place[t], a.places, (int)a.dim, a.aligned, to);
        fetch_rows<D>(a.v, v_at, a.lists.place[t], a.places, (int)a.dim_v, a.aligned, to + L::TILE);
        ga__cp_commit();
    };
    int query[2] = { w.query + warp * 16 + g, w.query + warp * 16 + g + 8 };
    row_constants row[2] = { constants_of(a, w, query[0]), constants_of(a, w, query[1]) };
    matrix_rows<D> r;
    GA__UNROLL(2)
    for (int i = 0; i < 2; i++) {
        r.max[i] = -INFINITY;
        r.sum[i] = 0;
    }
    GA__UNROLL(16)
    for (int n = 0; n < D / 8; n++) {
        GA__UNROLL(4)
        for (int j = 0; j < 4; j++) {
            r.o[n][j] = 0;
        }
    }
    if (w.first < w.last) {
        fetch(w.first);
    }
    for (int64_t t = w.first; t < w.last; t++) {
        uint16_t *k = room + ((t - w.first) & 1) * L::STAGE;
        const uint16_t *v = k + L::TILE;
        int mask = a.lists.mask[t];
        if (t + 1 < w.last) {
            fetch(t + 1);
            ga__cp_wait<1>();
        } else {
            ga__cp_wait<0>();
        }
        __syncthreads();
        float c[8][4] = {};
        matrix_scores<T, D>(q, k, c);
        if (mask < 0) {
            matrix_weights<N, D>(a, 0, row, c, r);
            matrix_values<T, D>(c, v, r);
        } else {
            const uint64_t *words = a.lists.masks + (int64_t)mask * 64 + warp * 16 + g;
            uint64_t seen[2] = { words[0], words[8] };
            matrix_weights<N, D>(a, hidden_of(seen), row, c, r);
            if (__syncthreads_or(has_odd<T, D>(v))) {
                careful_values<T, D>(c, seen, k + warp * 16 * 72, v, r);
            } else {
                matrix_values<T, D>(c, v, r);
            }
        }
        __syncthreads();
    }
    GA__UNROLL(2)
    for (int i = 0; i < 2; i++) {
        float sum = r.sum[i];
        sum += __shfl_xor_sync(GA__FULL_WARP, sum, 1);
        sum += __shfl_xor_sync(GA__FULL_WARP, sum, 2);
        if (query[i] < a.queries) {
            matrix_store<D>(a, w, i, query[i], sum, r);
        }
    }
}

template <class T, class N, int D>
static int launch_matrices(const arguments &a, unsigned blocks, void *stream)
{
    auto kernel = forward_matrices<T, N, D>;
    int error = ga__allow_shared(kernel, layout<D>::BYTES);
    return error ? error : GA__LAUNCH(kernel, blocks, MATRIX_THREADS, layout<D>::BYTES, stream, a);
}

template <class T> static int choose_width(const arguments &a, unsigned blocks, void *stream)
{
    bool narrow = a.dim <= 64 && a.dim_v <= 64;
    if (a.kind == GA_SOFTMAX) {
        return narrow ? launch_matrices<T, softmax, 64>(a, blocks, stream)
                      : launch_matrices<T, softmax, 128>(a, blocks, stream);
    }
    return narrow ? launch_matrices<T, direct, 64>(a, blocks, stream)
                  : launch_matrices<T, direct, 128>(a, blocks, stream);
}

static int choose_matrices(const arguments &a, unsigned blocks, void *stream)
{
    return a.q.type == BF16 ? choose_width<bf16>(a, blocks, stream) : choose_width<f16>(a, blocks, stream);
}

} // namespace ga__tile

#endif
