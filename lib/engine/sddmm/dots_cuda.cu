/* dots_cuda.cu - dots of rows along edges for NVIDIA GPUs. */
#include "lib/engine/sddmm/dots_kernels.h"
