/* session.c - decoding sessions: opening, appending, ending a prompt. */
#include "config.h"

#include <string.h>

#include "attention/dynamic/session.h"

/* ---- what can be decoded from a cache ---- */

static bool has_parameter(const ga_variant *variant, const char *name)
{
    for (const ga_parameter *p = variant->parameters; p && p->name; p++) {
        if (strcmp(p->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static ga_status check_variant(ga_context *context, const ga_session_options *o, ga_session *s)
{
    const char *name = o->variant ? o->variant : "";
    s->variant = ga_variant_find(name);
    if (!s->variant) {
        return ga__fail(context, GA_INVALID, "no variant '%s'", name);
    }
    const ga__variant_ops *ops = s->variant->ops;
    s->groups = strcmp(name, "landmark") == 0;
    s->selects = ops->select && (s->groups || ops->forward == ga__selected_forward);
    s->recycles = strcmp(name, "recycled") == 0;
    s->evicts = s->selects && has_parameter(s->variant, "prompt");
    if (strcmp(name, "full") != 0 && !s->selects) {
        return ga__fail(context, GA_INVALID,
                        "session: %s; expected full, or a variant that attends to keys it selects", name);
    }
    return GA_OK;
}

static ga_status set_parameters(ga_context *context, const ga_session_options *o, ga_session *s)
{
    ga_status status = GA_OK;
    GA_TRY(ga__part_open(context, "", s->variant->name, s->variant->parameters, &s->part));
    for (int64_t i = 0; i < o->parameter_count; i++) {
        GA_TRY(ga__part_set(&s->part, o->parameters[i].name, o->parameters[i].value, ','));
    }
    GA_TRY(ga__part_check(&s->part));
    if (s->groups) {
        GA_TRY(ga__landmarks_check(&s->part));
    }
    if (!s->selects && ga__part_value(&s->part, "softcap")->real > 0) {
        GA_TRY(ga__fail(context, GA_INVALID, "session: full takes no softcap"));
    }
done:
    return status;
}

static ga_status check_sizes(ga_context *context, const ga_session_options *o)
{
    if (o->heads < 1 || o->heads % ga__max(o->cache.kv_heads, 1) != 0) {
        return ga__fail(context, GA_INVALID,
                        "session: %lld heads, expected a multiple of the %lld of the cache",
                        (long long)o->heads, (long long)o->cache.kv_heads);
    }
    if (o->reuse < 1 || isinf(o->scale)) {
        return ga__fail(context, GA_INVALID, "session: %s",
                        o->reuse < 1 ? "reuse is below 1" : "scale is not finite");
    }
    return GA_OK;
}

ga_status ga_session_open(ga_context *context, const ga_session_options *options, ga_session **session)
{
    ga_status status = GA_OK;
    ga_session *s = NULL;
    ga__begin(context);
    GA_TRY(GA_NEW_ZERO(context, 1, &s));
    GA_TRY(ga_cache_create(context, &options->cache, &s->cache));
    GA_TRY(check_sizes(context, options));
    GA_TRY(check_variant(context, options, s));
    GA_TRY(set_parameters(context, options, s));
    s->heads = options->heads;
    s->group = s->heads / s->cache->heads;
    s->scale = isnan(options->scale) ? 1 / sqrt((double)s->cache->dim) : options->scale;
    s->reuse = options->reuse;
    s->parts = 1;
    GA_TRY(GA_NEW_ZERO(context, s->cache->heads, &s->kept));
    if (s->recycles) {
        s->small.rule = ga__recycling_of(&s->part);
        GA_TRY(GA_NEW_ZERO(context, s->heads * s->cache->dim, &s->small.last_q));
        GA_TRY(GA_NEW_ZERO(context, s->cache->heads, &s->small.count));
    }
    *session = s;
    s = NULL;
done:
    ga_session_close(context, s);
    return status;
}

void ga__session_drop_landmarks(ga_context *context, ga__kept *kept)
{
    if (kept->landmarks) {
        ga__landmarks_close(context, kept->landmarks);
        ga_free(context, kept->landmarks);
        kept->landmarks = NULL;
    }
}

void ga__session_forget(ga_context *context, ga_session *session)
{
    for (int64_t h = 0; h < session->cache->heads && session->kept; h++) {
        ga__kept *kept = &session->kept[h];
        ga_selection_destroy(context, kept->selection);
        ga__summaries_free(context, kept->summaries);
        ga__session_drop_landmarks(context, kept);
        *kept = (ga__kept){ .selection = NULL };
    }
    session->small.step = 0;
}

void ga_session_close(ga_context *context, ga_session *session)
{
    if (session == NULL) {
        return;
    }
    if (session->cache) {
        ga__session_forget(context, session);
    }
    ga_free(context, session->kept);
    ga_free(context, session->small.last_q);
    ga_free(context, session->small.slots);
    ga_free(context, session->small.places);
    ga_free(context, session->small.k);
    ga_free(context, session->small.v);
    ga_free(context, session->small.count);
    ga_cache_destroy(context, session->cache);
    ga_free(context, session);
}

/* ---- reading ---- */

const ga_selection *ga_session_selection(const ga_session *session, int64_t kv_head)
{
    return session->kept[session->parts > 1 ? kv_head : 0].selection;
}

ga_cache *ga_session_cache(ga_session *session)
{
    return session->cache;
}

void ga_session_times(const ga_session *session, double *choosing, double *attending)
{
    *choosing = session->choosing;
    *attending = session->attending;
}

ga_status ga_session_append(ga_context *context, ga_session *session, const DLTensor *k, const DLTensor *v)
{
    return ga_cache_append(context, session->cache, k, v);
}

/* ---- choosing ---- */

/* Summaries of the keys of a part, kept and brought up to date. */
static ga_status keep_summaries(ga_context *context, const ga_session *s, const ga__keys *k,
                                ga__summaries **kept)
{
    ga__summary kind = (ga__summary)s->variant->ops->summaries;
    if (kind == GA__SUMMARY_NONE) {
        return GA_OK;
    }
    return *kept ? ga__summaries_append(context, k, *kept)
                 : ga__summaries_make(context, k, kind, ga__part_value(&s->part, "block")->integer, false,
                                      kept);
}

ga__selecting ga__session_selecting(ga_context *context, ga_session *session, int64_t part, const ga__view *q)
{
    bool all = session->parts == 1;
    int64_t kv_heads = all ? session->cache->heads : 1;
    ga__keys k = ga__cache_k(session->cache, part, kv_heads);
    session->part.context = context;
    return (ga__selecting){ .context = context,
                            .part = &session->part,
                            .cache = session->cache->evictions > 0 ? session->cache : NULL,
                            .cache_head = part,
                            .q = ga__session_part(session, part, q),
                            .k = k,
                            .batch = 1,
                            .heads = kv_heads * session->group,
                            .kv_heads = kv_heads,
                            .group = session->group,
                            .queries = q->rows,
                            .keys = k.view.rows,
                            .dim = session->cache->dim,
                            .causal = true,
                            .scale = session->scale };
}

ga_status ga__session_select(ga_context *context, ga_session *session, int64_t part, const ga__view *q,
                             ga_selection **selection)
{
    ga_status status = GA_OK;
    ga__selecting s = ga__session_selecting(context, session, part, q);
    GA_TRY(keep_summaries(context, session, &s.k, &session->kept[part].summaries));
    s.summaries = session->kept[part].summaries;
    status = session->variant->ops->select(&s, selection);
done:
    for (int i = 0; i < s.note_count; i++) {
        ga_tensor_destroy(context, s.note[i].tensor);
    }
    return status;
}

/* ---- the end of a prompt ---- */

static ga_status check_prompt(ga_context *context, const ga_session *s, const ga__view *q)
{
    ga_status status = GA_OK;
    if (!s->evicts) {
        return ga__fail(context, GA_INVALID, "session: %s does not evict", s->variant->name);
    }
    if (ga__cache_is_ragged(s->cache)) {
        return ga__fail(context, GA_INVALID, "session: the heads differ in length already");
    }
    GA_TRY(ga__view_expect(context, "q", q, 1, s->heads, -1, s->cache->dim));
    if (q->rows < 1 || q->rows > s->cache->length[0]) {
        GA_TRY(ga__fail(context, GA_INVALID, "q: %lld tokens of a prompt of %lld", (long long)q->rows,
                        (long long)s->cache->length[0]));
    }
done:
    return status;
}

/* What later rows see, for every key/value head: units of its list, sinks, and the keys from open_from on. */
static ga_status keep_lists(ga_context *context, const ga_session *s, const ga_selection *selection,
                            int64_t *offsets, int64_t **slots)
{
    ga_status status = GA_OK;
    int64_t n = selection->keys, most = 0, at = 0;
    if (!ga__mul(s->cache->heads, n, &most)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "session: too many slots"));
    }
    GA_TRY(GA_NEW(context, most, slots));
    for (int64_t h = 0; h < s->cache->heads; h++) {
        int64_t list = h / (s->cache->heads / selection->heads) * selection->lists;
        int64_t unit = selection->offsets[list], end = selection->offsets[list + 1];
        for (int64_t j = 0; j < n; j++) {
            while (unit < end && selection->origin + (selection->units[unit] + 1) * selection->unit <= j) {
                unit++;
            }
            bool listed = unit < end && selection->origin + selection->units[unit] * selection->unit <= j;
            if (listed || j < selection->sinks || j >= selection->open_from) {
                (*slots)[at++] = j;
            }
        }
        offsets[h + 1] = at;
    }
done:
    return status;
}

ga_status ga_session_evict(ga_context *context, ga_session *session, const DLTensor *q)
{
    ga_status status = GA_OK;
    ga__view view;
    ga_selection *selection = NULL;
    int64_t *offsets = NULL, *slots = NULL;
    ga__begin(context);
    GA_TRY(ga__view_of(context, "q", q, true, &view));
    GA_TRY(check_prompt(context, session, &view));
    session->parts = 1;
    GA_TRY(ga__session_select(context, session, 0, &view, &selection));
    if (selection->heads > session->cache->heads) {
        GA_TRY(
            ga__fail(context, GA_INVALID,
                     "session: %s chooses for each query head, the cache has fewer heads; set group_reduce",
                     session->variant->name));
    }
    GA_TRY(GA_NEW_ZERO(context, session->cache->heads + 1, &offsets));
    GA_TRY(keep_lists(context, session, selection, offsets, &slots));
    status = ga_cache_evict(context, session->cache, offsets, slots);
done:
    ga_selection_destroy(context, selection);
    ga_free(context, offsets);
    ga_free(context, slots);
    return status;
}
