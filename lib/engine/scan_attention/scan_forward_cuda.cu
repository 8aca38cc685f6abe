/* scan_forward_cuda.cu - linear recurrences for NVIDIA GPUs. */
#include "lib/engine/scan_attention/scan_kernels.h"
