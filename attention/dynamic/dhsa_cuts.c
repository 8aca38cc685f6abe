/* dhsa_cuts.c - where chunks of keys begin: as given, or where the attention of later rows changes (attention-dynamic A3).
 *
 * A = softmax map, mean over the query heads; w = boundary_window. For the gap between keys c and c + 1, over the rows at
 * positions beyond c + w: P = mass of keys c - w + 1 .. c, F = mass of c + 1 .. c + w, ratio = (max + eps) / (min + eps). Gaps
 * are taken by falling ratio while it exceeds theta, none closer than `nms` to another. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention/dynamic/dhsa.h"
#include "lib/base/workers.h"
#include "lib/engine/gemm/gemm.h"
#include "lib/engine/grouped/grouped.h"
#include "lib/engine/rowwise/rowwise.h"

enum { STRIPES = 32, ROWS = 30, COLUMNS = GA__GEMM_COLUMNS, SKINNY = 4 }; /* SKINNY: too few for a product */

/* The teacher of one batch entry. Rows that are used are counted from the first; sums are kept by stripes of rows, so that
 * they do not depend on who adds. */
typedef struct teacher {
    const ga__selecting *s;
    const ga__gemm_kernels *gemm;
    const ga__grouped_kernels *grouped;
    int64_t batch, window, stride, used;
    int64_t stripe, stripes, next; /* stripe: rows */
    double *past, *future;         /* owned: (stripes, keys) */
    int status;
} teacher;

/* What a worker needs, owned. */
typedef struct room {
    char *q, *k, *map, *scratch; /* (ROWS, dim), (COLUMNS, dim), (ROWS, keys), of the product */
    double *mean, *prefix;       /* (ROWS, keys), (keys + 1) */
} room;

static int64_t size_of(const teacher *t)
{
    return t->s->wide ? sizeof(double) : sizeof(float);
}

static ga__gemm product_of(const teacher *t, int64_t rows, int64_t columns)
{
    int64_t dim = t->s->dim;
    return (ga__gemm){ .transpose_b = true,
                       .wide = t->s->wide,
                       .alpha = t->s->scale,
                       .m = rows,
                       .n = columns,
                       .k = dim,
                       .lda = dim,
                       .ldb = dim,
                       .ldc = t->s->keys };
}

static ga_status room_make(const teacher *t, room *r)
{
    ga_status status = GA_OK;
    ga_context *context = t->s->context;
    ga__gemm g = product_of(t, ROWS, COLUMNS);
    int64_t dim = t->s->dim, keys = t->s->keys, size = size_of(t);
    *r = (room){ .q = NULL };
    GA_TRY(GA_NEW(context, ROWS * dim * size, &r->q));
    GA_TRY(GA_NEW(context, COLUMNS * dim * size, &r->k));
    GA_TRY(GA_NEW(context, ROWS * keys * size, &r->map));
    GA_TRY(GA_NEW(context, ga__gemm_scratch(&g, ROWS) * size, &r->scratch));
    GA_TRY(GA_NEW(context, ROWS * keys, &r->mean));
    status = GA_NEW(context, keys + 1, &r->prefix);
done:
    return status;
}

static void room_free(ga_context *context, room *r)
{
    ga_free(context, r->q);
    ga_free(context, r->k);
    ga_free(context, r->map);
    ga_free(context, r->scratch);
    ga_free(context, r->mean);
    ga_free(context, r->prefix);
}

static int64_t query_of(const teacher *t, int64_t used)
{
    return t->s->queries - 1 - (t->used - 1 - used) * t->stride;
}

/* Keys that the row sees. */
static int64_t length_of(const teacher *t, int64_t used)
{
    int64_t keys = t->s->keys;
    return t->s->causal ? ga__min(ga__max(ga__position(t->s, query_of(t, used)) + 1, 0), keys) : keys;
}

/* Scores of rows first .. first + rows - 1 of a head with the keys that the last one sees. */
static void score_rows(const teacher *t, const room *r, int64_t head, int64_t first, int64_t rows)
{
    const ga__selecting *s = t->s;
    int64_t length = length_of(t, first + rows - 1), size = size_of(t), kv_head = head / s->group;
    for (int64_t i = 0; i < rows; i++) {
        char *to = r->q + i * s->dim * size;
        if (s->wide) {
            ga__view_load_f64(&s->q, t->batch, head, query_of(t, first + i), (double *)(void *)to);
        } else {
            ga__view_load_f32(&s->q, t->batch, head, query_of(t, first + i), (float *)(void *)to);
        }
    }
    if (rows <= SKINNY && ga__keys_direct(&s->k, s->wide)) {
        ga__keys_dots(s->context, s->wide, &s->k, t->batch, kv_head, 0, length, s->scale, rows, r->q, r->map,
                      s->keys);
        return;
    }
    for (int64_t j = 0; j < length; j += COLUMNS) {
        int64_t count = ga__min(COLUMNS, length - j);
        ga__gemm g = product_of(t, rows, count);
        ga__block block = { 0, rows, 0, count };
        ga__keys_load(s->context, s->wide, &s->k, t->batch, kv_head, j, count, r->k);
        if (s->dim > 0) {
            t->gemm->block[s->wide](&g, &block, r->q, r->k, r->map + j * size, r->scratch);
        }
    }
}

/* The map's rows, mean over the heads. */
static void mean_rows(const teacher *t, const room *r, int64_t first, int64_t rows)
{
    const ga__selecting *s = t->s;
    int64_t keys = s->keys, size = size_of(t);
    memset(r->mean, 0, (size_t)(rows * keys) * sizeof *r->mean);
    memset(r->map, 0, (size_t)(rows * keys * size));
    for (int64_t h = 0; h < s->heads; h++) {
        score_rows(t, r, h, first, rows);
        for (int64_t i = 0; i < rows; i++) {
            char *row = r->map + i * keys * size;
            double *mean = r->mean + i * keys;
            int64_t length = length_of(t, first + i);
            t->grouped->softmax[s->wide](length, 1 / (double)s->heads, row);
            GA__CHOOSE(s->context, ga__rowwise)->sum_rows[s->wide](1, length, row, mean);
        }
    }
}

/* Adds a row of the mean map to the masses of the gaps that it judges. */
static void add_row(const teacher *t, const room *r, int64_t stripe, int64_t used, const double *mean)
{
    int64_t keys = t->s->keys, w = t->window, position = ga__position(t->s, query_of(t, used));
    int64_t end = ga__min(position - w, keys - 1 - w);
    double *past = t->past + stripe * keys, *future = t->future + stripe * keys, *prefix = r->prefix;
    prefix[0] = 0;
    for (int64_t j = 0; j < keys; j++) {
        prefix[j + 1] = prefix[j] + mean[j];
    }
    for (int64_t c = w - 1; c < end; c++) {
        past[c] += prefix[c + 1] - prefix[c - w + 1];
        future[c] += prefix[c + w + 1] - prefix[c + 1];
    }
}

static void teach_worker(void *user, int worker)
{
    teacher *t = user;
    ga_status status = GA_OK;
    room r;
    (void)worker;
    GA_TRY(room_make(t, &r));
    for (int64_t w; (w = ga__claim(&t->next)) < t->stripes && !ga__stopped(t->s->context, &t->status);) {
        int64_t end = ga__min((w + 1) * t->stripe, t->used);
        for (int64_t first = w * t->stripe; first < end; first += ROWS) {
            int64_t rows = ga__min(ROWS, end - first);
            mean_rows(t, &r, first, rows);
            for (int64_t i = 0; i < rows; i++) {
                add_row(t, &r, w, first + i, r.mean + i * t->s->keys);
            }
        }
    }
done:
    room_free(t->s->context, &r);
    ga__note_status(&t->status, status);
}

/* ---- cuts ---- */

typedef struct gap {
    double ratio;
    int64_t at;
} gap;

/* By falling ratio, then by place. */
static int compare_gaps(const void *a_, const void *b_)
{
    const gap *a = a_, *b = b_;
    if (a->ratio != b->ratio) {
        return a->ratio > b->ratio ? -1 : 1;
    }
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Gaps whose ratio exceeds theta, sorted; returns their number. */
static int64_t find_gaps(const teacher *t, double theta, gap *gaps)
{
    int64_t keys = t->s->keys, count = 0;
    for (int64_t c = t->window - 1; c < keys - 1 - t->window; c++) {
        double past = 0, future = 0;
        for (int64_t i = 0; i < t->stripes; i++) {
            past += t->past[i * keys + c];
            future += t->future[i * keys + c];
        }
        double ratio = (fmax(past, future) + 1e-6) / (fmin(past, future) + 1e-6);
        if (ratio > theta) {
            gaps[count++] = (gap){ ratio, c };
        }
    }
    if (count > 0) {
        qsort(gaps, (size_t)count, sizeof *gaps, compare_gaps);
    }
    return count;
}

/* near[c]: 1 beside a gap that was accepted, 2 there. */
static void accept_gaps(const gap *gaps, int64_t count, int64_t keys, int64_t nms, int64_t most,
                        unsigned char *near)
{
    int64_t accepted = 0;
    for (int64_t i = 0; i < count && accepted < most; i++) {
        int64_t c = gaps[i].at, reach = ga__min(nms, keys) - 1;
        if (near[c] == 0) {
            for (int64_t j = ga__max(c - reach, 0); j <= ga__min(c + reach, keys - 1); j++) {
                near[j] = 1; /* none that was accepted is so close */
            }
            near[c] = 2;
            accepted++;
        }
    }
}

static ga_status cut(const teacher *t, int64_t *cuts, int64_t *chunks)
{
    ga_status status = GA_OK;
    const ga__selecting *s = t->s;
    ga_context *context = s->context;
    gap *gaps = NULL;
    unsigned char *near = NULL;
    int64_t most = ga__part_value(s->part, "chunks")->integer, at = 0;
    GA_TRY(GA_NEW(context, s->keys, &gaps));
    GA_TRY(GA_NEW_ZERO(context, s->keys, &near));
    int64_t count = find_gaps(t, ga__part_value(s->part, "theta")->real, gaps);
    accept_gaps(gaps, count, s->keys, ga__part_value(s->part, "nms")->integer, most > 0 ? most - 1 : s->keys,
                near);
    cuts[at++] = 0;
    for (int64_t c = 0; c < s->keys; c++) {
        if (near[c] == 2) {
            cuts[at++] = c + 1;
        }
    }
    cuts[at] = s->keys;
    *chunks = s->keys > 0 ? at : 0;
done:
    ga_free(context, gaps);
    ga_free(context, near);
    return status;
}

static ga_status teach(const ga__selecting *s, int64_t batch, int64_t *cuts, int64_t *chunks)
{
    ga_status status = GA_OK;
    ga_context *context = s->context;
    teacher t = { .s = s,
                  .gemm = GA__CHOOSE(context, ga__gemm),
                  .grouped = GA__CHOOSE(context, ga__grouped),
                  .batch = batch,
                  .window = ga__min(ga__part_value(s->part, "boundary_window")->integer, s->keys + 1),
                  .stride = ga__part_value(s->part, "probe_stride")->integer };
    int64_t sums = 0;
    t.used = s->heads == 0 || s->queries == 0 ? 0 : (s->queries - 1) / t.stride + 1;
    t.stripe = ga__max((t.used + STRIPES - 1) / STRIPES, 1);
    t.stripes = (t.used + t.stripe - 1) / t.stripe;
    if (!ga__mul(STRIPES * ROWS * (int64_t)sizeof(double), s->keys, &sums)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "dhsa: too many keys"));
    }
    GA_TRY(GA_NEW_ZERO(context, t.stripes * s->keys, &t.past));
    GA_TRY(GA_NEW_ZERO(context, t.stripes * s->keys, &t.future));
    ga__workers(context, ga__threads_for(context, t.stripes), teach_worker, &t);
    GA_TRY(ga__noted_status(&t.status));
    status = cut(&t, cuts, chunks);
done:
    ga_free(context, t.past);
    ga_free(context, t.future);
    return status;
}

/* ---- as given ---- */

static ga_status read_boundaries(const ga__selecting *s, const DLTensor *tensor, int64_t *cuts,
                                 int64_t *chunks)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(s->context, "boundaries", tensor, false, &view));
    if (tensor->ndim != 1 || view.type < GA__I32 || view.columns < 1 || view.columns > s->keys + 1) {
        GA_TRY(ga__fail(s->context, GA_INVALID,
                        "boundaries: %lld integers, expected (chunks+1), at most %lld",
                        (long long)view.columns, (long long)s->keys + 1));
    }
    *chunks = view.columns - 1;
    for (int64_t i = 0; i < view.columns; i++) {
        cuts[i] = ga__view_get_integer(&view, 0, 0, i);
        if (i > 0 && cuts[i] <= cuts[i - 1]) {
            GA_TRY(ga__fail(s->context, GA_INVALID,
                            "boundaries: %lld behind %lld, expected an ascending list", (long long)cuts[i],
                            (long long)cuts[i - 1]));
        }
    }
    if (cuts[0] != 0 || cuts[*chunks] != s->keys) {
        GA_TRY(ga__fail(s->context, GA_INVALID, "boundaries: %lld .. %lld, expected 0 .. %lld",
                        (long long)cuts[0], (long long)cuts[*chunks], (long long)s->keys));
    }
done:
    return status;
}

ga_status ga__cuts_make(const ga__selecting *s, ga__cuts *cuts)
{
    ga_status status = GA_OK;
    int slot = s->run ? ga__slot_find(s->run, "boundaries") : -1;
    int64_t count = 0;
    *cuts = (ga__cuts){ .room = s->keys + 1, .given = slot >= 0 };
    if (!ga__mul(s->batch, cuts->room, &count)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "dhsa: too many keys"));
    }
    GA_TRY(GA_NEW(s->context, count, &cuts->cut));
    GA_TRY(GA_NEW(s->context, s->batch, &cuts->chunks));
    for (int64_t b = 0; b < s->batch; b++) {
        int64_t *to = cuts->cut + b * cuts->room;
        if (slot >= 0) {
            GA_TRY(read_boundaries(s, s->run->slots[slot].tensor, to, &cuts->chunks[b]));
        } else {
            GA_TRY(teach(s, b, to, &cuts->chunks[b]));
        }
    }
done:
    return status;
}

void ga__cuts_free(ga_context *context, ga__cuts *cuts)
{
    ga_free(context, cuts->cut);
    ga_free(context, cuts->chunks);
}
