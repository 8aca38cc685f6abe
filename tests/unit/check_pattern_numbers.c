/* check_pattern_numbers.c - products of axes: published numbers of pairs, equal patterns, what is refused. */
#include "config.h"

#include "tests/unit/check_pattern.h"

/* ---- numbers of pairs ---- */

static int64_t nonzeros_of(ga_context *context, int axes, ga_axis first, ga_axis second, ga_axis third,
                           int64_t *with_ghosts)
{
    ga_pattern *pattern = NULL;
    ga_product_options options = { .axes = axes, .axis = { first, second, third } };
    test_ok(context, ga_pattern_product(context, &options, &pattern));
    int64_t nonzeros = ga_pattern_nonzeros(pattern, 0), places = 0;
    ga__run *runs = malloc((size_t)(pattern->most_runs + 1) * sizeof *runs);
    for (int64_t i = 0; i < pattern->queries && with_ghosts; i++) {
        for (int64_t r = ga__pattern_row(pattern, 0, i, runs); r-- > 0;) {
            places += runs[r].last - runs[r].first;
        }
    }
    if (with_ghosts) {
        *with_ghosts = places;
    }
    free(runs);
    ga_pattern_destroy(context, pattern);
    return nonzeros;
}

static int64_t line_pairs(ga_context *context, ga_axis axis)
{
    return nonzeros_of(context, 1, axis, axis, axis, NULL);
}

static int64_t plane_pairs(ga_context *context, ga_axis first, ga_axis second)
{
    return nonzeros_of(context, 2, first, second, second, NULL);
}

START_TEST(published_pairs)
{
    ga_context *context = test_threads_context(1);
    ck_assert_int_eq(line_pairs(context, neighbour_axis(8, 3, 1, 1, false)), 24);
    ck_assert_int_eq(line_pairs(context, neighbour_axis(8, 3, 1, 1, true)), 21);
    ck_assert_int_eq(line_pairs(context, neighbour_axis(8, 4, 1, 1, false)), 32);
    ck_assert_int_eq(line_pairs(context, neighbour_axis(10, 3, 1, 3, false)), 30);
    ck_assert_int_eq(line_pairs(context, neighbour_axis(10, 4, 4, 1, false)), 40);
    ck_assert_int_eq(line_pairs(context, neighbour_axis(10, 5, 3, 1, true)), 35);
    for (int dilation = 1; dilation < 3; dilation++) {
        ck_assert_int_eq(
            plane_pairs(context, neighbour_axis(7, 3, 1, dilation, false), neighbour_axis(9, 5, 1, 1, false)),
            945);
    }
    ck_assert_int_eq(
        plane_pairs(context, neighbour_axis(4, 3, 1, 1, false), neighbour_axis(5, 3, 1, 1, false)), 180);
    ck_assert_int_eq(
        plane_pairs(context, neighbour_axis(7, 3, 1, 2, true), neighbour_axis(9, 5, 1, 1, false)), 675);
    ga_axis six = neighbour_axis(6, 3, 1, 1, false), four = neighbour_axis(4, 3, 1, 1, false);
    ck_assert_int_eq(nonzeros_of(context, 3, neighbour_axis(4, 2, 1, 1, true), six, six, NULL), 2268);
    ck_assert_int_eq(nonzeros_of(context, 3, neighbour_axis(4, 4, 1, 1, false), six, six, NULL), 5184);
    ck_assert_int_eq(nonzeros_of(context, 3, neighbour_axis(4, 4, 1, 1, true), six, six, NULL), 3240);
    ck_assert_int_eq(nonzeros_of(context, 3, neighbour_axis(2, 2, 1, 1, true), four, four, NULL), 432);
    ck_assert_int_eq(line_pairs(context, span_axis(100, 15, 15)), 2860);
    ck_assert_int_eq(line_pairs(context, span_axis(100, 14, 0)), 1395);
    ck_assert_int_eq(line_pairs(context, span_axis(8, 3, 3)), 44);
    ga_axis wide = block_axis(56, 7, GA_BORDER_CLIP), even = grid_axis(56, 7),
            small = block_axis(14, 7, GA_BORDER_BIAS);
    ck_assert_int_eq(plane_pairs(context, wide, wide), 153664);
    ck_assert_int_eq(plane_pairs(context, even, even), 153664);
    ck_assert_int_eq(plane_pairs(context, small, small), 9604);
    ga_axis in = inward_axis(6, 1);
    ck_assert_int_eq(nonzeros_of(context, 3, axis_of(GA_AXIS_ALL, 2), in, in, NULL), 1296);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(published_pairs_with_ghosts)
{
    static const int64_t overlap[3][3] = { { 32, 409600, 589824 },
                                           { 48, 1048576, 1327104 },
                                           { 64, 1982464, 2359296 } };
    ga_context *context = test_threads_context(1);
    int64_t places = 0;
    ga_axis halo = halo_axis(32, 8, 3, GA_BORDER_GHOST), little = halo_axis(8, 4, 1, GA_BORDER_GHOST);
    ck_assert_int_eq(nonzeros_of(context, 1, halo, halo, halo, &places), 400);
    ck_assert_int_eq(places, 448);
    ck_assert_int_eq(nonzeros_of(context, 2, halo, halo, halo, &places), 160000);
    ck_assert_int_eq(places, 200704);
    ck_assert_int_eq(plane_pairs(context, little, little), 1600);
    halo.border = GA_BORDER_CLIP;
    ck_assert_int_eq(nonzeros_of(context, 1, halo, halo, halo, &places), 400);
    ck_assert_int_eq(places, 400);
    for (int i = 0; i < 3; i++) {
        halo = halo_axis(overlap[i][0], 16, 4, GA_BORDER_GHOST);
        ck_assert_int_eq(nonzeros_of(context, 2, halo, halo, halo, &places), overlap[i][1]);
        ck_assert_int_eq(places, overlap[i][2]);
    }
    test_context_done(context, NULL);
}
END_TEST

/* 81 frames of 1088 x 1920 in the paper's latent grid. */
START_TEST(large_video)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    ga_product_options options = {
        .axes = 3, .axis = { axis_of(GA_AXIS_ALL, 21), inward_axis(68, 15), inward_axis(120, 26) }
    };
    test_ok(context, ga_pattern_product(context, &options, &pattern));
    ck_assert_int_eq(pattern->queries, 171360);
    for (int64_t i = 0; i < pattern->queries; i += 997) {
        ck_assert_int_eq(ga_pattern_row_length(pattern, 0, i), 34503);
    }
    ck_assert_int_eq(ga_pattern_nonzeros(pattern, 0), INT64_C(34503) * 171360);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

/* Queries and keys near the limit: nothing of their product's size is made. */
START_TEST(long_lines)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    int64_t runs[2][2], n = INT32_MAX - 1;
    test_ok(context, ga_pattern_full(context, n, n, true, &pattern));
    ck_assert_int_eq(ga_pattern_row_runs(pattern, 0, n - 1, runs), 1);
    ck_assert(runs[0][0] == 0 && runs[0][1] == n);
    ck_assert_int_eq(ga_pattern_row_length(pattern, 0, 5), 6);
    ga_pattern_destroy(context, pattern);
    test_ok(context, ga_pattern_full(context, n, n, false, &pattern));
    ck_assert_int_eq(ga_pattern_nonzeros(pattern, 0), n * n);
    ga_pattern_destroy(context, pattern);
    test_status(context, ga_pattern_full(context, n + 1, 1, false, &pattern), GA_LIMIT);
    test_status(context, ga_pattern_full(context, 1, INT64_MAX, false, &pattern), GA_LIMIT);
    test_context_done(context, NULL);
}
END_TEST

/* ---- equivalences (attention-static 0.8) ---- */

/* Same pairs, and the same cells where tables is set. */
static void check_equal(ga_context *context, const ga_product_options *left, const ga_product_options *right,
                        bool tables)
{
    ga_pattern *a = NULL, *b = NULL;
    test_ok(context, ga_pattern_product(context, left, &a));
    test_ok(context, ga_pattern_product(context, right, &b));
    ck_assert(a->queries == b->queries && a->keys == b->keys);
    uint8_t *one = pairs_of(a, 0), *two = pairs_of(b, 0);
    ck_assert_mem_eq(one, two, (size_t)(a->queries * a->keys));
    for (int64_t e = 0; e < a->queries * a->keys && tables; e++) {
        expect(!one[e] || ga__pattern_cell(a, e / a->keys, e % a->keys) ==
                              ga__pattern_cell(b, e / a->keys, e % a->keys));
    }
    free(one);
    free(two);
    ga_pattern_destroy(context, a);
    ga_pattern_destroy(context, b);
}

static void check_equal_planes(ga_context *context, ga_axis left, ga_axis right, bool tables)
{
    ga_axis other[2] = { left, inward_axis(3, 1) }, same[2] = { right, inward_axis(3, 1) };
    ga_product_options a = product_of(1, &left), b = product_of(1, &right);
    check_equal(context, &a, &b, tables);
    other[1] = same[1] = neighbour_axis(4, 3, 1, 1, false);
    a = product_of(2, other);
    b = product_of(2, same);
    check_equal(context, &a, &b, tables);
}

START_TEST(equivalences)
{
    ga_context *context = test_threads_context(1);
    for (int length = 1; length < 19; length++) {
        for (int w = 1; w <= length; w++) {
            if (length % w == 0) {
                check_equal_planes(context, grid_axis(length, w),
                                   neighbour_axis(length, w, 1, length / w, false), true);
                check_equal_planes(context, block_axis(length, w, GA_BORDER_CLIP),
                                   neighbour_axis(length, w, w, 1, false), true);
            }
            check_equal_planes(context, halo_axis(length, w, 0, GA_BORDER_CLIP),
                               block_axis(length, w, GA_BORDER_CLIP), true);
            if (w % 2 == 1) {
                check_equal_planes(context, inward_axis(length, w / 2),
                                   neighbour_axis(length, w, 1, 1, false), false);
            }
            ga_axis span = span_axis(length, w - 1, 0);
            check_equal_planes(context, span, neighbour_axis(length, w, 1, 1, true), false);
            span.right = -1;
            span.causal = true;
            check_equal_planes(context, span, neighbour_axis(length, w, 1, 1, true), false);
        }
        check_equal_planes(context, halo_axis(length, length, 0, GA_BORDER_CLIP),
                           axis_of(GA_AXIS_ALL, length), false);
        check_equal_planes(context, neighbour_axis(length, length, 1, 1, false), axis_of(GA_AXIS_ALL, length),
                           false);
        check_equal_planes(context, inward_axis(length, length), axis_of(GA_AXIS_ALL, length), false);
    }
    test_context_done(context, NULL);
}
END_TEST

/* Halo windows of the first and last block are clipped where neighbourhoods are shifted. */
START_TEST(halo_is_no_neighbourhood_at_the_ends)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *halo = NULL, *neighbour = NULL;
    ga_axis first = halo_axis(32, 8, 3, GA_BORDER_CLIP), second = neighbour_axis(32, 14, 8, 1, false);
    ga_product_options a = product_of(1, &first), b = product_of(1, &second);
    int64_t ends[2][2][2] = { { { 0, 11 }, { 0, 14 } }, { { 21, 32 }, { 18, 32 } } }, left[1][2], right[1][2];
    test_ok(context, ga_pattern_product(context, &a, &halo));
    test_ok(context, ga_pattern_product(context, &b, &neighbour));
    for (int64_t i = 0; i < 32; i++) {
        ck_assert_int_eq(ga_pattern_row_runs(halo, 0, i, left), 1);
        ck_assert_int_eq(ga_pattern_row_runs(neighbour, 0, i, right), 1);
        if (i >= 8 && i < 24) {
            ck_assert_mem_eq(left, right, sizeof left);
        } else {
            ck_assert_mem_eq(left, ends[i >= 24][0], sizeof left);
            ck_assert_mem_eq(right, ends[i >= 24][1], sizeof left);
        }
    }
    ga_pattern_destroy(context, halo);
    ga_pattern_destroy(context, neighbour);
    test_context_done(context, NULL);
}
END_TEST

/* ---- refusals ---- */

static void check_refused(ga_context *context, ga_axis axis, ga_status expected, const char *words)
{
    ga_product_options options = { .axes = 2, .axis = { axis_of(GA_AXIS_ALL, 2), axis } };
    ga_pattern *pattern = NULL;
    test_status(context, ga_pattern_product(context, &options, &pattern), expected);
    test_error_has(context, "axis 1");
    test_error_has(context, words);
    ck_assert_ptr_null(pattern);
}

static ga_axis cross(ga_axis axis)
{
    axis.query_length++;
    return axis;
}

START_TEST(refused_axes)
{
    ga_context *context = test_threads_context(1);
    ga_axis axis = axis_of((ga_axis_rule)17, 4);
    check_refused(context, axis, GA_INVALID, "unknown rule");
    check_refused(context, axis_of(GA_AXIS_ALL, -1), GA_INVALID, "negative length");
    check_refused(context, axis_of(GA_AXIS_ALL, INT64_MAX), GA_LIMIT, "at most");
    check_refused(context, span_axis(4, -2, 0), GA_INVALID, "left is -2");
    check_refused(context, span_axis(4, 0, INT64_MIN), GA_INVALID, "right is");
    check_refused(context, neighbour_axis(4, 0, 1, 1, false), GA_INVALID, "window is 0, expected 1 ..");
    check_refused(context, neighbour_axis(4, 3, 4, 1, false), GA_INVALID, "stride is 4, expected 1 .. 3");
    check_refused(context, neighbour_axis(4, 3, 0, 1, false), GA_INVALID, "stride is 0, expected 1 .. 3");
    check_refused(context, neighbour_axis(4, 3, 1, 0, false), GA_INVALID, "dilation is 0");
    check_refused(context, neighbour_axis(4, 3, 1, 2, false), GA_INVALID, "window 3 times dilation 2");
    check_refused(context, neighbour_axis(4, 5, 1, 1, false), GA_INVALID, "window 5 times dilation 1");
    check_refused(context, cross(neighbour_axis(4, 3, 1, 1, false)), GA_INVALID, "5 queries and 4 keys");
    check_refused(context, block_axis(4, 0, GA_BORDER_CLIP), GA_INVALID, "window is 0");
    check_refused(context, block_axis(4, 2, GA_BORDER_SHIFT), GA_INVALID, "border");
    check_refused(context, block_axis(4, 2, (ga_border)9), GA_INVALID, "border");
    check_refused(context, cross(block_axis(4, 2, GA_BORDER_CLIP)), GA_INVALID, "5 queries");
    check_refused(context, grid_axis(4, 3), GA_INVALID, "3 does not divide 4");
    check_refused(context, cross(grid_axis(4, 2)), GA_INVALID, "5 queries");
    check_refused(context, halo_axis(4, 0, 1, GA_BORDER_CLIP), GA_INVALID, "stride is 0");
    check_refused(context, halo_axis(4, 2, -1, GA_BORDER_CLIP), GA_INVALID, "left is -1");
    check_refused(context, halo_axis(4, 2, 1, GA_BORDER_SHIFT), GA_INVALID, "border");
    check_refused(context, halo_axis(4, 2, INT64_MAX, GA_BORDER_GHOST), GA_INVALID, "left is");
    check_refused(context, cross(halo_axis(4, 2, 1, GA_BORDER_CLIP)), GA_INVALID, "5 queries, expected 4");
    check_refused(context, inward_axis(4, -1), GA_INVALID, "left is -1");
    axis = span_axis(4, 1, 1);
    axis.border = GA_BORDER_GHOST;
    check_refused(context, axis, GA_INVALID, "border");
    test_context_done(context, NULL);
}
END_TEST

START_TEST(refused_products)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    ga_axis ghost[2] = { halo_axis(4, 2, 1, GA_BORDER_GHOST), halo_axis(4, 2, 1, GA_BORDER_BIAS) };
    ga_axis large[2] = { axis_of(GA_AXIS_ALL, 1 << 16), axis_of(GA_AXIS_ALL, 1 << 16) };
    ga_product_options options = product_of(2, ghost);
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_INVALID);
    test_error_has(context, "two kinds of ghosts");
    options.axes = 0;
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_INVALID);
    options.axes = 4;
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_INVALID);
    options.axes = 1;
    options.always = 2;
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_UNSUPPORTED);
    options.always = 5;
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_INVALID);
    test_error_has(context, "always is 5, expected 0 .. 4");
    options = product_of(2, large);
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_LIMIT);
    options = product_of(1, large);
    options.extra = -1;
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_INVALID);
    options.extra = INT64_MAX;
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_LIMIT);
    large[0] = halo_axis(4, INT32_MAX - 1, INT32_MAX - 1, GA_BORDER_GHOST);
    options = product_of(1, large);
    test_status(context, ga_pattern_product(context, &options, &pattern), GA_LIMIT);
    test_error_has(context, "places");
    ck_assert_ptr_null(pattern);
    test_context_done(context, NULL);
}
END_TEST

/* Sides that are as good as unlimited make no table and no overflow. */
START_TEST(huge_windows)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    ga_axis axes[2] = { span_axis(5, INT64_MAX, INT64_MAX), halo_axis(5, 3, INT32_MAX - 1, GA_BORDER_CLIP) };
    for (int a = 0; a < 2; a++) {
        ga_product_options options = product_of(1, &axes[a]);
        test_ok(context, ga_pattern_product(context, &options, &pattern));
        ck_assert_ptr_null(pattern->key_cell);
        ck_assert_int_eq(ga_pattern_nonzeros(pattern, 0), 25);
        ck_assert_int_eq(ga_pattern_most_runs(pattern), 1);
        ga_pattern_destroy(context, pattern);
    }
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pattern numbers");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, published_pairs);
    tcase_add_test(test, published_pairs_with_ghosts);
    tcase_add_test(test, large_video);
    tcase_add_test(test, long_lines);
    tcase_add_test(test, equivalences);
    tcase_add_test(test, halo_is_no_neighbourhood_at_the_ends);
    tcase_add_test(test, refused_axes);
    tcase_add_test(test, refused_products);
    tcase_add_test(test, huge_windows);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
