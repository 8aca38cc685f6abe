/* tile_room.c - the scratch memory of a thread. */
#include "config.h"

#include "lib/engine/tile_attention/tile_item.h"

static ga_status make_statistics(const ga__tiles *tiles, ga__tile_room *room, int64_t rows)
{
    ga_status status = GA_OK;
    const ga_row_statistics *wanted = tiles->statistics.wanted;
    int64_t top = 0, classes = 0;
    if (wanted) {
        bool tops = wanted->top_indices || wanted->top_weights;
        if (!ga__mul(rows, tops ? wanted->top_k : 0, &top) ||
            !ga__mul(rows, wanted->class_mass ? wanted->class_count : 0, &classes)) {
            GA_TRY(ga__fail(tiles->context, GA_OVERFLOW, "statistics: too large"));
        }
        GA_TRY(GA_NEW(tiles->context, rows, &room->tally));
        GA_TRY(GA_NEW(tiles->context, classes, &room->mass));
        GA_TRY(GA_NEW(tiles->context, top, &room->top_weight));
        GA_TRY(GA_NEW(tiles->context, top, &room->top_key));
    }
    if (tiles->classwise) {
        GA_TRY(GA_NEW(tiles->context, rows * tiles->classwise->class_count, &room->post_mass));
        GA_TRY(GA_NEW(tiles->context, rows * tiles->classwise->class_count, &room->factors));
    }
done:
    return status;
}

ga_status ga__tile_room_make(const ga__tiles *tiles, ga__tile_room *room)
{
    ga_status status = GA_OK;
    ga_context *context = tiles->context;
    int64_t rows = ga__tile_most_rows(tiles), padded = rows + GA__STRIP;
    int64_t rows_v = GA__TILE / tiles->ops->paired;
    float **const array[] = { &room->row.max,  &room->row.shift, &room->row.factor, &room->row.inverse,
                              &room->row.lift, &room->row.share, &room->row.offset, &room->row.peak };
    enum { ARRAYS = sizeof array / sizeof *array };
    GA_TRY(GA_NEW_ZERO(context, padded * tiles->stride, &room->q));
    GA_TRY(GA_NEW_ZERO(context, padded * tiles->stride_acc, &room->acc));
    GA_TRY(GA_NEW(context, GA__TILE * tiles->depth, &room->k));
    GA_TRY(GA_NEW(context, tiles->direct ? 0 : rows_v * tiles->stride_v, &room->v));
    GA_TRY(GA_NEW_ZERO(context, padded * (ARRAYS + GA__LANES), &room->rows));
    room->row.sums = room->rows;
    for (int i = 0; i < ARRAYS; i++) {
        *array[i] = room->rows + padded * (GA__LANES + i);
    }
    GA_TRY(ga__tile_runs_make(context, rows, &room->runs));
    GA_TRY(GA_NEW(context, (rows + GA__STRIP - 1) / GA__STRIP, &room->cursor));
    GA_TRY(GA_NEW(context, rows, &room->length));
    for (int i = 0; i < 2; i++) {
        room->listed[i] = -1;
        GA_TRY(GA_NEW(context, tiles->boxed ? tiles->rows_query : 0, &room->query[i]));
        GA_TRY(GA_NEW(context, tiles->boxed ? tiles->boxes.most_places : 0, &room->place[i]));
    }
    GA_TRY(make_statistics(tiles, room, rows));
done:
    return status;
}

void ga__tile_room_free(const ga__tiles *tiles, ga__tile_room *room)
{
    void *const blocks[] = { room->q,        room->acc,        room->k,       room->v,        room->rows,
                             room->cursor,   room->length,     room->tally,   room->mass,     room->post_mass,
                             room->factors,  room->top_weight, room->top_key, room->query[0], room->query[1],
                             room->place[0], room->place[1] };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ga_free(tiles->context, blocks[i]);
    }
    ga__tile_runs_free(tiles->context, &room->runs);
}
