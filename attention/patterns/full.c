/* full.c - dense softmax attention, self or cross (attention-static section 1). */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    { "softcap", GA_PARAMETER_REAL, "0", "0 = off, else > 0", "scores become c*tanh(s/c) before the bias",
      GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "bias", "(H|1, Nq, Nk)", "dense additive bias, read on the pattern only", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

static ga_status make(ga__job *run, const ga__part *part)
{
    (void)part;
    return ga_pattern_full(run->context, run->queries, run->keys, run->causal, &run->pattern);
}

const ga__pattern_entry ga__pattern_full_row = { .name = "full",
                                                 .can = GA_CAN_CAUSAL | GA_CAN_CROSS,
                                                 .make = make };

ga_status ga__bind_dense_bias(ga__job *run)
{
    const int64_t dims[] = { run->heads, run->queries, run->keys };
    return ga__bind(run, GA__BIAS, "bias", true, 3, dims);
}

static ga_status plan(ga__job *run)
{
    run->problem.score.softcap = ga__part_value(&run->own, "softcap")->real;
    return ga__bind_dense_bias(run);
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan };

const ga_variant ga__full_variant = {
    .name = "full",
    .summary = "dense softmax attention, self or cross",
    .source = "the usual softmax attention; taxonomy from CAB, 2210.07661",
    .family = "static",
    .plan = "pattern: all pairs; score: scaled dot, soft cap, + bias; normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_TAKES_PATTERN |
           GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
