/* gather_device.c - gathered rows on the context's device. */
#include "config.h"

#include "lib/engine/spmm/gather_device.h"
#include "lib/engine/spmm/lists_device.h"

static ga_status bring_inputs(ga__traffic *t, const ga__gather *g, ga__gather_launch_args *args)
{
    ga_status status = GA_OK;
    int64_t columns = g->heads * g->width, x_size = ga__type_size(g->x_type);
    int64_t x_bytes = g->x_rows > 0 ? ((g->x_rows - 1) * g->x_stride + columns) * x_size : 0;
    int64_t w_size = g->weights ? ga__type_size(g->weights_type) : 0;
    int64_t w_bytes = g->count > 0 ? ((g->count - 1) * g->weight_stride + g->heads) * w_size : 0;
    GA_TRY(ga__traffic_in(t, g->x, x_bytes, g->x_on_device, &args->x));
    GA_TRY(ga__traffic_in(t, g->weights, w_bytes, g->weights_on_device, &args->weights));
    GA_TRY(
        ga__traffic_in(t, g->degrees, (g->x_rows + 1) * (int64_t)sizeof *g->degrees, false, &args->degrees));
    GA_TRY(ga__traffic_in(t, g->chosen, g->x_rows * columns * (int64_t)sizeof *g->chosen, g->chosen_on_device,
                          &args->chosen));
done:
    return status;
}

static ga_status bring_outputs(ga__traffic *t, const ga__gather *g, ga__gather_launch_args *args)
{
    ga_status status = GA_OK;
    int64_t columns = g->heads * g->width, elements = g->rows * columns, slots = 0;
    if (!ga__mul(args->lists.slots, columns, &slots) || !ga__mul(slots, (int64_t)sizeof(int64_t), &slots)) {
        return ga__fail(t->context, GA_OVERFLOW, "%s: too many columns", t->what);
    }
    GA_TRY(ga__traffic_out(t, g->y, elements * (int64_t)sizeof(float), g->y_on_device, &args->y));
    GA_TRY(ga__traffic_out(t, g->argmax, elements * (int64_t)sizeof(int64_t), g->argmax_on_device,
                           &args->argmax));
    if (slots > 0) {
        GA_TRY(ga__traffic_scratch(t, slots / 2, &args->slot_y));
    }
    if (slots > 0 && g->max) {
        GA_TRY(ga__traffic_scratch(t, slots, &args->slot_edge));
    }
done:
    return status;
}

ga_status ga__gather_on_device(ga_context *context, const char *name, const ga__gather *g,
                               const ga__split *split)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    ga__gather_launch_args args = {
        .lists = { .rows = g->rows,
                   .count = g->count,
                   .offsets = g->offsets,
                   .ids = g->ids,
                   .edge = g->edge },
        .heads = g->heads,
        .width = g->width,
        .x_type = (int)g->x_type,
        .x_stride = g->x_stride,
        .weights_wide = g->weights_type == GA__F64,
        .weight_stride = g->weight_stride,
        .mean = g->mean,
        .max = g->max,
    };
    status = ga__lists_refuse(context, "spmm", g->x_type == GA__F64, g->heads, g->heads * g->width);
    if (status != GA_OK || g->rows == 0) {
        return status;
    }
    if ((status = ga__lists_check(context, name, g->ids, g->edge, g->count, g->x_rows)) != GA_OK ||
        (status = ga__traffic_open(context, "spmm", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__lists_in(&traffic, split, &args.lists));
    GA_TRY(bring_inputs(&traffic, g, &args));
    GA_TRY(bring_outputs(&traffic, g, &args));
    GA_TRY(ga__traffic_check(&traffic, traffic.table->gather(&args, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}
