/* neighborhood.c - neighbourhood attention on a grid, 1-D to 3-D (attention-static section 3). */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    { "shape", GA_PARAMETER_INT_LIST, NULL, "1..3 axes, each >= 1",
      "grid of the tokens, its product their number; default: one axis", GA__FROM(1) },
    { "window", GA_PARAMETER_INT_LIST, NULL, "1 <= w, w*dilation <= L", "keys per axis", .required = true,
      GA__FROM(1) },
    { "stride", GA_PARAMETER_INT_LIST, "1", "1..window", "queries that share a window", GA__FROM(1) },
    { "dilation", GA_PARAMETER_INT_LIST, "1", ">= 1", "step between keys", GA__FROM(1) },
    { "causal_axes", GA_PARAMETER_INT_LIST, "0", "0 or 1 an axis", "axes that are causal; --causal sets all",
      GA__WITHIN(0, 1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "bias", "(H|1, 2w-1 per axis)", "cell (k-q)+w-1 in dilated steps", .optional = true,
      .differentiable = true },
    { "k_extra", "(B, H_kv, E, D)", "keys seen by all; with v_extra", .optional = true,
      .differentiable = true },
    { "v_extra", "(B, H_kv, E, Dv)", "their values; with k_extra", .optional = true, .differentiable = true },
    { .name = NULL },
};

ga_status ga__grid_shape(ga__job *run, const ga__part *part, int64_t tokens, int *axes, int64_t shape[3])
{
    const ga__value *value = ga__part_value(part, "shape");
    int64_t product = 1;
    *axes = 1;
    shape[0] = tokens;
    if (!value->given) {
        return GA_OK;
    }
    if (value->count > 3) {
        return ga__part_refuse(part, "shape", "1 to 3 axes");
    }
    *axes = (int)value->count;
    for (int i = 0; i < *axes; i++) {
        shape[i] = value->list[i];
        if (!ga__mul(product, shape[i], &product)) {
            return ga__fail(run->context, GA_OVERFLOW, "%s%s: the product of shape does not fit", part->kind,
                            part->name);
        }
    }
    if (product != tokens) {
        return ga__fail(run->context, GA_INVALID, "%s%s: shape has %lld tokens, input has %lld", part->kind,
                        part->name, (long long)product, (long long)tokens);
    }
    return GA_OK;
}

static ga_status make_axis(const ga__part *part, bool causal, int64_t length, ga_axis *axis)
{
    int64_t reach = 0;
    axis->rule = GA_AXIS_NEIGHBOUR;
    axis->query_length = axis->key_length = length;
    axis->border = GA_BORDER_SHIFT;
    axis->causal = causal;
    if (length > 0 && (!ga__mul(axis->window, axis->dilation, &reach) || reach > length)) {
        return ga__part_refuse(part, "window", "1 <= w, w*dilation <= L: %lld*%lld > %lld",
                               (long long)axis->window, (long long)axis->dilation, (long long)length);
    }
    if (axis->stride > axis->window) {
        return ga__part_refuse(part, "stride", "1..window: %lld > %lld", (long long)axis->stride,
                               (long long)axis->window);
    }
    return GA_OK;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    int64_t shape[3], window[3], stride[3], dilation[3], causal[3];
    GA_TRY(ga__grid_shape(run, part, run->queries, &o.axes, shape));
    GA_TRY(ga__part_axes(part, "window", o.axes, window));
    GA_TRY(ga__part_axes(part, "stride", o.axes, stride));
    GA_TRY(ga__part_axes(part, "dilation", o.axes, dilation));
    GA_TRY(ga__part_axes(part, "causal_axes", o.axes, causal));
    for (int i = 0; i < o.axes; i++) {
        o.axis[i].window = window[i];
        o.axis[i].stride = stride[i];
        o.axis[i].dilation = dilation[i];
        GA_TRY(make_axis(part, run->causal || causal[i], shape[i], &o.axis[i]));
    }
    int extra = part == &run->own ? ga__slot_find(run, "k_extra") : -1;
    if (extra >= 0) {
        const DLTensor *k = run->slots[extra].given;
        o.extra = k->ndim < 2 ? 1 : k->shape[k->ndim - 2];
    }
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

const ga__pattern_entry ga__neighborhood_row = {
    .name = "neighborhood", .parameters = parameters, .can = GA_CAN_CAUSAL, .make = make
};

static ga_status bind_table(ga__job *run)
{
    ga_status status = GA_OK;
    int64_t shape[3], window[3], dims[4] = { run->heads };
    int axes = 1;
    GA_TRY(ga__grid_shape(run, &run->own, run->queries, &axes, shape));
    GA_TRY(ga__part_axes(&run->own, "window", axes, window));
    for (int i = 0; i < axes; i++) {
        dims[i + 1] = 2 * window[i] - 1;
    }
    status = ga__bind(run, GA__TABLE, "bias", true, axes + 1, dims);
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    int k = ga__slot_find(run, "k_extra"), v = ga__slot_find(run, "v_extra");
    GA_TRY(bind_table(run));
    if ((k < 0) != (v < 0)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "neighborhood needs both k_extra and v_extra, or none"));
    }
    if (k >= 0) {
        const DLTensor *extra = run->slots[k].given;
        int64_t count = extra->ndim < 2 ? 1 : extra->shape[extra->ndim - 2];
        GA_TRY(ga__bind(run, GA__K_EXTRA, "k_extra", false, 4,
                        (const int64_t[]){ run->batch, run->kv_heads, count, run->dim }));
        GA_TRY(ga__bind(run, GA__V_EXTRA, "v_extra", false, 4,
                        (const int64_t[]){ run->batch, run->kv_heads, count, run->dim_v }));
    }
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__neighborhood_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan };

const ga_variant ga__neighborhood_variant = {
    .name = "neighborhood",
    .summary = "neighbourhood attention, 1-D to 3-D, with stride, dilation, causal axes",
    .source = "NA 2204.07143, DiNA 2209.15001, FNA 2403.04690, GNA 2504.16922",
    .family = "static",
    .plan =
        "pattern: product of shifted intervals; score: scaled dot + relative table; normaliser: softmax over the "
        "window and the extra keys",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
