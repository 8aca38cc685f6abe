/* backward_tile.h - one tile of the backward pass: up to 64 queries of a head times up to 64 places.
 *
 * With scores s, D = dO v' and row constants from earlier sweeps over the same tiles, a tile gives
 *   w   weights                dv += w' dO
 *   ds  gradient of scores     dq += scale ds k,   dk += scale ds' q
 * and nothing of its 64 x 64 numbers outlives it.
 */
#ifndef GA_LIB_ENGINE_BACKWARD_TILE_H
#define GA_LIB_ENGINE_BACKWARD_TILE_H

#include "lib/engine/attention/attention.h"

enum {
    GA__BACK = 64 /* queries and places of a tile */,
    GA__BACK_ALIGN = 16 /* floats: packed rows are multiples */
};

/* What a row needs and gathers. */
typedef struct ga__back_row {
    double max, sum,
        dot; /* first sweep: softmax's running maximum (softplus: largest weight), sum a, sum a D */
    double power_sum, power_dot, pull,
        pull_dot;  /* second sweep: sums of r, r D, u P, u P D; r = (y / ymax)^p, u = r / (y / ymax) */
    float shift;   /* added to s: -lse, b_i, or what centres inline's weights */
    float factor;  /* c_i of softplus */
    float inverse; /* 1 / sum, 1 / eta */
    float delta;   /* subtracted from D */
    float length;  /* n of the row */
    float offset;  /* softplus-reweight: off_i */
    float peak;    /* softplus-reweight: 1 / ymax, 0 for a row without weights */
    float power_inverse, lean; /* 1 / sum r; sum_j dP_j P_j */
} ga__back_row;

typedef struct ga__back_tile {
    int64_t rows, places; /* in use, <= GA__BACK */
    int64_t dim, dim_v, stride,
        stride_v;                /* strides of packed rows: dim and dim_v rounded up, padded with zeros */
    const float *q, *grad_o, *k; /* rows packed one after another */
    const float *k_across, *v_across; /* (dim, 64), (dim_v, 64): places across */
    float *dq, *dk, *dv;              /* added to; NULL = not wanted */
    const uint64_t *mask;             /* bit j of mask[i]: row i sees place j; NULL = all of them */
    bool contained; /* all inputs are finite or nothing is masked: what is masked may be multiplied by 0 */
    ga__back_row *row;
    float *scores, *pulls; /* scratch, 64 x 64 each */
    float *slack;          /* scratch: derivative of the score by the product; NULL = 1 */
    float *bare;           /* scratch: derivative of the score by the factor of the key; NULL = not wanted */
    float *raw;            /* filled with ds before the soft cap; NULL = not wanted */
    /* score and normaliser */
    ga_normaliser_kind kind;
    float scale, softcap;
    double power;
    bool dressed;         /* there is a soft cap or something is added to the products */
    int64_t query, place; /* of the first row and column */
    int64_t head;
    const ga__attention *a;
    float slope;
    /* terms of the places, 64 each; NULL = none. Rows below gain_row have no gain. */
    const float *key_bias, *key_factor, *key_gain;
    int64_t gain_row;
    float *bias_sums,
        *factor_sums; /* 64 each, filled: sums over the rows of ds, and of ds bare; NULL = not wanted */
} ga__back_tile;

typedef struct ga__back_ops {
    /* Packs rows of a (batch, head) times factor, padded with zeros, and across when not NULL; false when
     * some number is not finite. */
    bool (*pack)(const ga__view *from, int64_t batch, int64_t head, int64_t first, int64_t rows, float factor,
                 int64_t stride, float *to, float *across);
    void (*first_sweep)(const ga__back_tile *tile);
    void (*second_sweep)(const ga__back_tile *tile); /* softplus-reweight alone */
    void (*gradients)(const ga__back_tile *tile);
} ga__back_ops;

extern const ga__back_ops ga__back_ops_scalar, ga__back_ops_avx2, ga__back_ops_avx512;

#endif
