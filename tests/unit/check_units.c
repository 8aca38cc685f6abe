/* check_units.c - the kernels of units of keys, and summaries: for all instruction sets, types, tails and cuts. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/dynamic/summaries.h"
#include "lib/engine/units/units.h"
#include "tests/unit/support.h"

enum { MOST = 4096 };

static const int64_t widths[] = { 1, 3, 4, 8, 15, 16, 17, 31, 64, 67, 128, 200 };
enum { WIDTHS = sizeof widths / sizeof *widths };

static const ga__units_kernels *const tables[] = {
    &ga__units_scalar,
#ifdef HAVE_AVX2
    &ga__units_avx2,
#endif
#ifdef HAVE_AVX512
    &ga__units_avx512,
#endif
};

/* Whether this machine runs table t: the backends stand in this order. */
static bool runs(int t)
{
    return ga_backend_available((ga_backend)(GA_BACKEND_SCALAR + t));
}

static double draw(ga__random *random)
{
    return 4 * ga__random_unit(random) - 2;
}

/* The same numbers as f32, bf16, f16 and f64: rounded to the narrowest. */
typedef struct numbers {
    float f32[MOST];
    uint16_t bf16[MOST], f16[MOST];
    double f64[MOST];
} numbers;

static void numbers_make(numbers *x, ga__type type, uint64_t seed)
{
    ga__random random = ga__random_at(seed, GA__RANDOM_TEST, 4);
    for (int i = 0; i < MOST; i++) {
        float v = (float)draw(&random);
        v = type == GA__BF16  ? ga__from_bf16(ga__to_bf16(v))
            : type == GA__F16 ? ga__from_f16(ga__to_f16(v))
                              : v;
        x->f32[i] = v;
        x->bf16[i] = ga__to_bf16(v);
        x->f16[i] = ga__to_f16(v);
        x->f64[i] = (double)v;
    }
}

static const void *of_type(const numbers *x, ga__type type)
{
    return type == GA__F32    ? (const void *)x->f32
           : type == GA__BF16 ? (const void *)x->bf16
           : type == GA__F16  ? (const void *)x->f16
                              : (const void *)x->f64;
}

static double value(const void *x, bool wide, int64_t i)
{
    return wide ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

static void set(void *x, bool wide, int64_t i, double v)
{
    if (wide) {
        ((double *)x)[i] = v;
    } else {
        ((float *)x)[i] = (float)v;
    }
}

/* Rows at a stride, taken in two calls; nothing is written behind the last column. */
static void check_summaries(const ga__units_kernels *k, const numbers *x, ga__type type, int64_t columns)
{
    enum { ROWS = 7, CUT = 3 };
    int64_t stride = columns + 5;
    bool wide = type == GA__F64;
    double sums[2 * 200 + 1], bounds[2 * 200 + 1];
    const char *from = of_type(x, type);
    int64_t size = wide ? 8 : type == GA__F32 ? 4 : 2;
    for (int64_t c = 0; c <= 2 * columns; c++) {
        set(sums, wide, c, c < columns ? 0 : 99);
        set(bounds, wide, c, c < columns ? -INFINITY : c < 2 * columns ? INFINITY : 99);
    }
    k->add[wide](CUT, columns, stride, from, type, sums);
    k->add[wide](ROWS - CUT, columns, stride, from + CUT * stride * size, type, sums);
    k->bound[wide](CUT, columns, stride, from, type, bounds);
    k->bound[wide](ROWS - CUT, columns, stride, from + CUT * stride * size, type, bounds);
    for (int64_t c = 0; c < columns; c++) {
        double sum = 0, high = -INFINITY, low = INFINITY;
        for (int64_t r = 0; r < ROWS; r++) {
            double v = x->f64[r * stride + c];
            sum += v;
            high = fmax(high, v);
            low = fmin(low, v);
        }
        ck_assert_double_eq_tol(value(sums, wide, c), sum, wide ? 1e-14 : 1e-5);
        ck_assert(value(bounds, wide, c) == high && value(bounds, wide, columns + c) == low);
    }
    ck_assert(value(sums, wide, columns) == 99 && value(bounds, wide, 2 * columns) == 99);
}

START_TEST(summaries_of_rows)
{
    static numbers x;
    static const ga__type types[] = { GA__F32, GA__BF16, GA__F16, GA__F64 };
    for (int t = 0; t < (int)(sizeof tables / sizeof *tables); t++) {
        for (int i = 0; i < 4 * WIDTHS && runs(t); i++) {
            numbers_make(&x, types[i % 4], (uint64_t)i);
            check_summaries(tables[t], &x, types[i % 4], widths[i / 4]);
        }
    }
}
END_TEST

START_TEST(bounds_pass_over_nan)
{
    for (int t = 0; t < (int)(sizeof tables / sizeof *tables) && runs(t); t++) {
        float x[] = { NAN, 2, 3, NAN }, bounds[] = { -INFINITY, -INFINITY, INFINITY, INFINITY };
        double y[] = { NAN, 2, 3, NAN }, wide[] = { -INFINITY, -INFINITY, INFINITY, INFINITY };
        tables[t]->bound[0](2, 2, 2, x, GA__F32, bounds);
        tables[t]->bound[1](2, 2, 2, y, GA__F64, wide);
        ck_assert(bounds[0] == 3 && bounds[1] == 2 && bounds[2] == 3 && bounds[3] == 2);
        ck_assert(wide[0] == 3 && wide[1] == 2 && wide[2] == 3 && wide[3] == 2);
    }
}
END_TEST

/* Scores of every number of rows and units; each has the bits that it has alone. */
static void check_dots(const ga__units_kernels *k, const numbers *x, bool wide, int64_t columns)
{
    enum { ROWS = 6, UNITS = 5, LD = 7 };
    const void *a = wide ? (const void *)x->f64 : (const void *)x->f32;
    int64_t size = wide ? 8 : 4;
    const char *b = (const char *)a + ROWS * columns * size;
    for (int64_t rows = 1; rows <= ROWS; rows++) {
        for (int64_t units = 0; units <= UNITS; units++) {
            double out[ROWS * LD], one;
            for (int64_t i = 0; i < ROWS * LD; i++) {
                set(out, wide, i, 99);
            }
            k->dots[wide](rows, units, columns, a, b, out, LD);
            for (int64_t i = 0; i < ROWS * LD; i++) {
                int64_t row = i / LD, u = i % LD;
                double sum = 0;
                if (row >= rows || u >= units) {
                    ck_assert(value(out, wide, i) == 99);
                    continue;
                }
                for (int64_t c = 0; c < columns; c++) {
                    sum += x->f64[row * columns + c] * x->f64[(ROWS + u) * columns + c];
                }
                ck_assert_double_eq_tol(value(out, wide, i), sum, wide ? 1e-12 : 1e-4);
                k->dots[wide](1, 1, columns, (const char *)a + row * columns * size, b + u * columns * size,
                              &one, 1);
                ck_assert(value(out, wide, i) == value(&one, wide, 0));
            }
        }
    }
}

START_TEST(scores_of_units)
{
    static numbers x;
    numbers_make(&x, GA__F32, 3);
    for (int t = 0; t < (int)(sizeof tables / sizeof *tables); t++) {
        for (int i = 0; i < 2 * WIDTHS && runs(t); i++) {
            check_dots(tables[t], &x, i % 2, widths[i / 2]);
        }
    }
}
END_TEST

/* Rows where they lie, in falling order and of every type: the bits that `dots` has for the same numbers side by side. */
static void check_dots_at(const ga__units_kernels *k, const numbers *x, ga__type type, int64_t columns)
{
    enum { ROWS = 3, UNITS = 19 };
    bool wide = type == GA__F64;
    const void *a = wide ? (const void *)x->f64 : (const void *)x->f32;
    int64_t size = wide ? 8 : 4, narrow = type == GA__F64 ? 8 : type == GA__F32 ? 4 : 2;
    const void *place[UNITS];
    for (int64_t u = 0; u < UNITS; u++) {
        place[u] = (const char *)of_type(x, type) + (UNITS - 1 - u) * columns * narrow;
    }
    for (int64_t units = 0; units <= UNITS; units++) {
        double at[ROWS * UNITS], straight[ROWS * UNITS];
        k->dots[wide](ROWS, UNITS, columns, a, a, straight, UNITS);
        k->dots_at[wide](ROWS, units, columns, a, place, type, at, UNITS);
        for (int64_t i = 0; i < ROWS * units; i++) {
            int64_t row = i / units, u = i % units;
            ck_assert(value(at, wide, row * UNITS + u) == value(straight, wide, row * UNITS + UNITS - 1 - u));
        }
    }
    ck_assert_int_le(UNITS * columns * size, (int64_t)sizeof x->f64);
}

/* Every f16 and bf16 number that is one becomes the value that it stands for, and the number again; nothing behind the last
 * is touched. */
static void check_widen(const ga__units_kernels *k, ga__type type, int64_t columns)
{
    enum { ROWS = 5, PAD = 3 };
    static uint16_t from[ROWS * (200 + PAD)];
    static float to[ROWS * 200 + 1];
    for (int64_t first = 0; first < 65536; first += ROWS * columns) {
        for (int64_t i = 0; i < ROWS * columns; i++) {
            from[i / columns * (columns + PAD) + i % columns] = (uint16_t)(first + i);
        }
        to[ROWS * columns] = 99;
        k->widen(ROWS, columns, columns + PAD, from, type, to);
        for (int64_t i = 0; i < ROWS * columns; i++) {
            uint16_t bits = (uint16_t)(first + i);
            float expected = type == GA__F16 ? ga__from_f16(bits) : ga__from_bf16(bits);
            ck_assert(isnan(expected) ? isnan(to[i]) : memcmp(&to[i], &expected, sizeof expected) == 0);
        }
        ck_assert(to[ROWS * columns] == 99);
        from[ROWS * columns] = 99;
        k->narrow(ROWS * columns, to, type, from);
        for (int64_t i = 0; i < ROWS * columns; i++) {
            ck_assert(isnan(to[i]) || from[i] == (uint16_t)(first + i));
        }
        ck_assert(from[ROWS * columns] == 99);
    }
}

START_TEST(rows_where_they_lie)
{
    static numbers x;
    static const ga__type types[] = { GA__F32, GA__BF16, GA__F16, GA__F64 };
    for (int t = 0; t < (int)(sizeof tables / sizeof *tables); t++) {
        for (int i = 0; i < 4 * WIDTHS && runs(t); i++) {
            numbers_make(&x, types[i % 4], (uint64_t)i);
            check_dots_at(tables[t], &x, types[i % 4], widths[i / 4]);
            if (types[i % 4] == GA__F16 || types[i % 4] == GA__BF16) {
                check_widen(tables[t], types[i % 4], widths[i / 4]);
            }
        }
    }
}
END_TEST

/* Rows of f16 in pages of seven: loaded, and against two queries times a scale. */
START_TEST(keys_in_pages)
{
    enum { KEYS = 300, COLUMNS = 13, PAGE = 7, PAGES = (KEYS + PAGE - 1) / PAGE, FIRST = 5 };
    static numbers x;
    static float loaded[KEYS * COLUMNS], dots[2][KEYS];
    const void *page[PAGES];
    numbers_make(&x, GA__F16, 8);
    for (int64_t p = 0; p < PAGES; p++) {
        page[p] = x.f16 + p * PAGE * COLUMNS;
    }
    ga__keys keys = { .view = { .type = GA__F16, .batch = 1, .heads = 1, .rows = KEYS, .columns = COLUMNS },
                      .page = page,
                      .page_rows = PAGE,
                      .pages = PAGES };
    ga_context *context = test_threads_context(1);
    ga__keys_load(context, false, &keys, 0, 0, FIRST, KEYS - FIRST, loaded);
    ck_assert(memcmp(loaded, x.f32 + FIRST * COLUMNS, (KEYS - FIRST) * COLUMNS * sizeof *loaded) == 0);
    ga__keys_dots(context, false, &keys, 0, 0, FIRST, KEYS - FIRST, 0.25, 2, x.f32, dots, KEYS);
    for (int64_t i = 0; i < 2 * (KEYS - FIRST); i++) {
        int64_t row = i % 2, j = i / 2;
        double sum = 0;
        for (int64_t c = 0; c < COLUMNS; c++) {
            sum += x.f64[row * COLUMNS + c] * x.f64[(FIRST + j) * COLUMNS + c];
        }
        ck_assert_double_eq_tol((double)dots[row][j], sum / 4, 1e-4);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(largest_numbers)
{
    for (int t = 0; t < (int)(sizeof tables / sizeof *tables) && runs(t); t++) {
        for (int i = 0; i < 2 * 40; i++) {
            double x[40], y[41];
            int64_t n = i / 2;
            bool wide = i % 2;
            for (int64_t j = 0; j <= n; j++) {
                set(y, wide, j, (double)(j % 3));
                if (j < n) {
                    set(x, wide, j, j % 5 == 4 ? NAN : (double)(j % 4));
                }
            }
            tables[t]->most[wide](n, x, y);
            for (int64_t j = 0; j < n; j++) {
                double want = j % 5 == 4 ? (double)(j % 3) : fmax((double)(j % 3), (double)(j % 4));
                ck_assert(value(y, wide, j) == want);
            }
            ck_assert(value(y, wide, n) == (double)(n % 3));
        }
    }
}
END_TEST

/* ---- summaries ---- */

enum { BATCH = 2, HEADS = 2, DIM = 5, KEYS = 50, PAGE = 8, PAGES = 7 };

/* Keys of (batch, heads, KEYS, DIM), as a tensor or in pages. */
typedef struct store {
    float rows[BATCH * HEADS * KEYS * DIM];
    uint16_t pages[BATCH * HEADS * PAGES][PAGE * DIM];
    const void *table[BATCH * HEADS * PAGES];
} store;

static void store_make(store *x)
{
    ga__random random = ga__random_at(5, GA__RANDOM_TEST, 4);
    for (int i = 0; i < BATCH * HEADS * KEYS * DIM; i++) {
        int line = i / (KEYS * DIM), key = i / DIM % KEYS, page = line * PAGES + key / PAGE;
        uint16_t bits = ga__to_bf16((float)draw(&random));
        x->rows[i] = ga__from_bf16(bits);
        x->pages[page][key % PAGE * DIM + i % DIM] = bits;
        x->table[page] = x->pages[page];
    }
}

static ga__keys keys_of(store *x, bool paged, int64_t count)
{
    ga__view view = { .data = x->rows,
                      .type = GA__F32,
                      .batch = BATCH,
                      .heads = HEADS,
                      .rows = count,
                      .columns = DIM,
                      .stride_batch = HEADS * KEYS * DIM,
                      .stride_head = KEYS * DIM,
                      .stride_row = DIM };
    ga__keys keys = ga__keys_of_view(&view);
    if (paged) {
        keys.view.type = GA__BF16;
        keys.page = x->table;
        keys.page_rows = PAGE;
        keys.pages = PAGES;
    }
    return keys;
}

/* Of keys of any type: the same numbers. */
static void same_summaries(const ga__summaries *a, const ga__summaries *b)
{
    ck_assert_int_eq(a->keys, b->keys);
    ga__keys of_a = ga__summaries_rows(a), of_b = ga__summaries_rows(b);
    for (int64_t line = 0; line < BATCH * HEADS; line++) {
        for (int64_t u = 0; u < ga__units_of(a->keys, a->unit); u++) {
            double x[2 * DIM], y[2 * DIM];
            ga__keys_load_f64(&of_a, line / HEADS, line % HEADS, u, 1, x);
            ga__keys_load_f64(&of_b, line / HEADS, line % HEADS, u, 1, y);
            ck_assert_mem_eq(x, y, (size_t)a->width * sizeof *x);
        }
    }
}

/* By steps, from pages and from a tensor: the bits of all at once; and they are what they should be. */
static void check_append(ga_context *context, store *x, ga__summary kind, int64_t unit, bool wide, bool paged)
{
    ga__summaries *steps = NULL, *whole = NULL;
    ga__keys all = keys_of(x, !paged, KEYS);
    test_ok(context, ga__summaries_make(context, &all, kind, unit, wide, &whole));
    for (int64_t count = 0; count <= KEYS; count += count < 20 ? 1 : 10) {
        ga__keys some = keys_of(x, paged, count);
        if (!steps) {
            test_ok(context, ga__summaries_make(context, &some, kind, unit, wide, &steps));
        } else {
            test_ok(context, ga__summaries_append(context, &some, steps));
        }
    }
    ga__keys rows = ga__summaries_rows(whole);
    ga__type type = wide ? GA__F64 : paged || kind == GA__SUMMARY_SUMS ? GA__F32 : GA__BF16;
    ck_assert_int_eq(whole->type, type);
    same_summaries(steps, whole);
    for (int64_t u = 0; u < ga__units_of(KEYS, unit); u++) {
        double row[2 * DIM], sum = 0, high = -INFINITY, low = INFINITY;
        int64_t count = 0;
        ga__keys_load_f64(&rows, 1, 0, u, 1, row);
        for (int64_t j = u * unit; j < KEYS && j < (u + 1) * unit; j++, count++) {
            double v = (double)x->rows[(HEADS * KEYS + j) * DIM + 3];
            sum += v;
            high = fmax(high, v);
            low = fmin(low, v);
        }
        ck_assert_int_eq(ga__summaries_size(whole, u), count);
        if (kind == GA__SUMMARY_SUMS) {
            ck_assert_double_eq_tol(row[3], sum, wide ? 1e-13 : 1e-5);
        } else {
            ck_assert(row[3] == high && row[DIM + 3] == low);
        }
    }
    ga__summaries_free(context, steps);
    ga__summaries_free(context, whole);
}

START_TEST(append_equals_rebuild)
{
    static store x;
    ga_context *context = test_threads_context(1);
    store_make(&x);
    for (int threads = 1; threads <= 7; threads += 2) {
        test_set_threads(context, threads);
        for (int i = 0; i < 32; i++) {
            static const int64_t units[] = { 1, 3, 16, 1000000 };
            check_append(context, &x, i % 2 ? GA__SUMMARY_SUMS : GA__SUMMARY_BOUNDS, units[i / 2 % 4],
                         i / 8 % 2, i / 16);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

static ga_status memory_body(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    ga__summaries *made = NULL;
    ga__keys few = keys_of(user, true, 11), all = keys_of(user, true, KEYS);
    GA_TRY(ga__summaries_make(context, &few, GA__SUMMARY_SUMS, 4, false, &made));
    status = ga__summaries_append(context, &all, made);
    ck_assert_int_eq(made->keys, status == GA_OK ? KEYS : 11);
done:
    ga__summaries_free(context, made);
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    static store x;
    store_make(&x);
    ck_assert_int_ge(test_each_allocation(memory_body, &x, 1), 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("units");
    TCase *all = tcase_create("units");
    tcase_set_timeout(all, 0);
    tcase_add_test(all, summaries_of_rows);
    tcase_add_test(all, bounds_pass_over_nan);
    tcase_add_test(all, scores_of_units);
    tcase_add_test(all, rows_where_they_lie);
    tcase_add_test(all, keys_in_pages);
    tcase_add_test(all, largest_numbers);
    tcase_add_test(all, append_equals_rebuild);
    tcase_add_test(all, memory_may_end_anywhere);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
