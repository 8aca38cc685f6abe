/* check_vision_tiles.c - region, object and probe in single precision, which the engine computes, beside their double
 * precision, which plain loops do: in one block and in several, with gradients, hidden keys, segments of all sizes. */
#include "config.h"

#include <graphattn.h>
#include <math.h>

#include "tests/unit/support.h"

static ga_context *context;
static const DLDataType single = { .code = kDLFloat, .bits = 32, .lanes = 1 };
static const DLDataType whole = { .code = kDLInt, .bits = 64, .lanes = 1 };
static const DLDataType bytes = { .code = kDLUInt, .bits = 8, .lanes = 1 };

enum { MOST = 8 };

typedef struct call {
    const char *variant;
    ga_named_tensor tensors[MOST];
    ga_named_text parameters[MOST];
    DLTensor *made[MOST + 4]; /* owned */
    int count;
    ga_attend_call call;
} call;

static int64_t count_of(const DLTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) {
        count *= t->shape[i];
    }
    return count;
}

static DLTensor *make(call *c, DLDataType type, int ndim, const int64_t *shape)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, type, ndim, shape, &tensor));
    c->made[c->count++] = tensor;
    return tensor;
}

/* Numbers within -1.5 .. 1.5, another sequence for every salt. */
static DLTensor *numbers(call *c, int ndim, const int64_t *shape, uint32_t salt)
{
    DLTensor *tensor = make(c, single, ndim, shape);
    uint32_t state = salt * 2654435761u + 1;
    for (int64_t i = 0; i < count_of(tensor); i++) {
        state = state * 1664525u + 1013904223u;
        ((float *)tensor->data)[i] = 3 * (float)(state >> 8) / 16777216 - 1.5F;
    }
    return tensor;
}

static void *add(call *c, const char *name, DLTensor *tensor)
{
    c->tensors[c->call.tensor_count++] = (ga_named_tensor){ name, tensor };
    return tensor->data;
}

static void set(call *c, const char *name, const char *value)
{
    c->parameters[c->call.parameter_count++] = (ga_named_text){ name, value };
}

static call start(const char *variant)
{
    return (call){ .variant = variant, .call = GA_ATTEND_CALL_INIT };
}

static void finish(call *c)
{
    for (int i = 0; i < c->count; i++) {
        ga_tensor_destroy(context, c->made[i]);
    }
}

static DLTensor *run(call *c, const char *name, bool wide)
{
    ga_named_tensor out = { name, NULL };
    c->call.tensors = c->tensors;
    c->call.parameters = c->parameters;
    c->call.f64 = wide;
    test_ok(context, ga_attend(context, c->variant, &c->call, &out, 1));
    return out.tensor;
}

/* The outputs in f32 and in f64, within tolerance of the largest. */
static void compare(call *c, const char *name, double tolerance)
{
    DLTensor *narrow = run(c, name, false), *wide = run(c, name, true);
    double most = 1;
    ck_assert_int_eq(count_of(narrow), count_of(wide));
    ck_assert_int_eq(narrow->dtype.bits, 32);
    for (int64_t i = 0; i < count_of(wide); i++) {
        double x = ((double *)wide->data)[i];
        most = isfinite(x) && fabs(x) > most ? fabs(x) : most;
    }
    for (int64_t i = 0; i < count_of(wide); i++) {
        double x = ((double *)wide->data)[i], y = (double)((float *)narrow->data)[i];
        ck_assert_msg(x == y || fabs(x - y) <= tolerance * most, "%s %s[%lld]: %.9g in f32, %.9g in f64",
                      c->variant, name, (long long)i, y, x);
    }
    ga_tensor_destroy(context, narrow);
    ga_tensor_destroy(context, wide);
}

/* The same bytes from 1, 2, 3 and 7 threads. */
static void compare_threads(call *c, const char *name)
{
    static const int threads[] = { 1, 2, 3, 7 };
    DLTensor *first = NULL;
    for (int i = 0; i < 4; i++) {
        test_set_threads(context, threads[i]);
        DLTensor *again = run(c, name, false);
        if (first) {
            ck_assert_mem_eq(first->data, again->data, (size_t)count_of(first) * sizeof(float));
            ga_tensor_destroy(context, again);
        } else {
            first = again;
        }
    }
    ga_tensor_destroy(context, first);
}

/* ---- object ---- */

typedef struct sizes {
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
} sizes;

static call object(const sizes *n)
{
    call c = start("object");
    c.call.q = numbers(&c, 4, (int64_t[]){ n->batch, n->heads, n->queries, n->dim }, 1);
    c.call.k = numbers(&c, 4, (int64_t[]){ n->batch, n->kv_heads, n->keys, n->dim }, 2);
    c.call.v = numbers(&c, 4, (int64_t[]){ n->batch, n->kv_heads, n->keys, n->dim_v }, 3);
    return c;
}

/* Positions on a grid of 9 columns, rows apart by step. */
static void place(call *c, const char *name, int64_t count, int64_t step)
{
    int64_t *to = add(c, name, make(c, whole, 2, (int64_t[]){ count, 2 }));
    for (int64_t i = 0; i < count; i++) {
        to[2 * i] = i / 9 * step - 4;
        to[2 * i + 1] = i % 9;
    }
}

static void hide(call *c, const sizes *n)
{
    uint8_t *to = add(c, "valid", make(c, bytes, 2, (int64_t[]){ n->batch, n->keys }));
    for (int64_t i = 0; i < n->batch * n->keys; i++) {
        to[i] = i % 3 != 1 && i >= n->keys; /* the first entry has no key at all */
    }
}

/* With and without positions, hidden keys and the ghost. */
START_TEST(objects_in_single_precision)
{
    const sizes n = { 3, 4, 2, 37, 53, 8, 5 };
    call c = object(&n);
    if (_i & 1) {
        place(&c, "q_pos", n.queries, 1);
        place(&c, "k_pos", n.keys, 1);
        set(&c, "gain", "3");
    }
    if (_i & 2) {
        hide(&c, &n);
    }
    set(&c, "stop", _i & 4 ? "0" : "1");
    compare(&c, "o", 2e-6);
    compare(&c, "lse", 1e-6);
    compare_threads(&c, "o");
    finish(&c);
}
END_TEST

/* Distances that no table holds: steps as wide as the kernel, and the ends of the range. */
START_TEST(kernels_of_any_width)
{
    static const char *const sigmas[] = { "1e-200", "0.3", "50000", "1e18" };
    static const int64_t steps[] = { 1, 1, 30000, 1000000000000000000 };
    const sizes n = { 1, 1, 1, 40, 31, 4, 3 };
    call c = object(&n);
    place(&c, "q_pos", n.queries, steps[_i]);
    place(&c, "k_pos", n.keys, -steps[_i]);
    set(&c, "sigma", sigmas[_i]);
    set(&c, "gain", "5");
    compare(&c, "o", 2e-6);
    compare(&c, "lse", 1e-6);
    finish(&c);
}
END_TEST

/* More pairs than the bias of a block holds. */
START_TEST(objects_in_blocks)
{
    const sizes n = { 1, 2, 1, 11, 500000, 2, 1 };
    call c = object(&n);
    place(&c, "q_pos", n.queries, 1);
    place(&c, "k_pos", n.keys, 1);
    compare(&c, "o", 1e-5);
    compare(&c, "lse", 1e-6);
    finish(&c);
}
END_TEST

/* Where a term is beyond f32 the plain loops answer. */
START_TEST(gain_beyond_single_precision)
{
    const sizes n = { 1, 1, 1, 9, 9, 4, 3 };
    call c = object(&n);
    place(&c, "q_pos", n.queries, 1);
    place(&c, "k_pos", n.keys, 1);
    set(&c, "gain", "1e39");
    compare(&c, "o", 1e-6);
    finish(&c);
}
END_TEST

/* ---- region ---- */

static call region(int64_t tokens, const char *keep)
{
    call c = start("region");
    c.call.q = numbers(&c, 4, (int64_t[]){ 2, 4, 23 * 17, 8 }, 1);
    c.call.k = numbers(&c, 4, (int64_t[]){ 2, 2, tokens, 8 }, 2);
    c.call.v = numbers(&c, 4, (int64_t[]){ 2, 2, tokens, 6 }, 3);
    float *prior = add(&c, "prior", numbers(&c, 3, (int64_t[]){ tokens, 5, 7 }, 4));
    for (int64_t i = 0; i < tokens * 35; i++) {
        prior[i] = fabsf(prior[i]);
        prior[i] *= i / 35 % 5 == 2 ? 0 : prior[i] * prior[i] * prior[i] * prior[i];
    }
    set(&c, "shape", "23,17");
    set(&c, "region", "8,5");
    set(&c, "stride", "5,4");
    set(&c, "keep", keep);
    return c;
}

/* All tokens kept everywhere, some in some regions, and next to none: regions that keep the same are one problem. */
START_TEST(regions_in_single_precision)
{
    static const char *const keeps[] = { "0", "0.6", "0.95" };
    call c = region(70, keeps[_i]);
    set(&c, "sinks", "0");
    compare(&c, "o", 2e-6);
    compare_threads(&c, "o");
    finish(&c);
}
END_TEST

START_TEST(regions_with_tokens_of_their_own)
{
    call c = region(20, "0.6");
    add(&c, "k_region", numbers(&c, 4, (int64_t[]){ 16, 2, 3, 8 }, 5));
    add(&c, "v_region", numbers(&c, 4, (int64_t[]){ 16, 2, 3, 6 }, 6));
    compare(&c, "o", 2e-6);
    compare_threads(&c, "o");
    c.call.bf16 = true; /* k in another type than k_region */
    ga_tensor_destroy(context, run(&c, "o", false));
    finish(&c);
}
END_TEST

/* A token that is dropped may hold anything. */
START_TEST(dropped_tokens_are_not_read)
{
    call c = region(20, "0.1");
    set(&c, "sinks", "0");
    for (int64_t slice = 0; slice < 4; slice++) { /* token 2 has no prior */
        ((float *)c.call.k->data)[(slice * 20 + 2) * 8] = NAN;
        ((float *)c.call.v->data)[(slice * 20 + 2) * 6] = NAN;
    }
    DLTensor *o = run(&c, "o", false);
    for (int64_t i = 0; i < count_of(o); i++) {
        ck_assert(isfinite(((float *)o->data)[i]));
    }
    ga_tensor_destroy(context, o);
    finish(&c);
}
END_TEST

/* ---- probe ---- */

typedef struct probing {
    int64_t batch, queries_batch, probes, tokens, dim, width, segments; /* segments: 0 = none */
    bool projected;
} probing;

/* One segment of many tokens, one without any, and small ones. */
static int64_t segment_of(const probing *n, int64_t token)
{
    int64_t small = n->segments - 2;
    return token < n->tokens / 2 ? 0 : 2 + token * 7919 % small;
}

static call probe(const probing *n)
{
    call c = start("probe");
    int64_t groups = n->segments ? n->segments : n->batch, all = n->probes * n->width;
    c.call.q = numbers(&c, 4, (int64_t[]){ n->queries_batch, 1, n->probes, n->dim }, 1);
    c.call.k = numbers(&c, 4, (int64_t[]){ n->batch, 1, n->tokens, n->dim }, 2);
    if (n->projected) {
        add(&c, "w_v", numbers(&c, 2, (int64_t[]){ all, n->dim }, 3));
    } else {
        c.call.v = numbers(&c, 4, (int64_t[]){ n->batch, 1, n->tokens, all }, 3);
    }
    if (n->segments) {
        int64_t *ids = add(&c, "segments", make(&c, whole, 1, &n->tokens));
        for (int64_t i = 0; i < n->tokens; i++) {
            ids[i] = segment_of(n, i);
        }
    }
    c.call.grad_o = numbers(&c, 4, (int64_t[]){ groups, 1, n->probes, n->width }, 4);
    return c;
}

static const probing probings[] = {
    { 3, 1, 5, 40, 8, 3, 0, true },    { 3, 3, 5, 40, 8, 3, 0, false },    { 2, 1, 37, 90, 6, 2, 0, false },
    { 2, 2, 37, 90, 6, 2, 0, true },   { 1, 1, 3, 300, 8, 3, 20, true },   { 1, 1, 3, 300, 8, 3, 20, false },
    { 1, 1, 35, 5000, 4, 2, 9, true }, { 1, 1, 35, 5000, 4, 2, 9, false }, { 1, 1, 2, 60, 4, 3, 40, true },
};

START_TEST(probes_in_single_precision)
{
    static const char *const names[] = { "o", "lse", "grad_q", "grad_k", NULL };
    const probing *n = &probings[_i];
    call c = probe(n);
    for (int i = 0; i < 5; i++) {
        const char *name = names[i] ? names[i] : n->projected ? "grad_w_v" : "grad_v";
        compare(&c, name, 5e-6);
        compare_threads(&c, name);
    }
    finish(&c);
}
END_TEST

/* ---- memory ---- */

static ga_status memory_body(ga_context *with, void *user)
{
    call *c = user;
    bool is_probe = strcmp(c->variant, "probe") == 0;
    ga_named_tensor out[] = {
        { "o", NULL },
        { is_probe ? "grad_k" : "lse", NULL },
        { is_probe && c->call.v ? "grad_v" : "grad_w_v", NULL },
    };
    int count = is_probe ? 3 : strcmp(c->variant, "object") == 0 ? 2 : 1;
    ga_status status = ga_attend(with, c->variant, &c->call, out, count);
    for (int i = 0; i < count; i++) {
        ck_assert(status == GA_OK || !out[i].tensor);
        ga_tensor_destroy(with, out[i].tensor);
    }
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    const sizes n = { 2, 2, 1, 5, 9, 4, 3 };
    const probing few = { 1, 1, 2, 12, 4, 3, 4, true }, many = { 2, 1, 3, 12, 4, 3, 0, false };
    call all[] = { object(&n), region(6, "0.6"), probe(&few), probe(&many) };
    place(&all[0], "q_pos", n.queries, 1);
    place(&all[0], "k_pos", n.keys, 1);
    hide(&all[0], &n);
    for (int i = 0; i < 4; i++) {
        all[i].call.tensors = all[i].tensors;
        all[i].call.parameters = all[i].parameters;
        ck_assert_int_gt(test_each_allocation(memory_body, &all[i], 2), 10);
        finish(&all[i]);
    }
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
    Suite *suite = suite_create("vision tiles");
    TCase *tests = tcase_create("vision tiles");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, objects_in_single_precision, 0, 8);
    tcase_add_loop_test(tests, kernels_of_any_width, 0, 4);
    tcase_add_test(tests, objects_in_blocks);
    tcase_add_test(tests, gain_beyond_single_precision);
    tcase_add_loop_test(tests, regions_in_single_precision, 0, 3);
    tcase_add_test(tests, regions_with_tokens_of_their_own);
    tcase_add_test(tests, dropped_tokens_are_not_read);
    tcase_add_loop_test(tests, probes_in_single_precision, 0, (int)(sizeof probings / sizeof *probings));
    tcase_add_test(tests, memory_may_end_anywhere);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
