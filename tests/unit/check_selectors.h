/* check_selectors.h - the selectors with parameters to test them with, and calls of them. */
#ifndef TESTS_CHECK_SELECTORS_H
#define TESTS_CHECK_SELECTORS_H

#include "tests/unit/check_linear.h"

enum { MOST_SET = 8 };

/* Parameters of a variant with which it keeps everything, and few keys. */
typedef struct row {
    const char *name;
    ga_named_text all[MOST_SET], few[MOST_SET];
    bool both;    /* works without causal, too */
    bool grouped; /* its softmax is another one, and rows may leave out their own token */
} row;

static const row rows[] = {
    { "quest", { { "budget", "1000000" } }, { { "budget", "64" } }, .both = true },
    { "block-topk", { { "top_k", "1000000" } }, { { "top_k", "5" }, { "block", "16" } }, .both = true },
    { "hip", { { "top_k", "1000000" } }, { { "top_k", "64" }, { "window", "32" } }, .both = true },
    { "dhsa", { { "budget", "1000000" } }, { { "budget", "128" } }, .both = true },
    { "vertical-slash",
      { { "columns", "1000000" } },
      { { "columns", "50" }, { "slashes", "120" } },
      .both = false },
    { "flexprefill",
      { { "min_budget", "1000000" } },
      { { "min_budget", "64" }, { "block", "32" }, { "gamma", "0.5" } },
      .both = false },
    { "snapkv", { { "budget", "1000000" } }, { { "budget", "96" } }, .both = false },
    { "ada-snapkv", { { "budget", "1000000" } }, { { "budget", "96" } }, .both = false },
    { "recycled", { { "top_k", "1000000" } }, { { "top_k", "64" }, { "stride", "8" } }, .both = false },
    { "landmark", { { "mode", "train" } }, { { "mode", "retrieve" }, { "block", "15" } }, .grouped = true },
};

/* ---- problems ---- */

typedef struct input {
    int64_t heads, kv_heads, queries, keys, dim;
    array q, k, v, grad;
} input;

static inline input input_make(int64_t batch, int64_t heads, int64_t kv_heads, int64_t queries, int64_t keys,
                               uint64_t seed)
{
    enum { DIM = 8 };
    uint64_t state = seed * 77 + 1;
    input in = { .heads = heads, .kv_heads = kv_heads, .queries = queries, .keys = keys, .dim = DIM };
    in.q = array_random(4, (int64_t[]){ batch, heads, queries, DIM }, &state);
    in.k = array_random(4, (int64_t[]){ batch, kv_heads, keys, DIM }, &state);
    in.v = array_random(4, (int64_t[]){ batch, kv_heads, keys, DIM }, &state);
    in.grad = array_random(4, (int64_t[]){ batch, heads, queries, DIM }, &state);
    return in;
}

static inline void input_free(input *in)
{
    array_free(&in->q);
    array_free(&in->k);
    array_free(&in->v);
    array_free(&in->grad);
}

typedef struct made {
    ga_attend_call call;
    DLTensor *tensors[4];
} made;

static inline made call_make(ga_context *context, const input *in, const ga_named_text set[MOST_SET],
                             bool causal, bool wide)
{
    const array *from[] = { &in->q, &in->k, &in->v, &in->grad };
    made m = { .call = GA_ATTEND_CALL_INIT };
    for (int i = 0; i < 4; i++) {
        m.tensors[i] = tensor_of(context, from[i], wide ? f64 : f32);
    }
    m.call.q = m.tensors[0];
    m.call.k = m.tensors[1];
    m.call.v = m.tensors[2];
    m.call.causal = causal;
    m.call.f64 = wide;
    m.call.parameters = set;
    while (set && m.call.parameter_count < MOST_SET && set[m.call.parameter_count].name) {
        m.call.parameter_count++;
    }
    return m;
}

static inline void call_free(ga_context *context, made *m)
{
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, m->tensors[i]);
    }
}

static inline DLTensor *output(ga_context *context, const input *in, const char *name,
                               const ga_named_text *set, bool causal, bool wide)
{
    made m = call_make(context, in, set, causal, wide);
    ga_named_tensor wanted = { "o", NULL };
    ga_status status = ga_attend(context, name, &m.call, &wanted, 1);
    ck_assert_msg(status == GA_OK, "%s: %s", name, ga_context_error(context));
    call_free(context, &m);
    return wanted.tensor;
}

static inline ga_selection *selection_of(ga_context *context, const input *in, const char *name,
                                         const ga_named_text *set, bool causal)
{
    made m = call_make(context, in, set, causal, false);
    ga_selection *selection = NULL;
    ga_status status = ga_select(context, name, &m.call, &selection);
    ck_assert_msg(status == GA_OK, "%s: %s", name, ga_context_error(context));
    call_free(context, &m);
    return selection;
}

#endif
