/* pattern.h - patterns as the kernels see them: keys in "places".
 *
 * A place is what a kernel calls a key: the places 0 .. places - 1 are the real keys of the grid in order, with
 * ghosts among them where the border has ghosts (the grid is padded), then the extra keys. Where there are
 * neither ghosts nor extra keys, place j is key j and `real` is NULL.
 */
#ifndef GA_LIB_ENGINE_PATTERN_H
#define GA_LIB_ENGINE_PATTERN_H

#include <graphattn/engine.h>

#include "lib/engine/pattern/planning.h"

typedef struct ga__run {
    int64_t first, last; /* places first .. last - 1 */
} ga__run;

typedef enum ga__source {
    GA__SOURCE_PRODUCT,
    GA__SOURCE_BLOCKS,
    GA__SOURCE_EXPLICIT,
    GA__SOURCE_SELECTED
} ga__source;

enum { GA__NO_CELL = INT32_MIN / 2 };

struct ga_pattern {
    ga__source source;
    int64_t heads; /* 1, or as many as the problem's query heads */
    int64_t queries, keys, places;
    bool causal;       /* already applied by row functions */
    bool ghosts;       /* some places are ghosts */
    int64_t extra;     /* extra keys: the last places */
    int64_t most_runs; /* of any row */
    /* (places): key of a place, -1 - x for extra key x, INT32_MIN for a ghost; NULL = identity */
    int32_t *real;
    /* Relative tables: the pair (query i, place j) reads cell origin + key_cell[j] - query_cell[i] when that
     * is within 0 .. cells - 1, else it has no bias. NULL: the pattern has no table. table_shape: cells per
     * axis. */
    int32_t *query_cell, *key_cell;
    int64_t cells, origin;
    int table_axes;
    int64_t table_shape[3];
    ga_product_options product; /* of GA__SOURCE_PRODUCT */
    struct ga__axis_state *axes;
    int64_t block_query, block_key, blocks_query, blocks_key; /* of GA__SOURCE_BLOCKS */
    uint8_t *block_map;                                       /* (heads, blocks_query, blocks_key) */
    int64_t *offsets; /* of GA__SOURCE_EXPLICIT: rows ascending, without duplicates, causal applied */
    uint32_t *indices;
    int64_t *edge;                 /* place of an entry in the caller's order; NULL = identity */
    int64_t given;                 /* entries that the caller gave */
    const ga_selection *selection; /* of GA__SOURCE_SELECTED; borrowed */
    int64_t entry;                 /* of its batch */
    ga__run *bands;        /* of a selection with diagonals: distances that follow each other, by head */
    int64_t *band_offsets; /* (heads of lists + 1) */
};

/* The places that a query sees, as ascending runs that do not touch each other; runs has room for most_runs.
 * Returns their number. Any thread. */
int64_t ga__pattern_row(const ga_pattern *pattern, int64_t head, int64_t query, ga__run *runs);
/* n of the row: its visible real and extra keys, ghosts not counted. */
int64_t ga__pattern_length(const ga_pattern *pattern, int64_t head, int64_t query);
/* Index of query head h into what is kept per head. */
static inline int64_t ga__pattern_head(const ga_pattern *pattern, int64_t head)
{
    return pattern->heads == 1 ? 0 : head;
}
/* Cell of the relative table, -1 for none. */
static inline int64_t ga__pattern_cell(const ga_pattern *pattern, int64_t query, int64_t place)
{
    int64_t cell = pattern->origin + pattern->key_cell[place] - pattern->query_cell[query];
    return cell >= 0 && cell < pattern->cells ? cell : -1;
}

#endif
