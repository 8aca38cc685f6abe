/* softplus_reweight.c - softplus, then max(0, n P - offset)^power and a second l1 (attention-linear card 2). */
#include "config.h"

#include "attention/normalisers/softplus.h"

#define REWEIGHT \
    { "power", GA_PARAMETER_REAL, "15", ">= 1", "exponent p", GA__FROM(1) }, \
        { "offset", GA_PARAMETER_REAL, "1", ">= 0", "subtracted from n P", GA__FROM(0) }, \
        { "free_rows", GA_PARAMETER_INT, "3", ">= 0", "rows with at most so many keys use offset 0", \
          GA__FROM(0) }, \
    { \
        "eps", GA_PARAMETER_REAL, "1e-5", "> 0", "a row whose largest entry is not above this gives 0", \
            GA__ABOVE(0) \
    }
static const ga_parameter row_parameters[] = { GA__LENGTH_SCALE, REWEIGHT, { .name = NULL } };
static const ga_parameter parameters[] = { GA__NORMALISE_QK, GA__LENGTH_SCALE, REWEIGHT, { .name = NULL } };

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_normaliser *n = &run->problem.normaliser;
    n->length_scale = ga__part_value(part, "length_scale")->integer;
    n->power = ga__part_value(part, "power")->real;
    n->offset = ga__part_value(part, "offset")->real;
    n->free_rows = ga__part_value(part, "free_rows")->integer;
    n->eps = ga__part_value(part, "eps")->real;
    return GA_OK;
}

const ga__normaliser_entry ga__softplus_reweight_row = {
    .name = "softplus-reweight", .parameters = row_parameters, .kind = GA_SOFTPLUS_REWEIGHT, .make = make
};

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softplus_reweight_row,
                                     .plan = ga__softplus_plan };

const ga_variant ga__softplus_reweight_variant = {
    .name = "softplus-reweight",
    .summary = "LSSAR: softplus, then ReLU(n P - 1)^p and a second l1",
    .source =
        "Softplus Attention with Re-weighting Boosts Length Extrapolation in Large Language Models, 2501.13428",
    .family = "linear",
    .plan = "pattern: any; score: as softplus; normaliser: softplus-l1 with re-weighting, two passes",
    .outputs = "o, map",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_TAKES_PATTERN,
    .ops = &ops,
};
