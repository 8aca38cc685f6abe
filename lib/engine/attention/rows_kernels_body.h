/* rows_kernels_body.h - inner loops of attention by rows, in double precision. */

#include "lib/engine/attention/rows.h"
#include "lib/engine/simd.h"

/* Sums of every LANES-th term, added in a fixed order: what the vectoriser may turn into vectors. */
enum { LANES = 16 };

static double sum_lanes(double *lane)
{
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            lane[i] += lane[i + half];
        }
    }
    return lane[0];
}

static double dot_f64(const double *a, const double *b, int64_t n)
{
    double lane[LANES] = { 0 };
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            lane[l] += a[i + l] * b[i + l];
        }
    }
    for (int l = 0; i < n; i++, l++) {
        lane[l] += a[i] * b[i];
    }
    return sum_lanes(lane);
}

static double dot_f32(const double *a, const float *b, int64_t n)
{
    double lane[LANES] = { 0 };
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            lane[l] += a[i + l] * (double)b[i + l];
        }
    }
    for (int l = 0; i < n; i++, l++) {
        lane[l] += a[i] * (double)b[i];
    }
    return sum_lanes(lane);
}

static void add_f64(double factor, const double *x, double *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        y[i] += factor * x[i];
    }
}

static void add_f32(double factor, const float *x, double *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        y[i] += factor * (double)x[i];
    }
}

const ga__rows_kernels GA__NAME(ga__rows_kernels) = { dot_f64, dot_f32, add_f64, add_f32 };
