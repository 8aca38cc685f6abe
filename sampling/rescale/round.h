/* round.h - stage 1: whole numbers for the cells of the DCM. */
#ifndef GA_SAMPLING_ROUND_H
#define GA_SAMPLING_ROUND_H

#include "sampling/matrices.h"

/* Degrees beyond which edges are hard to place: no more than `out` nodes have many ends to offer to an
 * out-node. */
typedef struct ga__cut {
    int64_t out, in;
} ga__cut;

typedef struct ga__round_options {
    int64_t nodes; /* n' */
    double ratio;  /* r */
    ga_rounding rounding;
    bool steer;         /* towards r m edges on both sides */
    int64_t degree_cap; /* degrees above it will be clipped: masses are counted with min(degree, cap) */
    const ga__cut *cut; /* NULL, or laminar: as many edges as can be placed and few that cannot */
} ga__round_options;

/* D' for every cell of original->dcm, into entry (dcm.count). *l1 takes sum |D' - rD|, *rounds the solver's
 * pivots; either may be NULL. Laminar: every cell, row, prefix of rows, column and prefix of columns (with
 * labels: prefix within a label) within {floor, ceil} of r times the original's, least L1 (steered if asked,
 * else the best |delta| of 8 tie-breaks). Systematic: best |delta| of 8 offsets if steer, else one offset:
 * every node then has the same chance to the last bit. A whole ratio gives r D itself. */
ga_status ga__round_dcm(ga_context *context, const ga_matrices *original, const ga__round_options *options,
                        int64_t *entry, double *l1, int64_t *rounds);

#endif
