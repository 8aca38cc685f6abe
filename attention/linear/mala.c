/* mala.c - magnitude-aware linear attention: beta and gamma instead of a row sum (attention-linear card 7).
 *
 * z = c phi(q) . k1,  o = (1 + 1/(z + eps)) c phi~(q) S - (z/n) v1,  c = scale / n or 1; then + LePE(v), then * gate. */
#include "config.h"

#include "attention/decode.h"
#include "attention/linear/moments.h"

static const char *const scaling_words[] = { "code", "none", NULL };

static const ga_parameter parameters[] = {
    { "feature", GA_PARAMETER_WORD, "elu1", "positive", "feature map", ga__feature_words, GA__ANY },
    { "scaling", GA_PARAMETER_WORD, "code", NULL, "c_i = scale/n_i, or 1", scaling_words, GA__ANY },
    { "eps", GA_PARAMETER_REAL, "1e-6", ">= 0", "in 1/(z + eps)", GA__FROM(0) },
    GA__CHUNK,
    { "rope", GA_PARAMETER_BOOL, "0", NULL, "2-D rotary features in the product", GA__ANY },
    { "shape", GA_PARAMETER_INT_LIST, NULL, "Y,X", "token grid, row-major", GA__FROM(1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "lepe", "(H*e, 5, 5)", "depthwise convolution of v", .optional = true },
    { "lepe_bias", "(H*e)", "bias of that convolution", .optional = true },
    { "gate", "(B, H, N, e)", "multiplied raw", .optional = true },
    { "initial_state", "(B, G, d+1, e+1)", "state to start from", .optional = true },
    { .name = NULL },
};

static void factors(const ga__moments_row *row, double eps, double *factor_a, double *factor_v)
{
    double z = row->c * row->z;
    *factor_a = (1 + 1 / (z + eps)) * row->c;
    *factor_v = -z / row->n;
}

static double grad_z(const ga__moments_row *row, double eps, double along_a, double along_v)
{
    double z = row->c * row->z;
    return row->c * (-row->c * along_a / ((z + eps) * (z + eps)) - along_v / row->n);
}

static const ga__moments_form form = { factors, grad_z };

/* ---- the raw gate ---- */

typedef struct gating {
    ga__view x, y, gate;
} gating;

static void gate_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const gating *t = user;
    ga__view_load_f64(&t->x, b, h, r, room);
    for (int64_t c = 0; c < t->x.columns; c++) {
        room[c] *= ga__view_get(&t->gate, b, h, r, c);
    }
    ga__view_store_f64(&t->y, b, h, r, room);
}

static ga_status multiply(ga__job *run, const ga__step *step, const DLTensor *x, const DLTensor *y)
{
    ga_status status = GA_OK;
    gating t;
    GA_TRY(ga__view_of(run->context, "o", x, true, &t.x));
    GA_TRY(ga__view_of(run->context, "o", y, true, &t.y));
    GA_TRY(ga__slot_view(run, step->extra[0], &t.gate));
    status = ga__rows(run, t.x.batch, t.x.heads, t.x.rows, t.x.columns, gate_row, &t);
done:
    return status;
}

static ga_status gate_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    GA_TRY(ga__tensor_new(run, run->o->ndim, run->o->shape, &made));
    GA_TRY(multiply(run, step, run->o, made));
    ga__step_replace_o(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status gate_backward(ga__job *run, ga__step *step)
{
    return multiply(run, step, run->grad_o, run->grad_o);
}

static ga_status plan_rope(ga__job *run, int64_t *width)
{
    ga_status status = GA_OK;
    int64_t shape[2];
    *width = 0;
    if (!ga__part_value(&run->own, "rope")->integer) {
        goto done;
    }
    if (run->dim % 4 != 0 || run->queries != run->keys) {
        GA_TRY(ga__part_refuse(&run->own, "rope", "d divisible by 4 and as many queries as keys"));
    }
    GA_TRY(ga__image_shape(run, run->keys, shape));
    *width = shape[1];
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    const int64_t kernel[] = { run->heads * run->dim_v, 5, 5 }, bias[] = { run->heads * run->dim_v };
    const int64_t dims[] = { run->batch, run->heads, run->queries, run->dim_v };
    int64_t width;
    int lepe, lepe_bias, gate;
    GA_TRY(plan_rope(run, &width));
    GA_TRY(ga__moments_plan(run, &form, (ga__feature)ga__part_value(own, "feature")->integer, 1,
                            ga__part_value(own, "eps")->real, width));
    GA_TRY(ga__slot_shaped(run, "lepe", 3, kernel, &lepe));
    GA_TRY(ga__slot_shaped(run, "lepe_bias", 1, bias, &lepe_bias));
    GA_TRY(ga__slot_shaped(run, "gate", 4, dims, &gate));
    if (lepe >= 0) {
        GA_TRY(ga__image_step(run, lepe, lepe_bias, 0));
    } else if (lepe_bias >= 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "lepe_bias needs lepe"));
    }
    if (gate >= 0) {
        ga__step_behind(run, (ga__step){ gate_forward, gate_backward, .slot = GA__V, .extra_count = 1,
                                         .extra = { gate } });
    }
done:
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    if (ga__slot_find(run, "lepe") >= 0 || ga__part_value(&run->own, "rope")->integer) {
        return ga__fail(run->context, GA_INVALID, "mala: lepe and rope need the whole image, not one token");
    }
    return GA_OK;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN,
                                     .plan = plan,
                                     .state = ga__moments_state,
                                     .map = ga__moments_map,
                                     .decode = decode };

const ga_variant ga__mala_variant = {
    .name = "mala",
    .summary = "magnitude-aware linear attention: beta and gamma instead of a row sum",
    .source = "Rectifying Magnitude Neglect in Linear Attention, 2507.00698",
    .family = "linear",
    .plan =
        "two products (full) or scan (causal); pre: elu1, RoPE 2-D; normaliser: beta/gamma; post: + LePE, raw gate",
    .outputs = "o, map, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
