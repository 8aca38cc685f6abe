/* simd_f64.h - vectors of doubles beside simd.h's floats: VD = VF / 2 lanes. Include behind simd.h. */
#ifndef GA_LIB_ENGINE_SIMD_F64_H
#define GA_LIB_ENGINE_SIMD_F64_H

#include "lib/engine/simd.h"

/* What there is: vd vd_zero vd_set vd_load vd_store vd_load_n vd_store_n vd_stream vd_add vd_mul vd_fma vd_sum, as in
 * simd.h. The compiler's own vectors say the rest. */
#define VD (VF / 2)
typedef double vd __attribute__((vector_size(VF * 4)));

#if GA__ISA == 512
#define vd_set(x) ((vd)_mm512_set1_pd(x))
#elif GA__ISA == 2
#define vd_set(x) ((vd)_mm256_set1_pd(x))
#else
#define vd_set(x) ((vd){ (x), (x) })
#endif
#define vd_zero() ((vd){ 0 })
GA__INLINE vd vd_load(const double *p)
{
    vd v;
    memcpy(&v, p, sizeof v);
    return v;
}
GA__INLINE void vd_store(double *p, vd v)
{
    memcpy(p, &v, sizeof v);
}
#if GA__ISA == 512
#define vd_load_n(p, n) ((vd)_mm512_maskz_loadu_pd((__mmask8)((1u << (n)) - 1u), (p)))
#define vd_store_n(p, v, n) _mm512_mask_storeu_pd((p), (__mmask8)((1u << (n)) - 1u), (__m512d)(v))
#define vd_stream(p, v) _mm512_stream_pd((p), (__m512d)(v))
#define vd_fma(a, b, c) ((vd)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#elif GA__ISA == 2
GA__INLINE __m256i vd_first(int n)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
#define vd_load_n(p, n) ((vd)_mm256_maskload_pd((p), vd_first(n)))
#define vd_store_n(p, v, n) _mm256_maskstore_pd((p), vd_first(n), (__m256d)(v))
#define vd_stream(p, v) _mm256_stream_pd((p), (__m256d)(v))
#define vd_fma(a, b, c) ((vd)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#else
GA__INLINE vd vd_load_n(const double *p, int n)
{
    vd v = vd_zero();
    for (int i = 0; i < n; i++) {
        v[i] = p[i];
    }
    return v;
}
GA__INLINE void vd_store_n(double *p, vd v, int n)
{
    for (int i = 0; i < n; i++) {
        p[i] = v[i];
    }
}
#define vd_stream(p, v) vd_store((p), (v))
#define vd_fma(a, b, c) ((a) * (b) + (c))
#endif
#define vd_add(a, b) ((a) + (b))
#define vd_mul(a, b) ((a) * (b))
/* Halves added to halves, as vf_sum does. */
GA__INLINE double vd_sum(vd v)
{
    double part[VD];
    memcpy(part, &v, sizeof part);
    for (int half = VD / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            part[i] += part[i + half];
        }
    }
    return part[0];
}

#endif
