/* head_mask.c - heads made uniform or switched off (attention-dynamic cards B7, B8).
 *
 * Uniform heads have the weight 1 / n on the n keys that a row sees, or 1 / Nk: their output is a running mean of v, and
 * dv_j is the sum over the rows i that see j of dO_i / n_i. The engine sees a pattern in which such heads see nothing. */
#include "config.h"

#include <string.h>

#include "attention/decode.h"
#include "attention/linear/rows.h"
#include "attention/maps/change.h"

enum { VISIBLE, LENGTH };
static const char *const uniform_words[] = { "visible", "length", NULL };
enum { AS_IS, UNIFORM, ZERO };

static const ga_parameter parameters[] = {
    { "uniform", GA_PARAMETER_WORD, "visible", NULL, "weights of uniform heads: 1/(visible keys), or 1/Nk",
      uniform_words, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "modes", "u8 (H)", "0 as it is, 1 uniform, 2 zero", .optional = false },
    { .name = NULL },
};

static ga_status open_modes(ga__job *run, ga__view *modes)
{
    ga_status status = GA_OK;
    GA_TRY(ga__flags(run, "modes", 1, &run->heads, modes));
    for (int64_t h = 0; h < run->heads; h++) {
        int64_t mode = ga__view_get_integer(modes, 0, 0, h);
        if (mode < AS_IS || mode > ZERO) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "modes: %lld for head %lld, expected 0, 1 or 2",
                            (long long)mode, (long long)h));
        }
    }
done:
    return status;
}

static bool is_as_it_is(void *user, int64_t head, int64_t block_query, int64_t block_key)
{
    const ga__view *modes = user;
    (void)block_query, (void)block_key;
    return ga__view_get_integer(modes, 0, 0, head) == AS_IS;
}

/* One block for everything, which only heads that stay see. */
static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga__view modes;
    (void)part;
    GA_TRY(open_modes(run, &modes));
    status = ga_pattern_blocks(run->context, run->heads, run->queries, run->keys, ga__max(run->queries, 1),
                               ga__max(run->keys, 1), is_as_it_is, &modes, run->causal, &run->pattern);
done:
    return status;
}

typedef struct uniform {
    int64_t group, queries, keys, shift;
    bool causal, by_length;
    ga__view modes, v, o, lse, map, entropy, argmax, max,
        columns; /* outputs: without data where not wanted */
    ga__view grad_o, grad_v;
} uniform;

static ga_status open_uniform(ga__job *run, uniform *t)
{
    ga_status status = GA_OK;
    *t = (uniform){ .group = ga__max(run->heads / ga__max(run->kv_heads, 1), 1),
                    .queries = run->queries,
                    .keys = run->keys,
                    .shift = run->keys - run->queries,
                    .causal = run->causal,
                    .by_length = ga__part_value(&run->own, "uniform")->integer == LENGTH };
    GA_TRY(open_modes(run, &t->modes));
    status = ga__view_of(run->context, "v", run->problem.v, true, &t->v);
done:
    return status;
}

static int64_t visible(const uniform *t, int64_t query)
{
    return t->causal ? ga__max(ga__min(query + t->shift + 1, t->keys), 0) : t->keys;
}

/* Weight of a key that the row sees. */
static double weight(const uniform *t, int64_t query)
{
    int64_t n = t->by_length ? t->keys : visible(t, query);
    return n > 0 ? 1 / (double)n : 0;
}

static bool is_uniform(const uniform *t, int64_t head)
{
    return ga__view_get_integer(&t->modes, 0, 0, head) == UNIFORM;
}

/* Three axes are (1, batch, heads, queries) to a view. */
static void put(const ga__view *view, int64_t b, int64_t h, int64_t r, double value)
{
    if (view->data) {
        ga__view_set(view, 0, b, h, r, value);
    }
}

static void store_statistics(const uniform *t, int64_t b, int64_t h, int64_t r)
{
    int64_t n = visible(t, r);
    double w = weight(t, r);
    put(&t->lse, b, h, r, n > 0 ? log((double)n) : -INFINITY); /* of scores that are all 0 */
    put(&t->entropy, b, h, r, n > 0 ? -(double)n * w * log(w) : 0);
    put(&t->argmax, b, h, r, n > 0 ? 0 : -1);
    put(&t->max, b, h, r, n > 0 ? w : 0);
    for (int64_t j = 0; j < t->keys && t->map.data; j++) {
        ga__view_set(&t->map, b, h, r, j, j < n ? w : 0);
    }
}

static void store_columns(const uniform *t, int64_t b, int64_t h)
{
    double sum = 0;
    for (int64_t j = t->keys - 1, r = t->queries - 1; j >= 0; j--) {
        for (; r >= 0 && visible(t, r) > j; r--) {
            sum += weight(t, r);
        }
        ga__view_set(&t->columns, 0, b, h, j, sum);
    }
}

/* room: the sum so far, a row. */
static void fill_head(void *user, int64_t b, int64_t h, int64_t unit, double *room)
{
    const uniform *t = user;
    int64_t width = t->v.columns, seen = 0;
    double *sum = room, *row = room + width;
    (void)unit;
    if (!is_uniform(t, h)) {
        return;
    }
    memset(sum, 0, (size_t)width * sizeof *sum);
    for (int64_t r = 0; r < t->queries; r++) {
        store_statistics(t, b, h, r);
        for (; t->o.data && seen < visible(t, r); seen++) {
            ga__view_load_f64(&t->v, b, h / t->group, seen, row);
            for (int64_t c = 0; c < width; c++) {
                sum[c] += row[c];
            }
        }
        for (int64_t c = 0; c < width && t->o.data; c++) {
            row[c] = weight(t, r) * sum[c];
        }
        if (t->o.data) {
            ga__view_store_f64(&t->o, b, h, r, row);
        }
    }
    if (t->columns.data) {
        store_columns(t, b, h);
    }
}

static ga_status forward(ga__job *run, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    ga_context *context = run->context;
    const ga_row_statistics none = { .entropy = NULL }, *s = result->statistics ? result->statistics : &none;
    uniform t;
    GA_TRY(open_uniform(run, &t));
    GA_TRY(ga_attention_forward(context, &run->problem, GA_FAMILY_AUTO, result, NULL));
    GA_TRY(ga__view_of(context, "o", result->o, true, &t.o));
    GA_TRY(ga__view_of(context, "lse", result->lse, true, &t.lse));
    GA_TRY(ga__view_of(context, "map", result->map, true, &t.map));
    GA_TRY(ga__view_of(context, "entropy", s->entropy, true, &t.entropy));
    GA_TRY(ga__view_of(context, "argmax", s->argmax, false, &t.argmax));
    GA_TRY(ga__view_of(context, "max", s->max, true, &t.max));
    GA_TRY(ga__view_of(context, "column_sum", s->column_sum, true, &t.columns));
    status = ga__rows(run, run->batch, run->heads, 1, 2 * run->dim_v, fill_head, &t);
done:
    return status;
}

/* Adds to the values of one key/value head, the last key first. room: the sum of dO / n, a row. */
static void fill_values(void *user, int64_t b, int64_t g, int64_t unit, double *room)
{
    const uniform *t = user;
    int64_t width = t->v.columns;
    double *sum = room, *row = room + width;
    (void)unit;
    for (int64_t h = g * t->group; h < (g + 1) * t->group; h++) {
        if (!is_uniform(t, h)) {
            continue;
        }
        memset(sum, 0, (size_t)width * sizeof *sum);
        for (int64_t j = t->keys - 1, r = t->queries - 1; j >= 0; j--) {
            for (; r >= 0 && visible(t, r) > j; r--) {
                ga__view_load_f64(&t->grad_o, b, h, r, row);
                for (int64_t c = 0; c < width; c++) {
                    sum[c] += weight(t, r) * row[c];
                }
            }
            for (int64_t c = 0; c < width; c++) {
                ga__view_add(&t->grad_v, b, g, j, c, sum[c]);
            }
        }
    }
}

static ga_status backward(ga__job *run, const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    uniform t;
    GA_TRY(open_uniform(run, &t));
    GA_TRY(ga_attention_backward(run->context, &run->problem, GA_FAMILY_AUTO, g, NULL));
    if (g->v) {
        GA_TRY(ga__view_of(run->context, "grad_o", g->grad_o, true, &t.grad_o));
        GA_TRY(ga__view_of(run->context, "gradient of v", g->v, true, &t.grad_v));
        status = ga__rows(run, run->batch, run->kv_heads, 1, 2 * run->dim_v, fill_values, &t);
    }
done:
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    if (ga__part_value(&run->own, "uniform")->integer == LENGTH) {
        return ga__part_refuse(&run->own, "uniform", "visible when decoding, where no step knows all keys");
    }
    return GA_OK;
}

static const ga__pattern_entry pattern = {
    .name = "head-mask", .tensors = tensors, .can = GA_CAN_CAUSAL | GA_CAN_CROSS, .make = make
};

static const ga__variant_ops ops = { .pattern = &pattern,
                                     .normaliser = &ga__softmax_row,
                                     .forward = forward,
                                     .backward = backward,
                                     .decode = decode };

const ga_variant ga__head_mask_variant = {
    .name = "head-mask",
    .summary = "makes heads uniform or switches them off",
    .source =
        "Retrieval Head Mechanistically Explains Long-Context Factuality, 2404.15574; AttentionInfluence, 2505.07293",
    .family = "dynamic",
    .plan =
        "pattern: all pairs of the heads that stay; score: scaled dot; normaliser: softmax; uniform heads: a running mean "
        "of v; zero heads: nothing",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE,
    .ops = &ops,
};
