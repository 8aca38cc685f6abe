/* plan.h - what the models have in common: rows of their tables, a row of layers, dense maps. */
#ifndef GA_GNN_MODELS_PLAN_H
#define GA_GNN_MODELS_PLAN_H

#include "gnn/train.h"

/* ---- rows of the tables of parameters ---- */

#define GA__HIDDEN(initial_value) \
    { \
        .name = "hidden", .type = GA_PARAMETER_INT, .initial = (initial_value), .range = ">= 1", \
        GA__WITHIN(1, 1 << 20), .help = "width of the hidden layers, of each head where there are heads" \
    }
#define GA__LAYERS(initial_value, what) \
    { \
        .name = "layers", .type = GA_PARAMETER_INT, .initial = (initial_value), .range = "1 to 1000", \
        GA__WITHIN(1, 1000), .help = what \
    }
#define GA__RATE(name_, initial_value, what) \
    { \
        .name = (name_), .type = GA_PARAMETER_REAL, .initial = (initial_value), .range = "from 0, below 1", \
        GA__WITHIN(0, 0x1.fffffffffffffp-1), .help = what \
    }
#define GA__DROPOUT(initial_value) \
    GA__RATE("dropout", (initial_value), "share of the input of a layer that a step of training leaves out")
#define GA__ATTENTION_DROPOUT(initial_value) \
    GA__RATE("attn_dropout", (initial_value), \
             "share of the attention weights that a step of training leaves out")
#define GA__HIDDEN_HEADS(initial_value) \
    { \
        .name = "heads", .type = GA_PARAMETER_INT, .initial = (initial_value), .range = ">= 1", \
        GA__WITHIN(1, 1 << 20), .help = "attention heads of the hidden layers, one behind the other" \
    }
#define GA__LAST_HEADS \
    { \
        .name = "heads_out", .type = GA_PARAMETER_INT, .initial = "1", .range = ">= 1", \
        GA__WITHIN(1, 1 << 20), .help = "attention heads of the last layer, averaged" \
    }
#define GA__STEPS(initial_value) \
    { \
        .name = "k", .type = GA_PARAMETER_INT, .initial = (initial_value), .range = ">= 0", \
        GA__WITHIN(0, 1 << 20), .help = "steps of the propagation" \
    }
#define GA__TELEPORT(what) \
    { \
        .name = "alpha", .type = GA_PARAMETER_REAL, .initial = "0.1", .range = "0 to 1", GA__WITHIN(0, 1), \
        .help = what \
    }

/* ---- rows of the tables of tensors, as far as all models have them ---- */

#define GA__COMMON_TENSORS \
    { "layers.I.norm_weight", "(width)", "norm=layer, batch: scale of a hidden layer", true, true }, \
        { "layers.I.norm_bias", "(width)", "norm=layer, batch: shift", true, true }, \
        { "layers.I.norm_mean", "(width)", "norm=batch: running mean", true, false }, \
    { \
        "layers.I.norm_variance", "(width)", "norm=batch: running variance", true, false \
    }
#define GA__DENSE_TENSORS \
    { "layers.I.weight", "(F, h), ... (h, C)", "dense map", false, true }, \
    { \
        "layers.I.bias", "(h), ... (C)", "of that map", false, true \
    }
#define GA__OUTPUT_TENSORS(optional) \
    { "output.weight", "(h, C)", "dense map to the classes", (optional), true }, \
    { \
        "output.bias", "(C)", "of that map", (optional), true \
    }

/* ---- plans (plan.c) ---- */

/* One of the layers layers.0. ... of a model. */
typedef struct ga__layer_plan {
    ga_context *context;
    ga_model *model;
    ga__stage *stage;   /* of this layer */
    int64_t index, in;  /* in: columns of its input */
    int64_t heads, out; /* out: of a head */
    int64_t columns;    /* heads out */
    bool first, last;   /* last: gives the classes */
} ga__layer_plan;
/* Sets the layer's parameters and adds its weights. plan->columns is what the stage gives but for the mean of heads. */
typedef ga_status (*ga__layer_plan_fn)(const ga__layer_plan *plan);

/* Layers 0 .. layers - 1 over an input of so many columns. Hidden ones have `heads` heads of `hidden` columns side by
 * side, the last one `heads_out` heads of C columns, of which it gives the mean; with output=linear the last one is
 * hidden, without activation. Dropout, norms and residuals are set here. */
typedef struct ga__layers_plan {
    const char *layer;
    ga__layer_plan_fn add;
    ga__activation activation;
    bool heads;    /* the model has heads and heads_out */
    bool maps_out; /* all are hidden: a dense map follows whatever output says */
} ga__layers_plan;
ga_status ga__plan_layers(ga_context *context, ga_model *model, const ga__layers_plan *plan, int64_t in);
/* The dense map of output=linear behind the last stage, if it is wanted. */
ga_status ga__plan_output(ga_context *context, ga_model *model);

/* A stage that is a dense map, with dropout on its input. */
ga_status ga__plan_dense(ga_context *context, ga_model *model, const char *prefix, int64_t in, int64_t out,
                         ga__activation activation);
/* ga__layer_plan_fn of dense layers. */
ga_status ga__plan_dense_layer(const ga__layer_plan *plan);
/* A matrix and a bias for the stage of a plan, under the names of the layer. bias NULL = none. */
ga_status ga__plan_map(const ga__layer_plan *plan, const char *weight, const char *bias, int64_t columns);
/* heads, concat and, where the model has it, negative_slope of an attention layer. */
void ga__plan_attention(const ga__layer_plan *plan);
/* Passes parameters of the model on to the layer: names ended by NULL. */
void ga__plan_pass_on(const ga_model *model, ga__stage *stage, const char *const *names);
/* The stage that was added last. */
static inline ga__stage *ga__last_stage(const ga_model *model)
{
    return &model->stages[model->stage_count - 1];
}

#endif
