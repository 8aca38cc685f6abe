/* grouped_avx2.c - softmax over groups: see grouped_body.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/grouped/grouped_body.h"
