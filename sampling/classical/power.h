/* power.h - PageRank by power iteration. */
#ifndef GA_SAMPLING_CLASSICAL_POWER_H
#define GA_SAMPLING_CLASSICAL_POWER_H

#include "lib/base/base.h"

/* Borrowed. The links into node v come from sources[offsets[v]] .. sources[offsets[v + 1] - 1]. */
typedef struct ga__links {
    int64_t nodes;
    const int64_t *offsets;
    const uint32_t *sources;
    const uint32_t *degree; /* links that leave a node */
    const double *start;    /* sums to 1; NULL = uniform */
} ga__links;

/* A walk that follows a link with probability `follow` < 1 and else, or where there is none, goes to a start node: its
 * stationary law to `tolerance` in L1 (sum 1). rank has room for all nodes. */
ga_status ga__power(ga_context *context, const ga__links *links, double follow, double tolerance,
                    double *rank);

#endif
