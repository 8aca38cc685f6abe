/* lists_device.c - bringing the edges of a call to the device. */
#include "config.h"

#include "lib/engine/spmm/lists_device.h"

ga_status ga__lists_refuse(ga_context *context, const char *name, bool wide, int64_t heads, int64_t columns)
{
    if (wide) {
        return ga__device_refuse(context, name, "compute in f64");
    }
    return ga__max(heads, columns) > GA__EDGE_COLUMNS
               ? ga__device_refuse(context, name, "take rows of more than 1048576 columns")
               : GA_OK;
}

ga_status ga__lists_check(ga_context *context, const char *name, const uint32_t *ids, const int64_t *edge,
                          int64_t count, int64_t bound)
{
    uint64_t most = 0;
    for (int64_t i = 0; edge && i < count; i++) {
        most = (uint64_t)edge[i] > most ? (uint64_t)edge[i] : most;
    }
    if (edge && count > 0 && most >= (uint64_t)count) {
        return ga__fail(context, GA_INVALID, "%s: an edge is not among %lld", name, (long long)count);
    }
    return ga__ids_check(context, name, ids, count, bound);
}

ga_status ga__lists_in(ga__traffic *traffic, const ga__split *split, ga__edge_lists *lists)
{
    ga_status status = GA_OK;
    bool cut = split->hub_count > 0;
    int64_t count = lists->count;
    lists->pieces = cut ? split->count : 0;
    lists->hubs = split->hub_count;
    lists->slots = split->slots;
    GA_TRY(ga__traffic_in(traffic, lists->offsets, (lists->rows + 1) * (int64_t)sizeof *lists->offsets, false,
                          &lists->offsets));
    GA_TRY(ga__traffic_in(traffic, count > 0 ? lists->ids : NULL, count * (int64_t)sizeof *lists->ids, false,
                          &lists->ids));
    GA_TRY(ga__traffic_in(traffic, count > 0 ? lists->edge : NULL, count * (int64_t)sizeof *lists->edge,
                          false, &lists->edge));
    GA_TRY(ga__traffic_in(traffic, cut ? split->pieces : NULL, split->count * (int64_t)sizeof(ga__piece),
                          false, &lists->piece));
    GA_TRY(ga__traffic_in(traffic, cut ? split->hubs : NULL, split->hub_count * (int64_t)sizeof(ga__hub),
                          false, &lists->hub));
done:
    return status;
}
