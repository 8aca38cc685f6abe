/* check_blocks.h - fixtures of every block and analysis, and running them; for check_blocks.c. */
#ifndef TESTS_CHECK_BLOCKS_H
#define TESTS_CHECK_BLOCKS_H

#include "lib/base/base.h"
#include "tests/unit/support.h"
#include <graphattn.h>
#include <math.h>

enum { TENSORS = 12, PARAMETERS = 6, AXES = 4, ROWS = -1, PIXELS = -2 };

/* A block with parameters and the shapes of its tensors; ROWS stands for the size of the problem, PIXELS for 9 times
 * that. */
typedef struct fixture {
    const char *block;
    ga_named_text parameters[PARAMETERS];
    struct {
        const char *name;
        int64_t shape[AXES]; /* 0: no more axes */
    } tensors[TENSORS];
    bool analysis;
} fixture;

static const fixture fixtures[] = {
    { "channel-attention",
      { { 0 } },
      { { "x", { 2, 5, ROWS, 3 } },
        { "w1", { 2, 5 } },
        { "b1", { 2 } },
        { "w2", { 5, 2 } },
        { "b2", { 5 } } },
      false },
    { "channel-attention",
      { { 0 } },
      { { "x", { 2, 4, 3, ROWS } },
        { "w1", { 3, 4 } },
        { "b1", { 3 } },
        { "w2", { 4, 3 } },
        { "b2", { 4 } },
        { "conv1_w", { 2, 4, 3, 3 } },
        { "conv1_b", { 2 } },
        { "conv2_w", { 4, 2, 3, 3 } },
        { "conv2_b", { 4 } } },
      false },
    { "channel-attention",
      { { 0 } },
      { { "x", { ROWS, 5 } },
        { "segments", { ROWS } },
        { "w1", { 2, 5 } },
        { "b1", { 2 } },
        { "w2", { 5, 2 } },
        { "b2", { 5 } } },
      false },
    { "kan",
      { { 0 } },
      { { "x", { ROWS, 4 } }, { "ln1_w", { 4 } }, { "ln1_b", { 4 } }, { "w1", { 3, 32 } } },
      false },
    { "kan",
      { { "grids", "3" }, { "denominator", "0.9" }, { "grid_min", "-1" }, { "grid_max", "1.5" } },
      { { "x", { ROWS, 3 } },
        { "ln1_w", { 3 } },
        { "ln1_b", { 3 } },
        { "w1", { 4, 9 } },
        { "ln2_w", { 4 } },
        { "ln2_b", { 4 } },
        { "w2", { 2, 12 } } },
      false },
    { "td-norm",
      { { 0 } },
      { { "x", { 3, ROWS, 4 } },
        { "log_snr", { 3 } },
        { "gamma0", { 4 } },
        { "gamma1", { 4 } },
        { "gamma_a", { 4 } },
        { "gamma_c", { 4 } } },
      false },
    { "td-norm",
      { { "mode", "rms" }, { "eps", "0.1" } },
      { { "x", { 2, ROWS, 4 } },
        { "log_snr", { 2 } },
        { "gamma0", { 4 } },
        { "gamma1", { 4 } },
        { "gamma_a", { 4 } },
        { "gamma_c", { 4 } },
        { "beta0", { 4 } },
        { "beta1", { 4 } },
        { "beta_a", { 4 } },
        { "beta_c", { 4 } } },
      false },
    { "multires-fuse",
      { { "shape", "1,N" }, { "ratio", "3" } },
      { { "x", { 2, PIXELS, 4 } },
        { "low", { 2, ROWS, 5 } },
        { "ln1_w", { 5 } },
        { "ln1_b", { 5 } },
        { "w", { 36, 5 } },
        { "b", { 36 } },
        { "ln2_w", { 4 } },
        { "ln2_b", { 4 } } },
      false },
    { "partition", { { "width", "2000" }, { "height", "900" } }, { { 0 } }, false },
    { "merge",
      { { 0 } },
      { { "o_a", { 2, 2, ROWS, 3 } },
        { "lse_a", { 2, 2, ROWS } },
        { "o_b", { 2, 2, ROWS, 3 } },
        { "lse_b", { 2, 2, ROWS } } },
      false },
    { "object-code", { { "positions", "9" }, { "dim", "11" } }, { { 0 } }, false },
    { "influence",
      { { "block", "3" }, { "eps", "0.5" } },
      { { "map", { 2, 2, ROWS, 7 } }, { "grad_map", { 2, 2, ROWS, 7 } } },
      true },
};
enum { FIXTURES = sizeof fixtures / sizeof *fixtures };

typedef struct problem {
    const fixture *of;
    const ga_block *block;
    int64_t n;
    ga_named_tensor tensors[TENSORS];
    ga_named_text parameters[PARAMETERS];
    char text[32];
    DLTensor *grad_y;
    ga_block_call call;
} problem;

static ga_context *context;

static const DLDataType wide = { .code = kDLFloat, .bits = 64, .lanes = 1 };
static const DLDataType whole = { .code = kDLInt, .bits = 64, .lanes = 1 };

static int64_t count_of(const DLTensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

static double *numbers_of(const DLTensor *tensor)
{
    return tensor->data;
}

/* Numbers that single precision has. */
static void fill(DLTensor *tensor, ga__random *random)
{
    for (int64_t i = 0; i < count_of(tensor); i++) {
        numbers_of(tensor)[i] = (float)(2 * ga__random_unit(random) - 1);
    }
}

static DLTensor *tensor_of(int ndim, const int64_t *shape, ga__random *random)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, wide, ndim, shape, &tensor));
    fill(tensor, random);
    return tensor;
}

/* Segments 0, 1, 2, 4, 0, 1, ...: number 3 is empty. */
static DLTensor *segments_of(int64_t n)
{
    static const int64_t ids[] = { 0, 1, 2, 4, 0, 1, 4 };
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, whole, 1, &n, &tensor));
    for (int64_t i = 0; i < n; i++) {
        ((int64_t *)tensor->data)[i] = ids[i % 7];
    }
    return tensor;
}

static DLTensor *make_tensor(const problem *p, int number, ga__random *random)
{
    int64_t shape[AXES];
    int ndim = 0;
    for (; ndim < AXES && p->of->tensors[number].shape[ndim]; ndim++) {
        int64_t size = p->of->tensors[number].shape[ndim];
        shape[ndim] = size == ROWS ? p->n : size == PIXELS ? 9 * p->n : size;
    }
    bool segments = strcmp(p->of->tensors[number].name, "segments") == 0;
    return segments ? segments_of(p->n) : tensor_of(ndim, shape, random);
}

static void problem_make(problem *p, const fixture *of, int64_t n, uint64_t seed)
{
    ga__random random = ga__random_at(seed, GA__RANDOM_TEST, 11);
    *p = (problem){ .of = of, .n = n, .call = GA_BLOCK_CALL_INIT };
    p->block = of->analysis ? ga_analysis_find(of->block) : ga_block_find(of->block);
    ck_assert_ptr_nonnull(p->block);
    for (int i = 0; i < PARAMETERS && of->parameters[i].name; i++) {
        p->parameters[i] = of->parameters[i];
        if (strcmp(of->parameters[i].value, "1,N") == 0) {
            snprintf(p->text, sizeof p->text, "1,%lld", (long long)n);
            p->parameters[i].value = p->text;
        }
        p->call.parameter_count++;
    }
    for (int i = 0; i < TENSORS && of->tensors[i].name; i++) {
        p->tensors[i] = (ga_named_tensor){ of->tensors[i].name, make_tensor(p, i, &random) };
        p->call.tensor_count++;
    }
    p->call.parameters = p->parameters;
    p->call.tensors = p->tensors;
    p->call.f64 = true;
}

static void problem_free(problem *p)
{
    for (int i = 0; i < TENSORS; i++) {
        ga_tensor_destroy(context, p->tensors[i].tensor);
    }
    ga_tensor_destroy(context, p->grad_y);
}

/* Every output, and every gradient where there is an upstream one. */
typedef struct results {
    ga_named_tensor of[TENSORS + 8];
    char names[TENSORS + 8][40];
    int64_t count;
} results;

static void want(results *r, const char *prefix, const char *name, int length)
{
    snprintf(r->names[r->count], sizeof r->names[0], "%s%.*s", prefix, length, name);
    r->of[r->count] = (ga_named_tensor){ r->names[r->count], NULL };
    r->count++;
}

static bool differentiable(const problem *p, const char *name)
{
    for (const ga_tensor_slot *t = p->block->tensors; t && t->name; t++) {
        if (strcmp(t->name, name) == 0) {
            return t->differentiable;
        }
    }
    return false;
}

static void want_all(const problem *p, results *r)
{
    *r = (results){ .count = 0 };
    for (const char *at = p->block->outputs; *at;) {
        size_t length = strcspn(at, ", ");
        want(r, "", at, (int)length);
        at += length;
        at += strspn(at, ", ");
    }
    for (int64_t i = 0; p->call.grad_y && i < p->call.tensor_count; i++) {
        if (differentiable(p, p->tensors[i].name)) {
            want(r, "grad_", p->tensors[i].name, 30);
        }
    }
}

static ga_status run_with(ga_context *with, const problem *p, ga_named_tensor *wanted, int64_t count)
{
    ga_report report;
    return p->of->analysis ? ga_analysis_run(with, p->of->block, &p->call, wanted, count, &report)
                           : ga_block_run(with, p->of->block, &p->call, wanted, count);
}

static void run(const problem *p, results *r)
{
    want_all(p, r);
    test_ok(context, run_with(context, p, r->of, r->count));
}

static void results_free(ga_context *with, results *r)
{
    for (int64_t i = 0; i < r->count; i++) {
        ga_tensor_destroy(with, r->of[i].tensor);
    }
}

static DLTensor *result(const results *r, const char *name)
{
    for (int64_t i = 0; i < r->count; i++) {
        if (strcmp(r->of[i].name, name) == 0) {
            return r->of[i].tensor;
        }
    }
    ck_abort_msg("no result %s", name);
    return NULL;
}

/* An upstream gradient, where the block has any. */
static void with_gradient(problem *p)
{
    results r;
    ga__random random = ga__random_at(5, GA__RANDOM_TEST, 9);
    if (!ga_block_has_gradients(p->block)) {
        return;
    }
    run(p, &r);
    const DLTensor *y = result(&r, "y");
    p->grad_y = tensor_of(y->ndim, y->shape, &random);
    p->call.grad_y = p->grad_y;
    results_free(context, &r);
}

static void setup(void)
{
    context = test_threads_context(2);
}

static void teardown(void)
{
    ga_context_destroy(context);
}

#endif
