/* tile_parts.c - rows whose places are split among several items: kept, and put together. */
#include "config.h"

#include "lib/engine/tile_attention/tile_item.h"

#include <math.h>
#include <string.h>

void ga__tile_part_keep(const ga__tile_item *item)
{
    const ga__tiles *tiles = item->tiles;
    int64_t room = ga__tile_most_rows(tiles), at = item->number * room;
    memcpy(tiles->part_acc + at * tiles->stride_acc, item->room->acc,
           (size_t)(item->rows * tiles->stride_acc) * sizeof(float));
    memcpy(tiles->part_sums + at * GA__LANES, item->room->row.sums,
           (size_t)(item->rows * GA__LANES) * sizeof(float));
    memcpy(tiles->part_max + at, item->room->row.max, (size_t)item->rows * sizeof(float));
}

static float power_of_two(float x)
{
    return x == -INFINITY ? 0 : exp2f(x);
}

/* Adds part `number` to the rows of the room. */
static void add_part(const ga__tile_item *item, int64_t number)
{
    const ga__tiles *tiles = item->tiles;
    ga__tile_room *room = item->room;
    int64_t stride = tiles->stride_acc;
    for (int64_t r = 0; r < item->rows; r++) {
        int64_t at = number * ga__tile_most_rows(tiles) + r;
        float most = tiles->part_max[at] > room->row.max[r] ? tiles->part_max[at] : room->row.max[r];
        float base = most == -INFINITY ? 0 : most;
        float old = power_of_two(room->row.max[r] - base), new = power_of_two(tiles->part_max[at] - base);
        for (int64_t c = 0; c < stride; c++) {
            room->acc[r * stride + c] =
                room->acc[r * stride + c] * old + tiles->part_acc[at * stride + c] * new;
        }
        for (int c = 0; c < GA__LANES; c++) {
            float *sum = &room->row.sums[r * GA__LANES + c];
            *sum = *sum * old + tiles->part_sums[at * GA__LANES + c] * new;
        }
        room->row.max[r] = most;
    }
}

void ga__tile_item_join(ga__tile_item *item)
{
    const ga__tiles *tiles = item->tiles;
    memset(item->room->acc, 0, (size_t)(item->rows * tiles->stride_acc) * sizeof(float));
    ga__tile_sums_clear(item);
    for (int64_t r = 0; r < item->rows; r++) {
        item->room->row.max[r] = tiles->a->normaliser.kind == GA_SOFTMAX ? -INFINITY : 0;
    }
    for (int64_t part = 0; part < tiles->splits; part++) {
        add_part(item, item->number + part);
    }
    ga__tile_lse_store(item);
    ga__tile_rows_store(item, true, false);
}
