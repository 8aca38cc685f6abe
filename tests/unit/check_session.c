/* check_session.c - caches of keys and values, and decoding sessions over them. */
#include "config.h"

#include "tests/unit/check_session.h"

/* ---- caches ---- */

static ga_cache *open_cache(ga_context *context, DLDataType type, int64_t page_rows)
{
    ga_cache *cache = NULL;
    ga_cache_options options = { KV_HEADS, DIM, DIM_V, type, page_rows };
    test_ok(context, ga_cache_create(context, &options, &cache));
    return cache;
}

/* Slot `slot` of a head holds the token at `position`, rounded to the type. */
static void check_slot(ga_context *context, const ga_cache *cache, const text *t, DLDataType type,
                       int64_t head, int64_t slot, int64_t position)
{
    DLTensor *k = matrix_new(context, f32, 1, DIM), *v = matrix_new(context, f32, 1, DIM_V);
    DLTensor *rounded = matrix_new(context, type, 1, 1);
    test_ok(context, ga_cache_read(context, cache, head, slot, k, v));
    expect(ga_cache_position(cache, head, slot) == position, "head %lld, slot %lld: position %lld, not %lld",
           (long long)head, (long long)slot, (long long)ga_cache_position(cache, head, slot),
           (long long)position);
    for (int64_t c = 0; c < DIM; c++) {
        set(rounded, 0, get(t->k, (head * t->tokens + position) * DIM + c));
        expect(get(k, c) == get(rounded, 0), "key of slot %lld", (long long)slot);
    }
    for (int64_t c = 0; c < DIM_V; c++) {
        set(rounded, 0, get(t->v, (head * t->tokens + position) * DIM_V + c));
        expect(get(v, c) == get(rounded, 0), "value of slot %lld", (long long)slot);
    }
    ga_tensor_destroy(context, k);
    ga_tensor_destroy(context, v);
    ga_tensor_destroy(context, rounded);
}

START_TEST(a_cache_keeps_rows_and_positions)
{
    const DLDataType types[] = { f32, bf16, f16 };
    static const int64_t pages[] = { 1, 5, 64, 0 };
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 60);
    for (int i = 0; i < 3; i++) {
        for (int p = 0; p < 4; p++) {
            ga_cache *cache = open_cache(context, types[i], pages[p]);
            cut k, v;
            for (int64_t at = 0, n = 1; at < 60; at += n, n = at % 7 + 1 < 60 - at ? at % 7 + 1 : 60 - at) {
                test_ok(context,
                        ga_cache_append(context, cache, rows_of(&k, t.k, at, n), rows_of(&v, t.v, at, n)));
            }
            ck_assert_int_eq(ga_cache_tokens(cache), 60);
            for (int64_t slot = 0; slot < 60; slot++) {
                check_slot(context, cache, &t, types[i], slot % 2, slot, slot);
            }
            int64_t rows = pages[p] > 0 ? pages[p] : 256, size = types[i].bits / 8;
            ck_assert_int_eq(ga_cache_bytes(cache),
                             2 * ((60 + rows - 1) / rows) * rows * (DIM + DIM_V) * size);
            ga_cache_destroy(context, cache);
        }
    }
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* Every third slot of head 0, the last four of head 1; then more tokens, then again. */
START_TEST(eviction_moves_slots_and_keeps_positions)
{
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 60);
    ga_cache *cache = open_cache(context, f16, 4);
    int64_t offsets[] = { 0, 0, 0 }, slots[64], held[2][64], count[2] = { 0, 0 };
    cut k, v;
    test_ok(context, ga_cache_append(context, cache, rows_of(&k, t.k, 0, 40), rows_of(&v, t.v, 0, 40)));
    for (int h = 0; h < 2; h++) {
        for (int64_t i = 0; i < 40; i++) {
            if (h == 0 ? i % 3 == 0 : i >= 36) {
                held[h][count[h]++] = i;
                slots[offsets[1 + h]++] = i;
            }
        }
        offsets[2] = h == 0 ? offsets[1] : offsets[2];
    }
    int64_t before = ga_cache_bytes(cache);
    test_ok(context, ga_cache_evict(context, cache, offsets, slots));
    ck_assert_int_lt(ga_cache_bytes(cache), before);
    test_ok(context, ga_cache_append(context, cache, rows_of(&k, t.k, 40, 20), rows_of(&v, t.v, 40, 20)));
    for (int h = 0; h < 2; h++) {
        for (int64_t i = 40; i < 60; i++) {
            held[h][count[h]++] = i;
        }
        ck_assert_int_eq(ga_cache_length(cache, h), count[h]);
        for (int64_t i = 0; i < count[h]; i++) {
            check_slot(context, cache, &t, f16, h, i, held[h][i]);
        }
    }
    int64_t last[] = { 0, 2, 3 }, again[] = { 0, count[0] - 1, 1 };
    test_ok(context, ga_cache_evict(context, cache, last, again));
    check_slot(context, cache, &t, f16, 0, 0, held[0][0]);
    check_slot(context, cache, &t, f16, 0, 1, 59);
    check_slot(context, cache, &t, f16, 1, 0, held[1][1]);
    ga_cache_destroy(context, cache);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(a_cache_refuses_what_does_not_fit)
{
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 8);
    ga_cache *cache = NULL;
    cut k, v;
    const ga_cache_options wrong[] = {
        { 0, DIM, DIM_V, f16, 0 }, { 1, 0, 1, f16, 0 }, { 1, 1, 1, f64, 0 }, { 1, 1, 1, f16, -1 }
    };
    for (int i = 0; i < 4; i++) {
        test_status(context, ga_cache_create(context, &wrong[i], &cache), GA_INVALID);
    }
    const ga_cache_options huge = { 1, INT64_MAX / 4, 1, f16, 0 };
    test_status(context, ga_cache_create(context, &huge, &cache), GA_OVERFLOW);
    cache = open_cache(context, f16, 3);
    test_status(context, ga_cache_append(context, cache, t.k, t.k), GA_INVALID);
    test_status(context, ga_cache_append(context, cache, rows_of(&k, t.k, 0, 2), rows_of(&v, t.v, 0, 3)),
                GA_INVALID);
    ck_assert_int_eq(ga_cache_tokens(cache), 0);
    test_ok(context, ga_cache_append(context, cache, t.k, t.v));
    static const int64_t offsets[][3] = { { 0, 1, 3 }, { 0, 1, 2 }, { 1, 0, 0 } };
    static const int64_t slots[][3] = { { 0, 2, 2 }, { 0, 8, 0 }, { 0, 0, 0 } };
    for (int i = 0; i < 3; i++) {
        test_status(context, ga_cache_evict(context, cache, offsets[i], slots[i]), GA_INVALID);
    }
    ck_assert_int_eq(ga_cache_length(cache, 1), 8);
    DLTensor *row = matrix_new(context, f32, 2, DIM);
    test_status(context, ga_cache_read(context, cache, 0, 7, row, NULL), GA_INVALID);
    test_status(context, ga_cache_read(context, cache, 2, 0, row, NULL), GA_INVALID);
    ga_tensor_destroy(context, row);
    ga_cache_destroy(context, cache);
    ga_cache_destroy(context, NULL);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* ---- sessions and calls ---- */

enum { PROMPT = 150, STEPS = 12, WINDOW = 8 };

static void check_method(ga_context *context, const method *m)
{
    text t = text_of(context, PROMPT + 4 * STEPS);
    ga_session *session = open_session(context, m, f32, 1);
    bool evicts = strstr(m->name, "snapkv") != NULL, stateful = strcmp(m->name, "recycled") == 0;
    cut q;
    test_ok(context, append(context, session, &t, 0, PROMPT));
    if (evicts) {
        test_ok(context, ga_session_evict(context, session, rows_of(&q, t.q, PROMPT - WINDOW, WINDOW)));
        ck_assert_int_lt(ga_cache_length(ga_session_cache(session), 0), PROMPT);
    }
    for (int64_t step = 0, keys = PROMPT; step < STEPS; step++) {
        int64_t tokens = step % 4 == 3 ? 3 : 1;
        const int64_t shape[] = { HEADS, tokens, DIM_V };
        DLTensor *o = tensor_new(context, f32, 3, shape), *lse = tensor_new(context, f32, 2, shape);
        test_ok(context, append(context, session, &t, keys, tokens));
        keys += tokens;
        test_ok(context, ga_session_step(context, session, rows_of(&q, t.q, keys - tokens, tokens), o, lse));
        int64_t queries = evicts ? keys - PROMPT + WINDOW : stateful ? keys - PROMPT : tokens;
        DLTensor *call = by_call(context, m, &t, keys, queries, evicts ? PROMPT : 0);
        compare_rows(m, o, call, tokens, keys);
        ga_tensor_destroy(context, call);
        ga_tensor_destroy(context, o);
        ga_tensor_destroy(context, lse);
    }
    ga_session_close(context, session);
    text_free(context, &t);
}

START_TEST(a_step_is_a_call)
{
    ga_context *context = test_threads_context(2);
    for (int i = 0; i < METHODS; i++) {
        if (strcmp(methods[i].name, "flexprefill") != 0) { /* its calls with few queries are dense */
            check_method(context, &methods[i]);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(every_selector_that_decodes_is_tested)
{
    ga_context *context = test_threads_context(1);
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        bool found = false;
        ga_session *session = NULL;
        ga_session_options options = GA_SESSION_OPTIONS_INIT;
        options.cache = (ga_cache_options){ 1, 4, 4, f16, 0 };
        options.variant = (*v)->name;
        for (int i = 0; i < METHODS; i++) {
            found |= strcmp(methods[i].name, (*v)->name) == 0;
        }
        ga_status status = ga_session_open(context, &options, &session);
        ga_session_close(context, session);
        expect((status == GA_OK) == found, "%s: a session opens with %s", (*v)->name, ga_status_name(status));
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- appending bit by bit, threads ---- */

static char *last_step(ga_context *context, const method *m, const text *t, int64_t pieces, bool steps)
{
    const int64_t shape[] = { HEADS, 1, DIM_V };
    ga_session *session = open_session(context, m, f16, 1);
    DLTensor *o = tensor_new(context, f32, 3, shape);
    cut q;
    for (int64_t at = 0; at < t->tokens;) {
        int64_t n = t->tokens - at < pieces ? t->tokens - at : pieces;
        test_ok(context, append(context, session, t, at, n));
        at += n;
        if (steps || at == t->tokens) {
            test_ok(context, ga_session_step(context, session, rows_of(&q, t->q, at - 1, 1), o, NULL));
        }
    }
    char *bytes = malloc((size_t)count_of(o) * 4);
    memcpy(bytes, o->data, (size_t)count_of(o) * 4);
    ga_tensor_destroy(context, o);
    ga_session_close(context, session);
    return bytes;
}

START_TEST(appending_is_rebuilding)
{
    static const int threads[] = { 1, 2, 3, 7 };
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 170);
    for (int i = 0; i < METHODS; i++) {
        if (strcmp(methods[i].name, "recycled") == 0) {
            continue; /* what it keeps depends on its steps */
        }
        char *whole = last_step(context, &methods[i], &t, 170, false);
        for (int k = 0; k < 4; k++) {
            test_set_threads(context, threads[k]);
            char *pieces = last_step(context, &methods[i], &t, k == 0 ? 1 : 13, true);
            expect(memcmp(whole, pieces, HEADS * DIM_V * 4) == 0, "%s, %d threads", methods[i].name,
                   threads[k]);
            free(pieces);
        }
        free(whole);
    }
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* ---- needles ---- */

enum { NEEDLE = 16, MARKS = 16 /* tokens of a landmark's block, itself included */ };

/* A needle of 16 keys in noise, which the queries ask for. */
static text plant(ga_context *context, int64_t keys, int64_t first)
{
    text t = { random_tensor(context, f32, HEADS, keys, DIM, 11),
               random_tensor(context, f32, KV_HEADS, keys, DIM, 12),
               random_tensor(context, f32, KV_HEADS, keys, DIM_V, 13), keys };
    for (int64_t i = 0; i < count_of(t.k); i++) {
        double far = (double)(i / DIM % keys - first - NEEDLE / 2);
        far = fabs(far) > NEEDLE / 2 ? fabs(far) - NEEDLE / 2 : 0;
        set(t.k, i, 0.5 * get(t.k, i) + exp(-far * far / 1152) * (i % DIM % 3 == 0 ? 2 : -1));
    }
    for (int64_t i = 0; i < count_of(t.q); i++) {
        set(t.q, i, 0.25 * get(t.q, i) + (i % DIM % 3 == 0 ? 2 : -1));
    }
    return t;
}

/* Needle keys that are chosen, of all heads; a landmark has no weight and counts as chosen. */
static int64_t count_chosen(ga_context *context, const ga_selection *selection, int64_t first, bool marks)
{
    ga_pattern *pattern = NULL;
    int64_t seen = 0;
    test_ok(context, ga_pattern_selected(context, selection, 0, &pattern));
    int64_t(*runs)[2] = malloc((size_t)ga_pattern_most_runs(pattern) * sizeof *runs);
    for (int64_t h = 0; h < HEADS; h++) {
        int64_t count = ga_pattern_row_runs(pattern, ga_pattern_heads(pattern) == 1 ? 0 : h, 0, runs);
        for (int64_t i = 0; i < count; i++) {
            int64_t from = runs[i][0] > first ? runs[i][0] : first;
            int64_t to = runs[i][1] < first + NEEDLE ? runs[i][1] : first + NEEDLE;
            seen += to > from ? to - from : 0;
        }
        seen += marks; /* there is one in every MARKS tokens */
    }
    free(runs);
    ga_pattern_destroy(context, pattern);
    return seen;
}

/* The share of a needle that a step chooses, or that a prompt's end leaves in the cache. */
static double needle_recall(ga_context *context, const method *m, int64_t keys, int64_t first)
{
    ga_session *session = open_session(context, m, f16, 1);
    text t = plant(context, keys, first);
    int64_t seen = 0;
    cut q;
    test_ok(context, append(context, session, &t, 0, keys - 1));
    if (strstr(m->name, "snapkv")) {
        test_ok(context, ga_session_evict(context, session, rows_of(&q, t.q, keys - 1 - WINDOW, WINDOW)));
        for (int64_t h = 0; h < KV_HEADS; h++) {
            for (int64_t i = 0; i < ga_cache_length(ga_session_cache(session), h); i++) {
                int64_t at = ga_cache_position(ga_session_cache(session), h, i);
                seen += at >= first && at < first + NEEDLE ? HEADS / KV_HEADS : 0;
            }
        }
    } else {
        if (strcmp(m->name, "recycled") == 0) { /* its first step is full */
            test_ok(context, ga_session_step(context, session, rows_of(&q, t.q, keys - 2, 1), NULL, NULL));
            ck_assert_ptr_null(ga_session_selection(session, 0));
        }
        test_ok(context, append(context, session, &t, keys - 1, 1));
        test_ok(context, ga_session_step(context, session, rows_of(&q, t.q, keys - 1, 1), NULL, NULL));
        seen =
            count_chosen(context, ga_session_selection(session, 0), first, strcmp(m->name, "landmark") == 0);
    }
    ga_session_close(context, session);
    text_free(context, &t);
    return (double)seen / (HEADS * NEEDLE);
}

START_TEST(a_needle_is_found_at_every_depth)
{
    enum { KEYS = 4096, DEPTHS = 9 };
    static const method finders[] = {
        { "quest", { { "block", "16" }, { "budget", "128" }, { "group_reduce", "max" } } },
        { "block-topk",
          { { "block", "16" }, { "block_q", "1" }, { "top_k", "8" }, { "group_reduce", "mean" } } },
        { "hip", { { "top_k", "96" }, { "window", "32" } } },
        { "dhsa", { { "budget", "128" } } },
        { "vertical-slash",
          { { "columns", "64" }, { "slashes", "64" }, { "sinks", "4" }, { "window", "16" } } },
        { "landmark", { { "block", "15" }, { "mode", "retrieve" }, { "top_k", "8" } } },
        { "landmark",
          { { "block", "15" }, { "mode", "retrieve" }, { "top_k", "8" }, { "select", "shared" } } },
        { "flexprefill", { { "block", "16" }, { "min_budget", "64" }, { "max_budget", "64" } } },
        { "recycled", { { "top_k", "128" } } },
        { "snapkv", { { "budget", "128" }, { "window", "8" }, { "group_reduce", "max" } } },
        { "ada-snapkv", { { "budget", "128" }, { "window", "8" } } },
    };
    ga_context *context = test_threads_context(2);
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        bool found = false;
        for (size_t m = 0; m < sizeof finders / sizeof *finders; m++) {
            found = found || strcmp(finders[m].name, (*v)->name) == 0;
        }
        expect(found == (((*v)->can & GA_SELECTS) != 0), "%s: %s", (*v)->name,
               found ? "does not select" : "no needle");
    }
    for (size_t m = 0; m < sizeof finders / sizeof *finders; m++) {
        for (int64_t d = 0; d < DEPTHS; d++) {
            double found = needle_recall(context, &finders[m], KEYS, (KEYS - 64) * d / (DEPTHS - 1));
            expect(found == 1, "%s: depth %lld of 8: recall %g", finders[m].name, (long long)d, found);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- reuse ---- */

START_TEST(a_choice_serves_several_steps)
{
    const int64_t shape[] = { HEADS, 1, DIM_V };
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 170);
    ga_session *session = open_session(context, &methods[1], f32, 3);
    DLTensor *o = tensor_new(context, f32, 3, shape);
    int32_t units[64];
    int64_t count = 0, changes = 0;
    cut q;
    test_ok(context, append(context, session, &t, 0, 150));
    for (int64_t n = 151; n <= 162; n++) {
        test_ok(context, append(context, session, &t, n - 1, 1));
        test_ok(context, ga_session_step(context, session, rows_of(&q, t.q, n - 1, 1), o, NULL));
        const ga_selection *s = ga_session_selection(session, 0);
        ck_assert_int_eq(s->keys, n);
        bool same = s->offsets[1] == count && memcmp(s->units, units, (size_t)count * sizeof *units) == 0;
        if ((n - 151) % 3 != 0) {
            ck_assert(same);
            ck_assert_int_le(s->open_from, n - 1); /* the tokens since the choice are seen */
        }
        changes += !same;
        count = s->offsets[1];
        memcpy(units, s->units, (size_t)count * sizeof *units);
    }
    ck_assert_int_ge(changes, 2);
    ga_tensor_destroy(context, o);
    ga_session_close(context, session);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* ---- ragged heads ---- */

/* Head 0 keeps every second of 80 slots, head 1 the last 30; each must give what it gives alone. */
static void check_ragged(ga_context *context, const method *m)
{
    const int64_t shape[] = { HEADS, 1, DIM_V };
    text t = text_of(context, 100);
    ga_session *session = open_session(context, m, f32, 1);
    DLTensor *o = tensor_new(context, f32, 3, shape);
    int64_t offsets[] = { 0, 40, 70 }, slots[70];
    cut q;
    for (int64_t i = 0; i < 70; i++) {
        slots[i] = i < 40 ? 2 * i : 50 + i - 40;
    }
    test_ok(context, append(context, session, &t, 0, 80));
    test_ok(context, ga_cache_evict(context, ga_session_cache(session), offsets, slots));
    test_ok(context, append(context, session, &t, 80, 5));
    test_ok(context, ga_session_step(context, session, rows_of(&q, t.q, 84, 1), o, NULL));
    for (int64_t h = 0; h < KV_HEADS; h++) {
        int64_t n = ga_cache_length(ga_session_cache(session), h), group = HEADS / KV_HEADS;
        const int64_t ks[] = { 1, n, DIM }, vs[] = { 1, n, DIM_V }, qs[] = { group, 1, DIM };
        DLTensor *k = tensor_new(context, f32, 3, ks), *v = tensor_new(context, f32, 3, vs),
                 *one = tensor_new(context, f32, 3, qs);
        ga_attend_call call = GA_ATTEND_CALL_INIT;
        ga_named_tensor out = { "o", NULL };
        test_ok(context, ga_cache_read(context, ga_session_cache(session), h, 0, k, v));
        for (int64_t i = 0; i < group * DIM; i++) {
            set(one, i, get(t.q, ((h * group + i / DIM) * 100 + 84) * DIM + i % DIM));
        }
        call = (ga_attend_call){ .q = one,
                                 .k = k,
                                 .v = v,
                                 .causal = true,
                                 .scale = NAN,
                                 .parameters = m->parameters,
                                 .parameter_count = parameter_count(m) };
        test_ok(context, ga_attend(context, m->name, &call, &out, 1));
        for (int64_t i = 0; i < group * DIM_V; i++) {
            expect(fabs(get(out.tensor, i) - get(o, h * group * DIM_V + i)) < 4e-6, "%s: head %lld", m->name,
                   (long long)h);
        }
        DLTensor *all[] = { k, v, one, out.tensor };
        for (int i = 0; i < 4; i++) {
            ga_tensor_destroy(context, all[i]);
        }
    }
    ga_tensor_destroy(context, o);
    ga_session_close(context, session);
    text_free(context, &t);
}

START_TEST(ragged_heads_choose_one_by_one)
{
    ga_context *context = test_threads_context(2);
    for (int i = 0; i < RAGGED; i++) {
        check_ragged(context, &methods[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_session_refuses_what_it_cannot_do)
{
    const int64_t shape[] = { HEADS, 1, DIM_V }, two[] = { 0, 4, 9 };
    static const int64_t slots[] = { 0, 1, 2, 3, 0, 1, 2, 3, 4 };
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 20);
    ga_session *session = NULL;
    DLTensor *o = tensor_new(context, f32, 3, shape);
    ga_session_options options = GA_SESSION_OPTIONS_INIT;
    cut q;
    options.cache = (ga_cache_options){ KV_HEADS, DIM, DIM_V, f16, 0 };
    options.heads = 3;
    test_status(context, ga_session_open(context, &options, &session), GA_INVALID);
    options.heads = HEADS;
    static const char *const names[] = { "nothing", "window", "paint", "retention" };
    for (int i = 0; i < 4; i++) {
        options.variant = names[i];
        test_status(context, ga_session_open(context, &options, &session), GA_INVALID);
    }
    options.variant = "quest";
    options.reuse = 0;
    test_status(context, ga_session_open(context, &options, &session), GA_INVALID);
    session = open_session(context, &(method){ "dhsa", { { "select", "shared" } } }, f16, 1);
    test_status(context, ga_session_step(context, session, rows_of(&q, t.q, 0, 1), o, NULL), GA_INVALID);
    test_ok(context, append(context, session, &t, 0, 20));
    test_status(context, ga_session_step(context, session, rows_of(&q, t.q, 0, 9), NULL, NULL), GA_INVALID);
    test_status(context, ga_session_step(context, session, rows_of(&q, t.q, 0, 2), o, NULL), GA_INVALID);
    test_status(context, ga_session_evict(context, session, rows_of(&q, t.q, 0, 2)), GA_INVALID);
    test_ok(context, ga_session_step(context, session, rows_of(&q, t.q, 19, 1), o, NULL));
    test_ok(context, ga_cache_evict(context, ga_session_cache(session), two, slots));
    test_status(context, ga_session_step(context, session, rows_of(&q, t.q, 19, 1), o, NULL), GA_INVALID);
    test_error_has(context, "all heads together");
    ga_session_close(context, session);
    session = open_session(context, &(method){ "snapkv", { { "budget", "10" }, { "window", "4" } } }, f16, 1);
    test_ok(context, append(context, session, &t, 0, 20));
    test_status(context, ga_session_evict(context, session, rows_of(&q, t.q, 16, 4)), GA_INVALID);
    test_error_has(context, "group_reduce");
    ga_session_close(context, session);
    ga_tensor_destroy(context, o);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

/* ---- a million tokens ---- */

START_TEST(a_million_tokens)
{
    enum { PIECE = 1 << 14, TOKENS = 1 << 20 };
    static const char *const variants[] = { "full", "quest", "landmark", "flexprefill" };
    ga_context *context = test_threads_context(2);
    const int64_t one[] = { 2, 1, 8 };
    DLTensor *k = random_tensor(context, f16, 1, PIECE, 8, 5),
             *v = random_tensor(context, f16, 1, PIECE, 8, 6);
    DLTensor *q = random_tensor(context, f32, 2, 1, 8, 7), *o = tensor_new(context, f32, 3, one);
    const ga_named_text retrieve = { "mode", "retrieve" };
    for (int i = 0; i < 4; i++) {
        ga_session *session = NULL;
        ga_session_options options = GA_SESSION_OPTIONS_INIT;
        int64_t peak = 0;
        options.cache = (ga_cache_options){ 1, 8, 8, f16, 0 };
        options.heads = 2;
        options.variant = variants[i];
        options.parameters = &retrieve;
        options.parameter_count = strcmp(variants[i], "landmark") == 0;
        test_ok(context, ga_session_open(context, &options, &session));
        for (int64_t at = 0; at < TOKENS; at += PIECE) {
            test_ok(context, ga_session_append(context, session, k, v));
        }
        test_ok(context, ga_session_step(context, session, q, o, NULL));
        ck_assert_int_eq(ga_cache_length(ga_session_cache(session), 0), TOKENS);
        ck_assert_int_eq(ga_cache_bytes(ga_session_cache(session)), (int64_t)TOKENS * 32);
        for (int64_t c = 0; c < count_of(o); c++) {
            ck_assert(fabs(get(o, c)) < 2);
        }
        ga_session_close(context, session);
        ga_context_memory(context, NULL, &peak);
        ck_assert_int_lt(peak, (int64_t)1 << 30);
    }
    DLTensor *all[] = { k, v, q, o };
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- out of memory ---- */

typedef struct life {
    const method *method;
    const text *text;
    DLTensor *o;
} life;

/* A session from beginning to end, in few steps; what fails in the middle must not disturb what follows. */
static ga_status live(ga_context *context, void *user)
{
    const life *l = user;
    ga_status status = GA_OK;
    ga_session *session = NULL;
    ga_session_options options = GA_SESSION_OPTIONS_INIT;
    bool evicts = strstr(l->method->name, "snapkv") != NULL;
    cut q;
    options.cache = (ga_cache_options){ KV_HEADS, DIM, DIM_V, f16, 32 };
    options.heads = HEADS;
    options.variant = l->method->name;
    options.parameters = l->method->parameters;
    options.parameter_count = parameter_count(l->method);
    status = ga_session_open(context, &options, &session);
    if (status == GA_OK) {
        status = append(context, session, l->text, 0, 90);
        ck_assert_int_eq(ga_cache_tokens(ga_session_cache(session)), status == GA_OK ? 90 : 0);
    }
    if (status == GA_OK && evicts) {
        status = ga_session_evict(context, session, rows_of(&q, l->text->q, 90 - WINDOW, WINDOW));
        ck_assert(status == GA_OK || ga_cache_length(ga_session_cache(session), 0) == 90);
    }
    for (int64_t n = 91; n <= 92 && status == GA_OK; n++) {
        status = append(context, session, l->text, n - 1, 1);
        if (status == GA_OK) {
            status = ga_session_step(context, session, rows_of(&q, l->text->q, n - 1, 1), l->o, NULL);
        }
    }
    ga_session_close(context, session);
    return status;
}

START_TEST(gives_back_what_it_took)
{
    const int64_t shape[] = { HEADS, 1, DIM_V };
    ga_context *context = test_threads_context(1);
    text t = text_of(context, 92);
    life l = { NULL, &t, tensor_new(context, f32, 3, shape) };
    for (int i = 0; i < METHODS; i++) {
        l.method = &methods[i];
        ck_assert_int_ge(test_each_allocation(live, &l, 1), 20);
    }
    ga_tensor_destroy(context, l.o);
    text_free(context, &t);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *cache = tcase_create("cache"), *session = tcase_create("session");
    tcase_set_timeout(cache, 300);
    tcase_set_timeout(session, 600);
    tcase_add_test(cache, a_cache_keeps_rows_and_positions);
    tcase_add_test(cache, eviction_moves_slots_and_keeps_positions);
    tcase_add_test(cache, a_cache_refuses_what_does_not_fit);
    tcase_add_test(session, a_step_is_a_call);
    tcase_add_test(session, every_selector_that_decodes_is_tested);
    tcase_add_test(session, appending_is_rebuilding);
    tcase_add_test(session, a_needle_is_found_at_every_depth);
    tcase_add_test(session, a_choice_serves_several_steps);
    tcase_add_test(session, ragged_heads_choose_one_by_one);
    tcase_add_test(session, a_session_refuses_what_it_cannot_do);
    tcase_add_test(session, a_million_tokens);
    tcase_add_test(session, gives_back_what_it_took);
    suite_add_tcase(suite, cache);
    suite_add_tcase(suite, session);
    return test_run(suite);
}
