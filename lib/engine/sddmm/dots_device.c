/* dots_device.c - dots of rows along edges on the context's device. */
#include "config.h"

#include "lib/engine/sddmm/dots_device.h"
#include "lib/engine/sddmm/sddmm.h"
#include "lib/engine/spmm/lists_device.h"

ga_status ga__dots_on_device(ga_context *context, const ga__dots *dots, const ga__split *split)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    const ga_edges *edges = dots->edges;
    ga__dots_launch_args args = {
        .lists = { .rows = edges->targets,
                   .count = edges->count,
                   .offsets = edges->offsets,
                   .ids = edges->sources },
        .heads = dots->heads,
        .width = dots->width,
        .a_type = (int)dots->a->type,
        .b_type = (int)dots->b->type,
        .a_stride = dots->a->stride_row,
        .b_stride = dots->b->stride_row,
        .mean = dots->mean,
        .s_wide = dots->s->type == GA__F64,
    };
    status =
        ga__lists_refuse(context, "sddmm", dots->a->type == GA__F64, dots->heads, dots->heads * dots->width);
    if (status != GA_OK || edges->count == 0) {
        return status;
    }
    if ((status = ga__lists_check(context, "edges", edges->sources, NULL, edges->count,
                                  edges->sources_count)) != GA_OK ||
        (status = ga__traffic_open(context, "sddmm", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__lists_in(&traffic, split, &args.lists));
    GA_TRY(ga__traffic_in_view(&traffic, dots->a, &args.a));
    GA_TRY(ga__traffic_in_view(&traffic, dots->b, &args.b));
    if (dots->chosen) {
        GA_TRY(ga__traffic_in_view(&traffic, dots->chosen, &args.chosen));
    }
    GA_TRY(ga__traffic_out_view(&traffic, dots->s, &args.s));
    GA_TRY(ga__traffic_check(&traffic, traffic.table->dots(&args, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}
