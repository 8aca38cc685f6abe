/* rowwise_avx2.c - passes over rows: see rowwise_loops.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/rowwise/rowwise_body.h"
