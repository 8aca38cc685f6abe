/* tile_device.h - attention by tiles on a device: what a launch needs. Members as in ga__attention. */
#ifndef GA_LIB_ENGINE_TILE_DEVICE_H
#define GA_LIB_ENGINE_TILE_DEVICE_H

#include <graphattn/engine.h>

#include "lib/engine/device/matrix.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GA__DEVICE_TILE = 64, GA__DEVICE_TILE_WIDTH = 256 /* columns of a head at most */ };

/* The blocks of 64 places that the 64 queries of a block see, ascending, by (pattern head, block of queries). */
typedef struct ga__tile_lists {
    int64_t heads, blocks;  /* heads: 1, or those of q */
    const int64_t *offsets; /* (heads * blocks + 1) */
    const int32_t *place;   /* first place of a block */
    const int32_t *mask;    /* -1: every query sees every place; else its 64 words in masks */
    const uint64_t *masks;  /* bit j of word i: query i of the block sees place j of the block */
} ga__tile_lists;

/* What scores have beside the products of rows; NULL = none. All of one (batch, head) are found by these strides. */
typedef struct ga__tile_dress {
    float softcap; /* 0 = off */
    const void *bias;
    int bias_type;
    int64_t bias_stride_head, bias_stride_row;
    const float *table;
    int64_t table_stride_head, cells, origin;
    const int32_t *query_cell, *key_cell;
    const float *slopes; /* (heads) */
    int64_t shift;
    const int32_t *real; /* (places): key of a place, below 0 for none */
    /* (batch|1, heads|1, column_places) */
    const float *column_bias, *column_factor, *column_gain;
    int64_t column_places, gain_from;
    int64_t bias_step[2], factor_step[2], gain_step[2]; /* from a batch entry, a head to the next */
} ga__tile_dress;

typedef struct ga__tile_forward_launch_args {
    ga__tile_lists lists;
    ga__device_matrix q, k, v;
    int64_t batch, heads, group, queries, places, dim, dim_v;
    int aligned; /* rows of q, k and v are whole, aligned units of 16 bytes */
    int kind;    /* ga_normaliser_kind */
    float scale, eps;
    const float *shift, *factor; /* (lists.heads, queries): of sigmoid, of softplus; NULL = 0, 1 */
    const float *eta;            /* (batch, heads, queries): of norm-attention */
    const float *head_scale;     /* (heads); NULL = 1 */
    int dressed;
    ga__tile_dress dress;
    void *o; /* contiguous */
    int o_type;
    float *lse; /* contiguous */
    /* Parts of the list of a block of queries, put together at the end where there are several: (rows, splits, dim_v) sums
     * of values, (rows, splits, 2) maxima in powers of two and sums of weights; rows = batch * heads * queries. */
    int64_t splits;
    float *part_o, *part_stat;
} ga__tile_forward_launch_args;

/* places: the blocks of queries that see the places of a block, ascending, by (head of the lists, block of places): place is
 * the first query, mask as in forward.lists. forward has splits 1, and of softmax o and lse in f32, which are written. */
typedef struct ga__tile_backward_launch_args {
    ga__tile_forward_launch_args forward;
    ga__tile_lists places;
    ga__device_matrix grad_o;
    float *dots;                     /* (batch, heads, queries) */
    float *grad_q, *grad_k, *grad_v; /* contiguous; NULL = not wanted */
} ga__tile_backward_launch_args;

int ga__tile_backward_launch(const ga__tile_backward_launch_args *args, void *stream);
int ga__tile_forward_launch(const ga__tile_forward_launch_args *args, void *stream);

#ifdef __cplusplus
}
#endif

#endif
