/* inline.c - injective linear attention: subtraction instead of a row sum (attention-linear card 8).
 *
 * o = c phi(q) S + (1 - c phi(q) . k1) v1 / n, c = scale / n or 1; rows sum to one. */
#include "config.h"

#include "attention/decode.h"
#include "attention/linear/moments.h"

static const char *const scaling_words[] = { "code", "none", NULL };

static const ga_parameter parameters[] = {
    { "feature", GA_PARAMETER_WORD, "identity", NULL, "feature map", ga__feature_words, GA__ANY },
    { "gain", GA_PARAMETER_REAL, "0.2", "> 0", "of exp", GA__ABOVE(0) },
    { "scaling", GA_PARAMETER_WORD, "code", NULL, "c_i = scale/n_i, or 1", scaling_words, GA__ANY },
    { "prefix_tokens", GA_PARAMETER_INT, "0", ">= 0", "tokens before the image, without residual",
      GA__FROM(0) },
    GA__CHUNK,
    { "shape", GA_PARAMETER_INT_LIST, NULL, "Y,X", "token grid, row-major", GA__FROM(1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "residual", "(B, H*e, 3, 3)", "3x3 kernel per image and channel on v", .optional = true },
    { "initial_state", "(B, G, d+1, e+1)", "state to start from", .optional = true },
    { .name = NULL },
};

static void factors(const ga__moments_row *row, double eps, double *factor_a, double *factor_v)
{
    (void)eps;
    *factor_a = row->c;
    *factor_v = (1 - row->c * row->z) / row->n;
}

static double grad_z(const ga__moments_row *row, double eps, double along_a, double along_v)
{
    (void)eps, (void)along_a;
    return -row->c * along_v / row->n;
}

static const ga__moments_form form = { factors, grad_z };

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    int64_t prefix = ga__part_value(own, "prefix_tokens")->integer;
    const int64_t dims[] = { run->batch, run->heads * run->dim_v, 3, 3 };
    int residual;
    GA_TRY(ga__moments_plan(run, &form, (ga__feature)ga__part_value(own, "feature")->integer,
                            ga__part_value(own, "gain")->real, 0, 0));
    GA_TRY(ga__slot_shaped(run, "residual", 4, dims, &residual));
    if (residual >= 0 && prefix > run->keys) {
        GA_TRY(ga__part_refuse(own, "prefix_tokens", "at most %lld tokens", (long long)run->keys));
    }
    if (residual >= 0) {
        GA_TRY(ga__image_step(run, residual, -1, prefix));
    }
done:
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    if (ga__slot_find(run, "residual") >= 0) {
        return ga__fail(run->context, GA_INVALID, "inline: residual needs the whole image, not one token");
    }
    return GA_OK;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN,
                                     .plan = plan,
                                     .state = ga__moments_state,
                                     .map = ga__moments_map,
                                     .decode = decode };

const ga_variant ga__inline_variant = {
    .name = "inline",
    .summary = "injective linear attention: subtraction normalisation",
    .source = "Bridging the Divide: Reconsidering Softmax and Linear Attention, 2412.06590",
    .family = "linear",
    .plan = "two products (full) or scan (causal); normaliser: InLine subtraction; post: + local residual",
    .outputs = "o, map, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
