/* gemm.h - blocks of a dense product, by our kernel or by OpenBLAS.
 *
 * The product is cut into blocks of c by its sizes alone; a block is computed by one thread, its sums over k in order:
 * results have the same bits for any number of threads.
 */
#ifndef GA_LIB_ENGINE_GEMM_H
#define GA_LIB_ENGINE_GEMM_H

#include "lib/base/workers.h"
#include "lib/engine/isa.h"
#include "lib/engine/view.h"

/* c (m, n) = alpha op(a) op(b) + beta c; leading dimensions in elements; all f64 when wide, else f32. */
typedef struct ga__gemm {
    bool transpose_a, transpose_b, wide;
    double alpha, beta;
    int64_t m, n, k, lda, ldb, ldc;
} ga__gemm;

/* Rows [row, end_row) and columns [column, end_column) of c. */
typedef struct ga__block {
    int64_t row, end_row, column, end_column;
} ga__block;

enum {
    GA__GEMM_ROWS = 240,    /* of c in a block, at most: a multiple of the kernel's 6 */
    GA__GEMM_COLUMNS = 512, /* a multiple of the kernel's columns for all instruction sets */
    GA__GEMM_DEPTH = 256    /* of k at a time: packed panels stay in the second cache */
};

typedef struct ga__gemm_kernels {
    /* a and b are the whole matrices; scratch: room for packed panels, see ga__gemm_scratch. */
    void (*block[2])(const ga__gemm *gemm, const ga__block *block, const void *a, const void *b, void *c,
                     void *scratch);
} ga__gemm_kernels; /* [0] f32, [1] f64 */

extern const ga__gemm_kernels ga__gemm_scalar, ga__gemm_avx2, ga__gemm_avx512;

/* ga_gemm; without blas by our kernel alone. */
ga_status ga__gemm_run(ga_context *context, bool blas, bool transpose_a, bool transpose_b, double alpha,
                       const DLTensor *a, const DLTensor *b, double beta, DLTensor *c);

/* Elements of the two packed panels of a block of so many rows. */
int64_t ga__gemm_scratch(const ga__gemm *gemm, int64_t rows);

/* True when OpenBLAS is there, may be called from our threads, and takes these sizes. */
bool ga__gemm_has_blas(const ga__gemm *gemm);
void ga__gemm_blas(const ga__gemm *gemm, const ga__block *block, const void *a, const void *b, void *c);

#endif
