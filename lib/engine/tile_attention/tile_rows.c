/* tile_rows.c - the rows of an item before its passes, between them and behind them. */
#include "config.h"

#include "lib/engine/tile_attention/tile_item.h"

#include <math.h>
#include <string.h>

/* ---- before the first pass ---- */

static bool is_nan(double x)
{
    return x != x;
}

/* The weights of a row as a function of its score alone, until a pass has more to say. */
static void start_row(const ga__tile_item *item, int64_t r)
{
    const ga__attention *a = item->tiles->a;
    ga__tile_rows *row = &item->room->row;
    int64_t head = ga__tile_head(item, r);
    int64_t n = ga__pattern_length(a->pattern, ga__pattern_head(a->pattern, head), ga__tile_query(item, r));
    item->room->length[r] = n;
    row->shift[r] = a->normaliser.kind == GA_SIGMOID && n > 0 ? (float)ga__row_shift(a, n) : 0;
    row->factor[r] = n > 0 ? (float)ga__row_factor(a, n) : 1;
    row->max[r] = 0;
    row->inverse[r] = 1;
    row->lift[r] = 0;
}

/* Queries that follow each other at once. */
static void pack_queries(const ga__tile_item *item, int64_t head, float factor, float *to)
{
    const ga__tiles *tiles = item->tiles;
    for (int64_t i = 0, end = 0; i < item->queries; i = end) {
        int64_t query = ga__tile_query(item, i);
        end = item->order ? i + 1 : item->queries;
        while (end < item->queries && item->order[end] == query + end - i) {
            end++;
        }
        tiles->ops->pack(&tiles->a->q, item->batch, head, query, end - i, factor, tiles->stride,
                         to + i * tiles->stride);
    }
}

void ga__tile_rows_start(const ga__tile_item *item)
{
    const ga__tiles *tiles = item->tiles;
    const ga__attention *a = tiles->a;
    ga__tile_room *room = item->room;
    bool softmax = a->normaliser.kind == GA_SOFTMAX, powers = softmax && !tiles->dressed;
    float factor = (float)(powers ? a->scale * 1.4426950408889634 : a->scale);
    for (int64_t h = 0; h < item->heads; h++) {
        pack_queries(item, item->head + h, factor, room->q + h * item->queries * tiles->stride);
    }
    memset(room->acc, 0, (size_t)(item->rows * tiles->stride_acc) * sizeof *room->acc);
    ga__tile_sums_clear(item);
    for (int64_t r = 0; r < item->rows && softmax; r++) {
        room->row.max[r] = -INFINITY;
    }
    for (int64_t r = 0; r < item->rows && !softmax; r++) {
        start_row(item, r);
    }
}

/* ---- between the passes ---- */

static double row_sum(const ga__tile_item *item, int64_t r)
{
    return item->tiles->ops->total(item->room->row.sums + r * GA__LANES);
}

/* 1 / what the weights of a row are divided by. */
static double inverse_of(const ga__tile_item *item, int64_t r, bool second)
{
    const ga__attention *a = item->tiles->a;
    double total = row_sum(item, r), eps = a->normaliser.eps;
    switch (a->normaliser.kind) {
    case GA_SOFTMAX:
    case GA_SOFTPLUS: return is_nan(total) ? NAN : total > 0 ? 1 / total : 0;
    case GA_RELU_L1: total = is_nan(total) || total > eps ? total : eps; return total == 0 ? 1 : 1 / total;
    case GA_SOFTPLUS_REWEIGHT: return second && !(total == 0) ? 1 / total : 0;
    case GA_NORM_ATTENTION:
        return ga__row_eta(a, item->batch, ga__tile_head(item, r), ga__tile_query(item, r));
    default: return 1;
    }
}

/* P = a / total, y = n P - offset, of which the largest is that of the largest a. */
static void start_power(const ga__tile_item *item, int64_t r)
{
    const ga_normaliser *norm = &item->tiles->a->normaliser;
    ga__tile_rows *row = &item->room->row;
    double total = row_sum(item, r), n = (double)item->room->length[r];
    double offset = item->room->length[r] > norm->free_rows ? norm->offset : 0;
    double share = total > 0       ? n / total
                   : is_nan(total) ? NAN
                                   : 0,
           most = share * (double)row->max[r] - offset;
    row->share[r] = (float)share;
    row->offset[r] = (float)offset;
    row->peak[r] = is_nan(total) ? NAN : total > 0 && most > norm->eps ? (float)(1 / most) : 0;
}

void ga__tile_sums_clear(const ga__tile_item *item)
{
    memset(item->room->row.sums, 0, (size_t)(item->rows * GA__LANES) * sizeof(float));
}

void ga__tile_powers_start(const ga__tile_item *item)
{
    for (int64_t r = 0; r < item->rows; r++) {
        start_power(item, r);
    }
    ga__tile_sums_clear(item);
}

void ga__tile_final_start(const ga__tile_item *item, bool second)
{
    ga__tile_rows *row = &item->room->row;
    for (int64_t r = 0; r < item->rows; r++) {
        if (item->tiles->a->normaliser.kind == GA_INLINE) {
            double n = (double)item->room->length[r];
            row->lift[r] = n > 0 ? (float)((1 - row_sum(item, r)) / n) : 0;
        } else {
            row->inverse[r] = (float)inverse_of(item, r, second);
        }
    }
}

/* ---- behind the last pass ---- */

static double head_scale(const ga__tile_item *item, int64_t head)
{
    const ga__attention *a = item->tiles->a;
    return a->head_scale.data ? ga__view_get(&a->head_scale, 0, 0, 0, head) : 1;
}

static void store_row(const ga__tile_item *item, int64_t r, double inverse)
{
    const ga__tiles *tiles = item->tiles;
    int64_t head = ga__tile_head(item, r), query = ga__tile_query(item, r);
    float *acc = item->room->acc + r * tiles->stride_acc;
    float factor = (float)(inverse * head_scale(item, head));
    if (tiles->streamed) {
        tiles->ops->stream_row(acc, tiles->a->dim_v, factor,
                               ga__view_row(&tiles->o, item->batch, head, query));
        return;
    }
    if (tiles->o.type <= GA__F16) {
        void *to = ga__view_row(&tiles->o, item->batch, head, query);
        tiles->ops->store_row(acc, tiles->a->dim_v, factor, tiles->o.type, to);
        return;
    }
    for (int64_t c = 0; c < tiles->a->dim_v; c++) {
        acc[c] *= factor;
    }
    ga__view_store_f32(&tiles->o, item->batch, head, query, acc);
}

/* ln sum e^s = ln 2 (m + log2 sum 2^(s - m)). */
void ga__tile_lse_store(const ga__tile_item *item)
{
    for (int64_t r = 0; r < item->rows && item->tiles->lse.data; r++) {
        double max = (double)item->room->row.max[r], total = row_sum(item, r);
        double lse = total > 0 ? 0.6931471805599453 * (max + log2(total)) : is_nan(total) ? NAN : -INFINITY;
        ga__view_set(&item->tiles->lse, 0, item->batch, ga__tile_head(item, r), ga__tile_query(item, r), lse);
    }
}

void ga__tile_rows_store(const ga__tile_item *item, bool divide, bool second)
{
    for (int64_t r = 0; r < item->rows && item->tiles->o.data; r++) {
        double inverse = divide ? inverse_of(item, r, second) : 1;
        if (item->tiles->classes > 0) {
            ga__tile_fold(item, r, inverse);
        }
        store_row(item, r, inverse);
    }
}
