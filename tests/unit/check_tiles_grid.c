/* check_tiles_grid.c - patterns of grids by tiles: boxes of queries against rows of the pattern, and what comes of them
 * against the rows in double precision. */
#include <graphattn/engine.h>
#include <math.h>

#include "lib/engine/pattern/box.h"
#include "lib/engine/view.h"
#include "tests/unit/support.h"

static uint64_t state;
static int64_t below(int64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((state >> 33) % (uint64_t)n);
}

/* ---- patterns of all rules ---- */

static int64_t length_of(int axes, int a)
{
    static const int64_t most[4][3] = { { 0 }, { 260 }, { 17, 21 }, { 5, 9, 8 } };
    return 1 + most[axes][a] / 2 + below(most[axes][a] / 2 + 1);
}

static void draw_halo(ga_axis *axis)
{
    axis->dilation = 1 + below(2);
    axis->stride = axis->dilation * (1 + below(5));
    axis->query_length = (axis->key_length + axis->dilation - 1) / axis->dilation;
    axis->left = below(4);
    axis->right = below(4);
}

/* A rule with whatever goes with it. */
static void draw_axis(int axes, int a, ga_axis_rule rule, ga_axis *axis)
{
    int64_t n = length_of(axes, a);
    *axis = (ga_axis)GA_AXIS_INIT;
    axis->rule = rule;
    axis->query_length = axis->key_length = n;
    axis->causal = below(4) == 0;
    switch (rule) {
    case GA_AXIS_NEIGHBOUR:
        axis->dilation = n >= 4 ? 1 + below(3) : 1;
        axis->window = 1 + below(n / axis->dilation);
        axis->stride = 1 + below(axis->window);
        break;
    case GA_AXIS_BLOCK:
        axis->window = 1 + below(n);
        axis->left = below(axis->window + 1) - 1;
        break;
    case GA_AXIS_GRID:
        for (axis->window = 1 + below(n); n % axis->window != 0;) {
            axis->window--;
        }
        break;
    case GA_AXIS_HALO: draw_halo(axis); break;
    case GA_AXIS_CELL: axis->query_length = length_of(axes, a); /* fall through */
    case GA_AXIS_SPAN:
    case GA_AXIS_INWARD:
        axis->left = below(n / 2 + 1);
        axis->right = below(n / 2 + 1);
        break;
    default: axis->query_length = below(3) == 0 ? length_of(axes, a) : n;
    }
}

static ga_pattern *draw_pattern(ga_context *context, uint64_t seed)
{
    ga_pattern *pattern = NULL;
    state = seed * 77 + 5;
    ga_product_options o = { .axes = 1 + (int)(seed % 3) };
    ga_border border = (ga_border[]){ GA_BORDER_CLIP, GA_BORDER_GHOST }[below(2)];
    for (int a = 0; a < o.axes; a++) {
        ga_axis_rule rule = (ga_axis_rule)((seed / 3 + (uint64_t)below(8) * (a > 0)) % 8);
        draw_axis(o.axes, a, rule, &o.axis[a]);
        o.axis[a].border = rule == GA_AXIS_BLOCK || rule == GA_AXIS_HALO ? border : GA_BORDER_CLIP;
    }
    o.causal = below(5) == 0;
    o.extra = below(3) == 0 ? 1 + below(3) : 0;
    test_ok(context, ga_pattern_product(context, &o, &pattern));
    return pattern;
}

/* ---- boxes ---- */

/* Local runs as places, against the runs of the pattern. */
static void check_row(const ga_pattern *p, const ga__boxes *boxes, const ga__box *box, int64_t i,
                      int64_t query, const int32_t *place, uint8_t *seen)
{
    ga__run *runs = malloc((size_t)(p->most_runs + 1) * sizeof *runs);
    int64_t count = ga__pattern_row(p, 0, query, runs), sum = 0;
    memset(seen, 0, (size_t)p->places);
    for (int64_t r = 0; r < count; r++) {
        memset(seen + runs[r].first, 1, (size_t)(runs[r].last - runs[r].first));
        sum += runs[r].last - runs[r].first;
    }
    count = ga__box_row(boxes, box, i, runs);
    ck_assert_int_le(count, p->most_runs);
    ck_assert(!box->same || sum == box->places);
    for (int64_t r = 0; r < count; r++) {
        ck_assert(r == 0 || runs[r].first > runs[r - 1].last);
        for (int64_t j = runs[r].first; j < runs[r].last; j++, sum--) {
            ck_assert_int_lt(j, box->places);
            ck_assert(seen[place[j]] == 1);
        }
    }
    ck_assert_int_eq(sum, 0);
    free(runs);
}

static void check_box(const ga_pattern *p, const ga__boxes *boxes, int64_t number, uint8_t *done,
                      uint8_t *seen)
{
    ga__box box = ga__boxes_at(boxes, number);
    ck_assert_int_le(box.queries, boxes->most_queries);
    ck_assert_int_le(box.places, boxes->most_places);
    int64_t *query = malloc((size_t)box.queries * sizeof *query);
    int32_t *place = malloc((size_t)(box.places + 1) * sizeof *place);
    ga__box_queries(boxes, &box, query);
    ga__box_places(boxes, &box, place);
    for (int64_t j = 1; j < box.places; j++) {
        ck_assert_int_lt(place[j - 1], place[j]);
    }
    for (int64_t i = 0; i < box.queries; i++) {
        ck_assert(done[query[i]] == 0);
        done[query[i]] = 1;
        check_row(p, boxes, &box, i, query[i], place, seen);
        if (i > 0 && ga__box_repeats(boxes, &box, i)) {
            check_row(p, boxes, &box, i - 1, query[i], place, seen);
        }
    }
    free(query);
    free(place);
}

START_TEST(boxes)
{
    ga_context *context = test_threads_context(1);
    for (uint64_t seed = 0; seed < 96; seed++) {
        ga_pattern *p = draw_pattern(context, seed);
        static const int64_t most[] = { 1, 7, 48, 192 };
        for (int m = 0; m < 4; m++) {
            ga__boxes cut;
            uint8_t *done = calloc((size_t)p->queries + 1, 1), *seen = malloc((size_t)p->places + 1);
            test_ok(context, ga__boxes_make(context, p, most[m], &cut));
            ck_assert_int_le(cut.most_queries, most[m]);
            for (int64_t b = 0; b < cut.count; b++) {
                check_box(p, &cut, b, done, seen);
            }
            ck_assert(memchr(done, 0, (size_t)p->queries) == NULL);
            ga__boxes_free(context, &cut);
            free(done);
            free(seen);
        }
        ga_pattern_destroy(context, p);
    }
    ga_context_destroy(context);
}
END_TEST

/* What sees the same stays in one box: windows of 8 x 8 are boxes whole. */
START_TEST(whole)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *p = NULL;
    ga__boxes cut;
    ga_product_options o = { .axes = 2, .axis = { GA_AXIS_INIT, GA_AXIS_INIT } };
    for (int a = 0; a < 2; a++) {
        o.axis[a].rule = GA_AXIS_BLOCK;
        o.axis[a].window = 8;
        o.axis[a].query_length = o.axis[a].key_length = a == 0 ? 32 : 48;
    }
    test_ok(context, ga_pattern_product(context, &o, &p));
    ck_assert(ga__boxes_pay(p));
    test_ok(context, ga__boxes_make(context, p, 192, &cut));
    for (int64_t b = 0; b < cut.count; b++) {
        ga__box box = ga__boxes_at(&cut, b);
        ck_assert(box.same && box.places == 64 && box.queries == 64);
    }
    ga__boxes_free(context, &cut);
    ga_pattern_destroy(context, p);
    test_ok(context, ga_pattern_full(context, 100, 100, true, &p));
    ck_assert(!ga__boxes_pay(p));
    ga_pattern_destroy(context, p);
    ga_context_destroy(context);
}
END_TEST

/* ---- values ---- */

enum { BATCH = 2, HEADS = 4, KV = 2, DIM = 12, DIM_V = 19, CLASSES = 3, TOP = 3 };
enum { Q, K, V, K_EXTRA, V_EXTRA, TABLE, BIAS, INPUTS };
enum { O, LSE, ENTROPY, MAX, ARGMAX, MASS, COLUMNS, TOP_INDICES, TOP_WEIGHTS, OUTPUTS };

typedef struct array {
    DLTensor tensor;
    int64_t shape[4], count;
} array;

static DLTensor *make(array *a, DLDataTypeCode code, uint8_t bits, int ndim, const int64_t shape[4])
{
    *a = (array){ .count = 1 };
    a->tensor = (DLTensor){ .device = { kDLCPU, 0 }, .dtype = { (uint8_t)code, bits, 1 }, .ndim = ndim };
    for (int i = 0; i < ndim; i++) {
        a->shape[i] = shape[i];
        a->count *= shape[i];
    }
    a->tensor.shape = a->shape;
    a->tensor.data = malloc((size_t)a->count * bits / 8 + 1);
    memset(a->tensor.data, 0xff, (size_t)a->count * bits / 8);
    return &a->tensor;
}

static DLTensor *fill(array *a)
{
    for (int64_t i = 0; i < a->count; i++) {
        float x = (float)(below(2001) - 1000) / 700;
        if (a->tensor.dtype.bits == 16) {
            ((uint16_t *)a->tensor.data)[i] = ga__to_bf16(x);
        } else {
            ((float *)a->tensor.data)[i] = x;
        }
    }
    return &a->tensor;
}

static double at(const array *a, int64_t i)
{
    const void *data = a->tensor.data;
    return a->tensor.dtype.code == kDLInt ? ((const int32_t *)data)[i]
           : a->tensor.dtype.bits == 64   ? ((const double *)data)[i]
                                          : (double)((const float *)data)[i];
}

typedef struct world {
    ga_pattern *pattern;
    array in[INPUTS];
    int32_t *classes;
    ga_attention problem;
} world;

typedef struct outputs {
    array out[OUTPUTS];
    ga_row_statistics statistics;
    ga_attention_result result;
} outputs;

static DLTensor *draw_input(world *w, int which, bool half, int64_t rows, int64_t width)
{
    const int64_t shape[] = { BATCH, which == Q ? HEADS : KV, rows, width };
    make(&w->in[which], half ? kDLBfloat : kDLFloat, half ? 16 : 32, 4, shape);
    return fill(&w->in[which]);
}

static void draw_score(world *w, uint64_t seed)
{
    const ga_pattern *p = w->pattern;
    const int64_t *c = p->table_shape;
    if (p->query_cell && seed % 2) {
        make(&w->in[TABLE], kDLFloat, 32, 1 + p->table_axes,
             (const int64_t[]){ HEADS, c[0], p->table_axes > 1 ? c[1] : 1, p->table_axes > 2 ? c[2] : 1 });
        w->problem.score.table = fill(&w->in[TABLE]);
    }
    if (seed % 5 == 1) {
        make(&w->in[BIAS], kDLFloat, 32, 3, (const int64_t[]){ HEADS, p->queries, p->keys, 1 });
        w->problem.score.bias = fill(&w->in[BIAS]);
    }
    w->problem.score.scale = 0.3;
    w->problem.score.softcap = seed % 7 == 3 ? 2 : 0;
}

static void open_world(world *w, ga_context *context, uint64_t seed, bool half)
{
    static const ga_normaliser_kind kinds[] = { GA_SIGMOID, GA_SOFTPLUS_REWEIGHT, GA_RELU_L1, GA_INLINE };
    *w = (world){ .pattern = draw_pattern(context, seed), .problem = GA_ATTENTION_INIT };
    const ga_pattern *p = w->pattern;
    w->problem.pattern = p;
    w->problem.q = draw_input(w, Q, half, p->queries, DIM);
    w->problem.k = draw_input(w, K, half, p->keys, DIM);
    w->problem.v = draw_input(w, V, half, p->keys, DIM_V);
    if (p->extra > 0) {
        w->problem.k_extra = draw_input(w, K_EXTRA, half, p->extra, DIM);
        w->problem.v_extra = draw_input(w, V_EXTRA, half, p->extra, DIM_V);
    }
    draw_score(w, seed);
    if (seed % 3 == 0 && !p->ghosts) {
        w->problem.normaliser.kind = kinds[seed / 3 % 4];
        w->problem.normaliser.power = 3;
        w->problem.normaliser.offset = 0.5;
    }
    w->classes = malloc((size_t)p->keys * sizeof *w->classes);
    for (int64_t j = 0; j < p->keys; j++) {
        w->classes[j] = (int32_t)below(CLASSES);
    }
}

static void close_world(world *w, ga_context *context)
{
    for (int i = 0; i < INPUTS; i++) {
        free(w->in[i].tensor.data);
    }
    free(w->classes);
    ga_pattern_destroy(context, w->pattern);
}

static void open_outputs(outputs *o, const world *w, bool statistics, uint8_t bits)
{
    const ga_pattern *p = w->pattern;
    const int64_t row[] = { BATCH, HEADS, p->queries, 1 }, column[] = { BATCH, HEADS, p->keys, 1 };
    ga_row_statistics *s = &o->statistics;
    *o = (outputs){ 0 };
    o->result.o = make(&o->out[O], kDLFloat, bits, 4, (const int64_t[]){ BATCH, HEADS, p->queries, DIM_V });
    if (w->problem.normaliser.kind == GA_SOFTMAX) {
        o->result.lse = make(&o->out[LSE], kDLFloat, bits, 3, row);
    }
    if (!statistics) {
        return;
    }
    o->result.statistics = s;
    s->classes = w->classes;
    s->class_count = CLASSES;
    s->top_k = TOP;
    s->entropy = make(&o->out[ENTROPY], kDLFloat, bits, 3, row);
    s->max = make(&o->out[MAX], kDLFloat, bits, 3, row);
    s->argmax = make(&o->out[ARGMAX], kDLInt, 32, 3, row);
    s->class_mass =
        make(&o->out[MASS], kDLFloat, bits, 4, (const int64_t[]){ BATCH, HEADS, p->queries, CLASSES });
    s->column_sum = make(&o->out[COLUMNS], kDLFloat, bits, 3, column);
    s->top_indices =
        make(&o->out[TOP_INDICES], kDLInt, 32, 4, (const int64_t[]){ BATCH, HEADS, p->queries, TOP });
    s->top_weights =
        make(&o->out[TOP_WEIGHTS], kDLFloat, bits, 4, (const int64_t[]){ BATCH, HEADS, p->queries, TOP });
}

static void close_outputs(outputs *o)
{
    for (int i = 0; i < OUTPUTS; i++) {
        free(o->out[i].tensor.data);
    }
}

static void compare(const outputs *a, const outputs *b, uint64_t seed, const char *backend, double rtol,
                    double atol)
{
    for (int i = 0; i < OUTPUTS; i++) {
        for (int64_t j = 0; j < a->out[i].count; j++) {
            double x = at(&a->out[i], j), y = at(&b->out[i], j);
            if (!(x == y || fabs(x - y) <= atol + rtol * fabs(y))) {
                ck_abort_msg("%s, seed %d, output %d[%lld]: %.9g, not %.9g", backend, (int)seed, i,
                             (long long)j, x, y);
            }
        }
    }
}

static void check_values(uint64_t seed, bool half, bool statistics, double rtol, double atol)
{
    static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };
    world w;
    outputs expected, found;
    ga_context *context = test_threads_context(2);
    open_world(&w, context, seed, half);
    open_outputs(&expected, &w, statistics, 64);
    test_ok(context, ga_attention_forward(context, &w.problem, GA_FAMILY_ROWS, &expected.result, NULL));
    for (int i = 0; i < 3; i++) {
        if (ga_backend_available(backends[i])) {
            test_ok(context, ga_context_set_backend(context, backends[i]));
            open_outputs(&found, &w, statistics, 32);
            test_ok(context, ga_attention_forward(context, &w.problem, GA_FAMILY_TILES, &found.result, NULL));
            compare(&found, &expected, seed, ga_backend_name(backends[i]), rtol, atol);
            close_outputs(&found);
        }
    }
    close_outputs(&expected);
    close_world(&w, context);
    ga_context_destroy(context);
}

START_TEST(values)
{
    for (uint64_t seed = (uint64_t)_i; seed < 120; seed += 4) {
        check_values(seed, false, false, 4e-5, 2e-5);
    }
}
END_TEST

START_TEST(statistics)
{
    for (uint64_t seed = (uint64_t)_i; seed < 96; seed += 4) {
        check_values(seed, false, true, 2e-4, 1e-4);
    }
}
END_TEST

/* Products of pairs round the weights. */
START_TEST(halves)
{
    for (uint64_t seed = 0; seed < 48; seed++) {
        check_values(seed, true, false, 1e-2, 2e-2);
    }
}
END_TEST

/* A value that is not a number reaches those that see it, and nobody else. */
START_TEST(contained)
{
    for (uint64_t seed = 1; seed < 60; seed += 3) {
        world w;
        outputs expected, found;
        ga_context *context = test_threads_context(2);
        open_world(&w, context, seed, false);
        for (int64_t i = 0; i < w.in[V].count; i += DIM_V * (w.pattern->keys / 3 + 1)) {
            ((float *)w.in[V].tensor.data)[i] = NAN;
        }
        open_outputs(&expected, &w, false, 64);
        open_outputs(&found, &w, false, 32);
        test_ok(context, ga_attention_forward(context, &w.problem, GA_FAMILY_ROWS, &expected.result, NULL));
        test_ok(context, ga_attention_forward(context, &w.problem, GA_FAMILY_TILES, &found.result, NULL));
        for (int64_t j = 0; j < found.out[O].count; j++) {
            ck_assert_int_eq(isnan(at(&found.out[O], j)), isnan(at(&expected.out[O], j)));
        }
        close_outputs(&expected);
        close_outputs(&found);
        close_world(&w, context);
        ga_context_destroy(context);
    }
}
END_TEST

/* ---- threads, memory ---- */

START_TEST(threads)
{
    static const int counts[] = { 1, 2, 3, 7 };
    for (uint64_t seed = 0; seed < 24; seed++) {
        outputs first, other;
        for (int t = 0; t < 4; t++) {
            world w;
            ga_context *context = test_threads_context(counts[t]);
            outputs *o = t == 0 ? &first : &other;
            open_world(&w, context, seed, seed % 4 == 3);
            open_outputs(o, &w, seed % 2 == 0, 32);
            test_ok(context, ga_attention_forward(context, &w.problem, GA_FAMILY_TILES, &o->result, NULL));
            for (int i = 0; i < OUTPUTS && t > 0; i++) {
                size_t bytes = (size_t)o->out[i].count * o->out[i].tensor.dtype.bits / 8;
                ck_assert(bytes == 0 || memcmp(o->out[i].tensor.data, first.out[i].tensor.data, bytes) == 0);
            }
            if (t > 0) {
                close_outputs(&other);
            }
            close_world(&w, context);
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
    for (uint64_t seed = 4; seed < 8; seed++) {
        world w;
        outputs o;
        ga_context *context = test_threads_context(2);
        open_world(&w, context, seed, false);
        open_outputs(&o, &w, seed % 2 == 0, 32);
        call c = { &w, &o };
        ck_assert_int_gt(test_each_allocation(forward_again, &c, 2), 8);
        close_outputs(&o);
        close_world(&w, context);
        ga_context_destroy(context);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tiles of grids");
    TCase *tests = tcase_create("grids");
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, boxes);
    tcase_add_test(tests, whole);
    tcase_add_loop_test(tests, values, 0, 4);
    tcase_add_loop_test(tests, statistics, 0, 4);
    tcase_add_test(tests, halves);
    tcase_add_test(tests, contained);
    tcase_add_test(tests, threads);
    tcase_add_test(tests, memory);
    return test_run(suite);
}
