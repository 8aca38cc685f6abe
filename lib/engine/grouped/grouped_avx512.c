/* grouped_avx512.c - softmax over groups: see grouped_body.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/grouped/grouped_body.h"
