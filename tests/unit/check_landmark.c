/* check_landmark.c - landmark attention: closed values, limits in which it is something else, gradients, choices, positions,
 * inputs that are no numbers, threads, memory. */
#include "config.h"

#include "tests/unit/check_probe.h"

static ga_context *context;

static void make_context(void)
{
    context = test_threads_context(2);
}

static void drop_context(void)
{
    ga_context_destroy(context);
}

START_TEST(closed)
{
    call c;
    call_closed(context, &c, "landmark", type_f64, 1);
    call_set(&c, "block", "5");
    DLTensor *o = output(context, &c, "o"), *map = output(context, &c, "map");
    double sum = 0, norm = 0;
    for (int64_t i = 0; i < count_of(o); i++) {
        sum += value_at(o, i);
        norm += value_at(o, i) * value_at(o, i);
    }
    ck_assert_double_eq_tol(sum, 45.347207057, 1e-8);
    ck_assert_double_eq_tol(sqrt(norm), 6.533836119, 1e-8);
    ck_assert_double_eq_tol(value_at(o, 47 * 8), 0.476175776, 1e-8);
    ck_assert_double_eq_tol(value_at(map, 47 * 48), 0.043053020, 1e-8);
    ck_assert_double_eq_tol(value_at(map, 47 * 48 + 42), 0.105384201, 1e-8);
    for (int64_t row = 0; row < 48; row++) {
        double total = 0;
        for (int64_t j = 0; j < 48; j++) {
            total += value_at(map, row * 48 + j);
            ck_assert(value_at(map, row * 48 + j) == 0 || (j % 6 != 5 && j <= row));
        }
        ck_assert_double_eq_tol(total, 1, 1e-12);
    }
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, map);
    call_close(context, &c);
}
END_TEST

/* Row 46 alone: the two blocks with the best landmarks. */
START_TEST(retrieval_closed)
{
    static const int want[] = { 5, 6 };
    call c;
    call_closed(context, &c, "landmark", type_f64, 1);
    c.q->shape[2] = 1;
    c.k->shape[2] = c.v->shape[2] = 47;
    memmove(c.q->data, (double *)c.q->data + 46 * 8, 8 * sizeof(double));
    call_set(&c, "block", "5");
    call_set(&c, "mode", "retrieve");
    DLTensor *selected = output(context, &c, "selected");
    ck_assert_int_eq(selected->shape[3], 2);
    is_list(selected, 0, 2, want);
    ga_tensor_destroy(context, selected);
    call_close(context, &c);
}
END_TEST

static void same_numbers(const DLTensor *a, const DLTensor *b, double most)
{
    ck_assert_int_eq(count_of(a), count_of(b));
    for (int64_t i = 0; i < count_of(a); i++) {
        double x = value_at(a, i), y = value_at(b, i);
        ck_assert_msg(x == y || fabs(x - y) <= most || (isnan(x) && isnan(y)), "%lld: %g, %g", (long long)i,
                      x, y);
    }
}

static void same_output(call *a, call *b, const char *name, double most)
{
    DLTensor *x = output(context, a, name), *y = output(context, b, name);
    same_numbers(x, y, most);
    ga_tensor_destroy(context, x);
    ga_tensor_destroy(context, y);
}

/* Retrieving all blocks is the training form; a block longer than the text is full attention. */
START_TEST(limits)
{
    static const char *const names[] = { "o", "lse", "map", "grad_q", "grad_k", "grad_v" };
    for (int t = 0; t < 4; t++) {
        DLDataType type = t % 2 ? type_f32 : type_f64;
        double most = t % 2 ? 2e-5 : 1e-13;
        call a, b;
        call_open(context, &a, "landmark", type, 2, 4, 2, 60, 130, 7, 5);
        call_open(context, &b, "landmark", type, 2, 4, 2, 60, 130, 7, 5);
        call_set(&a, "block", t < 2 ? "6" : "1000");
        if (t < 2) {
            call_set(&b, "block", "6");
            call_set(&b, "mode", "retrieve");
            call_set(&b, "top_k", "18");
            call_set(&b, "select", "shared");
        } else {
            b.variant = "full";
        }
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            same_output(&a, &b, names[i], most);
        }
        call_close(context, &a);
        call_close(context, &b);
    }
}
END_TEST

/* ---- gradients by differences, for choices of every kind ---- */

static double loss(const call *c)
{
    DLTensor *o = output(context, c, "o");
    double sum = 0;
    for (int64_t i = 0; i < count_of(o); i++) {
        sum += value_at(o, i) * value_at(c->grad, i);
    }
    ga_tensor_destroy(context, o);
    return sum;
}

static void check_gradient(call *c, const char *name, DLTensor *input)
{
    DLTensor *grad = output(context, c, name);
    int64_t step = count_of(input) / 40 + 1;
    for (int64_t i = 0; i < count_of(input); i += step) {
        double at = value_at(input, i), h = 1e-5;
        put(input, i, at + h);
        double up = loss(c);
        put(input, i, at - h);
        double slope = (up - loss(c)) / (2 * h);
        put(input, i, at);
        ck_assert_msg(fabs(slope - value_at(grad, i)) < 1e-7 * (1 + fabs(slope)),
                      "%s %lld: %g, by differences %g", name, (long long)i, value_at(grad, i), slope);
    }
    ga_tensor_destroy(context, grad);
}

START_TEST(gradients)
{
    static const char *const selects[] = { "token", "token", "shared", "head" };
    for (int t = 0; t < 4; t++) {
        call c;
        call_open(context, &c, "landmark", type_f64, 1, 4, 2, 60, 66, 5, 4);
        call_set(&c, "block", "4");
        call_set(&c, "mode", t ? "retrieve" : "train");
        call_set(&c, "select", selects[t]);
        call_set(&c, "chunk", t == 3 ? "7" : t == 2 ? "9" : "0");
        check_gradient(&c, "grad_q", c.q);
        check_gradient(&c, "grad_k", c.k);
        check_gradient(&c, "grad_v", c.v);
        call_close(context, &c);
    }
}
END_TEST

/* ---- what is chosen ---- */

/* The keys of the selection are those with weight. */
START_TEST(selection_has_the_weight)
{
    for (int t = 0; t < 3; t++) {
        call c;
        ga_selection *selection = NULL;
        call_open(context, &c, "landmark", type_f64, 2, 2, 1, 25, 31, 5, 4);
        call_set(&c, "block", "3");
        call_set(&c, "mode", t ? "retrieve" : "train");
        call_set(&c, "chunk", t == 2 ? "6" : "0");
        DLTensor *map = output(context, &c, "map");
        test_ok(context, ga_select(context, "landmark", &c.call, &selection));
        for (int64_t row = 0; row < 100; row++) {
            ga_pattern *pattern = NULL;
            int64_t runs[31][2], at = 0, count;
            test_ok(context, ga_pattern_selected(context, selection, row / 50, &pattern));
            int64_t head = ga_pattern_heads(pattern) == 1 ? 0 : row / 25 % 2;
            count = ga_pattern_row_runs(pattern, head, row % 25, runs);
            for (int64_t j = 0; j < 31; j++) {
                at += at < count && j >= runs[at][1];
                ck_assert_int_eq(at < count && j >= runs[at][0], value_at(map, row * 31 + j) > 0);
            }
            ga_pattern_destroy(context, pattern);
        }
        ga_tensor_destroy(context, map);
        ga_selection_destroy(context, selection);
        call_close(context, &c);
    }
}
END_TEST

START_TEST(decoded)
{
    static const char *const modes[] = { "train", "retrieve" };
    for (int t = 0; t < 2; t++) {
        call c;
        ga_named_tensor one = { "o", NULL };
        call_open(context, &c, "landmark", type_f64, 1, 2, 1, 30, 37, 5, 4);
        call_set(&c, "block", "3");
        call_set(&c, "mode", modes[t]);
        DLTensor *all = output(context, &c, "o");
        test_ok(context, ga_attend_decode(context, "landmark", &c.call, &one, 1));
        same_numbers(one.tensor, all, 1e-13);
        ga_tensor_destroy(context, all);
        ga_tensor_destroy(context, one.tensor);
        call_set(&c, "mode", "retrieve");
        call_set(&c, "select", "head");
        call_set(&c, "chunk", "4");
        test_status(context, ga_attend_decode(context, "landmark", &c.call, &one, 1), GA_INVALID);
        test_error_has(context, "all rows of a chunk choose");
        call_close(context, &c);
    }
}
END_TEST

START_TEST(positions)
{
    static const int64_t picks[][2] = { { 1, 4 }, { 3, 6 }, { 6, 7 } };
    static const int64_t want[][2] = { { 0, 6 }, { 0, 12 }, { 6, 12 } };
    int64_t found[2];
    for (int t = 0; t < 3; t++) {
        test_ok(context, ga_landmark_positions(context, 5, 2, 8, picks[t], 2, found));
        ck_assert_int_eq(found[0], want[t][0]);
        ck_assert_int_eq(found[1], want[t][1]);
    }
    test_ok(context, ga_landmark_positions(context, 5, 2, 8, NULL, 0, NULL));
    test_status(context, ga_landmark_positions(context, 5, 2, 8, (int64_t[]){ 4, 4 }, 2, found), GA_INVALID);
    test_error_has(context, "pick 1 is 4");
    test_status(context, ga_landmark_positions(context, 5, 2, 8, (int64_t[]){ 4, 8 }, 2, found), GA_INVALID);
    test_status(context, ga_landmark_positions(context, 5, 2, 8, (int64_t[]){ -1, 8 }, 2, found), GA_INVALID);
    test_status(context, ga_landmark_positions(context, 0, 2, 8, picks[0], 2, found), GA_INVALID);
    test_status(context, ga_landmark_positions(context, INT64_MAX, 2, 8, picks[0], 2, found), GA_INVALID);
}
END_TEST

/* ---- inputs ---- */

/* What a row does not see may be no number: later keys, and the values of landmarks. */
START_TEST(not_numbers)
{
    static const char *const names[] = { "o", "grad_q", "grad_k", "grad_v" };
    for (int t = 0; t < 8; t++) {
        call a, b;
        DLDataType type = t % 2 ? type_f32 : type_f64;
        call_open(context, &a, "landmark", type, 1, 1, 1, 20, 20, 5, 4);
        call_open(context, &b, "landmark", type, 1, 1, 1, 20, 20, 5, 4);
        call_set(&a, "block", "3");
        call_set(&b, "block", "3");
        for (int64_t i = 0; i < 20; i++) { /* the last row has no upstream gradient */
            put(a.grad, 19 * 4 + i % 4, 0);
            put(b.grad, 19 * 4 + i % 4, 0);
        }
        put(b.v, 11 * 4 + 1, INFINITY); /* a landmark */
        const char *name = names[t / 2];
        DLTensor *x = output(context, &a, name), *y = output(context, &b, name);
        same_numbers(x, y, t % 2 ? 1e-5 : 1e-13);
        ga_tensor_destroy(context, y);
        put(b.k, 19 * 5, NAN); /* seen by nobody but the last row, of which it is no landmark's block */
        y = output(context, &b, name);
        if (t / 2 < 2) {
            for (int64_t i = 0; i < count_of(x) / 20 * 19; i++) {
                ck_assert_double_eq_tol(value_at(y, i), value_at(x, i), t % 2 ? 1e-5 : 1e-13);
            }
        }
        ga_tensor_destroy(context, x);
        ga_tensor_destroy(context, y);
        call_close(context, &a);
        call_close(context, &b);
    }
}
END_TEST

START_TEST(odd_sizes)
{
    static const int64_t sizes[][4] = { { 0, 0, 3, 2 },   { 0, 5, 3, 2 }, { 5, 0, 3, 2 },
                                        { 60, 50, 3, 2 }, { 9, 9, 0, 2 }, { 9, 9, 3, 0 } };
    for (int t = 0; t < 6; t++) {
        call c;
        const int64_t *s = sizes[t];
        call_open(context, &c, "landmark", type_f32, 1, 2, 1, s[0], s[1], s[2], s[3]);
        call_set(&c, "block", "3");
        call_set(&c, "mode", t % 2 ? "retrieve" : "train");
        DLTensor *o = output(context, &c, "o"), *lse = output(context, &c, "lse"),
                 *k = output(context, &c, "grad_k");
        for (int64_t i = 0; i < count_of(o) && s[0] > s[1]; i++) {
            ck_assert(i / 2 % s[0] >= s[0] - s[1] || value_at(o, i) == 0);
        }
        for (int64_t i = 0; i < count_of(lse) && s[0] > s[1]; i++) {
            ck_assert_int_eq(i % s[0] < s[0] - s[1], isinf(value_at(lse, i)) != 0);
        }
        ga_tensor_destroy(context, o);
        ga_tensor_destroy(context, lse);
        ga_tensor_destroy(context, k);
        call_close(context, &c);
    }
}
END_TEST

START_TEST(refusals)
{
    call c;
    DLTensor *flags = NULL;
    call_open(context, &c, "landmark", type_f32, 1, 1, 1, 10, 10, 4, 4);
    call_set(&c, "select", "head");
    refused(context, &c, "select=head: expected token or shared, or a chunk above 0");
    call_set(&c, "select", "token");
    c.call.causal = false;
    refused(context, &c, "needs --causal");
    c.call.causal = true;
    test_ok(context, ga_tensor_create(context, type_f32, 1, (int64_t[]){ 10 }, &flags));
    memset(flags->data, 0, 10 * sizeof(float));
    c.tensors[0] = (ga_named_tensor){ "is_landmark", flags };
    c.call.tensor_count = 1;
    refused(context, &c, "is_landmark: integers expected");
    flags->shape[0] = 9;
    refused(context, &c, "is_landmark: shape");
    ga_tensor_destroy(context, flags);
    call_close(context, &c);
}
END_TEST

START_TEST(threads)
{
    static const char *const names[] = { "o", "map", "selected", "grad_q", "grad_k", "grad_v" };
    for (int t = 0; t < 3; t++) {
        call c;
        call_open(context, &c, "landmark", type_f32, 1, 4, 2, 150, 200, 8, 6);
        call_set(&c, "block", "6");
        call_set(&c, "mode", t ? "retrieve" : "train");
        call_set(&c, "chunk", t == 2 ? "20" : "0");
        call_set(&c, "select", t == 2 ? "head" : "token");
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            same_for_threads(&c, names[i]);
        }
        call_close(context, &c);
    }
}
END_TEST

static ga_status run_all(ga_context *some, void *user)
{
    call *c = user;
    ga_selection *selection = NULL;
    ga_report report;
    ga_attend_call with = c->call;
    ga_named_tensor wanted[] = { { "o", NULL }, { "selected", NULL }, { "grad_k", NULL } };
    with.grad_o = c->grad;
    ga_status status = ga_attend(some, "landmark", &with, wanted, 3);
    if (status == GA_OK) {
        status = ga_select(some, "landmark", &c->call, &selection);
    }
    if (status == GA_OK) {
        status = ga_selection_report(some, "landmark", &c->call, selection, &report);
    }
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(some, wanted[i].tensor);
    }
    ga_selection_destroy(some, selection);
    return status;
}

START_TEST(memory)
{
    for (int t = 0; t < 2; t++) {
        call c;
        call_open(context, &c, "landmark", type_f32, 1, 2, 1, 20, 20, 4, 4);
        call_set(&c, "block", "3");
        call_set(&c, "mode", t ? "retrieve" : "train");
        ck_assert_int_gt(test_each_allocation(run_all, &c, 1), 20);
        ck_assert_int_gt(test_each_allocation(run_all, &c, 3), 20);
        call_close(context, &c);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("landmark");
    TCase *all = tcase_create("landmark");
    tcase_set_timeout(all, 0);
    tcase_add_checked_fixture(all, make_context, drop_context);
    tcase_add_test(all, closed);
    tcase_add_test(all, retrieval_closed);
    tcase_add_test(all, limits);
    tcase_add_test(all, gradients);
    tcase_add_test(all, selection_has_the_weight);
    tcase_add_test(all, decoded);
    tcase_add_test(all, positions);
    tcase_add_test(all, not_numbers);
    tcase_add_test(all, odd_sizes);
    tcase_add_test(all, refusals);
    tcase_add_test(all, threads);
    tcase_add_test(all, memory);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
