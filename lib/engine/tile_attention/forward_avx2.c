/* forward_avx2.c - the forward pass by tiles in AVX2. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/tile_attention/forward_body.h"
