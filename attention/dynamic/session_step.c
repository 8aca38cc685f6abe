/* session_step.c - a step of a decoding session: choosing keys, or using the last choice, and attending to them. */
#include "config.h"

#include <string.h>

#include "attention/dynamic/session.h"
#include "lib/engine/paged_attention/paged.h"

/* The tensors of a step; o and lse may be empty. lse is (1, 1, heads, tokens). */
typedef struct step {
    ga_context *context;
    ga_session *session;
    ga__view q, o, lse;
} step;

_Static_assert((int)GA_SESSION_TOKENS == (int)GA__PAGED_TOKENS, "what the kernel takes");

/* ---- checks ---- */

static ga_status read_views(step *w, const DLTensor *q, const DLTensor *o, const DLTensor *lse)
{
    ga_status status = GA_OK;
    const ga_session *s = w->session;
    GA_TRY(ga__view_of(w->context, "q", q, true, &w->q));
    GA_TRY(ga__view_of(w->context, "o", o, true, &w->o));
    GA_TRY(ga__view_of(w->context, "lse", lse, true, &w->lse));
    GA_TRY(ga__view_expect(w->context, "q", &w->q, 1, s->heads, -1, s->cache->dim));
    if (o) {
        GA_TRY(ga__view_expect(w->context, "o", &w->o, 1, s->heads, w->q.rows, s->cache->dim_v));
        GA_TRY(ga__view_output(w->context, "o", &w->o, w->o.type, w->o.type));
    }
    if (lse) {
        GA_TRY(ga__view_expect(w->context, "lse", &w->lse, 1, 1, s->heads, w->q.rows));
        GA_TRY(ga__view_output(w->context, "lse", &w->lse, GA__F32, GA__F64));
    }
done:
    return status;
}

/* One choice for all heads: heads that differ have no common keys to choose. */
static bool chooses_for_all(const ga_session *s)
{
    if (s->groups && !ga__part_value(&s->part, "mode")->integer) { /* it keeps all blocks */
        return false;
    }
    for (const ga_parameter *p = s->variant->parameters; p && p->name; p++) {
        if (strcmp(p->name, "select") == 0 && p->type == GA_PARAMETER_WORD) {
            return strcmp(p->words[ga__part_value(&s->part, "select")->integer], "shared") == 0;
        }
    }
    return s->recycles;
}

static ga_status check_step(const step *w, int64_t parts)
{
    const ga_session *s = w->session;
    if (w->q.rows < 1 || w->q.rows > GA_SESSION_TOKENS) {
        return ga__fail(w->context, GA_INVALID, "q: %lld tokens, expected 1 to %d", (long long)w->q.rows,
                        (int)GA_SESSION_TOKENS);
    }
    for (int64_t h = 0; h < s->cache->heads; h++) {
        if (s->cache->length[h] < w->q.rows) {
            return ga__fail(w->context, GA_INVALID, "q: %lld tokens, head %lld of the cache has %lld",
                            (long long)w->q.rows, (long long)h, (long long)s->cache->length[h]);
        }
    }
    if (s->selects && !s->evicts && chooses_for_all(s) && parts > 1) {
        return ga__fail(w->context, GA_INVALID,
                        "session: %s chooses for all heads together, they differ in %s", s->variant->name,
                        s->groups ? "positions" : "length");
    }
    return GA_OK;
}

/* ---- choosing ---- */

/* The last choice for keys that have grown: open_from is at most the number of keys that there were, so that those that
 * came since are seen too. */
static bool reuse(const step *w, ga__kept *kept, int64_t keys)
{
    ga_selection *s = kept->selection;
    if (!s || kept->age >= w->session->reuse || s->queries != w->q.rows) {
        return false;
    }
    s->keys = keys;
    kept->age++;
    return true;
}

static ga_status choose(const step *w, int64_t part)
{
    ga_status status = GA_OK;
    ga_session *s = w->session;
    ga__kept *kept = &s->kept[part];
    ga_selection *made = NULL;
    if (reuse(w, kept, s->cache->length[part])) {
        return GA_OK;
    }
    GA_TRY(ga__session_select(w->context, s, part, &w->q, &made));
    ga_selection_destroy(w->context, kept->selection);
    kept->selection = made;
    kept->age = 1;
done:
    return status;
}

/* ---- attending ---- */

/* Rows of lse that belong to a part. */
static ga__view part_of_lse(const step *w, int64_t part)
{
    ga__view lse = w->lse;
    if (w->session->parts > 1) {
        lse.rows = w->session->group;
        lse.data = lse.data ? ga__view_row(&w->lse, 0, 0, part * w->session->group) : NULL;
    }
    return lse;
}

static ga_status attend(const step *w, int64_t part, const ga_selection *selection)
{
    ga_status status = GA_OK;
    const ga_session *s = w->session;
    int64_t kv_heads = s->parts == 1 ? s->cache->heads : 1;
    ga__paged p = { .q = ga__session_part(s, part, &w->q),
                    .k = ga__cache_k(s->cache, part, kv_heads),
                    .v = ga__cache_v(s->cache, part, kv_heads),
                    .scale = s->scale,
                    .o = ga__session_part(s, part, &w->o),
                    .lse = part_of_lse(w, part) };
    ga_pattern *pattern = NULL;
    if (selection) {
        GA_TRY(ga_pattern_selected(w->context, selection, 0, &pattern));
    } else {
        GA_TRY(ga_pattern_full(w->context, w->q.rows, p.k.view.rows, true, &pattern));
    }
    p.pattern = pattern;
    status = ga__paged_attend(w->context, &p);
done:
    ga_pattern_destroy(w->context, pattern);
    return status;
}

/* ---- landmark attention ---- */

/* The blocks of this step: picked now, or those of an earlier one. */
static ga_status pick(const step *w, ga__kept *kept, ga__selecting *s)
{
    ga_status status = GA_OK;
    bool again = kept->landmarks && kept->age < w->session->reuse && kept->selection->queries == w->q.rows;
    if (again) {
        GA_TRY(ga__landmarks_renew(s, kept->landmarks));
        kept->age++;
    } else {
        ga__session_drop_landmarks(w->context, kept);
        GA_TRY(GA_NEW_ZERO(w->context, 1, &kept->landmarks));
        GA_TRY(ga__landmarks_open(s, kept->landmarks));
        kept->age = 1;
    }
done:
    return status;
}

static ga_status run_landmark(const step *w, int64_t part)
{
    ga_status status = GA_OK;
    ga_session *session = w->session;
    ga__kept *kept = &session->kept[part];
    ga__selecting s = ga__session_selecting(w->context, session, part, &w->q);
    ga_selection *made = NULL;
    double start = ga__now();
    GA_TRY(pick(w, kept, &s));
    GA_TRY(ga__landmarks_selection(kept->landmarks, &made));
    ga_selection_destroy(w->context, kept->selection);
    kept->selection = made;
    double chosen = ga__now();
    status = ga__landmark_attend(&(ga__landmark_step){ .m = kept->landmarks,
                                                       .v = ga__cache_v(session->cache, part, s.kv_heads),
                                                       .o = ga__session_part(session, part, &w->o),
                                                       .lse = part_of_lse(w, part) });
    session->choosing += chosen - start;
    session->attending += ga__now() - chosen;
done:
    if (status != GA_OK) {
        ga__session_drop_landmarks(w->context, kept);
    }
    return status;
}

static ga_status run_parts(const step *w)
{
    ga_status status = GA_OK;
    ga_session *s = w->session;
    for (int64_t part = 0; part < s->parts; part++) {
        double start = ga__now();
        if (s->groups) {
            GA_TRY(run_landmark(w, part));
            continue;
        }
        if (s->selects && !s->evicts) {
            GA_TRY(choose(w, part));
        }
        double chosen = ga__now();
        GA_TRY(attend(w, part, s->evicts ? NULL : s->kept[part].selection));
        s->choosing += chosen - start;
        s->attending += ga__now() - chosen;
    }
done:
    return status;
}

/* ---- the call ---- */

ga_status ga_session_step(ga_context *context, ga_session *session, const DLTensor *q, DLTensor *o,
                          DLTensor *lse)
{
    ga_status status = GA_OK;
    step w = { .context = context, .session = session };
    ga__begin(context);
    GA_TRY(read_views(&w, q, o, lse));
    int64_t parts = session->parts;
    if (session->evictions != session->cache->evictions) { /* nothing else makes heads differ */
        bool alike =
            session->groups ? ga__cache_is_aligned(session->cache) : !ga__cache_is_ragged(session->cache);
        parts = alike ? 1 : session->cache->heads;
    }
    GA_TRY(check_step(&w, parts));
    if (session->evictions != session->cache->evictions) {
        ga__session_forget(context, session);
        session->parts = parts;
        session->evictions = session->cache->evictions;
    }
    session->choosing = session->attending = 0;
    if (session->recycles) {
        status = ga__recycled_step(context, session, &w.q, &w.o, &w.lse);
    } else {
        status = run_parts(&w);
    }
done:
    if (status != GA_OK && session->recycles) {
        ga__session_forget(context, session);
    }
    return status;
}
