/* check_scan_backward.c - gradients of linear recurrences. */
#include "config.h"

#include "tests/unit/check_scan.h"

static const scan_choice choices[] = {
    { DECAY_NONE, false, false, false, false, true },  { DECAY_HEAD, false, false, false, false, true },
    { DECAY_TOKEN, false, false, false, false, true }, { DECAY_VECTOR, false, false, false, false, true },
    { DECAY_NONE, true, false, false, false, true },   { DECAY_HEAD, true, false, false, false, true },
    { DECAY_TOKEN, true, false, false, false, true },  { DECAY_VECTOR, true, false, false, false, true },
    { DECAY_VECTOR, false, true, false, false, true }, { DECAY_TOKEN, false, true, true, false, true },
    { DECAY_NONE, false, false, true, false, true },   { DECAY_VECTOR, true, false, true, false, true },
    { DECAY_HEAD, false, false, true, false, false },  { DECAY_NONE, false, false, false, true, true },
    { DECAY_NONE, false, false, true, true, true },    { DECAY_NONE, true, false, false, false, false },
};
enum { CHOICES = sizeof choices / sizeof *choices };

/* A case with the gradients that come in and room for those that go out. */
typedef struct scan_gradients {
    scan_case *c;
    scan_tensor grad_o, grad_state, out[INPUTS];
    ga_scan_gradients all;
} scan_gradients;

static void fill_sine(scan_tensor *t, double a)
{
    for (int64_t i = 0; i < t->count; i++) {
        double x = sin(a + (double)i * 0.7);
        if (t->tensor.dtype.bits == 64) {
            ((double *)t->data)[i] = x;
        } else {
            ((float *)t->data)[i] = (float)x;
        }
    }
}

static void gradients_make(scan_gradients *x, scan_case *c, scan_type type)
{
    DLTensor **slot[] = {
        &x->all.q, &x->all.k, &x->all.v, &x->all.log_decay, &x->all.beta, &x->all.bonus, &x->all.initial_state
    };
    *x = (scan_gradients){ .c = c };
    scan_case_store(c, type);
    scan_o_make(c, &x->grad_o, type);
    scan_state_make(c, &x->grad_state, type);
    fill_sine(&x->grad_o, 1);
    fill_sine(&x->grad_state, 2);
    x->all.grad_o = &x->grad_o.tensor;
    x->all.grad_state = &x->grad_state.tensor;
    for (int which = 0; which < INPUTS; which++) {
        if (c->input[which].value) {
            scan_tensor_make(&x->out[which], c->input[which].tensor.ndim, c->input[which].shape, type);
            *slot[which] = &x->out[which].tensor;
        }
    }
}

static void gradients_free(scan_gradients *x)
{
    scan_tensor_free(&x->grad_o);
    scan_tensor_free(&x->grad_state);
    for (int which = 0; which < INPUTS; which++) {
        scan_tensor_free(&x->out[which]);
    }
}

/* sum(o * grad_o) + sum(state * grad_state) by the formula. */
static double loss(const scan_gradients *x)
{
    double *o = calloc((size_t)scan_o_count(x->c) + 1, sizeof *o), sum = 0;
    double *state = calloc((size_t)scan_state_count(x->c) + 1, sizeof *state);
    scan_formula(x->c, o, state);
    for (int64_t i = 0; i < scan_o_count(x->c); i++) {
        sum += o[i] * scan_tensor_at(&x->grad_o, i);
    }
    for (int64_t i = 0; x->all.grad_state && i < scan_state_count(x->c); i++) {
        sum += state[i] * scan_tensor_at(&x->grad_state, i);
    }
    free(o);
    free(state);
    return sum;
}

static double loss_at(const scan_gradients *x, double *value, double shift)
{
    double kept = *value;
    *value = kept + shift;
    double found = loss(x);
    *value = kept;
    return found;
}

/* Five points: the error is of fourth order. */
static double slope_at(const scan_gradients *x, double *value)
{
    const double h = 1e-4;
    double near = loss_at(x, value, h) - loss_at(x, value, -h);
    double far = loss_at(x, value, 2 * h) - loss_at(x, value, -2 * h);
    return (8 * near - far) / (12 * h);
}

static void differences_agree(const scan_gradients *x, const char *what)
{
    for (int which = 0; which < INPUTS; which++) {
        scan_tensor *t = &x->c->input[which];
        for (int64_t i = 0; t->value && i < t->count; i++) {
            double slope = slope_at(x, &t->value[i]), found = scan_tensor_at(&x->out[which], i);
            if (!(fabs(found - slope) < 1e-9 * (1 + fabs(slope)))) {
                ck_abort_msg("%s input %d entry %d: %.12g, not %.12g", what, which, (int)i, found, slope);
            }
        }
    }
}

START_TEST(finite_differences)
{
    static const ga__scan_shape shapes[] = {
        { 2, 4, 2, 6, 6, 3, 2 }, { 1, 2, 1, 3, 7, 3, 2 }, { 1, 2, 1, 5, 2, 3, 2 }, { 1, 1, 1, 1, 1, 1, 1 }
    };
    ga_context *context = test_threads_context(1);
    char what[64];
    for (int shape = 0; shape < 4; shape++) {
        for (int with_state = 0; with_state < 2; with_state++) {
            scan_gradients x;
            gradients_make(&x, scan_case_new(shapes[shape], choices[_i], (uint64_t)(shape + 1)), TYPE_F64);
            x.all.grad_state = with_state ? x.all.grad_state : NULL;
            test_ok(context, ga_scan_backward(context, &x.c->problem, &x.all));
            (void)snprintf(what, sizeof what, "choice %d shape %d state %d", _i, shape, with_state);
            differences_agree(&x, what);
            scan_case *c = x.c;
            gradients_free(&x);
            scan_case_free(c);
        }
    }
    ga_context_destroy(context);
}
END_TEST

/* Single against double precision, which the differences vouch for. */
static void single_agrees(ga_context *context, scan_case *c, const char *what)
{
    static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };
    scan_gradients wide, narrow;
    gradients_make(&wide, c, TYPE_F64);
    test_ok(context, ga_scan_backward(context, &c->problem, &wide.all));
    gradients_make(&narrow, c, TYPE_F32);
    for (int backend = 0; backend < 3; backend++) {
        if (!ga_backend_available(backends[backend])) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, backends[backend]));
        test_ok(context, ga_scan_backward(context, &c->problem, &narrow.all));
        for (int which = 0; which < INPUTS; which++) {
            double size = 1;
            for (int64_t i = 0; i < wide.out[which].count; i++) {
                size = fmax(size, fabs(scan_tensor_at(&wide.out[which], i)));
            }
            for (int64_t i = 0; i < wide.out[which].count; i++) {
                double gap =
                    fabs(scan_tensor_at(&wide.out[which], i) - scan_tensor_at(&narrow.out[which], i));
                if (!(gap <= 1e-5 * size)) {
                    ck_abort_msg("%s backend %d input %d entry %d: %g of %g", what, backend, which, (int)i,
                                 gap, size);
                }
            }
        }
    }
    gradients_free(&wide);
    gradients_free(&narrow);
}

START_TEST(single_precision)
{
    ga_context *context = test_threads_context(1);
    char what[64];
    for (int shape = 0; shape < GA__SCAN_COUNT(ga__scan_small); shape++) {
        scan_case *c = scan_case_new(ga__scan_small[shape], choices[_i], (uint64_t)(shape + 50));
        (void)snprintf(what, sizeof what, "choice %d shape %d", _i, shape);
        single_agrees(context, c, what);
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

/* With few heads the columns are cut into tiles, whose parts of the gradients are summed. */
static const ga__scan_shape tiled[] = { { 1, 2, 1, 30, 33, 5, 70 }, { 1, 2, 2, 9, 9, 3, 130 } };

START_TEST(tiles_of_columns)
{
    ga_context *context = test_threads_context(3);
    for (int shape = 0; shape < 2; shape++) {
        scan_case *c = scan_case_new(tiled[shape], choices[_i], (uint64_t)(shape + 70));
        single_agrees(context, c, "tiles");
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(resets_and_long_sequences)
{
    ga_context *context = test_threads_context(1);
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 60, 60, 5, 4 }, choices[_i], 3);
    for (int64_t i = 0; i < c->input[G].count; i++) {
        c->input[G].value[i] = i % 5 == 1 ? -INFINITY : i % 7 == 3 ? -60 : c->input[G].value[i];
    }
    single_agrees(context, c, "resets");
    scan_case_free(c);
    c = scan_case_new((ga__scan_shape){ 1, 2, 1, 1500, 1501, 4, 3 }, choices[_i], 4);
    for (int64_t i = 0; i < c->input[G].count; i++) {
        c->input[G].value[i] /= 256;
    }
    single_agrees(context, c, "long");
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

START_TEST(dead_rows_have_no_gradient)
{
    ga_context *context = test_threads_context(1);
    scan_gradients x;
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 6, 6, 3, 2 },
                                 (scan_choice){ DECAY_NONE, false, false, true, false, false }, 5);
    for (int64_t i = 0; i < 3 * 3; i++) {
        c->input[K].value[i] = 0;
    }
    gradients_make(&x, c, TYPE_F64);
    x.all.grad_state = NULL;
    test_ok(context, ga_scan_backward(context, &c->problem, &x.all));
    for (int64_t i = 0; i < 3 * 3; i++) {
        ck_assert(scan_tensor_at(&x.out[Q], i) == 0);
        ck_assert(isfinite(scan_tensor_at(&x.out[K], i)));
    }
    gradients_free(&x);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

static void same_bits(ga__scan_shape shape, scan_choice choice)
{
    static const int threads[] = { 1, 2, 3, 7 };
    scan_gradients x, first;
    scan_case *c = scan_case_new(shape, choice, 6);
    gradients_make(&first, c, TYPE_F32);
    gradients_make(&x, c, TYPE_F32);
    for (int i = 0; i < 4; i++) {
        ga_context *context = test_threads_context(threads[i]);
        test_ok(context, ga_scan_backward(context, &c->problem, i == 0 ? &first.all : &x.all));
        for (int which = 0; i > 0 && which < INPUTS; which++) {
            size_t bytes = (size_t)first.out[which].count * sizeof(float);
            ck_assert(bytes == 0 || memcmp(first.out[which].data, x.out[which].data, bytes) == 0);
        }
        ga_context_destroy(context);
    }
    gradients_free(&first);
    gradients_free(&x);
    scan_case_free(c);
}

START_TEST(thread_counts)
{
    same_bits((ga__scan_shape){ 3, 6, 3, 30, 33, 5, 7 }, choices[_i]);
    same_bits(tiled[0], choices[_i]);
}
END_TEST

/* ---- what can go wrong ---- */

static ga_status backward_again(ga_context *context, void *user)
{
    scan_gradients *x = user;
    return ga_scan_backward(context, &x->c->problem, &x->all);
}

START_TEST(out_of_memory)
{
    for (int type = TYPE_F32; type <= TYPE_F64; type++) {
        for (int choice = 7; choice < 10; choice++) {
            scan_gradients x;
            scan_case *c = scan_case_new(choice == 9 ? tiled[0] : ga__scan_small[3], choices[choice % 9], 31);
            gradients_make(&x, c, (scan_type)type);
            ck_assert(test_each_allocation(backward_again, &x, 1) >= 2);
            ck_assert(test_each_allocation(backward_again, &x, 3) >= 2);
            gradients_free(&x);
            scan_case_free(c);
        }
    }
}
END_TEST

START_TEST(bad_arguments)
{
    ga_context *context = test_threads_context(2);
    scan_gradients x;
    scan_tensor wrong;
    scan_case *c = scan_case_new(ga__scan_small[3], choices[7], 43);
    gradients_make(&x, c, TYPE_F32);
    scan_tensor_make(&wrong, 4, (int64_t[]){ 1, 3, 21, 16 }, TYPE_F32);
#define REFUSED(change, words) \
    do { \
        ga_scan_gradients g = x.all; \
        ga_scan problem = c->problem; \
        change; \
        test_status(context, ga_scan_backward(context, &problem, &g), GA_INVALID); \
        test_error_has(context, words); \
    } while (0)
    REFUSED(g.grad_o = NULL, "grad_o: ");
    REFUSED(g.grad_o = &wrong.tensor, "grad_o: ");
    REFUSED(g.grad_state = &wrong.tensor, "grad_state: ");
    REFUSED(g.q = &wrong.tensor, "grad_q: ");
    REFUSED(g.k = &wrong.tensor, "grad_k: ");
    REFUSED(g.v = &wrong.tensor, "grad_v: ");
    REFUSED(g.log_decay = &wrong.tensor, "grad_log_decay: ");
    REFUSED(g.beta = &wrong.tensor, "grad_beta: ");
    REFUSED(g.bonus = &wrong.tensor, "grad_bonus: ");
    REFUSED(g.initial_state = &wrong.tensor, "grad_initial_state: ");
    REFUSED(problem.log_decay = NULL, "grad_log_decay: ");
    REFUSED(problem.beta = NULL, "beta: ");
#undef REFUSED
    ((float *)c->input[G].data)[c->input[G].count - 2] = 1;
    test_status(context, ga_scan_backward(context, &c->problem, &x.all), GA_INVALID);
    test_error_has(context, "log_decay: 1 at (0, 1, 20, 14)");
    scan_tensor_free(&wrong);
    gradients_free(&x);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

static int stop_now(void *user)
{
    (void)user;
    return 1;
}

START_TEST(cancelled)
{
    ga_context *context = test_threads_context(2);
    scan_gradients x;
    scan_case *c = scan_case_new(ga__scan_small[5], choices[2], 37);
    gradients_make(&x, c, TYPE_F32);
    ga_context_set_cancel(context, stop_now, NULL);
    test_status(context, ga_scan_backward(context, &c->problem, &x.all), GA_CANCELLED);
    gradients_free(&x);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

START_TEST(zero_sizes)
{
    static const ga__scan_shape empty[] = {
        { 0, 2, 1, 3, 3, 4, 5 }, { 1, 0, 0, 3, 3, 4, 5 }, { 1, 0, 1, 3, 3, 4, 5 }, { 1, 2, 1, 0, 3, 4, 5 },
        { 1, 2, 1, 3, 0, 4, 5 }, { 1, 2, 1, 3, 3, 0, 5 }, { 1, 2, 1, 3, 3, 4, 0 }, { 1, 2, 1, 0, 0, 0, 0 },
    };
    ga_context *context = test_threads_context(1);
    for (int i = 0; i < 8; i++) {
        scan_case *c = scan_case_new(empty[i], choices[_i], 47);
        single_agrees(context, c, "empty");
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan backward");
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, finite_differences, 0, CHOICES);
    tcase_add_loop_test(values, single_precision, 0, CHOICES);
    tcase_add_loop_test(values, tiles_of_columns, 0, CHOICES);
    tcase_add_loop_test(values, resets_and_long_sequences, 0, CHOICES);
    tcase_add_test(values, dead_rows_have_no_gradient);
    tcase_add_loop_test(values, thread_counts, 0, CHOICES);
    suite_add_tcase(suite, values);
    TCase *refusals = tcase_create("refusals");
    tcase_add_test(refusals, out_of_memory);
    tcase_add_test(refusals, bad_arguments);
    tcase_add_test(refusals, cancelled);
    tcase_add_loop_test(refusals, zero_sizes, 0, CHOICES);
    suite_add_tcase(suite, refusals);
    return test_run(suite);
}
