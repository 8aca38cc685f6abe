/* grouped_scalar.c - softmax over groups: see grouped_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/grouped/grouped_body.h"
