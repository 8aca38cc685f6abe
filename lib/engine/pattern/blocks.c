/* blocks.c - patterns of blocks that are on or off, per head. */
#include "config.h"

#include "lib/engine/pattern/source.h"

static const uint8_t *block_row(const ga_pattern *pattern, int64_t head, int64_t block)
{
    return pattern->block_map +
           (ga__pattern_head(pattern, head) * pattern->blocks_query + block) * pattern->blocks_key;
}

int64_t ga__blocks_row(const ga_pattern *pattern, int64_t head, int64_t query, ga__run *runs)
{
    const uint8_t *on = block_row(pattern, head, query / pattern->block_query);
    ga__run_list list = { runs, 0, ga__causal_limit(pattern, query) };
    for (int64_t b = 0; b < pattern->blocks_key; b++) {
        int64_t first = b * pattern->block_key;
        if (first >= list.limit) {
            break;
        }
        if (on[b]) {
            ga__run_append(&list, first, first + ga__min(pattern->block_key, pattern->keys - first));
        }
    }
    return list.count;
}

int64_t ga__blocks_length(const ga_pattern *pattern, int64_t head, int64_t query)
{
    const uint8_t *on = block_row(pattern, head, query / pattern->block_query);
    int64_t limit = ga__causal_limit(pattern, query), length = 0;
    for (int64_t b = 0; b < pattern->blocks_key; b++) {
        int64_t first = b * pattern->block_key;
        if (first >= limit) {
            break;
        }
        length += on[b] ? ga__min(pattern->block_key, limit - first) : 0;
    }
    return length;
}

int64_t ga__blocks_nonzeros(const ga_pattern *pattern, int64_t head)
{
    int64_t nonzeros = 0;
    for (int64_t b = 0; b < pattern->blocks_query; b++) {
        int64_t first = b * pattern->block_query,
                rows = ga__min(pattern->block_query, pattern->queries - first);
        if (!pattern->causal) {
            nonzeros += rows * ga__blocks_length(pattern, head, first);
            continue;
        }
        for (int64_t i = first; i < first + rows; i++) {
            nonzeros += ga__blocks_length(pattern, head, i);
        }
    }
    return nonzeros;
}

/* ---- making ---- */

static int64_t divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

static ga_status create(ga_context *context, int64_t heads, int64_t queries, int64_t keys,
                        int64_t block_query, int64_t block_key, bool causal, ga_pattern **out)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    int64_t cells = 0;
    GA_TRY(ga__pattern_check_sizes(context, queries, keys));
    if (heads < 1 || block_query < 1 || block_key < 1) {
        GA_TRY(ga__fail(context, GA_INVALID, "pattern: %lld heads, blocks of %lld x %lld, expected 1 or more",
                        (long long)heads, (long long)block_query, (long long)block_key));
    }
    GA_TRY(GA_NEW_ZERO(context, 1, &pattern));
    pattern->source = GA__SOURCE_BLOCKS;
    pattern->heads = heads;
    pattern->queries = queries;
    pattern->keys = pattern->places = keys;
    pattern->causal = causal;
    /* blocks beyond the pattern behave as blocks of its size do, and their products fit */
    pattern->block_query = ga__min(block_query, ga__max(queries, 1));
    pattern->block_key = ga__min(block_key, ga__max(keys, 1));
    pattern->blocks_query = divide_up(queries, pattern->block_query);
    pattern->blocks_key = divide_up(keys, pattern->block_key);
    if (!ga__mul(heads, pattern->blocks_query, &cells) || !ga__mul(cells, pattern->blocks_key, &cells)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "pattern: the number of blocks is too large"));
    }
    GA_TRY(GA_NEW(context, cells, &pattern->block_map));
    *out = pattern;
    pattern = NULL;
done:
    ga_pattern_destroy(context, pattern);
    return status;
}

/* Longest number of runs in a row of blocks; the causal cut never adds one. */
static void find_most_runs(ga_pattern *pattern)
{
    int64_t rows = pattern->heads * pattern->blocks_query;
    for (int64_t r = 0; r < rows; r++) {
        const uint8_t *on = pattern->block_map + r * pattern->blocks_key;
        int64_t runs = 0;
        for (int64_t b = 0; b < pattern->blocks_key; b++) {
            runs += on[b] && (b == 0 || !on[b - 1]);
        }
        pattern->most_runs = ga__max(pattern->most_runs, runs);
    }
}

ga_status ga_pattern_blocks(ga_context *context, int64_t heads, int64_t queries, int64_t keys,
                            int64_t block_query, int64_t block_key, ga_block_fn visible, void *user,
                            bool causal, ga_pattern **out)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    ga__begin(context);
    GA_TRY(create(context, heads, queries, keys, block_query, block_key, causal, &pattern));
    uint8_t *on = pattern->block_map;
    for (int64_t h = 0; h < heads; h++) {
        for (int64_t i = 0; i < pattern->blocks_query; i++) {
            GA_TRY(ga__check(context));
            for (int64_t j = 0; j < pattern->blocks_key; j++) {
                *on++ = visible(user, h, i, j);
            }
        }
    }
    find_most_runs(pattern);
    *out = pattern;
    pattern = NULL;
done:
    ga_pattern_destroy(context, pattern);
    return status;
}

ga_status ga__blocks_transpose(ga_context *context, const ga_pattern *pattern, ga_pattern **transposed)
{
    ga_status status = GA_OK;
    ga_pattern *made = NULL;
    GA_TRY(create(context, pattern->heads, pattern->keys, pattern->queries, pattern->block_key,
                  pattern->block_query, false, &made));
    uint8_t *on = made->block_map;
    for (int64_t h = 0; h < made->heads; h++) {
        for (int64_t j = 0; j < made->blocks_query; j++) {
            for (int64_t i = 0; i < made->blocks_key; i++) {
                *on++ = block_row(pattern, h, i)[j];
            }
        }
    }
    find_most_runs(made);
    *transposed = made;
done:
    return status;
}
