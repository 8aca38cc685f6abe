/* gcn.c - convolutions over the normalised adjacency with ReLU between them. */
#include "config.h"

#include "gnn/models/plan.h"

static ga_status add(const ga__layer_plan *plan)
{
    return ga__plan_map(plan, "weight", "bias", plan->columns);
}

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = { .layer = "gcn", .add = add, .activation = GA__ACTIVATION_RELU };
    ga_status status = ga__plan_layers(context, model, &layers, model->features);
    return status == GA_OK ? ga__plan_output(context, model) : status;
}

static const ga_parameter parameters[] = {
    GA__HIDDEN("16"),   GA__LAYERS("2", "layers that pass messages"),
    GA__DROPOUT("0.5"), GA__SELF_LOOPS("add"),
    GA__DUPLICATES,     GA__TRAINING("0.01", "5e-4", "all", "1000", "100", "both", "rows", "glorot"),
    { .name = NULL }
};

static const ga_tensor_slot tensors[] = {
    { "layers.I.weight", "(F, h), ... (h, C)", "linear map", false, true },
    { "layers.I.bias", "(h), ... (C)", "added to every node", false, true },
    GA__COMMON_TENSORS,
    GA__OUTPUT_TENSORS(true),
    { .name = NULL }
};

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_gcn = {
    .name = "gcn",
    .summary = "Sums over neighbours by the normalised adjacency.",
    .source =
        "Kipf & Welling, Semi-Supervised Classification with Graph Convolutional Networks, arXiv 1609.02907",
    .shape = "dropout, gcn, ReLU, dropout, gcn",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
