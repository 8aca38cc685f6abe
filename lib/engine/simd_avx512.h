/* simd_avx512.h - simd.h's names on 16 lanes of AVX-512 (F, BW, DQ, VL). */
#ifndef GA_LIB_ENGINE_SIMD_AVX512_H
#define GA_LIB_ENGINE_SIMD_AVX512_H

#include <immintrin.h>

#define VF 16
typedef __m512 vf;
typedef __mmask16 vm;

#define vf_zero() _mm512_setzero_ps()
#define vf_set(x) _mm512_set1_ps(x)
#define vf_load(p) _mm512_loadu_ps(p)
#define vf_store(p, v) _mm512_storeu_ps((p), (v))
#define vf_stream(p, v) _mm512_stream_ps((p), (v))
#define vf_fence() _mm_sfence()
#define vf_load_n(p, n) _mm512_maskz_loadu_ps(vm_first(n), (p))
#define vf_store_n(p, v, n) _mm512_mask_storeu_ps((p), vm_first(n), (v))
#define vf_add(a, b) _mm512_add_ps((a), (b))
#define vf_sub(a, b) _mm512_sub_ps((a), (b))
#define vf_mul(a, b) _mm512_mul_ps((a), (b))
#define vf_div(a, b) _mm512_div_ps((a), (b))
#define vf_min(a, b) _mm512_min_ps((a), (b))
#define vf_max(a, b) _mm512_max_ps((a), (b))
#define vf_sqrt(a) _mm512_sqrt_ps(a)
#define vf_fma(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define vf_fnma(a, b, c) _mm512_fnmadd_ps((a), (b), (c))
#define vf_abs(a) _mm512_abs_ps(a)
#define vf_round(a) _mm512_roundscale_ps((a), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define vf_ldexp(v, n) _mm512_scalef_ps((v), (n))
#define vm_gt(a, b) _mm512_cmp_ps_mask((a), (b), _CMP_GT_OQ)
#define vm_ge(a, b) _mm512_cmp_ps_mask((a), (b), _CMP_GE_OQ)
#define vm_eq(a, b) _mm512_cmp_ps_mask((a), (b), _CMP_EQ_OQ)
#define vm_first(n) ((vm)((1u << (n)) - 1u))
#define vm_bits(w) ((vm)(w))
#define vm_to_bits(m) ((uint32_t)(m))
#define vm_and(a, b) ((vm)((a) & (b)))
#define vm_not(a) ((vm) ~(a))
#define vf_pick(m, a, b) _mm512_mask_blend_ps((m), (b), (a))
#define vf_sum(v) _mm512_reduce_add_ps(v)
#define vf_most(v) _mm512_reduce_max_ps(v)

GA__INLINE vf vf_wide_bf16(__m256i half)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
GA__INLINE vf vf_load_bf16(const uint16_t *p)
{
    return vf_wide_bf16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
GA__INLINE vf vf_load_bf16_n(const uint16_t *p, int n)
{
    return vf_wide_bf16(_mm256_maskz_loadu_epi16(vm_first(n), p));
}
GA__INLINE vf vf_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
GA__INLINE vf vf_load_f16_n(const uint16_t *p, int n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vm_first(n), p));
}
GA__INLINE __m256i vf_narrow_bf16(vf v)
{
    __m512i bits = _mm512_castps_si512(v);
    __m512i odd = _mm512_and_epi32(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    up = _mm512_mask_or_epi32(up, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(up, 16));
}
GA__INLINE void vf_store_bf16(uint16_t *p, vf v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, vf_narrow_bf16(v));
}
GA__INLINE void vf_store_bf16_n(uint16_t *p, vf v, int n)
{
    _mm256_mask_storeu_epi16(p, vm_first(n), vf_narrow_bf16(v));
}
GA__INLINE void vf_store_f16(uint16_t *p, vf v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
GA__INLINE void vf_store_f16_n(uint16_t *p, vf v, int n)
{
    _mm256_mask_storeu_epi16(p, vm_first(n), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

#endif
