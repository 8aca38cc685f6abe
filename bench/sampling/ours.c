/* ours.c - times libgraphattn's steps inside one process: the best and the median of several runs.
 *
 *   ours ingest FILE THREADS RUNS          file -> graph with both degree arrays
 *   ours matrices FILE THREADS RUNS        JDM and DCM of the loaded graph
 *   ours realize FILE THREADS RUNS         graph from the file's matrices, loop repair included
 *   ours rewire FILE THREADS SWAPS_PER_EDGE
 *   ours rescale FILE THREADS RATIO        plan of a sample
 *   ours gunzip FILE                       the decompressor alone
 *
 * One line: name<TAB>items<TAB>best seconds<TAB>median seconds<TAB>peak bytes of the library.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <graphattn.h>

#include "lib/base/base.h"

enum { MOST_RUNS = 64 };

typedef struct job {
    ga_context *context;
    const char *file;
    ga_graph *graph;
    ga_matrices *matrices;
    double option;
    int64_t items;
} job;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void must(job *j, ga_status status)
{
    if (status != GA_OK) {
        fprintf(stderr, "bench: %s: %s\n", ga_status_name(status), ga_context_error(j->context));
        exit(1);
    }
}

static ga_graph *load(job *j)
{
    ga_read_options options = GA_READ_OPTIONS_INIT;
    ga_graph *graph = NULL;
    ga_read_report report;
    must(j, ga_graph_read(j->context, j->file, &options, &graph, &report));
    j->items = report.edge_lines;
    return graph;
}

static void ingest(job *j)
{
    ga_graph *graph = load(j);
    uint32_t *out = NULL, *in = NULL;
    must(j, GA_NEW(j->context, ga_graph_nodes(graph), &out));
    must(j, GA_NEW(j->context, ga_graph_nodes(graph), &in));
    must(j, ga_graph_degrees(j->context, graph, out, in));
    ga_free(j->context, out);
    ga_free(j->context, in);
    ga_graph_destroy(j->context, graph);
}

static void matrices(job *j)
{
    ga_matrices *counted = NULL;
    must(j, ga_matrices_count(j->context, j->graph, NULL, &counted));
    j->items = ga_graph_edges(j->graph);
    ga_matrices_destroy(j->context, counted);
}

static void realize(job *j)
{
    ga_realize_options options = GA_REALIZE_OPTIONS_INIT;
    ga_graph *graph = NULL;
    must(j, ga_realize(j->context, j->matrices, &options, &graph, NULL));
    j->items = ga_graph_edges(graph);
    ga_graph_destroy(j->context, graph);
}

static void rewire(job *j)
{
    ga_rewire_options options = GA_REWIRE_OPTIONS_INIT;
    ga_rewire_report report;
    ga_graph *graph = NULL;
    options.swaps_per_edge = j->option;
    must(j, ga_rewire(j->context, j->graph, &options, &graph, &report));
    j->items = report.attempts;
    ga_graph_destroy(j->context, graph);
}

static void rescale(job *j)
{
    ga_rescale_options options = GA_RESCALE_OPTIONS_INIT;
    ga_matrices *scaled = NULL;
    options.ratio = j->option;
    must(j, ga_rescale(j->context, j->matrices, &options, &scaled, NULL));
    j->items = ga_matrices_jdm(scaled).total;
    ga_matrices_destroy(j->context, scaled);
}

static void gunzip(job *j)
{
    static char block[1 << 20];
    ga__input *input = NULL;
    int64_t got = 0, total = 0;
    must(j, ga__input_open(j->context, j->file, false, &input));
    do {
        must(j, ga__input_read(j->context, input, block, sizeof block, &got));
        total += got;
    } while (got == (int64_t)sizeof block);
    ga__input_close(j->context, input);
    j->items = total;
}

static const struct {
    const char *name;
    void (*run)(job *);
    bool needs_graph, needs_matrices, last_is_runs;
} steps[] = {
    { "ingest", ingest, false, false, true },   { "matrices", matrices, true, false, true },
    { "realize", realize, false, true, true },  { "rewire", rewire, true, false, false },
    { "rescale", rescale, false, true, false }, { "gunzip", gunzip, false, false, true },
};

static void prepare(job *j, bool graph, bool with_matrices)
{
    if (graph || with_matrices) {
        j->graph = load(j);
    }
    if (with_matrices) {
        must(j, ga_matrices_count(j->context, j->graph, NULL, &j->matrices));
        ga_graph_destroy(j->context, j->graph);
        j->graph = NULL;
    }
}

int main(int argc, char **argv)
{
    job j = { NULL, argc > 2 ? argv[2] : "", NULL, NULL, argc > 4 ? atof(argv[4]) : 1, 0 };
    double seconds[MOST_RUNS];
    int64_t peak = 0;
    size_t s = 0;
    while (argc > 2 && s < sizeof steps / sizeof *steps && strcmp(steps[s].name, argv[1]) != 0) {
        s++;
    }
    if (argc < 3 || s == sizeof steps / sizeof *steps) {
        fprintf(stderr, "usage: ours STEP FILE [THREADS [RUNS|SWAPS_PER_EDGE|RATIO]]\n");
        return 2;
    }
    int runs = steps[s].last_is_runs ? (int)j.option : 3;
    runs = runs < 1 ? 1 : runs > MOST_RUNS ? MOST_RUNS : runs;
    if (ga_context_create(&j.context) != GA_OK) {
        return 1;
    }
    must(&j, ga_context_set_threads(j.context, argc > 3 ? atoll(argv[3]) : 0));
    prepare(&j, steps[s].needs_graph, steps[s].needs_matrices);
    for (int i = 0; i < runs; i++) {
        double start = ga__now();
        steps[s].run(&j);
        seconds[i] = ga__now() - start;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    ga_context_memory(j.context, NULL, &peak);
    printf("%s\t%lld\t%.6f\t%.6f\t%lld\n", steps[s].name, (long long)j.items, seconds[0], seconds[runs / 2],
           (long long)peak);
    ga_matrices_destroy(j.context, j.matrices);
    ga_graph_destroy(j.context, j.graph);
    ga_context_destroy(j.context);
    return 0;
}
