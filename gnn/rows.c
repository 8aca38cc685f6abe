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
