/* round.c - stage 1: whole numbers for the cells of the DCM. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "sampling/rescale/round_laminar.h"

/* Numbers of nodes and of edge ends in the result stay clear of 63 bits. */
static ga_status check_range(ga_context *context, const ga_matrices *original, double ratio)
{
    double nodes = 0, ends = 0;
    for (int64_t c = 0; c < original->dcm.count; c++) {
        double entry = (double)original->dcm.entry[c];
        nodes += entry;
        ends += entry * ((double)original->in.degree[original->dcm.row[c]] +
                         (double)original->out.degree[original->dcm.column[c]]);
    }
    /* The 1 and the cells' largest degree bound what rounding adds; a factor of two covers it. */
    if (!(fmax(ratio, 1) * fmax(nodes, ends) < 0x1p61)) {
        return ga__fail(context, GA_OVERFLOW, "rounding: %g times the degree matrix needs more than 61 bits",
                        ratio);
    }
    return GA_OK;
}

static double distance(const ga_matrices *original, double ratio, const int64_t *entry)
{
    double sum = 0;
    for (int64_t c = 0; c < original->dcm.count; c++) {
        ga__share share = ga__share_of(ratio, original->dcm.entry[c], false);
        sum += fabs((double)(entry[c] - share.low) - share.fraction);
    }
    return sum;
}

static void multiply(const ga_matrices *original, int64_t ratio, int64_t *entry)
{
    for (int64_t c = 0; c < original->dcm.count; c++) {
        entry[c] = original->dcm.entry[c] * ratio;
    }
}

ga_status ga__round_dcm(ga_context *context, const ga_matrices *original, const ga__round_options *options,
                        int64_t *entry, double *l1, int64_t *rounds)
{
    ga_status status = GA_OK;
    int64_t pivots = 0;
    GA_TRY(check_range(context, original, options->ratio));
    if (original->dcm.count == 0) {
        if (options->nodes != 0) {
            GA_TRY(ga__fail(context, GA_INFEASIBLE, "rounding: no nodes to take %lld nodes from",
                            (long long)options->nodes));
        }
    } else if (options->ratio == floor(options->ratio)) {
        multiply(original, (int64_t)options->ratio, entry);
    } else if (options->rounding == GA_ROUNDING_SYSTEMATIC) {
        GA_TRY(ga__round_systematic(context, original, options, entry));
    } else {
        GA_TRY(ga__round_laminar(context, original, options, entry, &pivots));
    }
    if (l1) {
        *l1 = distance(original, options->ratio, entry);
    }
    if (rounds) {
        *rounds = pivots;
    }
done:
    return status;
}
