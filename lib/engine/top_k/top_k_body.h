/* top_k_body.h - the kernels of top_k.c in both precisions. */
#include "lib/engine/simd_f64.h"
#include "lib/engine/top_k/top_k.h"

/* Lane by lane: v > w, v >= w. */
#define above_f32(v, w) vm_to_bits(vm_gt((v), (w)))
#define least_f32(v, w) vm_to_bits(vm_ge((v), (w)))
GA__INLINE uint32_t above_f64(vd v, vd w)
{
    uint32_t bits = 0;
    for (int i = 0; i < VD; i++) {
        bits |= (uint32_t)(v[i] > w[i]) << i;
    }
    return bits;
}
GA__INLINE uint32_t least_f64(vd v, vd w)
{
    uint32_t bits = 0;
    for (int i = 0; i < VD; i++) {
        bits |= (uint32_t)(v[i] >= w[i]) << i;
    }
    return bits;
}

#define GA__REAL 32
#include "lib/engine/top_k/select_body.h"
#undef GA__REAL
#define GA__REAL 64
#include "lib/engine/top_k/select_body.h"

const ga__top_k_kernels GA__NAME(ga__top_k) = { { GA__NAME(select_f32), GA__NAME(select_f64) } };
