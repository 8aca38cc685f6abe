/* plan.c - what the plans of the models have in common. */
#include "config.h"

#include <stdio.h>

#include "gnn/models/plan.h"

void ga__plan_pass_on(const ga_model *model, ga__stage *stage, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        ga__stage_set(stage, names[i], ga_model_parameter(model, names[i]));
    }
}

void ga__plan_attention(const ga__layer_plan *plan)
{
    ga__stage_set(plan->stage, "heads", ga_model_parameter(plan->model, plan->last ? "heads_out" : "heads"));
    ga__stage_set(plan->stage, "concat", plan->last ? "false" : "true");
    if (ga_model_parameter(plan->model, "negative_slope")) {
        ga__stage_set(plan->stage, "negative_slope", ga_model_parameter(plan->model, "negative_slope"));
    }
}

ga_status ga__plan_map(const ga__layer_plan *plan, const char *weight, const char *bias, int64_t columns)
{
    ga_status status =
        ga__weight_add(plan->context, plan->model, weight, NULL, plan->in, columns, GA__INIT_MAP, NULL);
    return status != GA_OK || !bias
               ? status
               : ga__weight_add(plan->context, plan->model, bias, NULL, 0, columns, GA__INIT_BIAS, NULL);
}

ga_status ga__plan_dense_layer(const ga__layer_plan *plan)
{
    ga_status status = GA_OK;
    GA_TRY(ga__weight_add(plan->context, plan->model, "weight_0", "weight", plan->in, plan->out, GA__INIT_MAP,
                          NULL));
    status = ga__weight_add(plan->context, plan->model, "bias_0", "bias", 0, plan->out, GA__INIT_BIAS, NULL);
done:
    return status;
}

ga_status ga__plan_dense(ga_context *context, ga_model *model, const char *prefix, int64_t in, int64_t out,
                         ga__activation activation)
{
    ga_status status = GA_OK;
    ga__layer_plan dense = { .context = context, .model = model, .in = in, .out = out };
    GA_TRY(ga__stage_add(context, model, prefix, "mlp", &dense.stage));
    dense.stage->dropout = ga__model_real(model, "dropout");
    dense.stage->activation = activation;
    dense.stage->in = in;
    dense.stage->width = out;
    status = ga__plan_dense_layer(&dense);
done:
    return status;
}

ga_status ga__plan_output(ga_context *context, ga_model *model)
{
    if (ga__model_integer(model, "output") != GA__OUTPUT_LINEAR) {
        return GA_OK;
    }
    return ga__plan_dense(context, model, "output.", ga__last_stage(model)->width, model->classes,
                          GA__ACTIVATION_NONE);
}

static ga_status add_norm(ga_context *context, ga_model *model, ga__stage *stage)
{
    static const char *const names[] = { "norm_weight", "norm_bias", "norm_mean", "norm_variance" };
    ga_status status = GA_OK;
    stage->norm = (ga__norm)ga__model_integer(model, "norm");
    int count = stage->norm == GA__NORM_NONE ? 0 : stage->norm == GA__NORM_LAYER ? 2 : GA__NORM_WEIGHTS;
    for (int i = 0; i < count; i++) {
        GA_TRY(ga__weight_add(context, model, NULL, names[i], 0, stage->width, GA__INIT_CONSTANT,
                              &stage->norm_weights[i]));
        ga__weight *weight = &model->weights.list[stage->norm_weights[i]];
        weight->value = i == GA__NORM_WEIGHT || i == GA__NORM_VARIANCE;
        weight->fixed = i == GA__NORM_MEAN || i == GA__NORM_VARIANCE;
        weight->decays = !weight->fixed;
    }
done:
    return status;
}

static ga_status add_layer(const ga__layers_plan *layers, ga__layer_plan *plan, bool hidden)
{
    ga_status status = GA_OK;
    char prefix[GA__STAGE_PREFIX];
    ga_model *model = plan->model;
    snprintf(prefix, sizeof prefix, "layers.%d.", (int)plan->index);
    GA_TRY(ga__stage_add(plan->context, model, prefix, layers->layer, &plan->stage));
    plan->stage->dropout = ga__model_real(model, "dropout");
    plan->stage->in = plan->in;
    plan->stage->width = plan->last ? plan->out : plan->columns;
    plan->stage->activation = hidden ? layers->activation : GA__ACTIVATION_NONE;
    plan->stage->residual =
        !plan->last && ga__model_integer(model, "residual") && plan->stage->in == plan->stage->width;
    GA_TRY(layers->add(plan));
    status = plan->last ? GA_OK : add_norm(plan->context, model, plan->stage);
done:
    return status;
}

ga_status ga__plan_layers(ga_context *context, ga_model *model, const ga__layers_plan *layers, int64_t in)
{
    ga_status status = GA_OK;
    int64_t count = ga__model_integer(model, "layers");
    bool mapped = layers->maps_out || ga__model_integer(model, "output") == GA__OUTPUT_LINEAR;
    for (int64_t i = 0; i < count; i++) {
        bool last = i == count - 1 && !mapped;
        ga__layer_plan plan = { .context = context,
                                .model = model,
                                .index = i,
                                .in = in,
                                .heads = 1,
                                .out = last ? model->classes : ga__model_integer(model, "hidden"),
                                .first = i == 0,
                                .last = last };
        if (layers->heads) {
            plan.heads = ga__model_integer(model, last ? "heads_out" : "heads");
        }
        if (!ga__mul(plan.heads, plan.out, &plan.columns)) {
            GA_TRY(ga__fail(context, GA_OVERFLOW, "%lld heads of %lld columns", (long long)plan.heads,
                            (long long)plan.out));
        }
        GA_TRY(add_layer(layers, &plan, i < count - 1));
        in = ga__last_stage(model)->width;
    }
done:
    return status;
}
