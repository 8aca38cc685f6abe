/* keep_avx512.c - keep_body.h for one instruction set. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/keep/keep_body.h"
