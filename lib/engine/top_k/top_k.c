/* top_k.c - ga_top_k: the arguments, and rows on several threads. */
#include "config.h"

#include <math.h>

#include "lib/engine/device/device.h"
#include "lib/engine/top_k/top_k.h"

typedef struct run {
    ga_context *context;
    const ga__top_k_kernels *kernels;
    ga__top_k_call call;
    int64_t room; /* of what may be taken from a row */
    int64_t rows, block, blocks, next;
    double *scratch; /* room elements for every worker */
    int status;
} run;

enum { WORK = 1 << 16 }; /* elements of a piece of work */

static void select_row(const run *r, int64_t batch, int64_t head, int64_t row, void *scratch)
{
    int32_t *indices = ga__view_row(&r->call.indices, batch, head, row);
    int64_t n = r->call.x.columns;
    if (r->call.count.data) {
        int64_t limit = ((const int64_t *)ga__view_row(&r->call.count, 0, batch, head))[row];
        n = ga__max(0, ga__min(n, limit));
    }
    int64_t found = r->kernels->select[r->call.x.type == GA__F64](ga__view_row(&r->call.x, batch, head, row),
                                                                  r->call.x.type, n, ga__min(r->call.k, n),
                                                                  indices, scratch);
    for (int64_t i = found; i < r->call.k; i++) {
        indices[i] = -1;
    }
    for (int64_t i = 0; i < r->call.k && r->call.values.data; i++) {
        double value = i < found ? ga__view_get(&r->call.x, batch, head, row, indices[i]) : -INFINITY;
        ga__view_set(&r->call.values, batch, head, row, i, value);
    }
}

static void select_worker(void *user, int worker)
{
    run *r = user;
    void *scratch = r->scratch + worker * r->room;
    for (int64_t w; (w = ga__claim(&r->next)) < r->blocks && !ga__stopped(r->context, &r->status);) {
        for (int64_t i = w * r->block; i < ga__min(r->rows, (w + 1) * r->block); i++) {
            int64_t row = i % r->call.x.rows, matrix = i / r->call.x.rows;
            select_row(r, matrix / r->call.x.heads, matrix % r->call.x.heads, row, scratch);
        }
    }
}

static ga_status read_views(ga_context *context, const DLTensor *x, const DLTensor *count, int64_t k,
                            const DLTensor *indices, const DLTensor *values, run *r)
{
    ga_status status = GA_OK;
    const ga__view *v = &r->call.x;
    GA_TRY(ga__view_anywhere(context, "x", x, true, &r->call.x));
    GA_TRY(ga__view_expect(context, "x", v, -1, -1, -1, -1));
    if (k < 0 || v->columns > INT32_MAX) {
        status = k < 0 ? ga__fail(context, GA_INVALID, "k: must not be negative, it is %lld", (long long)k)
                       : ga__fail(context, GA_LIMIT, "x: rows of %lld elements, indices have 31 bits",
                                  (long long)v->columns);
        goto done;
    }
    GA_TRY(ga__view_anywhere(context, "count", count, false, &r->call.count));
    if (count) {
        GA_TRY(ga__view_expect(context, "count", &r->call.count, 1, v->batch, v->heads, v->rows));
        if (r->call.count.type != GA__I64) {
            status = ga__fail(context, GA_INVALID, "count: i64 expected");
            goto done;
        }
    }
    GA_TRY(ga__view_anywhere(context, "indices", indices, false, &r->call.indices));
    GA_TRY(ga__view_expect(context, "indices", &r->call.indices, v->batch, v->heads, v->rows, k));
    GA_TRY(ga__view_output(context, "indices", &r->call.indices, GA__I32, GA__I32));
    GA_TRY(ga__view_anywhere(context, "values", values, true, &r->call.values));
    if (values) {
        GA_TRY(ga__view_expect(context, "values", &r->call.values, v->batch, v->heads, v->rows, k));
        GA_TRY(ga__view_output(context, "values", &r->call.values, r->call.values.type, r->call.values.type));
    }
done:
    return status;
}

ga_status ga_top_k(ga_context *context, const DLTensor *x, const DLTensor *count, int64_t k,
                   DLTensor *indices, DLTensor *values)
{
    ga_status status = GA_OK;
    run r = { .context = context, .kernels = GA__CHOOSE(context, ga__top_k), .call.k = k };
    int64_t scratch = 0;
    ga__begin(context);
    GA_TRY(read_views(context, x, count, k, indices, values, &r));
    if (k == 0) {
        goto done;
    }
    if (ga__device_of(context)) {
        status = ga__top_k_on_device(context, &r.call);
        goto done;
    }
    r.room = ga__min(k, r.call.x.columns);
    r.rows = r.call.x.batch * r.call.x.heads * r.call.x.rows;
    r.block = ga__max(1, WORK / ga__max(1, r.call.x.columns));
    r.blocks = (r.rows + r.block - 1) / r.block;
    int threads = ga__threads_for(context, r.blocks);
    if (!ga__mul(r.room, threads, &scratch)) {
        status = ga__fail(context, GA_OVERFLOW, "k: too large");
        goto done;
    }
    GA_TRY(GA_NEW(context, scratch, &r.scratch));
    ga__workers(context, threads, select_worker, &r);
    status = ga__noted_status(&r.status);
done:
    ga_free(context, r.scratch);
    return status;
}
