/* count_emulated.cc - the same kernels on the emulator. */
#include "lib/engine/count/count_kernels.h"
