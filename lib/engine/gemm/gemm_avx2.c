/* gemm_avx2.c - blocks of dense products: see gemm_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/gemm/gemm_body.h"
