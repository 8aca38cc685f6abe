/* rows_score.c - places, scores and weights of one row, and the way back from weights to scores. */
#include "config.h"

#include <math.h>

#include "lib/engine/attention/rows.h"

double ga__row_dot(const ga__rows *rows, const ga__row *row, const ga__view *view, int64_t place,
                   const double *x)
{
    const void *at = ga__view_row(view, row->batch, row->kv_head, place);
    if (view->type == GA__F64) {
        return rows->kernels->dot_f64(x, at, view->columns);
    }
    if (view->type == GA__F32) {
        return rows->kernels->dot_f32(x, at, view->columns);
    }
    ga__view_load_f64(view, row->batch, row->kv_head, place, row->wide);
    return rows->kernels->dot_f64(x, row->wide, view->columns);
}

void ga__row_add(const ga__rows *rows, const ga__row *row, const ga__view *view, int64_t place, double factor,
                 double *y)
{
    const void *at = ga__view_row(view, row->batch, row->kv_head, place);
    if (view->type == GA__F64) {
        rows->kernels->add_f64(factor, at, y, view->columns);
    } else if (view->type == GA__F32) {
        rows->kernels->add_f32(factor, at, y, view->columns);
    } else {
        ga__view_load_f64(view, row->batch, row->kv_head, place, row->wide);
        rows->kernels->add_f64(factor, row->wide, y, view->columns);
    }
}

int64_t ga__row_edge(const ga__attention *a, const ga__row *row, int64_t t)
{
    int64_t entry = a->pattern->offsets[row->query] + t;
    return a->pattern->edge ? a->pattern->edge[entry] : entry;
}

/* ---- scores ---- */

static void find_places(const ga__attention *a, ga__row *row)
{
    int64_t head = ga__pattern_head(a->pattern, row->head);
    int64_t runs = ga__pattern_row(a->pattern, head, row->query, row->runs);
    row->count = 0;
    for (int64_t r = 0; r < runs; r++) {
        for (int64_t place = row->runs[r].first; place < row->runs[r].last; place++) {
            row->place[row->count++] = place;
        }
    }
    row->n = ga__pattern_length(a->pattern, head, row->query);
}

/* What is added to the capped product of pair number t. */
static double added(const ga__attention *a, const ga__row *row, int64_t t)
{
    int64_t place = row->place[t], key = ga__rows_key(a, place);
    double sum = 0;
    if (a->bias.data && key >= 0) {
        sum += ga__view_get(&a->bias, 0, a->bias.heads == 1 ? 0 : row->head, row->query, key);
    }
    if (a->table.data) {
        int64_t cell = ga__pattern_cell(a->pattern, row->query, place);
        sum += cell < 0 ? 0 : ga__view_get(&a->table, 0, 0, a->table.rows == 1 ? 0 : row->head, cell);
    }
    if (a->edge_bias.data) {
        sum += ga__view_get(&a->edge_bias, 0, 0, a->edge_bias.rows == 1 ? 0 : row->head,
                            ga__row_edge(a, row, t));
    }
    if (a->slopes.data && key >= 0) {
        sum -= ga__view_get(&a->slopes, 0, 0, 0, row->head) * fabs((double)(row->query + a->shift - key));
    }
    if (a->column_bias.data && key >= 0) {
        sum += ga__column_term(&a->column_bias, row->batch, row->head, key);
    }
    return sum;
}

/* x = factor_j y, then x + gain_j |x|: slope is multiplied by the derivative by y, bare becomes that by factor_j. */
static double column_terms(const ga__attention *a, ga__row *row, int64_t t, double y)
{
    int64_t key = ga__rows_key(a, row->place[t]);
    bool gains = a->column_gain.data && row->query >= a->problem->score.gain_from && key >= 0;
    double factor = a->column_factor.data && key >= 0
                        ? ga__column_term(&a->column_factor, row->batch, row->head, key)
                        : 1;
    double gain = gains ? ga__column_term(&a->column_gain, row->batch, row->head, key) : 0, x = factor * y;
    double bend = x < 0 ? 1 - gain : 1 + gain;
    row->bare[t] = key >= 0 ? bend * y : 0;
    row->slope[t] *= bend * factor;
    return x + gain * fabs(x);
}

static void find_scores(const ga__rows *rows, ga__row *row)
{
    const ga__attention *a = rows->a;
    bool more = a->bias.data || a->table.data || a->edge_bias.data || a->slopes.data || a->column_bias.data;
    for (int64_t t = 0; t < row->count; t++) {
        double s = a->scale * ga__row_dot(rows, row, &a->k, row->place[t], row->q);
        row->slope[t] = 1;
        if (a->softcap > 0) {
            double bent = tanh(s / a->softcap);
            s = a->softcap * bent;
            row->slope[t] = 1 - bent * bent;
        }
        if (a->column_factor.data || a->column_gain.data) {
            s = column_terms(a, row, t, s);
        }
        row->score[t] = more ? s + added(a, row, t) : s;
    }
}

/* ---- weights ---- */

static double sigmoid(double x)
{
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static void fill(double *x, int64_t count, double value)
{
    for (int64_t t = 0; t < count; t++) {
        x[t] = value;
    }
}

static double sum(const double *x, int64_t count)
{
    double total = 0;
    for (int64_t t = 0; t < count; t++) {
        total += x[t];
    }
    return total;
}

static void divide(double *x, int64_t count, double divisor)
{
    for (int64_t t = 0; t < count; t++) {
        x[t] /= divisor;
    }
}

/* A row whose scores are all -inf sees nothing. */
static void weigh_softmax(ga__row *row)
{
    double most = -INFINITY, total = 0;
    for (int64_t t = 0; t < row->count; t++) {
        most = row->score[t] > most ? row->score[t] : most;
    }
    bool blind = most == -INFINITY && !isnan(sum(row->score, row->count));
    row->lse = -INFINITY;
    if (blind) {
        fill(row->weight, row->count, 0);
        return;
    }
    for (int64_t t = 0; t < row->count; t++) {
        row->weight[t] = exp(row->score[t] - most);
        total += row->weight[t];
    }
    divide(row->weight, row->count, total);
    row->lse = most + log(total);
}

/* y = max(0, n P - offset), w = (y / max y)^power over their sum; P is in weight. */
static void reweigh(const ga_normaliser *norm, ga__row *row)
{
    double offset = row->n > norm->free_rows ? norm->offset : 0, most = 0, total = 0;
    for (int64_t t = 0; t < row->count; t++) {
        double y = (double)row->n * row->weight[t] - offset;
        row->share[t] = row->weight[t];
        row->rest[t] = y > 0 ? y : 0;
        most = row->rest[t] > most ? row->rest[t] : most;
    }
    row->most = most;
    for (int64_t t = 0; t < row->count; t++) {
        row->weight[t] = most > norm->eps ? pow(row->rest[t] / most, norm->power) : 0;
        total += row->weight[t];
    }
    row->power_total = total;
    if (most > norm->eps) {
        divide(row->weight, row->count, total);
    }
}

/* Not a number in any score: in every weight. Sums that vanish: no weights. */
static void weigh_softplus(const ga__attention *a, ga__row *row)
{
    row->factor = ga__row_factor(a, row->n);
    for (int64_t t = 0; t < row->count; t++) {
        row->weight[t] = softplus(row->factor * row->score[t]);
    }
    row->total = sum(row->weight, row->count);
    if (isnan(row->total) || row->total <= 0) {
        fill(row->weight, row->count, isnan(row->total) ? NAN : 0);
        row->most = 0;
        return;
    }
    divide(row->weight, row->count, row->total);
    if (a->normaliser.kind == GA_SOFTPLUS_REWEIGHT) {
        reweigh(&a->normaliser, row);
    }
}

static void weigh_relu(const ga__attention *a, ga__row *row)
{
    for (int64_t t = 0; t < row->count; t++) {
        row->weight[t] = row->score[t] > 0 ? row->score[t] : isnan(row->score[t]) ? NAN : 0;
    }
    row->total = sum(row->weight, row->count);
    if (isnan(row->total)) {
        fill(row->weight, row->count, NAN);
        return;
    }
    double divisor = row->total > a->normaliser.eps ? row->total : a->normaliser.eps;
    if (divisor > 0) {
        divide(row->weight, row->count, divisor);
    }
}

static void weigh(const ga__attention *a, ga__row *row)
{
    double mean;
    switch (a->normaliser.kind) {
    case GA_SOFTMAX: weigh_softmax(row); break;
    case GA_SIGMOID:
        row->factor = ga__row_shift(a, row->n);
        for (int64_t t = 0; t < row->count; t++) {
            row->weight[t] = sigmoid(row->score[t] + row->factor);
        }
        break;
    case GA_SOFTPLUS:
    case GA_SOFTPLUS_REWEIGHT: weigh_softplus(a, row); break;
    case GA_RELU_L1: weigh_relu(a, row); break;
    case GA_NORM_ATTENTION:
        row->eta = ga__row_eta(a, row->batch, row->head, row->query);
        for (int64_t t = 0; t < row->count; t++) {
            row->weight[t] = row->score[t] * row->eta;
        }
        break;
    case GA_INLINE:
        mean = sum(row->score, row->count) / (double)row->n;
        for (int64_t t = 0; t < row->count; t++) {
            row->weight[t] = row->score[t] - mean + 1 / (double)row->n;
        }
        break;
    case GA_IDENTITY:
    case GA_P_LAPLACIAN:
        for (int64_t t = 0; t < row->count; t++) {
            row->weight[t] = row->score[t];
        }
        break;
    }
}

void ga__row_weights(const ga__rows *rows, ga__row *row, int64_t batch, int64_t head, int64_t query)
{
    const ga__attention *a = rows->a;
    row->batch = batch;
    row->head = head;
    row->kv_head = head / a->group;
    row->query = query;
    row->lse = -INFINITY;
    find_places(a, row);
    if (row->count > 0) {
        ga__view_load_f64(&a->q, batch, head, query, row->q);
        find_scores(rows, row);
        weigh(a, row);
    }
}

/* ---- back from dL/dw to dL/ds ---- */

/* sum of w D: what a divisor by the row's sum takes off every term. */
static double weighted(const ga__row *row)
{
    double total = 0;
    for (int64_t t = 0; t < row->count; t++) {
        total += row->weight[t] * row->grad[t];
    }
    return total;
}

/* dP = (D - mean) power (y / max y)^(power - 1) n / (max y * sum of the powers) where y > 0. */
static void back_reweigh(const ga_normaliser *norm, ga__row *row)
{
    bool flat = !(row->most > norm->eps);
    double scale = norm->power * (double)row->n / (row->most * row->power_total), mean = 0;
    for (int64_t t = 0; t < row->count; t++) {
        bool counts = !flat && row->rest[t] > 0;
        row->grad[t] =
            counts ? (row->grad[t] - row->mean) * scale * pow(row->rest[t] / row->most, norm->power - 1) : 0;
    }
    for (int64_t t = 0; t < row->count && !flat; t++) {
        mean += row->share[t] * row->grad[t];
    }
    for (int64_t t = 0; t < row->count && !flat; t++) {
        row->grad[t] -= mean;
    }
}

static void back_softplus(const ga_normaliser *norm, ga__row *row)
{
    if (isnan(row->total) || row->total <= 0) {
        fill(row->grad, row->count, isnan(row->total) ? NAN : 0);
        return;
    }
    if (norm->kind == GA_SOFTPLUS_REWEIGHT) {
        back_reweigh(norm, row);
    } else {
        for (int64_t t = 0; t < row->count; t++) {
            row->grad[t] -= row->mean;
        }
    }
    for (int64_t t = 0; t < row->count; t++) {
        row->grad[t] *= row->factor * sigmoid(row->factor * row->score[t]) / row->total;
    }
}

static void back_relu(const ga_normaliser *norm, ga__row *row)
{
    bool clamped = row->total <= norm->eps;
    double divisor = clamped ? norm->eps : row->total, mean = clamped ? 0 : row->mean;
    for (int64_t t = 0; t < row->count; t++) {
        bool counts = row->score[t] > 0 && divisor > 0;
        row->grad[t] = counts ? (row->grad[t] - mean) / divisor : isnan(row->total) ? NAN : 0;
    }
}

static void back_eta(const ga__attention *a, ga__row *row)
{
    double logit = ga__view_get(&a->eta, 0, row->batch, row->head, row->query), share = 1;
    if (a->normaliser.eta == GA_ETA_SOFTPLUS) {
        share = sigmoid(logit) * row->eta;
    } else if (a->normaliser.eta == GA_ETA_SIGMOID) {
        share = sigmoid(-logit);
    }
    row->grad_eta = -row->mean * share;
    for (int64_t t = 0; t < row->count; t++) {
        row->grad[t] *= row->eta;
    }
}

void ga__row_backward(const ga__rows *rows, ga__row *row)
{
    const ga__attention *a = rows->a;
    double mean;
    row->mean = weighted(row);
    row->grad_eta = 0;
    switch (a->normaliser.kind) {
    case GA_SOFTMAX:
        for (int64_t t = 0; t < row->count; t++) {
            row->grad[t] = row->weight[t] * (row->grad[t] - row->mean);
        }
        break;
    case GA_SIGMOID:
        for (int64_t t = 0; t < row->count; t++) {
            row->grad[t] *= row->weight[t] * sigmoid(-(row->score[t] + row->factor));
        }
        break;
    case GA_SOFTPLUS:
    case GA_SOFTPLUS_REWEIGHT: back_softplus(&a->normaliser, row); break;
    case GA_RELU_L1: back_relu(&a->normaliser, row); break;
    case GA_NORM_ATTENTION: back_eta(a, row); break;
    case GA_INLINE:
        mean = sum(row->grad, row->count) / (double)row->n;
        for (int64_t t = 0; t < row->count; t++) {
            row->grad[t] -= mean;
        }
        break;
    case GA_IDENTITY:
    case GA_P_LAPLACIAN: break;
    }
}
