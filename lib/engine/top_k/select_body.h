/* select_body.h - selecting in one precision; included by top_k_body.h.
 *
 * First pass: a heap of the k largest so far, the least on top; whole vectors that do not exceed it are passed over.
 * Second pass: what is above the least, and of what equals it the first ones, until there are k.
 */
#include "lib/engine/simd_real.h"

#define NAME(x) GA__REALNAME(x)
#if GA__REAL == 64
#define ABOVE above_f64
#define AT_LEAST least_f64
#else
#define ABOVE above_f32
#define AT_LEAST least_f32
#endif

GA__INLINE vr NAME(lanes)(const void *x, int64_t at, ga__type type, int n)
{
#if GA__REAL == 64
    (void)type;
    return n == VR ? vr_load((const double *)x + at) : vr_load_n((const double *)x + at, n);
#else
    return n == VR ? vf_loads(x, at, type) : vf_loads_n(x, at, type, n);
#endif
}

static void NAME(sink)(real *heap, int64_t size, int64_t at)
{
    real value = heap[at];
    for (int64_t child; (child = 2 * at + 1) < size; at = child) {
        child += child + 1 < size && heap[child + 1] < heap[child];
        if (heap[child] >= value) {
            break;
        }
        heap[at] = heap[child];
    }
    heap[at] = value;
}

/* Fills the heap with the k largest, or with all there are; returns their number. */
static int64_t NAME(largest)(const void *x, ga__type type, int64_t n, int64_t k, real *heap)
{
    int64_t size = 0;
    for (int64_t at = 0; at < n; at += VR) {
        int count = (int)ga__min(VR, n - at);
        vr v = NAME(lanes)(x, at, type, count);
        uint32_t all = (1u << count) - 1, take = size < k ? all : ABOVE(v, vr_set(heap[0])) & all;
        real lane[VR];
        if (take == 0) {
            continue;
        }
        vr_store(lane, v);
        for (; take; take &= take - 1) {
            real value = lane[__builtin_ctz(take)];
            if (value != value || (size == k && !(value > heap[0]))) {
                continue;
            }
            if (size < k) {
                heap[size++] = value;
                for (int64_t i = k / 2 - 1; size == k && i >= 0; i--) {
                    NAME(sink)(heap, k, i);
                }
            } else {
                heap[0] = value;
                NAME(sink)(heap, k, 0);
            }
        }
    }
    return size;
}

static int64_t NAME(select)(const void *x, ga__type type, int64_t n, int64_t k, int32_t *indices,
                            void *scratch)
{
    real *heap = scratch;
    int64_t size = k > 0 ? NAME(largest)(x, type, n, k, heap) : 0, equal = 0, found = 0;
    if (size == 0) {
        return 0;
    }
    real least = heap[0];
    for (int64_t i = 1; i < size; i++) {
        least = heap[i] < least ? heap[i] : least;
    }
    for (int64_t i = 0; i < size; i++) {
        equal += heap[i] == least;
    }
    for (int64_t at = 0; found < size; at += VR) {
        int count = (int)ga__min(VR, n - at);
        vr v = NAME(lanes)(x, at, type, count);
        uint32_t high = AT_LEAST(v, vr_set(least)) & ((1u << count) - 1);
        real lane[VR];
        if (high == 0) {
            continue;
        }
        vr_store(lane, v);
        for (; high && found < size; high &= high - 1) {
            int i = __builtin_ctz(high);
            if (lane[i] > least || equal-- > 0) {
                indices[found++] = (int32_t)(at + i);
            }
        }
    }
    return found;
}

#undef NAME
#undef ABOVE
#undef AT_LEAST
