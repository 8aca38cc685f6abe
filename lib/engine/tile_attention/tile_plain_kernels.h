/* tile_plain_kernels.h - attention by tiles in single precision, of rows of any type: products by fused multiply-adds.
 *
 * 256 threads as 16 x 16 take 64 queries: thread (y, x) has queries 4 y .. 4 y + 3 with places x, x + 16, ... of a block of
 * 64 and columns x, x + 16, ... of the values. Queries stay in shared memory; keys come by 32 columns, values by 16 rows.
 */
#ifndef GA_LIB_ENGINE_TILE_PLAIN_KERNELS_H
#define GA_LIB_ENGINE_TILE_PLAIN_KERNELS_H

#include "lib/engine/tile_attention/tile_common_kernels.h"

namespace ga__tile
{

constexpr int PLAIN_THREADS = 256, LD_P = 65, KEY_COLUMNS = 32, LD_K = 33, VALUE_ROWS = 16;

/* Bytes of shared memory: queries, weights, and what is in work of keys or values. */
template <int CV> static size_t plain_bytes(const arguments &a)
{
    int values = VALUE_ROWS * 16 * CV, keys = 64 * LD_K;
    return sizeof(float) * (size_t)(64 * (a.dim | 1) + 64 * LD_P + (values > keys ? values : keys));
}

/* Of four queries of a thread: maxima, sums of weights, values. */
template <int CV> struct plain_rows {
    float max[4], sum[4], acc[4][CV];
};

/* s += q k for the columns from d0 on, of which the keys are in shared memory. */
__device__ __forceinline__ void plain_products(const float *q, int ldq, const float *k, int columns, int x,
                                               float (&s)[4][4])
{
    for (int d = 0; d < columns; d++) {
        float left[4], right[4];
        GA__UNROLL(4)
        for (int i = 0; i < 4; i++) {
            left[i] = q[i * ldq + d];
            right[i] = k[(x + 16 * i) * LD_K + d];
        }
        GA__UNROLL(4)
        for (int i = 0; i < 4; i++) {
            GA__UNROLL(4)
            for (int j = 0; j < 4; j++) {
                s[i][j] = fmaf(left[i], right[j], s[i][j]);
            }
        }
    }
}

/* Scores of a row become weights; those of what is not seen are 0. */
template <class N, int CV>
__device__ __forceinline__ void plain_weights(const arguments &a, const work &w, int place, int i, int query,
                                              uint64_t seen, float (&s)[4], plain_rows<CV> &r)
{
    int x = (int)threadIdx.x & 15;
    float most = r.max[i], base = 0;
    row_constants c = { 0, 1 };
    if (!N::online) {
        c = constants_of(a, w, query);
    }
    GA__UNROLL(4)
    for (int j = 0; j < 4; j++) {
        int at = x + 16 * j;
        bool sees = seen >> at & 1;
        s[j] *= a.scale;
        if (a.dressed && sees && query < a.queries) {
            s[j] = dress(a, w, query, place + at, s[j]);
        }
        if (N::online) {
            s[j] = sees ? s[j] * LOG2_E : -INFINITY;
            most = fmaxf(most, s[j]);
        } else {
            s[j] = sees ? direct_weight(a.kind, s[j], c) : 0.0f;
        }
    }
    if (N::online) {
        for (int o = 8; o; o >>= 1) {
            most = fmaxf(most, __shfl_xor_sync(GA__FULL_WARP, most, o));
        }
        base = most == -INFINITY ? 0.0f : most;
        float shrink = ga__exp2(r.max[i] - base);
        r.max[i] = most;
        r.sum[i] *= shrink;
        GA__UNROLL(16)
        for (int v = 0; v < CV; v++) {
            r.acc[i][v] *= shrink;
        }
        GA__UNROLL(4)
        for (int j = 0; j < 4; j++) {
            s[j] = ga__exp2(s[j] - base);
        }
    }
    GA__UNROLL(4)
    for (int j = 0; j < 4; j++) {
        r.sum[i] += s[j];
    }
}

/* acc += p v for one row of values. careful: values that are not finite must not meet weights of what is not seen. */
template <int CV>
__device__ __forceinline__ void plain_values(const float *p, const float *v, int x, bool careful,
                                             const uint64_t (&seen)[4], int at, plain_rows<CV> &r)
{
    GA__UNROLL(4)
    for (int i = 0; i < 4; i++) {
        float weight = p[i * LD_P];
        if (careful && !(seen[i] >> at & 1)) {
            continue;
        }
        GA__UNROLL(16)
        for (int c = 0; c < CV; c++) {
            r.acc[i][c] = fmaf(weight, v[x + 16 * c], r.acc[i][c]);
        }
    }
}

template <int CV>
__device__ __forceinline__ void plain_store(const arguments &a, const work &w, int i, int query,
                                            const plain_rows<CV> &r, float sum)
{
    int x = (int)threadIdx.x & 15;
    int64_t row = row_at(a, w, query);
    if (a.splits > 1) {
        int64_t part = row * a.splits + w.split;
        GA__UNROLL(16)
        for (int c = 0; c < CV; c++) {
            if (x + 16 * c < a.dim_v) {
                a.part_o[part * a.dim_v + x + 16 * c] = r.acc[i][c];
            }
        }
        if (x == 0) {
            a.part_stat[2 * part] = r.max[i];
            a.part_stat[2 * part + 1] = sum;
        }
        return;
    }
    float factor = inverse_of(a, row, sum) * (a.head_scale ? a.head_scale[w.head] : 1.0f);
    GA__UNROLL(16)
    for (int c = 0; c < CV; c++) {
        if (a.o && x + 16 * c < a.dim_v) {
            store(a.o, a.o_type, row * a.dim_v + x + 16 * c, r.acc[i][c] * factor);
        }
    }
    if (a.lse && x == 0) {
        a.lse[row] = log_sum(r.max[i], sum);
    }
}

template <class N, int CV> __global__ void __launch_bounds__(PLAIN_THREADS, 1) forward_plain(arguments a)
{
    GA__SHARED(float, room);
    work w = find_work(a);
    int tid = (int)threadIdx.x, x = tid & 15, y = tid >> 4, dim = (int)a.dim, ldq = dim | 1;
    float *q = room, *p = q + 64 * ldq, *in = p + 64 * LD_P;
    int64_t kv = w.head / a.group;
    int64_t q_at = w.batch * a.q.stride_batch + w.head * a.q.stride_head;
    int64_t k_at = w.batch * a.k.stride_batch + kv * a.k.stride_head;
    int64_t v_at = w.batch * a.v.stride_batch + kv * a.v.stride_head;
    for (int i = tid; i < 64 * dim; i += PLAIN_THREADS) {
        int r = i / dim, d = i - r * dim;
        bool there = w.query + r < a.queries;
        q[r * ldq + d] =
            there ? ga__element(a.q.data, a.q.type, q_at + (w.query + r) * a.q.stride_row + d) : 0.0f;
    }
    plain_rows<CV> r;
    GA__UNROLL(4)
    for (int i = 0; i < 4; i++) {
        r.max[i] = -INFINITY;
        r.sum[i] = 0;
        GA__UNROLL(16)
        for (int c = 0; c < CV; c++) {
            r.acc[i][c] = 0;
        }
    }
    for (int64_t t = w.first; t < w.last; t++) {
        int place = a.lists.place[t], mask = a.lists.mask[t], left = (int)a.places - place;
        float s[4][4] = {};
        uint64_t seen[4];
        for (int d0 = 0; d0 < dim; d0 += KEY_COLUMNS) {
            __syncthreads();
            for (int i = tid; i < 64 * KEY_COLUMNS; i += PLAIN_THREADS) {
                int row = i / KEY_COLUMNS, d = i % KEY_COLUMNS;
                bool there = row < left && d0 + d < dim;
                in[row * LD_K + d] =
                    there ? ga__element(a.k.data, a.k.type, k_at + (place + row) * a.k.stride_row + d0 + d)
                          : 0.0f;
            }
            __syncthreads();
            plain_products(q + 4 * y * ldq + d0, ldq, in, dim - d0 < KEY_COLUMNS ? dim - d0 : KEY_COLUMNS, x,
                           s);
        }
        GA__UNROLL(4)
        for (int i = 0; i < 4; i++) {
            seen[i] = mask < 0 ? ~(uint64_t)0 : a.lists.masks[(int64_t)mask * 64 + 4 * y + i];
            plain_weights<N, CV>(a, w, place, i, w.query + 4 * y + i, seen[i], s[i], r);
            GA__UNROLL(4)
            for (int j = 0; j < 4; j++) {
                p[(4 * y + i) * LD_P + x + 16 * j] = s[i][j];
            }
        }
        for (int v0 = 0; v0 < 64 && v0 < left; v0 += VALUE_ROWS) {
            bool odd = false;
            __syncthreads();
            for (int i = tid; i < VALUE_ROWS * 16 * CV; i += PLAIN_THREADS) {
                int row = v0 + i / (16 * CV), c = i % (16 * CV);
                bool there = row < left && c < a.dim_v;
                in[i] =
                    there ? ga__element(a.v.data, a.v.type, v_at + (place + row) * a.v.stride_row + c) : 0.0f;
                odd = odd || !(fabsf(in[i]) < INFINITY);
            }
            bool careful = __syncthreads_or(odd) && mask >= 0;
            for (int row = 0; row < VALUE_ROWS; row++) {
                plain_values<CV>(p + 4 * y * LD_P + v0 + row, in + row * 16 * CV, x, careful, seen, v0 + row,
                                 r);
            }
        }
    }
    GA__UNROLL(4)
    for (int i = 0; i < 4; i++) {
        float sum = r.sum[i];
        for (int o = 8; o; o >>= 1) {
            sum += __shfl_xor_sync(GA__FULL_WARP, sum, o);
        }
        if (w.query + 4 * y + i < a.queries) {
            plain_store<CV>(a, w, i, w.query + 4 * y + i, r, sum);
        }
    }
}

template <class N, int CV> static int launch_plain(const arguments &a, unsigned blocks, void *stream)
{
    auto kernel = forward_plain<N, CV>;
    size_t bytes = plain_bytes<CV>(a);
    int error = ga__allow_shared(kernel, bytes);
    return error ? error : GA__LAUNCH(kernel, blocks, PLAIN_THREADS, bytes, stream, a);
}

template <class N> static int choose_plain(const arguments &a, unsigned blocks, void *stream)
{
    return a.dim_v <= 32    ? launch_plain<N, 2>(a, blocks, stream)
           : a.dim_v <= 64  ? launch_plain<N, 4>(a, blocks, stream)
           : a.dim_v <= 128 ? launch_plain<N, 8>(a, blocks, stream)
                            : launch_plain<N, 16>(a, blocks, stream);
}

} // namespace ga__tile

#endif
