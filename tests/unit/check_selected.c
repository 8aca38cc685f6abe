/* check_selected.c - ga_pattern_selected against the words of engine.h, for random selections. */
#include "config.h"

#include <graphattn/engine.h>

#include "lib/base/base.h"
#include "tests/unit/support.h"

enum { LIST = 40, DIAGONALS = 12 };

typedef struct sample {
    ga_selection s;
    int64_t offsets[256], diagonal_offsets[16];
    int32_t units[256 * LIST], diagonals[16 * DIAGONALS];
} sample;

/* Of 0 .. n - 1 those that are drawn, ascending, `most` at most. */
static int64_t draw_list(ga__random *random, int64_t n, int64_t most, int32_t *list)
{
    int64_t count = 0;
    uint64_t one_in = 1 + ga__random_below(random, 5);
    for (int64_t u = 0; u < n && count < most; u++) {
        if (ga__random_below(random, one_in) == 0) {
            list[count++] = (int32_t)u;
        }
    }
    return count;
}

static int64_t below(ga__random *random, int64_t bound)
{
    return (int64_t)ga__random_below(random, (uint64_t)bound);
}

static void sample_make(sample *x, uint64_t seed)
{
    ga__random random = ga__random_at(seed, GA__RANDOM_TEST, 1);
    ga_selection *s = &x->s;
    memset(x, 0, sizeof *x);
    s->batch = 1 + below(&random, 2);
    s->heads = 1 + below(&random, 3);
    s->query_heads = s->heads * (1 + below(&random, 2));
    s->queries = 1 + below(&random, 30);
    s->keys = 1 + below(&random, 45);
    s->causal = below(&random, 3) > 0;
    s->block_query = 1 + below(&random, 9);
    s->first_block = 1 + below(&random, s->block_query);
    s->lists = s->queries <= s->first_block
                   ? 1
                   : 1 + (s->queries - s->first_block + s->block_query - 1) / s->block_query;
    s->unit = 1 + below(&random, 5);
    s->origin = below(&random, 4);
    s->sinks = below(&random, 3) ? 0 : below(&random, s->keys + 3);
    s->window = below(&random, 3) ? 0 : below(&random, 6);
    s->dense_rows = below(&random, 4) ? 0 : below(&random, 5);
    s->open_from = below(&random, 3) ? s->keys : below(&random, s->keys + 2);
    s->offsets = x->offsets;
    s->units = x->units;
    int64_t units = s->keys > s->origin ? (s->keys - s->origin + s->unit - 1) / s->unit : 0;
    for (int64_t l = 0; l < s->batch * s->heads * s->lists; l++) {
        x->offsets[l + 1] = x->offsets[l] + draw_list(&random, units, LIST, x->units + x->offsets[l]);
    }
    if (s->causal && below(&random, 2)) {
        s->diagonal_offsets = x->diagonal_offsets;
        s->diagonals = x->diagonals;
        for (int64_t h = 0; h < s->batch * s->heads; h++) {
            int64_t at = x->diagonal_offsets[h];
            x->diagonal_offsets[h + 1] = at + draw_list(&random, s->keys, DIAGONALS, x->diagonals + at);
        }
    }
}

static bool holds(const int32_t *list, int64_t from, int64_t to, int64_t value)
{
    for (int64_t i = from; i < to; i++) {
        if (list[i] == value) {
            return true;
        }
    }
    return false;
}

/* The comment of ga_selection, word by word. */
static bool visible(const ga_selection *s, int64_t entry, int64_t head, int64_t i, int64_t j)
{
    int64_t p = i + s->keys - s->queries, h = head / (s->query_heads / s->heads), line = entry * s->heads + h;
    int64_t list = line * s->lists + (i < s->first_block ? 0 : 1 + (i - s->first_block) / s->block_query);
    if (s->causal && j > p) {
        return false;
    }
    bool in_unit =
        j >= s->origin && holds(s->units, s->offsets[list], s->offsets[list + 1], (j - s->origin) / s->unit);
    bool on_diagonal = s->diagonal_offsets &&
                       holds(s->diagonals, s->diagonal_offsets[line], s->diagonal_offsets[line + 1], p - j);
    return in_unit || on_diagonal || j < s->sinks || (s->causal && j > p - s->window) || i < s->dense_rows ||
           j >= s->open_from;
}

static void check_row(const ga_pattern *pattern, const ga_selection *s, int64_t entry, int64_t head,
                      int64_t i, int64_t *nonzeros)
{
    int64_t runs[64][2], length = 0;
    ck_assert_int_le(ga_pattern_most_runs(pattern), 64);
    int64_t count = ga_pattern_row_runs(pattern, head, i, runs), at = 0;
    ck_assert_int_le(count, ga_pattern_most_runs(pattern));
    for (int64_t j = 0; j < s->keys; j++) {
        while (at < count && runs[at][1] <= j) {
            at++;
        }
        bool seen = at < count && runs[at][0] <= j, want = visible(s, entry, head, i, j);
        if (seen != want) {
            ck_abort_msg("entry %lld, head %lld, query %lld, key %lld: %d", (long long)entry, (long long)head,
                         (long long)i, (long long)j, seen);
        }
        length += want;
    }
    for (int64_t n = 0; n < count; n++) { /* runs do not touch */
        ck_assert(runs[n][0] < runs[n][1] && (n == 0 || runs[n][0] > runs[n - 1][1]));
    }
    ck_assert_int_eq(ga_pattern_row_length(pattern, head, i), length);
    *nonzeros += length;
}

START_TEST(by_definition)
{
    ga_context *context = test_threads_context(2);
    static sample x;
    for (uint64_t seed = 0; seed < 600; seed++) {
        sample_make(&x, seed);
        for (int64_t entry = 0; entry < x.s.batch; entry++) {
            ga_pattern *pattern = NULL;
            test_ok(context, ga_pattern_selected(context, &x.s, entry, &pattern));
            ck_assert_int_eq(ga_pattern_heads(pattern), x.s.heads == 1 ? 1 : x.s.query_heads);
            ck_assert_int_eq(ga_pattern_queries(pattern), x.s.queries);
            ck_assert_int_eq(ga_pattern_keys(pattern), x.s.keys);
            for (int64_t h = 0; h < ga_pattern_heads(pattern); h++) {
                int64_t nonzeros = 0, *offsets = NULL;
                uint32_t *indices = NULL;
                for (int64_t i = 0; i < x.s.queries; i++) {
                    check_row(pattern, &x.s, entry, h, i, &nonzeros);
                }
                ck_assert_int_eq(ga_pattern_nonzeros(pattern, h), nonzeros);
                test_ok(context, ga_pattern_to_csr(context, pattern, h, &offsets, &indices));
                ck_assert_int_eq(offsets[x.s.queries], nonzeros);
                ga_free(context, offsets);
                ga_free(context, indices);
            }
            ga_pattern_destroy(context, pattern);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

static void refused(ga_context *context, sample *x, int64_t entry, const char *words)
{
    ga_pattern *pattern = NULL;
    test_status(context, ga_pattern_selected(context, &x->s, entry, &pattern), GA_INVALID);
    test_error_has(context, words);
    ck_assert_ptr_null(pattern);
}

/* Two lists {0, 1, 2} of 8 queries in blocks of 4, 12 keys in units of 3. */
static void small(sample *x)
{
    memset(x, 0, sizeof *x);
    x->s = (ga_selection){ .batch = 1,
                           .heads = 1,
                           .query_heads = 2,
                           .queries = 8,
                           .keys = 12,
                           .causal = true,
                           .block_query = 4,
                           .first_block = 4,
                           .lists = 2,
                           .unit = 3,
                           .offsets = x->offsets,
                           .units = x->units,
                           .open_from = 12 };
    for (int i = 0; i < 6; i++) {
        x->units[i] = i % 3;
    }
    x->offsets[1] = 3;
    x->offsets[2] = 6;
}

START_TEST(bad_selections)
{
    ga_context *context = test_threads_context(1);
    static sample x;
    ga_pattern *pattern = NULL;
    small(&x);
    test_ok(context, ga_pattern_selected(context, &x.s, 0, &pattern));
    ga_pattern_destroy(context, pattern);
    refused(context, &x, 1, "entry 1 of 1");
    refused(context, &x, -1, "entry -1 of 1");
    x.units[4] = 2;
    refused(context, &x, 0, "list 1 of head 0 does not ascend below 4");
    x.units[4] = 0;
    refused(context, &x, 0, "list 1 of head 0 does not ascend");
    x.units[4] = 1;
    x.units[5] = 4;
    refused(context, &x, 0, "list 1 of head 0 does not ascend below 4");
    x.units[5] = 2;
    x.units[0] = -1;
    refused(context, &x, 0, "list 0 of head 0 does not ascend");
    small(&x);
    x.offsets[1] = 7; /* behind the next */
    refused(context, &x, 0, "of head 0 does not ascend");
    small(&x);
    x.s.lists = 1;
    refused(context, &x, 0, "1 lists do not serve 8 queries");
    small(&x);
    x.s.query_heads = 0;
    refused(context, &x, 0, "1 heads of lists for 0");
    small(&x);
    x.s.unit = 0;
    refused(context, &x, 0, "0 keys");
    small(&x);
    x.s.window = -1;
    refused(context, &x, 0, "negative sizes");
    small(&x);
    x.s.causal = false;
    x.s.diagonal_offsets = x.diagonal_offsets;
    x.s.diagonals = x.diagonals;
    refused(context, &x, 0, "diagonals without causal");
    small(&x);
    x.s.diagonal_offsets = x.diagonal_offsets;
    x.s.diagonals = x.diagonals;
    x.diagonal_offsets[1] = 2; /* 0 twice */
    refused(context, &x, 0, "the diagonals of head 0 do not ascend below 12");
    small(&x);
    x.s.queries = -1;
    refused(context, &x, 0, "-1 queries");
    test_context_done(context, NULL);
}
END_TEST

/* Sizes far above what exists mean all there is. */
START_TEST(large_sizes)
{
    ga_context *context = test_threads_context(1);
    static sample x;
    ga_pattern *pattern = NULL;
    small(&x);
    x.s.window = x.s.sinks = x.s.dense_rows = INT64_MAX / 2;
    x.s.unit = INT64_MAX / 2;
    x.offsets[1] = 1;
    x.offsets[2] = 1;
    test_ok(context, ga_pattern_selected(context, &x.s, 0, &pattern));
    ck_assert_int_eq(ga_pattern_row_length(pattern, 0, 7), 12);
    ck_assert_int_eq(ga_pattern_row_length(pattern, 0, 0), 5);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

static ga_status memory_body(ga_context *context, void *user)
{
    ga_pattern *pattern = NULL;
    ga_status status = ga_pattern_selected(context, user, 0, &pattern);
    ga_pattern_destroy(context, pattern);
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    static sample x;
    small(&x);
    x.s.diagonal_offsets = x.diagonal_offsets;
    x.s.diagonals = x.diagonals;
    x.diagonal_offsets[1] = 1;
    ck_assert_int_ge(test_each_allocation(memory_body, &x.s, 1), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("selected");
    TCase *all = tcase_create("selected");
    tcase_set_timeout(all, 0);
    tcase_add_test(all, by_definition);
    tcase_add_test(all, bad_selections);
    tcase_add_test(all, large_sizes);
    tcase_add_test(all, memory_may_end_anywhere);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
