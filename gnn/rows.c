/* rows.c - what is done row by row: on several threads, with sums in a fixed order. */
#include "config.h"

#include <string.h>

#include "gnn/layer.h"
#include "lib/base/workers.h"
#include "lib/engine/view.h"

enum {
    UNIT_NUMBERS = 1 << 14, /* of a unit of rows, about */
    MOST_UNITS = 256        /* units that keep sums of their own */
};

typedef struct pass {
    ga_context *context;
    const ga__row_work *work;
    ga__view in[GA__ROW_TENSORS], out[GA__ROW_TENSORS];
    int64_t unit, units, next;
    int64_t numbers; /* doubles of a worker: a row of each tensor */
    double *scratch;
    double *sums; /* (units, sum_count) */
    int status;
} pass;

static void row_pointers(const pass *p, double *base, double **in, double **out)
{
    for (int i = 0; i < GA__ROW_TENSORS; i++) {
        in[i] = p->in[i].data ? base : NULL;
        base += p->in[i].data ? p->in[i].columns : 0;
        out[i] = p->out[i].data ? base : NULL;
        base += p->out[i].data ? p->out[i].columns : 0;
    }
}

static void do_row(const pass *p, int64_t row, double *const *in, double *const *out, double *sums)
{
    for (int i = 0; i < GA__ROW_TENSORS; i++) {
        if (in[i]) {
            ga__view_load_f64(&p->in[i], 0, 0, row, in[i]);
        }
    }
    p->work->fn(p->work->user, row, in, out, sums);
    for (int i = 0; i < GA__ROW_TENSORS; i++) {
        if (out[i]) {
            ga__view_store_f64(&p->out[i], 0, 0, row, out[i]);
        }
    }
}

static void worker(void *user, int number)
{
    pass *p = user;
    double *in[GA__ROW_TENSORS], *out[GA__ROW_TENSORS];
    row_pointers(p, p->scratch + number * p->numbers, in, out);
    for (int64_t u; (u = ga__claim(&p->next)) < p->units && !ga__stopped(p->context, &p->status);) {
        int64_t last = ga__min(p->work->rows, (u + 1) * p->unit);
        for (int64_t row = u * p->unit; row < last; row++) {
            do_row(p, row, in, out, p->sums ? p->sums + u * p->work->sum_count : NULL);
        }
    }
}

static ga_status open_tensors(pass *p)
{
    ga_status status = GA_OK;
    for (int i = 0; i < GA__ROW_TENSORS; i++) {
        GA_TRY(ga__view_of(p->context, "input", p->work->in[i], true, &p->in[i]));
        GA_TRY(ga__view_of(p->context, "output", p->work->out[i], true, &p->out[i]));
        p->numbers += (p->in[i].data ? p->in[i].columns : 0) + (p->out[i].data ? p->out[i].columns : 0);
    }
    p->numbers = (p->numbers + 7) / 8 * 8; /* no two workers on one cache line */
done:
    return status;
}

ga_status ga__each_row(ga_context *context, ga__row_work *work)
{
    ga_status status = GA_OK;
    int64_t room = 0;
    pass p = { .context = context, .work = work };
    GA_TRY(open_tensors(&p));
    p.unit = ga__max(1, UNIT_NUMBERS / (p.numbers + 1));
    p.unit = work->sum_count ? ga__max(p.unit, work->rows / MOST_UNITS + 1) : p.unit;
    p.units = (work->rows + p.unit - 1) / p.unit;
    int threads = ga__threads_for(context, p.units);
    if (!ga__mul(p.numbers, threads, &room) || !ga__mul(p.units, work->sum_count, &p.next)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "rows are too long"));
    }
    GA_TRY(GA_NEW(context, room, &p.scratch));
    if (work->sum_count) {
        GA_TRY(GA_NEW_ZERO(context, p.next, &p.sums));
        memset(work->sums, 0, (size_t)work->sum_count * sizeof *work->sums);
    }
    p.next = 0;
    ga__workers(context, threads, worker, &p);
    GA_TRY(ga__noted_status(&p.status));
    for (int64_t u = 0; u < (work->sum_count ? p.units : 0); u++) {
        for (int64_t i = 0; i < work->sum_count; i++) {
            work->sums[i] += p.sums[u * work->sum_count + i];
        }
    }
done:
    ga_free(context, p.scratch);
    ga_free(context, p.sums);
    return status;
}

/* ---- sums of matrices ---- */

typedef struct combination {
    ga_context *context;
    double a, b;
    const void *x;
    void *y;
    int64_t count, next;
    bool wide;
    int status;
} combination;

static void combine_f32(const combination *c, int64_t from, int64_t to)
{
    const float *restrict x = c->x;
    float *restrict y = c->y, a = (float)c->a, b = (float)c->b;
    if (b == 0) {
        for (int64_t i = from; i < to; i++) {
            y[i] = a * x[i];
        }
        return;
    }
    for (int64_t i = from; i < to; i++) {
        y[i] = a * x[i] + b * y[i];
    }
}

static void combine_f64(const combination *c, int64_t from, int64_t to)
{
    const double *restrict x = c->x;
    double *restrict y = c->y;
    for (int64_t i = from; i < to; i++) {
        y[i] = c->b == 0 ? c->a * x[i] : c->a * x[i] + c->b * y[i];
    }
}

static void combine_worker(void *user, int number)
{
    combination *c = user;
    (void)number;
    for (int64_t u;
         (u = ga__claim(&c->next)) * UNIT_NUMBERS < c->count && !ga__stopped(c->context, &c->status);) {
        (c->wide ? combine_f64 : combine_f32)(c, u * UNIT_NUMBERS, ga__min(c->count, (u + 1) * UNIT_NUMBERS));
    }
}

static void combine_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const combination *c = user;
    (void)row;
    (void)sums;
    for (int64_t i = 0; i < c->count; i++) {
        out[0][i] = c->a * in[0][i] + (c->b == 0 ? 0 : c->b * in[1][i]);
    }
}

static bool contiguous(const ga__view *v)
{
    return v->batch == 1 && v->heads == 1 && (v->rows <= 1 || v->stride_row == v->columns);
}

ga_status ga__axpby(ga_context *context, double a, const DLTensor *x, double b, DLTensor *y)
{
    ga_status status = GA_OK;
    ga__view from, to;
    combination c = { .context = context, .a = a, .b = b };
    GA_TRY(ga__view_of(context, "x", x, true, &from));
    GA_TRY(ga__view_of(context, "y", y, true, &to));
    if (from.type != to.type || !contiguous(&from) || !contiguous(&to)) {
        c.count = to.columns;
        ga__row_work work = {
            .fn = combine_row, .user = &c, .in = { x, b == 0 ? NULL : y }, .out = { y }, .rows = to.rows
        };
        GA_TRY(ga__each_row(context, &work));
        goto done;
    }
    c.x = from.data;
    c.y = to.data;
    c.wide = to.type == GA__F64;
    c.count = to.rows * to.columns;
    ga__workers(context, ga__threads_for(context, c.count / UNIT_NUMBERS + 1), combine_worker, &c);
    status = ga__noted_status(&c.status);
done:
    return status;
}

/* A row of numbers in double precision. */
typedef struct numbers {
    double *data;
    int64_t count;
    double factor;
} numbers;

static ga_status open_numbers(ga_context *context, const DLTensor *tensor, numbers *n)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(context, "numbers", tensor, true, &view));
    n->count = view.rows * view.columns;
    GA_TRY(GA_NEW(context, n->count, &n->data));
    for (int64_t r = 0; r < view.rows; r++) {
        ga__view_load_f64(&view, 0, 0, r, n->data + r * view.columns);
    }
done:
    return status;
}

static void add_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const numbers *n = user;
    (void)row;
    (void)sums;
    for (int64_t i = 0; i < n->count; i++) {
        out[0][i] = in[0][i] + n->data[i];
    }
}

ga_status ga__add_row(ga_context *context, const DLTensor *row, DLTensor *y)
{
    ga_status status = GA_OK;
    numbers n = { NULL, 0, 1 };
    GA_TRY(open_numbers(context, row, &n));
    ga__row_work work = { .fn = add_row, .user = &n, .in = { y }, .out = { y }, .rows = y->shape[0] };
    GA_TRY(ga__each_row(context, &work));
done:
    ga_free(context, n.data);
    return status;
}

static void sum_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const int64_t *columns = user;
    (void)row;
    (void)out;
    for (int64_t i = 0; i < *columns; i++) {
        sums[i] += in[0][i];
    }
}

ga_status ga__sum_rows(ga_context *context, double factor, const DLTensor *x, DLTensor *out)
{
    ga_status status = GA_OK;
    int64_t columns = x->shape[1];
    double *sums = NULL;
    GA_TRY(GA_NEW_ZERO(context, columns, &sums));
    ga__row_work work = {
        .fn = sum_row, .user = &columns, .in = { x }, .rows = x->shape[0], .sum_count = columns, .sums = sums
    };
    GA_TRY(ga__each_row(context, &work));
    for (int64_t i = 0; i < columns; i++) {
        sums[i] *= factor;
    }
    status = ga__store(context, sums, out);
done:
    ga_free(context, sums);
    return status;
}

static void dot_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const int64_t *columns = user;
    (void)row;
    (void)out;
    for (int64_t i = 0; i < *columns; i++) {
        sums[0] += in[0][i] * in[1][i];
    }
}

ga_status ga__dot(ga_context *context, const DLTensor *a, const DLTensor *b, double *sum)
{
    int64_t columns = a->shape[1];
    ga__row_work work = {
        .fn = dot_row, .user = &columns, .in = { a, b }, .rows = a->shape[0], .sum_count = 1, .sums = sum
    };
    return ga__each_row(context, &work);
}

ga_status ga__store(ga_context *context, const double *from, DLTensor *out)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(context, "numbers", out, true, &view));
    for (int64_t r = 0; r < view.rows; r++) {
        ga__view_store_f64(&view, 0, 0, r, from + r * view.columns);
    }
done:
    return status;
}

ga_status ga__fill_zero(ga_context *context, DLTensor *out)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(context, "output", out, true, &view));
    memset(view.data, 0,
           (size_t)(view.batch * view.heads * view.rows * view.columns) * (view.type == GA__F64 ? 8 : 4));
done:
    return status;
}
