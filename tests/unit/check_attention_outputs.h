/* check_attention_outputs.h - everything that the forward pass of attention fills, and post steps to try. */
#ifndef TESTS_CHECK_ATTENTION_OUTPUTS_H
#define TESTS_CHECK_ATTENTION_OUTPUTS_H

#include "check_attention_rows.h"

/* All outputs of a sample, in double precision. */
typedef struct outputs {
    array o, lse, map, entropy, max, class_mass, column_sum, top_weights;
    int32_t argmax[1024], top_indices[4096];
    int64_t index_shape[4];
    DLTensor argmax_tensor, top_tensor;
    ga_row_statistics statistics;
    ga_attention_result result;
} outputs;

enum { TOP = 3, CLASSES = 3 };
static const int32_t labels[MOST_COLUMNS] = { 0, 2, 2, 1, 0, 0, 2, 1, 1, 0, 2, 0 };

static inline DLTensor integers(int32_t *data, int ndim, int64_t *shape)
{
    return (DLTensor){
        .data = data, .device = { kDLCPU, 0 }, .ndim = ndim, .dtype = { kDLInt, 32, 1 }, .shape = shape
    };
}

static inline void outputs_make(const sample *s, outputs *out)
{
    memset(out, 0, sizeof *out);
    out->o = array_make(4, s->batch, s->heads, s->queries, s->dim_v);
    out->lse = array_make(3, s->batch, s->heads, s->queries, 0);
    out->map = array_make(4, s->batch, s->heads, s->queries, s->keys);
    out->entropy = array_make(3, s->batch, s->heads, s->queries, 0);
    out->max = array_make(3, s->batch, s->heads, s->queries, 0);
    out->class_mass = array_make(4, s->batch, s->heads, s->queries, CLASSES);
    out->column_sum = array_make(3, s->batch, s->heads, s->keys, 0);
    out->top_weights = array_make(4, s->batch, s->heads, s->queries, TOP);
    memcpy(out->index_shape, (int64_t[]){ s->batch, s->heads, s->queries, TOP }, sizeof out->index_shape);
    out->argmax_tensor = integers(out->argmax, 3, out->index_shape);
    out->top_tensor = integers(out->top_indices, 4, out->index_shape);
    out->statistics = (ga_row_statistics){
        .entropy = tensor_of(&out->entropy),
        .argmax = &out->argmax_tensor,
        .max = tensor_of(&out->max),
        .classes = labels,
        .class_count = CLASSES,
        .class_mass = tensor_of(&out->class_mass),
        .column_sum = tensor_of(&out->column_sum),
        .top_k = TOP,
        .top_indices = &out->top_tensor,
        .top_weights = tensor_of(&out->top_weights),
    };
    out->result = (ga_attention_result){
        .o = tensor_of(&out->o),
        .lse = s->problem.normaliser.kind == GA_SOFTMAX ? tensor_of(&out->lse) : NULL,
        .map = tensor_of(&out->map),
        .statistics = &out->statistics,
    };
}

static inline void outputs_done(outputs *out)
{
    array *const all[] = { &out->o,   &out->lse,        &out->map,        &out->entropy,
                           &out->max, &out->class_mass, &out->column_sum, &out->top_weights };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]->data);
    }
}

static inline void class_factors(void *user, int64_t batch, int64_t head, int64_t query, const double *mass,
                                 double *factors)
{
    (void)user;
    for (int c = 0; c < CLASSES; c++) {
        factors[c] = 1 + mass[c] + (double)(batch + head + query) * 0.1 * c;
    }
}

static inline void change_row(void *user, int64_t batch, int64_t head, int64_t query, int64_t count,
                              const int64_t *keys, double *weights)
{
    (void)user;
    for (int64_t t = 0; t < count; t++) {
        weights[t] = weights[t] * weights[t] + 0.01 * (double)(keys[t] + batch + head * query);
    }
}

static inline void change_map(void *user, int64_t batch, int64_t head, int64_t queries, int64_t keys,
                              double *map)
{
    (void)user;
    for (int64_t at = 0; at < queries * keys; at++) {
        map[at] = 2 * map[at] + 0.001 * (double)(at + batch + head);
    }
}

#endif
