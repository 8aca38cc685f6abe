/* lists_device.h - bringing the edges of a call to the device. */
#ifndef GA_LIB_ENGINE_SPMM_LISTS_DEVICE_H
#define GA_LIB_ENGINE_SPMM_LISTS_DEVICE_H

#include "lib/engine/device/traffic.h"
#include "lib/engine/spmm/lists.h"
#include "lib/engine/spmm/spmm.h"

/* Refuses numbers that no kernel over edges takes: f64, too many columns. */
ga_status ga__lists_refuse(ga_context *context, const char *name, bool wide, int64_t heads, int64_t columns);
/* GA_INVALID unless ids are below bound and edge, if there, below count: a wrong one would break the device for good. */
ga_status ga__lists_check(ga_context *context, const char *name, const uint32_t *ids, const int64_t *edge,
                          int64_t count, int64_t bound);
/* lists: rows, count, offsets, ids and edge on the host, with the split of their rows; becomes those on the device. */
ga_status ga__lists_in(ga__traffic *traffic, const ga__split *split, ga__edge_lists *lists);

#endif
