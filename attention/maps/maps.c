/* maps.c - what analyses of attention maps share. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "attention/maps/maps.h"

const DLDataType ga__type_u8 = { kDLUInt, 8, 1 }, ga__type_i32 = { kDLInt, 32, 1 };

ga_status ga__maps_output(ga__block_run *run, const char *name, const DLDataType *type, int ndim,
                          const int64_t *shape, DLTensor **out)
{
    *out = NULL;
    return ga__block_wants(run, name)
               ? ga__block_output_of(run, name, type ? *type : run->working, ndim, shape, out)
               : GA_OK;
}

ga_status ga__maps_view(ga__block_run *run, const char *name, ga__view *view)
{
    return ga__view_of(run->context, name, ga__block_given(run, name), true, view);
}

static int by_falling(const void *a, const void *b)
{
    const ga__ranked *x = a, *y = b;
    if (isnan(x->value) != isnan(y->value)) {
        return isnan(x->value) ? 1 : -1;
    }
    if (x->value != y->value && !isnan(x->value)) {
        return x->value > y->value ? -1 : 1;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

void ga__rank_falling(const double *values, int64_t n, ga__ranked *order)
{
    for (int64_t i = 0; i < n; i++) {
        order[i] = (ga__ranked){ values[i], i };
    }
    qsort(order, (size_t)n, sizeof *order, by_falling);
}

static int by_rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) {
        return isnan(x) - isnan(y);
    }
    return x < y ? -1 : x > y;
}

void ga__sort_rising(double *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof *values, by_rising);
}

/* From the nearer neighbour, so that equal neighbours give themselves. */
double ga__quantile(const double *sorted, int64_t n, double q)
{
    double at = q * (double)(n - 1), low = floor(at), share = at - low;
    int64_t i = ga__min(ga__max((int64_t)low, 0), n - 1), j = ga__min(i + 1, n - 1);
    double step = sorted[j] - sorted[i];
    if (isnan(sorted[n - 1])) {
        return NAN;
    }
    return share < 0.5 ? sorted[i] + step * share : sorted[j] - step * (1 - share);
}

double ga__outlier_level(const double *values, int64_t n)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++) {
        mean += values[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        square += (values[i] - mean) * (values[i] - mean) / (double)n;
    }
    return (mean + sqrt(square)) * (1 + 1e-12);
}
