/* gated_delta.c - delta rule with decay (Gated DeltaNet, KDA) (attention-linear card 17). */
#include "config.h"

#include "attention/linear/rows.h"

static const ga_parameter parameters[] = { { "normalise_qk", GA_PARAMETER_BOOL, "0", NULL,
                                             "l2-normalise q and k", GA__ANY },
                                           GA__CHUNK,
                                           GA__EPILOGUE_PARAMETERS,
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "beta", "(B, G, Nk)", "strength of an update, 0..2", .differentiable = true },
    { "log_decay", "(B, G, Nk, 1 or d)", "<= 0; absent: delta", .optional = true, .differentiable = true },
    { "initial_state", "(B, G, d, e)", "state to start from", .optional = true, .differentiable = true },
    GA__EPILOGUE_TENSORS,
    { .name = NULL },
};

ga_status ga__delta_plan(ga__job *run)
{
    ga_status status = GA_OK;
    const int64_t state[] = { run->batch, run->kv_heads, run->dim, run->dim_v };
    GA_TRY(ga__bind_token_decay(run));
    const int64_t rows[] = { run->batch, run->kv_heads, run->keys };
    if (ga__part_value(&run->own, "normalise_qk")->integer) {
        ga__step_before(run, ga__step_normalise(GA__Q));
        ga__step_before(run, ga__step_normalise(GA__K));
    }
    run->scan.rule = GA_SCAN_DELTA;
    GA_TRY(ga__bind(run, GA__BETA, "beta", false, 3, rows));
    run->scan.chunk = ga__part_value(&run->own, "chunk")->integer;
    GA_TRY(ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state));
    status = ga__epilogue(run);
done:
    return status;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN, .plan = ga__delta_plan };

const ga_variant ga__gated_delta_variant = {
    .name = "gated-delta",
    .summary = "delta rule with decay (Gated DeltaNet, KDA)",
    .source = "Gated Delta Networks, 2412.06464",
    .family = "linear",
    .plan = "scan, delta rule with decay per token; post: norm and gate",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE |
           GA_CARRIES_STATE,
    .ops = &ops,
};
