/* rows.c - bodies over rows on several threads; views of slots. */
#include "config.h"

#include "attention/linear/rows.h"

#include <string.h>

#include "lib/base/workers.h"

typedef struct job {
    ga_context *context;
    int64_t batch, heads, rows, room, next;
    ga__row_body body;
    void *user;
    int failed;
} job;

/* Rows are small, heads as a whole are not. */
static int64_t rows_a_claim(const job *j)
{
    return j->rows == 1 ? 1 : 16;
}

static void work(void *user, int worker)
{
    job *j = user;
    double *room = NULL;
    int64_t rows = j->batch * j->heads * j->rows, some = rows_a_claim(j);
    (void)worker;
    ga__note_status(&j->failed, GA_NEW(j->context, ga__max(j->room, 1), &room));
    while (!ga__stopped(j->context, &j->failed)) {
        int64_t first = ga__claim(&j->next) * some;
        if (first >= rows) {
            break;
        }
        for (int64_t i = first; i < ga__min(first + some, rows); i++) {
            j->body(j->user, i / j->rows / j->heads, i / j->rows % j->heads, i % j->rows, room);
        }
    }
    ga_free(j->context, room);
}

ga_status ga__rows(ga__job *run, int64_t batch, int64_t heads, int64_t rows, int64_t room, ga__row_body body,
                   void *user)
{
    job j = { run->context, batch, heads, rows, room, 0, body, user, GA_OK };
    int64_t claims = batch * heads * rows / rows_a_claim(&j) + 1;
    ga__workers(run->context, ga__threads_for(run->context, claims), work, &j);
    ga_status status = ga__noted_status(&j.failed);
    return status == GA_CANCELLED ? ga__check(run->context) : status;
}

ga_status ga__slot_view(ga__job *run, int slot, ga__view *view)
{
    if (slot < 0) {
        *view = (ga__view){ .data = NULL };
        return GA_OK;
    }
    return ga__view_of(run->context, run->slots[slot].name, run->slots[slot].tensor, true, view);
}

ga_status ga__slot_grad_view(ga__job *run, int slot, ga__view *view)
{
    if (slot < 0 || !run->slots[slot].grad) {
        *view = (ga__view){ .data = NULL };
        return GA_OK;
    }
    return ga__view_of(run->context, run->slots[slot].name, run->slots[slot].grad, true, view);
}

ga_status ga__slot_shaped(ga__job *run, const char *name, int count, const int64_t *dims, int *slot)
{
    *slot = ga__slot_find(run, name);
    return *slot < 0 ? GA_OK : ga__slot_fits(run, *slot, false, count, dims);
}

void ga__view_add(const ga__view *view, int64_t b, int64_t h, int64_t r, int64_t c, double value)
{
    ga__view_set(view, b, h, r, c, ga__view_get(view, b, h, r, c) + value);
}

double ga__logistic(double x)
{
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

double ga__softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

ga_status ga__slot_grad_zero(ga__job *run, int slot, ga__view *view)
{
    ga_status status = ga__slot_grad_view(run, slot, view);
    if (status == GA_OK && view->data) {
        int64_t count = view->batch * view->heads * view->rows * view->columns;
        memset(view->data, 0, (size_t)count * (view->type == GA__F64 ? sizeof(double) : sizeof(float)));
    }
    return status;
}

ga_status ga__bind_token_decay(ga__job *run)
{
    ga_status status = GA_OK;
    int slot = ga__slot_find(run, "log_decay");
    const DLTensor *given = slot < 0 ? NULL : run->slots[slot].given;
    bool scalar = given && given->ndim > 0 && given->shape[given->ndim - 1] == 1;
    const int64_t dims[] = { run->batch, run->kv_heads, run->keys, scalar ? 1 : run->dim };
    GA_TRY(ga__bind(run, GA__LOG_DECAY, "log_decay", false, 4, dims));
done:
    return status;
}

/* ---- rows to rows of another width ---- */

typedef struct map_job {
    ga__view x, y, out; /* y without data: forward */
    ga__map_body body;
    const void *user;
} map_job;

static void map_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const map_job *j = user;
    double *y = room + j->x.columns, *out = y + j->y.columns;
    ga__view_load_f64(&j->x, b, h, r, room);
    if (j->y.data) {
        ga__view_load_f64(&j->y, b, h, r, y);
    }
    j->body(j->user, b, h, r, room, y, out, out + j->out.columns);
    ga__view_store_f64(&j->out, b, h, r, out);
}

static ga_status map_rows(ga__job *run, map_job *j, int64_t scratch)
{
    int64_t room = j->x.columns + j->y.columns + j->out.columns + scratch;
    return ga__rows(run, j->x.batch, j->x.heads, j->x.rows, room, map_row, j);
}

ga_status ga__map_forward(ga__job *run, ga__step *step, int64_t columns, int64_t scratch, ga__map_body body,
                          const void *user)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    const DLTensor *x = run->slots[step->slot].tensor;
    map_job j = { .body = body, .user = user };
    int64_t shape[4] = { 1, 1, 1, 1 };
    for (int i = 0; i < x->ndim; i++) {
        shape[4 - x->ndim + i] = x->shape[i];
    }
    shape[3] = columns;
    GA_TRY(ga__tensor_new(run, 4, shape, &made));
    GA_TRY(ga__view_of(run->context, run->slots[step->slot].name, x, true, &j.x));
    GA_TRY(ga__view_of(run->context, run->slots[step->slot].name, made, true, &j.out));
    GA_TRY(map_rows(run, &j, scratch));
    ga__step_replace(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

ga_status ga__map_backward(ga__job *run, const ga__step *step, int64_t scratch, ga__map_body body,
                           const void *user)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    const DLTensor *x = step->before_view;
    map_job j = { .body = body, .user = user };
    GA_TRY(ga__tensor_new(run, x->ndim, x->shape, &made));
    GA_TRY(ga__view_of(run->context, run->slots[step->slot].name, x, true, &j.x));
    GA_TRY(ga__slot_grad_view(run, step->slot, &j.y));
    GA_TRY(ga__view_of(run->context, run->slots[step->slot].name, made, true, &j.out));
    GA_TRY(map_rows(run, &j, scratch));
    ga__step_replace_grad(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}
