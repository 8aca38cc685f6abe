/* sage.c - a map of the node plus a map of its neighbours, with ReLU between the layers. */
#include "config.h"

#include "gnn/models/plan.h"

static ga_status add(const ga__layer_plan *plan)
{
    static const char *const passed[] = { "aggregator", NULL };
    ga_status status = GA_OK;
    ga__plan_pass_on(plan->model, plan->stage, passed);
    GA_TRY(ga__plan_map(plan, "weight_root", NULL, plan->columns));
    status = ga__plan_map(plan, "weight_neigh", "bias", plan->columns);
done:
    return status;
}

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = { .layer = "sage", .add = add, .activation = GA__ACTIVATION_RELU };
    ga_status status = ga__plan_layers(context, model, &layers, model->features);
    return status == GA_OK ? ga__plan_output(context, model) : status;
}

static const char *const aggregators[] = { "mean", "sum", "max", NULL };

static const ga_parameter parameters[] = { GA__HIDDEN("64"),
                                           GA__LAYERS("2", "layers that pass messages"),
                                           GA__DROPOUT("0.5"),
                                           { .name = "aggregator",
                                             .type = GA_PARAMETER_WORD,
                                             .initial = "mean",
                                             .words = aggregators,
                                             GA__ANY,
                                             .help = "what becomes of the neighbours" },
                                           GA__SELF_LOOPS("keep"),
                                           GA__DUPLICATES,
                                           GA__TRAINING("0.01", "5e-4", "all", "1000", "100", "both", "rows",
                                                        "glorot"),
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "layers.I.weight_root", "(F, h), ... (h, C)", "map of the node itself", false, true },
    { "layers.I.weight_neigh", "(F, h), ... (h, C)", "map of the aggregate", false, true },
    { "layers.I.bias", "(h), ... (C)", "added to every node", false, true },
    GA__COMMON_TENSORS,
    GA__OUTPUT_TENSORS(true),
    { .name = NULL }
};

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_sage = {
    .name = "sage",
    .summary = "The node and the mean, sum or maximum of its neighbours.",
    .source =
        "Hamilton, Ying & Leskovec, Inductive Representation Learning on Large Graphs, arXiv 1706.02216",
    .shape = "dropout, sage, ReLU, dropout, sage",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
