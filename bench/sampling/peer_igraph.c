/* peer_igraph.c - igraph's edge-list reader and both degree arrays, for bench/sampling/run.
 *
 *   peer_igraph FILE RUNS     FILE holds `src dst` lines only (igraph takes no comment lines)
 *
 * One line: ingest<TAB>edges<TAB>best seconds<TAB>median seconds<TAB>peak resident bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <igraph/igraph.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    double seconds[64];
    long edges = 0;
    struct rusage usage;
    int runs = argc > 2 ? atoi(argv[2]) : 1;
    runs = runs < 1 ? 1 : runs > 64 ? 64 : runs;
    for (int i = 0; i < runs; i++) {
        igraph_t graph;
        igraph_vector_int_t out, in;
        FILE *file = fopen(argc > 1 ? argv[1] : "", "r");
        if (file == NULL) {
            return 2;
        }
        double start = now();
        igraph_read_graph_edgelist(&graph, file, 0, 1);
        igraph_vector_int_init(&out, 0);
        igraph_vector_int_init(&in, 0);
        igraph_degree(&graph, &out, igraph_vss_all(), IGRAPH_OUT, 1);
        igraph_degree(&graph, &in, igraph_vss_all(), IGRAPH_IN, 1);
        seconds[i] = now() - start;
        edges = (long)igraph_ecount(&graph);
        igraph_vector_int_destroy(&out);
        igraph_vector_int_destroy(&in);
        igraph_destroy(&graph);
        fclose(file);
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    getrusage(RUSAGE_SELF, &usage);
    printf("ingest\t%ld\t%.6f\t%.6f\t%ld\n", edges, seconds[0], seconds[runs / 2], usage.ru_maxrss * 1024L);
    return 0;
}
