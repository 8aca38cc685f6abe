/* check_device_spmm.c - sums, means and maxima over edges, and their gradients, on the emulated device. */
#include "config.h"

#include "tests/unit/device/check_device_edges.h"

/* ---- against double precision on the CPU ---- */

typedef struct spmm_case {
    ga_context *cpu;
    graph g;
    ga_reduce reduce;
    DLTensor *x, *weights, *y, *argmax;
    DLTensor *wanted, *wanted_argmax;
    char name[128];
} spmm_case;

/* The maxima of products in single precision are those of the CPU bit for bit; sums are compared with f64. */
static void make_case(spmm_case *c, const ga__edge_shape *shape, int64_t width, DLDataType dtype,
                      ga_reduce reduce, bool weighted)
{
    int64_t edges = shape->edges;
    ga_context *cpu = test_threads_context(1);
    *c = (spmm_case){ .cpu = cpu, .g = graph_of(shape, (uint64_t)width), .reduce = reduce };
    c->x = matrix_of(cpu, dtype, shape->sources, width, 1);
    c->y = matrix_new(cpu, f32, shape->targets, width);
    c->argmax = reduce == GA_MAX ? matrix_new(cpu, i64, shape->targets, width) : NULL;
    c->wanted_argmax = reduce == GA_MAX ? matrix_new(cpu, i64, shape->targets, width) : NULL;
    c->weights = weighted ? tensor_new(cpu, width % 2 ? f64 : f32, 1, &edges) : NULL;
    if (weighted) {
        fill(c->weights, 2);
    }
    c->wanted = matrix_new(cpu, reduce == GA_MAX ? f32 : f64, shape->targets, width);
    DLTensor *x = reduce == GA_MAX ? c->x : wide_of(cpu, c->x);
    test_ok(cpu, ga_spmm(cpu, &c->g.edges, c->weights, x, reduce, c->wanted, c->wanted_argmax));
    if (x != c->x) {
        ga_tensor_destroy(cpu, x);
    }
    (void)snprintf(c->name, sizeof c->name, "%lld edges, width %lld, type %d/%d, reduce %d%s",
                   (long long)edges, (long long)width, dtype.code, dtype.bits, (int)reduce,
                   weighted ? ", weights" : "");
}

static void free_case(spmm_case *c)
{
    DLTensor *all[] = { c->x, c->weights, c->y, c->argmax, c->wanted, c->wanted_argmax };
    drop_tensors(c->cpu, all, 6);
    graph_free(&c->g);
    ga_context_destroy(c->cpu);
}

static double allowed(const spmm_case *c)
{
    return (c->reduce == GA_SUM ? (double)longest_row(&c->g.edges) : 1) * 2e-7 * 4;
}

static void check_case(ga_context *context, spmm_case *c, const char *schedule)
{
    char what[256];
    (void)snprintf(what, sizeof what, "%s, %s", c->name, schedule);
    fill(c->y, 9);
    test_ok(context, ga_spmm(context, &c->g.edges, c->weights, c->x, c->reduce, c->y, c->argmax));
    all_near(c->y, c->wanted, c->reduce == GA_MAX ? 0 : allowed(c), what);
    expect(!c->argmax || same_data(c->argmax, c->wanted_argmax), "%s: other edges", what);
}

START_TEST(agrees_with_the_cpu)
{
    const DLDataType types[] = { f32, bf16, f16 };
    ga_context *context = test_emulated_context();
    for (int s = 0; s < GA__EDGE_SHAPES; s++) {
        for (int w = 0; w < GA__WIDTHS; w++) {
            for (int reduce = GA_SUM; reduce <= GA_MAX; reduce++) {
                spmm_case c;
                make_case(&c, &ga__edge_shapes[s], ga__widths[w], types[(s + w + reduce) % 3],
                          (ga_reduce)reduce, (s + w) % 2);
                check_case(context, &c, "default");
                free_case(&c);
            }
        }
    }
    ga_context_destroy(context);
}
END_TEST

static void in_schedule(ga_context *context, int number, void *user)
{
    check_case(context, user, test_schedule_name(number));
}

START_TEST(schedules)
{
    static const ga__edge_shape shape = { 9, 60, 2600, 2300, 2 };
    static const int64_t widths[] = { 3, 36, 132 };
    for (int w = 0; w < 3; w++) {
        spmm_case c;
        make_case(&c, &shape, widths[w], w == 2 ? bf16 : f32, (ga_reduce)_i, w % 2);
        test_each_schedule(in_schedule, &c);
        free_case(&c);
    }
}
END_TEST

/* What a schedule changes is nothing: not a bit. */
static void same_bits(ga_context *context, int number, void *user)
{
    spmm_case *c = user;
    DLTensor *y = number ? c->wanted : c->y;
    test_ok(context, ga_spmm(context, &c->g.edges, c->weights, c->x, c->reduce, y, NULL));
    expect(same_data(y, c->y), "%s: other bits", test_schedule_name(number));
}

START_TEST(bits_stay)
{
    static const ga__edge_shape shape = { 9, 60, 5000, 4600, 2 };
    spmm_case c;
    make_case(&c, &shape, 5, f32, GA_SUM, true);
    ga_tensor_destroy(c.cpu, c.wanted);
    c.wanted = matrix_new(c.cpu, f32, shape.targets, 5);
    test_each_schedule(same_bits, &c);
    free_case(&c);
}
END_TEST

START_TEST(tensors_on_the_device)
{
    ga_context *context = test_emulated_context();
    spmm_case c;
    make_case(&c, &ga__edge_shapes[3], 64, f32, GA_MAX, true);
    DLTensor *x = test_to_device(context, c.x), *weights = test_to_device(context, c.weights);
    DLTensor *y = test_to_device(context, c.y), *argmax = test_to_device(context, c.argmax);
    test_ok(context, ga_spmm(context, &c.g.edges, weights, x, GA_MAX, y, argmax));
    DLTensor *found = test_to_host(context, y), *edges = test_to_host(context, argmax);
    ck_assert(same_data(found, c.wanted) && same_data(edges, c.wanted_argmax));
    DLTensor *all[] = { x, weights, y, argmax, found, edges };
    drop_tensors(context, all, 6);
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

START_TEST(nan_wins)
{
    ga_context *context = test_emulated_context();
    spmm_case c;
    make_case(&c, &ga__edge_shapes[3], 4, f32, GA_MAX, false);
    set(c.x, 5, (double)NAN);
    test_ok(c.cpu, ga_spmm(c.cpu, &c.g.edges, NULL, c.x, GA_MAX, c.wanted, c.wanted_argmax));
    test_ok(context, ga_spmm(context, &c.g.edges, NULL, c.x, GA_MAX, c.y, c.argmax));
    ck_assert(same_data(c.argmax, c.wanted_argmax));
    for (int64_t i = 0; i < count_of(c.y); i++) {
        expect(isnan(get(c.y, i)) == isnan(get(c.wanted, i)), "element %lld", (long long)i);
    }
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

/* ---- gradients ---- */

START_TEST(gradients)
{
    ga_context *context = test_emulated_context();
    for (int reduce = GA_SUM; reduce <= GA_MAX; reduce++) {
        spmm_case c;
        ga_transposed transposed;
        make_case(&c, &ga__edge_shapes[4], 20, f32, (ga_reduce)reduce, true);
        int64_t sources = c.g.edges.sources_count, edges = c.g.edges.count;
        test_ok(c.cpu, ga_edges_transpose(c.cpu, &c.g.edges, &transposed));
        DLTensor *argmax = c.wanted_argmax; /* NULL but for maxima */
        DLTensor *dy = matrix_of(c.cpu, f32, c.g.edges.targets, 20, 3), *wide_dy = wide_of(c.cpu, dy);
        DLTensor *wide_x = wide_of(c.cpu, c.x);
        DLTensor *dx = matrix_new(c.cpu, f32, sources, 20), *wide_dx = matrix_new(c.cpu, f64, sources, 20);
        DLTensor *dw = tensor_new(c.cpu, f32, 1, &edges), *wide_dw = tensor_new(c.cpu, f64, 1, &edges);
        test_ok(c.cpu, ga_spmm_backward(c.cpu, &c.g.edges, &transposed, c.weights, wide_x, c.reduce, argmax,
                                        wide_dy, wide_dx, wide_dw));
        test_ok(context, ga_spmm_backward(context, &c.g.edges, &transposed, c.weights, c.x, c.reduce, argmax,
                                          dy, dx, dw));
        all_near(dx, wide_dx, 2e-5, "grad_x");
        all_near(dw, wide_dw, 1e-5, "grad_weights");
        DLTensor *all[] = { dy, wide_dy, wide_x, dx, wide_dx, dw, wide_dw };
        drop_tensors(c.cpu, all, 7);
        ga_transposed_destroy(c.cpu, &transposed);
        free_case(&c);
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- what is refused, what fails ---- */

START_TEST(refusals)
{
    ga_context *context = test_emulated_context();
    spmm_case c;
    make_case(&c, &ga__edge_shapes[2], 3, f32, GA_SUM, false);
    DLTensor *x = wide_of(c.cpu, c.x), *y = matrix_new(c.cpu, f64, c.g.edges.targets, 3);
    test_status(context, ga_spmm(context, &c.g.edges, NULL, x, GA_SUM, y, NULL), GA_UNSUPPORTED);
    test_error_has(context, "the emulated device cannot compute in f64 yet");
    c.g.sources[4] = 5;
    test_status(context, ga_spmm(context, &c.g.edges, NULL, c.x, GA_SUM, c.y, NULL), GA_INVALID);
    test_error_has(context, "edges: source 5 of 5 sources");
    c.g.sources[4] = 1;
    DLTensor *all[] = { x, y };
    drop_tensors(c.cpu, all, 2);
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

static ga_status call(ga_context *context, void *user)
{
    spmm_case *c = user;
    return ga_spmm(context, &c->g.edges, c->weights, c->x, c->reduce, c->y, c->argmax);
}

START_TEST(failures)
{
    static const ga__edge_shape shape = { 5, 9, 2200, 2150, 1 };
    spmm_case c;
    make_case(&c, &shape, 3, f32, GA_MAX, true);
    ck_assert_int_gt(test_each_device_call(call, &c), 20);
    ck_assert_int_gt(test_each_device_allocation(call, &c), 2);
    free_case(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spmm on a device");
    TCase *tests = tcase_create("spmm");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, agrees_with_the_cpu);
    tcase_add_loop_test(tests, schedules, GA_SUM, GA_MAX + 1);
    tcase_add_test(tests, bits_stay);
    tcase_add_test(tests, tensors_on_the_device);
    tcase_add_test(tests, nan_wins);
    tcase_add_test(tests, gradients);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, failures);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
