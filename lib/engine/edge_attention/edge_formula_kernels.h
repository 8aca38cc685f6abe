/* edge_formula_kernels.h - scores and weights of edges, as kernels compute them. */
#ifndef GA_LIB_ENGINE_EDGE_FORMULA_KERNELS_H
#define GA_LIB_ENGINE_EDGE_FORMULA_KERNELS_H

#include "lib/engine/edge_attention/edge_device.h"
#include "lib/engine/spmm/lists_kernels.h"

namespace ga__edges
{

/* VEC numbers from place at on. PLAIN: everything is f32. */
template <bool PLAIN, int VEC>
__device__ __forceinline__ void load_at(const ga__edge_rows_on_device &rows, int64_t at, float (&to)[VEC])
{
    if (PLAIN || rows.type == 0) {
        load<VEC>((const float *)rows.data + at, to);
    } else if (rows.type == 1) {
        load<VEC>((const bf16_bits *)rows.data + at, to);
    } else {
        load<VEC>((const half_bits *)rows.data + at, to);
    }
}

static inline int size_of(const ga__edge_rows_on_device &rows)
{
    return rows.type == 0 ? 4 : 2;
}

__device__ __forceinline__ float leaky(float x, float slope)
{
    return x > 0 ? x : slope * x;
}

__device__ __forceinline__ bool is_kept(const uint32_t *bits, int64_t at)
{
    return bits[at >> 5] >> (at & 31) & 1;
}

__device__ __forceinline__ float bias_of(const ga__edge_formula &is, int64_t edge, int head)
{
    return !is.bias ? 0.0f : is.bias_heads == 1 ? is.bias[edge] : is.bias[edge * is.heads + head];
}

/* The additive score before leaky. */
__device__ __forceinline__ float additive(const ga__edge_formula &is, int64_t row, int64_t source,
                                          int64_t edge, int head)
{
    return is.l[source * is.heads + head] + is.r[row * is.heads + head] + bias_of(is, edge, head);
}

/* What multiplies a finished weight. */
__device__ __forceinline__ float mask_of(const ga__edge_formula &is, int64_t edge, int head)
{
    int64_t at = edge * is.heads + head;
    float m = is.mask ? is.mask[at] : 1.0f;
    return !is.keep_weights ? m : is_kept(is.keep_weights, at) ? m * is.keep_weights_scale : 0.0f;
}

/* Factor of softplus in a row of so many edges. */
__device__ __forceinline__ float factor_of(const ga__edge_formula &is, int64_t edges)
{
    return is.length_scale ? is.log_width * logf((float)edges) : 1.0f;
}

/* tau of the p-Laplacian. */
__device__ __forceinline__ float tau_of(const ga__edge_formula &is, int64_t edge, float distance)
{
    float w = is.edge_weight ? is.edge_weight[edge] : 1.0f;
    return fmaf(w, distance, is.guard * is.guard);
}

/* The weight of score s before division; shift: of softmax. */
template <int KIND>
__device__ __forceinline__ float weight_of(const ga__edge_formula &is, float s, float shift, float factor,
                                           int64_t edge)
{
    if constexpr (KIND == GA_SOFTMAX) {
        return expf(s - shift);
    } else if constexpr (KIND == GA_SIGMOID) {
        return 1.0f / (1.0f + expf(-(s + is.shift)));
    } else if constexpr (KIND == GA_SOFTPLUS) {
        float x = factor * s;
        return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x)));
    } else if constexpr (KIND == GA_RELU_L1) {
        return s <= 0 ? 0 : s;
    } else if constexpr (KIND == GA_P_LAPLACIAN) {
        float w = is.edge_weight ? is.edge_weight[edge] : 1.0f, tau = tau_of(is, edge, s);
        float m = is.p == 2 ? w : tau == 0 ? 0 : w * powf(tau, (is.p - 2) / 2);
        return isinf(m) ? 0 : m;
    } else {
        return s;
    }
}

/* What the weights of a row are divided by. */
template <int KIND> __device__ __forceinline__ float divisor_of(const ga__edge_formula &is, float sum)
{
    if constexpr (KIND == GA_SOFTMAX || KIND == GA_SOFTPLUS) {
        return sum == 0 ? INFINITY : sum;
    } else if constexpr (KIND == GA_RELU_L1) {
        return sum <= is.eps ? is.eps : sum;
    } else {
        return 1.0f;
    }
}

/* Heads of a warp, [first, first + count), and how its lanes divide the pairs of edges and heads: `each` lanes a head,
 * which take edges in turn. */
struct head_tile {
    int first, count, each;
};

__device__ __forceinline__ head_tile tile_of(int first, int count)
{
    int each = 32;
    while (each > 1 && 32 / each < count) {
        each /= 2;
    }
    return { first, count, each };
}

/* ---- slots ---- */

/* The slots of a hub for each block of a line, added in their order; one thread a column. */
template <bool ADD>
__global__ void __launch_bounds__(SUM_THREADS)
    add_slots(ga__edge_lists lists, int64_t columns, const float *slots, float *out)
{
    int64_t column = (int64_t)blockIdx.y * SUM_THREADS + threadIdx.x;
    if (column >= columns) {
        return;
    }
    ga__hub hub = lists.hub[blockIdx.x];
    float sum = 0, *to = out + hub.row * columns + column;
    for (int64_t s = hub.first_slot; s < hub.first_slot + hub.slots; s++) {
        sum += slots[s * columns + column];
    }
    *to = ADD ? *to + sum : sum;
}

static inline int merge_slots(const ga__edge_lists &lists, int64_t columns, const float *slots, float *out,
                              int add, void *stream)
{
    if (lists.hubs == 0 || columns == 0) {
        return 0;
    }
    dim3 grid((unsigned)lists.hubs, blocks_for(columns, SUM_THREADS));
    return add ? GA__LAUNCH(add_slots<true>, grid, SUM_THREADS, 0, stream, lists, columns, slots, out)
               : GA__LAUNCH(add_slots<false>, grid, SUM_THREADS, 0, stream, lists, columns, slots, out);
}

} // namespace ga__edges

#endif
