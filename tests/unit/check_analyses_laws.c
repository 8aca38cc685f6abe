/* check_analyses_laws.c - what holds for every analysis: threads, precision, memory; pictures of masks. */
#include "config.h"

#include "tests/unit/check_analyses.h"

/* ---- what holds for all ---- */

static void make_map_call(call *c, int which, const double *values)
{
    if (which == 0) {
        c->name = "sinks";
        give_reals(c, "hidden", 3, (int64_t[]){ 2, 5, 12 }, values);
        set(c, "sink_dims", "1,7");
        set(c, "tau", "1.5");
        want(c, "phi");
    } else if (which == 1) {
        c->name = "sinks";
        c->causal = true;
        give_reals(c, "map", 4, (int64_t[]){ 2, 2, 5, 6 }, values);
        set(c, "method", "received");
        want(c, "recv");
        want(c, "sinks");
    } else {
        c->name = "carve";
        give_reals(c, "question", 4, (int64_t[]){ 2, 3, 2, 12 }, values);
        give_reals(c, "general", 4, (int64_t[]){ 2, 3, 2, 12 }, values + 50);
        set(c, "shape", "3,4");
        set(c, "out_shape", "5,9");
        want(c, "score");
        want(c, "mask");
        want(c, "entropy");
    }
}

static void make_head_call(call *c, int which, const double *values)
{
    static const int64_t tokens[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3 }, generated[] = { 3, 4, 5 };
    if (which == 3) {
        c->name = "retrieval-score";
        give_reals(c, "map", 3, (int64_t[]){ 3, 4, 12 }, values);
        give_integers(c, "tokens", 12, tokens);
        give_integers(c, "generated", 3, generated);
        set(c, "needle_start", "2");
        set(c, "needle_end", "9");
        want(c, "score");
        want(c, "argmax");
    } else if (which == 4) {
        c->name = "attention-influence";
        give_reals(c, "base", 1, (int64_t[]){ 12 }, values);
        give_reals(c, "reference", 1, (int64_t[]){ 12 }, values + 12);
        give_integers(c, "domain", 12, tokens);
        want(c, "score");
        want(c, "rank");
        want(c, "selected");
    } else if (which == 5) {
        c->name = "vhd";
        give_reals(c, "with_image", 4, (int64_t[]){ 2, 3, 4, 5 }, values);
        give_reals(c, "without_image", 4, (int64_t[]){ 2, 3, 4, 5 }, values + 60);
        want(c, "vhd");
        want(c, "token");
    } else {
        c->name = "cls-streams";
        give_reals(c, "first", 2, (int64_t[]){ 3, 12 }, values);
        give_reals(c, "last", 2, (int64_t[]){ 3, 12 }, values + 60);
        want(c, "local");
    }
}

/* A call of every analysis, with outputs of every type. */
static void make_call(call *c, int which)
{
    double values[200];
    for (int i = 0; i < 200; i++) {
        values[i] = .5 + .49 * sin(i * i);
    }
    *c = (call){ .name = NULL };
    (which < 3 ? make_map_call : make_head_call)(c, which, values);
}
enum { CALLS = 7 };

static int64_t bytes_of(const DLTensor *t)
{
    int64_t bytes = t->dtype.bits / 8;
    for (int i = 0; i < t->ndim; i++) {
        bytes *= t->shape[i];
    }
    return bytes;
}

START_TEST(threads_give_the_same_bits)
{
    static const int threads[] = { 1, 2, 3, 7 };
    call first, again;
    make_call(&first, _i);
    test_set_threads(context, 1);
    test_ok(context, run_in(context, &first));
    for (size_t t = 1; t < sizeof threads / sizeof *threads; t++) {
        again = first;
        test_set_threads(context, threads[t]);
        test_ok(context, run_in(context, &again));
        for (int i = 0; i < first.output_count; i++) {
            ck_assert_mem_eq(first.outputs[i].tensor->data, again.outputs[i].tensor->data,
                             (size_t)bytes_of(first.outputs[i].tensor));
        }
        free_outputs(context, &again);
    }
    done(&first);
}
END_TEST

START_TEST(single_precision_rounds_the_outputs)
{
    call wide, narrow;
    make_call(&wide, _i);
    test_ok(context, run_in(context, &wide));
    narrow = wide;
    narrow.f32 = true;
    test_ok(context, run_in(context, &narrow));
    for (int i = 0; i < wide.output_count; i++) {
        const DLTensor *w = wide.outputs[i].tensor, *n = narrow.outputs[i].tensor;
        int64_t count = bytes_of(w) / (w->dtype.bits / 8);
        ck_assert_int_eq(n->dtype.bits, w->dtype.code == kDLFloat ? type_f32.bits : w->dtype.bits);
        for (int64_t k = 0; k < count; k++) {
            double want_value = number(&wide, wide.outputs[i].name, k);
            ck_assert_double_eq_tol(number(&narrow, narrow.outputs[i].name, k), want_value,
                                    1e-7 * (1 + fabs(want_value)));
        }
    }
    free_outputs(context, &narrow);
    done(&wide);
}
END_TEST

static ga_status once(ga_context *in, void *user)
{
    call *c = user;
    ga_status status = run_in(in, c);
    free_outputs(in, c);
    return status;
}

START_TEST(memory_may_end)
{
    call c;
    make_call(&c, _i);
    ck_assert_int_ge(test_each_allocation(once, &c, 2), 2);
    done(&c);
}
END_TEST

START_TEST(tensors_of_integers_are_no_maps)
{
    call c = { .name = "vhd" };
    give(&c, "with_image", type_i64, 2, (int64_t[]){ 3, 2 });
    give(&c, "without_image", type_i64, 2, (int64_t[]){ 3, 2 });
    memset(c.inputs[0].tensor->data, 0, 48);
    memset(c.inputs[1].tensor->data, 0, 48);
    want(&c, "vhd");
    refused(&c, "with_image");
    done(&c);
}
END_TEST

/* Two names of one analysis. */
START_TEST(statistics_are_row_stats)
{
    const double map[2][3] = { { .5, .25, .25 }, { 1, 0, 0 } };
    call c = { .name = "statistics" };
    give_reals(&c, "map", 2, (int64_t[]){ 2, 3 }, &map[0][0]);
    want(&c, "entropy");
    want(&c, "column_sum");
    test_ok(context, run_in(context, &c));
    expect_number(&c, "entropy", 0, 1.5 * log(2));
    expect_number(&c, "entropy", 1, 0);
    expect_number(&c, "column_sum", 0, 1.5);
    const ga_block *one = ga_analysis_find("row-stats"), *other = ga_analysis_find("statistics");
    ck_assert_ptr_eq(one->ops, other->ops);
    ck_assert_str_eq(one->outputs, other->outputs);
    done(&c);
}
END_TEST

/* ---- pictures ---- */

START_TEST(masks_are_drawn)
{
    call c = { .name = "none" };
    size_t size;
    const double values[] = { 0, 1, NAN, 3, 2, INFINITY };
    give_reals(&c, "x", 2, (int64_t[]){ 2, 3 }, values);
    test_folder_make();
    const char *path = test_path("mask.png");
    test_ok(context, ga_matrix_draw(context, c.inputs[0].tensor, path));
    char *bytes = test_slurp(path, &size);
    ck_assert_uint_gt(size, 40);
    ck_assert_mem_eq(bytes, "\211PNG\r\n\032\n", 8);
    ck_assert_int_eq(bytes[19], 3); /* width */
    ck_assert_int_eq(bytes[23], 2);
    free(bytes);
    DLTensor cube = *c.inputs[0].tensor;
    cube.ndim = 3;
    cube.shape = (int64_t[]){ 2, 1, 3 };
    cube.strides = NULL;
    test_status(context, ga_matrix_draw(context, &cube, test_path("cube.png")), GA_INVALID);
    test_error_has(context, "expected a matrix");
    test_status(context, ga_matrix_draw(context, NULL, path), GA_INVALID);
    ck_assert_int_eq(test_folder_entries(), 1);
    test_folder_remove();
    done(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analyses_laws");
    TCase *all = tcase_create("analyses_laws");
    tcase_set_timeout(all, 0);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, tensors_of_integers_are_no_maps);
    tcase_add_test(all, statistics_are_row_stats);
    tcase_add_test(all, masks_are_drawn);
    tcase_add_loop_test(all, threads_give_the_same_bits, 0, CALLS);
    tcase_add_loop_test(all, single_precision_rounds_the_outputs, 0, CALLS);
    tcase_add_loop_test(all, memory_may_end, 0, CALLS);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
