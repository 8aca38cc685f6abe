/* check_session.h - texts, sessions over them, and calls that a step must be like; for the tests of sessions. */
#ifndef TESTS_CHECK_SESSION_H
#define TESTS_CHECK_SESSION_H

#include <graphattn/select.h>
#include <graphattn/session.h>

#include "tests/unit/check_products.h"

/* ---- tensors ---- */

enum { HEADS = 4, KV_HEADS = 2, DIM = 16, DIM_V = 8 };

static inline DLTensor *random_tensor(ga_context *context, DLDataType type, int64_t heads, int64_t rows,
                                      int64_t columns, uint64_t seed)
{
    const int64_t shape[] = { heads, rows, columns };
    DLTensor *made = tensor_new(context, type, 3, shape);
    for (int64_t i = 0; i < count_of(made); i++) {
        set(made, i, 2 * noise(&seed));
    }
    return made;
}

/* Rows [first, first + count) of every head; borrows. */
typedef struct cut {
    DLTensor tensor;
    int64_t shape[4], strides[4];
} cut;

static inline DLTensor *rows_of(cut *c, const DLTensor *tensor, int64_t first, int64_t count)
{
    int64_t columns = tensor->shape[2];
    c->tensor = *tensor;
    c->shape[0] = tensor->shape[0];
    c->shape[1] = count;
    c->shape[2] = columns;
    c->strides[0] = tensor->shape[1] * columns;
    c->strides[1] = columns;
    c->strides[2] = 1;
    c->tensor.shape = c->shape;
    c->tensor.strides = c->strides;
    c->tensor.byte_offset = (uint64_t)(first * columns * tensor->dtype.bits / 8);
    return &c->tensor;
}

/* Tokens of a text: what is appended, and what asks. */
typedef struct text {
    DLTensor *q, *k, *v;
    int64_t tokens;
} text;

static inline text text_of(ga_context *context, int64_t tokens)
{
    return (text){ random_tensor(context, f32, HEADS, tokens, DIM, 1),
                   random_tensor(context, f32, KV_HEADS, tokens, DIM, 2),
                   random_tensor(context, f32, KV_HEADS, tokens, DIM_V, 3), tokens };
}

static inline void text_free(ga_context *context, text *t)
{
    ga_tensor_destroy(context, t->q);
    ga_tensor_destroy(context, t->k);
    ga_tensor_destroy(context, t->v);
}

static inline ga_status append(ga_context *context, ga_session *session, const text *t, int64_t first,
                               int64_t count)
{
    cut k, v;
    return ga_session_append(context, session, rows_of(&k, t->k, first, count),
                             rows_of(&v, t->v, first, count));
}

/* ---- methods ---- */

enum { MOST_PARAMETERS = 6 };

typedef struct method {
    const char *name;
    ga_named_text parameters[MOST_PARAMETERS];
} method;

/* Small sizes for texts of some hundred tokens. A variant that decodes by choosing and is not here fails. Those that can
 * choose where heads differ come first. */
enum { RAGGED = 7 };
static const method methods[] = {
    { "full", { { NULL, NULL } } },
    { "quest", { { "block", "8" }, { "budget", "40" }, { "group_reduce", "sum" } } },
    { "quest", { { "block", "5" }, { "budget", "40" } } },
    { "block-topk",
      { { "block", "8" },
        { "block_q", "1" },
        { "top_k", "6" },
        { "sinks", "4" },
        { "group_reduce", "mean" } } },
    { "hip",
      { { "top_k", "24" }, { "block_k", "2" }, { "sinks", "4" }, { "window", "16" }, { "block_q", "1" } } },
    { "dhsa", { { "budget", "48" }, { "window", "16" }, { "select", "head" } } },
    { "vertical-slash",
      { { "columns", "20" }, { "slashes", "20" }, { "probe", "4" }, { "sinks", "2" }, { "window", "3" } } },
    { "recycled", { { "top_k", "20" }, { "stride", "4" } } },
    { "recycled", { { "top_k", "20" }, { "trigger", "similarity" }, { "check", "2" }, { "append", "0" } } },
    { "snapkv", { { "budget", "40" }, { "window", "8" }, { "group_reduce", "mean" } } },
    { "ada-snapkv", { { "budget", "40" }, { "window", "8" } } },
    { "landmark", { { "block", "6" } } },
    { "landmark", { { "block", "6" }, { "mode", "retrieve" }, { "top_k", "4" } } },
    { "landmark",
      { { "block", "5" },
        { "mode", "retrieve" },
        { "top_k", "3" },
        { "select", "shared" },
        { "chunk", "20" } } },
    { "landmark",
      { { "block", "4" },
        { "mode", "retrieve" },
        { "top_k", "5" },
        { "select", "head" },
        { "chunk", "16" } } },
    { "flexprefill", { { "block", "8" }, { "min_budget", "16" }, { "gamma", "0.6" } } },
};
enum { METHODS = sizeof methods / sizeof *methods };

static inline int64_t parameter_count(const method *m)
{
    int64_t count = 0;
    while (count < MOST_PARAMETERS && m->parameters[count].name) {
        count++;
    }
    return count;
}

static inline ga_session *open_session(ga_context *context, const method *m, DLDataType type, int64_t reuse)
{
    ga_session *session = NULL;
    ga_session_options options = GA_SESSION_OPTIONS_INIT;
    options.cache = (ga_cache_options){ KV_HEADS, DIM, DIM_V, type, 7 };
    options.heads = HEADS;
    options.variant = m->name;
    options.parameters = m->parameters;
    options.parameter_count = parameter_count(m);
    options.reuse = reuse;
    test_ok(context, ga_session_open(context, &options, &session));
    return session;
}

/* The last `tokens` rows of ga_attend on keys 0 .. keys - 1, with `queries` query rows. */
static inline DLTensor *by_call(ga_context *context, const method *m, const text *t, int64_t keys,
                                int64_t queries, int64_t prompt)
{
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    ga_named_text parameters[MOST_PARAMETERS + 1];
    ga_named_tensor out = { "o", NULL };
    cut q, k, v;
    char number[24];
    call.q = rows_of(&q, t->q, keys - queries, queries);
    call.k = rows_of(&k, t->k, 0, keys);
    call.v = rows_of(&v, t->v, 0, keys);
    call.causal = true;
    call.parameter_count = parameter_count(m);
    memcpy(parameters, m->parameters, sizeof m->parameters);
    if (prompt > 0) {
        (void)snprintf(number, sizeof number, "%lld", (long long)prompt);
        parameters[call.parameter_count++] = (ga_named_text){ "prompt", number };
    }
    call.parameters = parameters;
    test_ok(context, ga_attend(context, m->name, &call, &out, 1));
    return out.tensor;
}

static inline void compare_rows(const method *m, const DLTensor *step, const DLTensor *call, int64_t tokens,
                                int64_t keys)
{
    int64_t rows = call->shape[call->ndim - 2];
    for (int64_t h = 0; h < HEADS; h++) {
        for (int64_t i = 0; i < tokens; i++) {
            for (int64_t c = 0; c < DIM_V; c++) {
                double a = get(step, (h * tokens + i) * DIM_V + c);
                double b = get(call, (h * rows + rows - tokens + i) * DIM_V + c);
                expect(fabs(a - b) < 4e-6, "%s: %lld keys, head %lld, token %lld, column %lld: %g, not %g",
                       m->name, (long long)keys, (long long)h, (long long)i, (long long)c, a, b);
            }
        }
    }
}

#endif
