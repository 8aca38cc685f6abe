/* check_sample.c - the whole of sample: matrices, donors, labels, ids, report. */
#include "config.h"

#include "check_sampling.h"

static ga_sample_options by_ratio(double ratio)
{
    ga_sample_options options = GA_SAMPLE_OPTIONS_INIT;
    options.rescale.ratio = ratio;
    return options;
}

static ga_graph *original(ga_context *context)
{
    luck = 7;
    return skewed_graph(context, 400, 3000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
}

START_TEST(whole_gives_the_matrices_back)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = original(context), *sample = NULL;
    ga_matrices *m = NULL, *again = NULL;
    ga_sample_options options = by_ratio(1);
    ga_sample_report report;
    int64_t *donors = NULL;
    ck_assert_msg(ga_sample(context, graph, &options, &sample, &donors, &report) == GA_OK, "%s",
                  ga_context_error(context));
    ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_OK);
    ck_assert_int_eq(ga_matrices_count(context, sample, NULL, &again), GA_OK);
    same_matrices(m, again);
    ck_assert(is_simple(sample));
    ck_assert_int_eq(report.rescale.nodes, graph->nodes);
    ck_assert_int_eq(report.rescale.edges, graph->edges);
    int64_t *in = in_degrees(graph), *sample_in = in_degrees(sample);
    for (int64_t v = 0; v < sample->nodes; v++) {
        ck_assert_int_eq(donors[v], v);
        ck_assert_int_eq(in[v], sample_in[v]);
        ck_assert_int_eq(out_degree(graph, v), out_degree(sample, v));
    }
    free(in);
    free(sample_in);
    ga_sample_report_clear(context, &report);
    ga_free(context, donors);
    ga_matrices_destroy(context, m);
    ga_matrices_destroy(context, again);
    ga_graph_destroy(context, graph);
    ga_graph_destroy(context, sample);
    done_with(context);
}
END_TEST

/* Sampled nodes have their donors' degrees except those that the report counts as touched. */
static void check_donors(const ga_graph *graph, const ga_graph *sample, const int64_t *donors,
                         int64_t touched, bool once)
{
    int64_t *in = in_degrees(graph), *sample_in = in_degrees(sample), differ = 0, wrong = 0;
    for (int64_t v = 0; v < sample->nodes; v++) {
        wrong += donors[v] < 0 || donors[v] >= graph->nodes;
        wrong += v > 0 && (once ? donors[v] <= donors[v - 1] : donors[v] < donors[v - 1]);
        if (!wrong) {
            differ += in[donors[v]] != sample_in[v] || out_degree(graph, donors[v]) != out_degree(sample, v);
        }
    }
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(differ, touched);
    free(in);
    free(sample_in);
}

START_TEST(ratios)
{
    const double ratio[] = { 0.05, 0.1, 0.3, 0.5, 0.9, 1.7, 2, 3 };
    for (size_t i = 0; i < sizeof ratio / sizeof *ratio; i++) {
        ga_graph *one = NULL;
        ga_context *first = plain_context(1);
        ga_graph *graph = original(first);
        for (int threads = 1; threads <= 3; threads++) {
            ga_context *context = plain_context(threads);
            ga_graph *sample = NULL;
            ga_sample_options options = by_ratio(ratio[i]);
            ga_sample_report report;
            int64_t *donors = NULL;
            ck_assert_msg(ga_sample(context, graph, &options, &sample, &donors, &report) == GA_OK, "%s",
                          ga_context_error(context));
            ck_assert(is_simple(sample));
            ck_assert_int_eq(sample->nodes, (int64_t)(ratio[i] * 400 + .5));
            ck_assert_int_eq(report.rescale.nodes, sample->nodes);
            ck_assert_int_eq(report.rescale.edges, sample->edges);
            check_donors(graph, sample, donors, report.rescale.touched, ratio[i] <= 1);
            ga_sample_report_clear(context, &report);
            ga_free(context, donors);
            if (threads == 1) {
                ck_assert_int_eq(ga_sample(first, graph, &options, &one, NULL, NULL), GA_OK);
            }
            same_graph(one, sample);
            ga_graph_destroy(context, sample);
            done_with(context);
        }
        ga_graph_destroy(first, one);
        ga_graph_destroy(first, graph);
        done_with(first);
    }
}
END_TEST

START_TEST(labels_and_ids)
{
    ga_context *context = plain_context(2);
    ga_graph *plain = original(context), *graph = NULL, *sample = NULL;
    uint64_t ids[400];
    uint32_t *sources = malloc((size_t)plain->edges * 4);
    int64_t labels[400], taken[200];
    for (uint32_t v = 0; v < 400; v++) {
        ids[v] = 10 + 3 * (uint64_t)v;
        labels[v] = v % 3 - 1;
        for (int64_t e = plain->out_offsets[v]; e < plain->out_offsets[v + 1]; e++) {
            sources[e] = v;
        }
    }
    ck_assert_int_eq(ga_graph_from_edges(context, 400, plain->edges, sources, plain->out_targets, ids,
                                         GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &graph),
                     GA_OK);
    free(sources);
    ga_sample_options options = by_ratio(0.5);
    ga_sample_report report;
    int64_t *donors = NULL;
    ga_matrices *m = NULL;
    options.labels = labels;
    options.keep_ids = true;
    ck_assert_msg(ga_sample(context, graph, &options, &sample, &donors, &report) == GA_OK, "%s",
                  ga_context_error(context));
    ck_assert_int_eq(sample->nodes, 200);
    for (int64_t v = 0; v < 200; v++) {
        ck_assert_uint_eq(sample->ids[v], ids[donors[v]]);
        taken[v] = labels[donors[v]];
    }
    check_donors(graph, sample, donors, report.rescale.touched, true);
    ck_assert_int_eq(ga_matrices_count(context, sample, taken, &m), GA_OK);
    matrices_of_graph(m, sample, taken);
    ga_sample_report_clear(context, &report);
    ga_free(context, donors);
    ga_graph_destroy(context, sample);
    ga_matrices_destroy(context, m);
    options.rescale.ratio = 1.5;
    sample = NULL;
    ck_assert_int_eq(ga_sample(context, graph, &options, &sample, NULL, NULL), GA_INVALID);
    ck_assert_ptr_null(sample);
    ga_graph_destroy(context, plain);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(randomised)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = original(context), *plain = NULL, *sample = NULL;
    ga_matrices *m = NULL, *again = NULL;
    ga_sample_options options = by_ratio(0.5);
    ga_sample_report report;
    ck_assert_int_eq(ga_sample(context, graph, &options, &plain, NULL, NULL), GA_OK);
    options.rewire.swaps_per_edge = 5;
    ck_assert_msg(ga_sample(context, graph, &options, &sample, NULL, &report) == GA_OK, "%s",
                  ga_context_error(context));
    ck_assert_int_gt(report.rewire.attempts, 0);
    ck_assert(is_simple(sample));
    ck_assert_int_ne(memcmp(plain->out_targets, sample->out_targets, (size_t)sample->edges * 4), 0);
    ck_assert_int_eq(ga_matrices_count(context, plain, NULL, &m), GA_OK);
    ck_assert_int_eq(ga_matrices_count(context, sample, NULL, &again), GA_OK);
    same_matrices(m, again);
    ga_sample_report_clear(context, &report);
    ga_matrices_destroy(context, m);
    ga_matrices_destroy(context, again);
    ga_graph_destroy(context, plain);
    ga_graph_destroy(context, sample);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(report_of_a_sample)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = original(context), *sample = NULL;
    ga_sample_options options = by_ratio(0.5);
    ga_sample_report report;
    make_folder();
    options.rewire.swaps_per_edge = 1;
    ck_assert_int_eq(ga_sample(context, graph, &options, &sample, NULL, &report), GA_OK);
    for (int json = 0; json < 2; json++) {
        size_t size;
        ck_assert_int_eq(ga_sample_report_write(context, &report, json, in_folder("report")), GA_OK);
        char *text = slurp(in_folder("report"), &size);
        ck_assert_int_eq(text[0], json ? '{' : '#');
        ck_assert_ptr_nonnull(strstr(text, json ? "\"nodes\": 200" : "\nnodes\t200\n"));
        ck_assert_ptr_nonnull(strstr(text, json ? "\"swap_attempts\": " : "\nswap_attempts\t"));
        ck_assert_str_eq(text + size - 2, json ? "}\n" : text + size - 2);
        free(text);
    }
    ga_sample_report_clear(context, &report);
    ga_graph_destroy(context, sample);
    ga_graph_destroy(context, graph);
    remove_folder();
    done_with(context);
}
END_TEST

START_TEST(wrong_options)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = original(context), *sample = NULL;
    ga_sample_options options = by_ratio(0.5);
    int count = 0;
    ck_assert_str_eq(ga_sample_methods(&count)[0].name, "jdm");
    ck_assert_int_gt(count, 1);
    options.method = "none";
    ck_assert_int_eq(ga_sample(context, graph, &options, &sample, NULL, NULL), GA_INVALID);
    options = by_ratio(-1);
    ck_assert_int_eq(ga_sample(context, graph, &options, &sample, NULL, NULL), GA_INVALID);
    options = by_ratio(0);
    options.rescale.nodes = -5;
    ck_assert_int_eq(ga_sample(context, graph, &options, &sample, NULL, NULL), GA_INVALID);
    ck_assert_ptr_null(sample);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

static ga_status starved_sample(ga_context *context, void *user)
{
    ga_graph *sample = NULL;
    int64_t *donors = NULL;
    ga_sample_options options = by_ratio(0.5);
    ga_sample_report report = { .rescale.nodes = -1 };
    options.keep_ids = true;
    ga_status status = ga_sample(context, user, &options, &sample, &donors, &report);
    ck_assert_int_eq(status != GA_OK, sample == NULL);
    ck_assert_int_eq(status != GA_OK, donors == NULL);
    ck_assert_int_eq(status != GA_OK, report.rescale.nodes == -1);
    if (status == GA_OK) {
        ga_sample_report_clear(context, &report);
    }
    ga_graph_destroy(context, sample);
    ga_free(context, donors);
    return status;
}

START_TEST(out_of_memory)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = skewed_graph(context, 30, 100, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    starve(starved_sample, graph);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sample");
    TCase *all = tcase_create("sample");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, whole_gives_the_matrices_back);
    tcase_add_test(all, ratios);
    tcase_add_test(all, labels_and_ids);
    tcase_add_test(all, randomised);
    tcase_add_test(all, report_of_a_sample);
    tcase_add_test(all, wrong_options);
    tcase_add_test(all, out_of_memory);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
