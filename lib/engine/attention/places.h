/* places.h - what the files that check and dispatch attention share. */
#ifndef GA_LIB_ENGINE_ATTENTION_PLACES_H
#define GA_LIB_ENGINE_ATTENTION_PLACES_H

#include "lib/engine/attention/attention.h"

/* Checks the extra and ghost tensors and makes the copies of k and v that have a row for every place. */
ga_status ga__attention_pad(ga_context *context, ga__attention *a);
/* GA_INVALID unless every key has a label in 0 .. count - 1. */
ga_status ga__attention_check_classes(ga_context *context, const char *name, const ga__attention *a,
                                      const int32_t *classes, int64_t count);

/* GA_INVALID, naming the tensor, unless the members that are given have the type, shape and layout they
 * must have. */
ga_status ga__attention_check_result(ga_context *context, const ga__attention *a,
                                     const ga_attention_result *result);
ga_status ga__attention_check_gradients(ga_context *context, const ga__attention *a,
                                        const ga_attention_gradients *gradients);

#endif
