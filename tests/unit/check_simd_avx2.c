/* check_simd_avx2.c - AVX2 for check_simd.c. */
#include "config.h"

#ifdef HAVE_AVX2
#pragma GCC target("avx2,fma,f16c")
#define GA__ISA 2
#define PROBE_ISA "avx2"
#include "tests/unit/check_simd_body.h"
#else
typedef int check_simd_needs_a_declaration;
#endif
