/* session.h - decoding: a cache of keys and values in pages, and steps that choose from it and attend to it.
 *
 * A cache keeps the keys and values of one layer, for every key/value head by itself. A token that was appended has a
 * logical position for ever; where its row lies, its slot, changes when others are evicted. A session is a cache with a
 * variant: full attention, or one that selects keys, whose choice and summaries it keeps from step to step. A step gives
 * what ga_attend gives for its queries and the keys in the cache, with two exceptions.
 *
 * landmark: slots of the cache are taken for landmarks by their positions, so that a token is one for ever; after evictions
 * blocks are what lies between the landmarks that are left. There is no tensor is_landmark.
 * flexprefill: it was made for prefill, its authors decode with full attention, and a call with few queries is dense. The
 * queries of a step are taken for the last block of queries of a prefill, and choose by the rule for that block: columns,
 * diagonals and, for query-aware heads, blocks of their own row of the pooled map. A step is dense as long as there are at
 * most max(2 block, min_budget) keys. Probing reads all keys: with `reuse` one choice serves several steps.
 *
 * Tensors are as in engine.h, without a batch.
 */
#ifndef GRAPHATTN_SESSION_H
#define GRAPHATTN_SESSION_H

#include <graphattn/attention.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the cache ---- */

typedef struct ga_cache ga_cache;

typedef struct ga_cache_options {
    int64_t kv_heads, dim, dim_v;
    DLDataType type;   /* f32, bf16 or f16: what is stored */
    int64_t page_rows; /* tokens of a page; 0 = automatic; speed only */
} ga_cache_options;
#define GA_CACHE_OPTIONS_INIT \
    { \
        1, 0, 0, { kDLFloat, 16, 1 }, 0 \
    }

/* An empty cache; pages are taken as they are needed. Returns owned. GA_INVALID names what does not fit. */
GA_API ga_status ga_cache_create(ga_context *context, const ga_cache_options *options, ga_cache **cache);
/* Accepts NULL. */
GA_API void ga_cache_destroy(ga_context *context, ga_cache *cache);
/* k (G, n, d) and v (G, n, e), of f32, f64, bf16 or f16, become the next n tokens, rounded to the type of the cache. All
 * or nothing. */
GA_API ga_status ga_cache_append(ga_context *context, ga_cache *cache, const DLTensor *k, const DLTensor *v);
/* Tokens that were ever appended: the position of the next one. */
GA_API int64_t ga_cache_tokens(const ga_cache *cache);
/* Slots of a head that are in use: 0 .. length - 1, positions ascending. */
GA_API int64_t ga_cache_length(const ga_cache *cache, int64_t head);
/* Position of a slot. */
GA_API int64_t ga_cache_position(const ga_cache *cache, int64_t head, int64_t slot);
/* Keeps slots[offsets[h]] .. slots[offsets[h + 1] - 1] of every head h, ascending, and gives up the others. The kept rows
 * move together, in order; heads may end with different lengths. All or nothing; GA_INVALID names a wrong list. */
GA_API ga_status ga_cache_evict(ga_context *context, ga_cache *cache, const int64_t *offsets,
                                const int64_t *slots);
/* Slots first .. first + n - 1 of a head into k (n, d) and v (n, e), f32 or f64; either may be NULL. */
GA_API ga_status ga_cache_read(ga_context *context, const ga_cache *cache, int64_t head, int64_t first,
                               DLTensor *k, DLTensor *v);
/* Bytes of all pages. */
GA_API int64_t ga_cache_bytes(const ga_cache *cache);

/* ---- the session ---- */

typedef struct ga_session ga_session;

typedef struct ga_session_options {
    ga_cache_options cache;
    int64_t heads;       /* query heads, a multiple of the cache's */
    const char *variant; /* "full", or one that selects: the queries of a step choose */
    const ga_named_text *parameters;
    int64_t parameter_count;
    double scale;  /* NAN = 1 / sqrt(dim) */
    int64_t reuse; /* steps that use one choice; tokens that came since are seen beside it */
} ga_session_options;
#define GA_SESSION_OPTIONS_INIT \
    { \
        GA_CACHE_OPTIONS_INIT, 1, "full", NULL, 0, NAN, 1 \
    }

enum { GA_SESSION_TOKENS = 8 };

/* Options are copied. Returns owned. GA_INVALID for a variant that cannot be decoded from a cache, and as ga_attend. */
GA_API ga_status ga_session_open(ga_context *context, const ga_session_options *options,
                                 ga_session **session);
/* Accepts NULL. */
GA_API void ga_session_close(ga_context *context, ga_session *session);
/* As ga_cache_append. */
GA_API ga_status ga_session_append(ga_context *context, ga_session *session, const DLTensor *k,
                                   const DLTensor *v);
/* Ends the prompt of a variant that evicts (snapkv, ada-snapkv): q (H, w, d) are the queries of the last w tokens, the
 * tokens that it does not choose are given up. A choice for each query head must not differ within a key/value head
 * (GA_INVALID). Steps then attend to everything that is left. */
GA_API ga_status ga_session_evict(ga_context *context, ga_session *session, const DLTensor *q);
/* q (H, t, d), t = 1 .. GA_SESSION_TOKENS, are the queries of the last t tokens. o (H, t, e) and lse (H, t) are the
 * caller's; either may be NULL. Heads of different lengths (landmark: with different positions) choose one by one;
 * GA_INVALID for variants that choose for all heads together. */
GA_API ga_status ga_session_step(ga_context *context, ga_session *session, const DLTensor *q, DLTensor *o,
                                 DLTensor *lse);
/* What the last step chose: of all heads, or of one key/value head where they choose one by one. Units count slots; of
 * landmark these are the ordinary keys of the blocks. Borrowed until the next call; NULL when it chose nothing. */
GA_API const ga_selection *ga_session_selection(const ga_session *session, int64_t kv_head);
/* Borrowed. What is appended to or evicted from it by the cache's own functions is seen by the next step. */
GA_API ga_cache *ga_session_cache(ga_session *session);
/* Seconds that the last step took for choosing and for attending. */
GA_API void ga_session_times(const ga_session *session, double *choosing, double *attending);

#ifdef __cplusplus
}
#endif

#endif
