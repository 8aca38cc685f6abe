/* check_graph_binary.c - .sg and .gab: what is accepted, what is refused and how, whatever bytes are changed. */
#include "config.h"

#include "check_graph_files.h"

#include "graph/gab.h"

/* What a binary file holds obeys the policies too, and takes more nodes. */
START_TEST(binary_options)
{
    static const char text[] = "7 9\n9 7\n9 9\n7 9\n100 7\n";
    static const char *const names[] = { "p.gab", "p.sg" };
    ga_context *context = plain_context(2);
    for (int i = 0; i < 2; i++) {
        ga_graph *graph = NULL, *back = NULL;
        ga_read_report report;
        ga_read_options o = GA_READ_OPTIONS_INIT;
        o.loops = GA_LOOPS_KEEP;
        o.multi = GA_MULTI_KEEP;
        ck_assert_int_eq(ga_graph_read(context, text_file("p.txt", text), &o, &graph, NULL), GA_OK);
        const char *path = in_folder(names[i]);
        write_file(context, graph, path, true);
        ck_assert_int_eq(ga_graph_read(context, path, &o, &back, &report), GA_OK);
        ck_assert_str_eq(edges_of(back), i == 0 ? "7>9 7>9 9>7 9>9 100>7" : "0>1 0>1 1>0 1>1 2>0");
        ck_assert_int_eq(report.duplicates, 1);
        ck_assert_int_eq(report.loops, 1);
        ga_graph_destroy(context, back);
        o = (ga_read_options)GA_READ_OPTIONS_INIT;
        o.nodes = 8;
        ck_assert_int_eq(ga_graph_read(context, path, &o, &back, &report), GA_OK);
        ck_assert_str_eq(edges_of(back), i == 0 ? "7>9 9>7 100>7" : "0>1 1>0 2>0");
        ck_assert_int_eq(ga_graph_nodes(back), 8);
        if (i == 0) {
            static const uint64_t ids[] = { 0, 1, 2, 3, 4, 7, 9, 100 };
            ck_assert_int_eq(memcmp(ga_graph_ids(back), ids, sizeof ids), 0);
        }
        ga_graph_destroy(context, back);
        back = NULL;
        o.nodes = 2;
        ck_assert_int_eq(ga_graph_read(context, path, &o, &back, NULL), GA_INVALID);
        o.nodes = -1;
        o.multi = GA_MULTI_ERROR;
        ck_assert_int_eq(ga_graph_read(context, path, &o, &back, NULL), GA_FORMAT);
        ck_assert_ptr_nonnull(strstr(ga_context_error(context), "stands more than once"));
        o.multi = GA_MULTI_COLLAPSE;
        o.max_nodes = 2;
        ck_assert_int_eq(ga_graph_read(context, path, &o, &back, NULL), GA_LIMIT);
        o.max_nodes = 3;
        o.max_edges = 2;
        ck_assert_int_eq(ga_graph_read(context, path, &o, &back, NULL), GA_LIMIT);
        ck_assert_ptr_null(back);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* ---- .sg ---- */

typedef struct sg_bytes {
    unsigned char data[512];
    size_t size;
} sg_bytes;

static void put_word(sg_bytes *b, int64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        b->data[b->size++] = (unsigned char)((uint64_t)value >> 8 * i);
    }
}

/* 0 -> 1, 0 -> 2, 2 -> 1 */
static sg_bytes small_sg(void)
{
    static const int64_t out[] = { 0, 2, 2, 3 }, in[] = { 0, 0, 2, 3 };
    static const int targets[] = { 1, 2, 1 }, sources[] = { 0, 2, 0 };
    sg_bytes b = { .size = 0 };
    put_word(&b, 1, 1);
    put_word(&b, 3, 8);
    put_word(&b, 3, 8);
    for (int i = 0; i < 4; i++) {
        put_word(&b, out[i], 8);
    }
    for (int i = 0; i < 3; i++) {
        put_word(&b, targets[i], 4);
    }
    for (int i = 0; i < 4; i++) {
        put_word(&b, in[i], 8);
    }
    for (int i = 0; i < 3; i++) {
        put_word(&b, sources[i], 4);
    }
    return b;
}

static void put_at(sg_bytes *b, size_t at, int64_t value, int bytes)
{
    size_t size = b->size;
    b->size = at;
    put_word(b, value, bytes);
    b->size = size;
}

static void refuse_sg(const sg_bytes *b, ga_status status, const char *message)
{
    expect_refusal(file_of("e.sg", b->data, b->size), status, message, 2);
}

START_TEST(sg_refusals)
{
    sg_bytes b = small_sg();
    ga_context *context = plain_context(1);
    ga_graph *graph = read_file(context, file_of("e.sg", b.data, b.size), false);
    ck_assert_str_eq(edges_of(graph), "0>1 0>2 2>1");
    ga_graph_destroy(context, graph);
    graph = read_file(context, file_of("no-suffix", b.data, b.size), false); /* no text starts so */
    ga_graph_destroy(context, graph);
    done_with(context);
    for (size_t size = 0; size < b.size; size++) {
        sg_bytes shorter = small_sg();
        shorter.size = size;
        refuse_sg(&shorter, GA_FORMAT, "bytes");
        expect_refusal(gzipped("e.sg.gz", b.data, size), GA_FORMAT, "byte", 1);
    }
    b.data[b.size++] = 0;
    refuse_sg(&b, GA_FORMAT, "need");
    expect_refusal(gzipped("e.sg.gz", b.data, b.size), GA_FORMAT, "more bytes than", 1);
    b = small_sg();
    put_at(&b, 0, 2, 1);
    refuse_sg(&b, GA_FORMAT, "byte 0: found 2, expected 0 or 1");
    b = small_sg();
    put_at(&b, 1, -3, 8);
    refuse_sg(&b, GA_FORMAT, "-3 edges");
    b = small_sg();
    put_at(&b, 9, INT64_MIN, 8);
    refuse_sg(&b, GA_FORMAT, "nodes");
    b = small_sg();
    put_at(&b, 1, INT64_C(1) << 62, 8);
    refuse_sg(&b, GA_FORMAT, "more than a file can hold");
    b = small_sg();
    put_at(&b, 9, INT64_C(1) << 33, 8);
    refuse_sg(&b, GA_LIMIT, "--max-nodes");
    b = small_sg();
    put_at(&b, 1, INT64_C(1) << 30, 8);
    refuse_sg(&b, GA_FORMAT, "nodes and");
    expect_refusal(gzipped("e.sg.gz", b.data, b.size), GA_FORMAT, "offsets do not ascend", 1);
    b = small_sg();
    put_at(&b, 17 + 8, 4, 8);
    refuse_sg(&b, GA_FORMAT, "byte 25: offsets do not ascend from 0 to 3");
    b = small_sg();
    put_at(&b, 17 + 8, -1, 8);
    refuse_sg(&b, GA_FORMAT, "offsets do not ascend");
    b = small_sg();
    put_at(&b, 17 + 32 + 4, 3, 4);
    refuse_sg(&b, GA_FORMAT, "byte 53: neighbour 3 of 3 nodes");
    b = small_sg();
    put_at(&b, 17 + 32 + 4, -1, 4);
    refuse_sg(&b, GA_FORMAT, "byte 53: neighbour -1 of 3 nodes");
    b = small_sg();
    put_at(&b, b.size - 4, 9, 4);
    refuse_sg(&b, GA_FORMAT, "neighbour 9 of 3 nodes");
    b = small_sg();
    put_at(&b, 1, INT64_C(3) << 56, 8);
    put_at(&b, 9, INT64_C(3) << 56, 8);
    refuse_sg(&b, GA_FORMAT, "swapped byte order");
}
END_TEST

START_TEST(sg_undirected_and_unsorted)
{
    static const int64_t out[] = { 0, 2, 3, 4 };
    static const int targets[] = { 2, 1, 0, 0 };
    sg_bytes b = { .size = 0 };
    put_word(&b, 0, 1);
    put_word(&b, 4, 8);
    put_word(&b, 3, 8);
    for (int i = 0; i < 4; i++) {
        put_word(&b, out[i], 8);
    }
    for (int i = 0; i < 4; i++) {
        put_word(&b, targets[i], 4);
    }
    ga_context *context = plain_context(2);
    ga_graph *graph = read_file(context, file_of("u.sg", b.data, b.size), false);
    ck_assert_str_eq(edges_of(graph), "0>1 0>2 1>0 2>0");
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- .gab ---- */

/* Row 14: whatever byte is changed, the file is refused; the graph is never another one. */
static void flip_bytes(const unsigned char *data, size_t size, bool stream)
{
    unsigned char *changed = malloc(size);
    for (size_t at = 0; at < size; at++) {
        unsigned char by = (unsigned char)(1 << at % 8);
        memcpy(changed, data, size);
        changed[at] ^= by;
        ga_context *context = plain_context(1);
        ga_graph *graph = NULL;
        const char *path = stream ? gzipped("f.gab.gz", changed, size) : file_of("f.gab", changed, size);
        ga_status status = ga_graph_read(context, path, NULL, &graph, NULL);
        ck_assert_msg(status != GA_OK && !graph, "byte %zu may be changed", at);
        ck_assert_msg(status == GA_FORMAT || status == GA_LIMIT || status == GA_UNSUPPORTED, "byte %zu: %s",
                      at, ga_context_error(context));
        ck_assert_uint_gt(strlen(ga_context_error(context)), 10);
        done_with(context);
    }
    free(changed);
}

static unsigned char *small_gab(size_t *size)
{
    ga_context *context = plain_context(1);
    const shape s = { 7, 20, true, true, false };
    ga_graph *graph = random_graph(context, &s, 8);
    write_file(context, graph, in_folder("small.gab"), true);
    ga_graph_destroy(context, graph);
    done_with(context);
    return (unsigned char *)slurp(in_folder("small.gab"), size);
}

START_TEST(gab_flips)
{
    size_t size;
    unsigned char *data = small_gab(&size);
    ck_assert_uint_lt(size, 1200);
    flip_bytes(data, size, false);
    flip_bytes(data, size, true);
    free(data);
}
END_TEST

START_TEST(gab_cuts)
{
    size_t size;
    unsigned char *data = small_gab(&size);
    unsigned char *longer = calloc(size + 64, 1);
    memcpy(longer, data, size);
    for (size_t cut = 0; cut < size + 64; cut += cut == size - 1 ? 2 : 1) {
        expect_refusal(file_of("c.gab", longer, cut), GA_FORMAT, cut < 256 ? "byte" : "header expects", 1);
        expect_refusal(gzipped("c.gab.gz", longer, cut), GA_FORMAT, "header expects", 1);
    }
    free(longer);
    free(data);
}
END_TEST

/* A header that is whole but lies: its checksum is made right again. */
static void lie(const unsigned char *data, size_t size, size_t at, uint64_t value, ga_status status,
                const char *message)
{
    unsigned char *changed = malloc(size);
    ga__gab_header header;
    memcpy(changed, data, size);
    memcpy(changed + at, &value, 8);
    memcpy(&header, changed, sizeof header);
    header.crc = ga__gab_header_crc(&header);
    memcpy(changed, &header, sizeof header);
    expect_refusal(file_of("l.gab", changed, size), status, message, 2);
    expect_refusal(gzipped("l.gab.gz", changed, size), status, message, 1);
    free(changed);
}

START_TEST(gab_lies)
{
    size_t size;
    unsigned char *data = small_gab(&size);
    uint64_t version = UINT64_C(2) << 32 | 0x31424147;
    lie(data, size, 0, version, GA_UNSUPPORTED, "version 2, this program knows version 1");
    lie(data, size, 8, 15, GA_FORMAT, "unknown flags");
    lie(data, size, 8, 5, GA_FORMAT, "section table does not match");
    lie(data, size, 16, UINT64_MAX, GA_FORMAT, "nodes");
    lie(data, size, 16, UINT64_C(1) << 40, GA_LIMIT, "--max-nodes");
    lie(data, size, 24, UINT64_C(1) << 62, GA_FORMAT, "sizes that no file can have");
    lie(data, size, 24, UINT64_C(1) << 40, GA_FORMAT, "section table does not match");
    lie(data, size, 40, 1, GA_FORMAT, "section table does not match"); /* reserved */
    free(data);
    unsigned char swapped[256] = "1BAG";
    expect_refusal(file_of("s.gab", swapped, sizeof swapped), GA_FORMAT, "byte order", 1);
    expect_refusal(text_file("t.gab", "0 1\n"), GA_FORMAT, "byte", 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("binary graph files");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 0);
    tcase_add_unchecked_fixture(all, make_folder, remove_folder);
    tcase_add_test(all, binary_options);
    tcase_add_test(all, sg_refusals);
    tcase_add_test(all, sg_undirected_and_unsorted);
    tcase_add_test(all, gab_flips);
    tcase_add_test(all, gab_cuts);
    tcase_add_test(all, gab_lies);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
