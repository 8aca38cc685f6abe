/* rowwise_scalar.c - passes over rows: see rowwise_loops.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/rowwise/rowwise_body.h"
