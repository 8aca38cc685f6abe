/* check_batches_laws.c - the laws of mini-batches on tiny graphs, against probabilities found by enumeration. */
#include "config.h"

#include "tests/unit/check_law.h"
#include "tests/unit/sampling/check_batches.h"

enum { RUNS = 6000, SMALL = 6, ENOUGH = 6 }; /* ENOUGH standard errors */

/* Node 0 has the in-neighbours 1, 2; node 1 has 0, 2, 3, 4; node 2 has 3; node 3 has 4; node 4 has 0; node 5 has none. */
static const uint32_t from[] = { 1, 2, 0, 2, 3, 4, 3, 4, 0 }, to[] = { 0, 0, 1, 1, 1, 1, 2, 3, 4 };
enum { EDGES = 9 };

static ga_graph *small_graph(ga_context *context)
{
    return graph_of(context, SMALL, EDGES, from, to, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
}

static double p_row(const ga_graph *g, int64_t v, int64_t u)
{
    return near_by(g, GA__IN, u, v) ? 1 / (double)degree_of(g, GA__IN, v) : 0;
}

/* Norms of the columns over some targets, as a law. */
static void column_law(const ga_graph *g, const int64_t *targets, int64_t count, double *p)
{
    double total = 0;
    memset(p, 0, SMALL * sizeof *p);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t u = 0; u < SMALL; u++) {
            p[u] += pow(p_row(g, targets[i], u), 2);
            total += pow(p_row(g, targets[i], u), 2);
        }
    }
    for (int64_t u = 0; u < SMALL; u++) {
        p[u] /= total;
    }
}

/* ---- many batches: the same seeds in each ---- */

typedef unsigned (*outcome_fn)(const ga_batch *b);

/* Sources of layer 1, or nodes, as bits. */
static unsigned sources(const ga_batch *b)
{
    unsigned set = 0;
    for (int64_t e = 0; e < b->layers[0].edges; e++) {
        set |= 1u << b->nodes[b->layers[0].sources[e]];
    }
    return set;
}

static unsigned nodes(const ga_batch *b)
{
    unsigned set = 0;
    for (int64_t i = 0; i < b->node_count; i++) {
        set |= 1u << b->nodes[i];
    }
    return set;
}

/* Edges into 0 and 1 that layer 1 has. */
static unsigned edges(const ga_batch *b)
{
    unsigned set = 0;
    for (int64_t e = 0; e < b->layers[0].edges; e++) {
        for (unsigned i = 0; i < 6; i++) {
            bool same =
                from[i] == b->nodes[b->layers[0].sources[e]] && to[i] == b->nodes[b->layers[0].targets[e]];
            set |= (unsigned)same << i;
        }
    }
    return set;
}

static ga_batches *many(ga_context *context, const ga_graph *g, const char *method, const char *parameters,
                        const int64_t *seeds, int64_t count)
{
    int64_t *all = malloc((size_t)(RUNS * count) * sizeof *all);
    for (int64_t i = 0; i < RUNS * count; i++) {
        all[i] = seeds[i % count];
    }
    ga_batches *batches = opened(context, g, method, parameters, count, all, RUNS * count);
    free(all);
    return batches;
}

static void check_method(ga_context *context, const ga_graph *g, const char *method, const char *parameters,
                         const int64_t *seeds, int64_t count, outcome_fn outcome, law *l)
{
    ga_batches *all = many(context, g, method, parameters, seeds, count);
    memset(l->found, 0, sizeof l->found);
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        l->found[outcome(b)]++;
    }
    check_law(l, RUNS, method);
    ga_batches_destroy(context, all);
}

/* ---- neighbours of targets ---- */

START_TEST(two_of_four)
{
    static const int64_t seeds[] = { 1 };
    law l;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    memset(l.expected, 0, sizeof l.expected);
    for (int a = 0; a < SMALL; a++) {
        for (int b = 0; b < SMALL; b++) {
            if (a != b && near_by(graph, GA__IN, a, 1) && near_by(graph, GA__IN, b, 1)) {
                l.expected[1 << a | 1 << b] += 1.0 / 12;
            }
        }
    }
    check_method(context, graph, "fanout", "fanout=2", seeds, 1, sources, &l);
    check_method(context, graph, "vrgcn", "fanout=2", seeds, 1, sources, &l);
    for (int i = 0; i < SETS; i++) {
        l.expected[i] *= 3.0 / 4; /* two different ones of two draws */
    }
    for (int a = 0; a < SMALL; a++) {
        l.expected[1 << a] = near_by(graph, GA__IN, a, 1) ? 1.0 / 16 : 0;
    }
    check_method(context, graph, "fanout", "fanout=2 replace=1", seeds, 1, sources, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* One neighbour a target: r(u) < 1/2 for target 0, r(u) < 1/4 for target 1, the same r for both. */
START_TEST(shared_numbers)
{
    static const int64_t seeds[] = { 0, 1 };
    law l;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    memset(l.expected, 0, sizeof l.expected);
    for (int all = 0; all < 256; all++) { /* the quarters in which r lies for the sources 0, 2, 3, 4 */
        int quarter[] = { all & 3, 0, all >> 2 & 3, all >> 4 & 3, all >> 6 & 3 };
        for (int one = 0; one < 2; one++) {
            unsigned set = 0;
            for (unsigned e = 0; e < 6; e++) {
                bool taken = from[e] == 1 ? one : to[e] == 0 ? quarter[from[e]] < 2 : quarter[from[e]] < 1;
                set |= (unsigned)taken << e;
            }
            l.expected[set] += 1.0 / 512;
        }
    }
    check_method(context, graph, "labor", "fanout=1", seeds, 2, edges, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(surroundings)
{
    static const int64_t seeds[] = { 0 };
    law l;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    memset(l.expected, 0, sizeof l.expected);
    for (int64_t u = 0; u < SMALL;
         u++) { /* the first round finds u, the second one again u or another, and one of u's own */
        for (int64_t v = 0; v < SMALL; v++) {
            for (int64_t w = 0; w < SMALL; w++) {
                l.expected[1u | 1u << u | 1u << v | 1u << w] +=
                    p_row(graph, 0, u) * p_row(graph, 0, v) * p_row(graph, u, w);
            }
        }
    }
    check_method(context, graph, "shadow", "fanout=1 depth=2", seeds, 1, nodes, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- nodes of a layer ---- */

START_TEST(layer_without_replacement)
{
    static const int64_t seeds[] = { 0, 1, 2 };
    double p[SMALL];
    law l;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    column_law(graph, seeds, 3, p);
    memset(l.expected, 0, sizeof l.expected);
    for (int a = 0; a < SMALL; a++) {
        for (int b = 0; b < SMALL; b++) {
            l.expected[1 << a | 1 << b] += a != b ? p[a] * p[b] / (1 - p[a]) : 0;
        }
    }
    check_method(context, graph, "ladies", "layer_size=2", seeds, 3, sources, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* Two draws with replacement by a law over nodes. */
static void two_draws(const double *p, law *l)
{
    memset(l->expected, 0, sizeof l->expected);
    for (int a = 0; a < SMALL; a++) {
        for (int b = 0; b < SMALL; b++) {
            l->expected[1 << a | 1 << b] += p[a] * p[b];
        }
    }
}

START_TEST(draws_by_importance)
{
    static const int64_t all[] = { 0, 1, 2, 3, 4, 5 };
    double p[SMALL];
    law l;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    column_law(graph, all, SMALL, p);
    two_draws(p, &l);
    check_method(context, graph, "fastgcn", "layer_size=2", all, SMALL, sources, &l);
    check_method(context, graph, "saint_node", "budget=2 coverage=1", all, 1, nodes, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- subgraphs ---- */

static int64_t in_degree(const ga_graph *g, int64_t v)
{
    return degree_of(g, GA__IN, v);
}

START_TEST(draws_of_edges)
{
    static const int64_t seeds[] = { 0 };
    double p[EDGES], total = 0;
    law l;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    for (int e = 0; e < EDGES; e++) {
        p[e] = 1 / (double)out_degree(graph, from[e]) + 1 / (double)in_degree(graph, to[e]);
        total += p[e];
    }
    memset(l.expected, 0, sizeof l.expected);
    for (int e = 0; e < EDGES; e++) {
        for (int f = 0; f < EDGES; f++) {
            l.expected[1u << from[e] | 1u << to[e] | 1u << from[f] | 1u << to[f]] +=
                p[e] * p[f] / total / total;
        }
    }
    check_method(context, graph, "saint_edge", "budget=2 coverage=1", seeds, 1, nodes, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* A walk that cannot go on ends. */
START_TEST(walks)
{
    static const int64_t seeds[] = { 0 };
    law l;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    memset(l.expected, 0, sizeof l.expected);
    for (int64_t u = 0; u < SMALL; u++) {
        l.expected[1u << u] += in_degree(graph, u) == 0 ? 1.0 / SMALL : 0;
        for (int64_t v = 0; v < SMALL; v++) {
            double p = p_row(graph, u, v) / SMALL;
            l.expected[1u << u | 1u << v] += in_degree(graph, v) == 0 ? p : 0;
            for (int64_t w = 0; w < SMALL; w++) {
                l.expected[1u << u | 1u << v | 1u << w] += p * p_row(graph, v, w);
            }
        }
    }
    check_method(context, graph, "saint_walk", "roots=1 length=2 coverage=1", seeds, 1, nodes, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* Two walkers at uniform nodes, of which one steps by degree. If both are at node 5, which has no neighbours, they start anew
 * from uniform nodes with any. */
START_TEST(walkers)
{
    static const int64_t seeds[] = { 0 };
    law l;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    memset(l.expected, 0, sizeof l.expected);
    for (int64_t a = 0; a < SMALL; a++) {
        for (int64_t b = 0; b < SMALL; b++) {
            double both = (double)(degree_of(graph, GA__BOTH, a) + degree_of(graph, GA__BOTH, b));
            double p = 1.0 / 36 + (a < 5 && b < 5 ? 1.0 / 36 / 25 : 0);
            for (int64_t w = 0; w < SMALL && both > 0;
                 w++) { /* a with d(a) / both, then each neighbour with 1 / d(a) */
                l.expected[1u << a | 1u << w] += near_by(graph, GA__BOTH, w, a) * p / both;
                l.expected[1u << b | 1u << w] += near_by(graph, GA__BOTH, w, b) * p / both;
            }
        }
    }
    check_method(context, graph, "saint_mrw", "walkers=2 budget=2 coverage=1 direction=both", seeds, 1, nodes,
                 &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* The order of three parts, by the seed. */
START_TEST(order_of_parts)
{
    static const int64_t parts[SMALL] = { 7, 0, 7, 2, 2, 0 };
    law l;
    words c;
    ga_context *context = test_threads_context(1);
    ga_graph *graph = small_graph(context);
    memset(&l, 0, sizeof l);
    words_of(&c, "", 0);
    c.options.parts = parts;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        ga_batches *all = NULL;
        int outcome = 0;
        ga_context_set_seed(context, seed);
        test_ok(context, ga_batches_create(context, graph, "cluster", &c.options, NULL, 0, &all));
        ck_assert_int_eq(ga_batches_count(all), 3);
        for (int i = 0; i < 2; i++) {
            outcome = 8 * outcome + (int)parts[next_of(context, all)->nodes[0]];
        }
        l.found[outcome]++;
        ga_batches_destroy(context, all);
    }
    for (int a = 0; a < 8; a++) {
        for (int b = 0; b < 8; b++) {
            bool both = (a == 0 || a == 2 || a == 7) && (b == 0 || b == 2 || b == 7);
            l.expected[8 * a + b] = both && a != b ? 1.0 / 6 : 0;
        }
    }
    check_law(&l, RUNS, "cluster");
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- estimates without bias: the weights of an edge have a mean that is known ---- */

static void check_mean(ga_context *context, const ga_graph *g, const char *method, const char *parameters,
                       bool of_matrix)
{
    static const int64_t seeds[] = { 0, 1, 2, 5 };
    double sum[SMALL][SMALL] = { { 0 } }, squares[SMALL][SMALL] = { { 0 } };
    ga_batches *all = many(context, g, method, parameters, seeds, 4);
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        double got[SMALL][SMALL] = { { 0 } };
        for (int64_t e = 0; e < b->layers[0].edges; e++) {
            got[b->nodes[b->layers[0].targets[e]]][b->nodes[b->layers[0].sources[e]]] +=
                b->layers[0].weights[e];
        }
        for (int i = 0; i < SMALL * SMALL; i++) {
            sum[i / SMALL][i % SMALL] += got[i / SMALL][i % SMALL];
            squares[i / SMALL][i % SMALL] += pow(got[i / SMALL][i % SMALL], 2);
        }
    }
    for (int64_t t = 0; t < 4; t++) {
        for (int64_t u = 0; u < SMALL; u++) {
            double mean = sum[seeds[t]][u] / RUNS, variance = squares[seeds[t]][u] / RUNS - mean * mean;
            double wanted = of_matrix ? p_row(g, seeds[t], u) : near_by(g, GA__IN, u, seeds[t]);
            ck_assert_msg(fabs(mean - wanted) <= ENOUGH * sqrt(fmax(variance, 0) / RUNS) + 1e-9,
                          "%s: %d from %d: %g, expected %g", method, (int)seeds[t], (int)u, mean, wanted);
        }
    }
    ga_batches_destroy(context, all);
}

START_TEST(no_bias)
{
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    check_mean(context, graph, "fanout", "fanout=3", false);
    check_mean(context, graph, "fanout", "fanout=3 replace=1", false);
    check_mean(context, graph, "labor", "fanout=1", false);
    check_mean(context, graph, "vrgcn", "fanout=1", false);
    check_mean(context, graph, "fastgcn", "layer_size=3", true);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- saint_*: norms and weights are what their law says, up to the errors of counting ---- */

static void check_norms(ga_context *context, const ga_graph *g, const char *method, const char *parameters)
{
    static const int64_t seeds[] = { 0 };
    double node[SMALL] = { 0 }, pair[SMALL][SMALL] = { { 0 } };
    char text[64];
    snprintf(text, sizeof text, "%s coverage=%d", parameters, RUNS);
    ga_batches *all = many(context, g, method, text, seeds, 1);
    double norms[SMALL] = { 0 }, weights[SMALL][SMALL] = { { 0 } };
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        for (int64_t i = 0; i < b->node_count; i++) {
            node[b->nodes[i]] += 1.0 / RUNS;
            norms[b->nodes[i]] = b->norms[i];
        }
        for (int64_t e = 0; e < b->layers[0].edges; e++) {
            int64_t u = b->nodes[b->layers[0].sources[e]], v = b->nodes[b->layers[0].targets[e]];
            pair[v][u] += 1.0 / RUNS;
            weights[v][u] = b->layers[0].weights[e];
        }
    }
    for (int v = 0; v < SMALL; v++) { /* both are shares of as many runs */
        double error = sqrt(2 * node[v] * (1 - node[v]) / RUNS);
        ck_assert_msg(fabs(norms[v] - node[v]) <= ENOUGH * error + 1e-9, "%s: norm of %d: %g, %g", method, v,
                      norms[v], node[v]);
        for (int u = 0; u < SMALL; u++) {
            if (pair[v][u] > 0) {
                double alpha = pair[v][u] / node[v],
                       spread = sqrt(2 * alpha * (1 - alpha) / (node[v] * RUNS));
                ck_assert_msg(fabs(1 / weights[v][u] - alpha) <= ENOUGH * spread + 1e-9,
                              "%s: alpha of %d, %d: %g, %g", method, u, v, 1 / weights[v][u], alpha);
            }
        }
    }
    ga_batches_destroy(context, all);
}

START_TEST(norms_and_weights)
{
    ga_context *context = test_threads_context(2);
    ga_graph *graph = small_graph(context);
    check_norms(context, graph, "saint_node", "budget=3");
    check_norms(context, graph, "saint_edge", "budget=1");
    check_norms(context, graph, "saint_walk", "roots=1 length=2");
    check_norms(context, graph, "saint_mrw", "walkers=1 budget=3");
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batches: laws");
    TCase *test = tcase_create("laws");
    tcase_set_timeout(test, 600);
    tcase_add_test(test, two_of_four);
    tcase_add_test(test, shared_numbers);
    tcase_add_test(test, surroundings);
    tcase_add_test(test, layer_without_replacement);
    tcase_add_test(test, draws_by_importance);
    tcase_add_test(test, draws_of_edges);
    tcase_add_test(test, walks);
    tcase_add_test(test, walkers);
    tcase_add_test(test, order_of_parts);
    tcase_add_test(test, no_bias);
    tcase_add_test(test, norms_and_weights);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
