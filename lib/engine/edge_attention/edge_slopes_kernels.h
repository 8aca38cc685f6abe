/* edge_slopes_kernels.h - gradients of scores, and the sums that the backward pass needs around them.
 *
 * Warps take units of edges and up to 32 heads, each of which has as many lanes as there are to share; what they add up
 * goes to the row or to the slot of a chunk, and slots are added in their order.
 */
#include "lib/engine/edge_attention/edge_formula_kernels.h"

namespace ga__edges
{

/* Lanes, heads and edges of a warp in these passes. */
struct post {
    unit u;
    int head, at, each; /* head -1: this lane has none */
};

__device__ __forceinline__ bool find_post(const ga__edge_lists &lists, int64_t heads, post &p)
{
    if (!find_unit(lists, warp_number(), p.u)) {
        return false;
    }
    int first = (int)blockIdx.y * 32, left = (int)heads - first, lane = (int)threadIdx.x & 31;
    head_tile tile = tile_of(first, left < 32 ? left : 32);
    p.each = tile.each;
    p.at = lane % tile.each;
    p.head = lane / tile.each < tile.count ? first + lane / tile.each : -1;
    return true;
}

__device__ __forceinline__ float sum_over(float value, int lanes)
{
    for (int o = lanes / 2; o; o /= 2) {
        value += __shfl_xor_sync(GA__FULL_WARP, value, o);
    }
    return value;
}

static inline dim3 posts(const ga__edge_lists &lists, int64_t heads)
{
    return dim3(blocks_for(lists.rows + lists.pieces, WARPS), blocks_for(heads, 32));
}

/* ---- gradients of scores ---- */

/* What multiplies weight and value of an edge. */
__device__ __forceinline__ float whole_mask(const ga__edge_formula &is, const ga__edge_lists &lists,
                                            int64_t edge, int head)
{
    float m = mask_of(is, edge, head);
    return is.source_scale ? m * is.source_scale[lists.ids[edge]] : m;
}

struct row_state {
    float shift, sum, divisor, factor;
};

template <int KIND>
__device__ __forceinline__ row_state state_of(const ga__edge_slopes_launch_args &a, const post &p)
{
    row_state r = { 0, 0, 1, 1 };
    if (p.head >= 0) {
        const float *stat = a.stat + (p.u.row * a.is.heads + p.head) * 2;
        r.shift = KIND == GA_SOFTMAX && stat[0] == -INFINITY ? 0 : stat[0];
        r.sum = stat[1];
        r.divisor = divisor_of<KIND>(a.is, r.sum);
        r.factor = factor_of(a.is, a.lists.offsets[p.u.row + 1] - a.lists.offsets[p.u.row]);
    }
    return r;
}

/* The mean of the products under the weights. */
template <int KIND> __global__ void __launch_bounds__(THREADS, 2) edge_means(ga__edge_slopes_launch_args a)
{
    post p;
    if (!find_post(a.lists, a.is.heads, p)) {
        return;
    }
    row_state r = state_of<KIND>(a, p);
    float sum = 0;
    for (int64_t e = p.u.first + p.at; p.head >= 0 && e < p.u.last; e += p.each) {
        int64_t at = e * a.is.heads + p.head;
        float w = weight_of<KIND>(a.is, a.score[at], r.shift, r.factor, e) / r.divisor;
        sum = fmaf(w, whole_mask(a.is, a.lists, e, p.head) * a.dot[at], sum);
    }
    sum = sum_over(sum, p.each);
    if (p.head >= 0 && p.at == 0) {
        float *to = p.u.slot < 0 ? a.mean + p.u.row * a.is.heads : a.slot_mean + p.u.slot * a.is.heads;
        to[p.head] = sum;
    }
}

/* The gradient of score s, of weight a before division; mc: the gradient of the finished weight, without its mean. */
template <int KIND>
__device__ __forceinline__ float slope_of(const ga__edge_slopes_launch_args &a, const row_state &r, float s,
                                          float weight, float mc, float mean, int64_t edge, float grad_sum,
                                          float &dp)
{
    const ga__edge_formula &is = a.is;
    if constexpr (KIND == GA_SOFTMAX) {
        return weight / r.divisor * (mc - mean);
    } else if constexpr (KIND == GA_SIGMOID) {
        return mc * weight * (1 - weight);
    } else if constexpr (KIND == GA_SOFTPLUS) {
        return (mc - mean) / r.divisor * r.factor / (1.0f + expf(-(r.factor * s)));
    } else if constexpr (KIND == GA_RELU_L1) {
        return s > 0 ? (mc - (r.sum <= is.eps ? 0 : mean)) / r.divisor : 0 * s;
    } else if constexpr (KIND == GA_P_LAPLACIAN) {
        float dm = mc + grad_sum, w = is.edge_weight ? is.edge_weight[edge] : 1.0f, tau = tau_of(is, edge, s);
        bool none = tau == 0 || weight == 0;
        dp += none ? 0 : 0.5f * dm * weight * logf(tau);
        return none ? 0 : (is.p - 2) * weight * dm * w / tau;
    } else {
        return mc;
    }
}

template <int KIND> __global__ void __launch_bounds__(THREADS, 2) edge_slopes(ga__edge_slopes_launch_args a)
{
    const ga__edge_formula &is = a.is;
    post p;
    if (!find_post(a.lists, is.heads, p)) {
        return;
    }
    row_state r = state_of<KIND>(a, p);
    int64_t row = p.u.row * is.heads + p.head;
    float mean = p.head >= 0 && a.mean ? a.mean[row] : 0, dp = 0;
    float grad_sum = p.head >= 0 && a.grad_sums ? a.grad_sums[row] : 0;
    for (int64_t e = p.u.first + p.at; p.head >= 0 && e < p.u.last; e += p.each) {
        int64_t at = e * is.heads + p.head;
        float s = a.score[at], m = whole_mask(is, a.lists, e, p.head);
        float weight = weight_of<KIND>(is, s, r.shift, r.factor, e);
        float d = slope_of<KIND>(a, r, s, weight, m * a.dot[at], mean, e, grad_sum, dp);
        if (is.score == GA_EDGE_ADDITIVE && !(additive(is, p.u.row, a.lists.ids[e], e, p.head) > 0)) {
            d *= is.slope;
        }
        a.score[at] = d;
        a.dot[at] = weight / r.divisor * m;
    }
    dp = sum_over(dp, p.each);
    if (a.p && p.head >= 0 && p.at == 0) {
        a.p_part[warp_number() * is.heads + p.head] = dp;
    }
}

__global__ void __launch_bounds__(SUM_THREADS) edge_heads(ga__edge_slopes_launch_args a)
{
    for (int64_t e = (int64_t)blockIdx.x * SUM_THREADS + threadIdx.x; e < a.lists.count;
         e += (int64_t)gridDim.x * SUM_THREADS) {
        float sum = 0;
        for (int64_t h = 0; h < a.is.heads; h++) {
            sum += a.score[e * a.is.heads + h];
        }
        a.bias[e] = sum;
    }
}

/* One block: threads take numbers in turn, then the threads' sums are added in a tree. */
__global__ void __launch_bounds__(SUM_THREADS) sum_all(const float *x, int64_t count, float *out)
{
    GA__SHARED(float, part);
    float sum = 0;
    for (int64_t i = threadIdx.x; i < count; i += SUM_THREADS) {
        sum += x[i];
    }
    part[threadIdx.x] = sum;
    for (unsigned half = SUM_THREADS / 2; half; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            part[threadIdx.x] += part[threadIdx.x + half];
        }
    }
    if (threadIdx.x == 0) {
        *out = part[0];
    }
}

template <int KIND> static int launch_slopes(const ga__edge_slopes_launch_args &a, void *stream)
{
    constexpr bool means = KIND == GA_SOFTMAX || KIND == GA_SOFTPLUS || KIND == GA_RELU_L1;
    dim3 grid = posts(a.lists, a.is.heads);
    int error = 0;
    if constexpr (means) {
        error = GA__LAUNCH(edge_means<KIND>, grid, THREADS, 0, stream, a);
        error = error ? error : merge_slots(a.lists, a.is.heads, a.slot_mean, a.mean, 0, stream);
    }
    ga__edge_slopes_launch_args b = a;
    b.mean = means ? a.mean : nullptr;
    error = error ? error : GA__LAUNCH(edge_slopes<KIND>, grid, THREADS, 0, stream, b);
    if (!error && a.bias) {
        error = GA__LAUNCH(edge_heads, blocks_for(a.lists.count, SUM_THREADS), SUM_THREADS, 0, stream, a);
    }
    if (!error && a.p) {
        int64_t parts = (a.lists.rows + a.lists.pieces) * a.is.heads;
        error =
            GA__LAUNCH(sum_all, 1, SUM_THREADS, SUM_THREADS * sizeof(float), stream, a.p_part, parts, a.p);
    }
    return error;
}

/* ---- sums over the edges of a row ---- */

__global__ void __launch_bounds__(THREADS) edge_sums(ga__edge_sums_launch_args a)
{
    post p;
    if (!find_post(a.lists, a.heads, p)) {
        return;
    }
    float sum = 0;
    for (int64_t e = p.u.first + p.at; p.head >= 0 && e < p.u.last; e += p.each) {
        int64_t edge = a.lists.edge ? a.lists.edge[e] : e;
        sum += a.value[edge * a.heads + p.head];
    }
    sum = sum_over(sum, p.each);
    if (p.head >= 0 && p.at == 0) {
        (p.u.slot < 0 ? a.sum + p.u.row * a.heads : a.slot_sum + p.u.slot * a.heads)[p.head] = sum;
    }
}

/* ---- sums of columns, and rows with what is added to them ---- */

__global__ void __launch_bounds__(SUM_THREADS) column_parts(ga__edge_columns_launch_args a)
{
    int64_t columns = a.heads * a.width, column = (int64_t)blockIdx.y * SUM_THREADS + threadIdx.x;
    if (column >= columns) {
        return;
    }
    int64_t first = (int64_t)blockIdx.x * GA__EDGE_COLUMN_ROWS, last = first + GA__EDGE_COLUMN_ROWS;
    int head = (int)column / (int)a.width;
    float sum = 0;
    for (int64_t row = first; row < last && row < a.rows; row++) {
        float x[1];
        load_at<false, 1>(a.x, row * a.x.stride + column, x);
        sum = fmaf(x[0], a.factor ? a.factor[row * a.heads + head] : 1.0f, sum);
    }
    a.part[(int64_t)blockIdx.x * columns + column] = sum;
}

__global__ void __launch_bounds__(SUM_THREADS) column_sums(ga__edge_columns_launch_args a, int64_t parts)
{
    int64_t columns = a.heads * a.width, column = (int64_t)blockIdx.x * SUM_THREADS + threadIdx.x;
    if (column >= columns) {
        return;
    }
    float sum = 0;
    for (int64_t i = 0; i < parts; i++) {
        sum += a.part[i * columns + column];
    }
    a.out[column] = sum;
}

__global__ void __launch_bounds__(SUM_THREADS) edge_rows(ga__edge_rows_launch_args a)
{
    int64_t columns = a.heads * a.width, column = (int64_t)blockIdx.y * SUM_THREADS + threadIdx.x;
    if (column >= columns) {
        return;
    }
    int head = (int)column / (int)a.width;
    for (int64_t row = blockIdx.x; row < a.rows; row += gridDim.x) {
        int64_t at = row * columns + column, number = row * a.heads + head;
        float x[1];
        load_at<false, 1>(a.x, row * a.x.stride + column, x);
        float y = !a.keep ? x[0] : is_kept(a.keep, at) ? x[0] * a.keep_scale : 0.0f;
        y = a.att_source ? fmaf(a.l[number], a.att_source[column], y) : y;
        y = a.att_target ? fmaf(a.r[number], a.att_target[column], y) : y;
        a.out[at] = y;
    }
}

} // namespace ga__edges

int ga__edge_slopes_launch(const ga__edge_slopes_launch_args *args, void *stream)
{
    switch (args->is.kind) {
    case GA_SOFTMAX: return ga__edges::launch_slopes<GA_SOFTMAX>(*args, stream);
    case GA_SIGMOID: return ga__edges::launch_slopes<GA_SIGMOID>(*args, stream);
    case GA_SOFTPLUS: return ga__edges::launch_slopes<GA_SOFTPLUS>(*args, stream);
    case GA_RELU_L1: return ga__edges::launch_slopes<GA_RELU_L1>(*args, stream);
    case GA_P_LAPLACIAN: return ga__edges::launch_slopes<GA_P_LAPLACIAN>(*args, stream);
    default: return ga__edges::launch_slopes<GA_IDENTITY>(*args, stream);
    }
}

int ga__edge_sums_launch(const ga__edge_sums_launch_args *args, void *stream)
{
    using namespace ga__edges;
    dim3 grid = posts(args->lists, args->heads);
    int error = GA__LAUNCH(edge_sums, grid, THREADS, 0, stream, *args);
    return error ? error : merge_slots(args->lists, args->heads, args->slot_sum, args->sum, 0, stream);
}

int ga__edge_columns_launch(const ga__edge_columns_launch_args *args, void *stream)
{
    using namespace ga__edges;
    int64_t columns = args->heads * args->width;
    int64_t parts = (args->rows + GA__EDGE_COLUMN_ROWS - 1) / GA__EDGE_COLUMN_ROWS;
    dim3 grid(blocks_for(args->rows, GA__EDGE_COLUMN_ROWS), blocks_for(columns, SUM_THREADS));
    int error = parts > 0 ? GA__LAUNCH(column_parts, grid, SUM_THREADS, 0, stream, *args) : 0;
    return error ? error
                 : GA__LAUNCH(column_sums, blocks_for(columns, SUM_THREADS), SUM_THREADS, 0, stream, *args,
                              parts);
}

int ga__edge_rows_launch(const ga__edge_rows_launch_args *args, void *stream)
{
    using namespace ga__edges;
    dim3 grid(blocks_for(args->rows, 1), blocks_for(args->heads * args->width, SUM_THREADS));
    return GA__LAUNCH(edge_rows, grid, SUM_THREADS, 0, stream, *args);
}
