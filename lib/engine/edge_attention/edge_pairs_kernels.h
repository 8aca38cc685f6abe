/* edge_pairs_kernels.h - gradients of the features of one end of every edge, from the gradients of the scores.
 *
 * A gather as in gather_kernels.h, with the own row in registers: what an edge adds to the gradient of x, where o is the
 * row at the other end and d the gradient of its score:
 *   dot       scale d o
 *   gatv2     d att leaky'(x + o); to the gradient of att d (x + o) leaky'(x + o)
 *   distance  t_x d (t_x x - t_o o)
 *   cosine    scale d (o / |o| - x <x, o> / |x|^2 / |o|) / |x|: first A = sum d o / |o|, then (A - x <x, A> / |x|^2) / |x|
 */
#include "lib/engine/edge_attention/edge_formula_kernels.h"

namespace ga__edges
{

template <int SCORE, bool PLAIN, int VEC>
__global__ void __launch_bounds__(THREADS, 2) edge_pairs(ga__edge_pairs_launch_args a, int lanes)
{
    const ga__edge_formula &is = a.is;
    unit u;
    if (!find_unit(a.lists, warp_number(), u)) {
        return;
    }
    int lane = (int)threadIdx.x & 31, group = lane / lanes, groups = 32 / lanes;
    int column = ((int)blockIdx.y * lanes + lane % lanes) * VEC;
    bool inside = column < is.heads * is.width;
    int head = inside ? column / (int)is.width : 0;
    float x[VEC] = {}, sum[VEC] = {}, att[VEC] = {}, total = 0;
    if (inside && (SCORE == GA_EDGE_GATV2 || SCORE == GA_EDGE_DISTANCE)) {
        load_at<PLAIN, VEC>(a.own, u.row * a.own.stride + column, x);
    }
    for (int64_t base = u.first; base < u.last; base += 32) {
        int n = (int)(u.last - base < 32 ? u.last - base : 32);
        uint32_t id = lane < n ? a.lists.ids[base + lane] : 0;
        long long edge = lane >= n ? 0 : a.lists.edge ? a.lists.edge[base + lane] : base + lane;
        GA__UNROLL(4)
        for (int k = 0; k < n; k += groups) {
            int from = k + group;
            uint32_t source = __shfl_sync(GA__FULL_WARP, id, from & 31);
            long long place = __shfl_sync(GA__FULL_WARP, edge, from & 31);
            if (from < n && inside) {
                float o[VEC], by = a.ds[place * is.heads + head];
                load_at<PLAIN, VEC>(a.other, (int64_t)source * a.other.stride + column, o);
                if (SCORE == GA_EDGE_COSINE) {
                    by *= a.other_norm[(int64_t)source * is.heads + head];
                }
                total += by;
                if (SCORE == GA_EDGE_DISTANCE && a.other_scale) {
                    by *= a.other_scale[source];
                }
                for (int i = 0; i < VEC; i++) {
                    if (SCORE == GA_EDGE_GATV2) {
                        float sloped = x[i] + o[i] > 0 ? by : by * is.slope;
                        sum[i] += sloped;
                        att[i] = fmaf(sloped, x[i] + o[i], att[i]);
                    } else {
                        sum[i] = fmaf(by, o[i], sum[i]);
                    }
                }
            }
        }
    }
    for (int o = lanes; o < 32; o *= 2) {
        total += __shfl_xor_sync(GA__FULL_WARP, total, o);
        for (int i = 0; i < VEC; i++) {
            sum[i] += __shfl_xor_sync(GA__FULL_WARP, sum[i], o);
            if (SCORE == GA_EDGE_GATV2) {
                att[i] += __shfl_xor_sync(GA__FULL_WARP, att[i], o);
            }
        }
    }
    if (group != 0 || !inside) {
        return;
    }
    float t = SCORE == GA_EDGE_DISTANCE && a.own_scale ? a.own_scale[u.row] : 1.0f;
    int64_t columns = is.heads * is.width, at = (u.slot < 0 ? u.row : u.slot) * columns + column;
    float *out = u.slot >= 0 ? a.slot_out : SCORE == GA_EDGE_COSINE ? a.turned : a.out;
    if (SCORE == GA_EDGE_GATV2 && a.att) {
        store<VEC>((u.slot < 0 ? a.att : a.slot_att) + at, att);
    }
    if (!out) {
        return;
    }
    for (int i = 0; i < VEC; i++) {
        sum[i] = SCORE == GA_EDGE_DOT        ? is.scale * sum[i]
                 : SCORE == GA_EDGE_GATV2    ? is.att[column + i] * sum[i]
                 : SCORE == GA_EDGE_DISTANCE ? t * (t * x[i] * total - sum[i])
                                             : sum[i];
        if (a.add && u.slot < 0 && SCORE != GA_EDGE_COSINE) {
            sum[i] += out[at + i];
        }
    }
    store<VEC>(out + at, sum);
}

/* ---- the cosine ---- */

/* 1 / norm of every row and head, 0 of rows that are 0; a warp each. */
__global__ void __launch_bounds__(THREADS)
    inverse_norms(ga__edge_rows_on_device x, int64_t rows, int64_t heads, int64_t width, float *out)
{
    int lane = (int)threadIdx.x & 31;
    int64_t row = warp_number();
    if (row >= rows) {
        return;
    }
    for (int64_t h = 0; h < heads; h++) {
        float sum = 0;
        for (int64_t c = lane; c < width; c += 32) {
            float value[1];
            load_at<false, 1>(x, row * x.stride + h * width + c, value);
            sum = fmaf(value[0], value[0], sum);
        }
        sum = sqrtf(ga__warp_sum(sum));
        if (lane == 0) {
            out[row * heads + h] = sum <= 1e-12f ? 0 : 1.0f / sum;
        }
    }
}

/* From A to the gradient; a warp a row. */
__global__ void __launch_bounds__(THREADS) turn_rows(ga__edge_pairs_launch_args a)
{
    const ga__edge_formula &is = a.is;
    int lane = (int)threadIdx.x & 31;
    int64_t row = warp_number(), columns = is.heads * is.width;
    if (row >= a.lists.rows) {
        return;
    }
    for (int64_t h = 0; h < is.heads; h++) {
        float norm = a.own_norm[row * is.heads + h], dot = 0, x[1];
        for (int64_t c = h * is.width + lane; c < (h + 1) * is.width; c += 32) {
            load_at<false, 1>(a.own, row * a.own.stride + c, x);
            dot = fmaf(x[0] * norm, a.turned[row * columns + c], dot);
        }
        dot = ga__warp_sum(dot);
        for (int64_t c = h * is.width + lane; c < (h + 1) * is.width; c += 32) {
            load_at<false, 1>(a.own, row * a.own.stride + c, x);
            float *to = &a.out[row * columns + c];
            float d = is.scale * norm * (a.turned[row * columns + c] - x[0] * norm * dot);
            *to = a.add ? *to + d : d;
        }
    }
}

/* ---- launches ---- */

template <int SCORE, bool PLAIN, int VEC>
static int launch_pairs(const ga__edge_pairs_launch_args &a, void *stream)
{
    constexpr bool cosine = SCORE == GA_EDGE_COSINE;
    int64_t columns = a.is.heads * a.is.width, pieces = (columns + VEC - 1) / VEC;
    int lanes = lanes_for(pieces), error = 0;
    unsigned own = blocks_for(a.lists.rows, WARPS), other = blocks_for(a.other_rows, WARPS);
    dim3 grid(blocks_for(a.lists.rows + a.lists.pieces, WARPS), blocks_for(pieces, lanes));
    auto kernel = edge_pairs<SCORE, PLAIN, VEC>;
    if (cosine) {
        error = GA__LAUNCH(inverse_norms, own, THREADS, 0, stream, a.own, a.lists.rows, a.is.heads,
                           a.is.width, a.own_norm);
        error = error ? error
                      : GA__LAUNCH(inverse_norms, other, THREADS, 0, stream, a.other, a.other_rows,
                                   a.is.heads, a.is.width, a.other_norm);
    }
    error = error ? error : GA__LAUNCH(kernel, grid, THREADS, 0, stream, a, lanes);
    if (!error && a.out) {
        error =
            merge_slots(a.lists, columns, a.slot_out, cosine ? a.turned : a.out, cosine ? 0 : a.add, stream);
    }
    if (!error && a.att) {
        error = merge_slots(a.lists, columns, a.slot_att, a.att, 0, stream);
    }
    return error || !cosine ? error : GA__LAUNCH(turn_rows, own, THREADS, 0, stream, a);
}

template <int SCORE> static int choose_pairs(const ga__edge_pairs_launch_args &a, void *stream)
{
    bool plain = a.own.type == 0 && a.other.type == 0;
    bool four = fours(a.own.data, a.own.stride, a.is.width, size_of(a.own)) &&
                fours(a.other.data, a.other.stride, a.is.width, size_of(a.other)) &&
                (uintptr_t)a.out % 16 == 0;
    if (plain) {
        return four ? launch_pairs<SCORE, true, 4>(a, stream) : launch_pairs<SCORE, true, 1>(a, stream);
    }
    return four ? launch_pairs<SCORE, false, 4>(a, stream) : launch_pairs<SCORE, false, 1>(a, stream);
}

} // namespace ga__edges

int ga__edge_pairs_launch(const ga__edge_pairs_launch_args *args, void *stream)
{
    switch (args->is.score) {
    case GA_EDGE_GATV2: return ga__edges::choose_pairs<GA_EDGE_GATV2>(*args, stream);
    case GA_EDGE_COSINE: return ga__edges::choose_pairs<GA_EDGE_COSINE>(*args, stream);
    case GA_EDGE_DISTANCE: return ga__edges::choose_pairs<GA_EDGE_DISTANCE>(*args, stream);
    default: return ga__edges::choose_pairs<GA_EDGE_DOT>(*args, stream);
    }
}
