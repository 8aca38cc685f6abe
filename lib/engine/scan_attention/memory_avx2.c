/* memory_avx2.c - products and steps of a small matrix: AVX2. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/scan_attention/memory_body.h"
