/* merge_cuda.cu - partial results joined on NVIDIA GPUs. */
#include "lib/engine/merge/merge_kernels.h"
