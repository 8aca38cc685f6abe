/* readers.c - the readers under fire: any bytes must give a proper graph or a refusal, in 64 MB, and leave nothing.
 *
 * By hand, with clang, from the top folder and with a configured config.h (N: a number of fuzz_names):
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -DFUZZ_READER=N -I. -Iinclude \
 *         tests/fuzz/readers.c graph/[a-z]*.c lib/base/[a-z]*.c -lz -lisal -lm -o fuzz
 *     ./fuzz -max_len=4096 tests/fuzz/corpus/NAME
 */
#include "config.h"

#include "tests/fuzz/readers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "graph/read.h"

#ifndef FUZZ_READER
#define FUZZ_READER FUZZ_TEXT
#endif

const char *const fuzz_names[FUZZ_READERS] = { "text", "mtx", "metis", "sg", "gab", "integers" };

static const ga_format formats[FUZZ_READERS] = { GA_FORMAT_TEXT, GA_FORMAT_MTX, GA_FORMAT_METIS,
                                                 GA_FORMAT_SG,   GA_FORMAT_GAB, GA_FORMAT_AUTO };

/* What is being read, for the message. */
static struct {
    int reader;
    const uint8_t *data;
    size_t size;
} now_reading;

static void must(bool holds, const char *what, const ga_context *context)
{
    if (!holds) {
        fprintf(stderr, "%s (%s), reader %s, input:\n", what, context ? ga_context_error(context) : "",
                fuzz_names[now_reading.reader]);
        fwrite(now_reading.data, 1, now_reading.size < 4096 ? now_reading.size : 4096, stderr);
        abort();
    }
}

/* ---- a file with the bytes ---- */

static char folder[64], file_name[80];

static void remove_files(void)
{
    (void)unlink(file_name);
    (void)rmdir(folder);
}

/* A new file each time: some file systems write an old one to disk before they let it be replaced. */
static void put_file(const uint8_t *data, size_t size, bool zipped)
{
    if (!folder[0]) {
        strcpy(folder, "/tmp/fuzz-readers-XXXXXX");
        must(mkdtemp(folder) != NULL && atexit(remove_files) == 0, "no temporary folder", NULL);
        snprintf(file_name, sizeof file_name, "%s/input", folder);
    }
    (void)unlink(file_name);
    gzFile file = gzopen(file_name, zipped ? "wb1" : "wbT");
    must(file && (size == 0 || gzwrite(file, data, (unsigned)size) == (int)size) && gzclose(file) == Z_OK,
         "cannot write a temporary file", NULL);
}

/* ---- reading it ---- */

typedef struct outcome {
    ga_status status;
    ga_graph *graph;
    int64_t *values, count;
} outcome;

static ga_context *new_context(int threads)
{
    ga_context *context = NULL;
    must(ga_context_create(&context) == GA_OK && ga_context_set_threads(context, threads) == GA_OK,
         "no context", NULL);
    ga_context_set_memory_limit(context, INT64_C(64) << 20);
    return context;
}

static void check_graph(const ga_context *context, const ga_graph *graph)
{
    ga_csr out = ga_graph_out(graph);
    const uint64_t *ids = ga_graph_ids(graph);
    bool right = out.offsets[0] == 0 && out.offsets[out.rows] == out.nonzeros;
    for (int64_t v = 0; v < out.rows; v++) {
        right = right && out.offsets[v] <= out.offsets[v + 1] && (!ids || v == 0 || ids[v] > ids[v - 1]);
        for (int64_t e = out.offsets[v]; right && e < out.offsets[v + 1]; e++) {
            right = (int64_t)out.targets[e] < out.rows &&
                    (e == out.offsets[v] || out.targets[e] >= out.targets[e - 1]);
        }
    }
    must(right, "not a graph", context);
}

static outcome read_file(ga_context *context, int reader, size_t size, int64_t block)
{
    outcome o = { GA_OK, NULL, NULL, 0 };
    ga_read_options options = GA_READ_OPTIONS_INIT;
    options.format = formats[reader];
    options.weights = size % 2 == 0;
    options.loops = size % 3 == 0 ? GA_LOOPS_KEEP : GA_LOOPS_DROP;
    options.multi = size % 5 == 0 ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE;
    options.undirected = size % 7 == 0;
    options.dense_ids = size % 11 == 0;
    if (reader == FUZZ_INTEGERS) {
        o.status = ga_integers_read(context, file_name, &o.values, &o.count);
    } else {
        o.status = ga__graph_read(context, file_name, &options, block, &o.graph, NULL);
    }
    must((o.status == GA_OK) == (o.graph || o.values), "status and result differ", context);
    must(o.status == GA_OK || strlen(ga_context_error(context)) > 5, "a failure without words", context);
    must(o.status != GA_INTERNAL && o.status != GA_INVALID && o.status != GA_CANCELLED, "a strange status",
         context);
    if (o.graph) {
        check_graph(context, o.graph);
    }
    return o;
}

static bool bytes_equal(const void *a, const void *b, int64_t count, size_t each)
{
    return (!a && !b) || (a && b && memcmp(a, b, (size_t)count * each) == 0);
}

static bool equal(const outcome *a, const outcome *b)
{
    if (a->graph) {
        const ga_graph *g = a->graph, *h = b->graph;
        return g->nodes == h->nodes && g->edges == h->edges &&
               bytes_equal(g->out_offsets, h->out_offsets, g->nodes + 1, 8) &&
               bytes_equal(g->out_targets, h->out_targets, g->edges, 4) &&
               bytes_equal(g->ids, h->ids, g->nodes, 8) && bytes_equal(g->weights, h->weights, g->edges, 4);
    }
    return a->count == b->count && bytes_equal(a->values, b->values, a->count, 8);
}

/* The transpose and the degrees of whatever was read. */
static void use_graph(ga_context *context, ga_graph *graph)
{
    ga_csr in;
    uint32_t *degrees = NULL;
    if (ga_graph_in(context, graph, &in) == GA_OK) {
        must(in.offsets[in.rows] == graph->edges, "not a transpose", context);
    }
    if (GA_NEW(context, 2 * graph->nodes, &degrees) == GA_OK) {
        (void)ga_graph_degrees(context, graph, degrees, degrees + graph->nodes);
    }
    ga_free(context, degrees);
}

static void finish(ga_context *context, outcome *o)
{
    int64_t now = -1;
    ga_graph_destroy(context, o->graph);
    ga_free(context, o->values);
    ga_context_memory(context, &now, NULL);
    must(now == 0, "memory was kept", context);
    ga_context_destroy(context);
}

static bool out_of_room(ga_status status)
{
    return status == GA_LIMIT || status == GA_NOMEM;
}

int fuzz_read(int reader, const uint8_t *data, size_t size)
{
    now_reading.reader = reader;
    now_reading.data = data;
    now_reading.size = size;
    ga_context *context = new_context(1), *other = new_context(size % 8 == 0 ? 2 : 1);
    put_file(data, size, false);
    outcome plain = read_file(context, reader, size, (int64_t)(size % 97 + 1));
    if (plain.graph) {
        use_graph(context, plain.graph);
    }
    put_file(data, size, true);
    outcome zipped = read_file(other, reader, size, 0);
    bool packed =
        size >= 2 && ((data[0] == 0x1f && data[1] == 0x8b) || data[0] >= 0x28); /* a packer's magic number? */
    if (!out_of_room(plain.status) && !out_of_room(zipped.status) &&
        !(packed && plain.status != zipped.status)) {
        must(plain.status == zipped.status, "plain and gzip'ed differ in status", other);
        must(plain.status != GA_OK || equal(&plain, &zipped), "plain and gzip'ed differ", other);
    }
    int accepted = plain.status == GA_OK;
    finish(context, &plain);
    finish(other, &zipped);
    return accepted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)fuzz_read(FUZZ_READER, data, size);
    return 0;
}
