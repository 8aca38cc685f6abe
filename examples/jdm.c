/* jdm.c - where the edges of a graph are: the fullest cells of its joint degree matrix: jdm GRAPH [CELLS]
 *
 * cc jdm.c $(pkg-config --cflags --libs libgraphattn) -o jdm
 */
#include <graphattn.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints the cells with most edges, the first of equals first. */
static ga_status print_fullest(ga_context *context, ga_matrix_view m, int64_t wanted)
{
    bool *printed = NULL;
    ga_status status = ga_alloc(context, m.cells, sizeof *printed, &printed);
    if (status != GA_OK) {
        return status;
    }
    for (int64_t i = 0; i < m.cells; i++) {
        printed[i] = false;
    }
    printf("#out_degree\tin_degree\tedges\tshare\n");
    for (int64_t n = 0; n < wanted && n < m.cells; n++) {
        int64_t best = -1;
        for (int64_t i = 0; i < m.cells; i++) {
            if (!printed[i] && (best < 0 || m.count[i] > m.count[best])) {
                best = i;
            }
        }
        printed[best] = true;
        printf("%lld\t%lld\t%lld\t%.4f\n", (long long)m.row_degree[m.row[best]],
               (long long)m.column_degree[m.column[best]], (long long)m.count[best],
               (double)m.count[best] / (double)m.total);
    }
    ga_free(context, printed);
    return GA_OK;
}

static ga_status count(ga_context *context, const char *path, int64_t wanted)
{
    ga_graph *graph = NULL;
    ga_matrices *matrices = NULL;
    ga_status status = ga_graph_read(context, path, NULL, &graph, NULL);
    if (status == GA_OK) {
        status = ga_matrices_count(context, graph, NULL, &matrices);
    }
    if (status == GA_OK) {
        ga_matrix_view jdm = ga_matrices_jdm(matrices);
        printf("# %lld edges in %lld cells of %lld out-degrees and %lld in-degrees\n", (long long)jdm.total,
               (long long)jdm.cells, (long long)jdm.rows, (long long)jdm.columns);
        status = print_fullest(context, jdm, wanted);
    }
    ga_matrices_destroy(context, matrices);
    ga_graph_destroy(context, graph);
    return status;
}

int main(int argc, char **argv)
{
    ga_context *context = NULL;
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: jdm GRAPH [CELLS]\n");
        return 2;
    }
    if (ga_context_create(&context) != GA_OK) {
        fprintf(stderr, "jdm: out of memory\n");
        return 1;
    }
    ga_status status = count(context, argv[1], argc == 3 ? atoll(argv[2]) : 5);
    if (status != GA_OK) {
        fprintf(stderr, "jdm: %s: %s\n", ga_status_name(status), ga_context_error(context));
    }
    ga_context_destroy(context);
    return status != GA_OK;
}
