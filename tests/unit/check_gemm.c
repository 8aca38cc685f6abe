/* check_gemm.c - dense products: our kernels of every instruction set, and OpenBLAS where it is there. */
#include "config.h"

#include "lib/engine/gemm/gemm.h"
#include "lib/engine/gemm/shapes.h"
#include "tests/unit/check_products.h"

typedef struct product {
    bool ta, tb;
    double alpha, beta;
    DLTensor *a, *b, *before, *c;
    int64_t m, n, k, batches;
} product;

static product product_of(ga_context *context, DLDataType dtype, const ga__gemm_shape *shape, int form,
                          int64_t batches)
{
    static const double alphas[] = { 1, -0.5, 2, 1 }, betas[] = { 0, 1, 0.25, -1 };
    product p = { form & 1,      form & 2,      alphas[form & 3], betas[(form + shape->m) & 3],
                  .m = shape->m, .n = shape->n, .k = shape->k,    .batches = batches };
    int64_t sa[] = { batches, p.ta ? p.k : p.m, p.ta ? p.m : p.k },
            sb[] = { batches, p.tb ? p.n : p.k, p.tb ? p.k : p.n };
    int64_t sc[] = { batches, p.m, p.n };
    p.a = tensor_new(context, dtype, 3, sa);
    p.b = tensor_new(context, dtype, 3, sb);
    p.c = tensor_new(context, dtype, 3, sc);
    p.before = tensor_new(context, dtype, 3, sc);
    fill(p.a, 1);
    fill(p.b, 2);
    fill(p.before, 3);
    if (p.beta == 0) {
        for (int64_t i = 0; i < count_of(p.before); i++) {
            set(p.before, i, NAN); /* must not be looked at */
        }
    }
    return p;
}

static void product_free(ga_context *context, product *p)
{
    ga_tensor_destroy(context, p->a);
    ga_tensor_destroy(context, p->b);
    ga_tensor_destroy(context, p->c);
    ga_tensor_destroy(context, p->before);
}

static void reset(product *p)
{
    if (count_of(p->c) > 0) {
        memcpy(p->c->data, p->before->data, (size_t)count_of(p->c) * p->c->dtype.bits / 8);
    }
}

static double *by_definition(const product *p)
{
    double *c = calloc((size_t)count_of(p->c) + 1, sizeof *c);
    double *a = malloc(((size_t)count_of(p->a) + 1) * sizeof *a),
           *b = malloc(((size_t)count_of(p->b) + 1) * sizeof *b);
    for (int64_t i = 0; i < count_of(p->a); i++) {
        a[i] = get(p->a, i);
    }
    for (int64_t i = 0; i < count_of(p->b); i++) {
        b[i] = get(p->b, i);
    }
    for (int64_t x = 0; x < p->batches; x++) {
        const double *ax = a + x * p->m * p->k, *bx = b + x * p->k * p->n;
        double *cx = c + x * p->m * p->n;
        for (int64_t i = 0; i < p->m; i++) {
            for (int64_t l = 0; l < p->k; l++) {
                double left = p->alpha * ax[p->ta ? l * p->m + i : i * p->k + l];
                for (int64_t j = 0; j < p->n; j++) {
                    cx[i * p->n + j] += left * bx[p->tb ? j * p->k + l : l * p->n + j];
                }
            }
        }
    }
    for (int64_t i = 0; i < count_of(p->c) && p->beta != 0; i++) {
        c[i] += p->beta * get(p->before, i);
    }
    free(a);
    free(b);
    return c;
}

static void check_product(ga_context *context, DLDataType dtype, const ga__gemm_shape *shape, int form,
                          int64_t batches)
{
    ga_backend list[3];
    int count = backends(list);
    product p = product_of(context, dtype, shape, form, batches);
    double *wanted = by_definition(&p), tolerance = (dtype.bits == 64 ? 1e-15 : 5e-7) * (double)(p.k + 8);
    for (int b = 0; b <= count; b++) {
        test_ok(context, ga_context_set_backend(context, b < count ? list[b] : GA_BACKEND_AUTO));
        reset(&p);
        test_ok(context, ga__gemm_run(context, b == count, p.ta, p.tb, p.alpha, p.a, p.b, p.beta, p.c));
        for (int64_t i = 0; i < count_of(p.c); i++) {
            expect(fabs(get(p.c, i) - wanted[i]) <= tolerance,
                   "%s, %d bits, %lld x %lld x %lld, form %d: %lld is %.9g, not %.9g",
                   b < count ? ga_backend_name(list[b]) : "blas", dtype.bits, (long long)p.m, (long long)p.n,
                   (long long)p.k, form, (long long)i, get(p.c, i), wanted[i]);
        }
    }
    free(wanted);
    product_free(context, &p);
}

START_TEST(agrees_with_the_definition)
{
    ga_context *context = test_threads_context(2);
    for (int s = 0; s < GA__GEMM_SHAPES; s++) {
        bool large = ga__gemm_shapes[s].m * ga__gemm_shapes[s].n * ga__gemm_shapes[s].k > 3000000;
        for (int form = 0; form < 4; form++) {
            if (!large || form == s % 4) {
                check_product(context, f32, &ga__gemm_shapes[s], form, 1);
                check_product(context, f64, &ga__gemm_shapes[s], form, 1);
            }
        }
    }
    static const ga__gemm_shape small = { 9, 35, 20 };
    for (int form = 0; form < 4; form++) {
        check_product(context, f32, &small, form, 5);
        check_product(context, f64, &small, form, 3);
        check_product(context, f32, &small, form, 0);
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(threads_agree)
{
    static const ga__gemm_shape shapes[] = { { 700, 600, 300 }, { 50, 3000, 40 } };
    ga_context *context = test_threads_context(1);
    for (int s = 0; s < 2; s++) {
        for (int form = 0; form < 4; form++) {
            for (int blas = 0; blas < 2; blas++) {
                product p = product_of(context, f32, &shapes[s], form, 1);
                DLTensor *first = matrix_new(context, f32, p.m, p.n);
                for (int t = 0; t < 4; t++) {
                    test_set_threads(context, thread_counts[t]);
                    reset(&p);
                    test_ok(context, ga__gemm_run(context, blas, p.ta, p.tb, p.alpha, p.a, p.b, p.beta, p.c));
                    if (t == 0) {
                        memcpy(first->data, p.c->data, (size_t)count_of(first) * 4);
                    }
                    ck_assert(same_data(first, p.c));
                }
                ga_tensor_destroy(context, first);
                product_free(context, &p);
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* Rows of a and b inside wider ones, four axes, alpha of 0. */
START_TEST(strides_and_axes)
{
    ga_context *context = test_threads_context(2);
    enum { M = 70, N = 33, K = 40 };
    int64_t ws[] = { 2, 3, M, 2 * K }, as[] = { 2, 3, M, K }, bs[] = { 2, 3, K, N }, cs[] = { 2, 3, M, N };
    int64_t strides[] = { 3 * M * 2 * K, M * 2 * K, 2 * K, 1 };
    DLTensor *wide = tensor_new(context, f32, 4, ws), *b = tensor_new(context, f32, 4, bs),
             *c = tensor_new(context, f32, 4, cs);
    DLTensor part = { wide->data, { kDLCPU, 0 }, 4, f32, as, strides, 4 * K };
    fill(wide, 1);
    fill(b, 2);
    for (int blas = 0; blas < 2; blas++) {
        test_ok(context, ga__gemm_run(context, blas, false, false, 1, &part, b, 0, c));
        for (int64_t x = 0; x < 6; x++) {
            for (int64_t i = 0; i < M; i += 23) {
                for (int64_t j = 0; j < N; j++) {
                    double sum = 0;
                    for (int64_t l = 0; l < K; l++) {
                        sum += get(wide, (x * M + i) * 2 * K + K + l) * get(b, (x * K + l) * N + j);
                    }
                    expect(fabs(sum - get(c, (x * M + i) * N + j)) < 1e-5, "matrix %lld", (long long)x);
                }
            }
        }
    }
    strides[2] = 0; /* all rows the same: not for the BLAS */
    test_ok(context, ga_gemm(context, false, false, 1, &part, b, 0, c));
    for (int64_t j = 0; j < N; j++) {
        ck_assert(get(c, j) == get(c, (M - 1) * N + j));
    }
    fill(c, 5);
    double at = get(c, 17);
    test_ok(context, ga_gemm(context, false, false, 0, &part, b, 2, c));
    ck_assert(get(c, 17) == 2 * at);
    set(c, 17, NAN);
    test_ok(context, ga_gemm(context, false, false, 0, &part, b, 0, c));
    ck_assert(get(c, 17) == 0);
    DLTensor *all[] = { wide, b, c };
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(nan_stays_in_its_row)
{
    ga_context *context = test_threads_context(2);
    ga_backend list[3];
    int count = backends(list);
    DLTensor *a = matrix_of(context, f32, 50, 60, 1), *b = matrix_of(context, f32, 60, 40, 2),
             *c = matrix_new(context, f32, 50, 40);
    set(a, 13 * 60 + 59, NAN);
    for (int k = 0; k <= count; k++) {
        test_ok(context, ga_context_set_backend(context, k < count ? list[k] : GA_BACKEND_AUTO));
        test_ok(context, ga__gemm_run(context, k == count, false, false, 1, a, b, 0, c));
        for (int64_t i = 0; i < 2000; i++) {
            expect(isnan(get(c, i)) == (i / 40 == 13), "element %lld", (long long)i);
        }
    }
    DLTensor *all[] = { a, b, c };
    for (int i = 0; i < 3; i++) {
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
    DLTensor *a = matrix_of(context, f32, 5, 3, 1), *b = matrix_of(context, f32, 3, 4, 2),
             *c = matrix_new(context, f32, 5, 4);
    DLTensor *wide = matrix_new(context, f64, 5, 4), *half = matrix_new(context, f16, 5, 4);
    int64_t shape[] = { 2, 5, 4 };
    DLTensor *two = tensor_new(context, f32, 3, shape);
    test_status(context, ga_gemm(context, true, false, 1, a, b, 0, c), GA_INVALID);
    test_error_has(context, "a: shape (5, 3)");
    test_status(context, ga_gemm(context, false, true, 1, a, b, 0, c), GA_INVALID);
    test_error_has(context, "b: shape (3, 4), expected (4, 3)");
    test_status(context, ga_gemm(context, false, false, 1, NULL, b, 0, c), GA_INVALID);
    test_status(context, ga_gemm(context, false, false, 1, a, NULL, 0, c), GA_INVALID);
    test_status(context, ga_gemm(context, false, false, 1, a, b, 0, NULL), GA_INVALID);
    test_status(context, ga_gemm(context, false, false, 1, a, b, 0, wide), GA_INVALID);
    test_error_has(context, "element type");
    test_status(context, ga_gemm(context, false, false, 1, a, b, 0, half), GA_INVALID);
    test_status(context, ga_gemm(context, false, false, 1, a, b, 0, two), GA_INVALID);
    test_ok(context, ga_gemm(context, false, false, 1, a, b, 0, c));
    ga_context_set_cancel(context, no, NULL);
    test_status(context, ga_gemm(context, false, false, 1, a, b, 0, c), GA_CANCELLED);
    DLTensor *all[] = { a, b, c, wide, half, two };
    for (int i = 0; i < 6; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

static ga_status everything(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    int64_t shape[] = { 80, 80 };
    DLTensor *a = NULL, *b = NULL, *c = NULL;
    (void)user;
    GA_TRY(ga_tensor_create(context, f32, 2, shape, &a));
    GA_TRY(ga_tensor_create(context, f32, 2, shape, &b));
    GA_TRY(ga_tensor_create(context, f32, 2, shape, &c));
    memset(a->data, 0, 80 * 80 * 4);
    memset(b->data, 0, 80 * 80 * 4);
    GA_TRY(ga_gemm(context, false, false, 1, a, b, 0, c));
    GA_TRY(ga__gemm_run(context, false, false, false, 1, a, b, 0, c));
done:
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
    ga_tensor_destroy(context, c);
    return status;
}

START_TEST(memory_runs_out)
{
    ck_assert_int_gt(test_each_allocation(everything, NULL, 2), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gemm");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, agrees_with_the_definition);
    tcase_add_test(test, threads_agree);
    tcase_add_test(test, strides_and_axes);
    tcase_add_test(test, nan_stays_in_its_row);
    tcase_add_test(test, refused_arguments);
    tcase_add_test(test, memory_runs_out);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
