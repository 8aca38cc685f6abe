/* check_sddmm.c - dots of rows along edges, and their gradients. */
#include "config.h"

#include "lib/engine/sddmm/shapes.h"
#include "tests/unit/check_products.h"

static double dot(const ga_edges *g, const DLTensor *a, const DLTensor *b, int64_t heads, int64_t target,
                  int64_t e, int64_t head)
{
    int64_t columns = a->shape[1], width = columns / heads;
    double sum = 0;
    for (int64_t c = head * width; c < (head + 1) * width; c++) {
        sum += get(a, target * columns + c) * get(b, g->sources[e] * columns + c);
    }
    return sum;
}

static void check_shape(ga_context *context, const ga__edge_shape *shape, const ga__dot_shape *dots,
                        DLDataType type_a, DLDataType type_b, DLDataType type_s)
{
    ga_backend list[3];
    int count = backends(list);
    graph g = graph_of(shape, (uint64_t)dots->width);
    DLTensor *a = matrix_of(context, type_a, shape->targets, dots->heads * dots->width, 1);
    DLTensor *b = matrix_of(context, type_b, shape->sources, dots->heads * dots->width, 2);
    DLTensor *s[3] = { NULL };
    double tolerance = (type_a.bits == 64 ? 1e-15 : 4e-7) * (double)(dots->width + 1);
    for (int k = 0; k < count; k++) {
        s[k] = matrix_new(context, type_s, shape->edges, dots->heads);
        test_ok(context, ga_context_set_backend(context, list[k]));
        test_ok(context, ga_sddmm(context, &g.edges, dots->heads, a, b, s[k]));
    }
    if (type_s.bits == 32) {
        tolerance = fmax(tolerance, 1e-6 * sqrt((double)dots->width));
    }
    for (int64_t i = 0; i < shape->targets; i++) {
        for (int64_t e = g.offsets[i]; e < g.offsets[i + 1]; e++) {
            for (int64_t h = 0; h < dots->heads; h++) {
                double wanted = dot(&g.edges, a, b, dots->heads, i, e, h);
                for (int k = 0; k < count; k++) {
                    double found = get(s[k], e * dots->heads + h);
                    expect(fabs(found - wanted) <= tolerance,
                           "%s, heads %lld, width %lld, edge %lld: %.9g, not %.9g", ga_backend_name(list[k]),
                           (long long)dots->heads, (long long)dots->width, (long long)e, found, wanted);
                }
            }
        }
    }
    for (int k = 0; k < count; k++) {
        ga_tensor_destroy(context, s[k]);
    }
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
    graph_free(&g);
}

START_TEST(agrees_with_the_definition)
{
    ga_context *context = test_threads_context(2);
    const DLDataType types[][3] = { { f32, f32, f32 },  { f32, bf16, f64 }, { f16, f32, f32 },
                                    { bf16, f16, f32 }, { f64, f64, f64 },  { f64, f64, f32 } };
    for (int s = 0; s < GA__EDGE_SHAPES; s++) {
        for (int d = 0; d < GA__DOT_SHAPES; d++) {
            const DLDataType *t = types[(s + d) % 6], *u = types[(s + d + 3) % 6];
            if (ga__edge_shapes[s].edges > 1000 && ga__dot_shapes[d].width > 100) {
                continue;
            }
            check_shape(context, &ga__edge_shapes[s], &ga__dot_shapes[d], t[0], t[1], t[2]);
            check_shape(context, &ga__edge_shapes[s], &ga__dot_shapes[d], u[0], u[1], u[2]);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* With f = sum G_e s_e: grad_a and grad_b against differences of f. */
START_TEST(gradients)
{
    ga_context *context = test_threads_context(2);
    static const ga__edge_shape shape = { 12, 9, 50, 12, 2 };
    graph g = graph_of(&shape, 3);
    enum { HEADS = 2, COLUMNS = 6 };
    const double h = 1e-5;
    ga_transposed transposed;
    DLTensor *in[2] = { matrix_of(context, f64, 12, COLUMNS, 1), matrix_of(context, f64, 9, COLUMNS, 2) };
    DLTensor *s = matrix_new(context, f64, 50, HEADS), *grad_s = matrix_of(context, f64, 50, HEADS, 3);
    DLTensor *out[2] = { matrix_new(context, f64, 12, COLUMNS), matrix_new(context, f64, 9, COLUMNS) };
    test_ok(context, ga_edges_transpose(context, &g.edges, &transposed));
    test_ok(context,
            ga_sddmm_backward(context, &g.edges, &transposed, HEADS, in[0], in[1], grad_s, out[0], out[1]));
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < count_of(in[side]); i++) {
            double f[2] = { 0, 0 }, at = get(in[side], i);
            for (int up = 0; up < 2; up++) {
                set(in[side], i, up ? at + h : at - h);
                test_ok(context, ga_sddmm(context, &g.edges, HEADS, in[0], in[1], s));
                for (int64_t e = 0; e < 50 * HEADS; e++) {
                    f[up] += get(s, e) * get(grad_s, e);
                }
            }
            set(in[side], i, at);
            expect(fabs((f[1] - f[0]) / (2 * h) - get(out[side], i)) < 1e-8, "side %d, element %lld", side,
                   (long long)i);
        }
    }
    DLTensor *all[] = { in[0], in[1], s, grad_s, out[0], out[1] };
    for (int i = 0; i < 6; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    ga_transposed_destroy(context, &transposed);
    graph_free(&g);
    test_context_done(context, NULL);
}
END_TEST

/* Several heads, a hub that is cut, all instruction sets and threads, single precision. */
START_TEST(gradients_everywhere)
{
    ga_context *context = test_threads_context(1);
    const ga__edge_shape *shape = &ga__edge_shapes[4];
    ga_backend list[3];
    int count = backends(list);
    graph g = graph_of(shape, 3);
    enum { HEADS = 3, WIDTH = 5, COLUMNS = HEADS * WIDTH };
    ga_transposed transposed;
    DLTensor *a = matrix_of(context, f32, shape->targets, COLUMNS, 1);
    DLTensor *b = matrix_of(context, bf16, shape->sources, COLUMNS, 2);
    DLTensor *grad_s = matrix_of(context, f32, shape->edges, HEADS, 3);
    double *wanted_a = calloc((size_t)count_of(a), sizeof *wanted_a),
           *wanted_b = calloc((size_t)count_of(b), sizeof *wanted_b);
    test_ok(context, ga_edges_transpose(context, &g.edges, &transposed));
    for (int64_t i = 0; i < shape->targets; i++) {
        for (int64_t e = g.offsets[i]; e < g.offsets[i + 1]; e++) {
            for (int64_t c = 0; c < COLUMNS; c++) {
                double w = get(grad_s, e * HEADS + c / WIDTH);
                wanted_a[i * COLUMNS + c] += w * get(b, g.sources[e] * COLUMNS + c);
                wanted_b[g.sources[e] * COLUMNS + c] += w * get(a, i * COLUMNS + c);
            }
        }
    }
    for (int k = 0; k < count; k++) {
        DLTensor *ga[2], *gb[2];
        test_ok(context, ga_context_set_backend(context, list[k]));
        for (int j = 0; j < 2; j++) {
            ga[j] = matrix_new(context, f32, shape->targets, COLUMNS);
            gb[j] = matrix_new(context, f32, shape->sources, COLUMNS);
        }
        for (int t = 0; t < 4; t++) {
            int j = t > 0;
            test_set_threads(context, thread_counts[t]);
            test_ok(context,
                    ga_sddmm_backward(context, &g.edges, &transposed, HEADS, a, b, grad_s, ga[j], gb[j]));
            ck_assert(same_data(ga[0], ga[j]) && same_data(gb[0], gb[j]));
        }
        for (int64_t i = 0; i < count_of(a); i++) {
            expect(fabs(get(ga[0], i) - wanted_a[i]) < 2e-4, "grad_a %lld: %g, not %g", (long long)i,
                   get(ga[0], i), wanted_a[i]);
        }
        for (int64_t i = 0; i < count_of(b); i++) {
            expect(fabs(get(gb[0], i) - wanted_b[i]) < 2e-5, "grad_b %lld: %g, not %g", (long long)i,
                   get(gb[0], i), wanted_b[i]);
        }
        for (int j = 0; j < 2; j++) {
            ga_tensor_destroy(context, ga[j]);
            ga_tensor_destroy(context, gb[j]);
        }
    }
    free(wanted_a);
    free(wanted_b);
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
    ga_tensor_destroy(context, grad_s);
    ga_transposed_destroy(context, &transposed);
    graph_free(&g);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(threads_agree_and_nan_stays)
{
    ga_context *context = test_threads_context(1);
    const ga__edge_shape *shape = &ga__edge_shapes[4];
    graph g = graph_of(shape, 3);
    DLTensor *a = matrix_of(context, f32, shape->targets, 37, 1),
             *b = matrix_of(context, f32, shape->sources, 37, 2);
    DLTensor *s[2] = { matrix_new(context, f32, shape->edges, 1), matrix_new(context, f32, shape->edges, 1) };
    set(b, 37 * 5 + 36, NAN); /* source 5 */
    for (int t = 0; t < 4; t++) {
        test_set_threads(context, thread_counts[t]);
        test_ok(context, ga_sddmm(context, &g.edges, 1, a, b, s[t > 0]));
        ck_assert(same_data(s[0], s[t > 0]));
    }
    for (int64_t e = 0; e < shape->edges; e++) {
        expect(isnan(get(s[0], e)) == (g.sources[e] == 5), "edge %lld", (long long)e);
    }
    DLTensor *all[] = { a, b, s[0], s[1] };
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    graph_free(&g);
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
    static const int64_t offsets[] = { 0, 2, 4 }, down[] = { 0, 5, 4 };
    static const uint32_t sources[] = { 0, 1, 1, 2 };
    ga_edges g = { 2, 3, 4, offsets, sources }, bad = { 2, 3, 4, down, sources };
    DLTensor *a = matrix_of(context, f32, 2, 6, 1), *b = matrix_of(context, f32, 3, 6, 1);
    DLTensor *wide = matrix_of(context, f64, 3, 6, 1), *s = matrix_new(context, f32, 4, 2);
    DLTensor *whole = matrix_new(context, i64, 4, 2);
    test_status(context, ga_sddmm(context, &g, 0, a, b, s), GA_INVALID);
    test_error_has(context, "heads");
    test_status(context, ga_sddmm(context, &g, 4, a, b, s), GA_INVALID);
    test_error_has(context, "no multiple");
    test_status(context, ga_sddmm(context, &g, 3, a, b, s), GA_INVALID);
    test_error_has(context, "s: shape (4, 2), expected (4, 3)");
    test_status(context, ga_sddmm(context, &g, 2, b, a, s), GA_INVALID);
    test_status(context, ga_sddmm(context, &g, 2, a, wide, s), GA_INVALID);
    test_status(context, ga_sddmm(context, &g, 2, a, NULL, s), GA_INVALID);
    test_status(context, ga_sddmm(context, &g, 2, a, b, NULL), GA_INVALID);
    test_status(context, ga_sddmm(context, &g, 2, a, b, whole), GA_INVALID);
    test_status(context, ga_sddmm(context, &bad, 2, a, b, s), GA_INVALID);
    test_status(context, ga_sddmm(context, NULL, 2, a, b, s), GA_INVALID);
    test_status(context, ga_sddmm_backward(context, &g, NULL, 2, a, b, s, a, b), GA_INVALID);
    test_error_has(context, "transposed");
    test_status(context, ga_sddmm_backward(context, &g, NULL, 2, a, b, s, b, NULL), GA_INVALID);
    test_status(context, ga_sddmm_backward(context, &g, NULL, 2, a, b, NULL, a, NULL), GA_INVALID);
    ga_context_set_cancel(context, no, NULL);
    test_status(context, ga_sddmm(context, &g, 2, a, b, s), GA_CANCELLED);
    DLTensor *all[] = { a, b, wide, s, whole };
    for (int i = 0; i < 5; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

static ga_status everything(ga_context *context, void *user)
{
    const graph *g = user;
    ga_status status = GA_OK;
    ga_transposed transposed = { 0 };
    int64_t sizes[3][2] = { { g->edges.targets, 8 }, { g->edges.sources_count, 8 }, { g->edges.count, 2 } };
    DLTensor *a = NULL, *b = NULL, *s = NULL;
    GA_TRY(ga_tensor_create(context, f32, 2, sizes[0], &a));
    GA_TRY(ga_tensor_create(context, f32, 2, sizes[1], &b));
    GA_TRY(ga_tensor_create(context, f32, 2, sizes[2], &s));
    memset(a->data, 0, (size_t)count_of(a) * 4);
    memset(b->data, 0, (size_t)count_of(b) * 4);
    GA_TRY(ga_sddmm(context, &g->edges, 2, a, b, s));
    GA_TRY(ga_edges_transpose(context, &g->edges, &transposed));
    GA_TRY(ga_sddmm_backward(context, &g->edges, &transposed, 2, a, b, s, a, b));
done:
    ga_transposed_destroy(context, &transposed);
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
    ga_tensor_destroy(context, s);
    return status;
}

START_TEST(memory_runs_out)
{
    graph g = graph_of(&ga__edge_shapes[4], 3);
    ck_assert_int_gt(test_each_allocation(everything, &g, 2), 8);
    graph_free(&g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sddmm");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, agrees_with_the_definition);
    tcase_add_test(test, gradients);
    tcase_add_test(test, gradients_everywhere);
    tcase_add_test(test, threads_agree_and_nan_stays);
    tcase_add_test(test, refused_arguments);
    tcase_add_test(test, memory_runs_out);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
