/* check_p_adapter.c - the p-adapter: its definition, laws and gradients in every form. */
#include "config.h"

#include "tests/unit/check_p_adapter.h"

/* One output. */
static DLTensor *output_of(ga_context *context, const problem *p, bool wide, const char *name)
{
    setup s;
    setup_open(&s, p, wide);
    want(&s, "", name);
    ga_status status = ga_attend(context, "p-adapter", &s.call, s.wanted, 1);
    ck_assert_msg(status == GA_OK, "%s: %s: %s", current->name, name, ga_context_error(context));
    setup_close(&s);
    return s.wanted[0].tensor;
}

static void near(const char *what, double got, double expected, double relative, double absolute)
{
    ck_assert_msg(fabs(got - expected) <= absolute + relative * fabs(expected), "%s: %s is %.12g, not %.12g",
                  current->name, what, got, expected);
}

/* ---- the definition ---- */

static void check_definition(ga_context *context, const form *f)
{
    problem p;
    int64_t shape[4];
    make(&p, f);
    shape_of_o(f, shape);
    array expected = array_make(4, shape);
    reference_attend(&p, &expected, NULL, NULL);
    for (int backend = GA_BACKEND_AUTO; backend <= GA_BACKEND_AVX512; backend++) {
        if (!ga_backend_available((ga_backend)backend)) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, (ga_backend)backend));
        for (int wide = 0; wide < 2; wide++) {
            DLTensor *o = output_of(context, &p, wide, "o");
            for (int axis = 0; axis < 4; axis++) {
                ck_assert_int_eq(o->shape[axis], shape[axis]);
            }
            for (int64_t i = 0; i < array_count(&expected); i++) {
                near("o", value_at(o, i), expected.data[i], wide ? 1e-12 : 2e-5, wide ? 1e-13 : 2e-6);
            }
            ga_tensor_destroy(context, o);
        }
    }
    test_ok(context, ga_context_set_backend(context, GA_BACKEND_AUTO));
    array_free(&expected);
    problem_free(&p);
}

START_TEST(by_definition)
{
    ga_context *context = test_threads_context(2);
    check_definition(context, &forms[_i]);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(by_definition_large)
{
    ga_context *context = test_threads_context(2);
    check_definition(context, &large[_i]);
    test_context_done(context, NULL);
}
END_TEST

/* Tokens that coincide have t = eps sqrt(dim): with p < 2 their edges outweigh all others. */
START_TEST(equal_tokens)
{
    ga_context *context = test_threads_context(1);
    problem p;
    make(&p, &forms[0]);
    for (int64_t c = 0; c < p.dim_v; c++) {
        *array_at(&p.v, 0, 0, 5, c) = *array_at(&p.v, 0, 0, 2, c);
    }
    array expected = array_make(4, (int64_t[]){ p.batch, p.heads, p.queries, p.dim_v });
    reference_attend(&p, &expected, NULL, NULL);
    DLTensor *o = output_of(context, &p, false, "o"), *grad = output_of(context, &p, false, "grad_v");
    for (int64_t i = 0; i < count_of(o); i++) {
        near("o", value_at(o, i), expected.data[i], 2e-5, 2e-6);
        ck_assert(isfinite(value_at(grad, i)));
    }
    for (int64_t c = 0; c < p.dim_v; c++) { /* the two hold each other in place */
        near("o of a twin", value_at(o, 2 * p.dim_v + c), *array_at(&p.v, 0, 0, 2, c), 1e-3, 1e-3);
    }
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, grad);
    array_free(&expected);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* What overflows a float inside is computed in doubles. */
START_TEST(extremes)
{
    static const char *const set[][2] = {
        { "1e-12", "0.25" }, { "1e-30", "1.5" }, { "1e-8", "9" }, { "1e-9", "1.5" }
    };
    ga_context *context = test_threads_context(1);
    form f = forms[1];
    f.p = set[_i][1];
    f.also[0] = "eps";
    f.value[0] = set[_i][0];
    check_definition(context, &f);
    problem p;
    make(&p, &f);
    DLTensor *narrow = output_of(context, &p, false, "grad_v"),
             *wide = output_of(context, &p, true, "grad_v");
    for (int64_t i = 0; i < count_of(wide); i++) {
        near("grad_v", value_at(narrow, i), value_at(wide, i), 2e-5, 1e-6);
    }
    ga_tensor_destroy(context, narrow);
    ga_tensor_destroy(context, wide);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* ---- laws ---- */

/* p = 2: F+ = (P F + mu F) / (1 + mu); rows of P sum to 1. */
START_TEST(p_two)
{
    ga_context *context = test_threads_context(1);
    problem p;
    current = &forms[4];
    make(&p, current);
    double mu = 0.1 * (2 + tanh(problem_find(&p, "mu_raw")->data[0]));
    DLTensor *o = output_of(context, &p, true, "o"), *map = output_of(context, &p, true, "map");
    for (int64_t row = 0; row < p.heads * p.queries; row++) {
        int64_t h = row / p.queries, i = row % p.queries, g = h / (p.heads / p.kv_heads);
        double sum = 0;
        for (int64_t j = 0; j < p.keys; j++) {
            sum += value_at(map, row * p.keys + j);
        }
        near("row sum", sum, 1, 1e-14, 0);
        for (int64_t c = 0; c < p.dim_v; c++) {
            double y = mu * *array_at(&p.v, 0, g, i, c);
            for (int64_t j = 0; j < p.keys; j++) {
                y += value_at(map, row * p.keys + j) * *array_at(&p.v, 0, g, j, c);
            }
            near("o", value_at(o, row * p.dim_v + c), y / (1 + mu), 1e-13, 1e-14);
        }
    }
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, map);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* F+ is a mean of nodes: equal values come back, whatever the weights, also without a diagonal. */
START_TEST(means)
{
    ga_context *context = test_threads_context(1);
    problem p;
    make(&p, &forms[0]);
    for (int64_t i = 0; i < array_count(&p.v); i++) {
        p.v.data[i] = (double)(i % p.dim_v) + 1;
    }
    DLTensor *o = output_of(context, &p, true, "o");
    for (int64_t i = 0; i < count_of(o); i++) {
        near("o", value_at(o, i), (double)(i % p.dim_v) + 1, 1e-6, 0);
    }
    ga_tensor_destroy(context, o);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* As many pooled columns as keys, or more, are none. */
START_TEST(pool_of_all)
{
    ga_context *context = test_threads_context(1);
    problem p;
    form f = forms[10];
    make(&p, &f);
    DLTensor *none = output_of(context, &p, false, "o");
    problem_set(&p, "pool", _i ? "100" : "8");
    DLTensor *all = output_of(context, &p, false, "o");
    ck_assert_mem_eq(none->data, all->data, (size_t)count_of(none) * sizeof(float));
    ga_tensor_destroy(context, none);
    ga_tensor_destroy(context, all);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* Queries before the first key give zeros and get none; all gradients are finite. */
START_TEST(blind_rows)
{
    static const int which[] = { 14, 20 };
    ga_context *context = test_threads_context(1);
    const form *f = &forms[which[_i]];
    problem p;
    setup s;
    make(&p, f);
    setup_open(&s, &p, false);
    want_all(&s);
    want(&s, "", "lse");
    test_ok(context, ga_attend(context, "p-adapter", &s.call, s.wanted, s.count));
    int64_t blind = f->queries - f->keys, shape[4];
    shape_of_o(f, shape);
    ck_assert_int_gt(blind, 0);
    for (int64_t i = 0; i < count_of(s.wanted[0].tensor); i++) {
        bool zero = value_at(s.wanted[0].tensor, i) == 0;
        ck_assert(zero == (i / shape[3] % f->queries < blind));
    }
    for (int64_t i = 0; i < count_of(s.wanted[1].tensor); i++) {
        ck_assert(i / f->dim % f->queries >= blind || value_at(s.wanted[1].tensor, i) == 0);
    }
    for (int64_t w = 0; w < s.count - 1; w++) {
        for (int64_t i = 0; i < count_of(s.wanted[w].tensor); i++) {
            ck_assert(isfinite(value_at(s.wanted[w].tensor, i)));
        }
    }
    ck_assert(isinf(value_at(s.wanted[s.count - 1].tensor, 0)));
    drop(context, &s);
    setup_close(&s);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* ---- gradients ---- */

static double loss(ga_context *context, const problem *p)
{
    DLTensor *o = output_of(context, p, true, "o");
    double sum = 0;
    for (int64_t i = 0; i < count_of(o); i++) {
        sum += value_at(o, i) * p->grad_o.data[i];
    }
    ga_tensor_destroy(context, o);
    return sum;
}

/* Every element by differences of the fourth order; and f32 beside f64. */
static void check_gradient(ga_context *context, problem *p, const char *name, const array *input,
                           int64_t most)
{
    char full[32];
    snprintf(full, sizeof full, "grad_%s", name);
    DLTensor *wide = output_of(context, p, true, full), *narrow = output_of(context, p, false, full);
    int64_t count = array_count(input), step = count > most ? count / most : 1;
    ck_assert_int_eq(count_of(wide), count);
    for (int64_t i = 0; i < count; i += step) {
        const double h = 1e-3, at = input->data[i], offset[] = { -2 * h, -h, h, 2 * h };
        const double factor[] = { 1, -8, 8, -1 };
        double slope = 0;
        for (int k = 0; k < 4; k++) {
            input->data[i] = at + offset[k];
            slope += factor[k] * loss(context, p) / (12 * h);
        }
        input->data[i] = at;
        near(full, value_at(wide, i), slope, 1e-5, 1e-6);
    }
    for (int64_t i = 0; i < count; i++) {
        near(full, value_at(narrow, i), value_at(wide, i), 1e-4, 1e-5);
    }
    ga_tensor_destroy(context, wide);
    ga_tensor_destroy(context, narrow);
}

static void check_gradients(ga_context *context, const form *f, int64_t most)
{
    problem p;
    make(&p, f);
    check_gradient(context, &p, "q", &p.q, most);
    check_gradient(context, &p, "k", &p.k, most);
    check_gradient(context, &p, "v", &p.v, most);
    for (int i = 0; i < p.tensor_count; i++) {
        check_gradient(context, &p, p.tensors[i].name, &p.tensors[i].values, most);
    }
    problem_free(&p);
}

START_TEST(gradients)
{
    ga_context *context = test_threads_context(1);
    check_gradients(context, &forms[_i], 24);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(gradients_large)
{
    ga_context *context = test_threads_context(2);
    check_gradients(context, &large[_i], 1);
    test_context_done(context, NULL);
}
END_TEST

/* Wanted alone or with all others, a gradient is the same. */
START_TEST(gradients_one_by_one)
{
    static const int which[] = { 6, 15, 19 };
    ga_context *context = test_threads_context(1);
    problem p;
    setup s;
    make(&p, &forms[which[_i]]);
    setup_open(&s, &p, false);
    want_all(&s);
    test_ok(context, ga_attend(context, "p-adapter", &s.call, s.wanted, s.count));
    for (int64_t w = 0; w < s.count; w++) {
        DLTensor *alone = output_of(context, &p, false, s.wanted[w].name);
        ck_assert_mem_eq(alone->data, s.wanted[w].tensor->data, (size_t)count_of(alone) * sizeof(float));
        ga_tensor_destroy(context, alone);
    }
    drop(context, &s);
    setup_close(&s);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("p-adapter");
    TCase *all = tcase_create("p-adapter");
    tcase_set_timeout(all, 0);
    tcase_add_loop_test(all, by_definition, 0, FORMS);
    tcase_add_loop_test(all, by_definition_large, 0, LARGE);
    tcase_add_test(all, equal_tokens);
    tcase_add_loop_test(all, extremes, 0, 4);
    tcase_add_test(all, p_two);
    tcase_add_test(all, means);
    tcase_add_loop_test(all, pool_of_all, 0, 2);
    tcase_add_loop_test(all, blind_rows, 0, 2);
    tcase_add_loop_test(all, gradients, 0, FORMS);
    tcase_add_loop_test(all, gradients_large, 0, LARGE);
    tcase_add_loop_test(all, gradients_one_by_one, 0, 3);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
