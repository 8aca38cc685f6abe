/* tile_forward_cuda.cu - attention by tiles for NVIDIA GPUs. */
#include "lib/engine/tile_attention/tile_forward_kernels.h"
