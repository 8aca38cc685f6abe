/* attention.h - an attention problem, checked and resolved, for the families that compute it.
 *
 * ga_attention_forward and _backward check once (ga__attention_resolve) and hand the same struct to one of
 *   rows   lib/engine/attention/rows*.c  double precision, plain: can do everything; the oracle of the others
 *   tiles  lib/engine/tile_attention/    blocked matrix products with online normalisation
 *   edges  lib/engine/edge_attention/    explicit patterns, row by row
 */
#ifndef GA_LIB_ENGINE_ATTENTION_H
#define GA_LIB_ENGINE_ATTENTION_H

#include "lib/engine/pattern/pattern.h"
#include "lib/engine/view.h"

typedef struct ga__attention {
    const ga_attention *problem;
    const ga_pattern *pattern;
    int64_t batch, heads, kv_heads, group; /* group = heads / kv_heads */
    int64_t queries, keys, places, dim, dim_v;
    /* k and v: (batch, kv_heads, places, .): padded copies where the pattern has ghosts or extra keys. The
     * rest: empty views where not given; table as (1, 1, H|1, cells), eta as (1, B, H, queries). */
    ga__view q, k, v, bias, table, edge_bias, slopes, eta, head_scale;
    ga__view column_bias, column_factor, column_gain; /* (1, B|1, H|1, keys) */
    double scale, softcap;
    ga_normaliser normaliser;
    bool wide;                 /* f64 asked for: some of q, k, v is f64 */
    int64_t shift;             /* position of query i on the keys' line: i + shift, shift = keys - queries */
    void *padded_k, *padded_v; /* owned */
    int64_t given_kv_heads; /* of the caller's k and v: fewer than kv_heads where ghosts are per query head */
} ga__attention;

/* Checks shapes, types and what goes together, and pads. On success ga__attention_release is due. */
ga_status ga__attention_resolve(ga_context *context, const ga_attention *problem, ga__attention *a);
void ga__attention_release(ga_context *context, ga__attention *a);

/* True when ghosts have keys and values of their own (GA_BORDER_BIAS). */
bool ga__attention_ghost_tensors(const ga_pattern *pattern);
/* A relative table or its gradient, (H|1, cells per axis ...), as (1, 1, H|1, cells); checked. */
ga_status ga__attention_table_view(ga_context *context, const char *name, const ga__attention *a,
                                   const DLTensor *table, ga__view *view);

/* Row constants of a normaliser: the shift b_i of sigmoid, the factor c_i of softplus; n = row
 * length, above 0. */
double ga__row_shift(const ga__attention *a, int64_t n);
double ga__row_factor(const ga__attention *a, int64_t n);
/* Factor of norm-attention for a row: 1 / eta. */
double ga__row_eta(const ga__attention *a, int64_t batch, int64_t head, int64_t query);

/* Value of a column term for a (batch, head). */
static inline double ga__column_term(const ga__view *term, int64_t batch, int64_t head, int64_t key)
{
    return ga__view_get(term, 0, term->heads == 1 ? 0 : batch, term->rows == 1 ? 0 : head, key);
}
static inline bool ga__has_columns(const ga__attention *a)
{
    return a->column_bias.data || a->column_factor.data || a->column_gain.data;
}
/* Labels of the keys of a post step for a (batch, head). */
static inline const int32_t *ga__post_classes(const ga_post *post, int64_t batch, int64_t head)
{
    return post->classes + batch * post->class_stride_batch + head * post->class_stride_head;
}

/* What a family offers. can: NULL when it can do the problem, else words for the message:
 * "tiles cannot ...". */
typedef struct ga__family_ops {
    const char *(*can_forward)(const ga__attention *a, const ga_attention_result *result);
    const char *(*can_backward)(const ga__attention *a, const ga_attention_gradients *gradients);
    ga_status (*forward)(ga_context *context, const ga__attention *a, const ga_attention_result *result);
    ga_status (*backward)(ga_context *context, const ga__attention *a,
                          const ga_attention_gradients *gradients);
} ga__family_ops;
extern const ga__family_ops ga__rows_family, ga__tiles_family, ga__edges_family;
/* What the dispatch has checked before a family is asked: types, shapes and contiguity of all outputs, and
 * that lse is asked for under softmax alone. Statistics are those of the weights of the real keys, before
 * any post step; map and o come after it. */

/* The name that messages use: "softmax", "softplus-reweight", ... */
const char *ga__normaliser_name(ga_normaliser_kind kind);

/* Ghost and extra places in gradients: k and v of backward are computed per place into (batch, kv_heads,
 * places, .) arrays where pattern->real is set; this sends them to grad k, v, k_extra, v_extra, ghost_k,
 * ghost_v. Either array may be NULL when none of its gradients is asked for. */
ga_status ga__attention_scatter_places(ga_context *context, const ga__attention *a, const float *places_k,
                                       const float *places_v, const ga_attention_gradients *gradients);
ga_status ga__attention_scatter_places_f64(ga_context *context, const ga__attention *a,
                                           const double *places_k, const double *places_v,
                                           const ga_attention_gradients *gradients);

/* Where statistics go; views are empty where not asked for. */
typedef struct ga__statistics {
    const ga_row_statistics *wanted;
    ga__view entropy, argmax, max, class_mass, column_sum, top_indices, top_weights;
} ga__statistics;
ga_status ga__statistics_open(ga_context *context, const ga_row_statistics *asked, ga__statistics *s);

#endif
