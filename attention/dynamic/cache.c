/* cache.c - keys and values in pages: appending, evicting, positions. */
#include "config.h"

#include <string.h>

#include "attention/dynamic/cache.h"

enum { PAGE_ROWS = 256, LEAST_TABLE = 16 };

/* ---- making ---- */

static bool is_storage(DLDataType type)
{
    return type.lanes == 1 && ((type.code == kDLFloat && (type.bits == 32 || type.bits == 16)) ||
                               (type.code == kDLBfloat && type.bits == 16));
}

static ga__type storage_of(DLDataType type)
{
    return type.code == kDLBfloat ? GA__BF16 : type.bits == 16 ? GA__F16 : GA__F32;
}

static int64_t size_of(const ga_cache *cache)
{
    return cache->type == GA__F32 ? 4 : 2;
}

static ga_status check_options(ga_context *context, const ga_cache_options *o)
{
    int64_t bytes = 0;
    if (o->kv_heads < 1 || o->dim < 1 || o->dim_v < 1 || o->page_rows < 0) {
        return ga__fail(context, GA_INVALID,
                        "cache: %lld heads, rows of %lld and %lld, pages of %lld rows; expected 1 or more",
                        (long long)o->kv_heads, (long long)o->dim, (long long)o->dim_v,
                        (long long)o->page_rows);
    }
    if (!is_storage(o->type)) {
        return ga__fail(context, GA_INVALID, "cache: f32, bf16 or f16 expected");
    }
    if (!ga__mul(ga__max(o->dim, o->dim_v), 4, &bytes) ||
        !ga__mul(bytes, ga__max(o->page_rows, PAGE_ROWS), &bytes)) {
        return ga__fail(context, GA_OVERFLOW, "cache: pages are too large");
    }
    return GA_OK;
}

ga_status ga_cache_create(ga_context *context, const ga_cache_options *options, ga_cache **cache)
{
    ga_status status = GA_OK;
    ga_cache *made = NULL;
    ga__begin(context);
    GA_TRY(check_options(context, options));
    GA_TRY(GA_NEW_ZERO(context, 1, &made));
    made->heads = options->kv_heads;
    made->dim = options->dim;
    made->dim_v = options->dim_v;
    made->type = storage_of(options->type);
    made->page_rows = options->page_rows > 0 ? options->page_rows : PAGE_ROWS;
    GA_TRY(GA_NEW_ZERO(context, made->heads, &made->length));
    GA_TRY(GA_NEW_ZERO(context, made->heads, &made->pages));
    GA_TRY(GA_NEW_ZERO(context, made->heads, &made->kept));
    GA_TRY(GA_NEW_ZERO(context, made->heads, &made->position));
    *cache = made;
    made = NULL;
done:
    ga_cache_destroy(context, made);
    return status;
}

/* The pages of a head from number `from` on. */
static void drop_pages(ga_context *context, ga_cache *cache, int64_t head, int64_t from)
{
    for (int64_t p = from; p < cache->pages[head]; p++) {
        ga_free(context, cache->k[head * cache->table + p]);
        ga_free(context, cache->v[head * cache->table + p]);
    }
    cache->pages[head] = ga__min(cache->pages[head], from);
}

void ga_cache_destroy(ga_context *context, ga_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (int64_t h = 0; h < cache->heads && cache->pages; h++) {
        drop_pages(context, cache, h, 0);
    }
    for (int64_t h = 0; h < cache->heads && cache->position; h++) {
        ga_free(context, cache->position[h]);
    }
    ga_free(context, cache->k);
    ga_free(context, cache->v);
    ga_free(context, cache->length);
    ga_free(context, cache->pages);
    ga_free(context, cache->kept);
    ga_free(context, cache->position);
    ga_free(context, cache);
}

/* ---- reading ---- */

int64_t ga_cache_tokens(const ga_cache *cache)
{
    return cache->tokens;
}

int64_t ga_cache_length(const ga_cache *cache, int64_t head)
{
    return cache->length[head];
}

int64_t ga_cache_position(const ga_cache *cache, int64_t head, int64_t slot)
{
    return slot < cache->kept[head] ? cache->position[head][slot]
                                    : cache->tokens - cache->length[head] + slot;
}

int64_t ga_cache_bytes(const ga_cache *cache)
{
    int64_t pages = 0;
    for (int64_t h = 0; h < cache->heads; h++) {
        pages += cache->pages[h];
    }
    return pages * cache->page_rows * (cache->dim + cache->dim_v) * size_of(cache);
}

bool ga__cache_is_ragged(const ga_cache *cache)
{
    for (int64_t h = 1; h < cache->heads; h++) {
        if (cache->length[h] != cache->length[0]) {
            return true;
        }
    }
    return false;
}

bool ga__cache_is_aligned(const ga_cache *cache)
{
    bool aligned = !ga__cache_is_ragged(cache);
    for (int64_t h = 1; h < cache->heads && aligned && cache->evictions > 0; h++) {
        aligned = cache->kept[h] == cache->kept[0] && memcmp(cache->position[h], cache->position[0],
                                                             (size_t)cache->kept[0] * sizeof(int64_t)) == 0;
    }
    return aligned;
}

static ga__keys keys_of(const ga_cache *cache, void **table, int64_t columns, int64_t head, int64_t heads)
{
    const void *const *page = (const void *const *)(table ? table + head * cache->table : NULL);
    ga__view view = { .type = cache->type,
                      .batch = 1,
                      .heads = heads,
                      .rows = cache->length[head],
                      .columns = columns,
                      .stride_row = columns };
    return (ga__keys){ view, page, cache->page_rows, cache->table };
}

ga__keys ga__cache_k(const ga_cache *cache, int64_t head, int64_t heads)
{
    return keys_of(cache, cache->k, cache->dim, head, heads);
}

ga__keys ga__cache_v(const ga_cache *cache, int64_t head, int64_t heads)
{
    return keys_of(cache, cache->v, cache->dim_v, head, heads);
}

static ga_status read_rows(ga_context *context, const char *name, const ga__keys *keys, int64_t first,
                           const DLTensor *tensor)
{
    ga_status status = GA_OK;
    ga__view to;
    GA_TRY(ga__view_of(context, name, tensor, true, &to));
    GA_TRY(ga__view_expect(context, name, &to, 1, 1, -1, keys->view.columns));
    GA_TRY(ga__view_output(context, name, &to, GA__F32, GA__F64));
    if (first < 0 || first > keys->view.rows || to.rows > keys->view.rows - first) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s: slots %lld to %lld of %lld", name, (long long)first,
                        (long long)(first + to.rows), (long long)keys->view.rows));
    }
    if (to.type == GA__F32) {
        ga__keys_load_f32(keys, 0, 0, first, to.rows, to.data);
    } else {
        ga__keys_load_f64(keys, 0, 0, first, to.rows, to.data);
    }
done:
    return status;
}

ga_status ga_cache_read(ga_context *context, const ga_cache *cache, int64_t head, int64_t first, DLTensor *k,
                        DLTensor *v)
{
    ga_status status = GA_OK;
    ga__begin(context);
    if (head < 0 || head >= cache->heads) {
        GA_TRY(ga__fail(context, GA_INVALID, "cache: head %lld of %lld", (long long)head,
                        (long long)cache->heads));
    }
    ga__keys of_k = ga__cache_k(cache, head, 1), of_v = ga__cache_v(cache, head, 1);
    if (k) {
        GA_TRY(read_rows(context, "k", &of_k, first, k));
    }
    if (v) {
        GA_TRY(read_rows(context, "v", &of_v, first, v));
    }
done:
    return status;
}

/* ---- appending ---- */

/* Lines of a table with more room. */
static ga_status widen(ga_context *context, ga_cache *cache, int64_t room, void ***table)
{
    ga_status status = GA_OK;
    void **wide = NULL;
    int64_t count = 0;
    if (!ga__mul(cache->heads, room, &count)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "cache: too many pages"));
    }
    GA_TRY(GA_NEW_ZERO(context, count, &wide));
    for (int64_t h = 0; h < cache->heads && *table; h++) {
        memcpy(wide + h * room, *table + h * cache->table, (size_t)cache->pages[h] * sizeof *wide);
    }
    ga_free(context, *table);
    *table = wide;
done:
    return status;
}

/* Room for so many pages of every head in the tables. Both tables are made before either is replaced. */
static ga_status reserve_table(ga_context *context, ga_cache *cache, int64_t pages)
{
    ga_status status = GA_OK;
    void **old_k = cache->k, **k = NULL;
    int64_t room = ga__max(LEAST_TABLE, cache->table), count = 0;
    if (pages <= cache->table) {
        return GA_OK;
    }
    while (room < pages) {
        room *= 2;
    }
    if (!ga__mul(cache->heads, room, &count)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "cache: too many pages"));
    }
    GA_TRY(GA_NEW_ZERO(context, count, &k));
    for (int64_t h = 0; h < cache->heads && old_k; h++) {
        memcpy(k + h * room, old_k + h * cache->table, (size_t)cache->pages[h] * sizeof *k);
    }
    GA_TRY(widen(context, cache, room, &cache->v));
    cache->k = k;
    k = NULL;
    ga_free(context, old_k);
    cache->table = room;
done:
    ga_free(context, k);
    return status;
}

static ga_status add_page(ga_context *context, ga_cache *cache, int64_t head)
{
    ga_status status = GA_OK;
    int64_t at = head * cache->table + cache->pages[head], size = size_of(cache);
    char *k = NULL, *v = NULL;
    GA_TRY(GA_NEW(context, cache->page_rows * cache->dim * size, &k));
    GA_TRY(GA_NEW(context, cache->page_rows * cache->dim_v * size, &v));
    cache->k[at] = k;
    cache->v[at] = v;
    cache->pages[head]++;
    k = NULL;
done:
    ga_free(context, k);
    return status;
}

/* Pages that `length` slots of a head need. */
static int64_t pages_for(const ga_cache *cache, int64_t length)
{
    return length / cache->page_rows + (length % cache->page_rows != 0);
}

/* Pages for `count` more tokens; on failure the heads have those that they had. */
static ga_status reserve(ga_context *context, ga_cache *cache, int64_t count)
{
    ga_status status = GA_OK;
    int64_t most = 0;
    for (int64_t h = 0; h < cache->heads; h++) {
        most = ga__max(most, pages_for(cache, cache->length[h] + count));
    }
    GA_TRY(reserve_table(context, cache, most));
    for (int64_t h = 0; h < cache->heads; h++) {
        while (cache->pages[h] < pages_for(cache, cache->length[h] + count)) {
            GA_TRY(add_page(context, cache, h));
        }
    }
done:
    for (int64_t h = 0; h < cache->heads && status != GA_OK; h++) {
        drop_pages(context, cache, h, pages_for(cache, cache->length[h]));
    }
    return status;
}

/* Rows of one head behind its last slot. row: room of a row. */
static void store_rows(const ga_cache *cache, const ga__keys *keys, int64_t head, const ga__view *from,
                       float *row)
{
    int64_t size = size_of(cache), at = cache->length[head];
    ga__view to = { .type = cache->type, .batch = 1, .heads = 1, .rows = 1, .columns = from->columns };
    for (int64_t i = 0; i < from->rows; i++) {
        to.data = (void *)(uintptr_t)ga__keys_row(keys, 0, 0, at + i);
        if (from->type == cache->type) {
            memcpy(to.data, ga__view_row(from, 0, head, i), (size_t)(from->columns * size));
        } else {
            ga__view_load_f32(from, 0, head, i, row);
            ga__view_store_f32(&to, 0, 0, 0, row);
        }
    }
}

ga_status ga_cache_append(ga_context *context, ga_cache *cache, const DLTensor *k, const DLTensor *v)
{
    ga_status status = GA_OK;
    ga__view of_k, of_v;
    float *row = NULL;
    int64_t tokens = 0;
    ga__begin(context);
    GA_TRY(ga__view_of(context, "k", k, true, &of_k));
    GA_TRY(ga__view_of(context, "v", v, true, &of_v));
    GA_TRY(ga__view_expect(context, "k", &of_k, 1, cache->heads, -1, cache->dim));
    GA_TRY(ga__view_expect(context, "v", &of_v, 1, cache->heads, of_k.rows, cache->dim_v));
    if (!ga__add(cache->tokens, of_k.rows, &tokens) || tokens >= INT32_MAX) {
        GA_TRY(ga__fail(context, GA_LIMIT, "cache: %lld tokens and %lld more, slots have 31 bits",
                        (long long)cache->tokens, (long long)of_k.rows));
    }
    GA_TRY(GA_NEW(context, ga__max(cache->dim, cache->dim_v), &row));
    GA_TRY(reserve(context, cache, of_k.rows));
    for (int64_t h = 0; h < cache->heads; h++) {
        ga__keys to_k = ga__cache_k(cache, h, 1), to_v = ga__cache_v(cache, h, 1);
        store_rows(cache, &to_k, h, &of_k, row);
        store_rows(cache, &to_v, h, &of_v, row);
        cache->length[h] += of_k.rows;
    }
    cache->tokens = tokens;
done:
    ga_free(context, row);
    return status;
}

/* ---- evicting ---- */

static ga_status check_lists(ga_context *context, const ga_cache *cache, const int64_t *offsets,
                             const int64_t *slots)
{
    for (int64_t h = 0; h < cache->heads; h++) {
        bool good = offsets[h] >= 0 && offsets[h] <= offsets[h + 1];
        for (int64_t i = offsets[h]; good && i < offsets[h + 1]; i++) {
            good =
                slots[i] >= 0 && slots[i] < cache->length[h] && (i == offsets[h] || slots[i] > slots[i - 1]);
        }
        if (!good) {
            return ga__fail(context, GA_INVALID,
                            "cache: the slots of head %lld do not ascend below its length %lld", (long long)h,
                            (long long)cache->length[h]);
        }
    }
    return GA_OK;
}

/* Slot numbers ascend, so a row never moves onto one that is still to be moved. */
static void move_rows(const ga_cache *cache, const ga__keys *keys, const int64_t *slots, int64_t count)
{
    size_t bytes = (size_t)(keys->view.columns * size_of(cache));
    for (int64_t i = 0; i < count; i++) {
        void *to = (void *)(uintptr_t)ga__keys_row(keys, 0, 0, i);
        if (slots[i] != i) {
            memcpy(to, ga__keys_row(keys, 0, 0, slots[i]), bytes);
        }
    }
}

ga_status ga_cache_evict(ga_context *context, ga_cache *cache, const int64_t *offsets, const int64_t *slots)
{
    ga_status status = GA_OK;
    int64_t **position = NULL;
    ga__begin(context);
    GA_TRY(check_lists(context, cache, offsets, slots));
    GA_TRY(GA_NEW_ZERO(context, cache->heads, &position));
    for (int64_t h = 0; h < cache->heads; h++) {
        int64_t count = offsets[h + 1] - offsets[h];
        GA_TRY(GA_NEW(context, count, &position[h]));
        for (int64_t i = 0; i < count; i++) {
            position[h][i] = ga_cache_position(cache, h, slots[offsets[h] + i]);
        }
    }
    for (int64_t h = 0; h < cache->heads; h++) {
        int64_t count = offsets[h + 1] - offsets[h], *before = cache->position[h];
        ga__keys k = ga__cache_k(cache, h, 1), v = ga__cache_v(cache, h, 1);
        move_rows(cache, &k, slots + offsets[h], count);
        move_rows(cache, &v, slots + offsets[h], count);
        cache->position[h] = position[h];
        position[h] = before;
        cache->kept[h] = cache->length[h] = count;
        drop_pages(context, cache, h, pages_for(cache, count));
    }
    cache->evictions++;
done:
    for (int64_t h = 0; h < cache->heads && position; h++) {
        ga_free(context, position[h]);
    }
    ga_free(context, position);
    return status;
}
