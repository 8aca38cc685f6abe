/* mlp.c - dense layers with ReLU between them, no graph. */
#include "config.h"

#include <stdio.h>

#include "gnn/layer.h"

typedef struct state {
    int64_t count;
    DLTensor **z; /* (count): outputs before ReLU; the array is the data of a tensor of the run */
    DLTensor **x; /* (count): inputs; the first is NULL, the features */
} state;

enum { NAME = 40 };

static const char *name_of(char *text, const char *what, int64_t i)
{
    snprintf(text, NAME, "%s_%lld", what, (long long)i);
    return text;
}

static void relu_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const int64_t *columns = user;
    (void)row;
    (void)sums;
    for (int64_t c = 0; c < *columns; c++) {
        out[0][c] = in[0][c] <= 0 ? 0 : in[0][c]; /* NaN stays */
    }
}

static void relu_backward_row(const void *user, int64_t row, double *const *in, double *const *out,
                              double *sums)
{
    const int64_t *columns = user;
    (void)row;
    (void)sums;
    for (int64_t c = 0; c < *columns; c++) {
        out[0][c] = in[1][c] > 0 ? in[0][c] : 0;
    }
}

/* weight_0 .. weight_(count - 1), and no bias behind them. */
static ga_status count_layers(ga__layer_run *run, state *s)
{
    char weight[NAME], bias[NAME];
    int64_t biases = 0;
    while (ga__tensor(run, name_of(weight, "weight", s->count))) {
        biases += ga__tensor(run, name_of(bias, "bias", s->count)) != NULL;
        s->count++;
    }
    if (1 + s->count + biases != run->slot_count) {
        return ga__fail(run->context, GA_INVALID,
                        "mlp: weight_0 .. weight_%lld are there, other tensors have no place",
                        (long long)(s->count - 1));
    }
    return GA_OK;
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    char weight[NAME], bias[NAME];
    DLTensor *room = NULL;
    const DLTensor *x = run->x;
    GA_TRY(count_layers(run, s));
    GA_TRY(
        ga__temp_numbers(run, (DLDataType){ .code = kDLInt, .bits = 64, .lanes = 1 }, 2 * s->count, &room));
    s->z = room->data;
    s->x = s->z + s->count;
    for (int64_t i = 0; i < s->count; i++) {
        s->x[i] = NULL;
        if (i > 0) {
            int64_t columns = x->shape[1];
            GA_TRY(ga__temp(run, run->nodes, columns, &s->x[i]));
            ga__row_work work = {
                .fn = relu_row, .user = &columns, .in = { x }, .out = { s->x[i] }, .rows = run->nodes
            };
            GA_TRY(ga__each_row(run->context, &work));
            x = s->x[i];
        }
        GA_TRY(ga__linear(run, x, name_of(weight, "weight", i), name_of(bias, "bias", i), &s->z[i]));
        x = s->z[i];
    }
    GA_TRY(ga__make_y(run, x->shape[1]));
    GA_TRY(ga__axpby(run->context, 1, x, 0, run->y));
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    char weight[NAME], bias[NAME];
    const DLTensor *dz = run->grad_y;
    for (int64_t i = s->count - 1; i >= 0; i--) {
        DLTensor *dx = ga__grad(run, "features");
        int64_t columns = i > 0 ? s->z[i - 1]->shape[1] : 0;
        if (i > 0) {
            GA_TRY(ga__temp(run, run->nodes, columns, &dx));
        }
        GA_TRY(ga__linear_backward(run, i > 0 ? s->x[i] : run->x, dz, name_of(weight, "weight", i),
                                   name_of(bias, "bias", i), 0, dx));
        if (i > 0) {
            ga__row_work work = { .fn = relu_backward_row,
                                  .user = &columns,
                                  .in = { dx, s->z[i - 1] },
                                  .out = { dx },
                                  .rows = run->nodes };
            GA_TRY(ga__each_row(run->context, &work));
        }
        dz = dx;
    }
done:
    return status;
}

static const ga_tensor_slot tensors[] = { { "weight_I", "(F or h, h)", "linear map I = 0, 1, ...", false,
                                            true },
                                          { "bias_I", "(h)", "of linear map I", true, true },
                                          { .name = NULL } };

static const ga__layer_ops ops = { sizeof(state), false, forward, backward };

const ga_layer ga__layer_mlp = {
    .name = "mlp",
    .summary = "Dense layers with ReLU between them; no graph.",
    .source = "the baseline without messages",
    .plan = "matrix products",
    .outputs = "y",
    .parameters = NULL,
    .tensors = tensors,
    .takes_graph = false,
    .ops = &ops,
};
