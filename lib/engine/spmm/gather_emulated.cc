/* gather_emulated.cc - the same kernels on the emulator. */
#include "lib/engine/spmm/gather_kernels.h"
