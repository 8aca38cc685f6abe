/* activate_avx512.c - activations: see activate_body.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/activate/activate_body.h"
