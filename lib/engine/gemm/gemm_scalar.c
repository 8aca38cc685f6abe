/* gemm_scalar.c - blocks of dense products: see gemm_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/gemm/gemm_body.h"
