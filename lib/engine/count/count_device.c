/* count_device.c - counts over edges on the context's device. */
#include "config.h"

#include "lib/engine/count/count_call.h"
#include "lib/engine/count/count_device.h"
#include "lib/engine/device/traffic.h"

ga_status ga__device_edges_bring(ga_context *context, int64_t rows, const int64_t *offsets,
                                 const uint32_t *targets, ga__device_edges *edges)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    ga__device_edges made = { ga__device_id(context), rows, offsets[rows], NULL, NULL };
    if ((status = ga__traffic_open(context, "graph", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__traffic_keep(&traffic, offsets, (rows + 1) * (int64_t)sizeof *offsets, &made.offsets));
    GA_TRY(ga__traffic_keep(&traffic, targets, made.count * (int64_t)sizeof *targets, &made.targets));
    /* the caller may free what is being copied */
    GA_TRY(ga__traffic_check(&traffic, traffic.table->synchronise(traffic.stream)));
    *edges = made;
    made = (ga__device_edges){ 0 };
done:
    status = ga__traffic_close(&traffic, status);
    ga__device_edges_free(context, &made);
    return status;
}

void ga__device_edges_free(ga_context *context, ga__device_edges *edges)
{
    if (edges->device) {
        ga__device_free(context, edges->device, (void *)(uintptr_t)edges->offsets);
        ga__device_free(context, edges->device, (void *)(uintptr_t)edges->targets);
    }
    *edges = (ga__device_edges){ 0 };
}

ga_status ga__count_targets(ga_context *context, const ga__device_edges *edges, uint32_t *degrees)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    ga__count_targets_launch_args args = { .edges = edges->count, .targets = edges->targets };
    int64_t bytes = edges->rows * (int64_t)sizeof *degrees;
    if ((status = ga__traffic_open(context, "degrees", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__traffic_out(&traffic, degrees, bytes, false, &args.degrees));
    GA_TRY(ga__traffic_clear(&traffic, args.degrees, bytes));
    if (edges->count > 0) {
        GA_TRY(ga__traffic_check(&traffic, traffic.table->count_targets(&args, traffic.stream)));
    }
done:
    return ga__traffic_close(&traffic, status);
}

ga_status ga__count_pairs(ga_context *context, const ga__device_edges *edges, const ga__pair_counts *pairs)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    int64_t bytes = 0, nodes = edges->rows * (int64_t)sizeof *pairs->row_class;
    ga__count_pairs_launch_args args = {
        .rows = edges->rows,
        .edges = edges->count,
        .offsets = edges->offsets,
        .targets = edges->targets,
        .first = pairs->first,
        .classes = pairs->classes,
        .columns = pairs->columns,
        .wide = pairs->wide,
    };
    if (!ga__mul(pairs->classes, pairs->columns, &bytes) || !ga__mul(bytes, pairs->wide ? 8 : 4, &bytes)) {
        return ga__fail(context, GA_OVERFLOW, "jdm: too many classes");
    }
    if ((status = ga__traffic_open(context, "jdm", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__traffic_in(&traffic, pairs->row_class, nodes, false, &args.row_class));
    GA_TRY(ga__traffic_in(&traffic, pairs->column_class, nodes, false, &args.column_class));
    GA_TRY(ga__traffic_out(&traffic, pairs->counts, bytes, false, &args.counts));
    GA_TRY(ga__traffic_clear(&traffic, args.counts, bytes));
    if (edges->count > 0) {
        GA_TRY(ga__traffic_check(&traffic, traffic.table->count_pairs(&args, traffic.stream)));
    }
done:
    return ga__traffic_close(&traffic, status);
}
