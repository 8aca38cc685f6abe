/* simd_avx2.h - simd.h's names on 8 lanes of AVX2 with FMA and F16C. */
#ifndef GA_LIB_ENGINE_SIMD_AVX2_H
#define GA_LIB_ENGINE_SIMD_AVX2_H

#include <immintrin.h>

#define VF 8
typedef __m256 vf;
typedef __m256 vm; /* all bits of a lane, or none */

#define vf_zero() _mm256_setzero_ps()
#define vf_set(x) _mm256_set1_ps(x)
#define vf_load(p) _mm256_loadu_ps(p)
#define vf_store(p, v) _mm256_storeu_ps((p), (v))
#define vf_stream(p, v) _mm256_stream_ps((p), (v))
#define vf_fence() _mm_sfence()
#define vf_load_n(p, n) _mm256_maskload_ps((p), _mm256_castps_si256(vm_first(n)))
#define vf_store_n(p, v, n) _mm256_maskstore_ps((p), _mm256_castps_si256(vm_first(n)), (v))
#define vf_add(a, b) _mm256_add_ps((a), (b))
#define vf_sub(a, b) _mm256_sub_ps((a), (b))
#define vf_mul(a, b) _mm256_mul_ps((a), (b))
#define vf_div(a, b) _mm256_div_ps((a), (b))
#define vf_min(a, b) _mm256_min_ps((a), (b))
#define vf_max(a, b) _mm256_max_ps((a), (b))
#define vf_sqrt(a) _mm256_sqrt_ps(a)
#define vf_fma(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define vf_fnma(a, b, c) _mm256_fnmadd_ps((a), (b), (c))
#define vf_abs(a) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), (a))
#define vf_round(a) _mm256_round_ps((a), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define vm_gt(a, b) _mm256_cmp_ps((a), (b), _CMP_GT_OQ)
#define vm_ge(a, b) _mm256_cmp_ps((a), (b), _CMP_GE_OQ)
#define vm_eq(a, b) _mm256_cmp_ps((a), (b), _CMP_EQ_OQ)
#define vm_to_bits(m) ((uint32_t)_mm256_movemask_ps(m))
#define vm_and(a, b) _mm256_and_ps((a), (b))
#define vm_not(a) _mm256_xor_ps((a), _mm256_castsi256_ps(_mm256_set1_epi32(-1)))
#define vf_pick(m, a, b) _mm256_blendv_ps((b), (a), (m))

GA__INLINE vm vm_first(int n)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane));
}
GA__INLINE vm vm_bits(uint32_t w)
{
    __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)w), bit), bit));
}
/* In two factors, so that results down to the denormals and up to the largest float come out right. */
GA__INLINE vf vf_ldexp(vf v, vf n)
{
    n = _mm256_max_ps(_mm256_set1_ps(-252), _mm256_min_ps(_mm256_set1_ps(252), n)); /* NaN passes */
    __m256i all = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(all, 1);
    __m256i rest = _mm256_sub_epi32(all, half), one = _mm256_set1_epi32(127);
    vf a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, one), 23));
    vf b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, one), 23));
    return _mm256_mul_ps(_mm256_mul_ps(v, a), b);
}
GA__INLINE float vf_sum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
GA__INLINE float vf_most(vf v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
GA__INLINE vf vf_wide_bf16(__m128i half)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
GA__INLINE __m128i vf_load16_n(const uint16_t *p, int n)
{
    uint16_t part[8] = { 0 };
    memcpy(part, p, (size_t)n * sizeof *part);
    return _mm_loadu_si128((const __m128i *)(const void *)part);
}
GA__INLINE void vf_store16_n(uint16_t *p, __m128i half, int n)
{
    uint16_t part[8];
    _mm_storeu_si128((__m128i *)(void *)part, half);
    memcpy(p, part, (size_t)n * sizeof *part);
}
GA__INLINE __m128i vf_narrow_bf16(vf v)
{
    __m256i bits = _mm256_castps_si256(v);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    up = _mm256_srli_epi32(_mm256_blendv_epi8(up, quiet, nan), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(up), _mm256_extracti128_si256(up, 1));
}
#define vf_load_bf16(p) vf_wide_bf16(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define vf_load_bf16_n(p, n) vf_wide_bf16(vf_load16_n((p), (n)))
#define vf_load_f16(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define vf_load_f16_n(p, n) _mm256_cvtph_ps(vf_load16_n((p), (n)))
#define vf_store_bf16(p, v) _mm_storeu_si128((__m128i *)(void *)(p), vf_narrow_bf16(v))
#define vf_store_bf16_n(p, v, n) vf_store16_n((p), vf_narrow_bf16(v), (n))
#define vf_store_f16(p, v) \
    _mm_storeu_si128((__m128i *)(void *)(p), _mm256_cvtps_ph((v), _MM_FROUND_TO_NEAREST_INT))
#define vf_store_f16_n(p, v, n) vf_store16_n((p), _mm256_cvtps_ph((v), _MM_FROUND_TO_NEAREST_INT), (n))

#endif
