/* check_probe_rows.c - vertical-slash, flexprefill, snapkv, ada-snapkv: closed values, invariants, decoding,
 * refusals, threads. */
#include "config.h"

#include "attention/dynamic/probe_rows.h"
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

/* ---- the closed values of part F ---- */

static void triple(const call *c, double sum, double norm, double last)
{
    DLTensor *o = output(context, c, "o");
    double s = 0, n = 0;
    for (int64_t i = 0; i < count_of(o); i++) {
        s += value_at(o, i);
        n += value_at(o, i) * value_at(o, i);
    }
    ck_assert_double_eq_tol(s, sum, 1e-8);
    ck_assert_double_eq_tol(sqrt(n), norm, 1e-8);
    ck_assert_double_eq_tol(value_at(o, 47 * 8), last, 1e-8);
    ga_tensor_destroy(context, o);
}

static void set_vertical(call *c)
{
    call_set(c, "columns", "6");
    call_set(c, "slashes", "6");
    call_set(c, "probe", "8");
    call_set(c, "sinks", "1");
    call_set(c, "window", "2");
}

START_TEST(vertical_slash_closed)
{
    static const int columns[] = { 0, 7, 18, 19, 20, 33 }, slashes[] = { 0, 1, 25, 26, 27, 28 };
    call c;
    ga_selection *selection = NULL;
    ga_pattern *pattern = NULL;
    call_closed(context, &c, "vertical-slash", type_f64, 1);
    set_vertical(&c);
    triple(&c, 61.157029068, 8.025154063, 0.208044600);
    DLTensor *found = output(context, &c, "columns"), *diagonals = output(context, &c, "slashes");
    is_list(found, 0, 6, columns);
    is_list(diagonals, 0, 6, slashes);
    test_ok(context, ga_select(context, "vertical-slash", &c.call, &selection));
    test_ok(context, ga_pattern_selected(context, selection, 0, &pattern));
    ck_assert_int_eq(ga_pattern_nonzeros(pattern, 0), 341);
    ga_pattern_destroy(context, pattern);
    ga_selection_destroy(context, selection);
    ga_tensor_destroy(context, found);
    ga_tensor_destroy(context, diagonals);
    call_close(context, &c);
}
END_TEST

START_TEST(snapkv_closed)
{
    static const int want[] = { 5, 6, 7, 8, 17, 18, 19, 20, 21, 33, 34, 35, 40, 41, 42, 43, 44, 45, 46, 47 };
    call c;
    call_closed(context, &c, "snapkv", type_f64, 1);
    call_set(&c, "budget", "20");
    call_set(&c, "window", "8");
    call_set(&c, "kernel", "5");
    DLTensor *found = output(context, &c, "selected");
    is_list(found, 0, 20, want);
    ga_tensor_destroy(context, found);
    call_close(context, &c);
}
END_TEST

START_TEST(ada_snapkv_closed)
{
    call c;
    call_closed(context, &c, "ada-snapkv", type_f64, 2);
    call_set(&c, "budget", "16");
    call_set(&c, "window", "8");
    call_set(&c, "recent", "4");
    call_set(&c, "sinks", "1");
    call_set(&c, "kernel", "1");
    DLTensor *counts = output(context, &c, "counts"), *selected = output(context, &c, "selected");
    ck_assert_int_eq((int)value_at(counts, 0), 6);
    ck_assert_int_eq((int)value_at(counts, 1), 26);
    ck_assert_int_eq(selected->shape[2], 26);
    for (int h = 0; h < 2; h++) { /* the forced ones */
        int64_t end = (int64_t)value_at(counts, h);
        ck_assert_int_eq((int)value_at(selected, h * 26), 0);
        for (int i = 0; i < 4; i++) {
            ck_assert_int_eq((int)value_at(selected, h * 26 + end - 4 + i), 44 + i);
        }
    }
    ga_tensor_destroy(context, counts);
    ga_tensor_destroy(context, selected);
    call_close(context, &c);
}
END_TEST

/* A query-aware head, whose budgets are the least ones; with tau = 0 it is none. */
START_TEST(flexprefill_closed)
{
    static const int want[6][4] = { { 0 }, { 0, 1 }, { 0, 1, 2 }, { 0, 2, 3 }, { 0, 1, 2, 4 }, { 0, 2, 5 } };
    static const int lengths[] = { 1, 2, 3, 3, 4, 3 };
    call c;
    call_closed(context, &c, "flexprefill", type_f64, 1);
    call_set(&c, "gamma", "0.5");
    call_set(&c, "block", "8");
    call_set(&c, "min_budget", "8");
    DLTensor *distance = output(context, &c, "distance"), *aware = output(context, &c, "query_aware");
    DLTensor *selected = output(context, &c, "selected");
    ck_assert_double_eq_tol(value_at(distance, 0), 0.07839156, 1e-8);
    ck_assert(value_at(aware, 0) == 1);
    for (int row = 0; row < 6; row++) {
        is_list(selected, row, lengths[row], want[row]);
    }
    ga_tensor_destroy(context, aware);
    ga_tensor_destroy(context, distance);
    ga_tensor_destroy(context, selected);
    call_set(&c, "tau", "0");
    aware = output(context, &c, "query_aware");
    ck_assert(value_at(aware, 0) == 0);
    ga_tensor_destroy(context, aware);
    call_close(context, &c);
}
END_TEST

/* ---- the rows themselves ---- */

typedef struct sums {
    double column[400], diagonal[400], most[400];
    int64_t cover[4];
} sums;

static void add_up(void *user, ga__probe_room *room, int64_t batch, int64_t head)
{
    sums *s = user;
    ck_assert_int_eq(batch, 0);
    ck_assert_int_eq(head, 0);
    memset(s, 0, sizeof *s);
    ga__probe_rows(room, batch, head);
    ga__probe_add_columns(room, s->column);
    ga__probe_most_columns(room, s->most);
    ga__probe_diagonals(room, s->diagonal);
}

static void run_sums(const call *c, int64_t rows, sums *s)
{
    ga__selecting selecting = { .context = context,
                                .batch = 1,
                                .heads = 1,
                                .kv_heads = 1,
                                .group = 1,
                                .queries = c->q->shape[2],
                                .keys = c->k->shape[2],
                                .dim = c->q->shape[3],
                                .causal = true,
                                .wide = c->call.f64,
                                .scale = 1 / sqrt((double)c->q->shape[3]) };
    ga__view k;
    test_ok(context, ga__view_of(context, "q", c->q, true, &selecting.q));
    test_ok(context, ga__view_of(context, "k", c->k, true, &k));
    selecting.k = ga__keys_of_view(&k);
    ga__probe p = { .s = &selecting,
                    .heads = 1,
                    .first = selecting.queries - rows,
                    .rows = rows,
                    .width = selecting.keys,
                    .body = add_up,
                    .user = s };
    test_ok(context, ga__probe_run(&p));
}

/* Rows sum to one, and so do columns and diagonals together. */
START_TEST(sums_of_rows)
{
    static const int64_t sizes[][3] = {
        { 48, 48, 8 }, { 300, 300, 300 }, { 20, 390, 7 }, { 70, 60, 5 }, { 1, 1, 1 }
    };
    static sums s;
    for (size_t t = 0; t < 2 * sizeof sizes / sizeof *sizes; t++) {
        const int64_t *size = sizes[t / 2];
        call c;
        double columns = 0, diagonals = 0;
        call_open(context, &c, "vertical-slash", t % 2 ? type_f32 : type_f64, 1, 1, 1, size[0], size[1], 9,
                  2);
        run_sums(&c, size[2], &s);
        for (int64_t j = 0; j < size[1]; j++) {
            columns += s.column[j];
            diagonals += s.diagonal[j];
            ck_assert(s.most[j] <= s.column[j] + 1e-6 && s.most[j] * (double)size[2] >= s.column[j] - 1e-6);
        }
        ck_assert_double_eq_tol(columns, (double)size[2], t % 2 ? 1e-4 : 1e-11);
        ck_assert_double_eq_tol(diagonals, (double)size[2], t % 2 ? 1e-4 : 1e-11);
        call_close(context, &c);
    }
}
END_TEST

START_TEST(covering)
{
    static const double masses[] = { 0.5, 0.65, 0.9, 0.95 };
    static const int64_t want[] = { 19, 27, 40, 43 };
    static sums s;
    double sorted[48];
    call c;
    call_closed(context, &c, "flexprefill", type_f64, 1);
    run_sums(&c, 8, &s);
    for (int j = 0; j < 48; j++) {
        s.column[j] /= 8;
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(ga__probe_cover(s.column, 48, masses[i], sorted), want[i]);
    }
    ck_assert_int_eq(ga__probe_cover(s.column, 48, 0, sorted), 1);
    ck_assert_int_eq(ga__probe_cover(s.column, 48, 2, sorted), 48);
    ck_assert_int_eq(ga__probe_cover(s.column, 0, 2, sorted), 0);
    call_close(context, &c);
}
END_TEST

/* ---- laws ---- */

static void same_numbers(const DLTensor *a, const DLTensor *b, double most)
{
    ck_assert_int_eq(count_of(a), count_of(b));
    for (int64_t i = 0; i < count_of(a); i++) {
        ck_assert(fabs(value_at(a, i) - value_at(b, i)) <= most);
    }
}

/* With more than there is to keep, a selector is full attention. */
START_TEST(keeping_all_is_full)
{
    static const struct {
        const char *variant;
        ga_named_text set[3];
    } table[] = {
        { "vertical-slash", { { "columns", "100" }, { "slashes", "100" } } },
        { "vertical-slash", { { "columns", "0" }, { "slashes", "100" } } },
        { "flexprefill", { { "block", "4" }, { "min_budget", "60" } } },
        { "flexprefill", { { "block", "4" }, { "gamma", "1" }, { "min_budget", "1" } } },
        { "snapkv", { { "budget", "61" } } },
        { "snapkv", { { "prompt", "60" } } },
        { "ada-snapkv", { { "budget", "1000" } } },
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        call c;
        call_open(context, &c, table[t].variant, type_f64, 2, 4, 2, 60, 60, 8, 6);
        for (int i = 0; i < 3 && table[t].set[i].name; i++) {
            call_set(&c, table[t].set[i].name, table[t].set[i].value);
        }
        DLTensor *got = output(context, &c, "o");
        c.variant = "full";
        c.call.parameter_count = 0;
        DLTensor *want = output(context, &c, "o");
        same_numbers(got, want, 0);
        ga_tensor_destroy(context, got);
        ga_tensor_destroy(context, want);
        call_close(context, &c);
    }
}
END_TEST

/* A key that all queries look for is found. */
START_TEST(planted_key)
{
    static const char *const variants[] = { "vertical-slash", "snapkv", "ada-snapkv" };
    static const char *const outputs[] = { "columns", "selected", "selected" };
    for (int t = 0; t < 3; t++) {
        call c;
        bool found = false;
        call_open(context, &c, variants[t], type_f32, 1, 1, 1, 512, 512, 16, 4);
        for (int64_t i = 0; i < 512; i++) {
            put(c.q, i * 16, 3);
            put(c.k, i * 16, i == 137 ? 8 : 0);
        }
        if (t == 0) {
            call_set(&c, "columns", "32");
            call_set(&c, "slashes", "64");
        } else {
            call_set(&c, "budget", "64");
        }
        DLTensor *list = output(context, &c, outputs[t]);
        for (int64_t i = 0; i < count_of(list); i++) {
            found = found || value_at(list, i) == 137;
        }
        ck_assert(found);
        ga_tensor_destroy(context, list);
        call_close(context, &c);
    }
}
END_TEST

/* Heads in another order give lists in that order. */
START_TEST(heads_in_another_order)
{
    static const struct {
        const char *variant, *list;
    } table[] = { { "vertical-slash", "columns" }, { "flexprefill", "selected" }, { "snapkv", "selected" } };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        call c;
        call_open(context, &c, table[t].variant, type_f64, 1, 2, 1, 50, 50, 8, 4);
        if (t == 0) {
            set_vertical(&c);
        } else if (t == 1) {
            call_set(&c, "block", "5");
            call_set(&c, "min_budget", "5");
            call_set(&c, "gamma", "0.6");
        } else {
            call_set(&c, "budget", "40");
        }
        DLTensor *before = output(context, &c, table[t].list), *o = output(context, &c, "o");
        for (int64_t i = 0; i < 400; i++) {
            double x = value_at(c.q, i);
            put(c.q, i, value_at(c.q, 400 + i));
            put(c.q, 400 + i, x);
        }
        DLTensor *after = output(context, &c, table[t].list), *moved = output(context, &c, "o");
        for (int64_t i = 0; i < count_of(before); i++) {
            int64_t half = count_of(before) / 2;
            ck_assert(value_at(after, (i + half) % (2 * half)) == value_at(before, i));
        }
        for (int64_t i = 0; i < count_of(o); i++) {
            ck_assert(value_at(moved, (i + 200) % 400) == value_at(o, i));
        }
        ga_tensor_destroy(context, before);
        ga_tensor_destroy(context, after);
        ga_tensor_destroy(context, o);
        ga_tensor_destroy(context, moved);
        call_close(context, &c);
    }
}
END_TEST

/* Token by token, the prompt as in the whole call. */
START_TEST(snapkv_decoded)
{
    static const char *const variants[] = { "snapkv", "ada-snapkv" }, *const prompts[] = { "0", "14", "90" };
    for (int t = 0; t < 6; t++) {
        call c;
        ga_named_tensor one = { "o", NULL };
        call_open(context, &c, variants[t % 2], type_f64, 1, 4, 2, 20, 20, 6, 5);
        call_set(&c, "budget", "6");
        call_set(&c, "window", "3");
        call_set(&c, "sinks", "1");
        call_set(&c, "prompt", prompts[t / 2]);
        DLTensor *all = output(context, &c, "o");
        test_ok(context, ga_attend_decode(context, c.variant, &c.call, &one, 1));
        same_numbers(one.tensor, all, 1e-13);
        ga_tensor_destroy(context, all);
        ga_tensor_destroy(context, one.tensor);
        call_close(context, &c);
    }
}
END_TEST

START_TEST(lists_of_all_threads)
{
    static const char *const variants[] = { "vertical-slash", "flexprefill", "snapkv", "ada-snapkv" };
    for (int t = 0; t < 4; t++) {
        call c;
        call_open(context, &c, variants[t], type_f32, 2, 4, 2, 90, 100, 8, 6);
        if (t == 0) {
            set_vertical(&c);
        } else if (t == 1) {
            call_set(&c, "block", "8");
            call_set(&c, "min_budget", "8");
        } else {
            call_set(&c, "budget", "12");
            call_set(&c, "window", "5");
            call_set(&c, "prompt", "80");
        }
        same_for_threads(&c, "o");
        same_for_threads(&c, t == 0 ? "slashes" : "selected");
        if (t < 2) {
            same_for_threads(&c, "grad_k");
        }
        call_close(context, &c);
    }
}
END_TEST

/* ---- refusals ---- */

START_TEST(refusals)
{
    static const struct {
        const char *variant;
        bool causal;
        ga_named_text set[3];
        const char *words;
    } table[] = {
        { "vertical-slash", false, { { NULL, NULL } }, "slashes=6096: expected 0 without --causal" },
        { "vertical-slash", true, { { "probe", "0" } }, "probe=0" },
        { "flexprefill", false, { { NULL, NULL } }, "needs --causal" },
        { "flexprefill", true, { { "gamma", "1.5" } }, "gamma=1.5" },
        { "flexprefill", true, { { "tau", "0.9" } }, "tau=0.9" },
        { "snapkv", false, { { NULL, NULL } }, "needs --causal" },
        { "snapkv", true, { { "kernel", "4" } }, "kernel=4: expected an odd number" },
        { "snapkv",
          true,
          { { "budget", "8" }, { "window", "8" } },
          "window=8: expected less than the budget of 8" },
        { "snapkv",
          true,
          { { "budget", "8" }, { "window", "4" }, { "prompt", "13" } },
          "the first query stands at position 10, expected at most 9" },
        { "ada-snapkv", true, { { "budget", "8" }, { "window", "4" }, { "sinks", "5" } }, "recent + sinks" },
        { "ada-snapkv", true, { { "floor", "2" } }, "floor=2" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        call c;
        call_open(context, &c, table[i].variant, type_f32, 1, 1, 1, 10, 20, 4, 4);
        c.call.causal = table[i].causal;
        for (int n = 0; n < 3 && table[i].set[n].name; n++) {
            call_set(&c, table[i].set[n].name, table[i].set[n].value);
        }
        refused(context, &c, table[i].words);
        call_close(context, &c);
    }
}
END_TEST

/* Nothing to see, and a query that is no number. */
START_TEST(odd_inputs)
{
    static const char *const variants[] = { "vertical-slash", "flexprefill", "snapkv", "ada-snapkv" };
    static const int64_t sizes[][2] = { { 0, 0 }, { 0, 5 }, { 5, 0 }, { 40, 30 } };
    for (int t = 0; t < 16; t++) {
        call c;
        int64_t nq = sizes[t % 4][0], nk = sizes[t % 4][1];
        call_open(context, &c, variants[t / 4], type_f32, 1, 2, 1, nq, nk, 4, 4);
        if (t / 4 == 1) {
            call_set(&c, "block", "4");
            call_set(&c, "min_budget", "1");
        } else if (t / 4 > 1) {
            call_set(&c, "budget", "6");
            call_set(&c, "window", "2");
            call_set(&c, "prompt", "20");
        }
        DLTensor *o = output(context, &c, "o");
        for (int64_t i = 0; i < count_of(o) && nq > nk; i++) {
            ck_assert(i / 4 % nq >= nq - nk || value_at(o, i) == 0);
        }
        ga_tensor_destroy(context, o);
        if (nq == 40) {
            put(c.q, 38 * 4, NAN);
            o = output(context, &c, "o");
            ck_assert(isnan(value_at(o, 38 * 4)));
            ga_tensor_destroy(context, o);
        }
        call_close(context, &c);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("probe rows");
    TCase *all = tcase_create("probe rows");
    tcase_set_timeout(all, 0);
    tcase_add_checked_fixture(all, make_context, drop_context);
    tcase_add_test(all, vertical_slash_closed);
    tcase_add_test(all, snapkv_closed);
    tcase_add_test(all, ada_snapkv_closed);
    tcase_add_test(all, flexprefill_closed);
    tcase_add_test(all, sums_of_rows);
    tcase_add_test(all, covering);
    tcase_add_test(all, keeping_all_is_full);
    tcase_add_test(all, planted_key);
    tcase_add_test(all, heads_in_another_order);
    tcase_add_test(all, snapkv_decoded);
    tcase_add_test(all, lists_of_all_threads);
    tcase_add_test(all, refusals);
    tcase_add_test(all, odd_inputs);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
