/* tile_backward_cuda.cu - gradients of attention by tiles for NVIDIA GPUs. */
#include "lib/engine/tile_attention/tile_backward_kernels.h"
