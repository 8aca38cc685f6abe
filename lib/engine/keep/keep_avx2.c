/* keep_avx2.c - keep_body.h for one instruction set. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/keep/keep_body.h"
