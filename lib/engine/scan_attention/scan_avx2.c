/* scan_avx2.c - the bodies of linear recurrences: AVX2. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/simd.h"

#include "lib/engine/scan_attention/reverse_body.h"
#include "lib/engine/scan_attention/scan_body.h"

const struct ga__scan_op GA__NAME(ga__scan) = { forward_space, backward_space, forward, backward };
