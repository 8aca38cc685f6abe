/* check_rescale.c - rescaling: realisable always, optimal where that can be counted, honest about losses. */
#include "config.h"

#include "check_rescale.h"

/* A random simple digraph; dense says how many of 8 places are edges. */
static ga_graph *random_graph(ga_context *context, ga__random *r, uint32_t nodes, uint64_t dense,
                              ga_loops loops)
{
    uint32_t from[256], to[256];
    int64_t edges = 0;
    ga_graph *graph = NULL;
    for (uint32_t u = 0; u < nodes; u++) {
        for (uint32_t v = 0; v < nodes; v++) {
            if ((u != v || loops == GA_LOOPS_KEEP) && ga__random_below(r, 8) < dense) {
                from[edges] = u;
                to[edges++] = v;
            }
        }
    }
    ck_assert_int_eq(
        ga_graph_from_edges(context, nodes, edges, from, to, NULL, loops, GA_MULTI_COLLAPSE, &graph), GA_OK);
    return graph;
}

static ga_matrices *matrices_of(ga_context *context, const ga_graph *graph, const int64_t *labels)
{
    ga_matrices *m = NULL;
    ck_assert_int_eq(ga_matrices_count(context, graph, labels, &m), GA_OK);
    return m;
}

static ga_matrices *rmat_matrices(ga_context *context)
{
    ga_generate_options g = GA_GENERATE_OPTIONS_INIT;
    ga_graph *graph = NULL;
    g.nodes = 2048;
    g.edges = 16384;
    ck_assert_int_eq(ga_graph_generate(context, &g, &graph), GA_OK);
    ga_matrices *m = matrices_of(context, graph, NULL);
    ga_graph_destroy(context, graph);
    return m;
}

/* A hub that all others point to, and a complete core. */
static ga_graph *star_and_core(ga_context *context, uint32_t leaves, uint32_t core)
{
    uint32_t from[600], to[600];
    int64_t edges = 0;
    ga_graph *graph = NULL;
    for (uint32_t v = 1; v <= leaves; v++) {
        from[edges] = v;
        to[edges++] = 0;
    }
    for (uint32_t u = 0; u < core; u++) {
        for (uint32_t v = 0; v < core; v++) {
            if (u != v) {
                from[edges] = leaves + 1 + u;
                to[edges++] = leaves + 1 + v;
            }
        }
    }
    ck_assert_int_eq(ga_graph_from_edges(context, leaves + 1 + core, edges, from, to, NULL, GA_LOOPS_DROP,
                                         GA_MULTI_COLLAPSE, &graph),
                     GA_OK);
    return graph;
}

static void rescale_and_check(ga_context *context, const ga_matrices *m, const ga_rescale_options *o,
                              double ratio)
{
    ga_matrices *result = NULL;
    ga_rescale_report report = { 0 };
    ga_status status = ga_rescale(context, m, o, &result, &report);
    if (status == GA_INVALID) { /* no node is left */
        ck_assert(ratio * (double)ga_matrices_dcm(m).total < 0.5);
        return;
    }
    ck_assert_msg(status == GA_OK, "%s", ga_context_error(context));
    check_result(context, m, result, o, ratio, &report);
    ga_matrices_destroy(context, result);
    ga_rescale_report_clear(context, &report);
}

static const double ratios[] = { 0.05, 0.3, 0.5, 0.77, 1, 1.3, 2, 2.5 };

START_TEST(random_graphs_all_options)
{
    ga_context *context = plain_context(2);
    ga__random r = ga__random_at(7, GA__RANDOM_TEST, 0);
    for (int turn = 0; turn < 120; turn++) {
        ga_graph *graph = random_graph(context, &r, 2 + (uint32_t)ga__random_below(&r, 13),
                                       ga__random_below(&r, 9), GA_LOOPS_DROP);
        int64_t labels[16];
        for (int i = 0; i < 16; i++) {
            labels[i] = (int64_t)ga__random_below(&r, 3) - 1;
        }
        ga_matrices *m = matrices_of(context, graph, turn % 3 == 0 ? labels : NULL);
        for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
            ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
            o.ratio = ratios[i];
            o.objective = (ga_objective)(turn % 3);
            o.rounding = (ga_rounding)(turn / 3 % 2);
            o.balance = (ga_balance)(turn / 6 % 2);
            o.steer = turn % 4 != 0;
            o.label_bins_log2 = turn % 5 == 0;
            o.multi = turn % 7 == 0 ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE;
            o.degree_cap = turn % 11 == 0 ? 0.5 : 1;
            rescale_and_check(context, m, &o, o.ratio);
        }
        ga_matrices_destroy(context, m);
        ga_graph_destroy(graph ? context : NULL, graph);
    }
    done_with(context);
}
END_TEST

START_TEST(loops_kept)
{
    ga_context *context = plain_context(1);
    ga__random r = ga__random_at(8, GA__RANDOM_TEST, 0);
    for (int turn = 0; turn < 40; turn++) {
        ga_graph *graph = random_graph(context, &r, 2 + (uint32_t)ga__random_below(&r, 9),
                                       2 + ga__random_below(&r, 7), GA_LOOPS_KEEP);
        ga_matrices *m = matrices_of(context, graph, NULL);
        for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
            ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
            o.ratio = ratios[i];
            o.loops = GA_LOOPS_KEEP;
            rescale_and_check(context, m, &o, o.ratio);
        }
        ga_matrices_destroy(context, m);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* ---- optimum by trying every JDM ---- */

typedef struct trial {
    int64_t rows, columns, row_left[8], column_left[8], cap[8][8], plan[8][8];
    double target[8][8], lambda, best;
} trial;

static void try_cell(trial *t, int64_t cell, double value)
{
    int64_t k = cell / t->columns, l = cell % t->columns;
    if (k == t->rows) {
        t->best = fmax(t->best, value);
        return;
    }
    int64_t most = ga__min(t->cap[k][l], ga__min(t->row_left[k], t->column_left[l]));
    int64_t least = l + 1 == t->columns ? t->row_left[k] : 0;
    least = k + 1 == t->rows ? ga__max(least, t->column_left[l]) : least;
    for (int64_t x = least; x <= most; x++) {
        t->row_left[k] -= x;
        t->column_left[l] -= x;
        try_cell(t, cell + 1,
                 value + 2 * fmin((double)x, t->target[k][l]) +
                     t->lambda * (double)ga__min(x, t->plan[k][l]));
        t->row_left[k] += x;
        t->column_left[l] += x;
    }
}

/* Greatest objective over all JDMs that go with the rescaled DCM; negative when there are too many classes.
 * */
static double greatest(const ga_matrices *before, const ga_matrices *after, const ga_matrices *plan,
                       double ratio, double lambda)
{
    ga_matrix_view j = ga_matrices_jdm(before), d = ga_matrices_dcm(after), m = ga_matrices_jdm(plan);
    trial t = { .rows = d.columns, .columns = d.rows, .lambda = lambda, .best = -1 };
    int64_t out[8] = { 0 }, in[8] = { 0 };
    if (d.rows > 4 || d.columns > 4) {
        return -1;
    }
    for (int64_t i = 0; i < d.cells; i++) {
        out[d.column[i]] += d.count[i];
        in[d.row[i]] += d.count[i];
    }
    for (int64_t k = 0; k < t.rows; k++) {
        t.row_left[k] = out[k] * d.column_degree[k];
        for (int64_t l = 0; l < t.columns; l++) {
            t.column_left[l] = in[l] * d.row_degree[l];
            t.cap[k][l] = out[k] * in[l] - entry_at(&d, d.row_degree[l], d.column_degree[k]);
            t.target[k][l] = ratio * (double)entry_at(&j, d.column_degree[k], d.row_degree[l]);
            t.plan[k][l] = entry_at(&m, d.column_degree[k], d.row_degree[l]);
        }
    }
    try_cell(&t, 0, 0);
    return t.best;
}

static ga_matrices *rescaled(ga_context *context, const ga_matrices *m, ga_rescale_options o,
                             ga_objective objective, ga_rescale_report *report)
{
    ga_matrices *result = NULL;
    o.objective = objective;
    ck_assert_msg(ga_rescale(context, m, &o, &result, report) == GA_OK, "%s", ga_context_error(context));
    return result;
}

START_TEST(no_jdm_is_better)
{
    ga_context *context = plain_context(1);
    ga__random r = ga__random_at(9, GA__RANDOM_TEST, 0);
    int tried = 0;
    for (int turn = 0; turn < 400; turn++) {
        ga_graph *graph = random_graph(context, &r, 4 + (uint32_t)ga__random_below(&r, 7),
                                       1 + ga__random_below(&r, 6), GA_LOOPS_DROP);
        ga_matrices *m = matrices_of(context, graph, NULL);
        ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
        ga_rescale_report report[3] = { 0 };
        o.ratio = 0.35 + 0.1 * (double)ga__random_below(&r, 5);
        o.lambda = turn % 2 ? 0.2 : 1.5;
        ga_matrices *plan = rescaled(context, m, o, GA_OBJECTIVE_QUANTILE, &report[0]);
        ga_matrices *blend = rescaled(context, m, o, GA_OBJECTIVE_BLEND, &report[1]);
        ga_matrices *l1 = rescaled(context, m, o, GA_OBJECTIVE_L1, &report[2]);
        double best = greatest(m, plan, plan, o.ratio, o.lambda), most = greatest(m, plan, plan, o.ratio, 0);
        ck_assert(plain_l1(ga_matrices_dcm(plan), ga_matrices_dcm(blend), 1) == 0);
        if (best >= 0) {
            double wanted = o.ratio * (double)ga_matrices_jdm(m).total + (double)report[2].edges;
            ck_assert_msg(fabs(report[1].objective_value - best) < 1e-4, "%g, best %g",
                          report[1].objective_value, best);
            ck_assert(fabs(report[2].objective_value - most) < 1e-4);
            ck_assert(fabs(report[2].jdm_l1 - (wanted - most)) < 1e-4);
            tried++;
        }
        for (int i = 0; i < 3; i++) {
            ga_rescale_report_clear(context, &report[i]);
        }
        ga_matrices_destroy(context, plan);
        ga_matrices_destroy(context, blend);
        ga_matrices_destroy(context, l1);
        ga_matrices_destroy(context, m);
        ga_graph_destroy(context, graph);
    }
    ck_assert_int_gt(tried, 100);
    done_with(context);
}
END_TEST

/* ---- whole ratios, extremes ---- */

START_TEST(whole_ratios_are_exact)
{
    ga_context *context = plain_context(2);
    ga__random r = ga__random_at(10, GA__RANDOM_TEST, 0);
    ga_graph *graph = random_graph(context, &r, 14, 4, GA_LOOPS_DROP);
    int64_t labels[14] = { 0, 1, 2, -1, 0, 1, 2, -1, 0, 1, 2, -1, 0, 0 };
    for (int labelled = 0; labelled < 2; labelled++) {
        ga_matrices *m = matrices_of(context, graph, labelled ? labels : NULL), *result = NULL;
        for (int64_t times = 1; times <= 4; times++) {
            ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
            ga_rescale_report report = { 0 };
            o.ratio = times == 4 ? 0 : (double)times;
            o.nodes = times == 4 ? 56 : 0;
            ck_assert_int_eq(ga_rescale(context, m, &o, &result, &report), GA_OK);
            ga_matrix_view a = ga_matrices_jdm(m), b = ga_matrices_jdm(result);
            ck_assert_int_eq(a.cells, b.cells);
            for (int64_t i = 0; i < a.cells; i++) {
                ck_assert(b.count[i] == times * a.count[i] && b.row[i] == a.row[i] &&
                          b.column[i] == a.column[i]);
            }
            ck_assert(report.jdm_l1 == 0 && report.dcm_l1 == 0 && report.ks_in == 0 && report.touched == 0);
            ck_assert_int_eq(ga_matrices_check(context, result, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, NULL, NULL),
                             GA_OK);
            ga_matrices_destroy(context, result);
            ga_rescale_report_clear(context, &report);
        }
        ga_matrices_destroy(context, m);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(extreme_graphs)
{
    ga_context *context = plain_context(2);
    const uint32_t shape[][2] = {
        { 0, 0 }, { 200, 0 }, { 0, 12 }, { 100, 15 }, { 1, 1 }, { 0, 2 }, { 3, 20 }
    };
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
        ga_graph *graph = star_and_core(context, shape[s][0], shape[s][1]);
        ga_matrices *m = matrices_of(context, graph, NULL);
        for (int i = 0; i < 24; i++) {
            ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
            o.ratio = 0.005 * pow(1.35, i);
            o.balance = i % 2 ? GA_BALANCE_RAISE : GA_BALANCE_LOWER;
            rescale_and_check(context, m, &o, o.ratio);
        }
        ga_matrices_destroy(context, m);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* Both ways start from the same nodes: the sides' sums are delta apart, one way takes the lesser, one the
 * greater. */
START_TEST(balance_lowers_or_raises)
{
    ga_context *context = plain_context(1);
    ga_matrices *m = rmat_matrices(context);
    int unequal = 0;
    for (int i = 0; i < 12; i++) {
        ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
        ga_rescale_report report[2] = { 0 };
        o.ratio = 0.3 + 0.03 * i;
        o.rounding = GA_ROUNDING_SYSTEMATIC;
        for (int raise = 0; raise < 2; raise++) {
            o.balance = raise ? GA_BALANCE_RAISE : GA_BALANCE_LOWER;
            ga_matrices_destroy(context, rescaled(context, m, o, GA_OBJECTIVE_QUANTILE, &report[raise]));
        }
        ck_assert_int_eq(report[0].delta, report[1].delta);
        int64_t apart = report[1].edges + report[1].dropped - report[0].edges - report[0].dropped;
        ck_assert_int_eq(apart, report[0].delta < 0 ? -report[0].delta : report[0].delta);
        ck_assert(report[0].delta == 0 || (report[0].balanced_nodes > 0 && report[1].balanced_nodes > 0));
        unequal += report[0].delta != 0;
        ga_rescale_report_clear(context, &report[0]);
        ga_rescale_report_clear(context, &report[1]);
    }
    ck_assert_int_gt(unequal, 0);
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

START_TEST(isolated_nodes_only)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = NULL;
    ck_assert_int_eq(
        ga_graph_from_edges(context, 90, 0, NULL, NULL, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &graph),
        GA_OK);
    ga_matrices *m = matrices_of(context, graph, NULL), *result = NULL;
    ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
    ga_rescale_report report = { 0 };
    o.ratio = 0.25;
    ck_assert_int_eq(ga_rescale(context, m, &o, &result, &report), GA_OK);
    ck_assert_int_eq(report.nodes, 23);
    ck_assert_int_eq(report.edges, 0);
    ck_assert(report.jdd_tv == 0 && report.ks_in == 0);
    ga_matrices_destroy(context, result);
    ga_rescale_report_clear(context, &report);
    ga_matrices_destroy(context, m);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- donors ---- */

/* Nodes of every cell, by looking each of them up. */
static void group_nodes(ga_context *context, const ga_graph *graph, const ga_matrices *m, int64_t *first,
                        uint32_t *node)
{
    uint32_t out[64], in[64];
    int64_t at = 0, nodes = ga_graph_nodes(graph);
    ck_assert_int_eq(ga_graph_degrees(context, graph, out, in), GA_OK);
    for (int64_t c = 0; c < m->dcm.count; c++) {
        first[c] = at;
        for (int64_t v = 0; v < nodes; v++) {
            if (in[v] == m->in.degree[m->dcm.row[c]] && out[v] == m->out.degree[m->dcm.column[c]]) {
                node[at++] = (uint32_t)v;
            }
        }
    }
    first[m->dcm.count] = at;
    ck_assert_int_eq(at, nodes);
}

static void check_plan(const ga_graph *graph, ga_context *context, const ga_matrices *m, const ga__plan *plan,
                       const ga_rescale_report *report, bool injective)
{
    uint32_t out[64], in[64];
    int64_t touched = 0;
    ck_assert_int_eq(ga_graph_degrees(context, graph, out, in), GA_OK);
    ck_assert_int_eq(plan->nodes, plan->matrices->dcm.total);
    for (int64_t i = 0; i < plan->nodes; i++) {
        int64_t v = plan->donor[i], c = plan->donor_cell[i];
        ck_assert(i == 0 || plan->donor[i - 1] < v || (!injective && plan->donor[i - 1] == v));
        ck_assert(in[v] == m->in.degree[m->dcm.row[c]] && out[v] == m->out.degree[m->dcm.column[c]]);
        touched += plan->matrices->out.degree[plan->out_class[i]] != out[v] ||
                   plan->matrices->in.degree[plan->in_class[i]] != in[v];
    }
    ck_assert_int_eq(touched, report->touched);
    for (int64_t c = 0; c < plan->matrices->dcm.count; c++) {
        int64_t found = 0;
        for (int64_t i = 0; i < plan->nodes; i++) {
            found += plan->in_class[i] == plan->matrices->dcm.row[c] &&
                     plan->out_class[i] == plan->matrices->dcm.column[c];
        }
        ck_assert_int_eq(found, plan->matrices->dcm.entry[c]);
    }
}

START_TEST(donors_have_the_degrees)
{
    ga_context *context = plain_context(2);
    ga__random r = ga__random_at(11, GA__RANDOM_TEST, 0);
    for (int turn = 0; turn < 60; turn++) {
        ga_graph *graph = random_graph(context, &r, 15, 1 + ga__random_below(&r, 8), GA_LOOPS_DROP);
        ga_matrices *m = matrices_of(context, graph, NULL);
        int64_t first[64];
        uint32_t node[64];
        group_nodes(context, graph, m, first, node);
        ga__cell_nodes nodes = { first, node };
        for (size_t i = 1; i < sizeof ratios / sizeof *ratios; i++) {
            ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
            ga__plan plan = { 0 };
            ga_rescale_report report = { 0 };
            o.ratio = ratios[i];
            ga_context_set_seed(context, (uint64_t)turn);
            ck_assert_msg(ga__plan_make(context, m, &nodes, &o, &plan, &report) == GA_OK, "%s",
                          ga_context_error(context));
            check_plan(graph, context, m, &plan, &report, o.ratio <= 1);
            ga__plan_clear(context, &plan);
            ga_rescale_report_clear(context, &report);
        }
        ga_matrices_destroy(context, m);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

START_TEST(donors_are_drawn_uniformly)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = star_and_core(context, 20, 0);
    ga_matrices *m = matrices_of(context, graph, NULL);
    int64_t first[64], drawn[21] = { 0 }, total = 0;
    uint32_t node[64];
    group_nodes(context, graph, m, first, node);
    ga__cell_nodes nodes = { first, node };
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
        ga__plan plan = { 0 };
        o.ratio = 0.3;
        ga_context_set_seed(context, seed);
        ck_assert_int_eq(ga__plan_make(context, m, &nodes, &o, &plan, NULL), GA_OK);
        for (int64_t i = 0; i < plan.nodes; i++) {
            drawn[plan.donor[i]]++;
            total += plan.donor[i] > 0;
        }
        ga__plan_clear(context, &plan);
    }
    for (int v = 1; v <= 20; v++) { /* 4.5 standard deviations */
        double mean = (double)total / 20;
        ck_assert_msg(fabs((double)drawn[v] - mean) < 4.5 * sqrt(mean), "%lld of %g", (long long)drawn[v],
                      mean);
    }
    ga_matrices_destroy(context, m);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- refusals ---- */

static void refuse(ga_context *context, const ga_matrices *m, ga_rescale_options o, ga_status wanted,
                   const char *words)
{
    ga_matrices *result = (ga_matrices *)&o;
    ga_rescale_report report = { .nodes = 77 };
    ga_status status = ga_rescale(context, m, &o, &result, &report);
    ck_assert_msg(status == wanted && strstr(ga_context_error(context), words), "%d: %s", (int)status,
                  ga_context_error(context));
    ck_assert(result == (ga_matrices *)&o && report.nodes == 77);
}

START_TEST(wrong_options)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = star_and_core(context, 10, 4);
    ga_matrices *m = matrices_of(context, graph, NULL), *target = NULL, *broken = NULL;
    const double bad[] = { 0, -1, NAN, INFINITY, -INFINITY, 1e-9 };
    ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.ratio = bad[i];
        refuse(context, m, o, GA_INVALID, "--ratio");
    }
    o.ratio = 0.5;
    o.nodes = -3;
    refuse(context, m, o, GA_INVALID, "--nodes");
    o.nodes = 0;
    o.lambda = -1;
    refuse(context, m, o, GA_INVALID, "--lambda");
    o.lambda = 0.2;
    o.degree_cap = 0;
    refuse(context, m, o, GA_INVALID, "--degree-cap");
    o.degree_cap = 1;
    make_folder();
    const char *dcm = text_file("dcm", "2\t1\t3\n0\t2\t1\n");
    ck_assert_int_eq(ga_matrices_read(context, NULL, dcm, &target), GA_OK);
    o.target_dcm = target;
    refuse(context, m, o, GA_INFEASIBLE, "the in-degrees sum to 6, the out-degrees to 5");
    o.target_dcm = NULL;
    ck_assert_int_eq(ga_matrices_read(context, text_file("jdm", "1\t1\t5\n"), dcm, &broken), GA_OK);
    refuse(context, broken, o, GA_INFEASIBLE, "C1 row 1");
    remove_folder();
    ga_matrices_destroy(context, broken);
    ga_matrices_destroy(context, target);
    ga_matrices_destroy(context, m);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- losses, limits, threads ---- */

static const char *const hubs_dcm = "0\t0\t6\n0\t1\t1\n1\t0\t1\n5\t5\t2\n";
static const char *const original_jdm = "1\t1\t4\n1\t6\t16\n6\t1\t16\n6\t6\t8\n", *const original_dcm =
                                                                                      "1\t1\t20\n6\t6\t4\n";

START_TEST(memory_fails_anywhere)
{
    make_folder();
    const char *jdm = text_file("jdm", original_jdm), *dcm = text_file("dcm", original_dcm);
    const char *target_dcm = text_file("target", hubs_dcm);
    for (int with_target = 0; with_target < 2; with_target++) {
        bool through = false;
        for (int64_t k = 0; !through; k++) {
            meter t = { .fail_at = -1 };
            ga_context *context = metered_context(&t);
            ga_matrices *m = NULL, *target = NULL, *result = NULL;
            ga_rescale_report report = { 0 };
            ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
            ck_assert_int_eq(ga_matrices_read(context, jdm, dcm, &m), GA_OK);
            ck_assert_int_eq(ga_matrices_read(context, NULL, target_dcm, &target), GA_OK);
            o.ratio = with_target ? 0.5 : 0.35;
            o.target_dcm = with_target ? target : NULL;
            int64_t before = t.blocks;
            t.fail_at = t.calls + k;
            t.once = k % 2 == 0;
            ga_status status = ga_rescale(context, m, &o, &result, &report);
            through = status == GA_OK;
            ck_assert(through || (status == GA_NOMEM && !result && report.nodes == 0 && t.blocks == before));
            ck_assert(!through || k > 20);
            ck_assert(!through || !with_target || report.dropped == 7);
            t.fail_at = -1;
            ga_matrices_destroy(context, m);
            ga_matrices_destroy(context, target);
            ga_matrices_destroy(context, result);
            ga_rescale_report_clear(context, &report);
            ga_context_destroy(context);
            ck_assert_int_eq(t.blocks, 0);
        }
    }
    remove_folder();
}
END_TEST

START_TEST(same_for_any_threads)
{
    const int threads[] = { 1, 2, 5, 1 };
    int64_t sum[4] = { 0 };
    for (int i = 0; i < 4; i++) {
        ga_context *context = plain_context(threads[i]);
        ga_matrices *m = rmat_matrices(context), *result = NULL;
        ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
        ga_rescale_report report = { 0 };
        o.ratio = 0.3;
        ck_assert_int_eq(ga_rescale(context, m, &o, &result, &report), GA_OK);
        ga_matrix_view j = ga_matrices_jdm(result);
        for (int64_t c = 0; c < j.cells; c++) {
            sum[i] = sum[i] * 31 + j.row_degree[j.row[c]] * 7 + j.column_degree[j.column[c]] * 3 + j.count[c];
            sum[i] &= INT64_C(0xffffffffffff);
        }
        ck_assert_int_eq(sum[i], sum[0]);
        ga_matrices_destroy(context, result);
        ga_rescale_report_clear(context, &report);
        ga_matrices_destroy(context, m);
        done_with(context);
    }
}
END_TEST

START_TEST(out_of_time_is_still_realisable)
{
    ga_context *context = plain_context(1);
    ga_matrices *m = rmat_matrices(context);
    for (int i = 0; i < 2; i++) {
        ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
        o.ratio = 0.4;
        o.time_limit = 1e-9;
        o.objective = i ? GA_OBJECTIVE_L1 : GA_OBJECTIVE_BLEND;
        rescale_and_check(context, m, &o, o.ratio);
        ga_rescale_report report = { 0 };
        ga_matrices *result = NULL;
        ck_assert_int_eq(ga_rescale(context, m, &o, &result, &report), GA_OK);
        ck_assert(report.time_limit_hit);
        ga_matrices_destroy(context, result);
        ga_rescale_report_clear(context, &report);
    }
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

static int stop_now(void *user)
{
    (void)user;
    return 1;
}

START_TEST(cancelled)
{
    ga_context *context = plain_context(1);
    ga_matrices *m = rmat_matrices(context), *result = NULL;
    ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
    o.ratio = 0.3;
    ga_context_set_cancel(context, stop_now, NULL);
    ck_assert_int_eq(ga_rescale(context, m, &o, &result, NULL), GA_CANCELLED);
    ck_assert_ptr_null(result);
    ga_context_set_cancel(context, NULL, NULL);
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

START_TEST(report_files)
{
    ga_context *context = plain_context(1);
    ga_dropped lost[] = { { 5, 6, 3 }, { 1, 2, 4 } };
    ga_rescale_report report = { .nodes = 3,
                                 .delta = -12,
                                 .jdm_l1 = 0.1,
                                 .ks_bound = NAN,
                                 .dropped = 7,
                                 .dropped_edges = lost,
                                 .dropped_classes = 2,
                                 .seed = UINT64_MAX };
    size_t size;
    make_folder();
    for (int json = 0; json < 2; json++) {
        const char *path = in_folder("report");
        ck_assert_int_eq(ga_rescale_report_write(context, &report, json, path), GA_OK);
        char *text = slurp(path, &size);
        const char *tsv[] = { "#name\tvalue\nnodes\t3\n",
                              "\ndelta\t-12\n",
                              "\njdm_l1\t0.1\n",
                              "\nks_bound\tnan\n",
                              "\nseed\t18446744073709551615\n",
                              "\ndropped_edges\t5\t6\t3\ndropped_edges\t1\t2\t4\n" };
        const char *object[] = { "{\n \"nodes\": 3,\n",
                                 " \"delta\": -12,",
                                 " \"jdm_l1\": 0.1,",
                                 " \"ks_bound\": null,",
                                 " \"seed\": 18446744073709551615,",
                                 " \"dropped_edges\": [[5, 6, 3], [1, 2, 4]]\n}\n" };
        for (int i = 0; i < 6; i++) {
            ck_assert_msg(strstr(text, json ? object[i] : tsv[i]), "%s in\n%s", json ? object[i] : tsv[i],
                          text);
        }
        free(text);
    }
    remove_folder();
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rescale");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, random_graphs_all_options);
    tcase_add_test(all, loops_kept);
    tcase_add_test(all, no_jdm_is_better);
    tcase_add_test(all, whole_ratios_are_exact);
    tcase_add_test(all, extreme_graphs);
    tcase_add_test(all, balance_lowers_or_raises);
    tcase_add_test(all, isolated_nodes_only);
    tcase_add_test(all, donors_have_the_degrees);
    tcase_add_test(all, donors_are_drawn_uniformly);
    tcase_add_test(all, wrong_options);
    tcase_add_test(all, memory_fails_anywhere);
    tcase_add_test(all, same_for_any_threads);
    tcase_add_test(all, out_of_time_is_still_realisable);
    tcase_add_test(all, cancelled);
    tcase_add_test(all, report_files);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
