/* degree_pair.h - the degree matrices of two graphs over the degrees that occur in either, and how far apart they are. */
#ifndef GA_SAMPLING_COMPARE_DEGREE_PAIR_H
#define GA_SAMPLING_COMPARE_DEGREE_PAIR_H

#include "sampling/rescale/tally.h"

/* One of the two: its matrices and class sizes by ranks of degrees, labels summed up. */
typedef struct ga__degree_side {
    int64_t nodes, edges;
    ga__tally jdm, dcm;
    int64_t *out_size, *in_size;
} ga__degree_side;

typedef struct ga__degree_pair {
    int64_t outs, ins;
    int64_t *out_degree, *in_degree; /* ascending */
    ga__degree_side before, after;
} ga__degree_pair;

/* On failure, too, ga__degree_pair_clear is due. */
ga_status ga__degree_pair_open(ga_context *context, const ga_matrices *before, const ga_matrices *after,
                               ga__degree_pair *pair);
void ga__degree_pair_clear(ga_context *context, ga__degree_pair *pair);

/* KS: largest difference of the cumulative shares of nodes; TV: half the sum of differences of shares, of edges (jdd) or
 * nodes (dcd); L1: sum of |after - ratio before| of counts. */
typedef struct ga__degree_distances {
    double ks_in, ks_out, ks_total, jdd_tv, jdd_tv_log2, dcd_tv, dcd_tv_log2, jdm_l1, dcm_l1;
} ga__degree_distances;
ga_status ga__degree_distances_of(ga_context *context, const ga__degree_pair *pair, double ratio,
                                  ga__degree_distances *distances);

#endif
