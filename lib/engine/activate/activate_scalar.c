/* activate_scalar.c - activations: see activate_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/activate/activate_body.h"
