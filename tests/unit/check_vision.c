/* check_vision.c - region, object and probe: identities, segments, gradients of the value projection, refusals, memory. */
#include "config.h"

#include <graphattn.h>
#include <math.h>

#include "tests/unit/support.h"

static ga_context *context;
static const DLDataType wide = { .code = kDLFloat, .bits = 64, .lanes = 1 };
static const DLDataType whole = { .code = kDLInt, .bits = 64, .lanes = 1 };
static const DLDataType bytes = { .code = kDLUInt, .bits = 8, .lanes = 1 };

enum { MOST = 8 };

typedef struct call {
    const char *variant;
    DLTensor *q, *k, *v, *grad; /* owned, v and grad may be NULL */
    ga_named_tensor tensors[MOST];
    ga_named_text parameters[MOST];
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

static double number(int64_t i, double t)
{
    return sin(1 + 0.37 * (double)i + 1.7 * t);
}

static DLTensor *tensor_of(int ndim, const int64_t *shape, double t)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, wide, ndim, shape, &tensor));
    for (int64_t i = 0; i < count_of(tensor); i++) {
        ((double *)tensor->data)[i] = number(i, t);
    }
    return tensor;
}

static double *numbers_of(const DLTensor *tensor)
{
    return tensor->data;
}

/* Adds an input; its data. */
static void *add(call *c, const char *name, DLTensor *tensor)
{
    c->tensors[c->call.tensor_count++] = (ga_named_tensor){ name, tensor };
    return tensor->data;
}

static int64_t *add_integers(call *c, const char *name, int ndim, const int64_t *shape)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, whole, ndim, shape, &tensor));
    memset(tensor->data, 0, (size_t)count_of(tensor) * sizeof(int64_t));
    return add(c, name, tensor);
}

static void set(call *c, const char *name, const char *value)
{
    c->parameters[c->call.parameter_count++] = (ga_named_text){ name, value };
}

/* q (b, h, nq, d), k (b, h, nk, d), v (b, h, nk, e); e 0: no v. */
static call start(const char *variant, int64_t b, int64_t h, int64_t nq, int64_t nk, int64_t d, int64_t e)
{
    call c = { .variant = variant, .call = GA_ATTEND_CALL_INIT };
    c.q = tensor_of(4, (int64_t[]){ b, h, nq, d }, 1);
    c.k = tensor_of(4, (int64_t[]){ b, h, nk, d }, 2);
    c.v = e ? tensor_of(4, (int64_t[]){ b, h, nk, e }, 3) : NULL;
    c.call.f64 = true;
    return c;
}

static void prepare(call *c)
{
    c->call.q = c->q;
    c->call.k = c->k;
    c->call.v = c->v;
    c->call.grad_o = c->grad;
    c->call.tensors = c->tensors;
    c->call.parameters = c->parameters;
}

static DLTensor *run(call *c, const char *name)
{
    ga_named_tensor out = { name, NULL };
    prepare(c);
    test_ok(context, ga_attend(context, c->variant, &c->call, &out, 1));
    return out.tensor;
}

static void finish(call *c)
{
    ga_tensor_destroy(context, c->q);
    ga_tensor_destroy(context, c->k);
    ga_tensor_destroy(context, c->v);
    ga_tensor_destroy(context, c->grad);
    for (int64_t i = 0; i < c->call.tensor_count; i++) {
        ga_tensor_destroy(context, c->tensors[i].tensor);
    }
}

static void expect_equal(DLTensor *a, DLTensor *b, double tolerance)
{
    ck_assert_int_eq(count_of(a), count_of(b));
    for (int64_t i = 0; i < count_of(a); i++) {
        ck_assert_msg(fabs(numbers_of(a)[i] - numbers_of(b)[i]) <= tolerance, "[%lld] %.15g, %.15g",
                      (long long)i, numbers_of(a)[i], numbers_of(b)[i]);
    }
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
}

static void refused(call *c, const char *name, const char *words)
{
    ga_named_tensor out = { name, NULL };
    prepare(c);
    test_status(context, ga_attend(context, c->variant, &c->call, &out, 1), GA_INVALID);
    test_error_has(context, words);
    ck_assert_ptr_null(out.tensor);
}

/* ---- region ---- */

static call region(int64_t tokens)
{
    call c = start("region", 2, 2, 20, tokens, 4, 3);
    set(&c, "shape", "5,4");
    set(&c, "region", "3,2");
    set(&c, "stride", "2");
    return c;
}

START_TEST(prior_of_ones_is_full)
{
    call c = region(6), full = start("full", 2, 2, 20, 6, 4, 3);
    double *prior = add(&c, "prior", tensor_of(3, (int64_t[]){ 6, 2, 2 }, 4));
    set(&c, "keep", "1");
    for (int i = 0; i < 24; i++) {
        prior[i] = 0.25;
    }
    expect_equal(run(&c, "o"), run(&full, "o"), 1e-14);
    finish(&c);
    finish(&full);
}
END_TEST

START_TEST(values_of_ones_give_ones)
{
    call c = region(6);
    double *prior = add(&c, "prior", tensor_of(3, (int64_t[]){ 6, 2, 3 }, 4));
    set(&c, "keep", "0.7");
    for (int i = 0; i < 36; i++) {
        prior[i] = fabs(prior[i]);
    }
    for (int64_t i = 0; i < count_of(c.v); i++) {
        numbers_of(c.v)[i] = 1;
    }
    DLTensor *o = run(&c, "o");
    for (int64_t i = 0; i < count_of(o); i++) {
        ck_assert_double_eq_tol(numbers_of(o)[i], 1, 1e-14);
    }
    ga_tensor_destroy(context, o);
    finish(&c);
}
END_TEST

/* The last token has no prior anywhere: without it nothing changes. */
START_TEST(token_that_no_region_keeps_is_deleted)
{
    call c = region(6), less = region(5);
    double *prior = add(&c, "prior", tensor_of(3, (int64_t[]){ 6, 2, 2 }, 4));
    double *other = add(&less, "prior", tensor_of(3, (int64_t[]){ 5, 2, 2 }, 4));
    set(&c, "keep", "0.1");
    set(&less, "keep", "0.1");
    for (int i = 0; i < 24; i++) {
        prior[i] = i < 20 ? fabs(prior[i]) : 0;
        if (i < 20) {
            other[i] = prior[i];
        }
    }
    for (int64_t m = 0; m < 4; m++) { /* the first five keys and values of every head */
        memcpy(numbers_of(less.k) + m * 20, numbers_of(c.k) + m * 24, 20 * sizeof(double));
        memcpy(numbers_of(less.v) + m * 15, numbers_of(c.v) + m * 18, 15 * sizeof(double));
    }
    DLTensor *kept = run(&c, "kept");
    ck_assert_int_eq(kept->dtype.code, kDLUInt);
    ck_assert_int_eq(kept->shape[0], 4); /* rows 0, 2; columns 0, 2 */
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(((uint8_t *)kept->data)[6 * i], 1); /* the sink */
        ck_assert_int_eq(((uint8_t *)kept->data)[6 * i + 5], 0);
    }
    ga_tensor_destroy(context, kept);
    expect_equal(run(&c, "o"), run(&less, "o"), 1e-14);
    finish(&c);
    finish(&less);
}
END_TEST

/* Nothing is kept: zeros. */
START_TEST(regions_that_keep_nothing_give_zero)
{
    call c = region(6);
    double *prior = add(&c, "prior", tensor_of(3, (int64_t[]){ 6, 1, 1 }, 4));
    set(&c, "keep", "0.5");
    set(&c, "sinks", "0");
    memset(prior, 0, 6 * sizeof *prior);
    DLTensor *o = run(&c, "o");
    for (int64_t i = 0; i < count_of(o); i++) {
        ck_assert_double_eq(numbers_of(o)[i], 0);
    }
    ga_tensor_destroy(context, o);
    finish(&c);
}
END_TEST

/* The pattern has the pairs that have a weight: values that tell the keys apart by powers of two. */
START_TEST(pattern_is_what_is_seen)
{
    call c = region(6);
    ga_pattern *pattern = NULL;
    double *prior = add(&c, "prior", tensor_of(3, (int64_t[]){ 6, 2, 2 }, 4));
    set(&c, "keep", "0.9");
    for (int i = 0; i < 24; i++) {
        prior[i] = fabs(prior[i]);
    }
    prepare(&c);
    test_ok(context, ga_attend_pattern(context, "region", &c.call, 2, 2, 20, 6, &pattern));
    ck_assert_int_lt(ga_pattern_nonzeros(pattern, 0), 120);
    for (int j = 0; j < 6; j++) {
        for (int64_t i = 0; i < count_of(c.v); i++) {
            numbers_of(c.v)[i] = i / 3 % 6 == j;
        }
        DLTensor *o = run(&c, "o");
        for (int64_t i = 0; i < 20; i++) {
            int64_t runs[8][2], n = ga_pattern_row_runs(pattern, 0, i, runs);
            bool seen = false;
            for (int64_t r = 0; r < n; r++) {
                seen = seen || (j >= runs[r][0] && j < runs[r][1]);
            }
            ck_assert_int_eq(seen, numbers_of(o)[3 * i] > 0);
        }
        ga_tensor_destroy(context, o);
    }
    ga_pattern_destroy(context, pattern);
    finish(&c);
}
END_TEST

START_TEST(region_refuses)
{
    call c = region(6);
    refused(&c, "o", "region needs prior");
    double *prior = add(&c, "prior", tensor_of(3, (int64_t[]){ 6, 2, 2 }, 4));
    refused(&c, "o", "prior: found");
    for (int i = 0; i < 24; i++) {
        prior[i] = fabs(prior[i]);
    }
    refused(&c, "lse", "region has no output 'lse'");
    refused(&c, "grad_q", "region has no gradients");
    add(&c, "k_region", tensor_of(4, (int64_t[]){ 4, 2, 1, 4 }, 4));
    refused(&c, "o", "both k_region and v_region");
    add(&c, "v_region", tensor_of(4, (int64_t[]){ 4, 2, 2, 3 }, 4));
    refused(&c, "o", "v_region: shape (4, 2, 2, 3), expected (4, 2, 1, 3)");
    set(&c, "sinks", "7");
    refused(&c, "o", "sinks=7: expected 0..6");
    set(&c, "shape", "20");
    refused(&c, "o", "shape=20: expected 2 axes");
    finish(&c);
}
END_TEST

/* ---- object ---- */

/* The kernel is the product of codes that are appended to q and k. */
START_TEST(kernel_is_appended_codes)
{
    enum { NQ = 5, NK = 7, D = 4, N = 9, A = 2, WIDE = D + A * N };
    call c = start("object", 2, 2, NQ, NK, D, 3), full = start("full", 2, 2, NQ, NK, WIDE, 3);
    ga_block_call code = GA_BLOCK_CALL_INIT;
    ga_named_text positions[] = { { "positions", "9" } };
    ga_named_tensor codes = { "codes", NULL };
    int64_t *places[] = { add_integers(&c, "q_pos", 2, (int64_t[]){ NQ, A }),
                          add_integers(&c, "k_pos", 2, (int64_t[]){ NK, A }) };
    code.f64 = true;
    code.parameters = positions;
    code.parameter_count = 1;
    test_ok(context, ga_block_run(context, "object-code", &code, &codes, 1));
    set(&c, "gain", "0.5");
    set(&c, "stop", "0");
    c.call.scale = full.call.scale = 0.3;
    for (int side = 0; side < 2; side++) {
        int64_t n = side ? NK : NQ;
        for (int64_t i = 0; i < n * A; i++) {
            places[side][i] = (i * 5 + side) % N;
        }
        DLTensor *from = side ? c.k : c.q, *to = side ? full.k : full.q;
        for (int64_t row = 0; row < 4 * n; row++) {
            double *out = numbers_of(to) + row * WIDE;
            memcpy(out, numbers_of(from) + row * D, D * sizeof *out);
            for (int a = 0; a < A; a++) {
                const double *p = numbers_of(codes.tensor) + N * places[side][row % n * A + a];
                for (int i = 0; i < N; i++) {
                    out[D + a * N + i] = sqrt(0.5) * p[i];
                }
            }
        }
    }
    expect_equal(run(&c, "map"), run(&full, "map"), 1e-13);
    expect_equal(run(&c, "o"), run(&full, "o"), 1e-13);
    expect_equal(run(&c, "lse"), run(&full, "lse"), 1e-13);
    ga_tensor_destroy(context, codes.tensor);
    finish(&c);
    finish(&full);
}
END_TEST

/* With the ghost a row of the map sums to less than 1 by exp(-lse), the stop column; one head and readout 1 point where
 * the map does. */
START_TEST(stop_takes_the_rest)
{
    enum { NQ = 3, NK = 4 };
    call c = start("object", 1, 1, NQ, NK, 4, 3);
    *(double *)add(&c, "readout", tensor_of(1, (int64_t[]){ 1 }, 4)) = 1;
    DLTensor *map = run(&c, "map"), *lse = run(&c, "lse"), *pointer = run(&c, "pointer");
    ck_assert_int_eq(pointer->shape[2], NK + 1);
    for (int t = 0; t < NQ; t++) {
        double sum = 0, stop = numbers_of(pointer)[t * (NK + 1) + NK];
        for (int j = 0; j < NK; j++) {
            sum += numbers_of(map)[t * NK + j];
            ck_assert_double_eq_tol(numbers_of(map)[t * NK + j], numbers_of(pointer)[t * (NK + 1) + j],
                                    1e-14);
        }
        ck_assert_double_eq_tol(1 - sum, exp(-numbers_of(lse)[t]), 1e-14);
        ck_assert_double_eq_tol(1 - sum, stop, 1e-14);
    }
    ga_tensor_destroy(context, map);
    ga_tensor_destroy(context, lse);
    ga_tensor_destroy(context, pointer);
    finish(&c);
}
END_TEST

/* Hidden keys may hold anything; without a visible key and without the ghost the row is empty. */
START_TEST(hidden_keys_are_not_read)
{
    enum { NQ = 3, NK = 4 };
    call c = start("object", 2, 1, NQ, NK, 4, 3);
    DLTensor *valid = NULL;
    test_ok(context, ga_tensor_create(context, bytes, 2, (int64_t[]){ 2, NK }, &valid));
    memcpy(add(&c, "valid", valid), (const uint8_t[]){ 1, 0, 1, 0, 0, 0, 0, 0 }, 2 * NK);
    numbers_of(c.v)[3] = numbers_of(c.k)[4] = NAN;
    DLTensor *o = run(&c, "o"), *lse = run(&c, "lse");
    for (int64_t i = 0; i < 2 * NQ * 3; i++) {
        ck_assert(isfinite(numbers_of(o)[i]));
        ck_assert(i < NQ * 3 || numbers_of(o)[i] == 0);
    }
    ck_assert_double_eq(numbers_of(lse)[NQ], 0); /* the ghost alone */
    ga_tensor_destroy(context, lse);
    set(&c, "stop", "0");
    lse = run(&c, "lse");
    ck_assert_double_eq(numbers_of(lse)[NQ], -INFINITY);
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, lse);
    refused(&c, "pointer", "the output pointer needs readout");
    add_integers(&c, "q_pos", 2, (int64_t[]){ NQ, 2 });
    refused(&c, "o", "both q_pos and k_pos");
    add_integers(&c, "k_pos", 2, (int64_t[]){ NK, 3 });
    refused(&c, "o", "k_pos: shape (4, 3), expected (4, 2)");
    finish(&c);
}
END_TEST

/* Only where the range ends with it. */
START_TEST(infinite_parameters_are_refused)
{
    static const char *const wrong[][2] = { { "gain", "inf" }, { "sigma", "inf" }, { "gain", "nan" } };
    for (int i = 0; i < 3; i++) {
        call c = start("object", 1, 1, 3, 4, 4, 3);
        char words[64];
        set(&c, wrong[i][0], wrong[i][1]);
        snprintf(words, sizeof words, "%s=%s: expected a number, >", wrong[i][0], wrong[i][1]);
        refused(&c, "o", words);
        finish(&c);
    }
    call c = start("shifted-window", 1, 1, 8, 8, 4, 3);
    set(&c, "window", "4");
    set(&c, "mask_value", "-inf");
    ga_tensor_destroy(context, run(&c, "o"));
    set(&c, "mask_value", "inf");
    refused(&c, "o", "mask_value");
    finish(&c);
}
END_TEST

/* ---- probe ---- */

/* The numbers of the paper's second program: N = 6, D = 4, M = 2. */
START_TEST(probe_has_the_golden_values)
{
    static const double want[] = { -1.130721427, -0.508803094, 0.072443429, 0.741059111 };
    call c = start("probe", 1, 1, 2, 6, 4, 0);
    double *w = add(&c, "w_v", tensor_of(2, (int64_t[]){ 4, 4 }, 0));
    for (int i = 0; i < 24; i++) {
        double at = 1 + 0.37 * (i / 4) + 0.91 * (i % 4);
        numbers_of(c.k)[i] = sin(at);
        if (i < 8) {
            numbers_of(c.q)[i] = sin(at + 1.7);
        }
        if (i < 16) {
            w[i] = sin(at + 5.1);
        }
    }
    DLTensor *o = run(&c, "o");
    for (int i = 0; i < 4; i++) {
        ck_assert_double_eq_tol(numbers_of(o)[i], want[i], 2e-9);
    }
    ga_tensor_destroy(context, o);
    finish(&c);
}
END_TEST

static const int64_t ids[] = { 2, 0, 0, 3, 2, 0, 3, 2, 2 };
enum { TOKENS = 9, SEGMENTS = 4, PROBES = 2, WIDTH = 3 };

static call segmented(bool projected)
{
    call c = start("probe", 1, 1, PROBES, TOKENS, 4, projected ? 0 : PROBES * WIDTH);
    if (projected) {
        add(&c, "w_v", tensor_of(2, (int64_t[]){ PROBES * WIDTH, 4 }, 4));
    }
    memcpy(add_integers(&c, "segments", 1, (int64_t[]){ TOKENS }), ids, sizeof ids);
    c.grad = tensor_of(4, (int64_t[]){ SEGMENTS, 1, PROBES, WIDTH }, 5);
    return c;
}

/* A segment is a call of its own; one without tokens gives 0 and -inf. */
START_TEST(segments_are_calls)
{
    call c = segmented(true);
    DLTensor *o = run(&c, "o"), *lse = run(&c, "lse");
    for (int64_t s = 0; s < SEGMENTS; s++) {
        call part = start("probe", 1, 1, PROBES, TOKENS, 4, 0);
        int64_t n = 0;
        add(&part, "w_v", tensor_of(2, (int64_t[]){ PROBES * WIDTH, 4 }, 4));
        for (int i = 0; i < TOKENS; i++) {
            if (ids[i] == s) {
                memcpy(numbers_of(part.k) + 4 * n++, numbers_of(c.k) + 4 * i, 4 * sizeof(double));
            }
        }
        part.k->shape[2] = n;
        DLTensor *alone = run(&part, "o"), *of_lse = run(&part, "lse");
        for (int i = 0; i < PROBES * WIDTH; i++) {
            ck_assert_double_eq_tol(numbers_of(o)[s * PROBES * WIDTH + i], numbers_of(alone)[i], 1e-15);
        }
        ck_assert_double_eq(numbers_of(lse)[s * PROBES], numbers_of(of_lse)[0]);
        ck_assert(s != 1 || isinf(numbers_of(of_lse)[0]));
        ga_tensor_destroy(context, alone);
        ga_tensor_destroy(context, of_lse);
        finish(&part);
    }
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, lse);
    finish(&c);
}
END_TEST

static double loss(call *c)
{
    DLTensor *o = run(c, "o");
    double sum = 0;
    for (int64_t i = 0; i < count_of(o); i++) {
        sum += numbers_of(o)[i] * numbers_of(c->grad)[i];
    }
    ga_tensor_destroy(context, o);
    return sum;
}

static void compare_gradient(call *c, DLTensor *input, const char *name)
{
    const double step = 1e-5;
    DLTensor *grad = run(c, name);
    ck_assert_int_eq(count_of(grad), count_of(input));
    for (int64_t i = 0; i < count_of(input); i++) {
        double *x = &numbers_of(input)[i], kept = *x;
        *x = kept + step;
        double more = loss(c);
        *x = kept - step;
        double less = loss(c);
        *x = kept;
        ck_assert_msg(fabs(numbers_of(grad)[i] - (more - less) / (2 * step)) < 1e-8, "%s[%lld]: %g, %g", name,
                      (long long)i, numbers_of(grad)[i], (more - less) / (2 * step));
    }
    ga_tensor_destroy(context, grad);
}

/* With segments and without, with W_V and with values, queries shared by the batch and not. */
START_TEST(gradients_of_probes)
{
    for (int projected = 0; projected < 2; projected++) {
        call c = segmented(projected);
        compare_gradient(&c, c.q, "grad_q");
        compare_gradient(&c, c.k, "grad_k");
        compare_gradient(&c, projected ? c.tensors[0].tensor : c.v, projected ? "grad_w_v" : "grad_v");
        finish(&c);
        for (int shared = 0; shared < 2; shared++) {
            call b = start("probe", 3, 1, PROBES, 5, 4, projected ? 0 : PROBES * WIDTH);
            if (projected) {
                add(&b, "w_v", tensor_of(2, (int64_t[]){ PROBES * WIDTH, 4 }, 4));
            }
            b.q->shape[0] = shared ? 1 : 3;
            b.grad = tensor_of(4, (int64_t[]){ 3, 1, PROBES, WIDTH }, 5);
            compare_gradient(&b, b.q, "grad_q");
            compare_gradient(&b, b.k, "grad_k");
            compare_gradient(&b, projected ? b.tensors[0].tensor : b.v, projected ? "grad_w_v" : "grad_v");
            finish(&b);
        }
    }
}
END_TEST

START_TEST(threads_change_nothing)
{
    static const char *const names[] = { "o", "grad_q", "grad_k", "grad_w_v" };
    call c = segmented(true);
    for (int n = 0; n < 4; n++) {
        test_set_threads(context, 1);
        DLTensor *first = run(&c, names[n]);
        for (int threads = 2; threads <= 7; threads += threads == 2 ? 1 : 4) {
            test_set_threads(context, threads);
            DLTensor *again = run(&c, names[n]);
            ck_assert_mem_eq(first->data, again->data, (size_t)count_of(first) * 8);
            ga_tensor_destroy(context, again);
        }
        ga_tensor_destroy(context, first);
    }
    finish(&c);
}
END_TEST

START_TEST(probe_refuses)
{
    call c = start("probe", 1, 1, 2, 5, 4, 0), two = start("probe", 1, 2, 2, 5, 4, 6);
    refused(&c, "o", "either v or w_v");
    refused(&two, "o", "k: shape");
    finish(&two);
    add(&c, "w_v", tensor_of(2, (int64_t[]){ 5, 4 }, 4));
    refused(&c, "o", "2 queries, expected a divisor of the 5 columns");
    ga_tensor_destroy(context, c.tensors[0].tensor);
    c.tensors[0].tensor = tensor_of(2, (int64_t[]){ 6, 4 }, 4);
    refused(&c, "map", "probe has no output 'map'");
    c.call.causal = true;
    refused(&c, "o", "cannot be causal");
    c.call.causal = false;
    add_integers(&c, "segments", 1, (int64_t[]){ 5 })[2] = -4;
    refused(&c, "o", "segments: found -4 at place 2");
    finish(&c);
    call batch = start("probe", 2, 1, 2, 5, 4, 6);
    add_integers(&batch, "segments", 1, (int64_t[]){ 5 });
    refused(&batch, "o", "segments need a batch of 1, found 2");
    finish(&batch);
}
END_TEST

/* ---- memory ---- */

static ga_status memory_body(ga_context *with, void *user)
{
    call *c = user;
    bool probe = strcmp(c->variant, "probe") == 0, region_too = strcmp(c->variant, "region") == 0;
    ga_named_tensor out[] = { { "o", NULL },
                              { probe        ? "grad_k"
                                : region_too ? "kept"
                                             : "pointer",
                                NULL },
                              { probe ? "grad_w_v" : "lse", NULL } };
    int count = region_too ? 2 : 3;
    ga_status status = ga_attend(with, c->variant, &c->call, out, count);
    for (int i = 0; i < count; i++) {
        ck_assert(status == GA_OK || !out[i].tensor);
        ga_tensor_destroy(with, out[i].tensor);
    }
    return status;
}

static ga_status pattern_body(ga_context *with, void *user)
{
    call *c = user;
    ga_pattern *pattern = NULL;
    ga_status status =
        ga_attend_pattern(with, c->variant, &c->call, 1, 1, c->q->shape[2], c->k->shape[2], &pattern);
    ga_pattern_destroy(with, pattern);
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    call probe = segmented(true), of_region = region(6), object = start("object", 1, 1, 3, 4, 4, 3);
    double *prior = add(&of_region, "prior", tensor_of(3, (int64_t[]){ 6, 2, 2 }, 4));
    DLTensor *valid = NULL;
    for (int i = 0; i < 24; i++) {
        prior[i] = fabs(prior[i]);
    }
    add(&object, "readout", tensor_of(1, (int64_t[]){ 1 }, 4));
    test_ok(context, ga_tensor_create(context, bytes, 2, (int64_t[]){ 1, 4 }, &valid));
    memcpy(add(&object, "valid", valid), (const uint8_t[]){ 1, 0, 1, 1 }, 4);
    call *const all[] = { &probe, &of_region, &object };
    for (int i = 0; i < 3; i++) {
        all[i]->call.f64 = false;
        prepare(all[i]);
        ck_assert_int_gt(test_each_allocation(memory_body, all[i], 2), 5);
        ck_assert_int_gt(test_each_allocation(pattern_body, all[i], 1), 0);
        finish(all[i]);
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
    Suite *suite = suite_create("vision");
    TCase *tests = tcase_create("vision");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, prior_of_ones_is_full);
    tcase_add_test(tests, values_of_ones_give_ones);
    tcase_add_test(tests, token_that_no_region_keeps_is_deleted);
    tcase_add_test(tests, regions_that_keep_nothing_give_zero);
    tcase_add_test(tests, pattern_is_what_is_seen);
    tcase_add_test(tests, region_refuses);
    tcase_add_test(tests, kernel_is_appended_codes);
    tcase_add_test(tests, stop_takes_the_rest);
    tcase_add_test(tests, hidden_keys_are_not_read);
    tcase_add_test(tests, infinite_parameters_are_refused);
    tcase_add_test(tests, probe_has_the_golden_values);
    tcase_add_test(tests, segments_are_calls);
    tcase_add_test(tests, gradients_of_probes);
    tcase_add_test(tests, threads_change_nothing);
    tcase_add_test(tests, probe_refuses);
    tcase_add_test(tests, memory_may_end_anywhere);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
