/* tile_attention.c - attention by tiles: what is asked for, how the work is cut, the threads. */
#include "config.h"

#include "lib/engine/attention/attention.h"

#include <string.h>

#include "lib/engine/isa.h"
#include "lib/engine/tile_attention/backward.h"
#include "lib/engine/tile_attention/tile_item.h"

enum {
    MOST_ROWS = 192, /* of an item: fetching a block is cheap against what so many rows do with it */
    BOX_ROWS = 256,  /* of a box, which packs what it sees for itself */
    LEAST_ROWS = 48,
    WANTED_ITEMS = 64,
    LEAST_PLACES = 1024, /* of a part when places are split */
    FEW_ITEMS = 16,      /* fewer are split */
    MOST_AT_ONCE = 16,   /* items of a thread */
    STREAMED = 8 << 20   /* bytes of an output that caches do not keep for who reads it next */
};

static const char *can_forward(const ga__attention *a, const ga_attention_result *result)
{
    const ga_post *post = a->problem->post;
    if (a->wide || a->k.type == GA__F64 || a->v.type == GA__F64) {
        return "compute in double precision";
    }
    if (a->edge_bias.data) {
        return "add an edge bias";
    }
    if (result->map) {
        return "give maps";
    }
    if (post && (post->form == GA_POST_ROW || post->form == GA_POST_FULL)) {
        return "run post steps on rows or maps";
    }
    return a->normaliser.kind == GA_P_LAPLACIAN ? "compute the p-Laplacian" : NULL;
}

/* ---- what is asked for ---- */

static int64_t rounded(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* Queries of an item as a box of the grid, where the pattern is one of grids: what they see lies close together
 * there. Terms and classes of keys are packed by place, which boxes do not follow. */
static ga_status cut_boxes(ga__tiles *t, int64_t most)
{
    ga_status status = GA_OK;
    const ga__attention *a = t->a;
    if (t->classes > 0 || ga__has_columns(a) || !ga__boxes_pay(a->pattern)) {
        return status;
    }
    GA_TRY(ga__boxes_make(t->context, a->pattern, most, &t->boxes));
    t->boxed = a->batch * a->kv_heads * t->boxes.count >= FEW_ITEMS;
    t->direct = t->direct && !t->boxed;
done:
    return status;
}

/* Depends on the problem alone, so that sums do not depend on the threads. */
static ga_status cut_rows(ga__tiles *t)
{
    const ga__attention *a = t->a;
    int64_t rows = 0, slices = 0, heads = 0;
    bool columns = t->statistics.column_sum.data;
    if (!ga__mul(a->batch, a->heads, &slices) || !ga__mul(slices, a->queries, &rows)) {
        return ga__fail(t->context, GA_OVERFLOW, "attention: too many rows");
    }
    int64_t most = rounded(rows / WANTED_ITEMS, GA__STRIP);
    most = ga__max(LEAST_ROWS, most);
    ga_status status = cut_boxes(t, ga__min(BOX_ROWS, most));
    if (status != GA_OK) {
        return status;
    }
    most = ga__min(MOST_ROWS, most);
    t->rows_query = t->boxed ? t->boxes.most_queries : ga__min(a->queries, most);
    t->rows_head = columns ? 1 : ga__min(a->group, ga__max(1, most / t->rows_query));
    t->blocks_query = t->boxed ? t->boxes.count : (a->queries + t->rows_query - 1) / t->rows_query;
    t->blocks_head = (a->group + t->rows_head - 1) / t->rows_head;
    heads = a->batch * a->kv_heads * t->blocks_head;
    t->items = heads * t->blocks_query;
    t->per_chunk = 1;
    if (columns) {
        int64_t chunks = ga__max(1, ga__min(t->blocks_query, FEW_ITEMS / slices));
        t->per_chunk = (t->blocks_query + chunks - 1) / chunks;
    }
    t->chunks = (t->blocks_query + t->per_chunk - 1) / t->per_chunk;
    return GA_OK;
}

/* Few rows and many keys: parts of the places, put together at the end. */
static void cut_places(ga__tiles *t)
{
    ga_normaliser_kind kind = t->a->normaliser.kind;
    bool whole = t->statistics.wanted || (t->classwise && t->classes == 0) || kind == GA_INLINE ||
                 kind == GA_SOFTPLUS_REWEIGHT;
    t->splits = 1;
    if (!whole && !t->boxed && t->items < FEW_ITEMS) {
        t->splits = ga__max(1, ga__min(t->a->places / LEAST_PLACES, 2 * FEW_ITEMS / t->items));
    }
    t->at_once = t->boxed ? ga__max(1, ga__min(MOST_AT_ONCE, t->items / WANTED_ITEMS)) : 1;
    if (t->boxed) {
        return;
    }
    t->split_places = rounded((t->a->places + t->splits - 1) / t->splits, GA__TILE);
    t->splits = ga__max(1, (t->a->places + t->split_places - 1) / ga__max(1, t->split_places));
    t->items *= t->splits;
}

static ga_status make_parts(ga__tiles *t)
{
    ga_status status = GA_OK;
    const ga__attention *a = t->a;
    int64_t rows = t->items * t->rows_query * t->rows_head, count = 0;
    if (t->splits > 1) {
        GA_TRY(GA_NEW(t->context, rows * t->stride_acc, &t->part_acc));
        GA_TRY(GA_NEW(t->context, rows * GA__LANES, &t->part_sums));
        GA_TRY(GA_NEW(t->context, rows, &t->part_max));
    }
    if (t->statistics.column_sum.data) {
        if (!ga__mul(a->batch * a->heads * t->chunks, a->keys, &count)) {
            GA_TRY(ga__fail(t->context, GA_OVERFLOW, "column_sum: too large"));
        }
        GA_TRY(GA_NEW_ZERO(t->context, count, &t->columns));
    }
done:
    return status;
}

/* ---- threads ---- */

typedef struct team {
    ga__tiles *tiles;
    ga__tile_room *room;
    bool joining;
} team;

/* Item `number` of the (batch, kv head, head block, query block, part) in this order; the last queries come
 * first, since they see most where the order is causal. */
static ga__tile_item item_of(ga__tiles *t, ga__tile_room *room, int64_t number)
{
    const ga__attention *a = t->a;
    int64_t part = number % t->splits, rest = number / t->splits;
    int64_t block = rest % t->blocks_query, heads = rest / t->blocks_query;
    int64_t first = heads % t->blocks_head * t->rows_head, slice = heads / t->blocks_head;
    ga__tile_item item = { .tiles = t, .room = room, .number = number };
    item.batch = slice / a->kv_heads;
    item.kv = slice % a->kv_heads;
    item.head = item.kv * a->group + first;
    item.heads = ga__min(t->rows_head, a->group - first);
    item.query = (t->columns ? block : t->blocks_query - 1 - block) * t->rows_query;
    item.queries = ga__min(t->rows_query, a->queries - item.query);
    item.places = a->places;
    if (t->boxed) {
        item.box = ga__boxes_at(&t->boxes, t->columns ? block : t->blocks_query - 1 - block);
        item.queries = item.box.queries;
        item.places = item.box.places;
        item.order = room->query[number % 2];
        item.place = room->place[number % 2];
    }
    item.rows = item.heads * item.queries;
    item.from = part * t->split_places;
    item.to = part + 1 == t->splits ? INT64_MAX : item.from + t->split_places;
    if (t->columns) {
        int64_t chunk = block / t->per_chunk;
        item.columns = t->columns + ((item.batch * a->heads + item.head) * t->chunks + chunk) * a->keys;
    }
    return item;
}

static void work(void *user, int worker)
{
    team *w = user;
    ga__tiles *t = w->tiles;
    int64_t pieces = w->joining ? t->items / t->splits : t->items / t->blocks_query * t->chunks;
    if (t->per_chunk == 1 && !w->joining) {
        pieces = (t->items + t->at_once - 1) / t->at_once;
    }
    for (int64_t piece; (piece = ga__claim(&t->next)) < pieces && !ga__stopped(t->context, &t->status);) {
        if (w->joining) {
            ga__tile_item item = item_of(t, &w->room[worker], piece * t->splits);
            ga__tile_item_join(&item);
            continue;
        }
        int64_t first = t->per_chunk == 1
                            ? piece * t->at_once
                            : piece / t->chunks * t->blocks_query + piece % t->chunks * t->per_chunk;
        int64_t end = t->per_chunk == 1
                          ? ga__min(first + t->at_once, t->items)
                          : ga__min(first + t->per_chunk, (piece / t->chunks + 1) * t->blocks_query);
        ga__tile_item item = item_of(t, &w->room[worker], first), next = item;
        for (int64_t number = first; number < end; number++, item = next) {
            bool more = number + 1 < end;
            next = more ? item_of(t, &w->room[worker], number + 1) : item;
            item.next = t->boxed && more ? &next : NULL;
            ga__tile_item_run(&item);
        }
    }
    if (t->streamed) {
        t->ops->fence();
    }
}

/* Sums of the chunks of a head, in order. */
static void store_columns(const ga__tiles *t)
{
    const ga__attention *a = t->a;
    for (int64_t slice = 0; slice < a->batch * a->heads; slice++) {
        double *sum = t->columns + slice * t->chunks * a->keys;
        for (int64_t chunk = 1; chunk < t->chunks; chunk++) {
            for (int64_t j = 0; j < a->keys; j++) {
                sum[j] += sum[chunk * a->keys + j];
            }
        }
        ga__view_store_f64(&t->statistics.column_sum, 0, slice / a->heads, slice % a->heads, sum);
    }
}

/* Where several items go over the same keys. */
static ga_status make_panels(ga__tiles *t, int threads)
{
    const ga__attention *a = t->a;
    if (t->boxed || t->blocks_query * t->blocks_head == 1) {
        return GA_OK;
    }
    int64_t size_v = t->direct || !t->o.data ? 0 : GA__TILE / t->ops->paired * t->stride_v;
    return ga__panels_make(t->context, ga__min(threads, a->batch * a->kv_heads),
                           (a->places + GA__TILE - 1) / GA__TILE, GA__TILE * t->depth, size_v, &t->panels);
}

static ga_status run(ga__tiles *t)
{
    ga_status status = GA_OK;
    team w = { .tiles = t };
    int threads = ga__threads_for(t->context, t->items);
    GA_TRY(make_panels(t, threads));
    GA_TRY(GA_NEW_ZERO(t->context, threads, &w.room));
    for (int i = 0; i < threads; i++) {
        GA_TRY(ga__tile_room_make(t, &w.room[i]));
    }
    ga__workers(t->context, threads, work, &w);
    GA_TRY(ga__noted_status(&t->status));
    if (t->splits > 1) {
        t->next = 0;
        w.joining = true;
        ga__workers(t->context, threads, work, &w);
        GA_TRY(ga__noted_status(&t->status));
    }
    if (t->columns) {
        store_columns(t);
    }
done:
    for (int i = 0; w.room && i < threads; i++) {
        ga__tile_room_free(t, &w.room[i]);
    }
    ga_free(t->context, w.room);
    ga__panels_free(t->context, &t->panels);
    return status;
}

/* Without queries nothing has entries but the column sums. */
static void clear_columns(const ga__tiles *t)
{
    const ga__view *sum = &t->statistics.column_sum;
    int64_t entries = t->a->batch * t->a->heads * t->a->keys;
    if (sum->data && entries > 0) {
        memset(sum->data, 0, (size_t)entries * (sum->type == GA__F64 ? sizeof(double) : sizeof(float)));
    }
}

/* Rows in f32 of whole packed vectors, each aligned. */
static bool is_aligned(const ga__view *v)
{
    return v->type == GA__F32 && v->columns % GA__LANES == 0 && v->stride_row % GA__LANES == 0 &&
           (uintptr_t)v->data % 64 == 0 && v->stride_batch % GA__LANES == 0 &&
           v->stride_head % GA__LANES == 0;
}

/* Rows of values that lie as packed ones would. */
static bool is_packed(const ga__view *v, int64_t stride)
{
    return is_aligned(v) && v->columns == stride && v->stride_row == stride;
}

static bool is_large(const ga__view *v)
{
    return v->data &&
           v->batch * v->heads * v->rows >= STREAMED / (int64_t)sizeof(float) / ga__max(v->columns, 1);
}

/* Products of bf16 round the weights: not where these may grow beyond what they are divided by. */
static const ga__tile_ops *choose(ga_context *context, const ga__attention *a)
{
#ifdef HAVE_AVX512BF16
    ga_normaliser_kind kind = a->normaliser.kind;
    bool sums = kind == GA_SOFTMAX || kind == GA_SIGMOID || kind == GA_SOFTPLUS || kind == GA_RELU_L1;
    bool all = a->q.type == GA__BF16 && a->k.type == GA__BF16 && a->v.type == GA__BF16;
    if (sums && all && ga_context_backend(context) == GA_BACKEND_AVX512 && ga__machine_has_bf16()) {
        return &ga__tile_ops_bf16;
    }
#endif
    (void)a;
    return GA__CHOOSE(context, ga__tile_ops);
}

static ga_status forward(ga_context *context, const ga__attention *a, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    const ga_post *post = a->problem->post;
    ga__tiles t = { .context = context, .a = a, .ops = choose(context, a) };
    t.classwise = post && post->form == GA_POST_CLASSWISE && result->o ? post : NULL;
    t.biased = a->bias.data || a->table.data || a->slopes.data;
    t.dressed = t.biased || a->softcap > 0 || ga__has_columns(a);
    t.depth = rounded(a->dim, t.ops->paired) / t.ops->paired;
    t.stride = rounded(t.depth, GA__LANES);
    t.stride_v = t.stride_acc = rounded(a->dim_v, GA__LANES);
    t.direct = is_packed(&a->v, t.stride_v);
    GA_TRY(ga__view_of(context, "o", result->o, true, &t.o));
    t.streamed = is_aligned(&t.o) && is_large(&t.o);
    GA_TRY(ga__view_of(context, "lse", result->lse, true, &t.lse));
    GA_TRY(ga__statistics_open(context, result->statistics, &t.statistics));
    if (a->batch == 0 || a->heads == 0 || a->queries == 0) {
        clear_columns(&t);
        return status;
    }
    GA_TRY(ga__tile_terms_pack(context, a, &t.terms));
    if (t.classwise && !t.statistics.wanted && a->normaliser.kind != GA_INLINE) {
        GA_TRY(ga__tile_labels_make(&t));
    }
    GA_TRY(cut_rows(&t));
    cut_places(&t);
    GA_TRY(make_parts(&t));
    status = run(&t);
done:
    ga_free(context, t.part_acc);
    ga_free(context, t.part_sums);
    ga_free(context, t.part_max);
    ga_free(context, t.columns);
    ga__boxes_free(context, &t.boxes);
    ga_free(context, t.label);
    ga__tile_terms_free(context, &t.terms);
    return status;
}

const ga__family_ops ga__tiles_family = { can_forward, ga__tiles_can_backward, forward, ga__tiles_backward };
