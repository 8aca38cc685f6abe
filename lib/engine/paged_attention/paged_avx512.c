/* paged_avx512.c - few queries over rows of keys: see paged_body.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/paged_attention/paged_body.h"
