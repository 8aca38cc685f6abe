/* gemm_blas.c - small and narrow products by OpenBLAS, one call of the process at a time.
 *
 * Its serial build (libopenblas-serial-dev) has gone wrong when several threads called it at once: of 3,000 products of
 * 9,000 x 6 by 6 x 2 on seven threads some hundred differed. A build with threads of its own would start them under ours,
 * and only a setting of the whole process could stop it, which is not ours to change: with such a build (the system's
 * alternatives may put one in its place at run time) our own kernel does all the work.
 */
#include "config.h"

#include <limits.h>
#include <pthread.h>

#include "lib/engine/gemm/gemm.h"

#ifdef HAVE_OPENBLAS
#include <cblas.h>

static pthread_mutex_t one_call = PTHREAD_MUTEX_INITIALIZER;

bool ga__gemm_has_blas(const ga__gemm *g)
{
    int64_t most = ga__max(ga__max(g->m, g->n), ga__max(g->k, ga__max(g->lda, ga__max(g->ldb, g->ldc))));
    int64_t columns_a = g->transpose_a ? g->m : g->k, columns_b = g->transpose_b ? g->k : g->n;
    return openblas_get_parallel() == OPENBLAS_SEQUENTIAL && most <= INT_MAX && g->lda >= columns_a &&
           g->ldb >= columns_b;
}

void ga__gemm_blas(const ga__gemm *g, const ga__block *block, const void *a, const void *b, void *c)
{
    enum CBLAS_TRANSPOSE ta = g->transpose_a ? CblasTrans : CblasNoTrans,
                         tb = g->transpose_b ? CblasTrans : CblasNoTrans;
    int64_t at = g->transpose_a ? block->row : block->row * g->lda;
    int64_t right = g->transpose_b ? block->column * g->ldb : block->column,
            to = block->row * g->ldc + block->column;
    int m = (int)(block->end_row - block->row), n = (int)(block->end_column - block->column), k = (int)g->k;
    pthread_mutex_lock(&one_call);
    if (g->wide) {
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, g->alpha, (const double *)a + at, (int)g->lda,
                    (const double *)b + right, (int)g->ldb, g->beta, (double *)c + to, (int)g->ldc);
    } else {
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, (float)g->alpha, (const float *)a + at, (int)g->lda,
                    (const float *)b + right, (int)g->ldb, (float)g->beta, (float *)c + to, (int)g->ldc);
    }
    pthread_mutex_unlock(&one_call);
}

#else

bool ga__gemm_has_blas(const ga__gemm *g)
{
    (void)g;
    return false;
}

void ga__gemm_blas(const ga__gemm *g, const ga__block *block, const void *a, const void *b, void *c)
{
    (void)g;
    (void)block;
    (void)a;
    (void)b;
    (void)c;
}

#endif
