/* backward_avx512.c - the tiles of the backward pass for AVX-512. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/tile_attention/backward_body.h"
