/* simd.h - vectors of floats under one name for all instruction sets.
 *
 * A body includes this once, in a file that defined GA__ISA as 0 (plain C, 4 lanes), 2 (AVX2 + FMA + F16C) or 512
 * (AVX-512 F BW DQ VL) and is compiled with the flags for it. GA__NAME(x) gives a function the suffix of its
 * instruction set. Everything here is static inline; no lane depends on another but in the reductions.
 */
#ifndef GA_LIB_ENGINE_SIMD_H
#define GA_LIB_ENGINE_SIMD_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "lib/engine/view.h"

#ifndef GA__ISA
#error "define GA__ISA before including simd.h"
#endif

#define GA__INLINE static inline __attribute__((always_inline, unused))

#if GA__ISA == 512
#include "lib/engine/simd_avx512.h"
#define GA__NAME(x) x##_avx512
#elif GA__ISA == 2
#include "lib/engine/simd_avx2.h"
#define GA__NAME(x) x##_avx2
#else
#include "lib/engine/simd_scalar.h"
#define GA__NAME(x) x##_scalar
#endif

/* VF lanes. What each of the three headers defines:
 *   vf, vm                      VF floats; a mask of VF lanes
 *   vf_zero vf_set(x)           vf_load(p) vf_store(p, v), any alignment; vf_stream(p, v): aligned, past the caches
 *   vf_fence()                  behind the last vf_stream, before others may read
 *   vf_load_n(p, n) vf_store_n(p, v, n)   the first n lanes, 0 <= n <= VF; others 0, memory beyond not touched
 *   vf_add vf_sub vf_mul vf_div vf_min vf_max vf_sqrt; vf_fma(a, b, c) = a b + c; vf_fnma = c - a b
 *   vf_abs vf_round (to nearest even) vf_ldexp(v, n): v 2^n, n integral floats, 0 and infinity where it does not fit;
 *                               2^-24 < |v| < 2^24
 *   vm_gt(a, b) vm_ge vm_eq; vm_first(n); vm_bits(w): lane i from bit i of w; vm_to_bits(m); vm_and vm_not
 *   vf_pick(m, a, b): a where m, else b
 *   vf_load_bf16(p) vf_load_f16(p): from 16-bit storage; vf_load_bf16_n(p, n) vf_load_f16_n(p, n)
 *   vf_store_bf16(p, v) vf_store_f16(p, v), to nearest even; and ..._n(p, v, n)
 *   vf_sum(v) vf_most(v)        sum and maximum of the lanes, in a fixed order
 * vf_max(a, b) and vf_min(a, b) give b where a lane is not a number. */

GA__INLINE vf vf_loads(const void *base, int64_t at, ga__type type)
{
    return type == GA__F32    ? vf_load((const float *)base + at)
           : type == GA__BF16 ? vf_load_bf16((const uint16_t *)base + at)
                              : vf_load_f16((const uint16_t *)base + at);
}
GA__INLINE vf vf_loads_n(const void *base, int64_t at, ga__type type, int n)
{
    return type == GA__F32    ? vf_load_n((const float *)base + at, n)
           : type == GA__BF16 ? vf_load_bf16_n((const uint16_t *)base + at, n)
                              : vf_load_f16_n((const uint16_t *)base + at, n);
}

/* x within [least, most]; NaN stays. */
GA__INLINE vf vf_clamp(vf x, float least, float most)
{
    return vf_min(vf_set(most), vf_max(vf_set(least), x));
}

/* 2^x: relative error below 2.5e-7 (degree 5 on [-1/2, 1/2], minimax with 2^0 = 1); 0 below -150, infinite above 128, NaN stays. */
GA__INLINE vf vf_exp2(vf x)
{
    x = vf_clamp(x, -151, 129); /* the difference below needs finite numbers */
    vf n = vf_round(x);
    vf r = vf_sub(x, n);
    vf p = vf_set(1.32647273e-3f);
    p = vf_fma(p, r, vf_set(9.67151299e-3f));
    p = vf_fma(p, r, vf_set(5.55073358e-2f));
    p = vf_fma(p, r, vf_set(2.40222424e-1f));
    p = vf_fma(p, r, vf_set(6.93147004e-1f));
    p = vf_fma(p, r, vf_set(1.0f));
    return vf_ldexp(p, n);
}

/* e^x: relative error about 1e-7 (ln 2 in two parts, degree 6, minimax); 0 below -104, infinite above 89, NaN stays. */
GA__INLINE vf vf_exp(vf x)
{
    x = vf_clamp(x, -104, 89); /* farther out r would lose all its digits */
    vf n = vf_round(vf_mul(x, vf_set(1.44269504f)));
    vf r = vf_fnma(n, vf_set(6.93145752e-1f), x);
    r = vf_fnma(n, vf_set(1.42860677e-6f), r);
    vf p = vf_set(1.38436444e-3f);
    p = vf_fma(p, r, vf_set(8.37416388e-3f));
    p = vf_fma(p, r, vf_set(4.16680016e-2f));
    p = vf_fma(p, r, vf_set(1.66664317e-1f));
    p = vf_fma(p, r, vf_set(0.49999994f));
    p = vf_fma(p, r, vf_set(1.0f));
    p = vf_fma(p, r, vf_set(1.0f));
    return vf_ldexp(p, n);
}

/* 1 / (1 + e^-x) without overflow. */
GA__INLINE vf vf_sigmoid(vf x)
{
    vf e = vf_exp(vf_sub(vf_zero(), vf_abs(x)));
    vf d = vf_div(vf_set(1), vf_add(vf_set(1), e));
    return vf_pick(vm_ge(x, vf_zero()), d, vf_mul(e, d));
}

/* ln(1 + u) for 0 <= u <= 1: 2 atanh(u / (2 + u)), series to the 15th power: absolute error below 1e-8. */
GA__INLINE vf vf_log1p_unit(vf u)
{
    vf s = vf_div(u, vf_add(vf_set(2), u)), t = vf_mul(s, s);
    vf p = vf_set(2.0f / 15);
    p = vf_fma(p, t, vf_set(2.0f / 13));
    p = vf_fma(p, t, vf_set(2.0f / 11));
    p = vf_fma(p, t, vf_set(2.0f / 9));
    p = vf_fma(p, t, vf_set(2.0f / 7));
    p = vf_fma(p, t, vf_set(2.0f / 5));
    p = vf_fma(p, t, vf_set(2.0f / 3));
    p = vf_fma(p, t, vf_set(2.0f));
    return vf_mul(p, s);
}

/* ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|). */
GA__INLINE vf vf_softplus(vf x)
{
    return vf_add(vf_max(vf_zero(), x), vf_log1p_unit(vf_exp(vf_sub(vf_zero(), vf_abs(x)))));
}

/* tanh x: odd series below 0.625 (Cephes' coefficients), else from e^-2|x|. */
GA__INLINE vf vf_tanh(vf x)
{
    vf a = vf_abs(x), t = vf_mul(x, x);
    vf p = vf_set(-5.70498872745e-3f);
    p = vf_fma(p, t, vf_set(2.06390887954e-2f));
    p = vf_fma(p, t, vf_set(-5.37397155531e-2f));
    p = vf_fma(p, t, vf_set(1.33314422036e-1f));
    p = vf_fma(p, t, vf_set(-3.33332819422e-1f));
    vf low = vf_fma(vf_mul(p, t), x, x);
    vf e = vf_exp(vf_mul(a, vf_set(-2)));
    vf high = vf_div(vf_sub(vf_set(1), e), vf_add(vf_set(1), e));
    high = vf_pick(vm_ge(x, vf_zero()), high, vf_sub(vf_zero(), high));
    return vf_pick(vm_gt(vf_set(0.625f), a), low, high);
}

#endif
