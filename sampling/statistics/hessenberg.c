/* hessenberg.c - the eigenvalues of a small Hessenberg matrix by the shifted QR method in complex arithmetic (Golub and Van
 * Loan, Matrix Computations, section 7.5), and an eigenvector by inverse iteration. */
#include "config.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#include "sampling/statistics/krylov.h"

typedef struct square {
    int64_t n;
    double complex *a; /* (n, n) */
    double complex *cosine, *sine;
} square;

static double complex *at(const square *s, int64_t i, int64_t j)
{
    return &s->a[i * s->n + j];
}

/* The eigenvalue of the last two rows and columns before `end` that is nearer to the last element. */
static double complex find_shift(const square *s, int64_t end)
{
    double complex a = *at(s, end - 2, end - 2), b = *at(s, end - 2, end - 1), c = *at(s, end - 1, end - 2),
                   d = *at(s, end - 1, end - 1);
    double complex half = (a + d) / 2, root = csqrt((a - d) * (a - d) / 4 + b * c);
    return cabs(half + root - d) < cabs(half - root - d) ? half + root : half - root;
}

/* One step on rows and columns from .. end - 1. */
static void turn(const square *s, int64_t from, int64_t end, double complex shift)
{
    for (int64_t i = from; i < end; i++) {
        *at(s, i, i) -= shift;
    }
    for (int64_t k = from; k + 1 < end; k++) {
        double complex a = *at(s, k, k), b = *at(s, k + 1, k);
        double length = hypot(cabs(a), cabs(b));
        double complex c = length > 0 ? a / length : 1, t = length > 0 ? b / length : 0;
        s->cosine[k] = c;
        s->sine[k] = t;
        for (int64_t j = k; j < end; j++) {
            double complex x = *at(s, k, j), y = *at(s, k + 1, j);
            *at(s, k, j) = conj(c) * x + conj(t) * y;
            *at(s, k + 1, j) = -t * x + c * y;
        }
    }
    for (int64_t k = from; k + 1 < end; k++) {
        double complex c = s->cosine[k], t = s->sine[k];
        for (int64_t i = from; i < end && i <= k + 1; i++) {
            double complex x = *at(s, i, k), y = *at(s, i, k + 1);
            *at(s, i, k) = x * c + y * t;
            *at(s, i, k + 1) = -x * conj(t) + y * conj(c);
        }
    }
    for (int64_t i = from; i < end; i++) {
        *at(s, i, i) += shift;
    }
}

/* Leaves the eigenvalues on the diagonal; false when they do not come out. */
static bool triangulate(const square *s)
{
    int tries = 0;
    for (int64_t end = s->n; end > 1;) {
        int64_t from = end - 1;
        while (from > 0 && cabs(*at(s, from, from - 1)) >
                               0x1p-53 * (cabs(*at(s, from, from)) + cabs(*at(s, from - 1, from - 1)))) {
            from--;
        }
        if (from > 0) {
            *at(s, from, from - 1) = 0;
        }
        if (from == end - 1) {
            end--;
            tries = 0;
            continue;
        }
        if (tries == 300) {
            return false;
        }
        bool odd = ++tries % 10 == 0; /* out of a circle */
        turn(s, from, end,
             odd ? cabs(*at(s, end - 1, end - 2)) + *at(s, end - 1, end - 1) : find_shift(s, end));
    }
    return true;
}

/* Solves (matrix - value) x = x by elimination with exchanges of neighbouring rows. work: (n, n). */
static void solve_shifted(const double *matrix, int64_t stride, int64_t n, double value, double *work,
                          double *x)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            double element = j + 1 < i ? 0 : matrix[i * stride + j];
            work[i * n + j] = element - (i == j ? value : 0);
            largest = fmax(largest, fabs(element));
        }
    }
    double least = largest > 0 ? largest * 0x1p-52 : 1;
    for (int64_t k = 0; k < n; k++) {
        if (k + 1 < n && fabs(work[(k + 1) * n + k]) > fabs(work[k * n + k])) {
            for (int64_t j = k; j < n; j++) {
                double kept = work[k * n + j];
                work[k * n + j] = work[(k + 1) * n + j];
                work[(k + 1) * n + j] = kept;
            }
            double kept = x[k];
            x[k] = x[k + 1];
            x[k + 1] = kept;
        }
        if (fabs(work[k * n + k]) < least) {
            work[k * n + k] = least;
        }
        if (k + 1 < n) {
            double factor = work[(k + 1) * n + k] / work[k * n + k];
            for (int64_t j = k; j < n; j++) {
                work[(k + 1) * n + j] -= factor * work[k * n + j];
            }
            x[k + 1] -= factor * x[k];
        }
    }
    for (int64_t k = n - 1; k >= 0; k--) {
        for (int64_t j = k + 1; j < n; j++) {
            x[k] -= work[k * n + j] * x[j];
        }
        x[k] /= work[k * n + k];
    }
}

static void normalise(double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i] * x[i];
    }
    for (int64_t i = 0; i < n; i++) {
        x[i] /= sqrt(sum);
    }
}

ga_status ga__hessenberg_largest(ga_context *context, const double *matrix, int64_t stride, int64_t count,
                                 double *value, double *vector)
{
    ga_status status = GA_OK;
    square s = { .n = count };
    double *work = NULL;
    GA_TRY(GA_NEW_ZERO(context, count * count, &s.a));
    GA_TRY(GA_NEW(context, count, &s.cosine));
    GA_TRY(GA_NEW(context, count, &s.sine));
    GA_TRY(GA_NEW(context, count * count, &work));
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = ga__max(i - 1, 0); j < count; j++) {
            *at(&s, i, j) = matrix[i * stride + j];
        }
    }
    if (!triangulate(&s)) {
        GA_TRY(ga__fail(context, GA_INTERNAL, "spectrum: the eigenvalues of a small matrix do not converge"));
    }
    *value = creal(*at(&s, 0, 0));
    for (int64_t i = 1; i < count; i++) {
        *value = fmax(*value, creal(*at(&s, i, i)));
    }
    for (int64_t i = 0; i < count; i++) {
        vector[i] = 1;
    }
    for (int pass = 0; pass < 3; pass++) {
        normalise(vector, count);
        solve_shifted(matrix, stride, count, *value, work, vector);
    }
    normalise(vector, count);
done:
    ga_free(context, s.a);
    ga_free(context, s.cosine);
    ga_free(context, s.sine);
    ga_free(context, work);
    return status;
}
