/* fixtures_linear.c - softmax-free, linear and recurrent variants by their formulas. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

static int64_t group_of(const problem *p, int64_t head)
{
    return head / (p->heads / p->kv_heads);
}

static int64_t seen(const problem *p, int64_t query)
{
    int64_t n = p->causal ? query + p->keys - p->queries + 1 : p->keys;
    return n < 0 ? 0 : n;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* A tensor of numbers in low .. low + width. */
static array *drawn(problem *p, const char *name, int ndim, const int64_t *shape, double low, double width,
                    uint64_t seed)
{
    uint64_t state = seed * 77777 + 5;
    array *a = problem_tensor(p, name, ndim, shape);
    for (int64_t i = 0; i < array_count(a); i++) {
        a->data[i] = (double)(float)(low + width * (0.5 + 0.5 * reference_draw(&state)));
    }
    return a;
}

static const array *found(const problem *p, const char *name)
{
    return problem_find(p, name);
}

static double element(const array *a, int64_t i, double otherwise)
{
    return a ? a->data[i] : otherwise;
}

static double scale_of(const problem *p, double otherwise)
{
    return isnan(p->scale) ? otherwise : p->scale;
}

static double root(const problem *p)
{
    return 1 / sqrt((double)p->dim);
}

/* ---- what is a sum over keys: o_i = sum_j w_ij v_j ---- */

typedef void (*weights_fn)(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w);

static void by_weights(const problem *p, array *o, weights_fn weights)
{
    double *w = calloc((size_t)p->keys + 1, sizeof *w);
    for (int64_t row = 0; row < p->batch * p->heads * p->queries; row++) {
        int64_t i = row % p->queries, h = row / p->queries % p->heads, b = row / p->queries / p->heads;
        int64_t n = seen(p, i);
        weights(p, b, h, i, n, w);
        for (int64_t c = 0; c < p->dim_v; c++) {
            double sum = 0;
            for (int64_t j = 0; j < n; j++) {
                sum += w[j] * *array_at(&p->v, b, group_of(p, h), j, c);
            }
            *array_at(o, b, h, i, c) = sum;
        }
    }
    free(w);
}

static double product(const problem *p, int64_t b, int64_t h, int64_t i, int64_t j, double (*map)(double))
{
    double sum = 0;
    for (int64_t c = 0; c < p->dim; c++) {
        double q = *array_at(&p->q, b, h, i, c), k = *array_at(&p->k, b, group_of(p, h), j, c);
        sum += map ? map(q) * map(k) : q * k;
    }
    return sum;
}

static double elu1(double x)
{
    return x > 0 ? x + 1 : exp(x);
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static void nothing(problem *p, uint64_t seed)
{
    (void)p, (void)seed;
}

/* norm-attention */
static void norm_attention_make(problem *p, uint64_t seed)
{
    p->scale = 0.2;
    drawn(p, "eta_logits", 3, (int64_t[]){ p->batch, p->heads, p->queries }, -0.5, 1, seed);
}

static void norm_attention_weights(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    double eta = exp(found(p, "eta_logits")->data[(b * p->heads + h) * p->queries + i]);
    for (int64_t j = 0; j < n; j++) {
        w[j] = p->scale * product(p, b, h, i, j, NULL) / eta;
    }
}

static void norm_attention_run(const problem *p, array *o)
{
    by_weights(p, o, norm_attention_weights);
}

/* inline: rows minus their mean plus 1/n */
static void inline_weights(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    double mean = 0;
    for (int64_t j = 0; j < n; j++) {
        w[j] = root(p) / (double)n * product(p, b, h, i, j, NULL);
        mean += w[j] / (double)n;
    }
    for (int64_t j = 0; j < n; j++) {
        w[j] += 1 / (double)n - mean;
    }
}

static void inline_run(const problem *p, array *o)
{
    by_weights(p, o, inline_weights);
}

/* mala: (1 + 1/z) times the weights, minus z/n, z their sum */
static void mala_weights(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    double z = 0;
    for (int64_t j = 0; j < n; j++) {
        w[j] = root(p) / (double)n * product(p, b, h, i, j, elu1);
        z += w[j];
    }
    for (int64_t j = 0; j < n; j++) {
        w[j] = (1 + 1 / (z + 1e-6)) * w[j] - z / (double)n;
    }
}

static void mala_run(const problem *p, array *o)
{
    by_weights(p, o, mala_weights);
}

/* l2vit */
static void l2vit_make(problem *p, uint64_t seed)
{
    problem_set(p, "clamp", "3");
    if (seed % 2) {
        drawn(p, "temperature", 1, &p->heads, 0.5, 1, seed);
    }
}

static void l2vit_weights(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        w[j] = product(p, b, h, i, j, relu);
        sum += w[j];
    }
    for (int64_t j = 0; j < n; j++) {
        w[j] *= element(found(p, "temperature"), h, root(p)) / fmax(sum, 3);
    }
}

static void l2vit_run(const problem *p, array *o)
{
    by_weights(p, o, l2vit_weights);
}

/* based: 1 + t + t^2 / 2, or softmax in a window, or both with one sum */
static void based_make(problem *p, uint64_t seed)
{
    static const char *const modes[] = { "taylor", "window", "hybrid" };
    problem_set(p, "mode", p->causal ? modes[seed / 3 % 3] : "taylor");
    problem_set(p, "form", seed % 2 ? "full" : "symmetric");
    problem_set(p, "window", "3");
}

static void based_weights(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    const char *mode = problem_text(p, "mode", "");
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        double t = root(p) * product(p, b, h, i, j, NULL);
        bool near = j >= n - 3;
        w[j] = strcmp(mode, "taylor") == 0 || !near ? 1 + t + t * t / 2 : exp(t);
        w[j] *= strcmp(mode, "window") == 0 && !near ? 0 : 1;
        sum += w[j];
    }
    for (int64_t j = 0; j < n; j++) {
        w[j] /= sum;
    }
}

static void based_run(const problem *p, array *o)
{
    by_weights(p, o, based_weights);
}

/* hedgehog: [softmax(x W + b), softmax(-(x W + b))] */
static void hedgehog_make(problem *p, uint64_t seed)
{
    static const char *const words[] = { "softmax-dim", "exp", "exp-dim", "softmax-both" };
    int64_t f = seed % 2 ? p->dim : p->dim + 1;
    problem_set(p, "activation", words[seed % 4]);
    problem_set(p, "skip", f == p->dim ? "1" : "0");
    if (f != p->dim || seed % 3) {
        drawn(p, "w_q", 3, (int64_t[]){ p->heads, p->dim, f }, -0.4, 0.8, seed + 1);
        drawn(p, "w_k", 3, (int64_t[]){ p->kv_heads, p->dim, f }, -0.4, 0.8, seed + 2);
        drawn(p, "b_q", 2, (int64_t[]){ p->heads, f }, -0.4, 0.8, seed + 3);
    }
}

static void hedgehog_features(const problem *p, const array *x, const array *w, const array *bias, int64_t b,
                              int64_t h, int64_t i, int64_t f, double *out)
{
    const char *form = problem_text(p, "activation", "");
    bool skip = problem_text(p, "skip", "0")[0] == '1', both = strcmp(form, "softmax-both") == 0;
    double most = -INFINITY, least = INFINITY, sum[2] = { 0, 0 };
    for (int64_t j = 0; j < f; j++) {
        double y = w ? 0 : *array_at(x, b, h, i, j);
        for (int64_t c = 0; w && c < p->dim; c++) {
            y += *array_at(x, b, h, i, c) * w->data[(h * p->dim + c) * f + j];
        }
        y += element(bias, h * f + j, 0) + (skip ? *array_at(x, b, h, i, j) : 0);
        out[j] = y;
        most = fmax(most, y);
        least = fmin(least, y);
    }
    for (int64_t j = 0; j < f; j++) {
        bool dim = strcmp(form, "exp-dim") == 0;
        double y = both ? 2 * out[j] : out[j];
        out[j] = exp(dim ? y - most : y);
        out[f + j] = exp(dim ? least - y : -y);
        sum[0] += out[j];
        sum[1] += out[f + j];
    }
    for (int64_t j = 0; j < 2 * f && strncmp(form, "softmax", 7) == 0; j++) {
        out[j] /= both ? sum[0] + sum[1] : sum[j / f];
    }
}

static void hedgehog_weights(const problem *p, int64_t b, int64_t h, int64_t i, int64_t n, double *w)
{
    const array *w_q = found(p, "w_q"), *w_k = found(p, "w_k");
    int64_t f = w_q ? w_q->shape[2] : p->dim;
    double *q = calloc((size_t)(4 * f), sizeof *q), *k = q + 2 * f, sum = 0;
    hedgehog_features(p, &p->q, w_q, found(p, "b_q"), b, h, i, f, q);
    for (int64_t j = 0; j < n; j++) {
        hedgehog_features(p, &p->k, w_k, found(p, "b_k"), b, group_of(p, h), j, f, k);
        w[j] = 0;
        for (int64_t c = 0; c < 2 * f; c++) {
            w[j] += q[c] * k[c];
        }
        sum += w[j];
    }
    for (int64_t j = 0; j < n; j++) {
        w[j] /= sum;
    }
    free(q);
}

static void hedgehog_run(const problem *p, array *o)
{
    by_weights(p, o, hedgehog_weights);
}

/* ---- softmax with temperatures, and with a gate ---- */

static void selective_make(problem *p, uint64_t seed)
{
    problem_set(p, "position_form", seed % 2 ? "exp" : "sigmoid");
    drawn(p, "alpha", 1, &p->heads, -0.5, 1, seed);
    drawn(p, "w_q", 2, (int64_t[]){ p->heads, p->dim }, -0.3, 0.6, seed + 1);
    drawn(p, "w_v", 2, (int64_t[]){ p->kv_heads, p->dim_v }, -0.3, 0.6, seed + 2);
    if (seed % 3) {
        drawn(p, "logit_q", 3, (int64_t[]){ p->batch, p->heads, p->queries }, -0.5, 1, seed + 3);
        drawn(p, "logit_v", 3, (int64_t[]){ p->batch, p->kv_heads, p->keys }, -0.5, 1, seed + 4);
    }
}

static double token_tau(const array *w, const array *logit, int64_t head, int64_t row, const double *x,
                        int64_t n)
{
    double u = element(logit, row, 0);
    for (int64_t c = 0; c < n; c++) {
        u += w->data[head * n + c] * x[c];
    }
    return 1 + tanh(u);
}

static problem softmax_of(const problem *p, const fixture *steps)
{
    problem inner = *p;
    inner.fixture = steps;
    inner.q = array_make(4, p->q.shape);
    inner.v = array_make(4, p->v.shape);
    memcpy(inner.q.data, p->q.data, (size_t)array_count(&p->q) * sizeof(double));
    memcpy(inner.v.data, p->v.data, (size_t)array_count(&p->v) * sizeof(double));
    return inner;
}

static void selective_run(const problem *p, array *o)
{
    static const fixture steps = { .name = "steps" };
    problem inner = softmax_of(p, &steps);
    bool form = strcmp(problem_text(p, "position_form", ""), "exp") == 0;
    for (int64_t row = 0; row < p->batch * p->heads * p->queries; row++) {
        int64_t h = row / p->queries % p->heads, n = seen(p, row % p->queries);
        double alpha = found(p, "alpha")->data[h], coef = form ? exp(-exp(alpha)) : logistic(alpha);
        double *q = inner.q.data + row * p->dim;
        double tau = token_tau(found(p, "w_q"), found(p, "logit_q"), h, row, q, p->dim);
        for (int64_t c = 0; c < p->dim; c++) {
            q[c] *= tau + (n > 0 ? coef * log((double)n) : 0);
        }
    }
    for (int64_t row = 0; row < p->batch * p->kv_heads * p->keys; row++) {
        double *v = inner.v.data + row * p->dim_v;
        double tau =
            token_tau(found(p, "w_v"), found(p, "logit_v"), row / p->keys % p->kv_heads, row, v, p->dim_v);
        for (int64_t c = 0; c < p->dim_v; c++) {
            v[c] *= tau;
        }
    }
    reference_attend(&inner, o, NULL, NULL);
    array_free(&inner.q);
    array_free(&inner.v);
}

/* The gate is elementwise on the output, or headwise on v. */
static void gated_make(problem *p, uint64_t seed)
{
    static const char *const forms[] = { "sigmoid", "half-sigmoid", "add-silu" };
    bool value = seed % 2;
    problem_set(p, "gate_position", value ? "value" : "output");
    problem_set(p, "gate_form", forms[seed % 3]);
    const int64_t on_value[] = { p->batch, p->kv_heads, p->keys, 1 };
    const int64_t on_output[] = { p->batch, 1, p->queries, p->dim_v };
    drawn(p, "gate", 4, value ? on_value : on_output, -2, 4, seed);
}

static double gated(const char *form, double x, double g)
{
    if (strcmp(form, "add-silu") == 0) {
        return x + g * logistic(g);
    }
    return x * (form[0] == 'h' ? 0.5 + 0.5 * logistic(g) : logistic(g));
}

static void gated_run(const problem *p, array *o)
{
    static const fixture steps = { .name = "steps" };
    problem inner = softmax_of(p, &steps);
    const array *gate = found(p, "gate");
    const char *form = problem_text(p, "gate_form", "");
    bool value = strcmp(problem_text(p, "gate_position", ""), "value") == 0;
    for (int64_t i = 0; value && i < array_count(&inner.v); i++) {
        inner.v.data[i] = gated(form, inner.v.data[i], gate->data[i / p->dim_v]);
    }
    reference_attend(&inner, o, NULL, NULL);
    for (int64_t i = 0; !value && i < array_count(o); i++) {
        int64_t per_head = p->queries * p->dim_v, b = i / per_head / p->heads;
        o->data[i] = gated(form, o->data[i], gate->data[b * per_head + i % per_head]);
    }
    array_free(&inner.q);
    array_free(&inner.v);
}

/* ---- recurrences: S <- exp(g) S + k u', u = v or beta (v - S' k) ---- */

static void unit(const problem *p, const double *x, double *y)
{
    double sum = 0;
    for (int64_t c = 0; c < p->dim; c++) {
        sum += x[c] * x[c];
    }
    for (int64_t c = 0; c < p->dim; c++) {
        y[c] = problem_number(p, "normalise_qk", 0) > 0 ? x[c] / fmax(sqrt(sum), 1e-12) : x[c];
    }
}

/* exp(g) of a token and channel. */
static double decay(const problem *p, int64_t b, int64_t g, int64_t t, int64_t c)
{
    const array *a = found(p, "log_decay"), *slopes = found(p, "slopes");
    if (slopes) {
        return exp(-slopes->data[g]);
    }
    if (!a) {
        return strcmp(p->fixture->name, "retention") == 0 ? 1 - pow(2, -5 - (double)g) : 1;
    }
    if (a->ndim == 1) {
        return exp(a->data[g]);
    }
    int64_t width = a->shape[3];
    return exp(a->data[((b * p->kv_heads + g) * p->keys + t) * width + (width == 1 ? 0 : c)]);
}

/* One token of key/value head (b, g) enters S (d, e). */
static void enter(const problem *p, int64_t b, int64_t g, int64_t t, double *s, double *k)
{
    const array *beta = found(p, "beta");
    unit(p, array_at(&p->k, b, g, t, 0), k);
    for (int64_t i = 0; i < p->dim * p->dim_v; i++) {
        s[i] *= decay(p, b, g, t, i / p->dim_v);
    }
    for (int64_t c = 0; c < p->dim_v; c++) {
        double u = *array_at(&p->v, b, g, t, c);
        for (int64_t i = 0; beta && i < p->dim; i++) {
            u -= s[i * p->dim_v + c] * k[i];
        }
        u *= beta ? beta->data[(b * p->kv_heads + g) * p->keys + t] : 1;
        for (int64_t i = 0; i < p->dim; i++) {
            s[i * p->dim_v + c] += k[i] * u;
        }
    }
}

/* The epilogue: rms or layer norm over the columns of a head, times act(gate). */
static void finish(const problem *p, int64_t b, int64_t h, int64_t i, double *o)
{
    const char *norm = problem_text(p, "norm", "none"), *act = problem_text(p, "gate_activation", "none");
    const array *weight = found(p, "norm_weight"), *bias = found(p, "norm_bias"), *gate = found(p, "gate");
    double mean = 0, square = 0, n = (double)p->dim_v;
    bool layer = strcmp(norm, "layer") == 0;
    for (int64_t c = 0; c < p->dim_v; c++) {
        mean += layer ? o[c] / n : 0;
    }
    for (int64_t c = 0; c < p->dim_v; c++) {
        square += (o[c] - mean) * (o[c] - mean) / n;
    }
    for (int64_t c = 0; c < p->dim_v; c++) {
        int64_t column = h * p->dim_v + c;
        if (strcmp(norm, "none") != 0) {
            o[c] = (o[c] - mean) / sqrt(square + (layer ? 1e-5 : 1e-6));
        }
        o[c] = o[c] * element(weight, column, 1) + element(bias, column, 0);
        double g = gate ? *array_at(gate, b, h, i, c) : 1;
        o[c] *= !gate || act[0] == 'n' ? g : act[1] == 'i' && act[2] == 'l' ? g * logistic(g) : logistic(g);
    }
}

static void read_state(const problem *p, int64_t b, int64_t h, int64_t i, const double *s, array *o)
{
    double scale = scale_of(p, strcmp(p->fixture->name, "lightning") == 0 ? 1 : root(p));
    double *q = calloc((size_t)p->dim, sizeof *q);
    unit(p, array_at(&p->q, b, h, i, 0), q);
    for (int64_t c = 0; c < p->dim_v; c++) {
        double sum = 0;
        for (int64_t j = 0; j < p->dim; j++) {
            sum += scale * q[j] * s[j * p->dim_v + c];
        }
        *array_at(o, b, h, i, c) = sum;
    }
    finish(p, b, h, i, array_at(o, b, h, i, 0));
    free(q);
}

static void recurrence_run(const problem *p, array *o)
{
    int64_t size = p->dim * p->dim_v, before = p->queries > p->keys ? p->queries - p->keys : 0;
    double *s = calloc((size_t)(size + p->dim), sizeof *s);
    for (int64_t head = 0; head < p->batch * p->kv_heads; head++) {
        int64_t b = head / p->kv_heads, g = head % p->kv_heads, group = p->heads / p->kv_heads;
        const array *initial = found(p, "initial_state");
        for (int64_t i = 0; i < size; i++) {
            s[i] = element(initial, head * size + i, 0);
        }
        for (int64_t t = -before; t < p->keys; t++) {
            if (t >= 0) {
                enter(p, b, g, t, s, s + size);
            }
            int64_t i = t + p->queries - p->keys;
            for (int64_t h = g * group; h < (g + 1) * group && i >= 0; h++) {
                read_state(p, b, h, i, s, o);
            }
        }
    }
    free(s);
}

static void state_make(problem *p, uint64_t seed)
{
    if (seed % 2) {
        drawn(p, "initial_state", 4, (int64_t[]){ p->batch, p->kv_heads, p->dim, p->dim_v }, -1, 2, seed + 9);
    }
}

static void epilogue_make(problem *p, uint64_t seed)
{
    int64_t width = p->heads * p->dim_v;
    if (p->dim_v > 1 && seed % 4 == 1) {
        problem_set(p, "norm", "rms");
        problem_set(p, "gate_activation", "silu");
        drawn(p, "norm_weight", 1, &width, 0.5, 1, seed + 5);
        drawn(p, "gate", 4, (int64_t[]){ p->batch, p->heads, p->queries, p->dim_v }, -2, 4, seed + 6);
    } else if (p->dim_v > 2 && seed % 4 == 3) {
        problem_set(p, "norm", "layer");
        drawn(p, "norm_weight", 1, &width, 0.5, 1, seed + 5);
        drawn(p, "norm_bias", 1, &width, -0.5, 1, seed + 6);
    }
}

static void retention_make(problem *p, uint64_t seed)
{
    p->scale = 0.1;
    if (seed % 3) {
        drawn(p, "log_decay", 1, &p->kv_heads, -0.8, 0.7, seed);
    }
    state_make(p, seed);
    epilogue_make(p, seed);
}

static void gla_make(problem *p, uint64_t seed)
{
    p->scale = 0.1;
    drawn(p, "log_decay", 4, (int64_t[]){ p->batch, p->kv_heads, p->keys, seed % 3 ? p->dim : 1 }, -1.5, 1.4,
          seed);
    state_make(p, seed);
    epilogue_make(p, seed);
}

static void delta_make(problem *p, uint64_t seed)
{
    problem_set(p, "normalise_qk", "1");
    drawn(p, "beta", 3, (int64_t[]){ p->batch, p->kv_heads, p->keys }, 0.1, 0.8, seed + 1);
    state_make(p, seed);
    epilogue_make(p, seed);
}

static void gated_delta_make(problem *p, uint64_t seed)
{
    delta_make(p, seed);
    if (seed % 4) {
        drawn(p, "log_decay", 4, (int64_t[]){ p->batch, p->kv_heads, p->keys, seed % 3 ? 1 : p->dim }, -1.5,
              1.4, seed);
    }
}

static void lightning_make(problem *p, uint64_t seed)
{
    p->scale = 0.1;
    drawn(p, "slopes", 1, &p->kv_heads, 0.05, 0.6, seed);
    state_make(p, seed);
    epilogue_make(p, seed);
}

/* ssm, form s6: h <- exp(-delta A) h + delta k u, y = q h + skip u */
static void ssm_make(problem *p, uint64_t seed)
{
    drawn(p, "delta", 4, (int64_t[]){ p->batch, p->heads, p->keys, seed % 2 ? p->dim_v : 1 }, 0.1, 0.6, seed);
    drawn(p, "a_log", 3, (int64_t[]){ seed % 3 ? p->heads : 1, p->dim_v, seed % 2 ? p->dim : 1 }, -1, 2,
          seed + 1);
    drawn(p, "skip", 2, (int64_t[]){ p->heads, p->dim_v }, -1, 2, seed + 2);
    if (seed % 2) {
        drawn(p, "initial_state", 4, (int64_t[]){ p->batch, p->heads, p->dim, p->dim_v }, -1, 2, seed + 3);
    }
}

static double ssm_step(const problem *p, int64_t b, int64_t h, int64_t t, int64_t c, double *s)
{
    const array *delta = found(p, "delta"), *a = found(p, "a_log");
    double d = *array_at(delta, b, h, t, delta->shape[3] == 1 ? 0 : c), u = *array_at(&p->v, b, h, t, c);
    double y = found(p, "skip")->data[h * p->dim_v + c] * u;
    for (int64_t j = 0; j < p->dim; j++) {
        int64_t head = a->shape[0] == 1 ? 0 : h, state = a->shape[2] == 1 ? 0 : j;
        double l = exp(a->data[(head * p->dim_v + c) * a->shape[2] + state]);
        s[j] = exp(-d * l) * s[j] + d * *array_at(&p->k, b, h, t, j) * u;
        y += *array_at(&p->q, b, h, t, j) * s[j];
    }
    return y;
}

static void ssm_run(const problem *p, array *o)
{
    double *s = calloc((size_t)p->dim, sizeof *s);
    const array *initial = found(p, "initial_state");
    for (int64_t i = 0; i < p->batch * p->heads * p->dim_v; i++) {
        int64_t c = i % p->dim_v, h = i / p->dim_v % p->heads, b = i / p->dim_v / p->heads;
        for (int64_t j = 0; j < p->dim; j++) {
            s[j] = initial ? *array_at(initial, b, h, j, c) : 0;
        }
        for (int64_t t = 0; t < p->keys; t++) {
            *array_at(o, b, h, t, c) = ssm_step(p, b, h, t, c, s);
        }
    }
    free(s);
}

/* rat without rope: kb and vb restart every `chunk` tokens; softmax over earlier ends and the token itself */
static void rat_make(problem *p, uint64_t seed)
{
    problem_set(p, "chunk", seed % 2 ? "4" : "3");
    problem_set(p, "rope", "0");
    drawn(p, "gate", 4, (int64_t[]){ p->batch, p->heads, p->keys, p->dim }, -2, 4, seed);
    drawn(p, "gate_v", 4, (int64_t[]){ p->batch, p->heads, p->keys, p->dim_v }, -2, 4, seed + 1);
    drawn(p, "output_gate", 4, (int64_t[]){ p->batch, p->heads, p->keys, p->dim_v }, -2, 4, seed + 2);
}

static void rat_scan(const problem *p, const array *x, const array *logits, int64_t b, int64_t h, double *out)
{
    int64_t chunk = (int64_t)problem_number(p, "chunk", 16), n = x->shape[3];
    for (int64_t i = 0; i < p->keys * n; i++) {
        int64_t t = i / n, c = i % n;
        double g = logistic(*array_at(logits, b, h, t, c)), before = t % chunk ? out[i - n] : 0;
        out[i] = g * before + (1 - g) * *array_at(x, b, group_of(p, h), t, c);
    }
}

static void rat_head(const problem *p, int64_t b, int64_t h, const double *k, const double *v, double *w,
                     array *o)
{
    int64_t chunk = (int64_t)problem_number(p, "chunk", 16);
    for (int64_t t = 0; t < p->keys; t++) {
        double sum = 0;
        for (int64_t j = 0; j <= t; j++) {
            double dot = 0;
            for (int64_t c = 0; c < p->dim; c++) {
                dot += *array_at(&p->q, b, h, t, c) * k[j * p->dim + c] * root(p);
            }
            w[j] = j == t || (j % chunk == chunk - 1 && j / chunk < t / chunk) ? exp(dot) : 0;
            sum += w[j];
        }
        for (int64_t c = 0; c < p->dim_v; c++) {
            double y = 0;
            for (int64_t j = 0; j <= t; j++) {
                y += w[j] / sum * v[j * p->dim_v + c];
            }
            *array_at(o, b, h, t, c) = y * logistic(*array_at(found(p, "output_gate"), b, h, t, c));
        }
    }
}

static void rat_run(const problem *p, array *o)
{
    double *k = calloc((size_t)(p->keys * (p->dim + p->dim_v + 1)), sizeof *k), *v = k + p->keys * p->dim;
    for (int64_t i = 0; i < p->batch * p->heads; i++) {
        rat_scan(p, &p->k, found(p, "gate"), i / p->heads, i % p->heads, k);
        rat_scan(p, &p->v, found(p, "gate_v"), i / p->heads, i % p->heads, v);
        rat_head(p, i / p->heads, i % p->heads, k, v, v + p->keys * p->dim_v, o);
    }
    free(k);
}

#define RECURRENCE(variant, maker) \
    { \
        .name = variant, .make = maker, .run = recurrence_run, .any_queries = true, .query_tensors = true \
    }

const fixture linear_fixtures[] = {
    { .name = "selective",
      .make = selective_make,
      .run = selective_run,
      .any_queries = true,
      .query_tensors = true,
      .map_alone = true },
    { .name = "gated",
      .make = gated_make,
      .run = gated_run,
      .any_queries = true,
      .query_tensors = true,
      .map_alone = true },
    { .name = "norm-attention",
      .make = norm_attention_make,
      .run = norm_attention_run,
      .any_queries = true,
      .query_tensors = true },
    { .name = "inline", .make = nothing, .run = inline_run, .any_queries = true, .permutes = true },
    { .name = "mala", .make = nothing, .run = mala_run, .any_queries = true, .permutes = true },
    { .name = "l2vit", .make = l2vit_make, .run = l2vit_run, .any_queries = true, .permutes = true },
    { .name = "based", .make = based_make, .run = based_run, .any_queries = true, .permutes = true },
    { .name = "hedgehog", .make = hedgehog_make, .run = hedgehog_run, .any_queries = true, .permutes = true },
    RECURRENCE("retention", retention_make),
    RECURRENCE("gla", gla_make),
    RECURRENCE("delta", delta_make),
    RECURRENCE("gated-delta", gated_delta_make),
    RECURRENCE("lightning", lightning_make),
    { .name = "rat", .make = rat_make, .run = rat_run, .query_tensors = true, .map_alone = true },
    { .name = "ssm", .make = ssm_make, .run = ssm_run, .query_tensors = true },
    { .name = NULL },
};
