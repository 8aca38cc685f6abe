/* spmm.c - ga_spmm: the arguments, and the gather that they mean. */
#include "config.h"

#include "lib/engine/spmm/spmm.h"

typedef struct inputs {
    ga__view weights, x, y, argmax;
} inputs;

static ga_status read_inputs(ga_context *context, const ga_edges *edges, const DLTensor *weights,
                             const DLTensor *x, ga_reduce reduce, const DLTensor *y, const DLTensor *argmax,
                             inputs *in)
{
    ga_status status = GA_OK;
    GA_TRY(ga__edges_check(context, edges));
    if (reduce != GA_SUM && reduce != GA_MEAN && reduce != GA_MAX) {
        status = ga__fail(context, GA_INVALID, "reduce: sum, mean or max expected, not %d", (int)reduce);
        goto done;
    }
    if (argmax && reduce != GA_MAX) {
        status = ga__fail(context, GA_INVALID, "argmax: there is none of a sum or a mean");
        goto done;
    }
    GA_TRY(ga__edge_values(context, "weights", weights, edges->count, 1, &in->weights));
    GA_TRY(ga__view_anywhere(context, "x", x, true, &in->x));
    GA_TRY(ga__view_expect(context, "x", &in->x, 1, 1, edges->sources_count, -1));
    GA_TRY(ga__view_anywhere(context, "y", y, true, &in->y));
    GA_TRY(ga__view_expect(context, "y", &in->y, 1, 1, edges->targets, in->x.columns));
    ga__type type = in->x.type == GA__F64 ? GA__F64 : GA__F32;
    GA_TRY(ga__view_output(context, "y", &in->y, type, type));
    GA_TRY(ga__view_anywhere(context, "argmax", argmax, false, &in->argmax));
    if (argmax) {
        GA_TRY(ga__view_expect(context, "argmax", &in->argmax, 1, 1, edges->targets, in->x.columns));
        GA_TRY(ga__view_output(context, "argmax", &in->argmax, GA__I64, GA__I64));
    }
done:
    return status;
}

ga_status ga_spmm(ga_context *context, const ga_edges *edges, const DLTensor *weights, const DLTensor *x,
                  ga_reduce reduce, DLTensor *y, DLTensor *argmax)
{
    ga_status status = GA_OK;
    inputs in;
    ga__begin(context);
    GA_TRY(read_inputs(context, edges, weights, x, reduce, y, argmax, &in));
    ga__gather gather = {
        .rows = edges->targets,
        .count = edges->count,
        .offsets = edges->offsets,
        .ids = edges->sources,
        .heads = 1,
        .width = in.x.columns,
        .x = in.x.data,
        .x_rows = in.x.rows,
        .x_type = in.x.type,
        .x_stride = in.x.stride_row,
        .weights = in.weights.data,
        .weights_type = in.weights.type,
        .weight_stride = in.weights.stride_row,
        .mean = reduce == GA_MEAN,
        .max = reduce == GA_MAX,
        .y = in.y.data,
        .argmax = in.argmax.data,
        .x_on_device = in.x.on_device,
        .weights_on_device = in.weights.on_device,
        .y_on_device = in.y.on_device,
        .argmax_on_device = in.argmax.on_device,
    };
    status = ga__gather_run(context, "edges", &gather);
done:
    return status;
}
