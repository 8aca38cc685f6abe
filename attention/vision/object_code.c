/* object_code.c - position codes whose cosines are a Gaussian of the distance (attention-static section 16).
 *
 * The rows of the lower Cholesky factor L of K_ij = exp(-(i - j)^2 / (2 sigma^2)): L L' = K, rows of norm 1. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/blocks.h"

static const ga_parameter parameters[] = {
    { "positions", GA_PARAMETER_INT, "86", ">= 1", "number of codes", GA__WITHIN(1, 1 << 14) },
    { "sigma", GA_PARAMETER_REAL, "2", "> 0", "width of the Gaussian", GA__ABOVE(0) },
    { "dim", GA_PARAMETER_INT, NULL, ">= positions", "columns, zero behind the code; default positions",
      GA__FROM(1) },
    { .name = NULL },
};

/* Row by row: L_ij = (K_ij - sum_{k<j} L_ik L_jk) / L_jj. */
static ga_status factorise(ga__block_run *run, int64_t n, double sigma, double *factor)
{
    for (int64_t i = 0; i < n; i++) {
        ga_status status = ga__check(run->context);
        if (status != GA_OK) {
            return status;
        }
        for (int64_t j = 0; j <= i; j++) {
            double distance = (double)(i - j), sum = exp(-distance * distance / (2 * sigma * sigma));
            for (int64_t k = 0; k < j; k++) {
                sum -= factor[i * n + k] * factor[j * n + k];
            }
            if (i == j && !(sum > 0)) {
                return ga__part_refuse(
                    &run->part, "sigma",
                    "a smaller one: pivot %lld of %lld is %g, the codes of neighbours are too "
                    "much alike",
                    (long long)i, (long long)n, sum);
            }
            factor[i * n + j] = i == j ? sqrt(sum) : sum / factor[j * n + j];
        }
    }
    return GA_OK;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    const ga__value *given = ga__part_value(&run->part, "dim");
    int64_t n = ga__block_integer(run, "positions"), shape[] = { n, given->given ? given->integer : n };
    double *factor = NULL;
    DLTensor *codes = NULL;
    if (shape[1] < n) {
        GA_TRY(ga__part_refuse(&run->part, "dim", "at least the %lld positions", (long long)n));
    }
    GA_TRY(GA_NEW_ZERO(run->context, n * n, &factor));
    GA_TRY(factorise(run, n, ga__block_real(run, "sigma"), factor));
    if (ga__block_wants(run, "codes")) {
        GA_TRY(ga__block_output_make(run, "codes", 2, shape, &codes));
        memset(codes->data, 0, (size_t)(shape[0] * shape[1]) * (codes->dtype.bits / 8));
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j <= i; j++) {
                ga__set_element(codes, i * shape[1] + j, factor[i * n + j]);
            }
        }
    }
done:
    ga_free(run->context, factor);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__block_object_code = {
    .name = "object-code",
    .summary = "unit-norm position codes with a Gaussian of the distance as cosine",
    .source = "OAT, 2407.13335",
    .plan = "Cholesky factor in double precision",
    .outputs = "codes",
    .parameters = parameters,
    .ops = &ops,
};
