/* gather_cuda.cu - gathered rows for NVIDIA GPUs. */
#include "lib/engine/spmm/gather_kernels.h"
