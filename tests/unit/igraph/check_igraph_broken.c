/* check_igraph_broken.c - files and streams that fail: refused in words, and igraph is left as it was. */
#include "config.h"

#include "tests/unit/igraph/check_igraph.h"

static const struct {
    const char *name, *text;
    ga_status status;
    const char *words;
} broken[] = {
    { "a.graphml", "", GA_FORMAT, "igraph: Line 1" },
    { "a.graphml", "<graphml><graph edgedefault='directed'><edge source='a'", GA_FORMAT, "igraph: Line 1" },
    { "a.graphml", "<graphml><graph edgedefault='directed'><edge source='a'/></graph></graphml>", GA_FORMAT,
      "missing source or target" },
    { "a.graphml", "<!DOCTYPE g [\n<!ENTITY e 'x'>]><graphml/>", GA_FORMAT,
      "a.graphml: line 2: an entity is declared" },
    { "a.graphml",
      "<graphml><graph edgedefault='undirected'><edge source='a' directed = \"true\" target='b'/></graph></graphml>",
      GA_UNSUPPORTED, "line 1: an edge with directed=\"true\" in a graph of undirected edges" },
    { "a.gml", "graph [ node [ id 1 ] edge [ source 1 target 2 ] ]", GA_FORMAT, "Unknown target node id" },
    { "a.gml", "graph 5", GA_FORMAT, "Invalid type for 'graph'" },
    { "a.gml", "graph [ edge [ source 1 target 1 weight 1e999 ] ]", GA_OVERFLOW, "parse real number" },
    { "a.net", "*Vertices 2\n*Arcs\n1\n", GA_FORMAT, "igraph: Parse error in Pajek file" },
    { "a.net", "*Vertices 2\n*Arcs\n1 3\n", GA_FORMAT, "Out-of-range vertex IDs" },
    { "a.net", "*Vertices 2\n3 \"c\"\n", GA_FORMAT, "Invalid vertex id (3)" },
    { "a.net", "*Vertices 2\n*Arcs\n1 2\n\n*Edges\n\n1 2\n", GA_UNSUPPORTED, "line 7: edges below *Arcs" },
    { "a.net", "*Vertices x\n", GA_FORMAT, "line 1: expected *Vertices" },
    { "a.net", "*Vertices 3000000000\n", GA_LIMIT, "3000000000 nodes are more than --max-nodes" },
    { "a.ncol", "a\n", GA_FORMAT, "igraph: Parse error in NCOL file" },
    { "a.lgl", "a b\n", GA_FORMAT, "igraph: Parse error in LGL file" },
    { "a.leda", "LEDA.GRAPH\n", GA_UNSUPPORTED, "can be written only" },
};

START_TEST(broken_files)
{
    ga_context *context = formats_context(NULL);
    ga_graph *graph = NULL;
    test_folder_make();
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        set_theirs();
        test_status(context, read_all(context, test_text_file(broken[i].name, broken[i].text), &graph),
                    broken[i].status);
        test_error_has(context, broken[i].words);
        test_error_has(context, broken[i].name);
        ck_assert_ptr_null(graph);
        expect_theirs();
    }
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

/* A file that ends early or has a wrong byte anywhere is read or refused in words, and nothing else happens. */
static void read_damaged(ga_context *context, const char *name, const char *text, size_t size)
{
    ga_graph *graph = NULL;
    ga_status status = read_all(context, test_file(name, text, size), &graph);
    ck_assert_int_eq(status == GA_OK, graph != NULL);
    ck_assert_int_ne(status, GA_INTERNAL);
    ck_assert_int_ne(status, GA_NOMEM);
    if (status != GA_OK) {
        test_error_has(context, name);
    }
    ga_graph_destroy(context, graph);
}

START_TEST(damaged_files)
{
    static const char wrong[] = { 0x01, 0x10, (char)0x80 };
    ga_context *context = formats_context(NULL);
    ga_graph *graph = make_everything(context, true, true);
    test_folder_make();
    set_theirs();
    for (int f = 0; f < FILES; f++) {
        size_t size;
        test_ok(context, ga_graph_write(context, graph, test_path(files[f]), NULL));
        char *text = test_slurp(test_path(files[f]), &size);
        for (size_t i = 0; i < size; i++) {
            read_damaged(context, files[f], text, i);
            for (size_t k = 0; k < sizeof wrong; k++) {
                text[i] = (char)(text[i] ^ wrong[k]);
                read_damaged(context, files[f], text, size);
                text[i] = (char)(text[i] ^ wrong[k]);
            }
        }
        free(text);
    }
    expect_theirs();
    test_folder_remove();
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

/* Every read fails in turn, then every write: igraph sees the end of a file, never an error, which its scanners abort on. */
static ga_status with_failing_call(const char *path, const char *target, test_call kind, int k)
{
    test_hooks hooks;
    test_hooks_init(&hooks);
    hooks.most_bytes = 64;
    ga_context *context = formats_context(&hooks);
    ga_graph *graph = make_everything(context, true, true), *back = NULL;
    hooks.fail_at[kind] = k;
    set_theirs();
    ga_status status =
        kind == TEST_READ ? read_all(context, path, &back) : ga_graph_write(context, graph, target, NULL);
    expect_theirs();
    ck_assert_int_eq(status == GA_OK, kind == TEST_READ ? back != NULL : test_exists(target));
    ga_graph_destroy(context, back);
    ga_graph_destroy(context, graph);
    test_context_done(context, &hooks);
    return status;
}

START_TEST(failing_streams)
{
    ga_context *context = formats_context(NULL);
    ga_graph *graph = make_everything(context, true, true);
    test_folder_make();
    for (int f = 0; f < FILES; f++) {
        char target[16];
        snprintf(target, sizeof target, "b%s", files[f] + 1);
        test_ok(context, ga_graph_write(context, graph, test_path(files[f]), NULL));
        for (int kind = TEST_READ; kind <= TEST_WRITE; kind++) {
            int k = 0;
            while (with_failing_call(test_path(files[f]), test_path(target), (test_call)kind, k) != GA_OK) {
                k++;
            }
            ck_assert_msg(k >= 2, "%s: only %d calls of kind %d", files[f], k, kind);
        }
    }
    ga_graph_destroy(context, graph);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

static int cancel_after;

static int cancel_later(void *user)
{
    (void)user;
    return cancel_after-- <= 0;
}

START_TEST(cancels)
{
    ga_context *context = formats_context(NULL);
    ga_generate_options generate = GA_GENERATE_OPTIONS_INIT;
    ga_graph *graph = NULL, *back = NULL;
    generate.nodes = 1000;
    generate.edges = 20000;
    test_folder_make();
    test_ok(context, ga_graph_generate(context, &generate, &graph));
    for (int f = 0; f < FILES; f++) {
        const char *path = test_path(files[f]);
        cancel_after = 1 << 30;
        ga_context_set_cancel(context, cancel_later, NULL);
        test_ok(context, ga_graph_write(context, graph, path, NULL));
        cancel_after = 3;
        test_status(context, read_all(context, path, &back), GA_CANCELLED);
        cancel_after = 3;
        test_status(context, ga_graph_write(context, graph, path, NULL), GA_CANCELLED);
        ck_assert_ptr_null(back);
    }
    ga_context_set_cancel(context, NULL, NULL);
    ga_graph_destroy(context, graph);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broken files by way of igraph");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, broken_files);
    tcase_add_test(all, damaged_files);
    tcase_add_test(all, failing_streams);
    tcase_add_test(all, cancels);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
