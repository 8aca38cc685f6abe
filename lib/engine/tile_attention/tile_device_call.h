/* tile_device_call.h - attention by tiles on the context's device. */
#ifndef GA_LIB_ENGINE_TILE_DEVICE_CALL_H
#define GA_LIB_ENGINE_TILE_DEVICE_CALL_H

#include "lib/engine/attention/attention.h"
#include "lib/engine/tile_attention/tile_device_lists.h"
#include "lib/engine/tile_attention/tile_terms.h"

/* A problem on its way to the device. */
typedef struct ga__tile_call {
    ga_context *context;
    const ga__attention *a;
    ga__view o, lse;
    ga__tile_listing listing;
    ga__tile_packed_terms terms;
    float *shift, *factor, *eta, *head_scale, *slopes, *table; /* owned */
} ga__tile_call;

/* Numbers by row and by head, and the lists of blocks. ga__tile_call_release is due in any case. */
ga_status ga__tile_call_prepare(ga__tile_call *call);
void ga__tile_call_release(ga__tile_call *call);
/* Sizes and constants of a launch; then what it reads. */
ga__tile_forward_launch_args ga__tile_call_args(const ga__tile_call *call);
ga_status ga__tile_call_bring(const ga__tile_call *call, ga__traffic *traffic,
                              ga__tile_forward_launch_args *args);

/* The forward pass; what the device cannot do is GA_UNSUPPORTED. */
ga_status ga__tiles_forward_on_device(ga_context *context, const ga__attention *a,
                                      const ga_attention_result *result);

/* The backward pass, likewise. */
ga_status ga__tiles_backward_on_device(ga_context *context, const ga__attention *a,
                                       const ga_attention_gradients *gradients);

#endif
