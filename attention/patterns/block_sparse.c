/* block_sparse.c - an explicit map of query blocks and key blocks (attention-static section 12). */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    { "block_q", GA_PARAMETER_INT, "64", ">= 1", "rows of a block", GA__FROM(1) },
    { "block_k", GA_PARAMETER_INT, "64", ">= 1", "columns of a block", GA__FROM(1) },
    { .name = NULL },
};

#define BLOCK_MAP \
    { \
        "block_map", "u8 (H|1, ceil(Nq/block_q), ceil(Nk/block_k))", "non-zero = connected", \
            .optional = false \
    }
static const ga_tensor_slot pattern_tensors[] = { BLOCK_MAP, { .name = NULL } };
static const ga_tensor_slot tensors[] = {
    BLOCK_MAP,
    { "bias", "(H|1, Nq, Nk)", "dense additive bias, read on the pattern only", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

static bool visible(void *user, int64_t head, int64_t block_query, int64_t block_key)
{
    return ga__view_get_integer(user, head, block_query, block_key) != 0;
}

static int64_t blocks(int64_t length, int64_t block)
{
    return length / block + (length % block != 0);
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    int64_t block_q = ga__part_value(part, "block_q")->integer,
            block_k = ga__part_value(part, "block_k")->integer;
    const int64_t dims[] = { run->heads, blocks(run->queries, block_q), blocks(run->keys, block_k) };
    int slot = ga__slot_find(run, "block_map");
    ga__view map;
    GA_TRY(ga__slot_fits(run, slot, true, 3, dims));
    GA_TRY(ga__view_of(run->context, "block_map", run->slots[slot].given, false, &map));
    if (map.type != GA__U8 && map.type != GA__I32 && map.type != GA__I64) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "block_map: expected u8 or another integer type"));
    }
    status = ga_pattern_blocks(run->context, map.heads, run->queries, run->keys, block_q, block_k, visible,
                               &map, run->causal, &run->pattern);
done:
    return status;
}

const ga__pattern_entry ga__block_sparse_row = { .name = "block-sparse",
                                                 .parameters = parameters,
                                                 .tensors = pattern_tensors,
                                                 .can = GA_CAN_CAUSAL | GA_CAN_CROSS,
                                                 .make = make };

static const ga__variant_ops ops = { .pattern = &ga__block_sparse_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = ga__bind_dense_bias };

const ga_variant ga__block_sparse_variant = {
    .name = "block-sparse",
    .summary = "explicit map of query blocks and key blocks",
    .source = "BSR attention (any block map)",
    .family = "static",
    .plan = "pattern: blocks; score: scaled dot (+ dense bias); normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can =
        GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
