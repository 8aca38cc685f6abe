/* check_device_tiles.h - attention problems for tests of tiles on a device. */
#ifndef TESTS_CHECK_DEVICE_TILES_H
#define TESTS_CHECK_DEVICE_TILES_H

#include "lib/engine/pattern/pattern.h"
#include "lib/engine/tile_attention/shapes.h"
#include "tests/unit/device/check_device_edges.h"

typedef enum shape_of {
    FULL,
    CAUSAL,
    WINDOW,
    SINKS,
    BLOCKS,
    LISTS,
    EXTRA,
    GHOST,
    NEIGHBOUR,
    PATTERNS
} shape_of;

enum {
    Q,
    K,
    V,
    BIAS,
    TABLE,
    SLOPES,
    ETA,
    SCALE,
    K_EXTRA,
    V_EXTRA,
    FACTOR,
    GAIN,
    COLUMN,
    O,
    LSE,
    WANTED_O,
    WANTED_LSE,
    SLACK,
    TENSORS
};

typedef struct tile_case {
    ga_context *cpu;
    ga__tile_shape n;
    shape_of shape;
    ga_pattern *pattern;
    ga_attention problem;
    DLTensor *t[TENSORS];
    ga_attention_result result;
    double tolerance, unit; /* unit: half of the last place of a weight; 0 = single precision */
    char name[160];
} tile_case;

static inline bool sees_block(void *user, int64_t head, int64_t query, int64_t key)
{
    (void)user;
    return (query * 7 + key * 3 + head * 5) % 4 != 1 && query != 2;
}

static inline void make_lists(tile_case *c)
{
    int64_t *offsets = calloc((size_t)c->n.queries + 1, sizeof *offsets), count = 0;
    int64_t *indices = malloc((size_t)(c->n.queries * c->n.keys + 1) * sizeof *indices);
    for (int64_t i = 0; i < c->n.queries; i++) {
        for (int64_t j = 0; j < c->n.keys; j++) {
            if (i % 9 != 4 && (i * 31 + j * 17 + i * j) % 5 == 0) {
                indices[count++] = j;
            }
        }
        offsets[i + 1] = count;
    }
    test_ok(c->cpu,
            ga_pattern_csr(c->cpu, c->n.queries, c->n.keys, offsets, indices, false, false, &c->pattern));
    free(offsets);
    free(indices);
}

static inline void make_product(tile_case *c)
{
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT } };
    o.axis[0].query_length = c->n.queries;
    o.axis[0].key_length = c->n.keys;
    o.causal = c->shape == CAUSAL;
    if (c->shape == WINDOW || c->shape == SINKS || c->shape == EXTRA) {
        o.axis[0].rule = GA_AXIS_SPAN;
        o.axis[0].left = 30;
        o.axis[0].right = c->shape == EXTRA ? 7 : 0;
        o.always = c->shape == SINKS ? ga__min(3, c->n.keys) : 0;
        o.extra = c->shape == EXTRA ? 3 : 0;
    } else if (c->shape == GHOST) {
        o.axis[0].rule = GA_AXIS_HALO;
        o.axis[0].stride = o.axis[0].window = 8;
        o.axis[0].left = o.axis[0].right = 3;
        o.axis[0].border = GA_BORDER_GHOST;
    } else if (c->shape == NEIGHBOUR) {
        o.axes = 2;
        o.axis[0].rule = o.axis[1].rule = GA_AXIS_NEIGHBOUR;
        o.axis[0].query_length = o.axis[0].key_length = 9;
        o.axis[1].query_length = o.axis[1].key_length = c->n.queries / 9;
        o.axis[0].window = 3;
        o.axis[1].window = 5;
    }
    test_ok(c->cpu, ga_pattern_product(c->cpu, &o, &c->pattern));
}

static inline DLTensor *tensor_of(tile_case *c, int which, DLDataType type, double size, int ndim, int64_t n0,
                                  int64_t n1, int64_t n2, int64_t n3)
{
    const int64_t shape[] = { n0, n1, n2, n3 };
    DLTensor *t = c->t[which] = tensor_new(c->cpu, type, ndim, shape);
    fill(t, (uint64_t)which + 1);
    for (int64_t i = 0; i < count_of(t); i++) {
        set(t, i, get(t, i) * size);
    }
    return t;
}

static inline void make_pattern(tile_case *c)
{
    const ga__tile_shape *n = &c->n;
    if (c->shape == BLOCKS) {
        test_ok(c->cpu, ga_pattern_blocks(c->cpu, n->heads, n->queries, n->keys, 10, 14, sees_block, NULL,
                                          false, &c->pattern));
    } else if (c->shape == LISTS) {
        make_lists(c);
    } else {
        make_product(c);
    }
}

/* Weights that are divided by their sum or below 1 keep what single precision gives; the others add up scores. */
static inline double tolerance_for(const tile_case *c, ga_normaliser_kind kind)
{
    bool adds = kind == GA_IDENTITY || kind == GA_NORM_ATTENTION;
    return adds ? 2e-6 * (double)(c->n.keys + 4) : 4e-6;
}

/* The sizes of the numbers of a tensor, which may be NULL, in its order. Returns owned. */
static inline DLTensor *sizes_of(const tile_case *c, const DLTensor *tensor)
{
    DLTensor *sizes = NULL;
    if (tensor) {
        test_ok(c->cpu, ga_tensor_to_host(c->cpu, tensor, &sizes));
        DLTensor *flat = wide_of(c->cpu, sizes);
        ga_tensor_destroy(c->cpu, sizes);
        sizes = flat;
        for (int64_t i = 0; i < count_of(sizes); i++) {
            set(sizes, i, fabs(get(sizes, i)));
        }
    }
    return sizes;
}

/* What the rows give in double precision. Weights of 16 bits are off by half a unit in the last place: by a part of what
 * they make of the sizes of the values, which slack has. */
static inline void find_wanted(tile_case *c)
{
    const ga__tile_shape *n = &c->n;
    const int64_t o[] = { n->batch, n->heads, n->queries, n->dim_v };
    bool lse = c->problem.normaliser.kind == GA_SOFTMAX;
    c->t[WANTED_O] = tensor_new(c->cpu, f64, 4, o);
    c->t[WANTED_LSE] = lse ? tensor_new(c->cpu, f64, 3, o) : NULL;
    const ga_attention_result wanted = { .o = c->t[WANTED_O], .lse = c->t[WANTED_LSE] };
    test_ok(c->cpu, ga_attention_forward(c->cpu, &c->problem, GA_FAMILY_ROWS, &wanted, NULL));
    if (c->unit > 0) {
        ga_attention sizes = c->problem;
        DLTensor *v = sizes_of(c, c->problem.v), *v_extra = sizes_of(c, c->problem.v_extra);
        sizes.v = v;
        sizes.v_extra = v_extra;
        c->t[SLACK] = tensor_new(c->cpu, f64, 4, o);
        const ga_attention_result slack = { .o = c->t[SLACK] };
        test_ok(c->cpu, ga_attention_forward(c->cpu, &sizes, GA_FAMILY_ROWS, &slack, NULL));
        ga_tensor_destroy(c->cpu, v);
        ga_tensor_destroy(c->cpu, v_extra);
    }
}

static inline void make_case(tile_case *c, const ga__tile_shape *n, shape_of shape, ga_normaliser_kind kind,
                             DLDataType type)
{
    const int64_t o[] = { n->batch, n->heads, n->queries, n->dim_v };
    bool bounded = kind == GA_SOFTMAX || kind == GA_SIGMOID;
    bool sums = bounded || kind == GA_SOFTPLUS || kind == GA_RELU_L1;
    bool rounds = type.bits == 16 && (type.code == kDLBfloat ? sums : bounded);
    *c = (tile_case){ .cpu = test_threads_context(2), .n = *n, .shape = shape, .problem = GA_ATTENTION_INIT };
    ga_attention *p = &c->problem;
    p->q = tensor_of(c, Q, type, 1.5, 4, n->batch, n->heads, n->queries, n->dim);
    p->k = tensor_of(c, K, type, 1.5, 4, n->batch, n->kv_heads, n->keys, n->dim);
    p->v = tensor_of(c, V, type, 1, 4, n->batch, n->kv_heads, n->keys, n->dim_v);
    make_pattern(c);
    p->pattern = c->pattern;
    p->score.scale = kind == GA_SOFTPLUS ? 0.3 : 1 / sqrt((double)n->dim + 0.5);
    p->normaliser.kind = kind;
    p->normaliser.bias = kind == GA_SIGMOID ? 0.25 : 0;
    p->normaliser.bias_mode = (ga_bias_mode)(n->queries % 3);
    p->normaliser.eta = (ga_eta)(n->queries % 3);
    if (kind == GA_NORM_ATTENTION) {
        p->normaliser.eta_logits = tensor_of(c, ETA, f32, 1, 3, n->batch, n->heads, n->queries, 1);
    }
    if (shape == EXTRA) {
        p->k_extra = tensor_of(c, K_EXTRA, type, 1, 4, n->batch, n->kv_heads, 3, n->dim);
        p->v_extra = tensor_of(c, V_EXTRA, type, 1, 4, n->batch, n->kv_heads, 3, n->dim_v);
    }
    c->result.o = c->t[O] = tensor_new(c->cpu, f32, 4, o);
    c->result.lse = c->t[LSE] = kind == GA_SOFTMAX ? tensor_new(c->cpu, f32, 3, o) : NULL;
    c->tolerance = tolerance_for(c, kind);
    c->unit = rounds ? type.code == kDLBfloat ? 0x1p-8 : 0x1p-11 : 0;
    (void)snprintf(c->name, sizeof c->name, "pattern %d kind %d type %d/%d B%d H%d/%d %d x %d d%d e%d",
                   (int)shape, (int)kind, type.code, type.bits, (int)n->batch, (int)n->heads,
                   (int)n->kv_heads, (int)n->queries, (int)n->keys, (int)n->dim, (int)n->dim_v);
}

static inline void free_case(tile_case *c)
{
    drop_tensors(c->cpu, c->t, TENSORS);
    ga_pattern_destroy(c->cpu, c->pattern);
    ga_context_destroy(c->cpu);
}

/* slack (may be NULL) times unit is allowed beside the tolerance. */
static inline void near(const DLTensor *found, const DLTensor *wanted, const DLTensor *slack, double unit,
                        double tolerance, const char *what)
{
    for (int64_t i = 0; wanted && i < count_of(wanted); i++) {
        double x = get(found, i), y = get(wanted, i);
        double most = tolerance * (1 + fabs(y)) + (slack ? unit * fabs(get(slack, i)) : 0);
        expect(x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= most, "%s: element %lld is %.9g, not %.9g",
               what, (long long)i, x, y);
    }
}

static inline void check_case(ga_context *context, tile_case *c, const char *schedule)
{
    char what[256];
    ga_family used = GA_FAMILY_AUTO;
    memset(c->t[O]->data, 0xff, (size_t)count_of(c->t[O]) * sizeof(float));
    test_ok(context, ga_attention_forward(context, &c->problem, GA_FAMILY_AUTO, &c->result, &used));
    ck_assert_int_eq(used, GA_FAMILY_TILES);
    (void)snprintf(what, sizeof what, "o, %s, %s", c->name, schedule);
    near(c->t[O], c->t[WANTED_O], c->t[SLACK], c->unit, c->tolerance, what);
    (void)snprintf(what, sizeof what, "lse, %s, %s", c->name, schedule);
    near(c->t[LSE], c->t[WANTED_LSE], NULL, 0, 4e-6, what);
}

#endif
