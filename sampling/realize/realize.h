/* realize.h - the closed-form construction inside: what sample needs beyond ga_realize. */
#ifndef GA_SAMPLING_REALIZE_H
#define GA_SAMPLING_REALIZE_H

#include "sampling/matrices.h"

/* Builds the graph with J = matrices->jdm on nodes whose classes are given (they must agree with matrices->dcm; the
 * matrices must satisfy C0-C2, see ga_matrices_check). Simple unless loops or multi say keep. Nodes 0 .. nodes-1 in
 * the order given. Deterministic for the context's seed whatever the thread count. Returns owned. */
ga_status ga__construct(ga_context *context, const ga_matrices *matrices, int64_t nodes,
                        const int32_t *out_class, const int32_t *in_class, ga_loops loops, ga_multi multi,
                        ga_graph **graph);

#endif
