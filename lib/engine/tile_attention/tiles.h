/* tiles.h - the forward pass by tiles: strips of a few queries times blocks of 64 places.
 *
 * An item is a block of queries of one or some heads of a group. It goes over the blocks of places that it
 * sees; keys are packed with places across, values row by row (tile_panel.h: once for all items of a head),
 * and every strip of the item does
 *   scores (strip x 64) -> weights -> acc += weights v
 * before the next block comes. Nothing of size queries x keys is kept. One thread does an item from its first
 * block to its last, so that sums have a fixed order.
 */
#ifndef GA_LIB_ENGINE_TILES_H
#define GA_LIB_ENGINE_TILES_H

#include "lib/engine/attention/attention.h"
#include "lib/engine/pattern/box.h"

enum {
    GA__TILE = 64 /* places of a block */,
    GA__STRIP = 6 /* queries of a strip */,
    GA__LANES = 16 /* packed rows: multiples */,
    GA__AHEAD = 16 /* rows that a strip fetches beside its scores, and as many beside its values */
};

typedef enum ga__tile_pass {
    GA__TILE_ONLINE =
        0, /* weights, their sums, and what they make of the values, relative to the running maximum */
    GA__TILE_SUMS, /* maximum and sums alone */
    GA__TILE_FINAL /* normalised weights: a(s) inverse + lift */
} ga__tile_pass;

/* What the rows of a strip gather and need; one entry per row. */
typedef struct ga__tile_rows {
    float *max;  /* softmax: what weights are relative to, in powers of two; softplus-reweight: largest a */
    float *sums; /* (rows, GA__LANES): partial sums of the weights */
    float *shift, *factor;        /* sigmoid: b; softplus: c */
    float *inverse, *lift;        /* of FINAL */
    float *share, *offset, *peak; /* softplus-reweight: n / sum a; offset; 1 / largest y */
} ga__tile_rows;

/* Terms of the keys of a block for every row of a strip, 64 each; NULL = none. */
typedef struct ga__tile_terms {
    const float *bias[GA__STRIP], *factor[GA__STRIP], *gain[GA__STRIP];
} ga__tile_terms;

typedef struct ga__strip {
    int rows;
    int low, high;        /* columns in use: low <= j < high */
    const uint64_t *mask; /* bit j of mask[i]: row i sees place j of the block; NULL = all */
    bool careful;         /* values hold what is not finite: masked weights must not meet them */
    ga_normaliser_kind kind;
    ga__tile_pass pass;
    bool second;                     /* softplus-reweight: the powers */
    int64_t depth, stride, stride_v; /* depth: floats of a packed row of q and k */
    const float *q, *k, *v;          /* (rows, stride), (depth, 64), (64 / paired, stride_v) */
    float scale;                     /* paired: what q was not multiplied by */
    /* (rows, stride_acc): of every class stride_v values, then of every class GA__LANES partial sums of its weights;
     * without classes stride_v values alone. NULL = not wanted. */
    float *acc;
    int64_t stride_acc;
    int classes;                  /* 0 = none */
    const uint64_t *const *label; /* bit j of label[i][c]: for row i place j is of class c */
    ga__tile_rows row;
    bool dressed; /* softcap or bias: scores are not in powers of two yet */
    float softcap;
    const float *bias; /* (GA__STRIP, 64) or NULL */
    const ga__tile_terms *terms;
    float power;
    const char *const
        *ahead;     /* (GA__AHEAD) rows of 256 bytes to fetch for later, beside the products; NULL = none */
    float *weights; /* (GA__STRIP, 64): filled by weigh, read by apply */
} ga__strip;

/* Of bf16 products (paired 2) what is packed holds pairs in the 32 bits of a float: two neighbours of a row
 * of q and k, two rows of v. Extents of packed arrays count floats. */
typedef struct ga__tile_ops {
    /* Packs rows of a (batch, head) times factor (paired: its sign alone), zeros up to stride. */
    void (*pack)(const ga__view *from, int64_t batch, int64_t head, int64_t first, int64_t rows, float factor,
                 int64_t stride, float *to);
    /* Packs up to 64 rows across: to[d * 64 + row], 0 behind the last. place: which rows, NULL = those from first on. */
    void (*pack_across)(const ga__view *from, int64_t batch, int64_t head, const int32_t *place,
                        int64_t first, int64_t rows, float *to);
    /* Packs up to 64 rows of values, zeros up to stride and behind the last. */
    void (*pack_values)(const ga__view *from, int64_t batch, int64_t head, const int32_t *place,
                        int64_t first, int64_t rows, int64_t stride, float *to);
    bool (*is_finite)(const float *values, int64_t count); /* count: a multiple of GA__LANES */
    void (*weigh)(const ga__strip *strip);
    void (*apply)(const ga__strip *strip);
    double (*total)(const float *sums); /* of GA__LANES */
    /* acc times factor as a row of f32, bf16 or f16. */
    void (*store_row)(const float *acc, int64_t count, float factor, ga__type type, void *to);
    /* The same as f32 past the caches: count a multiple of GA__LANES, to aligned to 64 bytes. fence: behind the last. */
    void (*stream_row)(const float *acc, int64_t count, float factor, float *to);
    void (*fence)(void);
    int paired;
} ga__tile_ops;
extern const ga__tile_ops ga__tile_ops_scalar, ga__tile_ops_avx2, ga__tile_ops_avx512, ga__tile_ops_bf16;

/* ---- which blocks a strip sees ---- */

/* The runs of the rows of an item, with a cursor for each row. */
typedef struct ga__tile_runs {
    ga__run *runs; /* grows; owned */
    int64_t room;
    int64_t *at, *end; /* (listed rows): the runs of a row; owned */
    int64_t *cursor;   /* (rows): first run that is not behind; owned */
    int64_t listed;    /* rows r and r + listed see the same */
} ga__tile_runs;

/* Where a strip stands. Blocks within [from, to) are seen by all of its rows. */
typedef struct ga__tile_cursor {
    int64_t next; /* the next place that any row sees, INT64_MAX for none */
    int64_t from, to;
} ga__tile_cursor;

ga_status ga__tile_runs_make(ga_context *context, int64_t rows, ga__tile_runs *runs);
void ga__tile_runs_free(ga_context *context, ga__tile_runs *runs);
/* Lists the runs of `queries` queries from the first for pattern heads head .. head + heads - 1. */
ga_status ga__tile_runs_list(ga_context *context, const ga_pattern *pattern, int64_t head, int64_t heads,
                             int64_t first, int64_t queries, ga__tile_runs *runs);
/* The same for the queries of a box, in local places. */
ga_status ga__tile_runs_box(ga_context *context, const ga__boxes *boxes, const ga__box *box,
                            ga__tile_runs *runs);
/* Cursors to the first run that reaches beyond place; only forward unless rewind. */
ga__tile_cursor ga__tile_seek(ga__tile_runs *runs, int64_t row, int rows, int64_t place, bool rewind);
/* Masks of the rows at the block that starts at place; returns what any row sees. */
uint64_t ga__tile_masks(const ga__tile_runs *runs, int64_t row, int rows, int64_t place, uint64_t *mask);

#endif
