/* gnn.h - layers of graph neural networks, forward and backward, by name.
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

#ifdef __cplusplus
}
#endif

#endif
