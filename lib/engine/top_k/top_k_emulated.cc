/* top_k_emulated.cc - the same kernel on the emulator. */
#include "lib/engine/top_k/top_k_kernels.h"
