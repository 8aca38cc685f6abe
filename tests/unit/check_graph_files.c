/* check_graph_files.c - Matrix Market, METIS, lists of integers, all formats there and back, and failing. */
#include "config.h"

#include "check_graph_files.h"

#include <errno.h>

/* ---- round trips ---- */

typedef struct trip {
    const char *name;
    shape of;
    bool in_edges;
} trip;

static const trip trips[] = {
    { "a.txt", { 50, 200, false, false, false }, false },
    { "a.txt.gz", { 5000, 60000, true, false, false }, false },
    { "w.txt", { 300, 3000, true, true, false }, false },
    { "a.mtx", { 50, 200, false, false, false }, false },
    { "w.mtx", { 3000, 40000, false, true, false }, false },
    { "a.mtx.gz", { 3000, 40000, false, false, false }, false },
    { "w.mtx.gz", { 300, 4000, false, true, false }, false },
    { "a.graph", { 50, 90, false, false, true }, false },
    { "big.graph", { 4000, 30000, false, false, true }, false },
    { "a.graph.gz", { 400, 3000, false, false, true }, false },
    { "a.sg", { 50, 200, false, false, false }, false },
    { "big.sg", { 6000, 70000, false, false, false }, false },
    { "a.sg.gz", { 600, 7000, false, false, false }, false },
    { "a.gab", { 50, 200, false, false, false }, false },
    { "b.gab", { 6000, 200000, true, true, false }, true },
    { "c.gab.gz", { 600, 7000, true, false, false }, true },
    { "d.gab.gz", { 600, 7000, false, true, false }, false },
    { "none.txt", { 7, 0, false, false, false }, false },
    { "none.mtx", { 7, 0, false, false, false }, false },
    { "none.graph", { 7, 0, false, false, false }, false },
    { "none.sg", { 7, 0, false, false, false }, false },
    { "none.gab", { 7, 0, true, true, false }, true },
    { "empty.sg", { 0, 0, false, false, false }, false },
    { "empty.gab", { 0, 0, false, false, false }, true },
    { "empty.mtx", { 0, 0, false, false, false }, false },
    { "empty.graph", { 0, 0, false, false, false }, false },
    { "empty.txt", { 0, 0, false, false, false }, false },
    { "one.gab", { 1, 0, true, false, false }, true },
};

START_TEST(round_trips)
{
    const trip *t = &trips[_i];
    for (int threads = 1; threads <= 3; threads++) {
        ga_context *context = plain_context(threads);
        ga_graph *graph = random_graph(context, &t->of, (uint64_t)_i);
        const char *path = in_folder(t->name);
        write_file(context, graph, path, t->in_edges);
        ga_graph *back = read_file(context, path, t->of.weights);
        same_graph(graph, back);
        ga_csr in, back_in;
        ck_assert_int_eq(ga_graph_in(context, graph, &in), GA_OK);
        ck_assert_int_eq(ga_graph_in(context, back, &back_in), GA_OK);
        ck_assert_int_eq(memcmp(in.offsets, back_in.offsets, (size_t)(in.rows + 1) * 8), 0);
        ck_assert_int_eq(memcmp(in.targets, back_in.targets, (size_t)in.nonzeros * 4), 0);
        ck_assert(!in.weights || memcmp(in.weights, back_in.weights, (size_t)in.nonzeros * 4) == 0);
        ga_graph_destroy(context, back);
        ga_graph_destroy(context, graph);
        done_with(context);
    }
}
END_TEST

START_TEST(writes_the_same_bytes)
{
    static const char *const names[] = { "x.txt", "x.mtx", "x.sg", "x.gab" };
    const shape s = { 3000, 200000, false, true, false };
    for (size_t i = 0; i < 4; i++) {
        char *first = NULL;
        size_t size = 0, other_size;
        for (int threads = 1; threads <= 4; threads += 3) {
            ga_context *context = plain_context(threads);
            ga_graph *graph = random_graph(context, &s, 5);
            write_file(context, graph, in_folder(names[i]), true);
            char *bytes = slurp(in_folder(names[i]), &other_size);
            if (!first) {
                first = bytes;
                size = other_size;
            } else {
                ck_assert_uint_eq(size, other_size);
                ck_assert_int_eq(memcmp(first, bytes, size), 0);
                free(bytes);
            }
            ga_graph_destroy(context, graph);
            done_with(context);
        }
        free(first);
    }
}
END_TEST

START_TEST(lost_in_translation)
{
    ga_context *context = plain_context(2);
    const shape s = { 9, 30, true, true, false };
    ga_graph *graph = random_graph(context, &s, 1);
    write_file(context, graph, in_folder("lost.sg"), false);
    ck_assert_ptr_nonnull(strstr(told, "has no weights"));
    told[0] = '\0';
    write_file(context, graph, in_folder("lost.mtx"), false);
    ck_assert_ptr_nonnull(strstr(told, "has no node ids"));
    ck_assert_int_eq(ga_graph_write(context, graph, in_folder("lost.graph"), NULL), GA_INVALID);
    ck_assert_ptr_nonnull(strstr(ga_context_error(context), "has no reverse"));
    ck_assert_int_ne(access(in_folder("lost.graph"), F_OK), 0);
    ga_graph_destroy(context, graph);

    static const uint64_t ids[] = { 3, 50, 60 }; /* 50 has no edge */
    static const uint32_t from[] = { 0 }, to[] = { 2 };
    ck_assert_int_eq(
        ga_graph_from_edges(context, 3, 1, from, to, ids, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &graph), GA_OK);
    told[0] = '\0';
    write_file(context, graph, in_folder("lost.txt"), false);
    ck_assert_ptr_nonnull(strstr(told, "isolated node 50"));
    ga_graph_destroy(context, graph);
    graph = read_file(context, in_folder("lost.txt"), false);
    ck_assert_int_eq(ga_graph_nodes(graph), 3);
    ck_assert_str_eq(edges_of(graph), "3>60");
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- refusals of texts ---- */

typedef struct refusal {
    const char *name, *text, *message;
    ga_status status;
} refusal;

#define MM "%%MatrixMarket matrix coordinate "
static const refusal bad[] = {
    { "e.mtx", "", ":1: expected the line %%MatrixMarket", GA_FORMAT },
    { "e.mtx", "%%MatrixMarket\n", ":1: expected the line %%MatrixMarket", GA_FORMAT },
    { "e.mtx", "%%MatrixMarket vector coordinate real general\n", "vector is not supported", GA_UNSUPPORTED },
    { "e.mtx", "%%MatrixMarket matrix array real general\n2 2\n1\n", "array is not supported",
      GA_UNSUPPORTED },
    { "e.mtx", MM "complex general\n1 1 0\n", "complex is not supported", GA_UNSUPPORTED },
    { "e.mtx", MM "real skew-symmetric\n1 1 0\n", "skew-symmetric is not supported", GA_UNSUPPORTED },
    { "e.mtx", MM "pattern hermitian\n1 1 0\n", "hermitian is not supported", GA_UNSUPPORTED },
    { "e.mtx", MM "pattern general\n", ":2: expected rows, columns", GA_FORMAT },
    { "e.mtx", MM "pattern general\n2 2\n", ":2: expected rows, columns", GA_FORMAT },
    { "e.mtx", MM "pattern general\n2 2 x\n", ":2: expected rows, columns", GA_FORMAT },
    { "e.mtx", MM "pattern general\n% c\n\n2 3 1\n1 1\n", ":4: 2 rows and 3 columns", GA_FORMAT },
    { "e.mtx", MM "pattern general\n2 2 -1\n", ":2: expected rows, columns", GA_FORMAT },
    { "e.mtx", MM "pattern general\n2 2 99999999999999999999\n", ":2: expected rows, columns", GA_FORMAT },
    { "e.mtx", MM "pattern general\n3000000000 3000000000 1\n1 2\n", "--max-nodes", GA_LIMIT },
    { "e.mtx", MM "pattern general\n3 3 2\n1 2\n", ":3: 1 entries, the header says 2", GA_FORMAT },
    { "e.mtx", MM "pattern general\n3 3 1\n1 2\n2 3\n", ":4: 2 entries, the header says 1", GA_FORMAT },
    { "e.mtx", MM "pattern general\n3 3 2\n1 2\n0 3\n", ":4: column 1: index 0 in a 1-based file",
      GA_FORMAT },
    { "e.mtx", MM "pattern general\n3 3 1\n1 4\n", ":3: column 3: index 4 in a matrix of 3 rows", GA_FORMAT },
    { "e.mtx", MM "pattern general\n3 3 1\n1 2 3\n", ":3: column 5: found \"3\", expected the end",
      GA_FORMAT },
    { "e.mtx", MM "pattern general\n3 3 1\n1\n", ":3: column 2: line ends, expected an index", GA_FORMAT },
    { "e.mtx", MM "real general\n3 3 1\n1 2\n", ":3: column 4: line ends, expected a value", GA_FORMAT },
    { "e.mtx", MM "real general\n3 3 1\n1 2 1,5\n", ":3: column 5: found \"1,5\"", GA_FORMAT },
    { "e.mtx", MM "real general\n3 3 1\n1 2 inf\n", ":3: column 5: found \"inf\", expected a finite",
      GA_FORMAT },
    { "e.mtx", MM "real symmetric\n3 3 2\n2 1 1\n1 2 1\n", ":4: entry above the diagonal", GA_FORMAT },
    { "e.mtx", MM "real general\n3 3 1\n1 2 1 1\n", ":3: column 7: found \"1\", expected the end",
      GA_FORMAT },
    { "e.mtx", MM "pattern general\n3 3 1\n# 1 2\n", ":3: column 1: found \"#\"", GA_FORMAT },

    { "e.graph", "", ":1: expected the header", GA_FORMAT },
    { "e.graph", "%x\n", ":2: expected the header", GA_FORMAT },
    { "e.graph", "3\n", ":1: expected the header", GA_FORMAT },
    { "e.graph", "3 1 2\n", ":1: expected the header", GA_FORMAT },
    { "e.graph", "3 1 1000\n", ":1: expected the header", GA_FORMAT },
    { "e.graph", "3 1 11 1 1\n", ":1: expected the header", GA_FORMAT },
    { "e.graph", "3 x\n", ":1: found \"x\", expected a number", GA_FORMAT },
    { "e.graph", "3 99999999999999999999\n", ":1: a number beyond 2^63 - 1", GA_FORMAT },
    { "e.graph", "9999999999 1\n", "--max-nodes", GA_LIMIT },
    { "e.graph", "3 1\n2\n1\n", ": lines for 2 nodes, the header says 3", GA_FORMAT },
    { "e.graph", "2 1\n2\n1\n1\n", ":4: a line after those of all 2 nodes", GA_FORMAT },
    { "e.graph", "3 1\n2\n4\n\n", ":3: node 2 has neighbour 4, expected 1 to 3", GA_FORMAT },
    { "e.graph", "3 1\n2\n0\n\n", ":3: node 2 has neighbour 0, expected 1 to 3", GA_FORMAT },
    { "e.graph", "3 1\n2\n\n2\n", "node 1 lists neighbour 2, which does not list it", GA_FORMAT },
    { "e.graph", "3 1\n\n3\n1\n", "node 3 lists neighbour 1, which does not list it", GA_FORMAT },
    { "e.graph", "3 2\n2\n1\n\n", ": 2 entries for 2 edges, expected 4", GA_FORMAT },
    { "e.graph", "2 1 001\n2 5\n1\n", ":3: a neighbour without its edge weight", GA_FORMAT },
    { "e.graph", "2 1 010 2\n7 8 2\n7\n", ":3: node 2 has 1 of 2 sizes and weights", GA_FORMAT },
    { "e.graph", "2 1\n2\n-1\n", ":3: found \"-\", expected a number", GA_FORMAT },
    { "e.graph", "2 1\n2.0\n1\n", ":2: found \".\", expected a number", GA_FORMAT },
};

START_TEST(refuses_texts)
{
    const refusal *r = &bad[_i];
    char zipped[64];
    expect_refusal(text_file(r->name, r->text), r->status, r->message, 2);
    snprintf(zipped, sizeof zipped, "%s.gz", r->name);
    expect_refusal(gzipped(zipped, r->text, strlen(r->text)), r->status, r->message, 1);
}
END_TEST

/* ---- texts that are right ---- */

typedef struct good_text {
    const char *name, *text;
    int64_t nodes;
    const char *edges;
    int64_t loops, duplicates;
} good_text;

static const good_text good[] = {
    { "g.mtx", MM "pattern general\n%c\n3 3 2\n1 2\n3 1\n", 3, "0>1 2>0", 0, 0 },
    { "g.mtx", "%%matrixmarket MATRIX Coordinate Pattern General\r\n%c\r\n\r\n3 3 2\r\n1 2\r\n3 1", 3,
      "0>1 2>0", 0, 0 },
    { "g.mtx", MM "integer symmetric\n4 4 3\n2 1 5\n3 3 1\n3 2 1\n", 4, "0>1 1>0 1>2 2>1", 1, 0 },
    { "g.mtx", MM "real general\n3 3 3\n1 2 1e-3\n1 2 0\n% mid\n\n2 1 -5\n", 3, "0>1 1>0", 0, 1 },
    { "g.mtx", MM "pattern general\n0 0 0\n", 0, "", 0, 0 },
    { "guessed", MM "pattern general\n2 2 1\n2 1\n", 2, "1>0", 0, 0 },
    { "g.graph", "3 2\n2\n1 3\n2\n", 3, "0>1 1>0 1>2 2>1", 0, 0 },
    { "g.graph", "%c\n3 1\n2 \n%c\n 1\n\n", 3, "0>1 1>0", 0, 0 },
    { "g.graph", "3 1\r\n2\r\n1\r\n\r\n", 3, "0>1 1>0", 0, 0 },
    { "g.graph", "3 1 1\n2 7\n1 7\n\n\n\n", 3, "0>1 1>0", 0, 0 },
    { "g.graph", "2 1 111 2\n9 9 9 2 5\n9 9 9 1 5\n", 2, "0>1 1>0", 0, 0 },
    { "g.graph", "2 1 100\n9 2\n9 1", 2, "0>1 1>0", 0, 0 },
};

START_TEST(accepts_texts)
{
    const good_text *g = &good[_i];
    for (int zipped = 0; zipped < 2; zipped++) {
        ga_context *context = plain_context(2);
        ga_graph *graph = NULL;
        ga_read_report report;
        char name[64];
        snprintf(name, sizeof name, "%s%s", g->name, zipped ? ".gz" : "");
        const char *path = zipped ? gzipped(name, g->text, strlen(g->text)) : text_file(name, g->text);
        ga_status status = ga_graph_read(context, path, NULL, &graph, &report);
        ck_assert_msg(status == GA_OK, "%d: %s", _i, ga_context_error(context));
        ck_assert_int_eq(ga_graph_nodes(graph), g->nodes);
        ck_assert_str_eq(edges_of(graph), g->edges);
        ck_assert_int_eq(report.loops, g->loops);
        ck_assert_int_eq(report.duplicates, g->duplicates);
        ck_assert_int_eq(report.declared_nodes, g->nodes);
        ga_graph_destroy(context, graph);
        done_with(context);
    }
}
END_TEST

START_TEST(file_options)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = NULL;
    ga_read_report report;
    ga_read_options o = GA_READ_OPTIONS_INIT;
    const char *path = text_file("o.mtx", MM "real general\n3 3 4\n1 2 1\n1 2 2\n2 2 7\n3 1 1\n");
    o.undirected = true;
    o.weights = true;
    ck_assert_int_eq(ga_graph_read(context, path, &o, &graph, &report), GA_OK);
    ck_assert_str_eq(edges_of(graph), "0>1 0>2 1>0 2>0");
    ck_assert_float_eq(ga_graph_out(graph).weights[0], 3.0f);
    ck_assert_int_eq(report.loops, 1);
    ck_assert_int_eq(report.duplicates, 2);
    ga_graph_destroy(context, graph);
    o = (ga_read_options)GA_READ_OPTIONS_INIT;
    o.nodes = 5;
    ck_assert_int_eq(ga_graph_read(context, path, &o, &graph, NULL), GA_OK);
    ck_assert_int_eq(ga_graph_nodes(graph), 5);
    ga_graph_destroy(context, graph);
    graph = NULL;
    o.nodes = 2;
    ck_assert_int_eq(ga_graph_read(context, path, &o, &graph, NULL), GA_INVALID);
    o.nodes = -1;
    o.max_edges = 3;
    ck_assert_int_eq(ga_graph_read(context, path, &o, &graph, NULL), GA_LIMIT);
    o.max_edges = 0;
    o.loops = GA_LOOPS_ERROR;
    ck_assert_int_eq(ga_graph_read(context, path, &o, &graph, NULL), GA_FORMAT);
    ck_assert_ptr_nonnull(strstr(ga_context_error(context), "edge 1 -> 1 is a loop"));
    done_with(context);
}
END_TEST

/* A graph that is open stays whole when a new file takes its file's place, and writing over it must be wanted. */
START_TEST(same_file)
{
    static const char *const names[] = { "same.txt", "same.gab", "same.mtx", "same.sg" };
    ga_context *context = plain_context(2);
    const shape s = { 100, 800, false, false, false };
    for (int i = 0; i < 4; i++) {
        ga_graph *graph = random_graph(context, &s, 4);
        const char *path = in_folder(names[i]);
        write_file(context, graph, path, false);
        ga_graph *open = read_file(context, path, false);
        ga_write_options o = GA_WRITE_OPTIONS_INIT;
        char link_path[200];
        snprintf(link_path, sizeof link_path, "%s/link%d%s", folder, i, strrchr(path, '.'));
        ck_assert_int_eq(link(path, link_path), 0);
        ck_assert_int_eq(ga_graph_write(context, open, path, &o), GA_INVALID);
        ck_assert_ptr_nonnull(strstr(ga_context_error(context), "--in-place"));
        ck_assert_int_eq(ga_graph_write(context, open, link_path, &o), GA_INVALID);
        o.in_place = true;
        ck_assert_int_eq(ga_graph_write(context, open, path, &o), GA_OK);
        same_graph(graph, open);
        ga_graph *again = read_file(context, path, false);
        same_graph(graph, again);
        ga_graph_destroy(context, again);
        ga_graph_destroy(context, open);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* ---- gzip ---- */

START_TEST(gzip_faults)
{
    static const char text[] = "0 1\n1 2\n2 3\n3 0\n";
    size_t size;
    char *data = slurp(gzipped("z", text, sizeof text - 1), &size);
    unsigned char *copy = malloc(3 * size + 100);
    for (size_t cut = 3; cut < size; cut++) { /* two bytes are the magic number */
        expect_refusal(file_of("z.cut", data, cut), cut < size ? GA_FORMAT : GA_OK, "z.cut", 1);
    }
    for (size_t at = size - 8; at < size; at++) {
        memcpy(copy, data, size);
        copy[at] ^= 1;
        expect_refusal(file_of("z.crc", copy, size), GA_FORMAT, "z.crc", 2);
    }
    ga_context *context = plain_context(2);
    ga_graph *graph = NULL;
    size_t empty_size;
    char *empty = slurp(gzipped("ze", "", 0), &empty_size);
    memcpy(copy, data, size);
    memcpy(copy + size, empty, empty_size);
    memcpy(copy + size + empty_size, data, size);
    ga_read_report report;
    ga_read_options o = GA_READ_OPTIONS_INIT;
    ck_assert_int_eq(
        ga_graph_read(context, file_of("z.members", copy, 2 * size + empty_size), &o, &graph, &report),
        GA_OK);
    ck_assert_int_eq(report.edge_lines, 8);
    ck_assert_int_eq(report.duplicates, 4);
    ck_assert(report.gzip);
    ga_graph_destroy(context, graph);
    graph = NULL;
    memcpy(copy + size, "garbage!", 8);
    told[0] = '\0';
    ck_assert_int_eq(ga_graph_read(context, file_of("z.garbage", copy, size + 8), &o, &graph, NULL), GA_OK);
    ck_assert_ptr_nonnull(strstr(told, "warning"));
    ga_graph_destroy(context, graph);
    graph = NULL;
    o.strict = true;
    ck_assert_int_eq(ga_graph_read(context, in_folder("z.garbage"), &o, &graph, NULL), GA_FORMAT);
    ck_assert_ptr_null(graph);
    done_with(context);
    free(empty);
    char *twice = slurp(gzipped("zz", data, size), &empty_size);
    expect_refusal(file_of("zz", twice, empty_size), GA_UNSUPPORTED, "gzip", 1);
    expect_refusal(file_of("zx",
                           "\xfd"
                           "7zXZ\0abc",
                           9),
                   GA_UNSUPPORTED, "xz", 1);
    free(twice);
    free(copy);
    free(data);
}
END_TEST

/* ---- integers ---- */

START_TEST(integers)
{
    ga_context *context = plain_context(1);
    int64_t *values = NULL, count = -1;
    static const char text[] =
        "\xef\xbb\xbf# labels\n-1\n\n 7 \r\n+3\n9223372036854775807\n-9223372036854775808\n% x\n0";
    static const int64_t wanted[] = { -1, 7, 3, INT64_MAX, INT64_MIN, 0 };
    ck_assert_int_eq(ga_integers_read(context, text_file("i.txt", text), &values, &count), GA_OK);
    ck_assert_int_eq(count, 6);
    ck_assert_int_eq(memcmp(values, wanted, sizeof wanted), 0);
    ck_assert_int_eq(ga_integers_write(context, in_folder("i2.txt.gz"), values, count), GA_OK);
    ga_free(context, values);
    values = NULL;
    ck_assert_int_eq(ga_integers_read(context, in_folder("i2.txt.gz"), &values, &count), GA_OK);
    ck_assert_int_eq(count, 6);
    ck_assert_int_eq(memcmp(values, wanted, sizeof wanted), 0);
    ga_free(context, values);
    values = NULL;
    ck_assert_int_eq(ga_integers_read(context, text_file("i3.txt", "# none\n"), &values, &count), GA_OK);
    ck_assert_int_eq(count, 0);
    ck_assert_ptr_nonnull(values);
    ga_free(context, values);
    static const char *const junk[] = { "1\n2 3\n",
                                        "1\n1.0\n",
                                        "1\n9223372036854775808\n",
                                        "1\n-9223372036854775809\n",
                                        "1\n-\n",
                                        "1\n0x1\n",
                                        "1\nnan\n",
                                        "1\n--1\n",
                                        "1\n1e3" };
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        values = NULL;
        count = -5;
        ck_assert_int_eq(ga_integers_read(context, text_file("junk.txt", junk[i]), &values, &count),
                         GA_FORMAT);
        ck_assert_msg(strstr(ga_context_error(context), "junk.txt:2: found") != NULL, "%s",
                      ga_context_error(context));
        ck_assert_ptr_null(values);
        ck_assert_int_eq(count, -5);
    }
    done_with(context);
}
END_TEST

/* ---- failing ---- */

static const char *const failing[] = { "x.txt", "x.mtx", "x.graph", "x.sg", "x.gab", "x.gab.gz", "x.txt.gz" };

START_TEST(allocation_failures)
{
    const char *path = in_folder(failing[_i]);
    const shape s = { 60, 300, false, true, true };
    for (int once = 0; once < 2; once++) {
        meter m = { .fail_at = -1, .once = once };
        ga_context *whole = metered_context(&m);
        ga_graph *graph = random_graph(whole, &s, 2);
        ga_status status = GA_NOMEM;
        ga_write_options w = GA_WRITE_OPTIONS_INIT;
        w.in_edges = true;
        for (int64_t k = 0; status != GA_OK; k++) {
            (void)unlink(path);
            m.fail_at = m.calls + k;
            status = ga_graph_write(whole, graph, path, &w);
            ck_assert_msg(status == GA_OK || status == GA_NOMEM, "%s", ga_context_error(whole));
            ck_assert((status == GA_OK) == (access(path, F_OK) == 0));
            ck_assert_int_lt(k, 1000);
        }
        m.fail_at = -1;
        ga_graph_destroy(whole, graph);
        done_with(whole);
        ck_assert_int_eq(m.blocks, 0);
        status = GA_NOMEM;
        for (int64_t k = 0; status != GA_OK; k++) {
            ga_context *context = metered_context(&m);
            graph = NULL;
            ga_read_options o = GA_READ_OPTIONS_INIT;
            o.weights = true;
            o.nodes = 61;
            m.calls = 0;
            m.fail_at = k;
            status = ga_graph_read(context, path, &o, &graph, NULL);
            ck_assert(status == GA_OK || status == GA_NOMEM);
            ck_assert((status == GA_OK) == (graph != NULL));
            ga_graph_destroy(context, graph);
            done_with(context);
            ck_assert_int_eq(m.blocks, 0);
            ck_assert_int_lt(k, 1000);
        }
    }
}
END_TEST

static long long no_space(void *user, int fd, const void *buffer, size_t size)
{
    (void)user;
    (void)fd;
    (void)buffer;
    (void)size;
    errno = ENOSPC;
    return -1;
}

static int temporaries(void)
{
    char command[200], text[32] = "";
    snprintf(command, sizeof command, "ls -A '%s' | grep -c tmp-", folder);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, pipe));
    (void)pclose(pipe);
    return atoi(text);
}

START_TEST(full_disk)
{
    ga_context *context = NULL;
    ga_hooks hooks = { .write = no_space };
    const char *path = in_folder(failing[_i]);
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    ck_assert_int_eq(ga_context_set_hooks(context, &hooks), GA_OK);
    const shape s = { 60, 300, false, false, true };
    ga_graph *graph = random_graph(context, &s, 2);
    (void)text_file(failing[_i], "old");
    ck_assert_int_eq(ga_graph_write(context, graph, path, NULL), GA_IO);
    ck_assert_ptr_nonnull(strstr(ga_context_error(context), "No space left"));
    size_t size;
    char *old = slurp(path, &size);
    ck_assert_str_eq(old, "old");
    free(old);
    ck_assert_int_eq(temporaries(), 0);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(formats)
{
    static const char *const names[] = { "auto", "snap", "mtx", "metis", "sg", "gab" };
    ga_format format = GA_FORMAT_AUTO;
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(ga_format_from_name(names[i], &format), GA_OK);
        ck_assert_int_eq(format, i);
        ck_assert_str_eq(ga_format_name(format), names[i]);
    }
    ck_assert_int_eq(ga_format_from_name("xyz", &format), GA_INVALID);
    ck_assert_int_eq(ga__format_of_suffix("a.b/c"), GA_FORMAT_AUTO);
    ck_assert_int_eq(ga__format_of_suffix("c.MTX.gz"), GA_FORMAT_MTX);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

int main(void)
{
    Suite *suite = suite_create("graph files");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 0);
    tcase_add_unchecked_fixture(all, make_folder, remove_folder);
    tcase_add_loop_test(all, round_trips, 0, COUNT(trips));
    tcase_add_test(all, writes_the_same_bytes);
    tcase_add_test(all, lost_in_translation);
    tcase_add_loop_test(all, refuses_texts, 0, COUNT(bad));
    tcase_add_loop_test(all, accepts_texts, 0, COUNT(good));
    tcase_add_test(all, file_options);
    tcase_add_test(all, same_file);
    tcase_add_test(all, gzip_faults);
    tcase_add_test(all, integers);
    tcase_add_loop_test(all, allocation_failures, 0, COUNT(failing));
    tcase_add_loop_test(all, full_disk, 0, COUNT(failing));
    tcase_add_test(all, formats);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
