/* check_recycled.c - what stays in the small cache of recycled attention: chosen from bounds as from all weights. */
#include "config.h"

#include <math.h>

#include "attention/dynamic/recycled.h"
#include "tests/unit/support.h"

enum { GROUP = 3, KEYS = 500, ROUNDS = 400 };

/* Scores of one kind: ordinary, tied, far apart so that weights vanish, with -inf, with NaN. */
typedef struct problem {
    float scores[GROUP * KEYS];
    double lse[GROUP];
    int32_t order[KEYS];
    int64_t group, count;
} problem;

static void problem_make(problem *x, int kind, ga__random *random)
{
    x->group = 1 + (int64_t)(ga__random_unit(random) * GROUP);
    x->count = 1 + (int64_t)(ga__random_unit(random) * KEYS);
    for (int64_t h = 0; h < x->group; h++) {
        double sum = 0;
        for (int64_t j = 0; j < x->count; j++) {
            double u = ga__random_unit(random), s = 4 * u - 2;
            s = kind == 1 ? floor(3 * s) : kind == 2 ? -1000 * u : s;
            s = kind == 2 && j % 3 ? -745 + u : s;
            s = kind == 3 && u < 0.3 ? -INFINITY : kind == 4 && u < 0.01 ? NAN : s;
            x->scores[h * KEYS + j] = (float)s;
            sum += isnan(s) ? 0 : exp((double)(float)s);
        }
        x->lse[h] = log(sum);
    }
    for (int64_t j = 0; j < x->count; j++) { /* a permutation, from both ends */
        x->order[j] = (int32_t)(j % 2 ? j / 2 : x->count - 1 - j / 2);
    }
}

/* All weights, reduced; key i is column order[i]. */
static void weights_of(const problem *x, const ga__recycling *r, bool ordered, double *weights)
{
    for (int64_t h = 0; h < x->group; h++) {
        for (int64_t j = 0; j < x->count; j++) {
            int64_t column = ordered ? x->order[j] : j;
            weights[h * x->count + j] = exp((double)x->scores[h * KEYS + column] - x->lse[h]);
        }
    }
    ga__recycling_reduce(r, x->group, x->count, weights);
}

static void check_choices(ga_context *context, const problem *x, const ga__recycling *r)
{
    static double weights[GROUP * KEYS], scratch[KEYS];
    int32_t expected[KEYS], slots[KEYS];
    ga__recycled_scores scores = { x->group, x->count, KEYS, x->scores, x->lse, NULL };
    int64_t count = -1, place = -1;
    weights_of(x, r, false, weights);
    int64_t best = ga__recycling_best(context, r, weights, x->count, expected, scratch);
    test_ok(context, ga__recycling_best_of(context, r, &scores, slots, &count));
    ck_assert_int_eq(count, best);
    ck_assert_mem_eq(slots, expected, (size_t)best * sizeof *slots);
    scores.order = x->order;
    weights_of(x, r, true, weights);
    test_ok(context, ga__recycling_least_of(context, r, &scores, &place));
    ck_assert_int_eq(place, ga__recycling_least(weights, x->count));
}

START_TEST(bounds_choose_as_weights_do)
{
    static problem x;
    ga_context *context = test_threads_context(1);
    ga__random random = ga__random_at(9, GA__RANDOM_TEST, 4);
    for (int i = 0; i < ROUNDS; i++) {
        problem_make(&x, i % 5, &random);
        ga__recycling r = { .top_k = 1 + (int64_t)(ga__random_unit(&random) * 40),
                            .reduce = (ga__recycled_reduce)(i / 5 % 3) };
        check_choices(context, &x, &r);
    }
    test_context_done(context, NULL);
}
END_TEST

static ga_status memory_body(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    const problem *x = user;
    ga__recycled_scores scores = { x->group, x->count, KEYS, x->scores, x->lse, NULL };
    ga__recycling r = { .top_k = 1, .reduce = GA__RECYCLED_SUM };
    int32_t slot;
    int64_t count;
    GA_TRY(ga__recycling_best_of(context, &r, &scores, &slot, &count));
    status = ga__recycling_least_of(context, &r, &scores, &count);
done:
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    static problem x;
    ga__random random = ga__random_at(2, GA__RANDOM_TEST, 4);
    problem_make(&x, 0, &random);
    ck_assert_int_ge(test_each_allocation(memory_body, &x, 1), 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recycled");
    TCase *all = tcase_create("recycled");
    tcase_set_timeout(all, 0);
    tcase_add_test(all, bounds_choose_as_weights_do);
    tcase_add_test(all, memory_may_end_anywhere);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
