/* agnn.c - cosine attention between two dense maps. */
#include "config.h"

#include "gnn/models/plan.h"

/* No dropout between the propagations. */
static ga_status add(const ga__layer_plan *plan)
{
    int64_t beta = 0;
    if (!plan->first) {
        plan->stage->dropout = 0;
    }
    ga_status status =
        ga__weight_add(plan->context, plan->model, "beta", NULL, 0, 1, GA__INIT_CONSTANT, &beta);
    if (status == GA_OK) {
        plan->model->weights.list[beta].value = 1;
    }
    return status;
}

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = { .layer = "agnn", .add = add, .maps_out = true };
    ga_status status = GA_OK;
    int64_t hidden = ga__model_integer(model, "hidden");
    GA_TRY(ga__plan_dense(context, model, "input.", model->features, hidden, GA__ACTIVATION_RELU));
    GA_TRY(ga__plan_layers(context, model, &layers, hidden));
    status = ga__plan_dense(context, model, "output.", hidden, model->classes, GA__ACTIVATION_NONE);
done:
    return status;
}

static const ga_parameter parameters[] = {
    GA__HIDDEN("16"),   GA__LAYERS("2", "layers that pass messages, between two dense maps"),
    GA__DROPOUT("0.5"), GA__SELF_LOOPS("add"),
    GA__DUPLICATES,     GA__TRAINING("0.01", "5e-4", "all", "1000", "100", "both", "rows", "glorot"),
    { .name = NULL }
};

static const ga_tensor_slot tensors[] = { { "input.weight", "(F, h)", "dense map of the features", false,
                                            true },
                                          { "input.bias", "(h)", "of that map", false, true },
                                          { "layers.I.beta", "(1)", "factor of the cosines", false, true },
                                          GA__COMMON_TENSORS,
                                          GA__OUTPUT_TENSORS(false),
                                          { .name = NULL } };

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_agnn = {
    .name = "agnn",
    .summary = "Attention by cosine with one trained factor a layer.",
    .source =
        "Thekumparampil et al., Attention-based Graph Neural Network for Semi-supervised Learning, arXiv 1803.03735",
    .shape = "dropout, dense, ReLU, dropout, agnn, agnn, dropout, dense",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
