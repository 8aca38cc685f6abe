/* landmark_tile.h - a few queries of a head with their scores and weights; for landmark_tile.c and landmark_backward.c. */
#ifndef GA_ATTENTION_LANDMARK_TILE_H
#define GA_ATTENTION_LANDMARK_TILE_H

#include "attention/dynamic/landmark.h"
#include "lib/engine/gemm/gemm.h"
#include "lib/engine/grouped/grouped.h"
#include "lib/engine/rowwise/rowwise.h"

enum { GA__LANDMARK_ROWS = 48 }; /* of a tile: a multiple of the product's 6 */

/* Everything of a call. */
typedef struct ga__landmark_call {
    ga__job *run;
    ga__landmarks m;
    ga__selecting s;
    const ga__gemm_kernels *gemm;
    const ga__grouped_kernels *grouped;
    const ga__rowwise_kernels *rowwise;
    DLTensor *cast[3];   /* owned: bf16 inputs as f32 */
    ga__view q, k, v;    /* in the working type */
    bool wide, careful;  /* careful: some input is not finite, what has no weight is left out of products */
    int64_t size, tiles; /* bytes of a number; tiles of a head */
} ga__landmark_call;

/* To be closed in any case. */
ga_status ga__landmark_open(ga__job *run, ga__landmark_call *call);
void ga__landmark_close(ga__landmark_call *call);

/* Memory of a thread. s, t: (rows, keys): weights, and what the backward pass makes of them. */
typedef struct ga__landmark_tile {
    const ga__landmark_call *call;
    int64_t batch, head, query, rows, limit; /* keys below limit are seen by some row */
    char *q, *s, *t, *o, *scratch;           /* owned, as all below: (rows, dim), .., (rows, dim_v) */
    int32_t *blocks;                         /* (rows, count): chosen by every row */
    int64_t *counts;                         /* (rows) */
    double *mass;                            /* (rows, count + 1): of every block, own mass last */
    double *lse;                             /* (rows) */
    uint8_t *needed;                         /* (count + 1): blocks that some row reads */
    ga__span *spans;                         /* of needed keys, joined */
    int64_t span_count;
} ga__landmark_tile;

ga_status ga__landmark_tile_make(const ga__landmark_call *call, bool backward, ga__landmark_tile *tile);
void ga__landmark_tile_free(ga__landmark_tile *tile);

/* Weights of tile `number` of a head into s, with counts, blocks, mass and lse; 0 in the spans where there is none. */
void ga__landmark_weigh(ga__landmark_tile *tile, int64_t batch, int64_t head, int64_t number);

/* A product with one operand of the tile: c = alpha op(a) op(b) + beta c. */
typedef struct ga__landmark_product {
    bool transpose_a, transpose_b;
    double alpha, beta;
    int64_t m, n, k;
    const void *a, *b;
    void *c;
    int64_t lda, ldb, ldc;
} ga__landmark_product;
void ga__landmark_multiply(const ga__landmark_tile *tile, const ga__landmark_product *p);

/* Own keys of a row: [first, last) in the open part of its block. */
ga__span ga__landmark_own(const ga__landmark_tile *tile, int64_t row);

#endif
