/* widen.c - terms of a score as further columns of q and k: <q, k> + t = <[q, a], [k, b]> with <a, b> = t. */
#include "config.h"

#include <string.h>

#include "attention/plan.h"
#include "lib/base/workers.h"

enum { ROWS_A_CLAIM = 64 };

typedef struct widen_job {
    ga_context *context;
    const ga__view *from, *to;
    double gain;
    ga__fill_fn fill; /* NULL: columns behind those of `to` are dropped */
    const void *user;
    int64_t next;
    int failed;
} widen_job;

static void widen_row(const widen_job *job, int64_t row, double *room)
{
    const ga__view *from = job->from;
    int64_t r = row % from->rows, h = row / from->rows % from->heads, b = row / from->rows / from->heads;
    ga__view_load_f64(from, b, h, r, room);
    if (job->fill) {
        job->fill(job->user, b, h, r, room, room + from->columns);
    }
    for (int64_t c = 0; c < ga__min(from->columns, job->to->columns); c++) {
        room[c] *= job->gain;
    }
    ga__view_store_f64(job->to, b, h, r, room);
}

static void widen_rows(void *user, int worker)
{
    widen_job *job = user;
    double *room = NULL;
    int64_t rows = job->from->batch * job->from->heads * job->from->rows;
    (void)worker;
    ga__note_status(&job->failed, GA_NEW(job->context, ga__max(job->from->columns, job->to->columns), &room));
    while (!ga__stopped(job->context, &job->failed)) {
        int64_t first = ga__claim(&job->next) * ROWS_A_CLAIM;
        if (first >= rows) {
            break;
        }
        for (int64_t row = first; row < ga__min(first + ROWS_A_CLAIM, rows); row++) {
            widen_row(job, row, room);
        }
    }
    ga_free(job->context, room);
}

/* A tensor of the shape of x with another width, filled row by row. Returns owned. */
static ga_status make_rows(ga__job *run, const char *name, const DLTensor *x, int64_t width, double gain,
                           ga__fill_fn fill, const void *user, DLTensor **out)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    ga__view from, to;
    int64_t shape[4];
    memcpy(shape, x->shape, (size_t)x->ndim * sizeof *shape);
    shape[x->ndim - 1] = width;
    GA_TRY(ga__tensor_new(run, x->ndim, shape, &made));
    GA_TRY(ga__view_of(run->context, name, x, true, &from));
    GA_TRY(ga__view_of(run->context, name, made, true, &to));
    widen_job job = { run->context, &from, &to, gain, fill, user, 0, GA_OK };
    int64_t rows = from.batch * from.heads * from.rows;
    ga__workers(run->context, ga__threads_for(run->context, rows / ROWS_A_CLAIM + 1), widen_rows, &job);
    status = ga__noted_status(&job.failed);
    if (status == GA_CANCELLED) {
        status = ga__check(run->context);
    }
    if (status == GA_OK) {
        *out = made;
        made = NULL;
    }
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

ga_status ga__widen(ga__job *run, ga__step *step, int64_t width, ga__fill_fn fill, const void *user)
{
    ga_status status = GA_OK;
    const ga__slot *slot = &run->slots[step->slot];
    const DLTensor *x = slot->tensor;
    DLTensor *made = NULL;
    if (x->ndim == 0 || !ga__add(x->shape[x->ndim - 1], width, &width)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s: expected rows of numbers", slot->name));
    }
    GA_TRY(make_rows(run, slot->name, x, width, step->gain, fill, user, &made));
    ga__step_replace(run, step, made);
done:
    return status;
}

ga_status ga__widen_back(ga__job *run, ga__step *step, DLTensor **rows)
{
    ga_status status = GA_OK;
    ga__slot *slot = &run->slots[step->slot];
    const DLTensor *before = step->before_view;
    DLTensor *made = NULL;
    GA_TRY(make_rows(run, slot->name, slot->grad, before->shape[before->ndim - 1], step->gain, NULL, NULL,
                     &made));
    if (rows) {
        *rows = slot->grad;
    } else {
        ga_tensor_destroy(run->context, slot->grad);
    }
    slot->grad = made;
done:
    return status;
}
