/* edge.h - passes over the edges of the rows of a graph, as the kernels see them.
 *
 * A pass runs over "own" rows; every edge of a row brings an "other" row. Forward and the first backward pass own the
 * targets, the second backward pass owns the sources (with the transposed lists). Edges are taken in blocks of 16:
 * scores and weights of a block lie in small arrays [head][16], the rows of the block are read from the first cache.
 */
#ifndef GA_LIB_ENGINE_EDGE_H
#define GA_LIB_ENGINE_EDGE_H

#include "lib/engine/isa.h"
#include "lib/engine/keep/keep.h"
#include "lib/engine/view.h"

enum {
    GA__EDGE_BLOCK = 16,
    GA__EDGE_HUB = 4096 /* rows with more edges are cut into parts of so many */
};

/* What one end of an edge brings; (nodes, ...) arrays. x enters the score; y is the value or the gradient of the
 * output. */
typedef struct ga__edge_side {
    const void *x, *y;
    ga__type x_type, y_type;
    int64_t x_stride, y_stride;
    const float *part;  /* (nodes, heads): l or r of the additive score, 1 / norm of the cosine */
    const float *scale; /* (nodes): t of the p-Laplacian, NULL = 1 */
} ga__edge_side;

/* Dropout; bits NULL = everything is kept as it is. */
typedef struct ga__edge_keep {
    const uint32_t *bits;
    float scale;
} ga__edge_keep;

/* Parameters of a target's row for every head, (targets, parameters, heads): what its weights and their gradients
 * need. w = a(s, first) second, ds = a'(s) second (m c - third) with c = <grad y, v>, m the edge scale:
 *   softmax   first -lse; sigmoid its bias; softplus its factor; inline 1 / n - mean s
 *   second    1, or 1 / divisor
 *   third     sum of w m c (l1 normalisers: edge by edge); 0 where weights do not depend on each other; p-Laplacian:
 *             gradient of the row sum
 * softplus-reweight has more of them, see GA__EDGE_REWEIGHT_... */
enum { GA__EDGE_FIRST, GA__EDGE_SECOND, GA__EDGE_THIRD, GA__EDGE_PARAMETERS };
/* Of softplus-reweight: y = max(0, n a / sum a - offset), w = (y / largest)^power / divisor; means of the gradients. */
enum {
    GA__EDGE_RE_N_OVER_SUM = GA__EDGE_PARAMETERS,
    GA__EDGE_RE_OFFSET,
    GA__EDGE_RE_LARGEST,
    GA__EDGE_RE_MEAN,
    GA__EDGE_MOST_PARAMETERS
};

/* Parameters of a target's row in the kernels for common shapes (edge_direct_backward.h). */
enum { GA__EDGE_DIRECT_RECORDS = 4 };

typedef struct ga__edge_run {
    /* lists */
    const int64_t *offsets, *edge; /* edge: place of an entry in the arrays over edges; NULL = identity */
    const uint32_t *ids;
    int64_t rows, count;
    bool swapped; /* own rows are sources */
    ga__edge_side own, other;
    bool same; /* other.x and other.y are the same rows */
    /* formulas */
    ga_edge_score score;
    ga_normaliser_kind kind;
    int64_t heads, width, width_v;
    float scale, slope, softcap; /* softcap 0 = off */
    double eps, power, p, guard;
    const float *att;           /* (heads, width) */
    const float *bias;          /* (count, bias_heads) */
    int64_t bias_heads;         /* 1 or heads */
    const float *mask;          /* (count, heads): edge scale */
    ga__edge_keep keep_weights; /* (count, heads) */
    ga__edge_keep keep_values;  /* (sources, heads * width_v) */
    const float *edge_weight;   /* (count): w of the p-Laplacian */
    ga__view dense;             /* (1, 1, targets, sources) bias of this head, or no data */
    int64_t dense_batch, dense_head;
    float distance_slope; /* -distance_slope |target + shift - source| is added */
    int64_t shift;
    bool distance_bias;
    /* Constants of target rows, NULL = none: the first parameter (0), the second (1). */
    const float *row_first, *row_second;
    double reweight_offset; /* of rows with more than free_rows edges */
    int64_t free_rows;
    /* forward: outputs, NULL where not wanted */
    void *y;
    ga__type y_out_type;
    int64_t y_out_stride;
    float y_factor;          /* multiplies y */
    float *lse, *sums, *map; /* lse is read by records, sums are by those of the p-Laplacian */
    int64_t lse_stride;      /* between rows of lse and sums */
    /* backward */
    int parameters; /* of a row of record */
    float *record;  /* (targets, parameters, heads) */
    bool no_third;  /* nobody needs the third parameter */
    bool direct;    /* kernels for common shapes: the pass over targets makes the records from lse */
    /* Pass over sources, additive: maps of v to l and r, (heads, width_v), and the gradient of r, (targets, heads). */
    const float *att_source, *att_target, *dr;
    bool want_x, want_y, want_part;
    float *dx, *dy, *dpart; /* own rows: (rows, dx_stride), (rows, dy_stride), (rows, heads) */
    int64_t dx_stride, dy_stride;
    bool add_dx, add_dy; /* to what is there */
    float *dbias;        /* (count, bias_heads) */
    bool add_dbias;
    ga__view ddense; /* (1, 1, targets, sources), added to */
    bool want_att, want_p, want_totals;
} ga__edge_run;

/* Scratch of one worker; the arrays lie in one block. */
typedef struct ga__edge_scratch {
    float *score, *raw, *product, *weight, *slope; /* [heads][16] */
    float *parameter;                              /* [parameters][heads][16] */
    double *sums;                                  /* [heads][2] */
    /* The state of a row, one behind the other: forward acc, second, most, sum; backward dx, dy, part. */
    float *state;
    const float *own_x, *own_y; /* the own row, in room_x and room_y where it had to be converted */
    float *room_x, *room_y;
    float *other_x, *other_y; /* [16] converted other rows */
    float *row;               /* a row of output */
    float *att;     /* gradients of a unit of work: of att, (heads, width), or of att_source and att_target */
    double *totals; /* of a unit of work: gradient of p; sums of ds and of distance ds */
    const float *x[GA__EDGE_BLOCK], *y[GA__EDGE_BLOCK];
    /* Rows of the edges 16 places on, which the kernels ask for while they read those of this block; or NULL. */
    const float *next_x[GA__EDGE_BLOCK], *next_y[GA__EDGE_BLOCK];
    const float *const *fetch_x, *const *fetch_y;
    float scale[GA__EDGE_BLOCK];
    int64_t node[GA__EDGE_BLOCK], place[GA__EDGE_BLOCK];
} ga__edge_scratch;
enum { GA__EDGE_TOTALS = 4 };

typedef struct ga__edge_ops {
    /* Whether the kernels for common shapes can do this backward pass, with run->direct set for both passes. */
    bool (*direct_backward)(const ga__edge_run *run);
    /* Rows first .. last - 1 with at most hub edges. */
    void (*forward_rows)(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last,
                         int64_t hub);
    /* Some edges of a row; state receives ga__edge_state floats. */
    void (*forward_part)(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from, int64_t to,
                         float *state);
    void (*forward_merge)(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, const float *states,
                          int64_t parts, int64_t step);
    /* Fills the records of target rows from y, lse, sums and own.y, the gradient of y. */
    void (*records)(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last);
    void (*backward_rows)(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last,
                          int64_t hub);
    void (*backward_part)(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from, int64_t to,
                          float *state);
    void (*backward_merge)(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, const float *states,
                           int64_t parts, int64_t step);
} ga__edge_ops;
extern const ga__edge_ops ga__edge_ops_scalar, ga__edge_ops_avx2, ga__edge_ops_avx512;

/* Of the context's instruction set. */
const ga__edge_ops *ga__edge_ops_of(const ga_context *context);

/* Floats of a row's state, either direction. */
int64_t ga__edge_state(const ga__edge_run *run, bool backward);
static inline int64_t ga__edge_round(int64_t floats)
{
    return (floats + 15) / 16 * 16;
}

/* Runs a pass over all rows and slices (heads and batches that share the lists). select sets run to a slice; NULL for
 * one slice. Units of work follow from offsets, slices and hub alone. datt (att_size numbers: gradient of att in a pass
 * over targets, those of att_source and att_target one behind the other in a pass over sources) and totals are sums over
 * all units, in their order; NULL where not wanted. totals: per slice GA__EDGE_TOTALS doubles. */
typedef enum ga__edge_mode { GA__EDGE_FORWARD, GA__EDGE_RECORDS, GA__EDGE_BACKWARD } ga__edge_mode;
typedef struct ga__edge_pass {
    const ga__edge_run *run;
    ga__edge_mode mode;
    int64_t slices, hub;
    void (*select)(ga__edge_run *run, int64_t slice, void *user);
    void *user;
    double *datt, *totals;
    int64_t att_size;
} ga__edge_pass;
ga_status ga__edge_pass_run(ga_context *context, const ga__edge_pass *pass);

/* ---- message passing ---- */

/* A problem of ga_edge_attention, checked. */
typedef struct ga__edge_problem {
    const ga_edge_attention *given;
    const ga_edges *edges;
    int64_t heads, width, width_v, bias_heads;
    ga__view q, k, v, l, r, att, bias, mask, weight, target_scale, source_scale, att_source, att_target;
    bool wide; /* something is f64: the plain kernels run */
} ga__edge_problem;

/* Refuses what does not fit together; nothing is allocated. */
ga_status ga__edge_resolve(ga_context *context, const ga_edge_attention *given, ga__edge_problem *problem);
/* Outputs and gradients: floating, (rows, columns), C-contiguous f32 or f64; sets wide where f64. NULL: no data. */
ga_status ga__edge_output(ga_context *context, const char *name, const DLTensor *tensor, int64_t rows,
                          int64_t columns, ga__view *view, bool *wide);

typedef struct ga__edge_outputs {
    ga__view y, lse, sums, map;
} ga__edge_outputs;
typedef struct ga__edge_slopes {
    ga__view grad_y, y, lse, grad_sums;   /* given */
    ga__view q, k, v, l, r, att, bias, p; /* wanted */
    ga__view att_source, att_target;
} ga__edge_slopes;

/* Double precision, plain loops; scores of one row at a time in the first, of all edges in the second. */
ga_status ga__edge_reference_forward(ga_context *context, const ga__edge_problem *problem,
                                     const ga__edge_outputs *outputs);
ga_status ga__edge_reference_backward(ga_context *context, const ga__edge_problem *problem,
                                      const ga_transposed *transposed, const ga__edge_slopes *slopes);

/* The public functions with another bound for hubs, for tests. */
ga_status ga__edge_attention_forward(ga_context *context, const ga_edge_attention *problem, DLTensor *y,
                                     DLTensor *lse, DLTensor *sums, DLTensor *weights, int64_t hub);
ga_status ga__edge_attention_backward(ga_context *context, const ga_edge_attention *problem,
                                      const ga_transposed *transposed, const ga_edge_gradients *gradients,
                                      int64_t hub);

#endif
