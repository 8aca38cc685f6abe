/* paged_sets.h - query rows that look at the same keys, those keys as segments, and the segments cut into items. */
#ifndef GA_LIB_ENGINE_PAGED_SETS_H
#define GA_LIB_ENGINE_PAGED_SETS_H

#include "lib/engine/paged_attention/paged.h"

/* Keys first .. last - 1, seen by these tokens. */
typedef struct ga__paged_segment {
    int32_t first, last;
    uint32_t tokens;
} ga__paged_segment;

/* The rows of heads head .. head + heads - 1 of a key/value head: row r is token r / heads of head + r % heads. */
typedef struct ga__paged_set {
    int64_t batch, kv, head;
    int heads;
    int64_t segment, segments; /* of all segments: where they start, how many */
    int64_t item, items;
} ga__paged_set;

/* At most GA__PAGED_ITEM keys of a set, from key `offset` of a segment on. */
typedef struct ga__paged_cut {
    int64_t set, segment;
    int32_t offset, count;
} ga__paged_cut;

typedef struct ga__paged_sets {
    ga__paged_set *sets; /* owned, as all of these */
    ga__paged_segment *segments;
    ga__paged_cut *cuts;
    int64_t set_count, segment_count, cut_count;
    int64_t segment_room, cut_room;
} ga__paged_sets;

/* On failure, too, ga__paged_sets_free is due. */
ga_status ga__paged_sets_make(ga_context *context, const ga__paged *problem, ga__paged_sets *sets);
void ga__paged_sets_free(ga_context *context, ga__paged_sets *sets);

#endif
