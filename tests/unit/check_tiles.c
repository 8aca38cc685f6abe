/* check_tiles.c - attention by tiles against the rows in double precision. */
#include <graphattn/engine.h>
#include <math.h>

#include "lib/engine/isa.h"
#include "lib/engine/pattern/pattern.h"
#include "lib/engine/tile_attention/shapes.h"
#include "lib/engine/view.h"
#include "tests/unit/support.h"

/* ---- problems ---- */

typedef struct array {
    DLTensor tensor;
    int64_t shape[4];
} array;

static const DLDataType f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 }, f16 = { kDLFloat, 16, 1 },
                        bf16 = { kDLBfloat, 16, 1 }, i32 = { kDLInt, 32, 1 };

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
    if (a->tensor.dtype.code == kDLInt) {
        return ((const int32_t *)data)[i];
    }
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

static uint64_t state = 1;
static double draw(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(state >> 11) * 0x1p-52 - 1;
}
static DLTensor *fill(array *a, double size)
{
    for (int64_t i = 0; i < count_of(a); i++) {
        put(a, i, size * draw());
    }
    return &a->tensor;
}

typedef enum shape_of {
    FULL,
    CAUSAL,
    WINDOW,
    SINKS,
    NEIGHBOUR,
    BLOCKS,
    LISTS,
    EXTRA,
    GHOST,
    GHOST_OWN,
    PATTERNS
} shape_of;

typedef struct setup {
    ga__tile_shape shape;
    shape_of pattern;
    ga_normaliser_kind kind;
    const DLDataType *type;
    double softcap, power, size;
    bool negative, bias, bias_shared, table, table_shared, slopes, head_scale, post, statistics, columns;
    ga_eta eta;
    ga_bias_mode mode;
} setup;

enum { Q, K, V, BIAS, TABLE, SLOPES, ETA, K_EXTRA, V_EXTRA, GHOST_K, GHOST_V, SCALE, ARRAYS };
enum { O, LSE, ENTROPY, MAX, ARGMAX, MASS, COLUMNS, TOP_INDICES, TOP_WEIGHTS, OUTPUTS };
static const char *const names[] = { "o",    "lse",     "entropy",     "max",        "argmax",
                                     "mass", "columns", "top_indices", "top_weights" };

typedef struct world {
    setup s;
    ga_context *context;
    ga_pattern *pattern;
    array in[ARRAYS];
    int32_t *classes;
    ga_post post;
    ga_attention problem;
} world;

typedef struct outputs {
    array out[OUTPUTS];
    ga_row_statistics statistics;
    ga_attention_result result;
} outputs;

static bool sees_block(void *user, int64_t head, int64_t block_query, int64_t block_key)
{
    (void)user;
    return (block_query * 7 + block_key * 3 + head * 5) % 4 != 1 && block_query != 2;
}

static void make_lists(world *w)
{
    const ga__tile_shape *n = &w->s.shape;
    int64_t *offsets = calloc((size_t)n->queries + 1, sizeof *offsets), *indices = NULL, count = 0;
    indices = malloc((size_t)(n->queries * n->keys + 1) * sizeof *indices);
    for (int64_t i = 0; i < n->queries; i++) {
        for (int64_t j = 0; j < n->keys; j++) {
            if (i % 9 != 4 && (i * 31 + j * 17 + i * j) % 5 == 0) {
                indices[count++] = j;
            }
        }
        offsets[i + 1] = count;
    }
    test_ok(w->context,
            ga_pattern_csr(w->context, n->queries, n->keys, offsets, indices, false, false, &w->pattern));
    free(offsets);
    free(indices);
}

static void make_product(world *w)
{
    const ga__tile_shape *n = &w->s.shape;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT } };
    o.axis[0].query_length = n->queries;
    o.axis[0].key_length = n->keys;
    switch (w->s.pattern) {
    case WINDOW:
    case SINKS:
    case EXTRA:
        o.axis[0].rule = GA_AXIS_SPAN;
        o.axis[0].left = 30;
        o.axis[0].right = w->s.pattern == EXTRA ? 7 : 0;
        o.always = w->s.pattern == SINKS ? ga__min(3, n->keys) : 0;
        o.extra = w->s.pattern == EXTRA ? 3 : 0;
        break;
    case NEIGHBOUR:
        o.axes = 2;
        o.axis[0].rule = o.axis[1].rule = GA_AXIS_NEIGHBOUR;
        o.axis[0].query_length = o.axis[0].key_length = 9;
        o.axis[1].query_length = o.axis[1].key_length = n->queries / 9;
        o.axis[0].window = 3;
        o.axis[1].window = 5;
        break;
    case GHOST:
    case GHOST_OWN:
        o.axis[0].rule = GA_AXIS_HALO;
        o.axis[0].stride = 8;
        o.axis[0].window = 8;
        o.axis[0].left = o.axis[0].right = 3;
        o.axis[0].border = w->s.pattern == GHOST ? GA_BORDER_GHOST : GA_BORDER_BIAS;
        break;
    default: o.causal = w->s.pattern == CAUSAL; break;
    }
    test_ok(w->context, ga_pattern_product(w->context, &o, &w->pattern));
}

static void make_pattern(world *w)
{
    const ga__tile_shape *n = &w->s.shape;
    if (w->s.pattern == BLOCKS) {
        test_ok(w->context, ga_pattern_blocks(w->context, n->heads, n->queries, n->keys, 10, 14, sees_block,
                                              NULL, false, &w->pattern));
    } else if (w->s.pattern == LISTS) {
        make_lists(w);
    } else {
        make_product(w);
    }
}

static void make_score(world *w)
{
    const setup *s = &w->s;
    const ga__tile_shape *n = &s->shape;
    ga_attention *p = &w->problem;
    p->score.scale =
        s->kind == GA_SOFTPLUS || s->kind == GA_SOFTPLUS_REWEIGHT ? 0.3 : 1 / sqrt((double)n->dim + 0.5);
    p->score.scale *= s->negative ? -1 : 1;
    p->score.softcap = s->softcap;
    if (s->bias) {
        make(&w->in[BIAS], f32, 3, s->bias_shared ? 1 : n->heads, n->queries, n->keys, 1);
        p->score.bias = fill(&w->in[BIAS], 1);
    }
    if (s->table && w->pattern->query_cell) {
        const int64_t *c = w->pattern->table_shape;
        make(&w->in[TABLE], f32, 1 + w->pattern->table_axes, s->table_shared ? 1 : n->heads, c[0], c[1],
             c[2]);
        p->score.table = fill(&w->in[TABLE], 1);
    }
    if (s->slopes) {
        make(&w->in[SLOPES], f32, 1, n->heads, 1, 1, 1);
        p->score.slopes = fill(&w->in[SLOPES], 0.1);
    }
    if (s->head_scale) {
        make(&w->in[SCALE], f32, 1, n->heads, 1, 1, 1);
        p->head_scale = fill(&w->in[SCALE], 2);
    }
}

static void factors(void *user, int64_t batch, int64_t head, int64_t query, const double *mass,
                    double *factor)
{
    (void)user;
    factor[0] = 0.5 + 0.1 * (double)(batch + head);
    factor[1] = 1 + mass[0];
    factor[2] = query % 2 ? -1 : 2 * mass[2];
}

static void make_rest(world *w)
{
    const setup *s = &w->s;
    const ga__tile_shape *n = &s->shape;
    ga_attention *p = &w->problem;
    p->normaliser.kind = s->kind;
    p->normaliser.bias = s->kind == GA_SIGMOID ? 0.25 : 0;
    p->normaliser.bias_mode = s->mode;
    p->normaliser.power = s->power > 0 ? s->power : 3;
    p->normaliser.offset = 0.5;
    p->normaliser.eta = s->eta;
    if (s->kind == GA_NORM_ATTENTION) {
        make(&w->in[ETA], f32, 3, n->batch, n->heads, n->queries, 1);
        p->normaliser.eta_logits = fill(&w->in[ETA], 1);
    }
    if (s->pattern == EXTRA) {
        make(&w->in[K_EXTRA], *s->type, 4, n->batch, n->kv_heads, 3, n->dim);
        make(&w->in[V_EXTRA], *s->type, 4, n->batch, n->kv_heads, 3, n->dim_v);
        p->k_extra = fill(&w->in[K_EXTRA], 1);
        p->v_extra = fill(&w->in[V_EXTRA], 1);
    }
    if (s->pattern == GHOST_OWN) {
        make(&w->in[GHOST_K], *s->type, 2, n->heads, n->dim, 1, 1);
        make(&w->in[GHOST_V], *s->type, 2, n->heads, n->dim_v, 1, 1);
        p->ghost_k = fill(&w->in[GHOST_K], 1);
        p->ghost_v = fill(&w->in[GHOST_V], 1);
    }
    w->classes = malloc((size_t)(n->keys + 1) * sizeof *w->classes);
    for (int64_t j = 0; j < n->keys; j++) {
        w->classes[j] = (int32_t)(j * 7 % 3);
    }
    w->post =
        (ga_post){ .form = GA_POST_CLASSWISE, .classes = w->classes, .class_count = 3, .factors = factors };
    p->post = s->post ? &w->post : NULL;
}

static void open_world(world *w, const setup *s, ga_context *context)
{
    *w = (world){ .s = *s, .context = context, .problem = GA_ATTENTION_INIT };
    w->s.type = s->type ? s->type : &f32;
    s = &w->s;
    const ga__tile_shape *n = &s->shape;
    double size = s->size > 0 ? s->size : 1.5;
    make(&w->in[Q], *s->type, 4, n->batch, n->heads, n->queries, n->dim);
    make(&w->in[K], *s->type, 4, n->batch, n->kv_heads, n->keys, n->dim);
    make(&w->in[V], *s->type, 4, n->batch, n->kv_heads, n->keys, n->dim_v);
    w->problem.q = fill(&w->in[Q], size);
    w->problem.k = fill(&w->in[K], size);
    w->problem.v = fill(&w->in[V], 1);
    make_pattern(w);
    w->problem.pattern = w->pattern;
    make_score(w);
    make_rest(w);
}

static void close_world(world *w)
{
    for (int i = 0; i < ARRAYS; i++) {
        free(w->in[i].tensor.data);
    }
    free(w->classes);
    ga_pattern_destroy(w->context, w->pattern);
}

static void open_outputs(outputs *o, const world *w, const DLDataType *type)
{
    const ga__tile_shape *n = &w->s.shape;
    const DLDataType real = type->bits == 64 ? f64 : f32;
    *o = (outputs){ 0 };
    o->result.o = make(&o->out[O], *type, 4, n->batch, n->heads, n->queries, n->dim_v);
    if (w->s.kind == GA_SOFTMAX) {
        o->result.lse = make(&o->out[LSE], real, 3, n->batch, n->heads, n->queries, 1);
    }
    if (w->s.statistics || w->s.columns) {
        o->result.statistics = &o->statistics;
    }
    if (w->s.columns) {
        o->statistics.column_sum = make(&o->out[COLUMNS], real, 3, n->batch, n->heads, n->keys, 1);
    }
    if (w->s.statistics) {
        ga_row_statistics *s = &o->statistics;
        s->classes = w->classes;
        s->class_count = 3;
        s->top_k = 4;
        s->entropy = make(&o->out[ENTROPY], real, 3, n->batch, n->heads, n->queries, 1);
        s->max = make(&o->out[MAX], real, 3, n->batch, n->heads, n->queries, 1);
        s->argmax = make(&o->out[ARGMAX], i32, 3, n->batch, n->heads, n->queries, 1);
        s->class_mass = make(&o->out[MASS], real, 4, n->batch, n->heads, n->queries, 3);
        s->top_indices = make(&o->out[TOP_INDICES], i32, 4, n->batch, n->heads, n->queries, 4);
        s->top_weights = make(&o->out[TOP_WEIGHTS], real, 4, n->batch, n->heads, n->queries, 4);
    }
}

static void close_outputs(outputs *o)
{
    for (int i = 0; i < OUTPUTS; i++) {
        free(o->out[i].tensor.data);
    }
}

/* ---- against the rows ---- */

static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };

/* Products of bf16 round the weights, not the scores: the output alone is off, by parts of a value. */
static double slack_of(const world *w, ga_backend backend)
{
    const setup *s = &w->s;
    bool sums =
        s->kind == GA_SOFTMAX || s->kind == GA_SIGMOID || s->kind == GA_SOFTPLUS || s->kind == GA_RELU_L1;
    bool rounds = s->type->code == kDLBfloat && backend == GA_BACKEND_AVX512 && ga__machine_has_bf16();
    return sums && rounds ? 4e-3 : 0;
}

static void compare(const outputs *a, const outputs *b, const char *what, double rtol, double given,
                    double slack)
{
    for (int i = 0; i < OUTPUTS; i++) {
        double atol = given + (i == O ? slack : 0);
        for (int64_t j = 0; a->out[i].tensor.data && j < count_of(&a->out[i]); j++) {
            double x = at(&a->out[i], j), y = at(&b->out[i], j);
            bool same = x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= atol + rtol * fabs(y);
            if (!same) { /* an assertion for every number takes long */
                ck_abort_msg("%s: %s[%lld] is %.9g, not %.9g", what, names[i], (long long)j, x, y);
            }
        }
    }
}

static void check_world(world *w, double rtol, double atol)
{
    outputs expected, found;
    ga_family used;
    open_outputs(&expected, w, &f64);
    test_ok(w->context,
            ga_attention_forward(w->context, &w->problem, GA_FAMILY_ROWS, &expected.result, NULL));
    for (int i = 0; i < 3; i++) {
        if (!ga_backend_available(backends[i])) {
            continue;
        }
        char what[256];
        const ga__tile_shape *n = &w->s.shape;
        snprintf(what, sizeof what, "backend %s pattern %d kind %d B%d H%d/%d %d x %d d%d e%d",
                 ga_backend_name(backends[i]), w->s.pattern, w->s.kind, (int)n->batch, (int)n->heads,
                 (int)n->kv_heads, (int)n->queries, (int)n->keys, (int)n->dim, (int)n->dim_v);
        test_ok(w->context, ga_context_set_backend(w->context, backends[i]));
        open_outputs(&found, w, &f32);
        test_ok(w->context,
                ga_attention_forward(w->context, &w->problem, GA_FAMILY_TILES, &found.result, &used));
        ck_assert_int_eq(used, GA_FAMILY_TILES);
        compare(&found, &expected, what, rtol, atol, slack_of(w, backends[i]));
        close_outputs(&found);
    }
    close_outputs(&expected);
}

static void check_setup(const setup *s, double rtol, double atol)
{
    world w;
    ga_context *context = test_threads_context(2);
    open_world(&w, s, context);
    check_world(&w, rtol, atol);
    close_world(&w);
    ga_context_destroy(context);
}

static bool fits(shape_of pattern, const ga__tile_shape *n, ga_normaliser_kind kind)
{
    bool ghosts = pattern == GHOST || pattern == GHOST_OWN;
    return !(ghosts && kind != GA_SOFTMAX) && !(pattern >= GHOST && n->queries != n->keys) &&
           pattern != NEIGHBOUR;
}

/* Weights that are divided by their sum, or are below 1, keep what single precision gives; the others may be
 * large and cancel. */
static double atol_of(ga_normaliser_kind kind)
{
    switch (kind) {
    case GA_SOFTMAX:
    case GA_SIGMOID:
    case GA_SOFTPLUS:
    case GA_RELU_L1: return 1e-6;
    default: return kind == GA_NORM_ATTENTION ? 1e-5 : 4e-6;
    }
}

START_TEST(shapes)
{
    for (int i = 0; i < GA__TILE_SHAPES; i++) {
        for (int pattern = 0; pattern < PATTERNS; pattern++) {
            setup s = {
                .shape = ga__tile_shapes[i], .pattern = pattern, .kind = _i, .size = i > 5 ? 0.7 : 1.5
            };
            s.statistics = i % 4 == 0 && _i != GA_SOFTPLUS_REWEIGHT && pattern < LISTS;
            if (fits(pattern, &s.shape, _i)) {
                double atol = _i == GA_RELU_L1 && s.statistics ? 1e-5 : atol_of(_i);
                check_setup(&s, atol < 2e-6 ? 1e-5 : 2e-5, atol);
            }
        }
    }
    setup grid = { .shape = { 1, 2, 1, 126, 126, 24, 20 }, .pattern = NEIGHBOUR, .kind = _i };
    check_setup(&grid, 2e-5, atol_of(_i));
}
END_TEST

START_TEST(ghosts)
{
    for (int pattern = EXTRA; pattern < PATTERNS; pattern++) {
        setup s = { .shape = { 2, 4, 2, 64, 64, 16, 16 },
                    .pattern = pattern,
                    .table = true,
                    .slopes = true,
                    .bias = true };
        s.post = s.statistics = true;
        check_setup(&s, 2e-5, 2e-6);
    }
}
END_TEST

START_TEST(scores)
{
    const setup base = { .shape = { 2, 4, 2, 70, 99, 20, 18 },
                         .kind = _i % GA_P_LAPLACIAN,
                         .pattern = WINDOW };
    for (int bits = 1; bits < 64; bits = bits * 2 + (bits == 4)) {
        setup s = base;
        s.softcap = bits & 1 ? 2 : 0;
        s.bias = bits & 2;
        s.bias_shared = bits & 16;
        s.table = bits & 4;
        s.table_shared = bits & 8;
        s.slopes = bits & 8;
        s.head_scale = bits & 16;
        s.power = bits & 32 ? 2.5 : 15;
        s.mode = bits % 3;
        s.eta = bits % 3;
        check_setup(&s, 4e-5, 4e-6);
    }
}
END_TEST

START_TEST(statistics)
{
    for (int pattern = 0; pattern < EXTRA; pattern++) {
        setup s = { .shape = { 2, 4, 2, 126, 126, 20, 18 }, .kind = _i, .pattern = pattern };
        s.columns = s.statistics = true;
        s.post = pattern % 2 == 0;
        check_setup(&s, 1e-4, _i >= GA_NORM_ATTENTION ? 2e-4 : 2e-5);
    }
}
END_TEST

START_TEST(large)
{
    for (int pattern = 0; pattern < LISTS; pattern++) {
        setup s = { .shape = { 1, 2, 1, 90, 90, 64, 64 }, .pattern = pattern, .size = 12 };
        if (pattern != NEIGHBOUR) {
            check_setup(&s, 2e-4, 2e-5);
        }
    }
}
END_TEST

START_TEST(halves)
{
    const DLDataType *types[] = { &bf16, &f16 };
    for (int t = 0; t < 2; t++) {
        for (int pattern = 0; pattern <= BLOCKS; pattern++) {
            setup s = {
                .shape = { 1, 4, 2, 70, 130, 37, 19 }, .pattern = pattern, .type = types[t], .kind = _i
            };
            s.statistics = pattern == SINKS && _i != GA_SOFTPLUS_REWEIGHT;
            s.bias = pattern == BLOCKS;
            if (fits(pattern, &s.shape, _i)) {
                check_setup(&s, 2e-5, _i == GA_NORM_ATTENTION ? 1e-5 : 4e-6);
            }
        }
    }
}
END_TEST

/* Pairs at the borders of everything, several items a head, and a negative scale. */
START_TEST(pairs)
{
    for (int i = 0; i < GA__TILE_SHAPES; i++) {
        for (int pattern = FULL; pattern <= LISTS; pattern++) {
            setup s = { .shape = ga__tile_shapes[i], .pattern = pattern, .type = &bf16, .kind = _i };
            s.size = i > 5 ? 0.7 : 1.5;
            s.negative = i % 2;
            if (fits(pattern, &s.shape, _i)) {
                check_setup(&s, 1e-5, 2e-6);
            }
        }
    }
}
END_TEST

/* ---- not a number ---- */

START_TEST(contained)
{
    world w;
    ga_context *context = test_threads_context(1);
    setup s = { .shape = { 1, 2, 1, 130, 130, 16, 20 }, .kind = _i, .pattern = CAUSAL };
    for (int what = Q; what <= V; what++) {
        for (int value = 0; value < 4; value++) {
            s.type = value < 2 ? &f32 : &bf16;
            open_world(&w, &s, context);
            array *a = &w.in[what];
            put(a, count_of(a) / a->shape[1] / 2 + 3, value % 2 == 0 ? NAN : INFINITY);
            if (value % 2 == 0 || what == V) {
                check_world(&w, 2e-5, 1e-5);
            }
            close_world(&w);
        }
    }
    ga_context_destroy(context);
}
END_TEST

/* A first block all of whose scores are beyond floats, below: its weights are 0 and the row goes on. */
START_TEST(far_below)
{
    world w;
    ga_context *context = test_threads_context(1);
    setup s = { .shape = { 1, 1, 1, 13, 130, 16, 16 }, .pattern = FULL };
    for (int t = 0; t < 2; t++) {
        s.type = t == 0 ? &f32 : &bf16;
        open_world(&w, &s, context);
        for (int64_t i = 0; i < s.shape.queries; i++) {
            put(&w.in[Q], i * s.shape.dim, 1e20);
        }
        for (int64_t j = 0; j < s.shape.keys; j++) {
            put(&w.in[K], j * s.shape.dim, j < 64 ? -1e20 : 0);
        }
        check_world(&w, 1e-5, 1e-6);
        close_world(&w);
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- layouts, threads, memory ---- */

START_TEST(strided)
{
    world w;
    ga_context *context = test_threads_context(2);
    const setup s = { .shape = { 1, 3, 3, 50, 50, 16, 16 }, .pattern = CAUSAL };
    open_world(&w, &s, context);
    int64_t strides[] = { 50 * 3 * 16, 16, 3 * 16, 1 }; /* (B, tokens, H, d) as heads first */
    for (int i = Q; i <= V; i++) {
        w.in[i].tensor.strides = strides;
    }
    check_world(&w, 2e-5, 2e-6);
    close_world(&w);
    ga_context_destroy(context);
}
END_TEST

START_TEST(threads)
{
    const int counts[] = { 1, 2, 3, 7 };
    const setup setups[] = {
        { .shape = { 1, 2, 1, 300, 300, 16, 16 }, .pattern = CAUSAL, .columns = true },
        { .shape = { 1, 8, 1, 2, 5000, 16, 16 }, .pattern = FULL },
        { .shape = { 2, 2, 1, 126, 126, 24, 20 }, .pattern = LISTS, .kind = GA_SOFTPLUS_REWEIGHT },
        { .shape = { 2, 2, 2, 500, 500, 16, 16 }, .pattern = CAUSAL },
        { .shape = { 2, 4, 2, 500, 300, 33, 20 }, .pattern = CAUSAL, .type = &bf16 },
        { .shape = { 1, 8, 1, 2, 5000, 16, 16 }, .pattern = FULL, .type = &bf16 }
    };
    for (int s = 0; s < (int)(sizeof setups / sizeof *setups); s++) {
        outputs first, other;
        for (int t = 0; t < 4; t++) {
            world w;
            ga_context *context = test_threads_context(counts[t]);
            state = 1;
            open_world(&w, &setups[s], context);
            outputs *o = t == 0 ? &first : &other;
            open_outputs(o, &w, &f32);
            test_ok(context, ga_attention_forward(context, &w.problem, GA_FAMILY_TILES, &o->result, NULL));
            for (int i = 0; i < OUTPUTS && t > 0; i++) {
                size_t bytes = (size_t)count_of(&o->out[i]) * o->out[i].tensor.dtype.bits / 8;
                ck_assert(!o->out[i].tensor.data ||
                          memcmp(o->out[i].tensor.data, first.out[i].tensor.data, bytes) == 0);
            }
            if (t > 0) {
                close_outputs(&other);
            }
            close_world(&w);
            ga_context_destroy(context);
        }
        close_outputs(&first);
    }
}
END_TEST

typedef struct call {
    world *world;
    outputs *out;
} call;

static ga_status forward_again(ga_context *context, void *user)
{
    call *c = user;
    return ga_attention_forward(context, &c->world->problem, GA_FAMILY_TILES, &c->out->result, NULL);
}

START_TEST(memory)
{
    const setup setups[] = { { .shape = { 1, 2, 1, 100, 100, 8, 8 },
                               .pattern = LISTS,
                               .columns = true,
                               .statistics = true,
                               .post = true },
                             { .shape = { 1, 2, 1, 2, 3000, 8, 8 }, .pattern = FULL },
                             { .shape = { 1, 2, 2, 200, 100, 8, 8 }, .pattern = CAUSAL, .type = &bf16 } };
    for (int s = 0; s < 3; s++) {
        world w;
        outputs o;
        ga_context *context = test_threads_context(2);
        open_world(&w, &setups[s], context);
        open_outputs(&o, &w, &f32);
        call c = { &w, &o };
        ck_assert_int_gt(test_each_allocation(forward_again, &c, 2), 8);
        close_outputs(&o);
        close_world(&w);
        ga_context_destroy(context);
    }
}
END_TEST

START_TEST(nothing)
{
    const ga__tile_shape empty[] = { { 1, 2, 1, 0, 9, 4, 4 },
                                     { 1, 2, 1, 9, 0, 4, 4 },
                                     { 0, 2, 1, 5, 5, 4, 4 },
                                     { 1, 2, 1, 5, 5, 0, 4 },
                                     { 1, 2, 1, 5, 5, 4, 0 } };
    for (int i = 0; i < 5; i++) {
        setup s = { .shape = empty[i], .pattern = FULL, .columns = true };
        check_setup(&s, 1e-5, 1e-6);
    }
}
END_TEST

START_TEST(refused)
{
    world w;
    outputs o;
    ga_context *context = test_threads_context(1);
    const setup s = { .shape = { 1, 2, 1, 5, 5, 4, 4 }, .pattern = FULL };
    open_world(&w, &s, context);
    open_outputs(&o, &w, &f32);
    w.post.form = GA_POST_ROW;
    w.post.row =
        (void (*)(void *, int64_t, int64_t, int64_t, int64_t, const int64_t *, double *))(void *)abort;
    w.problem.post = &w.post;
    test_status(context, ga_attention_forward(context, &w.problem, GA_FAMILY_TILES, &o.result, NULL),
                GA_UNSUPPORTED);
    test_error_has(context, "post steps");
    close_outputs(&o);
    close_world(&w);
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tiles");
    TCase *tests = tcase_create("forward");
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, shapes, 0, GA_P_LAPLACIAN);
    tcase_add_test(tests, ghosts);
    tcase_add_loop_test(tests, scores, 0, GA_P_LAPLACIAN);
    tcase_add_loop_test(tests, statistics, 0, GA_P_LAPLACIAN);
    tcase_add_test(tests, large);
    tcase_add_loop_test(tests, halves, 0, GA_P_LAPLACIAN);
    tcase_add_loop_test(tests, pairs, 0, GA_SOFTPLUS_REWEIGHT);
    tcase_add_loop_test(tests, contained, 0, GA_P_LAPLACIAN);
    tcase_add_test(tests, far_below);
    tcase_add_test(tests, strided);
    tcase_add_test(tests, threads);
    tcase_add_test(tests, memory);
    tcase_add_test(tests, nothing);
    tcase_add_test(tests, refused);
    return test_run(suite);
}
