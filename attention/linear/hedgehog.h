/* hedgehog.h - what the files of hedgehog share. */
#ifndef GA_ATTENTION_HEDGEHOG_H
#define GA_ATTENTION_HEDGEHOG_H

#include "attention/linear/rows.h"

/* Gradients of the map of a step, the first (q) or the second (k) before the engine, from those of its features. Either
 * may be NULL. d_weight (heads, d, f), d_bias (heads, f). */
ga_status ga__hedgehog_weights_back(ga__job *run, const ga__step *step, const DLTensor *d_features,
                                    const DLTensor *d_weight, const DLTensor *d_bias);

/* The outputs distill, and distill_NAME: its gradient with respect to w_q, w_k, b_q, b_k. */
ga_status ga__hedgehog_distill(ga__job *run, const char *name, DLTensor **out);

#endif
