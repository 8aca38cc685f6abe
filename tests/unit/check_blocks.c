/* check_blocks.c - every block and analysis: gradients against differences, precision, threads, refusals, memory. */
#include "config.h"

#include "tests/unit/check_blocks.h"

/* ---- gradients ---- */

static double loss(const problem *p)
{
    double sum = 0;
    ga_named_tensor y = { "y", NULL };
    test_ok(context, run_with(context, p, &y, 1));
    for (int64_t i = 0; i < count_of(y.tensor); i++) {
        sum += numbers_of(y.tensor)[i] * numbers_of(p->grad_y)[i];
    }
    ga_tensor_destroy(context, y.tensor);
    return sum;
}

static void compare_gradient(const problem *p, DLTensor *input, const char *name, const results *r)
{
    char full[48];
    const double step = 1e-5;
    snprintf(full, sizeof full, "grad_%s", name);
    DLTensor *grad = result(r, full);
    ck_assert_int_eq(grad->ndim, input->ndim);
    for (int64_t i = 0; i < count_of(input); i++) {
        double *x = &numbers_of(input)[i], kept = *x;
        *x = kept + step;
        double more = loss(p);
        *x = kept - step;
        double less = loss(p);
        *x = kept;
        double found = numbers_of(grad)[i], expected = (more - less) / (2 * step);
        ck_assert_msg(fabs(found - expected) <= 2e-7 * (1 + fabs(expected)),
                      "%s %s[%lld]: %.12g, differences %.12g", p->of->block, full, (long long)i, found,
                      expected);
    }
}

START_TEST(gradients_are_differences)
{
    problem p;
    results r;
    problem_make(&p, &fixtures[_i], 5, 3);
    with_gradient(&p);
    if (p.grad_y) {
        int tried = 0;
        run(&p, &r);
        for (int64_t i = 0; i < p.call.tensor_count; i++) {
            if (differentiable(&p, p.tensors[i].name)) {
                compare_gradient(&p, p.tensors[i].tensor, p.tensors[i].name, &r);
                tried++;
            }
        }
        ck_assert_int_ge(tried, 3);
        results_free(context, &r);
    }
    problem_free(&p);
}
END_TEST

/* ---- single precision, threads ---- */

static void expect_near(const problem *p, const ga_named_tensor *narrow, const ga_named_tensor *right)
{
    int64_t count = count_of(right->tensor);
    double size = 0;
    if (right->tensor->dtype.code == kDLInt) {
        ck_assert_mem_eq(narrow->tensor->data, right->tensor->data, (size_t)count * 8);
        return;
    }
    ck_assert_int_eq(narrow->tensor->dtype.bits, 32);
    for (int64_t k = 0; k < count; k++) {
        size = fmax(size, fabs(numbers_of(right->tensor)[k]));
    }
    for (int64_t k = 0; k < count; k++) {
        double got = (double)((const float *)narrow->tensor->data)[k], want = numbers_of(right->tensor)[k];
        ck_assert_msg(fabs(got - want) <= 2e-5 * (1 + size), "%s %s[%lld]: %g, double %g", p->of->block,
                      narrow->name, (long long)k, got, want);
    }
}

START_TEST(single_precision_is_near)
{
    problem p;
    results right, narrow;
    problem_make(&p, &fixtures[_i], 23, 4);
    with_gradient(&p);
    run(&p, &right);
    p.call.f64 = false;
    for (int b = GA_BACKEND_SCALAR; b <= GA_BACKEND_AVX512; b++) {
        if (!ga_backend_available((ga_backend)b)) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, (ga_backend)b));
        run(&p, &narrow);
        for (int64_t i = 0; i < narrow.count; i++) {
            expect_near(&p, &narrow.of[i], &right.of[i]);
        }
        results_free(context, &narrow);
    }
    results_free(context, &right);
    problem_free(&p);
}
END_TEST

START_TEST(threads_give_the_same_bits)
{
    static const int threads[] = { 1, 2, 3, 7 };
    problem p;
    results first, again;
    problem_make(&p, &fixtures[_i], 1500, 6);
    with_gradient(&p);
    for (int f64 = 0; f64 < 2; f64++) {
        p.call.f64 = f64;
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            test_set_threads(context, threads[t]);
            run(&p, t == 0 ? &first : &again);
            for (int64_t i = 0; t > 0 && i < first.count; i++) {
                const DLTensor *a = first.of[i].tensor, *b = again.of[i].tensor;
                ck_assert_msg(memcmp(a->data, b->data, (size_t)count_of(a) * (a->dtype.bits / 8)) == 0,
                              "%s: %s with %d threads, f64 %d", p.of->block, first.of[i].name, threads[t],
                              f64);
            }
            if (t > 0) {
                results_free(context, &again);
            }
        }
        results_free(context, &first);
    }
    problem_free(&p);
}
END_TEST

/* Without rows there are none in the outputs, and no failure; what is summed is 0. */
START_TEST(nothing_is_legal)
{
    problem p;
    results r;
    if (strcmp(fixtures[_i].block, "multires-fuse") == 0) {
        return; /* its grid has a point at least */
    }
    problem_make(&p, &fixtures[_i], 0, 2);
    with_gradient(&p);
    run(&p, &r);
    for (int64_t i = 0; i < r.count; i++) {
        for (int64_t k = 0; k < count_of(r.of[i].tensor); k++) {
            ck_assert(r.of[i].tensor->dtype.code == kDLInt || isfinite(numbers_of(r.of[i].tensor)[k]));
        }
    }
    results_free(context, &r);
    problem_free(&p);
}
END_TEST

/* Inputs with strides are read as they are meant. */
START_TEST(strides_are_followed)
{
    problem p;
    results plain, strided;
    problem_make(&p, &fixtures[_i], 5, 8);
    run(&p, &plain);
    for (int64_t t = 0; t < p.call.tensor_count; t++) {
        DLTensor *tensor = p.tensors[t].tensor;
        if (tensor->ndim < 2) {
            continue;
        }
        int64_t columns = tensor->shape[tensor->ndim - 1], rows = count_of(tensor) / columns,
                step = columns + 3;
        double *room = calloc((size_t)(rows * step), sizeof *room), *kept = tensor->data;
        int64_t strides[AXES] = { 0 }, *before = tensor->strides, at = step;
        for (int64_t r = 0; r < rows; r++) {
            memcpy(room + r * step, kept + r * columns, (size_t)columns * sizeof *room);
        }
        strides[tensor->ndim - 1] = 1;
        for (int a = tensor->ndim - 2; a >= 0; a--) {
            strides[a] = at;
            at *= tensor->shape[a];
        }
        tensor->data = room;
        tensor->strides = strides;
        run(&p, &strided);
        for (int64_t i = 0; i < plain.count; i++) {
            ck_assert_msg(memcmp(plain.of[i].tensor->data, strided.of[i].tensor->data,
                                 (size_t)count_of(plain.of[i].tensor) * 8) == 0,
                          "%s: %s with strides in %s", p.of->block, plain.of[i].name, p.tensors[t].name);
        }
        results_free(context, &strided);
        tensor->data = kept;
        tensor->strides = before;
        free(room);
    }
    results_free(context, &plain);
    problem_free(&p);
}
END_TEST

/* ---- refusals ---- */

static void expect_refusal(const problem *p, const char *words)
{
    results r;
    want_all(p, &r);
    test_status(context, run_with(context, p, r.of, r.count), GA_INVALID);
    test_error_has(context, words);
    for (int64_t i = 0; i < r.count; i++) {
        ck_assert_ptr_null(r.of[i].tensor);
    }
}

START_TEST(every_tensor_of_another_shape_is_refused)
{
    problem p;
    ga__random random = ga__random_at(1, GA__RANDOM_TEST, 1);
    problem_make(&p, &fixtures[_i], 5, 1);
    for (int64_t i = 0; i < p.call.tensor_count; i++) {
        DLTensor *kept = p.tensors[i].tensor;
        int64_t shape[AXES];
        for (int a = 0; a < kept->ndim; a++) {
            shape[a] = kept->shape[a] + 1;
        }
        p.tensors[i].tensor = tensor_of(kept->ndim, shape, &random);
        expect_refusal(&p, "expected");
        ga_tensor_destroy(context, p.tensors[i].tensor);
        p.tensors[i].tensor = kept;
    }
    problem_free(&p);
}
END_TEST

START_TEST(needed_tensors_are_missed)
{
    problem p;
    problem_make(&p, &fixtures[_i], 5, 1);
    for (int64_t i = 0; i < p.call.tensor_count; i++) {
        ga_named_tensor kept = p.tensors[i];
        p.tensors[i] = p.tensors[p.call.tensor_count - 1];
        p.call.tensor_count--;
        expect_refusal(&p, strcmp(kept.name, "segments") ? "needs" : "needs segments");
        p.call.tensor_count++;
        p.tensors[i] = kept;
    }
    problem_free(&p);
}
END_TEST

START_TEST(wrong_parameters_are_refused)
{
    static const struct {
        int fixture;
        ga_named_text parameter;
        const char *words;
    } wrong[] = {
        { 0, { "k", "2" }, "channel-attention has no parameter 'k'" },
        { 3, { "grids", "0" }, "grids=0" },
        { 3, { "grid_max", "-2" }, "grid_max=-2: expected more than grid_min, -2" },
        { 3, { "denominator", "0" }, "denominator=0" },
        { 5, { "mode", "batch" }, "mode=batch: expected ln|rms" },
        { 5, { "eps", "0" }, "eps=0" },
        { 7, { "shape", "3" }, "shape=3: expected 2 numbers, h,w" },
        { 8, { "tile", "0" }, "tile=0" },
        { 10, { "sigma", "40" }, "sigma=40: expected a smaller one: pivot" },
        { 10, { "dim", "8" }, "dim=8: expected at least the 9 positions" },
        { 11, { "eps", "-1" }, "eps=-1" },
        { 11, { "block", "0" }, "block=0: expected >= 1 for the output blocks" },
    };
    problem p;
    const int count = sizeof wrong / sizeof *wrong;
    for (int i = 0; i < count; i++) {
        problem_make(&p, &fixtures[wrong[i].fixture], 5, 1);
        p.parameters[p.call.parameter_count++] = wrong[i].parameter;
        expect_refusal(&p, wrong[i].words);
        problem_free(&p);
    }
    problem_make(&p, &fixtures[8], 5, 1);
    p.call.parameter_count = 1;
    expect_refusal(&p, "partition needs height");
    problem_free(&p);
}
END_TEST

START_TEST(wrong_calls_are_refused)
{
    problem p;
    ga_named_tensor out = { "y", NULL }, twice[] = { { "y", NULL }, { "y", NULL } };
    problem_make(&p, &fixtures[0], 5, 1);
    test_status(context, ga_block_run(context, "influence", &p.call, &out, 1), GA_INVALID);
    test_error_has(context, "no block 'influence'");
    test_status(context, ga_analysis_run(context, "kan", &p.call, &out, 1, NULL), GA_INVALID);
    test_error_has(context, "no analysis 'kan'");
    test_status(context, ga_block_run(context, NULL, &p.call, &out, 1), GA_INVALID);
    test_status(context, ga_block_run(context, "kan", NULL, &out, 1), GA_INVALID);
    test_status(context, ga_block_run(context, "kan", &p.call, NULL, 1), GA_INVALID);
    test_status(context, ga_block_run(context, "channel-attention", &p.call, twice, 2), GA_INVALID);
    test_error_has(context, "wanted twice");
    const struct {
        const char *name, *words;
    } outputs[] = { { "map", "has no output 'map'; its outputs are y, gate and grad_NAME" },
                    { "grad_x", "grad_x needs the gradient of y" },
                    { "grad_conv1_w", "grad_conv1_w: no conv1_w was given" },
                    { "grad_nothing", "has no gradient of 'nothing'" } };
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        out.name = outputs[i].name;
        test_status(context, ga_block_run(context, "channel-attention", &p.call, &out, 1), GA_INVALID);
        test_error_has(context, outputs[i].words);
    }
    p.tensors[1].name = "b1";
    expect_refusal(&p, "b1 is given twice");
    p.tensors[1].name = "b7";
    expect_refusal(&p, "channel-attention has no tensor 'b7'");
    p.tensors[1].name = "w1";
    p.call.grad_y = p.tensors[1].tensor;
    expect_refusal(&p, "grad_y: shape");
    problem_free(&p);
    problem_make(&p, &fixtures[9], 5, 1);
    p.call.grad_y = p.tensors[0].tensor;
    expect_refusal(&p, "merge has no gradients");
    problem_free(&p);
}
END_TEST

START_TEST(segments_are_checked)
{
    problem p;
    problem_make(&p, &fixtures[2], 5, 1);
    ((int64_t *)p.tensors[1].tensor->data)[3] = -1;
    expect_refusal(&p, "segments: found -1 at place 3, expected >= 0");
    ((int64_t *)p.tensors[1].tensor->data)[3] = INT64_MAX;
    ga_named_tensor y = { "y", NULL };
    test_status(context, ga_block_run(context, "channel-attention", &p.call, &y, 1), GA_OVERFLOW);
    ga_tensor_destroy(context, p.tensors[1].tensor);
    p.tensors[1].tensor = NULL;
    ga__random random = ga__random_at(1, GA__RANDOM_TEST, 1);
    p.tensors[1].tensor = tensor_of(1, (int64_t[]){ 5 }, &random);
    expect_refusal(&p, "segments: integers expected");
    problem_free(&p);
}
END_TEST

/* ---- memory ---- */

static ga_status memory_body(ga_context *with, void *user)
{
    const problem *p = user;
    results r;
    want_all(p, &r);
    ga_status status = run_with(with, p, r.of, r.count);
    for (int64_t i = 0; status != GA_OK && i < r.count; i++) {
        ck_assert_ptr_null(r.of[i].tensor);
    }
    results_free(with, &r);
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    problem p;
    problem_make(&p, &fixtures[_i], 5, 3);
    with_gradient(&p);
    p.call.f64 = false;
    ck_assert_int_gt(test_each_allocation(memory_body, &p, 2), 1);
    problem_free(&p);
}
END_TEST

/* ---- the tables ---- */

/* Those with a test of their own. */
static bool tested_elsewhere(const char *name)
{
    static const char *const names[] = { "norm",
                                         "local-concentration",
                                         "moa-plan",
                                         "sinks",
                                         "vhd",
                                         "cls-streams",
                                         "carve",
                                         "retrieval-score",
                                         "attention-influence",
                                         "row-stats",
                                         "statistics",
                                         "merge-partials" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void check_table(const ga_block *const *table, const ga_block *(*find)(const char *name),
                        bool analysis)
{
    for (const ga_block *const *at = table; *at; at++) {
        const ga_block *block = *at;
        bool tried = false;
        ck_assert_ptr_eq(find(block->name), block);
        ck_assert(*block->summary && *block->source && *block->plan && *block->outputs);
        for (const ga_block *const *other = table; other != at; other++) {
            ck_assert_str_ne((*other)->name, block->name);
        }
        for (const ga_parameter *p = block->parameters; p && p->name; p++) {
            ck_assert_msg(p->help && *p->help, "%s %s", block->name, p->name);
        }
        for (const ga_tensor_slot *t = block->tensors; t && t->name; t++) {
            ck_assert_msg(t->help && *t->help && t->shape && *t->shape, "%s %s", block->name, t->name);
            ck_assert_msg(!t->differentiable || ga_block_has_gradients(block), "%s %s", block->name, t->name);
        }
        for (int i = 0; i < FIXTURES; i++) {
            tried =
                tried || (fixtures[i].analysis == analysis && strcmp(fixtures[i].block, block->name) == 0);
        }
        ck_assert_msg(tried || tested_elsewhere(block->name), "no fixture of %s", block->name);
    }
    ck_assert_ptr_null(find("none"));
    ck_assert_ptr_null(find(NULL));
}

START_TEST(tables_are_complete)
{
    check_table(ga_blocks(), ga_block_find, false);
    check_table(ga_analyses(), ga_analysis_find, true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blocks");
    TCase *tests = tcase_create("blocks");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, gradients_are_differences, 0, FIXTURES);
    tcase_add_loop_test(tests, single_precision_is_near, 0, FIXTURES);
    tcase_add_loop_test(tests, threads_give_the_same_bits, 0, FIXTURES);
    tcase_add_loop_test(tests, nothing_is_legal, 0, FIXTURES);
    tcase_add_loop_test(tests, strides_are_followed, 0, FIXTURES);
    tcase_add_loop_test(tests, every_tensor_of_another_shape_is_refused, 0, FIXTURES);
    tcase_add_loop_test(tests, needed_tensors_are_missed, 0, FIXTURES);
    tcase_add_test(tests, wrong_parameters_are_refused);
    tcase_add_test(tests, wrong_calls_are_refused);
    tcase_add_test(tests, segments_are_checked);
    tcase_add_loop_test(tests, memory_may_end_anywhere, 0, FIXTURES);
    tcase_add_test(tests, tables_are_complete);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
