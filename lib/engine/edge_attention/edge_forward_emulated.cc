/* edge_forward_emulated.cc - the same kernels on the emulator. */
#include "lib/engine/edge_attention/edge_forward_kernels.h"
