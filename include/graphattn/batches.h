/* batches.h - mini-batches of a graph for training graph neural networks.
 *
 * A batch is a set of nodes and edges between them by layer, each with a weight by which sums over the drawn edges estimate
 * sums over all of them. A row's target is the node for which neighbours are drawn, its source the neighbour: with the
 * parameter direction=in an edge source -> target of the graph, with out an edge target -> source, with both either. Loops
 * and repeated edges count nothing. Methods, parameters and weights: graphattn-neighbors(1).
 */
#ifndef GRAPHATTN_BATCHES_H
#define GRAPHATTN_BATCHES_H

#include <graphattn/base.h>
#include <graphattn/call.h>
#include <graphattn/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ga__batch_maker;
typedef struct ga_batch_method {
    const char *name, *summary;
    const ga_parameter *parameters;
    const struct ga__batch_maker *maker; /* the library's own */
} ga_batch_method;
/* The table of methods. count may be NULL. */
GA_API const ga_batch_method *ga_batch_methods(int *count);
/* NULL (no message) when there is none of that name. */
GA_API const ga_batch_method *ga_batch_method_find(const char *name);

typedef struct ga_batch_options {
    int64_t batch;                   /* seeds of a batch; 0 = all */
    const ga_named_text *parameters; /* of the method's table; borrowed until create returns */
    int64_t parameter_count;
    const int64_t
        *parts; /* cluster: NULL, or the number (>= 0) of each node's part; borrowed until create returns */
} ga_batch_options;
#define GA_BATCH_OPTIONS_INIT \
    { \
        0, NULL, 0, NULL \
    }

/* GA_INVALID when there is no such method or it refuses a parameter: what ga_batches_create would say before any work. */
GA_API ga_status ga_batches_check(ga_context *context, const char *method, const ga_batch_options *options);

/* The rows of one layer. Sources and targets are places in the nodes of the batch. */
typedef struct ga_batch_layer {
    int64_t number; /* 1: targets are the seeds; 0: induced edges, and history (vrgcn) */
    int64_t edges;
    const uint32_t *sources, *targets; /* by target, its sources ascending (ppr: by score) */
    const double *weights;
} ga_batch_layer;

/* Everything is borrowed until the next call with the iterator. */
typedef struct ga_batch {
    int64_t number;     /* from 0 */
    int64_t node_count; /* nodes with rows and seeds without */
    const int64_t
        *nodes; /* numbers in the graph: seeds first, then as they were found; induced methods: ascending */
    const double *norms; /* saint_*: the share of runs in which a node was met; else NULL */
    int64_t layer_count;
    const ga_batch_layer *layers;
} ga_batch;

typedef struct ga_batches ga_batches;

/* Prepares batches. seeds: numbers of nodes, one that stands twice in a batch counts once; saint_* and cluster take no
 * notice of them but for the number of batches (saint_*). graph is kept until destroy and must not change. The iterator
 * serves the context that it was made with. Returns owned. GA_INVALID for a method, parameter, seed or part that is none.
 * Memory: a batch for each thread; fastgcn and saint_node 16 bytes a node, saint_edge 8, saint_* a table of what the runs met,
 * cluster the parts and while it makes them a copy of the graph; the transpose where direction is not out and the graph has
 * none. */
GA_API ga_status ga_batches_create(ga_context *context, const ga_graph *graph, const char *method,
                                   const ga_batch_options *options, const int64_t *seeds, int64_t seed_count,
                                   ga_batches **batches);
/* Accepts NULL. */
GA_API void ga_batches_destroy(ga_context *context, ga_batches *batches);
/* How many batches there are. */
GA_API int64_t ga_batches_count(const ga_batches *batches);
/* The next batch, or NULL behind the last. A batch depends on graph, method, parameters, seeds, its number and the context's
 * seed at create alone; as many as there are threads are made at once. */
GA_API ga_status ga_batches_next(ga_context *context, ga_batches *batches, const ga_batch **batch);
/* Goes on with batch `number`, 0 .. count. */
GA_API ga_status ga_batches_seek(ga_context *context, ga_batches *batches, int64_t number);
/* ladies, fastgcn, saint_node: the probability of each node in a draw of layer 1 of batch 0 (the first draw, where nodes do
 * not come twice); saint_edge: of each edge, in the order of ga_graph_out. GA_UNSUPPORTED for other methods. Returns owned. */
GA_API ga_status ga_batches_probabilities(ga_context *context, ga_batches *batches, double **probabilities,
                                          int64_t *count);
/* A batch as a graph: ids are those of its nodes, an edge source -> target for every row of its layers (vrgcn: but for layer
 * 0) with the row's weight; an edge with several rows stands several times, in their order. Returns owned. */
GA_API ga_status ga_batch_graph(ga_context *context, const ga_graph *graph, const ga_batch *batch,
                                ga_graph **made);

/* k parts of the undirected view with few edges between them: multilevel bisection (Karypis and Kumar, 1998): matching of
 * heavy edges, growth of a part, refinement by Fiduccia and Mattheyses. No part is empty, and a part has at most 1.03 times
 * the mean and one node for each bisection, of which there are log2(k), rounded up. part has room for one number a node,
 * 0 .. k - 1; cut may be NULL: edges of the undirected view between parts. GA_INVALID unless 1 <= k <= nodes (k = 1 for none).
 */
GA_API ga_status ga_graph_partition(ga_context *context, const ga_graph *graph, int64_t k, int64_t *part,
                                    int64_t *cut);

#ifdef __cplusplus
}
#endif

#endif
