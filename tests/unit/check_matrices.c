/* check_matrices.c - counting, reading, writing and checking of degree matrices. */
#include "config.h"

#include "check_sampling.h"

/* ---- counting ---- */

static int64_t *some_labels(int64_t nodes, int64_t kinds)
{
    int64_t *labels = malloc((size_t)(nodes + 1) * sizeof *labels);
    for (int64_t v = 0; v < nodes; v++) {
        labels[v] =
            kinds > 100 ? (int64_t)lucky((uint64_t)kinds) * 1000003 - 7 : (int64_t)lucky((uint64_t)kinds) - 1;
    }
    return labels;
}

static void count_and_compare(ga_context *context, const ga_graph *graph, const int64_t *labels)
{
    ga_matrices *m = NULL;
    ck_assert_int_eq(ga_matrices_count(context, graph, labels, &m), GA_OK);
    matrices_of_graph(m, graph, labels);
    ga_matrices_destroy(context, m);
}

START_TEST(counts_by_definition)
{
    const int threads[] = { 1, 2, 3, 7 };
    ga_context *context = plain_context(threads[_i]);
    const int64_t sizes[][2] = { { 0, 0 },    { 1, 0 },      { 1, 5 },        { 5, 3 },
                                 { 40, 700 }, { 300, 2000 }, { 4000, 140000 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int policy = 0; policy < 4; policy++) {
            int64_t nodes = sizes[i][0], edges = sizes[i][1];
            ga_graph *graph = skewed_graph(context, nodes, edges, policy & 1 ? GA_LOOPS_KEEP : GA_LOOPS_DROP,
                                           policy & 2 ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE);
            count_and_compare(context, graph, NULL);
            for (int64_t kinds = 1; kinds < 1000; kinds *= 500) {
                int64_t *labels = some_labels(nodes, kinds);
                count_and_compare(context, graph, labels);
                free(labels);
            }
            ga_graph_destroy(context, graph);
        }
    }
    done_with(context);
}
END_TEST

/* Degrees far above the number of nodes: ranks by bisection in place of a table. */
START_TEST(counts_large_degrees)
{
    ga_context *context = plain_context(2);
    enum { EDGES = 300000 };
    uint32_t *s = calloc(EDGES, 4), *t = calloc(EDGES, 4);
    for (int i = 0; i < EDGES; i++) {
        s[i] = i % 1000 == 0;
        t[i] = 2 + (uint32_t)(i % 700 == 0);
    }
    ga_graph *graph = graph_of(context, 5, EDGES, s, t, GA_LOOPS_KEEP, GA_MULTI_KEEP);
    count_and_compare(context, graph, NULL);
    free(s);
    free(t);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(table_and_rows_agree)
{
    ga_context *context = plain_context(1 + _i);
    ga_graph *graph = skewed_graph(context, 20000, 500000, GA_LOOPS_KEEP, GA_MULTI_KEEP);
    ga__counted c = { 0 };
    ck_assert_int_eq(ga__matrices_count(context, graph, NULL, &c), GA_OK);
    ga_matrices *m = c.matrices;
    uint32_t *by_out = malloc((size_t)graph->nodes * 4);
    int64_t *first = malloc((size_t)(m->out.count + 1) * 8);
    ck_assert_int_eq(ga__sort_by_class(context, graph->nodes, NULL, c.out_class, m->out.count, by_out, first),
                     GA_OK);
    ga__edge_classes classes = { graph, m->out.count, m->in.count, c.out_class, c.in_class, by_out, first };
    ga__cells rows = { 0 }, table = { 0 };
    ck_assert_int_eq(ga__jdm_by_rows(context, &classes, &rows), GA_OK);
    ck_assert_int_eq(ga__jdm_by_table(context, &classes, 1 + _i, &table), GA_OK);
    same_cells(&rows, &table);
    same_cells(&rows, &m->jdm);
    ga__cells_clear(context, &rows);
    ga__cells_clear(context, &table);
    ga__counted_clear(context, &c);
    free(by_out);
    free(first);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(nodes_by_cell)
{
    ga_context *context = plain_context(3);
    ga_graph *graph = skewed_graph(context, 70000, 300000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga__counted c = { 0 };
    ck_assert_int_eq(ga__matrices_count(context, graph, NULL, &c), GA_OK);
    const ga_matrices *m = c.matrices;
    int64_t *in = in_degrees(graph);
    bool right = true;
    ck_assert_int_eq(c.first[0], 0);
    ck_assert_int_eq(c.first[m->dcm.count], graph->nodes);
    for (int64_t cell_number = 0; cell_number < m->dcm.count; cell_number++) {
        for (int64_t i = c.first[cell_number]; i < c.first[cell_number + 1]; i++) {
            right &= i == c.first[cell_number] || c.node[i] > c.node[i - 1];
            right &= in[c.node[i]] == m->in.degree[m->dcm.row[cell_number]];
            right &= out_degree(graph, c.node[i]) == m->out.degree[m->dcm.column[cell_number]];
        }
    }
    for (int64_t v = 0; v < graph->nodes; v++) {
        right &= m->out.degree[c.out_class[v]] == out_degree(graph, v);
        right &= m->in.degree[c.in_class[v]] == in[v];
    }
    ck_assert(right);
    free(in);
    ga__counted_clear(context, &c);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- files ---- */

START_TEST(written_and_read_back)
{
    ga_context *context = plain_context(1);
    make_folder();
    for (int64_t kinds = 0; kinds < 4; kinds += 3) {
        ga_graph *graph = skewed_graph(context, 200, 1500, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        int64_t *labels = kinds ? some_labels(200, kinds) : NULL;
        ga_matrices *m = NULL, *back = NULL;
        ck_assert_int_eq(ga_matrices_count(context, graph, labels, &m), GA_OK);
        ck_assert_int_eq(ga_jdm_write(context, m, in_folder("jdm.gz")), GA_OK);
        ck_assert_int_eq(ga_dcm_write(context, m, in_folder("dcm")), GA_OK);
        ck_assert_int_eq(ga_matrices_read(context, in_folder("jdm.gz"), in_folder("dcm"), &back), GA_OK);
        same_matrices(m, back);
        ga_matrices_destroy(context, m);
        ga_matrices_destroy(context, back);
        ga_graph_destroy(context, graph);
        free(labels);
    }
    remove_folder();
    done_with(context);
}
END_TEST

START_TEST(text_of_files)
{
    ga_context *context = plain_context(1);
    const uint32_t s[] = { 0, 0, 1, 2 }, t[] = { 1, 2, 2, 0 };
    const int64_t labels[] = { 5, -1, 5, 0 };
    const char *expected[] = {
        "#out_degree\tin_degree\tedges\n1\t1\t1\n1\t2\t1\n2\t1\t1\n2\t2\t1\n",
        "#in_degree\tout_degree\tnodes\n0\t0\t1\n1\t1\t1\n1\t2\t1\n2\t1\t1\n",
        ("#out_degree\tsource_label\tin_degree\ttarget_label\tedges\n"
         "1\t-1\t2\t5\t1\n1\t5\t1\t5\t1\n2\t5\t1\t-1\t1\n2\t5\t2\t5\t1\n"),
        "#in_degree\tout_degree\tlabel\tnodes\n0\t0\t0\t1\n1\t1\t-1\t1\n1\t2\t5\t1\n2\t1\t5\t1\n"
    };
    make_folder();
    ga_graph *graph = graph_of(context, 4, 4, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    for (int i = 0; i < 4; i++) {
        ga_matrices *m = NULL;
        size_t size;
        ck_assert_int_eq(ga_matrices_count(context, graph, i < 2 ? NULL : labels, &m), GA_OK);
        ck_assert_int_eq((i % 2 ? ga_dcm_write : ga_jdm_write)(context, m, in_folder("m")), GA_OK);
        char *text = slurp(in_folder("m"), &size);
        ck_assert_str_eq(text, expected[i]);
        free(text);
        ga_matrices_destroy(context, m);
    }
    ga_graph_destroy(context, graph);
    remove_folder();
    done_with(context);
}
END_TEST

START_TEST(bad_files)
{
    static const struct {
        const char *jdm, *dcm, *words;
        ga_status status;
    } bad[] = {
        { "#c\n1\t1\tx\n", "1 1 2\n", "C0 jdm line 2:", GA_FORMAT },
        { "1\t1\t2.5\n", "1 1 2\n", "C0 jdm line 1:", GA_FORMAT },
        { "1 1 +2\n", "", "C0 jdm line 1:", GA_FORMAT },
        { "+1 1 2\n", "", "C0 jdm line 1:", GA_FORMAT },
        { "1 -1 2\n", "", "C0 jdm line 1:", GA_FORMAT },
        { "1 1 1e2\n", "", "C0 jdm line 1:", GA_FORMAT },
        { "1 1 0x2\n", "", "C0 jdm line 1:", GA_FORMAT },
        { "1 1\n", "", "C0 jdm line 1: 2 columns", GA_FORMAT },
        { "1 1 1 1\n", "", "C0 jdm line 1: 4 columns", GA_FORMAT },
        { "1 1 1\n\n1 2 1 1 1\n", "", "C0 jdm line 3: 5 columns", GA_FORMAT },
        { "1\t1\t1\r\n#\r\n2\t1\t9223372036854775808\r\n", "", "C0 jdm line 3:", GA_FORMAT },
        { "1 1 2\n", "0\t0\t36893488147419103232\n", "C0 dcm line 1:", GA_FORMAT },
        { "1 1 1\n1 1 1\n", "1 1 2\n", "C0 jdm line 2: this cell", GA_FORMAT },
        { "2 1 1\n1 1 1\n# again\n2 1 0\nx\n", "1 1 2\n", "C0 jdm line 4: this cell", GA_FORMAT },
        { "2 1 1\n1 1 1\nx\n2 1 0\n", "1 1 2\n", "C0 jdm line 3: 1 columns", GA_FORMAT },
        { "1 0 1 0 1\n1 1 1 0 1\n1 0 1 0 1\n", "1 1 0 2\n", "C0 jdm line 3: this cell", GA_FORMAT },
        { "", "1 1 3 1\n1 2 3 1\n1 1 3 1\n", "C0 dcm line 3: this cell", GA_FORMAT },
        { "1 1 1\n", "1 1 7 1\n", "expected both or neither", GA_INVALID },
        { "", "0 0 9223372036854775807\n0 1 1\n", "C0 dcm line 2: the entries sum", GA_OVERFLOW },
    };
    ga_context *context = plain_context(1);
    make_folder();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ga_matrices *m = (ga_matrices *)&bad;
        const char *jdm = text_file("jdm", bad[i].jdm), *dcm = text_file("dcm", bad[i].dcm);
        ck_assert_msg(ga_matrices_read(context, jdm, dcm, &m) == bad[i].status, "case %zu: %s", i,
                      ga_context_error(context));
        ck_assert_ptr_eq(m, &bad);
        ck_assert_msg(strstr(ga_context_error(context), bad[i].words) != NULL, "case %zu: %s", i,
                      ga_context_error(context));
    }
    ga_matrices *m = NULL;
    ck_assert_int_eq(ga_matrices_read(context, in_folder("absent"), NULL, &m), GA_IO);
    ck_assert_ptr_null(m);
    remove_folder();
    done_with(context);
}
END_TEST

START_TEST(good_files)
{
    ga_context *context = plain_context(1);
    ga_matrices *m = NULL;
    make_folder();
    const char *jdm =
        text_file("jdm", "\xef\xbb\xbf# any order, CRLF, no last newline\r\n2 1  1\r\n\r\n  1\t2 1\r\n7 7 0");
    ck_assert_int_eq(ga_matrices_read(context, jdm, NULL, &m), GA_OK);
    ck_assert_int_eq(m->jdm.count, 2);
    ck_assert_int_eq(m->jdm.total, 2);
    ck_assert_int_eq(m->dcm.count, 0);
    ck_assert_int_eq(m->out.count, 2);
    ck_assert_int_eq(m->in.count, 2);
    ck_assert_int_eq(m->out.degree[1], 2);
    ga_matrices_destroy(context, m);
    ck_assert_int_eq(ga_matrices_read(context, text_file("jdm", ""), text_file("dcm", "#\n"), &m), GA_OK);
    ck_assert_int_eq(m->out.count, 0);
    ck_assert_int_eq(ga_matrices_check(context, m, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, NULL, NULL), GA_OK);
    ga_matrices_destroy(context, m);
    remove_folder();
    done_with(context);
}
END_TEST

/* ---- conditions ---- */

typedef struct heard {
    char text[2048];
    int count, stop_after;
} heard;

static int hear(void *user, const char *text)
{
    heard *h = user;
    const char *end = strchr(text, ':');
    size_t used = strlen(h->text);
    ck_assert_ptr_nonnull(end);
    snprintf(h->text + used, sizeof h->text - used, "%s%.*s", used ? "; " : "", (int)(end - text), text);
    return ++h->count == h->stop_after;
}

START_TEST(violations)
{
    static const struct {
        const char *jdm, *dcm, *all;
        ga_loops loops;
        ga_multi multi;
    } cases[] = {
        { "", "0 1 1\n1 0 1\n", "C1 row 1; C1 column 1", 0, 0 },
        { "1 1 1\n", "0 0 2\n", "C1 row 1; C1 column 1; C2 cell 1 1", 0, 0 },
        { "3 1 2\n3 2 1\n", "0 3 1\n1 0 2\n2 0 1\n", "C1 column 2", 0, 0 },
        { "2 1 3\n", "0 2 1\n1 0 3\n", "C1 row 2", 0, 0 },
        { "6 6 36\n", "6 6 6\n", "C2 cell 6 6", 0, 0 },
        { "6 6 36\n", "6 6 6\n", "", GA_LOOPS_KEEP, 0 },
        { "1 0 1\n", "0 0 1\n0 1 1\n", "C1 column 0", 0, 0 },
        { "0 1 1\n", "0 0 1\n1 0 1\n", "C1 row 0", 0, 0 },
        { "1 1 1\n", "1 1 1\n", "C2 cell 1 1", 0, 0 },
        { "1 1 1\n", "1 1 1\n", "", GA_LOOPS_KEEP, 0 },
        { "2 2 2\n", "0 2 1\n2 0 1\n", "C2 cell 2 2", 0, 0 },
        { "2 2 2\n", "0 2 1\n2 0 1\n", "", 0, GA_MULTI_KEEP },
        { "2 1 -1\n1 1 2\n", "1 1 2\n0 0 -1\n", "C0 jdm cell 2 1; C0 dcm cell 0 0; C1 row 0", 0, 0 },
        { "1 1 2\n", "1 1 2\n0 0 -1\n", "C0 dcm cell 0 0", 0, 0 },
        { "3 1 1 2 2\n", "0 3 1 1\n1 0 2 3\n", "C1 row 3,1; C1 column 1,2", 0, 0 },
        { "3 3 6\n", "0 0 5\n3 3 2\n", "C2 cell 3 3", 0, 0 },
        { "4611686018427387904 1 4\n", "0 4611686018427387904 4\n1 0 4\n", "C1 row 4611686018427387904", 0,
          0 },
    };
    ga_context *context = plain_context(1);
    make_folder();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ga_matrices *m = NULL;
        heard h = { .stop_after = -1 };
        ck_assert_int_eq(
            ga_matrices_read(context, text_file("jdm", cases[i].jdm), text_file("dcm", cases[i].dcm), &m),
            GA_OK);
        ga_status status = ga_matrices_check(context, m, cases[i].loops, cases[i].multi, hear, &h);
        if (i == 12) { /* what follows negative cells is of no interest */
            ck_assert_ptr_nonnull(strstr(h.text, "C0 jdm cell 2 1; C0 dcm cell 0 0; C1 row"));
        } else if (i == 13) {
            ck_assert_ptr_eq(strstr(h.text, cases[i].all), h.text);
        } else {
            ck_assert_str_eq(h.text, cases[i].all);
        }
        ck_assert_int_eq(status, cases[i].all[0] ? GA_INFEASIBLE : GA_OK);
        size_t first = strcspn(h.text, ";");
        ck_assert_int_eq(strncmp(ga_context_error(context), h.text, first), 0);
        heard one = { .stop_after = 1 };
        ck_assert_int_eq(ga_matrices_check(context, m, cases[i].loops, cases[i].multi, hear, &one), status);
        ck_assert_int_le(one.count, 1);
        ga_matrices_destroy(context, m);
    }
    remove_folder();
    done_with(context);
}
END_TEST

START_TEST(words_of_a_violation)
{
    ga_context *context = plain_context(1);
    ga_matrices *m = NULL;
    make_folder();
    ck_assert_int_eq(
        ga_matrices_read(context, text_file("jdm", "2 1 3\n"), text_file("dcm", "0 2 1\n1 0 3\n"), &m),
        GA_OK);
    ck_assert_int_eq(ga_matrices_check(context, m, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, NULL, NULL),
                     GA_INFEASIBLE);
    ck_assert_str_eq(ga_context_error(context), "C1 row 2: 3 edges, 1 node of out-degree 2 needs 2");
    ga_matrices_destroy(context, m);
    remove_folder();
    done_with(context);
}
END_TEST

/* ---- given results ---- */

static char *without_comments(const char *path)
{
    size_t size, at = 0;
    char *text = slurp(path, &size);
    bool comment = false, fresh = true;
    for (size_t i = 0; i < size; i++) {
        comment = fresh ? text[i] == '#' : comment;
        fresh = text[i] == '\n';
        if (!comment) {
            text[at++] = text[i];
        }
    }
    text[at] = '\0';
    return text;
}

static void golden_file(const char *path, const char *name, const char *file)
{
    char golden[128];
    snprintf(golden, sizeof golden, "golden/sampling/matrices-%s/%s", name, file);
    char *got = without_comments(path), *want = without_comments(shared_file(golden));
    ck_assert_msg(strcmp(got, want) == 0, "%s of case %s", file, name);
    free(got);
    free(want);
}

START_TEST(golden_matrices)
{
    static const struct {
        const char *name, *graph;
        ga_read_options options;
    } cases[] = {
        { "complete", NULL, GA_READ_OPTIONS_INIT },
        { "empty", NULL, GA_READ_OPTIONS_INIT },
        { "heavy", NULL, GA_READ_OPTIONS_INIT },
        { "isolated-header", NULL, GA_READ_OPTIONS_INIT },
        { "isolated-option", NULL, { .nodes = 19, .max_nodes = 1000 } },
        { "labels-3", NULL, GA_READ_OPTIONS_INIT },
        { "labels-unknown", NULL, GA_READ_OPTIONS_INIT },
        { "loops-drop", NULL, GA_READ_OPTIONS_INIT },
        { "loops-keep", NULL, { .loops = GA_LOOPS_KEEP, .nodes = -1, .max_nodes = 1000 } },
        { "multi-keep", NULL, { .multi = GA_MULTI_KEEP, .nodes = -1, .max_nodes = 1000 } },
        { "sparse-ids", NULL, GA_READ_OPTIONS_INIT },
        { "undirected", NULL, { .undirected = true, .nodes = -1, .max_nodes = 1000 } },
        { "email-eu-core", "data/graphs/email-Eu-core.txt.gz", GA_READ_OPTIONS_INIT },
        { "p2p-gnutella08", "data/graphs/p2p-Gnutella08.txt.gz", GA_READ_OPTIONS_INIT },
    };
    ga_context *context = plain_context(2);
    make_folder();
    for (size_t i = 0; i < sizeof cases / sizeof *cases && shared_file("golden/sampling"); i++) {
        char name[128];
        ga_graph *graph = NULL;
        ga_matrices *m = NULL;
        int64_t *labels = NULL, count = 0;
        snprintf(name, sizeof name, "golden/sampling/matrices-%s/graph.txt", cases[i].name);
        const char *path = shared_file(cases[i].graph ? cases[i].graph : name);
        ck_assert_ptr_nonnull(path);
        ck_assert_int_eq(ga_graph_read(context, path, &cases[i].options, &graph, NULL), GA_OK);
        snprintf(name, sizeof name, "golden/sampling/matrices-%s/labels.txt", cases[i].name);
        if (shared_file(name)) {
            ck_assert_int_eq(ga_integers_read(context, shared_file(name), &labels, &count), GA_OK);
            ck_assert_int_eq(count, graph->nodes);
        }
        ck_assert_int_eq(ga_matrices_count(context, graph, labels, &m), GA_OK);
        ck_assert_int_eq(ga_jdm_write(context, m, in_folder("jdm")), GA_OK);
        ck_assert_int_eq(ga_dcm_write(context, m, in_folder("dcm")), GA_OK);
        golden_file(in_folder("jdm"), cases[i].name, "jdm.tsv");
        golden_file(in_folder("dcm"), cases[i].name, "dcm.tsv");
        ga_matrices_destroy(context, m);
        ga_graph_destroy(context, graph);
        ga_free(context, labels);
    }
    remove_folder();
    done_with(context);
}
END_TEST

START_TEST(r_min_of_graphs)
{
    static const struct {
        const char *name;
        double r[3], exact;
    } cases[] = { { "email-Eu-core", { .71, .70, .58 }, .005 },
                  { "wiki-Vote", { .88, .57, .38 }, .005 },
                  { "p2p-Gnutella08", { .04, .04, .04 }, .005 },
                  { "p2p-Gnutella31", { .33, .002, .001 }, .005 },
                  { "soc-Slashdot0902", { .40, .13, .08 }, .005 } };
    ga_context *context = plain_context(2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[128];
        ga_graph *graph = NULL;
        ga_matrices *m = NULL;
        ga_r_min r;
        ga_read_options options = GA_READ_OPTIONS_INIT;
        snprintf(name, sizeof name, "data/graphs/%s.txt.gz", cases[i].name);
        const char *path = shared_file(name);
        if (path) {
            ck_assert_int_eq(ga_graph_read(context, path, &options, &graph, NULL), GA_OK);
            ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_OK);
            ck_assert_int_eq(ga_matrices_r_min(context, m, &r), GA_OK);
            ck_assert_double_eq_tol(r.all, cases[i].r[0], cases[i].exact + 1e-9);
            ck_assert_double_eq_tol(r.percent_1, cases[i].r[1], cases[i].exact + 1e-9);
            ck_assert_double_eq_tol(r.percent_5, cases[i].r[2], cases[i].exact + 1e-9);
        }
        ga_matrices_destroy(context, m);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* Two nodes pointing at each other, one block: (J + D) / (N+ N-) = (2 + 2) / 4. */
START_TEST(r_min_by_hand)
{
    const uint32_t s[] = { 0, 1, 2 }, t[] = { 1, 0, 3 };
    ga_context *context = plain_context(1);
    ga_matrices *m = NULL;
    ga_r_min r = { -1, -1, -1 };
    ga_graph *graph = graph_of(context, 2, 2, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_OK);
    ck_assert_int_eq(ga_matrices_r_min(context, m, &r), GA_OK);
    ck_assert_double_eq(r.all, 1);
    ck_assert_double_eq(r.percent_5, 1);
    ga_matrices_destroy(context, m);
    ga_graph_destroy(context, graph);
    graph = graph_of(context, 4, 3, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE); /* (3 + 2) / 9 */
    ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_OK);
    ck_assert_int_eq(ga_matrices_r_min(context, m, &r), GA_OK);
    ck_assert_double_eq(r.all, 5.0 / 9);
    ga_matrices_destroy(context, m);
    ga_graph_destroy(context, graph);
    graph = graph_of(context, 3, 0, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_OK);
    ck_assert_int_eq(ga_matrices_r_min(context, m, &r), GA_OK);
    ck_assert_double_eq(r.all, 0);
    ga_matrices_destroy(context, m);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- memory ---- */

typedef struct starved {
    ga_graph *graph;
    int64_t labels[90];
    const char *jdm, *dcm;
    bool labelled;
} starved;

static ga_status starved_count(ga_context *context, void *user)
{
    starved *s = user;
    ga_matrices *m = NULL;
    ga_status status = ga_matrices_count(context, s->graph, s->labelled ? s->labels : NULL, &m);
    ck_assert_int_eq(status != GA_OK, m == NULL);
    ga_r_min r = { -1, -1, -1 };
    if (status == GA_OK) {
        status = ga_matrices_r_min(context, m, &r);
        ck_assert_int_eq(status != GA_OK, r.all == -1);
    }
    if (status == GA_OK) {
        status = ga_matrices_check(context, m, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, NULL, NULL);
    }
    if (status == GA_OK) {
        status = ga_jdm_write(context, m, s->jdm);
    }
    if (status == GA_OK) {
        status = ga_dcm_write(context, m, s->dcm);
    }
    ga_matrices_destroy(context, m);
    return status;
}

static ga_status starved_rows(ga_context *context, void *user)
{
    starved *s = user;
    ga__counted c = { 0 };
    ga__cells cells = { 0 };
    uint32_t by_out[90];
    int64_t first[200];
    ga_status status = ga__matrices_count(context, s->graph, NULL, &c);
    if (status == GA_OK) {
        status = ga__sort_by_class(context, 90, NULL, c.out_class, c.matrices->out.count, by_out, first);
    }
    if (status == GA_OK) {
        ga__edge_classes classes = {
            s->graph, c.matrices->out.count, c.matrices->in.count, c.out_class, c.in_class, by_out, first
        };
        status = ga__jdm_by_rows(context, &classes, &cells);
    }
    ga__cells_clear(context, &cells);
    ga__counted_clear(context, &c);
    return status;
}

static ga_status starved_read(ga_context *context, void *user)
{
    starved *s = user;
    ga_matrices *m = NULL;
    ga_status status = ga_matrices_read(context, s->jdm, s->dcm, &m);
    ck_assert_int_eq(status != GA_OK, m == NULL);
    ga_matrices_destroy(context, m);
    return status;
}

START_TEST(out_of_memory)
{
    static starved s;
    ga_context *context = plain_context(1);
    make_folder();
    s.graph = skewed_graph(context, 90, 900, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    s.jdm = in_folder("jdm");
    s.dcm = in_folder("dcm");
    for (int i = 0; i < 90; i++) {
        s.labels[i] = i % 3;
    }
    for (int labelled = 0; labelled < 2; labelled++) {
        s.labelled = labelled;
        starve(starved_count, &s);
        starve(starved_read, &s);
    }
    starve(starved_rows, &s);
    ga_graph_destroy(context, s.graph);
    done_with(context);
    remove_folder();
}
END_TEST

static int stop_at_once(void *user)
{
    (void)user;
    return 1;
}

START_TEST(cancelled)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = skewed_graph(context, 300, 2000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_matrices *m = NULL;
    ga_context_set_cancel(context, stop_at_once, NULL);
    ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_CANCELLED);
    ck_assert_ptr_null(m);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("matrices");
    TCase *count = tcase_create("counting"), *files = tcase_create("files"),
          *rest = tcase_create("conditions");
    tcase_set_timeout(count, 120);
    tcase_add_loop_test(count, counts_by_definition, 0, 4);
    tcase_add_test(count, counts_large_degrees);
    tcase_add_loop_test(count, table_and_rows_agree, 0, 3);
    tcase_add_test(count, nodes_by_cell);
    tcase_add_test(count, golden_matrices);
    tcase_add_test(count, out_of_memory);
    tcase_add_test(count, cancelled);
    tcase_add_test(files, written_and_read_back);
    tcase_add_test(files, text_of_files);
    tcase_add_test(files, bad_files);
    tcase_add_test(files, good_files);
    tcase_add_test(rest, violations);
    tcase_add_test(rest, words_of_a_violation);
    tcase_add_test(rest, r_min_of_graphs);
    tcase_add_test(rest, r_min_by_hand);
    suite_add_tcase(suite, count);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, rest);
    return run_suite(suite);
}
