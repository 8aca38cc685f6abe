/* tile_device_lists.h - the blocks that the queries of a pattern see, listed for a device. */
#ifndef GA_LIB_ENGINE_TILE_DEVICE_LISTS_H
#define GA_LIB_ENGINE_TILE_DEVICE_LISTS_H

#include "lib/engine/device/traffic.h"
#include "lib/engine/tile_attention/tile_device.h"
#include "lib/engine/tile_attention/tiles.h"

/* ga__tile_lists on the host, growing. */
typedef struct ga__tile_listing {
    int64_t heads, blocks, count, masked;
    int64_t room, mask_room;
    int64_t *offsets;
    int32_t *place, *mask;
    uint64_t *masks;
} ga__tile_listing;

/* Lists a pattern; ga__tile_listing_free is due in any case. */
ga_status ga__tile_listing_make(ga_context *context, const ga_pattern *pattern, ga__tile_listing *listing);
void ga__tile_listing_free(ga_context *context, ga__tile_listing *listing);
/* Brings it to the device of a traffic. */
ga_status ga__tile_listing_in(ga__traffic *traffic, const ga__tile_listing *listing, ga__tile_lists *lists);

#endif
