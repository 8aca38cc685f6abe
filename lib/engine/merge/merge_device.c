/* merge_device.c - partial results joined on the context's device. */
#include "config.h"

#include "lib/engine/device/traffic.h"
#include "lib/engine/merge/merge.h"
#include "lib/engine/merge/merge_device.h"

static ga_status bring(ga__traffic *t, const ga__merge_call *c, ga__merge_launch_args *args)
{
    ga_status status = GA_OK;
    for (int i = 0; i < (c->pair ? 2 : 1); i++) {
        const ga__view *lse = &c->lse[i];
        GA_TRY(ga__traffic_in_matrix(t, &c->o[i], &args->side[i].o));
        GA_TRY(ga__traffic_in_matrix(t, lse, &args->side[i].lse));
        args->side[i].lse.stride_batch = c->pair ? lse->stride_head : 0;
        args->side[i].lse.stride_head = c->pair ? lse->stride_row : 0;
    }
    GA_TRY(ga__traffic_out_view(t, &c->to_o, &args->o));
    GA_TRY(ga__traffic_out_view(t, &c->to_lse, &args->lse));
done:
    return status;
}

ga_status ga__merge_on_device(ga_context *context, const ga__merge_call *c)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    const ga__view *o = &c->o[0];
    ga__merge_launch_args args = { .batch = c->pair ? o->batch : 1,
                                   .heads = c->pair ? o->heads : 1,
                                   .rows = o->rows,
                                   .columns = o->columns,
                                   .parts = c->pair ? 2 : o->heads,
                                   .next_o = o->stride_head,
                                   .next_lse = o->rows,
                                   .pair = c->pair,
                                   .o_type = (int)c->to_o.type };
    if (c->to_lse.data && c->to_lse.type != GA__F32) {
        return ga__device_refuse(context, "merge", "give an lse but in f32");
    }
    const ga__view *all[] = { &c->o[0], &c->o[1], &c->lse[0], &c->lse[1], &c->to_o, &c->to_lse };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i]->data && all[i]->type == GA__F64) {
            return ga__device_refuse(context, "merge", "compute in f64");
        }
    }
    int64_t rows = args.batch * args.heads * args.rows; /* fits: the views have been checked */
    if (rows == 0) {
        return GA_OK;
    }
    if (rows / 8 >= INT32_MAX) {
        return ga__fail(context, GA_LIMIT, "merge: too many rows for a device");
    }
    if ((status = ga__traffic_open(context, "merge", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(bring(&traffic, c, &args));
    GA_TRY(ga__traffic_check(&traffic, traffic.table->merge(&args, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}
