/* norm_attention.c - linear attention divided by a learned function of the token (attention-linear card 15).
 *
 * o_i = raw_i / eta_i with eta = exp, softplus or sigmoid of eta_logits_i. Backward, with D = <grad_o_i, o_i>:
 * d raw = grad_o / eta, d eta_logits = -D eta' / eta, where eta' / eta is 1, sigma / eta or 1 - eta. */
#include "config.h"

#include "attention/plan.h"

static const char *const eta_words[] = {
    [GA_ETA_EXP] = "exp", [GA_ETA_SOFTPLUS] = "softplus", [GA_ETA_SIGMOID] = "sigmoid", NULL
};

static const ga_parameter parameters[] = {
    { "eta", GA_PARAMETER_WORD, "exp", NULL, "function of the logits", eta_words, GA__ANY },
    { "chunk", GA_PARAMETER_INT, "0", ">= 0", "tokens a chunk; speed only, 0 = automatic", GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "eta_logits", "(B, H, Nq)", "logits of the divisor of a row", .differentiable = true },
    { "initial_state", "(B, G, d, e)", "state to start from", .optional = true, .differentiable = true },
    { .name = NULL },
};

static double sigma(double x)
{
    double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double divisor(ga_eta eta, double x)
{
    switch (eta) {
    case GA_ETA_EXP: return exp(x);
    case GA_ETA_SOFTPLUS: return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
    case GA_ETA_SIGMOID: break;
    }
    return sigma(x);
}

/* eta' / eta */
static double slope(ga_eta eta, double x)
{
    switch (eta) {
    case GA_ETA_EXP: return 1;
    case GA_ETA_SOFTPLUS: return sigma(x) / divisor(eta, x);
    case GA_ETA_SIGMOID: break;
    }
    return 1 - sigma(x);
}

/* Rows of from, divided, to out, which may be from. */
static ga_status divide(ga__job *run, const ga__step *step, const DLTensor *from, const DLTensor *out)
{
    ga_status status = GA_OK;
    ga__view x, y, logits;
    double *row = NULL;
    GA_TRY(ga__view_of(run->context, "o", from, true, &x));
    GA_TRY(ga__view_of(run->context, "o", out, true, &y));
    GA_TRY(ga__view_of(run->context, "eta_logits", run->slots[step->slot].tensor, true, &logits));
    GA_TRY(GA_NEW(run->context, x.columns, &row));
    for (int64_t b = 0; b < x.batch; b++) {
        for (int64_t h = 0; h < x.heads; h++) {
            for (int64_t i = 0; i < x.rows; i++) {
                double eta = divisor((ga_eta)step->kind, ga__view_get(&logits, 0, b, h, i));
                ga__view_load_f64(&x, b, h, i, row);
                for (int64_t c = 0; c < x.columns; c++) {
                    row[c] /= eta;
                }
                ga__view_store_f64(&y, b, h, i, row);
            }
        }
    }
done:
    ga_free(run->context, row);
    return status;
}

static ga_status divide_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    GA_TRY(ga__tensor_new(run, run->o->ndim, run->o->shape, &made));
    GA_TRY(divide(run, step, run->o, made));
    step->before = run->o;
    step->before_view = run->o;
    run->o = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* grad_o has been divided already: <grad_o, o> = <grad_o / eta, raw>. */
static ga_status logit_gradient(ga__job *run, const ga__step *step)
{
    ga_status status = GA_OK;
    ga__view grad, raw, logits, to;
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &grad));
    GA_TRY(ga__view_of(run->context, "o", step->before_view, true, &raw));
    GA_TRY(ga__view_of(run->context, "eta_logits", run->slots[step->slot].tensor, true, &logits));
    GA_TRY(ga__view_of(run->context, "grad_eta_logits", run->slots[step->slot].grad, true, &to));
    for (int64_t b = 0; b < raw.batch; b++) {
        for (int64_t h = 0; h < raw.heads; h++) {
            for (int64_t i = 0; i < raw.rows; i++) {
                double along = 0;
                for (int64_t c = 0; c < raw.columns; c++) {
                    along += ga__view_get(&grad, b, h, i, c) * ga__view_get(&raw, b, h, i, c);
                }
                ga__view_set(&to, 0, b, h, i,
                             -along * slope((ga_eta)step->kind, ga__view_get(&logits, 0, b, h, i)));
            }
        }
    }
done:
    return status;
}

static ga_status divide_backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    /* grad_o may have fewer axes than o, and divide() reads them alike */
    GA_TRY(divide(run, step, run->grad_o, run->grad_o));
    if (run->slots[step->slot].grad) {
        GA_TRY(logit_gradient(run, step));
    }
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    int logits = ga__slot_find(run, "eta_logits");
    const int64_t rows[] = { run->batch, run->heads, run->queries };
    const int64_t state[] = { run->batch, run->kv_heads, run->dim, run->dim_v };
    run->scan.chunk = ga__part_value(&run->own, "chunk")->integer;
    run->scale = isnan(run->scale) ? 1 : run->scale;
    GA_TRY(ga__slot_fits(run, logits, false, 3, rows));
    ga__step_behind(run, (ga__step){ divide_forward, divide_backward, .slot = logits,
                                     .kind = (int)ga__part_value(&run->own, "eta")->integer });
    status = ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state);
done:
    return status;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN, .plan = plan };

const ga_variant ga__norm_attention_variant = {
    .name = "norm-attention",
    .summary = "linear attention divided by a learned function of the token",
    .source = "Understanding the differences in Foundation Models (DSF), 2405.15731",
    .family = "linear",
    .plan = "scan (causal) or two products; normaliser: given divisor of every row",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
