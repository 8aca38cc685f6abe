/* check_device_scan.c - linear recurrences on the emulated device. */
#include "config.h"

#include "lib/engine/scan_attention/scan_device.h"
#include "tests/unit/check_scan.h"
#include "tests/unit/device/device_support.h"

static const double bound = 4e-6;

START_TEST(small_shapes)
{
    ga_context *context = test_emulated_context();
    for (int shape = 0; shape < GA__SCAN_COUNT(ga__scan_small); shape++) {
        scan_case *c = scan_case_new(ga__scan_small[shape], scan_choices[_i], (uint64_t)(shape + 1));
        double gap = scan_gap(context, c, TYPE_F32);
        ck_assert_msg(gap < bound, "choice %d shape %d: %g", _i, shape, gap);
        if (shape == _i % GA__SCAN_COUNT(ga__scan_small)) {
            scan_case_store(c, _i % 2 ? TYPE_BF16 : TYPE_F16);
            gap = scan_gap(context, c, TYPE_F32);
            ck_assert_msg(gap < bound, "choice %d shape %d of halves: %g", _i, shape, gap);
        }
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

/* Every number of rows that a kernel is made for, and one more; more columns than a block has. */
START_TEST(large_states)
{
    static const ga__scan_shape shapes[] = { { 1, 2, 1, 5, 5, 32, 32 },  { 1, 1, 1, 5, 5, 33, 33 },
                                             { 1, 1, 1, 5, 5, 64, 70 },  { 1, 1, 1, 4, 4, 65, 31 },
                                             { 1, 2, 1, 4, 4, 129, 32 }, { 1, 1, 1, 4, 4, 256, 33 },
                                             { 1, 1, 1, 4, 4, 257, 3 },  { 1, 1, 1, 3, 3, 512, 34 },
                                             { 1, 40, 1, 3, 3, 256, 2 } };
    ga_context *context = test_emulated_context();
    for (int i = 0; i < 9; i++) {
        for (int j = 0; j < 3; j++) { /* each choice with two of the shapes at least */
            int choice = (2 * i + 5 * j) % SCAN_CHOICES;
            scan_case *c = scan_case_new(shapes[i], scan_choices[choice], (uint64_t)(i + 50));
            double gap = scan_gap(context, c, TYPE_F32), d = (double)shapes[i].d;
            ck_assert_msg(gap < bound * fmax(1, sqrt(d / 64)), "choice %d, %d x %d: %g", choice, (int)d,
                          (int)shapes[i].e, gap);
            scan_case_free(c);
        }
    }
    ga_context_destroy(context);
}
END_TEST

static void in_schedule(ga_context *context, int number, void *user)
{
    double gap = scan_gap(context, user, TYPE_F32);
    ck_assert_msg(gap < bound, "%s: %g", test_schedule_name(number), gap);
}

START_TEST(schedules)
{
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 2, 1, 19, 19, 9, 5 }, scan_choices[_i], 9);
    test_each_schedule(in_schedule, c);
    scan_case_free(c);
}
END_TEST

/* Memory of decay near 1 and near 0, over more tokens than are brought at a time many times over. */
START_TEST(long_sequences)
{
    static const double logs[] = { -1e-6, -1e-3, -3, -99, -101 };
    ga_context *context = test_emulated_context();
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 150, 150, 4, 3 },
                                     (scan_choice){ DECAY_TOKEN, i % 2 == 1, false, false, false, true }, 11);
        for (int64_t t = 0; t < c->input[G].count; t++) {
            c->input[G].value[t] = logs[i];
        }
        scan_case_store(c, TYPE_F32);
        double gap = scan_gap(context, c, TYPE_F32);
        ck_assert_msg(gap < 2e-5, "log decay %g: %g", logs[i], gap);
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- where tensors lie ---- */

static void run_there(ga_context *context, scan_case *c, scan_tensor *o, scan_tensor *state)
{
    DLTensor *there[INPUTS] = { NULL }, *on_device[2] = { NULL }, *back = NULL;
    ga_scan problem = c->problem;
    const DLTensor **slot[] = { &problem.q,
                                &problem.k,
                                &problem.v,
                                &problem.log_decay,
                                &problem.beta,
                                &problem.bonus,
                                &problem.initial_state };
    scan_tensor *out[] = { o, state };
    for (int i = 0; i < INPUTS; i++) {
        there[i] = test_to_device(context, *slot[i]);
        *slot[i] = there[i];
    }
    for (int i = 0; i < 2; i++) {
        on_device[i] = test_to_device(context, &out[i]->tensor);
    }
    test_ok(context, ga_scan_forward(context, &problem, on_device[0], on_device[1]));
    for (int i = 0; i < 2; i++) {
        back = test_to_host(context, on_device[i]);
        memcpy(out[i]->data, back->data, (size_t)out[i]->count * sizeof(float));
        ga_tensor_destroy(context, back);
        ga_tensor_destroy(context, on_device[i]);
    }
    for (int i = 0; i < INPUTS; i++) {
        ga_tensor_destroy(context, there[i]);
    }
}

START_TEST(tensors_on_the_device)
{
    ga_context *context = test_emulated_context();
    scan_case *c = scan_case_new(ga__scan_small[3], scan_choices[_i], 4);
    scan_tensor o, state;
    double *want_o = calloc((size_t)scan_o_count(c), sizeof(double));
    double *want_state = calloc((size_t)scan_state_count(c), sizeof(double));
    scan_case_store(c, TYPE_F32);
    scan_o_make(c, &o, TYPE_F32);
    scan_state_make(c, &state, TYPE_F32);
    run_there(context, c, &o, &state);
    scan_formula(c, want_o, want_state);
    ck_assert(scan_distance(&o, want_o) < bound);
    ck_assert(scan_distance(&state, want_state) < bound);
    if (c->input[G].value) { /* a growth that nobody looked at is not hidden */
        c->input[G].value[0] = 0.5;
        scan_case_store(c, TYPE_F32);
        run_there(context, c, &o, &state);
        ck_assert(isnan(scan_tensor_at(&state, 0)));
    }
    scan_tensor_free(&o);
    scan_tensor_free(&state);
    free(want_o);
    free(want_state);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

START_TEST(one_output)
{
    ga_context *context = test_emulated_context();
    scan_case *c = scan_case_new(ga__scan_small[5], scan_choices[3], 4);
    double *want[2] = { calloc((size_t)scan_o_count(c), sizeof(double)),
                        calloc((size_t)scan_state_count(c), sizeof(double)) };
    scan_tensor out[2];
    scan_case_store(c, TYPE_F32);
    scan_formula(c, want[0], want[1]);
    scan_o_make(c, &out[0], TYPE_F32);
    scan_state_make(c, &out[1], TYPE_F32);
    for (int i = 0; i < 2; i++) {
        test_ok(context,
                ga_scan_forward(context, &c->problem, i ? NULL : &out[0].tensor, i ? &out[1].tensor : NULL));
        ck_assert(scan_distance(&out[i], want[i]) < bound);
        scan_tensor_free(&out[i]);
        free(want[i]);
    }
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

/* ---- what is refused ---- */

static void says(ga_context *context, ga__scan_shape shape, scan_type type, ga_status wanted,
                 const char *words)
{
    scan_case *c = scan_case_new(shape, scan_choices[2], 4);
    scan_tensor o;
    scan_case_store(c, type);
    if (wanted == GA_INVALID) {
        c->input[G].value[1] = 0.5;
        scan_case_store(c, type);
    }
    scan_o_make(c, &o, TYPE_F32);
    test_status(context, ga_scan_forward(context, &c->problem, &o.tensor, NULL), wanted);
    test_error_has(context, words);
    scan_tensor_free(&o);
    scan_case_free(c);
}

START_TEST(refusals)
{
    ga_context *context = test_emulated_context();
    says(context, ga__scan_small[2], TYPE_F64, GA_UNSUPPORTED,
         "scan: the emulated device cannot compute in f64 yet");
    says(context, (ga__scan_shape){ 1, 1, 1, 2, 2, 513, 2 }, TYPE_F32, GA_UNSUPPORTED,
         "scan: the emulated device cannot carry states of more than 512 rows yet");
    says(context, (ga__scan_shape){ 1, 300, 1, 2, 2, 256, 2 }, TYPE_F32, GA_UNSUPPORTED,
         "scan: the emulated device cannot share a state among so many heads yet");
    says(context, ga__scan_small[2], TYPE_F32, GA_INVALID,
         "log_decay: 0.5 at (0, 0, 1, 0), must not be above 0");
    ga_context_destroy(context);
}
END_TEST

static ga_status call(ga_context *context, void *user)
{
    scan_case *c = user;
    scan_tensor o, state;
    scan_o_make(c, &o, TYPE_F32);
    scan_state_make(c, &state, TYPE_F32);
    ga_status status = ga_scan_forward(context, &c->problem, &o.tensor, &state.tensor);
    scan_tensor_free(&o);
    scan_tensor_free(&state);
    return status;
}

START_TEST(failures)
{
    scan_case *c = scan_case_new(ga__scan_small[2], scan_choices[7], 4);
    scan_case_store(c, TYPE_F32);
    ck_assert_int_gt(test_each_device_call(call, c), 12);
    scan_case_free(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recurrences on a device");
    TCase *tests = tcase_create("scan");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, small_shapes, 0, SCAN_CHOICES);
    tcase_add_test(tests, large_states);
    tcase_add_loop_test(tests, schedules, 7, 11);
    tcase_add_test(tests, long_sequences);
    tcase_add_loop_test(tests, tensors_on_the_device, 0, SCAN_CHOICES);
    tcase_add_test(tests, one_output);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, failures);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
