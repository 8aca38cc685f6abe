/* bench_variants.c - every static pattern beside dense attention: is it as much faster as it has fewer tiles? */
#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"

enum {
    SIDE = 64,
    PATCH = 8,
    PARAMETERS = 6,
    TEXT = 32,
    GRID_ROWS = 64,
    KEYS_A_QUERY = 32,
    KEPT = 64,
    RUNS_A_TIME = 3
};

static const DLDataType f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 };
static const DLDataType u8 = { kDLUInt, 8, 1 }, i64 = { kDLInt, 64, 1 };

/* Values with a W are sizes that follow from the number of tokens: the width of the grid, 64 x W. */
typedef struct row {
    const char *variant;
    ga_named_text parameters[PARAMETERS];
    bool grid, causal; /* grid: tiles are patches of it */
} row;

static const row rows[] = {
    { "full", { { NULL, NULL } }, false, false },
    { "full", { { NULL, NULL } }, false, true },
    { "window", { { "window", "256" } }, false, false },
    { "window", { { "window", "256" }, { "sinks", "4" } }, false, true },
    { "neighborhood", { { "shape", "64,W" }, { "window", "16" } }, true, false },
    { "neighborhood", { { "shape", "64,W" }, { "window", "16" }, { "stride", "8" } }, true, false },
    { "dina", { { "shape", "64,W" }, { "window", "8" } }, true, false },
    { "halo", { { "shape", "64,W" } }, true, false },
    { "maxvit-block", { { "shape", "64,W" }, { "window", "8" } }, true, false },
    { "maxvit-grid", { { "shape", "64,W" }, { "grid", "8" } }, true, false },
    { "shifted-window", { { "shape", "64,W" } }, true, false },
    { "overlap-window", { { "shape", "64,W" } }, true, false },
    { "inward-window", { { "shape", "1,64,W" }, { "half_window", "7,7" } }, true, false },
    { "radial", { { "frames", "64" }, { "tokens_per_frame", "W" } }, false, false },
    { "s2", { { "stride", "8" } }, false, true },
    { "moa", { { NULL, NULL } }, false, false },
    { "block-sparse", { { NULL, NULL } }, false, false },
    { "graph", { { NULL, NULL } }, false, false },
    { "saliency-local", { { "shape", "64,W" }, { "key_shape", "64,W" }, { "halo", "7" } }, true, false },
};

/* Memory that runs gave back, for the next run: what is timed is the kernel, not the system's clearing of pages. */
typedef struct memory {
    pthread_mutex_t lock;
    struct kept {
        void *block;
        size_t size;
    } kept[KEPT];
} memory;

typedef struct timing {
    bench b;
    memory memory;
    ga_context *runs; /* whose memory that is; owned */
    const row *of;
    int64_t tokens;
    DLTensor *q, *k, *v; /* owned */
    char text[PARAMETERS][TEXT];
    ga_named_text parameters[PARAMETERS];
    ga_named_tensor tensors[2]; /* owned */
    ga_attend_call call;
    double dense; /* seconds */
} timing;

/* ---- memory of the runs ---- */

static void *take(void *user, size_t alignment, size_t size)
{
    enum { LARGE = 1 << 21 };
    memory *m = user;
    void *found = NULL;
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < KEPT && !found; i++) {
        if (m->kept[i].block && m->kept[i].size == size) {
            found = m->kept[i].block;
            m->kept[i].block = NULL;
        }
    }
    pthread_mutex_unlock(&m->lock);
    if (!found) {
        alignment = size >= 2 * LARGE ? LARGE : alignment;
        found = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    }
    return found;
}

static void give(void *user, void *block, size_t size)
{
    memory *m = user;
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < KEPT && block; i++) {
        if (!m->kept[i].block) {
            m->kept[i] = (struct kept){ block, size };
            block = NULL;
        }
    }
    pthread_mutex_unlock(&m->lock);
    free(block);
}

static void forget(memory *m)
{
    for (int i = 0; i < KEPT; i++) {
        free(m->kept[i].block);
        m->kept[i].block = NULL;
    }
}

static ga_status open_runs(timing *t)
{
    ga_status status = GA_OK;
    const session *s = t->b.s;
    const ga_hooks hooks = { .user = &t->memory, .allocate = take, .release = give };
    t->memory.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    GA_TRY(ga_context_create(&t->runs));
    GA_TRY(ga_context_set_hooks(t->runs, &hooks));
    GA_TRY(ga_context_set_backend(t->runs, ga_context_backend(s->context)));
    GA_TRY(ga_context_set_threads(t->runs, ga_context_threads(s->context)));
    ga_context_set_seed(t->runs, s->is.seed);
    ga_context_set_memory_limit(t->runs, s->is.max_memory);
done:
    return status;
}

/* ---- what a pattern needs ---- */

static ga_status make_spans(timing *t, int64_t heads)
{
    ga_status status =
        ga_tensor_create(t->b.s->context, f64, 2, (int64_t[]){ heads, 2 }, &t->tensors[0].tensor);
    for (int64_t h = 0; h < heads && status == GA_OK; h++) {
        double *span = (double *)t->tensors[0].tensor->data + 2 * h;
        span[0] = h % 2 ? 512 : 0;
        span[1] = h % 2 ? 0 : 0.25;
    }
    t->tensors[0].name = "spans";
    t->call.tensor_count = 1;
    return status;
}

/* A band of five blocks and the first column. */
static ga_status make_map(timing *t)
{
    int64_t n = t->tokens / SIDE;
    ga_status status =
        ga_tensor_create(t->b.s->context, u8, 3, (int64_t[]){ 1, n, n }, &t->tensors[0].tensor);
    for (int64_t i = 0; i < n * n && status == GA_OK; i++) {
        int64_t distance = i / n - i % n;
        ((uint8_t *)t->tensors[0].tensor->data)[i] = (distance >= -2 && distance <= 2) || i % n == 0;
    }
    t->tensors[0].name = "block_map";
    t->call.tensor_count = 1;
    return status;
}

/* So many keys for each query, far apart. */
static ga_status make_lists(timing *t)
{
    ga_status status = GA_OK;
    ga_context *context = t->b.s->context;
    const int64_t pointers[] = { t->tokens + 1 }, entries[] = { t->tokens * KEYS_A_QUERY };
    t->tensors[0].name = "indptr";
    t->tensors[1].name = "indices";
    t->call.tensor_count = 2;
    GA_TRY(ga_tensor_create(context, i64, 1, pointers, &t->tensors[0].tensor));
    GA_TRY(ga_tensor_create(context, i64, 1, entries, &t->tensors[1].tensor));
    int64_t *offsets = t->tensors[0].tensor->data, *keys = t->tensors[1].tensor->data;
    for (int64_t i = 0; i <= t->tokens; i++) {
        offsets[i] = i * KEYS_A_QUERY;
        for (int64_t k = 0; k < KEYS_A_QUERY && i < t->tokens; k++) {
            int64_t step = t->tokens / KEYS_A_QUERY;
            keys[i * KEYS_A_QUERY + k] = k * step + (i * 7919 + k * 104729) % step;
        }
    }
done:
    return status;
}

static ga_status make_tensors(timing *t)
{
    if (strcmp(t->of->variant, "moa") == 0) {
        return make_spans(t, t->b.s->is.bench_heads);
    }
    if (strcmp(t->of->variant, "block-sparse") == 0) {
        return make_map(t);
    }
    return strcmp(t->of->variant, "graph") == 0 ? make_lists(t) : GA_OK;
}

/* The parameters, with the width in the place of W. */
static void make_parameters(timing *t)
{
    int count = 0;
    for (; count < PARAMETERS && t->of->parameters[count].name; count++) {
        const ga_named_text *from = &t->of->parameters[count];
        size_t length = strcspn(from->value, "W");
        snprintf(t->text[count], TEXT, "%.*s", (int)length, from->value);
        if (from->value[length] == 'W') {
            snprintf(t->text[count] + length, TEXT - length, "%lld", (long long)(t->tokens / GRID_ROWS));
        }
        t->parameters[count] = (ga_named_text){ from->name, t->text[count] };
    }
    t->call.parameters = t->parameters;
    t->call.parameter_count = count;
}

/* ---- tiles of 64 tokens: patches of 8 x 8 of a grid, else neighbours on the line ---- */

static int64_t tile_of(const timing *t, int64_t token)
{
    int64_t width = t->tokens / GRID_ROWS;
    return t->of->grid ? token / width / PATCH * (width / PATCH) + token % width / PATCH : token / SIDE;
}

/* Shares of visible pairs and of pairs of tiles with one, over all heads. */
static ga_status measure_pattern(timing *t, double *density, double *tiles)
{
    ga_status status = GA_OK;
    ga_context *context = t->b.s->context;
    ga_pattern *pattern = NULL;
    int64_t(*runs)[2] = NULL, n = t->tokens / SIDE, pairs = 0, visited = 0, heads = t->b.s->is.bench_heads;
    uint8_t *seen = NULL;
    GA_TRY(
        ga_attend_pattern(context, t->of->variant, &t->call, heads, heads, t->tokens, t->tokens, &pattern));
    heads = ga_pattern_heads(pattern);
    GA_TRY(ga_alloc(context, ga_pattern_most_runs(pattern) + 1, sizeof *runs, &runs));
    GA_TRY(GA_NEW(context, n * n, &seen));
    for (int64_t h = 0; h < heads; h++) {
        memset(seen, 0, (size_t)(n * n));
        for (int64_t i = 0; i < t->tokens; i++) {
            int64_t count = ga_pattern_row_runs(pattern, h, i, runs);
            for (int64_t r = 0; r < count; r++) {
                for (int64_t j = runs[r][0]; j < runs[r][1]; j++) {
                    seen[tile_of(t, i) * n + tile_of(t, j)] = 1;
                }
            }
        }
        for (int64_t i = 0; i < n * n; i++) {
            visited += seen[i];
        }
        pairs += ga_pattern_nonzeros(pattern, h);
    }
    *density = (double)pairs / (double)heads / ((double)t->tokens * (double)t->tokens);
    *tiles = (double)visited / (double)heads / ((double)n * (double)n);
done:
    ga_free(context, runs);
    ga_free(context, seen);
    ga_pattern_destroy(context, pattern);
    return status;
}

/* ---- a row ---- */

static ga_status run_once(timing *t, const char *variant, const ga_attend_call *call, double *best)
{
    ga_status status = GA_OK;
    ga_named_tensor o = { "o", NULL };
    double began = ga__now();
    status = ga_attend(t->runs, variant, call, &o, 1);
    if (status != GA_OK) {
        return ga__fail(t->b.s->context, status, "%s", ga_context_error(t->runs));
    }
    *best = fmin(*best, ga__now() - began);
    ga_tensor_destroy(t->runs, o.tensor);
    return ga__check(t->b.s->context);
}

/* The row and dense attention in turns, so that both meet the same noise; the first runs pay for pages and caches. */
static ga_status best_times(timing *t, double *best)
{
    ga_status status = GA_OK;
    ga_attend_call dense = GA_ATTEND_CALL_INIT;
    dense.q = t->q;
    dense.k = t->k;
    dense.v = t->v;
    *best = t->dense = INFINITY;
    GA_TRY(run_once(t, t->of->variant, &t->call, best));
    *best = INFINITY;
    for (int64_t i = 0; i < t->b.s->is.bench_reps; i++) {
        GA_TRY(run_once(t, rows->variant, &dense, &t->dense));
        for (int64_t j = 0; j < RUNS_A_TIME; j++) {
            GA_TRY(run_once(t, t->of->variant, &t->call, best));
        }
    }
    *best = t->of == rows ? t->dense : *best;
done:
    return status;
}

static ga_status print_variant(timing *t, double density, double tiles, double seconds)
{
    ga_status status = GA_OK;
    bool json = t->b.s->is.json;
    ga_context *context = t->b.s->context;
    const char *comma = t->b.lines++ ? ",\n  " : "  ";
    GA_TRY(ga__output_print(context, t->b.output,
                            json ? "%s{\"pattern\": \"%s\", \"parameters\": \"" : "%s%s\t", json ? comma : "",
                            t->of->variant));
    for (int64_t i = 0; i < t->call.parameter_count; i++) {
        GA_TRY(
            ga__output_print(context, t->b.output, "%s=%s ", t->parameters[i].name, t->parameters[i].value));
    }
    status =
        ga__output_print(context, t->b.output,
                         json ? "causal=%d\", \"density\": %.4g, \"tile_density\": %.4g, \"seconds\": %.4g, "
                                "\"dense_seconds\": %.4g, \"of_tiles\": %.4g}"
                              : "causal=%d\t%.4g\t%.4g\t%.4g\t%.4g\t%.4g\n",
                         t->of->causal, density, tiles, seconds, t->dense, seconds / (t->dense * tiles));
done:
    return status;
}

static ga_status run_row(timing *t, const row *of)
{
    ga_status status = GA_OK;
    double density = 0, tiles = 0, seconds = 0;
    t->of = of;
    t->call = (ga_attend_call)GA_ATTEND_CALL_INIT;
    t->call.q = t->q;
    t->call.k = t->k;
    t->call.v = t->v;
    t->call.causal = of->causal;
    t->call.tensors = t->tensors;
    make_parameters(t);
    GA_TRY(make_tensors(t));
    GA_TRY(measure_pattern(t, &density, &tiles));
    GA_TRY(best_times(t, &seconds));
    status = print_variant(t, density, tiles, seconds);
done:
    for (int i = 0; i < 2; i++) {
        ga_tensor_destroy(t->b.s->context, t->tensors[i].tensor);
        t->tensors[i].tensor = NULL;
    }
    return status;
}

static ga_status run_rows(timing *t)
{
    ga_status status = GA_OK;
    const settings *is = &t->b.s->is;
    const int64_t shape[] = { 1, is->bench_heads, t->tokens, is->bench_dim };
    GA_TRY(open_runs(t));
    GA_TRY(bench_tensor(&t->b, f32, 4, shape, &t->q));
    GA_TRY(bench_tensor(&t->b, f32, 4, shape, &t->k));
    GA_TRY(bench_tensor(&t->b, f32, 4, shape, &t->v));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        GA_TRY(run_row(t, &rows[i]));
    }
done:
    ga_tensor_destroy(t->b.s->context, t->q);
    ga_tensor_destroy(t->b.s->context, t->k);
    ga_tensor_destroy(t->b.s->context, t->v);
    ga_context_destroy(t->runs);
    forget(&t->memory);
    return status;
}

ga_status bench_variants(session *s)
{
    ga_status status = GA_OK;
    timing t = { .b = { .s = s }, .tokens = 2 * s->is.bench_tokens };
    const char *at = NULL;
    if (t.tokens % (GRID_ROWS * 16) != 0) {
        s->wrong_usage = true;
        GA_TRY(complain(s, GA_INVALID, "--n: found %lld, expected a multiple of %d for variants",
                        (long long)s->is.bench_tokens, GRID_ROWS * 8));
    }
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &t.b.output));
    GA_TRY(ga__output_print(
        s->context, t.b.output,
        s->is.json ? "{\"backend\": \"%s\", \"threads\": %d, \"tokens\": %lld, \"rows\": [\n"
                   : "# backend %s, threads %d, tokens %lld\n"
                     "# pattern\tparameters\tdensity\ttile_density\tseconds\tdense_seconds\tof_tiles\n",
        ga_backend_name(ga_context_backend(s->context)), ga_context_threads(s->context),
        (long long)t.tokens));
    GA_TRY(run_rows(&t));
    if (s->is.json) {
        GA_TRY(ga__output_print(s->context, t.b.output, "%s", "\n]}\n"));
    }
    status = ga__output_commit(s->context, t.b.output);
    t.b.output = NULL;
done:
    ga__output_abort(s->context, t.b.output);
    return status;
}
