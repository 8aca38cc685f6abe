/* check_device_count.c - the matrices of degrees counted on the emulated device: those that the CPU counts. */
#include "config.h"

#include <graphattn/sampling.h>

#include "tests/unit/check_sampling.h"
#include "tests/unit/device/device_support.h"

/* ---- what is compared ---- */

static void same_view(const ga_matrix_view *a, const ga_matrix_view *b, const char *what)
{
    ck_assert_msg(a->rows == b->rows && a->columns == b->columns && a->cells == b->cells &&
                      a->total == b->total,
                  "%s: %lld x %lld, %lld cells of %lld, expected %lld x %lld, %lld cells of %lld", what,
                  (long long)b->rows, (long long)b->columns, (long long)b->cells, (long long)b->total,
                  (long long)a->rows, (long long)a->columns, (long long)a->cells, (long long)a->total);
    for (int64_t i = 0; i < a->rows; i++) {
        ck_assert_int_eq(a->row_degree[i], b->row_degree[i]);
        ck_assert(!a->row_label || a->row_label[i] == b->row_label[i]);
    }
    for (int64_t i = 0; i < a->columns; i++) {
        ck_assert_int_eq(a->column_degree[i], b->column_degree[i]);
        ck_assert(!a->column_label || a->column_label[i] == b->column_label[i]);
    }
    for (int64_t i = 0; i < a->cells; i++) {
        ck_assert_msg(a->row[i] == b->row[i] && a->column[i] == b->column[i] && a->count[i] == b->count[i],
                      "%s: cell %lld is %d %d %lld, expected %d %d %lld", what, (long long)i, b->row[i],
                      b->column[i], (long long)b->count[i], a->row[i], a->column[i], (long long)a->count[i]);
    }
}

/* Counted by context as by the CPU. */
static void check_counts(ga_context *context, const ga_graph *graph, const int64_t *labels, const char *what)
{
    ga_context *cpu = plain_context(1);
    ga_matrices *wanted = NULL, *found = NULL;
    test_ok(cpu, ga_matrices_count(cpu, graph, labels, &wanted));
    test_ok(context, ga_matrices_count(context, graph, labels, &found));
    ga_matrix_view jdm[] = { ga_matrices_jdm(wanted), ga_matrices_jdm(found) };
    ga_matrix_view dcm[] = { ga_matrices_dcm(wanted), ga_matrices_dcm(found) };
    same_view(&jdm[0], &jdm[1], what);
    same_view(&dcm[0], &dcm[1], what);
    ga_matrices_destroy(cpu, wanted);
    ga_matrices_destroy(context, found);
    ga_context_destroy(cpu);
}

/* Edges from one node and to one, beside those of a skewed graph; the last nodes have none. */
static ga_graph *hub_graph(ga_context *context, int64_t nodes, int64_t edges)
{
    uint32_t *s = calloc((size_t)edges + 1, sizeof *s), *t = calloc((size_t)edges + 1, sizeof *t);
    ck_assert(s && t);
    for (int64_t e = 0; e < edges; e++) {
        uint64_t used = (uint64_t)(nodes - nodes / 4);
        s[e] = lucky(3) == 0 ? 0 : (uint32_t)lucky(lucky(used) + 1);
        t[e] = lucky(3) == 0 ? (uint32_t)used - 1 : (uint32_t)lucky(lucky(used) + 1);
    }
    ga_graph *graph = graph_of(context, nodes, edges, s, t, GA_LOOPS_KEEP, GA_MULTI_KEEP);
    free(s);
    free(t);
    return graph;
}

/* ---- tests ---- */

START_TEST(agrees_with_the_cpu)
{
    static const int64_t sizes[][2] = { { 0, 0 },       { 1, 0 },    { 1, 3 },      { 2, 1 },
                                        { 40, 31 },     { 40, 33 },  { 300, 4095 }, { 300, 4096 },
                                        { 300, 4097 },  { 9, 8192 }, { 700, 8193 }, { 5000, 300 },
                                        { 3000, 20000 } };
    ga_context *context = test_emulated_context();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t nodes = sizes[i][0], edges = sizes[i][1];
        int64_t *labels = calloc((size_t)nodes + 1, sizeof *labels);
        char what[96];
        (void)snprintf(what, sizeof what, "%lld nodes, %lld edges", (long long)nodes, (long long)edges);
        ga_graph *graph = hub_graph(context, nodes, edges);
        for (int64_t v = 0; v < nodes; v++) {
            labels[v] = (int64_t)lucky(3) - 1;
        }
        check_counts(context, graph, NULL, what);
        check_counts(context, graph, labels, what);
        ga_graph_destroy(context, graph);
        free(labels);
    }
    ga_context_destroy(context);
}
END_TEST

/* A label for every node: more pairs of classes than one table holds. */
START_TEST(many_classes)
{
    enum { NODES = 9000, TOO_MANY = 70000 };
    ga_context *context = test_emulated_context();
    ga_matrices *matrices = NULL;
    int64_t *labels = calloc(TOO_MANY, sizeof *labels);
    for (int64_t v = 0; v < TOO_MANY; v++) {
        labels[v] = v;
    }
    ga_graph *graph = hub_graph(context, NODES, 30000);
    check_counts(context, graph, labels, "a label for every node");
    ga_graph_destroy(context, graph);
    graph = hub_graph(context, TOO_MANY, 1000);
    test_status(context, ga_matrices_count(context, graph, labels, &matrices), GA_UNSUPPORTED);
    test_error_has(context, "jdm: the emulated device cannot count edges between so many classes yet");
    ck_assert_ptr_null(matrices);
    ga_graph_destroy(context, graph);
    free(labels);
    ga_context_destroy(context);
}
END_TEST

static void in_schedule(ga_context *context, int number, void *user)
{
    check_counts(context, user, NULL, test_schedule_name(number));
}

START_TEST(schedules)
{
    ga_context *cpu = plain_context(1);
    ga_graph *graph = hub_graph(cpu, 500, 9000);
    test_each_schedule(in_schedule, graph);
    ga_graph_destroy(cpu, graph);
    ga_context_destroy(cpu);
}
END_TEST

/* Counters of 64 bits: those of graphs of more edges than a test has time for. */
START_TEST(wide_counters)
{
    ga_context *context = test_emulated_context();
    ga_graph *graph = hub_graph(context, 200, 5000);
    ga_csr out = ga_graph_out(graph);
    ga__device_edges edges = { 0 };
    int32_t source_class[200], target_class[200];
    uint64_t counts[3][5], wanted[3][5] = { { 0 } };
    memset(counts, 0xff, sizeof counts);
    for (int v = 0; v < 200; v++) {
        source_class[v] = v % 7;
        target_class[v] = v % 5;
    }
    for (int64_t v = 0; v < out.rows; v++) {
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            if (v % 7 >= 2 && v % 7 < 5) {
                wanted[v % 7 - 2][out.targets[e] % 5]++;
            }
        }
    }
    ga__pair_counts pairs = { source_class, target_class, 2, 3, 5, true, counts };
    test_ok(context, ga__device_edges_bring(context, out.rows, out.offsets, out.targets, &edges));
    test_ok(context, ga__count_pairs(context, &edges, &pairs));
    ck_assert_mem_eq(counts, wanted, sizeof counts);
    ga__device_edges_free(context, &edges);
    ck_assert_int_eq(edges.device, 0);
    ga_graph_destroy(context, graph);
    ga_context_destroy(context);
}
END_TEST

/* A graph that stays on the device is not copied again, and gives the same. */
START_TEST(resident_graphs)
{
    ga__emulator_settings counted = GA__EMULATOR_SETTINGS_INIT;
    ga_context *context = test_emulated_context();
    ga_graph *graph = hub_graph(context, 500, 9000);
    ga_matrices *matrices = NULL;
    int64_t calls[2];
    counted.fail_kinds = GA__CALL_COPY;
    for (int i = 0; i < 2; i++) {
        test_emulate(context, &counted);
        test_ok(context, ga_matrices_count(context, graph, NULL, &matrices));
        calls[i] = test_device_calls(context);
        ga_matrices_destroy(context, matrices);
        test_ok(context, ga_graph_to_device(context, graph));
        test_ok(context, ga_graph_to_device(context, graph));
        check_counts(context, graph, NULL, "resident");
    }
    ck_assert_int_lt(calls[1], calls[0]);
    test_ok(context, ga_context_set_device(context, GA_DEVICE_CPU, 0));
    check_counts(context, graph, NULL, "on the CPU, with a copy elsewhere");
    test_ok(context, ga_graph_to_device(context, graph));
    test_use_emulated(context);
    check_counts(context, graph, NULL, "dropped");
    ga_graph_destroy(context, graph);
    ga_context_destroy(context);
}
END_TEST

static ga_status count(ga_context *context, void *user)
{
    ga_matrices *matrices = NULL;
    ga_status status = ga_matrices_count(context, user, NULL, &matrices);
    ga_matrices_destroy(context, matrices);
    return status;
}

static ga_status count_resident(ga_context *context, void *user)
{
    (void)user;
    ga_graph *graph = NULL;
    static const uint32_t s[] = { 0, 1, 1, 2 }, t[] = { 1, 2, 0, 1 };
    ga_status status =
        ga_graph_from_edges(context, 3, 4, s, t, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &graph);
    status = status == GA_OK ? ga_graph_to_device(context, graph) : status;
    status = status == GA_OK ? count(context, graph) : status;
    ga_graph_destroy(context, graph);
    return status;
}

START_TEST(failures)
{
    ga_context *cpu = plain_context(1);
    ga_graph *graph = hub_graph(cpu, 50, 300);
    ck_assert_int_gt(test_each_device_call(count, graph), 12);
    ck_assert_int_gt(test_each_device_allocation(count, graph), 8);
    ck_assert_int_gt(test_each_device_call(count_resident, NULL), 12);
    ga_graph_destroy(cpu, graph);
    ga_context_destroy(cpu);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counts on a device");
    TCase *tests = tcase_create("counts");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, agrees_with_the_cpu);
    tcase_add_test(tests, many_classes);
    tcase_add_test(tests, schedules);
    tcase_add_test(tests, wide_counters);
    tcase_add_test(tests, resident_graphs);
    tcase_add_test(tests, failures);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
