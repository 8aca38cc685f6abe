/* backward_item.c - one part of the tiles' backward pass: a chunk of queries against everything it sees. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/engine/tile_attention/backward_item.h"

/* ---- memory of a thread ---- */

static int64_t pattern_members(const ga__back *back)
{
    return back->a->pattern->heads == 1 ? 1 : back->a->group;
}

ga_status ga__back_room_make(const ga__back *back, ga__back_room *room)
{
    ga_status status = GA_OK;
    ga_context *context = back->context;
    int64_t rows = back->a->group * ga__back_chunk_rows(back),
            listed = pattern_members(back) * ga__back_chunk_rows(back);
    GA_TRY(ga_alloc(context, rows * back->stride, sizeof(float), &room->q));
    GA_TRY(ga_alloc(context, rows * back->stride_v, sizeof(float), &room->grad_o));
    GA_TRY(ga_alloc(context, rows * back->stride, sizeof(float), &room->dq));
    GA_TRY(GA_NEW(context, rows, &room->row));
    GA_TRY(GA_NEW(context, back->a->group * back->blocks_per_chunk, &room->finite));
    GA_TRY(GA_NEW(context, GA__BACK * back->stride, &room->k));
    GA_TRY(GA_NEW(context, GA__BACK * back->stride_v, &room->v));
    GA_TRY(GA_NEW(context, GA__BACK * back->stride, &room->k_across));
    GA_TRY(GA_NEW(context, GA__BACK * back->stride_v, &room->v_across));
    GA_TRY(GA_NEW_ZERO(context, 5 * GA__BACK * GA__BACK, &room->scores));
    room->pulls = room->scores + GA__BACK * GA__BACK;
    room->slack = room->pulls + GA__BACK * GA__BACK;
    room->raw = room->slack + GA__BACK * GA__BACK;
    room->bare = room->raw + GA__BACK * GA__BACK;
    GA_TRY(GA_NEW(context, GA__BACK, &room->mask));
    GA_TRY(GA_NEW(context, 2 * back->a->dim_v, &room->values));
    GA_TRY(GA_NEW(context, listed + 1, &room->run_at));
    GA_TRY(GA_NEW(context, listed, &room->cursor));
    GA_TRY(GA_NEW(context, pattern_members(back) * back->blocks_per_chunk, &room->next));
done:
    return status;
}

void ga__back_room_free(const ga__back *back, ga__back_room *room)
{
    void *blocks[] = { room->q,    room->grad_o,   room->dq,       room->row,    room->finite, room->k,
                       room->v,    room->k_across, room->v_across, room->scores, room->mask,   room->values,
                       room->runs, room->run_at,   room->cursor,   room->next };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ga_free(back->context, blocks[i]);
    }
}

/* ---- what the rows see ---- */

/* The runs of all rows, one row after another; of every head of the group where they differ. */
static ga_status list_runs(const ga__back_part *part)
{
    ga_status status = GA_OK;
    ga__back_room *room = part->room;
    const ga__attention *a = part->back->a;
    const ga_pattern *pattern = a->pattern;
    int64_t used = 0, at = 0;
    for (int64_t m = 0; m < pattern_members(part->back); m++) {
        int64_t head = ga__pattern_head(pattern, part->kv * a->group + m);
        for (int64_t i = 0; i < part->rows; i++) {
            if (used + pattern->most_runs > room->runs_room) {
                int64_t more = 2 * used + pattern->most_runs + 64;
                GA_TRY(ga__resize(part->back->context, used, more, sizeof *room->runs, &room->runs));
                room->runs_room = more;
            }
            room->run_at[at++] = used;
            used += ga__pattern_row(pattern, head, part->first + i, room->runs + used);
        }
    }
    room->run_at[at] = used;
done:
    return status;
}

/* Block of places that a row sees next when everything before `place` is behind it. */
static int64_t next_block(ga__back_room *room, int64_t row, int64_t place)
{
    int64_t at = room->cursor[row];
    while (at < room->run_at[row + 1] && room->runs[at].last <= place) {
        at++;
    }
    room->cursor[row] = at;
    return at < room->run_at[row + 1] ? ga__max(room->runs[at].first, place) / GA__BACK : INT64_MAX;
}

static int64_t rows_of_block(const ga__back_part *part, int64_t block)
{
    return ga__min(GA__BACK, part->rows - block * GA__BACK);
}

static void rewind_runs(const ga__back_part *part)
{
    ga__back_room *room = part->room;
    for (int64_t m = 0; m < pattern_members(part->back); m++) {
        for (int64_t block = 0; block < part->blocks; block++) {
            int64_t next = INT64_MAX, row = m * part->rows + block * GA__BACK;
            for (int64_t i = 0; i < rows_of_block(part, block); i++) {
                room->cursor[row + i] = room->run_at[row + i];
                next = ga__min(next, next_block(room, row + i, 0));
            }
            room->next[m * part->back->blocks_per_chunk + block] = next;
        }
    }
}

static uint64_t row_mask(const ga__back_room *room, int64_t row, int64_t first)
{
    uint64_t mask = 0;
    for (int64_t at = room->cursor[row];
         at < room->run_at[row + 1] && room->runs[at].first < first + GA__BACK; at++) {
        int64_t from = ga__max(room->runs[at].first - first, 0),
                to = ga__min(room->runs[at].last - first, GA__BACK);
        mask |= (~UINT64_C(0) >> (GA__BACK - (to - from))) << from;
    }
    return mask;
}

/* Masks of a block of rows at a block of places, and where the rows go next; true when all bits are set. */
static bool make_masks(const ga__back_part *part, int64_t member, int64_t block, int64_t key_block)
{
    ga__back_room *room = part->room;
    int64_t row = member * part->rows + block * GA__BACK, next = INT64_MAX, first = key_block * GA__BACK;
    uint64_t common = ~UINT64_C(0);
    for (int64_t i = 0; i < rows_of_block(part, block); i++) {
        room->mask[i] = row_mask(room, row + i, first);
        common &= room->mask[i];
        next = ga__min(next, next_block(room, row + i, first + GA__BACK));
    }
    room->next[member * part->back->blocks_per_chunk + block] = next;
    return common == ~UINT64_C(0);
}

/* ---- gradients of what was added to the scores ---- */

static void add_to(const ga__view *view, int64_t head, int64_t row, int64_t column, float value)
{
    void *to = ga__view_row(view, 0, head, row);
    if (view->type == GA__F64) {
        ((double *)to)[column] += (double)value;
    } else {
        ((float *)to)[column] += value;
    }
}

typedef struct collected {
    double *cells, *slope, total;
} collected;

static void collect_pair(const ga__back_tile *tile, const ga__back *back, int64_t i, int64_t j, collected *to)
{
    const ga__attention *a = back->a;
    int64_t query = tile->query + i, place = tile->place + j;
    int64_t key = a->pattern->real ? a->pattern->real[place] : place;
    float ds = tile->raw[i * GA__BACK + j];
    to->total += (double)ds;
    if (back->bias.data && key >= 0) {
        add_to(&back->bias, back->bias.heads == 1 ? 0 : tile->head, query, key, ds);
    }
    if (to->slope && key >= 0) {
        *to->slope -= (double)ds * fabs((double)(query + a->shift - key));
    }
    if (to->cells) {
        int64_t cell = ga__pattern_cell(a->pattern, query, place);
        if (cell >= 0) {
            to->cells[cell] += (double)ds;
        }
    }
}

static void collect(const ga__back_part *part, const ga__back_tile *tile)
{
    const ga__back *back = part->back;
    int64_t member = tile->head - part->kv * back->a->group, cells = back->table_rows * back->cells;
    collected to = { 0 };
    if (back->table.data) {
        to.cells = part->sums + (back->table_rows == 1 ? 0 : member) * back->cells;
    }
    if (back->slopes.data) {
        to.slope = part->sums + cells + member;
    }
    for (int64_t i = 0; i < tile->rows; i++) {
        uint64_t bits = tile->mask ? tile->mask[i] : ~UINT64_C(0);
        for (; bits; bits &= bits - 1) {
            collect_pair(tile, back, i, __builtin_ctzll(bits), &to);
        }
    }
    part->sums[cells + back->a->group] += to.total;
}

/* ---- sweeps ---- */

typedef enum sweep { FIRST, SECOND, GRADIENTS } sweep;

static ga__back_tile make_tile(const ga__back_part *part)
{
    const ga__back *back = part->back;
    const ga__attention *a = back->a;
    const ga__back_room *room = part->room;
    return (ga__back_tile){
        .dim = a->dim,
        .dim_v = a->dim_v,
        .stride = back->stride,
        .stride_v = back->stride_v,
        .k = room->k,
        .k_across = room->k_across,
        .v_across = room->v_across,
        .scores = room->scores,
        .pulls = room->pulls,
        .slack = a->softcap > 0 || a->column_factor.data || a->column_gain.data ? room->slack : NULL,
        .raw = back->want_raw || back->bias_sums || back->factor_sums ? room->raw : NULL,
        .bare = back->factor_sums ? room->bare : NULL,
        .kind = a->normaliser.kind,
        .scale = (float)a->scale,
        .softcap = (float)a->softcap,
        .power = a->normaliser.power,
        .dressed = a->softcap > 0 || a->bias.data || a->table.data || a->slopes.data || ga__has_columns(a),
        .a = a,
    };
}

/* The rows of dk and dv for a block of places. */
static void aim_places(const ga__back_part *part, int64_t key_block, ga__back_tile *tile)
{
    const ga__back *back = part->back;
    int64_t slot = part->kv * back->chunks + part->chunk;
    int64_t row = part->batch * back->rows_per_batch + back->start[slot] +
                  (key_block - back->range[slot].first) * GA__BACK;
    if (back->want_k) {
        tile->dk = back->part_k + row * back->stride;
        memset(tile->dk, 0, (size_t)(GA__BACK * back->stride) * sizeof(float));
    }
    if (back->want_v) {
        tile->dv = back->part_v + row * back->stride_v;
        memset(tile->dv, 0, (size_t)(GA__BACK * back->stride_v) * sizeof(float));
    }
}

static void visit(const ga__back_part *part, sweep kind, ga__back_tile *tile, int64_t member, int64_t block)
{
    const ga__back *back = part->back;
    const ga__back_room *room = part->room;
    int64_t row = member * ga__back_chunk_rows(back) + block * GA__BACK;
    tile->rows = rows_of_block(part, block);
    tile->head = part->kv * back->a->group + member;
    tile->query = part->first + block * GA__BACK;
    tile->slope = back->a->slopes.data ? (float)ga__view_get(&back->a->slopes, 0, 0, 0, tile->head) : 0;
    tile->q = room->q + row * back->stride;
    tile->grad_o = room->grad_o + row * back->stride_v;
    tile->row = room->row + row;
    tile->dq = back->q.data ? room->dq + row * back->stride : NULL;
    if (ga__has_columns(back->a)) {
        ga__back_terms_aim(part, tile);
    }
    if (kind == FIRST) {
        back->ops->first_sweep(tile);
    } else if (kind == SECOND) {
        back->ops->second_sweep(tile);
    } else {
        back->ops->gradients(tile);
        if (back->want_raw) {
            collect(part, tile);
        }
        if (back->bias_sums || back->factor_sums) {
            ga__back_terms_add(part, tile);
        }
    }
}

/* All blocks of queries that see this block of places. */
static void visit_places(const ga__back_part *part, sweep kind, ga__back_tile *tile, int64_t key_block)
{
    const ga__back *back = part->back;
    const ga__back_room *room = part->room;
    bool packed = false, finite = true, full = false, sees = false, shared = back->a->pattern->heads == 1;
    for (int64_t block = 0; block < part->blocks; block++) {
        for (int64_t m = 0; m < back->a->group; m++) {
            if (m == 0 || !shared) {
                sees = room->next[m * back->blocks_per_chunk + block] == key_block;
                full = sees && make_masks(part, m, block, key_block);
            }
            if (!sees) {
                continue;
            }
            if (!packed) {
                finite = back->ops->pack(&back->a->k, part->batch, part->kv, tile->place, tile->places, 1,
                                         back->stride, room->k, room->k_across);
                finite &= back->ops->pack(&back->a->v, part->batch, part->kv, tile->place, tile->places, 1,
                                          back->stride_v, room->v, room->v_across);
                packed = true;
            }
            tile->mask = full ? NULL : room->mask;
            tile->contained = full || (finite && room->finite[m * back->blocks_per_chunk + block]);
            visit(part, kind, tile, m, block);
        }
    }
}

static void run_sweep(const ga__back_part *part, sweep kind)
{
    ga__back *back = part->back;
    const ga__back_range *range = &back->range[part->kv * back->chunks + part->chunk];
    ga__back_tile tile = make_tile(part);
    rewind_runs(part);
    for (int64_t key_block = range->first; key_block < range->last; key_block++) {
        if (ga__stopped(back->context, &back->status)) {
            return;
        }
        tile.place = key_block * GA__BACK;
        tile.places = ga__min(GA__BACK, back->a->places - tile.place);
        if (kind == GRADIENTS) {
            aim_places(part, key_block, &tile);
        }
        visit_places(part, kind, &tile, key_block);
    }
}

/* ---- one part ---- */

static void load_head(const ga__back_part *part, int64_t member)
{
    const ga__back *back = part->back;
    const ga__attention *a = back->a;
    ga__back_room *room = part->room;
    int64_t head = part->kv * a->group + member;
    float factor = a->head_scale.data ? (float)ga__view_get(&a->head_scale, 0, 0, 0, head) : 1;
    for (int64_t block = 0; block < part->blocks; block++) {
        int64_t row = member * ga__back_chunk_rows(back) + block * GA__BACK,
                first = part->first + block * GA__BACK;
        int64_t rows = rows_of_block(part, block);
        bool finite = back->ops->pack(&a->q, part->batch, head, first, rows, 1, back->stride,
                                      room->q + row * back->stride, NULL);
        finite &= back->ops->pack(&back->grad_o, part->batch, head, first, rows, factor, back->stride_v,
                                  room->grad_o + row * back->stride_v, NULL);
        room->finite[member * back->blocks_per_chunk + block] = finite;
    }
    memset(room->dq + member * ga__back_chunk_rows(back) * back->stride, 0,
           (size_t)(part->rows * back->stride) * sizeof(float));
    ga__back_rows_start(part, member);
}

static void store_queries(const ga__back_part *part, int64_t member)
{
    const ga__back *back = part->back;
    const float *from = part->room->dq + member * ga__back_chunk_rows(back) * back->stride;
    for (int64_t i = 0; back->q.data && i < part->rows; i++) {
        ga__back_store(&back->q, part->batch, part->kv * back->a->group + member, part->first + i,
                       from + i * back->stride);
    }
}

static void each_head(const ga__back_part *part, void (*call)(const ga__back_part *part, int64_t member))
{
    for (int64_t m = 0; m < part->back->a->group; m++) {
        call(part, m);
    }
}

void ga__back_part_run(ga__back *back, ga__back_room *room, int64_t batch, int64_t kv, int64_t chunk)
{
    int64_t first = chunk * ga__back_chunk_rows(back),
            rows = ga__min(ga__back_chunk_rows(back), back->a->queries - first);
    ga__back_part part = { .back = back,
                           .room = room,
                           .batch = batch,
                           .kv = kv,
                           .chunk = chunk,
                           .first = first,
                           .rows = rows,
                           .blocks = (rows + GA__BACK - 1) / GA__BACK };
    part.sums = back->sums ? back->sums + ((batch * back->a->kv_heads + kv) * back->chunks + chunk) *
                                              back->sums_per_part
                           : NULL;
    ga_status status = list_runs(&part);
    if (status != GA_OK) {
        ga__note_status(&back->status, status);
        return;
    }
    each_head(&part, load_head);
    if (back->first_sweep) {
        run_sweep(&part, FIRST);
        each_head(&part, ga__back_rows_first);
    }
    if (back->second_sweep) {
        run_sweep(&part, SECOND);
        each_head(&part, ga__back_rows_second);
    }
    run_sweep(&part, GRADIENTS);
    each_head(&part, store_queries);
}
