/* merge_scalar.c - weighted sums of two rows: see merge_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/merge/merge_body.h"
