/* edge_ref_gradients.c - gradients in double precision: two numbers an edge and head are kept between the pass over
 * targets and that over sources. */
#include "config.h"

#include "lib/engine/edge_attention/edge_ref.h"

/* ds and wm of the edges of a row. c = <grad y, v> stands in t->raw's place of the weights' products. */
static double row_gradients(const ga__reference *r, ga__reference_row *t, int64_t i)
{
    const ga__edge_problem *p = r->p;
    const ga_normaliser *kind = &p->given->normaliser;
    int64_t from = p->edges->offsets[i], n = p->edges->offsets[i + 1] - from, width = p->width_v,
            heads = p->heads;
    double factor = ga__ref_factor(p, n), dp = 0;
    ga__view_load_f64(&r->s->grad_y, 0, 0, i, t->g);
    for (int64_t e = 0; e < n; e++) {
        int64_t j = p->edges->sources[from + e];
        double tj = kind->kind == GA_P_LAPLACIAN ? ga__ref_number(&p->source_scale, 0, j, 1) : 1;
        ga__view_load_f64(&p->v, 0, 0, j, t->v);
        ga__ref_drop(p, j, t->v);
        for (int64_t h = 0; h < heads; h++) {
            double c = 0, m = ga__ref_mask(p, from + e, h) * tj;
            for (int64_t k = h * width; k < (h + 1) * width; k++) {
                c += t->g[k] * t->v[k];
            }
            r->ds[(from + e) * heads + h] = m * c;
            r->wm[(from + e) * heads + h] = t->weight[e * heads + h] / ga__ref_divisor(p, t->sum[h]) * m;
        }
    }
    for (int64_t h = 0; h < heads; h++) {
        double mean = 0, z = ga__ref_divisor(p, t->sum[h]);
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
            case GA_SOFTPLUS: *d = (*d - mean) / z * factor * ga__ref_sigmoid(factor * s); break;
            case GA_RELU_L1: *d = s > 0 ? (*d - mean) / z : 0; break;
            case GA_P_LAPLACIAN: {
                double dm = *d + ga__ref_number(&r->s->grad_sums, i, h, 0),
                       w = ga__ref_number(&p->weight, 0, from + e, 1);
                (void)ga__ref_laplacian(p, from + e, s, &tau);
                bool none = tau == 0 || a == 0;
                dp += none ? 0 : 0.5 * dm * a * log(tau);
                *d = none ? 0 : (p->given->p - 2) * a * dm * w / tau;
                break;
            }
            default: break;
            }
            if (p->l.data) {
                *d *= ga__ref_slope(p, t->raw[e * heads + h]);
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
        nx = ga__ref_norm(x, p->width);
        no = ga__ref_norm(o, p->width);
        for (int64_t c = 0; c < p->width; c++) {
            dot += x[c] * o[c] * nx * no;
        }
    }
    for (int64_t c = 0; c < p->width; c++) {
        double u = x[c] + o[c];
        switch (g->score) {
        case GA_EDGE_DOT: d[c] += by * g->scale * o[c]; break;
        case GA_EDGE_COSINE: d[c] += by * g->scale * nx * (o[c] * no - dot * x[c] * nx); break;
        case GA_EDGE_GATV2: d[c] += by * ga__view_get(&p->att, 0, 0, h, c) * ga__ref_slope(p, u); break;
        case GA_EDGE_DISTANCE: d[c] -= by * tx * (to * o[c] - tx * x[c]); break;
        case GA_EDGE_ADDITIVE:
        case GA_EDGE_CONSTANT: break;
        }
        if (datt) {
            datt[h * p->width + c] += by * u * ga__ref_slope(p, u);
        }
    }
}

static void backward_target(const ga__reference *r, ga__reference_row *t, int64_t i, int64_t unit)
{
    const ga__edge_problem *p = r->p;
    int64_t from = p->edges->offsets[i], to = p->edges->offsets[i + 1], heads = p->heads;
    double *datt = r->datt ? r->datt + unit * heads * p->width : NULL;
    ga__reference_weights(r, t, i);
    r->dp[unit] += row_gradients(r, t, i);
    memset(t->d, 0, (size_t)(heads * p->width) * sizeof *t->d);
    memset(t->sum, 0, (size_t)heads * sizeof *t->sum);
    for (int64_t e = from; e < to; e++) {
        int64_t j = p->edges->sources[e];
        double all = 0;
        if (ga__ref_pairs(p)) {
            ga__view_load_f64(&p->k, 0, 0, j, t->k);
        }
        for (int64_t h = 0; h < heads; h++) {
            double by = r->ds[e * heads + h];
            if (ga__ref_pairs(p)) {
                add_pair(p, t->q, t->k, h, by, ga__ref_number(&p->target_scale, 0, i, 1),
                         ga__ref_number(&p->source_scale, 0, j, 1), t->d, datt);
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
    for (int64_t h = 0; h < heads; h++) {
        if (r->s->r.data) {
            ga__view_set(&r->s->r, 0, 0, i, h, t->sum[h]);
        }
        if (r->dr) {
            r->dr[i * heads + h] = t->sum[h];
        }
    }
}

/* Gradients that pass through l_j = <v_j, att_source> and r_j = <v_j, att_target>; t->sum is that of l. */
static void through_maps(const ga__reference *r, ga__reference_row *t, int64_t j, int64_t unit)
{
    const ga__edge_problem *p = r->p;
    int64_t columns = p->v.columns;
    double *dmaps = r->dmaps + unit * 2 * columns;
    ga__view_load_f64(&p->v, 0, 0, j, t->v);
    for (int64_t c = 0; c < columns; c++) {
        int64_t h = c / p->width_v, k = c % p->width_v;
        double dl = t->sum[h], dr = r->dr[j * p->heads + h];
        t->y[c] +=
            dl * ga__ref_number(&p->att_source, h, k, 0) + dr * ga__ref_number(&p->att_target, h, k, 0);
        dmaps[c] += dl * t->v[c];
        dmaps[columns + c] += dr * t->v[c];
    }
}

static void backward_source(const ga__reference *r, ga__reference_row *t, int64_t j, int64_t unit)
{
    const ga__edge_problem *p = r->p;
    const ga__edge_slopes *s = r->s;
    int64_t heads = p->heads, x = heads * p->width, y = heads * p->width_v;
    memset(t->d, 0, (size_t)x * sizeof *t->d);
    memset(t->y, 0, (size_t)y * sizeof *t->y);
    memset(t->sum, 0, (size_t)heads * sizeof *t->sum);
    if (ga__ref_pairs(p)) {
        ga__view_load_f64(&p->k, 0, 0, j, t->k);
    }
    for (int64_t at = r->transposed->offsets[j]; at < r->transposed->offsets[j + 1]; at++) {
        int64_t i = r->transposed->targets[at], e = r->transposed->edge[at];
        ga__view_load_f64(&s->grad_y, 0, 0, i, t->g);
        if (ga__ref_pairs(p)) {
            ga__view_load_f64(&p->q, 0, 0, i, t->q);
        }
        for (int64_t h = 0; h < heads; h++) {
            if (ga__ref_pairs(p)) {
                add_pair(p, t->k, t->q, h, r->ds[e * heads + h], ga__ref_number(&p->source_scale, 0, j, 1),
                         ga__ref_number(&p->target_scale, 0, i, 1), t->d, NULL);
            }
            t->sum[h] += r->ds[e * heads + h];
            for (int64_t c = h * p->width_v; c < (h + 1) * p->width_v; c++) {
                t->y[c] += r->wm[e * heads + h] * t->g[c];
            }
        }
    }
    ga__ref_drop(p, j, t->y);
    if (r->dr) {
        through_maps(r, t, j, unit);
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

/* Sums over the units of (units, size). */
static void sum_units(const double *of, int64_t units, int64_t step, const ga__view *to)
{
    for (int64_t i = 0; to->data && i < to->rows * to->columns; i++) {
        double sum = 0;
        for (int64_t u = 0; u < units; u++) {
            sum += of[u * step + i];
        }
        ga__view_set(to, 0, 0, i / to->columns, i % to->columns, sum);
    }
}

static int64_t units_of(int64_t rows)
{
    return (rows + GA__REFERENCE_ROWS - 1) / GA__REFERENCE_ROWS;
}

/* Zeros for `units` rows of numbers. */
static ga_status take_units(const ga__reference *r, int64_t units, int64_t columns, double **out)
{
    int64_t size = 0;
    if (!ga__mul(units, columns, &size)) {
        return ga__fail(r->context, GA_OVERFLOW, "edge attention: rows are too wide");
    }
    return GA_NEW_ZERO(r->context, size, out);
}

static bool wants_sources(const ga__edge_slopes *s)
{
    return s->k.data || s->v.data || s->l.data || s->att_source.data || s->att_target.data;
}

ga_status ga__edge_reference_backward(ga_context *context, const ga__edge_problem *problem,
                                      const ga_transposed *transposed, const ga__edge_slopes *slopes)
{
    ga__reference r = { .context = context, .p = problem, .s = slopes, .transposed = transposed };
    const ga_edges *edges = problem->edges;
    int64_t size = 0, sources = units_of(edges->sources_count), columns = problem->v.columns;
    ga_status status = GA_OK;
    r.units = units_of(edges->targets);
    GA_TRY(ga__reference_room(&r));
    if (!ga__mul(edges->count, problem->heads, &size)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "edge attention: too many edges and heads"));
    }
    GA_TRY(GA_NEW(context, size, &r.ds));
    GA_TRY(GA_NEW(context, size, &r.wm));
    GA_TRY(take_units(&r, r.units, 1, &r.dp));
    if (slopes->att.data) {
        GA_TRY(take_units(&r, r.units, problem->heads * problem->width, &r.datt));
    }
    if (problem->att_source.data || problem->att_target.data) {
        GA_TRY(take_units(&r, edges->targets, problem->heads, &r.dr));
        GA_TRY(take_units(&r, sources, 2 * columns, &r.dmaps));
    }
    GA_TRY(ga__reference_run(&r, edges->targets, backward_target));
    if (wants_sources(slopes)) {
        GA_TRY(ga__reference_run(&r, edges->sources_count, backward_source));
    }
    sum_units(r.datt, r.units, problem->heads * problem->width, &slopes->att);
    sum_units(r.dp, r.units, 1, &slopes->p);
    sum_units(r.dmaps, sources, 2 * columns, &slopes->att_source);
    sum_units(r.dmaps + (r.dmaps ? columns : 0), sources, 2 * columns, &slopes->att_target);
done:
    ga_free(context, r.scratch);
    ga_free(context, r.ds);
    ga_free(context, r.wm);
    ga_free(context, r.dp);
    ga_free(context, r.datt);
    ga_free(context, r.dr);
    ga_free(context, r.dmaps);
    return status;
}
