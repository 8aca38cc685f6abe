/* beside_igraph.c - every statistic that igraph has too: its C function and ours on the same graph in one run.
 *
 *   beside_igraph GRAPH [RUNS]
 *
 * A row a statistic: seconds of igraph, of ours on one thread and on two (best of RUNS, taken in turns), igraph's over ours,
 * and both values. Both graphs have their transposes beforehand. Where a group of ours has several values igraph computes
 * all of them as well: four correlations, three kinds of coreness, both degrees' power laws.
 */
#include <graphattn.h>
#include <igraph/igraph.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static igraph_t peer;
static igraph_vector_t out_degrees, in_degrees;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- igraph's, each gives the value that is compared ---- */

static double peer_reciprocity(void)
{
    igraph_real_t value;
    igraph_reciprocity(&peer, &value, true, IGRAPH_RECIPROCITY_DEFAULT);
    return value;
}

static double peer_assortativity(void)
{
    const igraph_vector_t *sides[] = { &out_degrees, &in_degrees };
    igraph_real_t value = NAN, kept = NAN;
    for (int i = 0; i < 4; i++) {
        igraph_assortativity(&peer, sides[i / 2], sides[i % 2], &value, true, true);
        kept = i == 1 ? value : kept; /* source out, target in */
    }
    return kept;
}

static double components(igraph_connectedness_t mode)
{
    igraph_vector_int_t of, sizes;
    igraph_integer_t count;
    igraph_vector_int_init(&of, 0);
    igraph_vector_int_init(&sizes, 0);
    igraph_connected_components(&peer, &of, &sizes, &count, mode);
    igraph_vector_int_destroy(&of);
    igraph_vector_int_destroy(&sizes);
    return (double)count;
}

static double peer_wcc(void)
{
    return components(IGRAPH_WEAK);
}

static double peer_scc(void)
{
    return components(IGRAPH_STRONG);
}

static double peer_transitivity(void)
{
    igraph_real_t value;
    igraph_transitivity_undirected(&peer, &value, IGRAPH_TRANSITIVITY_NAN);
    return value;
}

static double peer_clustering(void)
{
    igraph_real_t value;
    igraph_transitivity_avglocal_undirected(&peer, &value, IGRAPH_TRANSITIVITY_ZERO);
    return value;
}

static double peer_kcore(void)
{
    static const igraph_neimode_t modes[] = { IGRAPH_IN, IGRAPH_OUT, IGRAPH_ALL };
    igraph_vector_int_t cores;
    double most = 0;
    igraph_vector_int_init(&cores, 0);
    for (int i = 0; i < 3; i++) {
        igraph_coreness(&peer, &cores, modes[i]);
        most = (double)igraph_vector_int_max(&cores);
    }
    igraph_vector_int_destroy(&cores);
    return most;
}

static double peer_pagerank(void)
{
    igraph_vector_t rank;
    igraph_vector_init(&rank, 0);
    igraph_pagerank(&peer, IGRAPH_PAGERANK_ALGO_PRPACK, &rank, NULL, igraph_vss_all(), true, 0.85, NULL,
                    NULL);
    double most = igraph_vector_max(&rank);
    igraph_vector_destroy(&rank);
    return most;
}

static double peer_powerlaw(void)
{
    igraph_plfit_result_t in, out;
    igraph_power_law_fit(&in_degrees, &in, -1, false);
    igraph_power_law_fit(&out_degrees, &out, -1, false);
    igraph_plfit_result_t kept = in;
    return kept.alpha;
}

static double peer_hop_plot(void)
{
    igraph_vector_t pairs;
    igraph_real_t apart;
    double sum = 0;
    igraph_vector_init(&pairs, 0);
    igraph_path_length_hist(&peer, &pairs, &apart, true);
    for (igraph_integer_t i = 0; i < igraph_vector_size(&pairs); i++) {
        sum += VECTOR(pairs)[i];
    }
    igraph_vector_destroy(&pairs);
    return sum + (double)igraph_vcount(&peer);
}

static double peer_triad_census(void)
{
    igraph_vector_t census;
    igraph_vector_init(&census, 0);
    igraph_triad_census(&peer, &census);
    double complete = VECTOR(census)[15];
    igraph_vector_destroy(&census);
    return complete;
}

/* ---- ours ---- */

static const struct {
    const char *group, *value;
    double (*peer)(void);
    bool slow; /* of igraph: one run, and left out of large graphs */
} rows[] = {
    { "reciprocity", "reciprocity", peer_reciprocity, false },
    { "assortativity", "assortativity.out_in", peer_assortativity, false },
    { "wcc", "wcc.count", peer_wcc, false },
    { "scc", "scc.count", peer_scc, false },
    { "transitivity", "transitivity", peer_transitivity, false },
    { "clustering", "clustering", peer_clustering, false },
    { "kcore", "kcore.all", peer_kcore, false },
    { "pagerank", "pagerank.max", peer_pagerank, false },
    { "powerlaw", "powerlaw.in.alpha", peer_powerlaw, false },
    { "hop_plot", "hop_plot.pairs", peer_hop_plot, true },
    { "triad_census", "triad_census.300", peer_triad_census, true },
};

static void must(ga_context *context, ga_status status)
{
    if (status != GA_OK) {
        fprintf(stderr, "beside_igraph: %s\n", ga_context_error(context));
        exit(1);
    }
}

static double time_ours(ga_context *context, ga_graph *graph, const char *group, const char *name,
                        double *value)
{
    ga_statistics *found = NULL;
    ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
    o.metrics = group;
    double started = now();
    must(context, ga_statistics_compute(context, graph, &o, &found));
    double spent = now() - started;
    *value = ga_statistics_find(found, name)->value;
    ga_statistics_destroy(context, found);
    return spent;
}

static void make_peer(ga_context *context, ga_graph *graph)
{
    ga_csr out = ga_graph_out(graph), in;
    igraph_vector_int_t ends;
    igraph_vector_int_init(&ends, 2 * out.nonzeros);
    igraph_vector_init(&out_degrees, out.rows);
    igraph_vector_init(&in_degrees, out.rows);
    must(context, ga_graph_in(context, graph, &in));
    for (int64_t v = 0; v < out.rows; v++) {
        VECTOR(out_degrees)[v] = (double)(out.offsets[v + 1] - out.offsets[v]);
        VECTOR(in_degrees)[v] = (double)(in.offsets[v + 1] - in.offsets[v]);
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            VECTOR(ends)[2 * e] = v;
            VECTOR(ends)[2 * e + 1] = out.targets[e];
        }
    }
    igraph_create(&peer, &ends, out.rows, IGRAPH_DIRECTED);
    igraph_vector_int_destroy(&ends);
}

int main(int argc, char **argv)
{
    enum { LARGE = 20000 };
    ga_context *context[2] = { NULL, NULL };
    ga_graph *graph = NULL;
    int runs = argc > 2 ? atoi(argv[2]) : 5;
    for (int i = 0; i < 2; i++) {
        if (ga_context_create(&context[i]) != GA_OK || ga_context_set_threads(context[i], i + 1) != GA_OK) {
            return 1;
        }
    }
    must(context[0], ga_graph_read(context[0], argc > 1 ? argv[1] : "-", NULL, &graph, NULL));
    make_peer(context[0], graph);
    igraph_set_warning_handler(igraph_warning_handler_ignore);
    printf(
        "#group\tigraph\tours, 1 thread\tours, 2 threads\tigraph / 1\tigraph / 2\tvalue of igraph\tours\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double best[3] = { INFINITY, INFINITY, INFINITY }, theirs = NAN, ours = NAN;
        if (rows[i].slow && ga_graph_nodes(graph) > LARGE) {
            continue;
        }
        for (int run = 0; run < runs; run++) {
            if (run == 0 || !rows[i].slow) {
                double started = now();
                theirs = rows[i].peer();
                best[0] = fmin(best[0], now() - started);
            }
            for (int k = 0; k < 2; k++) {
                best[k + 1] =
                    fmin(best[k + 1], time_ours(context[k], graph, rows[i].group, rows[i].value, &ours));
            }
        }
        printf("%s\t%.6f\t%.6f\t%.6f\t%.2f\t%.2f\t%.10g\t%.10g\n", rows[i].group, best[0], best[1], best[2],
               best[0] / best[1], best[0] / best[2], theirs, ours);
        fflush(stdout);
    }
    igraph_vector_destroy(&out_degrees);
    igraph_vector_destroy(&in_degrees);
    igraph_destroy(&peer);
    ga_graph_destroy(context[0], graph);
    ga_context_destroy(context[0]);
    ga_context_destroy(context[1]);
    return 0;
}
