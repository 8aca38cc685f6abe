/* gla.c - gated linear attention: scalar or vector decay per token (GLA, Mamba-2, RWKV-6) (attention-linear card 17). */
#include "config.h"

#include "attention/linear/rows.h"

static const ga_parameter parameters[] = { GA__CHUNK, GA__EPILOGUE_PARAMETERS, { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "log_decay", "(B, G, Nk, 1 or d)", "<= 0", .differentiable = true },
    { "bonus", "(G, d)", "read before update plus bonus (RWKV-6)", .optional = true, .differentiable = true },
    { "initial_state", "(B, G, d, e)", "state to start from", .optional = true, .differentiable = true },
    GA__EPILOGUE_TENSORS,
    { .name = NULL },
};

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const int64_t state[] = { run->batch, run->kv_heads, run->dim, run->dim_v };
    GA_TRY(ga__bind_token_decay(run));
    const int64_t bonus[] = { run->kv_heads, run->dim };
    GA_TRY(ga__bind(run, GA__BONUS, "bonus", false, 2, bonus));
    run->scan.chunk = ga__part_value(&run->own, "chunk")->integer;
    GA_TRY(ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state));
    status = ga__epilogue(run);
done:
    return status;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN, .plan = plan };

const ga_variant ga__gla_variant = {
    .name = "gla",
    .summary = "gated linear attention: scalar or vector decay per token (GLA, Mamba-2, RWKV-6)",
    .source = "Gated Linear Attention, 2312.06635",
    .family = "linear",
    .plan = "scan, decay per token; post: norm and gate",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE |
           GA_CARRIES_STATE,
    .ops = &ops,
};
