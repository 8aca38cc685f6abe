/* check_top_k.c - the largest entries of rows. */
#include "config.h"

#include "lib/engine/top_k/shapes.h"
#include "tests/unit/check_products.h"

/* The definition: i is taken when fewer than k numbers are larger, or equal and in front of it. */
static void check_row(const DLTensor *x, int64_t row, int64_t n, int64_t limit, int64_t k,
                      const DLTensor *indices, const DLTensor *values, const char *what)
{
    const int32_t *found = (const int32_t *)indices->data + row * k;
    double *values_of_row = malloc(((size_t)limit + 1) * sizeof *values_of_row);
    int64_t at = 0;
    for (int64_t i = 0; i < limit; i++) {
        values_of_row[i] = get(x, row * n + i);
    }
    for (int64_t i = 0; i < limit; i++) {
        double v = values_of_row[i];
        int64_t before = 0;
        for (int64_t j = 0; j < limit; j++) {
            double w = values_of_row[j];
            before += w > v || (w == v && j < i);
        }
        if (!isnan(v) && before < k) {
            expect(found[at] == i, "%s, row %lld, place %lld: %d, not %lld", what, (long long)row,
                   (long long)at, found[at], (long long)i);
            expect(!values || get(values, row * k + at) == v, "%s: value", what);
            at++;
        }
    }
    free(values_of_row);
    for (; at < k; at++) {
        expect(found[at] == -1 && (!values || get(values, row * k + at) == -INFINITY),
               "%s: row %lld ends at %lld", what, (long long)row, (long long)at);
    }
}

/* kind 0: noise; 1: few different values; 2: ascending; 3: with NaN and infinities; 4: all NaN but one */
static void fill_kind(DLTensor *x, int64_t n, int kind)
{
    uint64_t state = (uint64_t)kind + 77;
    for (int64_t i = 0; i < count_of(x); i++) {
        double v = noise(&state);
        set(x, i,
            kind == 0        ? v
            : kind == 1      ? floor(v * 3)
            : kind == 2      ? (double)(i % n) / 64
            : kind == 3      ? (v < -0.6   ? NAN
                                : v < -0.5 ? -INFINITY
                                : v > 0.99 ? INFINITY
                                           : v)
            : i % n == n / 2 ? 1
                             : NAN);
    }
}

static void check_shape(ga_context *context, const ga__top_k_shape *s, DLDataType dtype, int kind)
{
    ga_backend list[3];
    int count = backends(list);
    DLTensor *x = matrix_new(context, dtype, s->rows, s->n), *limits = tensor_new(context, i64, 1, &s->rows);
    DLTensor *indices = matrix_new(context, i32, s->rows, s->k),
             *values = matrix_new(context, dtype, s->rows, s->k);
    fill_kind(x, s->n, kind);
    for (int64_t i = 0; i < s->rows; i++) {
        ((int64_t *)limits->data)[i] = i % 4 == 3   ? 0
                                       : i % 4 == 2 ? s->n + 5
                                                    : s->n - s->n * i / (2 * s->rows);
    }
    for (int b = 0; b < count; b++) {
        for (int limited = 0; limited < 2; limited++) {
            char what[96];
            (void)snprintf(what, sizeof what, "%s, %lld of %lld, %d bits, kind %d", ga_backend_name(list[b]),
                           (long long)s->k, (long long)s->n, dtype.bits, kind);
            test_ok(context, ga_context_set_backend(context, list[b]));
            test_ok(context,
                    ga_top_k(context, x, limited ? limits : NULL, s->k, indices, limited ? values : NULL));
            for (int64_t row = 0; row<s->rows; row += s->rows> 50 ? 13 : 1) {
                int64_t limit = limited ? ((int64_t *)limits->data)[row] : s->n;
                if (s->n <= 1000 || (b == count - 1 && limited && row == 0)) {
                    check_row(x, row, s->n, limit < s->n ? limit : s->n, s->k, indices,
                              limited ? values : NULL, what);
                }
            }
        }
    }
    DLTensor *all[] = { x, limits, indices, values };
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, all[i]);
    }
}

START_TEST(agrees_with_the_definition)
{
    const DLDataType types[] = { f32, f64, bf16, f16 };
    ga_context *context = test_threads_context(2);
    for (int s = 0; s < GA__TOP_K_SHAPES; s++) {
        for (int kind = 0; kind < 5; kind++) {
            for (int t = 0; t < 4; t++) {
                bool large = ga__top_k_shapes[s].n > 1000;
                if (!large || t == (s + kind) % 4) {
                    check_shape(context, &ga__top_k_shapes[s], types[t], kind);
                }
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(threads_and_backends_agree)
{
    ga_context *context = test_threads_context(1);
    ga_backend list[3];
    int count = backends(list);
    int64_t xs[] = { 2, 3, 100, 3000 }, ks[] = { 2, 3, 100, 50 };
    DLTensor *x = tensor_new(context, f32, 4, xs);
    DLTensor *indices[2] = { tensor_new(context, i32, 4, ks), tensor_new(context, i32, 4, ks) };
    DLTensor *values[2] = { tensor_new(context, f64, 4, ks), tensor_new(context, f64, 4, ks) };
    fill_kind(x, 3000, 3);
    for (int b = 0; b < count; b++) {
        for (int t = 0; t < 4; t++) {
            int k = b + t > 0;
            test_set_threads(context, thread_counts[t]);
            test_ok(context, ga_context_set_backend(context, list[b]));
            test_ok(context, ga_top_k(context, x, NULL, 50, indices[k], values[k]));
            ck_assert(same_data(indices[0], indices[k]) && same_data(values[0], values[k]));
        }
    }
    DLTensor *all[] = { x, indices[0], indices[1], values[0], values[1] };
    for (int i = 0; i < 5; i++) {
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
    DLTensor *x = matrix_of(context, f32, 3, 9, 1), *indices = matrix_new(context, i32, 3, 4);
    DLTensor *wide = matrix_new(context, i64, 3, 4), *values = matrix_new(context, f32, 3, 5);
    DLTensor *count = tensor_new(context, i64, 1, &four), *wrong = tensor_new(context, i32, 1, &three);
    test_status(context, ga_top_k(context, NULL, NULL, 4, indices, NULL), GA_INVALID);
    test_status(context, ga_top_k(context, x, NULL, -1, indices, NULL), GA_INVALID);
    test_error_has(context, "k: ");
    test_status(context, ga_top_k(context, x, NULL, 5, indices, NULL), GA_INVALID);
    test_error_has(context, "indices: shape (3, 4), expected (3, 5)");
    test_status(context, ga_top_k(context, x, NULL, 4, NULL, NULL), GA_INVALID);
    test_status(context, ga_top_k(context, x, NULL, 4, wide, NULL), GA_INVALID);
    test_status(context, ga_top_k(context, x, NULL, 4, indices, values), GA_INVALID);
    test_error_has(context, "values");
    test_status(context, ga_top_k(context, x, count, 4, indices, NULL), GA_INVALID);
    test_status(context, ga_top_k(context, x, wrong, 4, indices, NULL), GA_INVALID);
    test_error_has(context, "count: i64");
    test_status(context, ga_top_k(context, wide, NULL, 4, indices, NULL), GA_INVALID);
    ga_context_set_cancel(context, no, NULL);
    test_status(context, ga_top_k(context, x, NULL, 4, indices, NULL), GA_CANCELLED);
    DLTensor *all[] = { x, indices, wide, values, count, wrong };
    for (int i = 0; i < 6; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

static ga_status everything(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    int64_t xs[] = { 20, 40 }, ks[] = { 20, 4 };
    DLTensor *x = NULL, *indices = NULL;
    (void)user;
    GA_TRY(ga_tensor_create(context, f32, 2, xs, &x));
    GA_TRY(ga_tensor_create(context, i32, 2, ks, &indices));
    memset(x->data, 0, 20 * 40 * 4);
    GA_TRY(ga_top_k(context, x, NULL, 4, indices, NULL));
done:
    ga_tensor_destroy(context, x);
    ga_tensor_destroy(context, indices);
    return status;
}

START_TEST(memory_runs_out)
{
    ck_assert_int_gt(test_each_allocation(everything, NULL, 2), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("top_k");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, agrees_with_the_definition);
    tcase_add_test(test, threads_and_backends_agree);
    tcase_add_test(test, refused_arguments);
    tcase_add_test(test, memory_runs_out);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
