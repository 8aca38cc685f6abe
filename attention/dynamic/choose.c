/* choose.c - see choose.h. Many rows are scored by dense products, a few by a pass that reads every summary once. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/dynamic/choose.h"
#include "lib/base/workers.h"
#include "lib/engine/gemm/gemm.h"
#include "lib/engine/top_k/top_k.h"
#include "lib/engine/units/units.h"

enum {
    ROWS = 60,   /* that a piece of work prepares, about: a multiple of the product's 6 */
    SKINNY = 8,  /* so many are not worth a dense product */
    FEW = 16,    /* pieces of work, which are shared by units, too */
    UNITS = 1024 /* of a share */
};

/* A piece: lists first .. first + lists - 1 of the heads of lists that share one head of the summaries. */
typedef struct piece {
    int64_t batch, head, first, lists, reach;
} piece;

typedef struct running {
    ga__choosing *c;
    const ga__gemm_kernels *gemm;
    int64_t per;              /* heads of lists that share a head of the summaries */
    int64_t lists, block;     /* of a head, of a piece */
    int64_t pieces, shares;   /* shares: of a piece; 1 = a worker does a piece alone */
    int64_t next_score, next; /* claims */
    int64_t size, row_bytes, score_bytes;
    int64_t product_bytes, loaded_bytes, scratch_bytes; /* of a worker, one behind the other */
    char *memory, *worker_memory;                       /* owned */
    int64_t *counts;                                    /* owned: of every list */
    int32_t *kept;                                      /* owned: most for every list */
    int status;
} running;

static piece piece_of(const running *r, int64_t number)
{
    int64_t blocks = ga__units_of(r->lists, r->block), line = number / blocks, heads = r->c->summaries->heads;
    piece p = { line / heads, line % heads, number % blocks * r->block, 0, 0 };
    p.lists = ga__min(r->block, r->lists - p.first);
    p.reach = r->c->reach(r->c, p.batch, p.first + p.lists - 1);
    return p;
}

/* Rows of a piece: by list, head, row. */
static int64_t rows_of(const running *r, const piece *p)
{
    return p->lists * r->per * r->c->rows;
}

static void prepare(const running *r, const piece *p, char *rows)
{
    int64_t width = r->c->summaries->width * r->size;
    for (int64_t i = 0; i < rows_of(r, p); i++) {
        int64_t head = p->head * r->per + i / r->c->rows % r->per;
        r->c->prepare(r->c, p->batch, head, p->first + i / r->c->rows / r->per, i % r->c->rows,
                      rows + i * width);
    }
}

static ga__gemm product_of(const running *r, int64_t rows, int64_t units, int64_t ld)
{
    int64_t width = r->c->summaries->width;
    return (ga__gemm){ .transpose_b = true,
                       .wide = r->c->s->wide,
                       .alpha = 1,
                       .m = rows,
                       .n = units,
                       .k = width,
                       .lda = width,
                       .ldb = width,
                       .ldc = ld };
}

/* Scores of units first .. last - 1, which stand `ld` a row. */
static void score(const running *r, const piece *p, const char *rows, int64_t first, int64_t last, int64_t ld,
                  char *scores, char *scratch)
{
    const ga__summaries *x = r->c->summaries;
    ga__keys keys = ga__summaries_rows(x);
    int64_t count = rows_of(r, p);
    if (count <= SKINNY || x->width == 0) {
        ga__keys_dots(r->c->s->context, x->wide, &keys, p->batch, p->head, first, last - first, 1, count,
                      rows, scores + first * r->size, ld);
        return;
    }
    for (int64_t unit = first; unit < last; unit += GA__GEMM_COLUMNS) {
        ga__gemm g = product_of(r, count, ga__min(GA__GEMM_COLUMNS, last - unit), ld);
        const void *from = ga__summaries_row(x, p->batch, p->head, unit);
        if (r->loaded_bytes > 0) {
            from = scratch + r->product_bytes;
            ga__keys_load(r->c->s->context, x->wide, &keys, p->batch, p->head, unit, g.n,
                          scratch + r->product_bytes);
        }
        for (int64_t row = 0; row < g.m; row += GA__GEMM_ROWS) {
            ga__block block = { row, ga__min(g.m, row + GA__GEMM_ROWS), 0, g.n };
            r->gemm->block[g.wide](&g, &block, rows, from, scores + unit * r->size, scratch);
        }
    }
}

static void keep(const running *r, const piece *p, char *scores, int64_t ld, char *scratch)
{
    for (int64_t i = 0; i < p->lists * r->per; i++) {
        int64_t head = p->head * r->per + i % r->per, list = p->first + i / r->per;
        int64_t number = (p->batch * r->c->heads + head) * r->lists + list;
        ga__scored scored = { p->batch,
                              head,
                              list,
                              r->c->reach(r->c, p->batch, list),
                              scores + i * r->c->rows * ld * r->size,
                              ld,
                              r->kept + number * r->c->most,
                              (double *)(void *)scratch };
        r->counts[number] = r->c->keep(r->c, &scored);
    }
}

/* ---- workers ---- */

static int64_t own_bytes(const running *r)
{
    return r->product_bytes + r->loaded_bytes + r->scratch_bytes;
}

static char *piece_memory(const running *r, int64_t number)
{
    return r->memory + number * (r->row_bytes + r->score_bytes);
}

static void piece_worker(void *user, int worker)
{
    running *r = user;
    char *own = r->worker_memory + worker * own_bytes(r);
    char *rows = piece_memory(r, worker), *scores = rows + r->row_bytes;
    for (int64_t w; (w = ga__claim(&r->next)) < r->pieces && !ga__stopped(r->c->s->context, &r->status);) {
        piece p = piece_of(r, w);
        int64_t ld = ga__max(p.reach, 1);
        prepare(r, &p, rows);
        score(r, &p, rows, 0, p.reach, ld, scores, own);
        keep(r, &p, scores, ld, own + r->product_bytes + r->loaded_bytes);
    }
}

static void share_worker(void *user, int worker)
{
    running *r = user;
    char *own = r->worker_memory + worker * own_bytes(r);
    for (int64_t w; (w = ga__claim(&r->next_score)) < r->pieces * r->shares &&
                    !ga__stopped(r->c->s->context, &r->status);) {
        piece p = piece_of(r, w / r->shares);
        int64_t first = w % r->shares * UNITS, last = ga__min(first + UNITS, p.reach);
        char *rows = piece_memory(r, w / r->shares);
        if (first < last) {
            score(r, &p, rows, first, last, ga__max(p.reach, 1), rows + r->row_bytes, own);
        }
    }
}

static void keep_worker(void *user, int worker)
{
    running *r = user;
    char *own = r->worker_memory + worker * own_bytes(r);
    for (int64_t w; (w = ga__claim(&r->next)) < r->pieces && !ga__stopped(r->c->s->context, &r->status);) {
        piece p = piece_of(r, w);
        keep(r, &p, piece_memory(r, w) + r->row_bytes, ga__max(p.reach, 1),
             own + r->product_bytes + r->loaded_bytes);
    }
}

static void run_shares(running *r)
{
    ga_context *context = r->c->s->context;
    for (int64_t w = 0; w < r->pieces; w++) {
        piece p = piece_of(r, w);
        prepare(r, &p, piece_memory(r, w));
    }
    ga__workers(context, ga__threads_for(context, r->pieces * r->shares), share_worker, r);
    if (ga__noted_status(&r->status) == GA_OK) {
        ga__workers(context, ga__threads_for(context, r->pieces), keep_worker, r);
    }
}

/* ---- the call ---- */

static int64_t round_up(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Sizes, by the problem alone. */
static ga_status plan(running *r)
{
    const ga__selecting *s = r->c->s;
    int64_t units = r->c->units, heads = r->c->summaries->heads, rows, scores;
    r->size = s->wide ? sizeof(double) : sizeof(float);
    r->per = heads > 0 ? r->c->heads / heads : 1;
    r->lists = ga__units_of(s->queries, r->c->block_query);
    r->block = ga__max(1, ga__min(ROWS / ga__max(r->per * r->c->rows, 1), r->lists));
    r->pieces = s->batch * heads * ga__units_of(r->lists, r->block);
    r->shares = r->pieces < FEW ? ga__max(ga__units_of(units, UNITS), 1) : 1;
    if (!ga__mul(r->block * r->per, r->c->rows, &rows) || !ga__mul(rows, ga__max(units, 1), &scores) ||
        !ga__mul(scores, r->size, &scores)) {
        return ga__fail(s->context, GA_OVERFLOW, "%s: too many scores", s->part->name);
    }
    ga__gemm g = product_of(r, rows, units, 1);
    r->row_bytes = round_up(rows * r->c->summaries->width * r->size);
    r->score_bytes = round_up(scores);
    r->product_bytes = round_up(ga__gemm_scratch(&g, GA__GEMM_ROWS) * r->size);
    r->loaded_bytes = s->wide || r->c->summaries->type == GA__F32
                          ? 0
                          : round_up(ga__min(units, GA__GEMM_COLUMNS) * r->c->summaries->width * r->size);
    r->scratch_bytes = round_up(ga__max(ga__max(r->c->most, r->c->scratch), 1) * (int64_t)sizeof(double));
    return GA_OK;
}

static ga_status reserve(running *r)
{
    ga_status status = GA_OK;
    ga_context *context = r->c->s->context;
    int threads = ga__threads_for(context, r->pieces * r->shares);
    int64_t lists = r->c->s->batch * r->c->heads * r->lists, kept = 0, bytes = 0;
    if (!ga__mul(lists, r->c->most, &kept) ||
        !ga__mul(r->shares > 1 ? r->pieces : threads, r->row_bytes + r->score_bytes, &bytes)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "%s: too many units", r->c->s->part->name));
    }
    GA_TRY(GA_NEW(context, bytes, &r->memory));
    GA_TRY(GA_NEW(context, threads * own_bytes(r), &r->worker_memory));
    GA_TRY(GA_NEW_ZERO(context, lists, &r->counts));
    status = GA_NEW(context, kept, &r->kept);
done:
    return status;
}

/* Adds the scores of all lists to the predicted cost; keys are read once for their summaries, those by every list. */
static void predict(const running *r)
{
    ga__selecting *s = r->c->s;
    double scores = 0, lines = (double)(s->batch * s->kv_heads), width = (double)r->c->summaries->width;
    for (int64_t b = 0; b < s->batch; b++) {
        for (int64_t l = 0; l < r->lists; l++) {
            scores += (double)(r->c->heads * r->c->reach(r->c, b, l));
        }
    }
    s->flops += scores * (double)r->c->rows * 2 * width;
    s->bytes += scores / (double)r->block * width * (double)ga__type_size(r->c->summaries->type) +
                lines * (double)(s->keys * s->dim * r->size);
}

ga_status ga__choose_units(ga__choosing *c, ga_selection **out)
{
    ga_status status = GA_OK;
    ga_context *context = c->s->context;
    ga_selection *made = NULL;
    running r = { .c = c, .gemm = GA__CHOOSE(context, ga__gemm) };
    GA_TRY(plan(&r));
    GA_TRY(reserve(&r));
    predict(&r);
    if (r.shares > 1) {
        run_shares(&r);
    } else {
        ga__workers(context, ga__threads_for(context, r.pieces), piece_worker, &r);
    }
    GA_TRY(ga__noted_status(&r.status));
    GA_TRY(ga__selection_new(c->s, c->heads, c->block_query, c->block_query, &made));
    made->unit = ga__min(c->summaries->unit, ga__max(c->s->keys, 1));
    ga__selection_adopt(made, r.counts, &r.kept, c->most);
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(context, made);
    ga_free(context, r.memory);
    ga_free(context, r.worker_memory);
    ga_free(context, r.counts);
    ga_free(context, r.kept);
    return status;
}

/* ---- keeping ---- */

/* Scores of units from .. to - 1 become NaN, which no choice takes. */
static void forbid(void *scores, bool wide, int64_t from, int64_t to)
{
    for (int64_t u = from; u < to; u++) {
        if (wide) {
            ((double *)scores)[u] = NAN;
        } else {
            ((float *)scores)[u] = NAN;
        }
    }
}

int64_t ga__keep_best(const ga__choosing *c, const ga__scored *x, int64_t first, int64_t from, int64_t to,
                      int64_t count)
{
    const ga__top_k_kernels *top = GA__CHOOSE(c->s->context, ga__top_k);
    bool wide = c->s->wide;
    to = ga__min(to, x->reach);
    first = ga__min(first, x->reach);
    from = ga__min(ga__max(from, first), to);
    int64_t forced = first + ga__max(to - from, 0), found = 0, at = 0;
    int32_t *units = x->units;
    forbid(x->scores, wide, 0, first);
    forbid(x->scores, wide, from, to);
    if (count > forced) {
        found = top->select[wide](x->scores, wide ? GA__F64 : GA__F32, x->reach,
                                  ga__min(count, x->reach) - ga__min(forced, x->reach), units + forced,
                                  x->scratch);
    }
    /* the others, ascending at the end of the list, move between and behind the forced ones */
    for (int64_t u = 0; u < first; u++) {
        units[at++] = (int32_t)u;
    }
    int64_t other = forced;
    while (other < forced + found && units[other] < from) {
        units[at++] = units[other++];
    }
    for (int64_t u = from; u < to; u++) {
        units[at++] = (int32_t)u;
    }
    return forced + found;
}

/* ---- pooling ---- */

/* In the precision of the call, or number by number where the queries are of another type. */
static void add_queries(const ga__choosing *c, int64_t batch, int64_t head, int64_t first, int64_t last,
                        void *to)
{
    const ga__selecting *s = c->s;
    const ga__view *q = &s->q;
    if ((q->type == GA__F64) == s->wide) {
        GA__CHOOSE(s->context, ga__units)
            ->add[s->wide](last - first, s->dim, q->stride_row, ga__view_row(q, batch, head, first), q->type,
                           to);
        return;
    }
    for (int64_t i = first; i < last; i++) {
        for (int64_t d = 0; d < s->dim; d++) {
            double x = ga__view_get(q, batch, head, i, d);
            if (s->wide) {
                ((double *)to)[d] += x;
            } else {
                ((float *)to)[d] += (float)x;
            }
        }
    }
}

void ga__sum_queries(const ga__choosing *c, int64_t batch, int64_t from, int64_t to_head, int64_t list,
                     double share, void *to)
{
    bool wide = c->s->wide;
    memset(to, 0, (size_t)c->s->dim * (wide ? sizeof(double) : sizeof(float)));
    for (int64_t h = from; h < to_head; h++) {
        add_queries(c, batch, h, ga__list_first(c, list), ga__list_last(c, list), to);
    }
    for (int64_t d = 0; d < c->s->dim; d++) {
        if (wide) {
            ((double *)to)[d] *= share;
        } else {
            ((float *)to)[d] *= (float)share;
        }
    }
}
