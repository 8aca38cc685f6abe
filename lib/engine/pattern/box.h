/* box.h - the queries of a product pattern in boxes, and for each the box of places that they see.
 *
 * The queries of an axis are cut into pieces: progressions with the step of the axis, which see a progression of
 * coordinates with the same step. A box is a product of pieces, one of every axis. Its queries and the places that
 * some of them see, both row-major, are numbered within the box; "local" places keep the order of the places, and
 * the extra keys follow them.
 */
#ifndef GA_LIB_ENGINE_PATTERN_BOX_H
#define GA_LIB_ENGINE_PATTERN_BOX_H

#include "lib/engine/pattern/axis.h"

enum { GA__BOX_AXES = 3 };

/* Queries first, first + step, ... and the coordinates of the padded axis that some of them see. */
typedef struct ga__piece {
    ga__range query, place;
    bool same; /* each of them sees all of these */
} ga__piece;

typedef struct ga__box_axis {
    ga__range *seen;  /* of every query coordinate, on the padded axis; owned */
    ga__piece *piece; /* owned */
    int64_t count, step;
} ga__box_axis;

typedef struct ga__boxes {
    const ga_pattern *pattern; /* borrowed */
    ga__box_axis axis[GA__BOX_AXES];
    int64_t count, most_queries, most_places;
} ga__boxes;

typedef struct ga__box {
    const ga__piece *piece[GA__BOX_AXES];
    int64_t queries, grid, places; /* places: of the grid, and the extra keys */
    bool same;                     /* every query sees every place */
} ga__box;

/* True where the runs of a row lie far apart, so that neighbours on the line share few keys. */
bool ga__boxes_pay(const ga_pattern *pattern);
/* Boxes of at most `most` queries, of the shape that costs least. ga__boxes_free is due in any case. */
ga_status ga__boxes_make(ga_context *context, const ga_pattern *pattern, int64_t most, ga__boxes *boxes);
void ga__boxes_free(ga_context *context, ga__boxes *boxes);

ga__box ga__boxes_at(const ga__boxes *boxes, int64_t number);
void ga__box_queries(const ga__boxes *boxes, const ga__box *box, int64_t *query);
void ga__box_places(const ga__boxes *boxes, const ga__box *box, int32_t *place);
/* What query i of the box sees, in local places; as ga__pattern_row. */
int64_t ga__box_row(const ga__boxes *boxes, const ga__box *box, int64_t i, ga__run *runs);
/* True when queries i - 1 and i of the box see the same; i > 0. */
bool ga__box_repeats(const ga__boxes *boxes, const ga__box *box, int64_t i);

/* The pieces of an axis of at most `extent` queries, those of about the first `limit` queries; returns how many. Those
 * that see the same are kept together where they fit. For lib/engine/pattern only. */
int64_t ga__box_cut(const struct ga__axis_state *state, const ga__range *seen, int64_t extent, int64_t limit,
                    ga__piece *piece);

#endif
