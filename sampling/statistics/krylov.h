/* krylov.h - what the iterations for the spectrum have in common: products with the adjacency matrix and sums over vectors,
 * the same bits for any number of threads. */
#ifndef GA_SAMPLING_STATISTICS_KRYLOV_H
#define GA_SAMPLING_STATISTICS_KRYLOV_H

#include "sampling/statistics/study.h"

/* A growing list of vectors of one length. */
typedef struct ga__basis {
    const ga__study *study;
    int64_t count, room;
    double **vector; /* owned */
} ga__basis;

/* One vector more, at the end, undefined. */
ga_status ga__basis_add(ga__basis *basis, double **vector);
void ga__basis_clear(ga__basis *basis);

/* y(v) = sum of x(w) over row v. within: NULL, or only over those w with within[w] == within[v]. */
ga_status ga__krylov_product(const ga__study *study, ga_csr rows, const uint32_t *within, const double *x,
                             double *y);
ga_status ga__krylov_dot(const ga__study *study, const double *x, const double *y, double *dot);
/* y += factor * x */
ga_status ga__krylov_add(const ga__study *study, double factor, const double *x, double *y);
ga_status ga__krylov_scale(const ga__study *study, double factor, double *x);
/* Takes from x its parts along the first `count` vectors, twice, adds them to along (NULL: they are not wanted) and tells
 * the length of what is left. */
ga_status ga__krylov_orthogonal(const ga__basis *basis, int64_t count, double *x, double *along,
                                double *length);

/* The eigenvalue of largest real part of the leading count x count part of an upper Hessenberg matrix (rows of `stride`),
 * which must be real, and its eigenvector of length 1. */
ga_status ga__hessenberg_largest(ga_context *context, const double *matrix, int64_t stride, int64_t count,
                                 double *value, double *vector);

#endif
