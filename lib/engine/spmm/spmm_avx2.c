/* spmm_avx2.c - gathered rows: see spmm_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/spmm/spmm_body.h"
