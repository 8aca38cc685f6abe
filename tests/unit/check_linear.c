/* check_linear.c - titans in all its modes; chunks and tokens; variants that are one another with the right numbers. */
#include "config.h"

#include "tests/unit/check_linear.h"

/* ---- problems without a fixture's tensors ---- */

static void nothing(problem *p, uint64_t seed)
{
    (void)p, (void)seed;
}

static fixture bare = { .make = nothing };

static array *numbers(problem *p, const char *name, int ndim, const int64_t *shape, double low, double high,
                      uint64_t seed)
{
    uint64_t state = seed * 31337 + 3;
    array *a = problem_tensor(p, name, ndim, shape);
    for (int64_t i = 0; i < array_count(a); i++) {
        a->data[i] = (double)(float)(low + (high - low) * (0.5 + 0.5 * reference_draw(&state)));
    }
    return a;
}

/* ---- titans ---- */

typedef struct titans_case {
    const char *mode, *memory, *mix, *chunk, *segment, *window;
    bool square; /* e = d, no projections */
} titans_case;
static const titans_case titans_cases[] = {
    { "memory", "linear", "sigmoid", "1", NULL, "0", false },
    { "memory", "linear", "sigmoid", "5", NULL, "0", false },
    { "memory", "mlp", "sigmoid", "1", NULL, "0", false },
    { "memory", "mlp", "sigmoid", "4", NULL, "0", true },
    { "mag", "linear", "sigmoid", "2", NULL, "4", false },
    { "mag", "mlp", "product", "1", NULL, "0", false },
    { "mag", "linear", "norm", "13", NULL, "40", true },
    { "mal", "linear", "sigmoid", "1", NULL, "3", true },
    { "mal", "mlp", "sigmoid", "3", NULL, "0", false },
    { "mac", "linear", "sigmoid", "1", "4", "0", true },
    { "mac", "mlp", "product", "3", "5", "0", false },
    { "mac", "linear", "norm", "2", "40", "0", false },
    { "mac", "mlp", "norm", "9", "1", "0", true },
};
enum { TITANS = sizeof titans_cases / sizeof *titans_cases };

static void projections(problem *p, const titans_case *c, int64_t h, int64_t d, int64_t e)
{
    bool mac = strcmp(c->mode, "mac") == 0;
    if (c->square || (!mac && strcmp(c->mode, "mal") != 0)) {
        return;
    }
    numbers(p, "write_q", 3, (int64_t[]){ h, e, d }, -0.5, 0.5, 5);
    numbers(p, "write_k", 3, (int64_t[]){ h, e, d }, -0.5, 0.5, 6);
    numbers(p, "write_v", 3, (int64_t[]){ h, e, e }, -0.5, 0.5, 7);
    if (mac) {
        numbers(p, "memory_k", 3, (int64_t[]){ h, e, d }, -0.5, 0.5, 8);
        numbers(p, "memory_v", 3, (int64_t[]){ h, e, e }, -0.5, 0.5, 9);
    }
}

static void titans_make(problem *p, const titans_case *c)
{
    enum { F = 5 };
    int64_t h = 4, d = c->square ? 4 : 3, e = c->square ? 4 : 5;
    bare.name = "titans";
    problem_make(p, &bare, 2, h, 2, 13, 13, d, e, true, 4);
    p->fixture = find_fixture("titans");
    problem_set(p, "mode", c->mode);
    problem_set(p, "memory", c->memory);
    problem_set(p, "mix", c->mix);
    problem_set(p, "chunk", c->chunk);
    problem_set(p, "window", c->window);
    if (c->segment) {
        problem_set(p, "segment", c->segment);
    }
    const int64_t gate[] = { p->batch, h, p->keys };
    numbers(p, "theta", 3, gate, 0.01, 0.1, 1);
    numbers(p, "eta", 3, gate, 0, 0.8, 2);
    numbers(p, "alpha", 3, gate, 0, 0.4, 3);
    if (strcmp(c->memory, "mlp") == 0) {
        numbers(p, "w1", 3, (int64_t[]){ h, F, d }, -0.5, 0.5, 10);
        numbers(p, "w2", 3, (int64_t[]){ h, e, F }, -0.5, 0.5, 11);
    }
    if (strcmp(c->mode, "memory") != 0) {
        numbers(p, "persistent_k", 3, (int64_t[]){ h, 2, d }, -1, 1, 12);
        numbers(p, "persistent_v", 3, (int64_t[]){ h, 2, e }, -1, 1, 13);
    }
    projections(p, c, h, d, e);
}

START_TEST(titans_by_definition)
{
    ga_context *context = test_threads_context(3);
    problem p;
    titans_make(&p, &titans_cases[_i]);
    array want = array_make(4, (int64_t[]){ p.batch, p.heads, p.keys, p.dim_v });
    reference_attend(&p, &want, NULL, NULL);
    DLTensor *o = output_of(context, &p, true, ga_attend, "o"),
             *decoded = output_of(context, &p, true, ga_attend_decode, "o");
    for (int64_t i = 0; i < array_count(&want); i++) {
        close_to(titans_cases[_i].mode, "o", value_at(o, i), want.data[i], 1e-11, 1e-12);
    }
    same_tensors(titans_cases[_i].mode, "o token by token", decoded, o, 1e-9, 1e-11);
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, decoded);
    array_free(&want);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* The last token changes nothing before it; threads change nothing. */
START_TEST(titans_past_and_threads)
{
    ga_context *context = test_threads_context(1);
    problem p;
    titans_make(&p, &titans_cases[_i]);
    DLTensor *before = output_of(context, &p, false, ga_attend, "o");
    for (int threads = 2; threads <= 7; threads += 5) {
        test_set_threads(context, threads);
        DLTensor *again = output_of(context, &p, false, ga_attend, "o");
        ck_assert_mem_eq(again->data, before->data, (size_t)count_of(before) * sizeof(float));
        ga_tensor_destroy(context, again);
    }
    for (int i = 0; i < p.batch * p.heads; i++) {
        *array_at(&p.q, i / p.heads, i % p.heads, p.keys - 1, 0) += 0.5;
        *array_at(&p.k, i / p.heads, i % p.heads / 2, p.keys - 1, 1) -= 0.5;
        *array_at(&p.v, i / p.heads, i % p.heads / 2, p.keys - 1, 2) += 2;
    }
    DLTensor *after = output_of(context, &p, false, ga_attend, "o");
    int changed = 0;
    for (int64_t i = 0; i < count_of(after); i++) {
        bool last = i / p.dim_v % p.keys == p.keys - 1;
        ck_assert(last || value_at(after, i) == value_at(before, i));
        changed += value_at(after, i) != value_at(before, i);
    }
    ck_assert_int_gt(changed, 0);
    ga_tensor_destroy(context, before);
    ga_tensor_destroy(context, after);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

static ga_status titans_body(ga_context *context, void *user)
{
    const ready *r = user;
    ga_named_tensor wanted[] = {
        { "o", NULL }, { "state", NULL }, { "grad_k", NULL }, { "grad_alpha", NULL }
    };
    bool back = r->call.parameter_count > 0 && r->call.tensor_count == 3;
    ga_status status = ga_attend(context, "titans", &r->call, wanted, back ? 4 : 2);
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, wanted[i].tensor);
    }
    return status;
}

START_TEST(titans_memory_may_end_anywhere)
{
    ga_context *context = test_threads_context(1);
    problem p;
    ready r;
    titans_make(&p, &titans_cases[_i]);
    ready_make(context, &p, false, &r);
    ck_assert_int_gt(test_each_allocation(titans_body, &r, 2), 4);
    ready_free(context, &r);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* What does not go together: a case, something added or set, and words of the message. */
static const struct {
    int of;
    const char *set, *value, *tensor;
    int64_t shape[3];
    const char *words;
} wrong[] = {
    { 0, "segment", "3", NULL, { 0 }, "mode=memory takes no segment" },
    { 0, "window", "3", NULL, { 0 }, "mode=memory takes no window" },
    { 0, "mode", "mac", NULL, { 0 }, "mode=mac needs segment" },
    { 0, "memory", "mlp", NULL, { 0 }, "memory=mlp needs w1" },
    { 0, NULL, NULL, "w1", { 4, 5, 3 }, "memory=linear takes no w1" },
    { 0, NULL, NULL, "persistent_k", { 4, 2, 3 }, "persistent_k and persistent_v go together" },
    { 0, NULL, NULL, "write_q", { 4, 5, 3 }, "mode=memory takes no write_q" },
    { 0, NULL, NULL, "initial_state", { 8, 6, 4 }, "initial_state: shape" },
    { 4, NULL, NULL, "memory_k", { 4, 5, 3 }, "mode=mag takes no memory_k" },
    { 4, "mode", "mal", NULL, { 0 }, "needs write_q, since v is 5 wide and k 3" },
    { 2, NULL, NULL, "initial_state", { 8, 1, 40 }, "initial_state: shape" },
    { 0, "chunk", "0", NULL, { 0 }, "chunk=0: expected" },
};

START_TEST(titans_refuses)
{
    ga_context *context = test_threads_context(1);
    problem p;
    ga_named_tensor wanted = { "o", NULL };
    titans_make(&p, &titans_cases[wrong[_i].of]);
    if (wrong[_i].set) {
        problem_set(&p, wrong[_i].set, wrong[_i].value);
    }
    if (wrong[_i].tensor) {
        numbers(&p, wrong[_i].tensor, 3, wrong[_i].shape, 0, 1, 1);
    }
    test_status(context, call_of(context, &p, false, ga_attend, &wanted, 1), GA_INVALID);
    test_error_has(context, wrong[_i].words);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(titans_gates_have_limits)
{
    static const struct {
        int tensor;
        double value;
        const char *words;
    } bad[] = { { 0, -0.1, "theta: found -0.1, expected >= 0" },
                { 1, 1.5, "eta: found 1.5, expected 0 .. 1" },
                { 2, -1, "alpha: found -1, expected 0 .. 1" } };
    ga_context *context = test_threads_context(1);
    for (int i = 0; i < 3; i++) {
        problem p;
        ga_named_tensor wanted = { "o", NULL };
        titans_make(&p, &titans_cases[0]);
        p.tensors[bad[i].tensor].values.data[17] = bad[i].value;
        test_status(context, call_of(context, &p, false, ga_attend, &wanted, 1), GA_INVALID);
        test_error_has(context, bad[i].words);
        problem_free(&p);
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(titans_gradients_of_the_memory_alone)
{
    ga_context *context = test_threads_context(1);
    for (int i = 2; i < TITANS; i++) {
        problem p;
        ga_named_tensor wanted = { "grad_q", NULL };
        titans_make(&p, &titans_cases[i]);
        test_status(context, call_of(context, &p, false, ga_attend, &wanted, 1), GA_INVALID);
        test_error_has(context, "gradients only with mode=memory and memory=linear");
        problem_free(&p);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- training the features of hedgehog ---- */

static double distillation(ga_context *context, const problem *p)
{
    DLTensor *loss = output_of(context, p, true, ga_attend, "distill");
    double value = value_at(loss, 0);
    ga_tensor_destroy(context, loss);
    return value;
}

START_TEST(distillation_gradients)
{
    static const char *const names[] = { "w_q", "w_k", "b_q", "b_k" };
    ga_context *context = test_threads_context(3);
    problem p;
    static const char *const forms[] = { "softmax-dim", "exp", "exp-dim", "softmax-both" };
    bare.name = "hedgehog";
    problem_make(&p, &bare, 2, 4, 2, 5, 7, 3, 2, _i % 2, 1);
    const int64_t f = _i < 4 ? 3 : 4;
    problem_set(&p, "activation", forms[_i / 2 % 4]);
    problem_set(&p, "skip", f == 3 ? "1" : "0");
    array *tensors[4];
    for (int i = 0; i < 4; i++) {
        int64_t heads = i % 2 ? 2 : 4;
        tensors[i] = i < 2 ? numbers(&p, names[i], 3, (int64_t[]){ heads, 3, f }, -0.8, 0.8, (uint64_t)i)
                           : numbers(&p, names[i], 2, (int64_t[]){ heads, f }, -0.5, 0.5, (uint64_t)i);
    }
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "distill_%s", names[i]);
        DLTensor *grad = output_of(context, &p, true, ga_attend, name);
        ck_assert_int_eq(count_of(grad), array_count(tensors[i]));
        for (int64_t j = 0; j < array_count(tensors[i]); j++) {
            const double h = 1e-5, at = tensors[i]->data[j];
            tensors[i]->data[j] = at + h;
            double up = distillation(context, &p);
            tensors[i]->data[j] = at - h;
            double down = distillation(context, &p);
            tensors[i]->data[j] = at;
            close_to("hedgehog", name, value_at(grad, j), (up - down) / (2 * h), 1e-6, 1e-9);
        }
        ga_tensor_destroy(context, grad);
    }
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

static ga_status distill_body(ga_context *context, void *user)
{
    const ready *r = user;
    ga_named_tensor wanted[] = { { "distill", NULL }, { "distill_w_q", NULL }, { "distill_b_k", NULL } };
    ga_status status = ga_attend(context, "hedgehog", &r->call, wanted, 3);
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(context, wanted[i].tensor);
    }
    return status;
}

START_TEST(distillation_memory)
{
    ga_context *context = test_threads_context(1);
    problem p;
    ready r;
    problem_make(&p, find_fixture("hedgehog"), 1, 2, 1, 5, 5, 3, 2, true, 1);
    ready_make(context, &p, false, &r);
    ck_assert_int_gt(test_each_allocation(distill_body, &r, 2), 8);
    ready_free(context, &r);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* ---- chunks that only set the speed ---- */

static bool has_speed_chunk(const ga_variant *v)
{
    for (const ga_parameter *p = v->parameters; p && p->name; p++) {
        if (strcmp(p->name, "chunk") == 0 && strstr(p->help, "speed only")) {
            return true;
        }
    }
    return false;
}

START_TEST(any_chunk)
{
    static const char *const chunks[] = { "1", "2", "3", "16", "64", "1000" };
    ga_context *context = test_threads_context(2);
    int checked = 0;
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        for (uint64_t seed = 0; seed < 4 && has_speed_chunk(*v); seed++) {
            problem p;
            problem_make(&p, find_fixture((*v)->name), 1, 2, 2, 70, 70, 4, 3, true, seed);
            DLTensor *want = output_of(context, &p, true, ga_attend, "o");
            for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
                problem_set(&p, "chunk", chunks[i]);
                DLTensor *wide = output_of(context, &p, true, ga_attend, "o"),
                         *narrow = output_of(context, &p, false, ga_attend, "o");
                same_tensors((*v)->name, "o by chunks", wide, want, 1e-9, 1e-11);
                same_tensors((*v)->name, "o by chunks in single precision", narrow, want, 1e-4, 1e-5);
                ga_tensor_destroy(context, wide);
                ga_tensor_destroy(context, narrow);
                checked++;
            }
            ga_tensor_destroy(context, want);
            problem_free(&p);
        }
    }
    ck_assert_int_gt(checked, 200);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linear");
    TCase *all = tcase_create("linear");
    tcase_set_timeout(all, 0);
    tcase_add_loop_test(all, titans_by_definition, 0, TITANS);
    tcase_add_loop_test(all, titans_past_and_threads, 0, TITANS);
    tcase_add_loop_test(all, titans_memory_may_end_anywhere, 0, TITANS);
    tcase_add_loop_test(all, titans_refuses, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(all, titans_gates_have_limits);
    tcase_add_test(all, titans_gradients_of_the_memory_alone);
    tcase_add_loop_test(all, distillation_gradients, 0, 8);
    tcase_add_test(all, distillation_memory);
    tcase_add_test(all, any_chunk);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
