/* rowwise_body.h - the passes of rowwise.h in both precisions. */
#include "lib/engine/rowwise/rowwise.h"
#include "lib/engine/simd_f64.h"

#define GA__REAL 32
#include "lib/engine/simd_real.h"

#include "lib/engine/rowwise/rowwise_loops.h"
#undef GA__REAL
#define GA__REAL 64
#include "lib/engine/simd_real.h"

#include "lib/engine/rowwise/rowwise_loops.h"

#define BOTH(x) \
    { \
        GA__NAME(x##_f32), GA__NAME(x##_f64) \
    }

const ga__rowwise_kernels GA__NAME(ga__rowwise) = {
    .combine = BOTH(combine),
    .add_row = BOTH(add_row),
    .sum_rows = BOTH(sum_rows),
    .dot = BOTH(dot),
    .row_dots = BOTH(row_dots),
    .mix = BOTH(mix),
    .mean_heads = BOTH(mean_heads),
    .share_heads = BOTH(share_heads),
    .scores = BOTH(scores),
    .drop = BOTH(drop),
    .slope = BOTH(slope),
    .relu = BOTH(relu),
};
