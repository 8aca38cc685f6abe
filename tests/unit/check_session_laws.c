/* check_session_laws.c - what must hold for a step of every selector, for the blocks of landmark attention in a cache, and
 * for flexprefill, whose step is the last block of queries. */
#include "config.h"

#include <stdlib.h>

#include "tests/unit/check_session.h"

/* ---- steps ---- */

static const ga_selection *step(ga_context *context, ga_session *session, const text *t, int64_t first,
                                int64_t tokens, DLTensor **o)
{
    const int64_t shape[] = { HEADS, tokens, DIM_V };
    cut q;
    DLTensor *made = tensor_new(context, f32, 3, shape);
    test_ok(context, ga_session_step(context, session, rows_of(&q, t->q, first, tokens), made, NULL));
    if (o) {
        *o = made;
    } else {
        ga_tensor_destroy(context, made);
    }
    return ga_session_selection(session, 0);
}

/* Keys that a query head sees by a selection, query by query; marks: (queries, keys). */
static void mark_keys(ga_context *context, const ga_selection *selection, int64_t head, char *marks)
{
    ga_pattern *pattern = NULL;
    test_ok(context, ga_pattern_selected(context, selection, 0, &pattern));
    int64_t(*runs)[2] = malloc((size_t)ga_pattern_most_runs(pattern) * sizeof *runs);
    memset(marks, 0, (size_t)(selection->queries * selection->keys));
    for (int64_t i = 0; i < selection->queries; i++) {
        int64_t count = ga_pattern_row_runs(pattern, ga_pattern_heads(pattern) == 1 ? 0 : head, i, runs);
        for (int64_t n = 0; n < count; n++) {
            expect(runs[n][0] < runs[n][1] && runs[n][0] >= 0 && runs[n][1] <= selection->keys,
                   "a run is not within the keys");
            expect(n == 0 || runs[n][0] > runs[n - 1][1], "runs are not apart");
            memset(marks + i * selection->keys + runs[n][0], 1, (size_t)(runs[n][1] - runs[n][0]));
        }
    }
    free(runs);
    ga_pattern_destroy(context, pattern);
}

static bool is(const method *m, const char *name)
{
    return strcmp(m->name, name) == 0;
}

static bool evicts(const method *m)
{
    return strstr(m->name, "snapkv") != NULL;
}

/* ---- laws ---- */

/* With parameters that keep everything a step is one of full attention, bit for bit. */
START_TEST(everything_is_full)
{
    static const method all[] = {
        { "quest", { { "budget", "1000000" } } },
        { "block-topk", { { "top_k", "1000000" } } },
        { "hip", { { "top_k", "1000000" } } },
        { "dhsa", { { "budget", "1000000" } } },
        { "vertical-slash", { { "columns", "1000000" } } },
        { "flexprefill", { { "min_budget", "1000000" } } },
        { "recycled", { { "top_k", "1000000" } } },
        { "landmark", { { "block", "1000000" } } },
    };
    ga_context *context = test_threads_context(2);
    text t = text_of(context, 300);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ga_session *one = open_session(context, &all[i], f16, 1),
                   *full = open_session(context, &methods[0], f16, 1);
        for (int64_t n = 250, tokens = 250; n <= 300; tokens = n % 3 + 1, n += tokens) {
            DLTensor *a, *b;
            int64_t rows = tokens < 4 ? tokens : 4;
            test_ok(context, append(context, one, &t, n - tokens, tokens));
            test_ok(context, append(context, full, &t, n - tokens, tokens));
            (void)step(context, one, &t, n - rows, rows, &a);
            (void)step(context, full, &t, n - rows, rows, &b);
            for (int64_t c = 0; c < count_of(a); c++) {
                expect(is(&all[i], "landmark") ? fabs(get(a, c) - get(b, c)) < 2e-6 : get(a, c) == get(b, c),
                       "%s, %lld keys: %g, full attention %g", all[i].name, (long long)n, get(a, c),
                       get(b, c));
            }
            ga_tensor_destroy(context, a);
            ga_tensor_destroy(context, b);
        }
        ga_session_close(context, one);
        ga_session_close(context, full);
    }
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* No later key; and the token itself, but for landmark, where one that is a landmark sees its block alone. */
START_TEST(tokens_see_themselves_and_nothing_later)
{
    ga_context *context = test_threads_context(2);
    text t = text_of(context, 180);
    char *marks = malloc(3 * 180);
    for (int m = 1; m < METHODS; m++) {
        ga_session *session = open_session(context, &methods[m], f16, 1);
        cut q;
        test_ok(context, append(context, session, &t, 0, 150));
        if (evicts(&methods[m])) {
            test_ok(context, ga_session_evict(context, session, rows_of(&q, t.q, 142, 8)));
        }
        for (int64_t n = 150; n <= 180; n += 3) {
            const ga_selection *s = step(context, session, &t, n - 3, 3, NULL);
            for (int64_t h = 0; h < HEADS && s; h++) {
                mark_keys(context, s, h, marks);
                for (int64_t i = 0; i < s->queries; i++) {
                    int64_t at = s->keys - s->queries + i;
                    int64_t block = strtoll(methods[m].parameters[0].value, NULL, 10);
                    bool mark = is(&methods[m], "landmark") && at % (block + 1) == block;
                    /* without append recycled keeps what its last full step left */
                    bool own = !mark && !(is(&methods[m], "recycled") && methods[m].parameters[3].name);
                    expect(!own || marks[i * s->keys + at], "%s: %lld keys: token %lld does not see itself",
                           methods[m].name, (long long)n, (long long)i);
                    for (int64_t j = at + 1; j < s->keys; j++) {
                        expect(!marks[i * s->keys + j], "%s: a later key", methods[m].name);
                    }
                }
            }
            if (n < 180) {
                test_ok(context, append(context, session, &t, n, 3));
            }
        }
        ga_session_close(context, session);
    }
    free(marks);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* Heads of both in the opposite order; within a group too. */
static DLTensor *reversed(ga_context *context, const DLTensor *x)
{
    DLTensor *y = tensor_new(context, x->dtype, 3, x->shape);
    int64_t size = count_of(x) / x->shape[0];
    for (int64_t i = 0; i < count_of(x); i++) {
        set(y, i, get(x, (x->shape[0] - 1 - i / size) * size + i % size));
    }
    return y;
}

START_TEST(heads_are_alike)
{
    ga_context *context = test_threads_context(2);
    text t = text_of(context, 160);
    text u = { reversed(context, t.q), reversed(context, t.k), reversed(context, t.v), t.tokens };
    for (int m = 0; m < METHODS; m++) {
        const text *texts[] = { &t, &u };
        DLTensor *o[2];
        for (int i = 0; i < 2; i++) {
            ga_session *session = open_session(context, &methods[m], f32, 1);
            cut q;
            test_ok(context, append(context, session, texts[i], 0, 157));
            if (evicts(&methods[m])) {
                test_ok(context, ga_session_evict(context, session, rows_of(&q, texts[i]->q, 149, 8)));
            }
            (void)step(context, session, texts[i], 156, 1, NULL);
            test_ok(context, append(context, session, texts[i], 157, 3));
            (void)step(context, session, texts[i], 157, 3, &o[i]);
            ga_session_close(context, session);
        }
        DLTensor *back = reversed(context, o[1]);
        for (int64_t i = 0; i < count_of(back);
             i++) { /* sums over the heads of a group are in another order */
            expect(fabs(get(o[0], i) - get(back, i)) < 1e-6, "%s: %g, with the heads reversed %g",
                   methods[m].name, get(o[0], i), get(back, i));
        }
        ga_tensor_destroy(context, o[0]);
        ga_tensor_destroy(context, o[1]);
        ga_tensor_destroy(context, back);
    }
    text_free(context, &t);
    text_free(context, &u);
    test_context_done(context, NULL);
}
END_TEST

/* The lists of a step are those of the call with its queries, where that is not dense. */
START_TEST(choices_are_those_of_the_call)
{
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 170);
    char *marks[] = { malloc(2 * 170), malloc(2 * 170) };
    for (int m = 1; m < METHODS; m++) {
        ga_session *session = NULL;
        if (evicts(&methods[m]) || is(&methods[m], "recycled") || is(&methods[m], "flexprefill")) {
            continue; /* no choice of a step alone; or tested below */
        }
        session = open_session(context, &methods[m], f32, 1);
        test_ok(context, append(context, session, &t, 0, 140));
        for (int64_t n = 142; n <= 170; n += 2) {
            ga_attend_call call = GA_ATTEND_CALL_INIT;
            ga_selection *want = NULL;
            cut q, k;
            test_ok(context, append(context, session, &t, n - 2, 2));
            const ga_selection *got = step(context, session, &t, n - 2, 2, NULL);
            call.q = rows_of(&q, t.q, n - 2, 2);
            call.k = rows_of(&k, t.k, 0, n);
            call.causal = true;
            call.parameters = methods[m].parameters;
            call.parameter_count = parameter_count(&methods[m]);
            test_ok(context, ga_select(context, methods[m].name, &call, &want));
            for (int64_t h = 0; h < HEADS; h++) {
                mark_keys(context, got, h, marks[0]);
                mark_keys(context, want, h, marks[1]);
                expect(memcmp(marks[0], marks[1], (size_t)(2 * n)) == 0, "%s: %lld keys, head %lld",
                       methods[m].name, (long long)n, (long long)h);
            }
            ga_selection_destroy(context, want);
        }
        ga_session_close(context, session);
    }
    free(marks[0]);
    free(marks[1]);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* ---- landmark ---- */

/* Blocks longer than what is worked on at once, and a text of many pieces. */
START_TEST(long_blocks_and_many)
{
    static const method forms[] = { { "landmark", { { "block", "1500" } } },
                                    { "landmark", { { "block", "3" } } },
                                    { "landmark",
                                      { { "block", "1500" }, { "mode", "retrieve" }, { "top_k", "1" } } } };
    static const int threads[] = { 1, 2, 3, 7 };
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 5000);
    for (int m = 0; m < 3; m++) {
        char first[HEADS * 4 * DIM_V * 4];
        ga_session *session = open_session(context, &forms[m], f32, 1);
        test_ok(context, append(context, session, &t, 0, 5000));
        for (int i = 0; i < 4; i++) {
            DLTensor *o, *call = by_call(context, &forms[m], &t, 5000, 4, 0);
            test_set_threads(context, threads[i]);
            (void)step(context, session, &t, 4996, 4, &o);
            compare_rows(&forms[m], o, call, 4, 5000);
            if (i == 0) {
                memcpy(first, o->data, sizeof first);
            }
            expect(memcmp(first, o->data, sizeof first) == 0, "%d threads", threads[i]);
            ga_tensor_destroy(context, o);
            ga_tensor_destroy(context, call);
        }
        ga_session_close(context, session);
    }
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* After an eviction a slot is a landmark by its position: as a call that is told which. Heads that keep other positions, as
 * many, are on their own. */
static void check_evicted(ga_context *context, const method *m, bool alike)
{
    enum { LENGTH = 66, MORE = 9, ALL = LENGTH + MORE, BLOCK = 6 };
    text t = text_of(context, 90 + MORE);
    ga_session *session = open_session(context, m, f32, 1);
    ga_cache *cache = ga_session_cache(session);
    int64_t offsets[] = { 0, LENGTH, 2 * LENGTH }, slots[2 * LENGTH];
    DLTensor *o;
    for (int64_t i = 0; i < 2 * LENGTH; i++) {
        slots[i] = i % LENGTH + (i % LENGTH >= (i < LENGTH || alike ? 9 : 32) ? 24 : 0);
    }
    test_ok(context, append(context, session, &t, 0, 90));
    (void)step(context, session, &t, 88, 2, NULL);
    test_ok(context, ga_cache_evict(context, cache, offsets, slots));
    test_ok(context, append(context, session, &t, 90, MORE));
    (void)step(context, session, &t, 90 + MORE - 2, 2, &o);
    for (int64_t h = 0; h < KV_HEADS; h++) {
        const int64_t ks[] = { 1, ALL, DIM }, vs[] = { 1, ALL, DIM_V }, qs[] = { 2, 2, DIM },
                      flags[] = { ALL };
        const DLDataType u8 = { kDLUInt, 8, 1 };
        DLTensor *k = tensor_new(context, f32, 3, ks), *v = tensor_new(context, f32, 3, vs),
                 *q = tensor_new(context, f32, 3, qs), *marks = tensor_new(context, u8, 1, flags);
        ga_named_tensor out = { "o", NULL }, given = { "is_landmark", marks };
        test_ok(context, ga_cache_read(context, cache, h, 0, k, v));
        for (int64_t i = 0; i < ALL; i++) {
            ((uint8_t *)marks->data)[i] = ga_cache_position(cache, h, i) % (BLOCK + 1) == BLOCK;
        }
        for (int64_t i = 0; i < count_of(q); i++) {
            set(q, i,
                get(t.q, ((2 * h + i / DIM / 2) * t.tokens + t.tokens - 2 + i / DIM % 2) * DIM + i % DIM));
        }
        ga_attend_call call = { .q = q, .k = k, .v = v, .causal = true, .scale = NAN };
        call.parameters = m->parameters;
        call.parameter_count = parameter_count(m);
        call.tensors = &given;
        call.tensor_count = 1;
        test_ok(context, ga_attend(context, "landmark", &call, &out, 1));
        for (int64_t i = 0; i < 4 * DIM_V; i++) {
            double got = get(o, h * 4 * DIM_V + i), want = get(out.tensor, i);
            expect(fabs(got - want) < 4e-6, "head %lld, %lld: %g, a call %g", (long long)h, (long long)i, got,
                   want);
        }
        DLTensor *const all[] = { k, v, q, marks, out.tensor };
        for (int i = 0; i < 5; i++) {
            ga_tensor_destroy(context, all[i]);
        }
    }
    ga_tensor_destroy(context, o);
    ga_session_close(context, session);
    text_free(context, &t);
}

START_TEST(landmarks_go_by_positions)
{
    static const method forms[] = {
        { "landmark", { { "block", "6" } } },
        { "landmark", { { "block", "6" }, { "mode", "retrieve" }, { "top_k", "3" }, { "chunk", "30" } } },
        { "landmark",
          { { "block", "6" },
            { "mode", "retrieve" },
            { "top_k", "3" },
            { "chunk", "30" },
            { "select", "head" } } },
    };
    ga_context *context = test_threads_context(2);
    for (int m = 0; m < 3; m++) {
        check_evicted(context, &forms[m], true);
        check_evicted(context, &forms[m], false);
    }
    test_context_done(context, NULL);
}
END_TEST

/* The picks of the first of three steps serve the others, and what they could not pick is seen: the blocks since. */
START_TEST(picks_serve_several_steps)
{
    const method m = { "landmark", { { "block", "4" }, { "mode", "retrieve" }, { "top_k", "3" } } };
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 180);
    ga_session *session = open_session(context, &m, f32, 3);
    char old[180] = { 0 }, marks[180];
    test_ok(context, append(context, session, &t, 0, 150));
    for (int64_t n = 160, turn = 0; n <= 180; n += 2, turn++) {
        test_ok(context, append(context, session, &t, n == 160 ? 150 : n - 2, n == 160 ? 10 : 2));
        const ga_selection *s = step(context, session, &t, n - 1, 1, NULL);
        int64_t since = (n - 1 - turn % 3 * 2) / 5 * 5; /* the open block when picks were made */
        mark_keys(context, s, 1, marks);
        for (int64_t j = 0; j < n; j++) {
            bool mark = j % 5 == 4;
            if (j >= since) {
                expect(marks[j] == !mark, "%lld keys: key %lld", (long long)n, (long long)j);
            } else if (turn % 3 > 0) {
                expect(marks[j] == old[j], "%lld keys: key %lld is not as it was picked", (long long)n,
                       (long long)j);
            }
        }
        memcpy(old, marks, sizeof old);
    }
    ga_session_close(context, session);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(landmark_says_what_it_cannot_do)
{
    ga_context *context = test_threads_context(1);
    ga_session *session = NULL;
    text t = text_of(context, 20);
    const ga_named_text head = { "select", "head" };
    ga_session_options options = GA_SESSION_OPTIONS_INIT;
    options.cache = (ga_cache_options){ KV_HEADS, DIM, DIM_V, f16, 0 };
    options.heads = HEADS;
    options.variant = "landmark";
    options.parameters = &head;
    options.parameter_count = 1;
    test_status(context, ga_session_open(context, &options, &session), GA_INVALID);
    test_error_has(context, "select=head: expected token or shared, or a chunk above 0");
    const method shared = { "landmark",
                            { { "block", "4" }, { "mode", "retrieve" }, { "select", "shared" } } };
    static const int64_t offsets[] = { 0, 6, 12 }, slots[] = { 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 6 };
    cut q;
    session = open_session(context, &shared, f16, 1);
    test_ok(context, append(context, session, &t, 0, 10));
    test_ok(context, ga_session_step(context, session, rows_of(&q, t.q, 9, 1), NULL, NULL));
    test_ok(context, ga_cache_evict(context, ga_session_cache(session), offsets, slots));
    test_status(context, ga_session_step(context, session, rows_of(&q, t.q, 9, 1), NULL, NULL), GA_INVALID);
    test_error_has(context, "landmark chooses for all heads together, they differ in positions");
    ga_session_close(context, session);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* ---- flexprefill ---- */

/* Numbers x, largest first (ties: the first), until their sum exceeds mass: marks them, returns how many. most: at most so
 * many, whatever their sum. */
static int64_t take(int64_t n, const double *x, double mass, int64_t most, char *taken)
{
    double sum = 0;
    int64_t count = 0;
    memset(taken, 0, (size_t)n);
    for (; count < n && count < most && sum <= mass; count++) {
        int64_t at = -1;
        for (int64_t i = 0; i < n; i++) {
            at = !taken[i] && (at < 0 || x[i] > x[at]) ? i : at;
        }
        taken[at] = 1;
        sum += x[at];
    }
    return count;
}

static double information(double p, double q)
{
    return p > 0 ? 0.5 * p * log(2 * p / (p + q)) : 0;
}

static void softmax(int64_t n, double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = exp(x[i]);
        sum += x[i];
    }
    for (int64_t i = 0; i < n; i++) {
        x[i] /= sum;
    }
}

enum { BLOCK = 8, BUDGET = 16, TEXT = 200 };

/* Blocks that one query sees, by the rule: P is its softmax row. */
static bool flex_row(const text *t, int64_t head, int64_t n, double tau, char *blocks)
{
    const double gamma = 0.6;
    double p[TEXT], by_block[TEXT] = { 0 }, by_distance[TEXT] = { 0 }, guess[TEXT] = { 0 }, apart = 0;
    int64_t count = (n + BLOCK - 1) / BLOCK, least = BUDGET / BLOCK, wanted[2];
    char column[TEXT], diagonal[TEXT], pooled[TEXT];
    for (int64_t j = 0; j < n; j++) {
        int64_t u = j / BLOCK, size = u == count - 1 ? n - u * BLOCK : BLOCK;
        p[j] = 0;
        for (int64_t c = 0; c < DIM; c++) {
            p[j] += get(t->q, (head * t->tokens + n - 1) * DIM + c) *
                    get(t->k, (head / 2 * t->tokens + j) * DIM + c) / sqrt(DIM);
        }
        guess[u] += p[j] / (double)size;
    }
    softmax(n, p);
    softmax(count, guess);
    for (int64_t j = 0; j < n; j++) {
        by_block[j / BLOCK] += p[j];
        by_distance[(n - 1 - j) / BLOCK] += p[j];
    }
    for (int64_t u = 0; u < count; u++) {
        apart += information(guess[u], by_block[u]) + information(by_block[u], guess[u]);
    }
    bool aware = sqrt(apart) < tau;
    wanted[0] = wanted[1] = take(n, p, gamma, n, column) / BLOCK + 1;
    for (int i = 0; i < 2; i++) {
        wanted[i] = wanted[i] < least || aware ? least : wanted[i];
    }
    (void)take(count, by_block, 2, wanted[0], column);
    (void)take(count, by_distance, 2, wanted[1], diagonal);
    (void)take(count, guess, gamma, count, pooled);
    for (int64_t u = 0; u < count; u++) {
        blocks[u] = column[u] || diagonal[count - 1 - u] || u == 0 || u == count - 1 || (aware && pooled[u]);
    }
    return aware;
}

/* Steps of one token against the rule, for heads of both kinds; the output against attention over these keys. */
START_TEST(a_step_is_the_last_block_of_queries)
{
    static const char *const taus[] = { "0", "0.3", "0.8" };
    ga_context *context = test_threads_context(2);
    text t = text_of(context, TEXT);
    char marks[TEXT], blocks[TEXT];
    int64_t kinds[2] = { 0, 0 };
    for (int64_t i = 0; i < 3; i++) {
        const method m = {
            "flexprefill",
            { { "block", "8" }, { "min_budget", "16" }, { "gamma", "0.6" }, { "tau", taus[i] } }
        };
        ga_session *session = open_session(context, &m, f32, 1);
        test_ok(context, append(context, session, &t, 0, 10));
        for (int64_t n = 11; n <= TEXT; n++) {
            test_ok(context, append(context, session, &t, n - 1, 1));
            const ga_selection *s = step(context, session, &t, n - 1, 1, NULL);
            for (int64_t h = 0; h < HEADS; h++) {
                if (n <= 2 * BLOCK) {
                    memset(blocks, 1, sizeof blocks);
                } else {
                    kinds[flex_row(&t, h, n, strtod(taus[i], NULL), blocks)]++;
                }
                mark_keys(context, s, h, marks);
                for (int64_t j = 0; j < n; j++) {
                    expect(marks[j] == blocks[j / BLOCK], "tau %s, %lld keys, head %lld: key %lld is %s",
                           taus[i], (long long)n, (long long)h, (long long)j, marks[j] ? "seen" : "not seen");
                }
            }
        }
        ga_session_close(context, session);
    }
    ck_assert_int_gt(kinds[0], 100);
    ck_assert_int_gt(kinds[1], 100);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* A step of a whole block of queries chooses what the prefill of the whole text chooses for that block. */
START_TEST(a_step_of_a_block_is_the_end_of_a_prefill)
{
    const method m = { "flexprefill",
                       { { "block", "8" }, { "min_budget", "16" }, { "gamma", "0.6" }, { "tau", "0" } } };
    ga_context *context = test_threads_context(2);
    text t = text_of(context, TEXT);
    char *marks[] = { malloc(BLOCK * TEXT), malloc(TEXT * TEXT) };
    ga_session *session = open_session(context, &m, f32, 1);
    for (int64_t n = BLOCK; n <= TEXT; n += BLOCK) {
        ga_attend_call call = GA_ATTEND_CALL_INIT;
        ga_selection *whole = NULL;
        cut q, k;
        test_ok(context, append(context, session, &t, n - BLOCK, BLOCK));
        const ga_selection *s = step(context, session, &t, n - BLOCK, BLOCK, NULL);
        call.q = rows_of(&q, t.q, 0, n);
        call.k = rows_of(&k, t.k, 0, n);
        call.causal = true;
        call.parameters = m.parameters;
        call.parameter_count = parameter_count(&m);
        test_ok(context, ga_select(context, "flexprefill", &call, &whole));
        for (int64_t h = 0; h < HEADS; h++) {
            mark_keys(context, s, h, marks[0]);
            mark_keys(context, whole, h, marks[1]);
            expect(memcmp(marks[0], marks[1] + (n - BLOCK) * n, (size_t)(BLOCK * n)) == 0,
                   "%lld keys, head %lld: not the last block of the prefill", (long long)n, (long long)h);
        }
        ga_selection_destroy(context, whole);
    }
    free(marks[0]);
    free(marks[1]);
    ga_session_close(context, session);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* Attention over the keys that flexprefill chose is what its step gives. */
START_TEST(a_step_attends_to_its_choice)
{
    ga_context *context = test_threads_context(1);
    text t = text_of(context, TEXT);
    const method *m = &methods[METHODS - 1];
    char marks[TEXT];
    DLTensor *o;
    ck_assert(is(m, "flexprefill"));
    ga_session *session = open_session(context, m, f32, 1);
    test_ok(context, append(context, session, &t, 0, TEXT));
    const ga_selection *s = step(context, session, &t, TEXT - 1, 1, &o);
    for (int64_t h = 0; h < HEADS; h++) {
        double sums[DIM_V] = { 0 }, total = 0;
        int64_t kept = 0;
        mark_keys(context, s, h, marks);
        for (int64_t j = 0; j < TEXT; j++) {
            double score = 0;
            for (int64_t c = 0; c < DIM; c++) {
                score += get(t.q, (h * TEXT + TEXT - 1) * DIM + c) * get(t.k, (h / 2 * TEXT + j) * DIM + c) /
                         sqrt(DIM);
            }
            double w = marks[j] ? exp(score) : 0;
            kept += marks[j];
            total += w;
            for (int64_t c = 0; c < DIM_V; c++) {
                sums[c] += w * get(t.v, (h / 2 * TEXT + j) * DIM_V + c);
            }
        }
        ck_assert_int_lt(kept, TEXT);
        for (int64_t c = 0; c < DIM_V; c++) {
            ck_assert_double_eq_tol(sums[c] / total, get(o, h * DIM_V + c), 4e-6);
        }
    }
    ga_tensor_destroy(context, o);
    ga_session_close(context, session);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_laws");
    TCase *laws = tcase_create("laws"), *own = tcase_create("landmark, flexprefill");
    tcase_set_timeout(laws, 300);
    tcase_set_timeout(own, 300);
    tcase_add_test(laws, everything_is_full);
    tcase_add_test(laws, tokens_see_themselves_and_nothing_later);
    tcase_add_test(laws, heads_are_alike);
    tcase_add_test(laws, choices_are_those_of_the_call);
    tcase_add_test(own, long_blocks_and_many);
    tcase_add_test(own, landmarks_go_by_positions);
    tcase_add_test(own, picks_serve_several_steps);
    tcase_add_test(own, landmark_says_what_it_cannot_do);
    tcase_add_test(own, a_step_is_the_last_block_of_queries);
    tcase_add_test(own, a_step_of_a_block_is_the_end_of_a_prefill);
    tcase_add_test(own, a_step_attends_to_its_choice);
    suite_add_tcase(suite, laws);
    suite_add_tcase(suite, own);
    return test_run(suite);
}
