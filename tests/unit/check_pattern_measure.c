/* check_pattern_measure.c - the figures of a pattern beside a count over all pairs, by the definitions. */
#include "config.h"

#include <graphattn.h>

#include "tests/unit/support.h"

static ga_context *context;

enum { MOST = 40 };

/* Every pair of every head. */
typedef struct pairs {
    int64_t heads, queries, keys;
    bool on[4][MOST][MOST];
} pairs;

static void read_pairs(const ga_pattern *pattern, pairs *p)
{
    int64_t runs[MOST][2];
    *p = (pairs){
        ga_pattern_heads(pattern), ga_pattern_queries(pattern), ga_pattern_keys(pattern), { { { 0 } } }
    };
    for (int64_t h = 0; h < p->heads; h++) {
        for (int64_t i = 0; i < p->queries; i++) {
            int64_t count = ga_pattern_row_runs(pattern, h, i, runs);
            for (int64_t r = 0; r < count; r++) {
                for (int64_t j = runs[r][0]; j < runs[r][1]; j++) {
                    p->on[h][i][j] = true;
                }
            }
        }
    }
}

static int64_t row_of(const pairs *p, int64_t head, int64_t i)
{
    int64_t count = 0;
    for (int64_t j = 0; j < p->keys; j++) {
        count += p->on[head][i][j];
    }
    return count;
}

static bool came_back(const pairs *p, int64_t head, int64_t i, int64_t j)
{
    bool before = false;
    for (int64_t above = 0; above < i - 1; above++) {
        before = before || p->on[head][above][j];
    }
    return before && p->on[head][i][j] && !p->on[head][i - 1][j];
}

static void count_tiles(const pairs *p, int64_t head, int64_t tile, ga_pattern_facts *f)
{
    for (int64_t top = 0; top < p->queries; top += tile) {
        for (int64_t left = 0; left < p->keys; left += tile) {
            int64_t on = 0, all = 0;
            for (int64_t i = top; i < top + tile && i < p->queries; i++) {
                for (int64_t j = left; j < left + tile && j < p->keys; j++) {
                    all++;
                    on += p->on[head][i][j];
                }
            }
            f->tiles++;
            f->tiles_visited += on > 0;
            f->tiles_full += on == all;
        }
    }
}

static ga_pattern_facts facts_of(const pairs *p, int64_t head, bool causal, int64_t tile)
{
    ga_pattern_facts f = { .shortest_row = p->queries > 0 ? p->keys : 0 };
    for (int64_t i = 0; i < p->queries; i++) {
        int64_t row = row_of(p, head, i);
        f.pairs += row;
        f.empty_rows += row == 0;
        f.shortest_row = row < f.shortest_row ? row : f.shortest_row;
        f.longest_row = row > f.longest_row ? row : f.longest_row;
        for (int64_t j = 0; j < p->keys; j++) {
            bool any = false;
            for (int64_t h = 0; h < p->heads; h++) {
                any = any || p->on[h][i][j];
            }
            f.covered += any;
            f.reachable += !causal || j <= i + p->keys - p->queries;
            f.returning += i > 0 && came_back(p, head, i, j);
        }
    }
    count_tiles(p, head, tile, &f);
    return f;
}

static void compare(const ga_pattern *pattern, bool causal)
{
    static const int64_t tiles[] = { 1, 3, 8, 1000 };
    pairs p;
    int64_t of_heads[4];
    read_pairs(pattern, &p);
    for (int64_t head = 0; head < p.heads; head++) {
        for (int t = 0; t < 4; t++) {
            ga_pattern_facts found, wanted = facts_of(&p, head, causal, tiles[t]);
            test_ok(context, ga_pattern_measure(context, pattern, head, causal, tiles[t], &found, of_heads));
            ck_assert_int_eq(found.pairs, wanted.pairs);
            ck_assert_int_eq(found.reachable, wanted.reachable);
            ck_assert_int_eq(found.covered, wanted.covered);
            ck_assert_int_eq(found.empty_rows, wanted.empty_rows);
            ck_assert_int_eq(found.shortest_row, wanted.shortest_row);
            ck_assert_int_eq(found.longest_row, wanted.longest_row);
            ck_assert_int_eq(found.returning, wanted.returning);
            ck_assert_int_eq(found.tiles, wanted.tiles);
            ck_assert_int_eq(found.tiles_visited, wanted.tiles_visited);
            ck_assert_int_eq(found.tiles_full, wanted.tiles_full);
            ck_assert_int_eq(of_heads[head], wanted.pairs);
        }
    }
}

/* A block is on by chance, the same for the same numbers. */
static bool by_chance(void *user, int64_t head, int64_t row, int64_t column)
{
    uint32_t x = (uint32_t)(head * 7919 + row * 104729 + column * 1299709) * 2654435761u;
    return (x >> 16) % 100 < (uint32_t) * (const int *)user;
}

START_TEST(figures_are_counts)
{
    static const int shares[] = { 0, 10, 40, 80, 100 };
    for (int i = 0; i < 5; i++) {
        for (int turn = 0; turn < 8; turn++) {
            int64_t queries = turn & 1 ? 17 : 29, keys = turn & 2 ? 23 : 31, side = turn & 4 ? 1 : 3;
            ga_pattern *pattern = NULL;
            int share = shares[i];
            test_ok(context, ga_pattern_blocks(context, 1 + turn % 4, queries, keys, side, side, by_chance,
                                               &share, turn % 3 == 0, &pattern));
            compare(pattern, turn % 3 == 0);
            ga_pattern_destroy(context, pattern);
        }
    }
}
END_TEST

START_TEST(figures_of_products_and_of_nothing)
{
    static const int64_t sizes[][2] = { { 12, 12 }, { 9, 20 }, { 20, 9 }, { 0, 5 }, { 5, 0 }, { 0, 0 } };
    for (int i = 0; i < 6; i++) {
        for (int causal = 0; causal < 2; causal++) {
            ga_pattern *pattern = NULL;
            test_ok(context, ga_pattern_full(context, sizes[i][0], sizes[i][1], causal, &pattern));
            compare(pattern, causal);
            ga_pattern_destroy(context, pattern);
        }
    }
}
END_TEST

START_TEST(frames_are_counts)
{
    enum { FRAMES = 5, TOKENS = 6 };
    int share = 40;
    int64_t found[FRAMES], wanted[FRAMES] = { 0 };
    ga_pattern *pattern = NULL;
    pairs p;
    test_ok(context, ga_pattern_blocks(context, 2, 33, 35, 4, 5, by_chance, &share, false, &pattern));
    read_pairs(pattern, &p);
    for (int64_t i = 0; i < FRAMES * TOKENS; i++) {
        for (int64_t j = 0; j < FRAMES * TOKENS; j++) {
            wanted[labs(i / TOKENS - j / TOKENS)] += p.on[1][i][j];
        }
    }
    test_ok(context, ga_pattern_frames(context, pattern, 1, FRAMES, TOKENS, found));
    for (int d = 0; d < FRAMES; d++) {
        ck_assert_int_eq(found[d], wanted[d]);
    }
    test_status(context, ga_pattern_frames(context, pattern, 2, FRAMES, TOKENS, found), GA_INVALID);
    test_error_has(context, "head 2 of 2");
    test_status(context, ga_pattern_frames(context, pattern, 0, FRAMES, 7, found), GA_INVALID);
    test_error_has(context, "5 of 7 tokens");
    test_status(context, ga_pattern_frames(context, pattern, 0, 0, 1, found), GA_INVALID);
    test_status(context, ga_pattern_frames(context, pattern, 0, INT64_MAX, 2, found), GA_INVALID);
    ga_pattern_destroy(context, pattern);
}
END_TEST

START_TEST(measure_refuses)
{
    ga_pattern *pattern = NULL;
    ga_pattern_facts facts;
    test_ok(context, ga_pattern_full(context, 3, 3, false, &pattern));
    test_status(context, ga_pattern_measure(context, pattern, 1, false, 4, &facts, NULL), GA_INVALID);
    test_error_has(context, "head 1 of 1");
    test_status(context, ga_pattern_measure(context, pattern, -1, false, 4, &facts, NULL), GA_INVALID);
    test_status(context, ga_pattern_measure(context, pattern, 0, false, 0, &facts, NULL), GA_INVALID);
    test_error_has(context, "tile: 0");
    test_ok(context, ga_pattern_measure(context, pattern, 0, false, 4, &facts, NULL));
    ck_assert_int_eq(facts.pairs, 9);
    ga_pattern_destroy(context, pattern);
}
END_TEST

static ga_status memory_body(ga_context *with, void *user)
{
    ga_pattern_facts facts;
    int64_t found[2];
    ga_status status = ga_pattern_measure(with, user, 0, false, 2, &facts, found);
    return status == GA_OK ? ga_pattern_frames(with, user, 0, 2, 3, found) : status;
}

START_TEST(memory_may_end_anywhere)
{
    ga_pattern *pattern = NULL;
    int share = 50;
    test_ok(context, ga_pattern_blocks(context, 2, 8, 8, 2, 2, by_chance, &share, true, &pattern));
    ck_assert_int_ge(test_each_allocation(memory_body, pattern, 1), 6);
    ga_pattern_destroy(context, pattern);
}
END_TEST

static void setup(void)
{
    test_ok(context, ga_context_create(&context));
}

static void teardown(void)
{
    ga_context_destroy(context);
}

int main(void)
{
    Suite *suite = suite_create("pattern measure");
    TCase *tests = tcase_create("pattern measure");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, figures_are_counts);
    tcase_add_test(tests, figures_of_products_and_of_nothing);
    tcase_add_test(tests, frames_are_counts);
    tcase_add_test(tests, measure_refuses);
    tcase_add_test(tests, memory_may_end_anywhere);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
