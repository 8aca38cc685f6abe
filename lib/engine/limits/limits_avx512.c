/* limits_avx512.c - loops that do one thing: see limits_body.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/limits/limits_body.h"
