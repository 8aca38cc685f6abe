/* memory.h - products and steps of a small matrix in double precision, row-major: a memory that learns while it reads. */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_MEMORY_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_MEMORY_H

#include "lib/engine/isa.h"

typedef struct ga__memory_kernels {
    /* y (columns) = x (rows) times the matrix */
    void (*from_left)(int64_t rows, int64_t columns, const double *x, const double *matrix, double *y);
    /* y (rows) = the matrix times x (columns) */
    void (*from_right)(int64_t rows, int64_t columns, const double *matrix, const double *x, double *y);
    /* s <- rate[1] s - rate[0] a b', m <- rate[2] m + s; a (rows), b (columns) */
    void (*descend)(int64_t rows, int64_t columns, const double *a, const double *b, const double rate[3],
                    double *m, double *s);
} ga__memory_kernels;

extern const ga__memory_kernels ga__memory_kernels_scalar, ga__memory_kernels_avx2, ga__memory_kernels_avx512;

#endif
