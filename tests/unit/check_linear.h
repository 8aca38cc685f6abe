/* check_linear.h - calls of a variant on problems of tests/reference, whole or decoded. */
#ifndef TESTS_CHECK_LINEAR_H
#define TESTS_CHECK_LINEAR_H

#include <graphattn.h>

#include <math.h>

#include "tests/reference/reference.h"
#include "tests/unit/support.h"

static const DLDataType f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 };

static inline DLTensor *tensor_of(ga_context *context, const array *a, DLDataType dtype)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, dtype, a->ndim, a->shape, &tensor));
    for (int64_t i = 0; i < array_count(a); i++) {
        if (dtype.code == kDLUInt) {
            ((uint8_t *)tensor->data)[i] = (uint8_t)a->data[i];
        } else if (dtype.bits == 64) {
            ((double *)tensor->data)[i] = a->data[i];
        } else {
            ((float *)tensor->data)[i] = (float)a->data[i];
        }
    }
    return tensor;
}

static inline double value_at(const DLTensor *tensor, int64_t i)
{
    return tensor->dtype.bits == 64 ? ((const double *)tensor->data)[i]
                                    : (double)((const float *)tensor->data)[i];
}

static inline int64_t count_of(const DLTensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

typedef ga_status (*attend_fn)(ga_context *context, const char *variant, const ga_attend_call *call,
                               ga_named_tensor *wanted, int64_t count);

/* Tensors of a problem, as a call. */
typedef struct ready {
    ga_attend_call call;
    DLTensor *own[4];
    ga_named_tensor tensors[REFERENCE_TENSORS];
} ready;

static inline void ready_make(ga_context *context, const problem *p, bool wide, ready *r)
{
    DLDataType dtype = wide ? f64 : f32;
    const array *inputs[] = { &p->q, &p->k, &p->v, &p->grad_o };
    *r = (ready){ .call = GA_ATTEND_CALL_INIT };
    for (int i = 0; i < 4; i++) {
        r->own[i] = inputs[i]->data ? tensor_of(context, inputs[i], dtype) : NULL;
    }
    for (int i = 0; i < p->tensor_count; i++) {
        const reference_tensor *t = &p->tensors[i];
        r->tensors[i] =
            (ga_named_tensor){ t->name, tensor_of(context, &t->values, t->dtype.bits ? t->dtype : dtype) };
    }
    r->call.q = r->own[0];
    r->call.k = r->own[1];
    r->call.v = r->own[2];
    r->call.grad_o = r->own[3];
    r->call.parameters = p->parameters;
    r->call.parameter_count = p->parameter_count;
    r->call.tensors = r->tensors;
    r->call.tensor_count = p->tensor_count;
    r->call.causal = p->causal;
    r->call.scale = p->scale;
    r->call.f64 = wide;
}

static inline void ready_free(ga_context *context, ready *r)
{
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, r->own[i]);
    }
    for (int64_t i = 0; i < r->call.tensor_count; i++) {
        ga_tensor_destroy(context, r->tensors[i].tensor);
    }
}

/* The caller destroys what wanted gets. */
static inline ga_status call_of(ga_context *context, const problem *p, bool wide, attend_fn attend,
                                ga_named_tensor *wanted, int64_t count)
{
    ready r;
    ready_make(context, p, wide, &r);
    ga_status status = attend(context, p->fixture->name, &r.call, wanted, count);
    ready_free(context, &r);
    return status;
}

/* One output, for which the variant must not fail. */
static inline DLTensor *output_of(ga_context *context, const problem *p, bool wide, attend_fn attend,
                                  const char *name)
{
    ga_named_tensor wanted = { name, NULL };
    ga_status status = call_of(context, p, wide, attend, &wanted, 1);
    ck_assert_msg(status == GA_OK, "%s: %s: %s", p->fixture->name, name, ga_context_error(context));
    return wanted.tensor;
}

static inline void close_to(const char *who, const char *what, double got, double want, double relative,
                            double absolute)
{
    bool same =
        (isnan(got) && isnan(want)) || got == want || fabs(got - want) <= absolute + relative * fabs(want);
    if (!same) { /* an assertion that holds costs a write to a file */
        ck_abort_msg("%s: %s is %.9g, not %.9g", who, what, got, want);
    }
}

static inline void same_tensors(const char *who, const char *what, const DLTensor *got, const DLTensor *want,
                                double relative, double absolute)
{
    ck_assert_int_eq(got->ndim, want->ndim);
    for (int i = 0; i < got->ndim; i++) {
        ck_assert_int_eq(got->shape[i], want->shape[i]);
    }
    for (int64_t i = 0; i < count_of(want); i++) {
        close_to(who, what, value_at(got, i), value_at(want, i), relative, absolute);
    }
}

#endif
