/* box_plan.c - cutting the queries of a product pattern into boxes: where, and how large. */
#include "config.h"

#include "lib/engine/pattern/box.h"
#include "lib/engine/pattern/source.h"

enum { AXES = GA__BOX_AXES, STRIP = 6, SAMPLE = 512, EXTENTS = 24 };

/* ---- cutting an axis ---- */

/* So many neighbours see the same, the first of them `before` ones in. */
static int64_t group_of(const struct ga__axis_state *state, int64_t members, int64_t *before)
{
    const ga_axis *axis = &state->axis;
    *before = 0;
    switch (axis->rule) {
    case GA_AXIS_ALL:
    case GA_AXIS_GRID: return axis->causal ? 1 : ga__max(members, 1);
    case GA_AXIS_NEIGHBOUR: return axis->stride;
    case GA_AXIS_BLOCK: *before = ga__max(axis->left, 0); return axis->window;
    case GA_AXIS_HALO: return ga__max(axis->stride / axis->dilation, 1);
    default: return 1;
    }
}

/* The end of the piece that starts at member u: whole groups, or even parts of one. */
static int64_t piece_end(int64_t u, int64_t group, int64_t before, int64_t extent, int64_t members)
{
    int64_t at = u + before, end = 0;
    if (extent >= group) {
        int64_t period = extent / group * group;
        end = (at / period + 1) * period - before;
    } else {
        int64_t parts = (group + extent - 1) / extent, part = (group + parts - 1) / parts;
        int64_t base = at / group * group;
        end = ga__min(base + ((at - base) / part + 1) * part, base + group) - before;
    }
    return ga__min(end, members);
}

/* Members u .. end - 1 of the progression that starts at `first`. */
static ga__piece piece_of(const ga__range *seen, int64_t step, int64_t first, int64_t u, int64_t end)
{
    ga__piece piece = { .query = { first + u * step, end - u } };
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (int64_t m = u; m < end; m++) {
        const ga__range *r = &seen[first + m * step];
        if (r->count > 0) {
            low = ga__min(low, r->first);
            high = ga__max(high, r->first + (r->count - 1) * step);
        }
    }
    piece.place = low <= high ? (ga__range){ low, (high - low) / step + 1 } : (ga__range){ 0, 0 };
    piece.same = true;
    for (int64_t m = u; m < end; m++) {
        const ga__range *r = &seen[first + m * step];
        bool all = r->count == piece.place.count && (r->count == 0 || r->first == piece.place.first);
        piece.same = piece.same && all;
    }
    return piece;
}

int64_t ga__box_cut(const struct ga__axis_state *state, const ga__range *seen, int64_t extent, int64_t limit,
                    ga__piece *piece)
{
    int64_t count = 0, length = state->axis.query_length, step = state->step, done = 0;
    for (int64_t first = 0; first < ga__min(step, length) && done < limit; first++) {
        int64_t members = (length - first + step - 1) / step, before = 0;
        int64_t group = group_of(state, members, &before);
        for (int64_t u = 0, end = 0; u < members && u < limit - done; u = end) {
            end = piece_end(u, group, before, extent, members);
            piece[count++] = piece_of(seen, step, first, u, end);
        }
        done += members;
    }
    return count;
}

/* ---- what a shape costs ---- */

/* Means of a way to cut an axis. */
typedef struct cut {
    int64_t extent;
    double queries, places;  /* of a piece */
    double strip[STRIP + 1]; /* places that so many neighbours of a piece see together */
    bool same;
} cut;

typedef struct choice {
    cut cut[EXTENTS];
    int count;
} choice;

static void measure(const struct ga__axis_state *state, const ga__range *seen, ga__piece *piece, cut *c)
{
    int64_t count = ga__box_cut(state, seen, c->extent, SAMPLE, piece), queries = 0, places = 0;
    c->same = true;
    for (int64_t p = 0; p < count; p++) {
        queries += piece[p].query.count;
        places += piece[p].place.count;
        c->same = c->same && piece[p].same;
    }
    c->queries = (double)queries / (double)ga__max(count, 1);
    c->places = (double)places / (double)ga__max(count, 1);
    for (int64_t s = 1; s <= STRIP; s++) {
        int64_t strips = 0, sum = 0;
        for (int64_t p = 0; p < count; p++) {
            int64_t members = piece[p].query.count;
            for (int64_t u = 0; u < members; u += s, strips++) {
                sum +=
                    piece_of(seen, state->step, piece[p].query.first, u, ga__min(u + s, members)).place.count;
            }
        }
        c->strip[s] = (double)sum / (double)ga__max(strips, 1);
    }
}

static void add_extent(choice *c, int64_t extent, int64_t most)
{
    bool known = extent < 1 || extent > most || c->count == EXTENTS;
    for (int i = 0; i < c->count && !known; i++) {
        known = c->cut[i].extent == extent;
    }
    if (!known) {
        c->cut[c->count++].extent = extent;
    }
}

static void list_extents(const struct ga__axis_state *state, int64_t most, choice *c)
{
    static const int64_t plain[] = { 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192 };
    int64_t members = (state->axis.query_length + state->step - 1) / state->step, before = 0;
    int64_t group = group_of(state, members, &before);
    most = ga__min(most, ga__max(members, 1));
    add_extent(c, most, most);
    add_extent(c, group, most);
    add_extent(c, 2 * group, most);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        add_extent(c, plain[i], most);
    }
}

/* Time for a query, in that of one place of a strip. A strip is of queries that follow each other in the box, and goes
 * over the local places from the first that it sees to the last, line by line where the lines are long. */
static double cost_of(const cut *a, const cut *b, const cut *c)
{
    enum { PACK = 4, ITEM = 600, ENDS = 20, LONG = 96 };
    int64_t s2 = ga__min(STRIP, c->extent), rest = (STRIP + s2 - 1) / s2;
    int64_t s1 = ga__min(rest, b->extent), s0 = ga__min((rest + s1 - 1) / s1, a->extent);
    double queries = a->queries * b->queries * c->queries, grid = b->places * c->places;
    double whole = a->places * grid,
           waste = (double)((int64_t)((queries + STRIP - 1) / STRIP) * STRIP) / queries;
    double plane = (b->strip[s1] - 1) * c->places + c->strip[s2];
    double gap = grid - plane, lanes = a->strip[s0] * plane + ENDS;
    if (gap < LONG) {
        lanes = (a->strip[s0] - 1) * grid + plane + ENDS;
    } else {
        lanes += (a->strip[s0] - 1) * ENDS;
    }
    lanes = lanes < whole ? lanes : whole;
    double work = a->same && b->same && c->same ? lanes : lanes * 1.1;
    return work * (waste > 1 ? waste : 1) + (PACK * whole + ITEM) / queries;
}

static void choose_shape(const choice c[AXES], int64_t most, int64_t extent[AXES])
{
    double best = 0;
    bool found = false;
    for (int i = 0; i < c[0].count; i++) {
        for (int j = 0; j < c[1].count; j++) {
            int64_t left = most / c[0].cut[i].extent / c[1].cut[j].extent;
            for (int k = 0; k < c[2].count; k++) {
                if (c[2].cut[k].extent > left) {
                    continue;
                }
                double cost = cost_of(&c[0].cut[i], &c[1].cut[j], &c[2].cut[k]);
                if (!found || cost < best) {
                    found = true;
                    best = cost;
                    extent[0] = c[0].cut[i].extent;
                    extent[1] = c[1].cut[j].extent;
                    extent[2] = c[2].cut[k].extent;
                }
            }
        }
    }
}

/* ---- making ---- */

static ga_status prepare_axis(ga_context *context, const struct ga__axis_state *state, ga__box_axis *axis)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, state->axis.query_length, &axis->seen));
    GA_TRY(GA_NEW(context, state->axis.query_length, &axis->piece));
    axis->step = state->step;
    for (int64_t y = 0; y < state->axis.query_length; y++) {
        axis->seen[y] = ga__axis_range(state, y);
        axis->seen[y].first += state->before;
    }
done:
    return status;
}

static void find_most(ga__boxes *boxes)
{
    boxes->count = boxes->most_queries = boxes->most_places = 1;
    for (int a = 0; a < AXES; a++) {
        const ga__box_axis *axis = &boxes->axis[a];
        int64_t queries = 0, places = 0;
        for (int64_t p = 0; p < axis->count; p++) {
            queries = ga__max(queries, axis->piece[p].query.count);
            places = ga__max(places, axis->piece[p].place.count);
        }
        boxes->count *= axis->count;
        boxes->most_queries *= queries;
        boxes->most_places *= places;
    }
    boxes->most_places += boxes->pattern->extra;
}

ga_status ga__boxes_make(ga_context *context, const ga_pattern *pattern, int64_t most, ga__boxes *boxes)
{
    ga_status status = GA_OK;
    int64_t extent[AXES] = { 1, 1, 1 };
    choice *choices = NULL;
    *boxes = (ga__boxes){ .pattern = pattern };
    GA_TRY(GA_NEW_ZERO(context, AXES, &choices));
    for (int a = 0; a < AXES; a++) {
        const struct ga__axis_state *state = &pattern->axes[a];
        ga__box_axis *axis = &boxes->axis[a];
        GA_TRY(prepare_axis(context, state, axis));
        list_extents(state, most, &choices[a]);
        for (int i = 0; i < choices[a].count; i++) {
            measure(state, axis->seen, axis->piece, &choices[a].cut[i]);
        }
    }
    choose_shape(choices, most, extent);
    for (int a = 0; a < AXES; a++) {
        ga__box_axis *axis = &boxes->axis[a];
        axis->count = ga__box_cut(&pattern->axes[a], axis->seen, extent[a], INT64_MAX, axis->piece);
    }
    find_most(boxes);
done:
    ga_free(context, choices);
    return status;
}

void ga__boxes_free(ga_context *context, ga__boxes *boxes)
{
    for (int a = 0; a < AXES; a++) {
        ga_free(context, boxes->axis[a].seen);
        ga_free(context, boxes->axis[a].piece);
        boxes->axis[a].seen = NULL;
        boxes->axis[a].piece = NULL;
    }
}
