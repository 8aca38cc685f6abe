/* forward_scalar.c - the forward pass by tiles in plain C. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/tile_attention/forward_body.h"
