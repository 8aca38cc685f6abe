/* top_k_device.c - the largest of rows on the context's device. */
#include "config.h"

#include "lib/engine/device/traffic.h"
#include "lib/engine/top_k/top_k.h"
#include "lib/engine/top_k/top_k_device.h"

ga_status ga__top_k_on_device(ga_context *context, const ga__top_k_call *c)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    ga__top_k_launch_args args = { .batch = c->x.batch,
                                   .heads = c->x.heads,
                                   .rows = c->x.rows,
                                   .columns = c->x.columns,
                                   .k = c->k,
                                   .count_stride_batch = c->count.stride_head,
                                   .count_stride_head = c->count.stride_row,
                                   .values_type = (int)c->values.type };
    if (c->x.type == GA__F64 || (c->values.data && c->values.type == GA__F64)) {
        return ga__device_refuse(context, "top-k", "compute in f64");
    }
    int64_t rows = args.batch * args.heads * args.rows; /* fits: the view has been checked */
    if (rows == 0) {
        return GA_OK;
    }
    if (rows > INT32_MAX) {
        return ga__fail(context, GA_LIMIT, "top-k: too many rows for a device");
    }
    if ((status = ga__traffic_open(context, "top-k", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__traffic_in_matrix(&traffic, &c->x, &args.x));
    GA_TRY(ga__traffic_in_view(&traffic, &c->count, &args.count));
    GA_TRY(ga__traffic_out_view(&traffic, &c->indices, &args.indices));
    GA_TRY(ga__traffic_out_view(&traffic, &c->values, &args.values));
    GA_TRY(ga__traffic_check(&traffic, traffic.table->top_k(&args, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}
