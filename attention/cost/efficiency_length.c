/* efficiency_length.c - the length from which on a linear method is cheaper than the exact one (card A8).
 *
 * Least squares: a L^2 + b L + c through the costs of the exact method, d L + e through those of the other; the larger
 * root of their difference, NaN where there is none. The fits are done in x = (L - mean) / spread with polynomials that
 * are orthogonal on the given lengths. */
#include "config.h"

#include <math.h>

#include "attention/cost/cost.h"

static const ga_tensor_slot tensors[] = {
    { "lengths", "(n)", "at least three different ones", .optional = false },
    { "vanilla", "(n)", "cost of the exact method", .optional = false },
    { "method", "(n)", "cost of the other", .optional = false },
    { .name = NULL },
};

typedef struct lengths {
    ga__view lengths, vanilla, method;
    int64_t count;
    double mean, spread;
    double skew, square; /* p1 = x, p2 = x^2 - skew x - square: orthogonal to each other and to 1 */
} lengths;

static double x_of(const lengths *f, int64_t i)
{
    return (ga__view_get(&f->lengths, 0, 0, 0, i) - f->mean) / f->spread;
}

/* Mean, spread and the orthogonal polynomials; false where three lengths are not there. */
static bool prepare(lengths *f)
{
    double mean = 0, square = 0, cube = 0, tail = 0, n = (double)f->count;
    f->mean = 0;
    f->spread = 1;
    for (int64_t i = 0; i < f->count; i++) {
        mean += x_of(f, i) / n;
    }
    f->mean = mean;
    for (int64_t i = 0; i < f->count; i++) {
        square += x_of(f, i) * x_of(f, i) / n;
    }
    f->spread = sqrt(square);
    if (!(f->spread > 0) || !isfinite(f->spread)) {
        return false;
    }
    f->square = 1;
    for (int64_t i = 0; i < f->count; i++) {
        cube += pow(x_of(f, i), 3) / n;
    }
    f->skew = cube;
    for (int64_t i = 0; i < f->count; i++) {
        double x = x_of(f, i), p = x * x - f->skew * x - f->square;
        tail += p * p / n;
    }
    return tail > 1e-12; /* 0 for two different lengths, but for rounding */
}

/* Coefficients of 1, x, x^2 of the polynomial of that degree nearest to y. */
static void fit(const lengths *f, const ga__view *y, int degree, double c[3])
{
    double along[3] = { 0 }, size[3] = { 0 };
    for (int64_t i = 0; i < f->count; i++) {
        double x = x_of(f, i), p[3] = { 1, x, x * x - f->skew * x - f->square };
        for (int k = 0; k <= degree; k++) {
            along[k] += p[k] * ga__view_get(y, 0, 0, 0, i);
            size[k] += p[k] * p[k];
        }
    }
    double top = degree == 2 ? along[2] / size[2] : 0;
    c[2] = top;
    c[1] = along[1] / size[1] - top * f->skew;
    c[0] = along[0] / size[0] - top * f->square;
}

/* Of c[2] x^2 + c[1] x + c[0]; NaN without one. */
static double larger_root(const double c[3])
{
    double under = c[1] * c[1] - 4 * c[2] * c[0];
    if (c[2] == 0) {
        return c[1] == 0 ? NAN : -c[0] / c[1];
    }
    if (!(under >= 0)) {
        return NAN;
    }
    double q = -0.5 * (c[1] + copysign(sqrt(under), c[1])); /* no cancellation */
    double one = q / c[2], other = q == 0 ? one : c[0] / q;
    return one > other ? one : other;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    lengths f;
    double vanilla[3], method[3];
    GA_TRY(ga__view_of(run->context, "lengths", ga__block_given(run, "lengths"), true, &f.lengths));
    GA_TRY(ga__view_of(run->context, "vanilla", ga__block_given(run, "vanilla"), true, &f.vanilla));
    GA_TRY(ga__view_of(run->context, "method", ga__block_given(run, "method"), true, &f.method));
    f.count = f.lengths.columns;
    GA_TRY(ga__view_expect(run->context, "lengths", &f.lengths, 1, 1, 1, -1));
    GA_TRY(ga__view_expect(run->context, "vanilla", &f.vanilla, 1, 1, 1, f.count));
    GA_TRY(ga__view_expect(run->context, "method", &f.method, 1, 1, 1, f.count));
    if (!prepare(&f)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "lengths: expected at least three different numbers"));
    }
    fit(&f, &f.vanilla, 2, vanilla);
    fit(&f, &f.method, 1, method);
    for (int k = 0; k < 3; k++) {
        vanilla[k] -= method[k];
    }
    GA_TRY(ga__cost_real(run, "length", f.mean + f.spread * larger_root(vanilla)));
done:
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__cost_efficiency_length = {
    .name = "efficiency-length",
    .summary = "length from which on a linear method is cheaper",
    .source = "CAB, 2210.07661",
    .plan = "least squares, a quadratic and a line; the larger root of their difference",
    .outputs = "length",
    .tensors = tensors,
    .ops = &ops,
};
