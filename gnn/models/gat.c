/* gat.c - additive attention with ELU between the layers. */
#include "config.h"

#include "gnn/models/plan.h"

static ga_status add(const ga__layer_plan *plan)
{
    ga_status status = GA_OK;
    ga_context *context = plan->context;
    ga_model *model = plan->model;
    ga__plan_attention(plan);
    plan->stage->weight_dropout = ga__model_real(model, "attn_dropout");
    plan->stage->value_dropout = ga__model_real(model, "dropout");
    GA_TRY(ga__plan_map(plan, "weight", NULL, plan->columns));
    GA_TRY(ga__weight_add(context, model, "att_src", NULL, plan->heads, plan->out, GA__INIT_VECTOR, NULL));
    GA_TRY(ga__weight_add(context, model, "att_dst", NULL, plan->heads, plan->out, GA__INIT_VECTOR, NULL));
    status = ga__weight_add(context, model, "bias", NULL, 0, plan->stage->width, GA__INIT_BIAS, NULL);
done:
    return status;
}

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = {
        .layer = "gat", .add = add, .activation = GA__ACTIVATION_ELU, .heads = true
    };
    ga_status status = ga__plan_layers(context, model, &layers, model->features);
    return status == GA_OK ? ga__plan_output(context, model) : status;
}

static const ga_parameter parameters[] = {
    GA__HIDDEN("8"),       GA__LAYERS("2", "layers that pass messages"),
    GA__HIDDEN_HEADS("8"), GA__LAST_HEADS,
    GA__DROPOUT("0.6"),    GA__ATTENTION_DROPOUT("0.6"),
    GA__NEGATIVE_SLOPE,    GA__SELF_LOOPS("add"),
    GA__DUPLICATES,        GA__TRAINING("0.005", "5e-4", "all", "100000", "100", "both", "rows", "glorot"),
    { .name = NULL }
};

static const ga_tensor_slot tensors[] = {
    { "layers.I.weight", "(F, H h), ... (H h, heads_out C)", "linear map", false, true },
    { "layers.I.att_src", "(H, h), ... (heads_out, C)", "score of the source", false, true },
    { "layers.I.att_dst", "(H, h), ... (heads_out, C)", "score of the target", false, true },
    { "layers.I.bias", "(H h), ... (C)", "added to every node", false, true },
    GA__COMMON_TENSORS,
    GA__OUTPUT_TENSORS(true),
    { .name = NULL }
};

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_gat = {
    .name = "gat",
    .summary = "Additive attention over neighbours.",
    .source = "Velickovic et al., Graph Attention Networks, arXiv 1710.10903",
    .shape = "dropout, gat with heads side by side, ELU, dropout, gat with the mean of its heads",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
