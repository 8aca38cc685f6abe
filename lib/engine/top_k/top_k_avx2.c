/* top_k_avx2.c - the largest entries of a row: see top_k_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/top_k/top_k_body.h"
