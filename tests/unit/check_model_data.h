/* check_model_data.h - small graphs with features, and passes over them; for check_model_passes.c. */
#ifndef TESTS_CHECK_MODEL_DATA_H
#define TESTS_CHECK_MODEL_DATA_H

#include "tests/unit/check_models.h"

typedef struct problem {
    const fixture *of;
    ga_model *model;
    int64_t n, lines, width;
    int64_t *sources, *targets; /* of the lines */
    ga__messages messages;
    DLTensor *features, *values, *grad;
    int64_t *offsets;
    uint32_t *columns;
    ga__sparse_input sparse;
    ga__model_data data;
    double *pull; /* (n, C): gradient of the loss */
    bool training, wide;
} problem;

static DLTensor *matrix_of(bool wide, int ndim, int64_t rows, int64_t columns)
{
    const int64_t shape[] = { rows, columns };
    DLTensor *tensor = NULL;
    test_ok(context,
            ga_tensor_create(context, (DLDataType){ kDLFloat, wide ? 64 : 32, 1 }, ndim, shape, &tensor));
    return tensor;
}

static inline double number(const DLTensor *tensor, int64_t i)
{
    return tensor->dtype.bits == 64 ? ((const double *)tensor->data)[i]
                                    : (double)((const float *)tensor->data)[i];
}

static double between(ga__random *random, double low, double high)
{
    return low + (high - low) * ga__random_unit(random);
}

static void make_features(problem *p, bool full)
{
    ga__random random = ga__random_at(11, GA__RANDOM_TEST, 1);
    int64_t at = 0;
    p->features = matrix_of(p->wide, 2, p->n, p->width);
    p->values = matrix_of(false, 1, p->n * p->width, 0);
    p->offsets = calloc((size_t)p->n + 1, sizeof *p->offsets);
    p->columns = calloc((size_t)(p->n * p->width) + 1, sizeof *p->columns);
    for (int64_t i = 0; i < p->n * p->width; i++) {
        float x = (float)between(&random, -1, 1);
        x = full || ga__random_below(&random, 3) ? x : 0;
        if (p->wide) {
            ((double *)p->features->data)[i] = (double)x;
        } else {
            ((float *)p->features->data)[i] = x;
        }
        if (full || x != 0) {
            ((float *)p->values->data)[at] = x;
            p->columns[at++] = (uint32_t)(i % p->width);
        }
        p->offsets[i / p->width + 1] = at;
    }
    p->sparse.edges = (ga_edges){ p->n, p->width, at, p->offsets, p->columns };
    p->sparse.values = p->values;
    p->values->shape[0] = at;
    test_ok(context, ga_edges_transpose(context, &p->sparse.edges, &p->sparse.transposed));
}

/* Everything but the model and its graph. full: no zeros among the features. */
static void problem_open(problem *p, int64_t n, int64_t lines, bool wide, bool full, int64_t width)
{
    ga__random random = ga__random_at(12, GA__RANDOM_TEST, 2);
    *p = (problem){ .n = n, .lines = lines, .width = width, .training = true, .wide = wide };
    p->sources = malloc((size_t)(lines + 1) * sizeof *p->sources);
    p->targets = malloc((size_t)(lines + 1) * sizeof *p->targets);
    for (int64_t i = 0; i < lines; i++) {
        p->sources[i] = (int64_t)ga__random_below(&random, (uint64_t)n);
        p->targets[i] = (int64_t)ga__random_below(&random, (uint64_t)n);
    }
    make_features(p, full);
    p->grad = matrix_of(wide, 2, n, C);
    p->pull = malloc((size_t)(n * C) * sizeof *p->pull);
    for (int64_t i = 0; i < n * C; i++) {
        p->pull[i] = between(&random, -1, 1);
    }
    p->data = (ga__model_data){ .nodes = n, .dense = p->features };
}

/* What passes keep with the graph belongs to the context of the passes, which is why it may be another one. */
static ga_status make_graph(ga_context *with, problem *p, const ga_model *model)
{
    const ga_edge_rows rows = {
        .name = "graph", .count = p->lines, .keys = p->sources, .queries = p->targets
    };
    ga__policy policy = ga__model_policy(model, false);
    p->data.graph = &p->messages;
    return ga__messages_make(with, &rows, NULL, p->n, &policy, &p->messages);
}

static inline void problem_make(problem *p, const fixture *of, int64_t n, int64_t lines, bool wide, bool full)
{
    problem_open(p, n, lines, wide, full, F);
    p->of = of;
    test_ok(context, make_model(context, of, 5, &p->model));
    /* biases that start as 0 would put every dropped row on the kink of ReLU */
    ga__random random = ga__random_at(13, GA__RANDOM_TEST, 3);
    for (int64_t w = 0; w < p->model->weights.count; w++) {
        ga__weight *weight = &p->model->weights.list[w];
        for (int64_t i = 0; weight->init == GA__INIT_BIAS && i < weight->count; i++) {
            p->model->weights.values[weight->first + i] = (float)between(&random, -0.5, 0.5);
        }
    }
    if (wide) {
        test_ok(context, ga__model_widen(context, p->model));
    }
    test_ok(context, make_graph(context, p, p->model));
}

static void problem_free(problem *p)
{
    ga_model_destroy(context, p->model);
    ga__messages_free(context, &p->messages);
    ga_transposed_destroy(context, &p->sparse.transposed);
    ga_tensor_destroy(context, p->features);
    ga_tensor_destroy(context, p->values);
    ga_tensor_destroy(context, p->grad);
    free(p->sources);
    free(p->targets);
    free(p->offsets);
    free(p->columns);
    free(p->pull);
}

static inline void fill_grad(problem *p)
{
    for (int64_t i = 0; i < p->n * C; i++) {
        if (p->wide) {
            ((double *)p->grad->data)[i] = p->pull[i];
        } else {
            ((float *)p->grad->data)[i] = (float)p->pull[i];
        }
    }
}

static inline const DLTensor *forward(problem *p, uint64_t seed, int64_t step)
{
    const DLTensor *out = NULL;
    test_ok(context, ga__model_forward(context, p->model, &p->data, p->training, seed, step, -1, &out));
    ck_assert_int_eq(out->shape[0], p->data.nodes);
    ck_assert_int_eq(out->shape[1], C);
    return out;
}

static inline const DLTensor *forward_to(problem *p, int64_t stage)
{
    const DLTensor *out = NULL;
    test_ok(context, ga__model_forward(context, p->model, &p->data, p->training, 7, 1, stage, &out));
    return out;
}

static inline void backward(problem *p)
{
    fill_grad(p);
    test_ok(context, ga__model_backward(context, p->model, p->grad));
}

#endif
