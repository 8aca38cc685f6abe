/* memory_scalar.c - products and steps of a small matrix: plain C. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/scan_attention/memory_body.h"
