/* sigmoid.c - elementwise sigmoid weights with a bias, no row sum (attention-linear card 1). */
#include "config.h"

#include "attention/decode.h"

static const char *const bias_words[] = {
    [GA_BIAS_LOG_N] = "log_n", [GA_BIAS_LOG_ROW] = "log_row", [GA_BIAS_FIXED] = "fixed", NULL
};

static const ga_parameter parameters[] = {
    { "bias", GA_PARAMETER_REAL, "0", NULL, "added to the bias of bias_mode", GA__ANY },
    { "bias_mode", GA_PARAMETER_WORD, "log_n", NULL, "- ln Nk, - ln n_i, or 0", bias_words, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "slopes", "(H)", "ALiBi slopes, minus slope times distance", .optional = true, .differentiable = true },
    { "layer_scale", "(H, e)", "multiplies o", .optional = true, .differentiable = true },
    { .name = NULL },
};

static ga_status make(ga__job *run, const ga__part *part)
{
    run->problem.normaliser.bias = ga__part_value(part, "bias")->real;
    run->problem.normaliser.bias_mode = (ga_bias_mode)ga__part_value(part, "bias_mode")->integer;
    return GA_OK;
}

const ga__normaliser_entry ga__sigmoid_row = {
    .name = "sigmoid", .parameters = parameters, .kind = GA_SIGMOID, .make = make
};

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const int64_t dims[] = { run->heads, run->dim_v };
    int layer_scale = ga__slot_find(run, "layer_scale");
    GA_TRY(ga__bind(run, GA__SLOPES, "slopes", false, 1, dims));
    ga__bind_parameter(run, GA__SIGMOID_BIAS, "bias");
    if (layer_scale >= 0) {
        GA_TRY(ga__slot_fits(run, layer_scale, false, 2, dims));
        ga__step_behind(run, ga__step_channel_scale(layer_scale));
    }
done:
    return status;
}

/* The bias - ln Nk is that of the whole call. */
static ga_status decode(ga__job *run, ga__decode *how)
{
    if (ga__part_value(&run->own, "bias_mode")->integer == GA_BIAS_LOG_N) {
        how->set[how->set_count++] = (ga_named_text){ "bias_mode", "fixed" };
        ga__decode_set(how, "bias", ga__part_value(&run->own, "bias")->real - log((double)run->keys));
    }
    return GA_OK;
}

static const ga__variant_ops ops = {
    .pattern = &ga__pattern_full_row, .normaliser = &ga__sigmoid_row, .plan = plan, .decode = decode
};

const ga_variant ga__sigmoid_variant = {
    .name = "sigmoid",
    .summary = "elementwise sigmoid weights with bias, no row sum",
    .source = "Theory, Analysis, and Best Practices for Sigmoid Self-Attention, 2409.04431",
    .family = "linear",
    .plan = "pattern: any; score: scaled dot (+ ALiBi); normaliser: sigmoid; post: optional layer scale",
    .outputs = "o, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_TAKES_PATTERN,
    .causality = { .prefix = GA_PREFIX_SUPPORT }, /* bias_mode=log_n counts the keys of the call */
    .ops = &ops,
};
