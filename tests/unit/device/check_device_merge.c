/* check_device_merge.c - partial results joined on the emulated device. */
#include "config.h"

#include "lib/engine/merge/shapes.h"
#include "tests/unit/check_products.h"
#include "tests/unit/device/device_support.h"

enum { WIDTH = 37, MOST_PARTS = 7 };

/* Parts (parts, 1, rows, WIDTH) with lse (parts, 1, rows): every third saw nothing, row 1 is empty everywhere, one lse is no
 * number. */
static void make_parts(ga_context *context, DLDataType type, int64_t parts, int64_t rows, DLTensor **o,
                       DLTensor **lse)
{
    const int64_t shape[] = { parts, 1, rows, WIDTH };
    uint64_t state = 21;
    *o = tensor_new(context, type, 4, shape);
    *lse = tensor_new(context, f32, 3, shape);
    for (int64_t i = 0; i < parts * rows; i++) {
        bool empty = i % 3 == 1 || i % rows == 1;
        set(*lse, i, empty ? -INFINITY : i == 2 * rows + 4 ? NAN : 30 * noise(&state));
        for (int64_t c = 0; c < WIDTH; c++) {
            set(*o, i * WIDTH + c, empty ? 0 : noise(&state));
        }
    }
}

static void all_close(const DLTensor *found, const DLTensor *wanted, double close, const char *what)
{
    for (int64_t i = 0; i < count_of(wanted); i++) {
        double a = get(found, i), b = get(wanted, i);
        bool same = a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= close * (1 + fabs(b));
        expect(same, "%s: element %lld is %g, not %g", what, (long long)i, a, b);
    }
}

static void check_parts(ga_context *context, DLDataType type, int64_t parts, int64_t rows, const char *what)
{
    const int64_t shape[] = { 1, rows, WIDTH };
    ga_context *cpu = test_threads_context(1);
    DLTensor *o, *lse, *out[4];
    make_parts(cpu, type, parts, rows, &o, &lse);
    for (int i = 0; i < 4; i++) {
        out[i] = tensor_new(cpu, i % 2 ? f32 : type, i % 2 ? 2 : 3, shape);
        for (int64_t k = 0; k < count_of(out[i]); k++) {
            set(out[i], k, NAN);
        }
    }
    test_ok(cpu, ga_merge_parts(cpu, o, lse, out[0], out[1]));
    test_ok(context, ga_merge_parts(context, o, lse, out[2], out[3]));
    all_close(out[2], out[0], type.bits == 32 ? 1e-6 : 1e-2, what);
    all_close(out[3], out[1], 1e-6, what);
    DLTensor *all[] = { o, lse, out[0], out[1], out[2], out[3] };
    for (int i = 0; i < 6; i++) {
        ga_tensor_destroy(cpu, all[i]);
    }
    ga_context_destroy(cpu);
}

START_TEST(parts)
{
    static const int64_t rows[] = { 2, 7, 8, 9, 33 };
    const DLDataType types[] = { f32, bf16, f16 };
    ga_context *context = test_emulated_context();
    for (int t = 0; t < 3; t++) {
        for (int r = 0; r < 5; r++) {
            for (int64_t n = 1; n <= MOST_PARTS; n += 3) {
                check_parts(context, types[t], n, rows[r], "parts");
            }
        }
    }
    ga_context_destroy(context);
}
END_TEST

static void in_schedule(ga_context *context, int number, void *user)
{
    (void)user;
    check_parts(context, f32, 4, 19, test_schedule_name(number));
}

START_TEST(schedules)
{
    test_each_schedule(in_schedule, NULL);
}
END_TEST

/* ---- two results ---- */

static DLTensor *random_tensor(ga_context *context, DLDataType type, int ndim, const int64_t *shape,
                               uint64_t seed)
{
    DLTensor *t = tensor_new(context, type, ndim, shape);
    for (int64_t i = 0; i < count_of(t); i++) {
        set(t, i, 4 * noise(&seed));
    }
    return t;
}

START_TEST(pairs)
{
    const DLDataType types[] = { f32, bf16, f16 };
    ga_context *context = test_emulated_context(), *cpu = test_threads_context(1);
    for (int s = 0; s < GA__MERGE_SHAPES; s++) {
        const int64_t *shape = ga__merge_shapes[s];
        DLDataType a = types[s % 3], b = types[(s + 1) % 3];
        DLTensor *in[] = { random_tensor(cpu, a, 4, shape, 1), random_tensor(cpu, f32, 3, shape, 2),
                           random_tensor(cpu, b, 4, shape, 3), random_tensor(cpu, f32, 3, shape, 4) };
        DLTensor *out[] = { tensor_new(cpu, f32, 4, shape), tensor_new(cpu, f32, 3, shape),
                            tensor_new(cpu, f32, 4, shape), tensor_new(cpu, f32, 3, shape) };
        int64_t rows = count_of(in[1]);
        for (int64_t i = 0; i < rows; i++) { /* all sorts of sides without a key, and of no number */
            set(in[1], i, i % 5 == 1 || i % 5 == 3 ? -INFINITY : i % 11 == 5 ? NAN : get(in[1], i));
            set(in[3], i, i % 5 == 2 || i % 5 == 3 ? -INFINITY : i % 7 == 6 ? NAN : get(in[3], i));
        }
        test_ok(cpu, ga_merge(cpu, in[0], in[1], in[2], in[3], out[0], out[1]));
        test_ok(context, ga_merge(context, in[0], in[1], in[2], in[3], out[2], out[3]));
        all_close(out[2], out[0], 1e-6, "pair");
        all_close(out[3], out[1], 1e-6, "lse of a pair");
        for (int i = 0; i < 4; i++) {
            ga_tensor_destroy(cpu, in[i]);
            ga_tensor_destroy(cpu, out[i]);
        }
    }
    ga_context_destroy(cpu);
    ga_context_destroy(context);
}
END_TEST

/* On the device, the result in the place of its first side. */
static void merge_in_place(ga_context *context, int number, void *user)
{
    const int64_t shape[] = { 1, 3, 11, WIDTH };
    ga_context *cpu = test_threads_context(1);
    (void)user;
    DLTensor *in[] = { random_tensor(cpu, f32, 4, shape, 1), random_tensor(cpu, f32, 3, shape, 2),
                       random_tensor(cpu, f32, 4, shape, 3), random_tensor(cpu, f32, 3, shape, 4) };
    DLTensor *there[4], *back[2];
    for (int i = 0; i < 4; i++) {
        there[i] = test_to_device(context, in[i]);
    }
    test_ok(context, ga_merge(context, there[0], there[1], there[2], there[3], there[0], there[1]));
    test_ok(cpu, ga_merge(cpu, in[0], in[1], in[2], in[3], in[0], in[1]));
    for (int i = 0; i < 2; i++) {
        back[i] = test_to_host(context, there[i]);
        all_close(back[i], in[i], 1e-6, test_schedule_name(number));
        ga_tensor_destroy(context, back[i]);
    }
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, there[i]);
        ga_tensor_destroy(cpu, in[i]);
    }
    ga_context_destroy(cpu);
}

START_TEST(in_place)
{
    test_each_schedule(merge_in_place, NULL);
}
END_TEST

START_TEST(refusals)
{
    const int64_t shape[] = { 1, 4, WIDTH };
    ga_context *context = test_emulated_context(), *cpu = test_threads_context(1);
    DLTensor *o, *lse, *wide = tensor_new(cpu, f64, 3, shape), *to_o = tensor_new(cpu, f32, 3, shape),
                       *to_lse = tensor_new(cpu, f64, 2, shape);
    make_parts(cpu, f32, 3, 4, &o, &lse);
    test_status(context, ga_merge_parts(context, o, lse, wide, NULL), GA_UNSUPPORTED);
    test_error_has(context, "merge: the emulated device cannot compute in f64 yet");
    test_status(context, ga_merge_parts(context, o, lse, to_o, to_lse), GA_UNSUPPORTED);
    test_error_has(context, "merge: the emulated device cannot give an lse but in f32 yet");
    DLTensor *all[] = { o, lse, wide, to_o, to_lse };
    for (int i = 0; i < 5; i++) {
        ga_tensor_destroy(cpu, all[i]);
    }
    ga_context_destroy(cpu);
    ga_context_destroy(context);
}
END_TEST

typedef struct call_of {
    DLTensor *o, *lse, *to_o, *to_lse;
} call_of;

static ga_status call(ga_context *context, void *user)
{
    call_of *c = user;
    return ga_merge_parts(context, c->o, c->lse, c->to_o, c->to_lse);
}

START_TEST(failures)
{
    const int64_t shape[] = { 1, 5, WIDTH };
    ga_context *cpu = test_threads_context(1);
    call_of c = { .to_o = tensor_new(cpu, f32, 3, shape), .to_lse = tensor_new(cpu, f32, 2, shape) };
    make_parts(cpu, f32, 3, 5, &c.o, &c.lse);
    ck_assert_int_gt(test_each_device_call(call, &c), 8);
    DLTensor *all[] = { c.o, c.lse, c.to_o, c.to_lse };
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(cpu, all[i]);
    }
    ga_context_destroy(cpu);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("merging on a device");
    TCase *tests = tcase_create("merge");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, parts);
    tcase_add_test(tests, schedules);
    tcase_add_test(tests, pairs);
    tcase_add_test(tests, in_place);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, failures);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
