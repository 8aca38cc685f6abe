/* lists.h - the edges of a call on a device, and how its warps take them: for launch structs and for kernels.
 *
 * A unit of work is a row with at most GA__CHUNK edges or a chunk of a longer one: units 0 .. rows - 1 are the rows, the
 * others the pieces, of which only chunks count. What a chunk comes to goes to its slot; another launch merges the slots
 * of every hub in their order, so that nothing depends on a schedule.
 */
#ifndef GA_LIB_ENGINE_SPMM_LISTS_H
#define GA_LIB_ENGINE_SPMM_LISTS_H

#include "lib/engine/spmm/pieces.h"

/* Columns and heads that kernels over edges can count. */
enum { GA__EDGE_COLUMNS = 1 << 20 };

typedef struct ga__edge_lists {
    int64_t rows, count, pieces, hubs, slots; /* pieces is 0 without hubs */
    const int64_t *offsets;
    const uint32_t *ids;
    const int64_t *edge; /* place of an entry in the arrays over edges; NULL = its own */
    const ga__piece *piece;
    const ga__hub *hub;
} ga__edge_lists;

#endif
