/* check_linear_long.c - recurrences over 100,000 tokens in single precision: decay near one and near zero, keys of size
 * 1000, inputs of half precision. The oracle is the same call in double precision, and a plain loop where there is one. */
#include "config.h"

#include "tests/unit/check_linear.h"

enum { LONG = 100000, MIDDLE = 8192, D = 2, E = 2 };

static void nothing(problem *p, uint64_t seed)
{
    (void)p, (void)seed;
}

static problem longer(const char *variant, int64_t tokens)
{
    static fixture bare = { .make = nothing };
    problem p;
    bare.name = variant;
    problem_make(&p, &bare, 1, 1, 1, tokens, tokens, D, E, true, 5);
    return p;
}

static array *numbers(problem *p, const char *name, int ndim, const int64_t *shape, double low, double high)
{
    uint64_t state = 31337;
    array *a = problem_tensor(p, name, ndim, shape);
    for (int64_t i = 0; i < array_count(a); i++) {
        a->data[i] = (double)(float)(low + (high - low) * (0.5 + 0.5 * reference_draw(&state)));
    }
    return a;
}

/* Keys of that length. */
static void scale_keys(problem *p, double size)
{
    for (int64_t i = 0; i < array_count(&p->k); i += D) {
        double norm = hypot(p->k.data[i], p->k.data[i + 1]);
        for (int64_t c = 0; c < D; c++) {
            p->k.data[i + c] = (double)(float)(p->k.data[i + c] * size / norm);
        }
    }
}

static double largest(const DLTensor *t)
{
    double most = 0;
    for (int64_t i = 0; i < count_of(t); i++) {
        double x = fabs(value_at(t, i));
        most = x > most || isnan(x) ? x : most;
    }
    return most;
}

/* o and the state in single precision against double, in units of the largest number. Frees p. */
static void stays_close(problem *p, const char *what, double units)
{
    ga_context *context = test_threads_context(2);
    ga_named_tensor narrow[] = { { "o", NULL }, { "state", NULL } },
                    exact[] = { { "o", NULL }, { "state", NULL } };
    test_ok(context, call_of(context, p, false, ga_attend, narrow, 2));
    test_ok(context, call_of(context, p, true, ga_attend, exact, 2));
    for (int i = 0; i < 2; i++) {
        double most = largest(exact[i].tensor);
        ck_assert_msg(isfinite(most) && most > 0, "%s: %s %g", what, exact[i].name, most);
        same_tensors(what, exact[i].name, narrow[i].tensor, exact[i].tensor, 0, units * most);
        ga_tensor_destroy(context, narrow[i].tensor);
        ga_tensor_destroy(context, exact[i].tensor);
    }
    problem_free(p);
    test_context_done(context, NULL);
}

static const int64_t token[] = { 1, 1, LONG, 1 }, channel[] = { 1, 1, LONG, D }, column[] = { 1, 1, LONG, E };

/* ---- decay ---- */

static const double decays[][2] = { { -1e-6, 0 }, { -1.1e-6, -1.1e-6 }, { -1e-3, -1e-4 },
                                    { -60, -20 }, { -800, -100 },       { -40, 0 } };
enum { DECAYS = sizeof decays / sizeof *decays };

START_TEST(decay_of_gla)
{
    problem p = longer("gla", LONG);
    numbers(&p, "log_decay", 4, channel, decays[_i][0], decays[_i][1]);
    stays_close(&p, "gla", 1e-5);
    p = longer("gla", LONG);
    numbers(&p, "log_decay", 4, token, decays[_i][0], decays[_i][1]);
    stays_close(&p, "gla, one decay a token", 1e-5);
}
END_TEST

START_TEST(decay_of_gated_delta)
{
    problem p = longer("gated-delta", LONG);
    problem_set(&p, "normalise_qk", "1");
    numbers(&p, "beta", 3, (int64_t[]){ 1, 1, LONG }, 0, 2);
    numbers(&p, "log_decay", 4, channel, decays[_i][0], decays[_i][1]);
    stays_close(&p, "gated-delta", 1e-5);
}
END_TEST

/* The plain loop of card 17. */
START_TEST(by_a_loop)
{
    ga_context *context = test_threads_context(2);
    problem p = longer("gla", LONG);
    const array *g = numbers(&p, "log_decay", 4, channel, decays[_i][0], decays[_i][1]);
    p.scale = 1;
    DLTensor *o = output_of(context, &p, false, ga_attend, "o");
    double s[D][E] = { { 0 } }, most = largest(o);
    for (int64_t t = 0; t < LONG; t++) {
        double y[E] = { 0 };
        for (int64_t i = 0; i < D * E; i++) {
            int64_t a = i / E, c = i % E;
            s[a][c] = exp(g->data[t * D + a]) * s[a][c] + p.k.data[t * D + a] * p.v.data[t * E + c];
            y[c] += p.q.data[t * D + a] * s[a][c];
        }
        for (int64_t c = 0; c < E; c++) {
            close_to("gla", "o by a loop", value_at(o, t * E + c), y[c], 0, 1e-5 * most);
        }
    }
    ga_tensor_destroy(context, o);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(decay_of_the_others)
{
    double low = decays[_i][0], high = decays[_i][1];
    problem p = longer("retention", LONG);
    numbers(&p, "log_decay", 1, (int64_t[]){ 1 }, low, low);
    stays_close(&p, "retention", 1e-5);
    p = longer("lightning", LONG);
    numbers(&p, "slopes", 1, (int64_t[]){ 1 }, -low, -low);
    stays_close(&p, "lightning", 1e-5);
    p = longer("ssm", LONG);
    numbers(&p, "delta", 4, column, -high, -low);
    numbers(&p, "a_log", 3, (int64_t[]){ 1, 1, 1 }, 0, 0);
    stays_close(&p, "ssm", 1e-5);
    p = longer("ssm", LONG);
    numbers(&p, "delta", 4, token, -high, -low);
    numbers(&p, "a_log", 3, (int64_t[]){ 1, 1, D }, -1, 0);
    stays_close(&p, "ssm, one step a token", 1e-5);
    p = longer("titans", LONG);
    numbers(&p, "theta", 3, (int64_t[]){ 1, 1, LONG }, 0, 0.05);
    numbers(&p, "eta", 3, (int64_t[]){ 1, 1, LONG }, 0, 0.9);
    numbers(&p, "alpha", 3, (int64_t[]){ 1, 1, LONG }, 1 - exp(high), 1 - exp(low));
    stays_close(&p, "titans", 1e-5);
}
END_TEST

/* ---- keys of size 1000 ---- */

START_TEST(large_keys)
{
    static const char *const variants[] = { "linear",   "delta", "gated-delta", "l2vit",
                                            "hedgehog", "mala",  "inline",      "based" };
    const char *variant = variants[_i];
    problem p = longer(variant, LONG);
    scale_keys(&p, 1000);
    if (strstr(variant, "delta")) {
        problem_set(&p, "normalise_qk", "1");
        numbers(&p, "beta", 3, (int64_t[]){ 1, 1, LONG }, 0, 2);
    }
    if (strcmp(variant, "gated-delta") == 0) {
        numbers(&p, "log_decay", 4, token, -1, 0);
    }
    /* where nothing decays, 100,000 numbers of one sign are added up */
    stays_close(&p, variant, strstr(variant, "delta") ? 1e-5 : 3e-5);
}
END_TEST

START_TEST(large_keys_in_titans)
{
    problem p = longer("titans", LONG);
    scale_keys(&p, 1000);
    numbers(&p, "theta", 3, (int64_t[]){ 1, 1, LONG }, 0, 4e-7); /* 2 theta |k|^2 below 1 */
    numbers(&p, "eta", 3, (int64_t[]){ 1, 1, LONG }, 0, 0.5);
    numbers(&p, "alpha", 3, (int64_t[]){ 1, 1, LONG }, 0, 0.1);
    stays_close(&p, "titans", 1e-5);
}
END_TEST

/* ---- half precision ---- */

/* What is given in half precision is exact there; the state is not kept in it. */
static DLTensor *half_of(ga_context *context, const array *a, DLDataType half)
{
    DLTensor *wide = tensor_of(context, a, f32), *narrow = NULL;
    test_ok(context, ga_tensor_create(context, half, a->ndim, a->shape, &narrow));
    for (int64_t i = 0; i < array_count(a); i++) {
        uint32_t bits;
        memcpy(&bits, (const float *)wide->data + i, sizeof bits);
        ((uint16_t *)narrow->data)[i] = (uint16_t)(bits >> 16); /* towards zero: bf16 */
    }
    ga_tensor_destroy(context, wide);
    return narrow;
}

/* The fixture's net would forget everything: the linear memory instead. */
static problem half_problem(const char *variant)
{
    problem p;
    if (strcmp(variant, "titans") != 0) {
        problem_make(&p, find_fixture(variant), 1, 1, 1, MIDDLE, MIDDLE, 8, 4, true, 9);
        return p;
    }
    p = longer(variant, MIDDLE);
    numbers(&p, "theta", 3, (int64_t[]){ 1, 1, MIDDLE }, 0, 0.05);
    numbers(&p, "eta", 3, (int64_t[]){ 1, 1, MIDDLE }, 0, 0.9);
    numbers(&p, "alpha", 3, (int64_t[]){ 1, 1, MIDDLE }, 0, 0.01);
    return p;
}

START_TEST(half_inputs)
{
    static const char *const variants[] = { "linear",   "gla",   "delta", "l2vit",
                                            "hedgehog", "based", "ssm",   "titans" };
    const DLDataType bf16 = { kDLBfloat, 16, 1 };
    ga_context *context = test_threads_context(2);
    const char *variant = variants[_i];
    problem p = half_problem(variant);
    ready r[2];
    ga_named_tensor wanted[2][2];
    for (int wide = 0; wide < 2; wide++) {
        const array *const inputs[] = { &p.q, &p.k, &p.v };
        ready_make(context, &p, wide, &r[wide]);
        for (int i = 0; i < 3; i++) {
            ga_tensor_destroy(context, r[wide].own[i]);
            r[wide].own[i] = half_of(context, inputs[i], bf16);
        }
        r[wide].call.q = r[wide].own[0];
        r[wide].call.k = r[wide].own[1];
        r[wide].call.v = r[wide].own[2];
        wanted[wide][0] = (ga_named_tensor){ "o", NULL };
        wanted[wide][1] = (ga_named_tensor){ "state", NULL };
        test_ok(context, ga_attend(context, variant, &r[wide].call, wanted[wide], 2));
    }
    for (int i = 0; i < 2; i++) {
        double most = largest(wanted[1][i].tensor);
        ck_assert_int_eq(wanted[0][i].tensor->dtype.bits, 32);
        same_tensors(variant, "half inputs", wanted[0][i].tensor, wanted[1][i].tensor, 0, 1e-5 * most);
    }
    for (int wide = 0; wide < 2; wide++) {
        ga_tensor_destroy(context, wanted[wide][0].tensor);
        ga_tensor_destroy(context, wanted[wide][1].tensor);
        ready_free(context, &r[wide]);
    }
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linear_long");
    TCase *all = tcase_create("linear_long");
    tcase_set_timeout(all, 0);
    tcase_add_loop_test(all, decay_of_gla, 0, DECAYS);
    tcase_add_loop_test(all, decay_of_gated_delta, 0, DECAYS);
    tcase_add_loop_test(all, by_a_loop, 0, DECAYS);
    tcase_add_loop_test(all, decay_of_the_others, 0, DECAYS);
    tcase_add_loop_test(all, large_keys, 0, 8);
    tcase_add_test(all, large_keys_in_titans);
    tcase_add_loop_test(all, half_inputs, 0, 8);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
