/* bench_select.c - decoding from a long cache: dense attention beside every variant that selects, at the same budget, and
 * how the cost of the tree search grows with the length. */
#include "config.h"

#include <string.h>

#include <graphattn/select.h>
#include <graphattn/session.h>

#include "cli/bench.h"

enum {
    SHARE = 32,
    PIECE = 4096,
    SETTINGS = 8,
    SHORTEST = 8192,
    LENGTHS = 24,
    WINDOW = 32,
    TOP_K = 512 /* of hip */
};

/* A variant at a budget; values that are made up from it have "%lld" in their text. */
typedef struct method {
    const char *name;
    ga_named_text settings[SETTINGS];
    int64_t divisor[SETTINGS]; /* of the budget: what a "%lld" stands for */
    bool evicts;
    int64_t reuse; /* steps that use one choice */
} method;

static const method methods[] = {
    { "quest",
      { { "block", "16" }, { "budget", "%lld" }, { "group_reduce", "max" } },
      { 0, 1, 0 },
      false,
      1 },
    { "quest",
      { { "block", "64" }, { "budget", "%lld" }, { "group_reduce", "max" } },
      { 0, 1, 0 },
      false,
      1 },
    { "block-topk",
      { { "block", "16" },
        { "block_q", "1" },
        { "top_k", "%lld" },
        { "sinks", "4" },
        { "group_reduce", "mean" } },
      { 0, 0, 16, 0, 0 },
      false,
      1 },
    { "hip", { { "top_k", "%lld" }, { "window", "%lld" } }, { 2, 2 }, false, 1 },
    { "hip",
      { { "top_k", "%lld" }, { "window", "%lld" }, { "block_k", "64" }, { "stride_k", "16" } },
      { 2, 2, 0, 0 },
      false,
      1 },
    { "hip",
      { { "top_k", "%lld" }, { "window", "%lld" }, { "block_k", "64" }, { "stride_k", "16" } },
      { 2, 2, 0, 0 },
      false,
      8 },
    { "dhsa", { { "budget", "%lld" }, { "select", "shared" } }, { 1, 0 }, false, 1 },
    { "vertical-slash", { { "columns", "%lld" }, { "slashes", "%lld" } }, { 2, 2 }, false, 1 },
    { "landmark", { { "mode", "retrieve" }, { "top_k", "%lld" } }, { 0, 51 }, false, 1 },
    { "landmark",
      { { "mode", "retrieve" }, { "top_k", "%lld" }, { "select", "shared" } },
      { 0, 51, 0 },
      false,
      1 },
    { "flexprefill",
      { { "min_budget", "%lld" }, { "max_budget", "%lld" }, { "tau", "0" } },
      { 2, 2, 0 },
      false,
      1 },
    { "recycled", { { "top_k", "%lld" } }, { 1 }, false, 1 },
    { "snapkv", { { "budget", "%lld" }, { "group_reduce", "max" } }, { 1, 0 }, true, 1 },
    { "ada-snapkv", { { "budget", "%lld" } }, { 1 }, true, 1 },
};

/* Parameters at a budget; text: room for the numbers. Returns their count. */
static int64_t settings_of(const method *m, int64_t budget, ga_named_text set[SETTINGS],
                           char text[SETTINGS][24])
{
    int64_t i = 0;
    for (; i < SETTINGS && m->settings[i].name; i++) {
        set[i] = m->settings[i];
        if (m->divisor[i] > 0) {
            snprintf(text[i], sizeof text[i], "%lld", (long long)ga__max(1, budget / m->divisor[i]));
            set[i].value = text[i];
        }
    }
    return i;
}

typedef struct select_bench {
    bench b;
    int64_t keys, heads, kv_heads, dim, budget;
    DLTensor *q, *k, *v, *o; /* (H, WINDOW, d), (G, PIECE, d) twice, (H, 1, d) */
    ga_session *dense;
} select_bench;

/* ---- tensors ---- */

static ga_status make_tensors(select_bench *x)
{
    static const DLDataType f32 = { kDLFloat, 32, 1 };
    ga_status status = GA_OK;
    const int64_t q[] = { x->heads, WINDOW, x->dim }, k[] = { x->kv_heads, PIECE, x->dim },
                  o[] = { x->heads, 1, x->dim };
    GA_TRY(bench_tensor(&x->b, f32, 3, q, &x->q));
    GA_TRY(bench_tensor(&x->b, f32, 3, k, &x->k));
    GA_TRY(bench_tensor(&x->b, f32, 3, k, &x->v));
    GA_TRY(ga_tensor_create(x->b.s->context, f32, 3, o, &x->o));
done:
    return status;
}

/* The first rows of every head; shape is the caller's room. */
static DLTensor first_rows(const DLTensor *tensor, int64_t rows, int64_t shape[3], int64_t strides[3])
{
    DLTensor some = *tensor;
    shape[0] = tensor->shape[0];
    shape[1] = rows;
    shape[2] = tensor->shape[2];
    strides[0] = tensor->shape[1] * tensor->shape[2];
    strides[1] = tensor->shape[2];
    strides[2] = 1;
    some.shape = shape;
    some.strides = strides;
    return some;
}

static ga_status append(const select_bench *x, ga_session *open, int64_t tokens)
{
    ga_status status = GA_OK;
    while (tokens > 0) {
        int64_t some = ga__min(tokens, PIECE), shape[2][3], strides[2][3];
        DLTensor k = first_rows(x->k, some, shape[0], strides[0]),
                 v = first_rows(x->v, some, shape[1], strides[1]);
        GA_TRY(ga_session_append(x->b.s->context, open, &k, &v));
        tokens -= some;
    }
done:
    return status;
}

/* ---- sessions ---- */

/* A session with x->keys tokens, and the prompt's end where the variant evicts. settings NULL: full attention. */
static ga_status open_session(const select_bench *x, const method *m, ga_session **out)
{
    ga_status status = GA_OK;
    ga_context *context = x->b.s->context;
    ga_session_options options = GA_SESSION_OPTIONS_INIT;
    ga_named_text set[SETTINGS];
    char text[SETTINGS][24];
    options.cache = (ga_cache_options){ x->kv_heads, x->dim, x->dim, { kDLFloat, 16, 1 }, 0 };
    options.heads = x->heads;
    options.variant = m ? m->name : "full";
    options.reuse = m ? m->reuse : 1;
    options.parameters = set;
    options.parameter_count = m ? settings_of(m, x->budget, set, text) : 0;
    GA_TRY(ga_session_open(context, &options, out));
    GA_TRY(append(x, *out, x->keys));
    if (m && m->evicts) {
        GA_TRY(ga_session_evict(context, *out, x->q));
    }
done:
    return status;
}

/* What a step takes, the token that is appended before it included. */
typedef struct times {
    double choosing, attending, all;
} times;

static ga_status time_step(const select_bench *x, ga_session *open, times *t)
{
    ga_status status = GA_OK;
    int64_t shape[3], strides[3];
    DLTensor q = first_rows(x->q, 1, shape, strides);
    double start = ga__now();
    GA_TRY(append(x, open, 1));
    GA_TRY(ga_session_step(x->b.s->context, open, &q, x->o, NULL));
    t->all = ga__now() - start;
    ga_session_times(open, &t->choosing, &t->attending);
    status = ga__check(x->b.s->context);
done:
    return status;
}

static void keep_best(times *best, const times *t)
{
    *best = t->all < best->all ? *t : *best;
}

/* best += (rare - best) / every: the mean of so many steps of which one is a rare one. */
static void mix(times *best, const times *rare, int64_t every)
{
    best->choosing += (rare->choosing - best->choosing) / (double)every;
    best->attending += (rare->attending - best->attending) / (double)every;
    best->all += (rare->all - best->all) / (double)every;
}

/* The best of --reps steps of both, one after the other; the first ones, which make summaries, are not counted. Of
 * recycled the first step, over all keys, counts once in so many steps as its stride says; where a choice serves several
 * steps, the best one that chose counts once among the best one that did not. */
static ga_status time_method(const select_bench *x, const method *m, times *best, times *dense)
{
    ga_status status = GA_OK;
    ga_session *open = NULL;
    times first, t, chose = { INFINITY, INFINITY, INFINITY };
    enum { STRIDE = 50 };
    int64_t reuse = m->reuse;
    *best = *dense = chose;
    GA_TRY(open_session(x, m, &open));
    GA_TRY(time_step(x, open, &first));
    GA_TRY(time_step(x, x->dense, &t));
    for (int64_t i = 1; i <= x->b.s->is.bench_reps * reuse; i++) {
        GA_TRY(time_step(x, x->dense, &t));
        keep_best(dense, &t);
        GA_TRY(time_step(x, open, &t));
        keep_best(reuse > 1 && i % reuse == 0 ? &chose : best, &t);
    }
    if (strcmp(m->name, "recycled") == 0) {
        mix(best, &first, STRIDE);
    } else if (reuse > 1) {
        mix(best, &chose, reuse);
    }
done:
    ga_session_close(x->b.s->context, open);
    return status;
}

static ga_status print_method(select_bench *x, const method *m, const times *t, const times *dense)
{
    const char *format = x->b.s->is.json
                             ? "%s{\"variant\": \"%s\", \"parameters\": \"%s\", \"choosing\": %.4g, "
                               "\"attending\": %.4g, \"seconds\": %.4g, \"dense\": %.4g, \"speedup\": %.4g, "
                               "\"share\": %.4g}"
                             : "%s%s\t%s\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\n";
    const char *ahead = !x->b.s->is.json ? "" : x->b.lines > 0 ? ",\n  " : "  ";
    ga_named_text set[SETTINGS];
    char text[SETTINGS][24], detail[256] = "";
    int64_t count = settings_of(m, x->budget, set, text);
    for (int64_t i = 0; i < count; i++) {
        size_t used = strlen(detail);
        snprintf(detail + used, sizeof detail - used, "%s%s=%s", i > 0 ? "," : "", set[i].name, set[i].value);
    }
    if (m->reuse > 1) {
        size_t used = strlen(detail);
        snprintf(detail + used, sizeof detail - used, ",reuse=%lld", (long long)m->reuse);
    }
    x->b.lines++;
    return ga__output_print(x->b.s->context, x->b.output, format, ahead, m->name, detail, t->choosing,
                            t->attending, t->all, dense->all, dense->all / t->all, t->choosing / t->all);
}

static ga_status run_methods(select_bench *x)
{
    ga_status status = GA_OK;
    times t, dense;
    GA_TRY(open_session(x, NULL, &x->dense));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (methods[i].evicts && x->budget <= WINDOW) {
            continue;
        }
        GA_TRY(time_method(x, &methods[i], &t, &dense));
        GA_TRY(print_method(x, &methods[i], &t, &dense));
    }
done:
    ga_session_close(x->b.s->context, x->dense);
    return status;
}

/* ---- the tree search as it grows ---- */

/* Seconds of choosing for every row of a causal call with so many tokens, one head. */
static ga_status time_search(select_bench *x, int64_t tokens, double *best)
{
    static const DLDataType f32 = { kDLFloat, 32, 1 };
    ga_status status = GA_OK;
    ga_context *context = x->b.s->context;
    const int64_t shape[] = { 1, tokens, x->dim };
    DLTensor *q = NULL, *k = NULL;
    ga_selection *selection = NULL;
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    *best = INFINITY;
    GA_TRY(bench_tensor(&x->b, f32, 3, shape, &q));
    GA_TRY(bench_tensor(&x->b, f32, 3, shape, &k));
    call.q = q;
    call.k = k;
    call.causal = true;
    for (int64_t i = 0; i < ga__min(x->b.s->is.bench_reps, 3); i++) {
        double start = ga__now();
        GA_TRY(ga_select(context, "hip", &call, &selection));
        *best = fmin(*best, ga__now() - start);
        ga_selection_destroy(context, selection);
        selection = NULL;
        GA_TRY(ga__check(context));
    }
done:
    ga_tensor_destroy(context, q);
    ga_tensor_destroy(context, k);
    return status;
}

/* Slope of ln y over ln x by least squares; NAN for fewer than two. */
static double slope_of(int count, const double *x, const double *y)
{
    double n = count, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (int i = 0; i < count; i++) {
        double a = log(x[i]), b = log(y[i]);
        sx += a;
        sy += b;
        sxx += a * a;
        sxy += a * b;
    }
    return count < 2 ? NAN : (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

/* Lengths from 8192 on, or the last one alone; the exponent of t = a N^b, and of t / log2(N / top_k) = a N^b, which is 1
 * where the cost is N log N: a range of N keys is halved so often. */
static ga_status run_growth(select_bench *x)
{
    ga_status status = GA_OK;
    double length[LENGTHS], seconds[LENGTHS], divided[LENGTHS];
    bool json = x->b.s->is.json;
    int count = 0;
    for (int64_t n = ga__min(SHORTEST, x->keys); count < LENGTHS; n *= 2) {
        length[count] = (double)n;
        GA_TRY(time_search(x, n, &seconds[count]));
        divided[count] = seconds[count] / log2(fmax(2, (double)n / TOP_K));
        const char *format = json ? "%s{\"tokens\": %lld, \"seconds\": %.4g}" : "%ssearch\t%lld\t%.4g\n";
        GA_TRY(ga__output_print(x->b.s->context, x->b.output, format,
                                !json       ? ""
                                : count > 0 ? ",\n  "
                                            : "\n],\n\"search\": [\n  ",
                                (long long)n, seconds[count]));
        count++;
        if (n > x->keys / 2) {
            break;
        }
    }
    char text[2][32];
    double slopes[] = { slope_of(count, length, seconds), slope_of(count, length, divided) };
    for (int i = 0; i < 2; i++) {
        snprintf(text[i], sizeof *text, "%.3f", slopes[i]);
    }
    const char *none = json ? "null" : "-";
    status = ga__output_print(x->b.s->context, x->b.output,
                              json ? "\n], \"exponent\": %s, \"exponent_without_log\": %s}\n"
                                   : "exponent\t%s\t%s\n",
                              count > 1 ? text[0] : none, count > 1 ? text[1] : none);
done:
    return status;
}

/* ---- the command ---- */

ga_status bench_select(session *s)
{
    ga_status status = GA_OK;
    int64_t keys = s->is.bench_keys, heads = s->is.bench_heads;
    select_bench x = { .b = { .s = s },
                       .keys = keys,
                       .heads = heads,
                       .kv_heads = heads % 4 == 0 ? heads / 4 : heads,
                       .dim = s->is.bench_dim,
                       .budget = ga__max(1, keys / SHARE) };
    const char *at = NULL;
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &x.b.output));
    GA_TRY(ga__output_print(
        s->context, x.b.output,
        s->is.json
            ? "{\"backend\": \"%s\", \"threads\": %d, \"keys\": %lld, \"heads\": %lld, \"kv_heads\": %lld, "
              "\"dim\": %lld, \"budget\": %lld, \"rows\": [\n"
            : "# backend %s, threads %d, %lld keys of f16, H=%lld G=%lld D=%lld, budget %lld\n"
              "# variant\tparameters\tchoosing\tattending\tseconds\tdense\tspeedup\tshare\n",
        ga_backend_name(ga_context_backend(s->context)), ga_context_threads(s->context), (long long)keys,
        (long long)x.heads, (long long)x.kv_heads, (long long)x.dim, (long long)x.budget));
    GA_TRY(make_tensors(&x));
    GA_TRY(run_methods(&x));
    GA_TRY(run_growth(&x));
    status = ga__output_commit(s->context, x.b.output);
    x.b.output = NULL;
done:
    ga__output_abort(s->context, x.b.output);
    DLTensor *all[] = { x.q, x.k, x.v, x.o };
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(s->context, all[i]);
    }
    return status;
}
