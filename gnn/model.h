/* model.h - models as stages of layers with weights; for the files of gnn/ that build, run and train them.
 *
 * A model is a file in gnn/models/ that defines one ga_model_info, and its row in gnn/models.c. Its plan function adds
 * stages and weights; everything else (passes, dropout, optimiser, files) is the same for all of them.
 */
#ifndef GA_GNN_MODEL_H
#define GA_GNN_MODEL_H

#include <graphattn/gnn.h>

#include "gnn/layer.h"
#include "lib/tensor/parameters.h"

/* ---- weights: all numbers of a model in one block ---- */

typedef enum ga__init {
    GA__INIT_MAP, /* dense map (in, out): Glorot uniform +-sqrt(6 / (in + out)), or +-1 / sqrt(in) by init=uniform */
    GA__INIT_BIAS,     /* 0, or +-1 / sqrt(fan) by init=uniform */
    GA__INIT_VECTOR,   /* (heads, out), every head a map (out, 1) */
    GA__INIT_CONSTANT, /* value */
    GA__INIT_GIVEN     /* by give */
} ga__init;

typedef struct ga__weight {
    char *name; /* owned: "layers.0.weight" */
    int ndim;
    int64_t shape[2];
    int64_t first, count; /* its numbers in the block; first is a multiple of 16 */
    ga__init init;
    double value; /* of GA__INIT_CONSTANT */
    double fan;   /* of GA__INIT_BIAS: in of its map, the last one that was added before it */
    void (*give)(const ga_model *model, const struct ga__weight *weight, uint64_t seed, int64_t number,
                 double *values);
    bool decays;           /* gamma, p and mu do not */
    bool fixed;            /* statistics of batch norm: kept in files, not trained */
    double least;          /* p and mu are kept above this; -INFINITY otherwise */
    DLTensor tensor, grad; /* of the working type */
} ga__weight;

typedef struct ga__weights {
    ga__weight *list; /* number 0 is the first matrix */
    int64_t count, room;
    int64_t numbers;           /* of the block, gaps of 0 between tensors included */
    float *values, *grads;     /* (numbers), owned */
    double *wide, *wide_grads; /* the same in double precision, owned; NULL without ga__model_widen */
} ga__weights;

/* ---- stages ---- */

typedef enum ga__norm { GA__NORM_NONE, GA__NORM_LAYER, GA__NORM_BATCH } ga__norm;

enum { GA__STAGE_TENSORS = 16, GA__STAGE_PARAMETERS = 8, GA__STAGE_PREFIX = 24 };
/* Numbers of a stage in norm_weights. */
enum { GA__NORM_WEIGHT, GA__NORM_BIAS, GA__NORM_MEAN, GA__NORM_VARIANCE, GA__NORM_WEIGHTS };

/* dropout(input) -> layer -> norm -> + input (residual) -> activation. */
typedef struct ga__stage {
    char prefix
        [GA__STAGE_PREFIX]; /* "layers.0.", "input.", "output.", "": in front of the names of its weights */
    const ga_layer *layer;  /* a dense map is the layer mlp with weight_0 and bias_0 */
    ga_named_text parameters[GA__STAGE_PARAMETERS]; /* of the layer; texts of the model, or constants */
    int parameter_count;
    int64_t weights[GA__STAGE_TENSORS];   /* numbers of weights bound to the layer under ... */
    const char *names[GA__STAGE_TENSORS]; /* ... these names of its tensors */
    int tensor_count;
    double dropout;                                     /* of its input */
    double weight_dropout, value_dropout, step_dropout; /* see ga__layer_noise */
    ga__norm norm;
    int64_t norm_weights
        [GA__NORM_WEIGHTS]; /* weight, bias, and of batch norm running mean and variance; -1 = none */
    bool residual;          /* adds its input, before dropout */
    ga__activation activation;
    bool hidden;       /* what it gives is an embedding: all but the last */
    int64_t in, width; /* columns of what it takes and gives */
} ga__stage;

struct ga_model {
    const ga_model_info *info;
    ga__part part; /* parameters */
    char **texts;  /* (parameters): their values as text, owned; NULL = absent */
    int64_t features, classes;
    bool multilabel;
    ga__weights weights;
    ga__stage *stages;
    int64_t stage_count, stage_room;
    struct ga__model_state *state; /* runs and activations (model_run.c); NULL before the first pass */
};

typedef struct ga__model_ops {
    /* Adds the stages and weights of the model. */
    ga_status (*plan)(ga_context *context, ga_model *model);
} ga__model_ops;

static inline int64_t ga__model_integer(const ga_model *model, const char *name)
{
    return ga__part_value(&model->part, name)->integer;
}
static inline double ga__model_real(const ga_model *model, const char *name)
{
    return ga__part_value(&model->part, name)->real;
}

/* ---- building (model.c) ---- */

/* An initialised model; parameters as text. multilabel and classes: what the last stage gives. Returns owned. */
ga_status ga__model_make(ga_context *context, const ga_model_info *info, const ga_named_text *parameters,
                         int64_t parameter_count, int64_t features, int64_t classes, bool multilabel,
                         uint64_t seed, ga_model **model);
/* The two halves of it: everything but the numbers of the weights, and these. A draft can be destroyed, too. */
ga_status ga__model_draft(ga_context *context, const ga_model_info *info, const ga_named_text *parameters,
                          int64_t parameter_count, int64_t features, int64_t classes, bool multilabel,
                          ga_model **model);
ga_status ga__model_fill(ga_context *context, ga_model *model, uint64_t seed);
/* For plans. *stage is valid until the next one is added. */
ga_status ga__stage_add(ga_context *context, ga_model *model, const char *prefix, const char *layer,
                        ga__stage **stage);
/* text is borrowed: a constant, or the model's own. */
void ga__stage_set(ga__stage *stage, const char *parameter, const char *text);
/* Adds a weight PREFIX SAVED_AS and binds it to the last stage's layer tensor of this name, NULL = to none. rows 0: one
 * axis. saved_as NULL: name. *number (may be NULL) is its place in the list. */
ga_status ga__weight_add(ga_context *context, ga_model *model, const char *name, const char *saved_as,
                         int64_t rows, int64_t columns, ga__init init, int64_t *number);
/* Uniform in [0, 1), for element i of a weight. */
double ga__weight_unit(uint64_t seed, int64_t number, int64_t i);
/* Weights and passes in double precision, from the values that the weights have; before the first pass. For the tests:
 * differences need it. */
ga_status ga__model_widen(ga_context *context, ga_model *model);

/* ---- passes (model_run.c) ---- */

/* What a pass works on: a graph and features that go together. Borrowed. */
typedef struct ga__model_data {
    const ga__messages *graph; /* NULL for models without a graph */
    int64_t nodes;
    const DLTensor *dense;          /* (nodes, F) of the working type, f32; or */
    const ga__sparse_input *sparse; /* exactly one of both */
} ga__model_data;

/* The policy that the model's layers want their graph made by. */
ga__policy ga__model_policy(const ga_model *model, bool undirected);
/* *out: logits (nodes, C), valid until the next pass. training: dropout of this seed and step (batch norm by the batch);
 * else off. last_stage: stop behind this stage and give what it gives; -1 = all of them. The data must stay until the
 * backward pass is over; those of the next pass may be others. */
ga_status ga__model_forward(ga_context *context, ga_model *model, const ga__model_data *data, bool training,
                            uint64_t seed, int64_t step, int64_t last_stage, const DLTensor **out);
/* Fills weights.grads (numbers that nobody writes are 0); after a forward pass through all stages with training set.
 * grad_logits may be overwritten. Activations of hidden stages are overwritten by gradients where that saves memory. */
ga_status ga__model_backward(ga_context *context, ga_model *model, DLTensor *grad_logits);
/* Frees what passes made; accepts NULL. */
void ga__model_state_free(ga_context *context, struct ga__model_state *state);

/* ---- activations (activations.c) ---- */

/* In place, on a contiguous matrix. */
ga_status ga__activate(ga_context *context, ga__activation activation, DLTensor *y);
/* out = f'(h) g, the derivative from the activated value h. out may be g or h. */
ga_status ga__activation_backward(ga_context *context, ga__activation activation, const DLTensor *h,
                                  const DLTensor *g, DLTensor *out);

/* ---- norms (norms.c) ---- */

/* weight (y - mean) / sqrt(variance + 1e-5) + bias: statistics of a row, or of a column. */
typedef struct ga__norm_run {
    ga__norm kind;
    const DLTensor *weight, *bias;
    DLTensor *mean, *variance; /* running ones of batch norm: momentum 0.1, variance of n - 1 */
    double *scale;             /* 1 / sqrt(variance + 1e-5): of the columns */
    DLTensor *scales;          /* (nodes, 1) f64: of the rows */
} ga__norm_run;
/* y becomes (y - mean) scale, out the result. training: statistics of y, which also move the running ones. */
ga_status ga__norm_forward(ga_context *context, ga__norm_run *norm, bool training, DLTensor *y,
                           DLTensor *out);
/* From the gradient of the result, in place, to that of what went in; y as the forward pass left it. */
ga_status ga__norm_backward(ga_context *context, const ga__norm_run *norm, const DLTensor *y, DLTensor *grad,
                            DLTensor *grad_weight, DLTensor *grad_bias);

/* ---- the models ---- */

extern const ga_model_info ga__model_gcn, ga__model_sage, ga__model_gat, ga__model_gatv2,
    ga__model_transformer, ga__model_agnn, ga__model_appnp, ga__model_gprgnn, ga__model_pgnn, ga__model_mlp;

#endif
