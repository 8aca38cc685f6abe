/* moa.c - a span for every head that grows with the number of keys, and a first block that all see
 * (attention-static section 11). Always causal. */
#include "config.h"

#include "attention/decode.h"
#include "attention/patterns/blocks.h"

enum { FORM_PLAN, FORM_CACHE };
static const char *const forms[] = { "plan", "cache", NULL };

static const ga_parameter parameters[] = {
    { "block", GA_PARAMETER_INT, "64", ">= 1", "block side", GA__FROM(1) },
    { "form", GA_PARAMETER_WORD, "plan", NULL, "planner's pattern or the decode cache", forms, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "spans", "(H, 2)", "alpha, beta per query head; computed in f64", .optional = false },
    { .name = NULL },
};

typedef struct rule {
    ga__position_blocks blocks;
    ga__view spans;
    int64_t keys;
} rule;

/* A number of blocks or keys as an integer; more than any input has stays more. */
static int64_t whole(double x)
{
    return x < 1 ? 0 : x < 0x1p40 ? (int64_t)x : (int64_t)1 << 40; /* NaN: 0 */
}

/* w = max(1, floor(floor(alpha / b) + beta nb)) blocks of nb, and the first one. */
static int64_t blocks_seen(const rule *r, int64_t head)
{
    double alpha = ga__view_get(&r->spans, 0, 0, head, 0), beta = ga__view_get(&r->spans, 0, 0, head, 1);
    int64_t b = r->blocks.side, count = r->keys / b + (r->keys % b != 0);
    return ga__max(1, whole(floor(floor(alpha / (double)b) + beta * (double)count)));
}

static bool visible_plan(void *user, int64_t head, int64_t row, int64_t column)
{
    const rule *r = user;
    int64_t position, query;
    if (!ga__position_block(&r->blocks, row, &position, &query) || query < column) {
        return false;
    }
    return query - column <= blocks_seen(r, head) - 1 || column == 0;
}

/* size = b ceil(max(min(floor(alpha + beta N), N), 2 b) / b) keys, the first min(b, size) of which stay. */
static double keys_kept(const rule *r, int64_t head)
{
    double alpha = ga__view_get(&r->spans, 0, 0, head, 0), beta = ga__view_get(&r->spans, 0, 0, head, 1);
    double b = (double)r->blocks.side, n = (double)r->keys;
    return b * ceil(fmax(fmin(floor(alpha + beta * n), n), 2 * b) / b);
}

static bool visible_cache(void *user, int64_t head, int64_t row, int64_t key)
{
    const rule *r = user;
    double size = keys_kept(r, head), first = fmin((double)r->blocks.side, size),
           position = (double)(row + r->blocks.shift);
    return (double)key < first || (double)key > position - (size - first);
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    rule r = { .keys = run->keys };
    int slot = ga__slot_find(run, "spans");
    GA_TRY(ga__slot_fits(run, slot, false, 2, (const int64_t[]){ run->heads, 2 }));
    GA_TRY(ga__view_of(run->context, "spans", run->slots[slot].given, true, &r.spans));
    r.blocks = ga__position_blocks_of(run, ga__part_value(part, "block")->integer);
    if (ga__part_value(part, "form")->integer == FORM_PLAN) {
        GA_TRY(ga__position_pattern(run, &r.blocks, ga__max(run->heads, 1), visible_plan, &r));
    } else {
        GA_TRY(ga_pattern_blocks(run->context, ga__max(run->heads, 1), run->queries, run->keys, 1, 1,
                                 visible_cache, &r, run->causal, &run->pattern));
    }
done:
    return status;
}

const ga__pattern_entry ga__moa_row = { .name = "moa",
                                        .parameters = parameters,
                                        .tensors = tensors,
                                        .can = GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_CROSS,
                                        .make = make };

/* Spans that do not grow: (alpha, beta) become what they make of the whole call's keys, and 0. */
static ga_status decode(ga__job *run, ga__decode *how)
{
    ga_status status = GA_OK;
    const int64_t dims[] = { run->heads, 2 };
    int slot = ga__slot_find(run, "spans");
    rule r = { .keys = run->keys };
    r.blocks.side = ga__part_value(&run->own, "block")->integer;
    GA_TRY(ga__slot_fits(run, slot, false, 2, dims));
    GA_TRY(ga__view_of(run->context, "spans", run->slots[slot].given, true, &r.spans));
    GA_TRY(ga_tensor_create(run->context, (DLDataType){ .code = kDLFloat, .bits = 64, .lanes = 1 }, 2, dims,
                            &how->made));
    how->tensor = "spans";
    for (int64_t h = 0; h < run->heads; h++) {
        double *pair = (double *)how->made->data + 2 * h;
        bool plan = ga__part_value(&run->own, "form")->integer == FORM_PLAN;
        pair[0] = plan ? (double)r.blocks.side * (double)blocks_seen(&r, h) : keys_kept(&r, h);
        pair[1] = 0;
    }
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__moa_row,
                                     .normaliser = &ga__softmax_row,
                                     .decode = decode };

const ga_variant ga__moa_variant = {
    .name = "moa",
    .summary = "a span per head that grows with the input, plus a sink block",
    .source = "MoA, 2406.14909",
    .family = "static",
    .plan = "pattern: blocks per query head; score: scaled dot; normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE |
           GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
