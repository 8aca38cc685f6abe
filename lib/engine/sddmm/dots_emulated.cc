/* dots_emulated.cc - the same kernels on the emulator. */
#include "lib/engine/sddmm/dots_kernels.h"
