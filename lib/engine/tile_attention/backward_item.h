/* backward_item.h - what the files of the tiles' backward pass share.
 *
 * The queries of every (batch, key/value head) are cut into chunks, by sizes alone. A part, that is one chunk
 * of one (batch, key/value head) with all query heads of the group, owns its rows of dq and goes over the
 * places it sees block by block, so that scores are computed once for dq, dk and dv. Its dk and dv go to rows
 * of its own and are summed over the chunks in their order at the end.
 */
#ifndef GA_LIB_ENGINE_BACKWARD_ITEM_H
#define GA_LIB_ENGINE_BACKWARD_ITEM_H

#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/tile_attention/backward_tile.h"
#include "lib/engine/tile_attention/tile_terms.h"

/* Blocks of places [first, last) that some query sees. */
typedef struct ga__back_range {
    int64_t first, last;
} ga__back_range;

typedef struct ga__back {
    ga_context *context;
    const ga__attention *a;
    const ga__back_ops *ops;
    ga__view grad_o, o, lse;                                  /* o and lse empty unless both are given */
    ga__view q, k, v, bias, table, slopes, sigmoid_bias, eta; /* gradients; empty where not wanted */
    bool want_k, want_v; /* for k or v itself, or for its ghosts and extra places */
    bool first_sweep, second_sweep, want_raw;
    int64_t stride, stride_v;
    /* chunks */
    int64_t blocks, blocks_per_chunk, chunks; /* of queries */
    ga__back_range *block_range;              /* (pattern heads, blocks) */
    ga__back_range *range;                    /* (kv_heads, chunks) */
    int64_t *start, rows_per_batch;           /* first row of (kv_heads, chunks) in what follows */
    float *part_k, *part_v;                   /* (batch, rows_per_batch, stride) */
    /* Reductions: per part the table's cells, slopes by head of the group, and the sigmoid's bias. */
    double *sums;
    int64_t sums_per_part, table_rows, cells; /* table_rows: 1 or heads of a group */
    ga__tile_packed_terms terms;
    ga__view column_bias, column_factor; /* gradients; empty where not wanted */
    double *bias_sums, *factor_sums;     /* (parts, group, places) */
    float *places_k, *places_v;          /* gradients by place where a place is not simply a key */
    int64_t next;
    int status;
} ga__back;

/* Scratch memory of one thread. */
typedef struct ga__back_room {
    float *q, *grad_o, *dq; /* (group, chunk rows, stride) */
    ga__back_row *row;      /* (group, chunk rows) */
    bool *finite;           /* (group, chunk blocks): q and grad_o */
    float *k, *v, *k_across, *v_across;
    float *scores, *pulls, *slack, *raw, *bare; /* 64 x 64 */
    float bias_sums[GA__BACK], factor_sums[GA__BACK];
    uint64_t *mask; /* 64 */
    float *values;  /* two rows: of grad_o and of o */
    ga__run *runs;  /* of the rows of the part; grows */
    int64_t runs_room;
    int64_t *run_at, *cursor; /* (1|group, chunk rows): a row's runs, and the first that is not behind */
    int64_t *next;            /* (1|group, chunk blocks): block of places that a block of queries sees next */
} ga__back_room;

/* One part. */
typedef struct ga__back_part {
    ga__back *back;
    ga__back_room *room;
    int64_t batch, kv, chunk;
    int64_t first, rows, blocks; /* queries */
    double *sums;
} ga__back_part;

void ga__back_part_run(ga__back *back, ga__back_room *room, int64_t batch, int64_t kv, int64_t chunk);

ga_status ga__back_room_make(const ga__back *back, ga__back_room *room);
void ga__back_room_free(const ga__back *back, ga__back_room *room);

/* Constants of a head's rows before the sweeps, after the first and after the second. */
void ga__back_rows_start(const ga__back_part *part, int64_t member);
void ga__back_rows_first(const ga__back_part *part, int64_t member);
void ga__back_rows_second(const ga__back_part *part, int64_t member);

/* The terms of keys: packed, with sums for their gradients; a tile aimed at them; its sums added to those of the part;
 * the sums of the parts as gradients. */
ga_status ga__back_terms_make(ga__back *back, const ga_attention_gradients *g);
void ga__back_terms_free(ga__back *back);
void ga__back_terms_aim(const ga__back_part *part, ga__back_tile *tile);
void ga__back_terms_add(const ga__back_part *part, const ga__back_tile *tile);
void ga__back_terms_store(const ga__back *back);

/* Fills block_range; chooses the chunks and finds their ranges. */
ga_status ga__back_plan(ga__back *back);

/* A row of an output. */
static inline void ga__back_store(const ga__view *view, int64_t batch, int64_t head, int64_t row,
                                  const float *values)
{
    if (view->type == GA__F32) {
        memcpy(ga__view_row(view, batch, head, row), values, (size_t)view->columns * sizeof *values);
    } else {
        ga__view_store_f32(view, batch, head, row, values);
    }
}

static inline int64_t ga__back_chunk_rows(const ga__back *back)
{
    return back->blocks_per_chunk * GA__BACK;
}

#endif
