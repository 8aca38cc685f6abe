/* attention.h - the registry of attention variants, and running one of them by name.
 *
 * A variant is a row of one table: name, summary, source, parameters, tensors, what it can do. The command, the manual,
 * the tests and the benchmarks read that table. Parameters come as text (as on the command line), tensors as DLPack.
 */
#ifndef GRAPHATTN_ATTENTION_H
#define GRAPHATTN_ATTENTION_H

#include <graphattn/call.h>
#include <graphattn/engine.h>
#include <graphattn/graph.h>
#include <math.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    GA_CAN_CAUSAL = 1,
    GA_CAN_CROSS = 2, /* queries and keys may differ in number */
    GA_CAN_GROUP = 4, /* fewer key/value heads */
    GA_CAN_BACKWARD = 8,
    GA_CAN_DECODE = 16,
    GA_CAN_CUDA = 32,
    GA_ALWAYS_CAUSAL = 64,
    GA_TAKES_PATTERN = 128,    /* --pattern replaces its pattern */
    GA_TAKES_NORMALISER = 256, /* --normaliser replaces its normaliser */
    GA_IS_PATTERN = 512,       /* its pattern has a name for --pattern */
    GA_CARRIES_STATE = 1024,
    GA_QK_OPTIONAL = 2048, /* works without q and k in some of its forms */
    GA_V_OPTIONAL = 4096,  /* likewise without v */
    GA_SELECTS = 8192      /* chooses keys from q and k: ga_select */
};

/* How far a row of a causal call stays clear of what comes after it. */
typedef enum ga_prefix {
    GA_PREFIX_ROW, /* the first n queries with the first Nk - Nq + n keys give rows 0 .. n - 1, for every n */
    GA_PREFIX_BLOCK,  /* likewise for n divisible by the parameter that unit names */
    GA_PREFIX_SUPPORT /* no weight on a later key; what is chosen may depend on everything */
} ga_prefix;
typedef enum ga_token_sets {
    GA_SETS_ANY,
    GA_SETS_ONE, /* queries and keys are one set of tokens, whatever can says of their numbers */
    GA_SETS_TWO  /* queries and keys are different tokens: no self attention */
} ga_token_sets;
typedef enum ga_rows_apart {
    GA_ROWS_APART, /* not causal: a row does not depend on later queries; at multiples of apart_unit if that is set */
    GA_ROWS_TOGETHER, /* they choose or are scaled together */
    GA_ROWS_UNKNOWN   /* nothing is promised */
} ga_rows_apart;

/* What causality means for a variant, beside its flags. All zero, the default, is right for an operator whose every row
 * reads its own query and the keys alone: prefix row, rows apart. A row of the registry that lets rows choose together,
 * or pools them, says so here; tests/unit/check_cab.c proves it. */
typedef struct ga_causality {
    ga_prefix prefix;
    const char *unit; /* of GA_PREFIX_BLOCK: a parameter */
    ga_rows_apart rows;
    const char *apart_unit; /* a parameter; NULL = every row */
    ga_token_sets sets;
    bool needs_causal; /* a call that does not ask for it is refused; with GA_ALWAYS_CAUSAL it need not ask */
} ga_causality;

typedef struct ga_variant {
    const char *name;
    const char *summary, *source, *family; /* family: "static", "linear", "dynamic", "gnn" */
    const char *plan;                      /* for people: pattern; score; normaliser; post */
    const char *outputs;                   /* "o, lse, map" */
    const ga_parameter *parameters;
    const ga_tensor_slot *tensors;
    unsigned can;
    ga_causality causality;
    const struct ga__variant_ops *ops; /* private */
} ga_variant;

/* The attention patterns of CAB for a variant: which calls it takes, and what holds for them. */
typedef enum ga_cab_answer { GA_CAB_NO, GA_CAB_YES, GA_CAB_UNKNOWN } ga_cab_answer;
typedef struct ga_cab {
    bool self, causal_self, cross; /* NS, CS, NC: not causal self, causal self, not causal cross */
    ga_cab_answer causal_cross;    /* CC: cross attention whose rows do not depend on later queries */
    const char *prefix;            /* "row", "block", "support"; NULL without CS */
    const char *unit, *cross_unit; /* parameters at whose multiples prefix and CC hold; NULL = every row */
} ga_cab;
GA_API ga_cab ga_variant_cab(const ga_variant *variant);

/* The table, ended by NULL. */
GA_API const ga_variant *const *ga_variants(void);
/* NULL (no message) for an unknown name. */
GA_API const ga_variant *ga_variant_find(const char *name);

/* One call of a variant. Arrays are borrowed. */
typedef struct ga_attend_call {
    const DLTensor *q, *k, *v;
    const ga_named_text *parameters;
    int64_t parameter_count;
    const ga_named_tensor *tensors; /* extra inputs */
    int64_t tensor_count;
    bool causal;
    double scale;           /* NAN = the variant's default */
    const char *pattern;    /* "NAME:k=v,..." or NULL */
    const char *normaliser; /* "NAME:k=v,..." or NULL */
    const ga_graph
        *graph; /* for variants and patterns that take one: key -> query; NULL = none. edge_bias follows
                             * the order of ga_graph_out() */
    const char *graph_name;    /* for messages */
    const ga_edge_rows *edges; /* instead of graph; NULL = none */
    const DLTensor *grad_o;    /* NULL = forward only */
    bool f64;                  /* compute in double precision */
    bool bf16;                 /* storage in bf16 */
} ga_attend_call;
#define GA_ATTEND_CALL_INIT \
    { \
        NULL, NULL, NULL, NULL, 0, NULL, 0, false, NAN, NULL, NULL, NULL, NULL, NULL, NULL, false, false \
    }

/* Computes the outputs whose names stand in wanted: each member's tensor pointer is set to a tensor returned owned (f32,
 * or f64 when f64 is set; integers where a variant says so); on failure all are NULL. Names: those of the variant's
 * outputs ("o" (B, H, Nq, Dv), "lse", "map", "state", ...); "grad_NAME" for q, k, v and every differentiable tensor, in
 * the shape of the input; and of variants with a map the row statistics "entropy", "argmax" (i32), "max" (B, H, Nq),
 * "column_sum" (B, H, Nk) and "stats" (B, H, Nq, 3): lse (NaN without softmax), entropy, largest weight.
 * GA_INVALID for unknown names, wrong values and shapes that do not fit. */
GA_API ga_status ga_attend(ga_context *context, const char *variant, const ga_attend_call *call,
                           ga_named_tensor *wanted, int64_t wanted_count);

/* Outputs "o" and "state" of a causal call, computed as a model that writes computes them, one token after another:
 * variants with a state hand it from token to token, the others add a key at a time. GA_INVALID for variants and
 * parameters that need all tokens at once, and for other outputs. grad_o is not read. */
GA_API ga_status ga_attend_decode(ga_context *context, const char *variant, const ga_attend_call *call,
                                  ga_named_tensor *wanted, int64_t wanted_count);

/* The pattern of a variant for that many query heads, queries and keys, without any tensors of the call but the ones
 * that the pattern needs (q, k, v may be NULL). Returns owned. */
GA_API ga_status ga_attend_pattern(ga_context *context, const char *variant, const ga_attend_call *call,
                                   int64_t heads, int64_t kv_heads, int64_t queries, int64_t keys,
                                   ga_pattern **pattern);
/* One head of a pattern as a graph of max(queries, keys) nodes with an edge key -> query for every visible pair (real
 * keys). Returns owned. */
GA_API ga_status ga_pattern_to_graph(ga_context *context, const ga_pattern *pattern, int64_t head,
                                     ga_graph **graph);
/* A graph as pattern: an edge j -> i lets query i see key j. Returns owned. GA_INVALID names an edge outside. */
GA_API ga_status ga_pattern_from_graph(ga_context *context, const ga_graph *graph, int64_t queries,
                                       int64_t keys, bool causal, ga_pattern **pattern);
/* Pairs of a tile of queries and a tile of keys: all, those with a visible pair between their outermost keys on every
 * axis, and those in which everything is visible. pairs / visited bounds what a kernel of such tiles can gain over a dense
 * one. query_tile and key_tile have a side for every axis. GA_UNSUPPORTED with sinks, extra keys, and causal on a
 * flattened order of several axes. */
typedef struct ga_tile_visits {
    int64_t pairs, visited, unmasked;
} ga_tile_visits;
GA_API ga_status ga_pattern_tile_visits(ga_context *context, const ga_product_options *options,
                                        const int64_t *query_tile, const int64_t *key_tile,
                                        ga_tile_visits *visits);
/* What one head of a pattern costs and what its heads cover together; real keys. Tiles are `tile` queries times `tile`
 * keys. head_pairs: pairs of every head of the pattern, or NULL. */
typedef struct ga_pattern_facts {
    int64_t pairs;     /* visible ones */
    int64_t reachable; /* queries x keys; causal: without keys behind the query */
    int64_t covered;   /* visible in some head */
    /* keys of a query */
    int64_t empty_rows, shortest_row, longest_row;
    /* Keys of a query that the one before does not see and an earlier one does: with none, a cache may drop what is out of
     * sight. */
    int64_t returning;
    int64_t tiles, tiles_visited, tiles_full; /* visited: with a visible pair */
} ga_pattern_facts;
GA_API ga_status ga_pattern_measure(ga_context *context, const ga_pattern *pattern, int64_t head, bool causal,
                                    int64_t tile, ga_pattern_facts *facts, int64_t *head_pairs);
/* Visible pairs of the first frames * tokens queries and keys by the distance of their frames: pairs[0 .. frames - 1]. */
GA_API ga_status ga_pattern_frames(ga_context *context, const ga_pattern *pattern, int64_t head,
                                   int64_t frames, int64_t tokens, int64_t *pairs);
/* Writes one head as a picture, queries down, keys across, one pixel a pair or, above `most` pixels a side, the share of
 * visible pairs as grey: PNG or SVG by the suffix of path (GA_INVALID for another). Whole or not at all. */
GA_API ga_status ga_pattern_draw(ga_context *context, const ga_pattern *pattern, int64_t head, int64_t most,
                                 const char *path);

/* Writes a matrix as a grey PNG, one pixel an element, whatever the suffix of path: of integers 0 is black and everything
 * else white; of reals the smallest is black, the largest white, NaN black. GA_INVALID without an element, with more than
 * two axes longer than 1, and above 1000000 pixels a side. Whole or not at all. */
GA_API ga_status ga_matrix_draw(ga_context *context, const DLTensor *matrix, const char *path);

/* ---- blocks and analyses: what stands around attention, by name ---- */

/* A block of a network, an analysis of attention maps, or a cost model: tensors in, tensors and numbers out. A row of one
 * of three tables. */
typedef struct ga_block {
    const char *name;
    const char *summary, *source;
    const char *plan;    /* for people: what is computed */
    const char *outputs; /* "y, gate"; y is what grad_y belongs to */
    const ga_parameter *parameters;
    const ga_tensor_slot *tensors;
    const struct ga__block_ops *ops; /* private */
} ga_block;

/* The tables, ended by NULL. */
GA_API const ga_block *const *ga_blocks(void);
GA_API const ga_block *const *ga_analyses(void);
GA_API const ga_block *const *ga_costs(void);
/* NULL (no message) for an unknown name. */
GA_API const ga_block *ga_block_find(const char *name);
GA_API const ga_block *ga_analysis_find(const char *name);
GA_API const ga_block *ga_cost_find(const char *name);
/* True when it has gradients. */
GA_API bool ga_block_has_gradients(const ga_block *block);

/* One call of a block or an analysis. Arrays are borrowed. */
typedef struct ga_block_call {
    const ga_named_text *parameters;
    int64_t parameter_count;
    const ga_named_tensor *tensors;
    int64_t tensor_count;
    const DLTensor *grad_y; /* in the shape of y; NULL = forward only */
    bool f64;               /* compute in double precision */
    bool causal;            /* of analyses that know it: query r of Nq sees keys up to r + Nk - Nq only */
} ga_block_call;
#define GA_BLOCK_CALL_INIT \
    { \
        NULL, 0, NULL, 0, NULL, false, false \
    }

/* Computes the outputs whose names stand in wanted: each member's tensor pointer is set to a tensor returned owned (f32,
 * or f64 when f64 is set; integers where the block says so); on failure all are NULL. Names: those of the block's
 * outputs, and "grad_NAME" of every differentiable tensor that was given, in its shape. GA_INVALID for unknown names,
 * wrong values and shapes that do not fit. */
GA_API ga_status ga_block_run(ga_context *context, const char *block, const ga_block_call *call,
                              ga_named_tensor *wanted, int64_t wanted_count);

/* What an analysis says in numbers. Names are static. */
enum { GA_REPORT_ROWS = 64 };
typedef struct ga_report_row {
    const char *name;
    bool is_integer;
    int64_t integer;
    double real;
} ga_report_row;
typedef struct ga_report {
    int count;
    ga_report_row rows[GA_REPORT_ROWS];
} ga_report;

/* Likewise; report (may be NULL) gets the numbers of the analysis. */
GA_API ga_status ga_analysis_run(ga_context *context, const char *analysis, const ga_block_call *call,
                                 ga_named_tensor *wanted, int64_t wanted_count, ga_report *report);

/* The same for what something costs: every output is a number, a row of the report under its name, and a tensor (f64, or
 * i64 where it counts) without axes when it is wanted. "variant" takes the parameters of the variant beside its own, and
 * measures this machine unless it is told its speeds. */
GA_API ga_status ga_cost_run(ga_context *context, const char *cost, const ga_block_call *call,
                             ga_named_tensor *wanted, int64_t wanted_count, ga_report *report);

#ifdef __cplusplus
}
#endif

#endif
