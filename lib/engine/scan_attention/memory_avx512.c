/* memory_avx512.c - products and steps of a small matrix: AVX-512. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/scan_attention/memory_body.h"
