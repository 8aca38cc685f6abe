/* tile_device_lists.c - the blocks that the queries of a pattern see, listed for a device. */
#include "config.h"

#include "lib/base/workers.h"
#include "lib/engine/tile_attention/tile_device_lists.h"

static ga_status make_room(ga_context *context, ga__tile_listing *l)
{
    ga_status status = GA_OK;
    if (l->count == l->room) {
        int64_t more = 2 * l->room + 64;
        GA_TRY(ga__resize(context, l->count, more, sizeof *l->place, &l->place));
        GA_TRY(ga__resize(context, l->count, more, sizeof *l->mask, &l->mask));
        l->room = more;
    }
    if (l->masked == l->mask_room) {
        int64_t more = 2 * l->mask_room + 16;
        if (more > INT32_MAX) {
            return ga__fail(context, GA_LIMIT, "pattern: too many blocks that are seen in part");
        }
        GA_TRY(ga__resize(context, l->masked * GA__DEVICE_TILE, more * GA__DEVICE_TILE, sizeof *l->masks,
                          &l->masks));
        l->mask_room = more;
    }
done:
    return status;
}

/* Appends the block that starts at place; whole: all of its places are seen by all rows. */
static ga_status append(ga_context *context, const ga__tile_runs *runs, int rows, int64_t place, bool whole,
                        ga__tile_listing *l)
{
    ga_status status = GA_OK;
    GA_TRY(make_room(context, l));
    l->place[l->count] = (int32_t)place;
    l->mask[l->count] = whole ? -1 : (int32_t)l->masked;
    if (!whole) {
        uint64_t *mask = l->masks + l->masked * GA__DEVICE_TILE;
        (void)ga__tile_masks(runs, 0, rows, place, mask);
        for (int i = rows; i < GA__DEVICE_TILE; i++) {
            mask[i] = 0;
        }
        l->masked++;
    }
    l->count++;
done:
    return status;
}

static ga_status list_block(ga_context *context, const ga_pattern *pattern, int64_t head, int64_t block,
                            ga__tile_runs *runs, ga__tile_listing *l)
{
    ga_status status = GA_OK;
    int64_t first = block * GA__DEVICE_TILE;
    int rows = (int)ga__min(GA__DEVICE_TILE, pattern->queries - first);
    GA_TRY(ga__tile_runs_list(context, pattern, head, 1, first, rows, runs));
    ga__tile_cursor c = ga__tile_seek(runs, 0, rows, 0, true);
    while (c.next < INT64_MAX) {
        int64_t place = c.next / GA__TILE * GA__TILE;
        bool whole = c.from <= place && place + GA__TILE <= c.to;
        GA_TRY(append(context, runs, rows, place, whole, l));
        c = ga__tile_seek(runs, 0, rows, place + GA__TILE, false);
    }
done:
    return status;
}

ga_status ga__tile_listing_make(ga_context *context, const ga_pattern *pattern, ga__tile_listing *l)
{
    ga_status status = GA_OK;
    ga__tile_runs runs = { 0 };
    int64_t rows = 0;
    int stopped = GA_OK;
    *l = (ga__tile_listing){ .heads = pattern->heads,
                             .blocks = (pattern->queries + GA__DEVICE_TILE - 1) / GA__DEVICE_TILE };
    if (!ga__mul(l->heads, l->blocks, &rows)) {
        return ga__fail(context, GA_OVERFLOW, "pattern: too many blocks of queries");
    }
    GA_TRY(GA_NEW(context, rows + 1, &l->offsets));
    GA_TRY(ga__tile_runs_make(context, GA__DEVICE_TILE, &runs));
    for (int64_t row = 0; row < rows; row++) {
        if (row % 64 == 63 && ga__stopped(context, &stopped)) {
            status = ga__noted_status(&stopped);
            goto done;
        }
        l->offsets[row] = l->count;
        GA_TRY(list_block(context, pattern, row / l->blocks, row % l->blocks, &runs, l));
    }
    l->offsets[rows] = l->count;
done:
    ga__tile_runs_free(context, &runs);
    return status;
}

void ga__tile_listing_free(ga_context *context, ga__tile_listing *l)
{
    ga_free(context, l->offsets);
    ga_free(context, l->place);
    ga_free(context, l->mask);
    ga_free(context, l->masks);
    *l = (ga__tile_listing){ 0 };
}

ga_status ga__tile_listing_in(ga__traffic *traffic, const ga__tile_listing *l, ga__tile_lists *lists)
{
    ga_status status = GA_OK;
    int64_t offsets = (l->heads * l->blocks + 1) * (int64_t)sizeof *l->offsets;
    *lists = (ga__tile_lists){ .heads = l->heads, .blocks = l->blocks };
    GA_TRY(ga__traffic_in(traffic, l->offsets, offsets, false, &lists->offsets));
    GA_TRY(ga__traffic_in(traffic, l->place, l->count * (int64_t)sizeof *l->place, false, &lists->place));
    GA_TRY(ga__traffic_in(traffic, l->mask, l->count * (int64_t)sizeof *l->mask, false, &lists->mask));
    GA_TRY(ga__traffic_in(traffic, l->masks, l->masked * GA__DEVICE_TILE * (int64_t)sizeof *l->masks, false,
                          &lists->masks));
done:
    return status;
}
