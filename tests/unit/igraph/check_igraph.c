/* check_igraph.c - graphs to igraph and back: nothing is lost, nothing of igraph's is changed. */
#include "config.h"

#include <math.h>
#include <pthread.h>

#include "tests/unit/igraph/check_igraph.h"

static igraph_attribute_table_t *table_before;

static void with_attributes(void)
{
    table_before = igraph_set_attribute_table(&igraph_cattribute_table);
}

static void without_attributes(void)
{
    table_before = igraph_set_attribute_table(NULL);
}

static void attributes_back(void)
{
    igraph_set_attribute_table(table_before);
}

/* ---- there and back ---- */

START_TEST(everything_there_and_back)
{
    ga_context *context = test_threads_context(1);
    for (int i = 0; i < 4; i++) {
        ga_graph *graph = make_everything(context, i & 1, i & 2), *back = NULL;
        igraph_t made;
        test_ok(context, ga_graph_to_igraph(context, graph, &made));
        ck_assert(igraph_is_directed(&made));
        ck_assert_int_eq(igraph_vcount(&made), EVERYTHING_NODES);
        ck_assert_int_eq(igraph_ecount(&made), EVERYTHING_EDGES);
        for (int e = 0; e < EVERYTHING_EDGES; e++) {
            ck_assert_int_eq(IGRAPH_FROM(&made, e), everything_sources[e]);
            ck_assert_int_eq(IGRAPH_TO(&made, e), everything_targets[e]);
            if (i & 2) {
                ck_assert(EAN(&made, "weight", e) == (double)everything_weights[e]);
            }
        }
        ck_assert_int_eq(igraph_cattribute_has_attr(&made, IGRAPH_ATTRIBUTE_VERTEX, "name"), i & 1);
        ck_assert_int_eq(igraph_cattribute_has_attr(&made, IGRAPH_ATTRIBUTE_EDGE, "weight"), (i & 2) != 0);
        if (i & 1) {
            ck_assert_str_eq(VAS(&made, "name", 4), "18446744073709551615");
        }
        test_ok(context, ga_graph_from_igraph(context, &made, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &back));
        expect_same(graph, back);
        ga_graph_destroy(context, back);
        igraph_destroy(&made);
        ga_graph_destroy(context, graph);
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(without_a_table_of_attributes)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = make_everything(context, true, true), *plain = make_everything(context, false, false);
    ga_graph *back = NULL;
    igraph_t made;
    test_ok(context, ga_graph_to_igraph(context, graph, &made));
    test_ok(context, ga_graph_from_igraph(context, &made, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &back));
    expect_same(plain, back);
    ga_graph_destroy(context, back);
    /* a graph that was made without the table which is set now */
    igraph_set_attribute_table(&igraph_cattribute_table);
    test_ok(context, ga_graph_from_igraph(context, &made, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &back));
    expect_same(plain, back);
    igraph_set_attribute_table(NULL);
    igraph_destroy(&made);
    ga_graph_destroy(context, back);
    ga_graph_destroy(context, plain);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

/* A table that is not igraph's: its attributes are not ours to look at. */
START_TEST(another_table_of_attributes)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = make_everything(context, true, true), *plain = make_everything(context, false, false);
    ga_graph *back = NULL;
    igraph_attribute_table_t theirs = igraph_cattribute_table;
    igraph_attribute_table_t *before = igraph_set_attribute_table(&theirs);
    igraph_t made;
    test_ok(context, ga_graph_to_igraph(context, graph, &made));
    ck_assert(!igraph_cattribute_has_attr(&made, IGRAPH_ATTRIBUTE_VERTEX, "name"));
    test_ok(context, ga_graph_from_igraph(context, &made, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &back));
    expect_same(plain, back);
    igraph_destroy(&made);
    ck_assert(igraph_set_attribute_table(before) == &theirs);
    ga_graph_destroy(context, back);
    ga_graph_destroy(context, plain);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

/* ---- graphs of igraph ---- */

START_TEST(undirected_graphs_go_both_ways)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = NULL;
    igraph_t from;
    igraph_small(&from, 4, IGRAPH_UNDIRECTED, 2, 1, 0, 0, 2, 0, -1);
    test_ok(context, ga_graph_from_igraph(context, &from, false, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph));
    static const int64_t offsets[] = { 0, 2, 3, 5, 5 };
    static const uint32_t targets[] = { 0, 2, 2, 0, 1 };
    ga_csr out = ga_graph_out(graph);
    ck_assert_int_eq(out.rows, 4);
    ck_assert_mem_eq(out.offsets, offsets, sizeof offsets);
    ck_assert_mem_eq(out.targets, targets, sizeof targets);
    ck_assert_ptr_null(ga_graph_ids(graph));
    ga_graph_destroy(context, graph);
    igraph_destroy(&from);
    test_context_done(context, NULL);
}
END_TEST

/* Names in any order are the ids, in ascending order; edges follow their nodes. */
START_TEST(names_are_ids)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = NULL;
    igraph_t from;
    static const char *const names[] = { "70", "007", "18446744073709551615" };
    static const uint64_t ids[] = { 7, 70, UINT64_MAX };
    igraph_small(&from, 3, IGRAPH_DIRECTED, 0, 1, 1, 2, 0, 1, -1);
    for (int v = 0; v < 3; v++) {
        SETVAS(&from, "name", v, names[v]);
    }
    test_ok(context, ga_graph_from_igraph(context, &from, false, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph));
    static const int64_t offsets[] = { 0, 1, 3, 3 };
    static const uint32_t targets[] = { 2, 0, 0 };
    ga_csr out = ga_graph_out(graph);
    ck_assert_mem_eq(ga_graph_ids(graph), ids, sizeof ids);
    ck_assert_mem_eq(out.offsets, offsets, sizeof offsets);
    ck_assert_mem_eq(out.targets, targets, sizeof targets);
    ga_graph_destroy(context, graph);
    igraph_destroy(&from);
    test_context_done(context, NULL);
}
END_TEST

/* Numbers as "id" serve where "name" is words; halves, negatives, repetitions and what doubles cannot tell apart do not. */
START_TEST(names_that_are_no_ids)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = NULL;
    igraph_t from;
    static const double wrong[] = { -1, 0.5, 0x1p53, (double)NAN, 4 };
    igraph_small(&from, 2, IGRAPH_DIRECTED, 0, 1, -1);
    SETVAS(&from, "name", 0, "x");
    SETVAS(&from, "name", 1, "");
    SETVAN(&from, "id", 0, 5);
    SETVAN(&from, "id", 1, 4);
    test_ok(context, ga_graph_from_igraph(context, &from, false, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph));
    ck_assert_ptr_nonnull(ga_graph_ids(graph));
    ck_assert_uint_eq(ga_graph_ids(graph)[0], 4);
    ck_assert_uint_eq(ga_graph_out(graph).targets[0], 0);
    ga_graph_destroy(context, graph);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        SETVAN(&from, "id", 0, wrong[i]);
        test_ok(context, ga_graph_from_igraph(context, &from, false, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph));
        ck_assert_ptr_null(ga_graph_ids(graph));
        ck_assert_uint_eq(ga_graph_out(graph).targets[0], 1);
        ga_graph_destroy(context, graph);
    }
    igraph_destroy(&from);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(policies_and_weights)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = NULL;
    igraph_t from;
    igraph_small(&from, 2, IGRAPH_DIRECTED, 0, 1, 0, 1, 1, 1, -1);
    SETEAN(&from, "weight", 0, 1.5);
    SETEAN(&from, "weight", 1, 2);
    SETEAN(&from, "weight", 2, (double)NAN);
    test_ok(context, ga_graph_from_igraph(context, &from, true, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &graph));
    ck_assert_int_eq(ga_graph_edges(graph), 1);
    ck_assert(ga_graph_out(graph).weights[0] == 3.5f);
    ga_graph_destroy(context, graph);
    test_status(context, ga_graph_from_igraph(context, &from, true, GA_LOOPS_ERROR, GA_MULTI_KEEP, &graph),
                GA_FORMAT);
    SETEAN(&from, "weight", 1, 1e300);
    test_status(context, ga_graph_from_igraph(context, &from, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph),
                GA_OVERFLOW);
    test_error_has(context, "the weight 1e+300 of edge 2 of 3");
    /* another failure of the same context has its own words */
    SETEAN(&from, "weight", 0, -2e200);
    test_status(context, ga_graph_from_igraph(context, &from, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph),
                GA_OVERFLOW);
    test_error_has(context, "the weight -2e+200 of edge 1 of 3");
    test_ok(context, ga_graph_from_igraph(context, &from, false, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph));
    ck_assert_ptr_null(ga_graph_out(graph).weights);
    ga_graph_destroy(context, graph);
    DELEA(&from, "weight");
    SETEAS(&from, "weight", 0, "much");
    test_status(context, ga_graph_from_igraph(context, &from, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph),
                GA_INVALID);
    test_error_has(context, "the edge attribute \"weight\" is not numeric");
    igraph_destroy(&from);
    test_context_done(context, NULL);
}
END_TEST

/* ---- what is igraph's ---- */

START_TEST(settings_are_put_back)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = make_everything(context, true, true), *back = NULL;
    igraph_t made;
    set_theirs();
    test_ok(context, ga_graph_to_igraph(context, graph, &made));
    test_ok(context, ga_graph_from_igraph(context, &made, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &back));
    SETEAN(&made, "weight", 0, 1e300);
    ga_graph *none = NULL;
    test_status(context, ga_graph_from_igraph(context, &made, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &none),
                GA_OVERFLOW);
    ck_assert_ptr_null(none);
    expect_theirs();
    ck_assert(igraph_set_attribute_table(&igraph_cattribute_table) == &igraph_cattribute_table);
    igraph_destroy(&made);
    ga_graph_destroy(context, back);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

/* Calls of igraph itself, igraph_destroy too, may not run beside ours. */
static void *read_often(void *of)
{
    const igraph_t *from = of;
    ga_context *context = test_threads_context(1);
    void *failed = NULL;
    for (int i = 0; i < 200 && !failed; i++) {
        ga_graph *back = NULL;
        if (ga_graph_from_igraph(context, from, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &back) != GA_OK ||
            memcmp(ga_graph_out(back).targets, everything_targets, sizeof everything_targets) != 0 ||
            memcmp(ga_graph_ids(back), everything_ids, sizeof everything_ids) != 0) {
            failed = of;
        }
        ga_graph_destroy(context, back);
    }
    ga_context_destroy(context);
    return failed;
}

START_TEST(several_threads)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = make_everything(context, true, true);
    igraph_t made;
    pthread_t threads[3];
    test_ok(context, ga_graph_to_igraph(context, graph, &made));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_often, &made), 0);
    }
    for (int i = 0; i < 3; i++) {
        void *failed = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    igraph_destroy(&made);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

/* ---- memory ---- */

static ga_status take(ga_context *context, void *from)
{
    ga_graph *graph = NULL;
    ga_status status = ga_graph_from_igraph(context, from, true, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph);
    ck_assert_int_eq(status == GA_OK, graph != NULL);
    ga_graph_destroy(context, graph);
    return status;
}

START_TEST(no_memory)
{
    ga_context *context = test_threads_context(1);
    ga_graph *graph = make_everything(context, true, true);
    igraph_t made;
    test_ok(context, ga_graph_to_igraph(context, graph, &made));
    ck_assert_int_ge(test_each_allocation(take, &made, 1), 8);
    igraph_destroy(&made);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("igraph");
    TCase *with = tcase_create("with attributes"), *without = tcase_create("without");
    tcase_add_checked_fixture(with, with_attributes, attributes_back);
    tcase_add_test(with, everything_there_and_back);
    tcase_add_test(with, undirected_graphs_go_both_ways);
    tcase_add_test(with, names_are_ids);
    tcase_add_test(with, names_that_are_no_ids);
    tcase_add_test(with, policies_and_weights);
    tcase_add_test(with, another_table_of_attributes);
    tcase_add_test(with, settings_are_put_back);
    tcase_add_test(with, several_threads);
    tcase_add_test(with, no_memory);
    tcase_add_checked_fixture(without, without_attributes, attributes_back);
    tcase_add_test(without, without_a_table_of_attributes);
    suite_add_tcase(suite, with);
    suite_add_tcase(suite, without);
    return test_run(suite);
}
