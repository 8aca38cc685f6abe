/* window.c - a sliding window with leading keys that everyone sees (attention-static section 2).
 *
 * With p = i + Nk - Nq, key j is visible when p - left <= j <= p + right or j < sinks, and when causal j <= p. */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    { "window", GA_PARAMETER_INT, "0", "0 = use left and right; >= 1", "keys of an interior row",
      GA__FROM(0) },
    { "left", GA_PARAMETER_INT, "-1", "-1 = unlimited; >= 0", "keys before the query's position",
      GA__FROM(-1) },
    { "right", GA_PARAMETER_INT, "-1", "-1 = unlimited; >= 0", "keys after it", GA__FROM(-1) },
    { "sinks", GA_PARAMETER_INT, "0", "0..Nk", "leading keys that everyone sees", GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "bias", "(H|1, left+right+1)", "cell j - p + left; needs finite sides", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

/* -1 = unlimited. */
static void sides(const ga__job *run, const ga__part *part, int64_t *left, int64_t *right)
{
    int64_t window = ga__part_value(part, "window")->integer;
    *left = ga__part_value(part, "left")->integer;
    *right = ga__part_value(part, "right")->integer;
    if (window > 0) {
        *left = run->causal ? window - 1 : window / 2;
        *right = window - 1 - *left;
    }
}

/* No side needs to reach further than the whole input; a table keeps the sides that it was made for. */
static int64_t within(const ga__job *run, int64_t side)
{
    int64_t all = run->queries + run->keys;
    return ga__slot_find(run, "bias") >= 0 ? side : ga__min(side, all);
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT }, .causal = run->causal };
    o.always = ga__part_value(part, "sinks")->integer;
    if (o.always > run->keys) {
        GA_TRY(ga__part_refuse(part, "sinks", "at most the %lld keys", (long long)run->keys));
    }
    o.axis[0].rule = GA_AXIS_SPAN;
    o.axis[0].query_length = run->queries;
    o.axis[0].key_length = run->keys;
    sides(run, part, &o.axis[0].left, &o.axis[0].right);
    o.axis[0].left = within(run, o.axis[0].left);
    o.axis[0].right = within(run, o.axis[0].right);
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

const ga__pattern_entry ga__window_row = {
    .name = "window", .parameters = parameters, .can = GA_CAN_CAUSAL | GA_CAN_CROSS, .make = make
};

/* The table's cells follow from the sides, which within() left as they are. */
static ga_status plan(ga__job *run)
{
    int64_t left, right, cells = 0;
    if (ga__slot_find(run, "bias") < 0) {
        return GA_OK;
    }
    sides(run, &run->own, &left, &right);
    if (left < 0 || right < 0) {
        return ga__fail(run->context, GA_INVALID,
                        "window: bias needs finite sides (window, or left and right)");
    }
    if (!ga__add(left, right, &cells) || !ga__add(cells, 1, &cells)) {
        return ga__fail(run->context, GA_OVERFLOW, "window: left + right + 1 does not fit");
    }
    const int64_t dims[] = { run->heads, cells };
    return ga__bind(run, GA__TABLE, "bias", true, 2, dims);
}

static const ga__variant_ops ops = { .pattern = &ga__window_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan };

const ga_variant ga__window_variant = {
    .name = "window",
    .summary = "sliding window with optional sinks",
    .source = "CAB local attention, 2210.07661 (generalised)",
    .family = "static",
    .plan =
        "pattern: interval per row, plus the first keys; score: scaled dot + 1-D table; normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE |
           GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
