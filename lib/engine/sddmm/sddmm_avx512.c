/* sddmm_avx512.c - dots along edges: see sddmm_body.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/sddmm/sddmm_body.h"
