/* merge.c - results over disjoint key sets joined: m = max(lse_a, lse_b), w = exp(lse - m), o = (w_a o_a + w_b o_b) /
 * (w_a + w_b), lse = m + ln(w_a + w_b). A side that saw no key (lse = -inf) is not looked at.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/engine/device/device.h"
#include "lib/engine/merge/merge.h"

typedef struct run {
    ga_context *context;
    const ga__merge_kernels *kernels;
    ga__view o[3], lse[3]; /* a, b, result */
    int64_t rows, blocks, next;
    double *scratch; /* two rows for every worker when something is f64 */
    int status;
} run;

enum { BLOCK = 64 }; /* rows */

/* The o of a side that alone saw keys passes unchanged, or rounded to another type. */
static void pass(const run *r, int side, int64_t batch, int64_t head, int64_t row)
{
    const ga__view *from = &r->o[side], *to = &r->o[2];
    static const size_t size[] = { 4, 2, 2, 8 };
    if (from->type == to->type) {
        memmove(ga__view_row(to, batch, head, row), ga__view_row(from, batch, head, row),
                (size_t)to->columns * size[to->type]);
        return;
    }
    for (int64_t c = 0; c < to->columns; c++) {
        ga__view_set(to, batch, head, row, c, ga__view_get(from, batch, head, row, c));
    }
}

static void mix_wide(const run *r, double w_a, double w_b, int64_t batch, int64_t head, int64_t row,
                     double *scratch)
{
    double *a = scratch, *b = scratch + r->o[2].columns;
    ga__view_load_f64(&r->o[0], batch, head, row, a);
    ga__view_load_f64(&r->o[1], batch, head, row, b);
    for (int64_t c = 0; c < r->o[2].columns; c++) {
        a[c] = w_a * a[c] + w_b * b[c];
    }
    ga__view_store_f64(&r->o[2], batch, head, row, a);
}

static void merge_row(const run *r, int64_t batch, int64_t head, int64_t row, double *scratch)
{
    double a = ga__view_get(&r->lse[0], 0, batch, head, row),
           b = ga__view_get(&r->lse[1], 0, batch, head, row);
    double m = a > b ? a : b, lse = m;
    if (a == -INFINITY && b == -INFINITY) {
        for (int64_t c = 0; c < r->o[2].columns; c++) {
            ga__view_set(&r->o[2], batch, head, row, c, 0);
        }
    } else if (a == -INFINITY || b == -INFINITY) {
        pass(r, a == -INFINITY, batch, head, row);
        lse = a == -INFINITY ? b : a;
    } else {
        double w_a = a == m ? 1 : exp(a - m), w_b = b == m ? 1 : exp(b - m), sum = w_a + w_b;
        lse = m + log(sum);
        if (isnan(a) || isnan(b)) {
            w_a = w_b = lse = NAN;
        }
        if (scratch) {
            mix_wide(r, w_a / sum, w_b / sum, batch, head, row, scratch);
        } else {
            r->kernels->mix(r->o[2].columns, (float)(w_a / sum), ga__view_row(&r->o[0], batch, head, row),
                            r->o[0].type, (float)(w_b / sum), ga__view_row(&r->o[1], batch, head, row),
                            r->o[1].type, ga__view_row(&r->o[2], batch, head, row), r->o[2].type);
        }
    }
    if (r->lse[2].data) {
        ga__view_set(&r->lse[2], 0, batch, head, row, lse);
    }
}

static void merge_worker(void *user, int worker)
{
    run *r = user;
    double *scratch = r->scratch ? r->scratch + 2 * worker * r->o[2].columns : NULL;
    for (int64_t w; (w = ga__claim(&r->next)) < r->blocks && !ga__stopped(r->context, &r->status);) {
        for (int64_t i = w * BLOCK; i < ga__min(r->rows, (w + 1) * BLOCK); i++) {
            int64_t row = i % r->o[2].rows, matrix = i / r->o[2].rows;
            merge_row(r, matrix / r->o[2].heads, matrix % r->o[2].heads, row, scratch);
        }
    }
}

static ga_status read_views(ga_context *context, const DLTensor *const o[3], const DLTensor *const lse[3],
                            run *r)
{
    static const char *const o_names[] = { "o_a", "o_b", "o" }, *const lse_names[] = { "lse_a", "lse_b",
                                                                                       "lse" };
    ga_status status = GA_OK;
    for (int i = 0; i < 3; i++) {
        GA_TRY(ga__view_anywhere(context, o_names[i], o[i], true, &r->o[i]));
        GA_TRY(ga__view_anywhere(context, lse_names[i], lse[i], true, &r->lse[i]));
    }
    const ga__view *to = &r->o[2];
    GA_TRY(ga__view_expect(context, "o", to, -1, -1, -1, -1));
    GA_TRY(ga__view_output(context, "o", to, to->type, to->type));
    for (int i = 0; i < 3; i++) {
        GA_TRY(ga__view_expect(context, o_names[i], &r->o[i], to->batch, to->heads, to->rows, to->columns));
        if (i < 2 || lse[i]) {
            GA_TRY(ga__view_expect(context, lse_names[i], &r->lse[i], 1, to->batch, to->heads, to->rows));
        }
    }
    if (lse[2]) {
        GA_TRY(ga__view_output(context, "lse", &r->lse[2], GA__F32, GA__F64));
    }
done:
    return status;
}

ga_status ga_merge(ga_context *context, const DLTensor *o_a, const DLTensor *lse_a, const DLTensor *o_b,
                   const DLTensor *lse_b, DLTensor *o, DLTensor *lse)
{
    ga_status status = GA_OK;
    run r = { .context = context, .kernels = GA__CHOOSE(context, ga__merge) };
    const DLTensor *os[] = { o_a, o_b, o }, *lses[] = { lse_a, lse_b, lse };
    int64_t scratch = 0;
    ga__begin(context);
    GA_TRY(read_views(context, os, lses, &r));
    if (ga__device_of(context)) {
        status = ga__merge_on_device(context, &(ga__merge_call){ .pair = true,
                                                                 .o = { r.o[0], r.o[1] },
                                                                 .lse = { r.lse[0], r.lse[1] },
                                                                 .to_o = r.o[2],
                                                                 .to_lse = r.lse[2] });
        goto done;
    }
    r.rows = r.o[2].batch * r.o[2].heads * r.o[2].rows; /* fits: the view has checked it */
    r.blocks = (r.rows + BLOCK - 1) / BLOCK;
    int threads = ga__threads_for(context, r.blocks);
    if (r.o[0].type == GA__F64 || r.o[1].type == GA__F64 || r.o[2].type == GA__F64) {
        if (!ga__mul(r.o[2].columns, 2 * (int64_t)threads, &scratch)) {
            status = ga__fail(context, GA_OVERFLOW, "o: too many columns");
            goto done;
        }
        GA_TRY(GA_NEW(context, scratch, &r.scratch));
    }
    ga__workers(context, threads, merge_worker, &r);
    status = ga__noted_status(&r.status);
done:
    ga_free(context, r.scratch);
    return status;
}
