/* backward_scalar.c - the tiles of the backward pass for any machine. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/tile_attention/backward_body.h"
