/* ours.c - the operators of a device: checked against double precision on the CPU, then timed.
 *
 *     ours --device cuda --shapes bench/gpu/shapes.json [--tiny] [--budget SECONDS] >rows.json
 *
 * A workload of the file is first done in small, with three seeds and NaN in the outputs, beside the same call in f64 on
 * the CPU; then it is timed with all tensors on the device: 10 calls unmeasured, then 30 samples of as many calls as take
 * 2 ms, each followed by a wait. --tiny shrinks the workloads, to try the program on the emulated device. What a device
 * refuses becomes a row with the words. When the budget is used up, the workloads that are left become rows that say so.
 */
#include <graphattn.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/gpu/work.h"

enum { WARM_UP = 10, SAMPLES = 30, SEEDS = 3 };

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

typedef struct run {
    const char *shapes, *device_name;
    ga_device_kind kind;
    int index;
    bool tiny;
    double budget, started;
    ga_context *context, *reference; /* on the device; on the CPU */
} run;

/* ---- one workload ---- */

static int64_t member(const json_t *row, const char *name, int64_t missing)
{
    const json_t *value = json_object_get(row, name);
    return value ? (int64_t)json_integer_value(value) : missing;
}

static work read_work(const json_t *row)
{
    const char *dtype = json_string_value(json_object_get(row, "dtype"));
    const char *normaliser = json_string_value(json_object_get(row, "normaliser"));
    return (work){
        .name = json_string_value(json_object_get(row, "name")),
        .op = json_string_value(json_object_get(row, "operator")),
        .bf16 = dtype && strcmp(dtype, "bf16") == 0,
        .sigmoid = normaliser && strcmp(normaliser, "sigmoid") == 0,
        .causal = json_is_true(json_object_get(row, "causal")),
        .nodes = member(row, "nodes", 0),
        .edges = member(row, "edges", 0),
        .batch = member(row, "batch", 1),
        .heads = member(row, "heads", 1),
        .tokens = member(row, "tokens", 0),
        .width = member(row, "width", 1),
        .window = member(row, "window", 0),
        .seed = 1,
    };
}

/* The same kind of work in a size that the CPU does in double precision at once. */
static work shrink(work w, uint64_t seed)
{
    w.nodes = w.nodes ? 333 : 0;
    w.edges = w.edges ? 2500 : 0;
    w.batch = 1;
    w.heads = w.heads > 3 ? 3 : w.heads;
    w.tokens = w.tokens ? 150 + 37 * (int64_t)seed : 0;
    w.window = w.window ? 45 : 0;
    w.seed = seed;
    return w;
}

/* Largest error of the device over SEEDS seeds, relative to the largest value. */
static ga_status check(run *r, const work *w, double *error)
{
    ga_status status = GA_OK;
    *error = 0;
    for (uint64_t seed = 1; status == GA_OK && seed <= SEEDS; seed++) {
        work small = shrink(*w, seed);
        double found = 0;
        status = work_compare(r->context, r->reference, &small, &found);
        *error = isnan(found) ? found : fmax(*error, found);
    }
    return status;
}

static ga_status one_sample(run *r, prepared *p, int64_t calls, double *seconds)
{
    ga_status status = GA_OK;
    double start = now();
    for (int64_t i = 0; status == GA_OK && i < calls; i++) {
        status = work_run(r->context, p);
    }
    if (status == GA_OK) {
        status = ga_stream_sync(r->context);
    }
    *seconds = (now() - start) / (double)calls;
    return status;
}

static ga_status measure(run *r, const work *w, json_t *row)
{
    ga_status status = GA_OK;
    prepared *p = NULL;
    double sample[SAMPLES], each = 0;
    int samples = r->tiny ? 3 : SAMPLES;
    status = work_prepare(r->context, w, &p);
    if (status == GA_OK) {
        status = one_sample(r, p, r->tiny ? 1 : WARM_UP, &each);
    }
    int64_t calls = r->tiny || each > 2e-3 ? 1 : (int64_t)(2e-3 / fmax(each, 1e-6)) + 1;
    for (int i = 0; status == GA_OK && i < samples; i++) {
        status = one_sample(r, p, calls, &sample[i]);
    }
    work_destroy(r->context, p);
    if (status == GA_OK) {
        qsort(sample, (size_t)samples, sizeof *sample, by_size);
        json_object_set_new(row, "ms", json_real(sample[samples / 2] * 1e3));
        json_object_set_new(row, "p10", json_real(sample[samples / 10] * 1e3));
        json_object_set_new(row, "p90", json_real(sample[samples * 9 / 10] * 1e3));
    }
    return status;
}

static json_t *row_of(run *r, const json_t *shape)
{
    work w = read_work(shape);
    json_t *row = json_object();
    double error = 0;
    json_object_set_new(row, "workload", json_string(w.name));
    json_object_set_new(row, "kernel", json_string(w.op));
    json_object_set(row, "dtype", json_object_get(shape, "dtype"));
    json_object_set(row, "floor_ms", json_object_get(shape, "floor_ms"));
    if (r->budget > 0 && now() - r->started > r->budget) {
        json_object_set_new(row, "skipped", json_string("the time was used up"));
        return row;
    }
    ga_status status = check(r, &w, &error);
    if (status == GA_OK) {
        json_object_set_new(row, "error", isnan(error) ? json_string("nan") : json_real(error));
        work size = r->tiny ? shrink(w, 1) : w;
        json_object_set_new(row, "bytes", json_integer(work_bytes(&size)));
        json_object_set_new(row, "flop", json_integer(work_flop(&size)));
        status = measure(r, &size, row);
    }
    if (status == GA_UNSUPPORTED) {
        json_object_set_new(row, "refused", json_string(ga_context_error(r->context)));
    } else if (status != GA_OK) {
        const char *words = ga_context_error(r->context);
        json_object_set_new(row, "failed", json_string(*words ? words : ga_context_error(r->reference)));
    }
    return row;
}

/* ---- the run ---- */

static json_t *facts(run *r)
{
    ga_device_facts is;
    json_t *out = json_object();
    json_object_set_new(out, "kind", json_string(ga_device_name(r->kind)));
    if (ga_device_facts_of(r->context, r->kind, r->index, &is) == GA_OK) {
        json_object_set_new(out, "name", json_string(is.name));
        json_object_set_new(out, "compute_capability", json_integer(is.compute_capability));
        json_object_set_new(out, "multiprocessors", json_integer(is.multiprocessors));
        json_object_set_new(out, "memory", json_integer(is.memory));
    }
    return out;
}

static int fail(const char *words)
{
    fprintf(stderr, "ours: %s\n", words);
    return EXIT_FAILURE;
}

static int go(run *r)
{
    json_error_t where;
    size_t i;
    json_t *file = json_load_file(r->shapes, 0, &where), *shape, *out = json_object(), *rows = json_array();
    int code = EXIT_SUCCESS;
    if (!file) {
        return fail(where.text);
    }
    json_object_set_new(out, "device", facts(r));
    json_object_set_new(out, "version", json_string(ga_version()));
    json_object_set_new(out, "tiny", json_boolean(r->tiny));
    json_array_foreach(json_object_get(file, "workloads"), i, shape)
    {
        json_t *row = row_of(r, shape);
        const json_t *error = json_object_get(row, "error");
        double limit = strcmp(json_string_value(json_object_get(row, "dtype")), "bf16") == 0 ? 2e-2 : 2e-4;
        bool wrong = json_object_get(row, "failed") || (error && !(json_real_value(error) < limit)) ||
                     json_is_string(error);
        code = wrong ? EXIT_FAILURE : code;
        json_object_set_new(row, "good", json_boolean(!wrong));
        json_array_append_new(rows, row);
        fprintf(stderr, "%s\n", json_string_value(json_object_get(row, "workload")));
    }
    json_object_set_new(out, "rows", rows);
    json_dumpf(out, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(out);
    json_decref(file);
    return code;
}

static bool read_words(run *r, int count, char **words)
{
    for (int i = 1; i < count; i++) {
        bool more = i + 1 < count;
        if (strcmp(words[i], "--tiny") == 0) {
            r->tiny = true;
        } else if (strcmp(words[i], "--device") == 0 && more) {
            r->device_name = words[++i];
        } else if (strcmp(words[i], "--shapes") == 0 && more) {
            r->shapes = words[++i];
        } else if (strcmp(words[i], "--budget") == 0 && more) {
            r->budget = strtod(words[++i], NULL);
        } else {
            return false;
        }
    }
    r->kind = strcmp(r->device_name, "emulated") == 0 ? GA_DEVICE_EMULATED : GA_DEVICE_CUDA;
    return r->shapes && (r->kind == GA_DEVICE_EMULATED || strcmp(r->device_name, "cuda") == 0);
}

int main(int count, char **words)
{
    run r = { .device_name = "cuda", .started = now() };
    if (!read_words(&r, count, words)) {
        return fail("usage: ours --shapes FILE [--device cuda|emulated] [--tiny] [--budget SECONDS]");
    }
    if (ga_context_create(&r.context) != GA_OK || ga_context_create(&r.reference) != GA_OK) {
        return fail("out of memory");
    }
    int code =
        ga_context_set_device(r.context, r.kind, 0) == GA_OK ? go(&r) : fail(ga_context_error(r.context));
    ga_context_destroy(r.context);
    ga_context_destroy(r.reference);
    return code;
}
