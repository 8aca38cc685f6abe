/* box.c - boxes of queries of a product pattern: their queries, their places, what each query sees. */
#include "config.h"

#include "lib/engine/pattern/box.h"
#include "lib/engine/pattern/source.h"

enum { AXES = GA__BOX_AXES };

/* ---- the line and the boxes ---- */

bool ga__boxes_pay(const ga_pattern *pattern)
{
    bool inner = false;
    if (pattern->source != GA__SOURCE_PRODUCT || pattern->product.always > 0) {
        return false;
    }
    for (int a = 0; a < AXES; a++) {
        const struct ga__axis_state *axis = &pattern->axes[a];
        bool parts = axis->axis.rule != GA_AXIS_ALL || axis->axis.causal;
        if (axis->step > 1 || (inner && parts)) {
            return true;
        }
        inner = inner || axis->axis.query_length > 1 || axis->padded > 1;
    }
    return false;
}

/* ---- a box ---- */

ga__box ga__boxes_at(const ga__boxes *boxes, int64_t number)
{
    ga__box box = { .queries = 1, .grid = 1 };
    box.same = !(boxes->pattern->causal && boxes->pattern->product.axes > 1);
    for (int a = AXES - 1; a >= 0; a--) {
        const ga__piece *piece = &boxes->axis[a].piece[number % boxes->axis[a].count];
        number /= boxes->axis[a].count;
        box.piece[a] = piece;
        box.queries *= piece->query.count;
        box.grid *= piece->place.count;
        box.same = box.same && piece->same;
    }
    box.places = box.grid + boxes->pattern->extra;
    return box;
}

void ga__box_queries(const ga__boxes *boxes, const ga__box *box, int64_t *query)
{
    const struct ga__axis_state *axes = boxes->pattern->axes;
    const ga__piece *const *p = box->piece;
    for (int64_t i = 0; i < p[0]->query.count; i++) {
        int64_t first = p[0]->query.first + i * boxes->axis[0].step;
        for (int64_t j = 0; j < p[1]->query.count; j++) {
            int64_t second = first * axes[1].axis.query_length + p[1]->query.first + j * boxes->axis[1].step;
            int64_t third = second * axes[2].axis.query_length + p[2]->query.first;
            for (int64_t k = 0; k < p[2]->query.count; k++) {
                *query++ = third + k * boxes->axis[2].step;
            }
        }
    }
}

void ga__box_places(const ga__boxes *boxes, const ga__box *box, int32_t *place)
{
    const ga_pattern *pattern = boxes->pattern;
    const ga__piece *const *p = box->piece;
    for (int64_t i = 0; i < p[0]->place.count; i++) {
        int64_t first = p[0]->place.first + i * boxes->axis[0].step;
        for (int64_t j = 0; j < p[1]->place.count; j++) {
            int64_t second = first * pattern->axes[1].padded + p[1]->place.first + j * boxes->axis[1].step;
            int64_t third = second * pattern->axes[2].padded + p[2]->place.first;
            for (int64_t k = 0; k < p[2]->place.count; k++) {
                *place++ = (int32_t)(third + k * boxes->axis[2].step);
            }
        }
    }
    for (int64_t x = pattern->places - pattern->extra; x < pattern->places; x++) {
        *place++ = (int32_t)x;
    }
}

static void coordinates(const ga__boxes *boxes, const ga__box *box, int64_t i, int64_t y[AXES])
{
    for (int a = AXES - 1; a >= 0; a--) {
        const ga__range *query = &box->piece[a]->query;
        y[a] = query->first + i % query->count * boxes->axis[a].step;
        i /= query->count;
    }
}

/* Places of the box below `limit`: in row-major order those whose first coordinate is lower, then those that agree
 * there and are lower on the second, and so on. */
static int64_t places_below(const ga__boxes *boxes, const ga__box *box, int64_t limit)
{
    const struct ga__axis_state *axes = boxes->pattern->axes;
    int64_t below = 0, line = box->grid, size = axes[0].padded * axes[1].padded * axes[2].padded;
    if (limit >= size) {
        return line;
    }
    for (int a = 0; a < AXES && line > 0; a++) {
        const ga__range *range = &box->piece[a]->place;
        size /= axes[a].padded;
        int64_t x = limit / size, lower = ga__range_below(*range, boxes->axis[a].step, x);
        line /= range->count;
        below += lower * line;
        if (ga__range_below(*range, boxes->axis[a].step, x + 1) == lower) {
            break;
        }
        limit %= size;
    }
    return below;
}

bool ga__box_repeats(const ga__boxes *boxes, const ga__box *box, int64_t i)
{
    int64_t y[AXES], z[AXES];
    if (boxes->pattern->causal && boxes->pattern->product.axes > 1) {
        return false;
    }
    coordinates(boxes, box, i, y);
    coordinates(boxes, box, i - 1, z);
    for (int a = 0; a < AXES; a++) {
        const ga__range *p = &boxes->axis[a].seen[y[a]], *q = &boxes->axis[a].seen[z[a]];
        if (p->first != q->first || p->count != q->count) {
            return false;
        }
    }
    return true;
}

int64_t ga__box_row(const ga__boxes *boxes, const ga__box *box, int64_t i, ga__run *runs)
{
    static const int64_t step[AXES] = { 1, 1, 1 };
    const ga_pattern *pattern = boxes->pattern;
    ga__run_list list = { runs, 0, box->grid };
    ga__range range[AXES];
    int64_t y[AXES], length[AXES], query = 0;
    bool empty = false;
    coordinates(boxes, box, i, y);
    for (int a = 0; a < AXES; a++) {
        const ga__piece *piece = box->piece[a];
        range[a] = boxes->axis[a].seen[y[a]];
        range[a].first = (range[a].first - piece->place.first) / boxes->axis[a].step;
        length[a] = piece->place.count;
        empty = empty || range[a].count == 0;
        query = query * pattern->axes[a].axis.query_length + y[a];
    }
    if (pattern->causal && pattern->product.axes > 1) {
        list.limit = places_below(boxes, box, ga__product_limit(pattern, query));
    }
    if (!empty) {
        ga__product_append(&list, range, step, length);
    }
    if (pattern->extra > 0) {
        list.limit = box->places;
        ga__run_append(&list, box->grid, box->places);
    }
    return list.count;
}
