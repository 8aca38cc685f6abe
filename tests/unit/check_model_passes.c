/* check_model_passes.c - forward and backward passes of models: gradients against differences, sparse and dense features,
 * dropout, threads, other data from pass to pass, memory. */
#include "config.h"

#include "tests/unit/check_model_data.h"

/* ---- gradients ---- */

static double loss(problem *p, uint64_t seed)
{
    const DLTensor *logits = forward(p, seed, 1);
    double sum = 0;
    for (int64_t i = 0; i < p->n * C; i++) {
        sum += number(logits, i) * p->pull[i];
    }
    return sum;
}

static void no_dropout(ga_model *model)
{
    for (int64_t i = 0; i < model->stage_count; i++) {
        ga__stage *s = &model->stages[i];
        s->dropout = s->weight_dropout = s->value_dropout = s->step_dropout = 0;
    }
}

static void compare_gradient(problem *p, int64_t i)
{
    const double step = 1e-6;
    double *value = &p->model->weights.wide[i], kept = *value, found = p->model->weights.wide_grads[i];
    *value = kept + step;
    double more = loss(p, 7);
    *value = kept - step;
    double less = loss(p, 7);
    *value = kept;
    double expected = (more - less) / (2 * step);
    ck_assert_msg(fabs(found - expected) <= 2e-7 * (1 + fabs(expected)), "%.12g, differences %.12g", found,
                  expected);
}

static void compare_gradients(problem *p)
{
    forward(p, 7, 1);
    backward(p);
    for (int64_t w = 0; w < p->model->weights.count; w++) {
        const ga__weight *weight = &p->model->weights.list[w];
        for (int64_t i = 0; !weight->fixed && i < weight->count; i++) {
            compare_gradient(p, weight->first + i);
        }
    }
}

START_TEST(gradients_are_differences)
{
    problem p;
    problem_make(&p, &fixtures[_i], 11, 40, true, false);
    compare_gradients(&p);
    problem_free(&p);
}
END_TEST

START_TEST(gradients_without_dropout_are_differences)
{
    problem p;
    problem_make(&p, &fixtures[_i], 11, 40, true, false);
    no_dropout(p.model);
    compare_gradients(&p);
    problem_free(&p);
}
END_TEST

/* Numbers that nobody writes are 0: the gaps between weights. */
START_TEST(gaps_between_weights_stay_zero)
{
    problem p;
    problem_make(&p, &fixtures[_i], 11, 40, false, false);
    forward(&p, 7, 1);
    backward(&p);
    for (int64_t w = 0; w < p.model->weights.count; w++) {
        const ga__weight *weight = &p.model->weights.list[w];
        int64_t next = w + 1 < p.model->weights.count ? weight[1].first : p.model->weights.numbers;
        for (int64_t i = weight->first + (weight->fixed ? 0 : weight->count); i < next; i++) {
            ck_assert_double_eq((double)p.model->weights.grads[i], 0);
        }
    }
    problem_free(&p);
}
END_TEST

/* ---- dropout ---- */

static bool same_logits(problem *p, uint64_t seed, int64_t step, uint64_t other_seed, int64_t other_step)
{
    double kept[400];
    const DLTensor *logits = forward(p, seed, step);
    ck_assert_int_le(p->n * C, 400);
    for (int64_t i = 0; i < p->n * C; i++) {
        kept[i] = number(logits, i);
    }
    logits = forward(p, other_seed, other_step);
    for (int64_t i = 0; i < p->n * C; i++) {
        if (kept[i] != number(logits, i)) {
            return false;
        }
    }
    return true;
}

START_TEST(dropout_follows_seed_and_step)
{
    problem p;
    problem_make(&p, &fixtures[_i], 60, 300, false, false);
    bool some = false;
    for (int64_t i = 0; i < p.model->stage_count; i++) {
        const ga__stage *s = &p.model->stages[i];
        some = some || s->dropout > 0 || s->weight_dropout > 0 || s->value_dropout > 0 || s->step_dropout > 0;
    }
    ck_assert(same_logits(&p, 7, 1, 7, 1));
    ck_assert_int_eq(same_logits(&p, 7, 1, 8, 1), !some);
    ck_assert_int_eq(same_logits(&p, 7, 1, 7, 2), !some);
    p.training = false;
    ck_assert(same_logits(&p, 7, 1, 8, 2));
    problem_free(&p);
}
END_TEST

/* Every site by itself: with all rates but one at 0 the result still depends on the step. */
START_TEST(every_rate_has_its_dropout)
{
    static const struct {
        int fixture;
        size_t rate;
    } sites[] = { { 0, offsetof(ga__stage, dropout) },         { 6, offsetof(ga__stage, weight_dropout) },
                  { 6, offsetof(ga__stage, value_dropout) },   { 9, offsetof(ga__stage, weight_dropout) },
                  { 11, offsetof(ga__stage, weight_dropout) }, { 15, offsetof(ga__stage, step_dropout) } };
    for (size_t k = 0; k < sizeof sites / sizeof *sites; k++) {
        problem p;
        problem_make(&p, &fixtures[sites[k].fixture], 60, 300, false, false);
        for (int64_t i = 0; i < p.model->stage_count; i++) {
            double rate;
            memcpy(&rate, (char *)&p.model->stages[i] + sites[k].rate, sizeof rate);
            ga__stage *s = &p.model->stages[i];
            s->dropout = s->weight_dropout = s->value_dropout = s->step_dropout = 0;
            memcpy((char *)&p.model->stages[i] + sites[k].rate, &rate, sizeof rate);
        }
        ck_assert_msg(!same_logits(&p, 7, 1, 7, 2), "%s site %d", p.of->model, (int)k);
        problem_free(&p);
    }
}
END_TEST

/* Inputs that are all 1 through the identity and a sum: what is kept counts 1 / (1 - 1/2) in both layers, and the layers
 * do not leave out the same ones, which would double the mean. */
START_TEST(what_is_kept_is_scaled)
{
    static const fixture of = { "mlp", { { "hidden", "5" }, { "dropout", "0.5" } }, { { 0 } } };
    problem p;
    problem_make(&p, &of, 200, 0, true, true);
    double sum = 0, *first = weight_of(p.model, "layers.0.weight")->tensor.data;
    double *second = weight_of(p.model, "layers.1.weight")->tensor.data;
    for (int64_t i = 0; i < p.n * F; i++) {
        ((double *)p.features->data)[i] = 1;
    }
    for (int64_t i = 0; i < F * F; i++) {
        first[i] = i / F == i % F;
    }
    for (int64_t i = 0; i < F * C; i++) {
        second[i] = 1;
    }
    memset(weight_of(p.model, "layers.0.bias")->tensor.data, 0, F * sizeof(double));
    memset(weight_of(p.model, "layers.1.bias")->tensor.data, 0, C * sizeof(double));
    const DLTensor *logits = forward(&p, 7, 1);
    for (int64_t i = 0; i < p.n * C; i++) {
        ck_assert_double_eq(fmod(number(logits, i), 4), 0);
        sum += number(logits, i) / (double)(p.n * C);
    }
    ck_assert_double_eq_tol(sum, F, 1.2); /* over four times the deviation of the draws */
    problem_free(&p);
}
END_TEST

/* ---- sparse features ---- */

static void expect_near(const double *a, const double *b, int64_t count, double tolerance, const char *what)
{
    double size = 0;
    for (int64_t i = 0; i < count; i++) {
        size = fmax(size, fabs(b[i]));
    }
    for (int64_t i = 0; i < count; i++) {
        ck_assert_msg(fabs(a[i] - b[i]) <= tolerance * (1e-30 + size), "%s[%lld]: %.15g, %.15g", what,
                      (long long)i, a[i], b[i]);
    }
}

/* Logits and gradients, in double precision whatever the working type; owned by the caller. */
static double *results_of(problem *p)
{
    const DLTensor *logits = forward(p, 7, 1);
    int64_t logit_count = p->n * C, numbers = p->model->weights.numbers;
    double *all = malloc((size_t)(logit_count + numbers) * sizeof *all);
    for (int64_t i = 0; i < logit_count; i++) {
        all[i] = number(logits, i);
    }
    backward(p);
    for (int64_t i = 0; i < numbers; i++) {
        all[logit_count + i] =
            p->model->weights.wide ? p->model->weights.wide_grads[i] : (double)p->model->weights.grads[i];
    }
    return all;
}

/* With every number stored the bits of the dropout are those of the dense matrix, too. */
static void compare_sparse(problem *p, bool dropout, const char *what)
{
    if (!dropout) {
        no_dropout(p->model);
    }
    double *dense = results_of(p);
    p->data.sparse = &p->sparse;
    p->data.dense = NULL;
    double *sparse = results_of(p);
    int64_t logit_count = p->n * C;
    expect_near(sparse, dense, logit_count, 2e-6, what);
    for (int64_t w = 0; w < p->model->weights.count; w++) {
        const ga__weight *weight = &p->model->weights.list[w];
        int64_t at = logit_count + weight->first;
        expect_near(sparse + at, dense + at, weight->count, 1e-5, weight->name);
    }
    free(dense);
    free(sparse);
    problem_free(p);
}

START_TEST(sparse_features_are_dense_ones)
{
    problem p;
    problem_make(&p, &fixtures[_i], 30, 150, false, false);
    compare_sparse(&p, false, p.of->model);
    problem_make(&p, &fixtures[_i], 30, 150, false, true);
    compare_sparse(&p, true, p.of->model);
}
END_TEST

START_TEST(stored_ones_need_no_values)
{
    problem p;
    problem_make(&p, &fixtures[_i], 30, 150, false, true);
    for (int64_t i = 0; i < p.sparse.edges.count; i++) {
        ((float *)p.values->data)[i] = 1;
        ((float *)p.features->data)[i] = 1;
    }
    p.sparse.values = NULL;
    compare_sparse(&p, true, p.of->model);
}
END_TEST

/* ---- threads, repetition, other data ---- */

START_TEST(threads_give_the_same_bits)
{
    static const int threads[] = { 1, 2, 3, 7 };
    for (int sparse = 0; sparse < 2; sparse++) {
        problem p;
        double *first = NULL;
        problem_make(&p, &fixtures[_i], 700, 6000, false, false);
        if (sparse) {
            p.data.sparse = &p.sparse;
            p.data.dense = NULL;
        }
        size_t bytes = (size_t)(p.n * C + p.model->weights.numbers) * sizeof *first;
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            test_set_threads(context, threads[t]);
            double *found = results_of(&p);
            ck_assert_msg(t == 0 || memcmp(first, found, bytes) == 0, "%s with %d threads", p.of->model,
                          threads[t]);
            if (t == 0) {
                first = found;
            } else {
                free(found);
            }
        }
        test_set_threads(context, 2);
        free(first);
        problem_free(&p);
    }
}
END_TEST

/* evaluate: with a pass without dropout behind every step. */
static void descend(problem *p, int64_t steps, bool evaluate)
{
    for (int64_t s = 1; s <= steps; s++) {
        p->training = true;
        forward(p, 7, s);
        backward(p);
        p->training = false;
        if (evaluate) {
            forward(p, 0, 0);
        }
        for (int64_t i = 0; i < p->model->weights.numbers; i++) {
            p->model->weights.values[i] -= 0.01f * p->model->weights.grads[i];
        }
    }
}

START_TEST(training_twice_gives_the_same_bits)
{
    problem a, b;
    problem_make(&a, &fixtures[_i], 60, 300, false, false);
    problem_make(&b, &fixtures[_i], 60, 300, false, false);
    float before = a.model->weights.values[0];
    descend(&a, 5, false);
    descend(&b, 5, true);
    ck_assert_int_eq(memcmp(a.model->weights.values, b.model->weights.values,
                            (size_t)a.model->weights.numbers * sizeof(float)),
                     0);
    ck_assert_double_ne((double)before, (double)a.model->weights.values[0]);
    problem_free(&a);
    problem_free(&b);
}
END_TEST

START_TEST(data_may_change_from_pass_to_pass)
{
    problem a, b;
    problem_make(&a, &fixtures[_i], 40, 200, false, false);
    problem_make(&b, &fixtures[_i], 90, 300, false, false);
    no_dropout(a.model);
    double *first = results_of(&a);
    ga__model_data data = a.data;
    a.data = b.data;
    a.data.dense = NULL;
    a.data.sparse = &b.sparse;
    forward(&a, 7, 2);
    a.data = data;
    for (int64_t i = 0; i < a.model->weights.count; i++) { /* statistics moved */
        ck_assert(!a.model->weights.list[i].fixed || a.model->weights.list[i].count > 0);
    }
    double *again = results_of(&a);
    size_t bytes = (size_t)(a.n * C + a.model->weights.numbers) * sizeof *first;
    ck_assert_int_eq(memcmp(first, again, bytes), 0);
    free(first);
    free(again);
    problem_free(&a);
    problem_free(&b);
}
END_TEST

/* ---- refusals ---- */

START_TEST(wrong_passes_are_refused)
{
    problem p;
    const DLTensor *out = NULL;
    problem_make(&p, &fixtures[0], 20, 80, false, false);
    ga__begin(context);
    test_status(context, ga__model_forward(context, p.model, &p.data, false, 1, 1, 2, &out), GA_INVALID);
    test_error_has(context, "has 2 stages");
    ga__model_data data = p.data;
    data.graph = NULL;
    ga__begin(context);
    test_status(context, ga__model_forward(context, p.model, &data, false, 1, 1, -1, &out), GA_INVALID);
    test_error_has(context, "model gcn needs a graph");
    data = p.data;
    data.nodes = 19;
    ga__begin(context);
    test_status(context, ga__model_forward(context, p.model, &data, false, 1, 1, -1, &out), GA_INVALID);
    test_error_has(context, "features: shape (20, 5), expected (19, 5)");
    p.training = false;
    forward(&p, 7, 1);
    test_status(context, ga__model_backward(context, p.model, p.grad), GA_INTERNAL);
    problem_free(&p);
}
END_TEST

/* ---- memory ---- */

typedef struct memory {
    problem *p;
    const fixture *of;
} memory;

static ga_status pass_body(ga_context *with, void *user)
{
    ga_status status = GA_OK;
    memory *m = user;
    ga_model *model = NULL;
    const DLTensor *out = NULL;
    GA_TRY(make_model(with, m->of, 1, &model));
    GA_TRY(make_graph(with, m->p, model));
    GA_TRY(ga__model_forward(with, model, &m->p->data, true, 7, 1, -1, &out));
    fill_grad(m->p);
    status = ga__model_backward(with, model, m->p->grad);
done:
    ga_model_destroy(with, model);
    ga__messages_free(with, &m->p->messages);
    return status;
}

START_TEST(memory_may_end_in_a_pass)
{
    problem p;
    problem_open(&p, 9, 30, false, false, F);
    memory m = { &p, &fixtures[_i] };
    ck_assert_int_gt(test_each_allocation(pass_body, &m, 2), 10);
    problem_free(&p);
}
END_TEST

/* Two layers of gat with dropout beyond the graph and the features, in parts of the features: z and y of the first layer 1
 * each, its l, r and sums 1/8 each, bits 0.2, the small second layer 0.15, for a moment 0.6 in the backward pass over
 * edges; blocks of 1 MB, here 0.07 each. The gradients of z and y take their places: another matrix would be 1 more. */
START_TEST(gat_keeps_two_matrices)
{
    static const ga_named_text parameters[] = { { "hidden", "8" }, { "heads", "8" } };
    enum { NODES = 60000, WIDE = 64, LINES = 400000 };
    problem p;
    int64_t graph = 0, peak = 0;
    problem_open(&p, NODES, LINES, false, false, WIDE);
    ga_context *own = test_threads_context(2);
    ga_model *model = NULL;
    const DLTensor *out = NULL;
    test_ok(own, ga__model_make(own, ga_model_find("gat"), parameters, 2, WIDE, C, false, 1, &model));
    test_ok(own, make_graph(own, &p, model));
    ga_context_memory(own, &graph, &peak);
    ck_assert_int_le(peak, 2 * graph);
    for (int step = 1; step < 3; step++) {
        test_ok(own, ga__model_forward(own, model, &p.data, true, 7, step, -1, &out));
        fill_grad(&p);
        test_ok(own, ga__model_backward(own, model, p.grad));
        test_ok(own, ga__model_forward(own, model, &p.data, false, 7, step, -1, &out));
    }
    ga_context_memory(own, NULL, &peak);
    double features = (double)NODES * WIDE * sizeof(float);
    ck_assert_msg((double)(peak - graph) <= 4.0 * features, "%.2f times the features",
                  (double)(peak - graph) / features);
    ga_model_destroy(own, model);
    ga__messages_free(own, &p.messages);
    ga_context_destroy(own);
    problem_free(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model passes");
    TCase *tests = tcase_create("passes");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, gradients_are_differences, 0, FIXTURES);
    tcase_add_loop_test(tests, gradients_without_dropout_are_differences, 0, FIXTURES);
    tcase_add_loop_test(tests, gaps_between_weights_stay_zero, 0, FIXTURES);
    tcase_add_loop_test(tests, dropout_follows_seed_and_step, 0, FIXTURES);
    tcase_add_test(tests, every_rate_has_its_dropout);
    tcase_add_test(tests, what_is_kept_is_scaled);
    tcase_add_loop_test(tests, sparse_features_are_dense_ones, 0, FIXTURES);
    tcase_add_loop_test(tests, stored_ones_need_no_values, 0, FIXTURES);
    tcase_add_loop_test(tests, threads_give_the_same_bits, 0, FIXTURES);
    tcase_add_loop_test(tests, training_twice_gives_the_same_bits, 0, FIXTURES);
    tcase_add_loop_test(tests, data_may_change_from_pass_to_pass, 0, FIXTURES);
    tcase_add_test(tests, wrong_passes_are_refused);
    tcase_add_loop_test(tests, memory_may_end_in_a_pass, 0, FIXTURES);
    tcase_add_test(tests, gat_keeps_two_matrices);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
