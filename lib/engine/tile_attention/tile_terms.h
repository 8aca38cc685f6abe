/* tile_terms.h - terms of keys in a score, packed by place for tiles. */
#ifndef GA_LIB_ENGINE_TILE_TERMS_H
#define GA_LIB_ENGINE_TILE_TERMS_H

#include "lib/engine/tile_attention/tiles.h"

/* (batch|1, heads|1, places) of each, places rounded up to whole blocks; NULL = none. Owned. Ghosts, extra keys and what
 * lies behind the last place have the factor 1 and nothing else. */
typedef struct ga__tile_packed_terms {
    float *bias, *factor, *gain;
    int64_t places;
} ga__tile_packed_terms;

ga_status ga__tile_terms_pack(ga_context *context, const ga__attention *a, ga__tile_packed_terms *terms);
void ga__tile_terms_free(ga_context *context, ga__tile_packed_terms *terms);

/* Those of a (batch, head) from place on; NULL without such a term. */
static inline const float *ga__tile_term(const ga__tile_packed_terms *terms, const ga__view *term,
                                         const float *packed, int64_t batch, int64_t head, int64_t place)
{
    int64_t slice = (term->heads == 1 ? 0 : batch) * term->rows + (term->rows == 1 ? 0 : head);
    return packed ? packed + slice * terms->places + place : NULL;
}

struct ga__tile_item;
/* Of rows row .. row + rows - 1 of an item at the block that starts at place. */
void ga__tile_terms_at(const struct ga__tile_item *item, int64_t row, int rows, int64_t place,
                       ga__tile_terms *terms);

#endif
