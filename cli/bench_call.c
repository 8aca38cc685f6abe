/* bench_call.c - calls of the variants that carry a state. */
#include "config.h"

#include "cli/bench_call.h"

#include <string.h>

static const DLDataType f32 = { kDLFloat, 32, 1 };

/* What a variant needs beside q, k and v: numbers between low and high, (1, H, N) or, with a width, (1, H, N, width);
 * width -1: D; tokens false: (H, 1, 1) instead. */
typedef struct need {
    const char *name;
    int width; /* 0: none */
    bool whole;
    float low, high;
} need;

static const struct {
    const char *variant;
    need needs[BENCH_TENSORS];
} all_needs[] = {
    { "gla", { { "log_decay", 1, false, -1, 0 } } },
    { "delta", { { "beta", 0, false, 0, 1 } } },
    { "gated-delta", { { "beta", 0, false, 0, 1 }, { "log_decay", 1, false, -1, 0 } } },
    { "norm-attention", { { "eta_logits", 0, false, -1, 1 } } },
    { "rat", { { "gate", -1, false, -2, 2 } } },
    { "ssm", { { "delta", 1, false, 0.1f, 1 }, { "a_log", 1, true, -1, 1 } } },
    { "titans",
      { { "theta", 0, false, 0, 1e-3f }, { "eta", 0, false, 0, 0.5f }, { "alpha", 0, false, 0, 0.1f } } },
};

bool bench_carries_state(const ga_variant *variant)
{
    return variant->can & GA_CARRIES_STATE && strcmp(variant->family, "linear") == 0;
}

void bench_call_close(bench *b, bench_call *c)
{
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(b->s->context, c->own[i]);
    }
    for (int64_t i = 0; i < c->call.tensor_count; i++) {
        ga_tensor_destroy(b->s->context, c->tensors[i].tensor);
    }
}

/* Numbers of bench_tensor, moved to low .. high. */
static ga_status add_tensor(bench *b, bench_call *c, const need *n, int64_t heads, int64_t tokens)
{
    ga_status status = GA_OK;
    int64_t width = n->width < 0 ? b->s->is.bench_dim : n->width;
    const int64_t whole[] = { heads, 1, 1 }, shape[] = { 1, heads, tokens, width };
    DLTensor *t = NULL;
    int axes = n->whole || width == 0 ? 3 : 4;
    GA_TRY(bench_tensor(b, f32, axes, n->whole ? whole : shape, &t));
    c->tensors[c->call.tensor_count++] = (ga_named_tensor){ n->name, t };
    int64_t count = heads * (n->whole ? 1 : tokens * ga__max(width, 1));
    for (int64_t i = 0; i < count; i++) {
        float *at = (float *)t->data + i;
        *at = n->low + (n->high - n->low) * (0.5f + 0.5f * *at);
    }
done:
    return status;
}

ga_status bench_call_open(bench *b, const char *variant, int64_t heads, int64_t tokens, bench_call *c)
{
    ga_status status = GA_OK;
    const int64_t shape[] = { 1, heads, tokens, b->s->is.bench_dim };
    *c = (bench_call){ .variant = variant, .call = GA_ATTEND_CALL_INIT };
    for (int i = 0; i < 3; i++) {
        GA_TRY(bench_tensor(b, f32, 4, shape, &c->own[i]));
    }
    for (size_t v = 0; v < sizeof all_needs / sizeof *all_needs; v++) {
        for (int i = 0; strcmp(all_needs[v].variant, variant) == 0 && i < BENCH_TENSORS; i++) {
            if (all_needs[v].needs[i].name) {
                GA_TRY(add_tensor(b, c, &all_needs[v].needs[i], heads, tokens));
            }
        }
    }
    if (strstr(variant, "delta")) { /* keys of any length make it explode */
        c->texts[0] = (ga_named_text){ "normalise_qk", "1" };
        c->call.parameters = c->texts;
        c->call.parameter_count = 1;
    }
    c->call.q = c->own[0];
    c->call.k = c->own[1];
    c->call.v = c->own[2];
    c->call.tensors = c->tensors;
    c->call.causal = true;
done:
    return status;
}

ga_status bench_call_run(bench *b, const bench_call *c, DLTensor **state)
{
    ga_named_tensor wanted[2] = { { "o", NULL }, { "state", NULL } };
    ga_status status = ga_attend(b->s->context, c->variant, &c->call, wanted, state ? 2 : 1);
    ga_tensor_destroy(b->s->context, wanted[0].tensor);
    if (state) {
        *state = wanted[1].tensor;
    }
    return status;
}
