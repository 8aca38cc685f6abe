/* rows_post.c - changes of the map between normalising and aggregating. */
#include "config.h"

#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/attention/rows.h"

/* ---- row by row ---- */

static void apply_factors(const ga__attention *a, ga__row *row, const ga_post *post)
{
    double mass[8] = { 0 }, factors[8];
    const int32_t *classes = ga__post_classes(post, row->batch, row->head);
    for (int64_t t = 0; t < row->count; t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (key >= 0) {
            mass[classes[key]] += row->weight[t];
        }
    }
    for (int64_t c = 0; c < post->class_count; c++) {
        factors[c] = 1;
    }
    post->factors(post->user, row->batch, row->head, row->query, mass, factors);
    for (int64_t t = 0; t < row->count; t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (key >= 0) {
            row->weight[t] *= factors[classes[key]];
        }
    }
}

/* The callback sees the real keys alone. */
static void apply_row(const ga__attention *a, ga__row *row, const ga_post *post)
{
    int64_t count = 0;
    for (int64_t t = 0; t < row->count; t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (key >= 0) {
            row->key[count] = key;
            row->grad[count++] = row->weight[t];
        }
    }
    post->row(post->user, row->batch, row->head, row->query, count, row->key, row->grad);
    count = 0;
    for (int64_t t = 0; t < row->count; t++) {
        if (ga__rows_key(a, row->place[t]) >= 0) {
            row->weight[t] = row->grad[count++];
        }
    }
}

void ga__rows_post_row(const ga__rows *rows, ga__row *row, const ga_post *post)
{
    if (post->form == GA_POST_CLASSWISE) {
        apply_factors(rows->a, row, post);
    } else if (post->form == GA_POST_ROW) {
        apply_row(rows->a, row, post);
    }
}

/* ---- whole maps ---- */

/* One (batch, head) at a time: rows write their weights, the callback changes the map, rows read it again. */
typedef struct full {
    ga__rows rows;
    ga__view o, stored;
    int64_t batch, head;
    double *map;   /* (queries, keys) */
    double *other; /* (queries, dim_v): what ghosts and extra keys give; NULL without such places */
    bool reading;
} full;

static void write_row(full *f, ga__row *row, int64_t i)
{
    const ga__attention *a = f->rows.a;
    double *map = f->map + i * a->keys;
    memset(map, 0, (size_t)a->keys * sizeof *map);
    ga__row_weights(&f->rows, row, f->batch, f->head, i);
    for (int64_t t = 0; t < row->count; t++) {
        int64_t key = ga__rows_key(a, row->place[t]);
        if (key >= 0) {
            map[key] = row->weight[t];
        }
    }
    if (f->other) {
        double *other = f->other + i * a->dim_v;
        memset(other, 0, (size_t)a->dim_v * sizeof *other);
        ga__rows_output(&f->rows, row, GA__OTHER_PLACES, other);
    }
}

/* The callback may have given weight to any key, visible or not. */
static void read_row(full *f, ga__row *row, int64_t i)
{
    const ga__attention *a = f->rows.a;
    const double *map = f->map + i * a->keys;
    if (f->stored.data) {
        ga__view_store_f64(&f->stored, f->batch, f->head, i, map);
    }
    if (!f->o.data) {
        return;
    }
    memset(row->out, 0, (size_t)a->dim_v * sizeof *row->out);
    if (f->other) {
        memcpy(row->out, f->other + i * a->dim_v, (size_t)a->dim_v * sizeof *row->out);
    }
    row->batch = f->batch;
    row->kv_head = f->head / a->group;
    for (int64_t place = 0; place < a->places; place++) {
        int64_t key = ga__rows_key(a, place);
        if (key >= 0 && map[key] != 0) {
            ga__row_add(&f->rows, row, &a->v, place, map[key], row->out);
        }
    }
    ga__rows_store(a, &f->o, f->batch, f->head, i, row->out);
}

static void full_worker(void *user, int worker)
{
    full *f = user;
    ga__row *row = &f->rows.row[worker];
    for (int64_t i; (i = ga__claim(&f->rows.next)) < f->rows.a->queries;) {
        if (ga__stopped(f->rows.context, &f->rows.status)) {
            return;
        }
        if (f->reading) {
            read_row(f, row, i);
        } else {
            write_row(f, row, i);
        }
    }
}

static ga_status run_full(ga_context *context, full *f, bool reading)
{
    f->reading = reading;
    f->rows.next = 0;
    ga__workers(context, f->rows.threads, full_worker, f);
    return ga__noted_status(&f->rows.status);
}

ga_status ga__rows_post_full(ga_context *context, const ga__attention *a, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    const ga_post *post = a->problem->post;
    full f = { .rows.context = context };
    int64_t cells = 0, bytes = 0, others = 0;
    GA_TRY(ga__view_of(context, "o", result->o, true, &f.o));
    GA_TRY(ga__view_of(context, "map", result->map, true, &f.stored));
    if (!ga__mul(a->queries, a->keys, &cells) || !ga__mul(cells, sizeof *f.map, &bytes) ||
        bytes > post->full_limit) {
        GA_TRY(ga__fail(context, GA_LIMIT,
                        "post: a whole map of %lld queries and %lld keys needs more than %lld bytes",
                        (long long)a->queries, (long long)a->keys, (long long)post->full_limit));
    }
    if (!ga__mul(a->queries, a->dim_v, &others)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "o: too large"));
    }
    GA_TRY(ga__rows_open(context, a, a->queries, 0, &f.rows));
    GA_TRY(GA_NEW(context, cells, &f.map));
    if (a->pattern->real) {
        GA_TRY(GA_NEW(context, others, &f.other));
    }
    for (int64_t slice = 0; slice < a->batch * a->heads; slice++) {
        f.batch = slice / a->heads;
        f.head = slice % a->heads;
        GA_TRY(run_full(context, &f, false));
        post->full(post->user, f.batch, f.head, a->queries, a->keys, f.map);
        GA_TRY(run_full(context, &f, true));
    }
done:
    ga__rows_close(&f.rows);
    ga_free(context, f.map);
    ga_free(context, f.other);
    return status;
}
