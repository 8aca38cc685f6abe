/* forward_avx512.c - the forward pass by tiles in AVX-512. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/tile_attention/forward_body.h"
