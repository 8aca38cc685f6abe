/* check_tiles_backward.h - attention problems of many kinds for the tests of their gradients. */
#ifndef TESTS_CHECK_TILES_BACKWARD_H
#define TESTS_CHECK_TILES_BACKWARD_H

#include <graphattn/engine.h>
#include <math.h>

#include "lib/engine/pattern/pattern.h"
#include "lib/engine/view.h"
#include "tests/unit/support.h"

/* ---- problems ---- */

typedef struct array {
    DLTensor tensor;
    int64_t shape[4];
} array;

static const DLDataType f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 }, f16 = { kDLFloat, 16, 1 },
                        bf16 = { kDLBfloat, 16, 1 };

static int64_t count_of(const array *a)
{
    int64_t count = 1;
    for (int i = 0; i < a->tensor.ndim; i++) {
        count *= a->shape[i];
    }
    return count;
}

static DLTensor *make(array *a, DLDataType type, int ndim, int64_t n0, int64_t n1, int64_t n2, int64_t n3)
{
    const int64_t shape[] = { n0, n1, n2, n3 };
    *a = (array){ .tensor = { .device = { kDLCPU, 0 }, .dtype = type, .ndim = ndim } };
    memcpy(a->shape, shape, sizeof shape);
    a->tensor.shape = a->shape;
    size_t bytes = (size_t)count_of(a) * type.bits / 8;
    a->tensor.data = malloc(bytes + 1);
    memset(a->tensor.data, 0xff, bytes); /* not a number: what is not written shows */
    return &a->tensor;
}

static double at(const array *a, int64_t i)
{
    const void *data = a->tensor.data;
    switch (a->tensor.dtype.bits) {
    case 64: return ((const double *)data)[i];
    case 32: return (double)((const float *)data)[i];
    default:
        return a->tensor.dtype.code == kDLBfloat ? (double)ga__from_bf16(((const uint16_t *)data)[i])
                                                 : (double)ga__from_f16(((const uint16_t *)data)[i]);
    }
}

static void put(array *a, int64_t i, double value)
{
    void *data = a->tensor.data;
    switch (a->tensor.dtype.bits) {
    case 64: ((double *)data)[i] = value; break;
    case 32: ((float *)data)[i] = (float)value; break;
    default:
        ((uint16_t *)data)[i] =
            a->tensor.dtype.code == kDLBfloat ? ga__to_bf16((float)value) : ga__to_f16((float)value);
    }
}

static DLTensor *fill(array *a, double size)
{
    static uint64_t state = 1;
    for (int64_t i = 0; i < count_of(a); i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        put(a, i, size * ((double)(state >> 11) * 0x1p-52 - 1));
    }
    return &a->tensor;
}

typedef enum shape_of {
    FULL,
    CAUSAL,
    WINDOW,
    NEIGHBOUR,
    BLOCKS,
    LISTS,
    EXTRA,
    GHOST,
    GHOST_OWN,
    PATTERNS
} shape_of;

typedef struct setup {
    int64_t batch, heads, kv, queries, keys, dim, dim_v;
    shape_of pattern;
    ga_normaliser_kind kind;
    const DLDataType *type;
    double softcap, power, sharpness;
    bool bias, bias_shared, table, table_shared, slopes, head_scale, given, wide_out;
    ga_eta eta;
    ga_bias_mode mode;
} setup;

static setup sized(int64_t batch, int64_t heads, int64_t kv, int64_t queries, int64_t keys, int64_t dim,
                   int64_t dim_v, shape_of pattern)
{
    setup s = { .batch = batch, .heads = heads, .kv = kv, .queries = queries };
    s.keys = keys;
    s.dim = dim;
    s.dim_v = dim_v;
    s.pattern = pattern;
    return s;
}

enum {
    Q,
    K,
    V,
    BIAS,
    TABLE,
    SLOPES,
    SIGMOID,
    ETA,
    K_EXTRA,
    V_EXTRA,
    GHOST_K,
    GHOST_V,
    SCALE,
    GRAD_O,
    O,
    LSE,
    ARRAYS
};
static const char *const names[] = {
    "q",   "k",       "v",       "bias",    "table",  "slopes", "sigmoid_bias",
    "eta", "k_extra", "v_extra", "ghost_k", "ghost_v"
};
enum { OUTPUTS = SCALE };

typedef struct world {
    setup s;
    ga_context *context;
    ga_pattern *pattern;
    array in[ARRAYS];
    ga_attention problem;
} world;

typedef struct outputs {
    array out[OUTPUTS];
    ga_attention_gradients g;
} outputs;

static bool sees_block(void *user, int64_t head, int64_t block_query, int64_t block_key)
{
    (void)user;
    return (block_query * 7 + block_key * 3 + head * 5) % 4 != 1 && block_query != 2;
}

static void make_lists(world *w)
{
    int64_t *offsets = calloc((size_t)w->s.queries + 1, sizeof *offsets), *indices = NULL, count = 0;
    indices = malloc((size_t)(w->s.queries * w->s.keys + 1) * sizeof *indices);
    for (int64_t i = 0; i < w->s.queries; i++) {
        for (int64_t j = 0; j < w->s.keys; j++) {
            if (i % 9 != 4 && (i * 31 + j * 17 + i * j) % 5 == 0) {
                indices[count++] = j;
            }
        }
        offsets[i + 1] = count;
    }
    test_ok(w->context,
            ga_pattern_csr(w->context, w->s.queries, w->s.keys, offsets, indices, false, false, &w->pattern));
    free(offsets);
    free(indices);
}

static void make_product(world *w)
{
    const setup *s = &w->s;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT } };
    o.axis[0].query_length = s->queries;
    o.axis[0].key_length = s->keys;
    switch (s->pattern) {
    case WINDOW:
    case EXTRA:
        o.axis[0].rule = GA_AXIS_SPAN;
        o.axis[0].left = 30;
        o.axis[0].right = s->pattern == WINDOW ? 0 : 7;
        o.always = s->pattern == WINDOW ? 3 : 0;
        o.extra = s->pattern == EXTRA ? 3 : 0;
        break;
    case NEIGHBOUR:
        o.axes = 2;
        o.axis[0].rule = o.axis[1].rule = GA_AXIS_NEIGHBOUR;
        o.axis[0].query_length = o.axis[0].key_length = 9;
        o.axis[1].query_length = o.axis[1].key_length = s->queries / 9;
        o.axis[0].window = 3;
        o.axis[1].window = 5;
        break;
    case GHOST:
    case GHOST_OWN:
        o.axis[0].rule = GA_AXIS_HALO;
        o.axis[0].stride = 8;
        o.axis[0].window = 8;
        o.axis[0].left = o.axis[0].right = 3;
        o.axis[0].border = s->pattern == GHOST ? GA_BORDER_GHOST : GA_BORDER_BIAS;
        break;
    default: o.causal = s->pattern == CAUSAL; break;
    }
    test_ok(w->context, ga_pattern_product(w->context, &o, &w->pattern));
}

static void make_pattern(world *w)
{
    const setup *s = &w->s;
    if (s->pattern == BLOCKS) {
        test_ok(w->context, ga_pattern_blocks(w->context, s->heads, s->queries, s->keys, 10, 14, sees_block,
                                              NULL, false, &w->pattern));
    } else if (s->pattern == LISTS) {
        make_lists(w);
    } else {
        make_product(w);
    }
}

static void make_score(world *w)
{
    const setup *s = &w->s;
    ga_attention *p = &w->problem;
    p->score.scale =
        s->kind == GA_SOFTPLUS || s->kind == GA_SOFTPLUS_REWEIGHT ? 0.3 : 1 / sqrt((double)s->dim + 0.5);
    p->score.scale *= s->sharpness > 0 ? s->sharpness : 1;
    p->score.softcap = s->softcap;
    if (s->bias) {
        make(&w->in[BIAS], f32, 3, s->bias_shared ? 1 : s->heads, s->queries, s->keys, 1);
        p->score.bias = fill(&w->in[BIAS], 1);
    }
    if (s->table && w->pattern->query_cell) {
        const int64_t *n = w->pattern->table_shape;
        make(&w->in[TABLE], f32, 1 + w->pattern->table_axes, s->table_shared ? 1 : s->heads, n[0], n[1],
             n[2]);
        p->score.table = fill(&w->in[TABLE], 1);
    }
    if (s->slopes) {
        make(&w->in[SLOPES], f32, 1, s->heads, 1, 1, 1);
        p->score.slopes = fill(&w->in[SLOPES], 0.1);
    }
    if (s->head_scale) {
        make(&w->in[SCALE], f32, 1, s->heads, 1, 1, 1);
        p->head_scale = fill(&w->in[SCALE], 2);
    }
}

static void make_normaliser(world *w)
{
    const setup *s = &w->s;
    ga_normaliser *n = &w->problem.normaliser;
    n->kind = s->kind;
    n->bias = s->kind == GA_SIGMOID ? 0.25 : 0;
    n->bias_mode = s->mode;
    n->power = s->power > 0 ? s->power : 3;
    n->offset = 0.5;
    n->eps = s->kind == GA_RELU_L1 ? 2 : 1e-5; /* some rows are divided by eps, some by their sum */
    n->eta = s->eta;
    if (s->kind == GA_NORM_ATTENTION) {
        make(&w->in[ETA], f32, 3, s->batch, s->heads, s->queries, 1);
        n->eta_logits = fill(&w->in[ETA], 1);
    }
}

static void make_additions(world *w)
{
    const setup *s = &w->s;
    ga_attention *p = &w->problem;
    if (s->pattern == EXTRA) {
        make(&w->in[K_EXTRA], *s->type, 4, s->batch, s->kv, 3, s->dim);
        make(&w->in[V_EXTRA], *s->type, 4, s->batch, s->kv, 3, s->dim_v);
        p->k_extra = fill(&w->in[K_EXTRA], 1);
        p->v_extra = fill(&w->in[V_EXTRA], 1);
    }
    if (s->pattern == GHOST_OWN) {
        make(&w->in[GHOST_K], *s->type, 2, s->heads, s->dim, 1, 1);
        make(&w->in[GHOST_V], *s->type, 2, s->heads, s->dim_v, 1, 1);
        p->ghost_k = fill(&w->in[GHOST_K], 1);
        p->ghost_v = fill(&w->in[GHOST_V], 1);
    }
}

static void open_world(world *w, const setup *s, ga_context *context)
{
    *w = (world){ .s = *s, .context = context, .problem = GA_ATTENTION_INIT };
    w->s.type = s->type ? s->type : &f32;
    s = &w->s;
    make(&w->in[Q], *s->type, 4, s->batch, s->heads, s->queries, s->dim);
    make(&w->in[K], *s->type, 4, s->batch, s->kv, s->keys, s->dim);
    make(&w->in[V], *s->type, 4, s->batch, s->kv, s->keys, s->dim_v);
    make(&w->in[GRAD_O], *s->type, 4, s->batch, s->heads, s->queries, s->dim_v);
    w->problem.q = fill(&w->in[Q], 1.5);
    w->problem.k = fill(&w->in[K], 1.5);
    w->problem.v = fill(&w->in[V], 1);
    fill(&w->in[GRAD_O], 1);
    make_pattern(w);
    w->problem.pattern = w->pattern;
    make_score(w);
    make_normaliser(w);
    make_additions(w);
    if (s->given && s->kind == GA_SOFTMAX) {
        ga_attention_result r = { .o = make(&w->in[O], f32, 4, s->batch, s->heads, s->queries, s->dim_v),
                                  .lse = make(&w->in[LSE], f32, 3, s->batch, s->heads, s->queries, 1) };
        test_ok(context, ga_attention_forward(context, &w->problem, GA_FAMILY_ROWS, &r, NULL));
    }
}

static void close_world(world *w)
{
    for (int i = 0; i < ARRAYS; i++) {
        free(w->in[i].tensor.data);
    }
    ga_pattern_destroy(w->context, w->pattern);
}

/* Every gradient that the problem has. */
static void open_outputs(outputs *o, const world *w, DLDataType type)
{
    *o = (outputs){ .g = { .grad_o = &w->in[GRAD_O].tensor } };
    if (w->in[O].tensor.data) {
        o->g.o = &w->in[O].tensor;
        o->g.lse = &w->in[LSE].tensor;
    }
    DLTensor **to[] = { &o->g.q,
                        &o->g.k,
                        &o->g.v,
                        &o->g.bias,
                        &o->g.table,
                        &o->g.slopes,
                        &o->g.sigmoid_bias,
                        &o->g.eta_logits,
                        &o->g.k_extra,
                        &o->g.v_extra,
                        &o->g.ghost_k,
                        &o->g.ghost_v };
    for (int i = 0; i < OUTPUTS; i++) {
        const array *in = &w->in[i];
        if (i == SIGMOID && w->s.kind == GA_SIGMOID) {
            *to[i] = make(&o->out[i], type, 1, 1, 1, 1, 1);
        } else if (in->tensor.data) {
            *to[i] = make(&o->out[i], type, in->tensor.ndim, in->shape[0], in->shape[1], in->shape[2],
                          in->shape[3]);
        }
    }
}

static void close_outputs(outputs *o)
{
    for (int i = 0; i < OUTPUTS; i++) {
        free(o->out[i].tensor.data);
    }
}

static void backward(const world *w, ga_context *context, ga_family family, outputs *o)
{
    ga_family used;
    test_ok(context, ga_attention_backward(context, &w->problem, family, &o->g, &used));
    ck_assert_int_eq(used, family);
}

static void compare(const world *w, const outputs *found, const outputs *expected, double tolerance)
{
    for (int i = 0; i < OUTPUTS; i++) {
        const array *x = &found->out[i], *y = &expected->out[i];
        double most = 1e-3, error = 0;
        int64_t worst = 0;
        for (int64_t c = 0; y->tensor.data && c < count_of(y); c++) {
            double e = fabs(at(x, c) - at(y, c));
            most = fmax(most, fabs(at(y, c)));
            if (!(e <= error)) {
                error = e;
                worst = c;
            }
        }
        ck_assert_msg(
            error <= tolerance * most,
            "gradient of %s, %s, pattern %d, normaliser %d, dim %d, %d: element %lld: %g, not %g (most %g)",
            names[i], ga_backend_name(ga_context_backend(w->context)), (int)w->s.pattern, (int)w->s.kind,
            (int)w->s.dim, (int)w->s.dim_v, (long long)worst, at(x, worst), at(y, worst), most);
    }
}

static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };

/* Tiles of every backend against rows. */
static void check_setup(const setup *s, double tolerance)
{
    ga_context *context = test_threads_context(2);
    world w;
    outputs expected, found;
    open_world(&w, s, context);
    open_outputs(&expected, &w, f64);
    backward(&w, context, GA_FAMILY_ROWS, &expected);
    for (int i = 0; i < 3; i++) {
        if (!ga_backend_available(backends[i])) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, backends[i]));
        open_outputs(&found, &w, s->wide_out ? f64 : f32);
        backward(&w, context, GA_FAMILY_TILES, &found);
        compare(&w, &found, &expected, tolerance);
        close_outputs(&found);
    }
    close_outputs(&expected);
    close_world(&w);
    ga_context_destroy(context);
}

#endif
