/* selected.c - patterns that a selector chose: lists of units by blocks of queries, diagonals, and what all see. */
#include "config.h"

#include "lib/engine/pattern/source.h"

void ga_selection_destroy(ga_context *context, ga_selection *selection)
{
    if (selection != NULL) {
        ga_free(context, selection->offsets);
        ga_free(context, selection->units);
        ga_free(context, selection->diagonal_offsets);
        ga_free(context, selection->diagonals);
        ga_free(context, selection);
    }
}

/* ---- the runs of a row ---- */

/* Walks over the units and bands of a row, both ascending in keys, beside at most three fixed runs. */
typedef struct walk {
    const ga_selection *s;
    int64_t position;
    int64_t unit, unit_end; /* places in units */
    const ga__run *bands;   /* of the head */
    int64_t band;           /* from behind: the largest distance is the first key */
    ga__run fixed[3];
    int fixed_at, fixed_count;
} walk;

static int64_t list_of(const ga_selection *s, int64_t query)
{
    return query < s->first_block ? 0 : 1 + (query - s->first_block) / s->block_query;
}

/* How many bands begin at a distance of at most `position`. */
static int64_t bands_before(const ga__run *bands, int64_t count, int64_t position)
{
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (bands[middle].first <= position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static walk start(const ga_pattern *pattern, int64_t head, int64_t query)
{
    const ga_selection *s = pattern->selection;
    int64_t list_head = s->heads == 1 ? 0 : head / (s->query_heads / s->heads);
    int64_t line = pattern->entry * s->heads + list_head, list = line * s->lists + list_of(s, query);
    walk w = { .s = s, .position = query + s->keys - s->queries };
    if (query < s->dense_rows) {
        w.fixed[w.fixed_count++] = (ga__run){ 0, s->keys };
        return w;
    }
    w.unit = s->offsets[list];
    w.unit_end = s->offsets[list + 1];
    if (pattern->bands) {
        int64_t first = pattern->band_offsets[list_head];
        w.bands = pattern->bands + first;
        w.band = bands_before(w.bands, pattern->band_offsets[list_head + 1] - first, w.position);
    }
    w.fixed[w.fixed_count++] = (ga__run){ 0, s->sinks };
    if (s->causal && s->window > 0) {
        w.fixed[w.fixed_count++] = (ga__run){ ga__max(w.position - s->window + 1, 0), w.position + 1 };
    }
    w.fixed[w.fixed_count++] = (ga__run){ s->open_from, s->keys };
    if (w.fixed_count == 3 && w.fixed[1].first > w.fixed[2].first) {
        ga__run swap = w.fixed[1];
        w.fixed[1] = w.fixed[2];
        w.fixed[2] = swap;
    }
    return w;
}

/* The run that begins first; false at the end. Runs may overlap and be empty. */
static bool next(walk *w, ga__run *run)
{
    const ga_selection *s = w->s;
    int64_t unit = INT64_MAX, diagonal = INT64_MAX, fixed = INT64_MAX;
    if (w->unit < w->unit_end) {
        unit = s->origin + s->units[w->unit] * s->unit;
    }
    if (w->band > 0) {
        diagonal = ga__max(w->position - w->bands[w->band - 1].last + 1, 0);
    }
    if (w->fixed_at < w->fixed_count) {
        fixed = w->fixed[w->fixed_at].first;
    }
    if (fixed <= unit && fixed <= diagonal) {
        if (fixed == INT64_MAX) {
            return false;
        }
        *run = w->fixed[w->fixed_at++];
    } else if (unit <= diagonal) {
        *run = (ga__run){ unit, unit + ga__min(s->unit, s->keys - unit) };
        w->unit++;
    } else {
        *run = (ga__run){ diagonal, w->position - w->bands[w->band - 1].first + 1 };
        w->band--;
    }
    return true;
}

int64_t ga__selected_row(const ga_pattern *pattern, int64_t head, int64_t query, ga__run *runs)
{
    ga__run_list list = { runs, 0, ga__causal_limit(pattern, query) };
    walk w = start(pattern, head, query);
    for (ga__run run; next(&w, &run) && run.first < list.limit;) {
        ga__run_append(&list, run.first, run.last);
    }
    return list.count;
}

int64_t ga__selected_length(const ga_pattern *pattern, int64_t head, int64_t query)
{
    int64_t limit = ga__causal_limit(pattern, query), length = 0, end = 0;
    walk w = start(pattern, head, query);
    for (ga__run run; next(&w, &run) && run.first < limit;) {
        int64_t first = ga__max(run.first, end), last = ga__min(run.last, limit);
        length += ga__max(last - first, 0);
        end = ga__max(end, last);
    }
    return length;
}

int64_t ga__selected_nonzeros(const ga_pattern *pattern, int64_t head)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < pattern->queries; i++) {
        sum += ga__selected_length(pattern, head, i);
    }
    return sum;
}

/* ---- making ---- */

static ga_status check_sizes(ga_context *context, const ga_selection *s, int64_t entry)
{
    ga_status status = ga__pattern_check_sizes(context, s->queries, s->keys);
    if (status != GA_OK) {
        return status;
    }
    bool heads = s->heads >= 1 && s->query_heads >= s->heads && s->query_heads % s->heads == 0;
    bool blocks = s->block_query >= 1 && s->first_block >= 1 && s->lists >= 0 && s->unit >= 1;
    if (!heads || !blocks || entry < 0 || entry >= s->batch) {
        return ga__fail(context, GA_INVALID,
                        "selection: entry %lld of %lld, %lld heads of lists for %lld, blocks of %lld queries "
                        "and %lld keys",
                        (long long)entry, (long long)s->batch, (long long)s->heads, (long long)s->query_heads,
                        (long long)s->block_query, (long long)s->unit);
    }
    if (s->queries > 0 && list_of(s, s->queries - 1) >= s->lists) {
        return ga__fail(context, GA_INVALID, "selection: %lld lists do not serve %lld queries",
                        (long long)s->lists, (long long)s->queries);
    }
    if (s->origin < 0 || s->sinks < 0 || s->window < 0 || s->open_from < 0 ||
        (s->diagonal_offsets && !s->causal)) {
        return ga__fail(context, GA_INVALID, "selection: negative sizes, or diagonals without causal");
    }
    return GA_OK;
}

/* Numbers of one list ascend within [0, limit); counts their runs. */
static bool good_list(const int32_t *numbers, int64_t first, int64_t last, int64_t limit, int64_t *runs)
{
    *runs = 0;
    if (first > last) {
        return false;
    }
    for (int64_t i = first; i < last; i++) {
        if (numbers[i] < 0 || numbers[i] >= limit || (i > first && numbers[i] <= numbers[i - 1])) {
            return false;
        }
        *runs += i == first || numbers[i] != numbers[i - 1] + 1;
    }
    return true;
}

static ga_status check_lists(ga_context *context, const ga_selection *s, int64_t entry, int64_t *most)
{
    int64_t limit = s->keys > s->origin ? (s->keys - s->origin + s->unit - 1) / s->unit : 0;
    *most = 0;
    for (int64_t h = 0; h < s->heads; h++) {
        int64_t line = entry * s->heads + h, diagonals = 0, runs;
        if (s->diagonal_offsets && !good_list(s->diagonals, s->diagonal_offsets[line],
                                              s->diagonal_offsets[line + 1], s->keys, &diagonals)) {
            return ga__fail(context, GA_INVALID,
                            "selection: the diagonals of head %lld do not ascend below %lld", (long long)h,
                            (long long)s->keys);
        }
        for (int64_t l = line * s->lists; l < (line + 1) * s->lists; l++) {
            if (!good_list(s->units, s->offsets[l], s->offsets[l + 1], limit, &runs)) {
                return ga__fail(context, GA_INVALID,
                                "selection: list %lld of head %lld does not ascend below %lld",
                                (long long)(l - line * s->lists), (long long)h, (long long)limit);
            }
            *most = ga__max(*most, runs + diagonals + 3);
        }
    }
    return GA_OK;
}

/* Diagonals of this entry that follow each other, joined. */
static ga_status make_bands(ga_context *context, ga_pattern *pattern)
{
    ga_status status = GA_OK;
    const ga_selection *s = pattern->selection;
    int64_t first = pattern->entry * s->heads, count = 0;
    const int64_t *offsets = s->diagonal_offsets + first;
    GA_TRY(GA_NEW(context, offsets[s->heads] - offsets[0], &pattern->bands));
    GA_TRY(GA_NEW_ZERO(context, s->heads + 1, &pattern->band_offsets));
    for (int64_t h = 0; h < s->heads; h++) {
        for (int64_t i = offsets[h]; i < offsets[h + 1]; i++) {
            int64_t distance = s->diagonals[i];
            if (i > offsets[h] && pattern->bands[count - 1].last == distance) {
                pattern->bands[count - 1].last++;
            } else {
                pattern->bands[count++] = (ga__run){ distance, distance + 1 };
            }
        }
        pattern->band_offsets[h + 1] = count;
    }
done:
    return status;
}

ga_status ga_pattern_selected(ga_context *context, const ga_selection *selection, int64_t entry,
                              ga_pattern **out)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    int64_t most = 0;
    ga__begin(context);
    GA_TRY(check_sizes(context, selection, entry));
    GA_TRY(check_lists(context, selection, entry, &most));
    GA_TRY(GA_NEW_ZERO(context, 1, &pattern));
    pattern->source = GA__SOURCE_SELECTED;
    pattern->heads = selection->heads == 1 ? 1 : selection->query_heads;
    pattern->queries = selection->queries;
    pattern->keys = pattern->places = selection->keys;
    pattern->causal = selection->causal;
    pattern->most_runs = ga__max(most, 1);
    pattern->selection = selection;
    pattern->entry = entry;
    if (selection->diagonal_offsets) {
        GA_TRY(make_bands(context, pattern));
    }
    *out = pattern;
    pattern = NULL;
done:
    ga_pattern_destroy(context, pattern);
    return status;
}
