/* merge_emulated.cc - the same kernel on the emulator. */
#include "lib/engine/merge/merge_kernels.h"
