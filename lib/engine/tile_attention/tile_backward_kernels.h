/* tile_backward_kernels.h - gradients of attention by tiles in single precision, of rows of any type.
 *
 * The rows are computed again first (tile_plain_kernels.h). Then a block a block of queries sums what they get from keys, and
 * a block a block of places what these get from queries, heads of a group in their order: nothing is added by two blocks, so
 * that the sums are the same every time. With w the weight of a pair, P = dO v and D = dO o:
 *   dv = sum w dO,  ds = w (P - D) of softmax, w (1 - w) P of sigmoid, P of identity,  dq = scale sum ds k, dk = scale sum ds q
 */
#ifndef GA_LIB_ENGINE_TILE_BACKWARD_KERNELS_H
#define GA_LIB_ENGINE_TILE_BACKWARD_KERNELS_H

#include "lib/engine/tile_attention/tile_plain_kernels.h"

namespace ga__tile
{

typedef ga__tile_backward_launch_args gradients;

/* ---- D of every row, a warp a row ---- */

enum { DOT_THREADS = 128 };

__global__ void __launch_bounds__(DOT_THREADS) row_dots(const gradients g)
{
    const arguments &a = g.forward;
    int64_t row = (int64_t)blockIdx.x * (DOT_THREADS / 32) + threadIdx.x / 32;
    if (row >= a.batch * a.heads * a.queries) {
        return;
    }
    int64_t query = row % a.queries, head = row / a.queries % a.heads, batch = row / a.queries / a.heads;
    int64_t at = batch * g.grad_o.stride_batch + head * g.grad_o.stride_head + query * g.grad_o.stride_row;
    float sum = 0;
    for (int64_t c = threadIdx.x % 32; c < a.dim_v; c += 32) {
        sum += ga__element(g.grad_o.data, g.grad_o.type, at + c) *
               static_cast<const float *>(a.o)[row * a.dim_v + c];
    }
    sum = ga__warp_sum(sum);
    if (threadIdx.x % 32 == 0) {
        g.dots[row] = sum;
    }
}

/* ---- tiles ---- */

/* Rows of a matrix of one head. */
struct rows_of {
    const void *data;
    int type;
    int64_t at, stride;
    int columns;
};

__device__ __forceinline__ rows_of find_rows(const ga__device_matrix &m, int64_t batch, int64_t head,
                                             int64_t columns)
{
    return { m.data, m.type, batch * m.stride_batch + head * m.stride_head, m.stride_row, (int)columns };
}

__device__ __forceinline__ float row_element(const rows_of &m, int64_t row, int column)
{
    return ga__element(m.data, m.type, m.at + row * m.stride + column);
}

/* 64 rows from `first` on into shared memory, zeros behind `end`; ld is columns | 1. */
__device__ __forceinline__ void bring_tile(const rows_of &m, int64_t first, int64_t end, float *to)
{
    int ld = m.columns | 1;
    for (int i = (int)threadIdx.x; i < 64 * m.columns; i += PLAIN_THREADS) {
        int r = i / m.columns, c = i % m.columns;
        to[r * ld + c] = first + r < end ? row_element(m, first + r, c) : 0.0f;
    }
}

/* s = rows 4 y .. 4 y + 3 of the tile in shared memory times rows x, x + 16, ... of the other matrix, from first on. */
__device__ __forceinline__ void tile_products(const float *tile, const rows_of &m, int64_t first, int64_t end,
                                              float *in, float (&s)[4][4])
{
    int x = (int)threadIdx.x & 15, y = (int)threadIdx.x >> 4, ld = m.columns | 1;
    for (int d0 = 0; d0 < m.columns; d0 += KEY_COLUMNS) {
        __syncthreads();
        for (int i = (int)threadIdx.x; i < 64 * KEY_COLUMNS; i += PLAIN_THREADS) {
            int row = i / KEY_COLUMNS, d = i % KEY_COLUMNS;
            bool there = first + row < end && d0 + d < m.columns;
            in[row * LD_K + d] = there ? row_element(m, first + row, d0 + d) : 0.0f;
        }
        __syncthreads();
        plain_products(tile + 4 * y * ld + d0, ld, in,
                       m.columns - d0 < KEY_COLUMNS ? m.columns - d0 : KEY_COLUMNS, x, s);
    }
}

/* acc += weights in shared memory (64 x 64) times 64 rows of the other matrix, from first on. Weights of what is not seen
 * are 0 and meet nothing. */
template <int CV>
__device__ __forceinline__ void tile_sums(const float *p, const rows_of &m, int64_t first, int64_t end,
                                          float *in, float (&acc)[4][CV])
{
    int x = (int)threadIdx.x & 15, y = (int)threadIdx.x >> 4;
    for (int v0 = 0; v0 < 64 && first + v0 < end; v0 += VALUE_ROWS) {
        __syncthreads();
        for (int i = (int)threadIdx.x; i < VALUE_ROWS * 16 * CV; i += PLAIN_THREADS) {
            int row = v0 + i / (16 * CV), c = i % (16 * CV);
            in[i] = first + row < end && c < m.columns ? row_element(m, first + row, c) : 0.0f;
        }
        __syncthreads();
        for (int row = 0; row < VALUE_ROWS; row++) {
            GA__UNROLL(4)
            for (int i = 0; i < 4; i++) {
                float weight = p[(4 * y + i) * LD_P + v0 + row];
                GA__UNROLL(16)
                for (int c = 0; c < CV && weight != 0; c++) {
                    acc[i][c] = fmaf(weight, in[row * 16 * CV + x + 16 * c], acc[i][c]);
                }
            }
        }
    }
}

/* The weight of a pair and the slope of its score, from the products q k and dO v. */
__device__ __forceinline__ void pair_slope(const gradients &g, const work &w, int query, int place,
                                           float product, float p, float *weight, float *slope)
{
    const arguments &a = g.forward;
    int64_t row = row_at(a, w, query);
    float s = product * a.scale;
    if (a.dressed) {
        s = dress(a, w, query, place, s);
    }
    if (a.kind == GA_SOFTMAX) {
        *weight = a.lse[row] == -INFINITY ? 0.0f : ga__exp2((s - a.lse[row]) * LOG2_E);
        *slope = *weight * (p - g.dots[row]);
    } else {
        *weight = direct_weight(a.kind, s, constants_of(a, w, query));
        *slope = a.kind == GA_SIGMOID ? *weight * (1.0f - *weight) * p : p;
    }
}

template <int CV>
__device__ __forceinline__ void store_rows(float *to, int64_t first, int64_t end, int columns, float factor,
                                           const float (&acc)[4][CV])
{
    int x = (int)threadIdx.x & 15, y = (int)threadIdx.x >> 4;
    GA__UNROLL(4)
    for (int i = 0; i < 4; i++) {
        GA__UNROLL(16)
        for (int c = 0; c < CV; c++) {
            if (first + 4 * y + i < end && x + 16 * c < columns) {
                to[(first + 4 * y + i) * columns + x + 16 * c] = factor * acc[i][c];
            }
        }
    }
}

/* ---- queries ---- */

template <int CV> __global__ void __launch_bounds__(PLAIN_THREADS, 1) backward_queries(const gradients g)
{
    GA__SHARED(float, room);
    const arguments &a = g.forward;
    work w = find_work(a);
    int x = (int)threadIdx.x & 15, y = (int)threadIdx.x >> 4;
    int64_t kv = w.head / a.group;
    rows_of q = find_rows(a.q, w.batch, w.head, a.dim), k = find_rows(a.k, w.batch, kv, a.dim),
            v = find_rows(a.v, w.batch, kv, a.dim_v), grad_o = find_rows(g.grad_o, w.batch, w.head, a.dim_v);
    float *of_q = room, *of_o = of_q + 64 * (a.dim | 1), *p = of_o + 64 * (a.dim_v | 1), *in = p + 64 * LD_P;
    float acc[4][CV] = {};
    bring_tile(q, w.query, a.queries, of_q);
    bring_tile(grad_o, w.query, a.queries, of_o);
    for (int64_t t = w.first; t < w.last; t++) {
        int place = a.lists.place[t], mask = a.lists.mask[t];
        float s[4][4] = {}, d[4][4] = {};
        tile_products(of_q, k, place, a.places, in, s);
        tile_products(of_o, v, place, a.places, in, d);
        GA__UNROLL(4)
        for (int i = 0; i < 4; i++) {
            uint64_t seen = mask < 0 ? ~(uint64_t)0 : a.lists.masks[(int64_t)mask * 64 + 4 * y + i];
            GA__UNROLL(4)
            for (int j = 0; j < 4; j++) {
                int at = x + 16 * j, query = w.query + 4 * y + i;
                float weight = 0, slope = 0;
                if ((seen >> at & 1) && query < a.queries) {
                    pair_slope(g, w, query, place + at, s[i][j], d[i][j], &weight, &slope);
                }
                p[(4 * y + i) * LD_P + at] = slope;
            }
        }
        tile_sums(p, k, place, a.places, in, acc);
    }
    store_rows(g.grad_q + ((int64_t)w.batch * a.heads + w.head) * a.queries * a.dim, w.query, a.queries,
               (int)a.dim, a.scale, acc);
}

/* ---- places ---- */

/* Sums of keys, of values or of both: the latter unless registers are short. */
template <int CV, bool KEYS, bool VALUES>
__global__ void __launch_bounds__(PLAIN_THREADS, 1) backward_places(const gradients g)
{
    GA__SHARED(float, room);
    const arguments &a = g.forward;
    int x = (int)threadIdx.x & 15, y = (int)threadIdx.x >> 4;
    int64_t tile = blockIdx.x % g.places.blocks, slice = blockIdx.x / g.places.blocks,
            heads = a.heads / a.group;
    int64_t batch = slice / heads, kv = slice % heads;
    int first = (int)tile * GA__DEVICE_TILE;
    rows_of k = find_rows(a.k, batch, kv, a.dim), v = find_rows(a.v, batch, kv, a.dim_v);
    float *of_k = room, *of_v = of_k + 64 * (a.dim | 1), *p = of_v + 64 * (a.dim_v | 1), *in = p + 64 * LD_P;
    float acc_k[4][KEYS ? CV : 1] = {}, acc_v[4][VALUES ? CV : 1] = {};
    bring_tile(k, first, a.places, of_k);
    bring_tile(v, first, a.places, of_v);
    for (int64_t head = kv * a.group; head < (kv + 1) * a.group; head++) {
        rows_of q = find_rows(a.q, batch, head, a.dim), grad_o = find_rows(g.grad_o, batch, head, a.dim_v);
        int64_t list = g.places.heads == 1 ? 0 : head, at = list * g.places.blocks + tile;
        work w = {};
        w.batch = (int)batch;
        w.head = (int)head;
        w.list = (int)list;
        for (int64_t t = g.places.offsets[at]; t < g.places.offsets[at + 1]; t++) {
            int query = g.places.place[t], mask = g.places.mask[t];
            float s[4][4] = {}, d[4][4] = {}, slope[4][4];
            tile_products(of_k, q, query, a.queries, in, s);
            if (KEYS) {
                tile_products(of_v, grad_o, query, a.queries, in, d);
            }
            GA__UNROLL(4)
            for (int j = 0; j < 4; j++) {
                int row = x + 16 * j;
                uint64_t seen = mask < 0 ? ~(uint64_t)0 : a.lists.masks[(int64_t)mask * 64 + row];
                GA__UNROLL(4)
                for (int i = 0; i < 4; i++) {
                    float weight = 0;
                    slope[i][j] = 0;
                    if ((seen >> (4 * y + i) & 1) && query + row < a.queries &&
                        first + 4 * y + i < a.places) {
                        pair_slope(g, w, query + row, first + 4 * y + i, s[i][j], d[i][j], &weight,
                                   &slope[i][j]);
                    }
                    p[(4 * y + i) * LD_P + row] = VALUES ? weight : slope[i][j];
                }
            }
            if constexpr (VALUES) {
                tile_sums(p, grad_o, query, a.queries, in, acc_v);
                __syncthreads();
            }
            GA__UNROLL(4)
            for (int i = 0; i < 4 && KEYS && VALUES; i++) {
                GA__UNROLL(4)
                for (int j = 0; j < 4; j++) {
                    p[(4 * y + i) * LD_P + x + 16 * j] = slope[i][j];
                }
            }
            if constexpr (KEYS) {
                tile_sums(p, q, query, a.queries, in, acc_k);
            }
        }
    }
    if constexpr (KEYS) {
        store_rows(g.grad_k + slice * a.places * a.dim, first, a.places, (int)a.dim, a.scale, acc_k);
    }
    if constexpr (VALUES) {
        store_rows(g.grad_v + slice * a.places * a.dim_v, first, a.places, (int)a.dim_v, 1.0f, acc_v);
    }
}

/* ---- launches ---- */

template <int CV, bool KEYS, bool VALUES>
static int launch_places(const gradients &g, size_t bytes, void *stream)
{
    const arguments &a = g.forward;
    auto kernel = backward_places<CV, KEYS, VALUES>;
    int error = ga__allow_shared(kernel, bytes);
    return error ? error
                 : GA__LAUNCH(kernel, (unsigned)(a.batch * (a.heads / a.group) * g.places.blocks),
                              PLAIN_THREADS, bytes, stream, g);
}

template <int CV> static int launch_all_places(const gradients &g, size_t bytes, void *stream)
{
    if constexpr (CV <= 8) {
        if (g.grad_k && g.grad_v) {
            return launch_places<CV, true, true>(g, bytes, stream);
        }
    }
    int error = g.grad_k ? launch_places<CV, true, false>(g, bytes, stream) : 0;
    return !error && g.grad_v ? launch_places<CV, false, true>(g, bytes, stream) : error;
}

template <int CV> static int launch_backward(const gradients &g, void *stream)
{
    const arguments &a = g.forward;
    int values = VALUE_ROWS * 16 * CV, keys = 64 * LD_K, error = 0;
    int64_t rows = a.batch * a.heads * a.queries, each = DOT_THREADS / 32;
    size_t bytes = sizeof(float) *
                   (size_t)(64 * ((a.dim | 1) + (a.dim_v | 1)) + 64 * LD_P + (values > keys ? values : keys));
    auto of_queries = backward_queries<CV>;
    if (a.kind == GA_SOFTMAX && rows > 0) {
        error = choose_plain<softmax>(a, (unsigned)(a.batch * a.heads * a.lists.blocks), stream);
        error = error ? error
                      : GA__LAUNCH(row_dots, (unsigned)((rows + each - 1) / each), DOT_THREADS, 0, stream, g);
    }
    if (!error && g.grad_q && rows > 0) {
        error = ga__allow_shared(of_queries, bytes);
        error = error ? error
                      : GA__LAUNCH(of_queries, (unsigned)(a.batch * a.heads * a.lists.blocks), PLAIN_THREADS,
                                   bytes, stream, g);
    }
    return error || g.places.blocks == 0 ? error : launch_all_places<CV>(g, bytes, stream);
}

} // namespace ga__tile

int ga__tile_backward_launch(const ga__tile_backward_launch_args *args, void *stream)
{
    int64_t most = args->forward.dim > args->forward.dim_v ? args->forward.dim : args->forward.dim_v;
    return most <= 32    ? ga__tile::launch_backward<2>(*args, stream)
           : most <= 64  ? ga__tile::launch_backward<4>(*args, stream)
           : most <= 128 ? ga__tile::launch_backward<8>(*args, stream)
                         : ga__tile::launch_backward<16>(*args, stream);
}

#endif
