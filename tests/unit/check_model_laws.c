/* check_model_laws.c - identities between models; norms, residuals and activations by hand. */
#include "config.h"

#include "lib/engine/activate/activate.h"
#include "lib/engine/isa.h"
#include "tests/unit/check_model_data.h"

/* ---- identities ---- */

/* Copies the weights that both have. */
static void copy_weights(ga_model *to, const ga_model *from)
{
    for (int64_t i = 0; i < from->weights.count; i++) {
        const ga__weight *a = &from->weights.list[i];
        for (int64_t k = 0; k < to->weights.count; k++) {
            ga__weight *b = &to->weights.list[k];
            if (strcmp(a->name, b->name) == 0) {
                memcpy(b->tensor.data, a->tensor.data, (size_t)a->count * (a->tensor.dtype.bits / 8));
            }
        }
    }
}

static void expect_same_model(const fixture *a, const fixture *b)
{
    problem p, q;
    problem_make(&p, a, 40, 200, true, false);
    problem_make(&q, b, 40, 200, true, false);
    copy_weights(q.model, p.model);
    for (int64_t i = 0; i < q.model->weights.count; i++) { /* not as rounded for the file */
        ga__weight *w = &q.model->weights.list[i];
        if (w->give) {
            w->give(q.model, w, 1, i, w->tensor.data);
        }
    }
    const DLTensor *x = forward(&p, 7, 1), *y = forward(&q, 7, 1);
    for (int64_t i = 0; i < p.n * C; i++) {
        ck_assert_double_eq_tol(number(x, i), number(y, i), 1e-13);
    }
    problem_free(&p);
    problem_free(&q);
}

START_TEST(appnp_is_gprgnn_with_its_coefficients)
{
    static const fixture appnp = {
        "appnp", { { "k", "4" }, { "alpha", "0.2" }, { "prop_dropout", "0" }, { "hidden", "6" } }, { { 0 } }
    };
    static const fixture gprgnn = {
        "gprgnn", { { "k", "4" }, { "alpha", "0.2" }, { "prop_dropout", "0" }, { "hidden", "6" } }, { { 0 } }
    };
    expect_same_model(&appnp, &gprgnn);
}
END_TEST

START_TEST(pgnn_of_two_has_no_side)
{
    static const fixture one = { "pgnn", { { "k", "3" }, { "hidden", "6" } }, { { 0 } } };
    static const fixture other = { "pgnn",
                                   { { "k", "3" }, { "hidden", "6" }, { "alpha_side", "source" } },
                                   { { 0 } } };
    expect_same_model(&one, &other);
}
END_TEST

/* ---- norms, residuals, stages ---- */

/* y = x W + b of a dense stage by hand: (n, columns), owned by the caller. */
static double *dense_by_hand(const double *x, int64_t n, int64_t in, const ga__weight *w, const ga__weight *b)
{
    int64_t columns = w->shape[1];
    double *y = malloc((size_t)(n * columns) * sizeof *y);
    for (int64_t i = 0; i < n * columns; i++) {
        y[i] = number(&b->tensor, i % columns);
        for (int64_t k = 0; k < in; k++) {
            y[i] += x[i / columns * in + k] * number(&w->tensor, k * columns + i % columns);
        }
    }
    return y;
}

START_TEST(batch_norm_by_hand)
{
    static const fixture of = { "mlp",
                                { { "hidden", "4" }, { "norm", "batch" }, { "dropout", "0" } },
                                { { 0 } } };
    problem p;
    problem_make(&p, &of, 20, 0, true, false);
    double *y = dense_by_hand(p.features->data, p.n, F, weight_of(p.model, "layers.0.weight"),
                              weight_of(p.model, "layers.0.bias"));
    double *weight = weight_of(p.model, "layers.0.norm_weight")->tensor.data, mean[4] = { 0 },
           variance[4] = { 0 };
    double *bias = weight_of(p.model, "layers.0.norm_bias")->tensor.data;
    for (int64_t i = 0; i < 4; i++) {
        weight[i] = 0.5 + 0.25 * (double)i;
        bias[i] = 0.1 * (double)i;
        for (int64_t r = 0; r < p.n; r++) {
            mean[i] += y[r * 4 + i] / (double)p.n;
        }
        for (int64_t r = 0; r < p.n; r++) {
            variance[i] += pow(y[r * 4 + i] - mean[i], 2) / (double)p.n;
        }
    }
    const DLTensor *h = forward_to(&p, 0);
    for (int64_t i = 0; i < p.n * 4; i++) {
        int64_t c = i % 4;
        double expected = weight[c] * (y[i] - mean[c]) / sqrt(variance[c] + 1e-5) + bias[c];
        ck_assert_double_eq_tol(number(h, i), fmax(0, expected), 1e-12);
    }
    const double *running = weight_of(p.model, "layers.0.norm_mean")->tensor.data;
    const double *spread = weight_of(p.model, "layers.0.norm_variance")->tensor.data;
    for (int64_t c = 0; c < 4; c++) {
        ck_assert_double_eq_tol(running[c], 0.1 * mean[c], 1e-13);
        ck_assert_double_eq_tol(spread[c], 0.9 + 0.1 * variance[c] * 20 / 19, 1e-13);
    }
    p.training = false;
    h = forward_to(&p, 0);
    for (int64_t i = 0; i < p.n * 4; i++) {
        int64_t c = i % 4;
        double expected = weight[c] * (y[i] - running[c]) / sqrt(spread[c] + 1e-5) + bias[c];
        ck_assert_double_eq_tol(number(h, i), fmax(0, expected), 1e-12);
    }
    free(y);
    problem_free(&p);
}
END_TEST

/* Rows have mean 0 and variance 1 before weight and bias, which start as 1 and 0. */
START_TEST(layer_norm_by_hand)
{
    static const fixture of = { "mlp",
                                { { "hidden", "4" },
                                  { "norm", "layer" },
                                  { "dropout", "0" },
                                  { "output", "linear" },
                                  { "layers", "1" } },
                                { { 0 } } };
    problem p;
    problem_make(&p, &of, 20, 0, true, false);
    const DLTensor *h = forward_to(&p, 0);
    for (int64_t r = 0; r < p.n; r++) {
        double mean = 0, square = 0;
        for (int64_t c = 0; c < 4; c++) {
            mean += number(h, r * 4 + c) / 4;
            square += pow(number(h, r * 4 + c), 2) / 4;
        }
        ck_assert_double_eq_tol(mean, 0, 1e-12);
        ck_assert(square < 1 && square > 0.5); /* of 1, less the 1e-5 */
    }
    problem_free(&p);
}
END_TEST

START_TEST(residual_adds_the_input)
{
    static const fixture of = {
        "mlp", { { "hidden", "5" }, { "layers", "3" }, { "residual", "true" }, { "dropout", "0" } }, { { 0 } }
    };
    problem p;
    problem_make(&p, &of, 20, 0, true, false);
    double *x = malloc((size_t)(p.n * F) * sizeof *x);
    memcpy(x, p.features->data, (size_t)(p.n * F) * sizeof *x);
    for (int64_t layer = 0; layer < 2; layer++) {
        char weight[32], bias[32];
        snprintf(weight, sizeof weight, "layers.%d.weight", (int)layer);
        snprintf(bias, sizeof bias, "layers.%d.bias", (int)layer);
        double *y = dense_by_hand(x, p.n, F, weight_of(p.model, weight), weight_of(p.model, bias));
        const DLTensor *h = forward_to(&p, layer);
        for (int64_t i = 0; i < p.n * F; i++) {
            ck_assert_double_eq_tol(number(h, i), fmax(0, y[i] + x[i]), 1e-12);
        }
        for (int64_t i = 0; i < p.n * F; i++) {
            x[i] = number(h, i);
        }
        free(y);
    }
    free(x);
    problem_free(&p);
}
END_TEST

START_TEST(elu_stands_between_gat_layers)
{
    problem p;
    problem_make(&p, &fixtures[6], 20, 80, true, false);
    p.training = false;
    const DLTensor *h = forward_to(&p, 0);
    ck_assert_int_eq(h->shape[1], 8);
    bool negative = false;
    for (int64_t i = 0; i < p.n * 8; i++) {
        ck_assert_double_gt(number(h, i), -1);
        negative = negative || number(h, i) < 0;
    }
    ck_assert(negative);
    ck_assert(p.model->stages[0].hidden && !p.model->stages[1].hidden);
    problem_free(&p);
}
END_TEST

/* ---- activations ---- */

START_TEST(elu_of_every_length)
{
    for (int b = GA_BACKEND_SCALAR; b <= GA_BACKEND_AVX512; b++) {
        if (!ga_backend_available((ga_backend)b)) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, (ga_backend)b));
        for (int count = 0; count < 70; count++) {
            float y[72];
            for (int i = 0; i < 72; i++) {
                y[i] = 0.4f * (float)(i - 50) + 0.013f;
            }
            GA__CHOOSE(context, ga__activate)->elu(y, count);
            for (int i = 0; i < 72; i++) {
                double x = (double)(0.4f * (float)(i - 50) + 0.013f);
                double expected = i < count && x < 0 ? expm1(x) : x;
                ck_assert_double_eq_tol((double)y[i], expected, 2e-7);
            }
        }
        float special[] = { NAN, -INFINITY, INFINITY, -1e30f, 0 };
        GA__CHOOSE(context, ga__activate)->elu(special, 5);
        ck_assert(isnan(special[0]) && isinf(special[2]));
        ck_assert_double_eq((double)special[1], -1);
        ck_assert_double_eq((double)special[3], -1);
        ck_assert_double_eq((double)special[4], 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model laws");
    TCase *tests = tcase_create("laws");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, appnp_is_gprgnn_with_its_coefficients);
    tcase_add_test(tests, pgnn_of_two_has_no_side);
    tcase_add_test(tests, batch_norm_by_hand);
    tcase_add_test(tests, layer_norm_by_hand);
    tcase_add_test(tests, residual_adds_the_input);
    tcase_add_test(tests, elu_stands_between_gat_layers);
    tcase_add_test(tests, elu_of_every_length);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
