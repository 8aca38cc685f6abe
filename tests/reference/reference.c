/* reference.c - problems, and attention by its definition. */
#include "config.h"

#include "tests/reference/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double reference_draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int32_t)(*state >> 32) * 0x1p-31;
}

int64_t array_count(const array *a)
{
    int64_t count = 1;
    for (int i = 0; i < a->ndim; i++) {
        count *= a->shape[i];
    }
    return count;
}

array array_make(int ndim, const int64_t *shape)
{
    array a = { .ndim = ndim };
    for (int i = 0; i < ndim; i++) {
        a.shape[i] = shape[i];
    }
    a.data = calloc((size_t)array_count(&a) + 1, sizeof *a.data);
    return a;
}

/* Exact in single precision, so that f32 and f64 runs have the same inputs. */
array array_random(int ndim, const int64_t *shape, uint64_t *state)
{
    array a = array_make(ndim, shape);
    for (int64_t i = 0; i < array_count(&a); i++) {
        a.data[i] = (double)(float)(1.5 * reference_draw(state));
    }
    return a;
}

void array_free(array *a)
{
    free(a->data);
    a->data = NULL;
}

double *array_at(const array *a, int64_t b, int64_t h, int64_t i, int64_t c)
{
    return a->data + ((b * a->shape[1] + h) * a->shape[2] + i) * a->shape[3] + c;
}

const fixture *find_fixture(const char *name)
{
    static const fixture *const tables[] = { fixtures,        linear_fixtures,    static_fixtures,
                                             titans_fixtures, laplacian_fixtures, vision_fixtures,
                                             maps_fixtures,   select_fixtures,    session_fixtures,
                                             probe_fixtures,  landmark_fixtures };
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (const fixture *f = tables[t]; f->name; f++) {
            if (strcmp(f->name, name) == 0) {
                return f;
            }
        }
    }
    return NULL;
}

void problem_make(problem *p, const fixture *f, int64_t batch, int64_t heads, int64_t kv_heads,
                  int64_t queries, int64_t keys, int64_t dim, int64_t dim_v, bool causal, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 12345;
    memset(p, 0, sizeof *p);
    p->fixture = f;
    p->batch = batch;
    p->heads = heads;
    p->kv_heads = kv_heads;
    p->queries = queries;
    p->keys = keys;
    p->dim = dim;
    p->dim_v = dim_v;
    p->causal = causal;
    p->scale = NAN;
    p->edges = -1;
    p->q = array_random(4, (int64_t[]){ batch, heads, queries, dim }, &state);
    p->k = array_random(4, (int64_t[]){ batch, kv_heads, keys, dim }, &state);
    p->v = array_random(4, (int64_t[]){ batch, kv_heads, keys, dim_v }, &state);
    p->grad_o = array_random(4, (int64_t[]){ batch, heads, queries, dim_v }, &state);
    f->make(p, seed);
}

void problem_free(problem *p)
{
    array_free(&p->q);
    array_free(&p->k);
    array_free(&p->v);
    array_free(&p->grad_o);
    for (int i = 0; i < p->tensor_count; i++) {
        array_free(&p->tensors[i].values);
    }
    free(p->edge_source);
    free(p->edge_target);
}

void problem_set(problem *p, const char *name, const char *value)
{
    int i = 0;
    while (i < p->parameter_count && strcmp(p->parameters[i].name, name) != 0) {
        i++;
    }
    p->parameter_count += i == p->parameter_count;
    p->parameters[i] = (ga_named_text){ name, value };
}

void problem_set_number(problem *p, const char *name, double value)
{
    int i = p->parameter_count;
    snprintf(p->text[i], sizeof p->text[i], "%.17g", value);
    problem_set(p, name, p->text[i]);
}

const char *problem_text(const problem *p, const char *name, const char *otherwise)
{
    for (int i = 0; i < p->parameter_count; i++) {
        if (strcmp(p->parameters[i].name, name) == 0) {
            return p->parameters[i].value;
        }
    }
    return otherwise;
}

double problem_number(const problem *p, const char *name, double otherwise)
{
    const char *text = problem_text(p, name, NULL);
    return text ? strtod(text, NULL) : otherwise;
}

array *problem_tensor(problem *p, const char *name, int ndim, const int64_t *shape)
{
    reference_tensor *t = &p->tensors[p->tensor_count++];
    t->name = name;
    t->values = array_make(ndim, shape);
    return &t->values;
}

const array *problem_find(const problem *p, const char *name)
{
    for (int i = 0; i < p->tensor_count; i++) {
        if (strcmp(p->tensors[i].name, name) == 0) {
            return &p->tensors[i].values;
        }
    }
    return NULL;
}

static void softmax(int64_t n, double *s, double *lse)
{
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        most = s[i] > most || isnan(s[i]) ? s[i] : most;
    }
    for (int64_t i = 0; i < n; i++) {
        s[i] = exp(s[i] - most);
        sum += s[i];
    }
    for (int64_t i = 0; i < n; i++) {
        s[i] /= sum;
    }
    *lse = n > 0 ? most + log(sum) : -INFINITY;
}

/* One row: keys in `key`, scores in `s`; their number. */
static int64_t row_scores(const problem *p, int64_t b, int64_t h, int64_t i, const bool *seen, int64_t *key,
                          double *s)
{
    const fixture *f = p->fixture;
    int64_t n = 0, g = h / (p->heads / p->kv_heads);
    double scale = isnan(p->scale) ? 1 / sqrt((double)p->dim) : p->scale;
    for (int64_t j = 0; j < p->keys; j++) {
        if ((seen && !seen[i * p->keys + j]) || (f->visible && !f->visible(p, h, i, j)) ||
            (p->causal && j > i + p->keys - p->queries)) {
            continue;
        }
        double dot = 0;
        for (int64_t c = 0; c < p->dim; c++) {
            dot += *array_at(&p->q, b, h, i, c) * *array_at(&p->k, b, g, j, c);
        }
        dot *= scale;
        double cap = problem_number(p, "softcap", 0);
        if (cap > 0) {
            dot = cap * tanh(dot / cap);
        }
        key[n] = j;
        s[n++] = dot + (f->bias ? f->bias(p, h, i, j) : 0) + (f->term ? f->term(p, b, h, i, j) : 0);
    }
    return n;
}

void reference_attend(const problem *p, array *o, array *lse, array *map)
{
    if (p->fixture->run) {
        p->fixture->run(p, o);
        return;
    }
    int64_t *key = calloc((size_t)p->keys + 1, sizeof *key);
    double *s = calloc((size_t)p->keys + 1, sizeof *s), l = NAN;
    bool *seen = p->fixture->mask ? calloc((size_t)(p->queries * p->keys) + 1, sizeof *seen) : NULL;
    for (int64_t b = 0; b < p->batch; b++) {
        for (int64_t h = 0; h < p->heads; h++) {
            if (seen) {
                memset(seen, 0, (size_t)(p->queries * p->keys));
                p->fixture->mask(p, b, h, seen);
            }
            for (int64_t i = 0; i < p->queries; i++) {
                int64_t n = row_scores(p, b, h, i, seen, key, s), g = h / (p->heads / p->kv_heads);
                if (p->fixture->weights) {
                    p->fixture->weights(p, n, s);
                } else {
                    softmax(n, s, &l);
                }
                if (lse) {
                    *array_at(lse, b, h, i, 0) = l;
                }
                for (int64_t c = 0; c < p->dim_v; c++) {
                    double sum = 0;
                    for (int64_t m = 0; m < n; m++) {
                        sum += s[m] * *array_at(&p->v, b, g, key[m], c);
                    }
                    *array_at(o, b, h, i, c) = sum;
                }
                for (int64_t m = 0; map && m < n; m++) {
                    *array_at(map, b, h, i, key[m]) = s[m];
                }
            }
        }
    }
    free(s);
    free(key);
    free(seen);
}

/* ---- what fixtures share ---- */

int64_t problem_integer(const problem *p, const char *name)
{
    return (int64_t)problem_number(p, name, 0);
}

bool problem_is(const problem *p, const char *name, const char *value)
{
    return strcmp(problem_text(p, name, ""), value) == 0;
}

int64_t problem_position(const problem *p, int64_t query)
{
    return query + p->keys - p->queries;
}

double problem_score(const problem *p, int64_t b, int64_t h, int64_t i, int64_t j)
{
    const double *q = array_at(&p->q, b, h, i, 0),
                 *k = array_at(&p->k, b, h / (p->heads / p->kv_heads), j, 0);
    double sum = 0, scale = isnan(p->scale) ? 1 / sqrt((double)p->dim) : p->scale;
    for (int64_t c = 0; c < p->dim; c++) {
        sum += q[c] * k[c];
    }
    return scale * sum;
}

void reference_best(int64_t n, const double *x, int64_t k, bool *marked)
{
    for (; k > 0; k--) {
        int64_t at = -1;
        for (int64_t i = 0; i < n; i++) {
            at = !marked[i] && (at < 0 || x[i] > x[at]) ? i : at;
        }
        if (at < 0) {
            return;
        }
        marked[at] = true;
    }
}

double *reference_numbers(int64_t n)
{
    return calloc((size_t)n + 1, sizeof(double));
}

bool *reference_marks(int64_t n)
{
    return calloc((size_t)n + 1, sizeof(bool));
}
