/* cache.h - keys and values in pages; for the files of attention/dynamic. */
#ifndef GA_ATTENTION_CACHE_H
#define GA_ATTENTION_CACHE_H

#include <graphattn/session.h>

#include "lib/engine/keys.h"

struct ga_cache {
    int64_t heads, dim, dim_v, page_rows, tokens;
    ga__type type;
    int64_t table;      /* pages that a line of the tables has room for */
    void **k, **v;      /* owned: (heads, table) pages, each owned */
    int64_t *length;    /* owned: slots in use, by head */
    int64_t *pages;     /* owned: pages that a head has */
    int64_t *kept;      /* owned: slots of a head whose positions are listed; those behind are consecutive */
    int64_t **position; /* owned: lists by head, owned; NULL = none */
    int64_t evictions;  /* so far */
};

/* True when the heads have different numbers of slots. */
bool ga__cache_is_ragged(const ga_cache *cache);
/* True when they have the same positions in their slots. */
bool ga__cache_is_aligned(const ga_cache *cache);
/* Rows of `heads` heads from `head` on, which have the same length. */
ga__keys ga__cache_k(const ga_cache *cache, int64_t head, int64_t heads);
ga__keys ga__cache_v(const ga_cache *cache, int64_t head, int64_t heads);

#endif
