/* rows.c - attention row by row in double precision: the forward pass. */
#include "config.h"

#include "lib/engine/attention/rows.h"

#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/isa.h"

enum { BLOCK = 16, /* rows of an item */ LEAST_ITEMS = 16 };

/* ---- scratch ---- */

static int64_t longest_row(const ga_pattern *p, ga__run *runs)
{
    int64_t longest = 0;
    for (int64_t head = 0; head < p->heads; head++) {
        for (int64_t i = 0; i < p->queries; i++) {
            int64_t count = ga__pattern_row(p, head, i, runs), length = 0;
            for (int64_t r = 0; r < count; r++) {
                length += runs[r].last - runs[r].first;
            }
            longest = ga__max(longest, length);
        }
    }
    return longest;
}

static ga_status open_row(ga_context *context, const ga__attention *a, int64_t longest, int64_t top_k,
                          ga__row *row)
{
    ga_status status = GA_OK;
    int64_t wide = ga__max(a->dim, a->dim_v), arrays = 0, count = 0;
    if (!ga__mul(longest, 7, &arrays) || !ga__add(arrays, 3 * wide, &count)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "pattern: its rows are too long"));
    }
    GA_TRY(GA_NEW(context, count, &row->block));
    GA_TRY(GA_NEW(context, longest, &row->place));
    GA_TRY(GA_NEW(context, longest, &row->key));
    GA_TRY(GA_NEW(context, a->pattern->most_runs, &row->runs));
    GA_TRY(GA_NEW(context, ga__min(top_k, longest), &row->heap));
    double **const array[] = { &row->score, &row->slope, &row->weight, &row->share,
                               &row->rest,  &row->grad,  &row->bare };
    for (int i = 0; i < 7; i++) {
        *array[i] = row->block + i * longest;
    }
    row->q = row->block + arrays;
    row->out = row->q + wide;
    row->wide = row->out + wide;
done:
    return status;
}

ga_status ga__rows_open(ga_context *context, const ga__attention *a, int64_t items, int64_t top_k,
                        ga__rows *rows)
{
    ga_status status = GA_OK;
    ga__run *runs = NULL;
    *rows = (ga__rows){ .context = context, .a = a, .kernels = GA__CHOOSE(context, ga__rows_kernels) };
    GA_TRY(GA_NEW(context, a->pattern->most_runs, &runs));
    rows->longest = longest_row(a->pattern, runs);
    int threads = ga__threads_for(context, items);
    GA_TRY(GA_NEW_ZERO(context, threads, &rows->row));
    rows->threads = threads;
    for (int i = 0; i < threads; i++) {
        GA_TRY(open_row(context, a, rows->longest, top_k, &rows->row[i]));
    }
done:
    ga_free(context, runs);
    return status;
}

void ga__rows_close(ga__rows *rows)
{
    for (int i = 0; i < rows->threads; i++) {
        ga_free(rows->context, rows->row[i].block);
        ga_free(rows->context, rows->row[i].place);
        ga_free(rows->context, rows->row[i].key);
        ga_free(rows->context, rows->row[i].runs);
        ga_free(rows->context, rows->row[i].heap);
    }
    ga_free(rows->context, rows->row);
    rows->row = NULL;
    rows->threads = 0;
}

int64_t ga__rows_splits(int64_t slices, int64_t queries)
{
    int64_t wanted = slices > 0 ? (LEAST_ITEMS + slices - 1) / slices : 1;
    return ga__max(1, ga__min(wanted, (queries + BLOCK - 1) / BLOCK));
}

/* ---- output ---- */

void ga__rows_output(const ga__rows *rows, ga__row *row, ga__which which, double *out)
{
    const ga__attention *a = rows->a;
    for (int64_t t = 0; t < row->count; t++) {
        bool real = ga__rows_key(a, row->place[t]) >= 0;
        if (which == GA__EVERY_PLACE || real == (which == GA__REAL_PLACES)) {
            ga__row_add(rows, row, &a->v, row->place[t], row->weight[t], out);
        }
    }
}

void ga__rows_store(const ga__attention *a, const ga__view *o, int64_t batch, int64_t head, int64_t query,
                    double *out)
{
    if (a->head_scale.data) {
        double scale = ga__view_get(&a->head_scale, 0, 0, 0, head);
        for (int64_t c = 0; c < a->dim_v; c++) {
            out[c] *= scale;
        }
    }
    ga__view_store_f64(o, batch, head, query, out);
}

static void store_map(const ga__attention *a, const ga__row *row, const ga__view *map)
{
    void *to = ga__view_row(map, row->batch, row->head, row->query);
    memset(to, 0, (size_t)map->columns * (map->type == GA__F64 ? sizeof(double) : sizeof(float)));
    for (int64_t t = 0; t < row->count; t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (key >= 0) {
            ga__view_set(map, row->batch, row->head, row->query, key, row->weight[t]);
        }
    }
}

/* ---- the forward pass ---- */

typedef struct forward {
    ga__rows rows;
    ga__view o, lse, map;
    ga__statistics statistics;
    const ga_post *post;          /* of a form that works row by row */
    int64_t items, chunks, chunk; /* items = slices * chunks; rows of a chunk */
    double *columns;              /* (items, keys): column sums of an item's rows */
} forward;

static void forward_row(forward *f, ga__row *row, int64_t batch, int64_t head, int64_t query, double *columns)
{
    const ga__attention *a = f->rows.a;
    ga__row_weights(&f->rows, row, batch, head, query);
    if (f->lse.data) {
        ga__view_set(&f->lse, 0, batch, head, query, row->lse);
    }
    if (f->statistics.wanted) {
        ga__rows_statistics_row(&f->rows, row, &f->statistics, columns);
    }
    if (f->post) {
        ga__rows_post_row(&f->rows, row, f->post);
    }
    if (f->map.data) {
        store_map(a, row, &f->map);
    }
    if (f->o.data) {
        memset(row->out, 0, (size_t)a->dim_v * sizeof *row->out);
        ga__rows_output(&f->rows, row, GA__EVERY_PLACE, row->out);
        ga__rows_store(a, &f->o, batch, head, query, row->out);
    }
}

static void forward_worker(void *user, int worker)
{
    forward *f = user;
    const ga__attention *a = f->rows.a;
    for (int64_t item; (item = ga__claim(&f->rows.next)) < f->items;) {
        int64_t slice = item / f->chunks, from = item % f->chunks * f->chunk;
        int64_t to = ga__min(a->queries, from + f->chunk);
        double *columns = f->columns ? f->columns + item * a->keys : NULL;
        for (int64_t i = from; i < to && !ga__stopped(f->rows.context, &f->rows.status); i++) {
            forward_row(f, &f->rows.row[worker], slice / a->heads, slice % a->heads, i, columns);
        }
    }
}

/* The sums of the items of a slice, in order. */
static void join_columns(const forward *f)
{
    const ga__attention *a = f->rows.a;
    for (int64_t slice = 0; slice < a->batch * a->heads; slice++) {
        double *sum = f->columns + slice * f->chunks * a->keys;
        for (int64_t chunk = 1; chunk < f->chunks; chunk++) {
            for (int64_t j = 0; j < a->keys; j++) {
                sum[j] += sum[chunk * a->keys + j];
            }
        }
        ga__view_store_f64(&f->statistics.column_sum, 0, slice / a->heads, slice % a->heads, sum);
    }
}

/* Small blocks of rows, or few large ones where each needs sums over its columns. */
static ga_status cut(ga_context *context, const ga__attention *a, forward *f)
{
    int64_t slices = a->batch * a->heads, count = 0;
    bool columns = f->statistics.column_sum.data;
    f->chunk = BLOCK;
    if (columns) {
        int64_t splits = ga__rows_splits(slices, a->queries);
        f->chunk = ga__max(1, (a->queries + splits - 1) / splits);
    }
    f->chunks = ga__max(1, (a->queries + f->chunk - 1) / f->chunk);
    if (!ga__mul(slices, f->chunks, &f->items) || !ga__mul(f->items, a->keys, &count)) {
        return ga__fail(context, GA_OVERFLOW, "attention: too many rows");
    }
    return columns ? GA_NEW_ZERO(context, count, &f->columns) : GA_OK;
}

static ga_status forward_rows(ga_context *context, const ga__attention *a, const ga_attention_result *result,
                              const ga_post *post)
{
    ga_status status = GA_OK;
    forward f = { .rows.context = context, .post = post };
    const ga_row_statistics *wanted = result->statistics;
    GA_TRY(ga__view_of(context, "o", result->o, true, &f.o));
    GA_TRY(ga__view_of(context, "lse", result->lse, true, &f.lse));
    GA_TRY(ga__view_of(context, "map", result->map, true, &f.map));
    GA_TRY(ga__statistics_open(context, wanted, &f.statistics));
    GA_TRY(cut(context, a, &f));
    GA_TRY(ga__rows_open(context, a, f.items, wanted ? wanted->top_k : 0, &f.rows));
    ga__workers(context, f.rows.threads, forward_worker, &f);
    GA_TRY(ga__noted_status(&f.rows.status));
    if (f.columns) {
        join_columns(&f);
    }
done:
    ga__rows_close(&f.rows);
    ga_free(context, f.columns);
    return status;
}

static ga_status forward_pass(ga_context *context, const ga__attention *a, const ga_attention_result *result)
{
    const ga_post *post =
        a->problem->post && a->problem->post->form != GA_POST_NONE ? a->problem->post : NULL;
    if (!post || post->form != GA_POST_FULL) {
        return forward_rows(context, a, result, post);
    }
    const ga_attention_result rest = { .lse = result->lse, .statistics = result->statistics };
    ga_status status = rest.lse || rest.statistics ? forward_rows(context, a, &rest, NULL) : GA_OK;
    return status == GA_OK ? ga__rows_post_full(context, a, result) : status;
}

static const char *can_forward(const ga__attention *a, const ga_attention_result *result)
{
    (void)a;
    (void)result;
    return NULL;
}

static const char *can_backward(const ga__attention *a, const ga_attention_gradients *gradients)
{
    (void)a;
    (void)gradients;
    return NULL;
}

const ga__family_ops ga__rows_family = { can_forward, can_backward, forward_pass, ga__rows_backward };
