/* bench_crossover.c - from which length on the variants that carry a state are faster than causal softmax attention. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/bench_call.h"

enum { LENGTHS = 24, SHORTEST = 64 };

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

/* The best of --reps runs, after one that is not counted. */
static ga_status time_call(crossover *x, const char *variant, int64_t tokens, double *best)
{
    ga_status status = GA_OK;
    session *s = x->b.s;
    bench_call c = { .variant = variant };
    GA_TRY(bench_call_open(&x->b, variant, s->is.bench_heads, tokens, &c));
    GA_TRY(bench_call_run(&x->b, &c, NULL));
    *best = INFINITY;
    for (int64_t i = 0; i < s->is.bench_reps; i++) {
        double start = ga__now();
        GA_TRY(bench_call_run(&x->b, &c, NULL));
        *best = fmin(*best, ga__now() - start);
        GA_TRY(ga__check(s->context));
    }
done:
    bench_call_close(&x->b, &c);
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
        if (bench_carries_state(*v)) {
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
