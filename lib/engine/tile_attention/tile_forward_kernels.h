/* tile_forward_kernels.h - attention by tiles, the forward pass: which kernel a launch takes. */
#include "lib/engine/tile_attention/tile_matrix_kernels.h"
#include "lib/engine/tile_attention/tile_plain_kernels.h"

namespace ga__tile
{

/* What is in 16 bits as a whole goes to the tensor cores, unless scores are dressed or the heads too wide; weights are
 * rounded there, so not where they may grow beyond what they are divided by, nor, in f16, beyond its range. */
static bool suits_matrices(const arguments &a)
{
    int type = a.q.type;
    bool bounded = a.kind == GA_SOFTMAX || a.kind == GA_SIGMOID;
    bool sums = bounded || a.kind == GA_SOFTPLUS || a.kind == GA_RELU_L1;
    return type != F32 && a.k.type == type && a.v.type == type && !a.dressed && a.dim <= 128 &&
           a.dim_v <= 128 && (type == BF16 ? sums : bounded);
}

/* ---- parts of a list: put together in their order, a warp a row ---- */

constexpr int MERGE_THREADS = 128;

__global__ void __launch_bounds__(MERGE_THREADS) merge_parts(arguments a)
{
    int64_t row = (int64_t)blockIdx.x * (MERGE_THREADS / 32) + threadIdx.x / 32;
    if (row >= a.batch * a.heads * a.queries) {
        return;
    }
    const float *stat = a.part_stat + row * a.splits * 2;
    bool online = a.kind == GA_SOFTMAX;
    float max = -INFINITY, sum = 0;
    for (int64_t s = 0; s < a.splits; s++) {
        max = fmaxf(max, stat[2 * s]);
    }
    float base = max == -INFINITY ? 0.0f : max;
    for (int64_t s = 0; s < a.splits; s++) {
        sum += stat[2 * s + 1] * (online ? ga__exp2(stat[2 * s] - base) : 1.0f);
    }
    float factor = inverse_of(a, row, sum);
    if (a.head_scale) {
        factor *= a.head_scale[row / a.queries % a.heads];
    }
    for (int64_t c = threadIdx.x & 31; c < a.dim_v && a.o; c += 32) {
        float all = 0;
        for (int64_t s = 0; s < a.splits; s++) {
            float part = a.part_o[(row * a.splits + s) * a.dim_v + c];
            all += part * (online ? ga__exp2(stat[2 * s] - base) : 1.0f);
        }
        store(a.o, a.o_type, row * a.dim_v + c, all * factor);
    }
    if (a.lse && (threadIdx.x & 31) == 0) {
        a.lse[row] = log_sum(max, sum);
    }
}

static int launch(const arguments &a, void *stream)
{
    unsigned blocks = (unsigned)(a.batch * a.heads * a.lists.blocks * a.splits);
    int error;
    if (suits_matrices(a)) {
        error = choose_matrices(a, blocks, stream);
    } else {
        error = a.kind == GA_SOFTMAX ? choose_plain<softmax>(a, blocks, stream)
                                     : choose_plain<direct>(a, blocks, stream);
    }
    if (error || a.splits == 1) {
        return error;
    }
    int64_t rows = a.batch * a.heads * a.queries, each = MERGE_THREADS / 32;
    return GA__LAUNCH(merge_parts, (unsigned)((rows + each - 1) / each), MERGE_THREADS, 0, stream, a);
}

} // namespace ga__tile

int ga__tile_forward_launch(const ga__tile_forward_launch_args *args, void *stream)
{
    return ga__tile::launch(*args, stream);
}
