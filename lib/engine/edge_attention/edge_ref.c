/* edge_ref.c - message passing in double precision, plain loops. Scores and weights of one row are in memory at a time. */
#include "config.h"

#include "lib/engine/edge_attention/edge_ref.h"

/* Sum of a pair of rows before what is done with it; k is loaded. */
static double pair(const ga__edge_problem *p, const ga__reference_row *t, int64_t h, double target,
                   double source)
{
    const ga_edge_attention *g = p->given;
    const double *q = t->q + h * p->width, *k = t->k + h * p->width;
    double sum = 0;
    for (int64_t c = 0; c < p->width; c++) {
        double u = q[c] + k[c], d = source * k[c] - target * q[c];
        sum += g->score == GA_EDGE_GATV2      ? ga__view_get(&p->att, 0, 0, h, c) * u * ga__ref_slope(p, u)
               : g->score == GA_EDGE_DISTANCE ? d * d
                                              : q[c] * k[c];
    }
    if (g->score == GA_EDGE_COSINE) {
        sum *= ga__ref_norm(q, p->width) * ga__ref_norm(k, p->width);
    }
    return g->score == GA_EDGE_DOT || g->score == GA_EDGE_COSINE ? sum * g->scale : sum;
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

static void row_scores(const ga__reference *r, ga__reference_row *t, int64_t i)
{
    const ga__edge_problem *p = r->p;
    int64_t from = p->edges->offsets[i], to = p->edges->offsets[i + 1];
    double ti = ga__ref_number(&p->target_scale, 0, i, 1);
    if (ga__ref_pairs(p)) {
        ga__view_load_f64(&p->q, 0, 0, i, t->q);
    }
    for (int64_t e = from; e < to; e++) {
        int64_t j = p->edges->sources[e];
        double tj = ga__ref_number(&p->source_scale, 0, j, 1);
        if (ga__ref_pairs(p)) {
            ga__view_load_f64(&p->k, 0, 0, j, t->k);
        }
        for (int64_t h = 0; h < p->heads; h++) {
            int64_t at = (e - from) * p->heads + h;
            double s = ga__ref_pairs(p) ? pair(p, t, h, ti, tj) : 0;
            if (p->l.data) {
                s = ga__view_get(&p->l, 0, 0, j, h) + ga__view_get(&p->r, 0, 0, i, h);
            }
            s += bias_of(p, e, h);
            t->raw[at] = s;
            t->score[at] = p->l.data ? s * ga__ref_slope(p, s) : s;
        }
    }
}

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

/* weight before division, sum, most (the shift of softmax). */
static void row_weights(const ga__reference *r, ga__reference_row *t, int64_t i)
{
    const ga__edge_problem *p = r->p;
    int64_t from = p->edges->offsets[i], n = p->edges->offsets[i + 1] - from;
    double factor = ga__ref_factor(p, n), tau;
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
            case GA_SIGMOID: *w = ga__ref_sigmoid(s + p->given->normaliser.bias); break;
            case GA_SOFTPLUS: *w = softplus(factor * s); break;
            case GA_RELU_L1: *w = s <= 0 ? 0 : s; break;
            case GA_P_LAPLACIAN: *w = ga__ref_laplacian(p, from + e, s, &tau); break;
            default: *w = s; break;
            }
            t->sum[h] += *w;
        }
    }
}

void ga__reference_weights(const ga__reference *r, ga__reference_row *t, int64_t i)
{
    row_scores(r, t, i);
    row_weights(r, t, i);
}

static void forward_row(const ga__reference *r, ga__reference_row *t, int64_t i, int64_t unit)
{
    const ga__edge_problem *p = r->p;
    const ga__edge_outputs *o = r->out;
    int64_t from = p->edges->offsets[i], n = p->edges->offsets[i + 1] - from, width = p->width_v;
    bool laplace = p->given->normaliser.kind == GA_P_LAPLACIAN;
    (void)unit;
    ga__reference_weights(r, t, i);
    memset(t->y, 0, (size_t)(p->heads * width) * sizeof *t->y);
    for (int64_t e = 0; e < n; e++) {
        int64_t j = p->edges->sources[from + e];
        double tj = laplace ? ga__ref_number(&p->source_scale, 0, j, 1) : 1;
        ga__view_load_f64(&p->v, 0, 0, j, t->v);
        ga__ref_drop(p, j, t->v);
        for (int64_t h = 0; h < p->heads; h++) {
            double w =
                t->weight[e * p->heads + h] / ga__ref_divisor(p, t->sum[h]) * ga__ref_mask(p, from + e, h);
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

typedef struct job {
    ga__reference *r;
    ga__reference_fn body;
} job;

static void each_row(void *user, int worker)
{
    job *j = user;
    ga__reference *r = j->r;
    ga__reference_row t = ga__reference_row_at(r, worker);
    for (int64_t u;
         (u = ga__claim(&r->next)) * GA__REFERENCE_ROWS < r->rows && !ga__stopped(r->context, &r->status);) {
        int64_t last = ga__min(r->rows, (u + 1) * GA__REFERENCE_ROWS);
        for (int64_t i = u * GA__REFERENCE_ROWS; i < last; i++) {
            j->body(r, &t, i, u);
        }
    }
}

ga_status ga__reference_run(ga__reference *r, int64_t rows, ga__reference_fn body)
{
    job j = { r, body };
    r->next = 0;
    r->rows = rows;
    ga__workers(r->context, ga__threads(r->context), each_row, &j);
    return ga__noted_status(&r->status);
}

ga_status ga__reference_room(ga__reference *r)
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
    ga__reference r = { .context = context, .p = problem, .out = outputs };
    ga_status status = GA_OK;
    GA_TRY(ga__reference_room(&r));
    GA_TRY(ga__reference_run(&r, problem->edges->targets, forward_row));
done:
    ga_free(context, r.scratch);
    return status;
}
