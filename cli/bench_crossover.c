/* bench_crossover.c - from which length on the variants that carry a state are faster than causal softmax attention. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"

enum { LENGTHS = 24, SHORTEST = 64, TENSORS = 3, OWN = 4 };

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
    need needs[TENSORS];
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

/* A call of a variant of so many tokens. */
typedef struct call {
    const char *variant;
    ga_attend_call call;
    ga_named_tensor tensors[TENSORS];
    ga_named_text texts[1];
    DLTensor *own[3]; /* q, k, v */
} call;

/* Seconds of a variant at every length. */
typedef struct curve {
    double seconds[LENGTHS];
} curve;

typedef struct crossover {
    bench b;
    int64_t lengths[LENGTHS];
    int count;
    curve softmax;
} crossover;

static void close_call(session *s, call *c)
{
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(s->context, c->own[i]);
    }
    for (int64_t i = 0; i < c->call.tensor_count; i++) {
        ga_tensor_destroy(s->context, c->tensors[i].tensor);
    }
}

/* Numbers of bench_tensor, moved to low .. high. */
static ga_status add_tensor(crossover *x, call *c, const need *n, int64_t tokens)
{
    ga_status status = GA_OK;
    const settings *is = &x->b.s->is;
    int64_t width = n->width < 0 ? is->bench_dim : n->width;
    const int64_t whole[] = { is->bench_heads, 1, 1 }, shape[] = { 1, is->bench_heads, tokens, width };
    DLTensor *t = NULL;
    int axes = n->whole || width == 0 ? 3 : 4;
    GA_TRY(bench_tensor(&x->b, f32, axes, n->whole ? whole : shape, &t));
    c->tensors[c->call.tensor_count++] = (ga_named_tensor){ n->name, t };
    int64_t count = is->bench_heads * (n->whole ? 1 : tokens * ga__max(width, 1));
    for (int64_t i = 0; i < count; i++) {
        float *at = (float *)t->data + i;
        *at = n->low + (n->high - n->low) * (0.5f + 0.5f * *at);
    }
done:
    return status;
}

static ga_status open_call(crossover *x, const char *variant, int64_t tokens, call *c)
{
    ga_status status = GA_OK;
    const settings *is = &x->b.s->is;
    const int64_t shape[] = { 1, is->bench_heads, tokens, is->bench_dim };
    *c = (call){ .variant = variant, .call = GA_ATTEND_CALL_INIT };
    for (int i = 0; i < 3; i++) {
        GA_TRY(bench_tensor(&x->b, f32, 4, shape, &c->own[i]));
    }
    for (size_t v = 0; v < sizeof all_needs / sizeof *all_needs; v++) {
        for (int i = 0; strcmp(all_needs[v].variant, variant) == 0 && i < TENSORS; i++) {
            if (all_needs[v].needs[i].name) {
                GA_TRY(add_tensor(x, c, &all_needs[v].needs[i], tokens));
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

static ga_status run_call(session *s, const call *c)
{
    ga_named_tensor wanted = { "o", NULL };
    ga_status status = ga_attend(s->context, c->variant, &c->call, &wanted, 1);
    ga_tensor_destroy(s->context, wanted.tensor);
    return status;
}

/* The best of --reps runs, after one that is not counted. */
static ga_status time_call(crossover *x, const char *variant, int64_t tokens, double *best)
{
    ga_status status = GA_OK;
    session *s = x->b.s;
    call c = { .variant = variant };
    GA_TRY(open_call(x, variant, tokens, &c));
    GA_TRY(run_call(s, &c));
    *best = INFINITY;
    for (int64_t i = 0; i < s->is.bench_reps; i++) {
        double start = ga__now();
        GA_TRY(run_call(s, &c));
        *best = fmin(*best, ga__now() - start);
        GA_TRY(ga__check(s->context));
    }
done:
    close_call(s, &c);
    return status;
}

static ga_status time_curve(crossover *x, const char *variant, curve *out)
{
    ga_status status = GA_OK;
    for (int i = 0; i < x->count; i++) {
        GA_TRY(time_call(x, variant, x->lengths[i], &out->seconds[i]));
    }
done:
    return status;
}

/* Where the ratio of two curves, a straight line between two lengths on logarithmic axes, is 1 for the last time before
 * the first curve stays below: 0 when it is below everywhere, NAN when it is not at the end. */
static double crossing(const crossover *x, const curve *a, int *from)
{
    int i = x->count;
    while (i > 0 && a->seconds[i - 1] < x->softmax.seconds[i - 1]) {
        i--;
    }
    *from = i;
    if (i == 0 || i == x->count) {
        return i == 0 ? 0 : NAN;
    }
    double before = log(a->seconds[i - 1] / x->softmax.seconds[i - 1]),
           behind = log(a->seconds[i] / x->softmax.seconds[i]);
    double share = before / (before - behind), low = log((double)x->lengths[i - 1]),
           high = log((double)x->lengths[i]);
    return exp(low + share * (high - low));
}

static ga_status print_curve(crossover *x, const char *variant, const curve *a)
{
    int from, last = x->count - 1;
    double at = crossing(x, a, &from);
    bool json = x->b.s->is.json;
    char measured[32], between[32];
    const char *none = json ? "null" : "-";
    snprintf(measured, sizeof measured, "%lld", (long long)(from < x->count ? x->lengths[from] : 0));
    snprintf(between, sizeof between, "%.0f", at);
    const char *format = json ? "%s{\"variant\": \"%s\", \"faster_from\": %s, \"crossing\": %s, \"seconds\": "
                                "%.4g, \"softmax_seconds\": %.4g, \"speedup\": %.4g}"
                              : "%s%s\t%s\t%s\t%.4g\t%.4g\t%.4g\n";
    const char *ahead = !json ? "" : x->b.lines > 0 ? ",\n  " : "  ";
    x->b.lines++;
    return ga__output_print(x->b.s->context, x->b.output, format, ahead, variant,
                            from < x->count ? measured : none, at > 0 ? between : none, a->seconds[last],
                            x->softmax.seconds[last], x->softmax.seconds[last] / a->seconds[last]);
}

/* 64, 128, ... and the last one, --n. */
static void set_lengths(crossover *x)
{
    int64_t most = x->b.s->is.bench_tokens, n = ga__min(SHORTEST, most);
    while (n < most && x->count < LENGTHS - 1) {
        x->lengths[x->count++] = n;
        n *= 2;
    }
    x->lengths[x->count++] = most;
}

static ga_status run_variants(crossover *x)
{
    ga_status status = GA_OK;
    GA_TRY(time_curve(x, "full", &x->softmax));
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        curve a;
        if ((*v)->can & GA_CARRIES_STATE && strcmp((*v)->family, "linear") == 0) {
            GA_TRY(time_curve(x, (*v)->name, &a));
            GA_TRY(print_curve(x, (*v)->name, &a));
        }
    }
done:
    return status;
}

ga_status bench_crossover(session *s)
{
    ga_status status = GA_OK;
    crossover x = { .b = { .s = s } };
    const char *at = NULL;
    set_lengths(&x);
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &x.b.output));
    GA_TRY(ga__output_print(
        s->context, x.b.output,
        s->is.json
            ? "{\"backend\": \"%s\", \"threads\": %d, \"n\": %lld, \"heads\": %lld, \"dim\": %lld, \"rows\": [\n"
            : "# backend %s, threads %d, N up to %lld, H=%lld D=%lld, causal\n"
              "# variant\tfaster_from\tcrossing\tseconds\tsoftmax_seconds\tspeedup\n",
        ga_backend_name(ga_context_backend(s->context)), ga_context_threads(s->context),
        (long long)s->is.bench_tokens, (long long)s->is.bench_heads, (long long)s->is.bench_dim));
    GA_TRY(run_variants(&x));
    if (s->is.json) {
        GA_TRY(ga__output_print(s->context, x.b.output, "%s", "\n]}\n"));
    }
    status = ga__output_commit(s->context, x.b.output);
    x.b.output = NULL;
done:
    ga__output_abort(s->context, x.b.output);
    return status;
}
