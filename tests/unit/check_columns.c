/* check_columns.c - terms of keys in a score and post steps by class: rows by their definition, tiles against rows. */
#include <graphattn/engine.h>
#include <math.h>

#include "lib/engine/isa.h"
#include "lib/engine/view.h"
#include "tests/unit/support.h"

/* ---- arrays ---- */

typedef struct array {
    DLTensor tensor;
    int64_t shape[4];
} array;

static const DLDataType f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 }, bf16 = { kDLBfloat, 16, 1 };

static int64_t count_of(const array *a)
{
    return a->shape[0] * a->shape[1] * a->shape[2] * a->shape[3];
}

static DLTensor *make(array *a, DLDataType type, int ndim, int64_t n0, int64_t n1, int64_t n2, int64_t n3)
{
    const int64_t shape[] = { n0, n1, n2, n3 };
    *a = (array){ .tensor = { .device = { kDLCPU, 0 }, .dtype = type, .ndim = ndim } };
    memcpy(a->shape, shape, sizeof shape);
    a->tensor.shape = a->shape;
    a->tensor.data = malloc((size_t)count_of(a) * type.bits / 8 + 1);
    memset(a->tensor.data, 0xff, (size_t)count_of(a) * type.bits / 8); /* what is not written shows */
    return &a->tensor;
}

static double at(const array *a, int64_t i)
{
    const void *data = a->tensor.data;
    return a->tensor.dtype.bits == 64   ? ((const double *)data)[i]
           : a->tensor.dtype.bits == 32 ? (double)((const float *)data)[i]
                                        : (double)ga__from_bf16(((const uint16_t *)data)[i]);
}

static void put(array *a, int64_t i, double value)
{
    void *data = a->tensor.data;
    if (a->tensor.dtype.bits == 64) {
        ((double *)data)[i] = value;
    } else if (a->tensor.dtype.bits == 32) {
        ((float *)data)[i] = (float)value;
    } else {
        ((uint16_t *)data)[i] = ga__to_bf16((float)value);
    }
}

static uint64_t state = 1;
static double draw(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(state >> 11) * 0x1p-52 - 1;
}

static DLTensor *fill(array *a, double centre, double size)
{
    for (int64_t i = 0; i < count_of(a); i++) {
        put(a, i, centre + size * draw());
    }
    return &a->tensor;
}

/* ---- problems ---- */

typedef enum seen { FULL, CAUSAL, SINKS, EXTRA, GHOST, LISTS, PATTERNS, GRID = PATTERNS } seen;

typedef struct setup {
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
    seen pattern;
    ga_normaliser_kind kind;
    const DLDataType *type;
    int terms; /* bits: bias, factor, gain */
    int apart; /* bits: entries of the batch, heads have terms or classes of their own */
    double softcap;
    bool dense, post, lower; /* lower: all rows gain, else the last third */
} setup;

enum { Q, K, V, BIAS, FACTOR, GAIN, DENSE, K_EXTRA, V_EXTRA, GRAD, ARRAYS };

typedef struct world {
    setup s;
    ga_context *context;
    ga_pattern *pattern;
    array in[ARRAYS];
    int32_t *classes;
    int64_t calls; /* of the post step */
    ga_post post;
    ga_attention problem;
} world;

static void make_pattern(world *w)
{
    const setup *s = &w->s;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT }, .causal = s->pattern == CAUSAL };
    o.axis[0].query_length = s->queries;
    o.axis[0].key_length = s->keys;
    if (s->pattern == LISTS) {
        int64_t offsets[200] = { 0 }, *indices = malloc((size_t)(s->queries * s->keys + 1) * sizeof *indices);
        ck_assert_int_lt(s->queries, 199);
        for (int64_t i = 0, n = 0; i < s->queries; i++, offsets[i] = n) {
            for (int64_t j = 0; j < s->keys; j++) {
                if (i % 9 != 4 && (i * 31 + j * 17 + i * j) % 3 == 0) {
                    indices[n++] = j;
                }
            }
        }
        test_ok(w->context,
                ga_pattern_csr(w->context, s->queries, s->keys, offsets, indices, false, false, &w->pattern));
        free(indices);
        return;
    }
    if (s->pattern == SINKS || s->pattern == EXTRA) {
        o.axis[0].rule = GA_AXIS_SPAN;
        o.axis[0].left = 30;
        o.axis[0].right = 4;
        o.always = s->pattern == SINKS ? ga__min(3, s->keys) : 0;
        o.extra = s->pattern == EXTRA ? 3 : 0;
    } else if (s->pattern == GHOST) {
        o.axis[0].rule = GA_AXIS_HALO;
        o.axis[0].stride = o.axis[0].window = 8;
        o.axis[0].left = o.axis[0].right = 3;
        o.axis[0].border = GA_BORDER_GHOST;
    } else if (s->pattern == GRID) {
        o.axes = 2;
        o.axis[1] = (ga_axis)GA_AXIS_INIT;
        o.axis[0].rule = o.axis[1].rule = GA_AXIS_NEIGHBOUR;
        o.axis[0].window = o.axis[1].window = 5;
        o.axis[1].query_length = o.axis[1].key_length = 32;
        o.axis[0].query_length = o.axis[0].key_length = s->keys / 32;
    }
    test_ok(w->context, ga_pattern_product(w->context, &o, &w->pattern));
}

static void factors(void *user, int64_t batch, int64_t head, int64_t query, const double *mass,
                    double *factor)
{
    world *w = user;
    __atomic_fetch_add(&w->calls, 1, __ATOMIC_RELAXED);
    factor[0] = 0.5 + 0.1 * (double)(batch + head);
    factor[1] = 1 + mass[0];
    factor[2] = query % 2 ? -1 : 2 * mass[2];
}

static void make_terms(world *w)
{
    const setup *s = &w->s;
    int64_t batch = s->apart & 1 ? s->batch : 1, heads = s->apart & 2 ? s->heads : 1;
    ga_score *score = &w->problem.score;
    if (s->terms & 1) {
        make(&w->in[BIAS], f32, 3, batch, heads, s->keys, 1);
        score->column_bias = fill(&w->in[BIAS], 0, 1);
    }
    if (s->terms & 2) {
        make(&w->in[FACTOR], f32, 3, batch, heads, s->keys, 1);
        score->column_factor = fill(&w->in[FACTOR], 0.5, 1);
    }
    if (s->terms & 4) {
        make(&w->in[GAIN], f32, 3, batch, heads, s->keys, 1);
        score->column_gain = fill(&w->in[GAIN], 0.4, 0.4);
        score->gain_from = s->lower ? 0 : 2 * s->queries / 3;
    }
    if (s->dense) {
        make(&w->in[DENSE], f32, 3, s->heads, s->queries, s->keys, 1);
        score->bias = fill(&w->in[DENSE], 0, 1);
    }
    w->classes = malloc((size_t)(batch * heads * s->keys + 1) * sizeof *w->classes);
    for (int64_t j = 0; j < batch * heads * s->keys; j++) { /* long runs, then mixed keys */
        w->classes[j] = (int32_t)(j % s->keys < s->keys / 2 ? j % s->keys / 70 % 3 : j * 7 % 3);
    }
    w->post = (ga_post){ .form = GA_POST_CLASSWISE,
                         .user = w,
                         .classes = w->classes,
                         .class_count = 3,
                         .class_stride_batch = s->apart & 1 ? heads * s->keys : 0,
                         .class_stride_head = s->apart & 2 ? s->keys : 0,
                         .factors = factors };
    w->problem.post = s->post ? &w->post : NULL;
}

static void open_world(world *w, const setup *given, ga_context *context)
{
    *w = (world){ .s = *given, .context = context, .problem = GA_ATTENTION_INIT };
    setup *s = &w->s;
    s->type = s->type ? s->type : &f32;
    make(&w->in[Q], *s->type, 4, s->batch, s->heads, s->queries, s->dim);
    make(&w->in[K], *s->type, 4, s->batch, s->kv_heads, s->keys, s->dim);
    make(&w->in[V], *s->type, 4, s->batch, s->kv_heads, s->keys, s->dim_v);
    w->problem.q = fill(&w->in[Q], 0, 1.5);
    w->problem.k = fill(&w->in[K], 0, 1.5);
    w->problem.v = fill(&w->in[V], 0, 1);
    make_pattern(w);
    w->problem.pattern = w->pattern;
    w->problem.score.scale = 1 / sqrt((double)s->dim);
    w->problem.score.softcap = s->softcap;
    w->problem.normaliser.kind = s->kind;
    w->problem.normaliser.power = 3;
    w->problem.normaliser.offset = 0.5;
    if (s->pattern == EXTRA) {
        make(&w->in[K_EXTRA], *s->type, 4, s->batch, s->kv_heads, 3, s->dim);
        make(&w->in[V_EXTRA], *s->type, 4, s->batch, s->kv_heads, 3, s->dim_v);
        w->problem.k_extra = fill(&w->in[K_EXTRA], 0, 1);
        w->problem.v_extra = fill(&w->in[V_EXTRA], 0, 1);
    }
    make_terms(w);
}

static void close_world(world *w)
{
    for (int i = 0; i < ARRAYS; i++) {
        free(w->in[i].tensor.data);
    }
    free(w->classes);
    ga_pattern_destroy(w->context, w->pattern);
}

enum { O, LSE, MAP, GQ, GK, GV, G_BIAS, G_FACTOR, OUTPUTS };
static const char *const names[] = { "o", "lse", "map", "dq", "dk", "dv", "d_bias", "d_factor" };

typedef struct outputs {
    array out[OUTPUTS];
    ga_attention_result result;
    ga_attention_gradients gradients;
} outputs;

static DLTensor *like(array *a, DLDataType type, const array *other)
{
    if (!other->tensor.data) {
        return NULL;
    }
    return make(a, type, other->tensor.ndim, other->shape[0], other->shape[1], other->shape[2],
                other->shape[3]);
}

static void open_outputs(outputs *o, world *w, DLDataType type, bool backward)
{
    const setup *s = &w->s;
    *o = (outputs){ .result = { .o = NULL } };
    o->result.o = make(&o->out[O], type, 4, s->batch, s->heads, s->queries, s->dim_v);
    if (s->kind == GA_SOFTMAX) {
        o->result.lse = make(&o->out[LSE], type, 3, s->batch, s->heads, s->queries, 1);
    }
    if (backward) {
        if (!w->in[GRAD].tensor.data) {
            make(&w->in[GRAD], f32, 4, s->batch, s->heads, s->queries, s->dim_v);
            fill(&w->in[GRAD], 0, 1);
        }
        o->gradients =
            (ga_attention_gradients){ .grad_o = &w->in[GRAD].tensor,
                                      .q = like(&o->out[GQ], type, &w->in[Q]),
                                      .k = like(&o->out[GK], type, &w->in[K]),
                                      .v = like(&o->out[GV], type, &w->in[V]),
                                      .column_bias = like(&o->out[G_BIAS], type, &w->in[BIAS]),
                                      .column_factor = like(&o->out[G_FACTOR], type, &w->in[FACTOR]) };
    }
}

static void close_outputs(outputs *o)
{
    for (int i = 0; i < OUTPUTS; i++) {
        free(o->out[i].tensor.data);
    }
}

static void compute(world *w, outputs *o, ga_family family, bool backward)
{
    test_ok(w->context, ga_attention_forward(w->context, &w->problem, family, &o->result, NULL));
    if (backward) {
        bool given = o->result.lse && o->out[O].tensor.dtype.bits == 32;
        o->gradients.o = given ? o->result.o : NULL;
        o->gradients.lse = given ? o->result.lse : NULL;
        test_ok(w->context, ga_attention_backward(w->context, &w->problem, family, &o->gradients, NULL));
    }
}

static void compare(const outputs *a, const outputs *b, const char *what, double rtol, double atol)
{
    for (int i = 0; i < OUTPUTS; i++) {
        for (int64_t j = 0; a->out[i].tensor.data && j < count_of(&a->out[i]); j++) {
            double x = at(&a->out[i], j), y = at(&b->out[i], j);
            if (!(x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= atol + rtol * fabs(y))) {
                ck_abort_msg("%s: %s[%lld] is %.9g, not %.9g", what, names[i], (long long)j, x, y);
            }
        }
    }
}

/* ---- rows by their definition ---- */

static double term(const array *a, const setup *s, int64_t b, int64_t h, int64_t j)
{
    int64_t batch = a->shape[0] == 1 ? 0 : b, head = a->shape[1] == 1 ? 0 : h;
    return at(a, (batch * a->shape[1] + head) * s->keys + j);
}

static double plain_score(const world *w, int64_t b, int64_t h, int64_t i, int64_t j)
{
    const setup *s = &w->s;
    int64_t kv = h / (s->heads / s->kv_heads);
    double x = 0;
    for (int64_t c = 0; c < s->dim; c++) {
        x += at(&w->in[Q], ((b * s->heads + h) * s->queries + i) * s->dim + c) *
             at(&w->in[K], ((b * s->kv_heads + kv) * s->keys + j) * s->dim + c);
    }
    x /= sqrt((double)s->dim);
    x = s->softcap > 0 ? s->softcap * tanh(x / s->softcap) : x;
    x *= s->terms & 2 ? term(&w->in[FACTOR], s, b, h, j) : 1;
    x += s->terms & 4 && i >= w->problem.score.gain_from ? term(&w->in[GAIN], s, b, h, j) * fabs(x) : 0;
    x += s->dense ? at(&w->in[DENSE], (h * s->queries + i) * s->keys + j) : 0;
    return x + (s->terms & 1 ? term(&w->in[BIAS], s, b, h, j) : 0);
}

static void check_row(const world *w, const outputs *o, int64_t b, int64_t h, int64_t i)
{
    const setup *s = &w->s;
    double sum = 0, mass[3] = { 0 }, factor[3] = { 1, 1, 1 }, p[256];
    int64_t length = ga__min(s->keys, s->pattern == CAUSAL ? i + s->keys - s->queries + 1 : s->keys);
    int64_t row = (b * s->heads + h) * s->queries + i;
    const int32_t *classes = w->classes + b * w->post.class_stride_batch + h * w->post.class_stride_head;
    for (int64_t j = 0; j < length; j++) {
        p[j] = exp(plain_score(w, b, h, i, j));
        sum += p[j];
    }
    for (int64_t j = 0; j < length; j++) {
        p[j] /= sum;
        mass[classes[j]] += p[j];
    }
    ck_assert_double_eq_tol(at(&o->out[LSE], row), log(sum), 1e-11);
    if (s->post) {
        factors((void *)w, b, h, i, mass, factor);
    }
    for (int64_t c = 0; c < s->dim_v; c++) {
        double want = 0;
        int64_t v = (b * s->kv_heads + h / (s->heads / s->kv_heads)) * s->keys;
        for (int64_t j = 0; j < length; j++) {
            want += p[j] * factor[classes[j]] * at(&w->in[V], (v + j) * s->dim_v + c);
        }
        ck_assert_double_eq_tol(at(&o->out[O], row * s->dim_v + c), want, 1e-11);
    }
}

START_TEST(rows_by_definition)
{
    ga_context *context = test_threads_context(2);
    for (int bits = 0; bits < 8; bits++) {
        world w;
        outputs o;
        setup s = {
            2, 4, 2, 9, 14, 6, 5, bits % 2 ? CAUSAL : FULL, GA_SOFTMAX, &f64, bits, _i, .softcap = 0
        };
        s.softcap = bits > 3 ? 1.5 : 0;
        s.post = bits % 3 == 0;
        open_world(&w, &s, context);
        open_outputs(&o, &w, f64, false);
        compute(&w, &o, GA_FAMILY_AUTO, false);
        for (int64_t row = 0; row < 2 * 4 * 9; row++) {
            check_row(&w, &o, row / 36, row / 9 % 4, row % 9);
        }
        close_outputs(&o);
        close_world(&w);
    }
    ga_context_destroy(context);
}
END_TEST

static double loss(world *w)
{
    outputs o;
    double sum = 0;
    open_outputs(&o, w, f64, false);
    compute(w, &o, GA_FAMILY_ROWS, false);
    for (int64_t i = 0; i < count_of(&o.out[O]); i++) {
        sum += at(&o.out[O], i) * at(&w->in[GRAD], i);
    }
    close_outputs(&o);
    return sum;
}

START_TEST(gradients_by_differences)
{
    static const int inputs[] = { Q, K, V, BIAS, FACTOR }, gradients[] = { GQ, GK, GV, G_BIAS, G_FACTOR };
    ga_context *context = test_threads_context(1);
    for (int bits = 1; bits < 8; bits++) {
        world w;
        outputs o;
        setup s = { 2, 4, 2, 5, 7, 4, 3, CAUSAL, GA_SOFTMAX, &f64, bits, _i, .softcap = bits % 2 ? 0 : 2 };
        open_world(&w, &s, context);
        for (int i = BIAS; i <= FACTOR; i++) { /* in double precision, for the differences */
            array old = w.in[i];
            if (old.tensor.data) {
                DLTensor *wide = like(&w.in[i], f64, &old);
                for (int64_t j = 0; j < count_of(&old); j++) {
                    put(&w.in[i], j, at(&old, j));
                }
                *(i == BIAS ? &w.problem.score.column_bias : &w.problem.score.column_factor) = wide;
                free(old.tensor.data);
            }
        }
        open_outputs(&o, &w, f64, true);
        compute(&w, &o, GA_FAMILY_ROWS, true);
        for (int which = 0; which < 5; which++) {
            array *input = &w.in[inputs[which]];
            for (int64_t i = 0; input->tensor.data && i < count_of(input); i += 3) {
                double old = at(input, i), h = 1e-5;
                put(input, i, old + h);
                double up = loss(&w);
                put(input, i, old - h);
                double slope = (up - loss(&w)) / (2 * h), found = at(&o.out[gradients[which]], i);
                put(input, i, old);
                ck_assert_msg(fabs(slope - found) < 1e-7 * (1 + fabs(slope)),
                              "%s %lld: %g, by differences %g", names[gradients[which]], (long long)i, found,
                              slope);
            }
        }
        close_outputs(&o);
        close_world(&w);
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- tiles against rows ---- */

static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };

/* Weights that are large and cancel keep less than what is divided by a sum. */
static void check_setup(const setup *s, bool backward, double rtol, double atol)
{
    world w;
    outputs want, found;
    ga_context *context = test_threads_context(2);
    open_world(&w, s, context);
    open_outputs(&want, &w, f64, backward);
    compute(&w, &want, GA_FAMILY_ROWS, backward);
    for (int i = 0; i < 3; i++) {
        if (!ga_backend_available(backends[i])) {
            continue;
        }
        char what[256];
        snprintf(what, sizeof what, "%s pattern %d kind %d terms %d apart %d post %d %lld x %lld",
                 ga_backend_name(backends[i]), s->pattern, s->kind, s->terms, s->apart, s->post,
                 (long long)s->queries, (long long)s->keys);
        test_ok(context, ga_context_set_backend(context, backends[i]));
        bool rounds = s->type == &bf16 && backends[i] == GA_BACKEND_AVX512 && ga__machine_has_bf16();
        open_outputs(&found, &w, f32, backward);
        w.calls = 0;
        compute(&w, &found, GA_FAMILY_TILES, backward);
        ck_assert_int_eq(w.calls, s->post ? s->batch * s->heads * s->queries : 0); /* once a row */
        compare(&found, &want, what, rtol, rounds ? 1e-2 : atol);
        close_outputs(&found);
    }
    close_outputs(&want);
    close_world(&w);
    ga_context_destroy(context);
}

/* Around the borders of strips and blocks; several heads in a strip; parts of the keys. */
static const int64_t sizes[][7] = {
    { 1, 1, 1, 1, 1, 1, 1 },     { 2, 4, 2, 7, 65, 3, 7 },     { 2, 2, 2, 130, 130, 40, 24 },
    { 1, 4, 1, 1, 257, 20, 64 }, { 1, 2, 1, 63, 300, 16, 80 }, { 2, 4, 1, 2, 2300, 16, 16 },
};
enum { SIZES = sizeof sizes / sizeof *sizes };

static setup sized(int i)
{
    setup s = { .batch = sizes[i][0],
                .heads = sizes[i][1],
                .kv_heads = sizes[i][2],
                .queries = sizes[i][3],
                .keys = sizes[i][4],
                .dim = sizes[i][5],
                .dim_v = sizes[i][6] };
    return s;
}

START_TEST(tiles_with_terms)
{
    for (int bits = 1; bits < 8; bits++) {
        for (int pattern = 0; pattern < PATTERNS; pattern++) {
            setup s = sized(_i);
            s.pattern = pattern;
            s.terms = bits;
            s.apart = bits % 4;
            s.softcap = bits == 3 ? 2 : 0;
            s.dense = bits == 5;
            s.lower = bits == 6;
            s.type = bits == 2 ? &bf16 : &f32;
            if (s.queries == s.keys || pattern < EXTRA || pattern == LISTS) {
                check_setup(&s, false, 2e-5, 4e-6);
            }
        }
    }
}
END_TEST

START_TEST(tiles_backward)
{
    for (int bits = 1; bits < 8; bits++) {
        for (int pattern = 0; pattern < PATTERNS; pattern++) {
            setup s = sized(_i);
            s.pattern = pattern;
            s.terms = bits;
            s.apart = (bits + pattern) % 4;
            s.softcap = bits == 3 ? 2 : 0;
            s.dense = bits == 5;
            s.lower = bits == 6;
            s.kind = bits == 7 && pattern != GHOST ? GA_SIGMOID : GA_SOFTMAX;
            if ((s.queries == s.keys || pattern < EXTRA || pattern == LISTS) && s.keys < 2000) {
                check_setup(&s, true, 1e-4, 2e-5);
            }
        }
    }
}
END_TEST

static bool sums(ga_normaliser_kind kind)
{
    return kind == GA_SOFTMAX || kind == GA_SIGMOID || kind == GA_SOFTPLUS || kind == GA_RELU_L1;
}

START_TEST(classes_in_one_pass)
{
    for (int kind = GA_SOFTMAX; kind <= GA_INLINE; kind++) {
        for (int pattern = 0; pattern < PATTERNS; pattern++) {
            setup s = sized(_i);
            s.pattern = pattern;
            s.kind = kind;
            s.apart = (kind + pattern) % 4;
            s.post = true;
            s.terms = kind == GA_SOFTMAX ? 1 : 0;
            s.type = pattern == CAUSAL ? &bf16 : &f32;
            bool fits = s.queries == s.keys || pattern < EXTRA || pattern == LISTS;
            fits = fits && (sums(kind) || s.keys < 2000); /* what cancels keeps less of so many */
            if (fits && kind != GA_NORM_ATTENTION && (kind == GA_SOFTMAX || pattern != GHOST)) {
                check_setup(&s, false, 4e-5, sums(kind) ? 4e-6 : 4e-4);
            }
        }
    }
}
END_TEST

/* Values that are no numbers reach only the rows that see them. */
START_TEST(contained)
{
    world w;
    outputs want, found;
    ga_context *context = test_threads_context(1);
    const setup s = { 1, 2, 1, 130, 130, 16, 20, CAUSAL, GA_SOFTMAX, &f32, 1, 2, .post = true };
    open_world(&w, &s, context);
    put(&w.in[V], 100 * 20 + 3, NAN);
    put(&w.in[V], 70 * 20 + 3, INFINITY);
    open_outputs(&want, &w, f64, false);
    compute(&w, &want, GA_FAMILY_ROWS, false);
    for (int i = 0; i < 3; i++) {
        if (ga_backend_available(backends[i])) {
            test_ok(context, ga_context_set_backend(context, backends[i]));
            open_outputs(&found, &w, f32, false);
            compute(&w, &found, GA_FAMILY_TILES, false);
            compare(&found, &want, "contained", 2e-5, 4e-6);
            close_outputs(&found);
        }
    }
    close_outputs(&want);
    close_world(&w);
    ga_context_destroy(context);
}
END_TEST

/* Tokens of a grid, which tiles may take in another order. */
START_TEST(on_a_grid)
{
    setup s = { 2, 2, 2, 1024, 1024, 8, 8, GRID, GA_SOFTMAX, &f32, 7, 3, .softcap = 0 };
    check_setup(&s, true, 1e-4, 2e-5);
    s.post = true;
    check_setup(&s, false, 2e-5, 4e-6);
    s.terms = 0;
    check_setup(&s, false, 2e-5, 4e-6);
}
END_TEST

/* Sums of columns and nothing else. */
START_TEST(sums_of_columns)
{
    for (int pattern = 0; pattern <= GRID; pattern++) {
        world w;
        array sums[2];
        setup s = sized(_i);
        s.pattern = pattern;
        s.queries = s.keys = pattern == GRID ? 1024 : s.keys;
        if (s.keys > 1500 || (pattern == LISTS && s.keys > 190)) {
            continue;
        }
        open_world(&w, &s, test_threads_context(2));
        for (int family = GA_FAMILY_ROWS; family <= GA_FAMILY_TILES; family++) {
            array *a = &sums[family - GA_FAMILY_ROWS];
            ga_row_statistics statistics = { .column_sum = make(a, f64, 3, s.batch, s.heads, s.keys, 1) };
            const ga_attention_result result = { .statistics = &statistics };
            test_ok(w.context, ga_attention_forward(w.context, &w.problem, family, &result, NULL));
        }
        for (int64_t j = 0; j < count_of(&sums[0]); j++) {
            double x = at(&sums[1], j), y = at(&sums[0], j);
            ck_assert_msg(fabs(x - y) <= 1e-5 * (1 + fabs(y)), "pattern %d sum %lld: %g, not %g", pattern,
                          (long long)j, x, y);
        }
        free(sums[0].tensor.data);
        free(sums[1].tensor.data);
        ga_context *context = w.context;
        close_world(&w);
        ga_context_destroy(context);
    }
}
END_TEST

/* ---- threads, memory, refusals ---- */

static const setup busy[] = {
    { 2, 4, 2, 190, 300, 16, 16, CAUSAL, GA_SOFTMAX, &f32, 7, 3, .softcap = 0 },
    { 2, 4, 2, 190, 300, 16, 16, CAUSAL, GA_SOFTMAX, &f32, 0, 3, .post = true },
    { 1, 2, 1, 2, 4000, 16, 16, FULL, GA_SOFTMAX, &f32, 1, 1, .post = true },
};

START_TEST(threads)
{
    static const int counts[] = { 1, 2, 3, 7 };
    outputs first, other;
    bool backward = !busy[_i].post;
    for (int t = 0; t < 4; t++) {
        world w;
        ga_context *context = test_threads_context(counts[t]);
        outputs *o = t == 0 ? &first : &other;
        state = 1;
        open_world(&w, &busy[_i], context);
        open_outputs(o, &w, f32, backward);
        compute(&w, o, GA_FAMILY_TILES, backward);
        for (int i = 0; i < OUTPUTS && t > 0; i++) {
            size_t bytes = (size_t)count_of(&o->out[i]) * sizeof(float);
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
END_TEST

typedef struct again {
    world *world;
    outputs *out;
    ga_family family;
} again;

static ga_status run_again(ga_context *context, void *user)
{
    again *c = user;
    ga_status status = ga_attention_forward(context, &c->world->problem, c->family, &c->out->result, NULL);
    if (status == GA_OK && !c->world->s.post) {
        status = ga_attention_backward(context, &c->world->problem, c->family, &c->out->gradients, NULL);
    }
    return status;
}

START_TEST(memory)
{
    for (int family = GA_FAMILY_ROWS; family <= GA_FAMILY_TILES; family++) {
        world w;
        outputs o;
        ga_context *context = test_threads_context(2);
        open_world(&w, &busy[_i], context);
        open_outputs(&o, &w, f32, !busy[_i].post);
        again c = { &w, &o, family };
        ck_assert_int_gt(test_each_allocation(run_again, &c, 2), 5);
        close_outputs(&o);
        close_world(&w);
        ga_context_destroy(context);
    }
}
END_TEST

START_TEST(refused)
{
    world w;
    outputs o;
    array wrong;
    ga_context *context = test_threads_context(1);
    const setup s = { 2, 2, 1, 40, 50, 4, 4, LISTS, GA_SOFTMAX, &f32, 1, 3, .softcap = 0 };
    open_world(&w, &s, context);
    open_outputs(&o, &w, f32, true);
    test_status(context, ga_attention_forward(context, &w.problem, GA_FAMILY_EDGES, &o.result, NULL),
                GA_UNSUPPORTED);
    test_error_has(context, "edges cannot add terms of a key");
    ga_family used = GA_FAMILY_AUTO;
    test_ok(context, ga_attention_forward(context, &w.problem, GA_FAMILY_AUTO, &o.result, &used));
    ck_assert_int_eq(used, GA_FAMILY_TILES);
    o.gradients.column_factor = make(&o.out[G_FACTOR], f32, 3, 2, 2, 50, 1);
    test_status(context, ga_attention_backward(context, &w.problem, GA_FAMILY_AUTO, &o.gradients, NULL),
                GA_INVALID);
    test_error_has(context, "column_factor: the problem has no such input");
    static const int64_t shapes[][3] = { { 3, 2, 50 }, { 2, 3, 50 }, { 2, 2, 49 } };
    for (int i = 0; i < 3; i++) {
        w.problem.score.column_gain = make(&wrong, f32, 3, shapes[i][0], shapes[i][1], shapes[i][2], 1);
        test_status(context, ga_attention_forward(context, &w.problem, GA_FAMILY_AUTO, &o.result, NULL),
                    GA_INVALID);
        test_error_has(context, "column_gain");
        free(wrong.tensor.data);
    }
    w.problem.score.column_gain = NULL;
    w.problem.post = &w.post;
    w.classes[50 * 3 + 7] = 3; /* of the last entry and head */
    test_status(context, ga_attention_forward(context, &w.problem, GA_FAMILY_AUTO, &o.result, NULL),
                GA_INVALID);
    test_error_has(context, "key 7");
    close_outputs(&o);
    close_world(&w);
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("columns");
    TCase *tests = tcase_create("columns");
    tcase_set_timeout(tests, 0);
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, rows_by_definition, 0, 4);
    tcase_add_loop_test(tests, gradients_by_differences, 0, 4);
    tcase_add_loop_test(tests, tiles_with_terms, 0, SIZES);
    tcase_add_loop_test(tests, tiles_backward, 0, SIZES);
    tcase_add_loop_test(tests, classes_in_one_pass, 0, SIZES);
    tcase_add_test(tests, contained);
    tcase_add_test(tests, on_a_grid);
    tcase_add_loop_test(tests, sums_of_columns, 0, SIZES);
    tcase_add_loop_test(tests, threads, 0, 3);
    tcase_add_loop_test(tests, memory, 0, 3);
    tcase_add_test(tests, refused);
    return test_run(suite);
}
