/* check_graph_text.c - reading edge lists: what is accepted, what is refused and how, ids, policies. */
#include "config.h"

#include "check_graph.h"

/* ---- what is accepted ---- */

typedef struct reading {
    const char *text;
    int64_t nodes;
    const char *edges;
    int64_t loops, duplicates;
} reading;

static const reading good[] = {
    { "0 1\n1 2\n", 3, "0>1 1>2", 0, 0 },
    { "0\t1\n1\t2", 3, "0>1 1>2", 0, 0 },
    { "", 0, "", 0, 0 },
    { "\n\n \t\n", 0, "", 0, 0 },
    { "# only\n% comments\n", 0, "", 0, 0 },
    { "0 1\r\n1 2\r\n", 3, "0>1 1>2", 0, 0 },
    { "0 1\r1 2\r", 3, "0>1 1>2", 0, 0 },
    { "0 1\r1 2", 3, "0>1 1>2", 0, 0 },
    { "\xef\xbb\xbf"
      "0 1\n",
      2, "0>1", 0, 0 },
    { "\xef\xbb\xbf# Nodes: 4\n0 1\n", 4, "0>1", 0, 0 },
    { "  0   1  \n\t1 \t 2\t\n", 3, "0>1 1>2", 0, 0 },
    { "0 1 2.5\n1 2 -1e3\n", 3, "0>1 1>2", 0, 0 },
    { "5 7\n7 5\n5 7\n5 5\n5 5\n", 2, "5>7 7>5", 1, 1 },
    { "0 4000000000\n", 2, "0>4000000000", 0, 0 },
    { "9223372036854775807 0\n", 2, "9223372036854775807>0", 0, 0 },
    { "1 2\n9223372036854775807 9223372036854775806\n3 1\n", 5,
      "1>2 3>1 9223372036854775807>9223372036854775806", 0, 0 },
    { "18446744073709551615 5\n5 18446744073709551614\n18446744073709551615 18446744073709551615\n", 3,
      "5>18446744073709551614 18446744073709551615>5", 1, 0 },
    { "0000000000000000000000000000001 2\n", 2, "1>2", 0, 0 },
    { "# Nodes: 3 Edges: 0\n", 3, "", 0, 0 },
    { "# Directed graph: x\n# Nodes: 6 Edges: 1\n# Nodes: 9\n2 3\n", 6, "2>3", 0, 0 },
    { "# nodes 5\n2 3\n", 5, "2>3", 0, 0 },
    { "% Nodes: 5\n2 3\n", 2, "2>3", 0, 0 },
    { "# myNodes: 5\n2 3\n", 2, "2>3", 0, 0 },
    { "# a Nodes:5 Nodes: 7\n2 3\n", 7, "2>3", 0, 0 },
    { "2 3\n# Nodes: 5\n", 2, "2>3", 0, 0 },
    { "7 7\n", 1, "", 1, 0 },
    { "#\n#x\n  # blank before\n1 2\n", 2, "1>2", 0, 0 },
};

static void read_good(int i, int threads, int64_t block, bool from_gzip)
{
    ga_context *context = plain_context(threads);
    ga_graph *graph = NULL;
    ga_read_report report;
    ga_read_options options = GA_READ_OPTIONS_INIT;
    const char *path = text_file("good.txt", good[i].text);
    if (from_gzip) {
        char command[400];
        snprintf(command, sizeof command, "gzip -c '%s' > '%s'", path, in_folder("good.named"));
        ck_assert_int_eq(system(command), 0);
        path = in_folder("good.named");
    }
    ga_status status = ga__graph_read(context, path, &options, block, &graph, &report);
    ck_assert_msg(status == GA_OK, "%d: %s", i, ga_context_error(context));
    ck_assert_msg(ga_graph_nodes(graph) == good[i].nodes, "%d: %lld nodes", i,
                  (long long)ga_graph_nodes(graph));
    ck_assert_str_eq(edges_of(graph), good[i].edges);
    ck_assert_int_eq(report.loops, good[i].loops);
    ck_assert_int_eq(report.duplicates, good[i].duplicates);
    ck_assert_int_eq(report.gzip, from_gzip);
    ck_assert_int_eq(report.format, GA_FORMAT_TEXT);
    ga_graph_destroy(context, graph);
    done_with(context);
}

START_TEST(accepts)
{
    read_good(_i, 1, 0, false);
    read_good(_i, 1, 0, true);
    for (int64_t block = 1; block < 24; block++) { /* lines broken at every place, by both ways of reading */
        read_good(_i, 1, block, false);
    }
    read_good(_i, 3, 5, false);
    read_good(_i, 3, 5, true);
    read_good(_i, 2, 1, true);
}
END_TEST

/* ---- what is refused ---- */

typedef struct refusal {
    const char *text, *message;
    size_t size; /* 0 = strlen */
} refusal;

static const refusal bad[] = {
    { "0 1\n2\n", ":2: column 2: line ends, expected a node id", 0 },
    { "0 1\n\n# x\n-1 2\n", ":4: column 1: found \"-1\", expected a node id", 0 },
    { "0 +1\n", ":1: column 3: found \"+1\"", 0 },
    { "0 18446744073709551616\n", ":1: column 3: found \"18446744073709551616\"", 0 },
    { "0 28446744073709551615\n", ":1: column 3: found \"28446744073709551615\"", 0 },
    { "99999999999999999999999 1\n", ":1: column 1: found", 0 },
    { "1e5 1\n", ":1: column 1: found \"1e5\"", 0 },
    { "0x10 1\n", ":1: column 1: found \"0x10\"", 0 },
    { "0 1.0\n", ":1: column 3: found \"1.0\"", 0 },
    { "0 1\n0\0 2\n", ":2: column 1: found \"0\\x00\"", 9 },
    { "0 \xd9\xa1\n", ":1: column 3: found \"\\xd9\\xa1\"", 0 },
    { "0,1\n", ":1: column 1: found \"0,1\"", 0 },
    { "0 1 2 3\n", ":1: column 7: found \"3\", expected at most 3 columns", 0 },
    { "0 1 x\n", ":1: column 5: found \"x\", expected a weight", 0 },
    { "0 1 1,5\n", ":1: column 5: found \"1,5\"", 0 },
    { "0 1 nan\n", ":1: column 5: found \"nan\", expected a finite weight", 0 },
    { "0 1 -inf\n", ":1: column 5", 0 },
    { "0 1 1e400\n", ":1: column 5", 0 },
    { "0 1\r\n1 2\r\nx\r\n", ":3: column 1", 0 },
    { "0 1\r1 2\rx\r", ":3: column 1", 0 },
};

static void read_bad(int i, int threads, int64_t block)
{
    ga_context *context = plain_context(threads);
    ga_graph *graph = NULL;
    size_t size = bad[i].size ? bad[i].size : strlen(bad[i].text);
    ga_status status =
        ga__graph_read(context, file_of("bad.txt", bad[i].text, size), NULL, block, &graph, NULL);
    ck_assert_int_eq(status, GA_FORMAT);
    ck_assert_msg(strstr(ga_context_error(context), bad[i].message) != NULL, "%d: %s", i,
                  ga_context_error(context));
    ck_assert_ptr_null(graph);
    done_with(context);
}

START_TEST(refuses)
{
    read_bad(_i, 1, 0);
    for (int64_t block = 1; block < 12; block++) {
        read_bad(_i, 2, block);
    }
}
END_TEST

/* The line of the first error is right wherever it is, and however the file is cut. */
START_TEST(names_the_line)
{
    char *text = malloc(400000);
    for (int bad_line = 1; bad_line < 12000; bad_line += 1733) {
        size_t at = 0;
        for (int line = 1; line < 12000;) {
            bool two = line % 50 == 0 && line != bad_line && line + 1 != bad_line;
            at += (size_t)sprintf(text + at, "%s",
                                  line == bad_line ? "12 x\n"
                                  : two            ? "# c\n\n"
                                                   : "12345 678901\n");
            line += two ? 2 : 1;
        }
        ga_context *context = plain_context(3);
        ga_graph *graph = NULL;
        char where[64];
        snprintf(where, sizeof where, "lines.txt:%d: column 4", bad_line);
        ck_assert_int_eq(ga__graph_read(context, file_of("lines.txt", text, at), NULL, 4096, &graph, NULL),
                         GA_FORMAT);
        ck_assert_msg(strstr(ga_context_error(context), where) != NULL, "%s: %s", where,
                      ga_context_error(context));
        done_with(context);
    }
    free(text);
}
END_TEST

START_TEST(long_lines)
{
    size_t size = (5 << 20);
    char *text = malloc(size);
    for (int i = 0; i < 3; i++) {
        ga_context *context = plain_context(2);
        ga_graph *graph = NULL;
        memset(text, i == 0 ? ' ' : '7', size);
        memcpy(text, "0 1\n2 3\n", 8);
        if (i == 2) { /* just short enough */
            memset(text + 8, ' ', GA__LINE_LIMIT);
            memcpy(text + 8, "4 5", 3);
            memcpy(text + 8 + GA__LINE_LIMIT, "\n", 1);
        }
        size_t used = i == 2 ? 9 + (size_t)GA__LINE_LIMIT : size;
        ga_status status = ga_graph_read(context, file_of("long.txt", text, used), NULL, &graph, NULL);
        if (i == 2) {
            ck_assert_int_eq(status, GA_OK);
            ck_assert_str_eq(edges_of(graph), "0>1 2>3 4>5");
        } else {
            ck_assert_int_eq(status, GA_FORMAT);
            ck_assert_ptr_nonnull(
                strstr(ga_context_error(context), "long.txt:3: line longer than 1048576 bytes"));
        }
        ga_graph_destroy(context, graph);
        done_with(context);
    }
    free(text);
}
END_TEST

/* ---- options ---- */

static ga_graph *read_with(ga_context *context, const char *text, const ga_read_options *options,
                           ga_read_report *report)
{
    ga_graph *graph = NULL;
    ga_status status = ga_graph_read(context, text_file("options.txt", text), options, &graph, report);
    ck_assert_msg(status == GA_OK, "%s", ga_context_error(context));
    return graph;
}

static void expect(const char *text, const ga_read_options *options, int64_t nodes, const char *edges,
                   int64_t edge_lines, int64_t loops, int64_t duplicates)
{
    ga_context *context = plain_context(2);
    ga_read_report report;
    ga_graph *graph = read_with(context, text, options, &report);
    ck_assert_int_eq(ga_graph_nodes(graph), nodes);
    ck_assert_str_eq(edges_of(graph), edges);
    ck_assert_int_eq(report.edge_lines, edge_lines);
    ck_assert_int_eq(report.loops, loops);
    ck_assert_int_eq(report.duplicates, duplicates);
    ga_graph_destroy(context, graph);
    done_with(context);
}

static const char mixed[] = "1 0\n0 1\n0 0\n0 1\n2 2\n0 0\n0 1\n3 1\n";

START_TEST(policies)
{
    ga_read_options o = GA_READ_OPTIONS_INIT;
    expect(mixed, &o, 4, "0>1 1>0 3>1", 8, 2, 2);
    o.loops = GA_LOOPS_KEEP;
    expect(mixed, &o, 4, "0>0 0>1 1>0 2>2 3>1", 8, 2, 2);
    o.multi = GA_MULTI_KEEP;
    expect(mixed, &o, 4, "0>0 0>0 0>1 0>1 0>1 1>0 2>2 3>1", 8, 2, 2);
    o.loops = GA_LOOPS_DROP;
    expect(mixed, &o, 4, "0>1 0>1 0>1 1>0 3>1", 8, 2, 2);
    o.multi = GA_MULTI_COLLAPSE;
    o.undirected = true;
    expect("0 1\n1 2\n2 2\n", &o, 3, "0>1 1>0 1>2 2>1", 5, 1, 0);
    expect("0 1\n1 0\n", &o, 2, "0>1 1>0", 4, 0, 2);
}
END_TEST

static void expect_refused(const char *text, const ga_read_options *options, ga_status status,
                           const char *message)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = NULL;
    ck_assert_int_eq(ga_graph_read(context, text_file("options.txt", text), options, &graph, NULL), status);
    ck_assert_msg(strstr(ga_context_error(context), message) != NULL, "%s", ga_context_error(context));
    done_with(context);
}

START_TEST(policies_refuse)
{
    ga_read_options o = GA_READ_OPTIONS_INIT;
    o.loops = GA_LOOPS_ERROR;
    expect_refused("0 1\n8 8\n5 5\n", &o, GA_FORMAT, "edge 5 -> 5 is a loop");
    expect_refused("0 1\n99999999999 99999999999\n5 6\n", &o, GA_FORMAT,
                   "edge 99999999999 -> 99999999999 is a loop");
    expect("0 1\n5 6\n", &o, 4, "0>1 5>6", 2, 0, 0);
    o.loops = GA_LOOPS_DROP;
    o.multi = GA_MULTI_ERROR;
    expect_refused("0 1\n7 8\n3 4\n7 8\n3 4\n", &o, GA_FORMAT, "edge 3 -> 4 stands more than once");
    expect("0 0\n0 0\n1 2\n", &o, 3, "1>2", 3, 1, 0);
    o.max_edges = 2;
    expect_refused("0 1\n1 2\n2 3\n", &o, GA_LIMIT, "--max-edges");
    expect("0 1\n1 2\n", &o, 3, "0>1 1>2", 2, 0, 0);
    o.max_nodes = 2;
    expect_refused("0 1\n1 2\n", &o, GA_LIMIT, "3 nodes are more than --max-nodes 2");
}
END_TEST

START_TEST(node_counts)
{
    ga_read_options o = GA_READ_OPTIONS_INIT;
    o.nodes = 4;
    expect("5 7\n", &o, 4, "5>7", 1, 0, 0);
    expect("# Nodes: 9\n5 7\n", &o, 4, "5>7", 1, 0, 0);
    expect("0 1\n5 70000000000\n", &o, 4, "0>1 5>70000000000", 2, 0, 0);
    o.nodes = 1;
    expect_refused("5 7\n", &o, GA_INVALID, "--nodes 1 is less than the 2 nodes");
    o.nodes = 6; /* the smallest unused integers: 0 1 3 4 */
    ga_context *context = plain_context(1);
    ga_graph *graph = read_with(context, "2 100000000\n", &o, NULL);
    static const uint64_t ids[] = { 0, 1, 2, 3, 4, 100000000 };
    ck_assert_int_eq(memcmp(ga_graph_ids(graph), ids, sizeof ids), 0);
    ck_assert_str_eq(edges_of(graph), "2>100000000");
    ga_graph_destroy(context, graph);
    graph = read_with(context, "2 9\n", &o, NULL);
    static const uint64_t near[] = { 0, 1, 2, 3, 4, 9 };
    ck_assert_int_eq(memcmp(ga_graph_ids(graph), near, sizeof near), 0);
    ga_graph_destroy(context, graph);
    o.nodes = -1;
    graph = read_with(context, "# Nodes: 2\n0 1\n4 1\n", &o, NULL);
    ck_assert_int_eq(ga_graph_nodes(graph), 3);
    ck_assert_ptr_nonnull(strstr(told, "warning"));
    ck_assert_ptr_nonnull(strstr(told, "header says 2 nodes but 3 are named"));
    ga_graph_destroy(context, graph);
    graph = read_with(context, "", &o, NULL);
    ck_assert_ptr_nonnull(strstr(told, "note"));
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(dense_ids)
{
    ga_read_options o = GA_READ_OPTIONS_INIT;
    o.dense_ids = true;
    expect("0 1\n5 2\n", &o, 6, "0>1 5>2", 2, 0, 0);
    expect("# Nodes: 8\n0 1\n5 2\n", &o, 8, "0>1 5>2", 2, 0, 0);
    expect_refused("0 4000000000\n", &o, GA_LIMIT, "node id 4000000000 is beyond --max-nodes 2147483648");
    expect_refused("0 99999999999\n", &o, GA_LIMIT, "--max-nodes");
    o.max_nodes = 5;
    expect_refused("0 1\n5 2\n", &o, GA_LIMIT, "node id 5 is beyond --max-nodes 5");
}
END_TEST

START_TEST(columns_and_weights)
{
    ga_read_options o = GA_READ_OPTIONS_INIT;
    ga_context *context = plain_context(2);
    o.ignore_columns = true;
    expect("0 1 2 x y z\n", &o, 2, "0>1", 1, 0, 0);
    o.ignore_columns = false;
    o.weights = true;
    ga_graph *graph = read_with(context, "1 0 0.25\n0 1 3\n0 1\n0 0 9\n0 1 -0.5\n0 0 4\n", &o, NULL);
    ga_csr out = ga_graph_out(graph);
    ck_assert_int_eq(out.nonzeros, 2);
    ck_assert_float_eq(out.weights[0], 3.5f);
    ck_assert_float_eq(out.weights[1], 0.25f);
    ga_csr in;
    ck_assert_int_eq(ga_graph_in(context, graph, &in), GA_OK);
    ck_assert_float_eq(in.weights[0], 0.25f);
    ck_assert_float_eq(in.weights[1], 3.5f);
    ga_graph_destroy(context, graph);
    o.loops = GA_LOOPS_KEEP;
    graph = read_with(context, "0 0 9\n0 1 -0.5\n0 0 4\n", &o, NULL);
    ck_assert_float_eq(ga_graph_out(graph).weights[0], 13.0f);
    ga_graph_destroy(context, graph);
    o.multi = GA_MULTI_KEEP;
    graph = read_with(context, "0 0 9\n0 1 -0.5\n0 0 4\n", &o, NULL);
    ck_assert_float_eq(ga_graph_out(graph).weights[0], 9.0f);
    ck_assert_float_eq(ga_graph_out(graph).weights[1], 4.0f);
    ck_assert_float_eq(ga_graph_out(graph).weights[2], -0.5f);
    ga_graph_destroy(context, graph);
    expect_refused("0 1 1e39\n", &o, GA_FORMAT, "32-bit floats");
    o.allow_nonfinite = true;
    graph = read_with(context, "0 1 inf\n1 0 nan\n", &o, NULL);
    ck_assert_float_infinite(ga_graph_out(graph).weights[0]);
    ck_assert_float_nan(ga_graph_out(graph).weights[1]);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- larger files: the same result for any cut and any number of threads ---- */

static char *random_text(int lines, uint64_t range, bool weights, size_t *size)
{
    ga__random random = ga__random_at(7, GA__RANDOM_TEST, range);
    char *text = malloc((size_t)lines * 60 + 100);
    size_t at = (size_t)sprintf(text, "# made up\n");
    for (int i = 0; i < lines; i++) {
        unsigned long long a = ga__random_below(&random, range), b = ga__random_below(&random, range);
        unsigned odd = (unsigned)ga__random_below(&random, 200);
        if (odd == 0) {
            at += (size_t)sprintf(text + at, "# %llu\n", a);
        }
        at += odd == 1 ? (size_t)sprintf(text + at, "  %llu %llu", b, a)
                       : (size_t)sprintf(text + at, "%llu\t%llu", a, b);
        if (weights) {
            at += (size_t)sprintf(text + at, " %u.5", odd);
        }
        at += (size_t)sprintf(text + at, odd == 3 ? "\r\n" : "\n");
    }
    *size = at;
    return text;
}

START_TEST(any_cut)
{
    static const uint64_t ranges[] = { 50, 3000, 400000, UINT64_C(6000000000), UINT64_C(1) << 63 };
    uint64_t range = ranges[_i % 5];
    bool weights = _i >= 5;
    size_t size;
    char *text = random_text(30000, range, weights, &size);
    const char *path = file_of("cut.txt", text, size);
    ga_graph *first = NULL;
    ga_read_options o = GA_READ_OPTIONS_INIT;
    ga_context *context = plain_context(1);
    o.weights = weights;
    o.undirected = _i == 1;
    ck_assert_msg(ga_graph_read(context, path, &o, &first, NULL) == GA_OK, "%s", ga_context_error(context));
    static const int threads[] = { 1, 2, 3, 7 };
    static const int64_t blocks[] = { 0, 1000, 4096, 77777 };
    for (int i = 0; i < 16; i++) {
        ga_graph *other = NULL;
        ck_assert_int_eq(ga_context_set_threads(context, threads[i % 4]), GA_OK);
        ck_assert_int_eq(ga__graph_read(context, path, &o, blocks[i / 4], &other, NULL), GA_OK);
        same_graph(first, other);
        ga_graph_destroy(context, other);
    }
    ga_graph_destroy(context, first);
    done_with(context);
    free(text);
}
END_TEST

/* The fast path knows two line ends; a third goes the careful way. */
START_TEST(line_ends)
{
    static const char *const ends[] = { "\n", "\r\n", "\r" };
    ga_context *context = plain_context(2);
    ga_graph *first = NULL;
    char *text = malloc(20000 * 24);
    for (int i = 0; i < 3; i++) {
        ga__random random = ga__random_at(5, GA__RANDOM_TEST, 1);
        ga_graph *graph = NULL;
        size_t at = 0;
        for (int line = 0; line < 20000; line++) {
            unsigned a = (unsigned)ga__random_below(&random, 3000),
                     b = (unsigned)ga__random_below(&random, 3000);
            at += (size_t)sprintf(text + at, "%u\t%u%s", a, line % 1000 ? b : a * 900000, ends[i]);
        }
        ck_assert_int_eq(ga__graph_read(context, file_of("ends.txt", text, at), NULL, 30000, &graph, NULL),
                         GA_OK);
        ck_assert_int_gt(ga_graph_edges(graph), 19000);
        if (first) {
            same_graph(first, graph);
            ga_graph_destroy(context, graph);
        } else {
            first = graph;
        }
    }
    ga_graph_destroy(context, first);
    done_with(context);
    free(text);
}
END_TEST

/* Ascending files take a shorter way; it must come to the same. */
START_TEST(sorted_files)
{
    ga__random random = ga__random_at(9, GA__RANDOM_TEST, 0);
    char *text = malloc(3000000);
    size_t at = 0, begin[2001];
    for (unsigned v = 0; v < 2000; v++) {
        begin[v] = at;
        for (unsigned t = 0; t < 2000; t += (unsigned)ga__random_below(&random, 60)) {
            at += (size_t)sprintf(text + at, "%u %u\n", 3 * v, 3 * t);
        }
    }
    begin[2000] = at;
    char *turned = malloc(at);
    for (size_t v = 2000, to = 0; v-- > 0;) {
        memcpy(turned + to, text + begin[v], begin[v + 1] - begin[v]);
        to += begin[v + 1] - begin[v];
    }
    ga_context *context = plain_context(2);
    for (int keep = 0; keep < 2; keep++) {
        ga_read_options o = GA_READ_OPTIONS_INIT;
        ga_graph *a = NULL, *b = NULL;
        ga_read_report report, other;
        o.loops = keep ? GA_LOOPS_KEEP : GA_LOOPS_DROP;
        o.multi = keep ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE;
        ck_assert_int_eq(ga__graph_read(context, file_of("s.txt", text, at), &o, 10000, &a, &report), GA_OK);
        ck_assert_int_eq(ga__graph_read(context, file_of("t.txt", turned, at), &o, 10000, &b, &other), GA_OK);
        same_graph(a, b);
        ck_assert_int_eq(report.loops, other.loops);
        ck_assert_int_eq(report.duplicates, other.duplicates);
        ck_assert_int_gt(report.duplicates, 1000);
        ck_assert_int_eq(report.edge_lines, other.edge_lines);
        ga_graph_destroy(context, a);
        ga_graph_destroy(context, b);
    }
    done_with(context);
    free(turned);
    free(text);
}
END_TEST

/* Files that ascend but for a few loops and repetitions, across blocks too, under every policy. */
START_TEST(sorted_policies)
{
    static const ga_loops loops[] = { GA_LOOPS_DROP, GA_LOOPS_KEEP, GA_LOOPS_ERROR };
    static const ga_multi multis[] = { GA_MULTI_COLLAPSE, GA_MULTI_KEEP, GA_MULTI_ERROR };
    ga_context *context = plain_context(2);
    char *text = malloc(2000000), *turned = malloc(2000000);
    size_t at = 0, to = 2000000;
    for (unsigned v = 0, line = 0; v < 700; v++) {
        for (unsigned t = v % 50; t < 400; t += 1 + t % 3, line++) {
            for (int again = line % 9000 == 8999 || v == _i * 77u ? 2 : 1; again > 0; again--) {
                unsigned target = t == v && v % 250 != 7 ? 500 : 2 * t + (v % 250 == 7 && t == v ? 0 : 1);
                char buffer[40];
                size_t size = (size_t)sprintf(buffer, "%u %u\n", 2 * v, target);
                memcpy(text + at, buffer, size);
                at += size;
                to -= size;
                memcpy(turned + to, buffer, size);
            }
        }
    }
    const char *up = file_of("up.txt", text, at), *down = file_of("down.txt", turned + to, at);
    for (int i = 0; i < 9; i++) {
        ga_read_options o = GA_READ_OPTIONS_INIT;
        ga_graph *a = NULL, *b = NULL;
        ga_read_report report, other;
        char error[200];
        o.loops = loops[i % 3];
        o.multi = multis[i / 3];
        ga_status status = ga__graph_read(context, up, &o, 5000, &a, &report);
        snprintf(error, sizeof error, "%s", ga_context_error(context));
        ck_assert_int_eq(ga__graph_read(context, down, &o, 5000, &b, &other), status);
        ck_assert_int_eq(status == GA_OK, i % 3 != 2 && i / 3 != 2);
        if (status != GA_OK) {
            ck_assert_str_eq(strstr(error, "edge"), strstr(ga_context_error(context), "edge"));
            continue;
        }
        same_graph(a, b);
        ck_assert_int_eq(report.loops, other.loops);
        ck_assert_int_gt(report.loops, 0);
        ck_assert_int_eq(report.duplicates, other.duplicates);
        ck_assert_int_eq(report.edge_lines, other.edge_lines);
        ga_graph_destroy(context, a);
        ga_graph_destroy(context, b);
    }
    done_with(context);
    free(text);
    free(turned);
}
END_TEST

static ga_status read_fifo(ga_context *context, const char *name, int64_t block_size, ga_graph **graph)
{
    char command[512], fifo[160];
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    snprintf(command, sizeof command, "cat '%s/%s' > '%s' 2>/dev/null &", folder, name, fifo);
    ck_assert_int_eq(system(command), 0);
    ga_status status = ga__graph_read(context, fifo, NULL, block_size, graph, NULL);
    ck_assert_int_eq(unlink(fifo), 0);
    return status;
}

/* A stream is read by whoever has the time, and comes to the same as a file. */
START_TEST(streams)
{
    static const int64_t blocks[] = { 0, 100, 4096, 77777 };
    size_t size;
    char *text = random_text(30000, 3000, false, &size);
    char path[160];
    snprintf(path, sizeof path, "%s", file_of("file.txt", text, size));
    for (int i = 0; i < 8; i++) {
        ga_context *context = plain_context(i % 2 ? 2 : 1);
        ga_graph *first = NULL, *other = NULL;
        ck_assert_int_eq(ga_graph_read(context, path, NULL, &first, NULL), GA_OK);
        ck_assert_int_eq(read_fifo(context, "file.txt", blocks[i / 2], &other), GA_OK);
        same_graph(first, other);
        ga_graph_destroy(context, first);
        ga_graph_destroy(context, other);
        done_with(context);
    }
    memcpy(text + size / 2, "\nx\n", 3);
    snprintf(path, sizeof path, "%s", file_of("bad.txt", text, size));
    for (int i = 0; i < 8; i++) {
        ga_context *context = plain_context(i % 2 ? 2 : 1);
        ga_graph *graph = NULL;
        char error[200];
        ck_assert_int_eq(ga_graph_read(context, path, NULL, &graph, NULL), GA_FORMAT);
        snprintf(error, sizeof error, "%s", strchr(ga_context_error(context), ':'));
        ck_assert_int_eq(read_fifo(context, "bad.txt", blocks[i / 2], &graph), GA_FORMAT);
        ck_assert_str_eq(strchr(ga_context_error(context), ':'), error);
        done_with(context);
    }
    free(text);
}
END_TEST

/* ---- failing ---- */

START_TEST(allocation_failures)
{
    static const uint64_t ranges[] = { 100, 3000, UINT64_C(1) << 62, 3000 };
    size_t size;
    char *text = random_text(3000, ranges[_i], _i == 3, &size);
    const char *path = file_of("alloc.txt", text, size);
    for (int once = 0; once < 2; once++) {
        meter m = { .fail_at = 0, .once = once };
        for (ga_status status = GA_NOMEM; status != GA_OK; m.fail_at++) {
            ga_context *context = metered_context(&m);
            ga_graph *graph = NULL;
            ga_read_report report = { .edge_lines = -77 };
            ga_read_options o = GA_READ_OPTIONS_INIT;
            o.weights = _i == 3;
            m.calls = 0;
            status = ga__graph_read(context, path, &o, 5000, &graph, &report);
            ck_assert(status == GA_OK || status == GA_NOMEM);
            ck_assert((status == GA_OK) == (graph != NULL));
            ck_assert((status == GA_OK) == (report.edge_lines == 3000));
            ga_graph_destroy(context, graph);
            done_with(context);
            ck_assert_int_eq(m.blocks, 0);
            ck_assert_int_lt(m.fail_at, 1000);
        }
        ck_assert_int_gt(m.fail_at, 5);
    }
    free(text);
}
END_TEST

static int64_t asked;
static int stop_soon(void *user)
{
    (void)user;
    return __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED) > 20;
}

START_TEST(cancels)
{
    size_t size;
    char *text = random_text(30000, 1000, false, &size);
    ga_context *context = plain_context(3);
    ga_graph *graph = NULL;
    ga_context_set_cancel(context, stop_soon, NULL);
    ck_assert_int_eq(ga__graph_read(context, file_of("c.txt", text, size), NULL, 1000, &graph, NULL),
                     GA_CANCELLED);
    done_with(context);
    free(text);
}
END_TEST

START_TEST(memory_limit)
{
    size_t size;
    char *text = random_text(30000, 1000, false, &size);
    ga_context *context = plain_context(2);
    ga_graph *graph = NULL;
    ga_context_set_memory_limit(context, 1 << 20);
    ck_assert_int_eq(ga_graph_read(context, file_of("m.txt", text, size), NULL, &graph, NULL), GA_LIMIT);
    done_with(context);
    free(text);
}
END_TEST

START_TEST(foreign_files)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = NULL;
    ck_assert_int_eq(
        ga_graph_read(context, text_file("a.graphml", "<?xml version='1.0'?>\n"), NULL, &graph, NULL),
        GA_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ga_context_error(context), "a.graphml: graphml needs libgraphattn-igraph"));
    ck_assert_int_eq(ga_graph_read(context, text_file("a.dot", "digraph { }\n"), NULL, &graph, NULL),
                     GA_FORMAT);
    ck_assert_ptr_nonnull(strstr(ga_context_error(context), "looks like DOT"));
    ck_assert_int_eq(ga_graph_read(context, in_folder("missing"), NULL, &graph, NULL), GA_IO);
    ck_assert_int_eq(ga_graph_read(context, folder, NULL, &graph, NULL), GA_IO);
    done_with(context);
}
END_TEST

/* ---- golden cases ---- */

static int64_t golden_value(const char *json, const char *name)
{
    char quoted[64];
    const char *values = strstr(json, "\"values\"");
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = values ? strstr(values, quoted) : NULL;
    return at ? atoll(at + strlen(quoted)) : -1;
}

static void golden_case(const char *shared, const char *name)
{
    char path[512], data[512];
    size_t size;
    snprintf(path, sizeof path, "%s/golden/sampling/%s/case.json", shared, name);
    char *json = slurp(path, &size);
    const char *from = strstr(json, "\"graph\": \"") + 10;
    int length = (int)strcspn(from, "\"");
    if (strncmp(from, "data:", 5) == 0) {
        snprintf(data, sizeof data, "%s/data/%.*s", shared, length - 5, from + 5);
    } else {
        snprintf(data, sizeof data, "%s/golden/sampling/%s/%.*s", shared, name, length, from);
    }
    ga_read_options o = GA_READ_OPTIONS_INIT;
    o.loops = strstr(json, "\"loops\": \"keep\"") ? GA_LOOPS_KEEP : GA_LOOPS_DROP;
    o.multi = strstr(json, "\"multi\": \"keep\"") ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE;
    o.undirected = strstr(json, "\"undirected\": true") != NULL;
    const char *params = strstr(json, "\"params\""), *nodes = strstr(params, "\"nodes\":");
    o.nodes = nodes && nodes < strstr(params, "\"inputs\"") ? atoll(nodes + 8) : -1;
    ga_context *context = plain_context(2);
    ga_graph *graph = NULL;
    ga_read_report report;
    ck_assert_msg(ga_graph_read(context, data, &o, &graph, &report) == GA_OK, "%s",
                  ga_context_error(context));
    uint32_t *out = NULL, *in = NULL;
    int64_t isolated = 0;
    ck_assert_int_eq(GA_NEW(context, graph->nodes, &out), GA_OK);
    ck_assert_int_eq(GA_NEW(context, graph->nodes, &in), GA_OK);
    ck_assert_int_eq(ga_graph_degrees(context, graph, out, in), GA_OK);
    for (int64_t v = 0; v < graph->nodes; v++) {
        isolated += out[v] == 0 && in[v] == 0;
    }
    if (golden_value(json, "nodes") >= 0) {
        ck_assert_msg(golden_value(json, "nodes") == graph->nodes, "%s: nodes", name);
        ck_assert_msg(golden_value(json, "edges") == graph->edges, "%s: edges", name);
        ck_assert_msg(golden_value(json, "loops") == report.loops, "%s: loops", name);
        ck_assert_msg(golden_value(json, "duplicates") == report.duplicates, "%s: duplicates", name);
        ck_assert_msg(golden_value(json, "isolated") == isolated, "%s: isolated", name);
    }
    ga_free(context, out);
    ga_free(context, in);
    ga_graph_destroy(context, graph);
    done_with(context);
    free(json);
}

START_TEST(golden)
{
    static const char *const names[] = {
        "complete",        "email-eu-core",   "empty",          "gzip-by-magic",  "heavy",
        "isolated-header", "isolated-option", "labels-3",       "labels-unknown", "loops-drop",
        "loops-keep",      "multi-keep",      "p2p-gnutella08", "random",         "sparse-ids",
        "star-in",         "star-out",        "triangle-tail",  "undirected",
    };
    const char *shared = getenv("GRAPHATTN_SHARED");
    if (!shared) {
        printf("golden cases skipped: GRAPHATTN_SHARED is not set\n");
    }
    char path[512];
    for (size_t i = 0; shared && i < sizeof names / sizeof *names; i++) {
        char name[64];
        snprintf(name, sizeof name, "matrices-%s", names[i]);
        snprintf(path, sizeof path, "%s/golden/sampling/%s/case.json", shared, name);
        if (access(path, R_OK) == 0) {
            golden_case(shared, name);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("edge lists");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 0);
    tcase_add_unchecked_fixture(all, make_folder, remove_folder);
    tcase_add_loop_test(all, accepts, 0, (int)(sizeof good / sizeof *good));
    tcase_add_loop_test(all, refuses, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(all, names_the_line);
    tcase_add_test(all, long_lines);
    tcase_add_test(all, policies);
    tcase_add_test(all, policies_refuse);
    tcase_add_test(all, node_counts);
    tcase_add_test(all, dense_ids);
    tcase_add_test(all, columns_and_weights);
    tcase_add_loop_test(all, any_cut, 0, 10);
    tcase_add_test(all, line_ends);
    tcase_add_test(all, sorted_files);
    tcase_add_loop_test(all, sorted_policies, 1, 4);
    tcase_add_test(all, streams);
    tcase_add_loop_test(all, allocation_failures, 0, 4);
    tcase_add_test(all, cancels);
    tcase_add_test(all, memory_limit);
    tcase_add_test(all, foreign_files);
    tcase_add_test(all, golden);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
