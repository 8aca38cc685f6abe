/* scan_forward_emulated.cc - the same kernels on the emulator. */
#include "lib/engine/scan_attention/scan_kernels.h"
