/* paint.c - scores of local and summary tokens of an image raised (attention-dynamic card B3).
 *
 * s_j += f_h g_j |s_j| before the mask; g_j is alpha for local and beta for summary tokens. */
#include "config.h"

#include "attention/decode.h"
#include "attention/linear/rows.h"
#include "attention/maps/change.h"

enum { LAST, ALL };
static const char *const row_words[] = { "last", "all", NULL };

static const ga_parameter parameters[] = {
    { "alpha", GA_PARAMETER_REAL, "0.7", ">= 0", "gain of local tokens", GA__FROM(0) },
    { "beta", GA_PARAMETER_REAL, "0.4", ">= 0", "gain of summary tokens", GA__FROM(0) },
    { "rows", GA_PARAMETER_WORD, "last", NULL, "rows that are changed", row_words, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "local", "u8 (B, Nk)", "local tokens", .optional = false },
    { "summary", "u8 (B, Nk)", "summary tokens; a token in both counts as summary only", .optional = false },
    { "factors", "(H)", "factor of a head's gains; 1 without it", .optional = true },
    { .name = NULL },
};

static ga_status fill(ga__job *run, DLTensor *gain)
{
    ga_status status = GA_OK;
    const int64_t dims[] = { run->batch, run->keys };
    double alpha = ga__part_value(&run->own, "alpha")->real, beta = ga__part_value(&run->own, "beta")->real;
    ga__view local, summary, factors, to;
    int slot;
    GA_TRY(ga__flags(run, "local", 2, dims, &local));
    GA_TRY(ga__flags(run, "summary", 2, dims, &summary));
    GA_TRY(ga__slot_shaped(run, "factors", 1, &run->heads, &slot));
    GA_TRY(ga__slot_view(run, slot, &factors));
    GA_TRY(ga__view_of(run->context, "gain", gain, true, &to));
    for (int64_t b = 0; b < to.heads; b++) {
        for (int64_t h = 0; h < to.rows; h++) {
            double factor = slot < 0 ? 1 : ga__view_get(&factors, 0, 0, 0, h);
            for (int64_t j = 0; j < run->keys; j++) {
                double g = ga__flag(&summary, b, j) ? beta : ga__flag(&local, b, j) ? alpha : 0;
                ga__view_set(&to, 0, b, h, j, factor * g);
            }
        }
    }
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    DLTensor *gain = NULL;
    bool apart = ga__slot_find(run, "factors") >= 0;
    const int64_t shape[] = { run->batch, apart ? run->heads : 1, run->keys };
    GA_TRY(ga__tensor_new(run, 3, shape, &gain));
    GA_TRY(fill(run, gain));
    run->problem.score.gain_from =
        ga__part_value(&run->own, "rows")->integer == LAST ? ga__max(run->queries - 1, 0) : 0;
    status = ga__bind_made(run, GA__COLUMN_GAIN, "gain", gain);
    gain = NULL;
done:
    ga_tensor_destroy(run->context, gain);
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    if (ga__part_value(&run->own, "rows")->integer == LAST) {
        return ga__part_refuse(&run->own, "rows",
                               "all when decoding, where every row is the last one of its step");
    }
    return GA_OK;
}

static const ga__variant_ops ops = {
    .pattern = &ga__pattern_full_row, .normaliser = &ga__softmax_row, .plan = plan, .decode = decode
};

const ga_variant ga__paint_variant = {
    .name = "paint",
    .summary = "raises the scores of local and summary image tokens",
    .source =
        "Fixing Imbalanced Attention to Mitigate In-Context Hallucination of Large Vision-Language Model, "
        "2501.12206",
    .family = "dynamic",
    .plan = "pattern: all pairs; score: s + gain of the key |s|, s scaled dot; normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_DECODE,
    .ops = &ops,
};
