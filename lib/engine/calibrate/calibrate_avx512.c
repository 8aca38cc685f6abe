/* calibrate_avx512.c - one p-Laplacian step over an attention map: see calibrate_body.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/calibrate/calibrate_body.h"
