/* check_device_sddmm.c - dots of rows along edges, and their gradients, on the emulated device. */
#include "config.h"

#include "lib/engine/sddmm/shapes.h"
#include "tests/unit/device/check_device_edges.h"

typedef struct dots_case {
    ga_context *cpu;
    graph g;
    int64_t heads, width;
    DLTensor *a, *b, *s, *wanted;
    char name[128];
} dots_case;

static void make_case(dots_case *c, const ga__edge_shape *shape, const ga__dot_shape *dots, DLDataType type_a,
                      DLDataType type_b, DLDataType type_s)
{
    int64_t columns = dots->heads * dots->width;
    ga_context *cpu = test_threads_context(1);
    *c = (dots_case){ .cpu = cpu, .g = graph_of(shape, 7), .heads = dots->heads, .width = dots->width };
    c->a = matrix_of(cpu, type_a, shape->targets, columns, 1);
    c->b = matrix_of(cpu, type_b, shape->sources, columns, 2);
    c->s = matrix_new(cpu, type_s, shape->edges, dots->heads);
    c->wanted = matrix_new(cpu, f64, shape->edges, dots->heads);
    DLTensor *wide[] = { wide_of(cpu, c->a), wide_of(cpu, c->b) };
    test_ok(cpu, ga_sddmm(cpu, &c->g.edges, c->heads, wide[0], wide[1], c->wanted));
    drop_tensors(cpu, wide, 2);
    (void)snprintf(c->name, sizeof c->name, "%lld edges, heads %lld, width %lld", (long long)shape->edges,
                   (long long)c->heads, (long long)c->width);
}

static void free_case(dots_case *c)
{
    DLTensor *all[] = { c->a, c->b, c->s, c->wanted };
    drop_tensors(c->cpu, all, 4);
    graph_free(&c->g);
    ga_context_destroy(c->cpu);
}

static void check_case(ga_context *context, dots_case *c, const char *schedule)
{
    char what[256];
    double width = (double)c->width;
    (void)snprintf(what, sizeof what, "%s, %s", c->name, schedule);
    fill(c->s, 9);
    test_ok(context, ga_sddmm(context, &c->g.edges, c->heads, c->a, c->b, c->s));
    all_near(c->s, c->wanted, fmax(4e-7 * (width + 1), 1e-6 * sqrt(width)), what);
}

START_TEST(agrees_with_the_cpu)
{
    const DLDataType types[][3] = {
        { f32, f32, f32 }, { f32, bf16, f64 }, { f16, f32, f32 }, { bf16, f16, f32 }
    };
    ga_context *context = test_emulated_context();
    for (int s = 0; s < GA__EDGE_SHAPES; s++) {
        for (int d = 0; d < GA__DOT_SHAPES; d++) {
            const DLDataType *t = types[(s + d) % 4];
            dots_case c;
            make_case(&c, &ga__edge_shapes[s], &ga__dot_shapes[d], t[0], t[1], t[2]);
            check_case(context, &c, "default");
            free_case(&c);
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
    static const ga__edge_shape shape = { 9, 60, 2300, 2100, 2 };
    static const ga__dot_shape dots[] = { { 1, 3 }, { 3, 8 }, { 1, 100 } };
    for (int d = 0; d < 3; d++) {
        dots_case c;
        make_case(&c, &shape, &dots[d], f32, d == 1 ? bf16 : f32, f32);
        test_each_schedule(in_schedule, &c);
        free_case(&c);
    }
}
END_TEST

/* Several heads and a hub that is cut: gathers with the gradients as weights. */
START_TEST(gradients)
{
    static const ga__dot_shape dots[] = { { 1, 12 }, { 3, 5 }, { 4, 8 } };
    ga_context *context = test_emulated_context();
    for (int d = 0; d < 3; d++) {
        dots_case c;
        ga_transposed transposed;
        make_case(&c, &ga__edge_shapes[4], &dots[d], f32, f32, f32);
        int64_t columns = c.heads * c.width, targets = c.g.edges.targets, sources = c.g.edges.sources_count;
        fill(c.s, 5);
        test_ok(c.cpu, ga_edges_transpose(c.cpu, &c.g.edges, &transposed));
        DLTensor *wide[] = { wide_of(c.cpu, c.a), wide_of(c.cpu, c.b), wide_of(c.cpu, c.s),
                             matrix_new(c.cpu, f64, targets, columns),
                             matrix_new(c.cpu, f64, sources, columns) };
        DLTensor *da = matrix_new(c.cpu, f32, targets, columns),
                 *db = matrix_new(c.cpu, f32, sources, columns);
        test_ok(c.cpu, ga_sddmm_backward(c.cpu, &c.g.edges, &transposed, c.heads, wide[0], wide[1], wide[2],
                                         wide[3], wide[4]));
        test_ok(context, ga_sddmm_backward(context, &c.g.edges, &transposed, c.heads, c.a, c.b, c.s, da, db));
        all_near(da, wide[3], 8e-7 * (double)longest_row(&c.g.edges), "grad_a");
        all_near(db, wide[4], 2e-5, "grad_b");
        DLTensor *own[] = { da, db };
        drop_tensors(c.cpu, own, 2);
        drop_tensors(c.cpu, wide, 5);
        ga_transposed_destroy(c.cpu, &transposed);
        free_case(&c);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(tensors_on_the_device)
{
    ga_context *context = test_emulated_context();
    dots_case c;
    make_case(&c, &ga__edge_shapes[3], &ga__dot_shapes[7], f32, f32, f32);
    DLTensor *a = test_to_device(context, c.a), *b = test_to_device(context, c.b),
             *s = test_to_device(context, c.s);
    test_ok(context, ga_sddmm(context, &c.g.edges, c.heads, a, b, s));
    DLTensor *found = test_to_host(context, s), *all[] = { a, b, s, found };
    all_near(found, c.wanted, 1e-5, "on the device");
    drop_tensors(context, all, 4);
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

START_TEST(refusals)
{
    ga_context *context = test_emulated_context();
    dots_case c;
    make_case(&c, &ga__edge_shapes[2], &ga__dot_shapes[1], f32, f32, f32);
    DLTensor *wide[] = { wide_of(c.cpu, c.a), wide_of(c.cpu, c.b) };
    test_status(context, ga_sddmm(context, &c.g.edges, 1, wide[0], wide[1], c.s), GA_UNSUPPORTED);
    test_error_has(context, "sddmm: the emulated device cannot compute in f64 yet");
    c.g.sources[2] = 5;
    test_status(context, ga_sddmm(context, &c.g.edges, 1, c.a, c.b, c.s), GA_INVALID);
    test_error_has(context, "edges: source 5 of 5 sources");
    drop_tensors(c.cpu, wide, 2);
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

static ga_status call(ga_context *context, void *user)
{
    dots_case *c = user;
    return ga_sddmm(context, &c->g.edges, c->heads, c->a, c->b, c->s);
}

START_TEST(failures)
{
    dots_case c;
    make_case(&c, &ga__edge_shapes[3], &ga__dot_shapes[1], f32, f32, f32);
    ck_assert_int_gt(test_each_device_call(call, &c), 12);
    ck_assert_int_gt(test_each_device_allocation(call, &c), 2);
    free_case(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sddmm on a device");
    TCase *tests = tcase_create("sddmm");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, agrees_with_the_cpu);
    tcase_add_test(tests, schedules);
    tcase_add_test(tests, gradients);
    tcase_add_test(tests, tensors_on_the_device);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, failures);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
