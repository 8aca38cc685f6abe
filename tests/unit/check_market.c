/* check_market.c - Matrix Market files: what is written is read again, any order is sorted, and what lies is refused. */
#include "config.h"

#include <graphattn/tensor.h>
#include <zlib.h>

#include "tests/unit/support.h"

#define MM "%%MatrixMarket matrix coordinate "

static const char *gzip_file(const char *name, const char *text)
{
    const char *path = test_path(name);
    gzFile file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
    ck_assert_int_eq(gzclose(file), Z_OK);
    return path;
}

/* The matrix is 3 x 4 with these rows; values NULL: a pattern. */
static void expect(const ga_sparse *s, const int64_t offsets[4], const uint32_t *indices, const float *values)
{
    ck_assert_int_eq(s->rows, 3);
    ck_assert_int_eq(s->columns, 4);
    ck_assert_mem_eq(s->offsets, offsets, 4 * sizeof *offsets);
    ck_assert_mem_eq(s->indices, indices, (size_t)offsets[3] * sizeof *indices);
    ck_assert_int_eq(s->values == NULL, values == NULL);
    for (int64_t i = 0; values && i < offsets[3]; i++) {
        ck_assert_msg(s->values[i] == values[i], "value %lld: %.9g, expected %.9g", (long long)i,
                      (double)s->values[i], (double)values[i]);
    }
}

static const int64_t offsets[] = { 0, 2, 2, 5 };
static const uint32_t indices[] = { 0, 3, 0, 1, 3 };
static const float values[] = { 1.5f, -2, 0.1f, 3e38f, 1e-40f };

/* The same matrix written in many ways. */
START_TEST(ways_to_write_a_matrix)
{
    static const char *const texts[] = {
        MM "real general\n3 4 5\n1 1 1.5\n1 4 -2\n3 1 0.1\n3 2 3e38\n3 4 1e-40\n",
        MM "real general\n3 4 5\n3 4 1e-40\n3 2 3e38\n1 4 -2\n3 1 1e-1\n1 1 +1.50\n",
        "%%matrixmarket MATRIX Coordinate REAL General \r\n% a word\r\n\r\n%\r\n 3\t4  5\r\n1 1 1.5\r\n\r\n1 4 -2\r\n"
        "\t3 1 0.1\r\n3 2 3e38 \r\n3 4 1e-40",
        MM "real general\r3 4 5\r1 1 1.5\r1 4 -2\r3 1 0.1\r3 2 3e38\r3 4 1e-40\r\r",
    };
    ga_context *context = test_threads_context(1);
    ga_sparse s;
    test_folder_make();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (int packed = 0; packed < 2; packed++) {
            test_ok(context, ga_market_read(context,
                                            packed ? gzip_file("a.mtx.gz", texts[i])
                                                   : test_text_file("a.mtx", texts[i]),
                                            &s));
            expect(&s, offsets, indices, values);
            ga_sparse_clear(context, &s);
            ck_assert_ptr_null(s.offsets);
        }
    }
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

START_TEST(patterns_integers_and_nothing)
{
    ga_context *context = test_threads_context(1);
    ga_sparse s;
    static const float whole[] = { 1, -2, 3, 16777216, 0 };
    test_folder_make();
    test_ok(context,
            ga_market_read(context,
                           test_text_file("p.mtx", MM "pattern general\n3 4 5\n3 2\n1 4\n1 1\n3 4\n3 1\n"),
                           &s));
    expect(&s, offsets, indices, NULL);
    ga_sparse_clear(context, &s);
    test_ok(context,
            ga_market_read(context,
                           test_text_file("i.mtx", MM "integer general\n3 4 5\n1 1 1\n1 4 -2\n3 1 3\n"
                                                      "3 2 16777217\n3 4 0\n"),
                           &s));
    expect(&s, offsets, indices, whole);
    ck_assert(s.integers);
    test_ok(context, ga_market_write(context, &s, test_path("o.mtx")));
    char *text = test_slurp(test_path("o.mtx"), NULL);
    ck_assert_str_eq(text, MM "integer general\n3 4 5\n1 1 1\n1 4 -2\n3 1 3\n3 2 16777216\n3 4 0\n");
    free(text);
    s.values[0] = 0.5f;
    test_status(context, ga_market_write(context, &s, test_path("o.mtx")), GA_INVALID);
    test_error_has(context, "row 0, column 0 is 0.5, expected an integer");
    ga_sparse_clear(context, &s);
    test_ok(context, ga_market_read(context, test_text_file("0.mtx", MM "real general\n0 0 0\n"), &s));
    ck_assert_int_eq(s.rows, 0);
    ck_assert_int_eq(s.offsets[0], 0);
    ga_sparse_clear(context, &s);
    test_ok(context, ga_market_read(context, test_text_file("7.mtx", MM "real general\n7 0 0"), &s));
    ck_assert_int_eq(s.rows, 7);
    ck_assert_int_eq(s.offsets[7], 0);
    ga_sparse_clear(context, &s);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

static const struct {
    const char *text, *words;
    ga_status status;
} bad[] = {
    { "", ":1: expected the line %%MatrixMarket", GA_FORMAT },
    { "1 1 1\n", ":1: expected the line %%MatrixMarket", GA_FORMAT },
    { "%%MatrixMarket matrix coordinate real\n", ":1: expected the line %%MatrixMarket", GA_FORMAT },
    { "%%MatrixMarket matrix array real general\n2 2\n", ":1: Matrix Market array is not supported",
      GA_UNSUPPORTED },
    { "%%MatrixMarket vector coordinate real general\n", "vector is not supported", GA_UNSUPPORTED },
    { MM "complex general\n1 1 1\n1 1 1 0\n", "complex is not supported, expected pattern, integer or real",
      GA_UNSUPPORTED },
    { MM "real symmetric\n1 1 1\n1 1 1\n", "symmetric is not supported, expected general", GA_UNSUPPORTED },
    { MM "real general\n", ":1: expected rows, columns and number of entries", GA_FORMAT },
    { MM "real general\n% no\n3 3\n", ":3: expected rows, columns and number of entries", GA_FORMAT },
    { MM "real general\n3 3 -1\n", ":2: expected rows, columns", GA_FORMAT },
    { MM "real general\n3 99999999999999999999 1\n", ":2: expected rows, columns", GA_FORMAT },
    { MM "real general\n4294967297 1 1\n", ":2: 4294967297 rows and 1 columns, expected at most 2^32",
      GA_LIMIT },
    { MM "pattern general\n4294967296 1 1\n1 1\n", "4294967296 rows for 1 entries", GA_LIMIT },
    { MM "pattern general\n3 3 9000000000000000000\n1 1\n",
      ":3: 1 entries, the header says 9000000000000000000", GA_FORMAT },
    { MM "real general\n3 3 1\n0 1 1\n", ":3: column 1: index 0 in a 1-based file", GA_FORMAT },
    { MM "real general\n3 3 1\n1 0 1\n", ":3: column 2: index 0 in a 1-based file", GA_FORMAT },
    { MM "real general\n3 3 1\n\n4 1 1\n", ":4: column 1: row 4, the header has 1 to 3", GA_FORMAT },
    { MM "real general\n3 3 1\n1 4 1\n", ":3: column 2: column 4, the header has 1 to 3", GA_FORMAT },
    { MM "real general\n3 3 1\n1 -1 1\n", ":3: column 2: column -1,", GA_FORMAT },
    { MM "real general\n3 3 1\n1 x\x01 1\n", ":3: column 2: found 'x?', expected a column number",
      GA_FORMAT },
    { MM "real general\n3 3 1\n1\n", ":3: column 2: found ''", GA_FORMAT },
    { MM "real general\n3 3 1\n1 1\n", ":3: column 3: found '', expected a finite number", GA_FORMAT },
    { MM "real general\n3 3 1\n1 1 nan\n", ":3: column 3: found 'nan', expected a finite number", GA_FORMAT },
    { MM "real general\n3 3 1\n1 1 -inf\n", ":3: column 3: found '-inf', expected a finite number",
      GA_FORMAT },
    { MM "real general\n3 3 1\n1 1 1e39\n", ":3: column 3: found '1e39', expected a finite number",
      GA_FORMAT },
    { MM "real general\n3 3 1\n1 1 1,5\n", ":3: column 3: found '1,5'", GA_FORMAT },
    { MM "integer general\n3 3 1\n1 1 1.5\n", ":3: column 3: found '1.5', expected an integer", GA_FORMAT },
    { MM "real general\n3 3 1\n1 1 1 1\n", ":3: more than 3 columns", GA_FORMAT },
    { MM "pattern general\n3 3 1\n1 1 1\n", ":3: more than 2 columns", GA_FORMAT },
    { MM "pattern general\n3 3 2\n1 1\n", ":3: 1 entries, the header says 2", GA_FORMAT },
    { MM "pattern general\n3 3 1\n1 1\n2 2\n3 3\n", ":5: 3 entries, the header says 1", GA_FORMAT },
    { MM "pattern general\n3 3 3\n2 1\n1 1\n2 1\n", ":5: row 2, column 1 stands there twice", GA_FORMAT },
    { MM "pattern general\n3 3 3\n2 3\n\n\n1 1\n\n2 3\n\n", ":8: row 2, column 3 stands there twice",
      GA_FORMAT },
};

START_TEST(lies)
{
    ga_context *context = test_threads_context(1);
    const ga_sparse untouched = { 77, 78, NULL, NULL, NULL, false };
    test_folder_make();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ga_sparse s = untouched;
        test_status(context, ga_market_read(context, test_text_file("bad.mtx", bad[i].text), &s),
                    bad[i].status);
        test_error_has(context, bad[i].words);
        test_error_has(context, "bad.mtx");
        ck_assert_mem_eq(&s, &untouched, sizeof s);
    }
    test_status(context, ga_market_read(context, test_path("nothing.mtx"), &(ga_sparse){ 0 }), GA_IO);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

/* What a header claims takes no memory: 2^62 entries are refused when the first ones were read. */
START_TEST(claims_take_no_memory)
{
    ga_context *context = test_threads_context(1);
    ga_sparse s;
    int64_t peak = 0;
    test_folder_make();
    const char *path =
        test_text_file("big.mtx", MM "real general\n4294967296 4294967296 4611686018427387904\n1 1 1\n");
    test_status(context, ga_market_read(context, path, &s), GA_FORMAT);
    ga_context_memory(context, NULL, &peak);
    ck_assert_int_lt(peak, 8 << 20);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

/* Lines that cross the pieces in which a file is read, and one that never ends. */
START_TEST(long_files)
{
    enum { ENTRIES = 40000 };
    ga_context *context = test_threads_context(1);
    ga_sparse s;
    size_t size = 0, room = (size_t)ENTRIES * 32 + (2 << 20);
    char *text = malloc(room);
    ck_assert_ptr_nonnull(text);
    test_folder_make();
    size += (size_t)snprintf(text, room, "%sinteger general\n200 200 %d\n", MM, ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        int at = (int)((int64_t)i * 7919 % ENTRIES); /* a permutation */
        size += (size_t)snprintf(text + size, room - size, "%d %d %d\r\n", at / 200 + 1, at % 200 + 1, at);
    }
    test_ok(context, ga_market_read(context, test_file("long.mtx", text, size), &s));
    for (int i = 0; i < ENTRIES; i++) {
        ck_assert_int_eq((int)s.indices[i], i % 200);
        ck_assert_int_eq((int)s.values[i], i);
    }
    ga_sparse_clear(context, &s);
    size = (size_t)snprintf(text, room, "%sinteger general\n200 200 1\n", MM);
    memset(text + size, '1', (1 << 20) + (1 << 17));
    test_status(context,
                ga_market_read(context, test_file("line.mtx", text, size + (1 << 20) + (1 << 17)), &s),
                GA_FORMAT);
    test_error_has(context, ":3: line longer than 1048576 bytes");
    free(text);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

START_TEST(round_trip)
{
    ga_context *context = test_threads_context(1);
    int64_t rows[] = { 0, 2, 2, 5 };
    uint32_t columns[] = { 0, 3, 0, 1, 3 };
    float numbers[] = { 1.0f / 3, -2, 0.1f, 3.4028235e38f, 1e-45f };
    ga_sparse s = { 3, 4, rows, columns, numbers, false }, again;
    test_folder_make();
    for (int kind = 0; kind < 4; kind++) {
        const char *path = test_path(kind % 2 ? "w.mtx.gz" : "w.mtx");
        s.values = kind < 2 ? numbers : NULL;
        test_ok(context, ga_market_write(context, &s, path));
        test_ok(context, ga_market_read(context, path, &again));
        expect(&again, rows, columns, s.values);
        ga_sparse_clear(context, &again);
    }
    s.values = numbers;
    test_ok(context, ga_market_write(context, &s, test_path("w.mtx")));
    char *text = test_slurp(test_path("w.mtx"), NULL);
    ck_assert_str_eq(text, MM "real general\n3 4 5\n1 1 0.33333334\n1 4 -2\n3 1 0.1\n3 2 3.4028235e+38\n"
                              "3 4 1.4013e-45\n");
    free(text);
    columns[4] = 1;
    test_status(context, ga_market_write(context, &s, test_path("x.mtx")), GA_INVALID);
    test_error_has(context, "row 2 has column 1 behind 1");
    columns[4] = 4;
    test_status(context, ga_market_write(context, &s, test_path("x.mtx")), GA_INVALID);
    columns[4] = 3;
    numbers[2] = (float)strtod("inf", NULL);
    test_status(context, ga_market_write(context, &s, test_path("x.mtx")), GA_INVALID);
    test_error_has(context, "row 2, column 0 is not finite");
    ck_assert(!test_exists(test_path("x.mtx")));
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

static ga_status read_and_write(ga_context *context, void *user)
{
    ga_sparse s;
    (void)user;
    ga_status status = ga_market_read(context, test_path("m.mtx.gz"), &s);
    if (status == GA_OK) {
        status = ga_market_write(context, &s, test_path("n.mtx"));
        ga_sparse_clear(context, &s);
    }
    return status;
}

START_TEST(memory_runs_out)
{
    test_folder_make();
    (void)gzip_file("m.mtx.gz", MM "real general\n3 3 3\n3 3 1\n\n3 1 1\n1 1 1\n");
    ck_assert_int_gt(test_each_allocation(read_and_write, NULL, 2), 6);
    test_folder_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("market");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, ways_to_write_a_matrix);
    tcase_add_test(all, patterns_integers_and_nothing);
    tcase_add_test(all, lies);
    tcase_add_test(all, claims_take_no_memory);
    tcase_add_test(all, long_files);
    tcase_add_test(all, round_trip);
    tcase_add_test(all, memory_runs_out);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
