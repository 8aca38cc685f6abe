/* gatv2.c - attention with LeakyReLU before the attention vector, ELU between the layers. */
#include "config.h"

#include "gnn/models/plan.h"

static ga_status add(const ga__layer_plan *plan)
{
    ga_status status = GA_OK;
    ga__plan_attention(plan);
    plan->stage->weight_dropout = ga__model_real(plan->model, "attn_dropout");
    GA_TRY(ga__plan_map(plan, "weight_src", "bias_src", plan->columns));
    if (!ga__model_integer(plan->model, "share_weights")) {
        GA_TRY(ga__plan_map(plan, "weight_dst", "bias_dst", plan->columns));
    }
    GA_TRY(ga__weight_add(plan->context, plan->model, "att", NULL, plan->heads, plan->out, GA__INIT_VECTOR,
                          NULL));
    status =
        ga__weight_add(plan->context, plan->model, "bias", NULL, 0, plan->stage->width, GA__INIT_BIAS, NULL);
done:
    return status;
}

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = {
        .layer = "gatv2", .add = add, .activation = GA__ACTIVATION_ELU, .heads = true
    };
    ga_status status = ga__plan_layers(context, model, &layers, model->features);
    return status == GA_OK ? ga__plan_output(context, model) : status;
}

static const ga_parameter parameters[] = { GA__HIDDEN("8"),
                                           GA__LAYERS("2", "layers that pass messages"),
                                           GA__HIDDEN_HEADS("8"),
                                           GA__LAST_HEADS,
                                           GA__DROPOUT("0.6"),
                                           GA__ATTENTION_DROPOUT("0.6"),
                                           GA__NEGATIVE_SLOPE,
                                           { .name = "share_weights",
                                             .type = GA_PARAMETER_BOOL,
                                             .initial = "false",
                                             GA__ANY,
                                             .help = "one map for both ends of an edge" },
                                           GA__SELF_LOOPS("add"),
                                           GA__DUPLICATES,
                                           GA__TRAINING("0.005", "5e-4", "all", "1000", "100", "both", "rows",
                                                        "glorot"),
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "layers.I.weight_src", "(F, H h), ... (H h, heads_out C)", "linear map of sources", false, true },
    { "layers.I.bias_src", "(H h), ... (heads_out C)", "of that map", false, true },
    { "layers.I.weight_dst", "(F, H h), ... (H h, heads_out C)", "of targets; not with share_weights", true,
      true },
    { "layers.I.bias_dst", "(H h), ... (heads_out C)", "of that map", true, true },
    { "layers.I.att", "(H, h), ... (heads_out, C)", "score", false, true },
    { "layers.I.bias", "(H h), ... (C)", "added to every node", false, true },
    GA__COMMON_TENSORS,
    GA__OUTPUT_TENSORS(true),
    { .name = NULL }
};

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_gatv2 = {
    .name = "gatv2",
    .summary = "Attention whose ranking of neighbours may differ from node to node.",
    .source = "Brody, Alon & Yahav, How Attentive are Graph Attention Networks?, arXiv 2105.14491",
    .shape = "dropout, gatv2 with heads side by side, ELU, dropout, gatv2 with the mean of its heads",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
