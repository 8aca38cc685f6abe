/* heads.c - what stands behind attention: heads side by side or their mean, and the bias. */
#include "config.h"

#include "gnn/layer.h"

typedef struct shape {
    int64_t heads, width;
} shape;

static void mean_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const shape *s = user;
    (void)row;
    (void)sums;
    for (int64_t c = 0; c < s->width; c++) {
        double sum = 0;
        for (int64_t h = 0; h < s->heads; h++) {
            sum += in[0][h * s->width + c];
        }
        out[0][c] = sum / (double)s->heads;
    }
}

static void share_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const shape *s = user;
    (void)row;
    (void)sums;
    for (int64_t h = 0; h < s->heads; h++) {
        for (int64_t c = 0; c < s->width; c++) {
            out[0][h * s->width + c] = in[0][c] / (double)s->heads;
        }
    }
}

ga_status ga__join_heads(ga__layer_run *run, const DLTensor *o, int64_t heads, bool concat, const char *bias,
                         DLTensor *y)
{
    ga_status status = GA_OK;
    const DLTensor *b = bias ? ga__tensor(run, bias) : NULL;
    const int64_t columns = y->shape[1];
    shape s = { heads, columns };
    GA_TRY(bias ? ga__fits(run, bias, 1, &columns) : GA_OK);
    if (concat) {
        GA_TRY(ga__axpby(run->context, 1, o, 0, y));
    } else {
        ga__row_work work = { .fn = mean_row, .user = &s, .in = { o }, .out = { y }, .rows = run->nodes };
        GA_TRY(ga__each_row(run->context, &work));
    }
    if (b) {
        GA_TRY(ga__add_row(run->context, b, y));
    }
done:
    return status;
}

ga_status ga__split_heads(ga__layer_run *run, const DLTensor *grad_y, int64_t heads, bool concat,
                          const char *bias, const DLTensor **grad_o)
{
    ga_status status = GA_OK;
    shape s = { heads, grad_y->shape[1] };
    DLTensor *db = bias ? ga__grad(run, bias) : NULL, *share = NULL;
    if (db) {
        GA_TRY(ga__sum_rows(run->context, 1, grad_y, db));
    }
    *grad_o = grad_y;
    if (!concat) {
        GA_TRY(ga__temp(run, run->nodes, heads * s.width, &share));
        ga__row_work work = {
            .fn = share_row, .user = &s, .in = { grad_y }, .out = { share }, .rows = run->nodes
        };
        GA_TRY(ga__each_row(run->context, &work));
        *grad_o = share;
    }
done:
    return status;
}
