/* keep_scalar.c - keep_body.h for one instruction set. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/keep/keep_body.h"
