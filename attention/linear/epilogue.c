/* epilogue.c - o <- norm(o) * act(gate) behind a recurrence (attention-linear 0.7 and card 16).
 *
 * A slice is what one norm reads: the columns of a head, or all columns of a token. Backward, y the normalised slice:
 * d gate = dO y act'(gate), dy = dO act(gate) weight, and through the norm
 *     rms, srms  dx = r (dy - y mean(dy y)),   layer  dx = r (dy - mean dy - y mean(dy y)). */
#include "config.h"

#include "attention/linear/rows.h"

const char *const ga__norm_words[] = { [GA__NORM_NONE] = "none",
                                       [GA__NORM_RMS] = "rms",
                                       [GA__NORM_SRMS] = "srms",
                                       [GA__NORM_LAYER] = "layer",
                                       NULL };
const char *const ga__norm_scope_words[] = { "head", "all", NULL };
enum { GATE_RAW, GATE_SIGMOID, GATE_SILU };
const char *const ga__gate_words[] = {
    [GATE_RAW] = "none", [GATE_SIGMOID] = "sigmoid", [GATE_SILU] = "silu", NULL
};

enum { WEIGHT, BIAS, GATE };

typedef struct epilogue {
    ga__norm norm;
    bool all;
    int gate_form;
    double eps;
    int64_t e, slices, columns; /* columns of a slice */
    int64_t batch, rows;
    ga__view x, y, grad;         /* o before and behind; grad_o, changed in place */
    ga__view weight, bias, gate; /* without data: absent */
    ga__view d_weight, d_bias, d_gate;
} epilogue;

double ga__norm_row(ga__norm norm, double eps, int64_t n, const double *x, double *y)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n && norm == GA__NORM_LAYER; i++) {
        mean += x[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        square += (x[i] - mean) * (x[i] - mean);
    }
    double r = norm == GA__NORM_NONE ? 1 : 1 / sqrt(square / (double)n + eps);
    for (int64_t i = 0; i < n; i++) {
        y[i] = (x[i] - mean) * r;
    }
    return r;
}

void ga__norm_row_back(ga__norm norm, double r, int64_t n, const double *y, const double *dy, double *dx)
{
    double mean = 0, along = 0;
    for (int64_t i = 0; i < n && norm != GA__NORM_NONE; i++) {
        mean += norm == GA__NORM_LAYER ? dy[i] / (double)n : 0;
        along += dy[i] * y[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        dx[i] = r * (dy[i] - mean - y[i] * along);
    }
}

static double activate(int form, double x)
{
    return form == GATE_RAW ? x : form == GATE_SIGMOID ? ga__logistic(x) : x * ga__logistic(x);
}

static double activate_slope(int form, double x)
{
    double s = ga__logistic(x);
    return form == GATE_RAW ? 1 : form == GATE_SIGMOID ? s * (1 - s) : s * (1 + x * (1 - s));
}

/* A slice is heads first .. of a row. */
static void load(const epilogue *e, const ga__view *view, int64_t b, int64_t slice, int64_t r, double *out)
{
    int64_t heads = e->columns / ga__max(e->e, 1);
    for (int64_t h = 0; h < heads; h++) {
        ga__view_load_f64(view, b, slice * heads + h, r, out + h * e->e);
    }
}

static void store(const epilogue *e, const ga__view *view, int64_t b, int64_t slice, int64_t r,
                  const double *values)
{
    int64_t heads = e->columns / ga__max(e->e, 1);
    for (int64_t h = 0; h < heads; h++) {
        ga__view_store_f64(view, b, slice * heads + h, r, values + h * e->e);
    }
}

static double weight_of(const epilogue *e, int64_t column)
{
    return e->weight.data ? ga__view_get(&e->weight, 0, 0, 0, column) : 1;
}

static double bias_of(const epilogue *e, int64_t column)
{
    return e->bias.data ? ga__view_get(&e->bias, 0, 0, 0, column) : 0;
}

static void forward_row(void *user, int64_t b, int64_t slice, int64_t r, double *room)
{
    const epilogue *e = user;
    double *gate = room + e->columns;
    load(e, &e->x, b, slice, r, room);
    ga__norm_row(e->norm, e->eps, e->columns, room, room);
    if (e->gate.data) {
        load(e, &e->gate, b, slice, r, gate);
    }
    for (int64_t c = 0; c < e->columns; c++) {
        int64_t column = slice * e->columns + c;
        room[c] = room[c] * weight_of(e, column) + bias_of(e, column);
        room[c] *= e->gate.data ? activate(e->gate_form, gate[c]) : 1;
    }
    store(e, &e->y, b, slice, r, room);
}

/* room: y, gate, dO; leaves dO act(gate) in dO. Returns r. */
static double upstream(const epilogue *e, int64_t b, int64_t slice, int64_t r, double *room)
{
    double *gate = room + e->columns, *up = gate + e->columns;
    load(e, &e->x, b, slice, r, room);
    load(e, &e->grad, b, slice, r, up);
    double factor = ga__norm_row(e->norm, e->eps, e->columns, room, room);
    if (e->gate.data) {
        load(e, &e->gate, b, slice, r, gate);
    }
    for (int64_t c = 0; c < e->columns && e->gate.data; c++) {
        int64_t column = slice * e->columns + c;
        double normed = room[c] * weight_of(e, column) + bias_of(e, column), x = gate[c];
        gate[c] = up[c] * normed * activate_slope(e->gate_form, x);
        up[c] *= activate(e->gate_form, x);
    }
    return factor;
}

static void backward_row(void *user, int64_t b, int64_t slice, int64_t r, double *room)
{
    const epilogue *e = user;
    double *gate = room + e->columns, *up = gate + e->columns;
    double factor = upstream(e, b, slice, r, room);
    if (e->d_gate.data) {
        store(e, &e->d_gate, b, slice, r, gate);
    }
    for (int64_t c = 0; c < e->columns; c++) {
        up[c] *= weight_of(e, slice * e->columns + c);
    }
    ga__norm_row_back(e->norm, factor, e->columns, room, up, up);
    store(e, &e->grad, b, slice, r, up);
}

/* Sums over batch and rows, before the gradient of o is changed. */
static void backward_weights(void *user, int64_t b, int64_t slice, int64_t r, double *room)
{
    const epilogue *e = user;
    double *up = room + 2 * e->columns, *weight = up + e->columns, *bias = weight + e->columns;
    (void)b, (void)r;
    for (int64_t c = 0; c < e->columns; c++) {
        weight[c] = bias[c] = 0;
    }
    for (int64_t i = 0; i < e->batch * e->rows; i++) {
        (void)upstream(e, i / e->rows, slice, i % e->rows, room);
        for (int64_t c = 0; c < e->columns; c++) {
            weight[c] += up[c] * room[c];
            bias[c] += up[c];
        }
    }
    for (int64_t c = 0; c < e->columns; c++) {
        if (e->d_weight.data) {
            ga__view_set(&e->d_weight, 0, 0, 0, slice * e->columns + c, weight[c]);
        }
        if (e->d_bias.data) {
            ga__view_set(&e->d_bias, 0, 0, 0, slice * e->columns + c, bias[c]);
        }
    }
}

static ga_status open_epilogue(ga__job *run, const ga__step *step, const DLTensor *x, epilogue *e)
{
    ga_status status = GA_OK;
    *e = (epilogue){ .norm = (ga__norm)(step->kind & 3),
                     .all = step->kind >> 2 & 1,
                     .gate_form = step->kind >> 3,
                     .eps = step->gain,
                     .batch = run->batch,
                     .rows = run->queries };
    GA_TRY(ga__view_of(run->context, "o", x, true, &e->x));
    GA_TRY(ga__slot_view(run, step->extra[WEIGHT], &e->weight));
    GA_TRY(ga__slot_view(run, step->extra[BIAS], &e->bias));
    GA_TRY(ga__slot_view(run, step->extra[GATE], &e->gate));
    e->e = e->x.columns;
    e->slices = e->all ? 1 : e->x.heads;
    e->columns = e->all ? e->x.heads * e->e : e->e;
done:
    return status;
}

static ga_status forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    epilogue e;
    DLTensor *made = NULL;
    GA_TRY(open_epilogue(run, step, run->o, &e));
    GA_TRY(ga__tensor_new(run, run->o->ndim, run->o->shape, &made));
    GA_TRY(ga__view_of(run->context, "o", made, true, &e.y));
    GA_TRY(ga__rows(run, e.batch, e.slices, e.rows, 2 * e.columns, forward_row, &e));
    ga__step_replace_o(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    epilogue e;
    GA_TRY(open_epilogue(run, step, step->before_view, &e));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &e.grad));
    GA_TRY(ga__slot_grad_view(run, step->extra[WEIGHT], &e.d_weight));
    GA_TRY(ga__slot_grad_view(run, step->extra[BIAS], &e.d_bias));
    GA_TRY(ga__slot_grad_view(run, step->extra[GATE], &e.d_gate));
    if (e.d_weight.data || e.d_bias.data) {
        GA_TRY(ga__rows(run, 1, e.slices, 1, 5 * e.columns, backward_weights, &e));
    }
    status = ga__rows(run, e.batch, e.slices, e.rows, 3 * e.columns, backward_row, &e);
done:
    return status;
}

ga_status ga__epilogue(ga__job *run)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    ga__norm norm = (ga__norm)ga__part_value(own, "norm")->integer;
    const ga__value *eps = ga__part_value(own, "norm_eps");
    const int64_t width[] = { run->heads * run->dim_v };
    const int64_t gate[] = { run->batch, run->heads, run->queries, run->dim_v };
    ga__step step = { forward, backward, .slot = GA__V, .extra_count = 3 };
    GA_TRY(ga__slot_shaped(run, "norm_weight", 1, width, &step.extra[WEIGHT]));
    GA_TRY(ga__slot_shaped(run, "norm_bias", 1, width, &step.extra[BIAS]));
    GA_TRY(ga__slot_shaped(run, "gate", 4, gate, &step.extra[GATE]));
    if (step.extra[WEIGHT] >= 0 && norm != GA__NORM_RMS && norm != GA__NORM_LAYER) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "norm_weight: expected norm rms or layer"));
    }
    if (step.extra[BIAS] >= 0 && norm != GA__NORM_LAYER) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "norm_bias: expected norm layer"));
    }
    step.kind = (int)norm | (int)ga__part_value(own, "norm_scope")->integer << 2 |
                (int)ga__part_value(own, "gate_activation")->integer << 3;
    step.gain = eps->given ? eps->real : norm == GA__NORM_LAYER ? 1e-5 : 1e-6;
    if (norm != GA__NORM_NONE || step.extra[GATE] >= 0) {
        ga__step_behind(run, step);
    }
done:
    return status;
}
