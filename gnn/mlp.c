/* mlp.c - dense layers with ReLU between them, no graph. */
#include "config.h"

#include <stdio.h>

#include "gnn/passes.h"

typedef struct state {
    int64_t count;
    DLTensor *
        *x; /* (count): inputs of the maps; the first is NULL, the run's; the array is the data of a tensor */
} state;

enum { NAME = 40 };

static const char *name_of(char *text, const char *what, int64_t i)
{
    snprintf(text, NAME, "%s_%lld", what, (long long)i);
    return text;
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
    if (s->count + biases != run->slot_count) {
        return ga__fail(run->context, GA_INVALID,
                        "mlp: weight_0 .. weight_%lld are there, other tensors have no place",
                        (long long)(s->count - 1));
    }
    return GA_OK;
}

/* *z: y, or the matrix that becomes the input of the next map. */
static ga_status room_for(ga__layer_run *run, state *s, int64_t i, int64_t columns, DLTensor **z)
{
    ga_status status = GA_OK;
    if (i + 1 == s->count) {
        GA_TRY(ga__make_y(run, columns));
        *z = run->y;
    } else {
        GA_TRY(ga__temp(run, run->nodes, columns, z));
        s->x[i + 1] = *z;
    }
done:
    return status;
}

static ga_status forward_map(ga__layer_run *run, state *s, int64_t i)
{
    ga_status status = GA_OK;
    char weight[NAME], bias[NAME];
    const DLTensor *w = ga__tensor(run, name_of(weight, "weight", i)),
                   *b = ga__tensor(run, name_of(bias, "bias", i));
    const int64_t columns = ga__columns(w), of_weight[] = { i ? s->x[i]->shape[1] : run->width, -1 };
    DLTensor *z = NULL;
    GA_TRY(ga__fits(run, weight, 2, of_weight));
    GA_TRY(ga__fits(run, bias, 1, &columns));
    GA_TRY(room_for(run, s, i, columns, &z));
    if (i == 0) {
        const ga__map map = { .weight = weight, .bias = bias, .z = z };
        GA_TRY(ga__map_input(run, &map, 1));
    } else {
        GA_TRY(ga_gemm(run->context, false, false, 1, s->x[i], w, 0, z));
        GA_TRY(b ? ga__add_row(run->context, b, z) : GA_OK);
    }
    GA_TRY(z == run->y ? GA_OK : ga__pass_relu(run->context, z, z));
done:
    return status;
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    DLTensor *room = NULL;
    GA_TRY(count_layers(run, s));
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLInt, .bits = 64, .lanes = 1 }, s->count, &room));
    s->x = room->data;
    s->x[0] = NULL;
    for (int64_t i = 0; i < s->count; i++) {
        GA_TRY(forward_map(run, s, i));
    }
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    const ga_keep all = { NULL, 1 };
    char weight[NAME], bias[NAME];
    const DLTensor *dz = run->grad_y;
    for (int64_t i = s->count - 1; i > 0; i--) {
        DLTensor *dx = NULL;
        GA_TRY(ga__temp(run, run->nodes, s->x[i]->shape[1], &dx));
        GA_TRY(ga__linear_backward(run, s->x[i], dz, name_of(weight, "weight", i), name_of(bias, "bias", i),
                                   0, dx));
        GA_TRY(ga__pass_finish(run->context, &all, 0, GA__ACTIVATION_RELU, s->x[i], dx, dx));
        dz = dx;
    }
    const ga__map map = { .weight = "weight_0", .bias = "bias_0", .dz = dz };
    status = ga__map_input_backward(run, &map, 1);
done:
    return status;
}

static const ga_tensor_slot tensors[] = { { "weight_I", "(F or h, h)", "linear map I = 0, 1, ...", false,
                                            true },
                                          { "bias_I", "(h)", "of linear map I", true, true },
                                          { .name = NULL } };

static const ga__layer_ops ops = { sizeof(state), false, true, forward, backward };

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
