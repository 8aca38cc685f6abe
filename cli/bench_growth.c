/* bench_growth.c - how the cost of the variants that carry a state grows: of a call with its length, and of a token with
 * its position when tokens come one by one. */
#include "config.h"

#include <string.h>

#include "cli/bench_call.h"

enum {
    STEPS = 5,   /* lengths, each four times the one before */
    DECODED = 32 /* tokens that are timed together */
};

/* Lengths end where a call would take more memory, unless --max-memory says how much, or longer. */
static const int64_t most_bytes = (int64_t)8 << 30;
static const double most_seconds = 60, once_seconds = 3;

/* What was measured of a variant; a place is the point in the text where decoding starts. */
typedef struct growth {
    bench *b;
    const char *variant;
    int count;
    int64_t lengths[STEPS];
    double seconds[STEPS];
    DLTensor *state[2]; /* behind the tokens in front of the places, owned */
    int64_t place[2];
    double token[2]; /* seconds a decoded token */
} growth;

static void growth_close(growth *g)
{
    for (int i = 0; i < 2; i++) {
        ga_tensor_destroy(g->b->s->context, g->state[i]);
        g->state[i] = NULL;
    }
}

/* ---- calls ---- */

/* The best of --reps calls of so many tokens, after one that is not counted where it took less than a second; one alone
 * where it took long. The state behind them replaces *state. */
static ga_status time_length(growth *g, int64_t tokens, double *best, DLTensor **state)
{
    ga_status status = GA_OK;
    session *s = g->b->s;
    bench_call c = { .variant = g->variant };
    DLTensor *made = NULL;
    GA_TRY(bench_call_open(g->b, g->variant, 1, tokens, &c));
    *best = INFINITY;
    for (int64_t i = 0; i <= s->is.bench_reps && !(i > 0 && *best > once_seconds && *best < INFINITY); i++) {
        ga_tensor_destroy(s->context, made);
        made = NULL;
        double start = ga__now();
        GA_TRY(bench_call_run(g->b, &c, &made));
        double took = ga__now() - start;
        *best = i > 0 || took > 1 ? fmin(*best, took) : *best;
        GA_TRY(ga__check(s->context));
    }
    ga_tensor_destroy(s->context, *state);
    *state = made;
    made = NULL;
done:
    ga_tensor_destroy(s->context, made);
    bench_call_close(g->b, &c);
    return status;
}

/* Calls of --n tokens, 4 times, ... 256 times as many, and the states of the two places. */
static ga_status time_lengths(growth *g)
{
    ga_status status = GA_OK;
    double best = 0;
    int64_t tokens = g->b->s->is.bench_tokens;
    g->place[0] = ga__max(1, tokens / 4);
    GA_TRY(time_length(g, g->place[0], &best, &g->state[0]));
    while (g->count < STEPS && (g->count == 0 || 4 * g->seconds[g->count - 1] < most_seconds)) {
        status = time_length(g, tokens, &g->seconds[g->count], &g->state[1]);
        if (status == GA_LIMIT && g->count > 0) {
            status = GA_OK;
            break;
        }
        GA_TRY(status);
        g->lengths[g->count++] = g->place[1] = tokens;
        tokens *= 4;
    }
done:
    return status;
}

/* The exponent b of seconds = a N^b: least squares on logarithmic axes. NAN for one length. */
static double slope(const growth *g)
{
    double x = 0, y = 0, xx = 0, xy = 0, n = g->count;
    for (int i = 0; i < g->count; i++) {
        double u = log((double)g->lengths[i]), v = log(g->seconds[i]);
        x += u;
        y += v;
        xx += u * u;
        xy += u * v;
    }
    return g->count > 1 ? (n * xy - x * y) / (n * xx - x * x) : NAN;
}

/* ---- tokens ---- */

static bool has_start(const char *variant)
{
    for (const ga_parameter *p = ga_variant_find(variant)->parameters; p && p->name; p++) {
        if (strcmp(p->name, "start") == 0) {
            return true;
        }
    }
    return false;
}

/* A call that goes on behind a place. It owns the state. */
static ga_status open_place(growth *g, int i, bench_call *c, char text[32])
{
    ga_status status = bench_call_open(g->b, g->variant, 1, DECODED, c);
    if (status != GA_OK) {
        return status;
    }
    c->tensors[c->call.tensor_count++] = (ga_named_tensor){ "initial_state", g->state[i] };
    g->state[i] = NULL;
    if (has_start(g->variant)) {
        snprintf(text, 32, "%lld", (long long)g->place[i]);
        c->texts[c->call.parameter_count++] = (ga_named_text){ "start", text };
        c->call.parameters = c->texts;
    }
    return status;
}

static ga_status time_decoding(growth *g, const bench_call *c, double *best)
{
    ga_named_tensor wanted = { "o", NULL };
    double start = ga__now();
    ga_status status = ga_attend_decode(g->b->s->context, c->variant, &c->call, &wanted, 1);
    *best = fmin(*best, (ga__now() - start) / DECODED);
    ga_tensor_destroy(g->b->s->context, wanted.tensor);
    return status;
}

/* The places take turns, so that what else the machine does meets both. */
static ga_status time_tokens(growth *g)
{
    ga_status status = GA_OK;
    bench_call c[2] = { { .variant = g->variant }, { .variant = g->variant } };
    char text[2][32];
    for (int i = 0; i < 2; i++) {
        GA_TRY(open_place(g, i, &c[i], text[i]));
        g->token[i] = INFINITY;
    }
    for (int64_t turn = 0; turn < 4 * g->b->s->is.bench_reps; turn++) {
        for (int i = 0; i < 2; i++) {
            GA_TRY(time_decoding(g, &c[i], &g->token[i]));
        }
        GA_TRY(ga__check(g->b->s->context));
    }
done:
    bench_call_close(g->b, &c[0]);
    bench_call_close(g->b, &c[1]);
    return status;
}

/* ---- the table ---- */

static ga_status print_growth(const growth *g)
{
    int last = g->count - 1;
    bool json = g->b->s->is.json;
    char exponent[32];
    snprintf(exponent, sizeof exponent, g->count > 1 ? "%.4g" : json ? "null" : "-", slope(g));
    const char *format =
        json
            ? "%s{\"variant\": \"%s\", \"shortest\": %lld, \"longest\": %lld, \"slope\": %s, "
              "\"token_ns_shortest\": %.4g, \"token_ns_longest\": %.4g, \"place\": %lld, \"far_place\": %lld, "
              "\"decoded_ns\": %.4g, \"far_decoded_ns\": %.4g, \"far_over_near\": %.4g}"
            : "%s%s\t%lld\t%lld\t%s\t%.4g\t%.4g\t%lld\t%lld\t%.4g\t%.4g\t%.4g\n";
    const char *ahead = !json ? "" : g->b->lines > 0 ? ",\n  " : "  ";
    g->b->lines++;
    return ga__output_print(
        g->b->s->context, g->b->output, format, ahead, g->variant, (long long)g->lengths[0],
        (long long)g->lengths[last], exponent, 1e9 * g->seconds[0] / (double)g->lengths[0],
        1e9 * g->seconds[last] / (double)g->lengths[last], (long long)g->place[0], (long long)g->place[1],
        1e9 * g->token[0], 1e9 * g->token[1], g->token[1] / g->token[0]);
}

static ga_status run_variants(bench *b)
{
    ga_status status = GA_OK;
    growth g = { .b = b };
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        if (bench_carries_state(*v)) {
            g = (growth){ .b = b, .variant = (*v)->name };
            GA_TRY(time_lengths(&g));
            GA_TRY(time_tokens(&g));
            GA_TRY(print_growth(&g));
        }
    }
done:
    growth_close(&g);
    return status;
}

ga_status bench_growth(session *s)
{
    ga_status status = GA_OK;
    bench b = { .s = s };
    const char *at = NULL;
    if (s->is.max_memory == 0) {
        ga_context_set_memory_limit(s->context, most_bytes);
    }
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &b.output));
    GA_TRY(ga__output_print(
        s->context, b.output,
        s->is.json
            ? "{\"backend\": \"%s\", \"threads\": %d, \"dim\": %lld, \"rows\": [\n"
            : "# backend %s, threads %d, H=1 D=%lld, causal\n"
              "# variant\tshortest\tlongest\tslope\ttoken_ns_shortest\ttoken_ns_longest\tplace\tfar_place\t"
              "decoded_ns\tfar_decoded_ns\tfar_over_near\n",
        ga_backend_name(ga_context_backend(s->context)), ga_context_threads(s->context),
        (long long)s->is.bench_dim));
    GA_TRY(run_variants(&b));
    if (s->is.json) {
        GA_TRY(ga__output_print(s->context, b.output, "%s", "\n]}\n"));
    }
    status = ga__output_commit(s->context, b.output);
    b.output = NULL;
done:
    ga__output_abort(s->context, b.output);
    return status;
}
