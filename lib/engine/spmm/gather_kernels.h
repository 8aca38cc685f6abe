/* gather_kernels.h - weighted sums and maxima of gathered rows.
 *
 * A warp takes a unit of edges and a tile of columns, VEC of them a lane. Where a row needs fewer than 32 lanes, groups of
 * lanes take edges in turn and are put together at the end. Ids and weights of 32 edges are read at once and handed round.
 */
#include "lib/engine/spmm/gather_device.h"
#include "lib/engine/spmm/lists_kernels.h"

namespace ga__edges
{

/* The largest value; NaN before all; of equal ones the lowest source, then the first edge. */
struct best {
    float value;
    uint32_t id;
    int64_t edge; /* -1 = none */
};

__device__ __forceinline__ bool is_better(const best &a, const best &b)
{
    if (a.edge < 0 || b.edge < 0) {
        return a.edge >= 0;
    }
    bool nan_a = isnan(a.value), nan_b = isnan(b.value);
    if (nan_a || nan_b) {
        return nan_a && (!nan_b || a.edge < b.edge);
    }
    return a.value > b.value || (a.value == b.value && (a.id < b.id || (a.id == b.id && a.edge < b.edge)));
}

/* What a lane keeps of its columns. */
template <int VEC> struct sums {
    float value[VEC] = {};
    __device__ __forceinline__ void take(const float (&x)[VEC], float w, uint32_t, int64_t)
    {
        for (int i = 0; i < VEC; i++) {
            value[i] = fmaf(w, x[i], value[i]);
        }
    }
    __device__ __forceinline__ void merge(int bits)
    {
        for (int i = 0; i < VEC; i++) {
            value[i] += __shfl_xor_sync(GA__FULL_WARP, value[i], bits);
        }
    }
    __device__ __forceinline__ void put(const ga__gather_launch_args &a, const unit &u, int64_t column)
    {
        int64_t columns = a.heads * a.width;
        if (a.mean && u.slot < 0 && u.last > u.first) {
            float by = __fdividef(1.0f, (float)(u.last - u.first));
            for (int i = 0; i < VEC; i++) {
                value[i] *= by;
            }
        }
        store<VEC>((u.slot < 0 ? a.y + u.row * columns : a.slot_y + u.slot * columns) + column, value);
    }
};

template <int VEC> struct maxima {
    best value[VEC];
    __device__ __forceinline__ maxima()
    {
        for (int i = 0; i < VEC; i++) {
            value[i] = { 0, 0, -1 };
        }
    }
    __device__ __forceinline__ void take(const float (&x)[VEC], float w, uint32_t id, int64_t edge)
    {
        for (int i = 0; i < VEC; i++) {
            best other = { __fmul_rn(w, x[i]), id, edge };
            value[i] = is_better(other, value[i]) ? other : value[i];
        }
    }
    __device__ __forceinline__ void merge(int bits)
    {
        for (int i = 0; i < VEC; i++) {
            best other = { __shfl_xor_sync(GA__FULL_WARP, value[i].value, bits),
                           __shfl_xor_sync(GA__FULL_WARP, value[i].id, bits),
                           (int64_t)__shfl_xor_sync(GA__FULL_WARP, (long long)value[i].edge, bits) };
            value[i] = is_better(other, value[i]) ? other : value[i];
        }
    }
    __device__ __forceinline__ void put(const ga__gather_launch_args &a, const unit &u, int64_t column)
    {
        int64_t columns = a.heads * a.width;
        int64_t at = (u.slot < 0 ? u.row : u.slot) * columns + column;
        float *y = u.slot < 0 ? a.y : a.slot_y;
        int64_t *edges = u.slot < 0 ? a.argmax : a.slot_edge;
        for (int i = 0; i < VEC; i++) {
            y[at + i] = value[i].value;
            if (edges) {
                edges[at + i] = value[i].edge;
            }
        }
    }
};

/* lanes of a row, a power of two; blocks of a line of the grid take tiles of lanes * VEC columns. */
template <class X, int VEC, class KEEP>
__global__ void __launch_bounds__(THREADS, 2) gather(ga__gather_launch_args a, int lanes)
{
    unit u;
    if (!find_unit(a.lists, warp_number(), u)) {
        return;
    }
    int lane = (int)threadIdx.x & 31, group = lane / lanes, groups = 32 / lanes;
    int column = ((int)blockIdx.y * lanes + lane % lanes) * VEC;
    bool inside = column < a.heads * a.width;
    int head = inside ? column / (int)a.width : 0;
    const X *x = (const X *)a.x + column;
    KEEP keep;
    for (int64_t base = u.first; base < u.last; base += 32) {
        int n = (int)(u.last - base < 32 ? u.last - base : 32);
        uint32_t id = 0;
        long long edge = 0;
        float w = 1;
        if (lane < n) {
            id = a.lists.ids[base + lane];
            edge = a.lists.edge ? a.lists.edge[base + lane] : base + lane;
            if (a.heads == 1) {
                w = number_at(a.weights, a.weights_wide, edge * a.weight_stride);
            }
            if (a.degrees) {
                w = __fdividef(w, (float)(a.degrees[(int64_t)id + 1] - a.degrees[id]));
            }
        }
        GA__UNROLL(4)
        for (int k = 0; k < n; k += groups) {
            int from = k + group;
            uint32_t source = __shfl_sync(GA__FULL_WARP, id, from & 31);
            long long place = __shfl_sync(GA__FULL_WARP, edge, from & 31);
            float by = __shfl_sync(GA__FULL_WARP, w, from & 31);
            if (from < n && inside) {
                float value[VEC];
                load<VEC>(x + (int64_t)source * a.x_stride, value);
                for (int i = 0; a.chosen && i < VEC; i++) {
                    bool counts = a.chosen[source * a.heads * a.width + column + i] == place;
                    value[i] = counts ? value[i] : 0;
                }
                if (a.heads > 1) {
                    by *= number_at(a.weights, a.weights_wide, place * a.weight_stride + head);
                }
                keep.take(value, by, source, place);
            }
        }
    }
    for (int o = lanes; o < 32; o *= 2) {
        keep.merge(o);
    }
    if (group == 0 && inside) {
        keep.put(a, u, column);
    }
}

/* The slots of a hub for each block of a line, in their order; one thread a column. */
template <bool MAX> __global__ void __launch_bounds__(SUM_THREADS) gather_hubs(ga__gather_launch_args a)
{
    int64_t columns = a.heads * a.width, column = (int64_t)blockIdx.y * SUM_THREADS + threadIdx.x;
    if (column >= columns) {
        return;
    }
    ga__hub hub = a.lists.hub[blockIdx.x];
    int64_t to = hub.row * columns + column;
    if (MAX) {
        best kept = { 0, 0, -1 };
        for (int64_t s = hub.first_slot; s < hub.first_slot + hub.slots; s++) {
            int64_t edge = a.slot_edge[s * columns + column];
            best other = { a.slot_y[s * columns + column], a.lists.ids[edge], edge };
            kept = is_better(other, kept) ? other : kept;
        }
        a.y[to] = kept.value;
        if (a.argmax) {
            a.argmax[to] = kept.edge;
        }
    } else {
        float sum = 0;
        for (int64_t s = hub.first_slot; s < hub.first_slot + hub.slots; s++) {
            sum += a.slot_y[s * columns + column];
        }
        a.y[to] = a.mean ? sum / (float)(a.lists.offsets[hub.row + 1] - a.lists.offsets[hub.row]) : sum;
    }
}

template <class X, int VEC> static int launch_gather(const ga__gather_launch_args &a, void *stream)
{
    int64_t pieces = (a.heads * a.width + VEC - 1) / VEC;
    int lanes = lanes_for(pieces);
    dim3 grid(blocks_for(a.lists.rows + a.lists.pieces, WARPS), blocks_for(pieces, lanes));
    auto sum = gather<X, VEC, sums<VEC>>;
    auto most = gather<X, VEC, maxima<VEC>>;
    int error = a.max ? GA__LAUNCH(most, grid, THREADS, 0, stream, a, lanes)
                      : GA__LAUNCH(sum, grid, THREADS, 0, stream, a, lanes);
    if (!error && a.lists.hubs > 0) {
        grid = dim3((unsigned)a.lists.hubs, blocks_for(a.heads * a.width, SUM_THREADS));
        error = a.max ? GA__LAUNCH(gather_hubs<true>, grid, SUM_THREADS, 0, stream, a)
                      : GA__LAUNCH(gather_hubs<false>, grid, SUM_THREADS, 0, stream, a);
    }
    return error;
}

template <class X> static int choose_gather(const ga__gather_launch_args &a, void *stream)
{
    return fours(a.x, a.x_stride, a.width, sizeof(X)) && (uintptr_t)a.y % 16 == 0
               ? launch_gather<X, 4>(a, stream)
               : launch_gather<X, 1>(a, stream);
}

} // namespace ga__edges

int ga__gather_launch(const ga__gather_launch_args *args, void *stream)
{
    switch (args->x_type) {
    case 1: return ga__edges::choose_gather<ga__edges::bf16_bits>(*args, stream);
    case 2: return ga__edges::choose_gather<ga__edges::half_bits>(*args, stream);
    default: return ga__edges::choose_gather<float>(*args, stream);
    }
}
