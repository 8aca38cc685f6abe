/* delta.c - delta rule (DeltaNet) (attention-linear card 17). */
#include "config.h"

#include "attention/linear/rows.h"

static const ga_parameter parameters[] = { { "normalise_qk", GA_PARAMETER_BOOL, "0", NULL,
                                             "l2-normalise q and k", GA__ANY },
                                           GA__CHUNK,
                                           GA__EPILOGUE_PARAMETERS,
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "beta", "(B, G, Nk)", "strength of an update, 0..2", .differentiable = true },
    { "initial_state", "(B, G, d, e)", "state to start from", .optional = true, .differentiable = true },
    GA__EPILOGUE_TENSORS,
    { .name = NULL },
};

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN, .plan = ga__delta_plan };

const ga_variant ga__delta_variant = {
    .name = "delta",
    .summary = "delta rule (DeltaNet)",
    .source = "Parallelizing Linear Transformers with the Delta Rule over Sequence Length, 2406.06484",
    .family = "linear",
    .plan = "scan, delta rule; post: norm and gate",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE |
           GA_CARRIES_STATE,
    .ops = &ops,
};
