/* pgnn.c - a dense map, then p-Laplacian propagation and a map in every layer. */
#include "config.h"

#include "gnn/models/plan.h"

/* Trained p and mu stay above this, or above their first value where that is less. */
#define LEAST 1e-3

static ga_status add_trained(const ga__layer_plan *plan, const char *option, const char *name)
{
    int64_t number = 0;
    if (!ga__model_integer(plan->model, option)) {
        return GA_OK;
    }
    ga_status status =
        ga__weight_add(plan->context, plan->model, name, NULL, 0, 1, GA__INIT_CONSTANT, &number);
    if (status == GA_OK) {
        ga__weight *weight = &plan->model->weights.list[number];
        weight->value = ga__model_real(plan->model, name);
        weight->least = fmin(LEAST, weight->value);
        weight->decays = false;
    }
    return status;
}

static ga_status add(const ga__layer_plan *plan)
{
    static const char *const passed[] = { "p", "mu", "k", "alpha_side", "guard", "guard_eps", NULL };
    ga_status status = GA_OK;
    ga__plan_pass_on(plan->model, plan->stage, passed);
    GA_TRY(ga__plan_map(plan, "weight", "bias", plan->columns));
    GA_TRY(add_trained(plan, "train_p", "p"));
    status = add_trained(plan, "train_mu", "mu");
done:
    return status;
}

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = { .layer = "pgnn", .add = add, .activation = GA__ACTIVATION_RELU };
    ga_status status = GA_OK;
    int64_t hidden = ga__model_integer(model, "hidden");
    GA_TRY(ga__plan_dense(context, model, "input.", model->features, hidden, GA__ACTIVATION_RELU));
    ga__last_stage(model)->dropout = 0;
    GA_TRY(ga__plan_layers(context, model, &layers, hidden));
    status = ga__plan_output(context, model);
done:
    return status;
}

#define TRAINED(name_, what) \
    { \
        .name = (name_), .type = GA_PARAMETER_BOOL, .initial = "false", GA__ANY, .help = what \
    }

static const ga_parameter parameters[] = { GA__HIDDEN("16"),
                                           GA__LAYERS("1", "layers that pass messages, behind the dense map"),
                                           GA__DROPOUT("0.5"),
                                           GA__POSITIVE("p", "2", "exponent"),
                                           GA__POSITIVE("mu", "0.1", "weight of the source term"),
                                           GA__STEPS("4"),
                                           GA__ALPHA_SIDE,
                                           GA__GUARD,
                                           GA__POSITIVE("guard_eps", "1e-6", "what guard=eps adds"),
                                           TRAINED("train_p", "p is trained, in every layer"),
                                           TRAINED("train_mu", "mu is trained, in every layer"),
                                           GA__SELF_LOOPS("keep"),
                                           GA__DUPLICATES,
                                           GA__TRAINING("0.01", "5e-4", "all", "1000", "0", "accuracy",
                                                        "none", "uniform"),
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "input.weight", "(F, h)", "dense map of the features", false, true },
    { "input.bias", "(h)", "of that map", false, true },
    { "layers.I.weight", "(h, h), ... (h, C)", "map behind the steps", false, true },
    { "layers.I.bias", "(h), ... (C)", "of that map", false, true },
    { "layers.I.p", "(1)", "with train_p", true, true },
    { "layers.I.mu", "(1)", "with train_mu", true, true },
    GA__COMMON_TENSORS,
    GA__OUTPUT_TENSORS(true),
    { .name = NULL }
};

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_pgnn = {
    .name = "pgnn",
    .summary = "Propagation by the p-Laplacian, whose weights follow the differences of neighbours.",
    .source = "Fu, Zhao & Bian, p-Laplacian Based Graph Neural Networks, arXiv 2111.07337",
    .shape = "dense, ReLU, dropout, pgnn",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
