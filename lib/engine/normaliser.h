/* normaliser.h - scores to unnormalised weights and their slopes, on vectors. Include simd.h first.
 *
 * weight a(s) of a score, and its slope a'(s); kind is a constant where this is inlined:
 *   softmax e^(s - m), m the running maximum (shift = -m); sigmoid sigma(s + shift); softplus softplus(factor s);
 *   relu-l1 max(s, 0); identity, norm-attention, inline: s
 */
#ifndef GA_LIB_ENGINE_NORMALISER_H
#define GA_LIB_ENGINE_NORMALISER_H

#include "lib/engine/simd.h"

GA__INLINE vf vf_weight(ga_normaliser_kind kind, vf s, vf shift, vf factor)
{
    switch (kind) {
    case GA_SOFTMAX: return vf_exp(vf_add(s, shift));
    case GA_SIGMOID: return vf_sigmoid(vf_add(s, shift));
    case GA_SOFTPLUS:
    case GA_SOFTPLUS_REWEIGHT: return vf_softplus(vf_mul(factor, s));
    case GA_RELU_L1: return vf_max(s, vf_zero()); /* NaN becomes 0 here: kernels look at s */
    case GA_NORM_ATTENTION:
    case GA_IDENTITY:
    case GA_INLINE:
    case GA_P_LAPLACIAN: break;
    }
    return s;
}

/* a: the weight of s, as vf_weight gave it. */
GA__INLINE vf vf_weight_slope(ga_normaliser_kind kind, vf s, vf a, vf factor)
{
    switch (kind) {
    case GA_SOFTMAX: return a;
    case GA_SIGMOID: return vf_mul(a, vf_sub(vf_set(1), a));
    case GA_SOFTPLUS:
    case GA_SOFTPLUS_REWEIGHT: return vf_mul(factor, vf_sigmoid(vf_mul(factor, s)));
    case GA_RELU_L1: return vf_pick(vm_gt(s, vf_zero()), vf_set(1), vf_zero());
    case GA_NORM_ATTENTION:
    case GA_IDENTITY:
    case GA_INLINE:
    case GA_P_LAPLACIAN: break;
    }
    return vf_set(1);
}

#endif
