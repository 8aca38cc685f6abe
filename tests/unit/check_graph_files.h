/* check_graph_files.h - graphs written to files and read back, and files that are refused. */
#ifndef CHECK_GRAPH_FILES_H
#define CHECK_GRAPH_FILES_H

#include <zlib.h>

#include "check_graph.h"

/* ---- graphs to write ---- */

typedef struct shape {
    int64_t nodes, edges;
    bool ids, weights, undirected;
} shape;

static inline ga_graph *random_graph(ga_context *context, const shape *s, uint64_t stream)
{
    ga__random random = ga__random_at(3, GA__RANDOM_TEST, stream);
    ga_graph *graph = NULL;
    uint32_t *sources = calloc((size_t)s->edges * 2 + 1, 4), *targets = calloc((size_t)s->edges * 2 + 1, 4);
    uint64_t *ids = calloc((size_t)s->nodes + 1, 8);
    for (int64_t i = 0; i < s->edges; i++) {
        sources[i] = (uint32_t)ga__random_below(&random, (uint64_t)s->nodes);
        targets[i] = (uint32_t)ga__random_below(&random, (uint64_t)s->nodes);
        sources[s->edges + i] = targets[i];
        targets[s->edges + i] = sources[i];
    }
    for (int64_t v = 0; v < s->nodes; v++) {
        ids[v] = (v ? ids[v - 1] : 0) + 1 + ga__random_below(&random, UINT64_C(1) << 40);
    }
    ck_assert_int_eq(ga_graph_from_edges(context, s->nodes, s->edges * (s->undirected ? 2 : 1), sources,
                                         targets, s->ids ? ids : NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE,
                                         &graph),
                     GA_OK);
    if (s->weights) {
        ck_assert_int_eq(GA_NEW(context, graph->edges, &graph->weights), GA_OK);
        for (int64_t e = 0; e < graph->edges; e++) {
            graph->weights[e] = (float)ga__random_below(&random, 1000) / (s->undirected ? 1.0f : 7.0f);
        }
    }
    free(sources);
    free(targets);
    free(ids);
    return graph;
}

static inline ga_graph *read_file(ga_context *context, const char *path, bool weights)
{
    ga_graph *graph = NULL;
    ga_read_options o = GA_READ_OPTIONS_INIT;
    o.weights = weights;
    ga_status status = ga_graph_read(context, path, &o, &graph, NULL);
    ck_assert_msg(status == GA_OK, "%s", ga_context_error(context));
    return graph;
}

static inline void write_file(ga_context *context, const ga_graph *graph, const char *path, bool in_edges)
{
    ga_write_options o = GA_WRITE_OPTIONS_INIT;
    o.in_edges = in_edges;
    ck_assert_msg(ga_graph_write(context, graph, path, &o) == GA_OK, "%s", ga_context_error(context));
}

static inline void expect_refusal(const char *path, ga_status wanted, const char *message, int threads)
{
    ga_context *context = plain_context(threads);
    ga_graph *graph = NULL;
    ga_status status = ga_graph_read(context, path, NULL, &graph, NULL);
    ck_assert_msg(status == wanted, "%s: %s", message, ga_context_error(context));
    ck_assert_msg(strstr(ga_context_error(context), message) != NULL, "%s, got: %s", message,
                  ga_context_error(context));
    ck_assert_ptr_null(graph);
    done_with(context);
}

static const char *gzipped(const char *name, const void *data, size_t size)
{
    const char *path = in_folder(name);
    gzFile file = gzopen(path, "wb1");
    ck_assert_ptr_nonnull(file);
    ck_assert(size == 0 || gzwrite(file, data, (unsigned)size) == (int)size);
    ck_assert_int_eq(gzclose(file), Z_OK);
    return path;
}

#endif
