/* check_simd_avx512.c - AVX-512 for check_simd.c. */
#include "config.h"

#ifdef HAVE_AVX512
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#define GA__ISA 512
#define PROBE_ISA "avx512"
#include "tests/unit/check_simd_body.h"
#else
typedef int check_simd_needs_a_declaration;
#endif
