/* tile_panel.c - keys and values that several items read, packed once. */
#include "config.h"

#include "lib/engine/tile_attention/tile_panel.h"

#include <string.h>

#include "lib/base/workers.h"

ga_status ga__panels_make(ga_context *context, int64_t count, int64_t blocks, int64_t size_k, int64_t size_v,
                          ga__panels *panels)
{
    ga_status status = GA_OK;
    int64_t floats_k = 0, floats_v = 0;
    *panels = (ga__panels){ .count = count, .blocks = blocks, .size_k = size_k, .size_v = size_v };
    panels->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    if (!ga__mul(blocks, size_k, &floats_k) || !ga__mul(blocks, size_v, &floats_v)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "attention: too many keys"));
    }
    GA_TRY(GA_NEW_ZERO(context, count, &panels->panel));
    for (int64_t i = 0; i < count; i++) {
        ga__panel *p = &panels->panel[i];
        p->slice = -1;
        GA_TRY(GA_NEW(context, floats_k, &p->k));
        ga__advise_large(p->k, floats_k * (int64_t)sizeof *p->k);
        GA_TRY(GA_NEW_ZERO(context, blocks, &p->state));
        GA_TRY(GA_NEW_ZERO(context, blocks, &p->values));
        if (floats_v > 0) {
            GA_TRY(GA_NEW(context, floats_v, &p->v));
            ga__advise_large(p->v, floats_v * (int64_t)sizeof *p->v);
        }
    }
done:
    return status;
}

void ga__panels_free(ga_context *context, ga__panels *panels)
{
    for (int64_t i = 0; panels->panel && i < panels->count; i++) {
        ga__panel *p = &panels->panel[i];
        ga_free(context, p->k);
        ga_free(context, p->v);
        ga_free(context, p->state);
        ga_free(context, p->values);
    }
    ga_free(context, panels->panel);
    panels->panel = NULL;
}

/* Slices are begun in order: the oldest goes first, and memory not touched yet last. */
static bool goes_before(const ga__panel *a, const ga__panel *b)
{
    return a->slice >= 0 && (b->slice < 0 || a->slice < b->slice);
}

static ga__panel *find(ga__panels *panels, int64_t slice)
{
    ga__panel *found = NULL;
    for (int64_t i = 0; i < panels->count; i++) {
        ga__panel *p = &panels->panel[i];
        if (p->slice == slice) {
            return p;
        }
        if (p->users == 0 && (!found || goes_before(p, found))) {
            found = p;
        }
    }
    return found;
}

ga__panel *ga__panel_take(ga__panels *panels, int64_t slice)
{
    pthread_mutex_lock(&panels->lock);
    ga__panel *found = find(panels, slice);
    if (found && found->slice != slice) {
        found->slice = slice;
        memset(found->state, GA__BLOCK_OPEN, (size_t)panels->blocks);
        memset(found->values, GA__VALUES_UNKNOWN, (size_t)panels->blocks);
    }
    if (found) {
        found->users++;
    }
    pthread_mutex_unlock(&panels->lock);
    return found;
}

void ga__panel_release(ga__panels *panels, ga__panel *panel)
{
    pthread_mutex_lock(&panels->lock);
    panel->users--;
    pthread_mutex_unlock(&panels->lock);
}

bool ga__panel_claim(ga__panel *panel, int64_t block)
{
    uint8_t open = GA__BLOCK_OPEN;
    return __atomic_load_n(&panel->state[block], __ATOMIC_RELAXED) == GA__BLOCK_OPEN &&
           __atomic_compare_exchange_n(&panel->state[block], &open, GA__BLOCK_BUSY, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

void ga__panel_packed(ga__panel *panel, int64_t block)
{
    __atomic_store_n(&panel->state[block], GA__BLOCK_READY, __ATOMIC_RELEASE);
}

bool ga__panel_ready(const ga__panel *panel, int64_t block)
{
    return __atomic_load_n(&panel->state[block], __ATOMIC_ACQUIRE) == GA__BLOCK_READY;
}
