/* fixtures_titans.c - titans by its formulas: the memory token by token, then attention over lists of keys. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

/* A tensor of numbers in low .. low + width. */
static void numbers(problem *p, const char *name, int ndim, const int64_t *shape, double low, double width,
                    uint64_t seed)
{
    uint64_t state = seed * 99991 + 17;
    array *a = problem_tensor(p, name, ndim, shape);
    for (int64_t i = 0; i < array_count(a); i++) {
        a->data[i] = (double)(float)(low + width * (0.5 + 0.5 * reference_draw(&state)));
    }
}

static bool is(const problem *p, const char *name, const char *value)
{
    const char *text = problem_text(p, name, "");
    return strcmp(text, value) == 0;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* The memory alone with gradients, or, where there are many tokens, a net beside attention. */
static void titans_make(problem *p, uint64_t seed)
{
    const int64_t gate[] = { p->batch, p->heads, p->keys };
    double step = 0.3 / (double)p->dim;
    numbers(p, "theta", 3, gate, step / 3, step, seed);
    numbers(p, "eta", 3, gate, 0.1, 0.7, seed + 1);
    numbers(p, "alpha", 3, gate, 0.02, 0.3, seed + 2);
    problem_set(p, "chunk", seed % 2 ? "3" : "1");
    p->forward_only = p->keys > 20;
    if (p->forward_only) {
        int64_t f = 5;
        problem_set(p, "mode", "mag");
        problem_set(p, "memory", "mlp");
        problem_set(p, "mix", seed % 2 ? "norm" : "sigmoid");
        problem_set(p, "window", "9");
        numbers(p, "w1", 3, (int64_t[]){ p->heads, f, p->dim }, -0.3, 0.6, seed + 3);
        numbers(p, "w2", 3, (int64_t[]){ p->heads, p->dim_v, f }, -0.3, 0.6, seed + 4);
        numbers(p, "persistent_k", 3, (int64_t[]){ p->heads, 2, p->dim }, -1, 2, seed + 5);
        numbers(p, "persistent_v", 3, (int64_t[]){ p->heads, 2, p->dim_v }, -1, 2, seed + 6);
    } else if (seed % 2) {
        numbers(p, "initial_state", 4, (int64_t[]){ p->batch, p->heads, 2 * p->dim, p->dim_v }, -0.5, 1,
                seed + 7);
    }
}

/* ---- the memory ---- */

typedef struct net {
    int64_t d, e, f, size;
    double *now, *frozen, *speed, *slope; /* size numbers each */
} net;

static void net_free(net *n)
{
    free(n->now);
}

static net net_make(const problem *p, int64_t b, int64_t h)
{
    const array *w1 = problem_find(p, "w1"), *w2 = problem_find(p, "w2"),
                *first = problem_find(p, "initial_state");
    net n = { .d = p->dim, .e = p->dim_v, .f = w1 ? w1->shape[1] : 0 };
    n.size = w1 ? n.f * (n.d + n.e) : n.d * n.e;
    n.now = calloc((size_t)(4 * n.size) + 1, sizeof *n.now);
    n.frozen = n.now + n.size;
    n.speed = n.frozen + n.size;
    n.slope = n.speed + n.size;
    for (int64_t i = 0; i < n.size; i++) {
        if (first) {
            n.now[i] = first->data[(b * p->heads + h) * 2 * n.size + i];
            n.speed[i] = first->data[((b * p->heads + h) * 2 + 1) * n.size + i];
        } else if (w1) {
            n.now[i] = i < n.f * n.d ? w1->data[h * n.f * n.d + i] : w2->data[h * n.e * n.f + i - n.f * n.d];
        }
    }
    return n;
}

static double hidden(const net *n, const double *w, const double *x, int64_t j)
{
    double sum = 0;
    for (int64_t i = 0; i < n->d; i++) {
        sum += w[j * n->d + i] * x[i];
    }
    return sum;
}

static double output(const net *n, const double *w, const double *x, int64_t c)
{
    double y = 0;
    for (int64_t i = 0; i < n->d && n->f == 0; i++) {
        y += x[i] * w[i * n->e + c];
    }
    for (int64_t j = 0; j < n->f; j++) {
        double z = hidden(n, w, x, j);
        y += w[n->f * n->d + c * n->f + j] * z * logistic(z);
    }
    return y;
}

/* d |M(k) - v|^2 / d weight i of the frozen net. */
static double slope(const net *n, const double *k, const double *v, int64_t i)
{
    const double *w = n->frozen;
    if (n->f == 0) {
        return 2 * k[i / n->e] * (output(n, w, k, i % n->e) - v[i % n->e]);
    }
    int64_t second = i - n->f * n->d;
    if (second >= 0) {
        double z = hidden(n, w, k, second % n->f);
        return 2 * (output(n, w, k, second / n->f) - v[second / n->f]) * z * logistic(z);
    }
    double z = hidden(n, w, k, i / n->d), s = logistic(z), sum = 0;
    for (int64_t c = 0; c < n->e; c++) {
        sum += 2 * (output(n, w, k, c) - v[c]) * w[n->f * n->d + c * n->f + i / n->d];
    }
    return sum * s * (1 + z * (1 - s)) * k[i % n->d];
}

/* Rows from .. to - 1 of q, k, v in order; y: what each is answered. */
static void net_run(const problem *p, net *n, int64_t b, int64_t h, int64_t from, int64_t to, const double *q,
                    const double *k, const double *v, double *y)
{
    int64_t chunk = (int64_t)problem_number(p, "chunk", 1);
    for (int64_t t = from; t < to; t++) {
        int64_t at = (b * p->heads + h) * p->keys + t;
        if ((t - from) % chunk == 0) {
            memcpy(n->frozen, n->now, (size_t)n->size * sizeof(double));
        }
        for (int64_t i = 0; i < n->size; i++) {
            n->slope[i] = slope(n, k + t * n->d, v + t * n->e, i);
        }
        for (int64_t i = 0; i < n->size; i++) {
            n->speed[i] = problem_find(p, "eta")->data[at] * n->speed[i] -
                          problem_find(p, "theta")->data[at] * n->slope[i];
            n->now[i] = (1 - problem_find(p, "alpha")->data[at]) * n->now[i] + n->speed[i];
        }
        for (int64_t c = 0; c < n->e; c++) {
            y[t * n->e + c] = output(n, n->now, q + t * n->d, c);
        }
    }
}

/* ---- attention ---- */

/* Keys in the order in which they are added. */
typedef struct list {
    int64_t count, d, e;
    const double **k, **v;
} list;

static void add(list *l, const double *k, const double *v, int64_t from, int64_t to)
{
    for (int64_t j = from; j < to; j++) {
        l->k[l->count] = k + j * l->d;
        l->v[l->count++] = v + j * l->e;
    }
}

static void soft(const list *l, const double *q, double *o)
{
    double sum = 0;
    memset(o, 0, (size_t)l->e * sizeof *o);
    for (int64_t j = 0; j < l->count; j++) {
        double dot = 0;
        for (int64_t c = 0; c < l->d; c++) {
            dot += q[c] * l->k[j][c] / sqrt((double)l->d);
        }
        sum += exp(dot);
        for (int64_t c = 0; c < l->e; c++) {
            o[c] += exp(dot) * l->v[j][c];
        }
    }
    for (int64_t c = 0; c < l->e; c++) {
        o[c] /= sum;
    }
}

/* Rows of y (e) times a projection of the head. */
static void turned(const problem *p, const char *name, int64_t h, int64_t rows, const double *y, double *out)
{
    const array *w = problem_find(p, name);
    int64_t e = p->dim_v, n = w ? w->shape[2] : e;
    for (int64_t i = 0; i < rows * n; i++) {
        out[i] = w ? 0 : y[i];
        for (int64_t c = 0; w && c < e; c++) {
            out[i] += y[i / n * e + c] * w->data[(h * e + c) * n + i % n];
        }
    }
}

static double square_mean(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t c = 0; c < n; c++) {
        sum += x[c] * x[c] / (double)n;
    }
    return sum;
}

static void mixed(const problem *p, const double *a, const double *y, double *o)
{
    bool norm = is(p, "mix", "norm");
    double of_a = norm ? sqrt(square_mean(a, p->dim_v) + 1e-6) : 1,
           of_y = norm ? sqrt(square_mean(y, p->dim_v) + 1e-6) : 1;
    for (int64_t c = 0; c < p->dim_v; c++) {
        o[c] = a[c] / of_a * (is(p, "mix", "product") ? y[c] : logistic(y[c] / of_y));
    }
}

/* Arrays of one head, all rows. */
typedef struct rows {
    const double *q, *k, *v, *prefix_k, *prefix_v;
    int64_t prefix;
    double *y, *a, *q2, *k2, *v2, *said_k, *said_v;
    list keys;
} rows;

static void by_window(const problem *p, rows *r, const double *q, const double *k, const double *v, double *o)
{
    int64_t window = (int64_t)problem_number(p, "window", 0);
    for (int64_t t = 0; t < p->keys; t++) {
        r->keys.count = 0;
        add(&r->keys, r->prefix_k, r->prefix_v, 0, r->prefix);
        add(&r->keys, k, v, window > 0 && t >= window ? t - window + 1 : 0, t + 1);
        soft(&r->keys, q + t * p->dim, o + t * p->dim_v);
    }
}

static void by_segments(const problem *p, rows *r, net *n, int64_t b, int64_t h, double *o)
{
    int64_t segment = (int64_t)problem_number(p, "segment", 1), d = p->dim, e = p->dim_v;
    for (int64_t from = 0; from < p->keys; from += segment) {
        int64_t to = from + segment < p->keys ? from + segment : p->keys, length = to - from;
        for (int64_t i = from * e; i < to * e; i++) {
            r->y[i] = output(n, n->now, r->q + i / e * d, i % e);
        }
        turned(p, "memory_k", h, length, r->y + from * e, r->said_k + from * d);
        turned(p, "memory_v", h, length, r->y + from * e, r->said_v + from * e);
        for (int64_t t = from; t < to; t++) {
            r->keys.count = 0;
            add(&r->keys, r->prefix_k, r->prefix_v, 0, r->prefix);
            add(&r->keys, r->said_k, r->said_v, from, t + 1);
            add(&r->keys, r->k, r->v, from, t + 1);
            soft(&r->keys, r->q + t * d, r->a + t * e);
        }
        turned(p, "write_q", h, length, r->a + from * e, r->q2 + from * d);
        turned(p, "write_k", h, length, r->a + from * e, r->k2 + from * d);
        turned(p, "write_v", h, length, r->a + from * e, r->v2 + from * e);
        net_run(p, n, b, h, from, to, r->q2, r->k2, r->v2, r->y);
        for (int64_t t = from; t < to; t++) {
            mixed(p, r->a + t * e, r->y + t * e, o + t * e);
        }
    }
}

static rows rows_make(const problem *p, int64_t b, int64_t h, double **room)
{
    const array *pk = problem_find(p, "persistent_k"), *pv = problem_find(p, "persistent_v");
    int64_t g = h / (p->heads / p->kv_heads), n = p->keys, d = p->dim, e = p->dim_v;
    rows r = { .q = array_at(&p->q, b, h, 0, 0),
               .k = array_at(&p->k, b, g, 0, 0),
               .v = array_at(&p->v, b, g, 0, 0) };
    r.prefix = pk ? pk->shape[1] : 0;
    r.prefix_k = pk ? pk->data + h * r.prefix * d : NULL;
    r.prefix_v = pv ? pv->data + h * r.prefix * e : NULL;
    *room = calloc((size_t)(n * (3 * d + 4 * e)) + 1, sizeof **room);
    r.y = *room;
    r.a = r.y + n * e;
    r.v2 = r.a + n * e;
    r.said_v = r.v2 + n * e;
    r.q2 = r.said_v + n * e;
    r.k2 = r.q2 + n * d;
    r.said_k = r.k2 + n * d;
    r.keys = (list){ 0, d, e, NULL, NULL };
    r.keys.k = calloc((size_t)(r.prefix + 2 * n) + 1, sizeof *r.keys.k);
    r.keys.v = calloc((size_t)(r.prefix + 2 * n) + 1, sizeof *r.keys.v);
    return r;
}

static void titans_head(const problem *p, int64_t b, int64_t h, double *o)
{
    double *room;
    net n = net_make(p, b, h);
    rows r = rows_make(p, b, h, &room);
    bool alone = strcmp(problem_text(p, "mode", "memory"), "memory") == 0;
    if (is(p, "mode", "mac")) {
        by_segments(p, &r, &n, b, h, o);
    } else {
        net_run(p, &n, b, h, 0, p->keys, r.q, r.k, r.v, alone ? o : r.y);
    }
    if (is(p, "mode", "mag")) {
        by_window(p, &r, r.q, r.k, r.v, r.a);
        for (int64_t t = 0; t < p->keys; t++) {
            mixed(p, r.a + t * p->dim_v, r.y + t * p->dim_v, o + t * p->dim_v);
        }
    }
    if (is(p, "mode", "mal")) {
        turned(p, "write_q", h, p->keys, r.y, r.q2);
        turned(p, "write_k", h, p->keys, r.y, r.k2);
        turned(p, "write_v", h, p->keys, r.y, r.v2);
        by_window(p, &r, r.q2, r.k2, r.v2, o);
    }
    free(r.keys.k);
    free(r.keys.v);
    free(room);
    net_free(&n);
}

static void titans_run(const problem *p, array *o)
{
    for (int64_t i = 0; i < p->batch * p->heads; i++) {
        titans_head(p, i / p->heads, i % p->heads, array_at(o, i / p->heads, i % p->heads, 0, 0));
    }
}

const fixture titans_fixtures[] = {
    { .name = "titans", .make = titans_make, .run = titans_run, .query_tensors = true },
    { .name = NULL },
};
