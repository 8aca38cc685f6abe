/* check_moa_plan.c - the planner of span rules against all assignments of rules to heads. */
#include "config.h"

#include <graphattn.h>
#include <math.h>

#include "lib/base/base.h"
#include "tests/unit/support.h"

static ga_context *context;
static const DLDataType wide = { .code = kDLFloat, .bits = 64, .lanes = 1 };

enum { HEADS = 4, RULES = 5, GOALS = 2, BLOCK = 64 };
static const int64_t sides[GOALS + 1] = { 4, 8, 6 }; /* of the goals, and of the validation */
static const double rules[RULES][2] = { { 64, 0 }, { 0, 0.5 }, { 128, 0.25 }, { -64, 1 }, { 256, 0.125 } };

typedef struct planning {
    ga_named_tensor tensors[8];
    ga_named_text parameters[8];
    ga_block_call call;
} planning;

static planning start(uint64_t seed, bool validated)
{
    static const char *const names[] = { "blocks_0", "blocks_1", "validation" };
    ga__random random = ga__random_at(seed, GA__RANDOM_TEST, 3);
    planning c = { .call = GA_BLOCK_CALL_INIT };
    for (int g = 0; g < (validated ? 3 : 2); g++) {
        DLTensor *t = NULL;
        const int64_t shape[] = { HEADS, sides[g], sides[g] };
        test_ok(context, ga_tensor_create(context, wide, 3, shape, &t));
        for (int64_t i = 0; i < HEADS * sides[g] * sides[g]; i++) {
            ((double *)t->data)[i] = (double)(float)ga__random_unit(&random);
        }
        c.tensors[c.call.tensor_count++] = (ga_named_tensor){ names[g], t };
    }
    DLTensor *t = NULL;
    test_ok(context, ga_tensor_create(context, wide, 2, (int64_t[]){ RULES, 2 }, &t));
    memcpy(t->data, rules, sizeof rules);
    c.tensors[c.call.tensor_count++] = (ga_named_tensor){ "candidates", t };
    c.parameters[c.call.parameter_count++] = (ga_named_text){ "bound", "0.8" };
    c.parameters[c.call.parameter_count++] = (ga_named_text){ "least", "0.5" };
    c.parameters[c.call.parameter_count++] = (ga_named_text){ "lengths", "256,512" };
    c.call.f64 = true;
    return c;
}

static void prepare(planning *c)
{
    c->call.tensors = c->tensors;
    c->call.parameters = c->parameters;
}

static void finish(planning *c)
{
    for (int64_t i = 0; i < c->call.tensor_count; i++) {
        ga_tensor_destroy(context, c->tensors[i].tensor);
    }
}

/* ---- by definition ---- */

static bool shown(const double *rule, int64_t n, int64_t i, int64_t j)
{
    double w = fmax(1, floor(floor(rule[0] / BLOCK) + rule[1] * (double)n));
    return i >= j && ((double)(i - j) <= w - 1 || j == 0);
}

static double loss_of(const DLTensor *blocks, const int *chosen)
{
    int64_t n = blocks->shape[1];
    double sum = 0;
    for (int64_t at = 0; at < HEADS * n * n; at++) {
        int64_t i = at / n % n, j = at % n;
        sum += i < j || shown(rules[chosen[at / n / n]], n, i, j) ? 0 : ((const double *)blocks->data)[at];
    }
    return sum;
}

static double density_of(const int *chosen, int64_t n)
{
    double sum = 0;
    for (int h = 0; h < HEADS; h++) {
        int64_t most = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t row = 0;
            for (int64_t j = 0; j < n; j++) {
                row += shown(rules[chosen[h]], n, i, j);
            }
            most = row > most ? row : most;
        }
        sum += (double)most / (double)n;
    }
    return sum / HEADS;
}

/* False when assignment number `at` has too many rules or other densities. */
static bool allowed(int at, int *chosen)
{
    int used = 0;
    bool seen[RULES] = { false };
    for (int h = 0; h < HEADS; h++, at /= RULES) {
        chosen[h] = at % RULES;
        used += !seen[chosen[h]];
        seen[chosen[h]] = true;
    }
    for (int g = 0; g < GOALS; g++) {
        double density = density_of(chosen, sides[g]);
        if (density > 0.8 + 1e-12 || density < 0.4 - 1e-12) {
            return false;
        }
    }
    return used <= 2;
}

/* Number of the rule of every head of plan i. */
static void read_plan(const DLTensor *plans, int64_t i, int *chosen)
{
    for (int h = 0; h < HEADS; h++) {
        const double *span = (const double *)plans->data + 2 * (i * HEADS + h);
        chosen[h] = -1;
        for (int r = 0; r < RULES; r++) {
            chosen[h] = rules[r][0] == span[0] && rules[r][1] == span[1] ? r : chosen[h];
        }
        ck_assert_int_ge(chosen[h], 0);
    }
}

/* Every plan is allowed, has the losses that are told, and is beaten by no assignment; the best of each goal is there. */
static void check_plans(const planning *c, const DLTensor *plans, const DLTensor *losses)
{
    int chosen[HEADS], count = 1, all = 0;
    double least[GOALS] = { INFINITY, INFINITY };
    const double *loss = losses->data;
    for (int h = 0; h < HEADS; h++) {
        count *= RULES;
    }
    for (int64_t i = 0; i < plans->shape[0]; i++) {
        read_plan(plans, i, chosen);
        int number = 0;
        for (int h = HEADS - 1; h >= 0; h--) {
            number = number * RULES + chosen[h];
        }
        ck_assert(allowed(number, chosen));
        for (int g = 0; g < GOALS; g++) {
            ck_assert_double_eq_tol(loss[GOALS * i + g], loss_of(c->tensors[g].tensor, chosen), 1e-12);
            least[g] = fmin(least[g], loss[GOALS * i + g]);
        }
    }
    for (int at = 0; at < count; at++) {
        double other[GOALS];
        if (!allowed(at, chosen)) {
            continue;
        }
        all++;
        for (int g = 0; g < GOALS; g++) {
            other[g] = loss_of(c->tensors[g].tensor, chosen);
            ck_assert_double_ge(other[g], least[g] - 1e-12);
        }
        for (int64_t i = 0; i < plans->shape[0]; i++) {
            ck_assert(!(other[0] < loss[GOALS * i] - 1e-12 && other[1] < loss[GOALS * i + 1] - 1e-12));
        }
    }
    ck_assert_int_gt(all, 20);
}

/* The losses of the assignment with the least loss at a goal among those that keep to a limit at the other one. */
static bool best_under(const planning *c, int aim, double limit, double loss[GOALS])
{
    int chosen[HEADS], count = 1;
    bool found = false;
    for (int h = 0; h < HEADS; h++) {
        count *= RULES;
    }
    for (int at = 0; at < count; at++) {
        double here[GOALS];
        if (!allowed(at, chosen)) {
            continue;
        }
        for (int g = 0; g < GOALS; g++) {
            here[g] = loss_of(c->tensors[g].tensor, chosen);
        }
        if (here[1 - aim] <= limit && (!found || here[aim] < loss[aim])) {
            memcpy(loss, here, sizeof here);
            found = true;
        }
    }
    return found;
}

/* Each loss alone, and under four limits to the other: a plan is as good. */
static void check_limits(const planning *c, const DLTensor *losses)
{
    double alone[GOALS][GOALS];
    for (int aim = 0; aim < GOALS; aim++) {
        ck_assert(best_under(c, aim, INFINITY, alone[aim]));
    }
    for (int aim = 0; aim < GOALS; aim++) {
        int other = 1 - aim;
        for (int cut = 1; cut <= 4; cut++) {
            double low = alone[other][other], limit = low + (alone[aim][other] - low) * cut / 4, want[GOALS];
            bool reached = !best_under(c, aim, limit, want);
            for (int64_t i = 0; i < losses->shape[0]; i++) {
                const double *loss = (const double *)losses->data + GOALS * i;
                reached = reached || (loss[aim] <= want[aim] + 1e-12 && loss[other] <= limit + 1e-12);
            }
            ck_assert(reached);
        }
    }
}

START_TEST(plans_are_the_best_of_all)
{
    planning c = start((uint64_t)_i, true);
    ga_named_tensor out[] = { { "spans", NULL }, { "plans", NULL }, { "losses", NULL } };
    ga_report report;
    int chosen[HEADS], other[HEADS];
    prepare(&c);
    test_ok(context, ga_analysis_run(context, "moa-plan", &c.call, out, 3, &report));
    check_plans(&c, out[1].tensor, out[2].tensor);
    check_limits(&c, out[2].tensor);
    read_plan(out[0].tensor, 0, chosen);
    double validated = loss_of(c.tensors[2].tensor, chosen);
    for (int64_t i = 0; i < out[1].tensor->shape[0]; i++) {
        read_plan(out[1].tensor, i, other);
        ck_assert_double_le(validated, loss_of(c.tensors[2].tensor, other) + 1e-12);
    }
    ck_assert_str_eq(report.rows[1].name, "plans");
    ck_assert_int_eq(report.rows[1].integer, out[1].tensor->shape[0]);
    ck_assert_str_eq(report.rows[3].name, "unfinished");
    ck_assert_int_eq(report.rows[3].integer, 0);
    ck_assert_str_eq(report.rows[report.count - 1].name, "density_1");
    ck_assert_double_eq_tol(report.rows[report.count - 1].real, density_of(chosen, 8), 1e-12);
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(context, out[i].tensor);
    }
    finish(&c);
}
END_TEST

/* The rules of the paper that a span table may have: 48 of 99. */
START_TEST(default_rules_are_the_published_ones)
{
    DLTensor *blocks = NULL;
    ga_named_tensor input = { "blocks_0", NULL }, none = { NULL, NULL };
    ga_block_call call = GA_BLOCK_CALL_INIT;
    ga_report report;
    test_ok(context, ga_tensor_create(context, wide, 3, (int64_t[]){ 8, 32, 32 }, &blocks));
    memset(blocks->data, 0, 8 * 32 * 32 * sizeof(double));
    input.tensor = blocks;
    call.tensors = &input;
    call.tensor_count = 1;
    test_ok(context, ga_analysis_run(context, "moa-plan", &call, &none, 0, &report));
    ck_assert_str_eq(report.rows[0].name, "candidates");
    ck_assert_int_eq(report.rows[0].integer, 48);
    ga_tensor_destroy(context, blocks);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    planning c = start(1, false);
    ga_named_tensor out = { "spans", NULL };
    prepare(&c);
    c.parameters[3] = (ga_named_text){ "rules", "1" };
    c.parameters[4] = (ga_named_text){ "bound", "0.01" };
    c.call.parameter_count = 5;
    test_status(context, ga_analysis_run(context, "moa-plan", &c.call, &out, 1, NULL), GA_INFEASIBLE);
    test_error_has(context, "no 1 rules give 4 heads a mean density of 0.005 to 0.01 at all lengths");
    ck_assert_ptr_null(out.tensor);
    c.call.parameter_count = 3;
    ((double *)c.tensors[1].tensor->data)[20] = -1; /* below the diagonal of the first head */
    ((double *)c.tensors[1].tensor->data)[49] = -9;
    test_status(context, ga_analysis_run(context, "moa-plan", &c.call, &out, 1, NULL), GA_INVALID);
    test_error_has(context, "blocks_1: influences of at least 0 expected");
    ((double *)c.tensors[1].tensor->data)[20] = ((double *)c.tensors[1].tensor->data)[49] = 1;
    c.tensors[2].tensor->shape[1] = 1;
    test_status(context, ga_analysis_run(context, "moa-plan", &c.call, &out, 1, NULL), GA_INVALID);
    test_error_has(context, "candidates: shape (5, 1), expected (*, 2)");
    c.tensors[2].tensor->shape[1] = 2;
    c.tensors[1].tensor->shape[2] = 4;
    test_status(context, ga_analysis_run(context, "moa-plan", &c.call, &out, 1, NULL), GA_INVALID);
    test_error_has(context, "blocks_1: shape");
    c.tensors[1].tensor->shape[2] = 8;
    finish(&c);
}
END_TEST

static ga_status memory_body(ga_context *with, void *user)
{
    planning *c = user;
    ga_named_tensor out[] = { { "spans", NULL }, { "plans", NULL }, { "losses", NULL } };
    ga_status status = ga_analysis_run(with, "moa-plan", &c->call, out, 3, NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert(status == GA_OK || !out[i].tensor);
        ga_tensor_destroy(with, out[i].tensor);
    }
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    planning c = start(2, true);
    prepare(&c);
    c.parameters[3] = (ga_named_text){ "cuts", "1" };
    c.call.parameter_count = 4;
    ck_assert_int_gt(test_each_allocation(memory_body, &c, 1), 10);
    finish(&c);
}
END_TEST

static void setup(void)
{
    context = test_threads_context(2);
}

static void teardown(void)
{
    ga_context_destroy(context);
}

int main(void)
{
    Suite *suite = suite_create("moa_plan");
    TCase *tests = tcase_create("moa_plan");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, plans_are_the_best_of_all, 0, 8);
    tcase_add_test(tests, default_rules_are_the_published_ones);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, memory_may_end_anywhere);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
