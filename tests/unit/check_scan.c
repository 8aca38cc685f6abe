/* check_scan.c - the forward pass of linear recurrences. */
#include "config.h"

#include "tests/unit/check_scan.h"

static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };
#define EACH_BACKEND(context, i) \
    for (int i = 0; i < 3; i++) \
        if (ga_backend_available(backends[i]) && ga_context_set_backend((context), backends[i]) == GA_OK)

static ga_context *new_context(void)
{
    return test_threads_context(1);
}

/* ---- all forms on all small shapes ---- */

static void try_forms(ga_context *context, scan_case *c, double bound, const char *what)
{
    static const int64_t chunks[] = { 1, 2, 3, 16, 64, 1000 };
    for (int form = GA_SCAN_AUTO; form <= GA_SCAN_BLOCKED; form++) {
        c->problem.form = (ga_scan_form)form;
        double gap = scan_gap(context, c, TYPE_F32);
        ck_assert_msg(gap < bound, "%s form %d: %g", what, form, gap);
    }
    c->problem.form = GA_SCAN_CHUNKED;
    for (int i = 0; i < 6; i++) {
        c->problem.chunk = chunks[i];
        double gap = scan_gap(context, c, TYPE_F32);
        ck_assert_msg(gap < bound, "%s chunk %d: %g", what, (int)chunks[i], gap);
    }
    c->problem.form = GA_SCAN_AUTO;
    c->problem.chunk = 0;
}

START_TEST(all_forms)
{
    ga_context *context = new_context();
    char what[64];
    for (int shape = 0; shape < GA__SCAN_COUNT(ga__scan_small); shape++) {
        scan_case *c = scan_case_new(ga__scan_small[shape], scan_choices[_i], (uint64_t)(shape + 1));
        EACH_BACKEND(context, i)
        {
            (void)snprintf(what, sizeof what, "choice %d shape %d backend %d", _i, shape, i);
            try_forms(context, c, 4e-6, what);
        }
        scan_case_store(c, TYPE_F64);
        ck_assert(scan_gap(context, c, TYPE_F64) < 1e-13);
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(ragged_lengths)
{
    static const int64_t lengths[] = { 1, 2, 3, 15, 16, 17, 63, 64, 65, 200 };
    ga_context *context = new_context();
    char what[64];
    for (int n = 0; n < 10; n++) {
        ga__scan_shape shape = { 1, 2, 1, lengths[n], lengths[n], 8, 5 };
        scan_case *c = scan_case_new(shape, scan_choices[_i], (uint64_t)(n + 100));
        (void)snprintf(what, sizeof what, "choice %d length %d", _i, (int)lengths[n]);
        try_forms(context, c, 4e-6, what);
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(half_inputs)
{
    ga_context *context = new_context();
    scan_case *c = scan_case_new(ga__scan_small[5], scan_choices[_i], 7);
    EACH_BACKEND(context, i)
    {
        scan_case_store(c, TYPE_BF16);
        ck_assert(scan_gap(context, c, TYPE_F32) < 4e-6);
        scan_case_store(c, TYPE_F16);
        ck_assert(scan_gap(context, c, TYPE_F64) < 4e-6);
    }
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

/* ---- a sequence in two parts ---- */

static void cut(const scan_case *c, DLTensor *part, int which, int axis, int64_t from, int64_t to,
                int64_t strides[4])
{
    *part = c->input[which].tensor;
    int64_t step = 1;
    for (int i = part->ndim - 1; i >= 0; i--) {
        strides[i] = step;
        step *= c->input[which].shape[i];
    }
    part->strides = strides;
    part->shape[axis] = to - from;
    part->data = (char *)part->data + from * strides[axis] * (part->dtype.bits / 8);
}

/* Tokens from .. to - 1 of a case, by strided views. */
static ga_status run_part(ga_context *context, const scan_case *c, int64_t from, int64_t to,
                          const DLTensor *first, DLTensor *o, DLTensor *state)
{
    DLTensor parts[INPUTS];
    int64_t strides[INPUTS][4], shapes[INPUTS][4];
    ga_scan problem = c->problem;
    const DLTensor **slot[] = { &problem.q, &problem.k, &problem.v, &problem.log_decay, &problem.beta };
    for (int which = Q; which <= BETA; which++) {
        if (c->input[which].value && c->input[which].tensor.ndim > 1) {
            memcpy(shapes[which], c->input[which].shape, sizeof shapes[which]);
            scan_case shadow = *c;
            cut(&shadow, &parts[which], which, 2, 0, c->shape.keys, strides[which]);
            parts[which].shape = shapes[which];
            shapes[which][2] = to - from;
            parts[which].data = (char *)parts[which].data + from * strides[which][2] * 4;
            *slot[which] = &parts[which];
        }
    }
    problem.initial_state = first;
    return ga_scan_forward(context, &problem, o, state);
}

START_TEST(carried_state)
{
    enum { N = 23 };
    ga_context *context = new_context();
    if (scan_choices[_i].full) {
        ga_context_destroy(context);
        return;
    }
    scan_case *c = scan_case_new((ga__scan_shape){ 2, 2, 1, N, N, 6, 5 }, scan_choices[_i], 3);
    double *want = calloc((size_t)scan_o_count(c), sizeof(double));
    double *want_state = calloc((size_t)scan_state_count(c), sizeof(double));
    scan_formula(c, want, want_state);
    for (int64_t at = 0; at <= N; at++) {
        scan_tensor o[2], state[2];
        for (int half = 0; half < 2; half++) {
            int64_t from = half ? at : 0, to = half ? N : at;
            scan_tensor_make(&o[half], 4, (int64_t[]){ 2, 2, to - from, 5 }, TYPE_F32);
            scan_state_make(c, &state[half], TYPE_F32);
            test_ok(context,
                    run_part(context, c, from, to, half ? &state[0].tensor : c->problem.initial_state,
                             &o[half].tensor, &state[half].tensor));
        }
        ck_assert(scan_distance(&state[1], want_state) < 4e-6);
        double worst = 0;
        for (int64_t i = 0; i < 4 * N * 5; i++) {
            int64_t head = i / (N * 5), t = i / 5 % N, half = t >= at;
            int64_t length = half ? N - at : at, row = half ? t - at : t;
            double gap = fabs(scan_tensor_at(&o[half], (head * length + row) * 5 + i % 5) - want[i]);
            worst = gap <= worst ? worst : gap;
        }
        ck_assert(worst < 4e-6);
        for (int half = 0; half < 2; half++) {
            scan_tensor_free(&o[half]);
            scan_tensor_free(&state[half]);
        }
    }
    free(want);
    free(want_state);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

/* ---- closed sums ---- */

static void sine(scan_tensor *t, double a, int64_t columns)
{
    for (int64_t i = 0; i < t->count; i++) {
        double row = (double)(i / columns), c = (double)(i % columns);
        t->value[i] = sin(a + 0.37 * row * (c + 1) + 0.11 * c);
    }
}

static void unit_rows(scan_tensor *t, int64_t columns)
{
    for (int64_t i = 0; i < t->count; i += columns) {
        double sum = 0;
        for (int64_t c = 0; c < columns; c++) {
            sum += t->value[i + c] * t->value[i + c];
        }
        for (int64_t c = 0; c < columns; c++) {
            t->value[i + c] /= sqrt(sum);
        }
    }
}

static void closed_inputs(scan_case *c)
{
    sine(&c->input[Q], 1, 4);
    sine(&c->input[K], 2, 4);
    sine(&c->input[V], 3, 3);
    scan_tensor *g = &c->input[G];
    if (c->decay == DECAY_HEAD) {
        g->value[0] = -0.5;
    } else if (c->decay != DECAY_NONE) {
        sine(g, c->decay == DECAY_TOKEN ? 5 : 6, c->decay == DECAY_TOKEN ? 1 : 4);
        for (int64_t i = 0; i < g->count; i++) {
            g->value[i] = -log1p(exp(g->value[i]));
        }
    }
    if (c->input[BETA].value) {
        sine(&c->input[BETA], 4, 1);
        for (int64_t i = 0; i < c->input[BETA].count; i++) {
            c->input[BETA].value[i] = 1 / (1 + exp(-c->input[BETA].value[i]));
        }
    }
}

static void sums_are(ga_context *context, scan_case *c, double sum, double squares)
{
    scan_tensor o;
    double found[2] = { 0, 0 };
    scan_case_store(c, TYPE_F64);
    scan_o_make(c, &o, TYPE_F64);
    test_ok(context, ga_scan_forward(context, &c->problem, &o.tensor, NULL));
    for (int64_t i = 0; i < o.count; i++) {
        found[0] += scan_tensor_at(&o, i);
        found[1] += scan_tensor_at(&o, i) * scan_tensor_at(&o, i);
    }
    ck_assert_msg(fabs(found[0] - sum) < 2e-9 && fabs(found[1] - squares) < 2e-9, "%.9f %.9f, not %.9f %.9f",
                  found[0], found[1], sum, squares);
    scan_tensor_free(&o);
}

START_TEST(closed_sums)
{
    static const double sums[DECAYS][2][2] = {
        { { -7.890767205, 67.275291569 }, { -3.628883007, 8.530092871 } },
        { { -10.013630127, 28.456590944 }, { -2.304121729, 5.639735023 } },
        { { -8.744529364, 21.354084715 }, { -2.079667962, 4.276356624 } },
        { { -7.757804449, 23.654929231 }, { -1.829481032, 5.273769338 } },
    };
    ga_context *context = new_context();
    for (int decay = DECAY_NONE; decay < DECAYS; decay++) {
        for (int delta = 0; delta < 2; delta++) {
            scan_choice choice = { (scan_decay)decay, delta == 1, false, false, false, false };
            scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 12, 12, 4, 3 }, choice, 1);
            closed_inputs(c);
            unit_rows(&c->input[K], 4);
            c->problem.scale = 1;
            sums_are(context, c, sums[decay][delta][0], sums[decay][delta][1]);
            ck_assert(scan_gap(context, c, TYPE_F64) < 1e-13);
            scan_case_free(c);
        }
    }
    ga_context_destroy(context);
}
END_TEST

/* Cards 5 (elu + 1 features, normalised) and 11 (slope 0.5). */
START_TEST(closed_linear_and_lightning)
{
    ga_context *context = new_context();
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 6, 6, 4, 3 },
                                 (scan_choice){ DECAY_NONE, false, false, true, false, false }, 1);
    closed_inputs(c);
    for (int64_t i = 0; i < 24; i++) {
        for (int which = Q; which <= K; which++) {
            double x = c->input[which].value[i];
            c->input[which].value[i] = x > 0 ? x + 1 : exp(x);
        }
    }
    c->problem.scale = 1;
    sums_are(context, c, -4.292285914, 1.837390200);
    scan_case_free(c);
    c = scan_case_new((ga__scan_shape){ 1, 1, 1, 6, 6, 4, 3 },
                      (scan_choice){ DECAY_HEAD, false, false, false, false, false }, 1);
    closed_inputs(c);
    c->problem.scale = 1;
    sums_are(context, c, -11.143126196, 25.157582069);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

/* ---- the pairwise form ---- */

START_TEST(pairwise_form)
{
    enum { N = 40, D = 7, E = 3 };
    ga_context *context = new_context();
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, N, N, D, E },
                                 (scan_choice){ DECAY_VECTOR, false, false, false, false, false }, 5);
    double want[N * E] = { 0 };
    const double *q = c->input[Q].value, *k = c->input[K].value, *v = c->input[V].value,
                 *g = c->input[G].value;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++) {
            double a = 0;
            for (int x = 0; x < D; x++) {
                double between = 0;
                for (int t = j + 1; t <= i; t++) {
                    between += g[t * D + x];
                }
                a += q[i * D + x] * k[j * D + x] * exp(between);
            }
            for (int x = 0; x < E; x++) {
                want[i * E + x] += c->problem.scale * a * v[j * E + x];
            }
        }
    }
    scan_tensor o;
    scan_o_make(c, &o, TYPE_F32);
    test_ok(context, ga_scan_forward(context, &c->problem, &o.tensor, NULL));
    ck_assert(scan_distance(&o, want) < 2e-6);
    scan_tensor_free(&o);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

/* ---- hard inputs ---- */

static void set_decay(scan_case *c, double value, int64_t every)
{
    for (int64_t i = 0; i < c->input[G].count; i++) {
        c->input[G].value[i] = i % every == 0 ? value : c->input[G].value[i];
    }
}

START_TEST(extreme_decay)
{
    static const double values[] = { -60, 0, -INFINITY, -101, -99 };
    ga_context *context = new_context();
    for (int decay = DECAY_HEAD; decay < DECAYS; decay++) {
        for (int delta = 0; delta < 2; delta++) {
            for (int i = 0; i < 10; i++) {
                scan_choice choice = { (scan_decay)decay, delta == 1, false, false, false, true };
                scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 70, 70, 9, 6 }, choice, 11);
                set_decay(c, values[i / 2], i % 2 ? 1 : 7);
                scan_case_store(c, TYPE_F32);
                EACH_BACKEND(context, k)
                {
                    try_forms(context, c, 4e-6, "extreme");
                }
                scan_case_free(c);
            }
        }
    }
    ga_context_destroy(context);
}
END_TEST

/* What stands before a reset by one number is gone, even infinities. */
START_TEST(resets_clear_infinities)
{
    enum { N = 11, AT = 6 };
    ga_context *context = new_context();
    for (int i = 0; i < 4; i++) {
        scan_choice choice = { DECAY_TOKEN, i % 2 == 1, false, i / 2 == 1, false, true };
        scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, N, N, 5, 3 }, choice, 23);
        c->input[G].value[AT] = -INFINITY;
        scan_case_store(c, TYPE_F32);
        double *want = calloc((size_t)scan_o_count(c), sizeof(double));
        double *want_state = calloc((size_t)scan_state_count(c), sizeof(double));
        scan_formula(c, want, want_state);
        for (int64_t at = 0; at < c->input[FIRST].count; at++) {
            ((float *)c->input[FIRST].data)[at] = at % 2 ? NAN : INFINITY;
        }
        EACH_BACKEND(context, k)
        {
            scan_tensor o, state;
            scan_o_make(c, &o, TYPE_F32);
            scan_state_make(c, &state, TYPE_F32);
            test_ok(context, ga_scan_forward(context, &c->problem, &o.tensor, &state.tensor));
            ck_assert(scan_distance(&state, want_state) < 4e-6);
            for (int64_t at = AT * 3; at < N * 3; at++) {
                ck_assert(fabs(scan_tensor_at(&o, at) - want[at]) < 4e-6);
            }
            ck_assert(!isfinite(scan_tensor_at(&o, AT * 3 - 1)));
            scan_tensor_free(&o);
            scan_tensor_free(&state);
        }
        free(want);
        free(want_state);
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(identical_and_zero_keys)
{
    ga_context *context = new_context();
    for (int zero = 0; zero < 2; zero++) {
        scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 130, 130, 4, 5 },
                                     (scan_choice){ DECAY_NONE, true, false, false, false, true }, 13);
        for (int64_t i = 0; i < c->input[K].count; i++) {
            c->input[K].value[i] = zero ? 0 : 0.5;
        }
        for (int64_t i = 0; i < c->input[BETA].count; i++) {
            c->input[BETA].value[i] = i % 3 ? 1 : 2;
        }
        scan_case_store(c, TYPE_F32);
        try_forms(context, c, 2e-5, "keys");
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(dead_rows)
{
    ga_context *context = new_context();
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 12, 12, 4, 5 },
                                 (scan_choice){ DECAY_NONE, false, false, true, false, false }, 13);
    for (int64_t i = 0; i < 8; i++) {
        c->input[K].value[i] = 0;
    }
    scan_case_store(c, TYPE_F32);
    try_forms(context, c, 4e-6, "dead rows");
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

/* f32 stays within 1e-5 of the formula for 8192 steps, and the tail behind token 65536 is not skipped. */
START_TEST(long_sequences)
{
    ga_context *context = new_context();
    for (int i = 0; i < 6; i++) {
        static const scan_decay decays[] = { DECAY_NONE, DECAY_HEAD,   DECAY_NONE,
                                             DECAY_NONE, DECAY_VECTOR, DECAY_TOKEN };
        scan_choice choice = { decays[i], i == 2, false, false, false, false };
        int64_t n = i == 3 ? 65536 + 37 : 8192, d = i == 3 ? 2 : 16;
        scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, n, n, d, d }, choice, 17);
        for (int64_t at = 0; at < c->input[G].count; at++) {
            c->input[G].value[at] = -1.0 / 1024;
        }
        scan_case_store(c, TYPE_F32);
        for (int form = GA_SCAN_RECURRENT; form <= GA_SCAN_CHUNKED; form++) {
            c->problem.form = (ga_scan_form)form;
            double gap = scan_gap(context, c, TYPE_F32);
            ck_assert_msg(gap < 1e-5, "%d form %d: %g", i, form, gap);
        }
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- what must not depend on what ---- */

static void run_o(ga_context *context, const scan_case *c, scan_tensor *o, scan_tensor *state)
{
    scan_o_make(c, o, TYPE_F32);
    scan_state_make(c, state, TYPE_F32);
    test_ok(context, ga_scan_forward(context, &c->problem, &o->tensor, &state->tensor));
}

START_TEST(last_token_changes_nothing_before)
{
    enum { N = 37 };
    ga_context *context = new_context();
    if (scan_choices[_i].full) {
        ga_context_destroy(context);
        return;
    }
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, N, N, 6, 5 }, scan_choices[_i], 19);
    EACH_BACKEND(context, i)
    {
        for (int form = GA_SCAN_RECURRENT; form <= GA_SCAN_CHUNKED; form++) {
            for (int nan = 0; nan < 2; nan++) {
                scan_tensor o[2], state[2];
                c->problem.form = (ga_scan_form)form;
                scan_case_store(c, TYPE_F32);
                run_o(context, c, &o[0], &state[0]);
                for (int which = Q; which <= V; which++) {
                    int64_t width = c->input[which].shape[3];
                    for (int64_t x = (N - 1) * width; x < N * width; x++) {
                        ((float *)c->input[which].data)[x] = nan ? NAN : 3;
                    }
                }
                run_o(context, c, &o[1], &state[1]);
                ck_assert(memcmp(o[0].data, o[1].data, (N - 1) * 5 * sizeof(float)) == 0);
                ck_assert(scan_tensor_at(&o[0], N * 5 - 1) != scan_tensor_at(&o[1], N * 5 - 1));
                for (int k = 0; k < 2; k++) {
                    scan_tensor_free(&o[k]);
                    scan_tensor_free(&state[k]);
                }
            }
        }
    }
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

/* A query that is not a number spoils its own row; a value spoils its own column. */
START_TEST(nan_stays)
{
    ga_context *context = new_context();
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 2, 1, 20, 20, 6, 5 },
                                 (scan_choice){ DECAY_TOKEN, true, false, false, false, true }, 23);
    for (int form = GA_SCAN_RECURRENT; form <= GA_SCAN_CHUNKED; form++) {
        scan_tensor o, state;
        c->problem.form = (ga_scan_form)form;
        scan_case_store(c, TYPE_F32);
        ((float *)c->input[Q].data)[7 * 6 + 2] = NAN;
        ((float *)c->input[V].data)[10 * 5 + 3] = NAN;
        run_o(context, c, &o, &state);
        for (int64_t i = 0; i < o.count; i++) {
            bool spoiled = i / 5 == 7 || (i / 5 % 20 >= 10 && i % 5 == 3);
            ck_assert(isnan(scan_tensor_at(&o, i)) == spoiled);
        }
        scan_tensor_free(&o);
        scan_tensor_free(&state);
    }
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

/* A row whose sum is 0 is 0 where its values are infinite too. */
START_TEST(dead_row_of_infinities)
{
    ga_context *context = new_context();
    scan_case *c = scan_case_new((ga__scan_shape){ 1, 1, 1, 20, 20, 6, 5 },
                                 (scan_choice){ DECAY_NONE, false, false, true, false, false }, 23);
    for (int form = GA_SCAN_RECURRENT; form <= GA_SCAN_CHUNKED; form++) {
        scan_tensor o, state;
        c->problem.form = (ga_scan_form)form;
        scan_case_store(c, TYPE_F32);
        memset((float *)c->input[Q].data + 7 * 6, 0, 6 * sizeof(float));
        ((float *)c->input[V].data)[3] = INFINITY;
        run_o(context, c, &o, &state);
        for (int64_t i = 0; i < 5; i++) {
            ck_assert(scan_tensor_at(&o, 7 * 5 + i) == 0);
        }
        ck_assert(!isfinite(scan_tensor_at(&o, 8 * 5 + 3)));
        scan_tensor_free(&o);
        scan_tensor_free(&state);
    }
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

START_TEST(thread_counts)
{
    static const int threads[] = { 1, 2, 3, 7 };
    for (int shape = 0; shape < 2; shape++) {
        ga__scan_shape s = shape ? (ga__scan_shape){ 1, 2, 1, 50, 50, 17, 200 } : ga__scan_small[5];
        scan_case *c = scan_case_new(s, scan_choices[_i], 29);
        scan_tensor o[4], state[4];
        for (int i = 0; i < 4; i++) {
            ga_context *context = test_threads_context(threads[i]);
            run_o(context, c, &o[i], &state[i]);
            ck_assert(memcmp(o[i].data, o[0].data, (size_t)o[0].count * sizeof(float)) == 0);
            ck_assert(memcmp(state[i].data, state[0].data, (size_t)state[0].count * sizeof(float)) == 0);
            ga_context_destroy(context);
        }
        for (int i = 0; i < 4; i++) {
            scan_tensor_free(&o[i]);
            scan_tensor_free(&state[i]);
        }
        scan_case_free(c);
    }
}
END_TEST

/* ---- what can go wrong ---- */

typedef struct two_outputs {
    const scan_case *c;
    scan_tensor o, state;
} two_outputs;

static ga_status forward_again(ga_context *context, void *user)
{
    two_outputs *x = user;
    return ga_scan_forward(context, &x->c->problem, &x->o.tensor, &x->state.tensor);
}

START_TEST(out_of_memory)
{
    for (int wide = 0; wide < 2; wide++) {
        scan_case *c = scan_case_new(ga__scan_small[3], scan_choices[7], 31);
        two_outputs x = { .c = c };
        scan_case_store(c, wide ? TYPE_F64 : TYPE_F32);
        scan_o_make(c, &x.o, TYPE_F32);
        scan_state_make(c, &x.state, TYPE_F32);
        for (int threads = 1; threads < 4; threads += 2) {
            ck_assert(test_each_allocation(forward_again, &x, threads) >= 1);
        }
        scan_tensor_free(&x.o);
        scan_tensor_free(&x.state);
        scan_case_free(c);
    }
}
END_TEST

static int stop_now(void *user)
{
    (void)user;
    return 1;
}

START_TEST(cancelled)
{
    ga_context *context = new_context();
    scan_case *c = scan_case_new(ga__scan_small[5], scan_choices[2], 37);
    scan_tensor o;
    scan_o_make(c, &o, TYPE_F32);
    ga_context_set_cancel(context, stop_now, NULL);
    test_status(context, ga_scan_forward(context, &c->problem, &o.tensor, NULL), GA_CANCELLED);
    scan_tensor_free(&o);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

static void refused(ga_context *context, const ga_scan *problem, DLTensor *o, const char *words)
{
    test_status(context, ga_scan_forward(context, problem, o, NULL), GA_INVALID);
    test_error_has(context, words);
}

START_TEST(growing_decay)
{
    ga_context *context = test_threads_context(3);
    for (int decay = DECAY_HEAD; decay < DECAYS; decay++) {
        scan_case *c = scan_case_new(
            ga__scan_small[2], (scan_choice){ (scan_decay)decay, false, false, false, false, false }, 41);
        scan_tensor o;
        c->input[G].value[c->input[G].count - 1] = 0.25;
        for (int type = TYPE_F32; type <= TYPE_F16; type++) {
            scan_case_store(c, (scan_type)type);
            scan_o_make(c, &o, TYPE_F32);
            refused(context, &c->problem, &o.tensor,
                    decay == DECAY_HEAD ? "0.25 at (0, 0, 0, 1)" : "0.25 at (1, 1, 16, ");
            test_status(context, ga_scan_forward(context, &c->problem, NULL, NULL), GA_INVALID);
            scan_tensor_free(&o);
        }
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(bad_arguments)
{
    ga_context *context = new_context();
    scan_case *c = scan_case_new(ga__scan_small[3], scan_choices[7], 43);
    scan_tensor o, wrong;
    scan_o_make(c, &o, TYPE_F32);
    scan_tensor_make(&wrong, 4, (int64_t[]){ 1, 3, 21, 16 }, TYPE_F32);
#define REFUSED(change, words) \
    do { \
        ga_scan problem = c->problem; \
        change; \
        refused(context, &problem, &o.tensor, words); \
    } while (0)
    REFUSED(problem.q = NULL, "q: ");
    REFUSED(problem.k = NULL, "k: ");
    REFUSED(problem.v = NULL, "v: ");
    REFUSED(problem.k = &wrong.tensor, "v: ");
    REFUSED(problem.v = &wrong.tensor, "v: ");
    REFUSED(problem.q = &wrong.tensor, "heads");
    REFUSED(problem.log_decay = &wrong.tensor, "log_decay: ");
    REFUSED(problem.beta = NULL, "beta: ");
    REFUSED(problem.beta = &wrong.tensor, "beta: ");
    REFUSED(problem.rule = GA_SCAN_ADD, "beta: ");
    REFUSED(problem.bonus = &wrong.tensor, "bonus: ");
    REFUSED(problem.initial_state = &wrong.tensor, "initial_state: ");
    REFUSED(problem.normalise = true, "initial_state: ");
    REFUSED(problem.causal = false, "causal");
    REFUSED(problem.chunk = -1, "chunk: ");
    REFUSED(problem.scale = NAN, "scale");
    REFUSED(problem.eps = -1, "eps");
    REFUSED(problem.form = (ga_scan_form)9, "form");
    REFUSED(problem.rule = (ga_scan_rule)9, "rule");
#undef REFUSED
    refused(context, &c->problem, &wrong.tensor, "o: ");
    test_status(context, ga_scan_forward(context, &c->problem, NULL, &wrong.tensor), GA_INVALID);
    test_error_has(context, "state: ");
    scan_case_store(c, TYPE_BF16);
    o.tensor.dtype = c->input[Q].tensor.dtype;
    refused(context, &c->problem, &o.tensor, "o: ");
    scan_tensor_free(&o);
    scan_tensor_free(&wrong);
    scan_case_free(c);
    ga_context_destroy(context);
}
END_TEST

START_TEST(zero_sizes)
{
    static const ga__scan_shape empty[] = {
        { 0, 2, 1, 3, 3, 4, 5 }, { 1, 0, 0, 3, 3, 4, 5 }, { 1, 0, 1, 3, 3, 4, 5 }, { 1, 2, 1, 0, 3, 4, 5 },
        { 1, 2, 1, 3, 0, 4, 5 }, { 1, 2, 1, 3, 3, 0, 5 }, { 1, 2, 1, 3, 3, 4, 0 }, { 1, 2, 1, 0, 0, 0, 0 },
    };
    ga_context *context = new_context();
    for (int i = 0; i < 8; i++) {
        scan_case *c = scan_case_new(empty[i], scan_choices[_i], 47);
        for (int type = TYPE_F32; type <= TYPE_F64; type++) {
            scan_case_store(c, (scan_type)type);
            for (int form = GA_SCAN_AUTO; form <= GA_SCAN_CHUNKED; form++) {
                c->problem.form = (ga_scan_form)form;
                ck_assert(scan_gap(context, c, TYPE_F32) < 4e-6);
            }
        }
        scan_case_free(c);
    }
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scan");
    TCase *forms = tcase_create("forms");
    tcase_add_loop_test(forms, all_forms, 0, SCAN_CHOICES);
    tcase_add_loop_test(forms, ragged_lengths, 0, SCAN_CHOICES);
    tcase_add_loop_test(forms, half_inputs, 0, SCAN_CHOICES);
    tcase_add_loop_test(forms, carried_state, 0, SCAN_CHOICES);
    tcase_add_test(forms, closed_sums);
    tcase_add_test(forms, closed_linear_and_lightning);
    tcase_add_test(forms, pairwise_form);
    suite_add_tcase(suite, forms);
    TCase *hard = tcase_create("hard");
    tcase_add_test(hard, extreme_decay);
    tcase_add_test(hard, resets_clear_infinities);
    tcase_add_test(hard, identical_and_zero_keys);
    tcase_add_test(hard, dead_rows);
    tcase_add_test(hard, dead_row_of_infinities);
    tcase_add_test(hard, long_sequences);
    tcase_add_loop_test(hard, last_token_changes_nothing_before, 0, SCAN_CHOICES);
    tcase_add_test(hard, nan_stays);
    tcase_add_loop_test(hard, thread_counts, 0, SCAN_CHOICES);
    suite_add_tcase(suite, hard);
    TCase *refusals = tcase_create("refusals");
    tcase_add_test(refusals, out_of_memory);
    tcase_add_test(refusals, cancelled);
    tcase_add_test(refusals, growing_decay);
    tcase_add_test(refusals, bad_arguments);
    tcase_add_loop_test(refusals, zero_sizes, 0, SCAN_CHOICES);
    suite_add_tcase(suite, refusals);
    return test_run(suite);
}
