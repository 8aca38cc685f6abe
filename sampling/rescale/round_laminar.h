/* round_laminar.h - the network of laminar rounding. */
#ifndef GA_SAMPLING_ROUND_LAMINAR_H
#define GA_SAMPLING_ROUND_LAMINAR_H

#include "sampling/flow/simplex.h"
#include "sampling/rescale/round.h"

/* ratio times a count: the whole number below, and what is beyond it, in [0, 1). A product that misses a whole number
 * by no more than the error of `ratio` itself is that number, unless exact is asked for. */
typedef struct ga__share {
    int64_t low;
    double fraction;
} ga__share;
ga__share ga__share_of(double ratio, int64_t count, bool exact);

/* Chains of prefixes on both sides, with the intervals' lower ends shifted away, so that every arc takes 0 or 1:
 *
 *   n' -> P[rows-1] -> .. -> P[1] -> P[0]        P[i] -> row[i]        row -> column, one arc for every cell that is
 *                                                                      not whole; mirrored on the other side.
 *
 * Of labelled matrices the rows and columns are the classes in their order by (degree, label). The in side has one chain
 * through all of them, so the prefixes of the in-degrees keep their bounds. The out side has a chain for every label:
 * the nodes of every label, and those of a label and an out-degree up to any limit, are within 1 of their share. (A third
 * family of sets, for the prefixes of the out-degrees, would cost the whole numbers: they are off by less than the number
 * of labels.) */
typedef struct ga__laminar {
    ga_context *context;
    const ga_matrices *original;
    const ga__round_options *options;
    bool exact;
    int64_t cell_arcs;    /* the first arcs of the network */
    int64_t *cell_of;     /* cell_arcs: index into the DCM's cells */
    double *cost;         /* cell_arcs: what rounding up adds to the L1 distance, 1 - 2 fraction */
    int32_t *tail, *head; /* with room for two helping arcs a node */
    int64_t *capacity, *flow, *slope, *first;
    int64_t *excess; /* by node */
    int64_t *low;    /* by cell of the DCM */
    ga__network network;
    ga__costs costs;
    ga__simplex simplex;
} ga__laminar;

/* Builds the network and a feasible flow for it. GA_INFEASIBLE can only come from errors of rounding: with exact
 * shares there always is one. */
ga_status ga__laminar_build(ga__laminar *l);
void ga__laminar_free(ga__laminar *l);

ga_status ga__round_laminar(ga_context *context, const ga_matrices *original,
                            const ga__round_options *options, int64_t *entry, int64_t *rounds);
ga_status ga__round_systematic(ga_context *context, const ga_matrices *original,
                               const ga__round_options *options, int64_t *entry);

/* Sums of min(degree, cap) over the nodes of a rounding, in and out. */
typedef struct ga__mass {
    int64_t in, out;
} ga__mass;
ga__mass ga__mass_of(const ga_matrices *original, int64_t cap, const int64_t *entry);

#endif
