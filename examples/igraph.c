/* igraph.c - a sample beside its original, through the eyes of igraph: igraph GRAPH RATIO
 *
 * GRAPH may be in any format, GraphML and the others that igraph reads included.
 *
 * cc igraph.c $(pkg-config --cflags --libs libgraphattn-igraph) -o igraph
 */
#include <graphattn.h>
#include <graphattn/igraph.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct figures {
    igraph_integer_t nodes, edges;
    igraph_real_t reciprocity, transitivity, best_rank, modularity;
} figures;

static igraph_error_t find_best_rank(const igraph_t *graph, igraph_real_t *best)
{
    igraph_vector_t ranks;
    IGRAPH_CHECK(igraph_vector_init(&ranks, 0));
    IGRAPH_FINALLY(igraph_vector_destroy, &ranks);
    IGRAPH_CHECK(igraph_pagerank(graph, IGRAPH_PAGERANK_ALGO_PRPACK, &ranks, NULL, igraph_vss_all(),
                                 IGRAPH_DIRECTED, 0.85, NULL, NULL));
    *best = igraph_vector_size(&ranks) > 0 ? igraph_vector_max(&ranks) : 0;
    igraph_vector_destroy(&ranks);
    IGRAPH_FINALLY_CLEAN(1);
    return IGRAPH_SUCCESS;
}

/* Of the best division into communities that short random walks stay in. */
static igraph_error_t find_modularity(const igraph_t *graph, igraph_real_t *best)
{
    igraph_matrix_int_t merges;
    igraph_vector_t modularity;
    IGRAPH_CHECK(igraph_matrix_int_init(&merges, 0, 0));
    IGRAPH_FINALLY(igraph_matrix_int_destroy, &merges);
    IGRAPH_CHECK(igraph_vector_init(&modularity, 0));
    IGRAPH_FINALLY(igraph_vector_destroy, &modularity);
    IGRAPH_CHECK(igraph_community_walktrap(graph, NULL, 4, &merges, &modularity, NULL));
    *best = igraph_vector_size(&modularity) > 0 ? igraph_vector_max(&modularity) : 0;
    igraph_vector_destroy(&modularity);
    igraph_matrix_int_destroy(&merges);
    IGRAPH_FINALLY_CLEAN(2);
    return IGRAPH_SUCCESS;
}

static igraph_error_t measure(const igraph_t *graph, figures *f)
{
    f->nodes = igraph_vcount(graph);
    f->edges = igraph_ecount(graph);
    IGRAPH_CHECK(igraph_reciprocity(graph, &f->reciprocity, true, IGRAPH_RECIPROCITY_DEFAULT));
    IGRAPH_CHECK(igraph_transitivity_undirected(graph, &f->transitivity, IGRAPH_TRANSITIVITY_ZERO));
    IGRAPH_CHECK(find_best_rank(graph, &f->best_rank));
    return find_modularity(graph, &f->modularity);
}

/* One line of the table. igraph's calls fail with words on standard error of their own. */
static ga_status show(ga_context *context, const char *name, const ga_graph *graph)
{
    igraph_t copy;
    figures f;
    ga_status status = ga_graph_to_igraph(context, graph, &copy);
    if (status != GA_OK) {
        return status;
    }
    igraph_error_t code = measure(&copy, &f);
    igraph_destroy(&copy);
    if (code != IGRAPH_SUCCESS) {
        return ga_context_fail(context, GA_INVALID, "igraph could not measure the graph");
    }
    printf("%s\t%lld\t%lld\t%.4f\t%.4f\t%.5f\t%.4f\n", name, (long long)f.nodes, (long long)f.edges,
           f.reciprocity, f.transitivity, f.best_rank, f.modularity);
    return GA_OK;
}

static ga_status compare(ga_context *context, const char *path, double ratio)
{
    ga_graph *graph = NULL, *sample = NULL;
    ga_sample_options options = GA_SAMPLE_OPTIONS_INIT;
    options.rescale.ratio = ratio;
    ga_status status = ga_graph_read(context, path, NULL, &graph, NULL);
    if (status == GA_OK) {
        status = ga_sample(context, graph, &options, &sample, NULL, NULL);
    }
    if (status == GA_OK) {
        printf("#graph\tnodes\tedges\treciprocity\ttransitivity\tbest_rank\tmodularity\n");
        status = show(context, "original", graph);
    }
    if (status == GA_OK) {
        status = show(context, "sample", sample);
    }
    ga_graph_destroy(context, sample);
    ga_graph_destroy(context, graph);
    return status;
}

int main(int argc, char **argv)
{
    ga_context *context = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: igraph GRAPH RATIO\n");
        return 2;
    }
    if (ga_context_create(&context) != GA_OK) {
        fprintf(stderr, "igraph: out of memory\n");
        return 1;
    }
    ga_context_set_foreign_formats(context, ga_igraph_formats());
    igraph_set_error_handler(igraph_error_handler_printignore); /* the default aborts */
    ga_status status = compare(context, argv[1], atof(argv[2]));
    if (status != GA_OK) {
        fprintf(stderr, "igraph: %s: %s\n", ga_status_name(status), ga_context_error(context));
    }
    ga_context_destroy(context);
    return status != GA_OK;
}
