/* graph.c - life of a graph, what it holds, building one from pairs. */
#include "config.h"

#include "graph/graph.h"

#include <string.h>
#include <sys/mman.h>

#include "graph/csr.h"

ga_status ga__graph_adopt(ga_context *context, int64_t nodes, int64_t edges, int64_t *offsets,
                          uint32_t *targets, uint64_t *ids, ga_graph **graph)
{
    ga_status status = GA_OK;
    ga_graph *made = NULL;
    GA_TRY(GA_NEW_ZERO(context, 1, &made));
    made->nodes = nodes;
    made->edges = edges;
    made->out_offsets = offsets;
    made->out_targets = targets;
    made->ids = ids;
    *graph = made;
done:
    return status;
}

void ga__graph_free_array(ga_context *context, const ga_graph *graph, void *array)
{
    const char *map = graph->map, *at = array;
    if (!map || at < map || at >= map + graph->map_size) {
        ga_free(context, array);
    }
}

void ga__graph_free_in(ga_context *context, ga_graph *graph)
{
    ga__graph_free_array(context, graph, graph->in_offsets);
    ga__graph_free_array(context, graph, graph->in_sources);
    ga__graph_free_array(context, graph, graph->in_weights);
    graph->in_offsets = NULL;
    graph->in_sources = NULL;
    graph->in_weights = NULL;
}

void ga_graph_destroy(ga_context *context, ga_graph *graph)
{
    if (!graph) {
        return;
    }
    ga__graph_free_array(context, graph, graph->out_offsets);
    ga__graph_free_array(context, graph, graph->out_targets);
    ga__graph_free_array(context, graph, graph->weights);
    ga__graph_free_in(context, graph);
    ga__graph_free_array(context, graph, graph->ids);
    ga__device_edges_free(context, &graph->on_device);
    if (graph->map) {
        (void)munmap(graph->map, (size_t)graph->map_size);
    }
    ga_free(context, graph);
}

ga_status ga_graph_to_device(ga_context *context, ga_graph *graph)
{
    ga_status status = GA_OK;
    ga__device_edges made = { 0 };
    int device = ga__device_id(context);
    ga__begin(context);
    if (graph->on_device.device == device) {
        return GA_OK;
    }
    if (device) {
        GA_TRY(ga__device_edges_bring(context, graph->nodes, graph->out_offsets, graph->out_targets, &made));
    }
    ga__device_edges_free(context, &graph->on_device);
    graph->on_device = made;
done:
    return status;
}

int64_t ga_graph_nodes(const ga_graph *graph)
{
    return graph->nodes;
}

int64_t ga_graph_edges(const ga_graph *graph)
{
    return graph->edges;
}

const uint64_t *ga_graph_ids(const ga_graph *graph)
{
    return graph->ids;
}

ga_csr ga_graph_out(const ga_graph *graph)
{
    return (ga_csr){ graph->nodes, graph->edges, graph->out_offsets, graph->out_targets, graph->weights };
}

/* ---- from pairs ---- */

enum { ARRAY_BLOCK = 1 << 14 };

typedef struct arrays {
    const uint32_t *sources, *targets;
    const float *weights; /* or NULL */
    int64_t count;
    bool both; /* every edge also the other way round, loops once */
} arrays;

static int64_t array_block(void *user, int64_t block, int bits, uint64_t *keys, float *weights)
{
    const arrays *a = user;
    int64_t begin = block * ARRAY_BLOCK, end = ga__min(begin + ARRAY_BLOCK, a->count), made = 0;
    for (int64_t e = begin; e < end; e++) {
        uint64_t source = a->sources[e], target = a->targets[e];
        int copies = a->both && source != target ? 2 : 1;
        keys[made] = source << bits | target;
        if (copies == 2) {
            keys[made + 1] = target << bits | source;
        }
        for (int i = 0; weights && i < copies; i++) {
            weights[made + i] = a->weights[e];
        }
        made += copies;
    }
    return made;
}

static ga_status check_arrays(ga_context *context, int64_t nodes, int64_t edges, const uint32_t *sources,
                              const uint32_t *targets, const uint64_t *ids)
{
    if (nodes < 0 || nodes > INT64_C(4294967296) || edges < 0 || edges > INT64_MAX / 4) {
        return ga__fail(context, GA_INVALID, "a graph of %lld nodes and %lld edges, expected 0 to 2^32 nodes",
                        (long long)nodes, (long long)edges);
    }
    for (int64_t i = 0; i < edges; i++) {
        if (sources[i] >= nodes || targets[i] >= nodes) {
            return ga__fail(context, GA_INVALID, "edge %lld is %u -> %u in a graph of %lld nodes",
                            (long long)i, sources[i], targets[i], (long long)nodes);
        }
    }
    for (int64_t i = 1; ids && i < nodes; i++) {
        if (ids[i] <= ids[i - 1]) {
            return ga__fail(context, GA_INVALID, "node ids must ascend: id %lld is %llu after %llu",
                            (long long)i, (unsigned long long)ids[i], (unsigned long long)ids[i - 1]);
        }
    }
    return GA_OK;
}

static unsigned long long id_of(const uint64_t *ids, uint32_t node)
{
    return ids ? (unsigned long long)ids[node] : node;
}

ga_status ga__refused(ga_context *context, const char *name, const ga__csr_result *result,
                      const uint64_t *ids)
{
    if (result->refused_loop) {
        return ga__fail(context, GA_FORMAT, "%s: edge %llu -> %llu is a loop (--loops=error)", name,
                        id_of(ids, result->source), id_of(ids, result->target));
    }
    return ga__fail(context, GA_FORMAT, "%s: edge %llu -> %llu stands more than once (--multi=error)", name,
                    id_of(ids, result->source), id_of(ids, result->target));
}

ga_status ga_graph_from_edges(ga_context *context, int64_t nodes, int64_t edges, const uint32_t *sources,
                              const uint32_t *targets, const uint64_t *ids, ga_loops loops, ga_multi multi,
                              ga_graph **graph)
{
    return ga_graph_from_weighted_edges(context, nodes, edges, sources, targets, NULL, false, ids, loops,
                                        multi, graph);
}

ga_status ga_graph_from_weighted_edges(ga_context *context, int64_t nodes, int64_t edges,
                                       const uint32_t *sources, const uint32_t *targets, const float *weights,
                                       bool undirected, const uint64_t *ids, ga_loops loops, ga_multi multi,
                                       ga_graph **graph)
{
    ga_status status = GA_OK;
    ga__csr_result built = { 0 };
    uint64_t *kept = NULL;
    ga__begin(context);
    GA_TRY(check_arrays(context, nodes, edges, sources, targets, ids));
    arrays a = { sources, targets, weights, edges, undirected };
    ga__edge_source source = { .blocks = (edges + ARRAY_BLOCK - 1) / ARRAY_BLOCK,
                               .edges = undirected ? 2 * edges : edges,
                               .widest = undirected ? 2 * ARRAY_BLOCK : ARRAY_BLOCK,
                               .largest_id = nodes > 0 ? (uint32_t)(nodes - 1) : 0,
                               .block = array_block,
                               .user = &a };
    ga__csr_policy policy = { loops, multi, weights != NULL, NULL };
    if (ids && nodes > 0 && ids[nodes - 1] != (uint64_t)nodes - 1) {
        GA_TRY(GA_NEW(context, nodes, &kept));
        memcpy(kept, ids, (size_t)nodes * sizeof *kept);
    }
    GA_TRY(ga__csr_build(context, nodes, &source, &policy, &built));
    if (built.refused) {
        GA_TRY(ga__refused(context, "edges", &built, ids));
    }
    GA_TRY(ga__graph_adopt(context, nodes, built.edges, built.offsets, built.targets, kept, graph));
    (*graph)->weights = built.weights;
    built = (ga__csr_result){ 0 };
    kept = NULL;
done:
    ga_free(context, built.offsets);
    ga_free(context, built.targets);
    ga_free(context, built.weights);
    ga_free(context, kept);
    return status;
}
