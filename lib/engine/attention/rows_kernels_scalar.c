/* rows_kernels_scalar.c - see the body. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/attention/rows_kernels_body.h"
