/* check_spmm.c - sums, means and maxima over edges, and their gradients. */
#include "config.h"

#include "tests/unit/check_products.h"

/* ---- the definition ---- */

typedef struct plain {
    double *y;
    int64_t *edge;
} plain;

static double weight(const DLTensor *weights, int64_t e, DLDataType dtype)
{
    double w = weights ? get(weights, e) : 1;
    return dtype.bits == 64 ? w : (double)(float)w;
}

static plain by_definition(const ga_edges *g, const DLTensor *weights, const DLTensor *x, ga_reduce reduce)
{
    int64_t width = x->shape[1];
    plain p = { calloc((size_t)(g->targets * width) + 1, sizeof *p.y),
                calloc((size_t)(g->targets * width) + 1, sizeof *p.edge) };
    double *values = malloc(((size_t)count_of(x) + 1) * sizeof *values);
    for (int64_t i = 0; i < count_of(x); i++) {
        values[i] = get(x, i);
    }
    for (int64_t i = 0; i < g->targets; i++) {
        int64_t n = g->offsets[i + 1] - g->offsets[i];
        for (int64_t c = 0; c < width; c++) {
            double sum = 0, best = 0;
            int64_t from = -1;
            for (int64_t e = g->offsets[i]; e < g->offsets[i + 1]; e++) {
                double message = weight(weights, e, x->dtype) * values[g->sources[e] * width + c];
                if (x->dtype.bits != 64 && reduce == GA_MAX) {
                    message = (double)(float)message;
                }
                sum += message;
                if (from < 0 || message > best || (message == best && g->sources[e] < g->sources[from])) {
                    best = message;
                    from = e;
                }
            }
            p.y[i * width + c] = n == 0              ? 0
                                 : reduce == GA_SUM  ? sum
                                 : reduce == GA_MEAN ? sum / (double)n
                                                     : best;
            p.edge[i * width + c] = from;
        }
    }
    free(values);
    return p;
}

static void plain_free(plain *p)
{
    free(p->y);
    free(p->edge);
}

static void compare(const plain *p, const DLTensor *y, const DLTensor *argmax, double tolerance,
                    const char *what)
{
    for (int64_t i = 0; i < count_of(y); i++) {
        double error = fabs(get(y, i) - p->y[i]);
        expect(error <= tolerance, "%s: element %lld is %.9g, not %.9g", what, (long long)i, get(y, i),
               p->y[i]);
        expect(!argmax || ((const int64_t *)argmax->data)[i] == p->edge[i],
               "%s: element %lld from edge %lld, not %lld", what, (long long)i,
               (long long)((const int64_t *)argmax->data)[i], (long long)p->edge[i]);
    }
}

/* Sums of n terms of size 1 in single precision. */
static double allowed(const ga_edges *g, DLDataType dtype, ga_reduce reduce)
{
    int64_t most = 1;
    for (int64_t i = 0; i < g->targets; i++) {
        most = most > g->offsets[i + 1] - g->offsets[i] ? most : g->offsets[i + 1] - g->offsets[i];
    }
    return (reduce == GA_SUM ? (double)most : 1) * (dtype.bits == 64 ? 4e-16 : 2e-7) * 4;
}

static void check_shape(ga_context *context, const ga__edge_shape *shape, int64_t width, DLDataType dtype,
                        int kind)
{
    ga_backend list[3];
    int count = backends(list);
    graph g = graph_of(shape, (uint64_t)width);
    int64_t edges = shape->edges;
    DLTensor *x = matrix_of(context, dtype, shape->sources, width, 1);
    DLTensor *y = matrix_new(context, dtype.bits == 64 ? f64 : f32, shape->targets, width);
    DLTensor *argmax = matrix_new(context, i64, shape->targets, width);
    DLTensor *weights = kind ? tensor_new(context, kind == 1 ? f32 : f64, 1, &edges) : NULL;
    if (weights) {
        fill(weights, 2);
    }
    for (int reduce = GA_SUM; reduce <= GA_MAX; reduce++) {
        plain p = by_definition(&g.edges, weights, x, (ga_reduce)reduce);
        for (int b = 0; b < count; b++) {
            char what[128];
            (void)snprintf(what, sizeof what, "%s, %lld edges, width %lld, %d bits, reduce %d, weights %d",
                           ga_backend_name(list[b]), (long long)edges, (long long)width, dtype.bits, reduce,
                           kind);
            test_ok(context, ga_context_set_backend(context, list[b]));
            test_ok(context, ga_spmm(context, &g.edges, weights, x, (ga_reduce)reduce, y,
                                     reduce == GA_MAX ? argmax : NULL));
            compare(&p, y, reduce == GA_MAX ? argmax : NULL, allowed(&g.edges, dtype, (ga_reduce)reduce),
                    what);
        }
        plain_free(&p);
    }
    ga_tensor_destroy(context, x);
    ga_tensor_destroy(context, y);
    ga_tensor_destroy(context, argmax);
    ga_tensor_destroy(context, weights);
    graph_free(&g);
}

START_TEST(agrees_with_the_definition)
{
    const DLDataType types[] = { f32, bf16, f16, f64 };
    ga_context *context = test_threads_context(2);
    for (int s = 0; s < GA__EDGE_SHAPES; s++) {
        for (int w = 0; w < GA__WIDTHS; w++) {
            for (int t = 0; t < 4; t++) {
                check_shape(context, &ga__edge_shapes[s], ga__widths[w], types[t], (s + w + t) % 3);
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- threads ---- */

START_TEST(threads_agree)
{
    ga_context *context = test_threads_context(1);
    static const ga__edge_shape shape = { 3000, 900, 60000, 15000, 50 };
    graph g = graph_of(&shape, 5);
    int64_t edges = shape.edges;
    DLTensor *x = matrix_of(context, f32, shape.sources, 33, 1),
             *weights = tensor_new(context, f32, 1, &edges);
    DLTensor *y[2], *gx[2], *gw[2], *argmax[2];
    fill(weights, 2);
    for (int k = 0; k < 2; k++) {
        y[k] = matrix_new(context, f32, shape.targets, 33);
        argmax[k] = matrix_new(context, i64, shape.targets, 33);
        gx[k] = matrix_new(context, f32, shape.sources, 33);
        gw[k] = tensor_new(context, f32, 1, &edges);
    }
    for (int reduce = GA_SUM; reduce <= GA_MAX; reduce++) {
        for (int t = 0; t < 4; t++) {
            int k = t > 0;
            ga_transposed transposed;
            DLTensor *am = reduce == GA_MAX ? argmax[k] : NULL;
            test_set_threads(context, thread_counts[t]);
            test_ok(context, ga_spmm(context, &g.edges, weights, x, (ga_reduce)reduce, y[k], am));
            test_ok(context, ga_edges_transpose(context, &g.edges, &transposed));
            test_ok(context, ga_spmm_backward(context, &g.edges, &transposed, weights, x, (ga_reduce)reduce,
                                              am, y[k], gx[k], gw[k]));
            ga_transposed_destroy(context, &transposed);
            ck_assert(same_data(y[0], y[k]) && same_data(gx[0], gx[k]) && same_data(gw[0], gw[k]));
            ck_assert(reduce != GA_MAX || same_data(argmax[0], argmax[k]));
        }
    }
    for (int k = 0; k < 2; k++) {
        ga_tensor_destroy(context, y[k]);
        ga_tensor_destroy(context, argmax[k]);
        ga_tensor_destroy(context, gx[k]);
        ga_tensor_destroy(context, gw[k]);
    }
    ga_tensor_destroy(context, x);
    ga_tensor_destroy(context, weights);
    graph_free(&g);
    test_context_done(context, NULL);
}
END_TEST

/* Large enough for stores past the caches. */
START_TEST(large_outputs)
{
    ga_context *context = test_threads_context(2);
    static const ga__edge_shape shape = { 70000, 300, 90000, 3000, 10 };
    graph g = graph_of(&shape, 7);
    ga_backend list[3];
    int count = backends(list);
    for (int t = 0; t < 2; t++) {
        DLTensor *x = matrix_of(context, t ? f64 : f32, shape.sources, 48, 1);
        DLTensor *y = matrix_new(context, t ? f64 : f32, shape.targets, 48);
        plain p = by_definition(&g.edges, NULL, x, GA_MEAN);
        for (int b = 0; b < count; b++) {
            test_ok(context, ga_context_set_backend(context, list[b]));
            test_ok(context, ga_spmm(context, &g.edges, NULL, x, GA_MEAN, y, NULL));
            compare(&p, y, NULL, t ? 1e-14 : 4e-7, "large");
        }
        plain_free(&p);
        ga_tensor_destroy(context, x);
        ga_tensor_destroy(context, y);
    }
    graph_free(&g);
    test_context_done(context, NULL);
}
END_TEST

/* ---- gradients ---- */

static double loss(ga_context *context, const graph *g, const DLTensor *weights, const DLTensor *x,
                   ga_reduce reduce, DLTensor *y, const DLTensor *grad_y)
{
    double sum = 0;
    test_ok(context, ga_spmm(context, &g->edges, weights, x, reduce, y, NULL));
    for (int64_t i = 0; i < count_of(y); i++) {
        sum += get(y, i) * get(grad_y, i);
    }
    return sum;
}

typedef struct slope_case {
    ga_context *context;
    const graph *g;
    DLTensor *weights, *x, *y, *grad_y;
    ga_reduce reduce;
} slope_case;

static void check_slopes(const slope_case *c, DLTensor *input, const DLTensor *gradient, const char *what)
{
    const double h = 1e-5;
    for (int64_t i = 0; i < count_of(input); i++) {
        double at = get(input, i);
        set(input, i, at + h);
        double up = loss(c->context, c->g, c->weights, c->x, c->reduce, c->y, c->grad_y);
        set(input, i, at - h);
        double down = loss(c->context, c->g, c->weights, c->x, c->reduce, c->y, c->grad_y);
        set(input, i, at);
        expect(fabs((up - down) / (2 * h) - get(gradient, i)) < 1e-7, "reduce %d, %s %lld: %.9g, not %.9g",
               c->reduce, what, (long long)i, get(gradient, i), (up - down) / (2 * h));
    }
}

START_TEST(gradients)
{
    ga_context *context = test_threads_context(2);
    static const ga__edge_shape shape = { 12, 9, 50, 12, 2 };
    graph g = graph_of(&shape, 3);
    int64_t edges = shape.edges;
    ga_transposed transposed;
    test_ok(context, ga_edges_transpose(context, &g.edges, &transposed));
    for (int weighted = 0; weighted < 2; weighted++) {
        for (int reduce = GA_SUM; reduce <= GA_MAX; reduce++) {
            slope_case c = { context,
                             &g,
                             weighted ? tensor_new(context, f64, 1, &edges) : NULL,
                             matrix_of(context, f64, shape.sources, 5, 1),
                             matrix_new(context, f64, shape.targets, 5),
                             matrix_of(context, f64, shape.targets, 5, 3),
                             (ga_reduce)reduce };
            DLTensor *argmax = matrix_new(context, i64, shape.targets, 5);
            DLTensor *grad_x = matrix_new(context, f64, shape.sources, 5);
            DLTensor *grad_w = tensor_new(context, f64, 1, &edges);
            if (weighted) {
                fill(c.weights, 4);
            }
            DLTensor *am = reduce == GA_MAX ? argmax : NULL;
            test_ok(context, ga_spmm(context, &g.edges, c.weights, c.x, c.reduce, c.y, am));
            test_ok(context, ga_spmm_backward(context, &g.edges, &transposed, c.weights, c.x, c.reduce, am,
                                              c.grad_y, grad_x, weighted ? grad_w : NULL));
            check_slopes(&c, c.x, grad_x, "x");
            if (weighted) {
                check_slopes(&c, c.weights, grad_w, "weight");
            }
            ga_tensor_destroy(context, c.weights);
            ga_tensor_destroy(context, c.x);
            ga_tensor_destroy(context, c.y);
            ga_tensor_destroy(context, c.grad_y);
            ga_tensor_destroy(context, argmax);
            ga_tensor_destroy(context, grad_x);
            ga_tensor_destroy(context, grad_w);
        }
    }
    ga_transposed_destroy(context, &transposed);
    graph_free(&g);
    test_context_done(context, NULL);
}
END_TEST

/* In single precision, with 16-bit x and every instruction set, as in double precision. */
START_TEST(gradients_of_all_types)
{
    ga_context *context = test_threads_context(2);
    ga_backend list[3];
    int count = backends(list);
    const DLDataType types[] = { f32, bf16, f16 };
    const ga__edge_shape *shape = &ga__edge_shapes[4];
    graph g = graph_of(shape, 3);
    int64_t edges = shape->edges;
    ga_transposed transposed;
    test_ok(context, ga_edges_transpose(context, &g.edges, &transposed));
    for (int t = 0; t < 3; t++) {
        for (int reduce = GA_SUM; reduce <= GA_MAX; reduce++) {
            DLTensor *x = matrix_of(context, types[t], shape->sources, 20, 1),
                     *wx = matrix_new(context, f64, shape->sources, 20);
            DLTensor *gy = matrix_of(context, f32, shape->targets, 20, 2),
                     *wgy = matrix_new(context, f64, shape->targets, 20);
            DLTensor *w = tensor_new(context, f32, 1, &edges),
                     *y = matrix_new(context, f32, shape->targets, 20);
            DLTensor *am = matrix_new(context, i64, shape->targets, 20), *use = reduce == GA_MAX ? am : NULL;
            DLTensor *gx = matrix_new(context, f32, shape->sources, 20),
                     *wide_gx = matrix_new(context, f64, shape->sources, 20);
            DLTensor *gw = tensor_new(context, f32, 1, &edges),
                     *wide_gw = tensor_new(context, f64, 1, &edges);
            fill(w, 3);
            for (int64_t i = 0; i < count_of(x); i++) {
                set(wx, i, get(x, i));
            }
            for (int64_t i = 0; i < count_of(gy); i++) {
                set(wgy, i, get(gy, i));
            }
            test_ok(context, ga_spmm(context, &g.edges, w, x, (ga_reduce)reduce, y, use));
            test_ok(context, ga_spmm_backward(context, &g.edges, &transposed, w, wx, (ga_reduce)reduce, use,
                                              wgy, wide_gx, wide_gw));
            for (int b = 0; b < count; b++) {
                test_ok(context, ga_context_set_backend(context, list[b]));
                test_ok(context, ga_spmm_backward(context, &g.edges, &transposed, w, x, (ga_reduce)reduce,
                                                  use, gy, gx, gw));
                for (int64_t i = 0; i < count_of(gx); i++) {
                    expect(fabs(get(gx, i) - get(wide_gx, i)) < 2e-5, "grad_x %lld: %g, %g", (long long)i,
                           get(gx, i), get(wide_gx, i));
                }
                for (int64_t i = 0; i < edges; i++) {
                    expect(fabs(get(gw, i) - get(wide_gw, i)) < 1e-5, "grad_weights %lld: %g, %g",
                           (long long)i, get(gw, i), get(wide_gw, i));
                }
            }
            DLTensor *all[] = { x, wx, gy, wgy, w, y, am, gx, wide_gx, gw, wide_gw };
            for (int i = 0; i < 11; i++) {
                ga_tensor_destroy(context, all[i]);
            }
        }
    }
    ga_transposed_destroy(context, &transposed);
    graph_free(&g);
    test_context_done(context, NULL);
}
END_TEST

/* ---- transposing ---- */

START_TEST(transposed_edges)
{
    for (int s = 0; s < GA__EDGE_SHAPES + 1; s++) {
        static const ga__edge_shape large = { 5000, 3000, 150000, 20000, 100 };
        const ga__edge_shape *shape = s < GA__EDGE_SHAPES ? &ga__edge_shapes[s] : &large;
        graph g = graph_of(shape, 11);
        for (int t = 0; t < 4; t++) {
            ga_context *context = test_threads_context(thread_counts[t]);
            ga_transposed out;
            test_ok(context, ga_edges_transpose(context, &g.edges, &out));
            expect(out.offsets[0] == 0 && out.offsets[shape->sources] == shape->edges, "offsets");
            for (int64_t j = 0; j < shape->sources; j++) {
                for (int64_t p = out.offsets[j]; p < out.offsets[j + 1]; p++) {
                    int64_t e = out.edge[p], i = out.targets[p];
                    expect(g.sources[e] == j && g.offsets[i] <= e && e < g.offsets[i + 1], "edge %lld",
                           (long long)e);
                    expect(p == out.offsets[j] || out.edge[p - 1] < e, "order");
                }
            }
            ga_transposed_destroy(context, &out);
            test_context_done(context, NULL);
        }
        graph_free(&g);
    }
}
END_TEST

/* ---- not a number, strides, equal values ---- */

START_TEST(nan_stays_in_its_row)
{
    ga_context *context = test_threads_context(2);
    static const int64_t offsets[] = { 0, 2, 4, 4 };
    static const uint32_t sources[] = { 0, 1, 1, 2 };
    ga_edges g = { 3, 3, 4, offsets, sources };
    DLTensor *x = matrix_of(context, f32, 3, 19, 1), *y = matrix_new(context, f32, 3, 19);
    DLTensor *argmax = matrix_new(context, i64, 3, 19);
    ga_backend list[3];
    int count = backends(list);
    set(x, 3, NAN); /* row 0 of x, column 3 */
    for (int b = 0; b < count; b++) {
        for (int reduce = GA_SUM; reduce <= GA_MAX; reduce++) {
            test_ok(context, ga_context_set_backend(context, list[b]));
            test_ok(context,
                    ga_spmm(context, &g, NULL, x, (ga_reduce)reduce, y, reduce == GA_MAX ? argmax : NULL));
            for (int64_t i = 0; i < 57; i++) {
                expect(isnan(get(y, i)) == (i == 3), "element %lld of reduce %d", (long long)i, reduce);
                expect(i < 38 || get(y, i) == 0, "a row without edges");
            }
        }
        expect(((int64_t *)argmax->data)[3] == 0 && ((int64_t *)argmax->data)[40] == -1, "argmax");
    }
    ga_tensor_destroy(context, x);
    ga_tensor_destroy(context, y);
    ga_tensor_destroy(context, argmax);
    test_context_done(context, NULL);
}
END_TEST

/* Ties go to the lowest source wherever it stands, in one chunk or in several; -inf is a value. */
START_TEST(ties_of_maxima)
{
    ga_context *context = test_threads_context(2);
    enum { LONG = 5000 };
    int64_t offsets[] = { 0, 4, 4 + LONG };
    uint32_t sources[4 + LONG] = { 2, 0, 1, 0 };
    for (int e = 0; e < LONG; e++) {
        sources[4 + e] = e == 4500 ? 0 : e == 4600 ? 0 : 1 + (uint32_t)e % 2;
    }
    ga_edges g = { 2, 3, 4 + LONG, offsets, sources };
    DLTensor *x = matrix_new(context, f32, 3, 2), *y = matrix_new(context, f32, 2, 2);
    DLTensor *argmax = matrix_new(context, i64, 2, 2);
    for (int i = 0; i < 6; i++) {
        set(x, i, i % 2 ? -INFINITY : 7);
    }
    test_ok(context, ga_spmm(context, &g, NULL, x, GA_MAX, y, argmax));
    const int64_t *edge = argmax->data;
    ck_assert(get(y, 0) == 7 && get(y, 1) == -INFINITY && get(y, 3) == -INFINITY);
    ck_assert(edge[0] == 1 && edge[1] == 1 && edge[2] == 4504 && edge[3] == 4504);
    ga_tensor_destroy(context, x);
    ga_tensor_destroy(context, y);
    ga_tensor_destroy(context, argmax);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(strided_rows)
{
    ga_context *context = test_threads_context(1);
    graph g = graph_of(&ga__edge_shapes[3], 2);
    DLTensor *wide = matrix_of(context, f32, 40, 50, 1), *x = matrix_new(context, f32, 40, 21);
    DLTensor *y[2] = { matrix_new(context, f32, 40, 21), matrix_new(context, f32, 40, 21) };
    int64_t shape[] = { 40, 21 }, strides[] = { 50, 1 };
    DLTensor part = { .data = wide->data,
                      .device = { kDLCPU, 0 },
                      .ndim = 2,
                      .dtype = f32,
                      .shape = shape,
                      .strides = strides,
                      .byte_offset = 12 };
    for (int64_t i = 0; i < 40; i++) {
        for (int64_t c = 0; c < 21; c++) {
            set(x, i * 21 + c, get(wide, i * 50 + c + 3));
        }
    }
    test_ok(context, ga_spmm(context, &g.edges, NULL, x, GA_SUM, y[0], NULL));
    test_ok(context, ga_spmm(context, &g.edges, NULL, &part, GA_SUM, y[1], NULL));
    ck_assert(same_data(y[0], y[1]));
    DLTensor *all[] = { wide, x, y[0], y[1] };
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    graph_free(&g);
    test_context_done(context, NULL);
}
END_TEST

/* ---- refusals ---- */

static int no(void *user)
{
    (void)user;
    return 1;
}

START_TEST(refused_arguments)
{
    ga_context *context = test_threads_context(2);
    static const int64_t offsets[] = { 0, 2, 4 }, short_offsets[] = { 0, 2, 3 }, down[] = { 0, 5, 4 },
                         late[] = { 1, 2, 4 };
    static const uint32_t sources[] = { 0, 1, 1, 2 }, far[] = { 0, 1, 7, 2 };
    int64_t five = 5, four = 4;
    ga_edges g = { 2, 3, 4, offsets, sources }, bad = g;
    ga_transposed transposed;
    DLTensor *x = matrix_of(context, f32, 3, 4, 1), *y = matrix_new(context, f32, 2, 4);
    DLTensor *wrong = matrix_new(context, f32, 2, 5), *wide = matrix_new(context, f64, 2, 4);
    DLTensor *w = tensor_new(context, f32, 1, &five), *am = matrix_new(context, i64, 2, 4);
    DLTensor *fits = tensor_new(context, f32, 1, &four), *half = tensor_new(context, f16, 1, &four);
    test_status(context, ga_spmm(context, NULL, NULL, x, GA_SUM, y, NULL), GA_INVALID);
    test_status(context, ga_spmm(context, &g, NULL, NULL, GA_SUM, y, NULL), GA_INVALID);
    test_error_has(context, "x: missing");
    test_status(context, ga_spmm(context, &g, NULL, x, GA_SUM, NULL, NULL), GA_INVALID);
    test_status(context, ga_spmm(context, &g, NULL, x, GA_SUM, wrong, NULL), GA_INVALID);
    test_error_has(context, "y: shape (2, 5), expected (2, 4)");
    test_status(context, ga_spmm(context, &g, NULL, x, GA_SUM, wide, NULL), GA_INVALID);
    test_status(context, ga_spmm(context, &g, w, x, GA_SUM, y, NULL), GA_INVALID);
    test_error_has(context, "weights: shape");
    test_status(context, ga_spmm(context, &g, half, x, GA_SUM, y, NULL), GA_INVALID);
    test_status(context, ga_spmm(context, &g, NULL, x, GA_SUM, y, am), GA_INVALID);
    test_status(context, ga_spmm(context, &g, NULL, x, (ga_reduce)9, y, NULL), GA_INVALID);
    test_status(context, ga_spmm(context, &g, NULL, x, GA_MAX, y, y), GA_INVALID);
    const int64_t *offset_cases[] = { short_offsets, down, late, NULL };
    for (int i = 0; i < 4; i++) {
        bad = g;
        bad.offsets = offset_cases[i];
        test_status(context, ga_spmm(context, &bad, NULL, x, GA_SUM, y, NULL), GA_INVALID);
        test_error_has(context, "offsets");
        test_status(context, ga_edges_transpose(context, &bad, &transposed), GA_INVALID);
    }
    bad = g;
    bad.sources = far;
    test_status(context, ga_edges_transpose(context, &bad, &transposed), GA_INVALID);
    test_error_has(context, "source 7 of 3");
    bad.sources = NULL;
    test_status(context, ga_edges_transpose(context, &bad, &transposed), GA_INVALID);
    bad = g;
    bad.count = -4;
    test_status(context, ga_edges_transpose(context, &bad, &transposed), GA_INVALID);
    bad.count = INT64_MAX;
    test_status(context, ga_edges_transpose(context, &bad, &transposed), GA_INVALID);
    test_status(context, ga_spmm_backward(context, &g, NULL, NULL, x, GA_SUM, NULL, y, x, NULL), GA_INVALID);
    test_error_has(context, "transposed");
    test_status(context, ga_spmm_backward(context, &g, NULL, NULL, NULL, GA_SUM, NULL, y, NULL, fits),
                GA_INVALID);
    test_status(context, ga_spmm_backward(context, &g, NULL, NULL, x, GA_MAX, NULL, y, NULL, fits),
                GA_INVALID);
    test_status(context, ga_spmm_backward(context, &g, NULL, NULL, x, GA_SUM, NULL, wide, NULL, fits),
                GA_INVALID);
    test_status(context, ga_spmm_backward(context, &g, NULL, NULL, x, GA_SUM, NULL, y, NULL, w), GA_INVALID);
    ga_context_set_cancel(context, no, NULL);
    test_status(context, ga_spmm(context, &g, NULL, x, GA_SUM, y, NULL), GA_CANCELLED);
    DLTensor *all[] = { x, y, wrong, wide, w, am, fits, half };
    for (int i = 0; i < 8; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    ga_transposed_destroy(context, NULL);
    test_context_done(context, NULL);
}
END_TEST

static ga_status everything(ga_context *context, void *user)
{
    const graph *g = user;
    ga_status status = GA_OK;
    ga_transposed transposed = { 0 };
    int64_t sizes[3][2] = { { g->edges.sources_count, 8 }, { g->edges.targets, 8 }, { g->edges.count, 1 } };
    DLTensor *x = NULL, *y = NULL, *w = NULL, *am = NULL;
    GA_TRY(ga_tensor_create(context, f32, 2, sizes[0], &x));
    GA_TRY(ga_tensor_create(context, f32, 2, sizes[1], &y));
    GA_TRY(ga_tensor_create(context, i64, 2, sizes[1], &am));
    GA_TRY(ga_tensor_create(context, f32, 2, sizes[2], &w));
    memset(x->data, 0, (size_t)count_of(x) * 4);
    GA_TRY(ga_edges_transpose(context, &g->edges, &transposed));
    for (int reduce = GA_SUM; reduce <= GA_MAX; reduce++) {
        DLTensor *edge = reduce == GA_MAX ? am : NULL;
        GA_TRY(ga_spmm(context, &g->edges, NULL, x, (ga_reduce)reduce, y, edge));
        GA_TRY(ga_spmm_backward(context, &g->edges, &transposed, NULL, x, (ga_reduce)reduce, edge, y, x, w));
    }
done:
    ga_transposed_destroy(context, &transposed);
    ga_tensor_destroy(context, x);
    ga_tensor_destroy(context, y);
    ga_tensor_destroy(context, am);
    ga_tensor_destroy(context, w);
    return status;
}

START_TEST(memory_runs_out)
{
    graph g = graph_of(&ga__edge_shapes[4], 3);
    ck_assert_int_gt(test_each_allocation(everything, &g, 2), 10);
    graph_free(&g);
}
END_TEST

START_TEST(nothing_at_all)
{
    ga_context *context = test_threads_context(2);
    static const int64_t zero[] = { 0, 0, 0 };
    ga_edges none = { 0, 0, 0, zero, NULL }, rows = { 2, 0, 0, zero, NULL };
    ga_transposed transposed;
    DLTensor *x = matrix_new(context, f32, 0, 4), *y0 = matrix_new(context, f32, 0, 4);
    DLTensor *y = matrix_new(context, f32, 2, 4), *thin = matrix_new(context, f32, 2, 0),
             *tx = matrix_new(context, f32, 0, 0);
    test_ok(context, ga_spmm(context, &none, NULL, x, GA_SUM, y0, NULL));
    test_ok(context, ga_spmm(context, &rows, NULL, x, GA_MEAN, y, NULL));
    for (int i = 0; i < 8; i++) {
        ck_assert(get(y, i) == 0);
    }
    test_ok(context, ga_spmm(context, &rows, NULL, tx, GA_MAX, thin, NULL));
    test_ok(context, ga_edges_transpose(context, &none, &transposed));
    test_ok(context, ga_spmm_backward(context, &none, &transposed, NULL, x, GA_SUM, NULL, y0, x, NULL));
    ga_transposed_destroy(context, &transposed);
    DLTensor *all[] = { x, y0, y, thin, tx };
    for (int i = 0; i < 5; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spmm");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, agrees_with_the_definition);
    tcase_add_test(test, threads_agree);
    tcase_add_test(test, large_outputs);
    tcase_add_test(test, gradients);
    tcase_add_test(test, gradients_of_all_types);
    tcase_add_test(test, transposed_edges);
    tcase_add_test(test, nan_stays_in_its_row);
    tcase_add_test(test, ties_of_maxima);
    tcase_add_test(test, strided_rows);
    tcase_add_test(test, refused_arguments);
    tcase_add_test(test, memory_runs_out);
    tcase_add_test(test, nothing_at_all);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
