/* edge_device.h - message passing on a device: what its launches need. Members as in ga_edge_attention and
 * ga__edge_run (edge.h). */
#ifndef GA_LIB_ENGINE_EDGE_DEVICE_H
#define GA_LIB_ENGINE_EDGE_DEVICE_H

#include <graphattn/engine.h>

#include "lib/engine/spmm/lists.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows of features; type as in ga__type: f32, bf16, f16. */
typedef struct ga__edge_rows_on_device {
    const void *data;
    int type;
    int64_t stride;
} ga__edge_rows_on_device;

/* The weight of an edge, its formula and what enters it. */
typedef struct ga__edge_formula {
    int score, kind; /* ga_edge_score, ga_normaliser_kind */
    int64_t heads, width, width_v, bias_heads;
    float scale, slope, shift,
        log_width; /* shift of sigmoid; log_width: of softplus with length_scale, else 0 */
    int length_scale;
    float eps, p, guard;
    const float *l, *r, *att, *bias, *mask;                 /* NULL = none */
    const float *edge_weight, *target_scale, *source_scale; /* of the p-Laplacian */
    const uint32_t *keep_weights, *keep_values;             /* NULL = everything is kept */
    float keep_weights_scale, keep_values_scale;
} ga__edge_formula;

/* stat: (rows, heads, 2), the shift of softmax and the sum of the weights before division; needed with hubs. */
typedef struct ga__edge_forward_launch_args {
    ga__edge_lists lists;
    ga__edge_formula is;
    ga__edge_rows_on_device q, k, v;
    float *y, *lse, *sums, *map, *stat;
    int scores;                /* map receives the scores as they are */
    float *slot_y, *slot_stat; /* (slots, heads * width_v), (slots, heads, 2) */
} ga__edge_forward_launch_args;

int ga__edge_forward_launch(const ga__edge_forward_launch_args *args, void *stream);

/* ---- backward ----
 *
 * Two numbers an edge and head are kept: the score, which becomes the gradient of the sum that the score is made of, and
 * <grad y, v>, which becomes the factor of grad y in the gradient of v. */

typedef struct ga__edge_slopes_launch_args {
    ga__edge_lists lists;
    ga__edge_formula is;
    const float *stat;       /* of the forward pass */
    const float *grad_sums;  /* (rows, heads), of the p-Laplacian; NULL = 0 */
    float *score, *dot;      /* (count, heads), replaced */
    float *mean, *slot_mean; /* (rows, heads), (slots, heads): scratch */
    float *bias;             /* (count): sums over the heads of the gradients of scores; NULL = not wanted */
    float *p, *p_part;       /* (1); (rows + pieces, heads), cleared; NULL = not wanted */
} ga__edge_slopes_launch_args;

/* Sums of values over the edges of every row. */
typedef struct ga__edge_sums_launch_args {
    ga__edge_lists lists;
    int64_t heads;
    const float *value;    /* (count, heads) */
    float *sum, *slot_sum; /* (rows, heads), (slots, heads) */
} ga__edge_sums_launch_args;

/* Gradients of one end of the pairs, from ds of every edge: own rows x, the others at the other end. */
typedef struct ga__edge_pairs_launch_args {
    ga__edge_lists lists;
    ga__edge_formula is;
    ga__edge_rows_on_device own, other;
    int64_t other_rows;
    const float *own_scale, *other_scale; /* t of the p-Laplacian */
    const float *ds;                      /* (count, heads) */
    float *own_norm, *other_norm;         /* (nodes, heads): scratch of the cosine */
    float *out, *slot_out;                /* (rows, heads * width), (slots, ...) */
    int add;                              /* to what is in out */
    float *att, *slot_att; /* the same for a row's share of the gradient of att; NULL = not wanted */
    float *turned;         /* like out: scratch of the cosine */
} ga__edge_pairs_launch_args;

/* out of a column: the sum over all rows of x, times factor of its head. */
typedef struct ga__edge_columns_launch_args {
    int64_t rows, heads, width;
    ga__edge_rows_on_device x;
    const float *factor; /* (rows, heads), NULL = 1 */
    float *part;         /* scratch, (rows / GA__EDGE_COLUMN_ROWS rounded up, columns) */
    float *out;
} ga__edge_columns_launch_args;
enum { GA__EDGE_COLUMN_ROWS = 512 };

/* out = x with dropout, plus l att_source, plus r att_target of every head; out may be x. */
typedef struct ga__edge_rows_launch_args {
    int64_t rows, heads, width;
    ga__edge_rows_on_device x;
    const uint32_t *keep; /* NULL = everything */
    float keep_scale;
    const float *l, *att_source, *r, *att_target; /* (rows, heads), (heads, width); NULL = 0 */
    float *out;
} ga__edge_rows_launch_args;

int ga__edge_slopes_launch(const ga__edge_slopes_launch_args *args, void *stream);
int ga__edge_sums_launch(const ga__edge_sums_launch_args *args, void *stream);
int ga__edge_pairs_launch(const ga__edge_pairs_launch_args *args, void *stream);
int ga__edge_columns_launch(const ga__edge_columns_launch_args *args, void *stream);
int ga__edge_rows_launch(const ga__edge_rows_launch_args *args, void *stream);

#ifdef __cplusplus
}
#endif

#endif
