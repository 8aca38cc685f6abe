/* axis.h - one axis of a product pattern: which coordinates a query sees. For lib/engine/pattern only. */
#ifndef GA_LIB_ENGINE_PATTERN_AXIS_H
#define GA_LIB_ENGINE_PATTERN_AXIS_H

#include "lib/engine/pattern/pattern.h"

/* Coordinates first, first + step, ...; step belongs to the axis. */
typedef struct ga__range {
    int64_t first, count;
} ga__range;

/* An axis that was checked. The places of the axis are the coordinates -before .. padded - before - 1. */
struct ga__axis_state {
    ga_axis axis;
    int64_t step;
    int64_t before, padded;
    int64_t most; /* no query sees more places */
};

/* Checks the axis and fills *state; number is its place in the caller's list, for messages. */
ga_status ga__axis_prepare(ga_context *context, int number, const ga_axis *axis,
                           struct ga__axis_state *state);
/* Coordinate of query y among the keys. */
int64_t ga__axis_position(const ga_axis *axis, int64_t y);
/* What query y sees; with a border of ghosts also coordinates outside 0 .. key_length - 1. */
ga__range ga__axis_range(const struct ga__axis_state *state, int64_t y);
/* The part of a range in low .. high - 1. */
ga__range ga__range_cut(ga__range range, int64_t step, int64_t low, int64_t high);
/* Coordinates of the range below x. */
int64_t ga__range_below(ga__range range, int64_t step, int64_t x);
/* Sum over y of the real keys that y sees. */
int64_t ga__axis_pairs(const struct ga__axis_state *state);

/* The relative table of the axis (attention-static 0.7): the pair of query y and key coordinate k reads cell
 * origin + key(k) - query(y). Returns the number of cells, 0 where the rule has no table. */
int64_t ga__axis_cells(const ga_axis *axis, int64_t *origin);
int64_t ga__axis_key_cell(const struct ga__axis_state *state, int64_t k);
int64_t ga__axis_query_cell(const struct ga__axis_state *state, int64_t y);

#endif
