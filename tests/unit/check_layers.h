/* check_layers.h - fixtures of every layer, and running them; for check_layers.c. */
#ifndef TESTS_CHECK_LAYERS_H
#define TESTS_CHECK_LAYERS_H

#include "lib/base/base.h"
#include "tests/unit/support.h"
#include <graphattn.h>
#include <math.h>

enum { TENSORS = 12, PARAMETERS = 5 };

/* A layer with parameters and the shapes of its tensors; -1 stands for the number of lines. */
typedef struct fixture {
    const char *layer;
    ga_named_text parameters[PARAMETERS];
    struct {
        const char *name;
        int64_t rows, columns; /* rows 0: one axis; -1: as many as lines */
    } tensors[TENSORS];
    bool undirected;
} fixture;

enum { F = 5 };

static const fixture fixtures[] = {
    { "gcn", { { 0 } }, { { "weight", F, 3 }, { "bias", 0, 3 }, { "edge_weight", 0, -1 } }, false },
    { "gcn", { { "duplicates", "sum" } }, { { "weight", F, 7 }, { "edge_weight", 0, -1 } }, true },
    { "gcn",
      { { "self_loops", "keep" }, { "duplicates", "keep" } },
      { { "weight", F, 7 }, { "edge_weight", 0, -1 } },
      false },
    { "sage", { { 0 } }, { { "weight_root", F, 3 }, { "weight_neigh", F, 3 }, { "bias", 0, 3 } }, false },
    { "sage",
      { { "aggregator", "sum" }, { "normalise", "true" } },
      { { "weight_root", F, 3 }, { "weight_neigh", F, 3 } },
      true },
    { "sage",
      { { "aggregator", "max" }, { "duplicates", "keep" } },
      { { "weight_root", F, 3 }, { "weight_neigh", F, 3 } },
      false },
    { "gat",
      { { "heads", "2" } },
      { { "weight", F, 6 },
        { "att_src", 2, 3 },
        { "att_dst", 2, 3 },
        { "bias", 0, 6 },
        { "score_bias", 0, 2 } },
      false },
    { "gat",
      { { "heads", "2" }, { "concat", "false" }, { "duplicates", "keep" } },
      { { "weight", F, 6 },
        { "att_src", 2, 3 },
        { "att_dst", 2, 3 },
        { "bias", 0, 3 },
        { "edge_features", -1, 4 },
        { "weight_edge", 4, 6 },
        { "att_edge", 2, 3 } },
      true },
    { "gatv2",
      { { "heads", "2" } },
      { { "weight_src", F, 6 },
        { "bias_src", 0, 6 },
        { "weight_dst", F, 6 },
        { "bias_dst", 0, 6 },
        { "att", 2, 3 },
        { "bias", 0, 6 } },
      false },
    { "gatv2",
      { { "concat", "0" }, { "heads", "3" }, { "negative_slope", "0.5" } },
      { { "weight_src", F, 6 },
        { "att", 3, 2 },
        { "bias", 0, 2 },
        { "edge_features", -1, 2 },
        { "weight_edge", 2, 6 } },
      false },
    { "transformer",
      { { "heads", "2" }, { "gate", "1" } },
      { { "weight_query", F, 4 },
        { "bias_query", 0, 4 },
        { "weight_key", F, 4 },
        { "bias_key", 0, 4 },
        { "weight_value", F, 4 },
        { "bias_value", 0, 4 },
        { "weight_skip", F, 4 },
        { "bias_skip", 0, 4 },
        { "weight_gate", 12, 1 } },
      false },
    { "transformer",
      { { "heads", "2" }, { "concat", "false" }, { "self_loops", "add" } },
      { { "weight_query", F, 4 },
        { "weight_key", F, 4 },
        { "weight_value", F, 4 },
        { "weight_skip", F, 2 },
        { "edge_features", -1, 3 },
        { "weight_edge", 3, 4 } },
      true },
    { "transformer",
      { { 0 } },
      { { "weight_query", F, 4 }, { "weight_key", F, 4 }, { "weight_value", F, 4 } },
      false },
    { "agnn", { { 0 } }, { { "beta", 0, 1 } }, false },
    { "appnp", { { "k", "4" }, { "alpha", "0.3" } }, { { "edge_weight", 0, -1 } }, false },
    { "gprgnn", { { "self_loops", "remove" } }, { { "gamma", 0, 4 }, { "edge_weight", 0, -1 } }, false },
    { "pgnn",
      { { "k", "3" }, { "guard", "eps" }, { "guard_eps", "0.1" } },
      { { "p", 0, 1 }, { "mu", 0, 1 } },
      false },
    { "pgnn",
      { { "k", "2" }, { "alpha_side", "source" }, { "duplicates", "sum" } },
      { { "p", 0, 1 }, { "mu", 0, 1 }, { "weight", F, 2 }, { "bias", 0, 2 }, { "edge_weight", 0, -1 } },
      true },
    { "pgnn", { { "k", "2" }, { "p", "2.5" }, { "mu", "0.4" } }, { { "edge_weight", 0, -1 } }, false },
    { "mlp",
      { { 0 } },
      { { "weight_0", F, 4 }, { "bias_0", 0, 4 }, { "weight_1", 4, 3 }, { "weight_2", 3, 2 } },
      false },
};
enum { FIXTURES = sizeof fixtures / sizeof *fixtures };

/* ---- problems ---- */

typedef struct problem {
    const fixture *of;
    int64_t n, lines;
    int64_t *keys, *queries, *numbers;
    DLTensor *features, *grad_y;
    ga_named_tensor tensors[TENSORS];
    ga_edge_rows edges;
    ga_layer_call call;
} problem;

static ga_context *context;

static inline DLTensor *tensor_of(int axes, int64_t rows, int64_t columns)
{
    DLTensor *tensor = NULL;
    const int64_t shape[] = { axes > 1 ? rows : columns, columns };
    const DLDataType wide = { .code = kDLFloat, .bits = 64, .lanes = 1 };
    test_ok(context, ga_tensor_create(context, wide, axes, shape, &tensor));
    return tensor;
}

static inline double *numbers_of(const DLTensor *tensor)
{
    return tensor->data;
}

static inline int64_t count_of(const DLTensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

/* Numbers that single precision has. */
static inline void fill(DLTensor *tensor, ga__random *random, double least, double most)
{
    for (int64_t i = 0; i < count_of(tensor); i++) {
        numbers_of(tensor)[i] = (float)(least + (most - least) * ga__random_unit(random));
    }
}

/* Node 0 is a hub in both directions, the last node and node 1 have no incoming edge; loops and repeated lines. */
static inline void draw_edges(problem *p, ga__random *random)
{
    p->keys = calloc((size_t)p->lines + 1, sizeof *p->keys);
    p->queries = calloc((size_t)p->lines + 1, sizeof *p->queries);
    p->numbers = calloc((size_t)p->lines + 1, sizeof *p->numbers);
    for (int64_t i = 0; i < p->lines; i++) {
        int64_t j = (int64_t)ga__random_below(random, (uint64_t)p->n - 1);
        int64_t to = 2 + (int64_t)ga__random_below(random, (uint64_t)p->n - 3);
        p->keys[i] = i % 7 == 3 ? 0 : j;
        p->queries[i] = i % 5 == 2 ? 0 : i % 11 == 4 ? p->keys[i] : to;
        if (i % 6 == 5) {
            p->keys[i] = p->keys[i - 2];
            p->queries[i] = p->queries[i - 2];
        }
        if (p->queries[i] == 1) {
            p->queries[i] = 2;
        }
        p->numbers[i] = i + 2;
    }
    p->edges = (ga_edge_rows){
        .name = "graph.txt", .count = p->lines, .keys = p->keys, .queries = p->queries, .lines = p->numbers
    };
}

static inline void problem_make(problem *p, const fixture *of, int64_t n, int64_t lines, uint64_t seed)
{
    ga__random random = ga__random_at(seed, GA__RANDOM_TEST, 7);
    *p = (problem){ .of = of, .n = n, .lines = lines, .call = GA_LAYER_CALL_INIT };
    draw_edges(p, &random);
    p->features = tensor_of(2, n, F);
    fill(p->features, &random, -1, 1);
    int64_t count = 0;
    for (; count < TENSORS && of->tensors[count].name; count++) {
        int64_t rows = of->tensors[count].rows, columns = of->tensors[count].columns;
        DLTensor *t = tensor_of(rows ? 2 : 1, rows < 0 ? lines : rows, columns < 0 ? lines : columns);
        const char *name = of->tensors[count].name;
        bool positive = strcmp(name, "edge_weight") == 0 || strcmp(name, "mu") == 0;
        fill(t, &random, positive ? 0.2 : -0.8, positive ? 1.5 : 0.8);
        if (strcmp(name, "p") == 0) {
            fill(t, &random, 1.4, 1.6);
        }
        p->tensors[count] = (ga_named_tensor){ name, t };
    }
    p->call.features = p->features;
    p->call.edges = &p->edges;
    p->call.undirected = of->undirected;
    p->call.parameters = of->parameters;
    while (p->call.parameter_count < PARAMETERS && of->parameters[p->call.parameter_count].name) {
        p->call.parameter_count++;
    }
    p->call.tensors = p->tensors;
    p->call.tensor_count = count;
    p->call.f64 = true;
}

static inline void problem_free(problem *p)
{
    for (int64_t i = 0; i < TENSORS; i++) {
        ga_tensor_destroy(context, p->tensors[i].tensor);
    }
    ga_tensor_destroy(context, p->features);
    ga_tensor_destroy(context, p->grad_y);
    free(p->keys);
    free(p->queries);
    free(p->numbers);
}

/* y, map where there is one, and every gradient. */
typedef struct results {
    ga_named_tensor of[TENSORS + 4];
    char names[TENSORS + 4][40];
    int64_t count;
} results;

static inline bool has_map(const fixture *of)
{
    return strstr(ga_layer_find(of->layer)->outputs, "map") != NULL;
}

static inline bool differentiable(const fixture *of, const char *name)
{
    return !(strcmp(of->layer, "pgnn") == 0 && strcmp(name, "edge_weight") == 0);
}

static inline void want(results *r, const char *prefix, const char *name)
{
    snprintf(r->names[r->count], sizeof r->names[0], "%s%s", prefix, name);
    r->of[r->count] = (ga_named_tensor){ r->names[r->count], NULL };
    r->count++;
}

static inline void want_all(const problem *p, results *r)
{
    *r = (results){ .count = 0 };
    want(r, "", "y");
    if (has_map(p->of)) {
        want(r, "", "map");
    }
    if (p->call.grad_y) {
        want(r, "grad_", "features");
    }
    for (int64_t i = 0; p->call.grad_y && i < p->call.tensor_count; i++) {
        if (differentiable(p->of, p->tensors[i].name)) {
            want(r, "grad_", p->tensors[i].name);
        }
    }
}

static inline void results_free(ga_context *with, results *r)
{
    for (int64_t i = 0; i < r->count; i++) {
        ga_tensor_destroy(with, r->of[i].tensor);
    }
}

static inline DLTensor *result(const results *r, const char *name)
{
    for (int64_t i = 0; i < r->count; i++) {
        if (strcmp(r->of[i].name, name) == 0) {
            return r->of[i].tensor;
        }
    }
    ck_abort_msg("no result %s", name);
    return NULL;
}

static inline void run(const problem *p, results *r)
{
    want_all(p, r);
    test_ok(context, ga_layer_run(context, p->of->layer, &p->call, r->of, r->count));
}

static inline void with_gradient(problem *p)
{
    results r;
    ga__random random = ga__random_at(5, GA__RANDOM_TEST, 9);
    run(p, &r);
    p->grad_y = tensor_of(2, p->n, result(&r, "y")->shape[1]);
    fill(p->grad_y, &random, -1, 1);
    p->call.grad_y = p->grad_y;
    results_free(context, &r);
}

static inline double loss(problem *p)
{
    double sum = 0;
    ga_named_tensor y = { "y", NULL };
    test_ok(context, ga_layer_run(context, p->of->layer, &p->call, &y, 1));
    for (int64_t i = 0; i < count_of(y.tensor); i++) {
        sum += numbers_of(y.tensor)[i] * numbers_of(p->grad_y)[i];
    }
    ga_tensor_destroy(context, y.tensor);
    return sum;
}

static inline void setup(void)
{
    context = test_threads_context(2);
}

static inline void teardown(void)
{
    ga_context_destroy(context);
}

#endif
