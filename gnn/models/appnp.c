/* appnp.c - dense layers, then personalised PageRank over what they give. */
#include "config.h"

#include "gnn/models/plan.h"

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = { .layer = "mlp",
                                            .add = ga__plan_dense_layer,
                                            .activation = GA__ACTIVATION_RELU };
    static const char *const passed[] = { "k", "alpha", NULL };
    ga_status status = GA_OK;
    ga__stage *stage = NULL;
    GA_TRY(ga__plan_layers(context, model, &layers, model->features));
    int64_t width = ga__last_stage(model)->width;
    GA_TRY(ga__stage_add(context, model, "", "appnp", &stage));
    ga__plan_pass_on(model, stage, passed);
    stage->step_dropout = ga__model_real(model, "prop_dropout");
    stage->in = stage->width = width;
    status = ga__plan_output(context, model);
done:
    return status;
}

static const ga_parameter parameters[] = {
    GA__HIDDEN("64"),
    GA__LAYERS("2", "dense layers before the propagation"),
    GA__DROPOUT("0.5"),
    GA__STEPS("10"),
    GA__TELEPORT("share of what the dense layers gave in every step"),
    GA__RATE("prop_dropout", "0.5",
             "share of the entries of the adjacency that every step leaves out in training"),
    GA__SELF_LOOPS("add"),
    GA__DUPLICATES,
    GA__TRAINING("0.01", "5e-3", "first", "1000", "100", "both", "rows", "glorot"),
    { .name = NULL }
};

static const ga_tensor_slot tensors[] = {
    GA__DENSE_TENSORS, GA__COMMON_TENSORS, GA__OUTPUT_TENSORS(true), { .name = NULL }
};

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_appnp = {
    .name = "appnp",
    .summary = "Dense layers whose result spreads by personalised PageRank.",
    .source = "Gasteiger, Bojchevski & Guennemann, Predict then Propagate, arXiv 1810.05997",
    .shape = "dropout, dense, ReLU, dropout, dense, propagation",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
