/* linear.c - kernelised linear attention with an elementwise feature map (attention-linear card 5). */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    { "feature", GA_PARAMETER_WORD, "elu1", NULL, "feature map, elementwise", ga__feature_words, GA__ANY },
    { "gain", GA_PARAMETER_REAL, "1", "> 0", "exp(gain x)", GA__ABOVE(0) },
    { "normalise", GA_PARAMETER_BOOL, "1", NULL, "divide by the row sum", GA__ANY },
    { "eps", GA_PARAMETER_REAL, "1e-12", ">= 0", "a row sum not above this in size gives 0", GA__FROM(0) },
    { "chunk", GA_PARAMETER_INT, "0", ">= 0", "tokens a chunk; speed only, 0 = automatic", GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "initial_state", "(B, G, d, e) or (B, G, d, e+1) when normalised", "state to start from",
      .optional = true, .differentiable = true },
    { .name = NULL },
};

static ga_status plan(ga__job *run)
{
    const ga__part *own = &run->own;
    ga__feature feature = (ga__feature)ga__part_value(own, "feature")->integer;
    double gain = ga__part_value(own, "gain")->real;
    run->scan.normalise = ga__part_value(own, "normalise")->integer;
    run->scan.eps = ga__part_value(own, "eps")->real;
    run->scan.chunk = ga__part_value(own, "chunk")->integer;
    run->scale = isnan(run->scale) ? 1 : run->scale;
    if (feature != GA__IDENTITY_FEATURE) {
        ga__step_before(run, ga__step_feature(GA__Q, feature, gain));
        ga__step_before(run, ga__step_feature(GA__K, feature, gain));
    }
    const int64_t dims[] = { run->batch, run->kv_heads, run->dim, run->dim_v + run->scan.normalise };
    return ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, dims);
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN, .plan = plan };

const ga_variant ga__linear_variant = {
    .name = "linear",
    .summary = "kernelised linear attention with an elementwise feature map",
    .source = "Transformers are RNNs, 2006.16236 (generalised)",
    .family = "linear",
    .plan = "scan (causal) or two matrix products (full); pre: feature map; normaliser: l1 or none",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
