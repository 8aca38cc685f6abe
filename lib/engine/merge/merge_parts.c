/* merge_parts.c - any number of results over disjoint key sets joined: m = max lse_p, w_p = e^(lse_p - m), o = sum w_p o_p /
 * sum w_p, lse = m + ln sum w_p. A part that saw no key (lse = -inf) is not looked at; the order is that of the parts.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/engine/device/device.h"
#include "lib/engine/merge/merge.h"

typedef struct run {
    ga_context *context;
    ga__view o, lse, to_o,
        to_lse; /* (1, parts, rows, e), (1, 1, parts, rows), (1, 1, rows, e), (1, 1, 1, rows) */
    int64_t blocks, next;
    double *scratch; /* two rows for every worker */
    int status;
} run;

enum { BLOCK = 64 }; /* rows */

static void merge_row(const run *r, int64_t row, double *part, double *sum)
{
    int64_t parts = r->o.heads, width = r->o.columns;
    double m = -INFINITY, z = 0;
    memset(sum, 0, (size_t)width * sizeof *sum);
    for (int64_t p = 0; p < parts; p++) {
        double lse = ga__view_get(&r->lse, 0, 0, p, row);
        m = isnan(lse) || lse > m ? lse : m;
    }
    for (int64_t p = 0; p < parts; p++) {
        double lse = ga__view_get(&r->lse, 0, 0, p, row), w = lse == m ? 1 : exp(lse - m);
        if (lse == -INFINITY) {
            continue;
        }
        ga__view_load_f64(&r->o, 0, p, row, part);
        z += w;
        for (int64_t c = 0; c < width; c++) {
            sum[c] += w * part[c];
        }
    }
    for (int64_t c = 0; c < width && z != 0; c++) {
        sum[c] /= z;
    }
    ga__view_store_f64(&r->to_o, 0, 0, row, sum);
    if (r->to_lse.data) {
        ga__view_set(&r->to_lse, 0, 0, 0, row, z == 0 ? -INFINITY : m + log(z));
    }
}

static void merge_worker(void *user, int worker)
{
    run *r = user;
    double *scratch = r->scratch + 2 * worker * r->o.columns;
    for (int64_t w; (w = ga__claim(&r->next)) < r->blocks && !ga__stopped(r->context, &r->status);) {
        for (int64_t row = w * BLOCK; row < ga__min(r->o.rows, (w + 1) * BLOCK); row++) {
            merge_row(r, row, scratch, scratch + r->o.columns);
        }
    }
}

/* A tensor in C order with its first axis kept if it is stacked, its last one if it has columns, and the product of the
 * others between them. */
static ga_status flatten(ga_context *context, const char *name, const DLTensor *tensor, bool stacked,
                         bool columns, ga__view *view)
{
    ga_status status = GA_OK;
    int64_t shape[] = { 1, 1, 1 }, step = 1;
    DLTensor flat;
    if (!tensor || tensor->ndim < (int)stacked + (int)columns) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s: %s", name, tensor ? "too few axes" : "missing"));
    }
    for (int i = tensor->ndim - 1; i >= 0; i--) {
        int64_t n = tensor->shape[i];
        if (tensor->strides && n > 1 && tensor->strides[i] != step) {
            GA_TRY(ga__fail(context, GA_INVALID, "%s: expected C order", name));
        }
        int64_t *to = stacked && i == 0 ? shape : columns && i == tensor->ndim - 1 ? shape + 2 : shape + 1;
        if (n < 0 || !ga__mul(*to, n, to) || !ga__mul(step, ga__max(n, 1), &step)) {
            GA_TRY(ga__fail(context, n < 0 ? GA_INVALID : GA_OVERFLOW, "%s: extents", name));
        }
    }
    flat = *tensor;
    flat.ndim = 3;
    flat.shape = shape;
    flat.strides = NULL;
    status = ga__view_anywhere(context, name, &flat, true, view);
done:
    return status;
}

/* The axes of a and b between the first and the last ones agree. */
static bool same_axes(const DLTensor *a, int a_from, const DLTensor *b, int b_from, int count)
{
    for (int i = 0; i < count; i++) {
        if (a->shape[a_from + i] != b->shape[b_from + i]) {
            return false;
        }
    }
    return true;
}

static ga_status check_axes(ga_context *context, const DLTensor *o, const DLTensor *lse, const DLTensor *to_o,
                            const DLTensor *to_lse)
{
    bool fits =
        lse->ndim == o->ndim - 1 && to_o->ndim == o->ndim - 1 && (!to_lse || to_lse->ndim == o->ndim - 2);
    fits = fits && same_axes(o, 0, lse, 0, lse->ndim) && same_axes(o, 1, to_o, 0, to_o->ndim) &&
           (!to_lse || same_axes(o, 1, to_lse, 0, to_lse->ndim));
    return fits ? GA_OK
                : ga__fail(context, GA_INVALID,
                           "parts: expected o (P, ..., e) and lse (P, ...), and a result without the axis P");
}

ga_status ga_merge_parts(ga_context *context, const DLTensor *parts_o, const DLTensor *parts_lse, DLTensor *o,
                         DLTensor *lse)
{
    ga_status status = GA_OK;
    run r = { .context = context };
    int64_t scratch = 0;
    int threads = 0;
    ga__begin(context);
    GA_TRY(flatten(context, "parts_o", parts_o, true, true, &r.o));
    GA_TRY(flatten(context, "parts_lse", parts_lse, true, false, &r.lse));
    GA_TRY(flatten(context, "o", o, false, true, &r.to_o));
    if (lse) {
        GA_TRY(flatten(context, "lse", lse, false, false, &r.to_lse));
        GA_TRY(ga__view_output(context, "lse", &r.to_lse, GA__F32, GA__F64));
    }
    GA_TRY(check_axes(context, parts_o, parts_lse, o, lse));
    if (ga__device_of(context)) {
        status = ga__merge_on_device(
            context, &(ga__merge_call){ .o = { r.o }, .lse = { r.lse }, .to_o = r.to_o, .to_lse = r.to_lse });
        goto done;
    }
    /* of three axes: (parts, rows, e) became (1, parts, rows, e); rows of lse lie along the last axis */
    r.lse = (ga__view){ .data = r.lse.data, .type = r.lse.type, .stride_row = r.o.rows };
    r.to_lse = (ga__view){ .data = r.to_lse.data, .type = r.to_lse.type };
    r.blocks = (r.o.rows + BLOCK - 1) / BLOCK;
    threads = ga__threads_for(context, r.blocks);
    if (!ga__mul(ga__max(r.o.columns, 1), 2 * (int64_t)threads, &scratch)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "o: too many columns"));
    }
    GA_TRY(GA_NEW(context, scratch, &r.scratch));
    ga__workers(context, threads, merge_worker, &r);
    status = ga__noted_status(&r.status);
done:
    ga_free(context, r.scratch);
    return status;
}
