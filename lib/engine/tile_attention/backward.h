/* backward.h - gradients of attention by tiles. */
#ifndef GA_LIB_ENGINE_TILE_BACKWARD_H
#define GA_LIB_ENGINE_TILE_BACKWARD_H

#include "lib/engine/attention/attention.h"

/* As in ga__family_ops: NULL, or what this problem asks for that tiles do not have. */
const char *ga__tiles_can_backward(const ga__attention *a, const ga_attention_gradients *gradients);
ga_status ga__tiles_backward(ga_context *context, const ga__attention *a,
                             const ga_attention_gradients *gradients);

#endif
