/* check_attention_memory.c - attention takes memory in proportion to the tokens, whatever the number of visible pairs. */
#include "config.h"

#include <math.h>

#include <graphattn/engine.h>

#include "tests/unit/support.h"

enum { HEADS = 2, DIM = 16, WINDOW = 256, THREADS = 2 };

typedef struct job {
    DLTensor *q, *o, *grad_q, *grad_k, *grad_v; /* q is k, v and the gradient of o as well */
    ga_pattern *pattern;
} job;

static DLTensor *tensor(ga_context *context, int64_t tokens)
{
    DLTensor *t = NULL;
    ck_assert_int_eq(ga_tensor_create(context, (DLDataType){ kDLFloat, 32, 1 }, 4,
                                      (const int64_t[]){ 1, HEADS, tokens, DIM }, &t),
                     GA_OK);
    for (int64_t i = 0; i < HEADS * tokens * DIM; i++) {
        ((float *)t->data)[i] = (float)(i * 7 % 31) / 31 - 0.5f;
    }
    return t;
}

static job make(ga_context *context, int64_t tokens, bool window)
{
    job j = { tensor(context, tokens), tensor(context, tokens), tensor(context, tokens),
              tensor(context, tokens), tensor(context, tokens), NULL };
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT }, .causal = window };
    o.axis[0].query_length = o.axis[0].key_length = tokens;
    if (window) {
        o.axis[0].rule = GA_AXIS_SPAN;
        o.axis[0].left = WINDOW - 1;
        o.axis[0].right = 0;
    }
    ck_assert_int_eq(ga_pattern_product(context, &o, &j.pattern), GA_OK);
    return j;
}

static void clear(ga_context *context, job *j)
{
    ga_tensor_destroy(context, j->q);
    ga_tensor_destroy(context, j->o);
    ga_tensor_destroy(context, j->grad_q);
    ga_tensor_destroy(context, j->grad_k);
    ga_tensor_destroy(context, j->grad_v);
    ga_pattern_destroy(context, j->pattern);
}

/* The most bytes of one pass, with its inputs and outputs. */
static int64_t peak_of(int64_t tokens, bool window, bool backward, ga_family family)
{
    ga_context *context = test_threads_context(THREADS);
    job j = make(context, tokens, window);
    ga_attention problem = GA_ATTENTION_INIT;
    int64_t peak = 0;
    problem.q = problem.k = problem.v = j.q;
    problem.pattern = j.pattern;
    problem.score.scale = 0.25;
    if (backward) {
        ga_attention_gradients g = { .grad_o = j.q, .q = j.grad_q, .k = j.grad_k, .v = j.grad_v };
        ck_assert_int_eq(ga_attention_backward(context, &problem, family, &g, NULL), GA_OK);
    } else {
        ga_attention_result result = { .o = j.o };
        ck_assert_int_eq(ga_attention_forward(context, &problem, family, &result, NULL), GA_OK);
    }
    ga_context_memory(context, NULL, &peak);
    clear(context, &j);
    ga_context_destroy(context);
    return peak;
}

/* Memory grows no faster than the tokens. The tensors may be there a few times over, for partial sums of gradients; a map
 * of the window alone would be 16 times one of them. */
START_TEST(test_window)
{
    const ga_family families[] = { GA_FAMILY_AUTO, GA_FAMILY_TILES, GA_FAMILY_ROWS };
    ga_family family = families[_i / 2];
    bool backward = _i % 2, slow = family == GA_FAMILY_ROWS;
    int64_t first = slow ? 512 : 4096, last = slow ? 2048 : 32768;
    int64_t small = peak_of(first, true, backward, family), large = peak_of(last, true, backward, family);
    int64_t tensors = 5 * (int64_t)sizeof(float) * HEADS * DIM * last;
    ck_assert_msg(large <= last / first * small, "%lld tokens %lld bytes, %lld tokens %lld bytes",
                  (long long)first, (long long)small, (long long)last, (long long)large);
    ck_assert_msg(large <= (backward ? 8 : 2) * tensors + (1 << 20), "%lld tokens: %lld bytes, tensors %lld",
                  (long long)last, (long long)large, (long long)tensors);
}
END_TEST

/* No array of queries x keys, not even one of a byte a pair. */
START_TEST(test_full)
{
    int64_t tokens = _i ? 8192 : 16384, peak = peak_of(tokens, false, _i, GA_FAMILY_AUTO);
    ck_assert_msg(peak < tokens * tokens, "%lld bytes", (long long)peak);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attention_memory");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, test_window, 0, 6);
    tcase_add_loop_test(tests, test_full, 0, 2);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
