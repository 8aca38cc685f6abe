/* edge_avx2.c - edge_body.h for one instruction set. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/edge_attention/edge_body.h"
