/* check_simd_scalar.c - plain C for check_simd.c. */
#include "config.h"

#define GA__ISA 0
#define PROBE_ISA "scalar"
#include "tests/unit/check_simd_body.h"
