/* top_k_scalar.c - the largest entries of a row: see top_k_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/top_k/top_k_body.h"
