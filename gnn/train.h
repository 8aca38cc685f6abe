/* train.h - optimisers, losses, metrics, data on its way into a model; for the training files of gnn/. */
#ifndef GA_GNN_TRAIN_H
#define GA_GNN_TRAIN_H

#include "gnn/model.h"

/* ---- parameters of training: rows of every model's table, read by the trainer (parameters.c has the words) ---- */

/* GA__TRAINING(...) below stands in the tables of gnn/models/: hidden, layers, dropout and what is special to a model come
 * first, then these. */
extern const char *const ga__decay_words[];      /* all, first */
extern const char *const ga__select_words[];     /* both, accuracy, loss */
extern const char *const ga__normalise_words[];  /* rows, l2, none */
extern const char *const ga__init_words[];       /* glorot, uniform */
extern const char *const ga__output_words[];     /* layer, linear */
extern const char *const ga__model_norm_words[]; /* none, layer, batch */
extern const char *const ga__metric_words[];     /* accuracy, f1, roc_auc */
extern const char *const ga__optimiser_words[];  /* adam, adamw */
extern const char *const ga__schedule_words[];   /* constant, cosine, linear, step */
enum { GA__SELECT_BOTH, GA__SELECT_ACCURACY, GA__SELECT_LOSS };
enum { GA__NORMALISE_ROWS, GA__NORMALISE_L2, GA__NORMALISE_NONE };
enum { GA__DECAY_ALL, GA__DECAY_FIRST };
enum { GA__WEIGHTS_GLOROT, GA__WEIGHTS_UNIFORM };
enum { GA__OUTPUT_LAYER, GA__OUTPUT_LINEAR };
enum { GA__METRIC_ACCURACY, GA__METRIC_F1, GA__METRIC_ROC_AUC };
enum { GA__OPTIMISER_ADAM, GA__OPTIMISER_ADAMW };
enum { GA__SCHEDULE_CONSTANT, GA__SCHEDULE_COSINE, GA__SCHEDULE_LINEAR, GA__SCHEDULE_STEP };

/* Defaults as text. */
#define GA__TRAINING(lr_, weight_decay_, decay_, epochs_, patience_, select_, normalise_, init_) \
    { .name = "lr", \
      .type = GA_PARAMETER_REAL, \
      .initial = (lr_), \
      .range = "> 0", \
      GA__ABOVE(0), \
      .help = "learning rate" }, \
        { .name = "weight_decay", \
          .type = GA_PARAMETER_REAL, \
          .initial = (weight_decay_), \
          .range = ">= 0", \
          GA__FROM(0), \
          .help = "L2 in the gradient (adam), or decoupled (adamw)" }, \
        { .name = "decay", \
          .type = GA_PARAMETER_WORD, \
          .initial = (decay_), \
          .words = ga__decay_words, \
          GA__ANY, \
          .help = "what weight_decay acts on: all weights (never gamma, p, mu), the first matrix alone" }, \
        { .name = "epochs", \
          .type = GA_PARAMETER_INT, \
          .initial = (epochs_), \
          .range = ">= 1", \
          GA__WITHIN(1, 1e9), \
          .help = "upper limit" }, \
        { .name = "patience", \
          .type = GA_PARAMETER_INT, \
          .initial = (patience_), \
          .range = "0 = none, else >= 1", \
          GA__WITHIN(0, 1e9), \
          .help = "end after so many epochs without progress on the validation nodes" }, \
        { .name = "select", \
          .type = GA_PARAMETER_WORD, \
          .initial = (select_), \
          .words = ga__select_words, \
          GA__ANY, \
          .help = \
              "epoch whose weights are kept: the last at which accuracy and loss were at least as good as ever, " \
              "the first of best accuracy, of least loss" }, \
        { .name = "normalise", \
          .type = GA_PARAMETER_WORD, \
          .initial = (normalise_), \
          .words = ga__normalise_words, \
          GA__ANY, \
          .help = "rows of the features: divided by their sum, by their length, as they are" }, \
        { .name = "init", \
          .type = GA_PARAMETER_WORD, \
          .initial = (init_), \
          .words = ga__init_words, \
          GA__ANY, \
          .help = "first weights: Glorot's with biases 0, or uniform by fan-in with biases" }, \
        { .name = "output", \
          .type = GA_PARAMETER_WORD, \
          .initial = "layer", \
          .words = ga__output_words, \
          GA__ANY, \
          .help = "who gives the classes: the last layer, or a dense map behind it" }, \
        { .name = "residual", \
          .type = GA_PARAMETER_BOOL, \
          .initial = "false", \
          GA__ANY, \
          .help = "hidden layers of equal width add their input" }, \
        { .name = "norm", \
          .type = GA_PARAMETER_WORD, \
          .initial = "none", \
          .words = ga__model_norm_words, \
          GA__ANY, \
          .help = "normalisation behind hidden layers" }, \
        { .name = "metric", \
          .type = GA_PARAMETER_WORD, \
          .initial = "accuracy", \
          .words = ga__metric_words, \
          GA__ANY, \
          .help = \
              "what is logged as accuracy and selects; roc_auc needs two classes or several labels a node" }, \
        { .name = "optimiser", \
          .type = GA_PARAMETER_WORD, \
          .initial = "adam", \
          .words = ga__optimiser_words, \
          GA__ANY, \
          .help = "Adam, or AdamW with decoupled weight decay" }, \
        { .name = "schedule", \
          .type = GA_PARAMETER_WORD, \
          .initial = "constant", \
          .words = ga__schedule_words, \
          GA__ANY, \
          .help = \
              "learning rate over the epochs: cosine and linear fall to 0 behind the last one, step multiplies" }, \
        { .name = "warmup", \
          .type = GA_PARAMETER_INT, \
          .initial = "0", \
          .range = ">= 0", \
          GA__WITHIN(0, 1e9), \
          .help = "epochs in which the learning rate rises linearly" }, \
        { .name = "step_epochs", \
          .type = GA_PARAMETER_INT, \
          .initial = "100", \
          .range = ">= 1", \
          GA__WITHIN(1, 1e9), \
          .help = "schedule=step: epochs between multiplications" }, \
        { .name = "step_factor", \
          .type = GA_PARAMETER_REAL, \
          .initial = "0.5", \
          .range = "> 0", \
          GA__ABOVE(0), \
          .help = "schedule=step: factor" }, \
        { .name = "clip", \
          .type = GA_PARAMETER_REAL, \
          .initial = "0", \
          .range = "0 = off, else > 0", \
          GA__FROM(0), \
          .help = "limit of the norm of the whole gradient" }, \
        { .name = "batch", \
          .type = GA_PARAMETER_INT, \
          .initial = "0", \
          .range = "0 = all, else >= 1", \
          GA__WITHIN(0, 1e9), \
          .help = "training nodes a step, with sampled neighbours; 0: the whole graph" }, \
    { \
        .name = "fanout", .type = GA_PARAMETER_INT_LIST, .initial = "10", .range = "-1 = all, else >= 1", \
        GA__FROM(-1), \
        .help = "batches: neighbours drawn a node, nearest hop first; one number serves all hops" \
    }

/* ---- optimiser and schedule (optimiser.c) ---- */

typedef struct ga__optimiser {
    bool decoupled; /* AdamW */
    bool first;     /* weight decay acts on the first matrix alone */
    double weight_decay, clip;
    int64_t steps;
    float *m, *v; /* (numbers of the weights), owned */
} ga__optimiser;
ga_status ga__optimiser_open(ga_context *context, const ga_model *model, ga__optimiser *optimiser);
/* One update of weights.values by weights.grads at this learning rate. Bit-identical for any number of threads. */
ga_status ga__optimiser_step(ga_context *context, ga__optimiser *optimiser, ga_model *model, double rate);
void ga__optimiser_close(ga_context *context, ga__optimiser *optimiser);
/* Learning rate of an epoch (from 1). */
double ga__learning_rate(const ga_model *model, int64_t epoch);

/* ---- losses and metrics (loss.c, metrics.c) ---- */

/* What is known of nodes: labels (class, -1 = unknown) or targets (nodes, C) u8 or bool, the other NULL. */
typedef struct ga__truth {
    const int64_t *labels;
    const uint8_t *targets;
} ga__truth;
/* Some nodes, ascending. */
typedef struct ga__nodes {
    const int64_t *list;
    int64_t count;
} ga__nodes;

/* Mean cross-entropy over nodes, or mean binary cross-entropy over nodes and classes, of logits (all nodes, C) f32; NaN
 * without nodes. grad, as the logits, may be NULL: that of the mean, 0 for other nodes. Every node must have a label
 * that is a class of the logits. */
ga_status ga__loss(ga_context *context, const DLTensor *logits, const ga__truth *truth,
                   const ga__nodes *nodes, double *loss, DLTensor *grad);
/* The members of scores that are wanted: accuracy always. loss is left alone. See ga_scores. */
ga_status ga__metrics(ga_context *context, const DLTensor *logits, const ga__truth *truth,
                      const ga__nodes *nodes, bool f1, bool auc, ga_scores *scores);

/* ---- data (data.c) ---- */

/* Data made ready for a model: graph by its policy, features normalised in single precision. Borrows what need not
 * change, owns the rest. */
typedef struct ga__prepared {
    ga__messages messages;
    ga__sparse_input sparse;
    DLTensor *dense, *values; /* owned; NULL where the caller's could be used as they are */
    DLTensor borrowed;        /* a view of the caller's */
    int64_t borrowed_shape[2];
    ga__model_data data;
} ga__prepared;
/* GA_INVALID for features that are not finite (names the row and column), another width than the model's, a missing
 * graph, ids outside. Closed by ga__prepared_close whatever it returns. */
ga_status ga__prepare(ga_context *context, const ga_model *model, const ga_node_data *data,
                      ga__prepared *out);
void ga__prepared_close(ga_context *context, ga__prepared *prepared);
/* Do its layers know weights of edges? */
bool ga__model_weighs(const ga_model *model);

/* Rows and columns of the features; GA_INVALID unless there are some, dense or sparse. */
ga_status ga__data_shape(ga_context *context, const ga_node_data *data, int64_t *nodes, int64_t *columns);
/* 1 + the largest label. GA_INVALID for labels below -1 or beyond all reason. */
ga_status ga__count_classes(ga_context *context, const int64_t *labels, int64_t nodes, int64_t *classes);
/* Labels or targets, checked, and the number of classes. */
ga_status ga__data_truth(ga_context *context, const ga_node_data *data, int64_t nodes, ga__truth *truth,
                         int64_t *classes);

/* ---- batches (loader.c) ---- */

/* Batches of training nodes with their sampled surroundings, made ahead by a thread of its own. */
typedef struct ga__loader ga__loader;
typedef struct ga__batch {
    ga__model_data data; /* the sampled nodes, seeds first */
    int64_t seed_count;
    const int64_t *nodes; /* (data.nodes): their numbers in the whole graph */
} ga__batch;
/* Fan-out sampling over incoming edges of the prepared graph, hop by hop: at most fanout[hop] of them, -1 = all, none
 * twice; loops are always taken and not counted. weighted: the layers normalise by weighted degrees. Then a drawn edge
 * has d / k times its weight where k of d were drawn, and a node whose edges were not drawn has a loop of the weight of
 * all of them, so that every degree is right, or right on average. The order of seeds and all draws depend on
 * (seed, epoch, node) alone. Keeps whole and train until close. */
typedef struct ga__loader_options {
    const ga__prepared *whole;
    ga__nodes train;
    int64_t batch; /* seeds a batch */
    const int64_t *fanout;
    int hops;
    bool weighted;
    uint64_t seed;
} ga__loader_options;
ga_status ga__loader_open(ga_context *context, const ga__loader_options *options, ga__loader **loader);
void ga__loader_begin(ga__loader *loader, int64_t epoch);
/* *batch NULL at the end of the epoch; valid until the next call. */
ga_status ga__loader_next(ga_context *context, ga__loader *loader, const ga__batch **batch);
/* Accepts NULL. */
void ga__loader_close(ga_context *context, ga__loader *loader);

/* ---- training (train.c) ---- */

/* Where a training run stands. */
typedef struct ga__train_state {
    int64_t epoch;                   /* done */
    int64_t stale;                   /* epochs since progress */
    double best_accuracy, best_loss; /* on the validation nodes, for progress */
    ga_epoch best;                   /* the chosen epoch; epoch 0 = none */
    float *best_values;              /* (numbers), owned */
} ga__train_state;

/* ---- files (model_file.c, checkpoint.c) ---- */

/* What must be the same for a run to go on. */
typedef struct ga__train_facts {
    uint64_t seed;
    int64_t nodes, edges, train, val, test;
    uint32_t data; /* CRC-32C of graph, features, labels and split */
} ga__train_facts;
ga_status ga__checkpoint_write(ga_context *context, const ga_model *model, const ga__optimiser *optimiser,
                               const ga__train_state *state, const ga__train_facts *facts, const char *path);
/* GA_INVALID names the first difference between the file's run and this one; epochs may be another number where the
 * learning rate does not depend on it. GA_FORMAT for a file that is no checkpoint. On failure nothing has changed. */
ga_status ga__checkpoint_read(ga_context *context, ga_model *model, ga__optimiser *optimiser,
                              ga__train_state *state, const ga__train_facts *facts, const char *path);

/* Parameters of a model as a JSON object, and back. The text is owned. */
ga_status ga__parameters_to_json(ga_context *context, const ga_model *model, char **text);
/* A list of parameters as text, for ga__model_make. GA_FORMAT: "NAME: ..." */
typedef struct ga__parameter_list {
    ga_named_text *list; /* texts owned */
    int64_t count;
    char *texts;
} ga__parameter_list;
ga_status ga__parameters_from_json(ga_context *context, const char *name, const char *json,
                                   ga__parameter_list *out);
void ga__parameter_list_clear(ga_context *context, ga__parameter_list *list);

#endif
