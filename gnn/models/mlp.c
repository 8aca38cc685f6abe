/* mlp.c - dense layers with ReLU between them, without a graph. */
#include "config.h"

#include "gnn/models/plan.h"

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = { .layer = "mlp",
                                            .add = ga__plan_dense_layer,
                                            .activation = GA__ACTIVATION_RELU };
    ga_status status = ga__plan_layers(context, model, &layers, model->features);
    return status == GA_OK ? ga__plan_output(context, model) : status;
}

static const ga_parameter parameters[] = { GA__HIDDEN("64"),
                                           GA__LAYERS("2", "dense layers"),
                                           GA__DROPOUT("0.5"),
                                           GA__TRAINING("0.01", "5e-4", "all", "1000", "100", "both", "rows",
                                                        "glorot"),
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    GA__DENSE_TENSORS, GA__COMMON_TENSORS, GA__OUTPUT_TENSORS(true), { .name = NULL }
};

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_mlp = {
    .name = "mlp",
    .summary = "Dense layers; no graph.",
    .source = "the baseline without messages",
    .shape = "dropout, dense, ReLU, dropout, dense",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
