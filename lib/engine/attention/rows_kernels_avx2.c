/* rows_kernels_avx2.c - see the body. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/attention/rows_kernels_body.h"
