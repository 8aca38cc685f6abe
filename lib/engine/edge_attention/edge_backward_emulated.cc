/* edge_backward_emulated.cc - the same kernels on the emulator. */
#include "lib/engine/edge_attention/edge_pairs_kernels.h"
#include "lib/engine/edge_attention/edge_slopes_kernels.h"
