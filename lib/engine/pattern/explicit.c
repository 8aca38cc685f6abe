/* explicit.c - patterns that are lists of keys by query. */
#include "config.h"

#include <string.h>

#include "lib/engine/pattern/source.h"

int64_t ga__explicit_row(const ga_pattern *pattern, int64_t query, ga__run *runs)
{
    ga__run_list list = { runs, 0, pattern->keys };
    for (int64_t e = pattern->offsets[query]; e < pattern->offsets[query + 1]; e++) {
        ga__run_append(&list, pattern->indices[e], (int64_t)pattern->indices[e] + 1);
    }
    return list.count;
}

/* ---- checks ---- */

static ga_status check_lists(ga_context *context, int64_t queries, int64_t keys, const int64_t *offsets,
                             const int64_t *indices, int64_t *longest)
{
    *longest = 0;
    if (queries > 0 && offsets[0] != 0) {
        return ga__fail(context, GA_INVALID, "pattern: offsets start with %lld, expected 0",
                        (long long)offsets[0]);
    }
    for (int64_t i = 0; i < queries; i++) {
        if (offsets[i + 1] < offsets[i]) {
            return ga__fail(context, GA_INVALID, "pattern: offsets fall from %lld to %lld behind query %lld",
                            (long long)offsets[i], (long long)offsets[i + 1], (long long)i);
        }
        *longest = ga__max(*longest, offsets[i + 1] - offsets[i]);
    }
    if (indices == NULL && queries > 0 && offsets[queries] > 0) {
        return ga__fail(context, GA_INVALID, "pattern: indices are missing");
    }
    for (int64_t i = 0; i < queries; i++) {
        for (int64_t e = offsets[i]; e < offsets[i + 1]; e++) {
            if (indices[e] < 0 || indices[e] >= keys) {
                return ga__fail(context, GA_INVALID, "pattern: query %lld names key %lld of %lld",
                                (long long)i, (long long)indices[e], (long long)keys);
            }
        }
    }
    return GA_OK;
}

/* ---- sorting ---- */

typedef struct entry {
    int64_t key, place; /* place: in the caller's order */
} entry;

/* Stable merge sort of entries[0 .. count - 1] with room for as many behind them: of equal keys the first
 * stays first. */
static void sort_entries(entry *entries, int64_t count, int64_t room)
{
    entry *from = entries, *to = entries + room;
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t low = 0; low < count; low += 2 * width) {
            int64_t middle = ga__min(low + width, count), high = ga__min(low + 2 * width, count);
            int64_t left = low, right = middle;
            for (int64_t at = low; at < high; at++) {
                bool take_left = left < middle && (right >= high || from[left].key <= from[right].key);
                to[at] = from[take_left ? left++ : right++];
            }
        }
        entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != entries) {
        memcpy(entries, from, (size_t)count * sizeof *entries);
    }
}

typedef struct lists {
    const int64_t *offsets, *indices;
    bool merge;
    entry *entries; /* 2 * room */
    int64_t room;
    int64_t filled;
} lists;

/* Appends the row of query i, sorted, without duplicates, cut by the causal order. */
static ga_status append_row(ga_context *context, ga_pattern *pattern, lists *l, int64_t i)
{
    int64_t first = l->offsets[i], count = l->offsets[i + 1] - first, limit = ga__causal_limit(pattern, i);
    bool sorted = true;
    for (int64_t e = 0; e < count; e++) {
        l->entries[e] = (entry){ l->indices[first + e], first + e };
        sorted = sorted && (e == 0 || l->entries[e - 1].key <= l->entries[e].key);
    }
    if (!sorted) {
        sort_entries(l->entries, count, l->room);
    }
    for (int64_t e = 0; e < count; e++) {
        int64_t key = l->entries[e].key;
        if (e > 0 && l->entries[e - 1].key == key) {
            if (l->merge) {
                continue;
            }
            return ga__fail(context, GA_INVALID, "pattern: query %lld names key %lld more than once",
                            (long long)i, (long long)key);
        }
        if (key < limit) {
            pattern->indices[l->filled] = (uint32_t)key;
            pattern->edge[l->filled++] = l->entries[e].place;
        }
    }
    pattern->offsets[i + 1] = l->filled;
    return GA_OK;
}

/* Runs of the rows; the identity needs no places of entries. */
static void finish(ga_context *context, ga_pattern *pattern)
{
    bool identity = true;
    for (int64_t i = 0; i < pattern->queries; i++) {
        int64_t runs = 0;
        for (int64_t e = pattern->offsets[i]; e < pattern->offsets[i + 1]; e++) {
            runs += e == pattern->offsets[i] || pattern->indices[e] != pattern->indices[e - 1] + 1;
            identity = identity && (pattern->edge == NULL || pattern->edge[e] == e);
        }
        pattern->most_runs = ga__max(pattern->most_runs, runs);
    }
    if (identity) {
        ga_free(context, pattern->edge);
        pattern->edge = NULL;
    }
}

static ga_status create(ga_context *context, int64_t queries, int64_t keys, bool causal, ga_pattern **out)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    GA_TRY(ga__pattern_check_sizes(context, queries, keys));
    GA_TRY(GA_NEW_ZERO(context, 1, &pattern));
    pattern->source = GA__SOURCE_EXPLICIT;
    pattern->heads = 1;
    pattern->queries = queries;
    pattern->keys = pattern->places = keys;
    pattern->causal = causal;
    *out = pattern;
done:
    return status;
}

ga_status ga_pattern_csr(ga_context *context, int64_t queries, int64_t keys, const int64_t *offsets,
                         const int64_t *indices, bool causal, bool merge, ga_pattern **out)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    lists l = { .offsets = offsets, .indices = indices, .merge = merge };
    ga__begin(context);
    GA_TRY(create(context, queries, keys, causal, &pattern));
    if (offsets == NULL && queries > 0) {
        GA_TRY(ga__fail(context, GA_INVALID, "pattern: offsets are missing"));
    }
    GA_TRY(check_lists(context, queries, keys, offsets, indices, &l.room));
    pattern->given = queries > 0 ? offsets[queries] : 0;
    GA_TRY(GA_NEW_ZERO(context, queries + 1, &pattern->offsets));
    GA_TRY(GA_NEW(context, pattern->given, &pattern->indices));
    GA_TRY(GA_NEW(context, pattern->given, &pattern->edge));
    GA_TRY(ga_alloc(context, l.room, 2 * sizeof(entry), &l.entries));
    for (int64_t i = 0; i < queries; i++) {
        GA_TRY(i % 4096 == 0 ? ga__check(context) : GA_OK);
        GA_TRY(append_row(context, pattern, &l, i));
    }
    finish(context, pattern);
    *out = pattern;
    pattern = NULL;
done:
    ga_free(context, l.entries);
    ga_pattern_destroy(context, pattern);
    return status;
}

/* Drops what the causal order hides, in place. */
static void apply_causal(ga_pattern *pattern)
{
    int64_t filled = 0, first = 0;
    for (int64_t i = 0; i < pattern->queries; i++) {
        int64_t limit = ga__causal_limit(pattern, i), last = pattern->offsets[i + 1];
        for (int64_t e = first; e < last && pattern->indices[e] < limit; e++) {
            pattern->indices[filled++] = pattern->indices[e];
        }
        pattern->offsets[i + 1] = filled;
        first = last;
    }
}

ga_status ga__pattern_adopt(ga_context *context, int64_t queries, int64_t keys, int64_t **offsets,
                            uint32_t **indices, bool causal, ga_pattern **out)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    GA_TRY(create(context, queries, keys, causal, &pattern));
    pattern->given = (*offsets)[queries];
    pattern->offsets = *offsets;
    pattern->indices = *indices;
    *offsets = NULL;
    *indices = NULL;
    if (causal) {
        apply_causal(pattern);
        pattern->given = pattern->offsets[queries];
    }
    finish(context, pattern);
    *out = pattern;
done:
    return status;
}
