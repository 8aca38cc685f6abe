/* tile_forward_emulated.cc - the same kernels on the emulator. */
#include "lib/engine/tile_attention/tile_forward_kernels.h"
