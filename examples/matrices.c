/* matrices.c - which multiples of a graph's degree matrices are those of a graph: matrices
 *
 * Builds a small graph from pairs of nodes, counts its matrices, and looks at what happens to them when they are
 * taken for another graph's.
 *
 * cc matrices.c $(pkg-config --cflags --libs libgraphattn) -o matrices
 */
#include <graphattn.h>
#include <stdio.h>

/* Six people; an edge goes from somebody to somebody whom they follow. */
static const uint32_t from[] = { 0, 1, 2, 3, 4, 5, 5, 5 };
static const uint32_t to[] = { 5, 5, 5, 5, 5, 0, 1, 2 };

static void print_jdm(ga_matrix_view m)
{
    for (int64_t i = 0; i < m.cells; i++) {
        printf("  %lld edges from out-degree %lld to in-degree %lld\n", (long long)m.count[i],
               (long long)m.row_degree[m.row[i]], (long long)m.column_degree[m.column[i]]);
    }
}

static int print_violation(void *user, const char *text)
{
    int *count = user;
    printf("  violates %s\n", text);
    return ++*count == 3; /* three are enough */
}

static ga_status try_ratio(ga_context *context, const ga_matrices *matrices, double ratio)
{
    ga_matrices *other = NULL;
    ga_graph *graph = NULL;
    ga_rescale_options options = GA_RESCALE_OPTIONS_INIT;
    ga_realize_options how = GA_REALIZE_OPTIONS_INIT;
    ga_rescale_report report = { 0 };
    options.ratio = ratio;
    ga_status status = ga_rescale(context, matrices, &options, &other, &report);
    if (status == GA_OK) {
        status = ga_realize(context, other, &how, &graph, NULL);
    }
    if (status == GA_OK) {
        printf("ratio %g: %lld nodes, %lld edges, %lld dropped\n", ratio, (long long)ga_graph_nodes(graph),
               (long long)ga_graph_edges(graph), (long long)report.dropped);
        print_jdm(ga_matrices_jdm(other));
    }
    ga_graph_destroy(context, graph);
    ga_rescale_report_clear(context, &report);
    ga_matrices_destroy(context, other);
    return status;
}

static ga_status look(ga_context *context)
{
    ga_graph *graph = NULL;
    ga_matrices *matrices = NULL;
    int violations = 0;
    ga_status status = ga_graph_from_edges(context, 6, sizeof from / sizeof *from, from, to, NULL,
                                           GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &graph);
    if (status == GA_OK) {
        status = ga_matrices_count(context, graph, NULL, &matrices);
    }
    if (status == GA_OK) {
        printf("the graph:\n");
        print_jdm(ga_matrices_jdm(matrices));
        status = ga_matrices_check(context, matrices, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, print_violation,
                                   &violations);
    }
    if (status == GA_OK) {
        status = try_ratio(context, matrices, 0.5);
    }
    if (status == GA_OK) {
        status = try_ratio(context, matrices, 2);
    }
    ga_matrices_destroy(context, matrices);
    ga_graph_destroy(context, graph);
    return status;
}

int main(void)
{
    ga_context *context = NULL;
    if (ga_context_create(&context) != GA_OK) {
        fprintf(stderr, "matrices: out of memory\n");
        return 1;
    }
    ga_status status = look(context);
    if (status != GA_OK) {
        fprintf(stderr, "matrices: %s: %s\n", ga_status_name(status), ga_context_error(context));
    }
    ga_context_destroy(context);
    return status != GA_OK;
}
