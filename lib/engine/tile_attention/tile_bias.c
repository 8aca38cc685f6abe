/* tile_bias.c - what is added to the scores of a tile: dense bias, relative table, slopes. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/engine/tile_attention/tile_item.h"

static void add_dense(const ga__tile_item *item, int64_t head, int64_t query, int64_t place, int64_t count,
                      float *to)
{
    const ga__attention *a = item->tiles->a;
    const ga__view *bias = &a->bias;
    const int32_t *real = a->pattern->real;
    int64_t of = bias->heads == 1 ? 0 : head;
    const float *row = ga__view_row(bias, 0, of, query);
    for (int64_t j = 0; j < count; j++) {
        int64_t at = ga__tile_place(item, place + j), key = real ? real[at] : at;
        if (key >= 0) {
            to[j] += bias->type == GA__F32 ? row[key] : (float)ga__view_get(bias, 0, of, query, key);
        }
    }
}

static void add_table(const ga__tile_item *item, int64_t head, int64_t query, int64_t place, int64_t count,
                      float *to)
{
    const ga__attention *a = item->tiles->a;
    const ga__view *table = &a->table;
    int64_t of = table->rows == 1 ? 0 : head;
    const float *row = ga__view_row(table, 0, 0, of);
    for (int64_t j = 0; j < count; j++) {
        int64_t cell = ga__pattern_cell(a->pattern, query, ga__tile_place(item, place + j));
        if (cell >= 0) {
            to[j] += table->type == GA__F32 ? row[cell] : (float)ga__view_get(table, 0, 0, of, cell);
        }
    }
}

static void add_slopes(const ga__tile_item *item, int64_t head, int64_t query, int64_t place, int64_t count,
                       float *to)
{
    const ga__attention *a = item->tiles->a;
    const int32_t *real = a->pattern->real;
    float slope = (float)ga__view_get(&a->slopes, 0, 0, 0, head);
    for (int64_t j = 0; j < count; j++) {
        int64_t at = ga__tile_place(item, place + j), key = real ? real[at] : at;
        if (key >= 0) {
            to[j] -= slope * fabsf((float)(query + a->shift - key));
        }
    }
}

void ga__tile_bias(const ga__tile_item *item, int64_t row, int rows, int64_t place)
{
    const ga__attention *a = item->tiles->a;
    int64_t count = ga__min(GA__TILE, item->places - place);
    float *to = item->room->bias;
    memset(to, 0, sizeof item->room->bias);
    for (int i = 0; i < rows; i++, to += GA__TILE) {
        int64_t head = ga__tile_head(item, row + i), query = ga__tile_query(item, row + i);
        if (a->bias.data) {
            add_dense(item, head, query, place, count, to);
        }
        if (a->table.data) {
            add_table(item, head, query, place, count, to);
        }
        if (a->slopes.data) {
            add_slopes(item, head, query, place, count, to);
        }
    }
}
