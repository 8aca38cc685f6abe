/* spmm_body.h - the kernels of gather.c in both precisions. */
#include "lib/engine/simd_f64.h"
#include "lib/engine/spmm/spmm.h"

/* So many edges ahead rows are fetched into the cache: the time of some hundred instructions. */
enum { AHEAD = 12, MOST = 8 }; /* MOST vectors of a row are summed at once */

#define GA__REAL 32
#include "lib/engine/spmm/gather_body.h"
#undef GA__REAL
#define GA__REAL 64
#include "lib/engine/spmm/gather_body.h"

const ga__gather_kernels GA__NAME(ga__gather) = {
    { GA__NAME(sum_f32), GA__NAME(sum_f64) },
    { GA__NAME(max_f32), GA__NAME(max_f64) },
};
