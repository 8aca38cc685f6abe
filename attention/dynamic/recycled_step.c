/* recycled_step.c - recycled attention in a decoding session. A full step attends to the cache and copies the rows that it
 * leaves to the small one, side by side; the steps behind it read these alone. */
#include "config.h"

#include <string.h>

#include "attention/dynamic/session.h"
#include "lib/base/workers.h"
#include "lib/engine/paged_attention/paged.h"

/* One token. */
typedef struct token {
    ga_context *context;
    ga_session *session;
    ga__view q, o; /* of its row */
    int64_t keys;  /* up to its own */
    bool full;
    float *scores; /* owned: (heads, stride) */
    double *lse;   /* owned: (heads) */
    int64_t stride, next;
    int status;
} token;

/* ---- memory ---- */

/* The block in a wider one, line by line; the old one is freed. */
static void move_lines(ga_context *context, int64_t lines, int64_t line, int64_t wide, char **block, char *to)
{
    for (int64_t i = 0; i < lines && *block; i++) {
        memcpy(to + i * wide, *block + i * line, (size_t)line);
    }
    ga_free(context, *block);
    *block = to;
}

/* Room for the rows of the small cache, and for one more that a step appends. */
static ga_status reserve(const token *t)
{
    ga_status status = GA_OK;
    ga__small_cache *c = &t->session->small;
    const ga_cache *cache = t->session->cache;
    int64_t room = ga__min(c->rule.top_k, t->keys) + 1, size = ga__type_size(cache->type), count = 0;
    int64_t rest = 0;
    if (room <= c->room) {
        return GA_OK;
    }
    room = ga__min(c->rule.top_k + 1, 2 * room);
    const int64_t bytes[] = { sizeof(int32_t), sizeof(int32_t), cache->dim * size, cache->dim_v * size };
    char *made[4] = { NULL };
    if (!ga__mul(cache->heads, room, &count) ||
        !ga__mul(count, ga__max(ga__max(bytes[2], bytes[3]), bytes[0]), &rest)) {
        GA_TRY(ga__fail(t->context, GA_OVERFLOW, "recycled: too many slots"));
    }
    for (int i = 0; i < 4; i++) {
        GA_TRY(GA_NEW(t->context, count * bytes[i], &made[i]));
    }
    char *block[] = { (char *)c->slots, (char *)c->places, c->k, c->v };
    for (int i = 0; i < 4; i++) {
        move_lines(t->context, cache->heads, c->room * bytes[i], room * bytes[i], &block[i], made[i]);
        made[i] = NULL;
    }
    c->slots = (int32_t *)(void *)block[0];
    c->places = (int32_t *)(void *)block[1];
    c->k = block[2];
    c->v = block[3];
    c->room = room;
done:
    for (int i = 0; i < 4; i++) {
        ga_free(t->context, made[i]);
    }
    return status;
}

/* Keys or values of the small cache. */
static ga__keys small_rows(const ga_session *s, char *data, int64_t columns)
{
    ga__view view = { .data = data,
                      .type = s->cache->type,
                      .batch = 1,
                      .heads = s->cache->heads,
                      .rows = s->small.room,
                      .columns = columns,
                      .stride_head = s->small.room * columns,
                      .stride_row = columns };
    return ga__keys_of_view(&view);
}

static void copy_row(const ga__keys *from, const ga__keys *to, int64_t kv, int64_t row, int64_t place)
{
    memcpy(ga__view_row(&to->view, 0, kv, place), ga__keys_row(from, 0, kv, row),
           (size_t)(to->view.columns * ga__type_size(to->view.type)));
}

/* ---- the small cache ---- */

/* What a full step leaves, and its rows. */
static ga_status fill(const token *t, int64_t kv, const ga__recycled_scores *scores)
{
    ga_status status = GA_OK;
    ga_session *s = t->session;
    ga__small_cache *c = &s->small;
    int32_t *slots = c->slots + kv * c->room;
    ga__keys k = ga__cache_k(s->cache, 0, s->cache->heads), v = ga__cache_v(s->cache, 0, s->cache->heads);
    ga__keys small_k = small_rows(s, c->k, s->cache->dim), small_v = small_rows(s, c->v, s->cache->dim_v);
    GA_TRY(ga__recycling_best_of(t->context, &c->rule, scores, slots, &c->count[kv]));
    for (int64_t i = 0; i < c->count[kv]; i++) {
        c->places[kv * c->room + i] = (int32_t)i;
        copy_row(&k, &small_k, kv, slots[i], i);
        copy_row(&v, &small_v, kv, slots[i], i);
    }
done:
    return status;
}

static void append(const token *t, int64_t kv)
{
    ga_session *s = t->session;
    ga__small_cache *c = &s->small;
    ga__keys k = ga__cache_k(s->cache, 0, s->cache->heads), v = ga__cache_v(s->cache, 0, s->cache->heads);
    ga__keys small_k = small_rows(s, c->k, s->cache->dim), small_v = small_rows(s, c->v, s->cache->dim_v);
    int64_t at = c->count[kv]++;
    c->slots[kv * c->room + at] = (int32_t)(t->keys - 1);
    c->places[kv * c->room + at] = (int32_t)at;
    copy_row(&k, &small_k, kv, t->keys - 1, at);
    copy_row(&v, &small_v, kv, t->keys - 1, at);
}

/* Drops the least of more than top_k. The last row, of the last slot, moves to its place. */
static ga_status drop(const token *t, int64_t kv, const ga__recycled_scores *scores)
{
    ga_status status = GA_OK;
    ga_session *s = t->session;
    ga__small_cache *c = &s->small;
    int32_t *slots = c->slots + kv * c->room, *places = c->places + kv * c->room;
    ga__keys small_k = small_rows(s, c->k, s->cache->dim), small_v = small_rows(s, c->v, s->cache->dim_v);
    int64_t last = c->count[kv] - 1, least = 0;
    if (c->count[kv] <= c->rule.top_k) {
        return GA_OK;
    }
    GA_TRY(ga__recycling_least_of(t->context, &c->rule, scores, &least));
    int32_t place = places[least];
    if (least < last) {
        copy_row(&small_k, &small_k, kv, last, place);
        copy_row(&small_v, &small_v, kv, last, place);
        places[last] = place;
        memmove(slots + least, slots + least + 1, (size_t)(last - least) * sizeof *slots);
        memmove(places + least, places + least + 1, (size_t)(last - least) * sizeof *places);
    }
    c->count[kv] = last;
done:
    return status;
}

static void renew_worker(void *user, int worker)
{
    token *t = user;
    const ga_session *s = t->session;
    const ga__small_cache *c = &s->small;
    (void)worker;
    for (int64_t kv; (kv = ga__claim(&t->next)) < s->cache->heads && !ga__stopped(t->context, &t->status);) {
        ga__recycled_scores scores = { .group = s->group,
                                       .count = t->full ? t->keys : c->count[kv],
                                       .stride = t->stride,
                                       .scores = t->scores + kv * s->group * t->stride,
                                       .lse = t->lse + kv * s->group,
                                       .order = t->full ? NULL : c->places + kv * c->room };
        ga__note_status(&t->status, t->full ? fill(t, kv, &scores) : drop(t, kv, &scores));
    }
}

/* ---- a token ---- */

/* True when the step attends to all keys; then its queries are remembered. */
static ga_status decide_full(token *t)
{
    ga_status status = GA_OK;
    ga_session *s = t->session;
    int64_t dim = s->cache->dim;
    double *row = NULL;
    GA_TRY(GA_NEW(t->context, s->heads * dim, &row));
    for (int64_t h = 0; h < s->heads; h++) {
        ga__view_load_f64(&t->q, 0, h, 0, row + h * dim);
    }
    t->full = ga__recycling_full(&s->small.rule, s->small.step, s->heads, dim, row, s->small.last_q);
done:
    ga_free(t->context, row);
    return status;
}

/* Lists of all key/value heads, list i at units + i * most, for one query. Returns owned. */
static ga_status make_selection(const token *t, int64_t keys, const int32_t *units, int64_t most,
                                ga_selection **out)
{
    ga_status status = GA_OK;
    const ga_session *s = t->session;
    ga_selection *made = NULL;
    ga__selecting selecting = { .context = t->context,
                                .batch = 1,
                                .heads = s->heads,
                                .kv_heads = s->cache->heads,
                                .queries = 1,
                                .keys = keys,
                                .causal = true };
    GA_TRY(ga__selection_new(&selecting, s->cache->heads, 1, 1, &made));
    GA_TRY(ga__selection_pack(t->context, made, s->small.count, units, most));
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(t->context, made);
    return status;
}

/* The rows of the small cache: the first ones, count of each head. Returns owned. */
static ga_status small_selection(const token *t, ga_selection **out)
{
    ga_status status = GA_OK;
    int64_t room = t->session->small.room;
    int32_t *numbers = NULL;
    GA_TRY(GA_NEW(t->context, room, &numbers));
    for (int64_t i = 0; i < room; i++) {
        numbers[i] = (int32_t)i;
    }
    status = make_selection(t, room, numbers, 0, out);
done:
    ga_free(t->context, numbers);
    return status;
}

/* What the step attends to; *rows is owned, and the pattern's lists. */
static ga_status choose(token *t, ga__paged *p, ga_selection **rows, ga_pattern **pattern)
{
    ga_status status = GA_OK;
    ga_session *s = t->session;
    ga__small_cache *c = &s->small;
    ga_selection *shown = NULL;
    GA_TRY(reserve(t));
    GA_TRY(decide_full(t));
    if (t->full) {
        p->k = ga__cache_k(s->cache, 0, s->cache->heads);
        p->v = ga__cache_v(s->cache, 0, s->cache->heads);
        p->k.view.rows = p->v.view.rows = t->keys;
        GA_TRY(ga_pattern_full(t->context, 1, t->keys, true, pattern));
    } else {
        for (int64_t kv = 0; kv < s->cache->heads && c->rule.append; kv++) {
            append(t, kv);
        }
        p->k = small_rows(s, c->k, s->cache->dim);
        p->v = small_rows(s, c->v, s->cache->dim_v);
        GA_TRY(make_selection(t, t->keys, c->slots, c->room, &shown));
        GA_TRY(small_selection(t, rows));
        GA_TRY(ga_pattern_selected(t->context, *rows, 0, pattern));
    }
    ga_selection_destroy(t->context, s->kept[0].selection);
    s->kept[0].selection = shown;
    shown = NULL;
done:
    ga_selection_destroy(t->context, shown);
    return status;
}

/* Room for the scores, where they decide what stays. */
static ga_status make_scores(token *t)
{
    ga_status status = GA_OK;
    const ga_session *s = t->session;
    int64_t size = 0;
    GA_TRY(GA_NEW(t->context, s->heads, &t->lse));
    if (t->full || s->small.rule.append) {
        t->stride = t->full ? t->keys : s->small.room;
        if (!ga__mul(s->heads, t->stride, &size)) {
            GA_TRY(ga__fail(t->context, GA_OVERFLOW, "recycled: too many scores"));
        }
        GA_TRY(GA_NEW(t->context, size, &t->scores));
    }
done:
    return status;
}

static ga_status run_token(token *t)
{
    ga_status status = GA_OK;
    ga_session *s = t->session;
    double start = ga__now();
    ga_selection *rows = NULL;
    ga_pattern *pattern = NULL;
    ga__paged p = { .q = t->q, .o = t->o, .scale = s->scale };
    GA_TRY(choose(t, &p, &rows, &pattern));
    GA_TRY(make_scores(t));
    p.pattern = pattern;
    p.scores = t->scores;
    p.score_stride = t->stride;
    p.lse = (ga__view){ .data = t->lse,
                        .type = GA__F64,
                        .batch = 1,
                        .heads = 1,
                        .rows = s->heads,
                        .columns = 1,
                        .stride_row = 1 };
    double ready = ga__now();
    GA_TRY(ga__paged_attend(t->context, &p));
    double attended = ga__now();
    if (t->scores) {
        ga__workers(t->context, ga__threads_for(t->context, s->cache->heads), renew_worker, t);
        GA_TRY(ga__noted_status(&t->status));
    }
    s->small.step++;
    s->attending += attended - ready;
    s->choosing += ready - start + ga__now() - attended;
done:
    ga_pattern_destroy(t->context, pattern);
    ga_selection_destroy(t->context, rows);
    return status;
}

/* Row i of a view with as many rows as the step has tokens. */
static ga__view row_of(const ga__view *view, int64_t i)
{
    ga__view row = *view;
    row.rows = 1;
    row.data = view->data ? ga__view_row(view, 0, 0, i) : NULL;
    return row;
}

ga_status ga__recycled_step(ga_context *context, ga_session *session, const ga__view *q, const ga__view *o,
                            const ga__view *lse)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < q->rows && status == GA_OK; i++) {
        token t = { .context = context,
                    .session = session,
                    .q = row_of(q, i),
                    .o = row_of(o, i),
                    .keys = session->cache->length[0] - q->rows + i + 1 };
        status = run_token(&t);
        for (int64_t h = 0; h < session->heads && status == GA_OK && lse->data; h++) {
            ga__view_set(lse, 0, 0, h, i, t.lse[h]);
        }
        ga_free(context, t.scores);
        ga_free(context, t.lse);
    }
    return status;
}
