/* fixtures.c - the variants by their formulas. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

static void make_nothing(problem *p, uint64_t seed)
{
    (void)p;
    (void)seed;
}

static void dense_nothing(problem *p)
{
    (void)p;
}

/* ---- full: softmax(cap(scale q k) + bias) ---- */

static void full_make(problem *p, uint64_t seed)
{
    if (seed % 3 == 1) {
        problem_set(p, "softcap", "1.5");
    }
    if (seed % 3 == 2) {
        uint64_t state = seed;
        array *bias =
            problem_tensor(p, "bias", 3, (int64_t[]){ seed % 2 ? 1 : p->heads, p->queries, p->keys });
        for (int64_t i = 0; i < array_count(bias); i++) {
            bias->data[i] = (double)(float)reference_draw(&state);
        }
    }
}

static double dense_bias(const problem *p, int64_t head, int64_t query, int64_t key)
{
    const array *bias = problem_find(p, "bias");
    return bias ? bias->data[((bias->shape[0] == 1 ? 0 : head) * p->queries + query) * p->keys + key] : 0;
}

/* ---- window: p - left <= j <= p + right, or j < sinks ---- */

static void window_make(problem *p, uint64_t seed)
{
    problem_set_number(p, "left", (double)(seed % 5));
    problem_set_number(p, "right", (double)(seed % 3));
    problem_set_number(p, "sinks", (double)(seed % 2 < (uint64_t)p->keys ? seed % 2 : 0));
}

static void window_dense(problem *p)
{
    problem_set_number(p, "left", (double)(p->keys + p->queries));
    problem_set_number(p, "right", (double)(p->keys + p->queries));
}

static bool window_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    (void)head;
    double at = (double)(query + p->keys - p->queries), j = (double)key;
    return (j >= at - problem_number(p, "left", 0) && j <= at + problem_number(p, "right", 0)) ||
           j < problem_number(p, "sinks", 0);
}

/* ---- neighborhood, one axis: a window of exactly w keys that moves inward at the ends ---- */

static void neighborhood_make(problem *p, uint64_t seed)
{
    int64_t most = p->keys < 6 ? p->keys : 6;
    problem_set_number(p, "window", (double)(1 + (int64_t)(seed % (uint64_t)most)));
}

static void neighborhood_dense(problem *p)
{
    problem_set_number(p, "window", (double)p->keys);
}

static bool neighborhood_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    (void)head;
    int64_t w = (int64_t)problem_number(p, "window", 0), left = w / 2, right = w - 1 - left, centre = query;
    if (p->causal) {
        return key > query - w && key <= query;
    }
    centre = centre < left ? left : centre;
    centre = centre > p->keys - 1 - right ? p->keys - 1 - right : centre;
    return key >= centre - left && key <= centre + right;
}

/* ---- block-sparse ---- */

static void blocks_make(problem *p, uint64_t seed)
{
    uint64_t state = seed;
    int64_t rows = 1 + (int64_t)(seed % 4), columns = 1 + (int64_t)(seed % 3);
    problem_set_number(p, "block_q", (double)rows);
    problem_set_number(p, "block_k", (double)columns);
    array *map = problem_tensor(p, "block_map", 3,
                                (int64_t[]){ seed % 2 ? 1 : p->heads, (p->queries + rows - 1) / rows,
                                             (p->keys + columns - 1) / columns });
    p->tensors[p->tensor_count - 1].dtype = (DLDataType){ kDLUInt, 8, 1 };
    for (int64_t i = 0; i < array_count(map); i++) {
        map->data[i] = reference_draw(&state) > 0;
    }
}

static void blocks_dense(problem *p)
{
    const array *map = problem_find(p, "block_map");
    for (int64_t i = 0; i < array_count(map); i++) {
        map->data[i] = 1;
    }
}

static bool blocks_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    const array *map = problem_find(p, "block_map");
    int64_t rows = (int64_t)problem_number(p, "block_q", 64),
            columns = (int64_t)problem_number(p, "block_k", 64);
    int64_t h = map->shape[0] == 1 ? 0 : head;
    return map->data[(h * map->shape[1] + query / rows) * map->shape[2] + key / columns] != 0;
}

/* ---- graph: query sees key when there is an edge key -> query ---- */

static void graph_fill(problem *p, uint64_t seed, double least)
{
    uint64_t state = seed;
    free(p->edge_source);
    free(p->edge_target);
    p->edges = 0;
    p->edge_source = calloc((size_t)(p->queries * p->keys) + 1, sizeof *p->edge_source);
    p->edge_target = calloc((size_t)(p->queries * p->keys) + 1, sizeof *p->edge_target);
    for (int64_t i = 0; i < p->queries; i++) {
        for (int64_t j = 0; j < p->keys; j++) {
            if (reference_draw(&state) > least) {
                p->edge_source[p->edges] = (uint32_t)j;
                p->edge_target[p->edges++] = (uint32_t)i;
            }
        }
    }
}

static void graph_make(problem *p, uint64_t seed)
{
    graph_fill(p, seed, 0.2);
}

static void graph_dense(problem *p)
{
    graph_fill(p, 1, -2);
}

static bool graph_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    (void)head;
    for (int64_t e = 0; e < p->edges; e++) {
        if (p->edge_source[e] == key && p->edge_target[e] == query) {
            return true;
        }
    }
    return false;
}

/* ---- sigmoid: sigma(s + bias - ln Nk), minus slope times distance ---- */

static void sigmoid_make(problem *p, uint64_t seed)
{
    static const char *const modes[] = { "log_n", "log_row", "fixed" };
    problem_set(p, "bias_mode", modes[seed % 3]);
    problem_set(p, "bias", seed % 2 ? "0.25" : "0");
    if (seed % 2) {
        array *slopes = problem_tensor(p, "slopes", 1, (int64_t[]){ p->heads });
        for (int64_t h = 0; h < p->heads; h++) {
            slopes->data[h] = 0.125 * (double)(h + 1);
        }
    }
}

static double sigmoid_bias(const problem *p, int64_t head, int64_t query, int64_t key)
{
    const array *slopes = problem_find(p, "slopes");
    return slopes ? -slopes->data[head] * (double)llabs(query + p->keys - p->queries - key) : 0;
}

static void sigmoid_weights(const problem *p, int64_t n, double *s)
{
    const char *mode = problem_text(p, "bias_mode", "log_n");
    double b = problem_number(p, "bias", 0);
    b -= strcmp(mode, "log_n") == 0     ? log((double)p->keys)
         : strcmp(mode, "log_row") == 0 ? log((double)n)
                                        : 0;
    for (int64_t i = 0; i < n; i++) {
        s[i] = 1 / (1 + exp(-s[i] - b));
    }
}

/* ---- softplus: softplus(ln d ln n cos) / sum; softplus-reweight on top ---- */

static void unit(double *x, int64_t n)
{
    double square = 0;
    for (int64_t i = 0; i < n; i++) {
        square += x[i] * x[i];
    }
    double norm = sqrt(square) > 1e-12 ? sqrt(square) : 1e-12;
    for (int64_t i = 0; i < n; i++) {
        x[i] /= norm;
    }
}

static void softplus_row(const problem *p, int64_t n, double *s)
{
    double c = log((double)p->dim) * log((double)n), sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = c * s[i];
        s[i] = fmax(x, 0) + log1p(exp(-fabs(x)));
        sum += s[i];
    }
    for (int64_t i = 0; i < n; i++) {
        s[i] /= sum;
    }
}

static void reweight_row(const problem *p, int64_t n, double *s)
{
    double power = problem_number(p, "power", 15), most = 0, sum = 0;
    softplus_row(p, n, s);
    for (int64_t i = 0; i < n; i++) {
        s[i] = fmax(0, (double)n * s[i] - (n > 3 ? 1 : 0));
        most = fmax(most, s[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        s[i] = most > 1e-5 ? pow(s[i] / most, power) : 0;
        sum += s[i];
    }
    for (int64_t i = 0; i < n && most > 1e-5; i++) {
        s[i] /= sum;
    }
}

/* The same problem with q and k of unit length and scale 1. */
static void on_units(const problem *p, array *o, void (*row)(const problem *, int64_t, double *))
{
    problem unit_problem = *p;
    fixture steps = { .name = "steps", .weights = row };
    unit_problem.fixture = &steps;
    unit_problem.scale = isnan(p->scale) ? 1 : p->scale;
    unit_problem.q = array_make(4, p->q.shape);
    unit_problem.k = array_make(4, p->k.shape);
    memcpy(unit_problem.q.data, p->q.data, (size_t)array_count(&p->q) * sizeof(double));
    memcpy(unit_problem.k.data, p->k.data, (size_t)array_count(&p->k) * sizeof(double));
    for (int64_t i = 0; i < p->batch * p->heads * p->queries; i++) {
        unit(unit_problem.q.data + i * p->dim, p->dim);
    }
    for (int64_t i = 0; i < p->batch * p->kv_heads * p->keys; i++) {
        unit(unit_problem.k.data + i * p->dim, p->dim);
    }
    reference_attend(&unit_problem, o, NULL, NULL);
    array_free(&unit_problem.q);
    array_free(&unit_problem.k);
}

static void softplus_run(const problem *p, array *o)
{
    on_units(p, o, softplus_row);
}

static void reweight_make(problem *p, uint64_t seed)
{
    (void)seed;
    problem_set(p, "power", "3");
}

static void reweight_run(const problem *p, array *o)
{
    on_units(p, o, reweight_row);
}

/* ---- linear: phi(q) . sum phi(k) v' / phi(q) . sum phi(k) ---- */

static double elu1(double x)
{
    return x > 0 ? x + 1 : exp(x);
}

static void linear_weights(const problem *p, int64_t b, int64_t h, int64_t i, double *w)
{
    int64_t g = h / (p->heads / p->kv_heads);
    double sum = 0;
    for (int64_t j = 0; j < p->keys; j++) {
        w[j] = 0;
        if (p->causal && j > i + p->keys - p->queries) {
            continue;
        }
        for (int64_t c = 0; c < p->dim; c++) {
            w[j] += elu1(*array_at(&p->q, b, h, i, c)) * elu1(*array_at(&p->k, b, g, j, c));
        }
        sum += w[j];
    }
    for (int64_t j = 0; j < p->keys; j++) {
        w[j] = sum > 1e-12 ? w[j] / sum : 0;
    }
}

static void linear_run(const problem *p, array *o)
{
    double *w = calloc((size_t)p->keys + 1, sizeof *w);
    for (int64_t b = 0; b < p->batch; b++) {
        for (int64_t h = 0; h < p->heads; h++) {
            for (int64_t i = 0; i < p->queries; i++) {
                linear_weights(p, b, h, i, w);
                for (int64_t c = 0; c < p->dim_v; c++) {
                    double sum = 0;
                    for (int64_t j = 0; j < p->keys; j++) {
                        sum += w[j] * *array_at(&p->v, b, h / (p->heads / p->kv_heads), j, c);
                    }
                    *array_at(o, b, h, i, c) = sum;
                }
            }
        }
    }
    free(w);
}

const fixture fixtures[] = {
    { .name = "full",
      .make = full_make,
      .make_dense = dense_nothing,
      .bias = dense_bias,
      .any_queries = true },
    { .name = "window",
      .make = window_make,
      .make_dense = window_dense,
      .visible = window_visible,
      .any_queries = true },
    { .name = "neighborhood",
      .make = neighborhood_make,
      .make_dense = neighborhood_dense,
      .visible = neighborhood_visible },
    { .name = "block-sparse",
      .make = blocks_make,
      .make_dense = blocks_dense,
      .visible = blocks_visible,
      .any_queries = true },
    { .name = "graph",
      .make = graph_make,
      .make_dense = graph_dense,
      .visible = graph_visible,
      .any_queries = true,
      .permutes = true,
      .token_graph = true },
    { .name = "sigmoid",
      .make = sigmoid_make,
      .bias = sigmoid_bias,
      .weights = sigmoid_weights,
      .any_queries = true },
    { .name = "softplus", .make = make_nothing, .run = softplus_run, .any_queries = true, .permutes = true },
    { .name = "softplus-reweight",
      .make = reweight_make,
      .run = reweight_run,
      .any_queries = true,
      .permutes = true },
    { .name = "linear", .make = make_nothing, .run = linear_run, .any_queries = true, .permutes = true },
    { .name = NULL },
};
