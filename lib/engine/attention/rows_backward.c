/* rows_backward.c - gradients of attention, row by row in double precision.
 *
 * Two passes. By head: items are (batch, key/value head, split of the queries), each with sums of its own
 * for what several rows add to, joined in order. By query: what has a place for every pair (bias,
 * edge_bias) is summed over batches, and heads where they share it, row by row. The number of splits
 * depends on the problem alone.
 */
#include "config.h"

#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/attention/rows.h"

enum { BLOCK = 8 /* queries of an item of the second pass */ };

typedef struct backward {
    ga__rows rows;
    const ga_attention_gradients *wanted;
    ga__view grad_o, q, bias, table, edge_bias, eta;
    int64_t splits, split, items;
    double *k, *v;                       /* (items, places, dim | dim_v), NULL where nobody asks */
    double *cells;                       /* (items, group or 1, cells) */
    double *slopes, *head_scale, *shift; /* (items, group), (items, group), (items) */
    double *column_bias, *column_factor; /* (items, group, keys) */
    double *wide; /* (threads, dim) or (threads, widest row of bias): sums of the row at work */
    int64_t width;
} backward;

/* Weights of a row and dL/ds in row->grad; grad_o in row->out, times head_scale. Returns <grad_o, o>
 * without the head's factor. */
static double row_gradient(const backward *b, ga__row *row, int64_t batch, int64_t head, int64_t query)
{
    const ga__attention *a = b->rows.a;
    double scale = a->head_scale.data ? ga__view_get(&a->head_scale, 0, 0, 0, head) : 1, plain = 0;
    ga__row_weights(&b->rows, row, batch, head, query);
    ga__view_load_f64(&b->grad_o, batch, head, query, row->out);
    for (int64_t t = 0; t < row->count; t++) {
        double grad = ga__row_dot(&b->rows, row, &a->v, row->place[t], row->out);
        plain += row->weight[t] * grad;
        row->grad[t] = scale * grad;
    }
    for (int64_t c = 0; c < a->dim_v && a->head_scale.data; c++) {
        row->out[c] *= scale;
    }
    ga__row_backward(&b->rows, row);
    return plain;
}

/* ---- first pass ---- */

static void add_pair(const backward *b, const ga__row *row, int64_t item, int64_t t, double *grad_q)
{
    const ga__attention *a = b->rows.a;
    int64_t place = row->place[t], at = item * a->places + place;
    double product = a->scale * row->grad[t] * row->slope[t];
    if (b->q.data) {
        ga__row_add(&b->rows, row, &a->k, place, product, grad_q);
    }
    if (b->k) {
        b->rows.kernels->add_f64(product, row->q, b->k + at * a->dim, a->dim);
    }
    if (b->v) {
        b->rows.kernels->add_f64(row->weight[t], row->out, b->v + at * a->dim_v, a->dim_v);
    }
}

static void add_bias_terms(const backward *b, const ga__row *row, int64_t item)
{
    const ga__attention *a = b->rows.a;
    int64_t member = row->head - row->kv_head * a->group;
    for (int64_t t = 0; t < row->count && b->cells; t++) {
        int64_t cell = ga__pattern_cell(a->pattern, row->query, row->place[t]);
        int64_t table = a->table.rows == 1 ? item : item * a->group + member;
        if (cell >= 0) {
            b->cells[table * a->table.columns + cell] += row->grad[t];
        }
    }
    for (int64_t t = 0; t < row->count && b->slopes; t++) {
        int64_t key = ga__rows_key(a, row->place[t]), far = row->query + a->shift - key;
        b->slopes[item * a->group + member] -= key < 0 ? 0 : row->grad[t] * (double)(far < 0 ? -far : far);
    }
    for (int64_t t = 0; t < row->count && b->shift; t++) {
        b->shift[item] += row->grad[t];
    }
    int64_t column = (item * a->group + member) * a->keys;
    for (int64_t t = 0; t < row->count && (b->column_bias || b->column_factor); t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (b->column_bias && key >= 0) {
            b->column_bias[column + key] += row->grad[t];
        }
        if (b->column_factor && key >= 0) {
            b->column_factor[column + key] += row->grad[t] * row->bare[t];
        }
    }
}

static void first_row(const backward *b, ga__row *row, int64_t item, double *grad_q, int64_t batch,
                      int64_t head, int64_t query)
{
    const ga__attention *a = b->rows.a;
    double plain = row_gradient(b, row, batch, head, query);
    if (b->head_scale) {
        b->head_scale[item * a->group + head % a->group] += plain;
    }
    if (b->eta.data) {
        ga__view_set(&b->eta, 0, batch, head, query, row->count > 0 ? row->grad_eta : 0);
    }
    memset(grad_q, 0, (size_t)a->dim * sizeof *grad_q);
    for (int64_t t = 0; t < row->count && (b->q.data || b->k || b->v); t++) {
        add_pair(b, row, item, t, grad_q);
    }
    if (b->q.data) {
        ga__view_store_f64(&b->q, batch, head, query, grad_q);
    }
    add_bias_terms(b, row, item);
}

static void zero(double *sums, int64_t item, int64_t count)
{
    if (sums) {
        memset(sums + item * count, 0, (size_t)count * sizeof *sums);
    }
}

static void first_worker(void *user, int worker)
{
    backward *b = user;
    const ga__attention *a = b->rows.a;
    double *grad_q = b->wide + worker * b->width;
    for (int64_t item; (item = ga__claim(&b->rows.next)) < b->items;) {
        int64_t slice = item / b->splits, from = item % b->splits * b->split;
        int64_t to = ga__min(a->queries, from + b->split);
        zero(b->k, item, a->places * a->dim);
        zero(b->v, item, a->places * a->dim_v);
        for (int64_t i = from; i < to; i++) {
            for (int64_t member = 0; member < a->group; member++) {
                if (ga__stopped(b->rows.context, &b->rows.status)) {
                    return;
                }
                first_row(b, &b->rows.row[worker], item, grad_q, slice / a->kv_heads,
                          slice % a->kv_heads * a->group + member, i);
            }
        }
    }
}

/* ---- joining the sums ---- */

/* (slices, splits, count) to (slices, count) at the front of the array: no sum is overwritten before it
 * was read. */
static void join_splits(double *sums, int64_t slices, int64_t splits, int64_t count)
{
    for (int64_t slice = 0; sums && splits > 1 && slice < slices; slice++) {
        double *to = sums + slice * count;
        const double *from = sums + slice * splits * count;
        memmove(to, from, (size_t)count * sizeof *to);
        for (int64_t s = 1; s < splits; s++) {
            for (int64_t c = 0; c < count; c++) {
                to[c] += from[s * count + c];
            }
        }
    }
}

/* (batches, per head or shared by all) to one value a head, over the batches. */
static void store_heads(const ga__attention *a, const double *sums, const DLTensor *tensor,
                        ga_context *context)
{
    ga__view view;
    if (!sums || ga__view_of(context, "gradient", tensor, true, &view) != GA_OK) {
        return;
    }
    for (int64_t head = 0; head < a->heads; head++) {
        double sum = 0;
        for (int64_t batch = 0; batch < a->batch; batch++) {
            sum += sums[batch * a->heads + head];
        }
        ga__view_set(&view, 0, 0, 0, head, sum);
    }
}

static void store_table(const backward *b)
{
    const ga__attention *a = b->rows.a;
    bool shared = a->table.rows == 1;
    int64_t each = shared ? a->kv_heads : a->heads, cells = a->table.columns;
    for (int64_t at = 0; b->cells && at < a->table.rows * cells; at++) {
        int64_t head = at / cells, cell = at % cells;
        double sum = 0;
        for (int64_t batch = 0; batch < a->batch; batch++) {
            for (int64_t h = shared ? 0 : head; h < (shared ? each : head + 1); h++) {
                sum += b->cells[(batch * each + h) * cells + cell];
            }
        }
        ga__view_set(&b->table, 0, 0, head, cell, sum);
    }
}

/* (batches, heads, keys) to the shape of the input, summed where entries or heads share it. */
static void store_columns(ga_context *context, const ga__attention *a, const double *sums,
                          const DLTensor *tensor)
{
    ga__view view;
    if (!sums || ga__view_of(context, "gradient", tensor, true, &view) != GA_OK) {
        return;
    }
    for (int64_t b = 0; b < view.heads; b++) {
        for (int64_t h = 0; h < view.rows; h++) {
            for (int64_t key = 0; key < a->keys; key++) {
                int64_t last_b = view.heads == 1 ? a->batch : b + 1,
                        last_h = view.rows == 1 ? a->heads : h + 1;
                double sum = 0;
                for (int64_t x = b; x < last_b; x++) {
                    for (int64_t y = h; y < last_h; y++) {
                        sum += sums[(x * a->heads + y) * a->keys + key];
                    }
                }
                ga__view_set(&view, 0, b, h, key, sum);
            }
        }
    }
}

static ga_status join(ga_context *context, const backward *b)
{
    const ga__attention *a = b->rows.a;
    const ga_attention_gradients *g = b->wanted;
    int64_t slices = a->batch * a->kv_heads, tables = a->table.rows == 1 ? 1 : a->group;
    join_splits(b->k, slices, b->splits, a->places * a->dim);
    join_splits(b->v, slices, b->splits, a->places * a->dim_v);
    join_splits(b->cells, slices, b->splits, tables * a->table.columns);
    join_splits(b->slopes, slices, b->splits, a->group);
    join_splits(b->head_scale, slices, b->splits, a->group);
    join_splits(b->column_bias, slices, b->splits, a->group * a->keys);
    join_splits(b->column_factor, slices, b->splits, a->group * a->keys);
    store_columns(context, a, b->column_bias, g->column_bias);
    store_columns(context, a, b->column_factor, g->column_factor);
    store_heads(a, b->slopes, g->slopes, context);
    store_heads(a, b->head_scale, g->head_scale, context);
    store_table(b);
    if (b->shift) {
        ga__view view;
        double sum = 0;
        for (int64_t item = 0; item < b->items; item++) {
            sum += b->shift[item];
        }
        if (ga__view_of(context, "gradient", g->sigmoid_bias, true, &view) == GA_OK) {
            ga__view_set(&view, 0, 0, 0, 0, sum);
        }
    }
    return ga__attention_scatter_places_f64(context, a, b->k, b->v, g);
}

/* Room for count doubles an item, when asked for. */
static ga_status room(ga_context *context, bool wanted, int64_t items, int64_t each, int64_t width,
                      bool zeroed, double **out)
{
    int64_t count = 0;
    if (!wanted) {
        return GA_OK;
    }
    if (!ga__mul(items, each, &count) || !ga__mul(count, width, &count)) {
        return ga__fail(context, GA_OVERFLOW, "gradients: their sums are too large");
    }
    return zeroed ? GA_NEW_ZERO(context, count, out) : GA_NEW(context, count, out);
}

static ga_status first_pass(ga_context *context, const ga__attention *a, const ga_attention_gradients *g,
                            backward *b)
{
    ga_status status = GA_OK;
    int64_t slices = a->batch * a->kv_heads;
    bool keys = g->k || g->k_extra || g->ghost_k, values = g->v || g->v_extra || g->ghost_v;
    if (!g->q && !keys && !values && !g->table && !g->slopes && !g->sigmoid_bias && !g->eta_logits &&
        !g->head_scale && !g->column_bias && !g->column_factor) {
        return GA_OK;
    }
    b->splits = ga__rows_splits(slices, a->queries);
    b->split = (a->queries + b->splits - 1) / b->splits;
    b->items = slices * b->splits;
    b->width = a->dim;
    GA_TRY(ga__rows_open(context, a, b->items, 0, &b->rows));
    GA_TRY(room(context, true, b->rows.threads, a->dim, 1, false, &b->wide));
    GA_TRY(room(context, keys, b->items, a->places, a->dim, false, &b->k));
    GA_TRY(room(context, values, b->items, a->places, a->dim_v, false, &b->v));
    GA_TRY(room(context, g->table, b->items, a->table.rows == 1 ? 1 : a->group, a->table.columns, true,
                &b->cells));
    GA_TRY(room(context, g->slopes, b->items, a->group, 1, true, &b->slopes));
    GA_TRY(room(context, g->head_scale, b->items, a->group, 1, true, &b->head_scale));
    GA_TRY(room(context, g->sigmoid_bias, b->items, 1, 1, true, &b->shift));
    GA_TRY(room(context, g->column_bias, b->items, a->group, a->keys, true, &b->column_bias));
    GA_TRY(room(context, g->column_factor, b->items, a->group, a->keys, true, &b->column_factor));
    ga__workers(context, b->rows.threads, first_worker, b);
    GA_TRY(ga__noted_status(&b->rows.status));
    GA_TRY(join(context, b));
done:
    ga__rows_close(&b->rows);
    ga_free(context, b->wide);
    ga_free(context, b->k);
    ga_free(context, b->v);
    ga_free(context, b->cells);
    ga_free(context, b->slopes);
    ga_free(context, b->head_scale);
    ga_free(context, b->shift);
    ga_free(context, b->column_bias);
    ga_free(context, b->column_factor);
    b->wide = NULL;
    return status;
}

/* ---- second pass ---- */

/* Adds dL/ds of one row to sums by key, then by number in the row. */
static void add_scores(const backward *b, const ga__row *row, double *by_key, double *by_edge)
{
    const ga__attention *a = b->rows.a;
    for (int64_t t = 0; t < row->count; t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (b->bias.data && key >= 0) {
            by_key[key] += row->grad[t];
        }
        if (b->edge_bias.data) {
            by_edge[t] += row->grad[t];
        }
    }
}

static void store_scores(const backward *b, const ga__row *row, int64_t head, bool last, double *by_key,
                         double *by_edge)
{
    const ga__attention *a = b->rows.a;
    if (b->bias.data && (last || b->bias.heads > 1)) {
        ga__view_store_f64(&b->bias, 0, b->bias.heads == 1 ? 0 : head, row->query, by_key);
        memset(by_key, 0, (size_t)a->keys * sizeof *by_key);
    }
    if (b->edge_bias.data && (last || b->edge_bias.rows > 1)) {
        for (int64_t t = 0; t < row->count; t++) {
            ga__view_set(&b->edge_bias, 0, 0, b->edge_bias.rows == 1 ? 0 : head, ga__row_edge(a, row, t),
                         by_edge[t]);
        }
        memset(by_edge, 0, (size_t)b->rows.longest * sizeof *by_edge);
    }
}

static void second_row(const backward *b, ga__row *row, int64_t query, double *by_key)
{
    const ga__attention *a = b->rows.a;
    double *by_edge = by_key + a->keys;
    memset(by_key, 0, (size_t)b->width * sizeof *by_key);
    row->query = query;
    row->count = 0;
    for (int64_t head = 0; head < a->heads; head++) {
        for (int64_t batch = 0; batch < a->batch; batch++) {
            (void)row_gradient(b, row, batch, head, query);
            add_scores(b, row, by_key, by_edge);
        }
        store_scores(b, row, head, head == a->heads - 1, by_key, by_edge);
    }
    if (a->heads == 0) {
        store_scores(b, row, 0, true, by_key, by_edge);
    }
}

static void second_worker(void *user, int worker)
{
    backward *b = user;
    const ga__attention *a = b->rows.a;
    for (int64_t item; (item = ga__claim(&b->rows.next)) < b->items;) {
        for (int64_t i = item * BLOCK; i < ga__min(a->queries, (item + 1) * BLOCK); i++) {
            if (ga__stopped(b->rows.context, &b->rows.status)) {
                return;
            }
            second_row(b, &b->rows.row[worker], i, b->wide + worker * b->width);
        }
    }
}

static ga_status second_pass(ga_context *context, const ga__attention *a, const ga_attention_gradients *g,
                             backward *b)
{
    ga_status status = GA_OK;
    if (!g->bias && !g->edge_bias) {
        return GA_OK;
    }
    for (int64_t row = 0; g->edge_bias && row < b->edge_bias.rows; row++) {
        for (int64_t e = 0; e < b->edge_bias.columns; e++) {
            ga__view_set(&b->edge_bias, 0, 0, row, e, 0); /* edges that the pattern dropped */
        }
    }
    b->items = (a->queries + BLOCK - 1) / BLOCK;
    GA_TRY(ga__rows_open(context, a, b->items, 0, &b->rows));
    if (!ga__add(a->keys, b->rows.longest, &b->width)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "gradients: rows of bias are too long"));
    }
    GA_TRY(room(context, true, b->rows.threads, b->width, 1, false, &b->wide));
    ga__workers(context, b->rows.threads, second_worker, b);
    GA_TRY(ga__noted_status(&b->rows.status));
done:
    ga__rows_close(&b->rows);
    ga_free(context, b->wide);
    return status;
}

ga_status ga__rows_backward(ga_context *context, const ga__attention *a,
                            const ga_attention_gradients *gradients)
{
    ga_status status = GA_OK;
    backward b = { .rows.context = context, .wanted = gradients };
    GA_TRY(ga__view_of(context, "grad_o", gradients->grad_o, true, &b.grad_o));
    GA_TRY(ga__view_of(context, "gradient of q", gradients->q, true, &b.q));
    GA_TRY(ga__view_of(context, "gradient of bias", gradients->bias, true, &b.bias));
    GA_TRY(ga__view_of(context, "gradient of edge_bias", gradients->edge_bias, true, &b.edge_bias));
    GA_TRY(ga__view_of(context, "gradient of eta_logits", gradients->eta_logits, true, &b.eta));
    GA_TRY(ga__attention_table_view(context, "gradient of table", a, gradients->table, &b.table));
    GA_TRY(first_pass(context, a, gradients, &b));
    GA_TRY(second_pass(context, a, gradients, &b));
done:
    return status;
}
