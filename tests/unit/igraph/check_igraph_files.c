/* check_igraph_files.c - files by way of igraph: whole or not at all, whatever fails, and igraph is left as it was. */
#include "config.h"

#include <locale.h>
#include <pthread.h>

#include "graph/igraph/guard.h"
#include "tests/unit/igraph/check_igraph.h"

/* ---- there and back ---- */

START_TEST(every_format)
{
    ga_context *context = formats_context(NULL);
    test_folder_make();
    for (int i = 0; i < 4 * FILES; i++) {
        const char *path = test_path(files[i / 4]);
        if (strstr(path,
                   ".ncol")) { /* has no place for the node without edges, nor for an order without ids */
            continue;
        }
        ga_graph *graph = make_everything(context, i & 1, i & 2), *back = NULL;
        set_theirs();
        test_ok(context, ga_graph_write(context, graph, path, NULL));
        test_ok(context, read_all(context, path, &back));
        expect_theirs();
        expect_same(graph, back);
        ga_graph_destroy(context, back);
        ga_graph_destroy(context, graph);
    }
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

START_TEST(what_ncol_cannot_hold_is_told)
{
    ga_context *context = formats_context(NULL);
    ga_graph *graph = make_everything(context, true, true), *back = NULL;
    test_messages messages;
    test_listen(context, &messages);
    test_folder_make();
    test_ok(context, ga_graph_write(context, graph, test_path("a.ncol"), NULL));
    ck_assert_int_eq(messages.notes, 1);
    ck_assert_ptr_nonnull(strstr(messages.text, "1 nodes without an edge are left out"));
    test_ok(context, read_all(context, test_path("a.ncol"), &back));
    ck_assert_int_eq(ga_graph_nodes(back), EVERYTHING_NODES - 1);
    ck_assert_int_eq(ga_graph_edges(back), EVERYTHING_EDGES);
    ga_graph_destroy(context, back);
    ga_graph_destroy(context, graph);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

START_TEST(options_are_heeded)
{
    ga_context *context = formats_context(NULL);
    ga_graph *graph = make_everything(context, true, true), *back = NULL;
    ga_read_options options = GA_READ_OPTIONS_INIT;
    ga_read_report report;
    test_folder_make();
    test_ok(context, ga_graph_write(context, graph, test_path("a.gml"), NULL));
    test_ok(context, ga_graph_read(context, test_path("a.gml"), &options, &back, &report));
    ck_assert_ptr_null(ga_graph_out(back).weights);
    ck_assert_int_eq(ga_graph_edges(back), 4);
    ck_assert_int_eq(report.format, GA_FORMAT_GML);
    ck_assert_int_eq(report.edge_lines, EVERYTHING_EDGES);
    ck_assert_int_eq(report.loops, 2);
    ck_assert_int_gt(report.bytes, 100);
    ga_graph_destroy(context, back);
    options.max_nodes = 4;
    test_status(context, ga_graph_read(context, test_path("a.gml"), &options, &back, NULL), GA_LIMIT);
    options.max_nodes = 0;
    options.max_edges = 6;
    test_status(context, ga_graph_read(context, test_path("a.gml"), &options, &back, NULL), GA_LIMIT);
    ga_context_set_foreign_formats(context, NULL);
    test_status(context, ga_graph_read(context, test_path("a.gml"), NULL, &back, NULL), GA_UNSUPPORTED);
    test_status(context, ga_graph_write(context, graph, test_path("b.gml"), NULL), GA_UNSUPPORTED);
    ck_assert(!test_exists(test_path("b.gml")));
    ga_graph_destroy(context, graph);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

/* ---- memory ---- */

static ga_status read_named(ga_context *context, void *name)
{
    ga_graph *graph = NULL;
    ga_context_set_foreign_formats(context, ga_igraph_formats());
    ga_status status = read_all(context, test_path(name), &graph);
    ck_assert_int_eq(status == GA_OK, graph != NULL);
    ga_graph_destroy(context, graph);
    return status;
}

START_TEST(no_memory)
{
    ga_context *context = formats_context(NULL);
    ga_graph *graph = make_everything(context, true, true);
    test_folder_make();
    for (int f = 0; f < FILES; f++) {
        char name[16];
        snprintf(name, sizeof name, "%s", files[f]);
        test_ok(context, ga_graph_write(context, graph, test_path(name), NULL));
        ck_assert_int_ge(test_each_allocation(read_named, name, 1), 8);
    }
    test_folder_remove();
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(memory_limit)
{
    ga_context *context = formats_context(NULL);
    ga_graph *graph = NULL;
    test_folder_make();
    ga_context_set_memory_limit(context, 16 << 20);
    test_status(context, read_all(context, test_text_file("a.net", "*Vertices 2000000\n"), &graph), GA_LIMIT);
    test_ok(context, read_all(context, test_text_file("a.net", "*Vertices 200000\n"), &graph));
    ck_assert_int_eq(ga_graph_nodes(graph), 200000);
    ga_graph_destroy(context, graph);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

/* ---- igraph's last resort ---- */

static igraph_error_t end_fatally(void *of)
{
    IGRAPH_FINALLY(their_free, of);
    IGRAPH_FINALLY_ENTER();
    IGRAPH_FINALLY(their_free, of);
    IGRAPH_FINALLY_ENTER();
    IGRAPH_FATAL("The house is on fire.");
}

static igraph_error_t end_well(void *of)
{
    (void)of;
    return IGRAPH_SUCCESS;
}

START_TEST(fatal_errors_come_back)
{
    int freed = 0;
    for (int turn = 0; turn < 3; turn++) {
        ga__igraph_guard guard;
        set_theirs();
        ga__igraph_enter(&guard);
        ga_status status = ga__igraph_status(ga__igraph_call(turn == 1 ? end_well : end_fatally, &freed));
        ck_assert_int_eq(status, turn == 1 ? GA_OK : GA_INTERNAL);
        if (turn != 1) {
            ck_assert_str_eq(ga__igraph_text(), "The house is on fire");
        }
        ga__igraph_leave(&guard);
        ck_assert_int_eq(freed_of_theirs, turn == 1 ? 0 : 2);
        freed_of_theirs = 0;
        expect_theirs();
    }
}
END_TEST

/* ---- threads and locales ---- */

static void *read_often(void *path)
{
    ga_context *context = formats_context(NULL);
    void *failed = NULL;
    for (int i = 0; i < 100 && !failed; i++) {
        ga_graph *graph = NULL;
        if (read_all(context, path, &graph) != GA_OK || ga_graph_edges(graph) != EVERYTHING_EDGES ||
            memcmp(ga_graph_out(graph).weights, everything_weights, sizeof everything_weights) != 0) {
            failed = path;
        }
        ga_graph_destroy(context, graph);
    }
    ga_context_destroy(context);
    return failed;
}

START_TEST(several_threads)
{
    ga_context *context = formats_context(NULL);
    ga_graph *graph = make_everything(context, true, true);
    pthread_t threads[FILES];
    char paths[FILES][512];
    test_folder_make();
    for (int f = 0; f < FILES; f++) {
        snprintf(paths[f], sizeof paths[f], "%s", test_path(files[f]));
        test_ok(context, ga_graph_write(context, graph, paths[f], NULL));
    }
    for (int f = 0; f < FILES; f++) {
        ck_assert_int_eq(pthread_create(&threads[f], NULL, read_often, paths[f]), 0);
    }
    for (int f = 0; f < FILES; f++) {
        void *failed = NULL;
        ck_assert_int_eq(pthread_join(threads[f], &failed), 0);
        ck_assert_msg(!failed, "%s", paths[f]);
    }
    test_folder_remove();
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(decimal_commas)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8" };
    locale_t comma = (locale_t)0;
    for (size_t i = 0; i < sizeof names / sizeof *names && !comma; i++) {
        comma = newlocale(LC_ALL_MASK, names[i], (locale_t)0);
    }
    if (!comma) { /* none is installed here; the test of the command tries as well */
        return;
    }
    ga_context *context = formats_context(NULL);
    ga_graph *graph = make_everything(context, true, true), *back = NULL;
    test_folder_make();
    locale_t before = uselocale(comma);
    for (int f = 0; f < FILES; f++) {
        test_ok(context, ga_graph_write(context, graph, test_path(files[f]), NULL));
        test_ok(context, read_all(context, test_path(files[f]), &back));
        ck_assert_mem_eq(ga_graph_out(back).weights, everything_weights, sizeof everything_weights);
        ck_assert(uselocale((locale_t)0) == comma);
        ga_graph_destroy(context, back);
    }
    uselocale(before);
    freelocale(comma);
    test_folder_remove();
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files by way of igraph");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, every_format);
    tcase_add_test(all, what_ncol_cannot_hold_is_told);
    tcase_add_test(all, options_are_heeded);
    tcase_add_test(all, no_memory);
    tcase_add_test(all, memory_limit);
    tcase_add_test(all, fatal_errors_come_back);
    tcase_add_test(all, several_threads);
    tcase_add_test(all, decimal_commas);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
