/* check_probe.h - calls of selectors on the closed-form inputs (attention-dynamic part F) and on sines. */
#ifndef TESTS_CHECK_PROBE_H
#define TESTS_CHECK_PROBE_H

#include <graphattn.h>
#include <math.h>

#include "tests/unit/support.h"

enum { MOST_SET = 8 };

typedef struct call {
    const char *variant;
    DLTensor *q, *k, *v, *grad; /* owned */
    ga_named_text set[MOST_SET];
    ga_named_tensor tensors[2];
    ga_attend_call call;
} call;

static const DLDataType type_f32 = { kDLFloat, 32, 1 }, type_f64 = { kDLFloat, 64, 1 };

static inline int64_t count_of(const DLTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) {
        count *= t->shape[i];
    }
    return count;
}

static inline double value_at(const DLTensor *t, int64_t i)
{
    return t->dtype.code == kDLInt    ? ((const int32_t *)t->data)[i]
           : t->dtype.code == kDLUInt ? ((const uint8_t *)t->data)[i]
           : t->dtype.bits == 64      ? ((const double *)t->data)[i]
                                      : (double)((const float *)t->data)[i];
}

static inline void put(DLTensor *t, int64_t i, double value)
{
    if (t->dtype.bits == 64) {
        ((double *)t->data)[i] = value;
    } else {
        ((float *)t->data)[i] = (float)value;
    }
}

static inline DLTensor *tensor_of(ga_context *context, DLDataType type, const int64_t shape[4], double phase)
{
    DLTensor *t = NULL;
    test_ok(context, ga_tensor_create(context, type, 4, shape, &t));
    for (int64_t i = 0; i < count_of(t); i++) {
        put(t, i, 1.5 * sin(phase + 0.7 * (double)i + 0.001 * (double)(i * i)));
    }
    return t;
}

/* q (b, h, nq, d), k (b, g, nk, d), v (b, g, nk, e) of sines, causal. */
static inline void call_open(ga_context *context, call *c, const char *variant, DLDataType type, int64_t b,
                             int64_t h, int64_t g, int64_t nq, int64_t nk, int64_t d, int64_t e)
{
    *c = (call){ .variant = variant, .call = GA_ATTEND_CALL_INIT };
    c->q = tensor_of(context, type, (int64_t[]){ b, h, nq, d }, 1);
    c->k = tensor_of(context, type, (int64_t[]){ b, g, nk, d }, 2);
    c->v = tensor_of(context, type, (int64_t[]){ b, g, nk, e }, 3);
    c->grad = tensor_of(context, type, (int64_t[]){ b, h, nq, e }, 4);
    c->call.q = c->q;
    c->call.k = c->k;
    c->call.v = c->v;
    c->call.causal = true;
    c->call.f64 = type.bits == 64;
    c->call.parameters = c->set;
    c->call.tensors = c->tensors;
}

/* The inputs of part F: 48 tokens, 8 channels, `heads` heads of which head h has (1 + 2 h) times the logits. */
static inline void call_closed(ga_context *context, call *c, const char *variant, DLDataType type,
                               int64_t heads)
{
    call_open(context, c, variant, type, 1, heads, heads, 48, 48, 8, 8);
    for (int64_t i = 0; i < heads * 48 * 8; i++) {
        double t = (double)(i / 8 % 48), channel = (double)(i % 8), times = (double)(1 + 2 * (i / 8 / 48));
        put(c->q, i, times * sin(1 + 0.37 * t * (channel + 1)));
        put(c->k, i, cos(0.5 + 0.23 * t * (channel + 2)));
        put(c->v, i, sin(0.11 * (t + 1) * (channel + 3)));
    }
}

static inline void call_set(call *c, const char *name, const char *value)
{
    int64_t i = 0;
    while (i < c->call.parameter_count && strcmp(c->set[i].name, name) != 0) {
        i++;
    }
    c->call.parameter_count += i == c->call.parameter_count;
    c->set[i] = (ga_named_text){ name, value };
}

static inline void call_close(ga_context *context, call *c)
{
    ga_tensor_destroy(context, c->q);
    ga_tensor_destroy(context, c->k);
    ga_tensor_destroy(context, c->v);
    ga_tensor_destroy(context, c->grad);
}

static inline DLTensor *output(ga_context *context, const call *c, const char *name)
{
    ga_named_tensor wanted = { name, NULL };
    ga_attend_call with = c->call;
    with.grad_o = strncmp(name, "grad_", 5) == 0 ? c->grad : NULL;
    test_ok(context, ga_attend(context, c->variant, &with, &wanted, 1));
    return wanted.tensor;
}

static inline void is_list(const DLTensor *t, int64_t row, int64_t count, const int *want)
{
    int64_t width = t->shape[t->ndim - 1];
    for (int64_t i = 0; i < width; i++) {
        ck_assert_int_eq((int64_t)value_at(t, row * width + i), i < count ? want[i] : -1);
    }
}

static inline void refused(ga_context *context, call *c, const char *words)
{
    ga_named_tensor wanted = { "o", NULL };
    test_status(context, ga_attend(context, c->variant, &c->call, &wanted, 1), GA_INVALID);
    test_error_has(context, words);
}

/* The same bits for 1, 2, 3 and 7 threads. */
static inline void same_for_threads(const call *c, const char *name)
{
    ga_context *one = test_threads_context(1);
    DLTensor *want = output(one, c, name);
    for (int threads = 2; threads <= 7; threads += threads == 3 ? 4 : 1) {
        ga_context *more = test_threads_context(threads);
        DLTensor *got = output(more, c, name);
        ck_assert_int_eq(count_of(got), count_of(want));
        ck_assert_int_eq(memcmp(got->data, want->data, (size_t)(count_of(want) * want->dtype.bits / 8)), 0);
        ga_tensor_destroy(more, got);
        ga_context_destroy(more);
    }
    ga_tensor_destroy(one, want);
    ga_context_destroy(one);
}

#endif
