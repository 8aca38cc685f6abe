/* grouped.h - a softmax over a group of scores that stand one behind the other: rows of a map, blocks of a row. */
#ifndef GA_LIB_ENGINE_GROUPED_H
#define GA_LIB_ENGINE_GROUPED_H

#include "lib/engine/isa.h"
#include "lib/engine/view.h"

typedef struct ga__grouped_kernels {
    /* x = total softmax(x), [0] f32, [1] f64; returns ln sum exp(x), -inf for n = 0. A NaN makes all NaN. */
    double (*softmax[2])(int64_t n, double total, void *x);
    /* The largest numbers: y_j = max(y_j, x_j); a NaN of x becomes one of y and stays. */
    void (*most[2])(int64_t n, const void *x, double *y);
    /* t_j = w_j (t_j - mean) */
    void (*slope[2])(int64_t n, double mean, const void *w, void *t);
} ga__grouped_kernels;

extern const ga__grouped_kernels ga__grouped_scalar, ga__grouped_avx2, ga__grouped_avx512;

#endif
