/* gemm_body.h - the kernels of gemm.c in both precisions.
 *
 * A tile of TALL rows and up to WIDE vectors of c stays in registers: 24 sums of the 32 registers of AVX-512, 12 of the
 * 16 registers elsewhere.
 */
#include "lib/engine/gemm/gemm.h"
#include "lib/engine/simd_f64.h"

enum { TALL = 6, WIDE = GA__ISA == 512 ? 4 : 2 };

#define GA__REAL 32
#include "lib/engine/gemm/panel_body.h"
#undef GA__REAL
#define GA__REAL 64
#include "lib/engine/gemm/panel_body.h"

const ga__gemm_kernels GA__NAME(ga__gemm) = { { GA__NAME(block_f32), GA__NAME(block_f64) } };
