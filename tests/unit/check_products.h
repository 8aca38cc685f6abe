/* check_products.h - tensors of plain numbers, graphs from tables, for tests of operators. */
#ifndef TESTS_CHECK_PRODUCTS_H
#define TESTS_CHECK_PRODUCTS_H

#include <math.h>

#include <graphattn/engine.h>

#include "lib/engine/spmm/shapes.h"
#include "lib/engine/view.h"
#include "tests/unit/support.h"

static const DLDataType f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 }, f16 = { kDLFloat, 16, 1 },
                        bf16 = { kDLBfloat, 16, 1 }, i64 = { kDLInt, 64, 1 }, i32 = { kDLInt, 32, 1 };

/* Check notes every assertion that holds; loops over many numbers tell about failures alone. */
#define expect(holds, ...) \
    do { \
        if (!(holds)) { \
            ck_abort_msg(__VA_ARGS__); \
        } \
    } while (0)

/* -1 .. 1 */
static inline double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 11) * 0x1p-52 - 1;
}

static inline ga__view view_of(ga_context *context, const DLTensor *tensor)
{
    ga__view view;
    test_ok(context, ga__view_of(context, "tensor", tensor, false, &view));
    return view;
}

static inline int64_t count_of(const DLTensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

/* Element i of a contiguous floating tensor. */
static inline double get(const DLTensor *tensor, int64_t i)
{
    ga__view flat = { .data = tensor->data,
                      .type = tensor->dtype.bits == 64          ? GA__F64
                              : tensor->dtype.bits == 32        ? GA__F32
                              : tensor->dtype.code == kDLBfloat ? GA__BF16
                                                                : GA__F16 };
    return ga__view_get(&flat, 0, 0, 0, i);
}

static inline void set(DLTensor *tensor, int64_t i, double value)
{
    ga__view flat = { .data = tensor->data,
                      .type = tensor->dtype.bits == 64          ? GA__F64
                              : tensor->dtype.bits == 32        ? GA__F32
                              : tensor->dtype.code == kDLBfloat ? GA__BF16
                                                                : GA__F16 };
    ga__view_set(&flat, 0, 0, 0, i, value);
}

static inline DLTensor *tensor_new(ga_context *context, DLDataType dtype, int ndim, const int64_t *shape)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, dtype, ndim, shape, &tensor));
    if (count_of(tensor) > 0) {
        memset(tensor->data, 0x7f, (size_t)count_of(tensor) * dtype.bits / 8);
    }
    return tensor;
}

static inline DLTensor *matrix_new(ga_context *context, DLDataType dtype, int64_t rows, int64_t columns)
{
    int64_t shape[] = { rows, columns };
    return tensor_new(context, dtype, 2, shape);
}

static inline void fill(DLTensor *tensor, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 12345;
    for (int64_t i = 0; i < count_of(tensor); i++) {
        set(tensor, i, noise(&state));
    }
}

static inline DLTensor *matrix_of(ga_context *context, DLDataType dtype, int64_t rows, int64_t columns,
                                  uint64_t seed)
{
    DLTensor *tensor = matrix_new(context, dtype, rows, columns);
    fill(tensor, seed);
    return tensor;
}

static inline bool same_data(const DLTensor *a, const DLTensor *b)
{
    return count_of(a) == 0 || memcmp(a->data, b->data, (size_t)count_of(a) * a->dtype.bits / 8) == 0;
}

static inline double tolerance_of(DLDataType dtype)
{
    return dtype.bits == 64 ? 1e-13 : 2e-6;
}

/* ---- backends and threads ---- */

static inline int backends(ga_backend list[3])
{
    int count = 0;
    for (int b = GA_BACKEND_SCALAR; b <= GA_BACKEND_AVX512; b++) {
        if (ga_backend_available((ga_backend)b)) {
            list[count++] = (ga_backend)b;
        }
    }
    return count;
}

static const int thread_counts[] = { 1, 2, 3, 7 };

/* ---- graphs ---- */

typedef struct graph {
    ga_edges edges;
    int64_t *offsets;
    uint32_t *sources;
} graph;

/* Loops and duplicates happen by chance; every fifth edge repeats the one before it. */
static inline graph graph_of(const ga__edge_shape *shape, uint64_t seed)
{
    uint64_t state = seed + 99;
    int64_t open = shape->targets - shape->isolated;
    graph g = { .offsets = calloc((size_t)shape->targets + 1, sizeof *g.offsets),
                .sources = malloc(((size_t)shape->edges + 1) * sizeof *g.sources) };
    for (int64_t e = 0; e < shape->edges; e++) {
        int64_t target = (int64_t)((noise(&state) + 1) / 2 * (double)open);
        g.offsets[(e < shape->hub ? 1 : target) + 1]++;
    }
    for (int64_t i = 0; i < shape->targets; i++) {
        g.offsets[i + 1] += g.offsets[i];
    }
    for (int64_t e = 0; e < shape->edges; e++) {
        g.sources[e] = (uint32_t)((noise(&state) + 1) / 2 * (double)shape->sources);
        if (e % 5 == 4) {
            g.sources[e] = g.sources[e - 1];
        }
    }
    g.edges = (ga_edges){ shape->targets, shape->sources, shape->edges, g.offsets, g.sources };
    return g;
}

static inline void graph_free(graph *g)
{
    free(g->offsets);
    free(g->sources);
}

#endif
