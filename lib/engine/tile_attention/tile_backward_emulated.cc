/* tile_backward_emulated.cc - the same kernels on the emulator. */
#include "lib/engine/tile_attention/tile_backward_kernels.h"
