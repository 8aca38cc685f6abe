/* s2.c - local blocks and strided columns of blocks, another phase for every key/value head (attention-static
 * section 10). Positions are p = i + Nk - Nq; block I = floor(p / b) of queries, J of keys. */
#include "config.h"

#include "attention/patterns/blocks.h"

static const ga_parameter parameters[] = {
    { "block", GA_PARAMETER_INT, "64", ">= 1", "block side", GA__FROM(1) },
    { "local_blocks", GA_PARAMETER_INT, "4", ">= 1", "local blocks, the diagonal included", GA__FROM(1) },
    { "stride", GA_PARAMETER_INT, "4", ">= 1", "distance of the columns", GA__FROM(1) },
    { "offset", GA_PARAMETER_INT, "0", ">= 0", "phase; one serving engine uses 1", GA__FROM(0) },
    { "dense_heads", GA_PARAMETER_INT, "0", "0..H_kv", "last KV heads are dense", GA__FROM(0) },
    { "homogeneous", GA_PARAMETER_BOOL, "0", NULL, "all heads use the phase of head 0", GA__ANY },
    { "local_right", GA_PARAMETER_INT, NULL, ">= 1; default: local_blocks",
      "without --causal: blocks to the right", GA__FROM(1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "bias", "(H|1, Nq, Nk)", "dense additive bias, read on the pattern only", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

typedef struct rule {
    ga__position_blocks blocks;
    int64_t local, right, stride, offset, step, dense_from, group;
    bool causal, homogeneous;
} rule;

/* Blocks by which the distance exceeds the local ones. */
static int64_t beyond(int64_t distance, int64_t local)
{
    return distance >= local ? distance - local + 1 : 0;
}

static int64_t add_modulo(int64_t a, int64_t b, int64_t modulus)
{
    uint64_t sum = (uint64_t)(a % modulus) + (uint64_t)(b % modulus);
    return (int64_t)(sum % (uint64_t)modulus);
}

static bool visible(void *user, int64_t head, int64_t row, int64_t column)
{
    const rule *r = user;
    int64_t kv = head / r->group, position, query;
    if (!ga__position_block(&r->blocks, row, &position, &query)) {
        return false;
    }
    if (r->causal && query < column) {
        return false;
    }
    if (kv >= r->dense_from) {
        return true;
    }
    if (!r->causal) {
        return (beyond(query - column, r->local) + beyond(column - query, r->right)) % r->stride == 0;
    }
    int64_t phase = add_modulo(r->homogeneous ? 0 : kv * r->step, r->offset, r->stride);
    return query - column < r->local || add_modulo(column, phase, r->stride) == 0;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    const ga__value *right = ga__part_value(part, "local_right");
    int64_t dense = ga__part_value(part, "dense_heads")->integer;
    if (dense > run->kv_heads) {
        GA_TRY(ga__part_refuse(part, "dense_heads", "0..H_kv: %lld > %lld", (long long)dense,
                               (long long)run->kv_heads));
    }
    rule r = { .local = ga__part_value(part, "local_blocks")->integer,
               .stride = ga__part_value(part, "stride")->integer,
               .offset = ga__part_value(part, "offset")->integer,
               .homogeneous = ga__part_value(part, "homogeneous")->integer,
               .causal = run->causal,
               .dense_from = run->kv_heads - dense,
               .group = ga__max(run->heads / ga__max(run->kv_heads, 1), 1) };
    r.right = right->given ? right->integer : r.local;
    r.step = ga__max(r.stride / ga__max(run->heads, 1), 1);
    bool same = r.causal ? r.homogeneous && (dense == 0 || dense == run->kv_heads) : dense == 0;
    r.blocks = ga__position_blocks_of(run, ga__part_value(part, "block")->integer);
    status = ga__position_pattern(run, &r.blocks, same ? 1 : ga__max(run->heads, 1), visible, &r);
done:
    return status;
}

const ga__pattern_entry ga__s2_row = {
    .name = "s2", .parameters = parameters, .can = GA_CAN_CAUSAL | GA_CAN_CROSS, .make = make
};

static const ga__variant_ops ops = { .pattern = &ga__s2_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = ga__bind_dense_bias };

const ga_variant ga__s2_variant = {
    .name = "s2",
    .summary = "local blocks plus strided block columns, another phase for every head",
    .source = "S2-Attention, 2407.17678",
    .family = "static",
    .plan = "pattern: blocks per KV head from a rule; score: scaled dot (+ dense bias); normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE |
           GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
