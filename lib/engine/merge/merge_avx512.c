/* merge_avx512.c - weighted sums of two rows: see merge_body.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/merge/merge_body.h"
