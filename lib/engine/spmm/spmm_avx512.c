/* spmm_avx512.c - gathered rows: see spmm_body.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/spmm/spmm_body.h"
