/* check_attention_gradients.c - gradients of attention by rows against central differences of the forward
 * pass, for every pattern, normaliser and input; empty rows, element types, wrong arguments, memory,
 * threads. */
#include "config.h"

#include "check_attention_rows.h"

static ga_context *context;

static void setup(void)
{
    context = test_threads_context(1);
}

static void teardown(void)
{
    test_context_done(context, NULL);
}

enum { INPUTS = 14 };

/* An input, and its gradient. */
typedef struct pair {
    const char *name;
    array *input; /* NULL: the number `value` */
    double *value;
    array grad;
} pair;

typedef struct gradients {
    pair pair[INPUTS];
    ga_attention_gradients wanted;
} gradients;

static void add(gradients *g, int at, const char *name, array *input, DLTensor **to)
{
    g->pair[at].name = name;
    g->pair[at].input = input;
    if (input->data) {
        g->pair[at].grad = array_make(input->tensor.ndim, input->shape[0], input->shape[1], input->shape[2],
                                      input->shape[3]);
        *to = tensor_of(&g->pair[at].grad);
    }
}

static void gradients_make(sample *s, gradients *g)
{
    memset(g, 0, sizeof *g);
    ga_attention_gradients *w = &g->wanted;
    w->grad_o = tensor_of(&s->grad_o);
    add(g, 0, "q", &s->q, &w->q);
    add(g, 1, "k", &s->k, &w->k);
    add(g, 2, "v", &s->v, &w->v);
    add(g, 3, "bias", &s->bias, &w->bias);
    add(g, 4, "table", &s->table, &w->table);
    add(g, 5, "edge_bias", &s->edge_bias, &w->edge_bias);
    add(g, 6, "slopes", &s->slopes, &w->slopes);
    add(g, 7, "eta_logits", &s->eta, &w->eta_logits);
    add(g, 8, "k_extra", &s->k_extra, &w->k_extra);
    add(g, 9, "v_extra", &s->v_extra, &w->v_extra);
    add(g, 10, "ghost_k", &s->ghost_k, &w->ghost_k);
    add(g, 11, "ghost_v", &s->ghost_v, &w->ghost_v);
    add(g, 12, "head_scale", &s->head_scale, &w->head_scale);
    g->pair[13] = (pair){ .name = "sigmoid_bias" };
    if (s->problem.normaliser.kind == GA_SIGMOID) {
        g->pair[13].value = &s->problem.normaliser.bias;
        g->pair[13].grad = array_make(1, 1, 0, 0, 0);
        w->sigmoid_bias = tensor_of(&g->pair[13].grad);
    }
}

static void gradients_done(gradients *g)
{
    for (int i = 0; i < INPUTS; i++) {
        free(g->pair[i].grad.data);
    }
}

/* ---- central differences ---- */

static double loss(sample *s, const array *o)
{
    double sum = 0;
    test_ok(context, ga_attention_forward(context, &s->problem, GA_FAMILY_ROWS,
                                          &(ga_attention_result){ .o = &((array *)o)->tensor }, NULL));
    for (int64_t i = 0; i < o->count; i++) {
        sum += o->data[i] * s->grad_o.data[i];
    }
    return sum;
}

/* Fourth order: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h. */
static double difference(sample *s, const array *o, double *x, double h)
{
    const double kept = *x;
    double f[5];
    for (int i = 0; i < 5; i++) {
        *x = kept + (i - 2) * h;
        f[i] = i == 2 ? 0 : loss(s, o);
    }
    *x = kept;
    return (8 * (f[3] - f[1]) - (f[4] - f[0])) / (12 * h);
}

/* Where two steps disagree, there is a kink between (a score at 0 under relu-l1); returns how many. */
static int check_pair(sample *s, const array *o, const pair *p, const char *where)
{
    int kinks = 0;
    enum { TRIES = 5 };
    for (int64_t t = 0; t < ga__min(p->grad.count, TRIES); t++) {
        int64_t at = p->grad.count <= TRIES ? t : (int64_t)ga__random_below(&stream, (uint64_t)p->grad.count);
        double *x = p->value ? p->value : p->input->data + at;
        double found = p->grad.data[at], wanted = difference(s, o, x, 2e-4);
        if (fabs(wanted - difference(s, o, x, 7e-5)) > 1e-7 * (1 + fabs(wanted))) {
            kinks++;
            continue;
        }
        ck_assert_msg(fabs(found - wanted) <= 1e-6 * (1e-2 + fabs(wanted)), "%s: %s[%lld]: %.12g, not %.12g",
                      where, p->name, (long long)at, found, wanted);
    }
    return kinks;
}

START_TEST(every_gradient)
{
    bool bends = _i == GA_RELU_L1 || _i == GA_SOFTPLUS_REWEIGHT;
    int kinks = 0;
    for (int kind = 0; kind <= LONG; kind++) {
        int first = kind == LONG ? 1 + _i % 2 : 0, last = kind == LONG ? first : 2;
        for (int flavour = first; flavour <= last; flavour++) {
            sample s;
            gradients g;
            char where[64];
            if (!sample_make(context, (shape_kind)kind, (ga_normaliser_kind)_i, flavour, &s)) {
                continue;
            }
            (void)sample_problem(&s);
            gradients_make(&s, &g);
            array o = array_make(4, s.batch, s.heads, s.queries, s.dim_v);
            (void)tensor_of(&o);
            (void)snprintf(where, sizeof where, "pattern %d, normaliser %d, flavour %d", kind, _i, flavour);
            test_ok(context, ga_attention_backward(context, &s.problem, GA_FAMILY_ROWS, &g.wanted, NULL));
            for (int i = 0; i < INPUTS; i++) {
                if (g.pair[i].grad.data) {
                    kinks += check_pair(&s, &o, &g.pair[i], where);
                }
            }
            free(o.data);
            gradients_done(&g);
            sample_done(context, &s);
        }
    }
    ck_assert_msg(kinks <= (bends ? 12 : 0), "%d kinks", kinks);
}
END_TEST

/* ---- what must be 0, or not a number, and where ---- */

START_TEST(off_the_pattern)
{
    for (int kind = 0; kind < NORMALISERS; kind++) {
        sample s;
        gradients g;
        ck_assert(
            sample_make(context, BLOCKS, (ga_normaliser_kind)kind, 1, &s)); /* queries 4 and 5 see nothing */
        (void)sample_problem(&s);
        gradients_make(&s, &g);
        test_ok(context, ga_attention_backward(context, &s.problem, GA_FAMILY_AUTO, &g.wanted, NULL));
        for (int64_t row = 0; row < s.batch * s.heads * s.queries; row++) {
            int64_t h = row / s.queries % s.heads, i = row % s.queries;
            for (int64_t x = 0; x < s.dim && i >= 4; x++) {
                ck_assert_double_eq(g.pair[0].grad.data[row * s.dim + x], 0);
            }
            for (int64_t j = 0; j < s.keys && row < s.heads * s.queries; j++) {
                double found = g.pair[3].grad.data[row * s.keys + j];
                ck_assert(found == 0 || s.sees[h][i][j]);
            }
            if (kind == GA_NORM_ATTENTION && i >= 4) {
                ck_assert_double_eq(g.pair[7].grad.data[row], 0);
            }
        }
        gradients_done(&g);
        sample_done(context, &s);
    }
}
END_TEST

/* Rows of softplus-reweight that nothing stands out of. */
START_TEST(flat_rows)
{
    sample s;
    gradients g;
    ck_assert(sample_make(context, FULL, GA_SOFTPLUS_REWEIGHT, 0, &s));
    s.problem.score.scale = 0;
    (void)sample_problem(&s);
    gradients_make(&s, &g);
    test_ok(context, ga_attention_backward(context, &s.problem, GA_FAMILY_ROWS, &g.wanted, NULL));
    for (int i = 0; i < 3; i++) {
        for (int64_t at = 0; at < g.pair[i].grad.count; at++) {
            ck_assert_double_eq(g.pair[i].grad.data[at], 0);
        }
    }
    gradients_done(&g);
    sample_done(context, &s);
}
END_TEST

START_TEST(nan_stays_in_its_row)
{
    for (int kind = 0; kind < NORMALISERS; kind++) {
        sample s;
        gradients before, after;
        ck_assert(sample_make(context, FULL, (ga_normaliser_kind)kind, 1, &s));
        (void)sample_problem(&s);
        gradients_make(&s, &before);
        gradients_make(&s, &after);
        test_ok(context, ga_attention_backward(context, &s.problem, GA_FAMILY_ROWS, &before.wanted, NULL));
        s.q.data[3 * s.dim] = NAN;
        test_ok(context, ga_attention_backward(context, &s.problem, GA_FAMILY_ROWS, &after.wanted, NULL));
        for (int64_t at = 0; at < s.q.count; at++) {
            double found = after.pair[0].grad.data[at];
            if (at / s.dim != 3) {
                ck_assert_double_eq(found, before.pair[0].grad.data[at]);
            } else {
                ck_assert(isnan(found));
            }
        }
        gradients_done(&before);
        gradients_done(&after);
        sample_done(context, &s);
    }
}
END_TEST

/* Gradients in single precision are the double ones, rounded; o and lse given change nothing. */
START_TEST(single_precision)
{
    for (int kind = 0; kind < SHAPES; kind++) {
        sample s;
        gradients g, narrow;
        ck_assert(sample_make(context, (shape_kind)kind, GA_SOFTMAX, 2, &s));
        (void)sample_problem(&s);
        gradients_make(&s, &g);
        gradients_make(&s, &narrow);
        array o = array_make(4, s.batch, s.heads, s.queries, s.dim_v);
        array lse = array_make(3, s.batch, s.heads, s.queries, 0);
        narrow.wanted.o = tensor_of(&o);
        narrow.wanted.lse = tensor_of(&lse);
        for (int i = 0; i < INPUTS; i++) {
            narrow.pair[i].grad.tensor.dtype = (DLDataType){ kDLFloat, 32, 1 };
        }
        test_ok(context, ga_attention_backward(context, &s.problem, GA_FAMILY_ROWS, &g.wanted, NULL));
        test_ok(context, ga_attention_backward(context, &s.problem, GA_FAMILY_ROWS, &narrow.wanted, NULL));
        for (int i = 0; i < INPUTS; i++) {
            for (int64_t at = 0; at < g.pair[i].grad.count; at++) {
                float single = ((const float *)narrow.pair[i].grad.data)[at];
                ck_assert_msg(single == (float)g.pair[i].grad.data[at], "%s", g.pair[i].name);
            }
        }
        free(o.data);
        free(lse.data);
        gradients_done(&g);
        gradients_done(&narrow);
        sample_done(context, &s);
    }
}
END_TEST

/* The gradient of anything is the same whether or not others are asked for. */
START_TEST(one_at_a_time)
{
    for (int kind = WINDOW; kind < SHAPES; kind++) {
        sample s;
        gradients all, one;
        ck_assert(sample_make(context, (shape_kind)kind, GA_SOFTMAX, 1, &s));
        (void)sample_problem(&s);
        gradients_make(&s, &all);
        gradients_make(&s, &one);
        test_ok(context, ga_attention_backward(context, &s.problem, GA_FAMILY_ROWS, &all.wanted, NULL));
        DLTensor **const members[] = { &one.wanted.q,         &one.wanted.k,          &one.wanted.v,
                                       &one.wanted.bias,      &one.wanted.table,      &one.wanted.edge_bias,
                                       &one.wanted.slopes,    &one.wanted.eta_logits, &one.wanted.k_extra,
                                       &one.wanted.v_extra,   &one.wanted.ghost_k,    &one.wanted.ghost_v,
                                       &one.wanted.head_scale };
        for (int i = 0; i < INPUTS - 1; i++) {
            one.wanted = (ga_attention_gradients){ .grad_o = tensor_of(&s.grad_o) };
            if (one.pair[i].grad.data) {
                *members[i] = tensor_of(&one.pair[i].grad);
                test_ok(context,
                        ga_attention_backward(context, &s.problem, GA_FAMILY_ROWS, &one.wanted, NULL));
                ck_assert_msg(memcmp(one.pair[i].grad.data, all.pair[i].grad.data,
                                     (size_t)one.pair[i].grad.count * sizeof(double)) == 0,
                              "%s", one.pair[i].name);
            }
        }
        gradients_done(&all);
        gradients_done(&one);
        sample_done(context, &s);
    }
}
END_TEST

/* Edges that causality dropped, or that were given twice, have the gradient 0 and keep their places. */
START_TEST(dropped_edges)
{
    const int64_t offsets[] = { 0, 3, 6 }, indices[] = { 1, 0, 0, 1, 0, 1 }; /* query 0 does not see key 1 */
    const double bias[] = { 0.5, 0.1, 7, 0.2, -0.3, 7 };
    ga_attention problem = GA_ATTENTION_INIT;
    ga_pattern *pattern = NULL;
    array q = array_make(2, 2, 3, 0, 0), k = array_make(2, 2, 3, 0, 0), v = array_make(2, 2, 2, 0, 0);
    array edge_bias = array_make(1, 6, 0, 0, 0), grad = array_make(1, 6, 0, 0, 0),
          o = array_make(2, 2, 2, 0, 0);
    memcpy(edge_bias.data, bias, sizeof bias);
    test_ok(context, ga_pattern_csr(context, 2, 2, offsets, indices, true, true, &pattern));
    problem.q = tensor_of(&q);
    problem.k = tensor_of(&k);
    problem.v = tensor_of(&v);
    problem.pattern = pattern;
    problem.score.edge_bias = tensor_of(&edge_bias);
    problem.normaliser.kind = GA_IDENTITY;
    ga_attention_gradients wanted = { .grad_o = tensor_of(&o), .edge_bias = tensor_of(&grad) };
    test_ok(context, ga_attention_backward(context, &problem, GA_FAMILY_ROWS, &wanted, NULL));
    for (int e = 0; e < 6; e++) {
        int i = e / 3, j = (int)indices[e];
        bool kept = e == 1 || e == 3 || e == 4;
        double slope = o.data[i * 2] * v.data[j * 2] + o.data[i * 2 + 1] * v.data[j * 2 + 1];
        assert_near(grad.data[e], kept ? slope : 0, 1e-14);
    }
    ga_pattern_destroy(context, pattern);
    array *const all[] = { &q, &k, &v, &edge_bias, &grad, &o };
    for (int i = 0; i < 6; i++) {
        free(all[i]->data);
    }
}
END_TEST

/* ---- wrong arguments ---- */

static sample shared;
static gradients filled;

static void refuse(ga_status status, const char *words)
{
    test_status(context,
                ga_attention_backward(context, &shared.problem, GA_FAMILY_ROWS, &filled.wanted, NULL),
                status);
    test_error_has(context, words);
}

START_TEST(wrong_arguments)
{
    ga_post post = { .form = GA_POST_CLASSWISE };
    ck_assert(sample_make(context, WINDOW, GA_SOFTMAX, 1, &shared));
    (void)sample_problem(&shared);
    gradients_make(&shared, &filled);
    test_ok(context, ga_attention_backward(context, &shared.problem, GA_FAMILY_ROWS, &filled.wanted, NULL));
    for (int i = 0; i < INPUTS; i++) {
        array *grad = &filled.pair[i].grad;
        char words[64];
        int last = grad->tensor.ndim - 1;
        (void)snprintf(words, sizeof words, "gradient of %s: shape (", filled.pair[i].name);
        if (grad->data) {
            grad->shape[last]++;
            refuse(GA_INVALID, words);
            grad->shape[last]--;
        }
    }
    shared.grad_o.shape[3]--;
    refuse(GA_INVALID, "grad_o: shape (2, 4, 6, 4), expected (2, 4, 6, 5)");
    shared.grad_o.shape[3]++;
    filled.wanted.o = tensor_of(&shared.q);
    refuse(GA_INVALID, "o: shape (2, 4, 6, 3), expected (2, 4, 6, 5)");
    filled.wanted.o = NULL;
    filled.wanted.lse = tensor_of(&shared.q);
    refuse(GA_INVALID, "lse: shape (2, 4, 6, 3), expected (2, 4, 6)");
    filled.wanted.lse = NULL;
    filled.wanted.sigmoid_bias = tensor_of(&shared.slopes);
    refuse(GA_INVALID, "gradient of sigmoid_bias: the problem has no such input");
    filled.wanted.sigmoid_bias = NULL;
    filled.wanted.ghost_k = tensor_of(&shared.slopes);
    refuse(GA_INVALID, "gradient of ghost_k: the problem has no such input");
    filled.wanted.ghost_k = NULL;
    shared.problem.score.table = NULL;
    refuse(GA_INVALID, "gradient of table: the problem has no such input");
    shared.problem.score.table = tensor_of(&shared.table);
    filled.pair[0].grad.tensor.dtype = (DLDataType){ kDLBfloat, 16, 1 };
    refuse(GA_INVALID, "gradient of q: element type f32 or f64 expected, not bf16");
    filled.pair[0].grad.tensor.dtype = (DLDataType){ kDLFloat, 64, 1 };
    shared.problem.post = &post;
    post.form = GA_POST_ROW;
    post.row = NULL;
    refuse(GA_INVALID, "post: form 2 without its callback");
    post.form = GA_POST_NONE;
    test_ok(context, ga_attention_backward(context, &shared.problem, GA_FAMILY_ROWS, &filled.wanted, NULL));
    filled.wanted.grad_o = NULL;
    refuse(GA_INVALID, "grad_o: missing, shape (2, 4, 6, 5) expected");
    test_status(context, ga_attention_backward(context, &shared.problem, GA_FAMILY_ROWS, NULL, NULL),
                GA_INVALID);
    gradients_done(&filled);
    sample_done(context, &shared);
}
END_TEST

static void any_row(void *user, int64_t batch, int64_t head, int64_t query, int64_t count,
                    const int64_t *keys, double *weights)
{
    (void)user, (void)batch, (void)head, (void)query, (void)count, (void)keys, (void)weights;
}

START_TEST(no_gradient_through_steps)
{
    const ga_post post = { .form = GA_POST_ROW, .row = any_row };
    ck_assert(sample_make(context, FULL, GA_SOFTMAX, 0, &shared));
    (void)sample_problem(&shared);
    gradients_make(&shared, &filled);
    shared.problem.post = &post;
    refuse(GA_UNSUPPORTED, "no gradient flows through post steps");
    gradients_done(&filled);
    sample_done(context, &shared);
}
END_TEST

/* ---- nothing to do, memory, threads, cancelling ---- */

START_TEST(zero_sizes)
{
    for (int zero = 0; zero < 6; zero++) { /* batch, heads, queries, keys, dim, dim_v */
        int64_t n[] = { 2, 2, 3, 4, 2, 3 };
        n[zero] = 0;
        array q = array_make(4, n[0], n[1], n[2], n[4]), k = array_make(4, n[0], 2, n[3], n[4]);
        array v = array_make(4, n[0], 2, n[3], n[5]), o = array_make(4, n[0], n[1], n[2], n[5]);
        array bias = array_make(3, 1, n[2], n[3], 0), slopes = array_make(1, n[1], 0, 0, 0);
        ga_attention problem = GA_ATTENTION_INIT;
        ga_pattern *pattern = NULL;
        test_ok(context, ga_pattern_full(context, n[2], n[3], false, &pattern));
        problem.q = tensor_of(&q);
        problem.k = tensor_of(&k);
        problem.v = tensor_of(&v);
        problem.pattern = pattern;
        problem.score.bias = tensor_of(&bias);
        problem.score.slopes = tensor_of(&slopes);
        ga_attention_gradients wanted = { .grad_o = tensor_of(&o),
                                          .q = tensor_of(&q),
                                          .k = tensor_of(&k),
                                          .v = tensor_of(&v),
                                          .bias = tensor_of(&bias),
                                          .slopes = tensor_of(&slopes) };
        test_ok(context, ga_attention_backward(context, &problem, GA_FAMILY_ROWS, &wanted, NULL));
        for (int64_t i = 0; i < v.count && (zero == 1 || zero == 2); i++) {
            ck_assert_double_eq(v.data[i], 0);
        }
        for (int64_t i = 0; i < bias.count && zero < 2; i++) {
            ck_assert_double_eq(bias.data[i], 0);
        }
        ga_pattern_destroy(context, pattern);
        array *const all[] = { &q, &k, &v, &o, &bias, &slopes };
        for (int i = 0; i < 6; i++) {
            free(all[i]->data);
        }
    }
}
END_TEST

static ga_status call_backward(ga_context *own, void *user)
{
    (void)user;
    return ga_attention_backward(own, &shared.problem, GA_FAMILY_ROWS, &filled.wanted, NULL);
}

START_TEST(every_allocation)
{
    static const shape_kind kinds[] = { WINDOW, OWN_GHOSTS, LISTS };
    ck_assert(sample_make(context, kinds[_i], _i == 2 ? GA_SIGMOID : GA_SOFTMAX, 1, &shared));
    (void)sample_problem(&shared);
    gradients_make(&shared, &filled);
    ck_assert_int_gt(test_each_allocation(call_backward, NULL, _i == 0 ? 2 : 1), 20);
    gradients_done(&filled);
    sample_done(context, &shared);
}
END_TEST

START_TEST(threads_agree)
{
    static const int counts[] = { 1, 2, 3, 7 };
    for (int kind = 0; kind <= LONG; kind++) {
        gradients all[4];
        ck_assert(sample_make(context, (shape_kind)kind, GA_SOFTMAX, 2, &shared));
        (void)sample_problem(&shared);
        for (int t = 0; t < 4; t++) {
            gradients_make(&shared, &all[t]);
            test_set_threads(context, counts[t]);
            for (int i = 0; i < INPUTS; i++) {
                (void)tensor_of(&all[t].pair[i].grad);
            }
            test_ok(context,
                    ga_attention_backward(context, &shared.problem, GA_FAMILY_ROWS, &all[t].wanted, NULL));
            for (int i = 0; i < INPUTS; i++) {
                size_t size = (size_t)all[t].pair[i].grad.count * sizeof(double);
                ck_assert(size == 0 || memcmp(all[t].pair[i].grad.data, all[0].pair[i].grad.data, size) == 0);
            }
        }
        for (int t = 0; t < 4; t++) {
            gradients_done(&all[t]);
        }
        sample_done(context, &shared);
    }
}
END_TEST

static int stop(void *user)
{
    (void)user;
    return 1;
}

START_TEST(cancelled)
{
    ck_assert(sample_make(context, FULL, GA_SOFTMAX, 1, &shared));
    (void)sample_problem(&shared);
    gradients_make(&shared, &filled);
    ga_context_set_cancel(context, stop, NULL);
    test_status(context, call_backward(context, NULL), GA_CANCELLED);
    ga_attention_gradients bias = { .grad_o = filled.wanted.grad_o, .bias = filled.wanted.bias };
    test_status(context, ga_attention_backward(context, &shared.problem, GA_FAMILY_ROWS, &bias, NULL),
                GA_CANCELLED);
    ga_context_set_cancel(context, NULL, NULL);
    gradients_done(&filled);
    sample_done(context, &shared);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradients of attention");
    TCase *tests = tcase_create("gradients");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, every_gradient, 0, NORMALISERS);
    tcase_add_test(tests, off_the_pattern);
    tcase_add_test(tests, flat_rows);
    tcase_add_test(tests, nan_stays_in_its_row);
    tcase_add_test(tests, single_precision);
    tcase_add_test(tests, one_at_a_time);
    tcase_add_test(tests, dropped_edges);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, no_gradient_through_steps);
    tcase_add_test(tests, zero_sizes);
    tcase_add_loop_test(tests, every_allocation, 0, 3);
    tcase_add_test(tests, threads_agree);
    tcase_add_test(tests, cancelled);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
