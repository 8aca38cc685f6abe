/* check_device_tiles_backward.c - gradients of attention by tiles on the emulated device. */
#include "config.h"

#include "tests/unit/device/check_device_tiles.h"

static const ga_normaliser_kind kinds[] = { GA_SOFTMAX, GA_SIGMOID, GA_IDENTITY };

/* A problem, what comes back for it, its gradients on the device, and those of the rows in double precision. */
typedef struct slopes {
    tile_case c;
    DLTensor *grad_o, *found[3], *wanted[3];
} slopes;

static const DLTensor *input(const slopes *s, int which)
{
    const DLTensor *all[] = { s->c.problem.q, s->c.problem.k, s->c.problem.v };
    return all[which];
}

static void make_slopes(slopes *s, const ga__tile_shape *n, shape_of shape, ga_normaliser_kind kind,
                        DLDataType type, bool biased)
{
    ga_context *cpu;
    make_case(&s->c, n, shape, kind, type);
    cpu = s->c.cpu;
    if (biased) {
        s->c.problem.score.bias = tensor_of(&s->c, BIAS, f32, 1, 3, n->heads, n->queries, n->keys, 1);
        s->c.problem.score.slopes = tensor_of(&s->c, SLOPES, f32, 0.1, 1, n->heads, 1, 1, 1);
    }
    const int64_t o_shape[] = { n->batch, n->heads, n->queries, s->c.problem.v->shape[3] };
    s->grad_o = tensor_new(cpu, type, 4, o_shape);
    fill(s->grad_o, 99);
    for (int i = 0; i < 3; i++) {
        s->found[i] = tensor_new(cpu, f32, 4, input(s, i)->shape);
        s->wanted[i] = tensor_new(cpu, f64, 4, input(s, i)->shape);
        for (int64_t k = 0; k < count_of(s->found[i]); k++) {
            set(s->found[i], k, NAN);
        }
    }
    ga_attention_gradients g = {
        .grad_o = s->grad_o, .q = s->wanted[0], .k = s->wanted[1], .v = s->wanted[2]
    };
    test_ok(cpu, ga_attention_backward(cpu, &s->c.problem, GA_FAMILY_ROWS, &g, NULL));
}

static void free_slopes(slopes *s)
{
    drop_tensors(s->c.cpu, s->found, 3);
    drop_tensors(s->c.cpu, s->wanted, 3);
    ga_tensor_destroy(s->c.cpu, s->grad_o);
    free_case(&s->c);
}

static ga_status run(ga_context *context, void *user)
{
    slopes *s = user;
    ga_family used = GA_FAMILY_ROWS;
    ga_attention_gradients g = { .grad_o = s->grad_o, .q = s->found[0], .k = s->found[1], .v = s->found[2] };
    ga_status status = ga_attention_backward(context, &s->c.problem, GA_FAMILY_AUTO, &g, &used);
    ck_assert(status != GA_OK || used == GA_FAMILY_TILES);
    return status;
}

static void check_slopes(ga_context *context, slopes *s, const char *what)
{
    static const char *const names[] = { "grad_q", "grad_k", "grad_v" };
    test_ok(context, run(context, s));
    for (int i = 0; i < 3; i++) {
        double most = 0;
        for (int64_t k = 0; k < count_of(s->wanted[i]); k++) {
            most = fmax(most, fabs(get(s->wanted[i], k)));
        }
        for (int64_t k = 0; k < count_of(s->wanted[i]); k++) {
            double a = get(s->found[i], k), b = get(s->wanted[i], k);
            expect(fabs(a - b) <= 1e-5 * (most + 1e-3), "%s, %s: element %lld of %s is %g, not %g", s->c.name,
                   what, (long long)k, names[i], a, b);
        }
    }
}

static bool fits(shape_of shape)
{
    return shape != EXTRA && shape != GHOST && shape != NEIGHBOUR;
}

START_TEST(agrees_with_the_rows)
{
    const DLDataType types[] = { f32, bf16, f16 };
    ga_context *context = test_emulated_context();
    int tried = 0;
    for (int n = 0; n < GA__TILE_SHAPES; n++) {
        for (int shape = 0; shape < PATTERNS; shape++) {
            if (fits((shape_of)shape) && (n + shape) % 3 == _i) {
                slopes s;
                make_slopes(&s, &ga__tile_shapes[n], (shape_of)shape, kinds[(n + 2 * shape) % 3],
                            types[(n + shape / 2) % 3], n % 4 == 1);
                check_slopes(context, &s, "default");
                free_slopes(&s);
                tried++;
            }
        }
    }
    ck_assert_int_gt(tried, 10);
    ga_context_destroy(context);
}
END_TEST

/* One gradient alone, and heads so wide that keys and values are summed apart. */
START_TEST(one_at_a_time)
{
    static const ga__tile_shape shapes[] = { { 1, 2, 1, 70, 66, 9, 5 },
                                             { 1, 1, 1, 20, 70, 140, 12 },
                                             { 1, 1, 1, 20, 70, 12, 256 } };
    ga_context *context = test_emulated_context();
    for (int n = 0; n < 3; n++) {
        slopes s;
        make_slopes(&s, &shapes[n], FULL, kinds[n], f32, false);
        check_slopes(context, &s, "all");
        for (int which = 0; which < 3; which++) {
            DLTensor *alone = tensor_new(s.c.cpu, f32, 4, input(&s, which)->shape);
            ga_attention_gradients g = { .grad_o = s.grad_o };
            *(which == 0 ? &g.q : which == 1 ? &g.k : &g.v) = alone;
            test_ok(context, ga_attention_backward(context, &s.c.problem, GA_FAMILY_TILES, &g, NULL));
            ck_assert_mem_eq(alone->data, s.found[which]->data, (size_t)count_of(alone) * sizeof(float));
            ga_tensor_destroy(s.c.cpu, alone);
        }
        free_slopes(&s);
    }
    ga_context_destroy(context);
}
END_TEST

static void in_schedule(ga_context *context, int number, void *user)
{
    check_slopes(context, user, test_schedule_name(number));
}

START_TEST(schedules)
{
    static const ga__tile_shape shape = {
        .batch = 1, .heads = 2, .kv_heads = 1, .queries = 70, .keys = 70, .dim = 9, .dim_v = 5
    };
    slopes s;
    make_slopes(&s, &shape, CAUSAL, kinds[_i], f32, false);
    test_each_schedule(in_schedule, &s);
    free_slopes(&s);
}
END_TEST

START_TEST(failures)
{
    slopes s;
    make_slopes(&s, &ga__tile_shapes[2], CAUSAL, GA_SOFTMAX, f32, false);
    ck_assert_int_gt(test_each_device_call(run, &s), 12);
    ck_assert_int_gt(test_each_device_allocation(run, &s), 8);
    free_slopes(&s);
}
END_TEST

static void refused(ga_context *context, slopes *s, const char *words)
{
    test_status(context, run(context, s), GA_UNSUPPORTED);
    test_error_has(context, words);
    free_slopes(s);
}

START_TEST(refusals)
{
    ga_context *context = test_emulated_context();
    slopes s;
    make_slopes(&s, &ga__tile_shapes[2], CAUSAL, GA_RELU_L1, f32, false);
    refused(context, &s,
            "attention: the emulated device cannot give gradients but of softmax, sigmoid and identity yet");
    make_slopes(&s, &ga__tile_shapes[2], CAUSAL, GA_SOFTMAX, f32, false);
    s.c.problem.score.softcap = 2;
    refused(context, &s,
            "attention: the emulated device cannot give gradients through softcap, factors and gains yet");
    make_slopes(&s, &ga__tile_shapes[2], EXTRA, GA_SOFTMAX, f32, false);
    refused(context, &s, "attention: the emulated device cannot give gradients of extra keys and ghosts yet");
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradients by tiles on a device");
    TCase *tests = tcase_create("tiles backward");
    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, agrees_with_the_rows, 0, 3);
    tcase_add_test(tests, one_at_a_time);
    tcase_add_loop_test(tests, schedules, 0, 3);
    tcase_add_test(tests, failures);
    tcase_add_test(tests, refusals);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
