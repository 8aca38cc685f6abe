/* learn_avx2.c - losses and steps: see learn_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/learn/learn_body.h"
