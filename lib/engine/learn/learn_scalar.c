/* learn_scalar.c - losses and steps: see learn_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/learn/learn_body.h"
