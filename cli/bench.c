/* bench.c - graphattn bench: what this machine can do, and how near the kernels come to it. */
#include "config.h"

#include "cli/bench.h"

#include <stdlib.h>
#include <string.h>

#include "lib/engine/isa.h"
#include "lib/engine/view.h"

static const char *const task_words[] = { "all",      "limits", "attention", "attention-backward",
                                          "bf16",     "spmm",   "graph",     "graph-backward",
                                          "scan",     "gemm",   "crossover", "growth",
                                          "variants", "select", NULL };
static const char *const family_words[] = { "static", NULL };

static const option rows[] = {
    { "task", 0, OPTION_WORD, AT(task), .help = "what to time (default: all)", .words = task_words },
    { "limits", 0, OPTION_SWITCH, AT(limits), .help = "the same as --task limits" },
    { "graph", 0, OPTION_TEXT, AT(bench_graph), "FILE",
      .help = "graph of the sparse tasks (default: an R-MAT graph of 262144 nodes, 4000000 edges)" },
    { "n", 0, OPTION_INTEGER, AT(bench_tokens), "N",
      .help = "tokens of the dense tasks (default: 4096; of scan: up to 16 times, of growth: up to "
              "256 times as many)",
      .low = 1, .high = 1 << 24 },
    { "heads", 0, OPTION_INTEGER, AT(bench_heads), "H", .help = "attention heads (default: 8)", .low = 1,
      .high = 1024 },
    { "dim", 0, OPTION_INTEGER, AT(bench_dim), "D", .help = "width of a head (default: 64)", .low = 1,
      .high = 4096 },
    { "window", 0, OPTION_INTEGER, AT(bench_window), "W", .help = "keys of a window (default: 256)", .low = 1,
      .high = 1 << 24 },
    { "family", 0, OPTION_WORD, AT(family), .help = "of variants: which ones (default: static)",
      .words = family_words },
    { "keys", 0, OPTION_INTEGER, AT(bench_keys), "N",
      .help = "of select: tokens in the cache (default: 131072)", .low = 1, .high = 1 << 24 },
    { "reps", 0, OPTION_INTEGER, AT(bench_reps), "R",
      .help = "runs of each line; the best counts (default: 5)", .low = 1, .high = 1000 },
    { 0 }
};
const option_group bench_options = { "Benchmark", rows };

/* The operand is a task too. */
static int take_operand(session *s)
{
    const char *word = s->operand_count ? s->operands[0] : NULL;
    if (word && (s->is.task > 0 || s->is.limits)) {
        return usage_error(s, "the task is given twice");
    }
    for (int i = 0; word && task_words[i]; i++) {
        if (strcmp(word, task_words[i]) == 0) {
            s->is.task = i;
            return 0;
        }
    }
    return word ? usage_error(s, "no task \"%s\"; --help lists them", word) : 0;
}

int bench_check(session *s)
{
    int bad = take_operand(s);
    bad = bad ? bad : check_backend(s);
    if (bad) {
        return bad;
    }
    if (s->is.bench_graph) {
        reads(s, s->is.bench_graph);
    }
    writes(s, s->is.output);
    return 0;
}

/* ---- rows of the table ---- */

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* One line; rate and limit in units of 1e9 a second. limit 0: there is none to compare with. */
static ga_status print_row(bench *b, const char *task, const char *detail, double best, double median,
                           double rate, const char *unit, double limit)
{
    ga_status status = GA_OK;
    char text[5][32];
    double values[] = { best, median, rate, limit, limit > 0 ? rate / limit : NAN };
    for (int i = 0; i < 5; i++) {
        snprintf(text[i], sizeof *text, "%.4g", values[i]);
    }
    bool json = b->s->is.json;
    const char *none = json ? "null" : "-";
    const char *format = json ? "%s{\"task\": \"%s\", \"detail\": \"%s\", \"best_seconds\": %s, "
                                "\"median_seconds\": %s, \"rate\": %s, \"unit\": \"%s\", \"limit\": %s, "
                                "\"of_limit\": %s}"
                              : "%s%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n";
    const char *before = !json ? "" : b->lines > 0 ? ",\n  " : "  ";
    status = ga__output_print(b->s->context, b->output, format, before, task, detail,
                              best > 0 ? text[0] : none, best > 0 ? text[1] : none, text[2], unit,
                              limit > 0 ? text[3] : none, limit > 0 ? text[4] : none);
    b->lines++;
    return status;
}

ga_status bench_time(bench *b, const char *task, const char *detail, ga_status (*run)(bench *, void *),
                     void *user, double work, const char *unit, double limit)
{
    ga_status status = GA_OK;
    double *seconds = NULL;
    int64_t reps = b->s->is.bench_reps;
    GA_TRY(GA_NEW(b->s->context, reps, &seconds));
    GA_TRY(run(b, user)); /* the first run pays for pages and caches */
    for (int64_t i = 0; i < reps; i++) {
        double start = ga__now();
        GA_TRY(run(b, user));
        seconds[i] = ga__now() - start;
        GA_TRY(ga__check(b->s->context));
    }
    qsort(seconds, (size_t)reps, sizeof *seconds, by_value);
    status = print_row(b, task, detail, seconds[0], seconds[reps / 2], work / seconds[0] / 1e9, unit, limit);
done:
    ga_free(b->s->context, seconds);
    return status;
}

/* ---- limits ---- */

static ga_status measure_limits(bench *b, bool show)
{
    enum { BYTES = 256 << 20 };
    ga_status status = GA_OK;
    ga_context *context = b->s->context;
    double read = 0, copy = 0, stream = 0, triad = 0;
    GA_TRY(ga__limit_fma(context, &b->fma));
    if (ga__machine_has_bf16() && ga_context_backend(context) == GA_BACKEND_AVX512) {
        GA_TRY(ga__limit_bf16(context, &b->bf16));
    }
    if (!show) {
        goto done;
    }
    GA_TRY(ga__limit_read(context, BYTES, &read));
    GA_TRY(ga__limit_copy(context, BYTES, false, &copy));
    GA_TRY(ga__limit_copy(context, BYTES, true, &stream));
    GA_TRY(ga__limit_triad(context, BYTES, true, &triad));
    GA_TRY(print_row(b, "limit", "read", 0, 0, read / 1e9, "GB/s", 0));
    GA_TRY(print_row(b, "limit", "copy", 0, 0, copy / 1e9, "GB/s", 0));
    GA_TRY(print_row(b, "limit", "copy, streaming stores", 0, 0, stream / 1e9, "GB/s", 0));
    GA_TRY(print_row(b, "limit", "triad, streaming stores", 0, 0, triad / 1e9, "GB/s", 0));
    GA_TRY(print_row(b, "limit", "multiply-add f32", 0, 0, b->fma / 1e9, "GFLOP/s", 0));
    if (b->bf16 > 0) {
        status = print_row(b, "limit", "dot product bf16", 0, 0, b->bf16 / 1e9, "GFLOP/s", 0);
    }
done:
    return status;
}

/* The graph of the sparse tasks, made or read when the first of them needs it. */
ga_status bench_edges(bench *b)
{
    ga_status status = GA_OK;
    ga_context *context = b->s->context;
    if (b->graph) {
        return GA_OK;
    }
    if (b->s->is.bench_graph) {
        ga_read_options o = GA_READ_OPTIONS_INIT;
        GA_TRY(ga_graph_read(context, b->s->is.bench_graph, &o, &b->graph, NULL));
    } else {
        ga_generate_options o = GA_GENERATE_OPTIONS_INIT;
        o.nodes = 262144;
        o.edges = 4000000;
        GA_TRY(ga_graph_generate(context, &o, &b->graph));
    }
    ga_csr in = { 0 };
    GA_TRY(ga_graph_in(context, b->graph, &in));
    b->edges = (ga_edges){ in.rows, in.rows, in.nonzeros, in.offsets, in.targets };
    status = ga_edges_transpose(context, &b->edges, &b->transposed);
done:
    return status;
}

ga_status bench_gather(bench *b, int64_t width, double *bytes_per_second)
{
    ga_status status = GA_OK;
    char detail[64];
    GA_TRY(ga__limit_gather(b->s->context, &b->edges, width, bytes_per_second));
    snprintf(detail, sizeof detail, "gather of rows, F=%lld", (long long)width);
    status = print_row(b, "limit", detail, 0, 0, *bytes_per_second / 1e9, "GB/s", 0);
done:
    return status;
}

ga_status bench_tensor(bench *b, DLDataType dtype, int ndim, const int64_t *shape, DLTensor **out)
{
    DLTensor *t = NULL;
    ga_status status = ga_tensor_create(b->s->context, dtype, ndim, shape, &t);
    if (status != GA_OK) {
        return status;
    }
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) {
        count *= shape[i];
    }
    uint64_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        float value = (float)(int32_t)(state >> 32) * 0x1p-31f;
        if (dtype.bits == 16) {
            ((uint16_t *)t->data)[i] = ga__to_bf16(value);
        } else {
            ((float *)t->data)[i] = value;
        }
    }
    *out = t;
    return GA_OK;
}

static bool wants(const bench *b, const char *task)
{
    const char *asked = task_words[b->s->is.limits ? 1 : b->s->is.task];
    return strcmp(asked, "all") == 0 || strcmp(asked, task) == 0;
}

static ga_status run_tasks(bench *b)
{
    static const struct {
        const char *name;
        ga_status (*run)(bench *b);
    } tasks[] = { { "attention", bench_attention }, { "attention-backward", bench_attention_backward },
                  { "bf16", bench_bf16 },           { "spmm", bench_spmm },
                  { "graph", bench_graph },         { "graph-backward", bench_graph_backward },
                  { "scan", bench_scan },           { "gemm", bench_gemm } };
    ga_status status = measure_limits(b, wants(b, "limits"));
    for (size_t i = 0; status == GA_OK && i < sizeof tasks / sizeof *tasks; i++) {
        if (wants(b, tasks[i].name)) {
            status = tasks[i].run(b);
        }
    }
    return status;
}

ga_status bench_run(session *s)
{
    static const struct {
        const char *name;
        ga_status (*run)(session *s);
    } tables[] = { { "crossover", bench_crossover },
                   { "growth", bench_growth },
                   { "variants", bench_variants },
                   { "select", bench_select } };
    ga_status status = GA_OK;
    bench b = { .s = s };
    const char *at = NULL;
    GA_TRY(set_backend(s));
    for (size_t i = 0; !s->is.limits && i < sizeof tables / sizeof *tables; i++) {
        if (strcmp(task_words[s->is.task], tables[i].name) == 0) {
            return tables[i].run(s);
        }
    }
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &b.output));
    GA_TRY(ga__output_print(
        s->context, b.output,
        s->is.json ? "{\"backend\": \"%s\", \"threads\": %d, \"rows\": [\n"
                   : "# backend %s, threads %d\n"
                     "# task\tdetail\tbest_seconds\tmedian_seconds\trate\tunit\tlimit\tof_limit\n",
        ga_backend_name(ga_context_backend(s->context)), ga_context_threads(s->context)));
    GA_TRY(run_tasks(&b));
    if (s->is.json) {
        GA_TRY(ga__output_print(s->context, b.output, "%s", "\n]}\n"));
    }
    status = ga__output_commit(s->context, b.output);
    b.output = NULL;
done:
    ga__output_abort(s->context, b.output);
    ga_transposed_destroy(s->context, &b.transposed);
    ga_graph_destroy(s->context, b.graph);
    return status;
}
