/* engine.h - sparse and attention kernels on tensors: patterns, products, attention, recurrences.
 *
 * Attention is message passing on a directed graph: a pattern says which keys (sources) a query (target) sees, a score
 * is computed for every such pair, the scores of a query are turned into weights, and the values of its keys are summed
 * with these weights. Tensors are (batch, heads, tokens, dim) with missing leading axes taken as 1, on the CPU, of f32,
 * bf16, f16 or f64; the last axis is contiguous, the others may be strided. With G key/value heads dividing H query
 * heads, query head h reads key/value head h / (H / G). f64 runs in double precision, everything else accumulates in
 * single precision or better. Output tensors are the caller's, C-contiguous, of the stated shape, f32 or f64 (bf16 and
 * f16 where a function says so); after a failure their contents are unspecified. Results do not depend on the number of
 * threads. A row that sees no key gives zeros.
 */
#ifndef GRAPHATTN_ENGINE_H
#define GRAPHATTN_ENGINE_H

#include <graphattn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the instruction set ---- */

typedef enum ga_backend {
    GA_BACKEND_AUTO = 0,
    GA_BACKEND_SCALAR,
    GA_BACKEND_AVX2,
    GA_BACKEND_AVX512
} ga_backend;

/* "auto", "scalar", "avx2", "avx512". */
GA_API const char *ga_backend_name(ga_backend backend);
/* GA_INVALID (no message) for an unknown name. */
GA_API ga_status ga_backend_from_name(const char *name, ga_backend *backend);
/* True when this build and this machine have it. */
GA_API bool ga_backend_available(ga_backend backend);
/* Pins what the kernels of later calls are compiled for; GA_UNSUPPORTED when it is not available. */
GA_API ga_status ga_context_set_backend(ga_context *context, ga_backend backend);
/* What later calls will use; never GA_BACKEND_AUTO. */
GA_API ga_backend ga_context_backend(const ga_context *context);

/* ---- patterns: which keys a query sees ---- */

typedef struct ga_pattern ga_pattern;

/* What a query at the border of the grid sees (spec: attention-static 0.6). */
typedef enum ga_border {
    GA_BORDER_SHIFT = 0, /* the window moves inward: always the full count of real keys */
    GA_BORDER_CLIP,      /* fewer keys */
    GA_BORDER_GHOST,     /* missing places are ghosts: key 0, value 0, their score is the bias alone */
    GA_BORDER_BIAS       /* ghosts with a key and a value of their own, given with the problem */
} ga_border;

/* One axis of a product pattern. How the keys of a query follow from its coordinate y:
 *   GA_AXIS_ALL       every key of the axis
 *   GA_AXIS_SPAN      [p - left, p + right], p = y + key_length - query_length; -1 = unlimited; clipped
 *   GA_AXIS_NEIGHBOUR neighbourhood attention: window, stride, dilation (attention-static section 3)
 *   GA_AXIS_BLOCK     aligned windows of `window` places (MaxViT block), the first one starting `left` places before
 *                     the grid (-1 = 0); incomplete windows by border
 *   GA_AXIS_GRID      `window` keys spread evenly, query_length / window apart (MaxViT grid)
 *   GA_AXIS_HALO      window of block `stride` with `left` and `right` places around it (HaloNet), by border; query y
 *                     stands at coordinate y * dilation (query downsampling): query_length = ceil(key_length / dilation)
 *   GA_AXIS_INWARD    half window `left`, moved inward (FreeSwim)
 *   GA_AXIS_CELL      the keys under cell y when the grid of queries is laid over that of the keys, and `left` and
 *                     `right` more: [floor(y K / Q) - left, ceil((y + 1) K / Q) + right), clipped
 * Lengths differ in ALL, SPAN, CELL and downsampled HALO axes only. Borders: BLOCK and HALO know clip, ghost and bias; the
 * other rules have one of their own and refuse ghost and bias. */
typedef enum ga_axis_rule {
    GA_AXIS_ALL = 0,
    GA_AXIS_SPAN,
    GA_AXIS_NEIGHBOUR,
    GA_AXIS_BLOCK,
    GA_AXIS_GRID,
    GA_AXIS_HALO,
    GA_AXIS_INWARD,
    GA_AXIS_CELL
} ga_axis_rule;

typedef struct ga_axis {
    ga_axis_rule rule;
    int64_t query_length, key_length;
    int64_t window, stride, dilation;
    int64_t left, right;
    bool causal; /* keys at or before the query on this axis */
    ga_border border;
} ga_axis;
#define GA_AXIS_INIT \
    { \
        GA_AXIS_ALL, 0, 0, 1, 1, 1, -1, -1, false, GA_BORDER_CLIP \
    }

/* Product of 1 to 3 axes, tokens in row-major order, last axis fastest. always: so many leading keys that every query
 * sees beside its product (sinks; subject to causal); extra: so many keys behind the grid's that every query sees
 * always (k_extra). causal: keys j <= i + keys - queries on the flattened order (1 axis: same as the axis's flag);
 * ghosts are hidden by their place among the keys. always goes neither with ghosts nor, on several axes, with causal
 * axes (GA_UNSUPPORTED). At most 2^31 - 2 queries, and as many keys with ghosts and extra keys (GA_LIMIT). Returns
 * owned. GA_INVALID names the axis and what is wrong with it. */
typedef struct ga_product_options {
    int axes;
    ga_axis axis[3];
    int64_t always, extra;
    bool causal;
} ga_product_options;
GA_API ga_status ga_pattern_product(ga_context *context, const ga_product_options *options,
                                    ga_pattern **pattern);

/* Every query sees every key (causal: j <= i + keys - queries). Returns owned. */
GA_API ga_status ga_pattern_full(ga_context *context, int64_t queries, int64_t keys, bool causal,
                                 ga_pattern **pattern);

/* True when query block bq of this head sees key block bk. */
typedef bool (*ga_block_fn)(void *user, int64_t head, int64_t block_query, int64_t block_key);
/* Blocks of block_query rows and block_key columns, switched by a predicate that is asked once for each (head, block,
 * block) and may be called from this thread only. heads 1: one pattern for all heads. Returns owned. */
GA_API ga_status ga_pattern_blocks(ga_context *context, int64_t heads, int64_t queries, int64_t keys,
                                   int64_t block_query, int64_t block_key, ga_block_fn visible, void *user,
                                   bool causal, ga_pattern **pattern);

/* Explicit lists: query i sees indices[offsets[i]] .. indices[offsets[i + 1] - 1]. Within a row the order is free;
 * duplicates are refused (GA_INVALID) unless merge. Copies. Returns owned. Causal drops the keys that are not visible.
 * What belongs to an edge (edge bias, its gradient) stays in the order of indices. */
GA_API ga_status ga_pattern_csr(ga_context *context, int64_t queries, int64_t keys, const int64_t *offsets,
                                const int64_t *indices, bool causal, bool merge, ga_pattern **pattern);

/* Which keys a selector chose, for every batch entry and head: lists of units, each shared by a block of queries, and
 * what every query sees beside them. Key j is visible to query i, at position p = i + keys - queries, when it is not
 * causal or j <= p, and any of these holds: it lies in a unit of the query's list; p - j is among the diagonals;
 * j < sinks; causal and j > p - window; i < dense_rows; j >= open_from. */
typedef struct ga_selection {
    int64_t batch, heads; /* of lists: 1, the key/value heads or the query heads, */
    int64_t query_heads;  /* of which list head h serves query_heads / heads */
    int64_t queries, keys;
    bool causal;
    int64_t block_query,
        first_block;      /* queries of a list, of the first one (blocks may be counted by position) */
    int64_t lists;        /* of a head */
    int64_t unit, origin; /* unit u holds keys origin + u * unit and the unit - 1 behind it, below keys */
    int64_t *offsets;     /* (batch * heads * lists + 1): list l of head h of entry b is number */
    int32_t *units;       /* (b * heads + h) * lists + l; ascending, none twice */
    int64_t *diagonal_offsets;                    /* (batch * heads + 1); NULL = none */
    int32_t *diagonals;                           /* ascending, none twice; only where causal */
    int64_t sinks, window, dense_rows, open_from; /* 0, 0, 0, keys = nothing of the kind */
} ga_selection;

/* Accepts NULL. */
GA_API void ga_selection_destroy(ga_context *context, ga_selection *selection);
/* One batch entry as a pattern of as many heads as the selection has query heads, or one. The selection is borrowed and
 * must stay until the pattern is destroyed. Returns owned. GA_INVALID names the list that is not as described above. */
GA_API ga_status ga_pattern_selected(ga_context *context, const ga_selection *selection, int64_t entry,
                                     ga_pattern **pattern);

/* Accepts NULL. */
GA_API void ga_pattern_destroy(ga_context *context, ga_pattern *pattern);

GA_API int64_t ga_pattern_queries(const ga_pattern *pattern);
/* Real keys: ghosts and extra keys are not among them. */
GA_API int64_t ga_pattern_keys(const ga_pattern *pattern);
/* 1 or the number of heads that the pattern was made for. */
GA_API int64_t ga_pattern_heads(const ga_pattern *pattern);
/* Visible pairs of one head, extra keys counted, ghosts not. */
GA_API int64_t ga_pattern_nonzeros(const ga_pattern *pattern, int64_t head);
/* Real and extra keys that query i sees. */
GA_API int64_t ga_pattern_row_length(const ga_pattern *pattern, int64_t head, int64_t query);
/* Contiguous runs [first, last) of the real keys of a row, ascending; *runs has room for ga_pattern_most_runs() pairs.
 * Returns their number. */
GA_API int64_t ga_pattern_row_runs(const ga_pattern *pattern, int64_t head, int64_t query,
                                   int64_t (*runs)[2]);
GA_API int64_t ga_pattern_most_runs(const ga_pattern *pattern);
/* One head as lists of real keys by query, ascending: offsets (queries + 1), indices. Returns owned arrays (ga_free). */
GA_API ga_status ga_pattern_to_csr(ga_context *context, const ga_pattern *pattern, int64_t head,
                                   int64_t **offsets, uint32_t **indices);
/* The pattern with queries and keys exchanged (explicit lists; real keys only). Blocks that are not causal stay blocks,
 * of as many heads; other patterns of several heads have none (GA_UNSUPPORTED). Returns owned. */
GA_API ga_status ga_pattern_transpose(ga_context *context, const ga_pattern *pattern,
                                      ga_pattern **transposed);

/* ---- scores and normalisers ---- */

/* s = x + gain_j |x| + bias, x = factor_j cap(scale <q_i, k_j>), cap(x) = softcap tanh(x / softcap). Pointers may be NULL.
 * Borrowed. */
typedef struct ga_score {
    double scale;
    double softcap;        /* 0 = off */
    const DLTensor *bias;  /* (H|1, queries, keys): only entries on the pattern are read */
    const DLTensor *table; /* (H|1, cells ...): relative bias of product patterns (attention-static 0.7) */
    const DLTensor *edge_bias; /* (E) or (H, E): explicit patterns, in the order of their indices */
    const DLTensor *slopes;    /* (H): minus slope * |i + keys - queries - j| */
    /* Terms of a key, (B|1, H|1, keys); ghosts and extra keys have none. Edge kernels do not know them. */
    const DLTensor *column_bias;   /* added */
    const DLTensor *column_factor; /* factor_j; 1 without it */
    const DLTensor *column_gain;   /* gain_j of the queries from gain_from on; it has no gradient */
    int64_t gain_from;
} ga_score;
#define GA_SCORE_INIT \
    { \
        1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0 \
    }

/* How the scores s_j of a row become weights w_j (composed.md; n = visible keys of the row). */
typedef enum ga_normaliser_kind {
    GA_SOFTMAX = 0,       /* exp(s) / sum */
    GA_SIGMOID,           /* sigma(s + b) */
    GA_SOFTPLUS,          /* a / sum a, a = softplus(c s) */
    GA_SOFTPLUS_REWEIGHT, /* P of softplus; y = max(0, n P - offset); y^power / sum */
    GA_RELU_L1,           /* max(s, 0) / max(sum, eps) */
    GA_NORM_ATTENTION,    /* s / eta, eta = exp, softplus or sigmoid of logits per row */
    GA_IDENTITY,          /* s */
    GA_INLINE,            /* s - mean s + 1 / n */
    GA_P_LAPLACIAN        /* edge kernels only; see ga_edge_attention */
} ga_normaliser_kind;

typedef enum ga_bias_mode { GA_BIAS_LOG_N = 0, GA_BIAS_LOG_ROW, GA_BIAS_FIXED } ga_bias_mode;
typedef enum ga_eta { GA_ETA_EXP = 0, GA_ETA_SOFTPLUS, GA_ETA_SIGMOID } ga_eta;

typedef struct ga_normaliser {
    ga_normaliser_kind kind;
    double bias; /* sigmoid: b = bias + (0 | -ln keys | -ln n) */
    ga_bias_mode bias_mode;
    bool length_scale;    /* softplus: c = ln dim * ln n; false: 1 */
    double power, offset; /* softplus-reweight */
    int64_t free_rows;    /* rows of at most so many keys have offset 0 */
    double eps; /* softplus-reweight: rows whose largest y is not above it give 0; relu-l1: least divisor */
    ga_eta eta;
    const DLTensor *eta_logits; /* (B, H, queries) */
    int64_t length_dim;         /* the dim of length_scale; 0 = that of q */
} ga_normaliser;
#define GA_NORMALISER_INIT \
    { \
        GA_SOFTMAX, 0, GA_BIAS_LOG_N, true, 15, 1, 3, 1e-5, GA_ETA_EXP, NULL, 0 \
    }

/* ---- attention over a pattern ---- */

/* Statistics of the weights of every row, from the pass that computes the output; no map is stored. Members that are
 * not NULL are filled. */
typedef struct ga_row_statistics {
    DLTensor *entropy;      /* (B, H, queries): -sum w ln w, natural logarithm */
    DLTensor *argmax;       /* i32: key of the largest weight, lowest on ties; -1 for an empty row */
    DLTensor *max;          /* the largest weight */
    const int32_t *classes; /* (keys): label of every key, 0 .. class_count - 1; borrowed */
    int64_t class_count;
    DLTensor *class_mass; /* (B, H, queries, class_count) */
    DLTensor *column_sum; /* (B, H, keys): a second pass over the queries */
    int64_t top_k;
    DLTensor *top_indices; /* i32 (B, H, queries, top_k): ascending keys, -1 behind the last */
    DLTensor *top_weights; /* (B, H, queries, top_k) in that order, 0 behind the last */
} ga_row_statistics;

/* A change of the map between normalising and aggregating (attention-dynamic part E). */
typedef enum ga_post_form { GA_POST_NONE = 0, GA_POST_CLASSWISE, GA_POST_ROW, GA_POST_FULL } ga_post_form;
typedef struct ga_post {
    ga_post_form form;
    void *user;
    /* CLASSWISE: weights of keys of class c are multiplied by factors[c], which may depend on the masses of the row's
     * classes: one pass, values accumulated by class. */
    const int32_t *classes; /* (keys), borrowed */
    int64_t class_count;    /* at most 8 */
    /* From the labels of a batch entry, a head, to those of the next; 0 = the same for all. */
    int64_t class_stride_batch, class_stride_head;
    void (*factors)(void *user, int64_t batch, int64_t head, int64_t query, const double *mass,
                    double *factors);
    /* ROW: gets the finished weights of one row, keys ascending, and changes them in place. */
    void (*row)(void *user, int64_t batch, int64_t head, int64_t query, int64_t count, const int64_t *keys,
                double *weights);
    /* FULL: gets a whole map of one (batch, head), queries x keys; refused (GA_LIMIT) above full_limit bytes. */
    void (*full)(void *user, int64_t batch, int64_t head, int64_t queries, int64_t keys, double *map);
    int64_t full_limit;
} ga_post;
/* All callbacks may be called from several threads at once. */

typedef struct ga_attention {
    const DLTensor *q, *k, *v; /* (B, H, queries, d), (B, G, keys, d), (B, G, keys, e) */
    const ga_pattern *pattern;
    ga_score score;
    ga_normaliser normaliser;
    const DLTensor *k_extra, *v_extra; /* (B, G, extra, d | e): of patterns with extra keys */
    const DLTensor *ghost_k,
        *ghost_v;               /* (H, d), (H, e): of border GA_BORDER_BIAS; with GA_BORDER_GHOST ghost_k may
                                        * be (places, d), a key for every place of the padded grid, real ones not
                                        * read, without a gradient */
    const ga_post *post;        /* NULL = none */
    const DLTensor *head_scale; /* (H): multiplies the output of a head; NULL = 1 */
} ga_attention;
#define GA_ATTENTION_INIT \
    { \
        NULL, NULL, NULL, NULL, GA_SCORE_INIT, GA_NORMALISER_INIT, NULL, NULL, NULL, NULL, NULL, NULL \
    }

/* Members that are not NULL are filled. lse is defined under softmax alone (GA_INVALID otherwise). */
typedef struct ga_attention_result {
    DLTensor *o;   /* (B, H, queries, e); may be bf16 or f16 */
    DLTensor *lse; /* (B, H, queries): ln sum exp(s), -inf for an empty row */
    DLTensor *map; /* (B, H, queries, keys): the weights, 0 where not visible */
    ga_row_statistics *statistics;
} ga_attention_result;

/* Which kernels are to run. AUTO takes tiles, or edges for explicit patterns that would leave most of a tile empty, or
 * rows where only they can do what is asked (f64, maps, post steps of form ROW and FULL). */
typedef enum ga_family { GA_FAMILY_AUTO = 0, GA_FAMILY_ROWS, GA_FAMILY_TILES, GA_FAMILY_EDGES } ga_family;
GA_API const char *ga_family_name(ga_family family);

/* The forward pass. used (may be NULL) tells the family that ran. GA_UNSUPPORTED when the family that was asked for
 * cannot do this problem. */
GA_API ga_status ga_attention_forward(ga_context *context, const ga_attention *problem, ga_family family,
                                      const ga_attention_result *result, ga_family *used);

/* Gradients of sum(o * grad_o); weights are recomputed, nothing of size queries x keys is stored. Members that are not
 * NULL are filled; bias gradients are 0 off the pattern. No gradient flows through post steps (GA_UNSUPPORTED). */
typedef struct ga_attention_gradients {
    const DLTensor *grad_o;                      /* (B, H, queries, e) */
    const DLTensor *o, *lse;                     /* of the forward pass, or NULL: computed again */
    DLTensor *q, *k, *v;                         /* shapes of the inputs */
    DLTensor *bias, *table, *edge_bias, *slopes; /* shapes of the inputs */
    DLTensor *sigmoid_bias;                      /* (1): of normaliser.bias */
    DLTensor *eta_logits;                        /* (B, H, queries) */
    DLTensor *k_extra, *v_extra, *ghost_k, *ghost_v;
    DLTensor *head_scale;
    DLTensor *column_bias, *column_factor; /* shapes of the inputs */
} ga_attention_gradients;
GA_API ga_status ga_attention_backward(ga_context *context, const ga_attention *problem, ga_family family,
                                       const ga_attention_gradients *gradients, ga_family *used);

/* ---- message passing on a graph: features are (nodes, heads * width), rows contiguous ---- */

/* Incoming edges of every target: edges offsets[i] .. offsets[i + 1] - 1 come from sources[]. Borrowed. */
typedef struct ga_edges {
    int64_t targets, sources_count, count;
    const int64_t *offsets;  /* targets + 1 */
    const uint32_t *sources; /* count */
} ga_edges;

/* The same edges by source, for backward passes: edges offsets[j] .. of source j go to targets[]; edge[] is their place
 * in the order by target. Returns owned arrays in one block (ga_transposed_destroy). */
typedef struct ga_transposed {
    int64_t *offsets;
    uint32_t *targets;
    int64_t *edge;
} ga_transposed;
GA_API ga_status ga_edges_transpose(ga_context *context, const ga_edges *edges, ga_transposed *transposed);
GA_API void ga_transposed_destroy(ga_context *context, ga_transposed *transposed);

typedef enum ga_reduce { GA_SUM = 0, GA_MEAN, GA_MAX } ga_reduce;

/* y_i = reduce over e: j -> i of w_e x_j. x (sources, F), y (targets, F) f32, f64, and bf16 or f16 for x; weights
 * (count) f32 or f64, NULL = 1. argmax (targets, F) i64, for GA_MAX, may be NULL: the edge that gave the maximum (ties:
 * lowest source), -1 without edges. */
GA_API ga_status ga_spmm(ga_context *context, const ga_edges *edges, const DLTensor *weights,
                         const DLTensor *x, ga_reduce reduce, DLTensor *y, DLTensor *argmax);
/* grad_x (sources, F) and grad_weights (count); either may be NULL. transposed is needed for grad_x. x is needed for
 * grad_weights, argmax for GA_MAX. */
GA_API ga_status ga_spmm_backward(ga_context *context, const ga_edges *edges, const ga_transposed *transposed,
                                  const DLTensor *weights, const DLTensor *x, ga_reduce reduce,
                                  const DLTensor *argmax, const DLTensor *grad_y, DLTensor *grad_x,
                                  DLTensor *grad_weights);

/* s_e = <a_target, b_source> for every head: a (targets, heads * width), b (sources, heads * width), s (count, heads). */
GA_API ga_status ga_sddmm(ga_context *context, const ga_edges *edges, int64_t heads, const DLTensor *a,
                          const DLTensor *b, DLTensor *s);
GA_API ga_status ga_sddmm_backward(ga_context *context, const ga_edges *edges,
                                   const ga_transposed *transposed, int64_t heads, const DLTensor *a,
                                   const DLTensor *b, const DLTensor *grad_s, DLTensor *grad_a,
                                   DLTensor *grad_b);

/* Dropout: element i is kept when bit i % 32 of word i / 32 is set, and multiplied by scale. bits NULL: everything is
 * kept as it is. Behind the last element stand zero bits and at least two more words. */
typedef struct ga_keep {
    const uint32_t *bits; /* ga_keep_words(elements) words, borrowed */
    double scale;
} ga_keep;
GA_API int64_t ga_keep_words(int64_t elements);
/* Draws bits: element i is dropped when word i % 4 of Philox 4x32-10 with the seed as key and the counter (i / 4, stream),
 * both 64 bits wide, lies below rate 2^32. The same for any number of threads and instructions. GA_INVALID unless
 * 0 <= rate < 1. The scale that belongs to it is 1 / (1 - rate). */
GA_API ga_status ga_keep_draw(ga_context *context, uint64_t seed, uint64_t stream, int64_t elements,
                              double rate, uint32_t *bits);

typedef enum ga_edge_score {
    GA_EDGE_DOT = 0,  /* scale <q_i, k_j> */
    GA_EDGE_ADDITIVE, /* leaky(l_j + r_i): GAT; l and r are (nodes, heads) */
    GA_EDGE_GATV2,    /* <att, leaky(k_j + q_i)>: att (heads, width) */
    GA_EDGE_COSINE,   /* scale <q_i / |q_i|, k_j / |k_j|>; rows of norm <= 1e-12 give 0 */
    GA_EDGE_CONSTANT, /* edge_bias alone */
    GA_EDGE_DISTANCE  /* |t_i q_i - t_j k_j|^2, for GA_P_LAPLACIAN (gnn.md, pgnn) */
} ga_edge_score;

/* Fused: score, normaliser over the incoming edges, sum of values; per head, one pass, scores are not stored. Softmax,
 * sigmoid (fixed bias), softplus, relu-l1 and identity, and GA_P_LAPLACIAN with GA_EDGE_DISTANCE: weight
 * M_e = w_e tau_e^((p - 2) / 2), tau_e = w_e * distance, y_i = sum_j M_e t_j v_j, with the row sum of M returned in
 * `sums` so that the layer can finish the rule. */
typedef struct ga_edge_attention {
    const ga_edges *edges;
    int64_t heads;
    ga_edge_score score;
    double scale, slope;   /* slope of leaky: 0.2 */
    const DLTensor *q;     /* (targets, heads * width): dot, gatv2, cosine, distance */
    const DLTensor *k;     /* (sources, heads * width) */
    const DLTensor *l, *r; /* (sources, heads), (targets, heads): additive */
    const DLTensor *att;   /* (heads, width): gatv2 */
    const DLTensor
        *edge_bias; /* (count) or (count, heads): added to the score before leaky (additive) or after */
    const DLTensor *edge_scale; /* (count, heads): multiplies the finished weight, NULL = 1 */
    const DLTensor *v;          /* (sources, heads * value width); may be k itself */
    ga_keep keep_weights; /* (count, heads), finished weights; softmax scores of the f32 and f64 kernels */
    ga_keep keep_values;  /* (sources, heads * value width): v where it is summed, not where it is scored */
    /* additive: l_j = <v_j, att_source> and r_i = <v_i, att_target> plus what does not depend on v, (heads, width) each;
     * targets are sources. For the backward pass alone: v then gets the gradient through l and r, too. NULL = l and r
     * have nothing to do with v. */
    const DLTensor *att_source, *att_target;
    ga_normaliser normaliser;
    double p, guard; /* p-Laplacian; guard eps of tau + eps^2, 0: weight 0 (p < 2), w (p = 2), 0 (p > 2) */
    const DLTensor *edge_weights;                          /* (count): w of the p-Laplacian, NULL = 1 */
    const DLTensor *node_scale_target, *node_scale_source; /* (targets), (sources): t */
} ga_edge_attention;

GA_API ga_status ga_edge_attention_forward(ga_context *context, const ga_edge_attention *problem, DLTensor *y,
                                           DLTensor *lse /* (targets, heads), may be NULL */,
                                           DLTensor *sums /* (targets, heads), may be NULL */,
                                           DLTensor *weights /* (count, heads), may be NULL: the map */);

typedef struct ga_edge_gradients {
    const DLTensor *grad_y, *y, *lse; /* lse of the forward pass, or NULL: computed again; y may be NULL */
    const DLTensor *grad_sums;        /* p-Laplacian, may be NULL */
    DLTensor *q, *k, *v, *l, *r, *att, *edge_bias;
    DLTensor *att_source,
        *att_target; /* additive with these maps. v may then be the problem's v itself: every row is
                                        * replaced when nobody needs it any more */
    DLTensor *p;     /* (1): of the exponent of the p-Laplacian */
} ga_edge_gradients;
GA_API ga_status ga_edge_attention_backward(ga_context *context, const ga_edge_attention *problem,
                                            const ga_transposed *transposed,
                                            const ga_edge_gradients *gradients);

/* ---- linear recurrences (attention-linear card 17) ---- */

typedef enum ga_scan_rule { GA_SCAN_ADD = 0, GA_SCAN_DELTA } ga_scan_rule;
typedef enum ga_scan_form {
    GA_SCAN_AUTO = 0,
    GA_SCAN_RECURRENT,
    GA_SCAN_BLOCKED,
    GA_SCAN_CHUNKED
} ga_scan_form;

/* S_t = diag(exp g_t) S_{t-1} + k_t u_t', u_t = v_t or beta_t (v_t - (diag(exp g_t) S_{t-1})' k_t), o_t = scale q_t S_t.
 * Not causal: every query reads the final state. With fewer queries than keys the queries are the last positions. */
typedef struct ga_scan {
    const DLTensor *q, *k, *v; /* (B, H, Nq, d), (B, G, Nk, d), (B, G, Nk, e) */
    /* NULL = none, (G): per head, (B, G, Nk, 1): per token, (B, G, Nk, d): vector; <= 0. Where it lies on a device it is not
     * looked at: what is above 0 makes NaN of the state. */
    const DLTensor *log_decay;
    const DLTensor *beta; /* (B, G, Nk): delta rule */
    const DLTensor
        *bonus; /* (G, d): exclusive read o_t = scale q_t (S_{t-1} + (u * k_t) v_t'); NULL = inclusive */
    const DLTensor *initial_state; /* (B, G, d, e), or (B, G, d, e + 1) when normalised; NULL = 0 */
    ga_scan_rule rule;
    bool causal;
    bool normalise; /* divide by the row sum scale q_t z_t; z is column e of the state */
    double eps;     /* a row sum not above this in size gives 0 */
    double scale;
    ga_scan_form form; /* speed only */
    int64_t chunk;     /* tokens a chunk; 0 = automatic; speed only */
} ga_scan;
#define GA_SCAN_INIT \
    { \
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, GA_SCAN_ADD, true, false, 1e-12, 1, GA_SCAN_AUTO, 0 \
    }
/* o (B, H, Nq, e); state like initial_state, f32 or f64. Either may be NULL. */
GA_API ga_status ga_scan_forward(ga_context *context, const ga_scan *problem, DLTensor *o, DLTensor *state);

typedef struct ga_scan_gradients {
    const DLTensor *grad_o, *grad_state; /* grad_state may be NULL */
    DLTensor *q, *k, *v, *log_decay, *beta, *bonus, *initial_state;
} ga_scan_gradients;
GA_API ga_status ga_scan_backward(ga_context *context, const ga_scan *problem,
                                  const ga_scan_gradients *gradients);

/* ---- small operators ---- */

/* Joins results over disjoint key sets: o_a, o_b (..., e), lse_a, lse_b (...); o and lse may be the inputs. */
GA_API ga_status ga_merge(ga_context *context, const DLTensor *o_a, const DLTensor *lse_a,
                          const DLTensor *o_b, const DLTensor *lse_b, DLTensor *o, DLTensor *lse);

/* The same for P results at once, stacked on a first axis: parts_o (P, ..., e), parts_lse (P, ...), o (..., e), lse (...),
 * any number of axes in C order; lse may be NULL. A part whose lse is -inf saw no key. Joining in groups gives the same up
 * to rounding: workers that hold different keys may each join what they have, and somebody their results. */
GA_API ga_status ga_merge_parts(ga_context *context, const DLTensor *parts_o, const DLTensor *parts_lse,
                                DLTensor *o, DLTensor *lse);

/* The k largest of the last axis, indices i32 ascending, -1 (and -inf) behind the last; ties: lower index; NaN is never
 * taken. count (all but the last axis, i64) limits a row to its first entries; NULL = all. values may be NULL. */
GA_API ga_status ga_top_k(ga_context *context, const DLTensor *x, const DLTensor *count, int64_t k,
                          DLTensor *indices, DLTensor *values);

/* c = alpha op(a) op(b) + beta c, row-major matrices (batch axes in front must agree); f32 or f64. */
GA_API ga_status ga_gemm(ga_context *context, bool transpose_a, bool transpose_b, double alpha,
                         const DLTensor *a, const DLTensor *b, double beta, DLTensor *c);

#ifdef __cplusplus
}
#endif

#endif
