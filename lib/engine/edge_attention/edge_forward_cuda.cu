/* edge_forward_cuda.cu - message passing for NVIDIA GPUs. */
#include "lib/engine/edge_attention/edge_forward_kernels.h"
