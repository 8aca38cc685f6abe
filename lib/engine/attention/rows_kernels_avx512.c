/* rows_kernels_avx512.c - see the body. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/attention/rows_kernels_body.h"
