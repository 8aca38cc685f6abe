/* transformer.c - scaled dot-product attention with a skip, ReLU between the layers. */
#include "config.h"

#include "gnn/models/plan.h"

static ga_status add(const ga__layer_plan *plan)
{
    static const char *const passed[] = { "gate", NULL };
    ga_status status = GA_OK;
    int64_t width = plan->stage->width;
    ga__plan_attention(plan);
    ga__plan_pass_on(plan->model, plan->stage, passed);
    plan->stage->weight_dropout = ga__model_real(plan->model, "attn_dropout");
    GA_TRY(ga__plan_map(plan, "weight_query", "bias_query", plan->columns));
    GA_TRY(ga__plan_map(plan, "weight_key", "bias_key", plan->columns));
    GA_TRY(ga__plan_map(plan, "weight_value", "bias_value", plan->columns));
    GA_TRY(ga__plan_map(plan, "weight_skip", "bias_skip", width));
    if (ga__model_integer(plan->model, "gate")) {
        GA_TRY(ga__weight_add(plan->context, plan->model, "weight_gate", NULL, 3 * width, 1, GA__INIT_MAP,
                              NULL));
    }
done:
    return status;
}

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = {
        .layer = "transformer", .add = add, .activation = GA__ACTIVATION_RELU, .heads = true
    };
    ga_status status = ga__plan_layers(context, model, &layers, model->features);
    return status == GA_OK ? ga__plan_output(context, model) : status;
}

static const ga_parameter parameters[] = { GA__HIDDEN("16"),
                                           GA__LAYERS("2", "layers that pass messages"),
                                           GA__HIDDEN_HEADS("2"),
                                           GA__LAST_HEADS,
                                           GA__DROPOUT("0.5"),
                                           GA__ATTENTION_DROPOUT("0.5"),
                                           { .name = "gate",
                                             .type = GA_PARAMETER_BOOL,
                                             .initial = "false",
                                             GA__ANY,
                                             .help = "a trained gate between the result and the skip" },
                                           GA__SELF_LOOPS("keep"),
                                           GA__DUPLICATES,
                                           GA__TRAINING("0.01", "5e-4", "all", "1000", "100", "both", "rows",
                                                        "glorot"),
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "layers.I.weight_query", "(F, H h), ... (H h, heads_out C)", "map of targets", false, true },
    { "layers.I.bias_query", "(H h), ... (heads_out C)", "of that map", false, true },
    { "layers.I.weight_key", "(F, H h), ... (H h, heads_out C)", "map of sources for the scores", false,
      true },
    { "layers.I.bias_key", "(H h), ... (heads_out C)", "of that map", false, true },
    { "layers.I.weight_value", "(F, H h), ... (H h, heads_out C)", "map of sources for the values", false,
      true },
    { "layers.I.bias_value", "(H h), ... (heads_out C)", "of that map", false, true },
    { "layers.I.weight_skip", "(F, H h), ... (H h, C)", "map of the node itself", false, true },
    { "layers.I.bias_skip", "(H h), ... (C)", "of that map", false, true },
    { "layers.I.weight_gate", "(3 H h, 1), ... (3 C, 1)", "with gate: how result and skip are mixed", true,
      true },
    GA__COMMON_TENSORS,
    GA__OUTPUT_TENSORS(true),
    { .name = NULL }
};

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_transformer = {
    .name = "transformer",
    .summary = "Scaled dot-product attention over neighbours, with a skip that may be gated.",
    .source = "Shi et al., Masked Label Prediction: Unified Message Passing Model, arXiv 2009.03509",
    .shape =
        "dropout, transformer with heads side by side, ReLU, dropout, transformer with the mean of its heads",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
