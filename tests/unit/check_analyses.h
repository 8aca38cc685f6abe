/* check_analyses.h - calls of analyses by name, for check_analyses.c and check_analyses_laws.c. */
#ifndef TESTS_CHECK_ANALYSES_H
#define TESTS_CHECK_ANALYSES_H

#include <math.h>

#include <graphattn/attention.h>

#include "tests/unit/support.h"

static const DLDataType type_f32 = { kDLFloat, 32, 1 }, type_f64 = { kDLFloat, 64, 1 },
                        type_i64 = { kDLInt, 64, 1 };

static ga_context *context;

/* ---- calls ---- */

enum { MOST = 8 };

/* Inputs, parameters and outputs of a run; outputs are found by name. */
typedef struct call {
    const char *name;
    ga_named_tensor inputs[MOST], outputs[MOST];
    ga_named_text parameters[MOST];
    int input_count, output_count, parameter_count;
    bool causal, f32;
    ga_report report;
} call;

static inline DLTensor *give(call *c, const char *name, DLDataType type, int ndim, const int64_t *shape)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, type, ndim, shape, &tensor));
    c->inputs[c->input_count++] = (ga_named_tensor){ name, tensor };
    return tensor;
}

static inline void give_reals(call *c, const char *name, int ndim, const int64_t *shape, const double *values)
{
    DLTensor *tensor = give(c, name, type_f64, ndim, shape);
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) {
        count *= shape[i];
    }
    memcpy(tensor->data, values, (size_t)count * sizeof *values);
}

static inline void give_integers(call *c, const char *name, int64_t count, const int64_t *values)
{
    DLTensor *tensor = give(c, name, type_i64, 1, &count);
    memcpy(tensor->data, values, (size_t)count * sizeof *values);
}

static inline void set(call *c, const char *name, const char *value)
{
    c->parameters[c->parameter_count++] = (ga_named_text){ name, value };
}

static inline void want(call *c, const char *name)
{
    c->outputs[c->output_count++] = (ga_named_tensor){ name, NULL };
}

static inline ga_status run_in(ga_context *in, call *c)
{
    ga_block_call given = GA_BLOCK_CALL_INIT;
    given.tensors = c->inputs;
    given.tensor_count = c->input_count;
    given.parameters = c->parameters;
    given.parameter_count = c->parameter_count;
    given.causal = c->causal;
    given.f64 = !c->f32;
    return ga_analysis_run(in, c->name, &given, c->outputs, c->output_count, &c->report);
}

static inline void free_outputs(ga_context *in, call *c)
{
    for (int i = 0; i < c->output_count; i++) {
        ga_tensor_destroy(in, c->outputs[i].tensor);
        c->outputs[i].tensor = NULL;
    }
}

static inline void done(call *c)
{
    free_outputs(context, c);
    for (int i = 0; i < c->input_count; i++) {
        ga_tensor_destroy(context, c->inputs[i].tensor);
    }
}

static inline double number(const call *c, const char *name, int64_t i)
{
    for (int k = 0; k < c->output_count; k++) {
        const DLTensor *t = c->outputs[k].tensor;
        if (strcmp(c->outputs[k].name, name) == 0) {
            return t->dtype.code == kDLUInt  ? ((const uint8_t *)t->data)[i]
                   : t->dtype.code == kDLInt ? ((const int32_t *)t->data)[i]
                   : t->dtype.bits == 64     ? ((const double *)t->data)[i]
                                             : (double)((const float *)t->data)[i];
        }
    }
    ck_abort_msg("%s has no %s here", c->name, name);
    return 0;
}

static inline double reported(const call *c, const char *name)
{
    for (int i = 0; i < c->report.count; i++) {
        if (strcmp(c->report.rows[i].name, name) == 0) {
            return c->report.rows[i].real;
        }
    }
    ck_abort_msg("%s does not report %s", c->name, name);
    return 0;
}

#define expect_number(c, name, i, value) ck_assert_double_eq_tol(number(c, name, i), value, 1e-8)

static inline void refused(call *c, const char *words)
{
    test_status(context, run_in(context, c), GA_INVALID);
    test_error_has(context, words);
    for (int i = 0; i < c->output_count; i++) {
        ck_assert_ptr_null(c->outputs[i].tensor);
    }
    ck_assert_int_eq(c->report.count, 0);
}

static inline void setup(void)
{
    context = test_threads_context(2);
}

static inline void teardown(void)
{
    ga_context_destroy(context);
}

#endif
