/* edge_ref.c - message passing in double precision, plain loops. Scores and weights of one row are in memory at a time;
 * the backward pass keeps two numbers an edge and head, which its second half reads by source. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/edge_attention/edge.h"

enum { ROWS = 64 }; /* of a unit of work */

typedef struct reference {
    ga_context *context;
    const ga__edge_problem *p;
    const ga__edge_outputs *out; /* forward */
    const ga__edge_slopes *s;    /* backward */
    const ga_transposed *transposed;
    int64_t longest, room; /* edges of the longest row; doubles of a worker */
    double *scratch;
    double *ds, *wm; /* (count, heads): gradient of the score's sum, factor of grad y in the gradient of v */
    double *datt, *dp; /* (units, heads, width), (units) */
    int64_t next, units, rows;
    int status;
} reference;

typedef struct row {
    double *q, *k, *v, *g, *y, *d;             /* rows of features */
    double *score, *raw, *weight, *sum, *most; /* (edges of the row, heads); (heads) */
} row;

static row row_at(const reference *r, int worker)
{
    const ga__edge_problem *p = r->p;
    int64_t x = p->heads * p->width, y = p->heads * p->width_v, edges = r->longest * p->heads;
    double *base = r->scratch + worker * r->room;
    row t = { .q = base, .k = base + x };
    t.d = t.k + x;
    t.v = t.d + x;
    t.g = t.v + y;
    t.y = t.g + y;
    t.score = t.y + y;
    t.raw = t.score + edges;
    t.weight = t.raw + edges;
    t.sum = t.weight + edges;
    t.most = t.sum + p->heads;
    return t;
}

static double number(const ga__view *view, int64_t at, int64_t column, double otherwise)
{
    return view->data ? ga__view_get(view, 0, 0, at, column) : otherwise;
}

static double norm_inverse(const double *x, int64_t width)
{
    double sum = 0;
    for (int64_t c = 0; c < width; c++) {
        sum += x[c] * x[c];
    }
    return sqrt(sum) <= 1e-12 ? 0 : 1 / sqrt(sum);
}

static double leaky_slope(const ga__edge_problem *p, double u)
{
    return u > 0 ? 1 : p->given->slope;
}

/* Sum of a pair of rows before what is done with it; k is loaded. */
static double pair(const ga__edge_problem *p, const row *t, int64_t h, double target, double source)
{
    const ga_edge_attention *g = p->given;
    const double *q = t->q + h * p->width, *k = t->k + h * p->width;
    double sum = 0;
    for (int64_t c = 0; c < p->width; c++) {
        double u = q[c] + k[c], d = source * k[c] - target * q[c];
        sum += g->score == GA_EDGE_GATV2      ? ga__view_get(&p->att, 0, 0, h, c) * u * leaky_slope(p, u)
               : g->score == GA_EDGE_DISTANCE ? d * d
                                              : q[c] * k[c];
    }
    if (g->score == GA_EDGE_COSINE) {
        sum *= norm_inverse(q, p->width) * norm_inverse(k, p->width);
    }
    return g->score == GA_EDGE_DOT || g->score == GA_EDGE_COSINE ? sum * g->scale : sum;
}

static bool has_pairs(const ga__edge_problem *p)
{
    return p->q.data != NULL;
}

static double bias_of(const ga__edge_problem *p, int64_t e, int64_t h)
{
    if (!p->bias.data) {
        return 0;
    }
    return p->bias_heads == 1 && p->bias.rows == 1 && p->given->edge_bias->ndim < 2
               ? ga__view_get(&p->bias, 0, 0, 0, e)
               : ga__view_get(&p->bias, 0, 0, e, h);
}

static void row_scores(const reference *r, row *t, int64_t i)
{
    const ga__edge_problem *p = r->p;
    int64_t from = p->edges->offsets[i], to = p->edges->offsets[i + 1];
    double ti = number(&p->target_scale, 0, i, 1);
    if (has_pairs(p)) {
        ga__view_load_f64(&p->q, 0, 0, i, t->q);
    }
    for (int64_t e = from; e < to; e++) {
        int64_t j = p->edges->sources[e];
        double tj = number(&p->source_scale, 0, j, 1);
        if (has_pairs(p)) {
            ga__view_load_f64(&p->k, 0, 0, j, t->k);
        }
        for (int64_t h = 0; h < p->heads; h++) {
            int64_t at = (e - from) * p->heads + h;
            double s = has_pairs(p) ? pair(p, t, h, ti, tj) : 0;
            if (p->l.data) {
                s = ga__view_get(&p->l, 0, 0, j, h) + ga__view_get(&p->r, 0, 0, i, h);
            }
            s += bias_of(p, e, h);
            t->raw[at] = s;
            t->score[at] = p->l.data ? s * leaky_slope(p, s) : s;
        }
    }
}

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double factor_of(const ga__edge_problem *p, int64_t n)
{
    return p->given->normaliser.length_scale ? log((double)p->width) * log((double)n) : 1;
}

/* tau of the p-Laplacian from the squared distance, and its weight. */
static double laplacian(const ga__edge_problem *p, int64_t e, double distance, double *tau)
{
    double w = number(&p->weight, 0, e, 1), power = p->given->p;
    *tau = w * distance + p->given->guard * p->given->guard;
    double m = power == 2 ? w : *tau == 0 ? 0 : w * pow(*tau, (power - 2) / 2);
    return isinf(m) ? 0 : m;
}

/* weight before division, sum, most (the shift of softmax). */
static void row_weights(const reference *r, row *t, int64_t i)
{
    const ga__edge_problem *p = r->p;
    int64_t from = p->edges->offsets[i], n = p->edges->offsets[i + 1] - from;
    double factor = factor_of(p, n), tau;
    for (int64_t h = 0; h < p->heads; h++) {
        double most = -INFINITY;
        for (int64_t e = 0; e < n; e++) {
            double s = t->score[e * p->heads + h];
            most = s > most ? s : most;
        }
        t->most[h] = most == -INFINITY ? 0 : most;
        t->sum[h] = 0;
        for (int64_t e = 0; e < n; e++) {
            double s = t->score[e * p->heads + h], *w = &t->weight[e * p->heads + h];
            switch (p->given->normaliser.kind) {
            case GA_SOFTMAX: *w = exp(s - t->most[h]); break;
            case GA_SIGMOID: *w = sigmoid(s + p->given->normaliser.bias); break;
            case GA_SOFTPLUS: *w = softplus(factor * s); break;
            case GA_RELU_L1: *w = s <= 0 ? 0 : s; break;
            case GA_P_LAPLACIAN: *w = laplacian(p, from + e, s, &tau); break;
            default: *w = s; break;
            }
            t->sum[h] += *w;
        }
    }
}

static double divisor(const ga__edge_problem *p, double sum)
{
    double eps = p->given->normaliser.eps;
    switch (p->given->normaliser.kind) {
    case GA_SOFTMAX:
    case GA_SOFTPLUS: return sum == 0 ? INFINITY : sum;
    case GA_RELU_L1: return sum <= eps ? eps : sum;
    default: return 1;
    }
}

static void forward_row(const reference *r, row *t, int64_t i)
{
    const ga__edge_problem *p = r->p;
    const ga__edge_outputs *o = r->out;
    int64_t from = p->edges->offsets[i], n = p->edges->offsets[i + 1] - from, width = p->width_v;
    bool laplace = p->given->normaliser.kind == GA_P_LAPLACIAN;
    row_scores(r, t, i);
    row_weights(r, t, i);
    memset(t->y, 0, (size_t)(p->heads * width) * sizeof *t->y);
    for (int64_t e = 0; e < n; e++) {
        int64_t j = p->edges->sources[from + e];
        double tj = laplace ? number(&p->source_scale, 0, j, 1) : 1;
        ga__view_load_f64(&p->v, 0, 0, j, t->v);
        for (int64_t h = 0; h < p->heads; h++) {
            double w = t->weight[e * p->heads + h] / divisor(p, t->sum[h]) * number(&p->mask, from + e, h, 1);
            for (int64_t c = h * width; c < (h + 1) * width; c++) {
                t->y[c] += w * tj * t->v[c];
            }
            if (o->map.data) {
                ga__view_set(&o->map, 0, 0, from + e, h, w);
            }
        }
    }
    if (o->y.data) {
        ga__view_store_f64(&o->y, 0, 0, i, t->y);
    }
    for (int64_t h = 0; h < p->heads; h++) {
        if (o->lse.data) {
            ga__view_set(&o->lse, 0, 0, i, h, t->sum[h] == 0 ? -INFINITY : t->most[h] + log(t->sum[h]));
        }
        if (o->sums.data) {
            bool softmax = p->given->normaliser.kind == GA_SOFTMAX;
            ga__view_set(&o->sums, 0, 0, i, h, softmax ? t->sum[h] * exp(t->most[h]) : t->sum[h]);
        }
    }
}

/* ds and wm of the edges of a row. c = <grad y, v> stands in t->raw's place of the weights' products. */
static double row_gradients(const reference *r, row *t, int64_t i)
{
    const ga__edge_problem *p = r->p;
    const ga_normaliser *kind = &p->given->normaliser;
    int64_t from = p->edges->offsets[i], n = p->edges->offsets[i + 1] - from, width = p->width_v,
            heads = p->heads;
    double factor = factor_of(p, n), dp = 0;
    ga__view_load_f64(&r->s->grad_y, 0, 0, i, t->g);
    for (int64_t e = 0; e < n; e++) {
        int64_t j = p->edges->sources[from + e];
        double tj = kind->kind == GA_P_LAPLACIAN ? number(&p->source_scale, 0, j, 1) : 1;
        ga__view_load_f64(&p->v, 0, 0, j, t->v);
        for (int64_t h = 0; h < heads; h++) {
            double c = 0, m = number(&p->mask, from + e, h, 1) * tj;
            for (int64_t k = h * width; k < (h + 1) * width; k++) {
                c += t->g[k] * t->v[k];
            }
            r->ds[(from + e) * heads + h] = m * c;
            r->wm[(from + e) * heads + h] = t->weight[e * heads + h] / divisor(p, t->sum[h]) * m;
        }
    }
    for (int64_t h = 0; h < heads; h++) {
        double mean = 0, z = divisor(p, t->sum[h]);
        for (int64_t e = 0; e < n; e++) {
            mean += t->weight[e * heads + h] / z * r->ds[(from + e) * heads + h];
        }
        mean = kind->kind == GA_RELU_L1 && t->sum[h] <= kind->eps ? 0 : mean;
        for (int64_t e = 0; e < n; e++) {
            double s = t->score[e * heads + h], a = t->weight[e * heads + h], tau;
            double *d = &r->ds[(from + e) * heads + h];
            switch (kind->kind) {
            case GA_SOFTMAX: *d = a / z * (*d - mean); break;
            case GA_SIGMOID: *d *= a * (1 - a); break;
            case GA_SOFTPLUS: *d = (*d - mean) / z * factor * sigmoid(factor * s); break;
            case GA_RELU_L1: *d = s > 0 ? (*d - mean) / z : 0; break;
            case GA_P_LAPLACIAN: {
                double dm = *d + number(&r->s->grad_sums, i, h, 0), w = number(&p->weight, 0, from + e, 1);
                (void)laplacian(p, from + e, s, &tau);
                bool none = tau == 0 || a == 0;
                dp += none ? 0 : 0.5 * dm * a * log(tau);
                *d = none ? 0 : (p->given->p - 2) * a * dm * w / tau;
                break;
            }
            default: break;
            }
            if (p->l.data) {
                *d *= leaky_slope(p, t->raw[e * heads + h]);
            }
        }
    }
    return dp;
}

/* d += gradient of the sum of a pair with respect to x, times by; datt += its gradient of att. */
static void add_pair(const ga__edge_problem *p, const double *x, const double *o, int64_t h, double by,
                     double tx, double to, double *d, double *datt)
{
    const ga_edge_attention *g = p->given;
    x += h * p->width;
    o += h * p->width;
    d += h * p->width;
    double nx = 0, no = 0, dot = 0;
    if (g->score == GA_EDGE_COSINE) {
        nx = norm_inverse(x, p->width);
        no = norm_inverse(o, p->width);
        for (int64_t c = 0; c < p->width; c++) {
            dot += x[c] * o[c] * nx * no;
        }
    }
    for (int64_t c = 0; c < p->width; c++) {
        double u = x[c] + o[c];
        switch (g->score) {
        case GA_EDGE_DOT: d[c] += by * g->scale * o[c]; break;
        case GA_EDGE_COSINE: d[c] += by * g->scale * nx * (o[c] * no - dot * x[c] * nx); break;
        case GA_EDGE_GATV2: d[c] += by * ga__view_get(&p->att, 0, 0, h, c) * leaky_slope(p, u); break;
        case GA_EDGE_DISTANCE: d[c] -= by * tx * (to * o[c] - tx * x[c]); break;
        case GA_EDGE_ADDITIVE:
        case GA_EDGE_CONSTANT: break;
        }
        if (datt) {
            datt[h * p->width + c] += by * u * leaky_slope(p, u);
        }
    }
}

static void backward_target(const reference *r, row *t, int64_t i, int64_t unit)
{
    const ga__edge_problem *p = r->p;
    int64_t from = p->edges->offsets[i], to = p->edges->offsets[i + 1], heads = p->heads;
    double *datt = r->datt ? r->datt + unit * heads * p->width : NULL;
    row_scores(r, t, i);
    row_weights(r, t, i);
    r->dp[unit] += row_gradients(r, t, i);
    memset(t->d, 0, (size_t)(heads * p->width) * sizeof *t->d);
    memset(t->sum, 0, (size_t)heads * sizeof *t->sum);
    for (int64_t e = from; e < to; e++) {
        int64_t j = p->edges->sources[e];
        double all = 0;
        if (has_pairs(p)) {
            ga__view_load_f64(&p->k, 0, 0, j, t->k);
        }
        for (int64_t h = 0; h < heads; h++) {
            double by = r->ds[e * heads + h];
            if (has_pairs(p)) {
                add_pair(p, t->q, t->k, h, by, number(&p->target_scale, 0, i, 1),
                         number(&p->source_scale, 0, j, 1), t->d, datt);
            }
            t->sum[h] += by;
            all += by;
            if (r->s->bias.data && p->given->edge_bias->ndim >= 2) {
                ga__view_set(&r->s->bias, 0, 0, e, h, by);
            }
        }
        if (r->s->bias.data && p->given->edge_bias->ndim < 2) {
            ga__view_set(&r->s->bias, 0, 0, 0, e, all);
        }
    }
    if (r->s->q.data) {
        ga__view_store_f64(&r->s->q, 0, 0, i, t->d);
    }
    for (int64_t h = 0; r->s->r.data && h < heads; h++) {
        ga__view_set(&r->s->r, 0, 0, i, h, t->sum[h]);
    }
}

static void backward_source(const reference *r, row *t, int64_t j)
{
    const ga__edge_problem *p = r->p;
    const ga__edge_slopes *s = r->s;
    int64_t heads = p->heads, x = heads * p->width, y = heads * p->width_v;
    memset(t->d, 0, (size_t)x * sizeof *t->d);
    memset(t->y, 0, (size_t)y * sizeof *t->y);
    memset(t->sum, 0, (size_t)heads * sizeof *t->sum);
    if (has_pairs(p)) {
        ga__view_load_f64(&p->k, 0, 0, j, t->k);
    }
    for (int64_t at = r->transposed->offsets[j]; at < r->transposed->offsets[j + 1]; at++) {
        int64_t i = r->transposed->targets[at], e = r->transposed->edge[at];
        ga__view_load_f64(&s->grad_y, 0, 0, i, t->g);
        if (has_pairs(p)) {
            ga__view_load_f64(&p->q, 0, 0, i, t->q);
        }
        for (int64_t h = 0; h < heads; h++) {
            if (has_pairs(p)) {
                add_pair(p, t->k, t->q, h, r->ds[e * heads + h], number(&p->source_scale, 0, j, 1),
                         number(&p->target_scale, 0, i, 1), t->d, NULL);
            }
            t->sum[h] += r->ds[e * heads + h];
            for (int64_t c = h * p->width_v; c < (h + 1) * p->width_v; c++) {
                t->y[c] += r->wm[e * heads + h] * t->g[c];
            }
        }
    }
    if (s->k.data && s->k.data == s->v.data) {
        for (int64_t c = 0; c < x; c++) {
            t->d[c] += t->y[c];
            t->y[c] = t->d[c];
        }
    }
    if (s->k.data) {
        ga__view_store_f64(&s->k, 0, 0, j, t->d);
    }
    if (s->v.data) {
        ga__view_store_f64(&s->v, 0, 0, j, t->y);
    }
    for (int64_t h = 0; s->l.data && h < heads; h++) {
        ga__view_set(&s->l, 0, 0, j, h, t->sum[h]);
    }
}

typedef enum part { FORWARD, TARGETS, SOURCES } part;

static void each_row(reference *r, int worker, part what)
{
    row t = row_at(r, worker);
    for (int64_t u; (u = ga__claim(&r->next)) * ROWS < r->rows && !ga__stopped(r->context, &r->status);) {
        for (int64_t i = u * ROWS; i < ga__min(r->rows, (u + 1) * ROWS); i++) {
            if (what == FORWARD) {
                forward_row(r, &t, i);
            } else if (what == TARGETS) {
                backward_target(r, &t, i, u);
            } else {
                backward_source(r, &t, i);
            }
        }
    }
}

static void forward_worker(void *user, int worker)
{
    each_row(user, worker, FORWARD);
}

static void target_worker(void *user, int worker)
{
    each_row(user, worker, TARGETS);
}

static void source_worker(void *user, int worker)
{
    each_row(user, worker, SOURCES);
}

static ga_status run(reference *r, int64_t rows, ga__worker_fn body)
{
    r->next = 0;
    r->rows = rows;
    ga__workers(r->context, ga__threads(r->context), body, r);
    return ga__noted_status(&r->status);
}

static ga_status take_room(reference *r)
{
    const ga__edge_problem *p = r->p;
    int64_t size = 0;
    for (int64_t i = 0; i < p->edges->targets; i++) {
        r->longest = ga__max(r->longest, p->edges->offsets[i + 1] - p->edges->offsets[i]);
    }
    if (!ga__mul(3 * r->longest, p->heads, &size)) {
        return ga__fail(r->context, GA_OVERFLOW, "edge attention: rows are too long");
    }
    r->room = size + p->heads * (3 * p->width + 3 * p->width_v + 2);
    return GA_NEW(r->context, r->room * ga__threads(r->context), &r->scratch);
}

ga_status ga__edge_reference_forward(ga_context *context, const ga__edge_problem *problem,
                                     const ga__edge_outputs *outputs)
{
    reference r = { .context = context, .p = problem, .out = outputs };
    ga_status status = GA_OK;
    GA_TRY(take_room(&r));
    GA_TRY(run(&r, problem->edges->targets, forward_worker));
done:
    ga_free(context, r.scratch);
    return status;
}

static void finish_sums(const reference *r)
{
    const ga__edge_problem *p = r->p;
    int64_t size = p->heads * p->width;
    for (int64_t i = 0; r->datt && i < size; i++) {
        double sum = 0;
        for (int64_t u = 0; u < r->units; u++) {
            sum += r->datt[u * size + i];
        }
        ga__view_set(&r->s->att, 0, 0, i / p->width, i % p->width, sum);
    }
    if (r->s->p.data) {
        double sum = 0;
        for (int64_t u = 0; u < r->units; u++) {
            sum += r->dp[u];
        }
        ga__view_set(&r->s->p, 0, 0, 0, 0, sum);
    }
}

ga_status ga__edge_reference_backward(ga_context *context, const ga__edge_problem *problem,
                                      const ga_transposed *transposed, const ga__edge_slopes *slopes)
{
    reference r = { .context = context, .p = problem, .s = slopes, .transposed = transposed };
    const ga_edges *edges = problem->edges;
    int64_t size = 0;
    ga_status status = GA_OK;
    r.units = (edges->targets + ROWS - 1) / ROWS;
    GA_TRY(take_room(&r));
    if (!ga__mul(edges->count, problem->heads, &size)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "edge attention: too many edges and heads"));
    }
    GA_TRY(GA_NEW(context, size, &r.ds));
    GA_TRY(GA_NEW(context, size, &r.wm));
    GA_TRY(GA_NEW_ZERO(context, r.units, &r.dp));
    if (slopes->att.data) {
        if (!ga__mul(r.units, problem->heads * problem->width, &size)) {
            GA_TRY(ga__fail(context, GA_OVERFLOW, "edge attention: att is too wide"));
        }
        GA_TRY(GA_NEW_ZERO(context, size, &r.datt));
    }
    GA_TRY(run(&r, edges->targets, target_worker));
    if (slopes->k.data || slopes->v.data || slopes->l.data) {
        GA_TRY(run(&r, edges->sources_count, source_worker));
    }
    finish_sums(&r);
done:
    ga_free(context, r.scratch);
    ga_free(context, r.ds);
    ga_free(context, r.wm);
    ga_free(context, r.dp);
    ga_free(context, r.datt);
    return status;
}
