/* check_selectors.c - what must hold for every variant of the registry that selects keys. */
#include "config.h"

#include "tests/unit/check_selectors.h"

/* ---- the laws ---- */

START_TEST(every_selector_is_here)
{
    int64_t found = 0;
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        bool listed = false;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            listed = listed || strcmp(rows[i].name, (*v)->name) == 0;
        }
        found += listed;
        ck_assert_msg(!((*v)->can & GA_SELECTS) || listed, "%s has no row here", (*v)->name);
    }
    ck_assert_int_eq(found, sizeof rows / sizeof *rows);
}
END_TEST

/* A budget of all keys is full attention, bit for bit. */
START_TEST(everything_is_dense)
{
    const row *r = &rows[_i];
    ga_context *context = test_threads_context(2);
    const int64_t sizes[][2] = { { 70, 70 }, { 5, 70 }, { 1, 33 } };
    for (int s = 0; s < 3 && !r->grouped; s++) {
        for (int causal = r->both ? 0 : 1; causal < 2; causal++) {
            input in = input_make(2, 4, 2, sizes[s][0], sizes[s][1], 5);
            if (strstr(r->name, "snapkv") && sizes[s][0] < 32) { /* the rows that judge must be there */
                input_free(&in);
                continue;
            }
            DLTensor *got = output(context, &in, r->name, r->all, causal, true),
                     *want = output(context, &in, "full", NULL, causal, true);
            ck_assert_msg(memcmp(got->data, want->data, (size_t)count_of(want) * sizeof(double)) == 0,
                          "%s with a budget of everything is not full attention", r->name);
            ga_tensor_destroy(context, got);
            ga_tensor_destroy(context, want);
            input_free(&in);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* Runs of every row: in order, apart, below the causal limit; with the own token under default parameters. */
static void check_rows(ga_context *context, const row *r, const ga_selection *selection, bool own)
{
    for (int64_t b = 0; b < selection->batch; b++) {
        ga_pattern *pattern = NULL;
        test_ok(context, ga_pattern_selected(context, selection, b, &pattern));
        int64_t(*runs)[2] = calloc((size_t)ga_pattern_most_runs(pattern) + 1, sizeof *runs);
        for (int64_t i = 0; i < ga_pattern_heads(pattern) * selection->queries; i++) {
            int64_t query = i % selection->queries, head = i / selection->queries, sum = 0;
            int64_t count = ga_pattern_row_runs(pattern, head, query, runs);
            int64_t at = query + selection->keys - selection->queries;
            bool has_own = false;
            ck_assert_int_le(count, ga_pattern_most_runs(pattern));
            for (int64_t n = 0; n < count; n++) {
                ck_assert(runs[n][0] < runs[n][1] && runs[n][0] >= 0 && runs[n][1] <= selection->keys);
                ck_assert(n == 0 || runs[n][0] > runs[n - 1][1]);
                ck_assert_msg(runs[n][1] <= at + 1, "%s: row %lld sees key %lld", r->name, (long long)query,
                              (long long)runs[n][1] - 1);
                has_own = has_own || (runs[n][0] <= at && at < runs[n][1]);
                sum += runs[n][1] - runs[n][0];
            }
            ck_assert_int_eq(sum, ga_pattern_row_length(pattern, head, query));
            ck_assert_msg(!own || has_own || at < 0, "%s: row %lld does not see its own token", r->name,
                          (long long)query);
        }
        free(runs);
        ga_pattern_destroy(context, pattern);
    }
}

START_TEST(rows_see_themselves_and_no_later_key)
{
    const row *r = &rows[_i];
    ga_context *context = test_threads_context(2);
    for (int few = 0; few < 2; few++) {
        input in = input_make(2, 4, 2, 300, 300, 9);
        ga_selection *selection = selection_of(context, &in, r->name, few ? r->few : NULL, true);
        check_rows(context, r, selection, !few && !r->grouped);
        ga_selection_destroy(context, selection);
        input_free(&in);
    }
    test_context_done(context, NULL);
}
END_TEST

/* Heads in another order: outputs in that order. */
static array moved_heads(const array *a, int64_t turn)
{
    array b = array_make(4, a->shape);
    int64_t size = a->shape[2] * a->shape[3];
    for (int64_t h = 0; h < a->shape[0] * a->shape[1]; h++) {
        int64_t batch = h / a->shape[1], to = (h + turn) % a->shape[1];
        memcpy(b.data + (batch * a->shape[1] + to) * size, a->data + h * size, (size_t)size * sizeof(double));
    }
    return b;
}

START_TEST(heads_in_another_order)
{
    const row *r = &rows[_i];
    ga_context *context = test_threads_context(2);
    input in = input_make(1, 6, 3, 130, 130, 11), other = in;
    other.q = moved_heads(&in.q, 2);
    other.k = moved_heads(&in.k, 1);
    other.v = moved_heads(&in.v, 1);
    DLTensor *a = output(context, &in, r->name, r->few, true, true),
             *b = output(context, &other, r->name, r->few, true, true);
    int64_t size = in.queries * in.dim;
    for (int64_t i = 0; i < count_of(a); i++) {
        int64_t head = i / size;
        close_to(r->name, "a head elsewhere", value_at(b, (head + 2) % 6 * size + i % size), value_at(a, i),
                 1e-9, 1e-11);
    }
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
    array_free(&other.q);
    array_free(&other.k);
    array_free(&other.v);
    input_free(&in);
    test_context_done(context, NULL);
}
END_TEST

/* Queries before the first key see nothing: zeros, not NaN. */
START_TEST(rows_before_the_first_key)
{
    const row *r = &rows[_i];
    ga_context *context = test_threads_context(2);
    input in = input_make(1, 2, 1, 50, 41, 13);
    made m = call_make(context, &in, r->few, true, false);
    ga_named_tensor wanted[] = { { "o", NULL }, { "lse", NULL } };
    ga_status status = ga_attend(context, r->name, &m.call, wanted, r->grouped ? 1 : 2);
    if (r->both || status == GA_OK) { /* the others may refuse it, with words */
        ck_assert_msg(status == GA_OK, "%s: %s", r->name, ga_context_error(context));
        for (int64_t i = 0; i < 2 * 50 * 8; i++) {
            double value = value_at(wanted[0].tensor, i);
            ck_assert(isfinite(value) && (i / 8 % 50 >= 9 || value == 0));
        }
        for (int64_t i = 0; i < 100 && wanted[1].tensor; i++) {
            ck_assert_int_eq(isinf(value_at(wanted[1].tensor, i)) != 0, i % 50 < 9);
        }
    } else {
        ck_assert_int_eq(status, GA_INVALID);
        ck_assert_str_ne(ga_context_error(context), "");
    }
    ga_tensor_destroy(context, wanted[0].tensor);
    ga_tensor_destroy(context, wanted[1].tensor);
    call_free(context, &m);
    input_free(&in);
    test_context_done(context, NULL);
}
END_TEST

/* Nothing in, nothing out. */
START_TEST(no_rows_no_keys)
{
    ga_context *context = test_threads_context(2);
    for (int i = 0; i < 4; i++) {
        const row *r = &rows[_i];
        input in = input_make(i == 3 ? 0 : 1, 2, 1, i == 1 ? 0 : 3, i == 2 ? 0 : i == 1 ? 3 : 3, 3);
        for (int causal = 0; causal < 2 && r->both; causal++) {
            DLTensor *o = output(context, &in, r->name, NULL, causal, false);
            for (int64_t n = 0; n < count_of(o); n++) {
                ck_assert(i != 2 || value_at(o, n) == 0);
            }
            ga_tensor_destroy(context, o);
        }
        input_free(&in);
    }
    test_context_done(context, NULL);
}
END_TEST

/* A key that all queries look for, with neighbours that resemble it, is among the keys of the last row. */
START_TEST(planted_needle)
{
    enum { N = 512, NEEDLE = 140 };
    const row *r = &rows[_i];
    ga_context *context = test_threads_context(2);
    input in = input_make(1, 2, 2, N, N, 21);
    for (int64_t h = 0; h < 2; h++) {
        for (int64_t i = 0; i < N; i++) {
            double x = (double)(i - NEEDLE) / 30;
            *array_at(&in.q, 0, h, i, 3) = 6;
            *array_at(&in.k, 0, h, i, 3) = 8 * exp(-x * x / 2);
        }
    }
    const ga_named_text evict[MOST_SET] = { { "budget", "96" },
                                            { "prompt", "480" } }; /* rows of the prompt see all */
    ga_selection *selection =
        selection_of(context, &in, r->name, strstr(r->name, "snapkv") ? evict : r->few, true);
    ga_pattern *pattern = NULL;
    test_ok(context, ga_pattern_selected(context, selection, 0, &pattern));
    int64_t(*runs)[2] = calloc((size_t)ga_pattern_most_runs(pattern) + 1, sizeof *runs);
    for (int64_t h = 0; h < ga_pattern_heads(pattern); h++) {
        int64_t count = ga_pattern_row_runs(pattern, h, N - 1, runs);
        bool seen = false;
        for (int64_t n = 0; n < count; n++) {
            seen = seen || (runs[n][0] <= NEEDLE && NEEDLE < runs[n][1]);
        }
        ck_assert_msg(seen, "%s: head %lld does not find the needle", r->name, (long long)h);
        ck_assert_int_lt(ga_pattern_row_length(pattern, h, N - 1), N);
    }
    free(runs);
    ga_pattern_destroy(context, pattern);
    ga_selection_destroy(context, selection);
    input_free(&in);
    test_context_done(context, NULL);
}
END_TEST

/* The same lists for any number of threads; for few queries and many keys, too, where the work is cut by keys. */
START_TEST(threads_choose_alike)
{
    const row *r = &rows[_i];
    ga_context *context = test_threads_context(1);
    const int64_t sizes[][2] = { { 200, 200 }, { 64, 5000 } };
    for (int s = 0; s < 2; s++) {
        input in = input_make(2, 4, 2, sizes[s][0], sizes[s][1], 31);
        test_set_threads(context, 1);
        ga_selection *one = selection_of(context, &in, r->name, r->few, true);
        for (int threads = 2; threads <= 7; threads += threads == 3 ? 4 : 1) {
            test_set_threads(context, threads);
            ga_selection *more = selection_of(context, &in, r->name, r->few, true);
            int64_t lists = one->batch * one->heads * one->lists;
            ck_assert_int_eq(more->lists, one->lists);
            ck_assert_mem_eq(more->offsets, one->offsets, (size_t)(lists + 1) * sizeof *one->offsets);
            if (one->offsets[lists] > 0) {
                ck_assert_mem_eq(more->units, one->units, (size_t)one->offsets[lists] * sizeof *one->units);
            }
            ga_selection_destroy(context, more);
        }
        ga_selection_destroy(context, one);
        input_free(&in);
    }
    test_context_done(context, NULL);
}
END_TEST

/* Gradients with the choice fixed, by the formulas of softmax: the map of the call says what was chosen. */
START_TEST(gradients_of_the_chosen_keys)
{
    const row *r = &rows[_i];
    ga_context *context = test_threads_context(2);
    if (!r->grouped && ga_variant_find(r->name)->can & GA_CAN_BACKWARD) {
        input in = input_make(1, 2, 1, 90, 90, 17);
        made m = call_make(context, &in, r->few, true, true);
        ga_named_tensor w[] = { { "map", NULL }, { "o", NULL }, { "grad_q", NULL } };
        m.call.grad_o = m.tensors[3];
        test_ok(context, ga_attend(context, r->name, &m.call, w, 3));
        for (int64_t i = 0; i < 2 * 90; i++) {
            double sum[8] = { 0 }, mean = 0;
            for (int64_t c = 0; c < 8; c++) {
                mean += in.grad.data[i * 8 + c] * value_at(w[1].tensor, i * 8 + c);
            }
            for (int64_t j = 0; j < 90; j++) {
                double t = -mean;
                for (int64_t c = 0; c < 8; c++) {
                    t += in.grad.data[i * 8 + c] * in.v.data[j * 8 + c];
                }
                for (int64_t c = 0; c < 8; c++) {
                    sum[c] += value_at(w[0].tensor, i * 90 + j) * t * in.k.data[j * 8 + c] / sqrt(8);
                }
            }
            for (int64_t c = 0; c < 8; c++) {
                close_to(r->name, "grad_q", value_at(w[2].tensor, i * 8 + c), sum[c], 1e-9, 1e-11);
            }
        }
        for (int i = 0; i < 3; i++) {
            ga_tensor_destroy(context, w[i].tensor);
        }
        call_free(context, &m);
        input_free(&in);
    }
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    enum { ROWS = sizeof rows / sizeof *rows };
    Suite *suite = suite_create("selectors");
    TCase *all = tcase_create("selectors");
    tcase_set_timeout(all, 0);
    tcase_add_test(all, every_selector_is_here);
    tcase_add_loop_test(all, everything_is_dense, 0, ROWS);
    tcase_add_loop_test(all, rows_see_themselves_and_no_later_key, 0, ROWS);
    tcase_add_loop_test(all, heads_in_another_order, 0, ROWS);
    tcase_add_loop_test(all, rows_before_the_first_key, 0, ROWS);
    tcase_add_loop_test(all, no_rows_no_keys, 0, ROWS);
    tcase_add_loop_test(all, planted_needle, 0, ROWS);
    tcase_add_loop_test(all, threads_choose_alike, 0, ROWS);
    tcase_add_loop_test(all, gradients_of_the_chosen_keys, 0, ROWS);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
