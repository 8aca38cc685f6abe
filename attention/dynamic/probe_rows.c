/* probe_rows.c - see probe_rows.h. Scores are dense products of all rows with blocks of keys. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention/dynamic/probe_rows.h"
#include "lib/engine/gemm/gemm.h"
#include "lib/engine/grouped/grouped.h"
#include "lib/engine/rowwise/rowwise.h"
#include "lib/engine/top_k/top_k.h"

enum { SKINNY = 4 }; /* rows too few for a product of packed blocks */

struct ga__probe_room {
    const ga__probe *probe;
    const ga__gemm_kernels *gemm;
    const ga__grouped_kernels *grouped;
    const ga__rowwise_kernels *rowwise;
    const ga__top_k_kernels *top;
    char *map;             /* owned, as all below: (rows, width) */
    char *q, *k, *scratch; /* (rows, dim), (GA__GEMM_COLUMNS, dim), of the product */
    double *values;
    int32_t *numbers;
};

typedef struct probing {
    const ga__probe *probe;
    int64_t units, next;
    int failed;
} probing;

static int64_t size_of(const ga__selecting *s)
{
    return s->wide ? sizeof(double) : sizeof(float);
}

/* ---- rooms ---- */

static ga__gemm product_of(const ga__probe *p)
{
    return (ga__gemm){ .transpose_b = true,
                       .wide = p->s->wide,
                       .alpha = p->s->scale,
                       .m = p->rows,
                       .n = GA__GEMM_COLUMNS,
                       .k = p->s->dim,
                       .lda = p->s->dim,
                       .ldb = p->s->dim,
                       .ldc = p->width };
}

static ga_status room_make(const ga__probe *p, ga__probe_room *room)
{
    ga_status status = GA_OK;
    ga_context *context = p->s->context;
    ga__gemm g = product_of(p);
    int64_t size = size_of(p->s), map = 0, bytes = 0;
    *room = (ga__probe_room){ .probe = p };
    room->gemm = GA__CHOOSE(context, ga__gemm);
    room->grouped = GA__CHOOSE(context, ga__grouped);
    room->rowwise = GA__CHOOSE(context, ga__rowwise);
    room->top = GA__CHOOSE(context, ga__top_k);
    if (!ga__mul(p->rows, p->width, &map) || !ga__mul(map, size, &bytes)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "%lld rows of %lld keys: too many", (long long)p->rows,
                        (long long)p->width));
    }
    GA_TRY(ga_alloc(context, map, (size_t)size, &room->map));
    GA_TRY(ga_alloc(context, p->rows * p->s->dim, (size_t)size, &room->q));
    GA_TRY(ga_alloc(context, GA__GEMM_COLUMNS * p->s->dim, (size_t)size, &room->k));
    GA_TRY(ga_alloc(context, ga__gemm_scratch(&g, GA__GEMM_ROWS), (size_t)size, &room->scratch));
    GA_TRY(GA_NEW(context, p->values, &room->values));
    GA_TRY(GA_NEW(context, p->numbers, &room->numbers));
done:
    return status;
}

static void room_free(const ga__probe *p, ga__probe_room *room)
{
    void *const blocks[] = { room->map, room->q, room->k, room->scratch, room->values, room->numbers };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ga_free(p->s->context, blocks[i]);
    }
}

static void work(void *user, int worker)
{
    probing *job = user;
    const ga__probe *p = job->probe;
    ga__probe_room room;
    (void)worker;
    ga__note_status(&job->failed, room_make(p, &room));
    while (!ga__stopped(p->s->context, &job->failed)) {
        int64_t unit = ga__claim(&job->next);
        if (unit >= job->units) {
            break;
        }
        p->body(p->user, &room, unit / p->heads, unit % p->heads);
    }
    room_free(p, &room);
}

ga_status ga__probe_run(const ga__probe *probe)
{
    ga_context *context = probe->s->context;
    probing job = { .probe = probe, .units = probe->s->batch * probe->heads };
    ga__workers(context, ga__threads_for(context, job.units), work, &job);
    ga_status status = ga__noted_status(&job.failed);
    return status == GA_CANCELLED ? ga__check(context) : status;
}

double *ga__probe_values(const ga__probe_room *room)
{
    return room->values;
}

int32_t *ga__probe_numbers(const ga__probe_room *room)
{
    return room->numbers;
}

/* ---- the rows ---- */

/* Keys that a row sees. */
static int64_t seen(const ga__probe *p, int64_t row)
{
    int64_t limit = p->s->causal ? ga__position(p->s, p->first + row) + 1 : p->width;
    return ga__max(ga__min(limit, p->width), 0);
}

/* Keys j .. j + count - 1 where they are, or copied; *stride in elements. */
static const void *keys_at(const ga__probe_room *room, int64_t batch, int64_t head, int64_t j, int64_t count,
                           int64_t *stride)
{
    const ga__selecting *s = room->probe->s;
    if (s->k.view.type == (s->wide ? GA__F64 : GA__F32) && ga__keys_together(&s->k, j) >= count) {
        *stride = ga__keys_stride(&s->k);
        return ga__keys_row(&s->k, batch, head, j);
    }
    *stride = s->dim;
    ga__keys_load(s->context, s->wide, &s->k, batch, head, j, count, room->k);
    return room->k;
}

static void load_queries(const ga__probe_room *room, int64_t batch, int64_t head)
{
    const ga__probe *p = room->probe;
    for (int64_t r = 0; r < p->rows; r++) {
        char *to = room->q + r * p->s->dim * size_of(p->s);
        if (p->s->wide) {
            ga__view_load_f64(&p->s->q, batch, head, p->first + r, (double *)(void *)to);
        } else {
            ga__view_load_f32(&p->s->q, batch, head, p->first + r, (float *)(void *)to);
        }
    }
}

static void score(const ga__probe_room *room, int64_t batch, int64_t head)
{
    const ga__probe *p = room->probe;
    ga__gemm g = product_of(p);
    int64_t size = size_of(p->s);
    if (p->s->dim == 0) {
        memset(room->map, 0, (size_t)(p->rows * p->width * size));
        return;
    }
    if (p->rows <= SKINNY && ga__keys_direct(&p->s->k, p->s->wide)) {
        ga__keys_dots(p->s->context, p->s->wide, &p->s->k, batch, head / p->s->group, 0, p->width,
                      p->s->scale, p->rows, room->q, room->map, p->width);
        return;
    }
    for (int64_t j = 0; j < p->width; j += GA__GEMM_COLUMNS) {
        g.n = ga__min(GA__GEMM_COLUMNS, p->width - j);
        const void *keys = keys_at(room, batch, head / p->s->group, j, g.n, &g.ldb);
        for (int64_t r = 0; r < p->rows; r += GA__GEMM_ROWS) {
            ga__block block = { r, ga__min(r + GA__GEMM_ROWS, p->rows), 0, g.n };
            room->gemm->block[g.wide](&g, &block, room->q, keys, room->map + j * size, room->scratch);
        }
    }
}

void ga__probe_rows(ga__probe_room *room, int64_t batch, int64_t head)
{
    const ga__probe *p = room->probe;
    int64_t size = size_of(p->s);
    load_queries(room, batch, head);
    score(room, batch, head);
    for (int64_t r = 0; r < p->rows; r++) {
        char *row = room->map + r * p->width * size;
        int64_t n = seen(p, r);
        (void)room->grouped->softmax[p->s->wide](n, 1, row);
        memset(row + n * size, 0, (size_t)((p->width - n) * size));
    }
}

void ga__probe_add_columns(const ga__probe_room *room, double *sums)
{
    const ga__probe *p = room->probe;
    room->rowwise->sum_rows[p->s->wide](p->rows, p->width, room->map, sums);
}

void ga__probe_most_columns(const ga__probe_room *room, double *most)
{
    const ga__probe *p = room->probe;
    for (int64_t r = 0; r < p->rows; r++) {
        room->grouped->most[p->s->wide](p->width, room->map + r * p->width * size_of(p->s), most);
    }
}

/* Row r is moved by rows - 1 - r places, so that one distance is one column, counted from the far end. */
void ga__probe_diagonals(const ga__probe_room *room, double *sums)
{
    const ga__probe *p = room->probe;
    memset(sums, 0, (size_t)p->width * sizeof *sums);
    for (int64_t r = 0; r < p->rows; r++) {
        int64_t n = seen(p, r);
        room->rowwise->sum_rows[p->s->wide](1, n, room->map + r * p->width * size_of(p->s),
                                            sums + p->width - n);
    }
    for (int64_t o = 0; o < p->width / 2; o++) {
        double far = sums[o];
        sums[o] = sums[p->width - 1 - o];
        sums[p->width - 1 - o] = far;
    }
}

/* ---- choosing ---- */

int64_t ga__probe_best(const ga__probe_room *room, const double *x, int64_t n, int64_t k, int32_t *indices,
                       double *scratch)
{
    return room->top->select[1](x, GA__F64, n, ga__min(k, n), indices, scratch);
}

/* Falling; NaN last. */
static int by_falling(const void *a_, const void *b_)
{
    double a = *(const double *)a_, b = *(const double *)b_;
    if (isnan(a) || isnan(b)) {
        return (int)isnan(a) - (int)isnan(b);
    }
    return (a < b) - (a > b);
}

int64_t ga__probe_cover(const double *x, int64_t n, double mass, double *sorted)
{
    double sum = 0;
    int64_t count = 0;
    memcpy(sorted, x, (size_t)n * sizeof *x);
    qsort(sorted, (size_t)n, sizeof *sorted, by_falling);
    while (count < n && (sum += sorted[count]) <= mass) {
        count++;
    }
    return ga__min(count + 1, n);
}

void ga__probe_cost(ga__selecting *s, int64_t rows, int64_t width)
{
    double heads = (double)(s->batch * s->heads), n = (double)width, r = (double)rows;
    s->flops += heads * (r * n * (2 * (double)s->dim + 5) + 2 * n * log2(fmax(n, 1)));
    s->bytes += heads * n * ((double)s->dim + 2 * r) * (double)size_of(s);
}

ga_status ga__probe_note(ga__selecting *s, const char *name, int64_t heads, const int64_t *counts,
                         const int32_t *units, int64_t most)
{
    static const DLDataType i32 = { kDLInt, 32, 1 };
    ga_status status = GA_OK;
    DLTensor *note = NULL;
    int64_t width = 0, lists = s->batch * heads;
    for (int64_t i = 0; i < lists; i++) {
        width = ga__max(width, counts[i]);
    }
    GA_TRY(ga__note_new(s, name, i32, 3, (const int64_t[]){ s->batch, heads, width }, &note));
    int32_t *to = note->data;
    for (int64_t i = 0; i < lists; i++) {
        for (int64_t c = 0; c < width; c++) {
            *to++ = c < counts[i] ? units[i * most + c] : -1;
        }
    }
done:
    return status;
}
