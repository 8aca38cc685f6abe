/* check_pattern_lists.c - patterns of blocks and of lists, transposes, patterns as graphs. */
#include "config.h"

#include "tests/unit/check_pattern.h"

static int64_t draw(ga__random *stream, int64_t low, int64_t high)
{
    return low + (int64_t)ga__random_below(stream, (uint64_t)(high - low + 1));
}

/* The pattern's pairs are these, by every way of asking. */
static void check_pairs(ga_context *context, const ga_pattern *pattern, int64_t head, const uint8_t *pairs)
{
    int64_t keys = ga_pattern_keys(pattern), queries = ga_pattern_queries(pattern), at = 0, *offsets = NULL;
    uint32_t *indices = NULL;
    uint8_t *found = pairs_of(pattern, head);
    ck_assert_mem_eq(found, pairs, (size_t)(queries * keys));
    test_ok(context, ga_pattern_to_csr(context, pattern, head, &offsets, &indices));
    for (int64_t i = 0; i < queries; i++) {
        expect(offsets[i] == at);
        for (int64_t j = 0; j < keys; j++) {
            expect(!pairs[i * keys + j] || (at < offsets[queries] && indices[at] == j));
            at += pairs[i * keys + j];
        }
        expect(ga_pattern_row_length(pattern, head, i) == at - offsets[i]);
    }
    ck_assert_int_eq(offsets[queries], at);
    ck_assert_int_eq(ga_pattern_nonzeros(pattern, head), at);
    ga_free(context, offsets);
    ga_free(context, indices);
    free(found);
}

/* ---- blocks ---- */

typedef struct map {
    int64_t heads, rows, columns, asked;
    uint8_t on[3 * 9 * 9];
} map;

static bool block_visible(void *user, int64_t head, int64_t row, int64_t column)
{
    map *m = user;
    expect(head >= 0 && head < m->heads && row >= 0 && row < m->rows && column >= 0 && column < m->columns);
    m->asked++;
    return m->on[(head * m->rows + row) * m->columns + column];
}

START_TEST(blocks_follow_the_map)
{
    ga_context *context = test_threads_context(1);
    uint8_t pairs[9 * 9];
    for (uint64_t round = 0; round < 2000; round++) {
        ga__random stream = ga__random_at(3, GA__RANDOM_TEST, round);
        int64_t queries = draw(&stream, 0, 9), keys = draw(&stream, 0, 9);
        int64_t block_query = draw(&stream, 1, 11), block_key = draw(&stream, 1, 4);
        bool causal = draw(&stream, 0, 1);
        map m = { .heads = draw(&stream, 1, 3) };
        m.rows = (queries + block_query - 1) / block_query;
        m.columns = (keys + block_key - 1) / block_key;
        for (int64_t e = 0; e < m.heads * m.rows * m.columns; e++) {
            m.on[e] = draw(&stream, 0, 2) > 0;
        }
        ga_pattern *pattern = NULL;
        test_ok(context, ga_pattern_blocks(context, m.heads, queries, keys, block_query, block_key,
                                           block_visible, &m, causal, &pattern));
        expect(m.asked == m.heads * m.rows * m.columns);
        expect(ga_pattern_heads(pattern) == m.heads);
        for (int64_t h = 0; h < m.heads; h++) {
            for (int64_t i = 0; i < queries; i++) {
                for (int64_t j = 0; j < keys; j++) {
                    pairs[i * keys + j] = m.on[(h * m.rows + i / block_query) * m.columns + j / block_key] &&
                                          (!causal || j <= i + keys - queries);
                }
            }
            check_pairs(context, pattern, h, pairs);
        }
        ga_pattern_destroy(context, pattern);
    }
    test_context_done(context, NULL);
}
END_TEST

static bool always_visible(void *user, int64_t head, int64_t row, int64_t column)
{
    (void)user;
    return head + row + column >= 0;
}

START_TEST(refused_blocks)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    static const struct {
        int64_t heads, queries, keys, block_query, block_key;
        ga_status status;
    } cases[] = {
        { 0, 4, 4, 2, 2, GA_INVALID },
        { 1, -1, 4, 2, 2, GA_INVALID },
        { 1, 4, -4, 2, 2, GA_INVALID },
        { 1, 4, 4, 0, 2, GA_INVALID },
        { 1, 4, 4, 2, -2, GA_INVALID },
        { 1, INT64_MAX, 4, 2, 2, GA_LIMIT },
        { 1, 4, INT64_C(1) << 31, 2, 2, GA_LIMIT },
        { INT64_MAX, 4, 4, 2, 2, GA_OVERFLOW },
        { INT64_C(1) << 40, INT32_MAX - 1, INT32_MAX - 1, 1, 1, GA_OVERFLOW },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        test_status(context,
                    ga_pattern_blocks(context, cases[c].heads, cases[c].queries, cases[c].keys,
                                      cases[c].block_query, cases[c].block_key, always_visible, NULL, false,
                                      &pattern),
                    cases[c].status);
        ck_assert_ptr_null(pattern);
    }
    test_ok(context,
            ga_pattern_blocks(context, 1, 4, 5, INT64_MAX, INT64_MAX, always_visible, NULL, false, &pattern));
    ck_assert_int_eq(ga_pattern_nonzeros(pattern, 0), 20);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

/* ---- lists ---- */

START_TEST(lists_in_any_order)
{
    ga_context *context = test_threads_context(1);
    for (uint64_t round = 0; round < 3000; round++) {
        ga__random stream = ga__random_at(5, GA__RANDOM_TEST, round);
        int64_t queries = draw(&stream, 0, 6), keys = draw(&stream, 0, 9), offsets[7] = { 0 }, indices[200],
                count = 0;
        int64_t first[6 * 9];
        bool causal = draw(&stream, 0, 1), twice = false;
        uint8_t pairs[6 * 9] = { 0 };
        for (int64_t i = 0; i < queries; i++) {
            for (int64_t n = keys > 0 ? draw(&stream, 0, draw(&stream, 0, 1) ? 3 : 12) : 0; n > 0; n--) {
                int64_t j = draw(&stream, 0, keys - 1);
                twice = twice || pairs[i * keys + j];
                if (!pairs[i * keys + j]) {
                    first[i * keys + j] = count;
                }
                pairs[i * keys + j] = 1;
                indices[count++] = j;
            }
            offsets[i + 1] = count;
        }
        ga_pattern *pattern = NULL;
        if (twice) {
            test_status(context,
                        ga_pattern_csr(context, queries, keys, offsets, indices, causal, false, &pattern),
                        GA_INVALID);
            test_error_has(context, "more than once");
        }
        test_ok(context, ga_pattern_csr(context, queries, keys, offsets, indices, causal, twice, &pattern));
        expect(pattern->given == count);
        for (int64_t e = 0; e < queries * keys; e++) {
            pairs[e] = pairs[e] && (!causal || e % keys <= e / keys + keys - queries);
        }
        check_pairs(context, pattern, 0, pairs);
        for (int64_t i = 0; i < queries; i++) {
            for (int64_t e = pattern->offsets[i]; e < pattern->offsets[i + 1]; e++) {
                expect((pattern->edge ? pattern->edge[e] : e) == first[i * keys + pattern->indices[e]]);
            }
        }
        ga_pattern_destroy(context, pattern);
    }
    test_context_done(context, NULL);
}
END_TEST

static void check_lists_refused(ga_context *context, int64_t queries, int64_t keys, const int64_t *offsets,
                                const int64_t *indices, ga_status expected, const char *words)
{
    ga_pattern *pattern = NULL;
    test_status(context, ga_pattern_csr(context, queries, keys, offsets, indices, false, false, &pattern),
                expected);
    test_error_has(context, words);
    ck_assert_ptr_null(pattern);
}

START_TEST(refused_lists)
{
    ga_context *context = test_threads_context(1);
    int64_t offsets[4] = { 0, 2, 3, 5 }, falling[4] = { 0, 4, 3, 5 }, late[4] = { 1, 2, 3, 5 };
    int64_t negative[4] = { 0, -7, 3, 5 }, indices[5] = { 1, 0, 2, 3, 3 }, below[5] = { 1, 0, -1, 3, 2 };
    check_lists_refused(context, 3, 4, NULL, indices, GA_INVALID, "offsets are missing");
    check_lists_refused(context, 3, 4, offsets, NULL, GA_INVALID, "indices are missing");
    check_lists_refused(context, 3, 4, late, indices, GA_INVALID, "start with 1");
    check_lists_refused(context, 3, 4, falling, indices, GA_INVALID, "fall from 4 to 3 behind query 1");
    check_lists_refused(context, 3, 4, negative, indices, GA_INVALID, "fall from 0 to -7");
    check_lists_refused(context, 3, 3, offsets, indices, GA_INVALID, "query 2 names key 3 of 3");
    check_lists_refused(context, 3, 4, offsets, below, GA_INVALID, "query 1 names key -1 of 4");
    check_lists_refused(context, 3, 4, offsets, indices, GA_INVALID, "query 2 names key 3 more than once");
    check_lists_refused(context, -1, 4, offsets, indices, GA_INVALID, "expected 0 or more");
    check_lists_refused(context, 3, INT64_MAX, offsets, indices, GA_LIMIT, "at most");
    ga_pattern *pattern = NULL;
    test_ok(context, ga_pattern_csr(context, 0, 4, NULL, NULL, true, false, &pattern));
    ck_assert_int_eq(ga_pattern_nonzeros(pattern, 0), 0);
    ga_pattern_destroy(context, pattern);
    int64_t none[3] = { 0, 0, 0 };
    test_ok(context, ga_pattern_csr(context, 2, 0, none, NULL, false, false, &pattern));
    ck_assert_int_eq(ga_pattern_row_length(pattern, 0, 1), 0);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

/* A long row, so that the merging has many levels and an odd rest. */
START_TEST(a_long_row)
{
    ga_context *context = test_threads_context(1);
    enum { N = 10007 };
    int64_t *indices = malloc(N * sizeof *indices), offsets[2] = { 0, N };
    for (int64_t e = 0; e < N; e++) {
        indices[e] = e * 5003 % N;
    }
    ga_pattern *pattern = NULL;
    int64_t run[1][2];
    test_ok(context, ga_pattern_csr(context, 1, N, offsets, indices, false, false, &pattern));
    ck_assert_int_eq(ga_pattern_most_runs(pattern), 1);
    ck_assert_int_eq(ga_pattern_row_runs(pattern, 0, 0, run), 1);
    ck_assert(run[0][0] == 0 && run[0][1] == N);
    for (int64_t e = 0; e < N; e++) {
        expect(indices[pattern->edge[e]] == e);
    }
    ga_pattern_destroy(context, pattern);
    free(indices);
    test_context_done(context, NULL);
}
END_TEST

/* ---- patterns of every source, for what follows ---- */

static bool chequered(void *user, int64_t head, int64_t row, int64_t column)
{
    (void)user;
    return (row * 3 + column + head) % 3 != 1;
}

enum { SAMPLES = 8 };

static ga_status sample(ga_context *context, int number, ga_pattern **pattern)
{
    static const int64_t offsets[5] = { 0, 3, 3, 4, 8 }, indices[8] = { 5, 0, 1, 6, 2, 1, 0, 3 };
    ga_axis axes[2] = { neighbour_axis(5, 3, 2, 1, false), halo_axis(7, 3, 2, GA_BORDER_GHOST) };
    ga_product_options options = product_of(2, axes);
    switch (number) {
    case 0: return ga_pattern_full(context, 6, 9, true, pattern);
    case 1: return ga_pattern_full(context, 9, 4, true, pattern);
    case 2: options.extra = 3; return ga_pattern_product(context, &options, pattern);
    case 3: options.causal = true; return ga_pattern_product(context, &options, pattern);
    case 4: return ga_pattern_blocks(context, 1, 11, 8, 3, 2, chequered, NULL, true, pattern);
    case 5: return ga_pattern_blocks(context, 3, 11, 8, 3, 2, chequered, NULL, false, pattern);
    case 6: return ga_pattern_full(context, 0, 3, false, pattern);
    default: return ga_pattern_csr(context, 4, 7, offsets, indices, false, false, pattern);
    }
}

START_TEST(transposed_twice)
{
    ga_context *context = test_threads_context(2);
    for (int s = 0; s < SAMPLES; s++) {
        ga_pattern *pattern = NULL, *turned = NULL, *again = NULL;
        test_ok(context, sample(context, s, &pattern));
        test_ok(context, ga_pattern_transpose(context, pattern, &turned));
        test_ok(context, ga_pattern_transpose(context, turned, &again));
        int64_t queries = ga_pattern_queries(pattern), keys = ga_pattern_keys(pattern);
        ck_assert(ga_pattern_queries(turned) == keys && ga_pattern_keys(turned) == queries);
        ck_assert_int_eq(ga_pattern_heads(turned), ga_pattern_heads(pattern));
        for (int64_t h = 0; h < ga_pattern_heads(pattern); h++) {
            uint8_t *pairs = pairs_of(pattern, h), *other = pairs_of(turned, h);
            check_pairs(context, turned, h, other);
            check_pairs(context, again, h, pairs);
            for (int64_t e = 0; e < queries * keys; e++) {
                expect(pairs[e] == other[e % keys * queries + e / keys]);
            }
            free(pairs);
            free(other);
        }
        ga_pattern_destroy(context, pattern);
        ga_pattern_destroy(context, turned);
        ga_pattern_destroy(context, again);
    }
    ga_pattern *pattern = NULL, *turned = NULL;
    test_ok(context, ga_pattern_blocks(context, 2, 4, 4, 2, 2, chequered, NULL, true, &pattern));
    test_status(context, ga_pattern_transpose(context, pattern, &turned), GA_UNSUPPORTED);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

/* ---- graphs ---- */

START_TEST(graph_and_back)
{
    ga_context *context = test_threads_context(2);
    for (int s = 0; s < SAMPLES; s++) {
        ga_pattern *pattern = NULL, *back = NULL;
        ga_graph *graph = NULL;
        test_ok(context, sample(context, s, &pattern));
        int64_t head = ga_pattern_heads(pattern) - 1, queries = ga_pattern_queries(pattern);
        int64_t keys = ga_pattern_keys(pattern);
        uint8_t *pairs = pairs_of(pattern, head);
        test_ok(context, ga_pattern_to_graph(context, pattern, head, &graph));
        ck_assert_int_eq(ga_graph_nodes(graph), queries > keys ? queries : keys);
        ga_csr out = ga_graph_out(graph);
        int64_t edges = 0;
        for (int64_t v = 0; v < out.rows; v++) {
            for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
                expect(v < keys && out.targets[e] < queries && pairs[out.targets[e] * keys + v]);
                edges++;
            }
        }
        for (int64_t e = 0; e < queries * keys; e++) {
            edges -= pairs[e];
        }
        ck_assert_int_eq(edges, 0);
        test_ok(context, ga_pattern_from_graph(context, graph, queries, keys, false, &back));
        check_pairs(context, back, 0, pairs);
        ga_pattern_destroy(context, back);
        test_ok(context, ga_pattern_from_graph(context, graph, queries, keys, true, &back));
        for (int64_t e = 0; e < queries * keys; e++) {
            pairs[e] = pairs[e] && e % keys <= e / keys + keys - queries;
        }
        check_pairs(context, back, 0, pairs);
        ga_pattern_destroy(context, back);
        ga_pattern_destroy(context, pattern);
        ga_graph_destroy(context, graph);
        free(pairs);
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(graphs_with_ids)
{
    ga_context *context = test_threads_context(1);
    static const uint32_t sources[4] = { 0, 2, 2, 1 }, targets[4] = { 1, 1, 1, 3 };
    static const uint64_t ids[4] = { 2, 5, 7, 40 };
    uint8_t pairs[41 * 33] = { 0 };
    ga_graph *graph = NULL;
    ga_pattern *pattern = NULL;
    test_ok(context,
            ga_graph_from_edges(context, 4, 4, sources, targets, ids, GA_LOOPS_KEEP, GA_MULTI_KEEP, &graph));
    test_ok(context, ga_pattern_from_graph(context, graph, 41, 33, false, &pattern));
    pairs[5 * 33 + 2] = pairs[5 * 33 + 7] = pairs[40 * 33 + 5] = 1;
    check_pairs(context, pattern, 0, pairs);
    ga_pattern_destroy(context, pattern);
    pattern = NULL;
    test_status(context, ga_pattern_from_graph(context, graph, 33, 33, false, &pattern), GA_INVALID);
    test_error_has(context, "pattern graph: query 40 of 33");
    test_status(context, ga_pattern_from_graph(context, graph, 41, 7, false, &pattern), GA_INVALID);
    test_error_has(context, "pattern graph: key 7 of 7");
    test_status(context, ga_pattern_from_graph(context, graph, -1, 7, false, &pattern), GA_INVALID);
    test_status(context, ga_pattern_from_graph(context, graph, 41, INT64_MAX, false, &pattern), GA_LIMIT);
    ck_assert_ptr_null(pattern);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(heads_outside)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    ga_graph *graph = NULL;
    int64_t *offsets = NULL;
    uint32_t *indices = NULL;
    test_ok(context, sample(context, 5, &pattern));
    test_status(context, ga_pattern_to_csr(context, pattern, 3, &offsets, &indices), GA_INVALID);
    test_error_has(context, "head 3 of 3");
    test_status(context, ga_pattern_to_graph(context, pattern, -1, &graph), GA_INVALID);
    ck_assert(offsets == NULL && indices == NULL && graph == NULL);
    ga_pattern_destroy(context, pattern);
    ga_pattern_destroy(context, NULL);
    test_context_done(context, NULL);
}
END_TEST

/* ---- threads, memory, cancelling ---- */

START_TEST(threads_agree)
{
    static const int threads[4] = { 1, 2, 3, 7 };
    int64_t *offsets[4] = { NULL };
    uint32_t *indices[4] = { NULL };
    ga_axis axes[2] = { neighbour_axis(97, 5, 2, 3, false), halo_axis(101, 8, 3, GA_BORDER_GHOST) };
    ga_product_options options = product_of(2, axes);
    for (int t = 0; t < 4; t++) {
        ga_context *context = test_threads_context(threads[t]);
        ga_pattern *pattern = NULL;
        int64_t *own_offsets = NULL;
        uint32_t *own_indices = NULL;
        test_ok(context, ga_pattern_product(context, &options, &pattern));
        test_ok(context, ga_pattern_to_csr(context, pattern, 0, &own_offsets, &own_indices));
        size_t queries = (size_t)ga_pattern_queries(pattern) + 1, edges = (size_t)own_offsets[queries - 1];
        offsets[t] = malloc(queries * sizeof(int64_t));
        indices[t] = malloc(edges * sizeof(uint32_t));
        memcpy(offsets[t], own_offsets, queries * sizeof(int64_t));
        memcpy(indices[t], own_indices, edges * sizeof(uint32_t));
        ck_assert_int_eq(memcmp(offsets[0], offsets[t], queries * sizeof(int64_t)), 0);
        ck_assert_int_eq(memcmp(indices[0], indices[t], edges * sizeof(uint32_t)), 0);
        ga_free(context, own_offsets);
        ga_free(context, own_indices);
        ga_pattern_destroy(context, pattern);
        test_context_done(context, NULL);
    }
    for (int t = 0; t < 4; t++) {
        free(offsets[t]);
        free(indices[t]);
    }
}
END_TEST

static ga_status everything(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL, *turned = NULL, *back = NULL;
    ga_graph *graph = NULL;
    GA_TRY(sample(context, *(int *)user, &pattern));
    GA_TRY(ga_pattern_transpose(context, pattern, &turned));
    GA_TRY(ga_pattern_to_graph(context, pattern, 0, &graph));
    GA_TRY(ga_pattern_from_graph(context, graph, 40, 40, true, &back));
done:
    ga_graph_destroy(context, graph);
    ga_pattern_destroy(context, pattern);
    ga_pattern_destroy(context, turned);
    ga_pattern_destroy(context, back);
    return status;
}

START_TEST(memory_runs_out)
{
    for (int s = 0; s < SAMPLES; s++) {
        (void)test_each_allocation(everything, &s, 2);
    }
}
END_TEST

static int stop(void *user)
{
    (void)user;
    return 1;
}

START_TEST(can_be_cancelled)
{
    ga_context *context = test_threads_context(2);
    ga_pattern *pattern = NULL, *other = NULL;
    int64_t *offsets = NULL;
    uint32_t *indices = NULL;
    test_ok(context, sample(context, 7, &pattern));
    ga_context_set_cancel(context, stop, NULL);
    test_status(context, ga_pattern_to_csr(context, pattern, 0, &offsets, &indices), GA_CANCELLED);
    test_status(context, sample(context, 4, &other), GA_CANCELLED);
    test_status(context, sample(context, 7, &other), GA_CANCELLED);
    ck_assert(offsets == NULL && indices == NULL && other == NULL);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pattern lists");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, blocks_follow_the_map);
    tcase_add_test(test, refused_blocks);
    tcase_add_test(test, lists_in_any_order);
    tcase_add_test(test, refused_lists);
    tcase_add_test(test, a_long_row);
    tcase_add_test(test, transposed_twice);
    tcase_add_test(test, graph_and_back);
    tcase_add_test(test, graphs_with_ids);
    tcase_add_test(test, heads_outside);
    tcase_add_test(test, threads_agree);
    tcase_add_test(test, memory_runs_out);
    tcase_add_test(test, can_be_cancelled);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
