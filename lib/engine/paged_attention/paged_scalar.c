/* paged_scalar.c - few queries over rows of keys: see paged_body.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/paged_attention/paged_body.h"
