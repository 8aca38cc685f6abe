/* check_compare.c - distances of graphs by hand and by definition, refused calls, failing allocations. */
#include "config.h"

#include <graphattn/compare.h>
#include <math.h>

#include "tests/unit/check_sampling.h"
#include "tests/unit/support.h"

static double distance_of(const ga_comparison *c, const char *name)
{
    const ga_distance *found = ga_comparison_find(c, name);
    ck_assert_msg(found != NULL, "no distance %s", name);
    return found->value;
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

static ga_comparison *compared(ga_context *context, ga_graph *a, ga_graph *b, const char *metrics)
{
    ga_comparison *c = NULL;
    ga_compare_options o = GA_COMPARE_OPTIONS_INIT;
    o.statistics.metrics = metrics;
    test_ok(context, ga_compare(context, a, b, &o, &c));
    return c;
}

/* In-degrees 0 1 1 and 0 0 2, sizes of components 3 and 3, distances 0 1 2 and 0 1. */
START_TEST(by_hand)
{
    static const uint32_t s[] = { 0, 1 }, path[] = { 1, 2 }, fork[] = { 2, 2 };
    ga_context *context = plain_context(1);
    ga_graph *a = graph_of(context, 3, 2, s, path, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_graph *b = graph_of(context, 3, 2, s, fork, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_comparison *c = compared(context, a, b, "all");
    ck_assert(near(distance_of(c, "ks_in"), 1.0 / 3) && distance_of(c, "ks_out") == 0 &&
              distance_of(c, "ks_total") == 0);
    ck_assert(distance_of(c, "jdd_tv") == 1 && distance_of(c, "jdd_l1") == 2 &&
              distance_of(c, "jdm_l1_counts") == 4);
    /* nodes by (in, out): (0,1) (1,1) (1,0) and (0,1) (0,1) (2,0) */
    ck_assert(near(distance_of(c, "dcd_tv"), 2.0 / 3) && distance_of(c, "dcm_l1_counts") == 4);
    /* pairs within h: 3 5 6 of 6, and 3 5 of 5 */
    ck_assert(near(distance_of(c, "ks_hop_plot"), 1 - 5.0 / 6));
    ck_assert(distance_of(c, "ks_wcc_size") == 0 && distance_of(c, "ks_scc_size") == 0);
    ck_assert(distance_of(c, "triad_tv") == 1); /* 021C and 021U */
    ck_assert(ga_comparison_ratio(c) == 1);
    ck_assert(ga_statistics_find(ga_comparison_statistics(c, 1), "max_in")->value == 2);
    ck_assert(ga_comparison_find(c, "ks") == NULL);
    ga_comparison_destroy(context, c);
    ga_compare_options o = GA_COMPARE_OPTIONS_INIT;
    o.ratio = 3;
    o.statistics.metrics = "size";
    test_ok(context, ga_compare(context, a, b, &o, &c));
    ck_assert(distance_of(c, "jdm_l1_counts") == 3 * 2 + 2 && ga_comparison_ratio(c) == 3);
    ck_assert(ga_comparison_find(c, "ks_hop_plot") == NULL);
    ga_comparison_destroy(context, c);
    ga_graph_destroy(context, a);
    ga_graph_destroy(context, b);
    done_with(context);
}
END_TEST

START_TEST(equal_and_empty)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = skewed_graph(context, 500, 3000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_graph *empty = skewed_graph(context, 0, 0, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_graph *lone = skewed_graph(context, 4, 0, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_comparison *c = compared(context, graph, graph, "all");
    ck_assert_int_eq(ga_comparison_count(c), 20);
    for (int64_t i = 0; i < ga_comparison_count(c); i++) {
        ck_assert_msg(ga_comparison_distance(c, i)->value == 0, "%s", ga_comparison_distance(c, i)->name);
        ck_assert(ga_comparison_distance(c, i)->seconds >= 0);
    }
    ga_comparison_destroy(context, c);
    ga_graph *const all[] = { graph, empty, lone };
    for (int i = 0; i < 9; i++) {
        c = compared(context, all[i / 3], all[i % 3], "all");
        for (int64_t k = 0; k < ga_comparison_count(c); k++) {
            double value = ga_comparison_distance(c, k)->value;
            ck_assert_msg(isnan(value) || (isfinite(value) && value >= 0), "%s",
                          ga_comparison_distance(c, k)->name);
        }
        ga_comparison_destroy(context, c);
    }
    ga_comparison_destroy(context, NULL);
    ga_graph_destroy(context, graph);
    ga_graph_destroy(context, empty);
    ga_graph_destroy(context, lone);
    done_with(context);
}
END_TEST

START_TEST(refused)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = skewed_graph(context, 5, 8, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_comparison *c = NULL;
    ga_compare_options o = GA_COMPARE_OPTIONS_INIT;
    o.statistics.metrics = "nothing";
    test_status(context, ga_compare(context, graph, graph, &o, &c), GA_INVALID);
    o.statistics.metrics = NULL;
    o.ratio = -1;
    test_status(context, ga_compare(context, graph, graph, &o, &c), GA_INVALID);
    o.ratio = NAN;
    test_status(context, ga_compare(context, graph, graph, &o, &c), GA_INVALID);
    ck_assert(c == NULL);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

static ga_status compare_all(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    static const uint32_t s[] = { 0, 1, 2, 0, 3, 4 }, t[] = { 1, 2, 0, 2, 4, 3 };
    ga_graph *a = NULL, *b = NULL;
    ga_comparison *c = NULL;
    ga_compare_options o = GA_COMPARE_OPTIONS_INIT;
    (void)user;
    o.statistics.metrics = "all";
    GA_TRY(ga_graph_from_edges(context, 5, 6, s, t, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &a));
    GA_TRY(ga_graph_from_edges(context, 5, 4, s, t, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &b));
    GA_TRY(ga_compare(context, a, b, &o, &c));
done:
    ga_comparison_destroy(context, c);
    ga_graph_destroy(context, a);
    ga_graph_destroy(context, b);
    return status;
}

START_TEST(allocations)
{
    ck_assert_int_gt(test_each_allocation(compare_all, NULL, 1), 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compare");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, by_hand);
    tcase_add_test(all, equal_and_empty);
    tcase_add_test(all, refused);
    tcase_add_test(all, allocations);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
