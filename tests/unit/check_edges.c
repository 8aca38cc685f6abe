/* check_edges.c - message passing against its formulas. */
#include "config.h"

#include "tests/unit/check_edges.h"

#include "lib/engine/edge_attention/edge.h"
#include "lib/engine/edge_attention/shapes.h"

enum { SHAPES = sizeof ga__edge_shapes / sizeof *ga__edge_shapes };

typedef struct formula {
    ga_edge_score score;
    ga_normaliser_kind kind;
} formula;

enum { FORMULAS = 26 };

static formula formula_at(int i)
{
    static const ga_normaliser_kind kinds[] = { GA_SOFTMAX, GA_SIGMOID, GA_SOFTPLUS, GA_RELU_L1,
                                                GA_IDENTITY };
    return i == FORMULAS - 1 ? (formula){ GA_EDGE_DISTANCE, GA_P_LAPLACIAN }
                             : (formula){ (ga_edge_score)(i / 5), kinds[i % 5] };
}

static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };

static void compare(const char *what, const net *n, ga_backend backend, const double *found,
                    const double *expected, int64_t count, double absolute)
{
    for (int64_t k = 0; k < count; k++) {
        if (net_near(found[k], expected[k], absolute, absolute)) {
            continue; /* an assertion writes to a file each time, whether it holds or not */
        }
        ck_abort_msg("%s: score %d normaliser %d heads %d width %d %s: [%d] %.9g, not %.9g", what, n->score,
                     n->normaliser.kind, (int)n->heads, (int)n->width, ga_backend_name(backend), (int)k,
                     found[k], expected[k]);
    }
}

static void compare_results(const net *n, ga_backend backend, const net_result *found,
                            const net_result *expected, double absolute)
{
    int64_t rows = n->edges.targets * n->heads;
    compare("y", n, backend, found->y, expected->y, rows * n->width_v, absolute);
    if (!n->bare || n->normaliser.kind == GA_P_LAPLACIAN) {
        compare("sums", n, backend, found->sums, expected->sums, rows, absolute * 4);
    }
    if (!n->bare) {
        compare("map", n, backend, found->map, expected->map, n->edges.count * n->heads, absolute);
    }
    if (n->normaliser.kind == GA_SOFTMAX) {
        compare("lse", n, backend, found->lse, expected->lse, rows, absolute);
    }
}

static void check_forward(ga_context *context, const net *n, net_type type, int64_t hub, double absolute)
{
    net_result expected, found;
    net_plain(n, &expected);
    for (int b = 0; b < 3; b++) {
        if (!ga_backend_available(backends[b])) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, backends[b]));
        test_ok(context, net_forward(context, n, type, hub, &found));
        compare_results(n, backends[b], &found, &expected, absolute);
        net_result_drop(&found);
    }
    net_result_drop(&expected);
}

START_TEST(test_forward)
{
    ga_context *context = test_threads_context(2);
    net n;
    net_init(&n, 13, 17, 45, 3);
    formula f = formula_at(_i);
    for (int shape = 0; shape < SHAPES; shape++) {
        for (int variant = 0; variant < 2; variant++) {
            n.bias_axes = variant + 1;
            n.shared = variant == 1 && f.score != GA_EDGE_ADDITIVE && f.score != GA_EDGE_CONSTANT;
            net_fill(&n, f.score, f.kind, ga__edge_shapes[shape].heads, ga__edge_shapes[shape].width,
                     shape % 2 ? 3 : ga__edge_shapes[shape].width);
            double scale = sqrt((double)n.width) * (f.score == GA_EDGE_DISTANCE ? (double)n.width : 4);
            check_forward(context, &n, NET_F32, variant ? 16 : GA__EDGE_HUB, 1e-5 * scale);
            check_forward(context, &n, NET_F64, GA__EDGE_HUB, 1e-12 * scale);
        }
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(test_half_storage)
{
    ga_context *context = test_threads_context(2);
    net n;
    net_init(&n, 9, 9, 40, 5);
    formula f = formula_at(_i);
    for (int type = NET_BF16; type <= NET_F16; type++) {
        for (int shape = 0; shape < SHAPES; shape += 3) {
            n.shared = shape % 2 && f.score != GA_EDGE_ADDITIVE && f.score != GA_EDGE_CONSTANT;
            net_fill(&n, f.score, f.kind, ga__edge_shapes[shape].heads, ga__edge_shapes[shape].width, 9);
            net_round(&n, type);
            check_forward(context, &n, type, 16, 2e-5 * (double)(n.width + 8));
        }
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* ---- gradients ---- */

static double loss(const net *n)
{
    net_result r;
    double sum = 0;
    net_plain(n, &r);
    for (int64_t k = 0; k < n->edges.targets * n->heads * n->width_v; k++) {
        sum += n->grad_y[k] * r.y[k];
    }
    for (int64_t k = 0; k < n->edges.targets * n->heads; k++) {
        sum += n->grad_sums[k] * r.sums[k];
    }
    net_result_drop(&r);
    return sum;
}

/* Every gradient against the difference of the loss at both sides. */
static void check_differences(const net *n, const net_slopes *s, int variant)
{
    for (int i = 0; i <= NET_BIAS; i++) {
        int64_t count = net_rows(n, i) * net_columns(n, i);
        for (int64_t k = 0; n->tensor[i] && k < count; k++) {
            double *x = &n->tensor[i][k], before = *x, step = 1e-6;
            *x = before + step;
            double up = loss(n);
            *x = before - step;
            double expected = (up - loss(n)) / (2 * step);
            *x = before;
            ck_assert_msg(net_near(s->of[i][k], expected, 1e-6, 1e-6),
                          "score %d normaliser %d variant %d tensor %d [%d]: %.9g, not %.9g", n->score,
                          n->normaliser.kind, variant, i, (int)k, s->of[i][k], expected);
        }
    }
}

START_TEST(test_finite_differences)
{
    ga_context *context = test_threads_context(1);
    net n;
    net_init(&n, 5, 6, 9, 11);
    formula f = formula_at(_i);
    double powers[] = { 1, 1.5, 2, 2.5, 3.3 };
    for (int variant = 0; variant < (f.kind == GA_P_LAPLACIAN ? 10 : 3); variant++) {
        n.p = powers[variant / 2];
        n.guard = f.kind == GA_P_LAPLACIAN && variant % 2 ? 0.1 : 0;
        n.bias_axes = variant % 3;
        net_fill(&n, f.score, f.kind, 2, 3, 2);
        net_slopes s;
        test_ok(context, net_backward(context, &n, NET_F64, GA__EDGE_HUB, variant % 2, &s));
        check_differences(&n, &s, variant);
        if (f.kind == GA_P_LAPLACIAN) {
            double before = n.p;
            n.p = before + 1e-6;
            double up = loss(&n);
            n.p = before - 1e-6;
            double expected = (up - loss(&n)) / 2e-6;
            /* Without a guard p = 2 gives weight w where the difference is 0, its neighbours give 0 there. */
            ck_assert_msg(before == 2 || net_near(s.p, expected, 1e-5, 1e-5), "p: %.9g, not %.9g", s.p,
                          expected);
            n.p = before;
        }
        net_slopes_drop(&s);
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

static double size_of(const double *p, int64_t count)
{
    double most = 1;
    for (int64_t k = 0; k < count; k++) {
        most = fmax(most, fabs(p[k]));
    }
    return most;
}

static void check_backward(ga_context *context, const net *n, net_type type, int64_t hub, int given,
                           double absolute)
{
    net_slopes expected, found;
    net plain = *n;
    plain.in_place = false;
    test_ok(context, net_backward(context, &plain, NET_F64, GA__EDGE_HUB, NET_NOTHING, &expected));
    for (int b = 0; b < 3; b++) {
        if (!ga_backend_available(backends[b])) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, backends[b]));
        test_ok(context, net_backward(context, n, type, hub, given, &found));
        for (int i = 0; i <= NET_BIAS; i++) {
            if (n->tensor[i]) {
                int64_t count = net_rows(n, i) * net_columns(n, i);
                char what[32];
                (void)snprintf(what, sizeof what, "gradient %d", i);
                compare(what, n, backends[b], found.of[i], expected.of[i], count,
                        absolute * size_of(expected.of[i], count));
            }
        }
        ck_assert_msg(net_near(found.p, expected.p, absolute * 100, absolute * 100), "p: %g, not %g", found.p,
                      expected.p);
        net_slopes_drop(&found);
    }
    net_slopes_drop(&expected);
}

START_TEST(test_backward)
{
    ga_context *context = test_threads_context(2);
    net n;
    net_init(&n, 11, 13, 45, 21);
    formula f = formula_at(_i);
    for (int shape = 0; shape < SHAPES; shape++) {
        for (int variant = 0; variant < 2; variant++) {
            n.bias_axes = variant ? 2 : shape % 2;
            n.shared = variant == 1 && f.score != GA_EDGE_ADDITIVE && f.score != GA_EDGE_CONSTANT;
            n.p = variant ? 2.5 : 1.5;
            n.guard = 0.05;
            net_fill(&n, f.score, f.kind, ga__edge_shapes[shape].heads, ga__edge_shapes[shape].width,
                     shape % 2 ? 3 : ga__edge_shapes[shape].width);
            /* A short row has a small norm, by which the cosine divides. */
            double absolute = f.score == GA_EDGE_COSINE && n.width == 1 ? 1e-3 : 3e-5;
            check_backward(context, &n, NET_F32, variant ? 16 : GA__EDGE_HUB, variant, absolute);
        }
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(test_half_backward)
{
    ga_context *context = test_threads_context(2);
    net n;
    net_init(&n, 9, 8, 40, 23);
    formula f = formula_at(_i);
    for (int type = NET_BF16; type <= NET_F16; type++) {
        n.p = 1.5;
        n.guard = 0.1;
        net_fill(&n, f.score, f.kind, 3, 17, 9);
        net_round(&n, type);
        check_backward(context, &n, type, 16, true, 5e-5);
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

#include "tests/unit/check_edges_laws.h"
#include "tests/unit/check_edges_training.h"

int main(void)
{
    Suite *suite = suite_create("edges");
    TCase *formulas = tcase_create("formulas");
    tcase_add_loop_test(formulas, test_forward, 0, FORMULAS);
    tcase_add_loop_test(formulas, test_half_storage, 0, FORMULAS);
    tcase_add_loop_test(formulas, test_finite_differences, 0, FORMULAS);
    tcase_add_loop_test(formulas, test_backward, 0, FORMULAS);
    tcase_add_loop_test(formulas, test_half_backward, 0, FORMULAS);
    tcase_set_timeout(formulas, 300);
    suite_add_tcase(suite, formulas);
    suite_add_tcase(suite, laws());
    suite_add_tcase(suite, training());
    suite_add_tcase(suite, edges_family());
    return test_run(suite);
}
