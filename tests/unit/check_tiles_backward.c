/* check_tiles_backward.c - gradients of attention by tiles, against rows and against the definition. */
#include "tests/unit/check_tiles_backward.h"

/* ---- tests ---- */

/* Every normaliser with every pattern; dims, groups and sizes change from one to the next. */
START_TEST(normalisers_and_patterns)
{
    static const int64_t dims[] = { 16, 3, 40, 64, 1, 80 }, groups[][2] = { { 4, 2 }, { 2, 2 }, { 3, 1 } };
    int turn = 0;
    for (int kind = GA_SOFTMAX; kind <= GA_INLINE; kind++) {
        for (int pattern = FULL; pattern < PATTERNS; pattern++) {
            if (kind != GA_SOFTMAX && (pattern == GHOST || pattern == GHOST_OWN)) {
                continue;
            }
            setup s = sized(1 + turn % 2, groups[turn % 3][0], groups[turn % 3][1], 72, 72, dims[turn % 6],
                            dims[(turn / 2 + 1) % 6], pattern);
            s.kind = kind;
            s.given = turn % 2;
            s.eta = turn % 3;
            s.mode = turn % 3;
            if (pattern == FULL || pattern == CAUSAL || pattern == WINDOW || pattern == LISTS ||
                pattern == BLOCKS) {
                s.queries = turn % 2 ? 70 : 131;
                s.keys = turn % 3 ? 97 : 64;
            }
            if (kind == GA_RELU_L1 && s.dim == 1) {
                s.dim = 5; /* weights s / sum s do not depend on q there: its gradient is rounding alone */
            }
            check_setup(&s, kind == GA_SOFTPLUS_REWEIGHT ? 1e-4 : 2e-5);
            turn++;
        }
    }
}
END_TEST

/* What is added to scores, with its gradients. */
START_TEST(additions)
{
    for (int kind = GA_SOFTMAX; kind <= GA_INLINE; kind++) {
        for (int turn = 0; turn < 3; turn++) {
            static const shape_of patterns[][3] = { { CAUSAL, NEIGHBOUR, WINDOW },
                                                    { EXTRA, BLOCKS, NEIGHBOUR } };
            setup s = sized(2, 4, 2, 81, 81, 20, 24, patterns[kind % 2][turn]);
            s.kind = kind;
            s.softcap = turn == 1 ? 0 : 1.5;
            s.bias = true;
            s.bias_shared = turn == 1;
            s.table = true;
            s.table_shared = turn == 2;
            s.slopes = turn != 1;
            s.head_scale = turn == 2;
            s.given = turn == 0;
            s.wide_out = turn == 1;
            check_setup(&s, kind == GA_SOFTPLUS_REWEIGHT ? 1e-4 : 3e-5);
        }
    }
}
END_TEST

START_TEST(ghosts_with_table)
{
    setup s = sized(2, 4, 2, 80, 80, 12, 8, GHOST);
    s.table = true;
    s.slopes = true;
    check_setup(&s, 2e-5);
    s.pattern = GHOST_OWN;
    s.table_shared = true;
    check_setup(&s, 2e-5);
}
END_TEST

START_TEST(half_precision_inputs)
{
    setup s = sized(1, 2, 1, 75, 90, 33, 20, CAUSAL);
    s.type = &bf16;
    check_setup(&s, 2e-5);
    s.type = &f16;
    s.kind = GA_SIGMOID;
    check_setup(&s, 2e-5);
}
END_TEST

/* Scores far above what exp can hold without the maximum. */
START_TEST(large_scores)
{
    setup s = sized(1, 2, 1, 90, 200, 24, 8, CAUSAL);
    s.sharpness = 150;
    check_setup(&s, 2e-3);
    s.given = true;
    check_setup(&s, 2e-3);
}
END_TEST

/* Several blocks of queries to a chunk, and powers that are not small integers. */
START_TEST(long_chunks_and_powers)
{
    setup s = sized(8, 8, 8, 140, 200, 3, 2, CAUSAL);
    check_setup(&s, 2e-5);
    s = sized(1, 1, 1, 70, 70, 8, 8, FULL);
    s.kind = GA_SOFTPLUS_REWEIGHT;
    const double powers[] = { 1, 1.5, 2, 4 };
    for (int i = 0; i < 4; i++) {
        s.power = powers[i];
        check_setup(&s, 2e-4);
    }
}
END_TEST

/* ---- the definition, without the library: softmax with a soft cap, a bias, causal, groups ---- */

typedef struct plain {
    const world *w;
    double *dq, *dk, *dv, *dbias, *weight, *slack;
} plain;

static void plain_row(plain *p, int64_t b, int64_t h, int64_t i)
{
    const world *w = p->w;
    const setup *s = &w->s;
    int64_t g = h / (s->heads / s->kv), row = (b * s->heads + h) * s->queries + i,
            last = i + s->keys - s->queries;
    double sum = 0, delta = 0;
    for (int64_t j = 0; j <= last; j++) {
        double x = 0;
        for (int64_t c = 0; c < s->dim; c++) {
            x +=
                at(&w->in[Q], row * s->dim + c) * at(&w->in[K], ((b * s->kv + g) * s->keys + j) * s->dim + c);
        }
        double t = tanh(w->problem.score.scale * x / s->softcap);
        p->slack[j] = 1 - t * t;
        p->weight[j] = exp(s->softcap * t + at(&w->in[BIAS], (h * s->queries + i) * s->keys + j));
        sum += p->weight[j];
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t j = 0; j <= last; j++) {
            int64_t key = (b * s->kv + g) * s->keys + j;
            double d = 0, a = p->weight[j] / sum;
            for (int64_t c = 0; c < s->dim_v; c++) {
                double o = at(&w->in[GRAD_O], row * s->dim_v + c);
                d += o * at(&w->in[V], key * s->dim_v + c);
                p->dv[key * s->dim_v + c] += pass ? a * o : 0;
            }
            delta += pass ? 0 : a * d;
            double ds = pass ? a * (d - delta) : 0;
            p->dbias[(h * s->queries + i) * s->keys + j] += ds;
            ds *= p->slack[j] * w->problem.score.scale;
            for (int64_t c = 0; c < s->dim; c++) {
                p->dq[row * s->dim + c] += ds * at(&w->in[K], key * s->dim + c);
                p->dk[key * s->dim + c] += ds * at(&w->in[Q], row * s->dim + c);
            }
        }
    }
}

START_TEST(against_definition)
{
    setup s = sized(2, 4, 2, 67, 130, 24, 10, CAUSAL);
    s.softcap = 2;
    s.bias = true;
    ga_context *context = test_threads_context(2);
    world w;
    outputs found, expected;
    open_world(&w, &s, context);
    open_outputs(&found, &w, f32);
    open_outputs(&expected, &w, f64);
    backward(&w, context, GA_FAMILY_TILES, &found);
    for (int i = 0; i < OUTPUTS; i++) {
        if (expected.out[i].tensor.data) {
            memset(expected.out[i].tensor.data, 0, (size_t)count_of(&expected.out[i]) * sizeof(double));
        }
    }
    plain p = { &w,
                expected.out[Q].tensor.data,
                expected.out[K].tensor.data,
                expected.out[V].tensor.data,
                expected.out[BIAS].tensor.data,
                calloc(200, sizeof(double)),
                calloc(200, sizeof(double)) };
    for (int64_t row = 0; row < s.batch * s.heads * s.queries; row++) {
        plain_row(&p, row / s.queries / s.heads, row / s.queries % s.heads, row % s.queries);
    }
    compare(&w, &found, &expected, 2e-5);
    free(p.weight);
    free(p.slack);
    close_outputs(&found);
    close_outputs(&expected);
    close_world(&w);
    ga_context_destroy(context);
}
END_TEST

/* ---- what must not depend on threads, or spread ---- */

static setup everything(int64_t tokens)
{
    setup s = sized(2, 4, 2, tokens, tokens, 10, 6, CAUSAL);
    s.table = s.slopes = true;
    s.softcap = 3;
    return s;
}

START_TEST(threads_give_equal_bits)
{
    static const int threads[] = { 1, 2, 3, 7 };
    for (int turn = 0; turn < 4; turn++) {
        setup s = everything(300);
        s.bias = turn % 2 == 0;
        s.bias_shared = turn == 2;
        s.kind = turn == 3 ? GA_SIGMOID : GA_SOFTMAX;
        s.pattern = turn == 1 ? WINDOW : CAUSAL;
        ga_context *context = test_threads_context(1);
        world w;
        outputs first, found;
        open_world(&w, &s, context);
        open_outputs(&first, &w, f32);
        for (int i = 0; i < 4; i++) {
            ga_context *crowd = test_threads_context(threads[i]);
            open_outputs(&found, &w, f32);
            backward(&w, crowd, GA_FAMILY_TILES, i == 0 ? &first : &found);
            for (int c = 0; i > 0 && c < OUTPUTS; c++) {
                ck_assert(!first.out[c].tensor.data ||
                          memcmp(first.out[c].tensor.data, found.out[c].tensor.data,
                                 (size_t)count_of(&first.out[c]) * sizeof(float)) == 0);
            }
            close_outputs(&found);
            ga_context_destroy(crowd);
        }
        close_outputs(&first);
        close_world(&w);
        ga_context_destroy(context);
    }
}
END_TEST

/* spoilt: rows of an output (of width numbers) that may be no numbers; all others must be as they were. */
static void only_these_differ(const array *found, const array *clean, int64_t width, const bool *spoilt,
                              const char *name)
{
    bool any = false;
    for (int64_t c = 0; c < count_of(clean); c++) {
        if (spoilt[c / width]) {
            any |= isnan(at(found, c));
        } else {
            ck_assert_msg(fabs(at(found, c) - at(clean, c)) <= 1e-5, "%s: row %lld: %g, not %g", name,
                          (long long)(c / width), at(found, c), at(clean, c));
        }
    }
    ck_assert_msg(any, "%s", name);
}

/* A NaN in one row of q, grad_o, k or v reaches what sees it, and nothing else. */
static void check_spoilt(int which, ga_backend backend, ga_normaliser_kind kind)
{
    enum { N = 150, ROW = 77, DIM = 20 };
    setup s = sized(1, 1, 1, N, N, DIM, DIM, WINDOW);
    s.kind = kind;
    ga_context *context = test_threads_context(2);
    world w;
    outputs clean, found;
    bool query[N], key[N];
    test_ok(context, ga_context_set_backend(context, backend));
    open_world(&w, &s, context);
    open_outputs(&clean, &w, f32);
    open_outputs(&found, &w, f32);
    backward(&w, context, GA_FAMILY_TILES, &clean);
    put(&w.in[which], ROW * DIM + 3, which == V ? INFINITY : NAN);
    backward(&w, context, GA_FAMILY_TILES, &found);
    bool from_query = which == Q || which == GRAD_O;
    for (int64_t i = 0; i < N; i++) {
        query[i] = from_query ? i == ROW : i >= ROW && i <= ROW + 30;
    }
    for (int64_t j = 0; j < N; j++) { /* seen by a spoilt query: i - 30 .. i and the first three */
        key[j] = j < 3 || (from_query ? j >= ROW - 30 && j <= ROW : j >= ROW - 30 && j <= ROW + 30);
    }
    only_these_differ(&found.out[Q], &clean.out[Q], DIM, query, "q");
    only_these_differ(&found.out[K], &clean.out[K], DIM, key, "k");
    if (which != V) {
        only_these_differ(&found.out[V], &clean.out[V], DIM, key, "v");
    }
    close_outputs(&clean);
    close_outputs(&found);
    close_world(&w);
    ga_context_destroy(context);
}

START_TEST(nan_stays_where_it_is_seen)
{
    static const int which[] = { Q, K, V, GRAD_O };
    for (int i = 0; i < 3; i++) {
        for (int c = 0; ga_backend_available(backends[i]) && c < 4; c++) {
            check_spoilt(which[c], backends[i], GA_SOFTMAX);
            check_spoilt(which[c], backends[i], GA_SOFTPLUS);
        }
    }
}
END_TEST

/* Rows that see nothing: queries before the first key of a causal pattern; a bias of -inf hides keys too. */
START_TEST(empty_rows_are_zero)
{
    for (int kind = GA_SOFTMAX; kind <= GA_INLINE; kind++) {
        setup s = sized(1, 2, 1, 100, 70, 8, 8, CAUSAL);
        s.kind = kind;
        ga_context *context = test_threads_context(2);
        world w;
        outputs o;
        open_world(&w, &s, context);
        open_outputs(&o, &w, f32);
        backward(&w, context, GA_FAMILY_TILES, &o);
        for (int64_t c = 0; c < 30 * s.dim; c++) {
            ck_assert(at(&o.out[Q], c) == 0);
        }
        for (int64_t c = 0; c < count_of(&o.out[K]); c++) {
            ck_assert(!isnan(at(&o.out[K], c)) && !isnan(at(&o.out[V], c)));
        }
        close_outputs(&o);
        close_world(&w);
        ga_context_destroy(context);
    }
}
END_TEST

START_TEST(hidden_by_bias)
{
    setup s = sized(1, 1, 1, 70, 70, 8, 8, CAUSAL);
    s.bias = true;
    ga_context *context = test_threads_context(2);
    world w;
    outputs o;
    open_world(&w, &s, context);
    for (int64_t j = 0; j < 70; j++) {
        put(&w.in[BIAS], 69 * 70 + j, -INFINITY);
        put(&w.in[BIAS], 68 * 70 + j, j == 2 ? 0 : -INFINITY);
    }
    open_outputs(&o, &w, f32);
    backward(&w, context, GA_FAMILY_TILES, &o);
    for (int64_t c = 0; c < count_of(&o.out[Q]); c++) {
        ck_assert(!isnan(at(&o.out[Q], c)) && (c < 69 * 8 || at(&o.out[Q], c) == 0));
    }
    for (int64_t c = 0; c < count_of(&o.out[BIAS]); c++) {
        ck_assert(!isnan(at(&o.out[BIAS], c)));
    }
    close_outputs(&o);
    close_world(&w);
    ga_context_destroy(context);
}
END_TEST

/* ---- sizes, failures ---- */

START_TEST(nothing_at_all)
{
    static const int64_t sizes[][6] = { { 0, 2, 2, 5, 5, 4 }, { 1, 0, 0, 5, 5, 4 }, { 1, 2, 1, 0, 5, 4 },
                                        { 1, 2, 1, 5, 0, 4 }, { 1, 2, 1, 0, 0, 0 }, { 1, 2, 1, 5, 5, 0 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int kind = GA_SOFTMAX; kind <= GA_IDENTITY; kind++) {
            setup s = sized(sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3], sizes[i][4], sizes[i][5],
                            sizes[i][5], FULL);
            s.kind = kind;
            s.bias = i != 1;
            s.slopes = true;
            ga_context *context = test_threads_context(2);
            world w;
            outputs o;
            open_world(&w, &s, context);
            open_outputs(&o, &w, f32);
            backward(&w, context, GA_FAMILY_TILES, &o);
            for (int c = 0; c < OUTPUTS; c++) {
                for (int64_t x = 0; o.out[c].tensor.data && x < count_of(&o.out[c]); x++) {
                    ck_assert(kind == GA_SOFTPLUS || kind == GA_SOFTPLUS_REWEIGHT ||
                              !isnan(at(&o.out[c], x)));
                    ck_assert(i == 5 || at(&o.out[c], x) == 0);
                }
            }
            close_outputs(&o);
            close_world(&w);
            ga_context_destroy(context);
        }
    }
}
END_TEST

/* One gradient alone is the same as with all others. */
START_TEST(each_alone)
{
    setup s = everything(100);
    ga_context *context = test_threads_context(2);
    world w;
    outputs all, one;
    open_world(&w, &s, context);
    open_outputs(&all, &w, f32);
    backward(&w, context, GA_FAMILY_TILES, &all);
    for (int i = 0; i < OUTPUTS; i++) {
        if (!all.out[i].tensor.data) {
            continue;
        }
        open_outputs(&one, &w, f32);
        DLTensor **to[] = { &one.g.q, &one.g.k, &one.g.v, &one.g.bias, &one.g.table, &one.g.slopes };
        for (int c = 0; c < 6; c++) {
            *to[c] = c == i ? *to[c] : NULL;
        }
        backward(&w, context, GA_FAMILY_TILES, &one);
        ck_assert(memcmp(one.out[i].tensor.data, all.out[i].tensor.data,
                         (size_t)count_of(&all.out[i]) * sizeof(float)) == 0);
        close_outputs(&one);
    }
    close_outputs(&all);
    close_world(&w);
    ga_context_destroy(context);
}
END_TEST

typedef struct memory {
    const world *w;
    outputs *o;
} memory;

static ga_status run_for_memory(ga_context *context, void *user)
{
    memory *m = user;
    return ga_attention_backward(context, &m->w->problem, GA_FAMILY_TILES, &m->o->g, NULL);
}

START_TEST(out_of_memory)
{
    setup s[] = { everything(100), sized(1, 2, 2, 80, 80, 4, 4, EXTRA) };
    for (int i = 0; i < 2; i++) {
        ga_context *context = test_threads_context(1);
        world w;
        outputs o;
        open_world(&w, &s[i], context);
        open_outputs(&o, &w, f32);
        memory m = { &w, &o };
        ck_assert_int_gt(test_each_allocation(run_for_memory, &m, 2), 5);
        close_outputs(&o);
        close_world(&w);
        ga_context_destroy(context);
    }
}
END_TEST

static int stop_at_once(void *user)
{
    (void)user;
    return 1;
}

START_TEST(refusals)
{
    setup s = sized(1, 2, 1, 10, 10, 4, 4, FULL);
    s.head_scale = true;
    ga_context *context = test_threads_context(2);
    world w;
    outputs o;
    array other;
    open_world(&w, &s, context);
    open_outputs(&o, &w, f32);
#define REFUSED(expected, words) \
    test_status(context, ga_attention_backward(context, &w.problem, GA_FAMILY_TILES, &o.g, NULL), expected); \
    test_error_has(context, words)
    o.g.head_scale = make(&other, f32, 1, 2, 1, 1, 1);
    REFUSED(GA_UNSUPPORTED, "head_scale");
    o.g.head_scale = NULL;
    other.shape[0] = 1;
    o.g.sigmoid_bias = &other.tensor;
    REFUSED(GA_INVALID, "sigmoid_bias");
    o.g.sigmoid_bias = NULL;
    DLTensor *grad_q = o.g.q;
    o.g.q = &other.tensor;
    REFUSED(GA_INVALID, "gradient of q");
    o.g.q = grad_q;
    o.g.grad_o = NULL;
    REFUSED(GA_INVALID, "grad_o");
    o.g.grad_o = &w.in[GRAD_O].tensor;
    w.in[GRAD_O].tensor.dtype = f64;
    REFUSED(GA_UNSUPPORTED, "double precision");
    w.in[GRAD_O].tensor.dtype = f32;
    ga_context_set_cancel(context, stop_at_once, NULL);
    REFUSED(GA_CANCELLED, "");
    ga_context_set_cancel(context, NULL, NULL);
    backward(&w, context, GA_FAMILY_TILES, &o);
    free(other.tensor.data);
    close_outputs(&o);
    close_world(&w);
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tiles backward");
    TCase *values = tcase_create("values"), *rest = tcase_create("rest");
    tcase_add_test(values, normalisers_and_patterns);
    tcase_add_test(values, additions);
    tcase_add_test(values, ghosts_with_table);
    tcase_add_test(values, half_precision_inputs);
    tcase_add_test(values, large_scores);
    tcase_add_test(values, long_chunks_and_powers);
    tcase_add_test(values, against_definition);
    tcase_add_test(rest, threads_give_equal_bits);
    tcase_add_test(rest, nan_stays_where_it_is_seen);
    tcase_add_test(rest, empty_rows_are_zero);
    tcase_add_test(rest, hidden_by_bias);
    tcase_add_test(rest, nothing_at_all);
    tcase_add_test(rest, each_alone);
    tcase_add_test(rest, out_of_memory);
    tcase_add_test(rest, refusals);
    suite_add_tcase(suite, values);
    suite_add_tcase(suite, rest);
    return test_run(suite);
}
