/* hedgehog.c - linear attention with learned features that mimic a softmax (attention-linear card 6).
 *
 * y = x W + b (+ x); features of width 2 f from y and -y; then linear attention with a row sum. */
#include "config.h"

#include "attention/linear/hedgehog.h"

enum { ACT_EXP, ACT_SOFTMAX, ACT_EXP_DIM, ACT_BOTH };
static const char *const activation_words[] = { [ACT_EXP] = "exp",
                                                [ACT_SOFTMAX] = "softmax-dim",
                                                [ACT_EXP_DIM] = "exp-dim",
                                                [ACT_BOTH] = "softmax-both",
                                                NULL };

static const ga_parameter parameters[] = {
    { "activation", GA_PARAMETER_WORD, "softmax-dim", NULL,
      "feature normalisation; not equivalent to each other", activation_words, GA__ANY },
    { "skip", GA_PARAMETER_BOOL, "0", NULL, "add x to the mapped x (f = d)", GA__ANY },
    { "eps", GA_PARAMETER_REAL, "1e-12", ">= 0", "a row sum not above this in size gives 0", GA__FROM(0) },
    GA__CHUNK,
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "w_q", "(H, d, f)", "map of the queries; absent: identity", .optional = true, .differentiable = true },
    { "w_k", "(G, d, f)", "map of the keys; absent: identity", .optional = true, .differentiable = true },
    { "b_q", "(H, f)", "added to the mapped queries; absent: 0", .optional = true, .differentiable = true },
    { "b_k", "(G, f)", "added to the mapped keys; absent: 0", .optional = true, .differentiable = true },
    { "initial_state", "(B, G, 2f, e+1)", "state to start from", .optional = true },
    { .name = NULL },
};

enum { WEIGHT, BIAS };
static const double least = 1e-12; /* feature of softmax-dim and exp-dim */

typedef struct mapping {
    int activation;
    bool skip;
    int64_t d, f, batch, rows;
    ga__view x, dy, weight, bias, d_weight, d_bias;
} mapping;

static void mapped(const mapping *m, int64_t h, const double *x, double *y)
{
    for (int64_t j = 0; j < m->f; j++) {
        double sum = m->weight.data ? 0 : x[j];
        for (int64_t i = 0; m->weight.data && i < m->d; i++) {
            sum += x[i] * ga__view_get(&m->weight, 0, h, i, j);
        }
        y[j] = sum + (m->bias.data ? ga__view_get(&m->bias, 0, 0, h, j) : 0) + (m->skip ? x[j] : 0);
    }
}

/* exp(a y - most) for one half, divided by the sum where it is a softmax. */
static double half(int64_t f, const double *y, double sign, double most, double *out)
{
    double sum = 0;
    for (int64_t i = 0; i < f; i++) {
        out[i] = exp(sign * y[i] - most);
        sum += out[i];
    }
    return sum;
}

static double largest(int64_t f, const double *y, double sign)
{
    double most = -INFINITY;
    for (int64_t i = 0; i < f; i++) {
        most = sign * y[i] > most || isnan(y[i]) ? sign * y[i] : most;
    }
    return most;
}

/* The features before the floor. */
static void features(const mapping *m, const double *y, double *out)
{
    double twice = m->activation == ACT_BOTH ? 2 : 1, most[2], sum[2];
    for (int i = 0; i < 2; i++) {
        double sign = i ? -twice : twice;
        most[i] = m->activation == ACT_EXP ? 0 : largest(m->f, y, sign);
        if (m->activation == ACT_BOTH) {
            most[i] = fmax(largest(m->f, y, twice), largest(m->f, y, -twice));
        }
        sum[i] = half(m->f, y, sign, most[i], out + i * m->f);
    }
    for (int64_t i = 0; i < 2 * m->f && (m->activation == ACT_SOFTMAX || m->activation == ACT_BOTH); i++) {
        out[i] /= m->activation == ACT_BOTH ? sum[0] + sum[1] : sum[i / m->f];
    }
}

static bool has_floor(const mapping *m)
{
    return m->activation == ACT_SOFTMAX || m->activation == ACT_EXP_DIM;
}

static void feature_row(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *dy,
                        double *out, double *room)
{
    const mapping *m = user;
    (void)b, (void)r, (void)dy;
    mapped(m, h, x, room);
    features(m, room, out);
    for (int64_t i = 0; i < 2 * m->f && has_floor(m); i++) {
        out[i] = out[i] < least ? least : out[i];
    }
}

static double weighted(int64_t n, const double *p, const double *d)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += p[i] * d[i];
    }
    return sum;
}

/* Gradient of y. room: 2 f features, 2 f gradients of them. */
static void back_to_y(const mapping *m, const double *y, const double *upstream, double *dy, double *room)
{
    double *p = room, *d = room + 2 * m->f;
    int64_t f = m->f;
    features(m, y, p);
    for (int64_t i = 0; i < 2 * f; i++) {
        d[i] = has_floor(m) && p[i] < least ? 0 : upstream[i];
    }
    double sum[2] = { weighted(f, p, d), weighted(f, p + f, d + f) };
    double twice = m->activation == ACT_BOTH ? 2 : 1;
    bool softmax = m->activation == ACT_SOFTMAX || m->activation == ACT_BOTH;
    if (m->activation == ACT_BOTH) {
        sum[0] = sum[1] = sum[0] + sum[1];
    }
    for (int64_t i = 0; i < f; i++) {
        dy[i] =
            twice * (p[i] * (d[i] - (softmax ? sum[0] : 0)) - p[f + i] * (d[f + i] - (softmax ? sum[1] : 0)));
    }
    if (m->activation == ACT_EXP_DIM) { /* through the largest and the least y */
        int64_t top = 0, bottom = 0;
        for (int64_t i = 1; i < f; i++) {
            top = y[i] > y[top] ? i : top;
            bottom = y[i] < y[bottom] ? i : bottom;
        }
        if (f > 0) {
            dy[top] -= sum[0];
            dy[bottom] += sum[1];
        }
    }
}

static void feature_back(const void *user, int64_t b, int64_t h, int64_t r, const double *x,
                         const double *upstream, double *out, double *room)
{
    const mapping *m = user;
    double *y = room, *dy = room + m->f;
    (void)b, (void)r;
    mapped(m, h, x, y);
    back_to_y(m, y, upstream, dy, dy + m->f);
    for (int64_t i = 0; i < m->d; i++) {
        double sum = m->weight.data ? 0 : dy[i];
        for (int64_t j = 0; m->weight.data && j < m->f; j++) {
            sum += ga__view_get(&m->weight, 0, h, i, j) * dy[j];
        }
        out[i] = sum + (m->skip ? dy[i] : 0);
    }
}

/* dW = sum x' dy, db = sum dy of a head. */
static void weight_gradients(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const mapping *m = user;
    double *x = room, *up = x + m->d, *y = up + 2 * m->f, *dy = y + m->f, *more = dy + m->f,
           *sum = more + 4 * m->f, *bias = sum + m->d * m->f;
    for (int64_t i = 0; i < (m->d + 1) * m->f; i++) {
        sum[i] = 0;
    }
    for (b = 0; b < m->batch; b++) {
        for (r = 0; r < m->rows; r++) {
            ga__view_load_f64(&m->x, b, h, r, x);
            ga__view_load_f64(&m->dy, b, h, r, up);
            mapped(m, h, x, y);
            back_to_y(m, y, up, dy, more);
            for (int64_t i = 0; i < m->d * m->f; i++) {
                sum[i] += x[i / m->f] * dy[i % m->f];
            }
            for (int64_t j = 0; j < m->f; j++) {
                bias[j] += dy[j];
            }
        }
    }
    for (int64_t i = 0; i < m->d && m->d_weight.data; i++) {
        ga__view_store_f64(&m->d_weight, 0, h, i, sum + i * m->f);
    }
    if (m->d_bias.data) {
        ga__view_store_f64(&m->d_bias, 0, 0, h, bias);
    }
}

static ga_status open_mapping(ga__job *run, const ga__step *step, const DLTensor *x, mapping *m)
{
    ga_status status = GA_OK;
    *m = (mapping){ .activation = (int)ga__part_value(&run->own, "activation")->integer,
                    .skip = ga__part_value(&run->own, "skip")->integer,
                    .d = run->dim,
                    .f = step->kind };
    GA_TRY(ga__view_of(run->context, run->slots[step->slot].name, x, true, &m->x));
    GA_TRY(ga__slot_view(run, step->extra[WEIGHT], &m->weight));
    GA_TRY(ga__slot_view(run, step->extra[BIAS], &m->bias));
    m->batch = m->x.batch;
    m->rows = m->x.rows;
done:
    return status;
}

static ga_status forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    mapping m;
    GA_TRY(open_mapping(run, step, run->slots[step->slot].tensor, &m));
    status = ga__map_forward(run, step, 2 * m.f, m.f, feature_row, &m);
done:
    return status;
}

static ga_status backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    mapping m;
    GA_TRY(open_mapping(run, step, step->before_view, &m));
    GA_TRY(ga__slot_grad_view(run, step->slot, &m.dy));
    GA_TRY(ga__slot_grad_view(run, step->extra[WEIGHT], &m.d_weight));
    GA_TRY(ga__slot_grad_view(run, step->extra[BIAS], &m.d_bias));
    if (m.d_weight.data || m.d_bias.data) {
        GA_TRY(ga__rows(run, 1, m.x.heads, 1, m.d + 8 * m.f + (m.d + 1) * m.f, weight_gradients, &m));
    }
    status = ga__map_backward(run, step, 6 * m.f, feature_back, &m);
done:
    return status;
}

/* ---- what the distillation needs ---- */

ga_status ga__hedgehog_weights_back(ga__job *run, const ga__step *step, const DLTensor *d_features,
                                    const DLTensor *d_weight, const DLTensor *d_bias)
{
    ga_status status = GA_OK;
    mapping m;
    GA_TRY(open_mapping(run, step, step->before_view, &m));
    GA_TRY(ga__view_of(run->context, "features", d_features, true, &m.dy));
    GA_TRY(ga__view_of(run->context, "weights", d_weight, true, &m.d_weight));
    GA_TRY(ga__view_of(run->context, "bias", d_bias, true, &m.d_bias));
    status = ga__rows(run, 1, m.x.heads, 1, m.d + 8 * m.f + (m.d + 1) * m.f, weight_gradients, &m);
done:
    return status;
}

/* ---- the variant ---- */

static ga_status plan_map(ga__job *run, int slot, const char *weight, const char *bias, int64_t heads,
                          ga__step *step)
{
    ga_status status = GA_OK;
    const int64_t dims[] = { heads, run->dim, -1 };
    int64_t f = run->dim;
    *step = (ga__step){ forward, backward, .slot = slot, .extra_count = 2 };
    GA_TRY(ga__slot_shaped(run, weight, 3, dims, &step->extra[WEIGHT]));
    if (step->extra[WEIGHT] >= 0) {
        const DLTensor *given = run->slots[step->extra[WEIGHT]].given;
        f = given->ndim > 0 ? given->shape[given->ndim - 1] : 1;
    }
    const int64_t row[] = { heads, f };
    GA_TRY(ga__slot_shaped(run, bias, 2, row, &step->extra[BIAS]));
    if (f > INT32_MAX / 4 || (ga__part_value(&run->own, "skip")->integer && f != run->dim)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s: width %lld, expected %lld, since skip adds x", weight,
                        (long long)f, (long long)run->dim));
    }
    step->kind = (int)f;
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    ga__step q, k;
    run->scale = 1; /* it cancels */
    run->scan.normalise = true;
    run->scan.eps = ga__part_value(&run->own, "eps")->real;
    run->scan.chunk = ga__part_value(&run->own, "chunk")->integer;
    GA_TRY(plan_map(run, GA__Q, "w_q", "b_q", run->heads, &q));
    GA_TRY(plan_map(run, GA__K, "w_k", "b_k", run->kv_heads, &k));
    if (q.kind != k.kind) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "w_q maps to width %d, w_k to %d: expected the same",
                        q.kind, k.kind));
    }
    ga__step_before(run, q);
    ga__step_before(run, k);
    const int64_t state[] = { run->batch, run->kv_heads, 2 * (int64_t)q.kind, run->dim_v + 1 };
    status = ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state);
done:
    return status;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN,
                                     .plan = plan,
                                     .output = ga__hedgehog_distill };

const ga_variant ga__hedgehog_variant = {
    .name = "hedgehog",
    .summary = "linear attention with learned softmax-mimicking features",
    .source = "The Hedgehog & the Porcupine, 2402.04347",
    .family = "linear",
    .plan =
        "scan; pre: per-head linear map and paired exponentials; normaliser: l1; distill: the loss that trains the "
        "map, distill_NAME: its gradients",
    .outputs = "o, state, distill, distill_w_q, distill_w_k, distill_b_q, distill_b_k",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
