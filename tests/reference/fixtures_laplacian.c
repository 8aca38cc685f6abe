/* fixtures_laplacian.c - the p-adapter by its formula: nodes, map, one p-Laplacian step, the way up. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

/* A tensor of numbers in low .. low + width. */
static void drawn(problem *p, const char *name, int ndim, const int64_t *shape, double low, double width,
                  uint64_t seed)
{
    uint64_t state = seed * 77777 + 5;
    array *a = problem_tensor(p, name, ndim, shape);
    for (int64_t i = 0; i < array_count(a); i++) {
        a->data[i] = (double)(float)(low + width * (0.5 + 0.5 * reference_draw(&state)));
    }
}

static bool says(const problem *p, const char *name, const char *value)
{
    return strcmp(problem_text(p, name, ""), value) == 0;
}

/* Queries are nodes, so v gets the width of q. */
static void same_width(problem *p, uint64_t seed)
{
    uint64_t state = seed + 99;
    p->dim_v = p->dim;
    array_free(&p->v);
    array_free(&p->grad_o);
    p->v = array_random(4, (int64_t[]){ p->batch, p->kv_heads, p->keys, p->dim }, &state);
    p->grad_o = array_random(4, (int64_t[]){ p->batch, p->heads, p->queries, p->dim }, &state);
}

/* form=cross where there is a mask or another number of queries, else self, mostly with adapter tensors, whose width
 * leaves o in its usual shape. (With queries as nodes they would mix the heads of a query.) */
static void p_adapter_make(problem *p, uint64_t seed)
{
    static const char *const powers[] = { "1.25", "2.5", "1.6", "3", "2", "1" };
    const char *power = powers[seed % 6];
    bool cross = p->causal || p->queries != p->keys;
    problem_set(p, "form", cross ? "cross" : "self");
    problem_set(p, "p", power);
    if (cross) {
        same_width(p, seed);
        problem_set(p, "source_term", seed % 4 < 2 ? "0" : "1");
    } else if (power[0] == '1') {
        problem_set(p, "mask_diagonal", "1");
    }
    if (cross && !p->causal) {
        problem_set(p, "pool", "4");
    }
    if (seed % 3 == 1) {
        drawn(p, "p", 1, (int64_t[]){ 1 }, 1.3, 1.5, seed);
    }
    drawn(p, "mu_raw", 1, (int64_t[]){ 1 }, -0.5, 1, seed + 1);
    if (!cross && seed % 4 < 3) {
        int64_t in = p->heads * p->dim_v, model = 3;
        drawn(p, "w_out", 2, (int64_t[]){ in, model }, -1, 2, seed + 2);
        drawn(p, "b_out", 1, &model, -1, 2, seed + 3);
        drawn(p, "w_down", 2, (int64_t[]){ model, in }, -1, 2, seed + 4);
        drawn(p, "b_down", 1, &in, -1, 2, seed + 5);
    }
}

/* ---- nodes: (B, H, N, width) ---- */

/* out = x w + b for one row */
static void dense(const problem *p, const char *weight, const char *bias, const double *x, double *out)
{
    const array *w = problem_find(p, weight), *b = problem_find(p, bias);
    for (int64_t c = 0; c < w->shape[1]; c++) {
        out[c] = b ? b->data[c] : 0;
        for (int64_t i = 0; i < w->shape[0]; i++) {
            out[c] += x[i] * w->data[i * w->shape[1] + c];
        }
    }
}

static int64_t width_of(const problem *p)
{
    const array *down = problem_find(p, "w_down");
    return down ? down->shape[1] / p->heads : p->dim_v;
}

static array nodes_of(const problem *p, const array *x)
{
    const array *out = problem_find(p, "w_out");
    int64_t n = x->shape[2], width = width_of(p), group = p->heads / x->shape[1], in = p->heads * x->shape[3];
    array nodes = array_make(4, (int64_t[]){ p->batch, p->heads, n, width });
    double *row = calloc((size_t)(2 * in + (out ? out->shape[1] : 0) + p->heads * width + 1), sizeof *row);
    double *hidden = row + in, *node = hidden + (out ? out->shape[1] : 0);
    for (int64_t i = 0; i < p->batch * n; i++) {
        for (int64_t c = 0; c < in; c++) {
            row[c] = *array_at(x, i / n, c / x->shape[3] / group, i % n, c % x->shape[3]);
        }
        if (out) {
            dense(p, "w_out", "b_out", row, hidden);
            dense(p, "w_down", "b_down", hidden, node);
        }
        for (int64_t c = 0; c < p->heads * width; c++) {
            *array_at(&nodes, i / n, c / width, i % n, c % width) = out ? node[c] : row[c];
        }
    }
    free(row);
    return nodes;
}

/* ---- the map and the step ---- */

static int64_t seen(const problem *p, int64_t query)
{
    int64_t n = p->causal ? query + p->keys - p->queries + 1 : p->keys;
    return n < 0 ? 0 : n;
}

static void softmax_row(const problem *p, int64_t b, int64_t h, int64_t i, double *w)
{
    double scale = isnan(p->scale) ? 1 / sqrt((double)p->dim) : p->scale, most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < p->keys; j++) {
        w[j] = 0;
        for (int64_t c = 0; c < p->dim && j < seen(p, i); c++) {
            w[j] += scale * *array_at(&p->q, b, h, i, c) *
                    *array_at(&p->k, b, h / (p->heads / p->kv_heads), j, c);
        }
        most = j < seen(p, i) && !(w[j] <= most) ? w[j] : most;
    }
    for (int64_t j = 0; j < p->keys; j++) {
        w[j] = j < seen(p, i) ? exp(w[j] - most) : 0;
        sum += w[j];
    }
    for (int64_t j = 0; j < seen(p, i); j++) {
        w[j] /= sum;
    }
}

static void window(const problem *p, int64_t t, int64_t *first, int64_t *end)
{
    int64_t pool = (int64_t)problem_number(p, "pool", 0);
    bool pooled = pool > 0 && pool < p->keys;
    *first = pooled ? t * p->keys / pool : t;
    *end = pooled ? ((t + 1) * p->keys + pool - 1) / pool : t + 1;
}

/* F+ of one query: map is its row of P, own its node. */
static void step(const problem *p, int64_t b, int64_t h, int64_t i, const double *map, const array *nodes,
                 const double *own, double *out)
{
    const array *of_p = problem_find(p, "p"), *raw = problem_find(p, "mu_raw");
    double power = of_p ? of_p->data[0] : problem_number(p, "p", 1.5), eps = problem_number(p, "eps", 1e-8);
    double mu = problem_number(p, "mu0", 0.1) * (2 + (raw ? tanh(raw->data[0]) : 0)), c = 2 * mu / power;
    int64_t pool = (int64_t)problem_number(p, "pool", 0), width = nodes->shape[3];
    double total = c, source = says(p, "source_term", "0") ? 0 : c;
    double *node = calloc((size_t)width + 1, sizeof *node);
    for (int64_t x = 0; x < width; x++) {
        out[x] = source * own[x];
    }
    for (int64_t t = 0; t < (pool > 0 && pool < p->keys ? pool : p->keys); t++) {
        int64_t first, end;
        double a = 0, square = 0;
        window(p, t, &first, &end);
        memset(node, 0, (size_t)width * sizeof *node);
        for (int64_t j = first; j < end; j++) {
            a += says(p, "mask_diagonal", "1") && j == i ? 0 : map[j] / (double)(end - first);
            for (int64_t x = 0; x < width; x++) {
                node[x] += *array_at(nodes, b, h, j, x) / (double)(end - first);
            }
        }
        for (int64_t x = 0; x < width; x++) {
            double v = sqrt(a + eps) * (node[x] - own[x]) + eps;
            square += v * v;
        }
        a *= pow(sqrt(square), power - 2);
        total += a;
        for (int64_t x = 0; x < width; x++) {
            out[x] += a * node[x];
        }
    }
    for (int64_t x = 0; x < width; x++) {
        out[x] = seen(p, i) > 0 ? out[x] / total : 0;
    }
    free(node);
}

/* ---- o = h + (gelu(h w_gate + b_gate) F+) w_up + b_up, h = concat(P V) w_out + b_out ---- */

static void way_up(const problem *p, int64_t b, int64_t i, const double *plus, const double *values, array *o)
{
    int64_t model = problem_find(p, "w_up")->shape[1], reduced = problem_find(p, "w_up")->shape[0];
    double *h = calloc((size_t)(2 * (model + reduced) + 1), sizeof *h), *gate = h + model,
           *up = gate + reduced;
    dense(p, "w_out", "b_out", values, h);
    dense(p, "w_gate", "b_gate", h, gate);
    for (int64_t r = 0; r < reduced; r++) {
        gate[r] = gate[r] * 0.5 * erfc(-gate[r] / sqrt(2.0)) * plus[r];
    }
    dense(p, "w_up", "b_up", gate, up);
    for (int64_t c = 0; c < model; c++) {
        *array_at(o, b, 0, i, c) = seen(p, i) > 0 ? h[c] + up[c] : 0;
    }
    free(h);
}

static void p_adapter_run(const problem *p, array *o)
{
    bool self = !says(p, "form", "cross"), up = problem_find(p, "w_up") != NULL;
    array values = nodes_of(p, &p->v), queries = self ? values : nodes_of(p, &p->q);
    int64_t width = width_of(p), group = p->heads / p->kv_heads;
    double *map = calloc((size_t)(p->keys + p->heads * (width + p->dim_v) + 1), sizeof *map);
    double *plus = map + p->keys, *sums = plus + p->heads * width;
    for (int64_t row = 0; row < p->batch * p->queries; row++) {
        int64_t b = row / p->queries, i = row % p->queries;
        for (int64_t h = 0; h < p->heads; h++) {
            softmax_row(p, b, h, i, map);
            step(p, b, h, i, map, &values, array_at(&queries, b, h, i, 0), plus + h * width);
            for (int64_t c = 0; c < p->dim_v; c++) {
                sums[h * p->dim_v + c] = 0;
                for (int64_t j = 0; j < p->keys; j++) {
                    sums[h * p->dim_v + c] += map[j] * *array_at(&p->v, b, h / group, j, c);
                }
            }
            for (int64_t x = 0; x < width && !up; x++) {
                *array_at(o, b, h, i, x) = plus[h * width + x];
            }
        }
        if (up) {
            way_up(p, b, i, plus, sums, o);
        }
    }
    free(map);
    array_free(&values);
    if (!self) {
        array_free(&queries);
    }
}

const fixture laplacian_fixtures[] = {
    { .name = "p-adapter",
      .make = p_adapter_make,
      .run = p_adapter_run,
      .any_queries = true,
      .permutes = true,
      .map_alone = true },
    { .name = NULL },
};
