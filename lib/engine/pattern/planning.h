/* planning.h - what those who plan a problem may ask of a pattern, without its inside. */
#ifndef GA_LIB_ENGINE_PATTERN_PLANNING_H
#define GA_LIB_ENGINE_PATTERN_PLANNING_H

#include <graphattn/engine.h>

#include "lib/base/base.h"

/* Refuses numbers of queries and keys that are negative or do not fit an int32_t. */
ga_status ga__pattern_check_sizes(ga_context *context, int64_t queries, int64_t keys);
/* A pattern of lists that exist: rows ascending, without duplicates, numbers below keys. Keeps both arrays
 * and sets the pointers to NULL, on failure they stay the caller's. The order of the edges is that after the
 * causal cut. Returns owned. */
ga_status ga__pattern_adopt(ga_context *context, int64_t queries, int64_t keys, int64_t **offsets,
                            uint32_t **indices, bool causal, ga_pattern **pattern);
/* Axes of the relative table and their cells; 0 where there is none. */
int ga__pattern_table(const ga_pattern *pattern, int64_t cells[3]);
/* Places: real keys, ghosts, extra keys. */
int64_t ga__pattern_places(const ga_pattern *pattern);
bool ga__pattern_has_ghosts(const ga_pattern *pattern);
/* (heads, rows, columns), borrowed; NULL for what is not made of blocks. */
const uint8_t *ga__pattern_block_map(const ga_pattern *pattern, int64_t *rows, int64_t *columns);

#endif
