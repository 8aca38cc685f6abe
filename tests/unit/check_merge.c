/* check_merge.c - joining results over disjoint key sets. */
#include "config.h"

#include "lib/engine/merge/shapes.h"
#include "tests/unit/check_products.h"

/* Sums exp(s) of the two sides in long double, so that nothing but the definition is used. */
static void check_row(const DLTensor *const in[4], const DLTensor *o, const DLTensor *lse, int64_t row,
                      int64_t width, const char *what)
{
    double a = get(in[1], row), b = get(in[3], row), top = fmax(a, b);
    double wa = top == -INFINITY ? 0 : exp(a - top), wb = top == -INFINITY ? 0 : exp(b - top);
    double wanted = top == -INFINITY ? -INFINITY : top + log(wa + wb);
    double tolerance = lse->dtype.bits == 64 ? 1e-14 : 1e-7 * fmax(1, fabs(wanted));
    expect(wanted == get(lse, row) || fabs(wanted - get(lse, row)) <= tolerance, "%s: lse %g, not %g", what,
           get(lse, row), wanted);
    for (int64_t c = 0; c < width; c++) {
        double x = get(in[0], row * width + c), y = get(in[2], row * width + c);
        double value = top == -INFINITY ? 0 : (wa * x + wb * y) / (wa + wb), found = get(o, row * width + c);
        double bound = o->dtype.bits == 64          ? 1e-15
                       : o->dtype.bits == 32        ? 3e-7
                       : o->dtype.code == kDLBfloat ? 4e-3
                                                    : 5e-4;
        bool coarse = in[0]->dtype.bits != 64 && in[2]->dtype.bits != 64;
        expect(fabs(value - found) <= fmax(bound, coarse ? 3e-7 : 0), "%s: %.9g, not %.9g", what, found,
               value);
    }
}

static void check_shape(ga_context *context, const int64_t *shape, DLDataType type_a, DLDataType type_b,
                        DLDataType type_o, DLDataType type_lse, bool in_place)
{
    ga_backend list[3];
    int count = backends(list);
    for (int b = 0; b < count; b++) {
        DLTensor *in[4] = { tensor_new(context, type_a, 4, shape), tensor_new(context, f32, 3, shape),
                            tensor_new(context, type_b, 4, shape), tensor_new(context, f64, 3, shape) };
        DLTensor *keep[2] = { tensor_new(context, type_a, 4, shape), tensor_new(context, f32, 3, shape) };
        DLTensor *o = in_place ? in[0] : tensor_new(context, type_o, 4, shape);
        DLTensor *lse = in_place ? in[1] : tensor_new(context, type_lse, 3, shape);
        char what[64];
        (void)snprintf(what, sizeof what, "%s, width %lld, %d and %d to %d bits", ga_backend_name(list[b]),
                       (long long)shape[3], type_a.bits, type_b.bits, o->dtype.bits);
        for (int i = 0; i < 4; i++) {
            fill(in[i], (uint64_t)i);
        }
        for (int64_t i = 0; i < count_of(in[1]); i++) { /* near, far apart, one side empty, both empty */
            static const double far[] = { 1, 10, 300, 800, 1, 1, 1 };
            set(in[1], i, i % 7 == 4 || i % 7 == 6 ? -INFINITY : get(in[1], i) * far[i % 7]);
            set(in[3], i, i % 7 == 5 || i % 7 == 6 ? -INFINITY : get(in[3], i) * far[i % 7]);
        }
        for (int64_t i = 0; i < count_of(in[0]); i++) {
            set(keep[0], i, get(in[0], i));
        }
        for (int64_t i = 0; i < count_of(in[1]); i++) {
            set(keep[1], i, get(in[1], i));
        }
        test_ok(context, ga_context_set_backend(context, list[b]));
        test_ok(context, ga_merge(context, in[0], in[1], in[2], in[3], o, lse));
        const DLTensor *before[] = { keep[0], keep[1], in[2], in[3] };
        for (int64_t i = 0; i < count_of(lse); i++) {
            check_row(before, o, lse, i, shape[3], what);
        }
        DLTensor *all[] = {
            in[0], in[1], in[2], in[3], keep[0], keep[1], in_place ? NULL : o, in_place ? NULL : lse
        };
        for (int i = 0; i < 8; i++) {
            ga_tensor_destroy(context, all[i]);
        }
    }
}

START_TEST(agrees_with_the_definition)
{
    const DLDataType types[] = { f32, bf16, f16, f64 };
    ga_context *context = test_threads_context(2);
    for (int s = 0; s < GA__MERGE_SHAPES; s++) {
        for (int a = 0; a < 4; a++) {
            for (int b = 0; b < 4; b++) {
                int o = (a + 2 * b + s) % 4;
                check_shape(context, ga__merge_shapes[s], types[a], types[b], types[o],
                            (a + b) % 2 ? f32 : f64, false);
            }
            check_shape(context, ga__merge_shapes[s], types[a], types[a], types[a], f32, true);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* What a side without keys holds is not looked at; a row that is no number stays alone. */
START_TEST(empty_sides_and_nan)
{
    ga_context *context = test_threads_context(1);
    ga_backend list[3];
    int count = backends(list);
    int64_t rows = 5;
    for (int b = 0; b < count; b++) {
        DLTensor *o_a = matrix_of(context, f32, rows, 19, 1), *o_b = matrix_of(context, f32, rows, 19, 2);
        DLTensor *lse_a = tensor_new(context, f32, 1, &rows), *lse_b = tensor_new(context, f32, 1, &rows);
        DLTensor *o = matrix_new(context, f32, rows, 19), *lse = tensor_new(context, f32, 1, &rows);
        static const double as[] = { 0, -INFINITY, 3, NAN, INFINITY }, bs[] = { -INFINITY, 1, 3, 1, 5 };
        for (int i = 0; i < 5; i++) {
            set(lse_a, i, as[i]);
            set(lse_b, i, bs[i]);
        }
        for (int c = 0; c < 19; c++) {
            set(o_b, c, NAN);
            set(o_a, 19 + c, NAN);
        }
        test_ok(context, ga_context_set_backend(context, list[b]));
        test_ok(context, ga_merge(context, o_a, lse_a, o_b, lse_b, o, lse));
        for (int c = 0; c < 19; c++) {
            expect(get(o, c) == get(o_a, c) && get(o, 19 + c) == get(o_b, 19 + c), "a side that is empty");
            expect(fabs(get(o, 38 + c) - (get(o_a, 38 + c) + get(o_b, 38 + c)) / 2) < 1e-7, "equal sides");
            expect(isnan(get(o, 57 + c)) && get(o, 76 + c) == get(o_a, 76 + c), "far out");
        }
        ck_assert(get(lse, 0) == 0 && get(lse, 1) == 1 && isnan(get(lse, 3)) && get(lse, 4) == INFINITY);
        DLTensor *all[] = { o_a, o_b, lse_a, lse_b, o, lse };
        for (int i = 0; i < 6; i++) {
            ga_tensor_destroy(context, all[i]);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(threads_agree)
{
    ga_context *context = test_threads_context(1);
    int64_t shape[] = { 3, 2, 500, 24 };
    DLTensor *in[4] = { tensor_new(context, f32, 4, shape), tensor_new(context, f32, 3, shape),
                        tensor_new(context, f32, 4, shape), tensor_new(context, f32, 3, shape) };
    DLTensor *o[2] = { tensor_new(context, f32, 4, shape), tensor_new(context, f32, 4, shape) };
    for (int i = 0; i < 4; i++) {
        fill(in[i], (uint64_t)i);
    }
    for (int t = 0; t < 4; t++) {
        test_set_threads(context, thread_counts[t]);
        test_ok(context, ga_merge(context, in[0], in[1], in[2], in[3], o[t > 0], NULL));
        ck_assert(same_data(o[0], o[t > 0]));
    }
    DLTensor *all[] = { in[0], in[1], in[2], in[3], o[0], o[1] };
    for (int i = 0; i < 6; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

static int no(void *user)
{
    (void)user;
    return 1;
}

START_TEST(refused_arguments)
{
    ga_context *context = test_threads_context(2);
    int64_t three = 3, four = 4;
    DLTensor *o = matrix_of(context, f32, 3, 4, 1), *lse = tensor_new(context, f32, 1, &three);
    DLTensor *tall = matrix_new(context, f32, 4, 4), *longer = tensor_new(context, f32, 1, &four);
    DLTensor *half = tensor_new(context, f16, 1, &three), *whole = matrix_new(context, i32, 3, 4);
    fill(lse, 1);
    test_status(context, ga_merge(context, tall, lse, o, lse, o, lse), GA_INVALID);
    test_error_has(context, "o_a: shape (4, 4), expected (3, 4)");
    test_status(context, ga_merge(context, o, lse, NULL, lse, o, lse), GA_INVALID);
    test_error_has(context, "o_b");
    test_status(context, ga_merge(context, o, longer, o, lse, o, lse), GA_INVALID);
    test_error_has(context, "lse_a");
    test_status(context, ga_merge(context, o, lse, o, NULL, o, lse), GA_INVALID);
    test_status(context, ga_merge(context, o, lse, o, lse, NULL, lse), GA_INVALID);
    test_status(context, ga_merge(context, o, lse, o, lse, o, longer), GA_INVALID);
    test_status(context, ga_merge(context, o, lse, o, lse, o, half), GA_INVALID);
    test_status(context, ga_merge(context, o, lse, o, lse, whole, lse), GA_INVALID);
    test_ok(context, ga_merge(context, o, half, o, lse, o, lse));
    ga_context_set_cancel(context, no, NULL);
    test_status(context, ga_merge(context, o, lse, o, lse, o, lse), GA_CANCELLED);
    DLTensor *all[] = { o, lse, tall, longer, half, whole };
    for (int i = 0; i < 6; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

static ga_status everything(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    int64_t shape[] = { 70, 8 };
    DLTensor *o = NULL, *lse = NULL;
    (void)user;
    GA_TRY(ga_tensor_create(context, f64, 2, shape, &o));
    GA_TRY(ga_tensor_create(context, f64, 1, shape, &lse));
    memset(o->data, 0, 70 * 8 * 8);
    memset(lse->data, 0, 70 * 8);
    GA_TRY(ga_merge(context, o, lse, o, lse, o, lse));
done:
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, lse);
    return status;
}

START_TEST(memory_runs_out)
{
    ck_assert_int_gt(test_each_allocation(everything, NULL, 2), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("merge");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, agrees_with_the_definition);
    tcase_add_test(test, empty_sides_and_nan);
    tcase_add_test(test, threads_agree);
    tcase_add_test(test, refused_arguments);
    tcase_add_test(test, memory_runs_out);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
