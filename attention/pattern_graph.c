/* pattern_graph.c - patterns as graphs and graphs as patterns: an edge key -> query is a visible pair. */
#include "config.h"

#include <graphattn/attention.h>

#include "lib/engine/pattern/pattern.h"

ga_status ga_pattern_to_graph(ga_context *context, const ga_pattern *pattern, int64_t head, ga_graph **graph)
{
    ga_status status = GA_OK;
    int64_t *offsets = NULL;
    uint32_t *keys = NULL, *queries = NULL;
    GA_TRY(ga_pattern_to_csr(context, pattern, head, &offsets, &keys));
    int64_t edges = offsets[pattern->queries];
    GA_TRY(GA_NEW(context, edges, &queries));
    for (int64_t i = 0; i < pattern->queries; i++) {
        for (int64_t e = offsets[i]; e < offsets[i + 1]; e++) {
            queries[e] = (uint32_t)i;
        }
    }
    GA_TRY(ga_graph_from_edges(context, ga__max(pattern->queries, pattern->keys), edges, keys, queries, NULL,
                               GA_LOOPS_KEEP, GA_MULTI_COLLAPSE, graph));
done:
    ga_free(context, offsets);
    ga_free(context, keys);
    ga_free(context, queries);
    return status;
}

static uint64_t id_of(const uint64_t *ids, int64_t node)
{
    return ids ? ids[node] : (uint64_t)node;
}

/* Counts the edges of every query into offsets[query + 2]; repetitions of an edge count once. */
static ga_status count_edges(ga_context *context, const ga_graph *graph, int64_t queries, int64_t keys,
                             int64_t *offsets)
{
    const uint64_t *ids = ga_graph_ids(graph);
    ga_csr out = ga_graph_out(graph);
    for (int64_t v = 0; v < out.rows; v++) {
        uint64_t key = id_of(ids, v);
        if (out.offsets[v] < out.offsets[v + 1] && key >= (uint64_t)keys) {
            return ga__fail(context, GA_INVALID, "pattern graph: key %llu of %lld", (unsigned long long)key,
                            (long long)keys);
        }
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            uint64_t query = id_of(ids, out.targets[e]);
            if (query >= (uint64_t)queries) {
                return ga__fail(context, GA_INVALID, "pattern graph: query %llu of %lld",
                                (unsigned long long)query, (long long)queries);
            }
            offsets[query + 2] += e == out.offsets[v] || out.targets[e] != out.targets[e - 1];
        }
    }
    return GA_OK;
}

/* Keys come in order, so that every row is ascending; offsets[i + 1] walks from the start of row i to its
 * end. */
static void fill_rows(const ga_graph *graph, int64_t *offsets, uint32_t *indices)
{
    const uint64_t *ids = ga_graph_ids(graph);
    ga_csr out = ga_graph_out(graph);
    for (int64_t v = 0; v < out.rows; v++) {
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            if (e == out.offsets[v] || out.targets[e] != out.targets[e - 1]) {
                indices[offsets[id_of(ids, out.targets[e]) + 1]++] = (uint32_t)id_of(ids, v);
            }
        }
    }
}

ga_status ga_pattern_from_graph(ga_context *context, const ga_graph *graph, int64_t queries, int64_t keys,
                                bool causal, ga_pattern **pattern)
{
    ga_status status = GA_OK;
    int64_t *offsets = NULL;
    uint32_t *indices = NULL;
    ga__begin(context);
    GA_TRY(ga__pattern_check_sizes(context, queries, keys));
    GA_TRY(GA_NEW_ZERO(context, queries + 2, &offsets));
    GA_TRY(count_edges(context, graph, queries, keys, offsets));
    for (int64_t i = 1; i <= queries; i++) {
        offsets[i + 1] += offsets[i];
    }
    GA_TRY(GA_NEW(context, offsets[queries + 1], &indices));
    fill_rows(graph, offsets, indices);
    GA_TRY(ga__pattern_adopt(context, queries, keys, &offsets, &indices, causal, pattern));
done:
    ga_free(context, offsets);
    ga_free(context, indices);
    return status;
}
