/* edge_backward_cuda.cu - gradients of message passing for NVIDIA GPUs. */
#include "lib/engine/edge_attention/edge_pairs_kernels.h"
#include "lib/engine/edge_attention/edge_slopes_kernels.h"
