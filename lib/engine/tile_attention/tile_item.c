/* tile_item.c - one item of the tiles' forward pass: its rows over all blocks that they see. */
#include "config.h"

#include "lib/engine/tile_attention/tile_item.h"

#include <math.h>
#include <string.h>

/* ---- memory of a thread ---- */

static int64_t rows_of(const ga__tiles *tiles)
{
    return tiles->rows_query * tiles->rows_head;
}

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
    int64_t rows = rows_of(tiles), padded = rows + GA__STRIP;
    int64_t rows_v = GA__TILE / tiles->ops->paired;
    float **const array[] = { &room->row.max,  &room->row.shift, &room->row.factor, &room->row.inverse,
                              &room->row.lift, &room->row.share, &room->row.offset, &room->row.peak };
    enum { ARRAYS = sizeof array / sizeof *array };
    GA_TRY(GA_NEW_ZERO(context, padded * tiles->stride, &room->q));
    GA_TRY(GA_NEW_ZERO(context, padded * tiles->stride_v, &room->acc));
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
    GA_TRY(make_statistics(tiles, room, rows));
done:
    return status;
}

void ga__tile_room_free(const ga__tiles *tiles, ga__tile_room *room)
{
    void *const blocks[] = { room->q,       room->acc,        room->k,      room->v,    room->rows,
                             room->cursor,  room->length,     room->tally,  room->mass, room->post_mass,
                             room->factors, room->top_weight, room->top_key };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ga_free(tiles->context, blocks[i]);
    }
    ga__tile_runs_free(tiles->context, &room->runs);
}

/* ---- rows before and between the passes ---- */

static bool is_nan(double x)
{
    return x != x;
}

static void start_row(const ga__tile_item *item, int64_t r)
{
    const ga__attention *a = item->tiles->a;
    ga__tile_rows *row = &item->room->row;
    int64_t n = 0;
    if (a->normaliser.kind != GA_SOFTMAX) {
        int64_t head = ga__tile_head(item, r);
        n = ga__pattern_length(a->pattern, ga__pattern_head(a->pattern, head), ga__tile_query(item, r));
    }
    item->room->length[r] = n;
    row->shift[r] = a->normaliser.kind == GA_SIGMOID && n > 0 ? (float)ga__row_shift(a, n) : 0;
    row->factor[r] = n > 0 ? (float)ga__row_factor(a, n) : 1;
    row->max[r] = a->normaliser.kind == GA_SOFTMAX ? -INFINITY : 0;
    row->inverse[r] = 1;
    row->lift[r] = 0;
}

static void start_rows(const ga__tile_item *item)
{
    const ga__tiles *tiles = item->tiles;
    const ga__attention *a = tiles->a;
    ga__tile_room *room = item->room;
    bool powers = a->normaliser.kind == GA_SOFTMAX && !tiles->dressed;
    float factor = (float)(powers ? a->scale * 1.4426950408889634 : a->scale);
    for (int64_t h = 0; h < item->heads; h++) {
        tiles->ops->pack(&a->q, item->batch, item->head + h, item->query, item->queries, factor,
                         tiles->stride, room->q + h * item->queries * tiles->stride);
    }
    memset(room->acc, 0, (size_t)(item->rows * tiles->stride_v) * sizeof *room->acc);
    memset(room->row.sums, 0, (size_t)(item->rows * GA__LANES) * sizeof *room->row.sums);
    for (int64_t r = 0; r < item->rows; r++) {
        start_row(item, r);
    }
}

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
static void start_powers(const ga__tile_item *item, int64_t r)
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

static void clear_sums(const ga__tile_item *item)
{
    memset(item->room->row.sums, 0, (size_t)(item->rows * GA__LANES) * sizeof(float));
}

static void start_final(const ga__tile_item *item, bool second)
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

/* ---- over the blocks ---- */

typedef struct walk {
    const ga__tile_item *item;
    ga__strip like;             /* what all strips of the pass have in common */
    ga__strip strip[GA__GROUP]; /* have weights, wait for the values */
    int waiting;
    uint8_t *values, own_values; /* ga__block_values of the block, and where those of a private one are */
    enum { PLAIN, TALLY, POST } end;
} walk;

static void flush(walk *w)
{
    for (int i = 0; i < w->waiting; i++) {
        if (w->strip[i].acc) {
            w->item->tiles->ops->apply(&w->strip[i]);
        }
    }
    w->waiting = 0;
}

static void run_strip(walk *w, ga__strip *s, int64_t row, int64_t place)
{
    const ga__tile_item *item = w->item;
    const ga__tiles *tiles = item->tiles;
    ga__tile_room *room = item->room;
    s->q = room->q + row * tiles->stride;
    s->acc = s->pass == GA__TILE_SUMS || !tiles->o.data || w->end == TALLY
                 ? NULL
                 : room->acc + row * tiles->stride_v;
    s->row =
        (ga__tile_rows){ room->row.max + row,    room->row.sums + row * GA__LANES, room->row.shift + row,
                         room->row.factor + row, room->row.inverse + row,          room->row.lift + row,
                         room->row.share + row,  room->row.offset + row,           room->row.peak + row };
    if (tiles->biased) {
        ga__tile_bias(item, row, s->rows, place);
    }
    tiles->ops->weigh(s);
    if (w->end == TALLY || (s->pass == GA__TILE_FINAL && w->end == PLAIN && tiles->statistics.wanted)) {
        if (tiles->statistics.wanted) {
            ga__tile_tally_add(item, s, row, place);
        }
        if (tiles->classwise) {
            ga__tile_post_add(item, s, row, place);
        }
    }
    if (w->end == POST) {
        ga__tile_post_apply(item, s, row, place);
    }
}

/* Are the values of the block finite? Whoever asks first looks; all would find the same. */
static bool has_finite(walk *w, int64_t place)
{
    const ga__tiles *tiles = w->item->tiles;
    uint8_t known = __atomic_load_n(w->values, __ATOMIC_RELAXED);
    if (known == GA__VALUES_UNKNOWN) {
        int64_t rows =
            tiles->direct ? ga__min(GA__TILE, tiles->a->places - place) : GA__TILE / tiles->ops->paired;
        known = tiles->ops->is_finite(w->like.v, rows * tiles->stride_v) ? GA__VALUES_FINITE
                                                                         : GA__VALUES_NOT_FINITE;
        __atomic_store_n(w->values, known, __ATOMIC_RELAXED);
    }
    return known == GA__VALUES_FINITE;
}

/* One strip at the block that starts at place: its mask, its work, where it goes next. */
static void visit(walk *w, int64_t row, ga__tile_cursor *cursor, int64_t place)
{
    const ga__tile_item *item = w->item;
    ga__tile_room *room = item->room;
    ga__strip *s = &w->strip[w->waiting];
    uint64_t *mask = room->mask[w->waiting];
    int64_t end = place + GA__TILE;
    *s = w->like;
    s->weights = room->weights[w->waiting++];
    s->rows = (int)ga__min(GA__STRIP, item->rows - row);
    s->high = GA__TILE;
    if (place < cursor->from || end > cursor->to) {
        uint64_t any = ga__tile_masks(&room->runs, row, s->rows, place, mask), all = ~UINT64_C(0);
        for (int i = 0; i < s->rows; i++) {
            all &= mask[i];
        }
        s->mask = all == ~UINT64_C(0) ? NULL : mask;
        s->low = __builtin_ctzll(any);
        s->high = GA__TILE - __builtin_clzll(any);
        s->careful = s->mask && s->pass != GA__TILE_SUMS && item->tiles->o.data && !has_finite(w, place);
    }
    run_strip(w, s, row, place);
    if (w->waiting == GA__GROUP) {
        flush(w);
    }
    if (end < cursor->to && place >= cursor->from) {
        cursor->next = end;
    } else {
        *cursor = ga__tile_seek(&room->runs, row, s->rows, end, false);
    }
}

static int64_t block_rows(const ga__attention *a, int64_t place)
{
    return ga__min(GA__TILE, a->places - place);
}

/* Finds the keys and values of the block that starts at place, and packs them where nobody has. */
static void open_block(walk *w, int64_t place)
{
    const ga__tile_item *item = w->item;
    const ga__tiles *tiles = item->tiles;
    const ga__attention *a = tiles->a;
    const ga__tile_ops *ops = tiles->ops;
    ga__panel *panel = item->panel;
    int64_t rows = block_rows(a, place), block = place / GA__TILE;
    float *k = item->room->k, *v = item->room->v;
    bool pack = !panel || !ga__panel_ready(panel, block),
         shared = panel && (!pack || ga__panel_claim(panel, block));
    w->values = shared ? &panel->values[block] : &w->own_values;
    w->own_values = GA__VALUES_UNKNOWN;
    if (shared) {
        k = panel->k + block * tiles->panels.size_k;
        v = panel->v ? panel->v + block * tiles->panels.size_v : NULL;
    }
    if (pack) {
        ops->pack_across(&a->k, item->batch, item->kv, place, rows, k);
        if (!tiles->direct && tiles->o.data && tiles->stride_v > 0) {
            ops->pack_values(&a->v, item->batch, item->kv, place, rows, tiles->stride_v, v);
        }
    }
    if (pack && shared) {
        ga__panel_packed(panel, block);
    }
    w->like.k = k;
    w->like.v = tiles->direct ? ga__view_row(&a->v, item->batch, item->kv, place) : v;
}

static void fetch(const void *from, int64_t bytes)
{
    enum { LINE = 64 };
    for (int64_t at = 0; at < bytes; at += LINE) {
        __builtin_prefetch((const char *)from + at, 0, 2);
    }
}

static void fetch_rows(const ga__view *view, const ga__tile_item *item, int64_t first, int64_t last)
{
    static const int64_t size[] = { 4, 2, 2, 8, 4, 8, 1 };
    for (int64_t j = first; j < last; j++) {
        fetch(ga__view_row(view, item->batch, item->kv, j), view->columns * size[view->type]);
    }
}

/* Fetches part s of n of the block after this one, where it most likely goes on. */
static void fetch_next(const ga__tile_item *item, int64_t place, int64_t s, int64_t n)
{
    const ga__tiles *tiles = item->tiles;
    const ga__attention *a = tiles->a;
    const ga__panels *panels = &tiles->panels;
    const ga__panel *panel = item->panel;
    int64_t next = place + GA__TILE, block = next / GA__TILE;
    if (next >= a->places) {
        return;
    }
    bool ready = panel && ga__panel_ready(panel, block);
    int64_t first = next + s * GA__TILE / n, last = ga__min(a->places, next + (s + 1) * GA__TILE / n);
    if (ready) {
        int64_t part = (panels->size_k + n - 1) / n;
        fetch(panel->k + block * panels->size_k + s * part, part * (int64_t)sizeof(float));
    } else {
        fetch_rows(&a->k, item, first, last);
    }
    if (ready && panel->v) {
        int64_t part = (panels->size_v + n - 1) / n;
        fetch(panel->v + block * panels->size_v + s * part, part * (int64_t)sizeof(float));
    } else {
        fetch_rows(&a->v, item, first, last);
    }
}

static void run_pass(const ga__tile_item *item, ga__tile_pass pass, bool second, int end)
{
    const ga__tiles *tiles = item->tiles;
    const ga__attention *a = tiles->a;
    ga__tile_room *room = item->room;
    walk w = { .item = item };
    bool powers = a->normaliser.kind == GA_SOFTMAX && !tiles->dressed;
    w.end = end;
    w.like = (ga__strip){ .kind = a->normaliser.kind,
                          .pass = pass,
                          .second = second,
                          .depth = tiles->depth,
                          .stride = tiles->stride,
                          .stride_v = tiles->stride_v,
                          .scale = (float)(fabs(a->scale) * (powers ? 1.4426950408889634 : 1)),
                          .dressed = tiles->dressed,
                          .softcap = (float)a->softcap,
                          .bias = tiles->biased ? room->bias : NULL,
                          .power = (float)a->normaliser.power };
    int64_t strips = (item->rows + GA__STRIP - 1) / GA__STRIP, place = INT64_MAX;
    for (int64_t s = 0; s < strips; s++) {
        int rows = (int)ga__min(GA__STRIP, item->rows - s * GA__STRIP);
        room->cursor[s] = ga__tile_seek(&room->runs, s * GA__STRIP, rows, item->from, true);
        place = ga__min(place, room->cursor[s].next);
    }
    for (int64_t count = 0; place < item->to; count++) {
        int64_t block = place / GA__TILE * GA__TILE;
        if (count % 64 == 63 && ga__stopped(tiles->context, &item->tiles->status)) {
            return;
        }
        open_block(&w, block);
        place = INT64_MAX;
        for (int64_t s = 0; s < strips; s++) {
            if (room->cursor[s].next < block + GA__TILE) {
                visit(&w, s * GA__STRIP, &room->cursor[s], block);
                fetch_next(item, block, s, strips);
            }
            place = ga__min(place, room->cursor[s].next);
        }
        flush(&w);
    }
}

/* ---- storing ---- */

static double head_scale(const ga__tile_item *item, int64_t head)
{
    const ga__attention *a = item->tiles->a;
    return a->head_scale.data ? ga__view_get(&a->head_scale, 0, 0, 0, head) : 1;
}

static void store_row(const ga__tile_item *item, int64_t r, double inverse)
{
    const ga__tiles *tiles = item->tiles;
    int64_t head = ga__tile_head(item, r), query = ga__tile_query(item, r);
    float *acc = item->room->acc + r * tiles->stride_v;
    float factor = (float)(inverse * head_scale(item, head));
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
static void store_lse(const ga__tile_item *item)
{
    for (int64_t r = 0; r < item->rows && item->tiles->lse.data; r++) {
        double max = (double)item->room->row.max[r], total = row_sum(item, r);
        double lse = total > 0 ? 0.6931471805599453 * (max + log2(total)) : is_nan(total) ? NAN : -INFINITY;
        ga__view_set(&item->tiles->lse, 0, item->batch, ga__tile_head(item, r), ga__tile_query(item, r), lse);
    }
}

static void store_rows(const ga__tile_item *item, bool divide, bool second)
{
    for (int64_t r = 0; r < item->rows && item->tiles->o.data; r++) {
        store_row(item, r, divide ? inverse_of(item, r, second) : 1);
    }
}

/* ---- the passes of an item ---- */

static void keep_part(const ga__tile_item *item)
{
    const ga__tiles *tiles = item->tiles;
    int64_t room = rows_of(tiles), at = item->number * room;
    memcpy(tiles->part_acc + at * tiles->stride_v, item->room->acc,
           (size_t)(item->rows * tiles->stride_v) * sizeof(float));
    memcpy(tiles->part_sums + at * GA__LANES, item->room->row.sums,
           (size_t)(item->rows * GA__LANES) * sizeof(float));
    memcpy(tiles->part_max + at, item->room->row.max, (size_t)item->rows * sizeof(float));
}

/* Weights normalised before they meet the values: what statistics and post steps look at. */
static void run_finished(const ga__tile_item *item, bool second)
{
    const ga__tiles *tiles = item->tiles;
    store_lse(item);
    start_final(item, second);
    if (tiles->statistics.wanted) {
        ga__tile_tally_start(item);
    }
    if (tiles->classwise) {
        memset(item->room->post_mass, 0,
               (size_t)(item->rows * tiles->classwise->class_count) * sizeof *item->room->post_mass);
        run_pass(item, GA__TILE_FINAL, second, TALLY);
        ga__tile_post_factors(item);
        run_pass(item, GA__TILE_FINAL, second, POST);
    } else {
        run_pass(item, GA__TILE_FINAL, second, PLAIN);
    }
    if (tiles->statistics.wanted) {
        ga__tile_tally_store(item);
    }
    store_rows(item, false, second);
}

static ga_status list_runs(const ga__tile_item *item)
{
    const ga__tiles *tiles = item->tiles;
    return ga__tile_runs_list(tiles->context, tiles->a->pattern, item->head, item->heads, item->query,
                              item->queries, &item->room->runs);
}

static void run_item(const ga__tile_item *item)
{
    ga__tiles *tiles = item->tiles;
    ga_normaliser_kind kind = tiles->a->normaliser.kind;
    bool second = kind == GA_SOFTPLUS_REWEIGHT;
    bool finished = tiles->statistics.wanted || tiles->classwise || kind == GA_INLINE;
    ga_status status = list_runs(item);
    if (status != GA_OK) {
        ga__note_status(&tiles->status, status);
        return;
    }
    start_rows(item);
    if (second) {
        run_pass(item, GA__TILE_SUMS, false, PLAIN);
        for (int64_t r = 0; r < item->rows; r++) {
            start_powers(item, r);
        }
        clear_sums(item);
    }
    if (finished) {
        run_pass(item, GA__TILE_SUMS, second, PLAIN);
        run_finished(item, second);
        return;
    }
    run_pass(item, GA__TILE_ONLINE, second, PLAIN);
    if (tiles->splits > 1) {
        keep_part(item);
        return;
    }
    store_lse(item);
    store_rows(item, true, second);
}

void ga__tile_item_run(ga__tile_item *item)
{
    ga__panels *panels = &item->tiles->panels;
    item->panel =
        panels->panel ? ga__panel_take(panels, item->batch * item->tiles->a->kv_heads + item->kv) : NULL;
    run_item(item);
    if (item->panel) {
        ga__panel_release(panels, item->panel);
    }
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
    int64_t stride = tiles->stride_v;
    for (int64_t r = 0; r < item->rows; r++) {
        int64_t at = number * rows_of(tiles) + r;
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
    memset(item->room->acc, 0, (size_t)(item->rows * tiles->stride_v) * sizeof(float));
    clear_sums(item);
    for (int64_t r = 0; r < item->rows; r++) {
        item->room->row.max[r] = tiles->a->normaliser.kind == GA_SOFTMAX ? -INFINITY : 0;
    }
    for (int64_t part = 0; part < tiles->splits; part++) {
        add_part(item, item->number + part);
    }
    store_lse(item);
    store_rows(item, true, false);
}
