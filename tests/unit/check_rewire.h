/* check_rewire.h - what the tests of rewiring share. */
#ifndef CHECK_REWIRE_H
#define CHECK_REWIRE_H

#include "sampling/rewire/rewiring.h"
#include "tests/unit/support.h"

/* A random simple graph of at most `edges` edges; skew > 1 makes hubs. */
static inline ga_graph *random_graph(ga_context *context, uint64_t seed, int64_t nodes, int64_t edges,
                                     int skew)
{
    ga_graph *graph = NULL;
    uint32_t *source = malloc((size_t)edges * 4 + 4), *target = malloc((size_t)edges * 4 + 4);
    ga__random random = ga__random_at(seed, GA__RANDOM_TEST, 0);
    for (int64_t e = 0; e < edges; e++) {
        uint64_t u = ga__random_below(&random, (uint64_t)nodes),
                 v = ga__random_below(&random, (uint64_t)nodes);
        for (int i = 1; i < skew; i++) {
            u = ga__random_below(&random, u + 1);
            v = ga__random_below(&random, v + 1);
        }
        source[e] = (uint32_t)u;
        target[e] = (uint32_t)(nodes - 1) - (uint32_t)v;
    }
    test_ok(context, ga_graph_from_edges(context, nodes, edges, source, target, NULL, GA_LOOPS_DROP,
                                         GA_MULTI_COLLAPSE, &graph));
    free(source);
    free(target);
    return graph;
}

static inline ga_graph *graph_of(ga_context *context, int64_t nodes, int64_t edges, const uint32_t (*pair)[2])
{
    ga_graph *graph = NULL;
    uint32_t source[64], target[64];
    for (int64_t e = 0; e < edges; e++) {
        source[e] = pair[e][0];
        target[e] = pair[e][1];
    }
    test_ok(context, ga_graph_from_edges(context, nodes, edges, source, target, NULL, GA_LOOPS_KEEP,
                                         GA_MULTI_KEEP, &graph));
    return graph;
}

#endif
