/* sddmm_body.h - the kernels of sddmm.c in both precisions. */
#include "lib/engine/sddmm/sddmm.h"
#include "lib/engine/simd_f64.h"

enum { AHEAD = 12 }; /* edges whose rows are fetched ahead */

#define GA__REAL 32
#include "lib/engine/sddmm/dots_body.h"
#undef GA__REAL
#define GA__REAL 64
#include "lib/engine/sddmm/dots_body.h"

const ga__dots_kernels GA__NAME(ga__dots) = { { GA__NAME(dots_f32), GA__NAME(dots_f64) } };
