/* edge_direct_vectors.h - what edge_direct.h does with vectors beyond simd.h: lanes turned, exponents, sums over edges. */
#if GA__ISA != 0

#if GA__ISA == 512
/* Lane i of the result is lane i + n of v, around the end. */
GA__INLINE vf vf_turn(vf v, int n)
{
    const __m512i at = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutexvar_ps(_mm512_add_epi32(at, _mm512_set1_epi32(n)), v);
}
/* x = m 2^e with 1 <= m < 2 for positive x. */
GA__INLINE vf vf_exponent(vf x)
{
    return _mm512_getexp_ps(x);
}
GA__INLINE vf vf_mantissa(vf x)
{
    return _mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
}
GA__INLINE bool vm_any(vm m)
{
    return m != 0;
}
/* a b + c, or c where m is not. */
GA__INLINE vf vf_fma_where(vm m, vf a, vf b, vf c)
{
    return _mm512_mask3_fmadd_ps(a, b, c, m);
}
/* a, or 0 where m is not. */
GA__INLINE vf vf_where(vm m, vf a)
{
    return _mm512_maskz_mov_ps(m, a);
}
#else
GA__INLINE vf vf_turn(vf v, int n)
{
    const __m256i at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_permutevar8x32_ps(v, _mm256_add_epi32(at, _mm256_set1_epi32(n)));
}
GA__INLINE vf vf_exponent(vf x)
{
    __m256i e = _mm256_srli_epi32(_mm256_castps_si256(x), 23);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(e, _mm256_set1_epi32(127)));
}
GA__INLINE vf vf_mantissa(vf x)
{
    __m256i m = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffff));
    return _mm256_castsi256_ps(_mm256_or_si256(m, _mm256_set1_epi32(0x3f800000)));
}
GA__INLINE bool vm_any(vm m)
{
    return vm_to_bits(m) != 0;
}
GA__INLINE vf vf_fma_where(vm m, vf a, vf b, vf c)
{
    return vf_fma(a, _mm256_and_ps(b, m), c);
}
GA__INLINE vf vf_where(vm m, vf a)
{
    return _mm256_and_ps(a, m);
}
#endif

/* ln x of a sum of weights, 0 or normal: 2 atanh((m - 1) / (m + 1)) with m within 2^-1/2 .. 2^1/2; -infinity for 0. */
GA__INLINE vf vf_log_sum(vf x)
{
    vf m = vf_mantissa(x), e = vf_exponent(x);
    vm high = vm_gt(m, vf_set(1.41421356f));
    m = vf_pick(high, vf_mul(m, vf_set(0.5f)), m);
    e = vf_pick(high, vf_add(e, vf_set(1)), e);
    vf t = vf_div(vf_sub(m, vf_set(1)), vf_add(m, vf_set(1))), u = vf_mul(t, t);
    vf p = vf_fma(u, vf_set(2.0f / 9), vf_set(2.0f / 7));
    p = vf_fma(p, u, vf_set(2.0f / 5));
    p = vf_fma(p, u, vf_set(2.0f / 3));
    p = vf_fma(p, u, vf_set(2.0f));
    p = vf_fma(e, vf_set(0.693147181f), vf_mul(p, t));
    p = vf_pick(vm_eq(x, vf_zero()), vf_set(-INFINITY), p);
    return vf_pick(vm_eq(x, x), p, x);
}

/* Rows 0, 1 and 2 of the four-by-four blocks of quads, turned: lane 4 l + i of a result is its number of block l of
 * quad i. */
GA__INLINE void vf_turn_quads(const vf quad[4], vf *first, vf *second, vf *third)
{
#if GA__ISA == 512
    __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(quad[0], quad[1]));
    __m512d b = _mm512_castps_pd(_mm512_unpacklo_ps(quad[2], quad[3]));
    __m512d c = _mm512_castps_pd(_mm512_unpackhi_ps(quad[0], quad[1]));
    __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(quad[2], quad[3]));
    *first = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
    *second = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    *third = _mm512_castpd_ps(_mm512_unpacklo_pd(c, d));
#else
    __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(quad[0], quad[1]));
    __m256d b = _mm256_castps_pd(_mm256_unpacklo_ps(quad[2], quad[3]));
    __m256d c = _mm256_castps_pd(_mm256_unpackhi_ps(quad[0], quad[1]));
    __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(quad[2], quad[3]));
    *first = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
    *second = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    *third = _mm256_castpd_ps(_mm256_unpacklo_pd(c, d));
#endif
}

/* Sum and maximum over the edges of a vector, in every lane of their head. */
GA__INLINE vf edges_sum(const int H, vf v)
{
    for (int step = H; step < VF; step *= 2) {
        v = vf_add(v, vf_turn(v, step));
    }
    return v;
}
GA__INLINE vf edges_most(const int H, vf v)
{
    for (int step = H; step < VF; step *= 2) {
        v = vf_max(v, vf_turn(v, step));
    }
    return v;
}

#endif
