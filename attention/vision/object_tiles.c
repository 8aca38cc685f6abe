/* object_tiles.c - objects in single precision: dense attention by blocks of queries, with the kernel on positions as its
 * bias.
 *
 * Hidden keys are left out of copies of k and v. The ghost comes in behind: from o and lse over the keys alone,
 * o / (1 + exp(-lse)) and ln(1 + exp(lse)). */
#include "config.h"

#include "attention/vision/object.h"

#include <float.h>
#include <string.h>

#include "attention/linear/rows.h"
#include "attention/vision/slab.h"

enum { MOST_CELLS = 1 << 22 }; /* of the bias of a block of queries, where more than one query fits */

/* The keys of the batch entries first .. first + entries - 1. */
typedef struct keys {
    int64_t first, entries, count;
    int64_t *order;              /* owned: the valid ones; NULL = all */
    void *copied_k, *copied_v;   /* owned */
    ga__view k, v;               /* of these entries */
    int64_t rows;                /* queries of a block */
    float *bias;                 /* owned: (rows, count), NULL without positions */
    ga__object_kernel positions; /* owned */
} keys;

typedef struct tiles {
    ga__job *run;
    const ga__object *t;
    float *o, *lse; /* o: NULL = not wanted */
} tiles;

bool ga__object_suits_tiles(const ga__object *t)
{
    const ga__job *run = t->run;
    double largest = fabs(run->scale * t->gain) * (double)ga__max(t->q_pos.columns, 1);
    return run->working.bits == 32 && !t->map.data && run->batch > 0 && run->heads > 0 && run->queries > 0 &&
           run->dim > 0 && run->dim_v > 0 && largest < FLT_MAX / 4;
}

/* ---- keys ---- */

static void close_keys(ga_context *context, keys *k)
{
    ga_free(context, k->order);
    ga_free(context, k->copied_k);
    ga_free(context, k->copied_v);
    ga_free(context, k->bias);
    if (k->positions.run) {
        ga__object_kernel_close(&k->positions);
    }
}

static ga_status copy_rows(ga_context *context, const ga__view *from, const keys *k, void **to,
                           ga__view *view)
{
    int64_t rows = from->heads * k->count, size = 0;
    if (!ga__mul(rows, from->columns, &size)) {
        return ga__fail(context, GA_OVERFLOW, "object: too many keys");
    }
    ga_status status = ga_alloc(context, ga__max(size, 1), (size_t)ga__slab_size(from->type), to);
    if (status == GA_OK) {
        ga__slab_gather(from, k->first, 1, k->count, k->order, k->count, *to);
        *view = *from;
        view->data = *to;
        view->batch = 1;
        view->rows = k->count;
        view->stride_row = from->columns;
        view->stride_head = k->count * from->columns;
        view->stride_batch = rows * from->columns;
    }
    return status;
}

/* To be closed in any case. */
static ga_status open_keys(const tiles *w, int64_t entry, keys *k)
{
    ga_status status = GA_OK;
    const ga__object *t = w->t;
    ga_context *context = w->run->context;
    int64_t cells = 0;
    *k = (keys){ .entries = w->run->batch, .count = w->run->keys, .k = t->k, .v = t->v };
    if (t->valid.data) {
        k->first = entry;
        k->entries = 1;
        k->count = 0;
        GA_TRY(GA_NEW(context, w->run->keys, &k->order));
        for (int64_t j = 0; j < w->run->keys; j++) {
            if (ga__object_is_valid(t, entry, j)) {
                k->order[k->count++] = j;
            }
        }
        GA_TRY(copy_rows(context, &t->k, k, &k->copied_k, &k->k));
        GA_TRY(copy_rows(context, &t->v, k, &k->copied_v, &k->v));
    }
    k->rows = w->run->queries;
    if (t->q_pos.data && k->count > 0) {
        k->rows = ga__min(k->rows, ga__max(MOST_CELLS / k->count, 1));
        if (!ga__mul(k->rows, k->count, &cells)) {
            GA_TRY(ga__fail(context, GA_OVERFLOW, "object: too many pairs"));
        }
        GA_TRY(GA_NEW(context, cells, &k->bias));
        GA_TRY(ga__object_kernel_open(w->run, t, k->count, k->order, k->rows, &k->positions));
    }
done:
    return status;
}

/* ---- a block ---- */

/* A box of the output: entries, heads and queries. */
typedef struct box {
    int64_t entry, entries, head, heads, first, rows;
} box;

/* What the box writes lies in one piece: it has all heads and queries of its entries, or one entry and head. */
static ga_status attend_box(const tiles *w, const keys *k, const box *b)
{
    ga_status status = GA_OK;
    const ga__object *t = w->t;
    ga_attention problem = GA_ATTENTION_INIT;
    ga_attention_result result = { .o = NULL };
    ga_pattern *pattern = NULL;
    ga__slab q, key, value, bias, o, lse;
    int64_t at = ((b->entry * w->run->heads + b->head) * w->run->queries) + b->first;
    int64_t kv = b->head / t->group, kv_heads = b->heads == 1 ? 1 : w->run->kv_heads;
    ga__slab_open(&q, &t->q);
    ga__slab_cut(&q, 0, b->entry, b->entries);
    ga__slab_cut(&q, 1, b->head, b->heads);
    ga__slab_cut(&q, 2, b->first, b->rows);
    ga__slab_open(&key, &k->k);
    ga__slab_cut(&key, 0, b->entry - k->first, b->entries);
    ga__slab_cut(&key, 1, kv, kv_heads);
    ga__slab_open(&value, &k->v);
    ga__slab_cut(&value, 0, b->entry - k->first, b->entries);
    ga__slab_cut(&value, 1, kv, kv_heads);
    ga__slab_over(&bias, k->bias, (const int64_t[]){ 1, 1, b->rows, k->count });
    ga__slab_over(&o, w->o ? w->o + at * w->run->dim_v : NULL,
                  (const int64_t[]){ b->entries, b->heads, b->rows, w->run->dim_v });
    ga__slab_over(&lse, w->lse + at, (const int64_t[]){ 1, b->entries, b->heads, b->rows });
    GA_TRY(ga_pattern_full(w->run->context, b->rows, k->count, false, &pattern));
    problem.q = &q.tensor;
    problem.k = &key.tensor;
    problem.v = &value.tensor;
    problem.pattern = pattern;
    problem.score.scale = w->run->scale;
    problem.score.bias = k->bias ? &bias.tensor : NULL;
    result.o = w->o ? &o.tensor : NULL;
    result.lse = &lse.tensor;
    status = ga_attention_forward(w->run->context, &problem, GA_FAMILY_AUTO, &result, NULL);
done:
    ga_pattern_destroy(w->run->context, pattern);
    return status;
}

static ga_status attend_keys(const tiles *w, keys *k)
{
    ga_status status = GA_OK;
    int64_t heads = w->run->heads, queries = w->run->queries;
    for (int64_t first = 0; first < queries; first += k->rows) {
        box b = { .entry = k->first,
                  .entries = k->entries,
                  .heads = heads,
                  .first = first,
                  .rows = ga__min(k->rows, queries - first) };
        if (k->bias) {
            GA_TRY(ga__object_kernel_fill(&k->positions, first, b.rows, k->bias));
        }
        if (b.rows == queries) {
            GA_TRY(attend_box(w, k, &b));
            continue;
        }
        b.entries = b.heads = 1;
        for (b.entry = k->first; b.entry < k->first + k->entries; b.entry++) {
            for (b.head = 0; b.head < heads; b.head++) {
                GA_TRY(attend_box(w, k, &b));
            }
        }
    }
done:
    return status;
}

/* No key at all: the ghost alone comes later. */
static void leave_empty(const tiles *w, const keys *k)
{
    int64_t rows = w->run->heads * w->run->queries, at = k->first * rows;
    for (int64_t i = at; i < at + k->entries * rows; i++) {
        w->lse[i] = -INFINITY;
    }
    if (w->o) {
        memset(w->o + at * w->run->dim_v, 0, (size_t)(k->entries * rows * w->run->dim_v) * sizeof *w->o);
    }
}

/* ---- the ghost ---- */

static void add_ghost(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const tiles *w = user;
    int64_t at = (b * w->run->heads + h) * w->run->queries + r, width = w->run->dim_v;
    double lse = w->lse[at];
    float share = (float)ga__logistic(lse);
    (void)room;
    for (int64_t c = 0; w->o && c < width; c++) {
        w->o[at * width + c] *= share;
    }
    w->lse[at] = (float)ga__softplus(lse);
}

ga_status ga__object_tiles(ga__job *run, const ga__object *t)
{
    ga_status status = GA_OK;
    ga_context *context = run->context;
    float *made = NULL;
    keys k = { .order = NULL };
    tiles w = { .run = run, .t = t, .o = t->o.data, .lse = t->lse.data };
    int64_t groups = t->valid.data ? run->batch : 1;
    if (!w.lse) {
        GA_TRY(GA_NEW(context, run->batch * run->heads * run->queries, &made));
        w.lse = made;
    }
    for (int64_t entry = 0; entry < groups; entry++) {
        GA_TRY(open_keys(&w, entry, &k));
        if (k.count == 0) {
            leave_empty(&w, &k);
        } else {
            GA_TRY(attend_keys(&w, &k));
        }
        close_keys(context, &k);
        k = (keys){ .order = NULL };
    }
    if (t->stop) {
        status = ga__rows(run, run->batch, run->heads, run->queries, 0, add_ghost, &w);
    }
done:
    close_keys(context, &k);
    ga_free(context, made);
    return status;
}
