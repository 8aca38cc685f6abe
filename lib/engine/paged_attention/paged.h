/* paged.h - attention of few queries over rows of keys where they lie: a tensor, or the pages of a cache.
 *
 * Nothing is packed: every row of keys and values is read once for the query rows that share a choice of keys, and what
 * bounds the speed is the memory. The keys of such a set of rows are cut into items of a fixed size; an item gives
 * (m, z, acc) of every row, and the items of a set are joined in order. Sums depend on the chosen keys alone, not on
 * pages or threads.
 */
#ifndef GA_LIB_ENGINE_PAGED_H
#define GA_LIB_ENGINE_PAGED_H

#include "lib/base/workers.h"
#include "lib/engine/attention/attention.h"
#include "lib/engine/isa.h"
#include "lib/engine/keys.h"
#include "lib/engine/pattern/pattern.h"

enum {
    GA__PAGED_TOKENS = 8, /* queries of a head, at most */
    GA__PAGED_ROWS = 32,  /* of a set */
    GA__PAGED_ITEM = 1024,
    GA__PAGED_TILE = 32 /* keys */
};

/* Softmax attention without ghosts, extra keys or terms beside the dot product. All types but f64. */
typedef struct ga__paged {
    ga__view q;                /* (batch, heads, at most GA__PAGED_TOKENS, dim) */
    ga__keys k, v;             /* (batch, kv_heads, keys, dim | dim_v) */
    const ga_pattern *pattern; /* of these queries and keys, for every entry of the batch */
    double scale;
    ga__view o;   /* (batch, heads, queries, dim_v), or empty */
    ga__view lse; /* (1, batch, heads, queries), or empty */
    /* (batch, heads, score_stride), for one query: scores of the keys that it sees, in their order. NULL = not wanted. */
    float *scores;
    int64_t score_stride;
} ga__paged;

ga_status ga__paged_attend(ga_context *context, const ga__paged *problem);

/* True when this problem, which tiles can do, is faster so; and the forward pass. */
bool ga__paged_suits(const ga_context *context, const ga__attention *a, const ga_attention_result *result);
ga_status ga__paged_forward(ga_context *context, const ga__attention *a, const ga_attention_result *result);

/* Some keys, and the rows that look at them. Row r belongs to token r / heads. */
typedef struct ga__paged_item {
    int rows, heads, count;
    int64_t dim, dim_v, stride_q, stride_v; /* strides: multiples of 16 */
    ga__type type_k, type_v;
    const float *q;                  /* (rows, stride_q), scaled, 0 behind dim */
    const void *const *k, *const *v; /* rows of the keys */
    const uint8_t *tokens;           /* bit t: token t sees the key; NULL = all do */
    float *s;                        /* room: (GA__PAGED_ROWS, GA__PAGED_TILE) */
    float *scores;                   /* (rows, GA__PAGED_ITEM); NULL = not wanted */
    float *m, *z, *acc; /* (rows), (rows), (rows, stride_v): max s, sum e^(s - m), sum e^(s - m) v */
} ga__paged_item;

typedef struct ga__paged_kernels {
    void (*run)(const ga__paged_item *item);
} ga__paged_kernels;

extern const ga__paged_kernels ga__paged_scalar, ga__paged_avx2, ga__paged_avx512;

#endif
