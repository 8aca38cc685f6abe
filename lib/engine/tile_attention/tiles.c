/* tiles.c - which blocks of places the queries of a strip see. */
#include "config.h"

#include "lib/engine/tile_attention/tiles.h"

ga_status ga__tile_runs_make(ga_context *context, int64_t rows, ga__tile_runs *runs)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, rows, &runs->at));
    GA_TRY(GA_NEW(context, rows, &runs->end));
    GA_TRY(GA_NEW(context, rows, &runs->cursor));
done:
    return status;
}

void ga__tile_runs_free(ga_context *context, ga__tile_runs *runs)
{
    ga_free(context, runs->runs);
    ga_free(context, runs->at);
    ga_free(context, runs->end);
    ga_free(context, runs->cursor);
}

/* One axis seen as an interval: rows need no walk over axes. */
static bool is_interval(const ga_pattern *p)
{
    const ga_product_options *o = &p->product;
    return p->source == GA__SOURCE_PRODUCT && o->axes == 1 && !p->ghosts && o->always == 0 && o->extra == 0 &&
           (o->axis[0].rule == GA_AXIS_ALL || o->axis[0].rule == GA_AXIS_SPAN);
}

static ga__run interval(const ga_pattern *p, int64_t query)
{
    const ga_axis *axis = &p->product.axis[0];
    int64_t position = query + p->keys - p->queries;
    ga__run run = { 0, p->keys };
    if (axis->rule == GA_AXIS_SPAN) {
        run.first = axis->left < 0 ? 0 : ga__max(0, position - axis->left);
        bool open = axis->right < 0 || axis->right >= p->keys - position;
        run.last = open ? run.last : position + axis->right + 1;
    }
    if (p->causal || axis->causal) {
        run.last = ga__min(run.last, position + 1);
    }
    return run;
}

static ga_status make_room(ga_context *context, const ga_pattern *pattern, int64_t used, ga__tile_runs *runs)
{
    ga_status status = GA_OK;
    if (used + pattern->most_runs > runs->room) {
        int64_t more = 2 * used + pattern->most_runs + 64;
        GA_TRY(ga__resize(context, used, more, sizeof *runs->runs, &runs->runs));
        runs->room = more;
    }
done:
    return status;
}

/* Rows of one row of blocks, without an order, see the same. */
static bool repeats(const ga_pattern *pattern, int64_t query)
{
    return pattern->source == GA__SOURCE_BLOCKS && !pattern->causal && query % pattern->block_query != 0;
}

ga_status ga__tile_runs_list(ga_context *context, const ga_pattern *pattern, int64_t head, int64_t heads,
                             int64_t first, int64_t queries, ga__tile_runs *runs)
{
    ga_status status = GA_OK;
    bool simple = is_interval(pattern);
    int64_t used = 0;
    runs->listed = (pattern->heads == 1 ? 1 : heads) * queries;
    if (simple && runs->room < queries) {
        GA_TRY(ga__resize(context, 0, queries, sizeof *runs->runs, &runs->runs));
        runs->room = queries;
    }
    for (int64_t i = 0; i < runs->listed; i++) {
        runs->at[i] = used;
        if (simple) {
            runs->runs[used] = interval(pattern, first + i);
            used += runs->runs[used].first < runs->runs[used].last;
        } else if (i % queries > 0 && repeats(pattern, first + i % queries)) {
            runs->at[i] = runs->at[i - 1];
        } else {
            GA_TRY(make_room(context, pattern, used, runs));
            used += ga__pattern_row(pattern, pattern->heads == 1 ? 0 : head + i / queries,
                                    first + i % queries, runs->runs + used);
        }
        runs->end[i] = used;
    }
done:
    return status;
}

ga_status ga__tile_runs_box(ga_context *context, const ga__boxes *boxes, const ga__box *box,
                            ga__tile_runs *runs)
{
    ga_status status = GA_OK;
    int64_t used = 0;
    runs->listed = box->same ? 1 : box->queries;
    for (int64_t i = 0; i < runs->listed; i++) {
        runs->at[i] = used;
        if (i > 0 && ga__box_repeats(boxes, box, i)) {
            runs->at[i] = runs->at[i - 1];
        } else {
            GA_TRY(make_room(context, boxes->pattern, used, runs));
            used += ga__box_row(boxes, box, i, runs->runs + used);
        }
        runs->end[i] = used;
    }
done:
    return status;
}

static int64_t listed_of(const ga__tile_runs *runs, int64_t row)
{
    return row < runs->listed ? row : runs->listed == 1 ? 0 : row % runs->listed;
}

ga__tile_cursor ga__tile_seek(ga__tile_runs *runs, int64_t row, int rows, int64_t place, bool rewind)
{
    ga__tile_cursor c = { INT64_MAX, 0, INT64_MAX };
    int64_t last =
        runs->listed == 1 ? row + 1 : row + rows; /* one list: what the first row finds holds for all */
    for (int64_t r = row; r < last; r++) {
        int64_t listed = listed_of(runs, r), end = runs->end[listed];
        int64_t at = rewind ? runs->at[listed] : runs->cursor[r];
        while (at < end && runs->runs[at].last <= place) {
            at++;
        }
        runs->cursor[r] = at;
        if (at == end) {
            c.to = 0;
            continue;
        }
        c.next = ga__min(c.next, ga__max(runs->runs[at].first, place));
        c.from = ga__max(c.from, runs->runs[at].first);
        c.to = ga__min(c.to, runs->runs[at].last);
    }
    for (int64_t r = last; r < row + rows; r++) {
        runs->cursor[r] = runs->cursor[row];
    }
    return c;
}

static uint64_t row_mask(const ga__tile_runs *runs, int64_t row, int64_t place)
{
    uint64_t mask = 0;
    int64_t end = runs->end[listed_of(runs, row)];
    for (int64_t at = runs->cursor[row]; at < end && runs->runs[at].first < place + GA__TILE; at++) {
        int64_t from = ga__max(runs->runs[at].first - place, 0),
                to = ga__min(runs->runs[at].last - place, GA__TILE);
        mask |= (~UINT64_C(0) >> (GA__TILE - (to - from))) << from;
    }
    return mask;
}

uint64_t ga__tile_masks(const ga__tile_runs *runs, int64_t row, int rows, int64_t place, uint64_t *mask)
{
    uint64_t any = 0;
    for (int i = 0; i < rows; i++) {
        mask[i] = i > 0 && runs->listed == 1 ? mask[0] : row_mask(runs, row + i, place);
        any |= mask[i];
    }
    return any;
}
