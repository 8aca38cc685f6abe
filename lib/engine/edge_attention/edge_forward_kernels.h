/* edge_forward_kernels.h - score, normaliser and sum of values over the edges of a row, in one pass.
 *
 * A warp takes a unit of edges and a tile: as many heads as 32 * VEC columns of values hold, or a part of the columns of
 * one head. BATCH edges at a time: scores of all pairs of edges and heads, by groups of lanes as wide as a head needs,
 * into shared memory; their weights, with the running maximum of softmax, in the same place; then values, by groups of
 * lanes as wide as the tile needs. Only the first tile of a head's columns writes what belongs to the head.
 */
#include "lib/engine/edge_attention/edge_score_kernels.h"

namespace ga__edges
{

/* ---- weights ---- */

struct running {
    float shift, sum; /* of this lane's head */
};

/* The scores of a batch become weights, with all that multiplies values; old[head] = what earlier sums are multiplied
 * by. */
template <int KIND>
__device__ __forceinline__ void batch_weights(const ga__edge_forward_launch_args &a, const head_tile &tile,
                                              int64_t base, int n, uint32_t id, float factor, bool writes,
                                              running &r, float *weight, float *old)
{
    const ga__edge_formula &is = a.is;
    int lane = (int)threadIdx.x & 31, h = lane / tile.each, at = lane % tile.each;
    bool mine = h < tile.count;
    if (KIND == GA_SOFTMAX) {
        float most = r.shift;
        for (int e = at; mine && e < n; e += tile.each) {
            most = fmaxf(most, weight[e * tile.count + h]);
        }
        for (int o = tile.each / 2; o; o /= 2) {
            most = fmaxf(most, __shfl_xor_sync(GA__FULL_WARP, most, o));
        }
        float by = most == r.shift ? 1.0f : expf(r.shift - most);
        r.sum *= by;
        r.shift = most;
        if (mine && at == 0) {
            old[h] = by;
        }
    }
    float shift = KIND == GA_SOFTMAX && r.shift == -INFINITY ? 0 : r.shift, sum = 0;
    for (int e = 0; e < n; e += tile.each) {
        int mine_e = e + at;
        uint32_t source = __shfl_sync(GA__FULL_WARP, id, mine_e & 31);
        if (mine && mine_e < n) {
            int head = tile.first + h;
            float s = weight[mine_e * tile.count + h];
            float w = weight_of<KIND>(is, s, shift, factor, base + mine_e);
            sum += w;
            w *= mask_of(is, base + mine_e, head);
            if (KIND == GA_P_LAPLACIAN && is.source_scale) {
                w *= is.source_scale[source];
            }
            weight[mine_e * tile.count + h] = w;
            if (writes && a.map) {
                a.map[(base + mine_e) * is.heads + head] = s;
            }
        }
    }
    for (int o = tile.each / 2; o; o /= 2) {
        sum += __shfl_xor_sync(GA__FULL_WARP, sum, o);
    }
    r.sum += sum;
}

/* ---- what a row comes to ---- */

template <int KIND>
__device__ __forceinline__ void write_statistics(const ga__edge_forward_launch_args &a, int64_t row, int head,
                                                 float shift, float sum)
{
    int64_t at = row * a.is.heads + head;
    float from = shift == -INFINITY ? 0 : shift;
    if (a.lse) {
        a.lse[at] = sum == 0 ? -INFINITY : from + logf(sum);
    }
    if (a.sums) {
        a.sums[at] = KIND == GA_SOFTMAX ? sum * expf(from) : sum;
    }
    if (a.stat) {
        a.stat[2 * at] = shift;
        a.stat[2 * at + 1] = sum;
    }
}

/* The scores in the map of these edges become finished weights; the lane that wrote one reads it. */
template <int KIND>
__device__ __forceinline__ void finish_map(const ga__edge_forward_launch_args &a, const head_tile &tile,
                                           int64_t first, int64_t last, float factor, running r)
{
    int lane = (int)threadIdx.x & 31, h = lane / tile.each, head = tile.first + h;
    float shift = KIND == GA_SOFTMAX && r.shift == -INFINITY ? 0 : r.shift;
    float by = 1.0f / divisor_of<KIND>(a.is, r.sum);
    if (!a.map || a.scores || h >= tile.count) {
        return;
    }
    for (int64_t base = first; base < last; base += BATCH) {
        for (int64_t e = base + lane % tile.each; e < last && e < base + BATCH; e += tile.each) {
            float *w = &a.map[e * a.is.heads + head];
            *w = weight_of<KIND>(a.is, *w, shift, factor, e) * by * mask_of(a.is, e, head);
        }
    }
}

/* ---- the pass ---- */

template <int KIND, bool PLAIN, int VEC>
__global__ void __launch_bounds__(THREADS, 2) edge_forward(ga__edge_forward_launch_args a, cut by)
{
    GA__SHARED(float, shared);
    const ga__edge_formula &is = a.is;
    unit u;
    if (!find_unit(a.lists, warp_number(), u)) {
        return;
    }
    float *weight = shared + threadIdx.x / 32 * (unsigned)((BATCH + 1) * by.heads),
          *old = weight + BATCH * by.heads;
    int lane = (int)threadIdx.x & 31, part = (int)blockIdx.y % by.parts;
    int first = (int)blockIdx.y / by.parts * by.heads, left = (int)is.heads - first;
    head_tile tile = tile_of(first, left < by.heads ? left : by.heads);
    int lanes = by.value_lanes, group = lane / lanes, groups = 32 / lanes;
    int local = part * by.columns + lane % lanes * VEC, column = first * (int)is.width_v + local;
    bool inside = a.y && local < tile.count * is.width_v;
    int my_head = inside ? local / (int)is.width_v : 0;
    int64_t edges = a.lists.offsets[u.row + 1] - a.lists.offsets[u.row];
    float factor = factor_of(is, edges), acc[VEC] = {};
    running r = { KIND == GA_SOFTMAX ? -INFINITY : 0.0f, 0 };
    for (int64_t base = u.first; base < u.last; base += BATCH) {
        int n = (int)(u.last - base < BATCH ? u.last - base : BATCH);
        uint32_t id = lane < n ? a.lists.ids[base + lane] : 0;
        batch_scores<PLAIN, VEC>(a, by, tile, u.row, base, n, id, weight);
        __syncwarp();
        batch_weights<KIND>(a, tile, base, n, id, factor, part == 0, r, weight, old);
        __syncwarp();
        if (KIND == GA_SOFTMAX) {
            for (int i = 0; i < VEC; i++) {
                acc[i] *= old[my_head];
            }
        }
        for (int k = 0; k < n; k += groups) {
            int e = k + group;
            uint32_t source = __shfl_sync(GA__FULL_WARP, id, e & 31);
            if (inside && e < n) {
                float v[VEC], w = weight[e * tile.count + my_head];
                load_at<PLAIN, VEC>(a.v, source * a.v.stride + column, v);
                int64_t bit = (int64_t)source * is.heads * is.width_v + column;
                for (int i = 0; i < VEC; i++) {
                    bool kept = !is.keep_values || is_kept(is.keep_values, bit + i);
                    acc[i] = kept ? fmaf(w * is.keep_values_scale, v[i], acc[i]) : acc[i];
                }
            }
        }
        __syncwarp();
    }
    for (int o = lanes; o < 32; o *= 2) {
        for (int i = 0; i < VEC; i++) {
            acc[i] += __shfl_xor_sync(GA__FULL_WARP, acc[i], o);
        }
    }
    int h = lane / tile.each;
    bool speaks = part == 0 && h < tile.count && lane % tile.each == 0;
    float inverse = 1.0f / divisor_of<KIND>(is, r.sum);
    inverse = __shfl_sync(GA__FULL_WARP, inverse, my_head * tile.each);
    if (u.slot >= 0) {
        if (inside && group == 0) {
            store<VEC>(a.slot_y + u.slot * is.heads * is.width_v + column, acc);
        }
        if (speaks) {
            float *stat = a.slot_stat + (u.slot * is.heads + first + h) * 2;
            stat[0] = r.shift;
            stat[1] = r.sum;
        }
        return;
    }
    if (inside && group == 0) {
        for (int i = 0; i < VEC; i++) {
            acc[i] *= inverse;
        }
        store<VEC>(a.y + u.row * is.heads * is.width_v + column, acc);
    }
    if (speaks) {
        write_statistics<KIND>(a, u.row, first + h, r.shift, r.sum);
    }
    if (part == 0) {
        finish_map<KIND>(a, tile, u.first, u.last, factor, r);
    }
}

/* ---- hubs ---- */

template <int KIND>
__global__ void __launch_bounds__(SUM_THREADS) edge_hub_statistics(ga__edge_forward_launch_args a)
{
    int64_t head = (int64_t)blockIdx.y * SUM_THREADS + threadIdx.x;
    if (head >= a.is.heads) {
        return;
    }
    ga__hub hub = a.lists.hub[blockIdx.x];
    running r = { KIND == GA_SOFTMAX ? -INFINITY : 0.0f, 0 };
    for (int64_t s = hub.first_slot; KIND == GA_SOFTMAX && s < hub.first_slot + hub.slots; s++) {
        r.shift = fmaxf(r.shift, a.slot_stat[(s * a.is.heads + head) * 2]);
    }
    float shift = KIND == GA_SOFTMAX && r.shift == -INFINITY ? 0 : r.shift;
    for (int64_t s = hub.first_slot; s < hub.first_slot + hub.slots; s++) {
        float *stat = a.slot_stat + (s * a.is.heads + head) * 2;
        stat[0] = KIND == GA_SOFTMAX ? expf(stat[0] - shift)
                                     : 1.0f; /* from now on what its sums are multiplied by */
        r.sum = fmaf(stat[0], stat[1], r.sum);
    }
    write_statistics<KIND>(a, hub.row, (int)head, r.shift, r.sum);
}

template <int KIND>
__global__ void __launch_bounds__(SUM_THREADS) edge_hub_values(ga__edge_forward_launch_args a)
{
    int64_t columns = a.is.heads * a.is.width_v, column = (int64_t)blockIdx.y * SUM_THREADS + threadIdx.x;
    if (column >= columns) {
        return;
    }
    ga__hub hub = a.lists.hub[blockIdx.x];
    int head = (int)column / (int)a.is.width_v;
    float sum = 0;
    for (int64_t s = hub.first_slot; s < hub.first_slot + hub.slots; s++) {
        sum = fmaf(a.slot_stat[(s * a.is.heads + head) * 2], a.slot_y[s * columns + column], sum);
    }
    float all = a.stat[(hub.row * a.is.heads + head) * 2 + 1];
    a.y[hub.row * columns + column] = sum / divisor_of<KIND>(a.is, all);
}

template <int KIND>
__global__ void __launch_bounds__(THREADS) edge_hub_map(ga__edge_forward_launch_args a, int heads)
{
    unit u;
    if (!find_unit(a.lists, a.lists.rows + warp_number(), u)) {
        return;
    }
    int first = (int)blockIdx.y * heads, left = (int)a.is.heads - first;
    head_tile tile = tile_of(first, left < heads ? left : heads);
    int lane = (int)threadIdx.x & 31, h = lane / tile.each;
    int64_t edges = a.lists.offsets[u.row + 1] - a.lists.offsets[u.row];
    running r = { 0, 0 };
    if (h < tile.count) {
        const float *stat = a.stat + (u.row * a.is.heads + first + h) * 2;
        r = { stat[0], stat[1] };
    }
    finish_map<KIND>(a, tile, u.first, u.last, factor_of(a.is, edges), r);
}

/* ---- launches ---- */

template <int KIND> static int merge_hubs(const ga__edge_forward_launch_args &a, const cut &by, void *stream)
{
    unsigned hubs = (unsigned)a.lists.hubs;
    int error = 0;
    if (hubs == 0) {
        return 0;
    }
    dim3 heads(hubs, blocks_for(a.is.heads, SUM_THREADS));
    error = GA__LAUNCH(edge_hub_statistics<KIND>, heads, SUM_THREADS, 0, stream, a);
    if (!error && a.y && a.is.width_v > 0) {
        dim3 grid(hubs, blocks_for(a.is.heads * a.is.width_v, SUM_THREADS));
        error = GA__LAUNCH(edge_hub_values<KIND>, grid, SUM_THREADS, 0, stream, a);
    }
    if (!error && a.map && !a.scores) {
        dim3 grid(blocks_for(a.lists.pieces, WARPS), blocks_for(a.is.heads, by.heads));
        error = GA__LAUNCH(edge_hub_map<KIND>, grid, THREADS, 0, stream, a, by.heads);
    }
    return error;
}

template <int KIND, bool PLAIN, int VEC>
static int launch_forward(const ga__edge_forward_launch_args &a, void *stream)
{
    const ga__edge_formula &is = a.is;
    bool rows = is.score != GA_EDGE_ADDITIVE && is.score != GA_EDGE_CONSTANT;
    int64_t most = 32 * VEC, width = a.y ? is.width_v : 0, fit = width > 0 ? most / width : MOST_HEADS;
    cut by = { 0, 0, 1, 1, rows ? lanes_for((is.width + VEC - 1) / VEC) : 1 };
    by.heads = (int)(fit < 1 ? 1 : fit > MOST_HEADS ? MOST_HEADS : fit);
    by.heads = by.heads > is.heads ? (int)is.heads : by.heads;
    by.parts = width > most ? (int)((width + most - 1) / most) : 1;
    by.columns = (int)(by.parts > 1 ? most : by.heads * width);
    by.value_lanes = lanes_for((by.columns + VEC - 1) / VEC);
    dim3 grid(blocks_for(a.lists.rows + a.lists.pieces, WARPS),
              blocks_for(is.heads, by.heads) * (unsigned)by.parts);
    auto kernel = edge_forward<KIND, PLAIN, VEC>;
    size_t bytes = sizeof(float) * (size_t)(WARPS * (BATCH + 1) * by.heads);
    int error = GA__LAUNCH(kernel, grid, THREADS, bytes, stream, a, by);
    return error ? error : merge_hubs<KIND>(a, by, stream);
}

template <int KIND> static int choose_forward(const ga__edge_forward_launch_args &a, void *stream)
{
    bool plain = a.v.type == 0 && a.q.type == 0 && a.k.type == 0;
    bool four = fours(a.v.data, a.v.stride, a.is.width_v, size_of(a.v)) && (uintptr_t)a.y % 16 == 0;
    if (a.q.data) {
        four = four && fours(a.q.data, a.q.stride, a.is.width, size_of(a.q)) &&
               fours(a.k.data, a.k.stride, a.is.width, size_of(a.k));
    }
    if (plain) {
        return four ? launch_forward<KIND, true, 4>(a, stream) : launch_forward<KIND, true, 1>(a, stream);
    }
    return four ? launch_forward<KIND, false, 4>(a, stream) : launch_forward<KIND, false, 1>(a, stream);
}

} // namespace ga__edges

int ga__edge_forward_launch(const ga__edge_forward_launch_args *args, void *stream)
{
    switch (args->is.kind) {
    case GA_SOFTMAX: return ga__edges::choose_forward<GA_SOFTMAX>(*args, stream);
    case GA_SIGMOID: return ga__edges::choose_forward<GA_SIGMOID>(*args, stream);
    case GA_SOFTPLUS: return ga__edges::choose_forward<GA_SOFTPLUS>(*args, stream);
    case GA_RELU_L1: return ga__edges::choose_forward<GA_RELU_L1>(*args, stream);
    case GA_P_LAPLACIAN: return ga__edges::choose_forward<GA_P_LAPLACIAN>(*args, stream);
    default: return ga__edges::choose_forward<GA_IDENTITY>(*args, stream);
    }
}
