/* check_batches.h - what the tests of mini-batches share: a graph, calls, links by definition. */
#ifndef CHECK_BATCHES_H
#define CHECK_BATCHES_H

#include <math.h>

#include "sampling/batches/batches.h"
#include "tests/unit/check_sampling.h"
#include "tests/unit/support.h"

enum { NODES = 70, MOST_GIVEN = 8, METHODS = 12 };

/* Nodes 0-49 random, some with many links, 50-59 a directed ring, 60-63 two pairs, 64-69 isolated; ids far apart, weights. */
static inline ga_graph *mixed_graph(ga_context *context, ga_loops loops, ga_multi multi)
{
    uint32_t s[420], t[420];
    uint64_t ids[NODES];
    int64_t edges = 0;
    luck = 17;
    for (; edges < 350; edges++) {
        s[edges] = (uint32_t)lucky(lucky(50) + 1);
        t[edges] = (uint32_t)lucky(lucky(50) + 1);
    }
    for (uint32_t v = 50; v < 60; v++, edges++) {
        s[edges] = v;
        t[edges] = v == 59 ? 50 : v + 1;
    }
    for (uint32_t v = 60; v < 64; v += 2, edges++) {
        s[edges] = v;
        t[edges] = v + 1;
    }
    for (uint64_t v = 0; v < NODES; v++) {
        ids[v] = v * v * 1000003 + 5;
    }
    ga_graph *graph = NULL;
    ck_assert_int_eq(ga_graph_from_edges(context, NODES, edges, s, t, ids, loops, multi, &graph), GA_OK);
    ck_assert_int_eq(GA_NEW(context, graph->edges, &graph->weights), GA_OK);
    for (int64_t e = 0; e < graph->edges; e++) {
        graph->weights[e] = 0.5f + (float)(e % 7);
    }
    return graph;
}

static inline int64_t edges_from(const ga_graph *g, int64_t u, int64_t v)
{
    int64_t count = 0;
    for (int64_t e = g->out_offsets[u]; e < g->out_offsets[u + 1]; e++) {
        count += g->out_targets[e] == v;
    }
    return count;
}

/* u is a neighbour of v. */
static inline bool near_by(const ga_graph *g, ga__direction direction, int64_t u, int64_t v)
{
    return u != v && ((direction != GA__OUT && edges_from(g, u, v) > 0) ||
                      (direction != GA__IN && edges_from(g, v, u) > 0));
}

static inline int64_t degree_of(const ga_graph *g, ga__direction direction, int64_t v)
{
    int64_t count = 0;
    for (int64_t u = 0; u < g->nodes; u++) {
        count += near_by(g, direction, u, v);
    }
    return count;
}

/* ---- calls ---- */

/* "name=value" words as parameters. */
typedef struct words {
    ga_batch_options options;
    ga_named_text given[MOST_GIVEN];
    char text[MOST_GIVEN][64];
} words;

static inline void words_of(words *c, const char *parameters, int64_t batch)
{
    static const ga_batch_options initial = GA_BATCH_OPTIONS_INIT;
    c->options = initial;
    c->options.batch = batch;
    c->options.parameters = c->given;
    for (const char *at = parameters; *at;) {
        size_t size = strcspn(at, " ");
        int64_t i = c->options.parameter_count++;
        ck_assert(i < MOST_GIVEN && size < sizeof c->text[0]);
        memcpy(c->text[i], at, size);
        c->text[i][size] = '\0';
        char *equals = strchr(c->text[i], '=');
        ck_assert_ptr_nonnull(equals);
        *equals = '\0';
        c->given[i] = (ga_named_text){ c->text[i], equals + 1 };
        at += size + (at[size] == ' ');
    }
}

static inline ga_batches *opened(ga_context *context, const ga_graph *graph, const char *method,
                                 const char *parameters, int64_t batch, const int64_t *seeds, int64_t count)
{
    words c;
    ga_batches *batches = NULL;
    words_of(&c, parameters, batch);
    ga_status status = ga_batches_create(context, graph, method, &c.options, seeds, count, &batches);
    ck_assert_msg(status == GA_OK, "%s: %s", method, ga_context_error(context));
    return batches;
}

static inline const ga_batch *next_of(ga_context *context, ga_batches *batches)
{
    const ga_batch *batch = NULL;
    test_ok(context, ga_batches_next(context, batches, &batch));
    return batch;
}

/* Some parameters for every method that suit a small graph. */
static inline const char *small_parameters(const char *method)
{
    static const char *const known[][2] = {
        { "fanout", "fanout=3,2" },
        { "labor", "fanout=3,2" },
        { "ladies", "layer_size=7,5" },
        { "fastgcn", "layer_size=17,15" },
        { "vrgcn", "" },
        { "saint_node", "budget=25 coverage=10" },
        { "saint_edge", "budget=15 coverage=10" },
        { "saint_walk", "roots=9 length=3 coverage=10" },
        { "saint_mrw", "walkers=3 budget=20 coverage=10" },
        { "cluster", "parts=9 parts_per_batch=2" },
        { "shadow", "fanout=2,2" },
        { "ppr", "top_k=6" },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i][0], method) == 0) {
            return known[i][1];
        }
    }
    ck_abort_msg("a method without parameters here: %s", method);
}

/* ---- batches that are kept ---- */

typedef struct kept {
    int64_t count, room;
    double *numbers; /* everything in a batch */
} kept;

static inline void keep_number(kept *k, double x)
{
    if (k->count == k->room) {
        k->room = 2 * k->room + 1024;
        k->numbers = realloc(k->numbers, (size_t)k->room * sizeof *k->numbers);
    }
    k->numbers[k->count++] = x;
}

static inline void keep_batch(kept *k, const ga_batch *b)
{
    keep_number(k, (double)b->number);
    keep_number(k, (double)b->node_count);
    for (int64_t i = 0; i < b->node_count; i++) {
        keep_number(k, (double)b->nodes[i]);
        keep_number(k, b->norms ? b->norms[i] : -1);
    }
    for (int64_t i = 0; i < b->layer_count; i++) {
        const ga_batch_layer *layer = &b->layers[i];
        keep_number(k, (double)layer->number);
        keep_number(k, (double)layer->edges);
        for (int64_t e = 0; e < layer->edges; e++) {
            keep_number(k, layer->sources[e]);
            keep_number(k, layer->targets[e]);
            keep_number(k, layer->weights[e]);
        }
    }
}

static inline void same_kept(const kept *a, const kept *b, const char *what)
{
    ck_assert_msg(a->count == b->count &&
                      memcmp(a->numbers, b->numbers, (size_t)a->count * sizeof(double)) == 0,
                  "%s: batches differ", what);
}

#endif
