/* spmm_scalar.c - gathered rows: see spmm_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/spmm/spmm_body.h"
