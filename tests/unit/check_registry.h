/* check_registry.h - calls of every variant, for check_registry.c. */
#ifndef TESTS_CHECK_REGISTRY_H
#define TESTS_CHECK_REGISTRY_H

#include "attention/plan.h"
#include "tests/unit/support.h"
#include <math.h>

/* ---- tensors of the tests ---- */

typedef struct array {
    DLTensor tensor;
    int64_t shape[5];
    double f64[256];
    float f32[256];
    uint8_t u8[256];
} array;

static const DLDataType type_f32 = { kDLFloat, 32, 1 }, type_f64 = { kDLFloat, 64, 1 },
                        type_u8 = { kDLUInt, 8, 1 };

static int64_t array_count(const array *a)
{
    int64_t count = 1;
    for (int i = 0; i < a->tensor.ndim; i++) {
        count *= a->shape[i];
    }
    return count;
}

/* Numbers between -1 and 1 that are the same in every run. */
static void array_make(array *a, DLDataType type, int ndim, const int64_t *shape, unsigned seed)
{
    memset(a, 0, sizeof *a);
    memcpy(a->shape, shape, (size_t)ndim * sizeof *shape);
    a->tensor = (DLTensor){ .device = { kDLCPU, 0 }, .ndim = ndim, .dtype = type, .shape = a->shape };
    a->tensor.data = type.code == kDLUInt ? (void *)a->u8 : type.bits == 64 ? (void *)a->f64 : (void *)a->f32;
    ck_assert_int_le(array_count(a), 256);
    for (int64_t i = 0; i < array_count(a); i++) {
        seed = seed * 1664525u + 1013904223u;
        a->f32[i] = (float)(seed >> 9) / 4194304.0f - 1;
        a->f64[i] = (double)a->f32[i];
        a->u8[i] = seed >> 30 != 0;
    }
}

static double value_at(const DLTensor *t, int64_t i)
{
    return t->dtype.code == kDLInt ? ((const int32_t *)t->data)[i]
           : t->dtype.bits == 64   ? ((const double *)t->data)[i]
                                   : (double)((const float *)t->data)[i];
}

static int64_t count_of(const DLTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) {
        count *= t->shape[i];
    }
    return count;
}

/* ---- calls of every kind ---- */

enum { HEADS = 2, KV = 1, N = 6, DIM = 4, DIM_V = 3, MOST = 4 };

/* Keys and queries of edges, in no order. */
static const int64_t edge_keys[] = { 5, 0, 2, 1, 1, 4, 0 }, edge_queries[] = { 2, 0, 0, 4, 2, 5, 5 },
                     edge_lines[] = { 1, 2, 3, 5, 6, 7, 8 };
static const ga_edge_rows edges = { "g.txt", 7, edge_keys, edge_queries, edge_lines, NULL };

typedef struct kind {
    const char *variant, *pattern, *normaliser;
    bool causal, graph;
    ga_named_text set[MOST];
    struct {
        const char *name;
        int ndim;
        int64_t shape[4];
    } tensors[MOST];
} kind;

static const kind kinds[] = {
    { "full", .set = { { "softcap", "1.5" } }, .tensors = { { "bias", 3, { HEADS, N, N } } } },
    { "full", .causal = true },
    { "window", .set = { { "left", "2" }, { "right", "1" }, { "sinks", "1" } },
      .tensors = { { "bias", 2, { 1, 4 } } } },
    { "neighborhood", .set = { { "shape", "2,3" }, { "window", "1,3" } },
      .tensors = { { "bias", 3, { HEADS, 1, 5 } },
                   { "k_extra", 4, { 1, KV, 2, DIM } },
                   { "v_extra", 4, { 1, KV, 2, DIM_V } } } },
    { "block-sparse", .set = { { "block_q", "4" }, { "block_k", "2" } },
      .tensors = { { "block_map", 3, { HEADS, 2, 3 } }, { "bias", 3, { 1, N, N } } } },
    { "graph", .graph = true, .tensors = { { "edge_bias", 2, { HEADS, 7 } } } },
    { "graph", .graph = true, .causal = true, .tensors = { { "edge_bias", 1, { 7 } } } },
    { "sigmoid", .causal = true, .set = { { "bias", "0.25" }, { "bias_mode", "log_row" } },
      .tensors = { { "slopes", 1, { HEADS } }, { "layer_scale", 2, { HEADS, DIM_V } } } },
    { "softplus", .causal = true },
    { "softplus-reweight", .set = { { "power", "3" }, { "offset", "0.5" } } },
    { "linear", .causal = true, .tensors = { { "initial_state", 4, { 1, KV, DIM, DIM_V + 1 } } } },
    { "linear", .set = { { "feature", "silu" }, { "normalise", "0" } } },
    { "linear", .set = { { "feature", "exp" }, { "gain", "0.5" } } },
    { "linear", .set = { { "feature", "leaky-relu" }, { "normalise", "false" } } },
    { "linear", .set = { { "feature", "identity" }, { "normalise", "0" } }, .causal = true },
    { "norm-attention", .causal = true, .set = { { "eta", "softplus" } },
      .tensors = { { "eta_logits", 3, { 1, HEADS, N } }, { "initial_state", 4, { 1, KV, DIM, DIM_V } } } },
    { "norm-attention", .set = { { "eta", "sigmoid" } },
      .tensors = { { "eta_logits", 3, { 1, HEADS, N } } } },
    { "full", .pattern = "graph", .normaliser = "relu-l1", .graph = true },
    { "full", .pattern = "window:window=3", .normaliser = "norm-attention:eta=softplus",
      .tensors = { { "eta_logits", 3, { 1, HEADS, N } } } },
    { "softplus", .pattern = "neighborhood:shape=2x3,window=1x3", .set = { { "length_scale", "0" } } },
    { "dina", .set = { { "window", "2" } }, .tensors = { { "bias", 2, { HEADS, 3 } } } },
    { "halo", .set = { { "shape", "2,3" }, { "block", "2" }, { "halo", "1" } },
      .tensors = { { "rel_0", 2, { 7, DIM } }, { "rel_1", 2, { 7, DIM } } } },
    { "maxvit-block", .set = { { "window", "4" }, { "border", "bias" } },
      .tensors = { { "ghost_k", 2, { HEADS, DIM } }, { "ghost_v", 2, { HEADS, DIM_V } } } },
    { "shifted-window", .set = { { "window", "3" } }, .tensors = { { "bias", 2, { 1, 5 } } } },
    { "shifted-window", .set = { { "window", "3" }, { "mask_value", "-2" } },
      .tensors = { { "bias", 2, { HEADS, 5 } } } },
    { "shifted-window", .set = { { "window", "3" }, { "mask_value", "-2" } } },
    { "overlap-window", .set = { { "window", "3" }, { "overlap", "0.7" } },
      .tensors = { { "bias", 2, { 1, 7 } } } },
    { "inward-window", .set = { { "shape", "1,2,3" }, { "half_window", "1" } } },
    { "radial", .set = { { "frames", "2" }, { "tokens_per_frame", "2" } } },
    { "radial",
      .set = { { "frames", "2" }, { "tokens_per_frame", "2" }, { "form", "block" }, { "block", "2" } } },
    { "s2", .causal = true, .set = { { "block", "2" }, { "stride", "2" } } },
    { "moa", .causal = true, .set = { { "block", "2" } }, .tensors = { { "spans", 2, { HEADS, 2 } } } },
    { "saliency-local", .set = { { "shape", "6" }, { "key_shape", "6" }, { "halo", "1" } },
      .tensors = { { "saliency", 2, { 1, N } } } },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct setup {
    const kind *what;
    array q, k, v, grad, extra[MOST];
    ga_named_tensor tensors[MOST];
    ga_attend_call call;
} setup;

static void setup_make(setup *s, const kind *what, DLDataType type)
{
    int count = 0;
    memset(s, 0, sizeof *s);
    s->what = what;
    array_make(&s->q, type, 4, (const int64_t[]){ 1, HEADS, N, DIM }, 1);
    array_make(&s->k, type, 4, (const int64_t[]){ 1, KV, N, DIM }, 2);
    array_make(&s->v, type, 4, (const int64_t[]){ 1, KV, N, DIM_V }, 3);
    array_make(&s->grad, type, 4, (const int64_t[]){ 1, HEADS, N, DIM_V }, 4);
    s->call = (ga_attend_call)GA_ATTEND_CALL_INIT;
    for (; count < MOST && what->tensors[count].name; count++) {
        bool integer = strcmp(what->tensors[count].name, "block_map") == 0;
        array_make(&s->extra[count], integer ? type_u8 : type, what->tensors[count].ndim,
                   what->tensors[count].shape, 10 + (unsigned)count);
        s->tensors[count] = (ga_named_tensor){ what->tensors[count].name, &s->extra[count].tensor };
    }
    s->call.tensors = s->tensors;
    s->call.tensor_count = count;
    s->call.parameters = what->set;
    while (s->call.parameter_count < MOST && what->set[s->call.parameter_count].name) {
        s->call.parameter_count++;
    }
    s->call.q = &s->q.tensor;
    s->call.k = &s->k.tensor;
    s->call.v = &s->v.tensor;
    s->call.causal = what->causal;
    s->call.pattern = what->pattern;
    s->call.normaliser = what->normaliser;
    s->call.edges = what->graph ? &edges : NULL;
    s->call.f64 = type.bits == 64;
}

static DLTensor *output(ga_context *context, const setup *s, const char *name)
{
    ga_named_tensor wanted = { name, NULL };
    test_ok(context, ga_attend(context, s->what->variant, &s->call, &wanted, 1));
    ck_assert_ptr_nonnull(wanted.tensor);
    return wanted.tensor;
}

static ga_status refusal(ga_context *context, const setup *s, const char *name)
{
    ga_named_tensor wanted[] = { { "o", (DLTensor *)&s->q.tensor }, { name, (DLTensor *)&s->q.tensor } };
    ga_status status = ga_attend(context, s->what->variant, &s->call, wanted, name ? 2 : 1);
    if (status != GA_OK) {
        ck_assert_ptr_null(wanted[0].tensor);
        ck_assert(!name || !wanted[1].tensor);
    } else {
        ga_tensor_destroy(context, wanted[0].tensor);
    }
    return status;
}

#endif
