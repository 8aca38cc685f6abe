/* feedback.h - where the law of a walk depends on itself: the nodes with links into and out of them.
 *
 * The share of a node without links into it is known, and one without links out of it has none: neither is iterated on.
 */
#ifndef GA_SAMPLING_CLASSICAL_FEEDBACK_H
#define GA_SAMPLING_CLASSICAL_FEEDBACK_H

#include "sampling/classical/power.h"

/* share[i] = scale[i] * (sum of share[j] over the sources j of row i) + fixed[i], for rows 0 .. rows - 1. */
typedef struct ga__feedback {
    int64_t rows;
    uint32_t *node; /* of the row, in the numbers of the links */
    int64_t *offsets;
    uint32_t *sources;
    double *scale, *fixed;
} ga__feedback;

/* The start distribution at a node. */
double ga__start_of(const ga__links *links, int64_t v);
/* To be freed also after a failure. */
ga_status ga__feedback_find(ga_context *context, const ga__links *links, double follow, ga__feedback *f);
void ga__feedback_free(ga_context *context, ga__feedback *f);

#endif
