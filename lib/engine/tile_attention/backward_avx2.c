/* backward_avx2.c - the tiles of the backward pass for AVX2. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/tile_attention/backward_body.h"
