/* tile_walk.c - a pass of an item over the blocks that its rows see. */
#include "config.h"

#include "lib/engine/tile_attention/tile_item.h"

#include <math.h>

/* The rows of a head in a view. */
typedef struct rows_at {
    const char *first;
    int64_t step;
} rows_at;

static rows_at find_rows(const ga__view *view, int64_t batch, int64_t head)
{
    const char *first = ga__view_row(view, batch, head, 0);
    return (rows_at){ first, (const char *)ga__view_row(view, batch, head, 1) - first };
}

typedef struct walk {
    const ga__tile_item *item;
    ga__strip like;             /* what all strips of the pass have in common */
    ga__strip strip[GA__GROUP]; /* have weights, wait for the values */
    int waiting;
    uint8_t *values, own_values; /* ga__block_values of the block, and where those of a private one are */
    ga__tile_end end;
    rows_at k, v;                            /* of the next item */
    const char *later[GA__GROUP][GA__AHEAD]; /* rows that strips fetch beside their values */
    int behind[GA__GROUP];                   /* so many */
} walk;

static void fetch(const void *from, int64_t bytes)
{
    enum { LINE = 64 };
    for (int64_t at = 0; at < bytes; at += LINE) {
        __builtin_prefetch((const char *)from + at, 0, 3);
    }
}

static void flush(walk *w)
{
    enum { ROW = 256 };
    for (int i = 0; i < w->waiting; i++) {
        for (int j = 0; j < w->behind[i]; j++) {
            fetch(w->later[i][j], ROW);
        }
        w->behind[i] = 0;
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
    s->acc = s->pass == GA__TILE_SUMS || !tiles->o.data || w->end == GA__END_TALLY
                 ? NULL
                 : room->acc + row * tiles->stride_acc;
    s->row =
        (ga__tile_rows){ room->row.max + row,    room->row.sums + row * GA__LANES, room->row.shift + row,
                         room->row.factor + row, room->row.inverse + row,          room->row.lift + row,
                         room->row.share + row,  room->row.offset + row,           room->row.peak + row };
    if (tiles->biased) {
        ga__tile_bias(item, row, s->rows, place);
    }
    if (s->terms) {
        ga__tile_terms_at(item, row, s->rows, place, &room->terms);
    }
    tiles->ops->weigh(s);
    if (w->end == GA__END_TALLY ||
        (s->pass == GA__TILE_FINAL && w->end == GA__END_PLAIN && tiles->statistics.wanted)) {
        if (tiles->statistics.wanted) {
            ga__tile_tally_add(item, s, row, place);
        }
        if (tiles->classwise) {
            ga__tile_post_add(item, s, row, place);
        }
    }
    if (w->end == GA__END_POST) {
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

/* Rows that come soon, spread over the strips of the block and over their work: queries and keys of the next item beside
 * the scores, its values and rows of the output beside the values. */
static void look_ahead(walk *w, int64_t row, int rows, const char **ahead)
{
    enum { PLACES = GA__AHEAD - GA__STRIP };
    const ga__tile_item *item = w->item, *next = item->next;
    const ga__view *q = &item->tiles->a->q, *o = &item->tiles->o;
    const char **later = w->later[w->waiting - 1];
    int64_t strips = (item->rows + GA__STRIP - 1) / GA__STRIP, s = row / GA__STRIP;
    int64_t places = next ? ga__min(GA__TILE, next->places) : 0;
    int64_t each = ga__min(PLACES, (places + strips - 1) / strips);
    int count = 0, behind = 0;
    for (int64_t r = row; next && r < ga__min(row + rows, next->rows); r++) {
        ahead[count++] = ga__view_row(q, next->batch, ga__tile_head(next, r), ga__tile_query(next, r));
    }
    for (int64_t r = row; r < row + rows && o->data && !item->tiles->streamed; r++) {
        later[behind++] = ga__view_row(o, item->batch, ga__tile_head(item, r), ga__tile_query(item, r));
    }
    for (int64_t j = s * each; j < ga__min(places, (s + 1) * each); j++) {
        int64_t place = ga__tile_place(next, j);
        ahead[count++] = w->k.first + place * w->k.step;
        later[behind++] = w->v.first + place * w->v.step;
    }
    for (; count < GA__AHEAD; count++) {
        ahead[count] = (const char *)item->room->q;
    }
    w->behind[w->waiting - 1] = behind;
}

/* One strip at the block that starts at place: its mask, its work, where it goes next. */
static void visit(walk *w, int64_t row, ga__tile_cursor *cursor, int64_t place)
{
    const char *ahead[GA__AHEAD];
    const ga__tile_item *item = w->item;
    ga__tile_room *room = item->room;
    ga__strip *s = &w->strip[w->waiting];
    uint64_t *mask = room->mask[w->waiting];
    int64_t end = place + GA__TILE;
    *s = w->like;
    s->rows = (int)ga__min(GA__STRIP, item->rows - row);
    if (s->classes > 0) {
        ga__tile_labels(item, row, s->rows, place, room->label[w->waiting]);
        s->label = room->label[w->waiting];
    }
    s->weights = room->weights[w->waiting++];
    s->high = GA__TILE;
    if (place < cursor->from || end > cursor->to) {
        uint64_t any = ga__tile_masks(&room->runs, row, s->rows, place, mask), all = ~UINT64_C(0);
        for (int i = 0; i < s->rows; i++) {
            all &= mask[i];
        }
        for (int i = s->rows; i < GA__STRIP; i++) {
            mask[i] = 0;
        }
        s->mask = all == ~UINT64_C(0) ? NULL : mask;
        s->low = __builtin_ctzll(any);
        s->high = GA__TILE - __builtin_clzll(any);
        s->careful = s->mask && s->pass != GA__TILE_SUMS && item->tiles->o.data && !has_finite(w, place);
    }
    if (item->place && end >= item->places) {
        look_ahead(w, row, s->rows, ahead);
        s->ahead = ahead;
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

/* Finds the keys and values of the block that starts at place, and packs them where nobody has. */
static void open_block(walk *w, int64_t place)
{
    const ga__tile_item *item = w->item;
    const ga__tiles *tiles = item->tiles;
    const ga__attention *a = tiles->a;
    const ga__tile_ops *ops = tiles->ops;
    ga__panel *panel = item->panel;
    int64_t rows = ga__min(GA__TILE, item->places - place), block = place / GA__TILE;
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
        const int32_t *list = item->place ? item->place + place : NULL;
        ops->pack_across(&a->k, item->batch, item->kv, list, place, rows, k);
        if (!tiles->direct && tiles->o.data && tiles->stride_v > 0) {
            ops->pack_values(&a->v, item->batch, item->kv, list, place, rows, tiles->stride_v, v);
        }
    }
    if (pack && shared) {
        ga__panel_packed(panel, block);
    }
    w->like.k = k;
    w->like.v = tiles->direct ? ga__view_row(&a->v, item->batch, item->kv, place) : v;
}

static const int64_t type_size[] = { 4, 2, 2, 8, 4, 8, 1 };

static void fetch_rows(const ga__view *view, const ga__tile_item *item, int64_t first, int64_t last)
{
    for (int64_t j = first; j < last; j++) {
        fetch(ga__view_row(view, item->batch, item->kv, ga__tile_place(item, j)),
              view->columns * type_size[view->type]);
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
    if (next >= item->places) {
        return;
    }
    bool ready = panel && ga__panel_ready(panel, block);
    int64_t first = next + s * GA__TILE / n, last = ga__min(item->places, next + (s + 1) * GA__TILE / n);
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

void ga__tile_pass_run(const ga__tile_item *item, ga__tile_pass pass, bool second, ga__tile_end end)
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
                          .terms = ga__has_columns(a) ? &room->terms : NULL,
                          .stride_acc = tiles->stride_acc,
                          .classes = tiles->classes,
                          .power = (float)a->normaliser.power };
    if (item->next) {
        w.k = find_rows(&a->k, item->next->batch, item->next->kv);
        w.v = find_rows(&a->v, item->next->batch, item->next->kv);
    }
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
