/* dina.c - dilated neighbourhood attention, by default with the largest dilation (attention-static section 4). */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    GA__SHAPE("; default: one axis"),
    { "window", GA_PARAMETER_INT_LIST, "7", "1..L", "keys per axis", GA__FROM(1) },
    { "dilation", GA_PARAMETER_INT_LIST, "0", "0 = max(1, floor(L/w)); >= 1", "step between keys",
      GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "bias", "(H|1, 2w-1 per axis)", "cell (k-q)+w-1 in dilated steps", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

static ga_status make_axis(const ga__part *part, int64_t length, int64_t window, int64_t dilation,
                           ga_axis *axis)
{
    int64_t reach = 0;
    dilation = dilation > 0 ? dilation : ga__max(1, length / window);
    if (length > 0 && (!ga__mul(window, dilation, &reach) || reach > length)) {
        return ga__part_refuse(part, "window", "1 <= w, w*dilation <= L: %lld*%lld > %lld", (long long)window,
                               (long long)dilation, (long long)length);
    }
    axis->rule = GA_AXIS_NEIGHBOUR;
    axis->query_length = axis->key_length = length;
    axis->border = GA_BORDER_SHIFT;
    axis->window = window;
    axis->dilation = dilation;
    return GA_OK;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    int64_t shape[3], window[3], dilation[3];
    GA_TRY(ga__grid_shape(run, part, run->queries, &o.axes, shape));
    GA_TRY(ga__part_axes(part, "window", o.axes, window));
    GA_TRY(ga__part_axes(part, "dilation", o.axes, dilation));
    for (int i = 0; i < o.axes; i++) {
        GA_TRY(make_axis(part, shape[i], window[i], dilation[i], &o.axis[i]));
    }
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

const ga__pattern_entry ga__dina_row = { .name = "dina", .parameters = parameters, .make = make };

static const ga__variant_ops ops = { .pattern = &ga__dina_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = ga__bind_pattern_table };

const ga_variant ga__dina_variant = {
    .name = "dina",
    .summary = "dilated neighbourhood with the largest dilation by default: a preset of neighborhood",
    .source = "MedViTV2, 2502.13693 (DiNA 2209.15001)",
    .family = "static",
    .plan = "pattern: product of shifted, dilated intervals; score: scaled dot + relative table; normaliser: "
            "softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
