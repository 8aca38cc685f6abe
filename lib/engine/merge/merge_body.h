/* merge_body.h - weighted sums of two rows. */
#include "lib/engine/merge/merge.h"
#include "lib/engine/simd.h"

GA__INLINE void store_n(void *base, int64_t at, ga__type type, vf v, int n)
{
    if (type == GA__F32) {
        vf_store_n((float *)base + at, v, n);
    } else if (type == GA__BF16) {
        vf_store_bf16_n((uint16_t *)base + at, v, n);
    } else {
        vf_store_f16_n((uint16_t *)base + at, v, n);
    }
}

static void mix(int64_t width, float w_a, const void *a, ga__type type_a, float w_b, const void *b,
                ga__type type_b, void *o, ga__type type_o)
{
    vf wa = vf_set(w_a), wb = vf_set(w_b);
    int64_t c = 0;
    if (type_a == GA__F32 && type_b == GA__F32 && type_o == GA__F32) {
        const float *from_a = a, *from_b = b;
        float *to = o;
        for (; c + VF <= width; c += VF) {
            vf_store(to + c, vf_fma(wa, vf_load(from_a + c), vf_mul(wb, vf_load(from_b + c))));
        }
    }
    for (; c < width; c += VF) {
        int n = (int)ga__min(VF, width - c);
        vf y = vf_fma(wa, vf_loads_n(a, c, type_a, n), vf_mul(wb, vf_loads_n(b, c, type_b, n)));
        store_n(o, c, type_o, y, n);
    }
}

const ga__merge_kernels GA__NAME(ga__merge) = { mix };
