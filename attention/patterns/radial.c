/* radial.c - bands that thin out with the distance of video frames (attention-static section 9).
 *
 * Token form: place k of frame i sees place l of frame j, D = |i - j|, p = 2^floor(log2 max(D, 1)), iff
 * (|k - l| + 1) p <= T, or k = l and D mod ceil(p / T) = 0, or j = 0 and sink. Text sees and is seen by everything. */
#include "config.h"

#include <string.h>

#include "attention/patterns/radial.h"
#include "lib/engine/pattern/planning.h"

enum { FORM_TOKEN, FORM_BLOCK };
static const char *const forms[] = { "token", "block", NULL };

static const ga_parameter parameters[] = {
    { "frames", GA_PARAMETER_INT, NULL, ">= 1", "video frames f", GA__FROM(1), .required = true },
    { "tokens_per_frame", GA_PARAMETER_INT, NULL, "f*T <= N", "T; the remaining tokens are text", GA__FROM(1),
      .required = true },
    { "form", GA_PARAMETER_WORD, "token", NULL, "paper's formula or the shipped block map", forms, GA__ANY },
    { "sink", GA_PARAMETER_BOOL, "1", NULL, "frame 0 visible to all", GA__ANY },
    { "block", GA_PARAMETER_INT, "128", ">= 1", "block form: block side", GA__FROM(1) },
    { "decay", GA_PARAMETER_REAL, "1", "> 0", "block form: kappa", GA__ABOVE(0) },
    { "near", GA_PARAMETER_REAL, "1", "> 0", "block form: width factor at frame distance 1", GA__ABOVE(0) },
    { "thin", GA_PARAMETER_INT, "128", ">= 1", "block form: width below which frame pairs are dropped",
      GA__FROM(1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "bias", "(H|1, Nq, Nk)", "dense additive bias, read on the pattern only", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

static ga_status read_parameters(const ga__job *run, const ga__part *part, ga__radial *r)
{
    int64_t video = 0;
    *r = (ga__radial){ .frames = ga__part_value(part, "frames")->integer,
                       .tokens = ga__part_value(part, "tokens_per_frame")->integer,
                       .count = run->queries,
                       .sink = ga__part_value(part, "sink")->integer,
                       .block = ga__part_value(part, "block")->integer,
                       .thin = ga__part_value(part, "thin")->integer,
                       .decay = ga__part_value(part, "decay")->real,
                       .near = ga__part_value(part, "near")->real };
    if (!ga__mul(r->frames, r->tokens, &video) || video > r->count) {
        return ga__part_refuse(part, "tokens_per_frame", "f*T <= N: %lld*%lld > %lld", (long long)r->frames,
                               (long long)r->tokens, (long long)r->count);
    }
    return ga__pattern_check_sizes(run->context, r->count, r->count);
}

/* ---- token form ---- */

/* Places of frame j that place k of frame i sees: first .. last - 1. */
static void frame_range(const ga__radial *r, int64_t i, int64_t k, int64_t j, int64_t *first, int64_t *last)
{
    int64_t distance = i < j ? j - i : i - j, p = 1, reach = 0;
    while (2 * p <= distance) {
        p *= 2;
    }
    if (r->sink && j == 0) {
        *first = 0;
        *last = r->tokens;
        return;
    }
    if (p > r->tokens && distance % ((p + r->tokens - 1) / r->tokens) != 0) {
        *first = *last = 0;
        return;
    }
    reach = p <= r->tokens ? r->tokens / p - 1 : 0;
    *first = ga__max(k - reach, 0);
    *last = ga__min(k + reach + 1, r->tokens);
}

/* Keys of query q; their number. keys NULL: only counts. */
static int64_t row_keys(const ga__radial *r, int64_t q, uint32_t *keys)
{
    int64_t count = 0, video = r->frames * r->tokens, from = q < video ? video : 0, first, last;
    for (int64_t j = 0; q < video && j < r->frames; j++) {
        frame_range(r, q / r->tokens, q % r->tokens, j, &first, &last);
        for (int64_t l = first; keys && l < last; l++) {
            keys[count + l - first] = (uint32_t)(j * r->tokens + l);
        }
        count += last - first;
    }
    for (int64_t j = from; keys && j < r->count; j++) {
        keys[count + j - from] = (uint32_t)j;
    }
    return count + r->count - from;
}

static ga_status make_tokens(ga__job *run, const ga__radial *r)
{
    ga_status status = GA_OK;
    int64_t *offsets = NULL;
    uint32_t *keys = NULL;
    GA_TRY(GA_NEW_ZERO(run->context, r->count + 1, &offsets));
    for (int64_t q = 0; q < r->count; q++) {
        GA_TRY(q % 1024 == 0 ? ga__check(run->context) : GA_OK);
        offsets[q + 1] = offsets[q] + row_keys(r, q, NULL);
    }
    GA_TRY(GA_NEW(run->context, offsets[r->count], &keys));
    for (int64_t q = 0; q < r->count; q++) {
        GA_TRY(q % 1024 == 0 ? ga__check(run->context) : GA_OK);
        (void)row_keys(r, q, keys + offsets[q]);
    }
    status = ga__pattern_adopt(run->context, r->count, r->count, &offsets, &keys, false, &run->pattern);
done:
    ga_free(run->context, offsets);
    ga_free(run->context, keys);
    return status;
}

/* ---- block form ---- */

typedef struct block_map {
    const uint8_t *on;
    int64_t blocks;
} block_map;

static bool visible(void *user, int64_t head, int64_t row, int64_t column)
{
    const block_map *map = user;
    (void)head;
    return map->on[row * map->blocks + column];
}

static ga_status make_blocks(ga__job *run, ga__radial *r)
{
    ga_status status = GA_OK;
    uint8_t *on = NULL;
    int64_t cells = 0;
    r->block = ga__min(r->block, INT32_MAX);
    int64_t blocks = r->count / r->block + (r->count % r->block != 0);
    if (!ga__mul(blocks, blocks, &cells)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "radial: the number of blocks is too large"));
    }
    GA_TRY(GA_NEW(run->context, cells, &on));
    GA_TRY(ga__radial_blocks(run->context, r, blocks, on));
    block_map map = { on, blocks };
    status = ga_pattern_blocks(run->context, 1, r->count, r->count, r->block, r->block, visible, &map, false,
                               &run->pattern);
done:
    ga_free(run->context, on);
    return status;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga__radial r;
    GA_TRY(read_parameters(run, part, &r));
    status =
        ga__part_value(part, "form")->integer == FORM_BLOCK ? make_blocks(run, &r) : make_tokens(run, &r);
done:
    return status;
}

static ga_status make_output(ga__job *run, const char *name, DLTensor **out)
{
    ga_status status = GA_OK;
    int64_t shape[2];
    const uint8_t *map = ga__pattern_block_map(run->pattern, &shape[0], &shape[1]);
    if (!map) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "radial: %s needs form=block", name));
    }
    DLDataType u8 = { .code = kDLUInt, .bits = 8, .lanes = 1 };
    GA_TRY(ga_tensor_create(run->context, u8, 2, shape, out));
    memcpy((*out)->data, map, (size_t)(shape[0] * shape[1]));
done:
    return status;
}

const ga__pattern_entry ga__radial_row = { .name = "radial", .parameters = parameters, .make = make };

static const ga__variant_ops ops = { .pattern = &ga__radial_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = ga__bind_dense_bias,
                                     .output = make_output };

const ga_variant ga__radial_variant = {
    .name = "radial",
    .summary = "bands that thin out with the distance of video frames",
    .source = "Radial Attention, 2506.19852",
    .family = "static",
    .plan = "pattern: token form: lists by query; block form: a block map; score: scaled dot (+ dense bias); "
            "normaliser: softmax",
    .outputs = "o, lse, map, block_map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
