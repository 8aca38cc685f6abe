/* activate_avx2.c - activations: see activate_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/activate/activate_body.h"
