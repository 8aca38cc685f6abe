/* count_cuda.cu - counts over edges for NVIDIA GPUs. */
#include "lib/engine/count/count_kernels.h"
