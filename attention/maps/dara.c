/* dara.c - learnable factors of keys, on weights or on scores (attention-dynamic card B6).
 *
 * prob: weights times F made to sum to 1 again, which is softmax of s + ln F; logit: softmax of s F. */
#include "config.h"

#include "attention/linear/rows.h"

enum { PROB, LOGIT };
static const char *const form_words[] = { "prob", "logit", NULL };

static const ga_parameter parameters[] = {
    { "form", GA_PARAMETER_WORD, "prob", NULL, "weights times F and normalised, or softmax of scores times F",
      form_words, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "factors", "(B|1, H, Nk)", "F > 0", .differentiable = true },
    { .name = NULL },
};

/* Calls for every row of two tensors of the same shape. */
static ga_status each_row(ga__job *run, const DLTensor *x, const DLTensor *y, ga__row_body body,
                          ga__view views[2])
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(run->context, "factors", x, true, &views[0]));
    GA_TRY(ga__view_of(run->context, "factors", y, true, &views[1]));
    status = ga__rows(run, views[0].batch, views[0].heads, views[0].rows, 0, body, views);
done:
    return status;
}

static void take_logarithms(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const ga__view *views = user;
    (void)room;
    for (int64_t j = 0; j < views->columns; j++) {
        ga__view_set(&views[1], b, h, r, j, log(ga__view_get(&views[0], b, h, r, j)));
    }
}

static ga_status logarithms(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    const DLTensor *factors = run->slots[step->slot].tensor;
    DLTensor *made = NULL;
    ga__view views[2];
    GA_TRY(ga__tensor_new(run, factors->ndim, factors->shape, &made));
    GA_TRY(each_row(run, factors, made, take_logarithms, views));
    ga__step_replace(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static void divide(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const ga__view *views = user;
    (void)room;
    for (int64_t j = 0; j < views->columns; j++) {
        double grad = ga__view_get(&views[1], b, h, r, j);
        ga__view_set(&views[1], b, h, r, j, grad / ga__view_get(&views[0], b, h, r, j));
    }
}

/* dF = d(ln F) / F */
static ga_status logarithms_back(ga__job *run, ga__step *step)
{
    ga__view views[2];
    return each_row(run, step->before_view, run->slots[step->slot].grad, divide, views);
}

static ga_status check_factors(ga__job *run, int slot)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__slot_view(run, slot, &view));
    for (int64_t i = 0; i < view.heads * view.rows * view.columns; i++) {
        int64_t row = i / view.columns, column = i % view.columns;
        double f = ga__view_get(&view, 0, row / view.rows, row % view.rows, column);
        if (!(f > 0) || !isfinite(f)) {
            GA_TRY(ga__fail(run->context, GA_INVALID,
                            "factors: %g for key %lld, expected finite numbers above 0", f,
                            (long long)column));
        }
    }
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const int64_t dims[] = { run->batch, run->heads, run->keys };
    bool prob = ga__part_value(&run->own, "form")->integer == PROB;
    int slot = ga__slot_find(run, "factors");
    GA_TRY(ga__bind(run, prob ? GA__COLUMN_BIAS : GA__COLUMN_FACTOR, "factors", true, 3, dims));
    GA_TRY(check_factors(run, slot));
    if (prob) {
        ga__step_before(run, (ga__step){ .slot = slot, .forward = logarithms, .backward = logarithms_back });
    }
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan };

const ga_variant ga__dara_variant = {
    .name = "dara",
    .summary = "learnable factors of keys, on weights or on scores; a reconstruction",
    .source = "True Multimodal In-Context Learning Needs Attention to the Visual Context, DARA, 2507.15807",
    .family = "dynamic",
    .plan = "pattern: all pairs; score: scaled dot + ln F of the key, or times F; normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE,
    .ops = &ops,
};
