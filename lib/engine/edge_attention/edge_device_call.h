/* edge_device_call.h - message passing on a device: bringing a problem there, for both directions. */
#ifndef GA_LIB_ENGINE_EDGE_DEVICE_CALL_H
#define GA_LIB_ENGINE_EDGE_DEVICE_CALL_H

#include "lib/engine/edge_attention/edge_call.h"
#include "lib/engine/edge_attention/edge_device.h"
#include "lib/engine/spmm/lists_device.h"

/* Lists, formula and rows of the problem into args, whose outputs stay NULL; scratch for hubs. */
ga_status ga__edge_bring(ga__edge_call *c, ga__traffic *traffic, const ga__split *split,
                         ga__edge_forward_launch_args *args);
/* Small inputs, contiguous and f32 on the device; name stands in what is refused. NULL for none. */
ga_status ga__edge_bring_flat(ga__edge_call *c, ga__traffic *traffic, const char *name, const ga__view *view,
                              const float **out);
ga_status ga__edge_bring_rows(ga__traffic *traffic, const ga__view *view, ga__edge_rows_on_device *rows);
/* Undefined floats, (rows, columns) of them. */
ga_status ga__edge_room(ga__traffic *traffic, int64_t rows, int64_t columns, float **out);

#endif
