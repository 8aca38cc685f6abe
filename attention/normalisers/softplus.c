/* softplus.c - softplus scores with an entropy-invariant scale and an l1 row sum (attention-linear card 2). */
#include "config.h"

#include "attention/normalisers/softplus.h"

static const ga_parameter row_parameters[] = { GA__LENGTH_SCALE, { .name = NULL } };
static const ga_parameter parameters[] = { GA__NORMALISE_QK, GA__LENGTH_SCALE, { .name = NULL } };

static ga_status make(ga__job *run, const ga__part *part)
{
    run->problem.normaliser.length_scale = ga__part_value(part, "length_scale")->integer;
    return GA_OK;
}

const ga__normaliser_entry ga__softplus_row = {
    .name = "softplus", .parameters = row_parameters, .kind = GA_SOFTPLUS, .make = make
};

ga_status ga__softplus_plan(ga__job *run)
{
    if (ga__part_value(&run->own, "normalise_qk")->integer) {
        run->scale = isnan(run->scale) ? 1 : run->scale;
        ga__step_before(run, ga__step_normalise(GA__Q));
        ga__step_before(run, ga__step_normalise(GA__K));
    }
    return GA_OK;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softplus_row,
                                     .plan = ga__softplus_plan };

const ga_variant ga__softplus_variant = {
    .name = "softplus",
    .summary = "LSSA: softplus scores with entropy-invariant scale, l1 row sum",
    .source =
        "Softplus Attention with Re-weighting Boosts Length Extrapolation in Large Language Models, 2501.13428",
    .family = "linear",
    .plan = "pattern: any; score: cosine times row scale; normaliser: softplus, l1",
    .outputs = "o, map",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_TAKES_PATTERN,
    .ops = &ops,
};
