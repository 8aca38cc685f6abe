/* check_p_adapter.h - problems for the p-adapter in all its forms, and running them. */
#ifndef TESTS_CHECK_P_ADAPTER_H
#define TESTS_CHECK_P_ADAPTER_H

#include <graphattn.h>

#include <math.h>

#include "tests/reference/reference.h"
#include "tests/unit/support.h"

static const DLDataType f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 };

/* ---- problems ---- */

enum { ALONE, NUMBERS, NODES, WHOLE, WITHOUT_BIAS };

/* tensors: none; p and mu_raw; these and w_out, w_down; the whole adapter with them; the whole without a bias */
typedef struct form {
    const char *name, *form, *p;
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
    bool causal;
    int tensors;
    const char *also[2], *value[2];
} form;

static const form forms[] = {
    { "self", "self", "1.5", 1, 2, 2, 9, 9, 4, 4, .also = { "mask_diagonal" }, .value = { "1" } },
    { "self, diagonal kept", "self", "1.5", 1, 2, 2, 9, 9, 4, 4, .tensors = ALONE },
    { "self, p 1", "self", "1", 1, 1, 1, 7, 7, 3, 5, .also = { "mask_diagonal" }, .value = { "1" } },
    { "self, p 3", "self", "3", 2, 1, 1, 6, 6, 3, 3, .tensors = NUMBERS },
    { "self, p 2", "self", "2", 1, 4, 2, 8, 8, 4, 3, .tensors = NUMBERS },
    { "self causal", "self", "2.5", 1, 4, 2, 11, 11, 4, 4, .causal = true },
    { "self causal masked",
      "self",
      "1.3",
      1,
      2,
      1,
      11,
      11,
      4,
      4,
      true,
      NUMBERS,
      { "mask_diagonal" },
      { "1" } },
    { "self nodes", "self", "2.3", 2, 2, 1, 6, 6, 3, 4, .tensors = NODES },
    { "self whole", "self", "2.25", 1, 2, 1, 7, 7, 3, 4, .tensors = WHOLE },
    { "self whole masked",
      "self",
      "1.75",
      2,
      2,
      2,
      5,
      5,
      4,
      4,
      true,
      WITHOUT_BIAS,
      { "mask_diagonal" },
      { "1" } },
    { "cross", "cross", "1.5", 2, 2, 2, 5, 8, 4, 4, .also = { "mu0", "eps" }, .value = { "3", "1e-4" } },
    { "cross published", "cross", "1.25", 1, 2, 2, 5, 8, 4, 4, .also = { "source_term" }, .value = { "0" } },
    { "cross, p of no eighth", "cross", "1.6", 1, 2, 1, 6, 9, 3, 3, .tensors = NUMBERS },
    { "cross causal grouped", "cross", "1.5", 1, 4, 2, 6, 9, 4, 4, .causal = true },
    { "cross causal blind", "cross", "1.5", 2, 2, 1, 9, 6, 4, 4, .causal = true, .tensors = NUMBERS },
    { "cross pooled", "cross", "1.75", 2, 2, 1, 6, 11, 4, 4, false, NUMBERS, { "pool" }, { "4" } },
    { "cross pooled causal", "cross", "2.5", 1, 2, 2, 7, 10, 3, 3, true, NUMBERS, { "pool" }, { "3" } },
    { "cross pooled to one", "cross", "1.5", 1, 1, 1, 3, 5, 2, 2, .also = { "pool" }, .value = { "1" } },
    { "cross nodes", "cross", "1.5", 1, 4, 2, 5, 7, 3, 3, .tensors = NODES },
    { "cross whole", "cross", "1.5", 2, 2, 1, 6, 8, 3, 3, .tensors = WHOLE },
    { "cross whole blind", "cross", "2.5", 1, 2, 2, 8, 5, 3, 3, true, WHOLE, { "pool" }, { "3" } },
    { "one token", "cross", "1.5", 1, 2, 2, 1, 1, 4, 4, .tensors = NUMBERS },
    { "one token, nothing left", "self", "1.5", 1, 2, 2, 1, 1, 4, 4,
      .also = { "mask_diagonal", "source_term" }, .value = { "1", "0" } },
    { "p 5", "cross", "5", 1, 1, 1, 4, 6, 3, 3, .tensors = NUMBERS },
};
enum { FORMS = sizeof forms / sizeof *forms, MODEL = 5, EACH = 2 };

/* Several blocks of rows, several units a head, more columns than a block of a product has, tails everywhere. */
static const form large[] = {
    { "large cross", "cross", "1.6", 1, 2, 1, 151, 643, 19, 19, .tensors = NUMBERS },
    { "large causal", "self", "1.25", 1, 2, 1, 333, 333, 5, 37, true, .also = { "mask_diagonal" },
      .value = { "1" } },
    { "large pooled", "cross", "2.5", 2, 1, 1, 130, 201, 8, 8, .tensors = WHOLE, .also = { "pool" },
      .value = { "24" } },
    { "large blind", "cross", "3", 1, 3, 1, 200, 90, 6, 6, true, .tensors = NODES },
};
enum { LARGE = sizeof large / sizeof *large };

static const form *current;

static void draw(problem *p, const char *name, int ndim, int64_t a, int64_t b, double shift)
{
    static uint64_t state = 7;
    array *t = problem_tensor(p, name, ndim, (int64_t[]){ a, b });
    for (int64_t i = 0; i < array_count(t); i++) {
        t->data[i] = (double)(float)(shift + 0.6 * reference_draw(&state));
    }
}

static void make_tensors(problem *p, uint64_t seed)
{
    const form *f = current;
    int64_t in = f->heads * f->dim_v, reduced = f->heads * EACH;
    (void)seed;
    problem_set(p, "form", f->form);
    problem_set(p, "p", f->p);
    for (int i = 0; i < 2 && f->also[i]; i++) {
        problem_set(p, f->also[i], f->value[i]);
    }
    if (f->tensors >= NUMBERS && f->tensors <= WHOLE) {
        draw(p, "p", 1, 1, 0, 0);
        p->tensors[p->tensor_count - 1].values.data[0] = strtod(f->p, NULL);
        draw(p, "mu_raw", 1, 1, 0, 0.2);
    }
    if (f->tensors >= NODES) {
        draw(p, "w_out", 2, in, MODEL, 0);
        draw(p, "w_down", 2, MODEL, reduced, 0);
    }
    if (f->tensors == NODES || f->tensors == WHOLE) {
        draw(p, "b_out", 1, MODEL, 0, 0);
        draw(p, "b_down", 1, reduced, 0, 0);
    }
    if (f->tensors >= WHOLE) {
        draw(p, "w_gate", 2, MODEL, reduced, 0);
        draw(p, "w_up", 2, reduced, MODEL, 0);
    }
    if (f->tensors == WHOLE) {
        draw(p, "b_gate", 1, reduced, 0, 0);
        draw(p, "b_up", 1, MODEL, 0, 0);
    }
}

/* Shape of o. */
static void shape_of_o(const form *f, int64_t shape[4])
{
    shape[0] = f->batch;
    shape[1] = f->tensors >= WHOLE ? 1 : f->heads;
    shape[2] = f->queries;
    shape[3] = f->tensors >= WHOLE ? MODEL : f->tensors == NODES ? EACH : f->dim_v;
}

static void make(problem *p, const form *f)
{
    static fixture mine;
    uint64_t state = 5;
    int64_t shape[4];
    mine = *find_fixture("p-adapter");
    mine.make = make_tensors;
    current = f;
    problem_make(p, &mine, f->batch, f->heads, f->kv_heads, f->queries, f->keys, f->dim, f->dim_v, f->causal,
                 11);
    shape_of_o(f, shape);
    array_free(&p->grad_o);
    p->grad_o = array_random(4, shape, &state);
}

static DLTensor *tensor_of(ga_context *context, const array *a, DLDataType dtype)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, dtype, a->ndim, a->shape, &tensor));
    for (int64_t i = 0; i < array_count(a); i++) {
        if (dtype.bits == 64) {
            ((double *)tensor->data)[i] = a->data[i];
        } else {
            ((float *)tensor->data)[i] = (float)a->data[i];
        }
    }
    return tensor;
}

static double value_at(const DLTensor *t, int64_t i)
{
    return t->dtype.bits == 64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

static int64_t count_of(const DLTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) {
        count *= t->shape[i];
    }
    return count;
}

/* A call with its tensors, which another context made. */
typedef struct setup {
    ga_context *context;
    DLTensor *q, *k, *v, *grad;
    ga_named_tensor tensors[REFERENCE_TENSORS];
    ga_attend_call call;
    ga_named_tensor wanted[REFERENCE_TENSORS + 4];
    char names[REFERENCE_TENSORS + 4][16];
    int64_t count;
} setup;

static void want(setup *s, const char *prefix, const char *name)
{
    snprintf(s->names[s->count], sizeof s->names[s->count], "%s%s", prefix, name);
    s->wanted[s->count] = (ga_named_tensor){ s->names[s->count], NULL };
    s->count++;
}

static void setup_open(setup *s, const problem *p, bool wide)
{
    DLDataType dtype = wide ? f64 : f32;
    memset(s, 0, sizeof *s);
    s->context = test_threads_context(1);
    s->q = tensor_of(s->context, &p->q, dtype);
    s->k = tensor_of(s->context, &p->k, dtype);
    s->v = tensor_of(s->context, &p->v, dtype);
    s->grad = tensor_of(s->context, &p->grad_o, dtype);
    for (int i = 0; i < p->tensor_count; i++) {
        s->tensors[i] =
            (ga_named_tensor){ p->tensors[i].name, tensor_of(s->context, &p->tensors[i].values, dtype) };
    }
    s->call = (ga_attend_call)GA_ATTEND_CALL_INIT;
    s->call.q = s->q;
    s->call.k = s->k;
    s->call.v = s->v;
    s->call.grad_o = s->grad;
    s->call.parameters = p->parameters;
    s->call.parameter_count = p->parameter_count;
    s->call.tensors = s->tensors;
    s->call.tensor_count = p->tensor_count;
    s->call.causal = p->causal;
    s->call.scale = p->scale;
    s->call.f64 = wide;
}

static void want_all(setup *s)
{
    s->count = 0;
    want(s, "", "o");
    want(s, "grad_", "q");
    want(s, "grad_", "k");
    want(s, "grad_", "v");
    for (int64_t i = 0; i < s->call.tensor_count; i++) {
        want(s, "grad_", s->tensors[i].name);
    }
}

static void drop(ga_context *context, setup *s)
{
    for (int64_t i = 0; i < s->count; i++) {
        ga_tensor_destroy(context, s->wanted[i].tensor);
        s->wanted[i].tensor = NULL;
    }
}

static void setup_close(setup *s)
{
    ga_tensor_destroy(s->context, s->q);
    ga_tensor_destroy(s->context, s->k);
    ga_tensor_destroy(s->context, s->v);
    ga_tensor_destroy(s->context, s->grad);
    for (int64_t i = 0; i < s->call.tensor_count; i++) {
        ga_tensor_destroy(s->context, s->tensors[i].tensor);
    }
    test_context_done(s->context, NULL);
}

#endif
