/* merge_avx2.c - weighted sums of two rows: see merge_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/merge/merge_body.h"
