/* sddmm_scalar.c - dots along edges: see sddmm_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/sddmm/sddmm_body.h"
