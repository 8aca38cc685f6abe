/* pattern_measure.c - what a pattern costs and what its heads cover together, counted run by run. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <graphattn/attention.h>

#include "lib/base/base.h"

typedef int64_t run[2]; /* keys [first, last) */

typedef struct measure {
    const ga_pattern *pattern;
    int64_t head, heads, queries, keys, tile;
    run *runs, *before, *joined; /* owned: of a row, of the row before, of a row in all heads */
    int64_t before_count;
    uint8_t *seen;     /* owned: keys that a row showed */
    int64_t *of_tiles; /* owned: pairs in every tile of a row of tiles */
    ga_pattern_facts *facts;
} measure;

static void close_measure(ga_context *context, measure *m)
{
    ga_free(context, m->runs);
    ga_free(context, m->before);
    ga_free(context, m->joined);
    ga_free(context, m->seen);
    ga_free(context, m->of_tiles);
}

static int64_t tiles_of(const measure *m, int64_t length)
{
    return length / m->tile + (length % m->tile != 0);
}

/* To be closed in any case. */
static ga_status open_measure(ga_context *context, measure *m)
{
    ga_status status = GA_OK;
    int64_t most = ga__max(ga_pattern_most_runs(m->pattern), 1), all = 0;
    if (m->head < 0 || m->head >= m->heads) {
        GA_TRY(ga__fail(context, GA_INVALID, "pattern: head %lld of %lld", (long long)m->head,
                        (long long)m->heads));
    }
    if (m->tile < 1) {
        GA_TRY(ga__fail(context, GA_INVALID, "tile: %lld, expected at least 1", (long long)m->tile));
    }
    if (!ga__mul(most, m->heads, &all)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "pattern: too many runs"));
    }
    GA_TRY(GA_NEW(context, most, &m->runs));
    GA_TRY(GA_NEW(context, most, &m->before));
    GA_TRY(GA_NEW(context, all, &m->joined));
    GA_TRY(GA_NEW_ZERO(context, m->keys + 1, &m->seen));
    status = GA_NEW_ZERO(context, tiles_of(m, m->keys) + 1, &m->of_tiles);
done:
    return status;
}

/* ---- rows of one head ---- */

/* Keys that the row shows and the row before did not: the part that an earlier row showed comes back. */
static void count_returning(measure *m, int64_t count)
{
    int64_t at = 0;
    for (int64_t r = 0; r < count; r++) {
        for (int64_t j = m->runs[r][0]; j < m->runs[r][1]; j++) {
            while (at < m->before_count && m->before[at][1] <= j) {
                at++;
            }
            if (at < m->before_count && m->before[at][0] <= j) {
                j = ga__min(m->before[at][1], m->runs[r][1]) - 1;
                continue;
            }
            m->facts->returning += m->seen[j];
            m->seen[j] = 1;
        }
    }
    run *spent = m->before;
    m->before = m->runs;
    m->before_count = count;
    m->runs = spent;
}

static void add_to_tiles(measure *m, int64_t count)
{
    for (int64_t r = 0; r < count; r++) {
        for (int64_t first = m->runs[r][0], last; first < m->runs[r][1]; first = last) {
            last = ga__min((first / m->tile + 1) * m->tile, m->runs[r][1]);
            m->of_tiles[first / m->tile] += last - first;
        }
    }
}

static void close_tiles(measure *m, int64_t rows)
{
    for (int64_t t = 0; t < tiles_of(m, m->keys); t++) {
        m->facts->tiles_visited += m->of_tiles[t] > 0;
        m->facts->tiles_full += m->of_tiles[t] == rows * ga__min(m->tile, m->keys - t * m->tile);
        m->of_tiles[t] = 0;
    }
}

static void measure_row(measure *m, int64_t query)
{
    ga_pattern_facts *f = m->facts;
    int64_t count = ga_pattern_row_runs(m->pattern, m->head, query, m->runs), length = 0;
    for (int64_t r = 0; r < count; r++) {
        length += m->runs[r][1] - m->runs[r][0];
    }
    f->pairs += length;
    f->empty_rows += length == 0;
    f->shortest_row = query == 0 ? length : ga__min(f->shortest_row, length);
    f->longest_row = ga__max(f->longest_row, length);
    add_to_tiles(m, count);
    if (query % m->tile == m->tile - 1 || query == m->queries - 1) {
        close_tiles(m, query % m->tile + 1);
    }
    count_returning(m, count);
}

/* ---- all heads ---- */

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

/* Keys of a row that some head shows; adds the pairs of every head to head_pairs. */
static int64_t join_heads(measure *m, int64_t query, int64_t *head_pairs)
{
    int64_t count = 0, covered = 0, reached = 0;
    for (int64_t h = 0; h < m->heads; h++) {
        int64_t some = ga_pattern_row_runs(m->pattern, h, query, m->joined + count);
        for (int64_t r = count; r < count + some && head_pairs; r++) {
            head_pairs[h] += m->joined[r][1] - m->joined[r][0];
        }
        count += some;
    }
    if (m->heads > 1) {
        qsort(m->joined, (size_t)count, sizeof *m->joined, compare);
    }
    for (int64_t r = 0; r < count; r++) {
        covered += ga__max(m->joined[r][1] - ga__max(m->joined[r][0], reached), 0);
        reached = ga__max(reached, m->joined[r][1]);
    }
    return covered;
}

/* Keys at or before the position of a query. */
static int64_t reachable(const measure *m, int64_t query, bool causal)
{
    int64_t limit = causal ? query + m->keys - m->queries + 1 : m->keys;
    return ga__min(ga__max(limit, 0), m->keys);
}

ga_status ga_pattern_measure(ga_context *context, const ga_pattern *pattern, int64_t head, bool causal,
                             int64_t tile, ga_pattern_facts *facts, int64_t *head_pairs)
{
    ga_status status = GA_OK;
    ga_pattern_facts found = { .pairs = 0 };
    measure m = { .pattern = pattern,
                  .head = head,
                  .heads = ga_pattern_heads(pattern),
                  .queries = ga_pattern_queries(pattern),
                  .keys = ga_pattern_keys(pattern),
                  .tile = tile,
                  .facts = &found };
    ga__begin(context);
    GA_TRY(open_measure(context, &m));
    for (int64_t h = 0; h < m.heads && head_pairs; h++) {
        head_pairs[h] = 0;
    }
    found.tiles = tiles_of(&m, m.queries) * tiles_of(&m, m.keys); /* no more than 2^62 */
    for (int64_t i = 0; i < m.queries; i++) {
        GA_TRY(i % 256 == 0 ? ga__check(context) : GA_OK);
        measure_row(&m, i);
        found.covered += join_heads(&m, i, head_pairs);
        found.reachable += reachable(&m, i, causal);
    }
    *facts = found;
done:
    close_measure(context, &m);
    return status;
}

/* ---- frames ---- */

/* Adds the keys of a run, in frames of `tokens`, at their distance from the frame of the query. */
static void add_distances(const int64_t *keys, int64_t video, int64_t tokens, int64_t frame, int64_t *pairs)
{
    int64_t end = ga__min(keys[1], video);
    for (int64_t first = keys[0], last; first < end; first = last) {
        int64_t of = first / tokens;
        last = ga__min((of + 1) * tokens, end);
        pairs[of < frame ? frame - of : of - frame] += last - first;
    }
}

ga_status ga_pattern_frames(ga_context *context, const ga_pattern *pattern, int64_t head, int64_t frames,
                            int64_t tokens, int64_t *pairs)
{
    ga_status status = GA_OK;
    run *runs = NULL;
    int64_t video = 0;
    ga__begin(context);
    if (head < 0 || head >= ga_pattern_heads(pattern)) {
        GA_TRY(ga__fail(context, GA_INVALID, "pattern: head %lld of %lld", (long long)head,
                        (long long)ga_pattern_heads(pattern)));
    }
    if (frames < 1 || tokens < 1 || !ga__mul(frames, tokens, &video) ||
        video > ga__min(ga_pattern_queries(pattern), ga_pattern_keys(pattern))) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "frames: %lld of %lld tokens, expected at least 1 of at least 1, "
                        "no more in all than queries and keys",
                        (long long)frames, (long long)tokens));
    }
    GA_TRY(GA_NEW(context, ga__max(ga_pattern_most_runs(pattern), 1), &runs));
    memset(pairs, 0, (size_t)frames * sizeof *pairs);
    for (int64_t i = 0; i < video; i++) {
        GA_TRY(i % 1024 == 0 ? ga__check(context) : GA_OK);
        int64_t count = ga_pattern_row_runs(pattern, head, i, runs);
        for (int64_t r = 0; r < count; r++) {
            add_distances(runs[r], video, tokens, i / tokens, pairs);
        }
    }
done:
    ga_free(context, runs);
    return status;
}
