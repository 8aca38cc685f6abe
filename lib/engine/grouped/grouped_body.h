/* grouped_body.h - the passes of grouped.h: f32 by vectors, f64 by the exact functions of the C library. */
#include "lib/engine/grouped/grouped.h"
#include "lib/engine/simd.h"

/* Vectors whose sum is kept in single precision. */
enum { AT_ONCE = 64 };

static float GA__NAME(largest)(int64_t n, const float *x)
{
    vf most = vf_set(-INFINITY);
    int64_t i = 0;
    for (; i + VF <= n; i += VF) {
        most = vf_max(vf_load(x + i), most);
    }
    float largest = vf_most(most);
    for (; i < n; i++) {
        largest = x[i] > largest ? x[i] : largest;
    }
    return largest;
}

/* x = exp(x - most); the sum. */
static double GA__NAME(powers)(int64_t n, float most, float *x)
{
    double total = 0;
    for (int64_t first = 0; first < n; first += (int64_t)AT_ONCE * VF) {
        int64_t i = first, end = ga__min(n, first + (int64_t)AT_ONCE * VF);
        vf sum = vf_zero();
        for (; i + VF <= end; i += VF) {
            vf y = vf_exp(vf_sub(vf_load(x + i), vf_set(most)));
            vf_store(x + i, y);
            sum = vf_add(sum, y);
        }
        if (i < end) {
            int rest = (int)(end - i);
            vf y = vf_exp(vf_sub(vf_load_n(x + i, rest), vf_set(most)));
            vf_store_n(x + i, y, rest);
            sum = vf_add(sum, vf_pick(vm_first(rest), y, vf_zero()));
        }
        total += (double)vf_sum(sum);
    }
    return total;
}

static double GA__NAME(softmax_f32)(int64_t n, double total, void *x_)
{
    float *x = x_, most = GA__NAME(largest)(n, x);
    double sum = 0;
    if (most == -INFINITY) { /* nothing but NaN and -inf: both are what they are as powers of themselves */
        most = 0;
    }
    sum = GA__NAME(powers)(n, most, x);
    float factor = sum == 0 ? 0 : (float)(total / sum);
    for (int64_t i = 0; i < n; i++) {
        x[i] *= factor;
    }
    return (double)most + log(sum);
}

static double GA__NAME(softmax_f64)(int64_t n, double total, void *x_)
{
    double *x = x_, most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        most = x[i] > most ? x[i] : most;
    }
    most = most == -INFINITY ? 0 : most;
    for (int64_t i = 0; i < n; i++) {
        x[i] = exp(x[i] - most);
        sum += x[i];
    }
    double factor = sum == 0 ? 0 : total / sum;
    for (int64_t i = 0; i < n; i++) {
        x[i] *= factor;
    }
    return most + log(sum);
}

static void GA__NAME(most_f32)(int64_t n, const void *x_, double *restrict y)
{
    const float *restrict x = x_;
    for (int64_t i = 0; i < n; i++) {
        double value = (double)x[i];
        y[i] = value > y[i] || value != value ? value : y[i];
    }
}

static void GA__NAME(most_f64)(int64_t n, const void *x_, double *restrict y)
{
    const double *restrict x = x_;
    for (int64_t i = 0; i < n; i++) {
        y[i] = x[i] > y[i] || x[i] != x[i] ? x[i] : y[i];
    }
}

static void GA__NAME(slope_f32)(int64_t n, double mean_, const void *w_, void *t_)
{
    const float *restrict w = w_, mean = (float)mean_;
    float *restrict t = t_;
    for (int64_t i = 0; i < n; i++) {
        t[i] = w[i] * (t[i] - mean);
    }
}

static void GA__NAME(slope_f64)(int64_t n, double mean, const void *w_, void *t_)
{
    const double *restrict w = w_;
    double *restrict t = t_;
    for (int64_t i = 0; i < n; i++) {
        t[i] = w[i] * (t[i] - mean);
    }
}

const ga__grouped_kernels GA__NAME(ga__grouped) = {
    .softmax = { GA__NAME(softmax_f32), GA__NAME(softmax_f64) },
    .most = { GA__NAME(most_f32), GA__NAME(most_f64) },
    .slope = { GA__NAME(slope_f32), GA__NAME(slope_f64) },
};
