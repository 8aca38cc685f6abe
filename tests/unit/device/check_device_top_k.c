/* check_device_top_k.c - the largest of rows on the emulated device: those that the CPU takes. */
#include "config.h"

#include "lib/engine/top_k/shapes.h"
#include "tests/unit/check_products.h"
#include "tests/unit/device/device_support.h"

/* kind 0: noise; 1: few different values, zeros of both signs; 2: with NaN and infinities; 3: all NaN but one */
static void fill_kind(DLTensor *x, int64_t n, int kind)
{
    uint64_t state = (uint64_t)kind + 77;
    for (int64_t i = 0; i < count_of(x); i++) {
        double v = noise(&state);
        set(x, i,
            kind == 0        ? v
            : kind == 1      ? (v < -0.4  ? -1
                                : v < 0   ? -0.0
                                : v < 0.5 ? 0.0
                                          : 1)
            : kind == 2      ? (v < -0.6   ? NAN
                                : v < -0.5 ? -INFINITY
                                : v > 0.99 ? INFINITY
                                           : v)
            : i % n == n / 2 ? 1
                             : NAN);
    }
}

typedef struct top_case {
    DLTensor *x, *limits, *indices[2], *values[2];
} top_case;

static void make_case(ga_context *cpu, const ga__top_k_shape *s, DLDataType type, int kind, top_case *c)
{
    c->x = matrix_new(cpu, type, s->rows, s->n);
    c->limits = tensor_new(cpu, i64, 1, &s->rows);
    fill_kind(c->x, s->n, kind);
    for (int64_t i = 0; i < s->rows; i++) {
        ((int64_t *)c->limits->data)[i] = i % 4 == 3   ? -1
                                          : i % 4 == 2 ? s->n + 5
                                                       : s->n - s->n * i / (2 * s->rows);
    }
    for (int i = 0; i < 2; i++) {
        c->indices[i] = matrix_new(cpu, i32, s->rows, s->k);
        c->values[i] = matrix_new(cpu, type, s->rows, s->k);
        for (int64_t k = 0; k < s->rows * s->k; k++) {
            ((int32_t *)c->indices[i]->data)[k] = -77;
            set(c->values[i], k, NAN);
        }
    }
}

static void free_case(ga_context *cpu, top_case *c)
{
    DLTensor *all[] = { c->x, c->limits, c->indices[0], c->indices[1], c->values[0], c->values[1] };
    for (int i = 0; i < 6; i++) {
        ga_tensor_destroy(cpu, all[i]);
    }
}

static void check_shape(ga_context *context, const ga__top_k_shape *s, DLDataType type, int kind,
                        bool limited, const char *what)
{
    ga_context *cpu = test_threads_context(1);
    top_case c;
    make_case(cpu, s, type, kind, &c);
    const DLTensor *limits = limited ? c.limits : NULL;
    test_ok(cpu, ga_top_k(cpu, c.x, limits, s->k, c.indices[0], c.values[0]));
    test_ok(context, ga_top_k(context, c.x, limits, s->k, c.indices[1], c.values[1]));
    for (int64_t i = 0; i < s->rows * s->k; i++) {
        int wanted = ((const int32_t *)c.indices[0]->data)[i],
            found = ((const int32_t *)c.indices[1]->data)[i];
        expect(found == wanted, "%s, %lld of %lld, kind %d: place %lld is %d, not %d", what, (long long)s->k,
               (long long)s->n, kind, (long long)i, found, wanted);
        expect(get(c.values[0], i) == get(c.values[1], i), "%s: value %lld", what, (long long)i);
    }
    free_case(cpu, &c);
    ga_context_destroy(cpu);
}

START_TEST(agrees_with_the_cpu)
{
    const DLDataType types[] = { f32, bf16, f16 };
    ga_context *context = test_emulated_context();
    for (int s = 0; s < GA__TOP_K_SHAPES; s++) {
        ga__top_k_shape shape = ga__top_k_shapes[s];
        shape.rows = shape.rows > 9 ? 9 : shape.rows;
        for (int kind = 0; kind < 4; kind++) {
            check_shape(context, &shape, types[(s + kind) % 3], kind, s % 2 == 0, "types");
            check_shape(context, &shape, f32, kind, s % 2 == 1, "f32");
        }
    }
    ga_context_destroy(context);
}
END_TEST

static void in_schedule(ga_context *context, int number, void *user)
{
    static const ga__top_k_shape shape = { 2, 600, 130 };
    (void)user;
    check_shape(context, &shape, f32, 1, false, test_schedule_name(number));
    check_shape(context, &shape, f32, 2, false, test_schedule_name(number));
}

START_TEST(schedules)
{
    test_each_schedule(in_schedule, NULL);
}
END_TEST

START_TEST(tensors_on_the_device)
{
    static const ga__top_k_shape shape = { 5, 300, 40 };
    ga_context *context = test_emulated_context(), *cpu = test_threads_context(1);
    top_case c;
    make_case(cpu, &shape, f32, 0, &c);
    DLTensor *x = test_to_device(context, c.x), *limits = test_to_device(context, c.limits),
             *indices = test_to_device(context, c.indices[1]);
    test_ok(cpu, ga_top_k(cpu, c.x, c.limits, shape.k, c.indices[0], NULL));
    test_ok(context, ga_top_k(context, x, limits, shape.k, indices, NULL));
    DLTensor *back = test_to_host(context, indices);
    ck_assert_mem_eq(back->data, c.indices[0]->data, (size_t)(shape.rows * shape.k) * sizeof(int32_t));
    DLTensor *all[] = { x, limits, indices, back };
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    free_case(cpu, &c);
    ga_context_destroy(cpu);
    ga_context_destroy(context);
}
END_TEST

START_TEST(refusals)
{
    ga_context *context = test_emulated_context(), *cpu = test_threads_context(1);
    DLTensor *x = matrix_new(cpu, f64, 2, 5), *indices = matrix_new(cpu, i32, 2, 3);
    fill_kind(x, 5, 0);
    test_status(context, ga_top_k(context, x, NULL, 3, indices, NULL), GA_UNSUPPORTED);
    test_error_has(context, "top-k: the emulated device cannot compute in f64 yet");
    ga_tensor_destroy(cpu, x);
    ga_tensor_destroy(cpu, indices);
    ga_context_destroy(cpu);
    ga_context_destroy(context);
}
END_TEST

static ga_status call(ga_context *context, void *user)
{
    top_case *c = user;
    return ga_top_k(context, c->x, c->limits, 3, c->indices[0], c->values[0]);
}

START_TEST(failures)
{
    static const ga__top_k_shape shape = { 2, 20, 3 };
    ga_context *cpu = test_threads_context(1);
    top_case c;
    make_case(cpu, &shape, f32, 0, &c);
    ck_assert_int_gt(test_each_device_call(call, &c), 8);
    free_case(cpu, &c);
    ga_context_destroy(cpu);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("the largest on a device");
    TCase *tests = tcase_create("top-k");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, agrees_with_the_cpu);
    tcase_add_test(tests, schedules);
    tcase_add_test(tests, tensors_on_the_device);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, failures);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
