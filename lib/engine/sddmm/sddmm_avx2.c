/* sddmm_avx2.c - dots along edges: see sddmm_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/sddmm/sddmm_body.h"
