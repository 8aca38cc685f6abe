/* retention.c - linear attention with one decay per head (attention-linear card 17). */
#include "config.h"

#include "attention/linear/rows.h"

static const ga_parameter parameters[] = { GA__CHUNK, GA__EPILOGUE_PARAMETERS, { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "log_decay", "(G)", "<= 0; default ln(1 - 2^(-5-g))", .optional = true, .differentiable = true },
    { "initial_state", "(B, G, d, e)", "state to start from", .optional = true, .differentiable = true },
    GA__EPILOGUE_TENSORS,
    { .name = NULL },
};

/* ln(1 - 2^(-5-g)) for every head of keys. */
static ga_status default_decay(ga__job *run)
{
    ga_status status = GA_OK;
    DLTensor *decay = NULL;
    ga__view view;
    GA_TRY(ga__tensor_new(run, 1, &run->kv_heads, &decay));
    GA_TRY(ga__view_of(run->context, "log_decay", decay, true, &view));
    for (int64_t g = 0; g < run->kv_heads; g++) {
        ga__view_set(&view, 0, 0, 0, g, log1p(-exp2(-5 - (double)g)));
    }
    run->bound[GA__LOG_DECAY] = ga__slot_make(run, "log_decay", decay);
    decay = NULL;
done:
    ga_tensor_destroy(run->context, decay);
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const int64_t state[] = { run->batch, run->kv_heads, run->dim, run->dim_v };
    GA_TRY(ga__bind(run, GA__LOG_DECAY, "log_decay", false, 1, &run->kv_heads));
    if (run->bound[GA__LOG_DECAY] < 0) {
        GA_TRY(default_decay(run));
    }
    run->scan.chunk = ga__part_value(&run->own, "chunk")->integer;
    GA_TRY(ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state));
    status = ga__epilogue(run);
done:
    return status;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN, .plan = plan };

const ga_variant ga__retention_variant = {
    .name = "retention",
    .summary = "linear attention with one decay per head",
    .source = "Retentive Network, 2307.08621",
    .family = "linear",
    .plan = "scan, scalar decay per head; post: norm and gate",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE |
           GA_CARRIES_STATE,
    .ops = &ops,
};
