/* session.h - a cache with a variant, and what it keeps from step to step; for the files of attention/dynamic. */
#ifndef GA_ATTENTION_SESSION_H
#define GA_ATTENTION_SESSION_H

#include "attention/dynamic/cache.h"
#include "attention/dynamic/landmark.h"
#include "attention/dynamic/recycled.h"
#include "attention/dynamic/selector.h"
#include "attention/dynamic/summaries.h"

/* What is kept for all heads, or for one key/value head where they differ. */
typedef struct ga__kept {
    ga_selection *selection;  /* owned: the last choice; NULL = none */
    int64_t age;              /* steps that used it */
    ga__summaries *summaries; /* owned: of the units of its keys; NULL = none yet */
    ga__landmarks *landmarks; /* owned: blocks and picks of landmark attention; NULL = none yet */
} ga__kept;

/* The small cache of recycled attention. Its rows are copies, which lie together; slots ascend. */
typedef struct ga__small_cache {
    ga__recycling rule;
    int64_t step;
    double *last_q;  /* owned: (heads, dim) */
    int32_t *slots;  /* owned: (kv_heads, room): of the cache */
    int32_t *places; /* owned: (kv_heads, room): where the row of a slot lies, 0 .. count - 1 */
    char *k, *v;     /* owned: (kv_heads, room, dim | dim_v), in the type of the cache */
    int64_t *count;  /* owned: (kv_heads) */
    int64_t room;
} ga__small_cache;

struct ga_session {
    ga_cache *cache; /* owned */
    const ga_variant *variant;
    ga__part part;
    int64_t heads, group;
    double scale;
    int64_t reuse;
    bool selects, evicts, recycles, groups; /* groups: landmark attention */
    /* Of kept that count: 1, or kv_heads where the heads differ in length, or in positions with landmarks. */
    int64_t parts;
    int64_t evictions; /* of the cache, when kept was made */
    ga__kept *kept;    /* owned: (kv_heads) */
    ga__small_cache small;
    double choosing, attending;
};

/* Forgets what was kept of earlier keys. */
void ga__session_forget(ga_context *context, ga_session *session);
void ga__session_drop_landmarks(ga_context *context, ga__kept *kept);
/* The tokens of a step of recycled attention, one after the other. (recycled_step.c) */
ga_status ga__recycled_step(ga_context *context, ga_session *session, const ga__view *q, const ga__view *o,
                            const ga__view *lse);
/* What a selector reads for key/value head `part` of session->parts, or all heads. */
ga__selecting ga__session_selecting(ga_context *context, ga_session *session, int64_t part,
                                    const ga__view *q);
/* The choice for q, for all heads or for key/value head `part` of session->parts. */
ga_status ga__session_select(ga_context *context, ga_session *session, int64_t part, const ga__view *q,
                             ga_selection **selection);
/* The query heads of a part, of q or o. */
static inline ga__view ga__session_part(const ga_session *session, int64_t part, const ga__view *view)
{
    ga__view some = *view;
    if (session->parts > 1) {
        some.heads = session->group;
        some.data = view->data ? ga__view_row(view, 0, part * session->group, 0) : NULL;
    }
    return some;
}

#endif
