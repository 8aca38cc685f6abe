/* check_statistics.c - every statistic beside its definition on small graphs, and what holds for large ones. */
#include "config.h"

#include <graphattn/statistics.h>

#include "lib/base/context.h"
#include "tests/unit/statistics/dense.h"
#include "tests/unit/support.h"

static ga_statistics *measured(ga_context *context, ga_graph *graph, const char *metrics,
                               const int64_t *labels)
{
    ga_statistics *found = NULL;
    ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
    o.metrics = metrics;
    o.labels = labels;
    test_ok(context, ga_statistics_compute(context, graph, &o, &found));
    return found;
}

static double value_of(const ga_statistics *s, const char *name)
{
    const ga_statistic *found = ga_statistics_find(s, name);
    ck_assert_msg(found != NULL, "no value %s", name);
    return found->value;
}

static void is_near(const ga_statistics *s, const char *name, double wanted)
{
    double found = value_of(s, name);
    bool same = isnan(wanted) ? isnan(found) : fabs(found - wanted) <= 1e-10 * (1 + fabs(wanted));
    ck_assert_msg(same, "%s: %.17g, expected %.17g", name, found, wanted);
}

static double element(const ga_statistics *s, const char *name, int64_t i)
{
    const DLTensor *array = ga_statistics_array(s, name);
    ck_assert_msg(array != NULL && i < array->shape[0], "no element %d of %s", (int)i, name);
    return array->dtype.code == kDLInt ? (double)((const int64_t *)array->data)[i]
                                       : ((const double *)array->data)[i];
}

/* ---- one graph beside the definitions ---- */

static void check_pairs(const dense *d, const ga_statistics *s)
{
    double m = 0, both = 0, n = d->n;
    for (int v = 0; v < d->n; v++) {
        for (int w = 0; w < d->n; w++) {
            m += d->edge[v][w];
            both += d->edge[v][w] && d->edge[w][v];
        }
        ck_assert_int_eq((int)element(s, "in_degree", v), dense_in(d, v));
        ck_assert_int_eq((int)element(s, "out_degree", v), dense_out(d, v));
    }
    is_near(s, "edges", m);
    is_near(s, "density", n > 1 ? m / (n * (n - 1)) : NAN);
    is_near(s, "reciprocity", m > 0 ? both / m : NAN);
    is_near(s, "reciprocity_ratio", m > 0 ? both / 2 / (m - both / 2) : NAN);
    is_near(s, "assortativity.out_in", dense_correlation(d, dense_out, dense_in));
    is_near(s, "assortativity.in_out", dense_correlation(d, dense_in, dense_out));
    is_near(s, "assortativity.out_out", dense_correlation(d, dense_out, dense_out));
    is_near(s, "assortativity.in_in", dense_correlation(d, dense_in, dense_in));
}

static void check_clustering(const dense *d, const ga_statistics *s)
{
    double closed = 0, triples = 0, sum = 0, counted = 0;
    for (int v = 0; v < d->n; v++) {
        double mine = 0, pairs = 0;
        for (int u = 0; u < d->n; u++) {
            for (int w = u + 1; w < d->n; w++) {
                pairs += dense_near(d, v, u) && dense_near(d, v, w);
                mine += dense_near(d, v, u) && dense_near(d, v, w) && dense_near(d, u, w);
            }
        }
        closed += mine;
        triples += pairs;
        sum += pairs > 0 ? mine / pairs : 0;
        counted += pairs > 0;
        ck_assert(fabs(element(s, "local_clustering", v) - (pairs > 0 ? mine / pairs : 0)) < 1e-12);
    }
    is_near(s, "transitivity", triples > 0 ? closed / triples : NAN);
    is_near(s, "clustering", d->n > 0 ? sum / d->n : NAN);
    is_near(s, "clustering_nonzero", counted > 0 ? sum / counted : NAN);
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void check_directed_clustering(const dense *d, const ga_statistics *s)
{
    double all = 0, kind[4] = { 0 };
    const int(*a)[SIZE] = d->edge;
    for (int v = 0; v < d->n; v++) {
        double in = dense_in(d, v), out = dense_out(d, v), both = 0, walks[4] = { 0 };
        for (int u = 0; u < d->n; u++) {
            both += a[v][u] && a[u][v];
            for (int w = 0; w < d->n; w++) {
                walks[0] += a[v][u] * a[u][w] * a[w][v];
                walks[1] += a[v][u] * a[w][u] * a[w][v];
                walks[2] += a[u][v] * a[u][w] * a[w][v];
                walks[3] += a[v][u] * a[u][w] * a[v][w];
            }
        }
        kind[0] += share(walks[0], in * out - both);
        kind[1] += share(walks[1], in * out - both);
        kind[2] += share(walks[2], in * (in - 1));
        kind[3] += share(walks[3], out * (out - 1));
        all += share(walks[0] + walks[1] + walks[2] + walks[3], (in + out) * (in + out - 1) - 2 * both);
    }
    is_near(s, "clustering_directed", d->n ? all / d->n : NAN);
    is_near(s, "clustering_cycle", d->n ? kind[0] / d->n : NAN);
    is_near(s, "clustering_middleman", d->n ? kind[1] / d->n : NAN);
    is_near(s, "clustering_in", d->n ? kind[2] / d->n : NAN);
    is_near(s, "clustering_out", d->n ? kind[3] / d->n : NAN);
}

static void check_triads(const dense *d, const ga_statistics *s)
{
    int64_t total = 0;
    for (int64_t i = 0; i < ga_statistics_count(s); i++) {
        const ga_statistic *value = ga_statistics_value(s, i);
        int64_t wanted = 0;
        if (strncmp(value->name, "triad_census.", 13) != 0) {
            continue;
        }
        for (int a = 0; a < d->n; a++) {
            for (int b = a + 1; b < d->n; b++) {
                for (int c = b + 1; c < d->n; c++) {
                    wanted += strcmp(dense_triad(d, a, b, c), value->name + 13) == 0;
                }
            }
        }
        ck_assert_msg(value->integer && value->value == (double)wanted, "%s: %g, expected %d", value->name,
                      value->value, (int)wanted);
        total += wanted;
    }
    ck_assert_int_eq(total, d->n < 3 ? 0 : d->n * (d->n - 1) * (d->n - 2) / 6);
}

static bool together(const dense *d, int v, int w)
{
    return d->distance[v][w] < FAR && d->distance[w][v] < FAR;
}

static void check_components(const dense *d, const ga_statistics *s)
{
    int count = 0, largest = 0, core = 0, in = 0, out = 0;
    for (int v = 0; v < d->n; v++) {
        int size = 0, lowest = v;
        for (int w = d->n - 1; w >= 0; w--) {
            size += together(d, v, w);
            lowest = together(d, v, w) ? w : lowest;
        }
        count += lowest == v;
        if (size > largest) {
            largest = size;
            core = v;
        }
    }
    for (int v = 0; v < d->n; v++) {
        in += !together(d, v, core) && d->distance[v][core] < FAR;
        out += !together(d, v, core) && d->distance[core][v] < FAR;
    }
    is_near(s, "scc.count", count);
    is_near(s, "scc.largest", largest);
    is_near(s, "bowtie.scc", largest);
    is_near(s, "bowtie.in", in);
    is_near(s, "bowtie.out", out);
    is_near(s, "bowtie.other", d->n - largest - in - out);
    int of[SIZE], weak = 0, most = 0, sum = 0;
    for (int v = 0; v < d->n; v++) {
        of[v] = v;
    }
    for (int round = 0; round < d->n; round++) {
        for (int v = 0; v < d->n; v++) {
            for (int w = 0; w < d->n; w++) {
                of[v] = dense_near(d, v, w) && of[w] < of[v] ? of[w] : of[v];
            }
        }
    }
    for (int v = 0; v < d->n; v++) {
        int size = 0;
        for (int w = 0; w < d->n; w++) {
            size += of[w] == v;
        }
        weak += size > 0;
        most = size > most ? size : most;
    }
    is_near(s, "wcc.count", weak);
    is_near(s, "wcc.largest", most);
    for (int i = 0; i < weak; i++) {
        sum += (int)element(s, "wcc_sizes", i);
        ck_assert(i == 0 || element(s, "wcc_sizes", i) <= element(s, "wcc_sizes", i - 1));
    }
    ck_assert_int_eq(sum, d->n);
}

static void check_distances(const dense *d, const ga_statistics *s)
{
    double pairs = 0, steps = 0, longest = 0, within[SIZE] = { 0 };
    for (int v = 0; v < d->n; v++) {
        for (int w = 0; w < d->n; w++) {
            int far = d->distance[v][w];
            for (int h = far; h < SIZE; h++) {
                within[h]++;
            }
            longest = far < FAR && far > longest ? far : longest;
            pairs += v != w && far < FAR;
            steps += far < FAR ? far : 0;
        }
    }
    is_near(s, "diameter", d->n ? longest : NAN);
    is_near(s, "mean_distance", pairs > 0 ? steps / pairs : NAN);
    is_near(s, "hop_plot.pairs", pairs + d->n);
    for (int h = 0; h <= (int)longest && d->n; h++) {
        ck_assert(element(s, "hop_plot", h) == within[h]);
    }
}

static void check_cores(const dense *d, const ga_statistics *s)
{
    for (int v = 0; v < d->n; v++) {
        ck_assert_int_eq((int)element(s, "coreness_all", v), dense_coreness(d, v, true, true));
        ck_assert_int_eq((int)element(s, "coreness_in", v), dense_coreness(d, v, true, false));
        ck_assert_int_eq((int)element(s, "coreness_out", v), dense_coreness(d, v, false, true));
    }
}

/* The equation that it solves. */
static void check_pagerank(const dense *d, const ga_statistics *s)
{
    double sum = 0, lost = 0, entropy = 0;
    for (int v = 0; v < d->n; v++) {
        sum += element(s, "pagerank", v);
        lost += dense_out(d, v) == 0 ? element(s, "pagerank", v) : 0;
    }
    for (int v = 0; v < d->n; v++) {
        double wanted = (0.15 + 0.85 * lost) / d->n;
        for (int u = 0; u < d->n; u++) {
            wanted += d->edge[u][v] ? 0.85 * element(s, "pagerank", u) / dense_out(d, u) : 0;
        }
        ck_assert(fabs(wanted - element(s, "pagerank", v)) < 1e-12);
        entropy -= wanted * log(wanted);
    }
    ck_assert(d->n == 0 || fabs(sum - 1) < 1e-12);
    is_near(s, "pagerank.entropy", d->n ? entropy : NAN);
}

static void check_spectrum(const dense *d, const ga_statistics *s)
{
    double square[SIZE][SIZE] = { { 0 } }, values[SIZE] = { 0 }, power[SIZE][SIZE], logarithm = 0;
    for (int v = 0; v < d->n; v++) {
        for (int w = 0; w < d->n; w++) {
            for (int k = 0; k < d->n; k++) {
                square[v][w] += d->edge[k][v] * d->edge[k][w];
            }
            power[v][w] = d->edge[v][w];
        }
    }
    dense_eigenvalues(square, d->n, values);
    for (int i = 0; i < 5; i++) {
        double wanted = i < d->n && values[i] > 1e-9 ? sqrt(values[i]) : 0;
        ck_assert_msg(fabs(element(s, "singular_values", i) - wanted) < 1e-7,
                      "singular value %d: %g, expected %g", i, element(s, "singular_values", i), wanted);
    }
    /* the norm of the power 2^20, by squaring: its root is the radius up to a factor near 1 */
    for (int step = 0; step < 20; step++) {
        double next[SIZE][SIZE] = { { 0 } }, most = 0;
        for (int v = 0; v < d->n; v++) {
            for (int w = 0; w < d->n; w++) {
                for (int k = 0; k < d->n; k++) {
                    next[v][w] += power[v][k] * power[k][w];
                }
                most = fmax(most, next[v][w]);
            }
        }
        if (most == 0) {
            is_near(s, "spectral_radius", 0);
            return;
        }
        logarithm = 2 * logarithm + log(most);
        for (int v = 0; v < d->n; v++) {
            for (int w = 0; w < d->n; w++) {
                power[v][w] = next[v][w] / most;
            }
        }
    }
    double radius = d->n ? exp(logarithm / 0x1p20) : 0;
    ck_assert_msg(fabs(value_of(s, "spectral_radius") - radius) < 1e-4, "radius: %g, expected %g",
                  value_of(s, "spectral_radius"), radius);
}

static void check_one(ga_context *context, ga_graph *graph)
{
    dense d = dense_of(graph);
    ga_statistics *s = measured(context, graph, "all", NULL);
    check_pairs(&d, s);
    check_clustering(&d, s);
    check_directed_clustering(&d, s);
    check_triads(&d, s);
    check_components(&d, s);
    check_distances(&d, s);
    check_cores(&d, s);
    check_pagerank(&d, s);
    check_spectrum(&d, s);
    ga_statistics_destroy(context, s);
}

START_TEST(definitions)
{
    ga_context *context = plain_context(2);
    for (int round = 0; round < 300; round++) {
        int64_t nodes = (int64_t)lucky(SIZE + 1),
                edges = nodes ? (int64_t)lucky((uint64_t)(nodes * nodes)) : 0;
        ga_graph *graph = skewed_graph(context, nodes, edges, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        check_one(context, graph);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* Values that come several times, as eigenvalues of the parts of a graph that are alike. */
START_TEST(alike_parts)
{
    static const uint32_t s[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 }, t[] = { 1, 2, 0, 4, 5, 3, 7, 8, 6 };
    ga_context *context = plain_context(1);
    ga_graph *graph = graph_of(context, 9, 9, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    check_one(context, graph);
    ga_statistics *found = measured(context, graph, "spectrum", NULL);
    for (int i = 0; i < 5; i++) {
        ck_assert(fabs(element(found, "singular_values", i) - 1) < 1e-12);
    }
    is_near(found, "spectral_radius", 1);
    ga_statistics_destroy(context, found);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- PageRank of graphs of many blocks ---- */

/* The L1 norm of what the equation leaves over. */
static double pagerank_residual(ga_graph *graph, const ga_statistics *s, double alpha)
{
    ga_csr out = ga_graph_out(graph);
    const double *rank = ga_statistics_array(s, "pagerank")->data;
    double lost = 0, residual = 0, *wanted = calloc((size_t)out.rows, sizeof *wanted);
    ck_assert_ptr_nonnull(wanted);
    for (int64_t u = 0; u < out.rows; u++) {
        int64_t degree = out.offsets[u + 1] - out.offsets[u];
        lost += degree ? 0 : rank[u];
        for (int64_t e = out.offsets[u]; e < out.offsets[u + 1]; e++) {
            wanted[out.targets[e]] += alpha * rank[u] / (double)degree;
        }
    }
    for (int64_t v = 0; v < out.rows; v++) {
        residual += fabs(wanted[v] + (1 - alpha + alpha * lost) / (double)out.rows - rank[v]);
    }
    free(wanted);
    return residual;
}

/* A third of the nodes with links out of them only, a third with links into them only; a cycle through the rest, which
 * forgets slowly; no cycle at all. */
START_TEST(large_pageranks)
{
    enum { PART = 4000 };
    static const double alphas[] = { 0, 0.5, 0.85, 0.99, 0.9999 };
    ga_context *context = plain_context(2);
    uint32_t source[4 * PART], target[4 * PART];
    for (int cycles = 0; cycles < 2; cycles++) {
        for (uint32_t i = 0; i < PART; i++) {
            uint32_t far = (uint32_t)lucky(PART);
            source[i] = PART + i, target[i] = PART + (cycles ? (i + 1) % PART : PART + i);
            source[PART + i] = i, target[PART + i] = PART + far;
            source[2 * PART + i] = PART + far, target[2 * PART + i] = 2 * PART + i;
            source[3 * PART + i] = i, target[3 * PART + i] = 2 * PART + far;
        }
        ga_graph *graph =
            graph_of(context, 3 * PART, 4 * PART, source, target, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
            ga_statistics *found = NULL;
            ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
            o.metrics = "pagerank";
            o.alpha = alphas[i];
            test_ok(context, ga_statistics_compute(context, graph, &o, &found));
            double residual = pagerank_residual(graph, found, alphas[i]);
            ck_assert_msg(residual < 3e-12, "alpha %g leaves %g", alphas[i], residual);
            ga_statistics_destroy(context, found);
        }
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* ---- power laws: the likelihood is at its maximum ---- */

static double law_sum(double alpha, double from)
{
    double sum = 0;
    for (double x = from; x < 200000; x++) {
        sum += pow(x, -alpha);
    }
    return sum + pow(200000 - 0.5, 1 - alpha) / (alpha - 1); /* the middle rule for the rest */
}

static double likelihood(const int64_t *degree, int64_t nodes, double alpha, double xmin)
{
    double sum = 0, all = log(law_sum(alpha, xmin));
    for (int64_t v = 0; v < nodes; v++) {
        sum -= (double)degree[v] >= xmin ? alpha * log((double)degree[v]) + all : 0;
    }
    return sum;
}

START_TEST(power_laws)
{
    enum { NODES = 400 };
    ga_context *context = plain_context(1);
    ga_graph *graph = skewed_graph(context, NODES, 3000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_statistics *found = measured(context, graph, "size,powerlaw", NULL);
    const int64_t *in = ga_statistics_array(found, "in_degree")->data;
    double alpha = value_of(found, "powerlaw.in.alpha"), xmin = value_of(found, "powerlaw.in.xmin");
    double ks = value_of(found, "powerlaw.in.ks"), best = likelihood(in, NODES, alpha, xmin);
    ck_assert(alpha > 1 && xmin >= 1);
    ck_assert(likelihood(in, NODES, alpha + 0.01, xmin) < best &&
              likelihood(in, NODES, alpha - 0.01, xmin) < best);
    double tail = 0, most = 0, below = 0, all = law_sum(alpha, xmin);
    for (int64_t v = 0; v < NODES; v++) {
        tail += (double)in[v] >= xmin;
    }
    for (double x = xmin; x < NODES; x++) { /* shares below each degree that occurs */
        double law = 1 - law_sum(alpha, x) / all;
        int64_t here = 0;
        for (int64_t v = 0; v < NODES; v++) {
            here += (double)in[v] == x;
        }
        most = here ? fmax(most, fabs(below / tail - law)) : most;
        below += (double)here;
    }
    ck_assert_msg(fabs(most - ks) < 1e-6, "distance %g, expected %g", ks, most);
    ga_statistics_destroy(context, found);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- labels ---- */

START_TEST(labels_by_hand)
{
    /* 0 -> 1 -> 2 <- 3, 0 <-> 4; labels a a b b, 4 unknown: edges between known ones a a, a b, b b */
    static const uint32_t s[] = { 0, 1, 3, 0, 4 }, t[] = { 1, 2, 2, 4, 0 };
    static const int64_t labels[] = { 7, 7, 3, 3, -1 };
    ga_context *context = plain_context(1);
    ga_graph *graph = graph_of(context, 5, 5, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_statistics *found = measured(context, graph, "labels", labels);
    is_near(found, "label.edge_homophily", 2.0 / 3);
    is_near(found, "label.node_homophily", (1 + 0.5 + 0.5 + 1) / 4);
    /* from a: 2, to a: 1; from b: 1, to b: 2; chance (2 * 1 + 1 * 2) / 9 */
    is_near(found, "label.assortativity", (2.0 / 3 - 4.0 / 9) / (1 - 4.0 / 9));
    ga_statistics_destroy(context, found);
    ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
    o.metrics = "size,labels";
    test_status(context, ga_statistics_check(context, &o), GA_INVALID);
    test_status(context, ga_statistics_compute(context, graph, &o, &found), GA_INVALID);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- larger graphs ---- */

static void same_statistics(const ga_statistics *a, const ga_statistics *b)
{
    ck_assert_int_eq(ga_statistics_count(a), ga_statistics_count(b));
    for (int64_t i = 0; i < ga_statistics_count(a); i++) {
        const ga_statistic *x = ga_statistics_value(a, i), *y = ga_statistics_value(b, i);
        ck_assert_msg(memcmp(&x->value, &y->value, sizeof x->value) == 0, "%s: %.17g and %.17g", x->name,
                      x->value, y->value);
    }
    int count;
    const ga_metric_info *metrics = ga_metrics(&count);
    for (int i = 0; i < count; i++) {
        for (int k = 0; metrics[i].arrays[k]; k++) {
            const DLTensor *x = ga_statistics_array(a, metrics[i].arrays[k]);
            const DLTensor *y = ga_statistics_array(b, metrics[i].arrays[k]);
            ck_assert_msg(x && y && x->shape[0] == y->shape[0], "%s", metrics[i].arrays[k]);
            ck_assert(memcmp(x->data, y->data, (size_t)x->shape[0] * 8) == 0);
        }
    }
}

START_TEST(any_number_of_threads)
{
    ga_statistics *found[3];
    ga_context *context[3];
    ga_graph *graph[3];
    uint64_t kept = luck;
    for (int i = 0; i < 3; i++) {
        context[i] = plain_context(1);
        ga__context_force_threads(context[i], 1 + 2 * i);
        luck = kept;
        graph[i] = skewed_graph(context[i], 9000, 60000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
        o.metrics = "all";
        test_ok(context[i], ga_statistics_compute(context[i], graph[i], &o, &found[i]));
    }
    same_statistics(found[0], found[1]);
    same_statistics(found[0], found[2]);
    for (int i = 0; i < 3; i++) {
        ga_statistics_destroy(context[i], found[i]);
        ga_graph_destroy(context[i], graph[i]);
        done_with(context[i]);
    }
}
END_TEST

/* Distances from a sample of the nodes are near those from all, and say what they are. */
START_TEST(estimated_distances)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = skewed_graph(context, 4000, 20000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_statistics *exact = measured(context, graph, "hop_plot", NULL), *sampled = NULL, *one = NULL;
    ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
    o.metrics = "hop_plot";
    o.hop_exact = 100;
    o.hop_sources = 1000;
    test_ok(context, ga_statistics_compute(context, graph, &o, &sampled));
    ck_assert(!ga_statistics_find(exact, "diameter")->estimated &&
              ga_statistics_find(sampled, "diameter")->estimated);
    ck_assert(value_of(sampled, "diameter") <= value_of(exact, "diameter"));
    ck_assert(fabs(value_of(sampled, "mean_distance") / value_of(exact, "mean_distance") - 1) < 0.05);
    ck_assert(fabs(value_of(sampled, "hop_plot.pairs") / value_of(exact, "hop_plot.pairs") - 1) < 0.1);
    o.hop_sources = 4000; /* all of them: exact */
    test_ok(context, ga_statistics_compute(context, graph, &o, &one));
    is_near(one, "hop_plot.pairs", value_of(exact, "hop_plot.pairs"));
    ck_assert(!ga_statistics_find(one, "diameter")->estimated);
    ga_statistics_destroy(context, exact);
    ga_statistics_destroy(context, sampled);
    ga_statistics_destroy(context, one);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* A path of many steps, a cycle, a complete graph: no recursion, no limit on distances. */
START_TEST(long_and_dense)
{
    enum { LONG = 20000, FULL = 60 };
    uint32_t *s = malloc(LONG * sizeof *s), *t = malloc(LONG * sizeof *t);
    ga_context *context = plain_context(2);
    for (uint32_t i = 0; i < LONG; i++) {
        s[i] = i;
        t[i] = (i + 1) % LONG;
    }
    ga_graph *path = graph_of(context, LONG, LONG - 1, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_graph *cycle = graph_of(context, LONG, LONG, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_statistics *of_path = measured(context, path, "scc,wcc,kcore,spectrum,bowtie", NULL);
    ga_statistics *of_cycle = measured(context, cycle, "scc,wcc,kcore,spectrum,bowtie", NULL);
    is_near(of_path, "scc.count", LONG);
    is_near(of_path, "wcc.count", 1);
    is_near(of_path, "kcore.all", 1);
    is_near(of_path, "spectral_radius", 0);
    is_near(of_cycle, "scc.count", 1);
    is_near(of_cycle, "kcore.all", 2);
    is_near(of_cycle, "spectral_radius", 1);
    int64_t count = 0;
    for (uint32_t u = 0; u < FULL; u++) {
        for (uint32_t v = 0; v < FULL; v++) {
            if (u != v) {
                s[count] = u;
                t[count++] = v;
            }
        }
    }
    ga_graph *full = graph_of(context, FULL, count, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_statistics *of_full = measured(context, full, "all", NULL);
    is_near(of_full, "triad_census.300", FULL * (FULL - 1) * (FULL - 2) / 6);
    is_near(of_full, "transitivity", 1);
    is_near(of_full, "clustering_directed", 1);
    is_near(of_full, "spectral_radius", FULL - 1);
    is_near(of_full, "singular.5", 1);
    ga_statistics_destroy(context, of_path);
    ga_statistics_destroy(context, of_cycle);
    ga_statistics_destroy(context, of_full);
    ga_graph_destroy(context, path);
    ga_graph_destroy(context, cycle);
    ga_graph_destroy(context, full);
    done_with(context);
    free(s);
    free(t);
}
END_TEST

/* ---- calls ---- */

START_TEST(refused)
{
    static const uint32_t s[] = { 0, 1, 1 }, t[] = { 1, 1, 0 };
    ga_context *context = plain_context(1);
    ga_graph *graph = graph_of(context, 2, 3, s, t, GA_LOOPS_KEEP, GA_MULTI_KEEP);
    ga_statistics *found = NULL;
    ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
    test_status(context, ga_statistics_compute(context, graph, &o, &found), GA_INVALID);
    ck_assert(strstr(ga_context_error(context), "loop") != NULL);
    o.metrics = "size,sizes";
    test_status(context, ga_statistics_check(context, &o), GA_INVALID);
    ck_assert(strstr(ga_context_error(context), "\"sizes\"") != NULL);
    o.metrics = "";
    test_status(context, ga_statistics_check(context, &o), GA_INVALID);
    o.metrics = "size";
    o.alpha = 1;
    test_status(context, ga_statistics_check(context, &o), GA_INVALID);
    o.alpha = 0;
    o.hop_sources = 0;
    test_status(context, ga_statistics_check(context, &o), GA_INVALID);
    ck_assert(found == NULL);
    ga_statistics_destroy(context, NULL);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

static ga_status measure_all(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    static const uint32_t s[] = { 0, 1, 2, 0, 3, 4, 5, 5 }, t[] = { 1, 2, 0, 2, 4, 3, 0, 1 };
    static const int64_t labels[] = { 0, 1, 0, 1, 0, -1 };
    ga_graph *graph = NULL;
    ga_statistics *found = NULL;
    ga_statistics_options o = GA_STATISTICS_OPTIONS_INIT;
    (void)user;
    o.metrics = "all";
    o.labels = labels;
    GA_TRY(ga_graph_from_edges(context, 6, 8, s, t, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &graph));
    GA_TRY(ga_statistics_compute(context, graph, &o, &found));
done:
    ga_statistics_destroy(context, found);
    ga_graph_destroy(context, graph);
    return status;
}

START_TEST(allocations)
{
    ck_assert_int_gt(test_each_allocation(measure_all, NULL, 1), 50);
    test_each_allocation(measure_all, NULL, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statistics");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 240);
    tcase_add_test(all, definitions);
    tcase_add_test(all, alike_parts);
    tcase_add_test(all, large_pageranks);
    tcase_add_test(all, power_laws);
    tcase_add_test(all, labels_by_hand);
    tcase_add_test(all, any_number_of_threads);
    tcase_add_test(all, estimated_distances);
    tcase_add_test(all, long_and_dense);
    tcase_add_test(all, refused);
    tcase_add_test(all, allocations);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
