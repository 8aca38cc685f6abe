/* selective.c - softmax attention with a temperature per query and per value (attention-linear card 3).
 *
 * tau_q = 1 + coef_h ln n_i + tanh(w_q . q + logit_q),  tau_v = 1 + tanh(w_v . v + logit_v); q and v are multiplied by
 * theirs. Backward, y = tau x: dtau = dy . x, du = dtau (1 - tanh^2), dx = tau dy + du w, dw = sum du x, dlogit = du. */
#include "config.h"

#include "attention/linear/rows.h"

enum { FORM_SIGMOID, FORM_EXP, FORM_NONE };
static const char *const form_words[] = {
    [FORM_SIGMOID] = "sigmoid", [FORM_EXP] = "exp", [FORM_NONE] = "none", NULL
};

static const ga_parameter parameters[] = {
    { "position_form", GA_PARAMETER_WORD, "sigmoid", NULL,
      "coefficient of ln n_i: sigma(alpha) or exp(-exp(alpha))", form_words, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "alpha", "(H)", "position coefficient; absent: none", .optional = true, .differentiable = true },
    { "w_q", "(H, d)", "token temperature of queries", .optional = true, .differentiable = true },
    { "w_v", "(G, e)", "token temperature of values", .optional = true, .differentiable = true },
    { "logit_q", "(B, H, Nq)", "added before tanh", .optional = true, .differentiable = true },
    { "logit_v", "(B, G, Nk)", "added before tanh", .optional = true, .differentiable = true },
    { .name = NULL },
};

enum { WEIGHT, LOGIT, ALPHA };

typedef struct temperature {
    const ga__job *run;
    int form;
    int64_t batch, rows, columns;
    ga__view x, dy, weight, logit, alpha; /* without data: absent */
    ga__view d_weight, d_logit, d_alpha;
} temperature;

static double coefficient(const temperature *t, int64_t h)
{
    if (!t->alpha.data || t->form == FORM_NONE) {
        return 0;
    }
    double alpha = ga__view_get(&t->alpha, 0, 0, 0, h);
    return t->form == FORM_SIGMOID ? ga__logistic(alpha) : exp(-exp(alpha));
}

static double log_length(const temperature *t, int64_t h, int64_t r)
{
    int64_t n = t->alpha.data ? ga_pattern_row_length(t->run->pattern, h, r) : 1;
    return n > 0 ? log((double)n) : 0;
}

/* tanh(w . x + logit) */
static double token_part(const temperature *t, int64_t b, int64_t h, int64_t r, const double *x)
{
    double u = t->logit.data ? ga__view_get(&t->logit, 0, b, h, r) : 0;
    for (int64_t c = 0; t->weight.data && c < t->columns; c++) {
        u += ga__view_get(&t->weight, 0, 0, h, c) * x[c];
    }
    return tanh(u);
}

static double tau_of(const temperature *t, int64_t b, int64_t h, int64_t r, const double *x)
{
    return 1 + coefficient(t, h) * log_length(t, h, r) + token_part(t, b, h, r, x);
}

static void scale_row(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *y,
                      double *out, double *room)
{
    const temperature *t = user;
    double tau = tau_of(t, b, h, r, x);
    (void)y, (void)room;
    for (int64_t c = 0; c < t->columns; c++) {
        out[c] = tau * x[c];
    }
}

/* dtau */
static double along(const temperature *t, const double *x, const double *dy)
{
    double sum = 0;
    for (int64_t c = 0; c < t->columns; c++) {
        sum += dy[c] * x[c];
    }
    return sum;
}

static void scale_back(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *dy,
                       double *out, double *room)
{
    const temperature *t = user;
    double tau = tau_of(t, b, h, r, x), token = token_part(t, b, h, r, x);
    double du = along(t, x, dy) * (1 - token * token);
    (void)room;
    for (int64_t c = 0; c < t->columns; c++) {
        out[c] = tau * dy[c] + (t->weight.data ? du * ga__view_get(&t->weight, 0, 0, h, c) : 0);
    }
    if (t->d_logit.data) {
        ga__view_set(&t->d_logit, 0, b, h, r, du);
    }
}

/* Sums of a head. */
static void head_gradients(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const temperature *t = user;
    double *x = room, *dy = x + t->columns, *sum = dy + t->columns, position = 0;
    for (int64_t c = 0; c < t->columns; c++) {
        sum[c] = 0;
    }
    for (b = 0; b < t->batch; b++) {
        for (r = 0; r < t->rows; r++) {
            ga__view_load_f64(&t->x, b, h, r, x);
            ga__view_load_f64(&t->dy, b, h, r, dy);
            double dtau = along(t, x, dy), token = token_part(t, b, h, r, x);
            position += dtau * log_length(t, h, r);
            for (int64_t c = 0; c < t->columns; c++) {
                sum[c] += dtau * (1 - token * token) * x[c];
            }
        }
    }
    if (t->d_weight.data) {
        ga__view_store_f64(&t->d_weight, 0, 0, h, sum);
    }
    if (t->d_alpha.data) {
        double coef = coefficient(t, h), slope = t->form == FORM_SIGMOID ? coef * (1 - coef) : 0;
        slope = t->form == FORM_EXP ? -coef * exp(ga__view_get(&t->alpha, 0, 0, 0, h)) : slope;
        ga__view_set(&t->d_alpha, 0, 0, 0, h, slope == 0 ? 0 : position * slope);
    }
}

static ga_status open_temperature(ga__job *run, const ga__step *step, const DLTensor *x, temperature *t)
{
    ga_status status = GA_OK;
    *t = (temperature){ .run = run, .form = (int)ga__part_value(&run->own, "position_form")->integer };
    GA_TRY(ga__view_of(run->context, run->slots[step->slot].name, x, true, &t->x));
    GA_TRY(ga__slot_view(run, step->extra[WEIGHT], &t->weight));
    GA_TRY(ga__slot_view(run, step->extra[LOGIT], &t->logit));
    GA_TRY(ga__slot_view(run, step->extra[ALPHA], &t->alpha));
    t->batch = t->x.batch;
    t->rows = t->x.rows;
    t->columns = t->x.columns;
done:
    return status;
}

static ga_status forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    temperature t;
    GA_TRY(open_temperature(run, step, run->slots[step->slot].tensor, &t));
    status = ga__map_forward(run, step, t.columns, 0, scale_row, &t);
done:
    return status;
}

static ga_status backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    temperature t;
    GA_TRY(open_temperature(run, step, step->before_view, &t));
    GA_TRY(ga__slot_grad_view(run, step->slot, &t.dy));
    GA_TRY(ga__slot_grad_view(run, step->extra[WEIGHT], &t.d_weight));
    GA_TRY(ga__slot_grad_view(run, step->extra[LOGIT], &t.d_logit));
    GA_TRY(ga__slot_grad_view(run, step->extra[ALPHA], &t.d_alpha));
    if (t.d_weight.data || t.d_alpha.data) {
        GA_TRY(ga__rows(run, 1, t.x.heads, 1, 3 * t.columns, head_gradients, &t));
    }
    status = ga__map_backward(run, step, 0, scale_back, &t);
done:
    return status;
}

/* tau_q or tau_v */
static ga_status output(ga__job *run, const char *name, DLTensor **out)
{
    ga_status status = GA_OK;
    const ga__step *step = &run->before[name[4] == 'q' ? 0 : 1];
    temperature t;
    ga__view to;
    double *row = NULL;
    DLTensor *made = NULL;
    GA_TRY(open_temperature(run, step, step->before_view, &t));
    const int64_t shape[] = { t.batch, t.x.heads, t.rows };
    GA_TRY(ga__tensor_new(run, 3, shape, &made));
    GA_TRY(ga__view_of(run->context, name, made, true, &to));
    GA_TRY(GA_NEW(run->context, ga__max(t.columns, 1), &row));
    for (int64_t i = 0; i < t.batch * t.x.heads * t.rows; i++) {
        int64_t b = i / t.rows / t.x.heads, h = i / t.rows % t.x.heads, r = i % t.rows;
        ga__view_load_f64(&t.x, b, h, r, row);
        ga__view_set(&to, 0, b, h, r, tau_of(&t, b, h, r, row));
    }
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    ga_free(run->context, row);
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const int64_t w_q[] = { run->heads, run->dim }, w_v[] = { run->kv_heads, run->dim_v };
    const int64_t logit_q[] = { run->batch, run->heads, run->queries };
    const int64_t logit_v[] = { run->batch, run->kv_heads, run->keys };
    ga__step q = { forward, backward, .slot = GA__Q, .extra_count = 3, .extra = { -1, -1, -1 } };
    ga__step v = { forward, backward, .slot = GA__V, .extra_count = 3, .extra = { -1, -1, -1 } };
    GA_TRY(ga__slot_shaped(run, "w_q", 2, w_q, &q.extra[WEIGHT]));
    GA_TRY(ga__slot_shaped(run, "w_v", 2, w_v, &v.extra[WEIGHT]));
    GA_TRY(ga__slot_shaped(run, "logit_q", 3, logit_q, &q.extra[LOGIT]));
    GA_TRY(ga__slot_shaped(run, "logit_v", 3, logit_v, &v.extra[LOGIT]));
    GA_TRY(ga__slot_shaped(run, "alpha", 1, &run->heads, &q.extra[ALPHA]));
    ga__step_before(run, q);
    ga__step_before(run, v);
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan,
                                     .output = output,
                                     .softmax_only = true };

const ga_variant ga__selective_variant = {
    .name = "selective",
    .summary = "SSA: a temperature per query and per value",
    .source = "Selective Attention: Enhancing Transformer through Principled Context Control, 2411.12892",
    .family = "linear",
    .plan =
        "pattern: any; score: scaled dot with temperature per query; normaliser: softmax; pre: values scaled per "
        "token",
    .outputs = "o, lse, map, tau_q, tau_v",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_TAKES_PATTERN,
    .ops = &ops,
};
