/* gated.c - softmax attention with a gate on the output, v, k or q (attention-linear card 4).
 *
 * y = x f(g), or x + f(g): dx = dy f(g) or dy, dg = dy x f'(g) or dy f'(g), summed over the axes of g that are 1. */
#include "config.h"

#include "attention/decode.h"
#include "attention/linear/rows.h"

enum { AT_OUTPUT, AT_VALUE, AT_KEY, AT_QUERY };
static const char *const position_words[] = {
    [AT_OUTPUT] = "output", [AT_VALUE] = "value", [AT_KEY] = "key", [AT_QUERY] = "query", NULL
};
enum { FORM_SIGMOID, FORM_HALF, FORM_ADD };
static const char *const form_words[] = {
    [FORM_SIGMOID] = "sigmoid", [FORM_HALF] = "half-sigmoid", [FORM_ADD] = "add-silu", NULL
};

static const ga_parameter parameters[] = {
    { "gate_position", GA_PARAMETER_WORD, "output", NULL, "what is gated", position_words, GA__ANY },
    { "gate_form", GA_PARAMETER_WORD, "sigmoid", NULL, "how", form_words, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "gate", "(B, H or G or 1, tokens, width or 1)",
      "logits; H and Nq for output and query, G and Nk for value and key", .differentiable = true },
    { .name = NULL },
};

typedef struct gating {
    int form;
    ga__view x, y, dy, gate, d_gate; /* y: result, or the gradient of x */
} gating;

static double gate_value(int form, double g)
{
    double s = ga__logistic(g);
    return form == FORM_SIGMOID ? s : form == FORM_HALF ? 0.5 + 0.5 * s : g * s;
}

static double gate_slope(int form, double g)
{
    double s = ga__logistic(g);
    return form == FORM_SIGMOID ? s * (1 - s) : form == FORM_HALF ? 0.5 * s * (1 - s) : s * (1 + g * (1 - s));
}

static double logit(const gating *t, int64_t b, int64_t h, int64_t r, int64_t c)
{
    return ga__view_get(&t->gate, b, t->gate.heads == 1 ? 0 : h, r, t->gate.columns == 1 ? 0 : c);
}

static void forward_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const gating *t = user;
    ga__view_load_f64(&t->x, b, h, r, room);
    for (int64_t c = 0; c < t->x.columns; c++) {
        double f = gate_value(t->form, logit(t, b, h, r, c));
        room[c] = t->form == FORM_ADD ? room[c] + f : room[c] * f;
    }
    ga__view_store_f64(&t->y, b, h, r, room);
}

static void backward_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const gating *t = user;
    ga__view_load_f64(&t->dy, b, h, r, room);
    for (int64_t c = 0; c < t->x.columns; c++) {
        room[c] *= t->form == FORM_ADD ? 1 : gate_value(t->form, logit(t, b, h, r, c));
    }
    ga__view_store_f64(&t->y, b, h, r, room);
}

/* One row of the gate; the heads and columns that share an element are summed in their order. */
static void gate_gradient(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const gating *t = user;
    int64_t first = t->d_gate.heads == 1 ? 0 : h, last = t->d_gate.heads == 1 ? t->x.heads : h + 1;
    for (int64_t c = 0; c < t->d_gate.columns; c++) {
        room[c] = 0;
    }
    for (int64_t head = first; head < last; head++) {
        for (int64_t c = 0; c < t->x.columns; c++) {
            double x = t->form == FORM_ADD ? 1 : ga__view_get(&t->x, b, head, r, c);
            room[t->d_gate.columns == 1 ? 0 : c] +=
                ga__view_get(&t->dy, b, head, r, c) * x * gate_slope(t->form, logit(t, b, head, r, c));
        }
    }
    ga__view_store_f64(&t->d_gate, b, h, r, room);
}

static ga_status open_gating(ga__job *run, const ga__step *step, const DLTensor *x, gating *t)
{
    ga_status status = GA_OK;
    *t = (gating){ .form = (int)ga__part_value(&run->own, "gate_form")->integer };
    GA_TRY(ga__view_of(run->context, "gated", x, true, &t->x));
    status = ga__slot_view(run, step->extra[0], &t->gate);
done:
    return status;
}

static ga_status apply(ga__job *run, ga__step *step, const DLTensor *x, DLTensor **made)
{
    ga_status status = GA_OK;
    gating t;
    GA_TRY(open_gating(run, step, x, &t));
    GA_TRY(ga__tensor_new(run, x->ndim, x->shape, made));
    GA_TRY(ga__view_of(run->context, "gated", *made, true, &t.y));
    status = ga__rows(run, t.x.batch, t.x.heads, t.x.rows, t.x.columns, forward_row, &t);
done:
    return status;
}

/* grad: of the result, changed in place into that of x. */
static ga_status apply_back(ga__job *run, const ga__step *step, const DLTensor *grad)
{
    ga_status status = GA_OK;
    gating t;
    GA_TRY(open_gating(run, step, step->before_view, &t));
    GA_TRY(ga__view_of(run->context, "gated", grad, true, &t.dy));
    GA_TRY(ga__slot_grad_view(run, step->extra[0], &t.d_gate));
    t.y = t.dy;
    if (t.d_gate.data) {
        GA_TRY(
            ga__rows(run, t.d_gate.batch, t.d_gate.heads, t.d_gate.rows, t.x.columns + 1, gate_gradient, &t));
    }
    status = ga__rows(run, t.x.batch, t.x.heads, t.x.rows, t.x.columns, backward_row, &t);
done:
    return status;
}

static ga_status before_forward(ga__job *run, ga__step *step)
{
    DLTensor *made = NULL;
    ga_status status = apply(run, step, run->slots[step->slot].tensor, &made);
    if (status == GA_OK) {
        ga__step_replace(run, step, made);
    } else {
        ga_tensor_destroy(run->context, made);
    }
    return status;
}

static ga_status before_backward(ga__job *run, ga__step *step)
{
    return apply_back(run, step, run->slots[step->slot].grad);
}

static ga_status behind_forward(ga__job *run, ga__step *step)
{
    DLTensor *made = NULL;
    ga_status status = apply(run, step, run->o, &made);
    if (status == GA_OK) {
        ga__step_replace_o(run, step, made);
    } else {
        ga_tensor_destroy(run->context, made);
    }
    return status;
}

static ga_status behind_backward(ga__job *run, ga__step *step)
{
    return apply_back(run, step, run->grad_o);
}

/* The gate must have 1 or all heads, and 1 or all columns, of what it gates. */
static ga_status check_gate(ga__job *run, int gate, bool query_side, int64_t width)
{
    const DLTensor *t = run->slots[gate].given;
    int64_t heads = query_side ? run->heads : run->kv_heads, rows = query_side ? run->queries : run->keys;
    bool one_head = t->ndim < 3 || t->shape[t->ndim - 3] == 1;
    bool one_column = t->ndim > 0 && t->shape[t->ndim - 1] == 1;
    const int64_t dims[] = { run->batch, one_head ? 1 : heads, rows, one_column ? 1 : width };
    return ga__slot_fits(run, gate, false, 4, dims);
}

static ga_status plan(ga__job *run)
{
    static const int slots[] = {
        [AT_OUTPUT] = GA__Q, [AT_VALUE] = GA__V, [AT_KEY] = GA__K, [AT_QUERY] = GA__Q
    };
    ga_status status = GA_OK;
    int position = (int)ga__part_value(&run->own, "gate_position")->integer,
        gate = ga__slot_find(run, "gate");
    bool wide = position == AT_OUTPUT || position == AT_VALUE;
    ga__step step = { .slot = slots[position], .extra_count = 1, .extra = { gate } };
    GA_TRY(
        check_gate(run, gate, position == AT_OUTPUT || position == AT_QUERY, wide ? run->dim_v : run->dim));
    if (position == AT_OUTPUT) {
        step.forward = behind_forward;
        step.backward = behind_backward;
        ga__step_behind(run, step);
    } else {
        step.forward = before_forward;
        step.backward = before_backward;
        ga__step_before(run, step);
    }
done:
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    int64_t position = ga__part_value(&run->own, "gate_position")->integer;
    how->tokens_of_keys = position == AT_VALUE || position == AT_KEY;
    return GA_OK;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan,
                                     .softmax_only = true,
                                     .decode = decode };

const ga_variant ga__gated_variant = {
    .name = "gated",
    .summary = "softmax attention with a sigmoid gate on the output, v, k or q",
    .source = "Gated Attention for Large Language Models, 2505.06708",
    .family = "linear",
    .plan = "pattern: any; score: scaled dot; normaliser: softmax; post (or pre): gate",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_TAKES_PATTERN,
    .ops = &ops,
};
