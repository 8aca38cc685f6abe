/* check_selectors_calls.c - selectors: large parameters, failing memory, what is refused. */
#include "config.h"

#include "tests/unit/check_selectors.h"

/* Sizes far above what there is mean all there is. */
START_TEST(large_parameters)
{
    static const char *const names[] = { "quest", "block-topk", "hip", "dhsa" };
    static const ga_named_text sets[][MOST_SET] = {
        { { "block", "9000000000000000000" }, { "budget", "9000000000000000000" } },
        { { "block", "9000000000000000000" },
          { "block_q", "9000000000000000000" },
          { "top_k", "9000000000000000000" },
          { "sinks", "9000000000000000000" },
          { "local_blocks", "9000000000000000000" } },
        { { "top_k", "9000000000000000000" },
          { "block_q", "9000000000000000000" },
          { "stride_q", "9000000000000000000" },
          { "block_k", "9000000000000000000" },
          { "stride_k", "9000000000000000000" },
          { "sinks", "1" },
          { "window", "9000000000000000000" } },
        { { "block_q", "9000000000000000000" },
          { "budget", "9000000000000000000" },
          { "window", "9000000000000000000" },
          { "boundary_window", "9000000000000000000" },
          { "nms", "9000000000000000000" },
          { "chunks", "9000000000000000000" },
          { "probe_stride", "9000000000000000000" } },
    };
    ga_context *context = test_threads_context(2);
    for (int causal = 0; causal < 2; causal++) {
        input in = input_make(1, 2, 1, 37, 41, 5);
        DLTensor *got = output(context, &in, names[_i], sets[_i], causal, true),
                 *want = output(context, &in, "full", NULL, causal, true);
        ck_assert_mem_eq(got->data, want->data, (size_t)count_of(want) * sizeof(double));
        ga_tensor_destroy(context, got);
        ga_tensor_destroy(context, want);
        input_free(&in);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- states ---- */

static int64_t entry(const DLTensor *list, int64_t i)
{
    return ((const int32_t *)list->data)[i];
}

static DLTensor *named(ga_context *context, const made *m, const char *variant, const char *name, bool decode)
{
    ga_named_tensor wanted = { name, NULL };
    test_ok(context, decode ? ga_attend_decode(context, variant, &m->call, &wanted, 1)
                            : ga_attend(context, variant, &m->call, &wanted, 1));
    return wanted.tensor;
}

/* What quest carries: minima and maxima of the channels of every page; that of the open one too. */
START_TEST(state_of_quest_is_the_bounds)
{
    static const ga_named_text set[MOST_SET] = { { "block", "16" }, { "budget", "48" } };
    ga_context *context = test_threads_context(2);
    for (int wide = 0; wide < 2; wide++) {
        input in = input_make(2, 4, 2, 5, 75, 3);
        made m = call_make(context, &in, set, true, wide);
        DLTensor *states[] = { named(context, &m, "quest", "state", false),
                               named(context, &m, "quest", "state", true) };
        const int64_t shape[] = { 2, 2, 5, 2, 8 };
        for (int t = 0; t < 2; t++) {
            ck_assert_int_eq(states[t]->ndim, 5);
            ck_assert_mem_eq(states[t]->shape, shape, sizeof shape);
            for (int64_t i = 0; i < count_of(states[t]); i++) {
                int64_t c = i % 8, end = i / 8 % 2, page = i / 16 % 5, line = i / 80;
                double most = -INFINITY;
                for (int64_t j = page * 16; j < 75 && j < page * 16 + 16; j++) {
                    double x = value_at(m.tensors[1], (line * 75 + j) * 8 + c);
                    most = fmax(most, end ? x : -x);
                }
                ck_assert_double_eq(value_at(states[t], i), end ? most : -most);
            }
            ga_tensor_destroy(context, states[t]);
        }
        call_free(context, &m);
        input_free(&in);
    }
    test_context_done(context, NULL);
}
END_TEST

/* What recycled carries: the keys that the next step would attend to beside its own. */
START_TEST(state_of_recycled_is_the_small_cache)
{
    static const ga_named_text sets[][MOST_SET] = {
        { { "top_k", "9" }, { "stride", "4" } },
        { { "top_k", "9" }, { "stride", "4" }, { "append", "0" } },
        { { "top_k", "1000" } }
    };
    ga_context *context = test_threads_context(2);
    for (int t = 0; t < 3; t++) {
        for (int64_t queries = 1; queries <= 8; queries++) {
            input in = input_make(2, 4, 2, queries, 40 + queries, 3);
            made m = call_make(context, &in, sets[t], true, true), fewer = m;
            DLTensor q = *m.call.q, k = *m.call.k;
            if (queries % 4 == 1) { /* the last step is full: it leaves what it selects */
                DLTensor *state = named(context, &m, "recycled", "state", false),
                         *selected = named(context, &m, "recycled", "selected", false);
                for (int64_t i = 0; i < 4 && t < 2; i++) {
                    for (int64_t c = 0; c < state->shape[2]; c++) {
                        ck_assert_int_eq(entry(state, i * state->shape[2] + c),
                                         entry(selected, ((i + 1) * queries - 1) * selected->shape[3] + c));
                    }
                }
                ga_tensor_destroy(context, state);
                ga_tensor_destroy(context, selected);
            } else { /* the state before the last step, and what that step attended to */
                const int64_t qs[] = { 2, 4, queries - 1, 8 }, ks[] = { 2, 2, 39 + queries, 8 };
                const int64_t q_strides[] = { 4 * queries * 8, queries * 8, 8, 1 },
                              k_strides[] = { 2 * (40 + queries) * 8, (40 + queries) * 8, 8, 1 };
                q.shape = (int64_t *)(uintptr_t)qs;
                q.strides = (int64_t *)(uintptr_t)q_strides;
                k.shape = (int64_t *)(uintptr_t)ks;
                k.strides = (int64_t *)(uintptr_t)k_strides;
                fewer.call.q = &q;
                fewer.call.k = fewer.call.v = &k;
                DLTensor *state = named(context, &fewer, "recycled", "state", false),
                         *decoded = named(context, &fewer, "recycled", "state", true),
                         *selected = named(context, &m, "recycled", "selected", false);
                ck_assert_int_eq(count_of(state), count_of(decoded));
                ck_assert_mem_eq(state->data, decoded->data, (size_t)count_of(state) * 4);
                for (int64_t i = 0; i < 4; i++) {
                    int64_t at = ((i + 1) * queries - 1) * selected->shape[3], c = 0;
                    for (; c < state->shape[2] && entry(state, i * state->shape[2] + c) >= 0; c++) {
                        ck_assert_int_eq(entry(state, i * state->shape[2] + c), entry(selected, at + c));
                    }
                    ck_assert_int_gt(c, 0);
                    ck_assert(t == 1 || entry(selected, at + c) == 39 + queries);
                }
                ga_tensor_destroy(context, state);
                ga_tensor_destroy(context, decoded);
                ga_tensor_destroy(context, selected);
            }
            call_free(context, &m);
            input_free(&in);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

typedef struct memory {
    const row *r;
    const ga_attend_call *call;
} memory;

static ga_status select_body(ga_context *context, void *user)
{
    const memory *m = user;
    ga_selection *selection = NULL;
    ga_status status = ga_select(context, m->r->name, m->call, &selection);
    ga_selection_destroy(context, selection);
    return status;
}

static ga_status attend_body(ga_context *context, void *user)
{
    const memory *m = user;
    bool back = ga_variant_find(m->r->name)->can & GA_CAN_BACKWARD;
    const char *outputs = ga_variant_find(m->r->name)->outputs;
    bool lists = strstr(outputs, "selected") != NULL, state = strstr(outputs, "state") != NULL;
    ga_named_tensor wanted[] = { { "o", NULL },
                                 { lists ? "selected" : "lse", NULL },
                                 { state ? "state" : "map", NULL },
                                 { "grad_k", NULL } };
    ga_status status = ga_attend(context, m->r->name, m->call, wanted, back ? 4 : 3);
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, wanted[i].tensor);
    }
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    const row *r = &rows[_i];
    ga_context *context = test_threads_context(1);
    input in = input_make(1, 2, 1, 40, 40, 3);
    made m = call_make(context, &in, r->few, true, false);
    memory body = { r, &m.call };
    m.call.grad_o = ga_variant_find(r->name)->can & GA_CAN_BACKWARD ? m.tensors[3] : NULL;
    ck_assert_int_gt(test_each_allocation(select_body, &body, 1), 4);
    ck_assert_int_gt(test_each_allocation(attend_body, &body, 1), 4);
    call_free(context, &m);
    input_free(&in);
    test_context_done(context, NULL);
}
END_TEST

static void refused(ga_context *context, const char *name, const ga_named_text *set, const DLTensor *cuts,
                    const char *words)
{
    input in = input_make(1, 2, 1, 6, 6, 3);
    made m = call_make(context, &in, set, true, false);
    ga_named_tensor tensor = { "boundaries", (DLTensor *)(uintptr_t)cuts };
    ga_selection *selection = NULL;
    m.call.tensors = &tensor;
    m.call.tensor_count = cuts ? 1 : 0;
    test_status(context, ga_select(context, name, &m.call, &selection), GA_INVALID);
    test_error_has(context, words);
    ck_assert_ptr_null(selection);
    call_free(context, &m);
    input_free(&in);
}

START_TEST(refusals)
{
    static const DLDataType i32 = { kDLInt, 32, 1 };
    ga_context *context = test_threads_context(1);
    const struct {
        int32_t cuts[4];
        int64_t count;
        const char *words;
    } bad[] = { { { 0, 3, 3, 6 }, 4, "boundaries: 3 behind 3" },
                { { 1, 3, 6 }, 3, "boundaries: 1 .. 6, expected 0 .. 6" },
                { { 0, 3, 5 }, 3, "boundaries: 0 .. 5, expected 0 .. 6" } };
    refused(context, "full", NULL, NULL, "full does not select keys");
    refused(context, "quest", (ga_named_text[MOST_SET]){ { "block", "0" } }, NULL, "block");
    for (int i = 0; i < 3; i++) {
        DLTensor *cuts = NULL;
        test_ok(context, ga_tensor_create(context, i32, 1, &bad[i].count, &cuts));
        memcpy(cuts->data, bad[i].cuts, (size_t)bad[i].count * sizeof(int32_t));
        refused(context, "dhsa", NULL, cuts, bad[i].words);
        ga_tensor_destroy(context, cuts);
    }
    test_context_done(context, NULL);
}
END_TEST

/* Blocks of several queries cannot be decoded token by token. */
START_TEST(blocks_are_not_decoded)
{
    static const char *const names[] = { "block-topk", "hip", "dhsa" };
    ga_context *context = test_threads_context(1);
    for (int i = 0; i < 3; i++) {
        input in = input_make(1, 2, 1, 6, 6, 3);
        made m = call_make(context, &in, NULL, true, false);
        ga_named_tensor wanted = { "o", NULL };
        test_status(context, ga_attend_decode(context, names[i], &m.call, &wanted, 1), GA_INVALID);
        test_error_has(context, i < 2 ? "decode with block_q=1" : "chunks are cut over all keys");
        call_free(context, &m);
        input_free(&in);
    }
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    enum { ROWS = sizeof rows / sizeof *rows };
    Suite *suite = suite_create("selector calls");
    TCase *all = tcase_create("selector calls");
    tcase_set_timeout(all, 0);
    tcase_add_loop_test(all, large_parameters, 0, 4);
    tcase_add_loop_test(all, memory_may_end_anywhere, 0, ROWS);
    tcase_add_test(all, state_of_quest_is_the_bounds);
    tcase_add_test(all, state_of_recycled_is_the_small_cache);
    tcase_add_test(all, refusals);
    tcase_add_test(all, blocks_are_not_decoded);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
