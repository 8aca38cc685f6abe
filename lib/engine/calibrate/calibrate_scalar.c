/* calibrate_scalar.c - one p-Laplacian step over an attention map: see calibrate_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/calibrate/calibrate_body.h"
