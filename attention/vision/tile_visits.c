/* tile_visits.c - how many pairs of tiles a product pattern touches (attention-static section 3).
 *
 * On every axis the keys of a tile of queries span [min lo, max hi); the tiles of keys that this touches are visited, and
 * those within [max lo, min hi) need no mask. The numbers of the axes multiply. */
#include "config.h"

#include <graphattn/attention.h>

#include "lib/base/base.h"

typedef struct span {
    int64_t low, high, inner_low, inner_high; /* inner: seen by every query of the tile */
} span;

static void add_row(const ga_pattern *pattern, int64_t row, int64_t (*runs)[2], span *s)
{
    int64_t count = ga_pattern_row_runs(pattern, 0, row, runs);
    int64_t low = count ? runs[0][0] : INT64_MAX, high = count ? runs[count - 1][1] : 0;
    s->low = ga__min(s->low, low);
    s->high = ga__max(s->high, high);
    s->inner_low = count == 1 ? ga__max(s->inner_low, low) : INT64_MAX;
    s->inner_high = ga__min(s->inner_high, high);
}

static int64_t tiles_of(int64_t length, int64_t tile)
{
    return length / tile + (length % tile != 0);
}

/* Sums over the tiles of queries of one axis. */
static void count_tiles(const ga_pattern *pattern, int64_t query_tile, int64_t key_tile, int64_t (*runs)[2],
                        ga_tile_visits *out)
{
    int64_t queries = ga_pattern_queries(pattern), keys = ga_pattern_keys(pattern);
    out->pairs = tiles_of(queries, query_tile) * tiles_of(keys, key_tile);
    for (int64_t first = 0; first < queries; first += query_tile) {
        span s = { INT64_MAX, 0, 0, INT64_MAX };
        for (int64_t row = first; row < ga__min(first + query_tile, queries); row++) {
            add_row(pattern, row, runs, &s);
        }
        for (int64_t at = 0; at < keys; at += key_tile) {
            int64_t end = ga__min(at + key_tile, keys);
            out->visited += at < s.high && end > s.low;
            out->unmasked += at >= s.inner_low && end <= s.inner_high;
        }
    }
}

static ga_status visit_axis(ga_context *context, const ga_axis *axis, int64_t query_tile, int64_t key_tile,
                            ga_tile_visits *out)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    int64_t(*runs)[2] = NULL;
    ga_product_options one = { .axes = 1, .axis = { *axis, GA_AXIS_INIT, GA_AXIS_INIT } };
    if (query_tile < 1 || key_tile < 1) {
        GA_TRY(ga__fail(context, GA_INVALID, "tiles: %lld x %lld, expected sides of at least 1",
                        (long long)query_tile, (long long)key_tile));
    }
    GA_TRY(ga_pattern_product(context, &one, &pattern));
    GA_TRY(ga_alloc(context, ga_pattern_most_runs(pattern) + 1, sizeof *runs, &runs));
    count_tiles(pattern, query_tile, key_tile, runs, out);
done:
    ga_pattern_destroy(context, pattern);
    ga_free(context, runs);
    return status;
}

ga_status ga_pattern_tile_visits(ga_context *context, const ga_product_options *options,
                                 const int64_t *query_tile, const int64_t *key_tile, ga_tile_visits *visits)
{
    ga_status status = GA_OK;
    ga_tile_visits all = { 1, 1, 1 };
    ga__begin(context);
    if (options->axes < 1 || options->axes > 3 || options->always || options->extra ||
        (options->causal && options->axes > 1)) {
        GA_TRY(ga__fail(context, GA_UNSUPPORTED,
                        "tile visits: 1 to 3 axes without keys that all see, causal on one axis only"));
    }
    for (int i = 0; i < options->axes; i++) {
        ga_tile_visits one = { 0, 0, 0 };
        ga_axis axis = options->axis[i];
        axis.causal = axis.causal || options->causal;
        GA_TRY(visit_axis(context, &axis, query_tile[i], key_tile[i], &one));
        if (!ga__mul(all.pairs, one.pairs, &all.pairs)) {
            GA_TRY(ga__fail(context, GA_OVERFLOW, "tile visits: too many tiles"));
        }
        all.visited *= one.visited; /* no more than pairs */
        all.unmasked *= one.unmasked;
    }
    *visits = all;
done:
    return status;
}
