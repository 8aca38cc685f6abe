/* check_igraph.h - a small graph that has everything, and what the tests of the adapter look at. */
#ifndef TESTS_CHECK_IGRAPH_H
#define TESTS_CHECK_IGRAPH_H

#include <graphattn/igraph.h>

#include "tests/unit/support.h"

enum { EVERYTHING_NODES = 5, EVERYTHING_EDGES = 7 };

/* Two loops, an edge twice, an edge both ways, a node without edges; in the order of the rows. */
static const uint32_t everything_sources[] = { 0, 0, 0, 1, 1, 3, 4 };
static const uint32_t everything_targets[] = { 0, 0, 1, 0, 3, 3, 1 };
static const float everything_weights[] = { 1, 2.5f, 0.1f, -3e-30f, 16777216, 3e38f, 0 };
static const uint64_t everything_ids[] = { 3, 9, 4294967296, 9007199254740993, UINT64_MAX };

static inline ga_graph *make_everything(ga_context *context, bool ids, bool weights)
{
    ga_graph *graph = NULL;
    test_ok(context,
            ga_graph_from_weighted_edges(context, EVERYTHING_NODES, EVERYTHING_EDGES, everything_sources,
                                         everything_targets, weights ? everything_weights : NULL, false,
                                         ids ? everything_ids : NULL, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph));
    return graph;
}

/* Files of every format that is read and written. */
static const char *const files[] = { "a.graphml", "a.gml", "a.net", "a.ncol", "a.lgl" };
enum { FILES = sizeof files / sizeof *files };

static inline ga_context *formats_context(test_hooks *hooks)
{
    ga_context *context = hooks ? test_context(hooks, true) : test_threads_context(1);
    ga_context_set_foreign_formats(context, ga_igraph_formats());
    return context;
}

static inline ga_status read_all(ga_context *context, const char *path, ga_graph **graph)
{
    ga_read_options options = GA_READ_OPTIONS_INIT;
    options.loops = GA_LOOPS_KEEP;
    options.multi = GA_MULTI_KEEP;
    options.weights = true;
    return ga_graph_read(context, path, &options, graph, NULL);
}

/* The graphs have the same nodes, ids, edges and weights. */
static inline void expect_same(const ga_graph *graph, const ga_graph *other)
{
    ga_csr a = ga_graph_out(graph), b = ga_graph_out(other);
    const uint64_t *x = ga_graph_ids(graph), *y = ga_graph_ids(other);
    ck_assert_int_eq(a.rows, b.rows);
    ck_assert_int_eq(a.nonzeros, b.nonzeros);
    ck_assert_mem_eq(a.offsets, b.offsets, (size_t)(a.rows + 1) * sizeof *a.offsets);
    ck_assert_mem_eq(a.targets, b.targets, (size_t)a.nonzeros * sizeof *a.targets);
    ck_assert_int_eq(a.weights == NULL, b.weights == NULL);
    ck_assert_int_eq(x == NULL, y == NULL);
    if (a.weights) {
        ck_assert_mem_eq(a.weights, b.weights, (size_t)a.nonzeros * sizeof *a.weights);
    }
    if (x) {
        ck_assert_mem_eq(x, y, (size_t)a.rows * sizeof *x);
    }
}

/* What a program that uses igraph may have set; expect_ours says that it is still there. */
static int errors_of_theirs, freed_of_theirs;

static inline void their_error(const char *reason, const char *file, int line, igraph_error_t code)
{
    (void)reason;
    (void)file;
    (void)line;
    (void)code;
    errors_of_theirs++;
    IGRAPH_FINALLY_FREE();
}

static inline void their_warning(const char *reason, const char *file, int line)
{
    (void)reason;
    (void)file;
    (void)line;
    errors_of_theirs++;
}

static inline void their_free(void *of)
{
    (void)of;
    freed_of_theirs++;
}

static inline void set_theirs(void)
{
    errors_of_theirs = freed_of_theirs = 0;
    igraph_set_error_handler(their_error);
    igraph_set_warning_handler(their_warning);
    igraph_set_fatal_handler(igraph_fatal_handler_abort);
    IGRAPH_FINALLY(their_free, &freed_of_theirs);
}

static inline void expect_theirs(void)
{
    igraph_fatal_handler_t *fatal = igraph_set_fatal_handler(NULL);
    ck_assert(fatal == igraph_fatal_handler_abort);
    ck_assert(igraph_set_error_handler(NULL) == their_error);
    ck_assert(igraph_set_warning_handler(NULL) == their_warning);
    ck_assert_int_eq(errors_of_theirs, 0);
    ck_assert_int_eq(freed_of_theirs, 0);
    ck_assert_int_eq(IGRAPH_FINALLY_STACK_SIZE(), 1);
    IGRAPH_FINALLY_FREE();
    ck_assert_int_eq(freed_of_theirs, 1);
}

#endif
