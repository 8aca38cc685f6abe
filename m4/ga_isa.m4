# GA_ISA: which instruction sets the compiler can emit. AVX2_CFLAGS, AVX512_CFLAGS, AVX512BF16_CFLAGS; HAVE_AVX2,
# HAVE_AVX512, HAVE_AVX512BF16 in config.h and as conditionals. The machine is asked at run time.
AC_DEFUN([GA_ISA_ONE], [
AC_CACHE_CHECK([whether $CC compiles for $1], [ga_cv_$1],
  [ga_saved_CFLAGS=$CFLAGS
   CFLAGS="$CFLAGS $2"
   AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <immintrin.h>]], [[$3]])], [ga_cv_$1=yes], [ga_cv_$1=no])
   CFLAGS=$ga_saved_CFLAGS])
AS_IF([test "x$ga_cv_$1" = xyes], [AC_DEFINE([$4], [1], [Define to 1 when the compiler knows $1])])
AM_CONDITIONAL([$4], [test "x$ga_cv_$1" = xyes])
])
AC_DEFUN([GA_ISA], [
AVX2_CFLAGS="-mavx2 -mfma -mf16c"
AVX512_CFLAGS="-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512"
AVX512BF16_CFLAGS="$AVX512_CFLAGS -mavx512bf16"
GA_ISA_ONE([avx2], [$AVX2_CFLAGS], [__m256 a = _mm256_set1_ps(1); a = _mm256_fmadd_ps(a, a, a); return (int)_mm256_cvtss_f32(a);], [HAVE_AVX2])
GA_ISA_ONE([avx512], [$AVX512_CFLAGS], [__m512 a = _mm512_set1_ps(1); a = _mm512_fmadd_ps(a, a, a); return (int)_mm512_cvtss_f32(a);], [HAVE_AVX512])
GA_ISA_ONE([avx512bf16], [$AVX512BF16_CFLAGS], [__m512 a = _mm512_set1_ps(1); __m512bh b = _mm512_cvtne2ps_pbh(a, a); a = _mm512_dpbf16_ps(a, b, b); return (int)_mm512_cvtss_f32(a);], [HAVE_AVX512BF16])
AC_SUBST([AVX2_CFLAGS])
AC_SUBST([AVX512_CFLAGS])
AC_SUBST([AVX512BF16_CFLAGS])
])
