/* top_k_cuda.cu - the largest of rows on NVIDIA GPUs. */
#include "lib/engine/top_k/top_k_kernels.h"
