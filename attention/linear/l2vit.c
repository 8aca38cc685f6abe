/* l2vit.c - ReLU linear attention with a clamped denominator and a temperature (attention-linear card 9).
 *
 * o = t num / max(den, clamp). Backward: d num = t dO / m, d t = sum dO . num / m, and where den is above the clamp
 * d den = - t dO . num / den^2. */
#include "config.h"

#include "attention/linear/rows.h"

static const ga_parameter parameters[] = {
    { "clamp", GA_PARAMETER_REAL, "100", "> 0", "least denominator", GA__ABOVE(0) },
    GA__CHUNK,
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "temperature", "(H)", "default: scale", .optional = true, .differentiable = true },
    { "initial_state", "(B, G, d, e+1)", "state to start from", .optional = true },
    { .name = NULL },
};

typedef struct clamped {
    double clamp, scale;
    int64_t e, batch, rows;
    ga__view x, y, dy, temperature, d_temperature;
} clamped;

static double temperature(const clamped *t, int64_t h)
{
    return t->temperature.data ? ga__view_get(&t->temperature, 0, 0, 0, h) : t->scale;
}

static double divisor(const clamped *t, double den)
{
    return den > t->clamp ? den : t->clamp;
}

static void forward_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const clamped *t = user;
    ga__view_load_f64(&t->x, b, h, r, room);
    double factor = temperature(t, h) / divisor(t, room[t->e]);
    for (int64_t c = 0; c < t->e; c++) {
        room[c] *= factor;
    }
    ga__view_store_f64(&t->y, b, h, r, room);
}

static double along(const clamped *t, int64_t b, int64_t h, int64_t r, double *x, double *dy)
{
    double sum = 0;
    ga__view_load_f64(&t->x, b, h, r, x);
    ga__view_load_f64(&t->dy, b, h, r, dy);
    for (int64_t c = 0; c < t->e; c++) {
        sum += dy[c] * x[c];
    }
    return sum;
}

static void backward_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const clamped *t = user;
    double *dy = room + t->e + 1, sum = along(t, b, h, r, room, dy), den = room[t->e];
    double factor = temperature(t, h) / divisor(t, den);
    for (int64_t c = 0; c < t->e; c++) {
        dy[c] *= factor;
    }
    dy[t->e] = den > t->clamp ? -factor * sum / den : 0;
    ga__view_store_f64(&t->y, b, h, r, dy);
}

static void temperature_gradient(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const clamped *t = user;
    double sum = 0;
    (void)b, (void)r;
    for (int64_t i = 0; i < t->batch * t->rows; i++) {
        double part = along(t, i / t->rows, h, i % t->rows, room, room + t->e + 1);
        sum += part / divisor(t, room[t->e]);
    }
    ga__view_set(&t->d_temperature, 0, 0, 0, h, sum);
}

static ga_status open_clamped(ga__job *run, const ga__step *step, const DLTensor *x, clamped *t)
{
    ga_status status = GA_OK;
    *t = (clamped){
        .clamp = step->gain, .scale = step->more, .e = run->dim_v, .batch = run->batch, .rows = run->queries
    };
    GA_TRY(ga__view_of(run->context, "o", x, true, &t->x));
    status = ga__slot_view(run, step->extra[0], &t->temperature);
done:
    return status;
}

static ga_status forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    clamped t;
    DLTensor *made = NULL;
    const int64_t shape[] = { run->batch, run->heads, run->queries, run->dim_v };
    GA_TRY(open_clamped(run, step, run->o, &t));
    GA_TRY(ga__tensor_new(run, 4, shape, &made));
    GA_TRY(ga__view_of(run->context, "o", made, true, &t.y));
    GA_TRY(ga__rows(run, run->batch, run->heads, run->queries, t.e + 1, forward_row, &t));
    ga__step_replace_o(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    clamped t;
    DLTensor *made = NULL;
    const int64_t shape[] = { run->batch, run->heads, run->queries, run->dim_v + 1 };
    GA_TRY(open_clamped(run, step, step->before_view, &t));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &t.dy));
    GA_TRY(ga__slot_grad_view(run, step->extra[0], &t.d_temperature));
    GA_TRY(ga__tensor_new(run, 4, shape, &made));
    GA_TRY(ga__view_of(run->context, "grad_o", made, true, &t.y));
    if (t.d_temperature.data) {
        GA_TRY(ga__rows(run, 1, run->heads, 1, 2 * (t.e + 1), temperature_gradient, &t));
    }
    GA_TRY(ga__rows(run, run->batch, run->heads, run->queries, 2 * (t.e + 1), backward_row, &t));
    ga_tensor_destroy(run->context, run->grad_o);
    run->grad_o = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const int64_t state[] = { run->batch, run->kv_heads, run->dim, run->dim_v + 1 };
    double scale = isnan(run->scale) ? 1 / sqrt(fmax((double)run->dim, 1)) : run->scale;
    ga__step step = { forward,       backward,
                      .slot = GA__Q, .gain = ga__part_value(&run->own, "clamp")->real,
                      .more = scale, .extra_count = 1 };
    run->scale = 1;
    run->scan.chunk = ga__part_value(&run->own, "chunk")->integer;
    GA_TRY(ga__slot_shaped(run, "temperature", 1, &run->heads, &step.extra[0]));
    ga__step_before(run, ga__step_feature(GA__Q, GA__RELU, 1));
    ga__step_before(run, ga__step_feature(GA__K, GA__RELU, 1));
    ga__step_before(run, ga__step_ones(GA__V));
    ga__step_behind(run, step);
    status = ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state);
done:
    return status;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN, .plan = plan };

const ga_variant ga__l2vit_variant = {
    .name = "l2vit",
    .summary = "ReLU linear attention with clamped denominator and temperature",
    .source = "The Linear Attention Resurrection in Vision Transformer, 2501.16182",
    .family = "linear",
    .plan =
        "two products (full) or scan (causal); pre: relu; normaliser: max(row sum, clamp); post: temperature",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
