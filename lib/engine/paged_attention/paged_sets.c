/* paged_sets.c - which rows look at which keys, cut into items that depend on the problem alone. */
#include "config.h"

#include "lib/engine/paged_attention/paged_sets.h"

void ga__paged_sets_free(ga_context *context, ga__paged_sets *sets)
{
    ga_free(context, sets->sets);
    ga_free(context, sets->segments);
    ga_free(context, sets->cuts);
}

static ga_status room_for(ga_context *context, int64_t count, size_t size, int64_t *room, void *inout)
{
    int64_t wanted = ga__max(64, 2 * *room);
    if (count < *room) {
        return GA_OK;
    }
    ga_status status = ga__resize(context, *room, wanted, size, inout);
    *room = status == GA_OK ? wanted : *room;
    return status;
}

/* ---- segments ---- */

/* The runs of every token. */
typedef struct sweep {
    ga__run *runs; /* owned: (tokens, most) */
    int64_t most, count[GA__PAGED_TOKENS], at[GA__PAGED_TOKENS];
    int tokens;
} sweep;

/* The next stretch of keys that the same tokens see, from `key` on; false at the end. */
static bool next_segment(sweep *w, int64_t key, ga__paged_segment *segment)
{
    int64_t first = INT64_MAX, last = INT64_MAX;
    uint32_t tokens = 0;
    for (int i = 0; i < w->tokens; i++) {
        const ga__run *runs = w->runs + i * w->most;
        while (w->at[i] < w->count[i] && runs[w->at[i]].last <= key) {
            w->at[i]++;
        }
        if (w->at[i] < w->count[i]) {
            first = ga__min(first, ga__max(key, runs[w->at[i]].first));
        }
    }
    for (int i = 0; i < w->tokens && first < INT64_MAX; i++) {
        const ga__run *run = w->runs + i * w->most + w->at[i];
        if (w->at[i] < w->count[i]) {
            bool seen = run->first <= first;
            tokens |= (uint32_t)seen << i;
            last = ga__min(last, seen ? run->last : run->first);
        }
    }
    *segment = (ga__paged_segment){ (int32_t)first, (int32_t)last, tokens };
    return tokens != 0;
}

static ga_status add_segments(ga_context *context, const ga_pattern *pattern, sweep *w, ga__paged_sets *s,
                              ga__paged_set *set)
{
    ga_status status = GA_OK;
    ga__paged_segment segment = { 0, 0, 0 };
    set->segment = s->segment_count;
    for (int i = 0; i < w->tokens; i++) {
        w->at[i] = 0;
        w->count[i] = ga__pattern_row(pattern, set->head, i, w->runs + i * w->most);
    }
    while (next_segment(w, segment.last, &segment)) {
        GA_TRY(room_for(context, s->segment_count, sizeof *s->segments, &s->segment_room, &s->segments));
        s->segments[s->segment_count++] = segment;
    }
    set->segments = s->segment_count - set->segment;
done:
    return status;
}

/* ---- items ---- */

static ga_status add_cuts(ga_context *context, ga__paged_sets *s, ga__paged_set *set)
{
    ga_status status = GA_OK;
    int64_t end = set->segment + set->segments;
    int32_t offset = 0;
    set->item = s->cut_count;
    for (int64_t at = set->segment; at < end;) {
        ga__paged_cut cut = { .set = s->set_count, .segment = at, .offset = offset };
        while (at < end && cut.count < GA__PAGED_ITEM) {
            int32_t left = s->segments[at].last - s->segments[at].first - offset;
            int32_t take = (int32_t)ga__min(left, GA__PAGED_ITEM - cut.count);
            cut.count += take;
            offset = take == left ? 0 : offset + take;
            at += take == left;
        }
        GA_TRY(room_for(context, s->cut_count, sizeof *s->cuts, &s->cut_room, &s->cuts));
        s->cuts[s->cut_count++] = cut;
    }
    set->items = s->cut_count - set->item;
done:
    return status;
}

/* ---- sets ---- */

/* True when two heads of a key/value head see the same keys. */
static bool same_keys(const ga_pattern *pattern, int64_t a, int64_t b)
{
    const ga_selection *s = pattern->selection;
    if (pattern->heads == 1) {
        return true;
    }
    return pattern->source == GA__SOURCE_SELECTED &&
           a / (s->query_heads / s->heads) == b / (s->query_heads / s->heads);
}

/* The heads from `head` on that may go together, of those below end. */
static int heads_together(const ga__paged *p, int64_t head, int64_t end)
{
    int heads = 1;
    while (head + heads < end && (heads + 1) * p->q.rows <= GA__PAGED_ROWS &&
           same_keys(p->pattern, head, head + heads)) {
        heads++;
    }
    return heads;
}

static ga_status make_sets(ga_context *context, const ga__paged *p, sweep *w, ga__paged_sets *s)
{
    ga_status status = GA_OK;
    int64_t group = p->q.heads / p->k.view.heads;
    for (int64_t b = 0; b < p->q.batch; b++) {
        for (int64_t head = 0; head < p->q.heads;) {
            ga__paged_set *set = &s->sets[s->set_count];
            *set = (ga__paged_set){ .batch = b, .kv = head / group, .head = head };
            set->heads = heads_together(p, head, (head / group + 1) * group);
            GA_TRY(add_segments(context, p->pattern, w, s, set));
            GA_TRY(add_cuts(context, s, set));
            head += set->heads;
            s->set_count++;
        }
    }
done:
    return status;
}

ga_status ga__paged_sets_make(ga_context *context, const ga__paged *problem, ga__paged_sets *sets)
{
    ga_status status = GA_OK;
    sweep w = { .tokens = (int)problem->q.rows, .most = ga__max(1, problem->pattern->most_runs) };
    int64_t count = 0, runs = 0;
    *sets = (ga__paged_sets){ .sets = NULL };
    if (!ga__mul(problem->q.batch, problem->q.heads, &count) || !ga__mul(w.tokens, w.most, &runs)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "attention: too many rows"));
    }
    GA_TRY(GA_NEW(context, count, &sets->sets));
    GA_TRY(GA_NEW(context, runs, &w.runs));
    status = make_sets(context, problem, &w, sets);
done:
    ga_free(context, w.runs);
    return status;
}
