/* tile_item.h - what the files of the tiles' forward pass share. */
#ifndef GA_LIB_ENGINE_TILE_ITEM_H
#define GA_LIB_ENGINE_TILE_ITEM_H

#include "lib/base/workers.h"
#include "lib/engine/pattern/box.h"
#include "lib/engine/tile_attention/tile_panel.h"
#include "lib/engine/tile_attention/tile_terms.h"

/* Strips that go over the keys of a block before its values: one of the two at a time is in the cache. */
enum { GA__GROUP = 4 };

typedef struct ga__tiles {
    ga_context *context;
    const ga__attention *a;
    const ga__tile_ops *ops;
    ga__view o, lse;
    ga__statistics statistics;
    const ga_post *classwise; /* NULL = none */
    bool dressed, biased;
    int64_t depth, stride, stride_v, stride_acc;
    bool direct;   /* values are used where they are */
    bool streamed; /* what is stored goes past the caches: more than they hold */
    ga__tile_packed_terms terms;
    /* A post step whose classes have values and sums of their own, in one pass: 0 = none. The last class is that of places
     * without a label, where there are such. */
    int classes;
    uint64_t *label; /* owned: (batch|1, heads|1, blocks, classes) */
    ga__panels panels;
    /* An item: rows_query queries of rows_head heads of a group, and one of `splits` parts of the places. */
    int64_t rows_query, rows_head, blocks_query, blocks_head, splits, split_places, items;
    int64_t at_once; /* items that a thread takes at a time */
    bool boxed;      /* the queries of an item are a box of the grid, and its places local ones */
    ga__boxes boxes; /* owned */
    /* Items that one thread does in order; their column sums are kept apart. */
    int64_t per_chunk, chunks;
    double *columns;                        /* (batch, heads, chunks, keys) */
    float *part_acc, *part_sums, *part_max; /* of every item when places are split */
    int64_t next;
    int status;
} ga__tiles;

/* Statistics of a row while it goes over its blocks. */
typedef struct ga__tile_tally {
    double entropy, max;
    int64_t argmax, count; /* count: entries of the heap */
    bool nan;
} ga__tile_tally;

/* Scratch memory of one thread. */
typedef struct ga__tile_room {
    float *q, *acc, *k, *v;
    float *rows; /* owns the arrays of row */
    ga__tile_rows row;
    float weights[GA__GROUP][GA__STRIP * GA__TILE], bias[GA__STRIP * GA__TILE];
    uint64_t mask[GA__GROUP][GA__STRIP];
    const uint64_t *label[GA__GROUP][GA__STRIP];
    ga__tile_terms terms;
    ga__tile_runs runs;
    ga__tile_cursor *cursor; /* of every strip */
    /* Queries and places of the boxes of two items, the one in work and the one after it; listed: whose they are. */
    int64_t *query[2], listed[2];
    int32_t *place[2];
    int64_t *length; /* n of every row */
    /* statistics and post */
    ga__tile_tally *tally;
    double *mass, *post_mass; /* (rows, classes) */
    float *factors;           /* (rows, classes of post) */
    float *top_weight;        /* (rows, top_k): heaps */
    int32_t *top_key;
} ga__tile_room;

/* The item that a thread works on. */
typedef struct ga__tile_item {
    ga__tiles *tiles;
    ga__tile_room *room;
    ga__panel *panel; /* NULL = packs into its room */
    int64_t number, batch, kv, head, heads, query, queries, rows;
    int64_t from, to, places;
    ga__box box;
    const struct ga__tile_item *next; /* what the thread does next, where it is known */
    /* The queries and the places of a box; NULL = they follow each other from `query` and from 0. */
    const int64_t *order;
    const int32_t *place;
    double *columns; /* of the item's head, or NULL */
} ga__tile_item;

/* Row r of an item is query query + r % queries of head head + r / queries. */
static inline int64_t ga__tile_head(const ga__tile_item *item, int64_t r)
{
    return r < item->queries ? item->head : item->head + r / item->queries;
}
static inline int64_t ga__tile_query(const ga__tile_item *item, int64_t r)
{
    int64_t i = r < item->queries ? r : r % item->queries;
    return item->order ? item->order[i] : item->query + i;
}
/* The place that the item calls j. */
static inline int64_t ga__tile_place(const ga__tile_item *item, int64_t j)
{
    return item->place ? item->place[j] : j;
}

/* Rows of an item at most. */
static inline int64_t ga__tile_most_rows(const ga__tiles *tiles)
{
    return tiles->rows_query * tiles->rows_head;
}

ga_status ga__tile_room_make(const ga__tiles *tiles, ga__tile_room *room);
void ga__tile_room_free(const ga__tiles *tiles, ga__tile_room *room);
void ga__tile_item_run(ga__tile_item *item);
/* Puts the parts of the items from `number` on together, in their order, and stores the rows. */
void ga__tile_item_join(ga__tile_item *item);

/* Keeps the rows of the room as part `number`. */
void ga__tile_part_keep(const ga__tile_item *item);

/* Rows before the first pass: queries packed, sums empty. */
void ga__tile_rows_start(const ga__tile_item *item);
void ga__tile_sums_clear(const ga__tile_item *item);
/* softplus-reweight: rows before the pass over the powers. */
void ga__tile_powers_start(const ga__tile_item *item);
/* Rows before a pass with normalised weights. */
void ga__tile_final_start(const ga__tile_item *item, bool second);
void ga__tile_lse_store(const ga__tile_item *item);
/* divide: by what the weights sum to. */
void ga__tile_rows_store(const ga__tile_item *item, bool divide, bool second);

/* What follows the weights of a strip: the values, nothing but sums for statistics and post steps, or the post step
 * and then the values. */
typedef enum ga__tile_end { GA__END_PLAIN = 0, GA__END_TALLY, GA__END_POST } ga__tile_end;
void ga__tile_pass_run(const ga__tile_item *item, ga__tile_pass pass, bool second, ga__tile_end end);

/* What is added to the scores of rows row .. row + rows - 1 at the block that starts at place. */
void ga__tile_bias(const ga__tile_item *item, int64_t row, int rows, int64_t place);

void ga__tile_tally_start(const ga__tile_item *item);
/* Adds finished weights of a strip at a block: mask as in the strip. */
void ga__tile_tally_add(const ga__tile_item *item, const ga__strip *strip, int64_t row, int64_t place);
void ga__tile_tally_store(const ga__tile_item *item);
/* Masses of the classes of a post step, its factors, and the weights times them. */
void ga__tile_post_add(const ga__tile_item *item, const ga__strip *strip, int64_t row, int64_t place);
void ga__tile_post_factors(const ga__tile_item *item);
void ga__tile_post_apply(const ga__tile_item *item, const ga__strip *strip, int64_t row, int64_t place);

/* Labels of all places for tiles->classes, before the pass. */
ga_status ga__tile_labels_make(ga__tiles *tiles);
/* Points to the labels of rows row .. row + rows - 1 at the block that starts at place. */
void ga__tile_labels(const ga__tile_item *item, int64_t row, int rows, int64_t place, const uint64_t **label);
/* Values of row r become the sum of those of its classes times the factors of the post step; inverse: 1 / what the
 * weights are divided by. */
void ga__tile_fold(const ga__tile_item *item, int64_t r, double inverse);

#endif
