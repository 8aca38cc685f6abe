/* forward_bf16.c - the forward pass by tiles in AVX-512 with bf16 products. */
#include "config.h"

#define GA__ISA 512
#define GA__TILE_BF16 1
#include "lib/engine/tile_attention/forward_body.h"
