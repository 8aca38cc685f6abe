/* check_rescale_plan.c - parts of the planner: flows over few cells, losses that fall on hubs, labels'
 * shares. */
#include "config.h"

#include "check_rescale.h"
#include "sampling/rescale/objective.h"
#include "tests/unit/support.h"

/* ---- flows over few cells ---- */

enum { ROWS = 7, COLUMNS = 9, ARCS = ROWS * COLUMNS, SEGMENTS = 3 * ARCS };

/* A transport problem with random rewards of three steps a cell, most of them poor, and some flow. */
typedef struct random_problem {
    ga__stage stage;
    ga__problem p;
    int32_t tail[ARCS], head[ARCS];
    int64_t first[ARCS + 1], width[SEGMENTS], slope[SEGMENTS], flow[ARCS];
} random_problem;

static void make_problem(random_problem *x, uint64_t seed)
{
    ga__random r = ga__random_at(seed, GA__RANDOM_TEST, 0);
    *x = (random_problem){ .stage = { .out.count = ROWS, .in.count = COLUMNS } };
    x->p =
        (ga__problem){ .stage = &x->stage, .scale = 1000, .arcs = ARCS, .cells = ARCS, .segments = SEGMENTS };
    x->p.tail = x->tail;
    x->p.head = x->head;
    x->p.first = x->first;
    x->p.width = x->width;
    x->p.slope = x->slope;
    x->p.flow = x->flow;
    for (int64_t a = 0; a < ARCS; a++) {
        int64_t slope = ga__random_below(&r, 4) ? (int64_t)ga__random_below(&r, 3000)
                                                : -(int64_t)ga__random_below(&r, 3000);
        int64_t width = 0;
        x->tail[a] = (int32_t)(a / COLUMNS);
        x->head[a] = (int32_t)(ROWS + a % COLUMNS);
        x->first[a + 1] = 3 * (a + 1);
        for (int64_t s = 3 * a; s < 3 * a + 3; s++) {
            x->width[s] = (int64_t)ga__random_below(&r, 4);
            x->slope[s] = slope;
            slope += (int64_t)ga__random_below(&r, 1000);
            width += x->width[s];
        }
        x->flow[a] = (int64_t)ga__random_below(&r, (uint64_t)width + 1);
    }
}

static int64_t cost_of(const random_problem *x, const int64_t *flow)
{
    int64_t cost = 0;
    for (int64_t a = 0; a < ARCS; a++) {
        int64_t rest = flow[a];
        for (int64_t s = x->first[a]; s < x->first[a + 1]; s++) {
            int64_t units = ga__min(rest, x->width[s]);
            cost += units * x->slope[s];
            rest -= units;
        }
        ck_assert_int_eq(rest, 0);
    }
    return cost;
}

START_TEST(few_cells_are_enough)
{
    ga_context *context = test_threads_context(1);
    for (uint64_t seed = 0; seed < 400; seed++) {
        random_problem x, y;
        ga__flow_report report;
        make_problem(&x, seed);
        make_problem(&y, seed);
        int64_t before = cost_of(&x, x.flow);
        ga__network network = { ROWS + COLUMNS + 1, ARCS, y.tail, y.head };
        ga__costs costs = { y.first, y.width, y.slope };
        ck_assert_int_eq(ga__min_cost_flow(context, &network, &costs, 0, y.flow, &report), GA_OK);
        ck_assert_int_eq(ga__solve_sifted(context, &x.p, 0, &report), GA_OK);
        ck_assert(!report.stopped);
        ck_assert_int_eq(cost_of(&y, x.flow), cost_of(&y, y.flow));
        ck_assert_int_le(cost_of(&y, x.flow), before);
        for (int64_t v = 0; v < ROWS + COLUMNS; v++) {
            int64_t sum = 0;
            for (int64_t a = 0; a < ARCS; a++) {
                sum += (x.tail[a] == v || x.head[a] == v) * (x.flow[a] - y.flow[a]);
            }
            ck_assert_int_eq(sum, 0);
        }
    }
    ga_context_destroy(context);
}
END_TEST

static ga_status sift_once(ga_context *context, void *user)
{
    random_problem x;
    ga__flow_report report;
    (void)user;
    make_problem(&x, 3);
    return ga__solve_sifted(context, &x.p, 0, &report);
}

START_TEST(few_cells_without_memory)
{
    ck_assert_int_gt(test_each_allocation(sift_once, NULL, 1), 8);
}
END_TEST

/* ---- losses ---- */

/* Edge ends that no digraph can connect, loops allowed: Gale and Ryser. */
static int64_t least_loss(ga_matrix_view dcm)
{
    int64_t out[64] = { 0 }, in[64] = { 0 }, nodes = 0, edges = 0, worst = 0;
    for (int64_t c = 0; c < dcm.cells; c++) {
        for (int64_t i = 0; i < dcm.count[c]; i++) {
            in[nodes] = dcm.row_degree[dcm.row[c]];
            out[nodes] = dcm.column_degree[dcm.column[c]];
            edges += out[nodes++];
        }
    }
    for (int64_t x = 0; x <= 64;
         x++) { /* edges within x of the one side and y of the other are at most x y */
        for (int64_t y = 0; y <= 64; y++) {
            int64_t a = 0, b = 0;
            for (int64_t i = 0; i < nodes; i++) {
                int64_t larger_out = 0, larger_in = 0;
                for (int64_t j = 0; j < nodes; j++) {
                    larger_out += out[j] > out[i] || (out[j] == out[i] && j < i);
                    larger_in += in[j] > in[i] || (in[j] == in[i] && j < i);
                }
                a += larger_out < x ? out[i] : 0;
                b += larger_in < y ? in[i] : 0;
            }
            worst = ga__max(worst, a + b - x * y - edges);
        }
    }
    return worst;
}

/* Three hubs on each side have 51 ends, of which 9 fit among them and 20 with the other nodes. 22 are lost;
 * the largest hub can do without 15, the next one gives the rest. */
START_TEST(hubs_lose_alone)
{
    ga_context *context = test_threads_context(1);
    ga_matrices *original = NULL, *target = NULL, *result = NULL;
    ga_rescale_report report = { 0 };
    ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
    make_folder();
    ck_assert_int_eq(
        ga_matrices_read(context, text_file("jdm", "1\t1\t40\n"), text_file("dcm", "1\t1\t40\n"), &original),
        GA_OK);
    ck_assert_int_eq(ga_matrices_read(context, NULL,
                                      text_file("target", "0\t0\t6\n0\t16\t1\n0\t17\t1\n0\t18\t1\n"
                                                          "16\t0\t1\n17\t0\t1\n18\t0\t1\n1\t1\t20\n"),
                                      &target),
                     GA_OK);
    o.ratio = 0.8;
    o.target_dcm = target;
    ck_assert_int_eq(ga_rescale(context, original, &o, &result, &report), GA_OK);
    ck_assert_int_eq(report.dropped, 22);
    ck_assert_int_eq(report.dropped, least_loss(ga_matrices_dcm(target)));
    ck_assert_int_eq(report.touched, 4);
    ga_matrix_view dcm = ga_matrices_dcm(result);
    ck_assert_int_eq(entry_at(&dcm, 0, 16), 1); /* the smaller hubs keep what they have */
    ck_assert_int_eq(entry_at(&dcm, 16, 0), 1);
    ga_rescale_report_clear(context, &report);
    ga_matrices_destroy(context, original);
    ga_matrices_destroy(context, target);
    ga_matrices_destroy(context, result);
    ga_context_destroy(context);
    remove_folder();
}
END_TEST

/* Hubs that a small sample has no room for: steering takes a rounding that loses fewer edges. */
START_TEST(steering_loses_less)
{
    ga_context *context = test_threads_context(1);
    int64_t lost[2] = { 0 }, kept[2] = { 0 };
    for (uint64_t seed = 1; seed <= 5; seed++) {
        ga_generate_options g = GA_GENERATE_OPTIONS_INIT;
        ga_graph *graph = NULL;
        ga_matrices *m = NULL;
        g.nodes = 1024;
        g.edges = 30000;
        ga_context_set_seed(context, seed);
        ck_assert_int_eq(ga_graph_generate(context, &g, &graph), GA_OK);
        ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_OK);
        for (int steer = 0; steer < 2; steer++) {
            ga_matrices *result = NULL;
            ga_rescale_report report = { 0 };
            ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
            o.ratio = 0.05;
            o.steer = steer;
            ck_assert_int_eq(ga_rescale(context, m, &o, &result, &report), GA_OK);
            lost[steer] += report.dropped;
            kept[steer] += report.edges;
            ck_assert_double_le(report.ks_in, report.ks_bound);
            ck_assert_double_le(report.ks_out, report.ks_bound);
            ga_matrices_destroy(context, result);
            ga_rescale_report_clear(context, &report);
        }
        ga_matrices_destroy(context, m);
        ga_graph_destroy(context, graph);
    }
    ck_assert_int_gt(lost[0], 0);
    ck_assert_int_lt(lost[1], lost[0]);
    ck_assert_int_ge(kept[1], kept[0]);
    ga_context_destroy(context);
}
END_TEST

/* ---- labels ---- */

START_TEST(labels_keep_their_shares)
{
    ga_context *context = test_threads_context(1);
    ga_generate_options g = GA_GENERATE_OPTIONS_INIT;
    ga_graph *graph = NULL;
    ga_matrices *m = NULL;
    int64_t labels[1024], size[5] = { 0 };
    g.nodes = 1024;
    g.edges = 6000;
    ck_assert_int_eq(ga_graph_generate(context, &g, &graph), GA_OK);
    for (int64_t v = 0; v < 1024; v++) {
        ga__random r = ga__random_at(4, GA__RANDOM_TEST, (uint64_t)v);
        labels[v] = (int64_t)ga__random_below(&r, 5);
        size[labels[v]]++;
    }
    ck_assert_int_eq(ga_matrices_count(context, graph, labels, &m), GA_OK);
    for (int i = 0; i < 8; i++) {
        ga_matrices *result = NULL;
        ga_rescale_report report = { 0 };
        ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
        int64_t now[5] = { 0 };
        o.ratio = 0.07 + 0.11 * i;
        o.rounding = i & 1 ? GA_ROUNDING_SYSTEMATIC : GA_ROUNDING_LAMINAR;
        ck_assert_int_eq(ga_rescale(context, m, &o, &result, &report), GA_OK);
        ga_matrix_view dcm = ga_matrices_dcm(result);
        for (int64_t c = 0; c < dcm.cells; c++) {
            now[dcm.row_label[dcm.row[c]]] += dcm.count[c];
        }
        for (int y = 0; y < 5; y++) {
            double share = i & 1 ? (double)report.nodes / 1024 * (double)size[y] : o.ratio * (double)size[y];
            ck_assert_double_lt(fabs((double)now[y] - share), 1);
        }
        ck_assert_double_le(report.ks_in, report.ks_bound);
        ck_assert_double_eq_tol(report.ks_bound * (double)report.nodes, 6 + (double)report.touched, 1e-9);
        ga_matrices_destroy(context, result);
        ga_rescale_report_clear(context, &report);
    }
    ga_matrices_destroy(context, m);
    ga_graph_destroy(context, graph);
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rescale_plan");
    TCase *tests = tcase_create("rescale_plan");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, few_cells_are_enough);
    tcase_add_test(tests, few_cells_without_memory);
    tcase_add_test(tests, hubs_lose_alone);
    tcase_add_test(tests, steering_loses_less);
    tcase_add_test(tests, labels_keep_their_shares);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
