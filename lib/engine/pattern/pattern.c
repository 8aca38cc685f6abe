/* pattern.c - what every pattern can be asked, whatever its source. */
#include "config.h"

#include "lib/base/workers.h"
#include "lib/engine/pattern/source.h"

void ga_pattern_destroy(ga_context *context, ga_pattern *pattern)
{
    if (pattern != NULL) {
        ga_free(context, pattern->real);
        ga_free(context, pattern->query_cell);
        ga_free(context, pattern->key_cell);
        ga_free(context, pattern->axes);
        ga_free(context, pattern->block_map);
        ga_free(context, pattern->offsets);
        ga_free(context, pattern->indices);
        ga_free(context, pattern->edge);
        ga_free(context, pattern->bands);
        ga_free(context, pattern->band_offsets);
        ga_free(context, pattern);
    }
}

ga_status ga__pattern_check_sizes(ga_context *context, int64_t queries, int64_t keys)
{
    if (queries < 0 || keys < 0) {
        return ga__fail(context, GA_INVALID, "pattern: %lld queries and %lld keys, expected 0 or more",
                        (long long)queries, (long long)keys);
    }
    if (queries > GA__MOST_PLACES || keys > GA__MOST_PLACES) {
        return ga__fail(context, GA_LIMIT, "pattern: %lld queries and %lld keys, at most %d are possible",
                        (long long)queries, (long long)keys, GA__MOST_PLACES);
    }
    return GA_OK;
}

int ga__pattern_table(const ga_pattern *pattern, int64_t cells[3])
{
    int axes = pattern->query_cell ? pattern->table_axes : 0;
    for (int i = 0; i < axes; i++) {
        cells[i] = pattern->table_shape[i];
    }
    return axes;
}

int64_t ga__pattern_places(const ga_pattern *pattern)
{
    return pattern->places;
}

bool ga__pattern_has_ghosts(const ga_pattern *pattern)
{
    return pattern->ghosts;
}

const uint8_t *ga__pattern_block_map(const ga_pattern *pattern, int64_t *rows, int64_t *columns)
{
    *rows = pattern->blocks_query;
    *columns = pattern->blocks_key;
    return pattern->block_map;
}

/* ---- rows ---- */

int64_t ga__pattern_row(const ga_pattern *pattern, int64_t head, int64_t query, ga__run *runs)
{
    switch (pattern->source) {
    case GA__SOURCE_PRODUCT: return ga__product_row(pattern, query, false, runs);
    case GA__SOURCE_BLOCKS: return ga__blocks_row(pattern, head, query, runs);
    case GA__SOURCE_SELECTED: return ga__selected_row(pattern, head, query, runs);
    default: return ga__explicit_row(pattern, query, runs);
    }
}

/* The same in keys. */
static int64_t real_row(const ga_pattern *pattern, int64_t head, int64_t query, ga__run *runs)
{
    return pattern->source == GA__SOURCE_PRODUCT ? ga__product_row(pattern, query, true, runs)
                                                 : ga__pattern_row(pattern, head, query, runs);
}

int64_t ga__pattern_length(const ga_pattern *pattern, int64_t head, int64_t query)
{
    switch (pattern->source) {
    case GA__SOURCE_PRODUCT: return ga__product_length(pattern, query);
    case GA__SOURCE_BLOCKS: return ga__blocks_length(pattern, head, query);
    case GA__SOURCE_SELECTED: return ga__selected_length(pattern, head, query);
    default: return pattern->offsets[query + 1] - pattern->offsets[query];
    }
}

int64_t ga_pattern_queries(const ga_pattern *pattern)
{
    return pattern->queries;
}

int64_t ga_pattern_keys(const ga_pattern *pattern)
{
    return pattern->keys;
}

int64_t ga_pattern_heads(const ga_pattern *pattern)
{
    return pattern->heads;
}

int64_t ga_pattern_most_runs(const ga_pattern *pattern)
{
    return pattern->most_runs;
}

int64_t ga_pattern_row_length(const ga_pattern *pattern, int64_t head, int64_t query)
{
    return ga__pattern_length(pattern, head, query);
}

int64_t ga_pattern_nonzeros(const ga_pattern *pattern, int64_t head)
{
    switch (pattern->source) {
    case GA__SOURCE_PRODUCT: return ga__product_nonzeros(pattern);
    case GA__SOURCE_BLOCKS: return ga__blocks_nonzeros(pattern, head);
    case GA__SOURCE_SELECTED: return ga__selected_nonzeros(pattern, head);
    default: return pattern->offsets[pattern->queries];
    }
}

int64_t ga_pattern_row_runs(const ga_pattern *pattern, int64_t head, int64_t query, int64_t (*runs)[2])
{
    _Static_assert(sizeof(ga__run) == sizeof *runs, "a run is a pair of numbers");
    return real_row(pattern, head, query, (ga__run *)(void *)runs);
}

/* ---- lists ---- */

enum { ROWS = 1024 }; /* a work item */

typedef struct filling {
    ga_context *context;
    const ga_pattern *pattern;
    int64_t head, next;
    int status;
    int64_t *offsets;
    uint32_t *indices;
} filling;

static void fill_rows(const filling *f, int64_t first, int64_t last, ga__run *runs)
{
    for (int64_t i = first; i < last; i++) {
        uint32_t *at = f->indices + f->offsets[i];
        int64_t count = real_row(f->pattern, f->head, i, runs);
        for (int64_t r = 0; r < count; r++) {
            for (int64_t j = runs[r].first; j < runs[r].last; j++) {
                *at++ = (uint32_t)j;
            }
        }
    }
}

static void fill_worker(void *user, int worker)
{
    filling *f = user;
    ga_status status = GA_OK;
    ga__run *runs = NULL;
    (void)worker;
    GA_TRY(GA_NEW(f->context, f->pattern->most_runs, &runs));
    for (int64_t c;
         (c = ga__claim(&f->next)) * ROWS < f->pattern->queries && !ga__stopped(f->context, &f->status);) {
        fill_rows(f, c * ROWS, ga__min((c + 1) * ROWS, f->pattern->queries), runs);
    }
done:
    ga_free(f->context, runs);
    ga__note_status(&f->status, status);
}

ga_status ga_pattern_to_csr(ga_context *context, const ga_pattern *pattern, int64_t head,
                            int64_t **out_offsets, uint32_t **out_indices)
{
    ga_status status = GA_OK;
    filling f = { .context = context, .pattern = pattern, .head = head };
    ga__begin(context);
    if (head < 0 || head >= pattern->heads) {
        GA_TRY(ga__fail(context, GA_INVALID, "pattern: head %lld of %lld", (long long)head,
                        (long long)pattern->heads));
    }
    GA_TRY(GA_NEW(context, pattern->queries + 1, &f.offsets));
    f.offsets[0] = 0;
    for (int64_t i = 0; i < pattern->queries; i++) {
        f.offsets[i + 1] = ga__pattern_length(pattern, head, i) - pattern->extra;
    }
    GA_TRY(ga__prefix_sum(context, f.offsets, pattern->queries));
    GA_TRY(GA_NEW(context, f.offsets[pattern->queries], &f.indices));
    ga__workers(context, ga__threads_for(context, (pattern->queries + ROWS - 1) / ROWS), fill_worker, &f);
    GA_TRY(ga__noted_status(&f.status));
    *out_offsets = f.offsets;
    *out_indices = f.indices;
    f.offsets = NULL;
    f.indices = NULL;
done:
    ga_free(context, f.offsets);
    ga_free(context, f.indices);
    return status;
}

/* Rows of the transpose in the order of their new keys, since the old rows come in order. */
static ga_status transpose_lists(ga_context *context, int64_t queries, int64_t keys, const int64_t *offsets,
                                 const uint32_t *indices, int64_t **out_offsets, uint32_t **out_indices)
{
    ga_status status = GA_OK;
    int64_t *ends = NULL;
    uint32_t *sources = NULL;
    GA_TRY(GA_NEW_ZERO(context, keys + 2, &ends));
    GA_TRY(GA_NEW(context, offsets[queries], &sources));
    /* ends[j + 1] walks from the start of row j to its end */
    for (int64_t e = 0; e < offsets[queries]; e++) {
        ends[indices[e] + (int64_t)2]++;
    }
    for (int64_t j = 1; j <= keys; j++) {
        ends[j + 1] += ends[j];
    }
    for (int64_t i = 0; i < queries; i++) {
        for (int64_t e = offsets[i]; e < offsets[i + 1]; e++) {
            sources[ends[indices[e] + (int64_t)1]++] = (uint32_t)i;
        }
    }
    *out_offsets = ends;
    *out_indices = sources;
    ends = NULL;
    sources = NULL;
done:
    ga_free(context, ends);
    ga_free(context, sources);
    return status;
}

ga_status ga_pattern_transpose(ga_context *context, const ga_pattern *pattern, ga_pattern **transposed)
{
    ga_status status = GA_OK;
    int64_t *offsets = NULL, *new_offsets = NULL;
    uint32_t *indices = NULL, *new_indices = NULL;
    ga__begin(context);
    if (pattern->source == GA__SOURCE_BLOCKS && !pattern->causal) {
        return ga__blocks_transpose(context, pattern, transposed);
    }
    if (pattern->heads > 1) {
        GA_TRY(
            ga__fail(context, GA_UNSUPPORTED, "pattern: a causal pattern of several heads has no transpose"));
    }
    GA_TRY(ga_pattern_to_csr(context, pattern, 0, &offsets, &indices));
    GA_TRY(transpose_lists(context, pattern->queries, pattern->keys, offsets, indices, &new_offsets,
                           &new_indices));
    GA_TRY(ga__pattern_adopt(context, pattern->keys, pattern->queries, &new_offsets, &new_indices, false,
                             transposed));
done:
    ga_free(context, offsets);
    ga_free(context, indices);
    ga_free(context, new_offsets);
    ga_free(context, new_indices);
    return status;
}
