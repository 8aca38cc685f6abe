/* graph.c - a batch as a graph. */
#include "config.h"

#include <stdlib.h>

#include "graph/csr.h"
#include "sampling/batches/batches.h"

/* A node of the batch and its place in it. */
typedef struct placed {
    int64_t node;
    uint32_t place;
} placed;

typedef struct rows {
    const ga_batch *batch;
    uint32_t *number; /* owned: of the node at each place, in ascending order */
} rows;

static int by_node(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    return (x->node > y->node) - (x->node < y->node);
}

/* Layer 0 beside others is history. */
static bool counts(const ga_batch *batch, int64_t layer)
{
    return batch->layer_count == 1 || batch->layers[layer].number > 0;
}

static int64_t block(void *user, int64_t number, int bits, uint64_t *keys, float *weights)
{
    const rows *r = user;
    int64_t at = 0;
    (void)number;
    for (int64_t i = 0; i < r->batch->layer_count; i++) {
        const ga_batch_layer *layer = &r->batch->layers[i];
        for (int64_t e = 0; counts(r->batch, i) && e < layer->edges; e++) {
            keys[at] = (uint64_t)r->number[layer->sources[e]] << bits | r->number[layer->targets[e]];
            if (weights) {
                weights[at] = (float)layer->weights[e];
            }
            at++;
        }
    }
    return at;
}

static ga_status number_nodes(ga_context *context, const ga_graph *graph, const ga_batch *batch,
                              uint32_t *number, uint64_t *ids, bool *differ)
{
    ga_status status = GA_OK;
    placed *nodes = NULL;
    *differ = false;
    GA_TRY(GA_NEW(context, batch->node_count, &nodes));
    for (int64_t i = 0; i < batch->node_count; i++) {
        nodes[i] = (placed){ batch->nodes[i], (uint32_t)i };
    }
    if (batch->node_count > 0) {
        qsort(nodes, (size_t)batch->node_count, sizeof *nodes, by_node);
    }
    for (int64_t i = 0; i < batch->node_count; i++) {
        number[nodes[i].place] = (uint32_t)i;
        ids[i] = graph->ids ? graph->ids[nodes[i].node] : (uint64_t)nodes[i].node;
        *differ |= ids[i] != (uint64_t)i;
    }
done:
    ga_free(context, nodes);
    return status;
}

static ga_status build(ga_context *context, rows *r, ga__csr_result *result)
{
    int64_t edges = 0, nodes = r->batch->node_count;
    for (int64_t i = 0; i < r->batch->layer_count; i++) {
        edges += counts(r->batch, i) ? r->batch->layers[i].edges : 0;
    }
    ga__edge_source source = { .blocks = 1, .edges = edges, .widest = edges, .block = block, .user = r };
    source.largest_id = nodes > 0 ? (uint32_t)nodes - 1 : 0;
    ga__csr_policy policy = { .loops = GA_LOOPS_KEEP, .multi = GA_MULTI_KEEP, .weights = true };
    return ga__csr_build(context, nodes, &source, &policy, result);
}

ga_status ga_batch_graph(ga_context *context, const ga_graph *graph, const ga_batch *batch, ga_graph **made)
{
    ga_status status = GA_OK;
    rows r = { .batch = batch };
    uint64_t *ids = NULL;
    bool differ;
    ga__csr_result result = { .offsets = NULL };
    ga__begin(context);
    GA_TRY(GA_NEW(context, batch->node_count, &r.number));
    GA_TRY(GA_NEW(context, batch->node_count, &ids));
    GA_TRY(number_nodes(context, graph, batch, r.number, ids, &differ));
    GA_TRY(build(context, &r, &result));
    GA_TRY(ga__graph_adopt(context, batch->node_count, result.edges, result.offsets, result.targets,
                           differ ? ids : NULL, made));
    (*made)->weights = result.weights;
    result = (ga__csr_result){ .offsets = NULL };
    ids = differ ? NULL : ids;
done:
    ga_free(context, r.number);
    ga_free(context, ids);
    ga_free(context, result.offsets);
    ga_free(context, result.targets);
    ga_free(context, result.weights);
    return status;
}
