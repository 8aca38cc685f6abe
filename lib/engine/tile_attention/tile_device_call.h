/* tile_device_call.h - attention by tiles on the context's device. */
#ifndef GA_LIB_ENGINE_TILE_DEVICE_CALL_H
#define GA_LIB_ENGINE_TILE_DEVICE_CALL_H

#include "lib/engine/attention/attention.h"

/* The forward pass; what the device cannot do is GA_UNSUPPORTED. */
ga_status ga__tiles_forward_on_device(ga_context *context, const ga__attention *a,
                                      const ga_attention_result *result);

#endif
