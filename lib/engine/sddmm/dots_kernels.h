/* dots_kernels.h - dots of rows along edges.
 *
 * A warp takes a unit of edges. The dots of 32 edges and all heads are dealt out to groups of lanes, neighbours to
 * neighbours, so that the groups of a warp read one row of b from end to end; a group adds up its dot in a fixed order.
 */
#include "lib/engine/sddmm/dots_device.h"
#include "lib/engine/spmm/lists_kernels.h"

namespace ga__edges
{

template <class A, class B, int VEC>
__global__ void __launch_bounds__(THREADS, 2) dots(ga__dots_launch_args a, int lanes)
{
    unit u;
    if (!find_unit(a.lists, warp_number(), u)) {
        return;
    }
    int lane = (int)threadIdx.x & 31, group = lane / lanes, groups = 32 / lanes, at = lane % lanes;
    const A *row = (const A *)a.a + u.row * a.a_stride;
    float scale =
        a.mean ? __fdividef(1.0f, (float)(a.lists.offsets[u.row + 1] - a.lists.offsets[u.row])) : 1.0f;
    for (int64_t base = u.first; base < u.last; base += 32) {
        int n = (int)(u.last - base < 32 ? u.last - base : 32);
        uint32_t id = lane < n ? a.lists.ids[base + lane] : 0;
        int heads = (int)a.heads, pairs = n * heads;
        for (int k = 0; k < pairs; k += groups) {
            int pair = k + group, edge = pair / heads, head = pair % heads;
            uint32_t source = __shfl_sync(GA__FULL_WARP, id, edge & 31);
            float sum = 0;
            if (pair < pairs) {
                const B *other = (const B *)a.b + (int64_t)source * a.b_stride + head * a.width;
                for (int64_t c = at * VEC; c < a.width; c += lanes * VEC) {
                    float x[VEC], y[VEC];
                    load<VEC>(row + head * a.width + c, x);
                    load<VEC>(other + c, y);
                    for (int i = 0; i < VEC; i++) {
                        bool counts = !a.chosen || a.chosen[u.row * a.width + c + i] == base + edge;
                        sum = counts ? fmaf(x[i], y[i], sum) : sum;
                    }
                }
            }
            for (int o = lanes / 2; o; o /= 2) {
                sum += __shfl_xor_sync(GA__FULL_WARP, sum, o);
            }
            if (pair < pairs && at == 0) {
                int64_t to = (base + edge) * a.heads + head;
                if (a.s_wide) {
                    ((double *)a.s)[to] = (double)(sum * scale);
                } else {
                    ((float *)a.s)[to] = sum * scale;
                }
            }
        }
    }
}

template <class A, class B> static int launch_dots(const ga__dots_launch_args &a, void *stream)
{
    bool four = fours(a.a, a.a_stride, a.width, sizeof(A)) && fours(a.b, a.b_stride, a.width, sizeof(B));
    int lanes = lanes_for(four ? a.width / 4 : a.width);
    unsigned blocks = blocks_for(a.lists.rows + a.lists.pieces, WARPS);
    auto by_four = dots<A, B, 4>;
    auto by_one = dots<A, B, 1>;
    return four ? GA__LAUNCH(by_four, blocks, THREADS, 0, stream, a, lanes)
                : GA__LAUNCH(by_one, blocks, THREADS, 0, stream, a, lanes);
}

template <class A> static int choose_dots(const ga__dots_launch_args &a, void *stream)
{
    switch (a.b_type) {
    case 1: return launch_dots<A, bf16_bits>(a, stream);
    case 2: return launch_dots<A, half_bits>(a, stream);
    default: return launch_dots<A, float>(a, stream);
    }
}

} // namespace ga__edges

int ga__dots_launch(const ga__dots_launch_args *args, void *stream)
{
    switch (args->a_type) {
    case 1: return ga__edges::choose_dots<ga__edges::bf16_bits>(*args, stream);
    case 2: return ga__edges::choose_dots<ga__edges::half_bits>(*args, stream);
    default: return ga__edges::choose_dots<float>(*args, stream);
    }
}
