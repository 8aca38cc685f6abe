/* limits_avx2.c - loops that do one thing: see limits_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/limits/limits_body.h"
