/* gnn.h - graph neural networks: layers by name, forward and backward; models, their training and use.
 *
 * A layer is a row of one table: name, summary, source, parameters, tensors. The command, the manual and the tests read
 * that table. Messages go from the source of an edge to its target; a layer sums, averages or normalises over the
 * incoming edges of a node. Nodes are the rows of the features. A node without incoming edges gets what the layer adds
 * to the aggregate (bias, root, skip), never NaN. Results do not depend on the number of threads.
 */
#ifndef GRAPHATTN_GNN_H
#define GRAPHATTN_GNN_H

#include <graphattn/call.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ga_layer {
    const char *name;
    const char *summary, *source;
    const char *plan;    /* for people: kernel; score; normaliser; post */
    const char *outputs; /* "y", "y, map" */
    const ga_parameter *parameters;
    const ga_tensor_slot *tensors; /* beside the features; "weight_I" stands for weight_0, weight_1, ... */
    bool takes_graph;
    const struct ga__layer_ops *ops; /* private */
} ga_layer;

/* The table, ended by NULL. */
GA_API const ga_layer *const *ga_layers(void);
/* NULL (no message) for an unknown name. */
GA_API const ga_layer *ga_layer_find(const char *name);

/* One call of a layer. Arrays are borrowed. */
typedef struct ga_layer_call {
    const DLTensor *features; /* (n, F) */
    const ga_edge_rows
        *edges;      /* keys are sources, queries targets, both row numbers of the features; NULL for layers
                                * without a graph */
    bool undirected; /* every row of edges is two edges, one in each direction */
    const ga_named_text *parameters;
    int64_t parameter_count;
    const ga_named_tensor *tensors;
    int64_t tensor_count;
    const DLTensor *grad_y; /* (n, out); NULL = forward only */
    bool f64;               /* compute in double precision */
} ga_layer_call;
#define GA_LAYER_CALL_INIT \
    { \
        NULL, NULL, false, NULL, 0, NULL, 0, NULL, false \
    }

/* Computes the outputs whose names stand in wanted: each member's tensor pointer is set to a tensor returned owned (f32,
 * or f64 when f64 is set); on failure all are NULL. Names: "y" (n, out); "map" of layers with attention, the weights
 * (rows, heads), a row for every row of edges in their order (undirected: two, the second for the reverse), then one for
 * every inserted loop by node, 0 for edges that were not used; "grad_features" and "grad_NAME" of every differentiable
 * tensor that was given, in its shape. What belongs to edges (edge_weight, edge_features) has an entry for every row of
 * edges. GA_INVALID for unknown names, wrong values, shapes that do not fit, and ids outside the features. */
GA_API ga_status ga_layer_run(ga_context *context, const char *layer, const ga_layer_call *call,
                              ga_named_tensor *wanted, int64_t wanted_count);

/* ---- models: layers with weights, trained for the classes of nodes ---- */

typedef struct ga_model_info {
    const char *name; /* "gat" */
    const char *summary, *source;
    const char *shape;              /* for people: "dropout, gat, ELU, dropout, gat" */
    const ga_parameter *parameters; /* what --set takes, with this model's defaults */
    const ga_tensor_slot *tensors;  /* of a saved model; I = 0, 1, ... */
    bool takes_graph;
    const struct ga__model_ops *ops; /* private */
} ga_model_info;

/* The table, ended by NULL. */
GA_API const ga_model_info *const *ga_models(void);
/* NULL (no message) for an unknown name. */
GA_API const ga_model_info *ga_model_find(const char *name);

/* A graph and what belongs to its nodes. Borrowed. Ids of nodes are row numbers of the features. */
typedef struct ga_node_data {
    const ga_edge_rows *edges; /* NULL for models without a graph */
    bool undirected;           /* every row of edges is two edges */
    const DLTensor *features;  /* (nodes, F); or */
    const ga_sparse *sparse;   /* the same, sparse; exactly one of both */
    const int64_t *labels;     /* (nodes): class 0 .. C - 1, -1 = unknown; or */
    const DLTensor *targets;   /* (nodes, C) u8 or bool: 1 = has this label, any number of them a node */
    void (*edges_read)(
        void *user); /* NULL, or called when edges are not looked at any more: they may be freed */
    void *user;
} ga_node_data;
#define GA_NODE_DATA_INIT \
    { \
        NULL, false, NULL, NULL, NULL, NULL, NULL, NULL \
    }

/* Which nodes are trained on, validated and tested on; nodes without a label in them are left out. */
typedef struct ga_split {
    int64_t *train, *val, *test; /* ascending */
    int64_t train_count, val_count, test_count;
} ga_split;
#define GA_SPLIT_INIT \
    { \
        NULL, NULL, NULL, 0, 0, 0 \
    }
typedef enum ga_split_kind {
    GA_SPLIT_RANDOM, /* floor(train n) and floor(val n) of the n labelled nodes, the others test */
    GA_SPLIT_BALANCED /* of every class floor(n / C train) and floor(n / C val) nodes; classes with no more than both
                       * together are test as a whole */
} ga_split_kind;
/* Draws a split. Permutations are those of NumPy's legacy RandomState(seed), one after the other from one stream (MT19937;
 * balanced: classes in order), so that published splits can be drawn again. train and val are shares, > 0 and >= 0, with
 * train + val <= 1. GA_INVALID otherwise, and when no node has a label or the train set comes out empty. Returns owned
 * arrays. */
GA_API ga_status ga_split_draw(ga_context *context, ga_split_kind kind, double train, double val,
                               uint32_t seed, const int64_t *labels, int64_t nodes, ga_split *split);
GA_API void ga_split_clear(ga_context *context, ga_split *split);

typedef struct ga_model ga_model;

/* After each update (batches: behind the last of the epoch), on the whole graph, dropout off. NaN where there is nothing to
 * measure. The accuracies are what the parameter metric says: accuracy, macro F1, area under the ROC curve. */
typedef struct ga_epoch {
    int64_t epoch; /* from 1 */
    double train_loss, train_accuracy, val_loss, val_accuracy, test_accuracy;
    double seconds; /* since this call began */
} ga_epoch;

typedef struct ga_train_options {
    const char *model;
    const ga_named_text *parameters; /* of the model's table; borrowed */
    int64_t parameter_count;
    const char *checkpoint; /* NULL, or a file that holds the state after every epoch (whole or not at all) */
    const char
        *resume; /* NULL, or such a file to go on from: the same model, parameters, seed and data (epochs
                             * may be more where the learning rate does not depend on them); bit for bit what a run
                             * that was never stopped does */
    void (*on_epoch)(void *user,
                     const ga_epoch *epoch); /* NULL, or called after every epoch on the calling thread */
    void *user;
} ga_train_options;
#define GA_TRAIN_OPTIONS_INIT \
    { \
        NULL, NULL, 0, NULL, NULL, NULL, NULL \
    }

typedef struct ga_train_report {
    int64_t epochs, best_epoch, weights;                /* numbers trained */
    double train_loss, val_loss;                        /* of the chosen epoch, as are the following */
    double train_accuracy, val_accuracy, test_accuracy; /* the metric that was asked for, as in the epochs */
    double train_f1, val_f1, test_f1;                   /* macro F1 */
    double train_auc, val_auc,
        test_auc; /* area under the ROC curve; NaN unless there are two classes or targets */
    double seconds, seconds_per_epoch;
} ga_train_report;

/* Trains a model and gives the one of the chosen epoch. The seed is the context's. With GA_CANCELLED nothing is given;
 * the checkpoint is that of the last whole epoch. GA_INVALID: labels out of range, no training nodes, features that are
 * not finite or have other rows than there are nodes, unknown parameters. */
GA_API ga_status ga_train(ga_context *context, const ga_node_data *data, const ga_split *split,
                          const ga_train_options *options, ga_model **model, ga_train_report *report);
/* Accepts NULL. */
GA_API void ga_model_destroy(ga_context *context, ga_model *model);

/* A safetensors file: weights as f32, the configuration in its header. */
GA_API ga_status ga_model_save(ga_context *context, const ga_model *model, const char *path);
/* GA_FORMAT names the first difference between what the header says and the tensors. Returns owned. */
GA_API ga_status ga_model_load(ga_context *context, const char *path, ga_model **model);

GA_API const ga_model_info *ga_model_kind(const ga_model *model);
GA_API int64_t ga_model_features(const ga_model *model);
GA_API int64_t ga_model_classes(const ga_model *model);
/* True when a node may have any number of labels. */
GA_API bool ga_model_multilabel(const ga_model *model);
/* Value of a parameter as text; NULL for an unknown one. Borrowed. */
GA_API const char *ga_model_parameter(const ga_model *model, const char *name);

/* What the last layer gives, before softmax or sigmoid: *logits (nodes, C) f32. Labels are not looked at; the graph and
 * the nodes may be others than those of the training. Returns owned. */
GA_API ga_status ga_model_predict(ga_context *context, ga_model *model, const ga_node_data *data,
                                  DLTensor **logits);
/* What hidden stage number layer gives (after its activation; 0 = the first, -1 = the last hidden one). GA_INVALID when
 * there is none. Returns owned. */
GA_API ga_status ga_model_embed(ga_context *context, ga_model *model, const ga_node_data *data, int64_t layer,
                                DLTensor **hidden);

/* How good logits are for some nodes: accuracy and macro F1 (labels: the largest logit, ties to the lowest class;
 * targets: logits above 0, all entries), area under the ROC curve (two classes or targets: mean over those with both
 * kinds of nodes; else NaN), mean loss. */
typedef struct ga_scores {
    double loss, accuracy, f1, auc;
} ga_scores;
GA_API ga_status ga_score_logits(ga_context *context, const DLTensor *logits, const ga_node_data *data,
                                 const int64_t *nodes, int64_t count, ga_scores *scores);

#ifdef __cplusplus
}
#endif

#endif
