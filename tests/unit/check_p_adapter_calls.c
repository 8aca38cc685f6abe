/* check_p_adapter_calls.c - the p-adapter: threads, memory, nothing to do, refusals. */
#include "config.h"

#include "tests/unit/check_p_adapter.h"

/* ---- threads and memory ---- */

START_TEST(threads)
{
    ga_context *context = test_threads_context(1);
    problem p;
    setup one, many;
    make(&p, &large[_i]);
    setup_open(&one, &p, false);
    setup_open(&many, &p, false);
    want_all(&one);
    want_all(&many);
    test_ok(context, ga_attend(context, "p-adapter", &one.call, one.wanted, one.count));
    for (int n = 2; n <= 7; n += n == 3 ? 4 : 1) {
        test_set_threads(context, n);
        test_ok(context, ga_attend(context, "p-adapter", &many.call, many.wanted, many.count));
        for (int64_t w = 0; w < one.count; w++) {
            ck_assert_msg(memcmp(one.wanted[w].tensor->data, many.wanted[w].tensor->data,
                                 (size_t)count_of(one.wanted[w].tensor) * sizeof(float)) == 0,
                          "%s: %s with %d threads", current->name, one.wanted[w].name, n);
        }
        drop(context, &many);
    }
    drop(context, &one);
    setup_close(&one);
    setup_close(&many);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

static ga_status attend_all(ga_context *context, void *user)
{
    setup *s = user;
    ga_status status = ga_attend(context, "p-adapter", &s->call, s->wanted, s->count);
    drop(context, s);
    return status;
}

START_TEST(out_of_memory)
{
    static const int which[] = { 6, 15, 19 };
    problem p;
    setup s;
    make(&p, &forms[which[_i]]);
    setup_open(&s, &p, false);
    want_all(&s);
    want(&s, "", "map");
    ck_assert_int_gt(test_each_allocation(attend_all, &s, 1), 10);
    setup_close(&s);
    problem_free(&p);
}
END_TEST

/* A map of 4096 x 4096 floats would take 64 MiB. */
START_TEST(no_whole_map)
{
    static const form f = { "long", "self", "2.5", 1, 1, 1, 4096, 4096, 2, 2, .tensors = ALONE };
    ga_context *context = test_threads_context(2);
    problem p;
    setup s;
    make(&p, &f);
    setup_open(&s, &p, false);
    want_all(&s);
    ga_context_set_memory_limit(context, 32 << 20);
    test_ok(context, ga_attend(context, "p-adapter", &s.call, s.wanted, s.count));
    drop(context, &s);
    setup_close(&s);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* ---- empty and refused ---- */

static const form empty[] = {
    { "no queries", "cross", "1.5", 1, 2, 1, 0, 5, 3, 3, .tensors = WHOLE },
    { "no keys", "cross", "1.5", 1, 2, 1, 4, 0, 3, 3, .tensors = WHOLE },
    { "no tokens", "self", "1.5", 2, 2, 1, 0, 0, 3, 3, .tensors = NUMBERS },
    { "no batch", "self", "1.5", 0, 2, 1, 4, 4, 3, 3, .tensors = NODES },
    { "no keys alone", "cross", "1.5", 1, 2, 1, 4, 0, 3, 3, .tensors = NUMBERS },
};
enum { EMPTY = sizeof empty / sizeof *empty };

START_TEST(nothing_there)
{
    ga_context *context = test_threads_context(2);
    problem p;
    setup s;
    make(&p, &empty[_i]);
    setup_open(&s, &p, false);
    want_all(&s);
    test_ok(context, ga_attend(context, "p-adapter", &s.call, s.wanted, s.count));
    for (int64_t w = 0; w < s.count; w++) {
        for (int64_t i = 0; i < count_of(s.wanted[w].tensor); i++) {
            ck_assert(value_at(s.wanted[w].tensor, i) == 0);
        }
    }
    drop(context, &s);
    setup_close(&s);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* A form that works, one thing changed, words of the message. */
typedef struct refused {
    form f;
    const char *name, *value;  /* parameter */
    const char *tensor, *drop; /* one more tensor of (rows, columns); one left out */
    int64_t rows, columns;
    double number; /* all of that tensor */
    const char *words;
} refused;

#define SELF "self", "self", "2.5", 1, 2, 1, 6, 6, 3, 3
#define CROSS "cross", "cross", "2.5", 1, 2, 1, 5, 6, 3, 3
static const refused refusals[] = {
    { { "self", "self", "1.5", 1, 2, 1, 5, 6, 3, 3, .tensors = ALONE },
      .words = "form=self with 5 queries and 6 keys" },
    { { SELF, .tensors = ALONE }, "pool", "3", .words = "pool=3: expected 0 with form=self" },
    { { CROSS, .tensors = ALONE },
      "mask_diagonal",
      "1",
      .words = "mask_diagonal=1: expected 0 with form=cross" },
    { { "cross", "cross", "1.5", 1, 2, 1, 5, 6, 3, 4, .tensors = ALONE },
      .words = "q of dim 3 and v of dim 4" },
    { { SELF, .tensors = ALONE }, "p", "0", .words = "p=0" },
    { { SELF, .tensors = ALONE }, "p", "-1", .words = "p=-1" },
    { { SELF, .tensors = ALONE }, "p", "nan", .words = "p=nan" },
    { { SELF, .tensors = ALONE }, "eps", "0", .words = "eps=0" },
    { { SELF, .tensors = ALONE }, "mu0", "0", .words = "mu0=0" },
    { { CROSS, .tensors = ALONE }, "pool", "-1", .words = "pool=-1" },
    { { CROSS, .tensors = ALONE }, "form", "both", .words = "form=both" },
    { { SELF, .tensors = ALONE },
      .tensor = "p",
      .rows = 1,
      .number = -2,
      .words = "p: -2, expected a number above 0" },
    { { SELF, .tensors = ALONE },
      .tensor = "p",
      .rows = 1,
      .number = NAN,
      .words = "expected a number above 0" },
    { { SELF, .tensors = ALONE },
      .tensor = "p",
      .rows = 2,
      .number = 2,
      .words = "p: shape (2), expected (1)" },
    { { SELF, .tensors = ALONE }, .tensor = "mu_raw", .rows = 1, .number = INFINITY, .words = "mu_raw: inf" },
    { { SELF, .tensors = ALONE }, .tensor = "w_out", .rows = 6, .columns = 4, .words = "w_out needs w_down" },
    { { SELF, .tensors = ALONE },
      .tensor = "w_down",
      .rows = 6,
      .columns = 4,
      .words = "w_down needs w_out" },
    { { SELF, .tensors = ALONE }, .tensor = "b_out", .rows = 6, .words = "b_out needs w_out" },
    { { SELF, .tensors = NODES },
      .tensor = "w_gate",
      .rows = MODEL,
      .columns = 4,
      .words = "w_gate needs w_up" },
    { { SELF, .tensors = NODES },
      .tensor = "w_up",
      .rows = 4,
      .columns = MODEL,
      .words = "w_up needs w_gate" },
    { { SELF, .tensors = NODES }, .tensor = "b_up", .rows = MODEL, .words = "b_up needs w_up" },
    { { SELF, .tensors = WITHOUT_BIAS }, .drop = "w_down", .words = "w_out needs w_down" },
    { { SELF, .tensors = WITHOUT_BIAS }, .drop = "w_gate", .words = "w_up needs w_gate" },
    { { SELF, .tensors = WITHOUT_BIAS }, .drop = "w_out,w_down", .words = "need w_out and w_down" },
    { { SELF, .tensors = NODES },
      .drop = "w_down,b_down",
      .tensor = "w_down",
      .rows = MODEL,
      .columns = 5,
      .words = "w_down: 5 columns, expected a multiple of the 2 heads" },
    { { SELF, .tensors = NODES },
      .drop = "w_out",
      .tensor = "w_out",
      .rows = 7,
      .columns = MODEL,
      .words = "w_out: shape (7, 5), expected (6, 5)" },
    { { SELF, .tensors = NODES },
      .drop = "w_down",
      .tensor = "w_down",
      .rows = 4,
      .columns = 4,
      .words = "w_down: shape (4, 4), expected (5, 4)" },
    { { SELF, .tensors = NODES },
      .drop = "b_down",
      .tensor = "b_down",
      .rows = 3,
      .words = "b_down: shape (3), expected (4)" },
    { { SELF, .tensors = WHOLE },
      .drop = "w_up",
      .tensor = "w_up",
      .rows = MODEL,
      .columns = 4,
      .words = "w_up: shape (5, 4), expected (4, 5)" },
    { { SELF, .tensors = WHOLE },
      .drop = "w_gate",
      .tensor = "w_gate",
      .rows = MODEL,
      .columns = 2,
      .words = "w_gate: shape (5, 2), expected (5, 4)" },
    { { SELF, .tensors = ALONE }, .tensor = "w_sideways", .rows = 2, .words = "has no tensor 'w_sideways'" },
};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

static void leave_out(problem *p, const char *list)
{
    int kept = 0;
    for (int i = 0; i < p->tensor_count; i++) {
        size_t length = strlen(p->tensors[i].name);
        const char *at = list ? strstr(list, p->tensors[i].name) : NULL;
        if (at && (at[length] == ',' || at[length] == '\0')) {
            array_free(&p->tensors[i].values);
        } else {
            p->tensors[kept++] = p->tensors[i];
        }
    }
    p->tensor_count = kept;
}

START_TEST(refuses)
{
    ga_context *context = test_threads_context(1);
    const refused *r = &refusals[_i];
    problem p;
    setup s;
    make(&p, &r->f);
    leave_out(&p, r->drop);
    if (r->tensor) {
        draw(&p, r->tensor, r->columns ? 2 : 1, r->rows, r->columns, 0);
        array *made = &p.tensors[p.tensor_count - 1].values;
        for (int64_t i = 0; i < array_count(made) && r->number != 0; i++) {
            made->data[i] = r->number;
        }
    }
    if (r->name) {
        problem_set(&p, r->name, r->value);
    }
    setup_open(&s, &p, false);
    want(&s, "", "o");
    want(&s, "grad_", "q");
    test_status(context, ga_attend(context, "p-adapter", &s.call, s.wanted, s.count), GA_INVALID);
    test_error_has(context, r->words);
    ck_assert_ptr_null(s.wanted[0].tensor);
    ck_assert_ptr_null(s.wanted[1].tensor);
    setup_close(&s);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* The upstream gradient has the shape of o, which the adapter changes. */
START_TEST(refuses_gradient)
{
    ga_context *context = test_threads_context(1);
    problem p;
    setup s;
    make(&p, &forms[_i ? 8 : 7]);
    array_free(&p.grad_o);
    p.grad_o = array_make(4, (int64_t[]){ p.batch, p.heads, p.queries, p.dim_v });
    setup_open(&s, &p, false);
    want(&s, "grad_", "q");
    test_status(context, ga_attend(context, "p-adapter", &s.call, s.wanted, s.count), GA_INVALID);
    test_error_has(context, _i ? "expected (7, 5)" : "expected (2, 2, 6, 2)");
    setup_close(&s);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

static const form before[] = {
    { "self, later", "self", "1.25", 1, 2, 1, 333, 333, 5, 37, true, .also = { "mask_diagonal" },
      .value = { "1" } },
    { "self, later, p 2", "self", "2", 1, 1, 1, 90, 90, 8, 8, .causal = true },
    { "cross, later", "cross", "1.6", 1, 2, 1, 151, 143, 19, 19, .causal = true },
};

/* What a token that comes later holds, not a number even, does not reach the rows before it, nor their gradients. */
START_TEST(later_tokens)
{
    const form *f = &before[_i / 2];
    int64_t bad = f->keys * 2 / 3, rows = bad - (f->keys - f->queries);
    ga_context *context = test_threads_context(2);
    double tolerance = _i % 2 ? 1e-12 : 1e-5;
    problem p;
    setup clean, spoiled;
    make(&p, f);
    setup_open(&clean, &p, _i % 2);
    for (int64_t x = 0; x < f->dim; x++) {
        p.k.data[bad * f->dim + x] = NAN;
    }
    p.v.data[bad * f->dim_v + 1] = _i / 2 == 1 ? INFINITY : NAN;
    setup_open(&spoiled, &p, _i % 2);
    setup *const both[] = { &clean, &spoiled };
    for (int i = 0; i < 2; i++) {
        want(both[i], "", "o");
        want(both[i], "grad_", "q");
        test_ok(context, ga_attend(context, "p-adapter", &both[i]->call, both[i]->wanted, 2));
    }
    for (int w = 0; w < 2; w++) {
        int64_t width = w ? f->dim : f->dim_v;
        for (int64_t at = 0; at < f->heads * f->queries * width; at++) {
            double a = value_at(clean.wanted[w].tensor, at), b = value_at(spoiled.wanted[w].tensor, at);
            int64_t row = at / width % f->queries;
            ck_assert_msg(row >= rows || fabs(a - b) <= tolerance * (1 + fabs(a)),
                          "%s: %s of row %lld: %g, %g", f->name, clean.wanted[w].name, (long long)row, b, a);
            ck_assert_msg(w == 1 || row < rows || at % width != 1 || !isfinite(b), "%s: row %lld is finite",
                          f->name, (long long)row);
        }
    }
    drop(context, &clean);
    drop(context, &spoiled);
    setup_close(&clean);
    setup_close(&spoiled);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("p-adapter calls");
    TCase *all = tcase_create("p-adapter");
    tcase_set_timeout(all, 0);
    tcase_add_loop_test(all, threads, 0, LARGE);
    tcase_add_loop_test(all, out_of_memory, 0, 3);
    tcase_add_test(all, no_whole_map);
    tcase_add_loop_test(all, later_tokens, 0, 6);
    tcase_add_loop_test(all, nothing_there, 0, EMPTY);
    tcase_add_loop_test(all, refuses, 0, REFUSALS);
    tcase_add_loop_test(all, refuses_gradient, 0, 2);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
