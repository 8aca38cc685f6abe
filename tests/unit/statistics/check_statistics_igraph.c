/* check_statistics_igraph.c - statistics beside those of igraph on graphs of a few hundred nodes. */
#include "config.h"

#include <graphattn/statistics.h>
#include <igraph/igraph.h>
#include <math.h>

#include "tests/unit/check_sampling.h"
#include "tests/unit/support.h"

typedef struct pair {
    igraph_t peer;
    igraph_vector_t out, in; /* degrees */
    const ga_statistics *ours;
} pair;

static void is_near(const pair *p, const char *name, double wanted, double tolerance)
{
    const ga_statistic *found = ga_statistics_find(p->ours, name);
    ck_assert_msg(found != NULL, "no value %s", name);
    bool same = isnan(wanted) ? isnan(found->value)
                              : fabs(found->value - wanted) <= tolerance * fmax(1, fabs(wanted));
    ck_assert_msg(same, "%s: %.15g, igraph: %.15g", name, found->value, wanted);
}

static double element(const pair *p, const char *name, int64_t i)
{
    const DLTensor *array = ga_statistics_array(p->ours, name);
    ck_assert_msg(array != NULL && i < array->shape[0], "%s", name);
    return array->dtype.code == kDLInt ? (double)((const int64_t *)array->data)[i]
                                       : ((const double *)array->data)[i];
}

static void open_pair(pair *p, const ga_graph *graph, const ga_statistics *ours)
{
    igraph_vector_int_t ends;
    ga_csr out = ga_graph_out(graph);
    igraph_vector_int_init(&ends, 2 * out.nonzeros);
    igraph_vector_init(&p->out, out.rows);
    igraph_vector_init(&p->in, out.rows);
    for (int64_t v = 0; v < out.rows; v++) {
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            VECTOR(ends)[2 * e] = v;
            VECTOR(ends)[2 * e + 1] = out.targets[e];
            VECTOR(p->out)[v]++;
            VECTOR(p->in)[out.targets[e]]++;
        }
    }
    ck_assert_int_eq(igraph_create(&p->peer, &ends, out.rows, IGRAPH_DIRECTED), IGRAPH_SUCCESS);
    igraph_vector_int_destroy(&ends);
    p->ours = ours;
}

static void close_pair(pair *p)
{
    igraph_destroy(&p->peer);
    igraph_vector_destroy(&p->out);
    igraph_vector_destroy(&p->in);
}

static void check_values(pair *p)
{
    igraph_real_t value;
    igraph_reciprocity(&p->peer, &value, true, IGRAPH_RECIPROCITY_DEFAULT);
    is_near(p, "reciprocity", value, 1e-12);
    igraph_reciprocity(&p->peer, &value, true, IGRAPH_RECIPROCITY_RATIO);
    is_near(p, "reciprocity_ratio", value, 1e-12);
    igraph_assortativity(&p->peer, &p->out, &p->in, &value, true, true);
    is_near(p, "assortativity.out_in", value, 1e-9);
    igraph_assortativity(&p->peer, &p->in, &p->out, &value, true, true);
    is_near(p, "assortativity.in_out", value, 1e-9);
    igraph_transitivity_undirected(&p->peer, &value, IGRAPH_TRANSITIVITY_NAN);
    is_near(p, "transitivity", value, 1e-12);
    igraph_transitivity_avglocal_undirected(&p->peer, &value, IGRAPH_TRANSITIVITY_ZERO);
    is_near(p, "clustering", value, 1e-12);
    igraph_transitivity_avglocal_undirected(&p->peer, &value, IGRAPH_TRANSITIVITY_NAN);
    is_near(p, "clustering_nonzero", value, 1e-12);
    igraph_diameter(&p->peer, &value, NULL, NULL, NULL, NULL, true, true);
    is_near(p, "diameter", value, 0);
    igraph_average_path_length(&p->peer, &value, NULL, true, true);
    is_near(p, "mean_distance", value, 1e-12);
}

static void check_components(pair *p, igraph_connectedness_t mode, const char *count, const char *largest)
{
    igraph_vector_int_t sizes;
    igraph_integer_t number;
    igraph_vector_int_init(&sizes, 0);
    igraph_connected_components(&p->peer, NULL, &sizes, &number, mode);
    is_near(p, count, (double)number, 0);
    is_near(p, largest, (double)igraph_vector_int_max(&sizes), 0);
    igraph_vector_int_destroy(&sizes);
}

static void check_cores(pair *p, igraph_neimode_t mode, const char *name)
{
    igraph_vector_int_t cores;
    igraph_vector_int_init(&cores, 0);
    igraph_coreness(&p->peer, &cores, mode);
    for (igraph_integer_t v = 0; v < igraph_vector_int_size(&cores); v++) {
        ck_assert_int_eq((int64_t)element(p, name, v), VECTOR(cores)[v]);
    }
    igraph_vector_int_destroy(&cores);
}

static void check_lists(pair *p)
{
    igraph_vector_t list;
    igraph_real_t apart;
    double pairs = (double)igraph_vcount(&p->peer);
    static const char *const kinds[] = { "003",  "012",  "102", "021D", "021U", "021C", "111D", "111U",
                                         "030T", "030C", "201", "120D", "120U", "120C", "210",  "300" };
    igraph_vector_init(&list, 0);
    igraph_pagerank(&p->peer, IGRAPH_PAGERANK_ALGO_PRPACK, &list, NULL, igraph_vss_all(), true, 0.85, NULL,
                    NULL);
    for (igraph_integer_t v = 0; v < igraph_vector_size(&list); v++) {
        ck_assert(fabs(element(p, "pagerank", v) - VECTOR(list)[v]) < 1e-9);
    }
    igraph_path_length_hist(&p->peer, &list, &apart, true);
    for (igraph_integer_t h = 0; h < igraph_vector_size(&list); h++) {
        pairs += VECTOR(list)[h];
        ck_assert(element(p, "hop_plot", h + 1) == pairs);
    }
    igraph_triad_census(&p->peer, &list);
    for (int i = 0; i < 16; i++) {
        char name[32];
        snprintf(name, sizeof name, "triad_census.%s", kinds[i]);
        is_near(p, name, VECTOR(list)[i], 0);
    }
    igraph_vector_destroy(&list);
}

/* igraph's search for alpha ends before the maximum of the likelihood, which check_statistics looks at. */
static void check_laws(pair *p)
{
    igraph_plfit_result_t fit;
    igraph_power_law_fit(&p->in, &fit, -1, false);
    is_near(p, "powerlaw.in.xmin", fit.xmin, 0);
    is_near(p, "powerlaw.in.alpha", fit.alpha, 2e-4);
    is_near(p, "powerlaw.in.ks", fit.D, 2e-4);
    igraph_power_law_fit(&p->out, &fit, -1, false);
    is_near(p, "powerlaw.out.xmin", fit.xmin, 0);
    is_near(p, "powerlaw.out.alpha", fit.alpha, 2e-4);
    is_near(p, "powerlaw.out.ks", fit.D, 2e-4);
}

START_TEST(as_igraph)
{
    ga_context *context = plain_context(2);
    igraph_set_warning_handler(igraph_warning_handler_ignore);
    for (int round = 0; round < 12; round++) {
        int64_t nodes = 60 + (int64_t)lucky(200);
        ga_graph *graph =
            skewed_graph(context, nodes, nodes * (1 + (int64_t)lucky(9)), GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        ga_statistics *found = NULL;
        ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
        pair p;
        o.metrics = "all";
        test_ok(context, ga_statistics_compute(context, graph, &o, &found));
        open_pair(&p, graph, found);
        check_values(&p);
        check_components(&p, IGRAPH_WEAK, "wcc.count", "wcc.largest");
        check_components(&p, IGRAPH_STRONG, "scc.count", "scc.largest");
        check_cores(&p, IGRAPH_ALL, "coreness_all");
        check_cores(&p, IGRAPH_OUT, "coreness_out");
        check_cores(&p, IGRAPH_IN, "coreness_in");
        check_lists(&p);
        check_laws(&p);
        close_pair(&p);
        ga_statistics_destroy(context, found);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statistics beside igraph");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 240);
    tcase_add_test(all, as_igraph);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
