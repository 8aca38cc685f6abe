/* check_device_tiles_calls.c - attention on the emulated device: where tensors lie, what is refused, what fails. */
#include "config.h"

#include "tests/unit/device/check_device_tiles.h"

static const ga__tile_shape plain_shape = { 2, 4, 2, 70, 80, 16, 24 };

/* ---- where tensors lie ---- */

START_TEST(tensors_on_the_device)
{
    ga_context *context = test_emulated_context();
    tile_case c;
    make_case(&c, &plain_shape, CAUSAL, GA_SOFTMAX, bf16);
    c.problem.score.bias = tensor_of(&c, BIAS, f32, 1, 3, 1, 70, 80, 1);
    find_wanted(&c);
    DLTensor *there[6];
    static const int which[] = { Q, K, V, BIAS, O, LSE };
    for (int i = 0; i < 6; i++) {
        there[i] = test_to_device(context, c.t[which[i]]);
    }
    c.problem.q = there[0];
    c.problem.k = there[1];
    c.problem.v = there[2];
    c.problem.score.bias = there[3];
    const ga_attention_result result = { .o = there[4], .lse = there[5] };
    test_ok(context, ga_attention_forward(context, &c.problem, GA_FAMILY_TILES, &result, NULL));
    DLTensor *o = test_to_host(context, there[4]), *lse = test_to_host(context, there[5]);
    near(o, c.t[WANTED_O], c.t[SLACK], c.unit, c.tolerance, "o");
    near(lse, c.t[WANTED_LSE], NULL, 0, 4e-6, "lse");
    DLTensor *all[] = { o, lse };
    drop_tensors(context, all, 2);
    drop_tensors(context, there, 6);
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

/* (batch, row, head, column) read as (batch, head, row, column), and outputs in 16 bits. */
START_TEST(strides_and_short_outputs)
{
    ga_context *context = test_emulated_context();
    for (int i = 0; i < 3; i++) {
        tile_case c;
        make_case(&c, &plain_shape, WINDOW, GA_SOFTMAX, i == 0 ? f32 : i == 1 ? bf16 : f16);
        int64_t strides[3][4];
        for (int t = Q; t <= V; t++) {
            DLTensor *x = c.t[t];
            const int64_t s[] = { x->shape[1] * x->shape[2] * x->shape[3], x->shape[3],
                                  x->shape[1] * x->shape[3], 1 };
            memcpy(strides[t], s, sizeof s);
            x->strides = strides[t];
        }
        find_wanted(&c);
        c.result.o = tensor_new(c.cpu, i == 1 ? bf16 : f16, 4, c.t[O]->shape);
        test_ok(context, ga_attention_forward(context, &c.problem, GA_FAMILY_AUTO, &c.result, NULL));
        /* the output is rounded too */
        near(c.result.o, c.t[WANTED_O], c.t[SLACK], c.unit, i == 1 ? 0x1p-8 : 0x1p-11, c.name);
        ga_tensor_destroy(c.cpu, c.result.o);
        for (int t = Q; t <= V; t++) {
            c.t[t]->strides = NULL;
        }
        free_case(&c);
    }
    ga_context_destroy(context);
}
END_TEST

/* q in single precision, keys in bf16, values in f16. */
START_TEST(mixed_types)
{
    ga_context *context = test_emulated_context();
    tile_case c;
    make_case(&c, &plain_shape, FULL, GA_SIGMOID, f32);
    DLTensor *k = tensor_new(c.cpu, bf16, 4, c.t[K]->shape), *v = tensor_new(c.cpu, f16, 4, c.t[V]->shape);
    fill(k, 5);
    fill(v, 6);
    c.problem.k = k;
    c.problem.v = v;
    find_wanted(&c);
    check_case(context, &c, "default");
    DLTensor *all[] = { k, v };
    drop_tensors(c.cpu, all, 2);
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

START_TEST(nothing_to_do)
{
    static const ga__tile_shape none[] = {
        { 1, 2, 1, 0, 9, 4, 4 }, { 1, 2, 1, 9, 0, 4, 4 }, { 0, 2, 1, 3, 9, 4, 4 }, { 1, 2, 1, 3, 9, 4, 0 }
    };
    ga_context *context = test_emulated_context();
    for (int i = 0; i < 4; i++) {
        tile_case c;
        make_case(&c, &none[i], FULL, GA_SOFTMAX, i % 2 ? bf16 : f32);
        find_wanted(&c);
        check_case(context, &c, "default");
        free_case(&c);
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- what is refused ---- */

static void refused(ga_context *context, const tile_case *c, ga_family family,
                    const ga_attention_result *result, const char *words)
{
    test_status(context, ga_attention_forward(context, &c->problem, family, result, NULL), GA_UNSUPPORTED);
    test_error_has(context, words);
}

static void count_row(void *user, int64_t batch, int64_t head, int64_t query, int64_t count,
                      const int64_t *keys, double *weights)
{
    (void)batch, (void)head, (void)query, (void)count, (void)keys, (void)weights;
    ++*(int *)user;
}

START_TEST(refusals)
{
    static const ga__tile_shape wide = { 1, 1, 1, 3, 4, 257, 4 };
    ga_context *context = test_emulated_context();
    tile_case c;
    make_case(&c, &plain_shape, FULL, GA_SOFTMAX, f32);
    const int64_t map_shape[] = { 2, 4, 70, 80 };
    DLTensor *map = tensor_new(c.cpu, f32, 4, map_shape), *o = tensor_new(c.cpu, f64, 4, c.t[O]->shape);
    ga_row_statistics statistics = { .max = c.t[LSE] };
    int rows = 0;
    const ga_post post = { .form = GA_POST_ROW, .user = &rows, .row = count_row };
    refused(context, &c, GA_FAMILY_AUTO, &(ga_attention_result){ .map = map }, "device cannot give maps yet");
    refused(context, &c, GA_FAMILY_AUTO, &(ga_attention_result){ .statistics = &statistics },
            "device cannot give statistics of rows yet");
    refused(context, &c, GA_FAMILY_AUTO, &(ga_attention_result){ .o = o }, "device cannot give f64 yet");
    refused(context, &c, GA_FAMILY_ROWS, &c.result, "device cannot run another family than tiles yet");
    refused(context, &c, GA_FAMILY_EDGES, &c.result, "device cannot run another family than tiles yet");
    c.problem.post = &post;
    refused(context, &c, GA_FAMILY_AUTO, &c.result, "device cannot run post steps yet");
    ck_assert_int_eq(rows, 0);
    c.problem.post = NULL;
    c.result.lse = NULL;
    c.problem.normaliser.kind = GA_INLINE;
    refused(context, &c, GA_FAMILY_AUTO, &c.result, "device cannot compute inline weights yet");
    c.problem.normaliser.kind = GA_SOFTPLUS_REWEIGHT;
    refused(context, &c, GA_FAMILY_AUTO, &c.result, "device cannot compute softplus-reweight weights yet");
    c.problem.normaliser.kind = GA_SOFTMAX;
    const ga_attention_gradients gradients = { .grad_o = c.t[O], .q = c.t[Q] };
    test_status(context, ga_attention_backward(context, &c.problem, GA_FAMILY_ROWS, &gradients, NULL),
                GA_UNSUPPORTED);
    test_error_has(context, "device cannot run another family than tiles yet");
    DLTensor *all[] = { map, o };
    drop_tensors(c.cpu, all, 2);
    free_case(&c);
    make_case(&c, &wide, FULL, GA_SOFTMAX, f32);
    refused(context, &c, GA_FAMILY_AUTO, &c.result, "device cannot take heads of more than 256 columns yet");
    free_case(&c);
    make_case(&c, &plain_shape, FULL, GA_SOFTMAX, f64);
    refused(context, &c, GA_FAMILY_AUTO, &c.result, "device cannot compute in f64 yet");
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

/* Keys on the device cannot have ghosts or extra keys added on the host. */
START_TEST(extra_keys_on_the_device)
{
    static const ga__tile_shape shape = { 1, 1, 1, 9, 9, 4, 4 };
    ga_context *context = test_emulated_context();
    tile_case c;
    make_case(&c, &shape, EXTRA, GA_SOFTMAX, f32);
    DLTensor *k = test_to_device(context, c.t[K]);
    c.problem.k = k;
    refused(context, &c, GA_FAMILY_AUTO, &c.result,
            "device cannot add ghosts or extra keys to what lies there yet");
    ga_tensor_destroy(context, k);
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

/* ---- what fails ---- */

static ga_status call(ga_context *context, void *user)
{
    tile_case *c = user;
    return ga_attention_forward(context, &c->problem, GA_FAMILY_AUTO, &c->result, NULL);
}

START_TEST(failures)
{
    static const ga__tile_shape shapes[] = { { 1, 2, 1, 70, 90, 8, 8 }, { 1, 1, 1, 2, 1100, 8, 8 } };
    tile_case c;
    make_case(&c, &shapes[_i], EXTRA, _i ? GA_SOFTPLUS : GA_SOFTMAX, _i ? f32 : bf16);
    c.problem.score.column_bias = tensor_of(&c, COLUMN, f32, 1, 3, 1, 1, c.n.keys, 1);
    c.problem.head_scale = tensor_of(&c, SCALE, f32, 2, 1, c.n.heads, 1, 1, 1);
    ck_assert_int_gt(test_each_device_call(call, &c), 20);
    ck_assert_int_gt(test_each_device_allocation(call, &c), 5);
    free_case(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calls of tiles on a device");
    TCase *tests = tcase_create("calls");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, tensors_on_the_device);
    tcase_add_test(tests, strides_and_short_outputs);
    tcase_add_test(tests, mixed_types);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, extra_keys_on_the_device);
    tcase_add_loop_test(tests, failures, 0, 2);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
