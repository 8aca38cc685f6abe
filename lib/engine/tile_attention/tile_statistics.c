/* tile_statistics.c - statistics of finished weights, and post steps by class. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/engine/tile_attention/tile_item.h"

static bool wants_top(const ga__statistics *s)
{
    return s->top_indices.data || s->top_weights.data;
}

void ga__tile_tally_start(const ga__tile_item *item)
{
    const ga__statistics *s = &item->tiles->statistics;
    for (int64_t r = 0; r < item->rows; r++) {
        item->room->tally[r] = (ga__tile_tally){ .max = -INFINITY, .argmax = -1 };
    }
    if (s->class_mass.data) {
        memset(item->room->mass, 0, (size_t)(item->rows * s->wanted->class_count) * sizeof *item->room->mass);
    }
}

/* ---- the k largest: a heap whose root is the one to give way first ---- */

typedef struct heap {
    float *weight;
    int32_t *key;
    int64_t count;
} heap;

/* Smaller weights go first, of equal ones the higher key. */
static bool goes_first(const heap *h, int64_t a, int64_t b)
{
    return h->weight[a] < h->weight[b] || (h->weight[a] == h->weight[b] && h->key[a] > h->key[b]);
}

static void exchange(const heap *h, int64_t a, int64_t b)
{
    float weight = h->weight[a];
    int32_t key = h->key[a];
    h->weight[a] = h->weight[b];
    h->key[a] = h->key[b];
    h->weight[b] = weight;
    h->key[b] = key;
}

static void sink(const heap *h, int64_t at)
{
    for (int64_t child; (child = 2 * at + 1) < h->count; at = child) {
        if (child + 1 < h->count && goes_first(h, child + 1, child)) {
            child++;
        }
        if (goes_first(h, at, child)) {
            return;
        }
        exchange(h, at, child);
    }
}

static void rise(const heap *h, int64_t at)
{
    while (at > 0 && goes_first(h, at, (at - 1) / 2)) {
        exchange(h, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

/* Keys come ascending: of equal weights the one that is there stays. */
static void offer(heap *h, int64_t most, float weight, int64_t key)
{
    if (!(weight > 0)) {
        return;
    }
    if (h->count < most) {
        h->weight[h->count] = weight;
        h->key[h->count++] = (int32_t)key;
        rise(h, h->count - 1);
    } else if (weight > h->weight[0]) {
        h->weight[0] = weight;
        h->key[0] = (int32_t)key;
        sink(h, 0);
    }
}

static heap heap_of(const ga__tile_item *item, int64_t r)
{
    int64_t k = item->tiles->statistics.wanted->top_k;
    return (heap){ item->room->top_weight + r * k, item->room->top_key + r * k, item->room->tally[r].count };
}

/* Ascending keys: heap sort, the root being the highest of what is left. */
static void sort_keys(heap *h)
{
    for (int64_t i = 0; i < h->count; i++) {
        for (int64_t at = i; at > 0 && h->key[at] > h->key[(at - 1) / 2]; at = (at - 1) / 2) {
            exchange(h, at, (at - 1) / 2);
        }
    }
    for (int64_t end = h->count - 1; end > 0; end--) {
        exchange(h, 0, end);
        for (int64_t at = 0, child; (child = 2 * at + 1) < end; at = child) {
            child += child + 1 < end && h->key[child + 1] > h->key[child];
            if (h->key[at] >= h->key[child]) {
                break;
            }
            exchange(h, at, child);
        }
    }
}

/* ---- adding ---- */

static void add_weight(ga__tile_tally *t, double w, int64_t key)
{
    if (!(w <= 0)) {
        t->entropy -= w * log(w);
    }
    if (w > t->max || (t->argmax < 0 && w >= t->max)) {
        t->max = w;
        t->argmax = key;
    }
    t->nan = t->nan || w != w;
}

typedef void (*visit_fn)(const ga__tile_item *item, int64_t r, int64_t key, float *weight);

/* Visits the real keys that the rows of a strip see. */
static void each(const ga__tile_item *item, const ga__strip *strip, int64_t row, int64_t place,
                 visit_fn visit)
{
    const int32_t *real = item->tiles->a->pattern->real;
    for (int i = 0; i < strip->rows; i++) {
        for (uint64_t bits = strip->mask ? strip->mask[i] : ~UINT64_C(0); bits; bits &= bits - 1) {
            int j = __builtin_ctzll(bits);
            int64_t at = ga__tile_place(item, place + j), key = real ? real[at] : at;
            if (key >= 0) {
                visit(item, row + i, key, strip->weights + i * GA__TILE + j);
            }
        }
    }
}

static void tally(const ga__tile_item *item, int64_t r, int64_t key, float *weight)
{
    const ga__statistics *s = &item->tiles->statistics;
    ga__tile_tally *t = &item->room->tally[r];
    double w = (double)*weight;
    if (s->entropy.data || s->argmax.data || s->max.data) {
        add_weight(t, w, key);
    }
    if (s->class_mass.data) {
        item->room->mass[r * s->wanted->class_count + s->wanted->classes[key]] += w;
    }
    if (item->columns) {
        item->columns[key] += w;
    }
    if (wants_top(s)) {
        heap h = heap_of(item, r);
        offer(&h, s->wanted->top_k, *weight, key);
        t->count = h.count;
    }
}

/* Column sums alone: what a row does not see has weight 0. */
static void add_columns(const ga__tile_item *item, const ga__strip *strip, int64_t place)
{
    const int32_t *real = item->tiles->a->pattern->real;
    bool straight = !real && !item->tiles->boxed;
    for (int i = 0; i < strip->rows; i++) {
        const float *weights = strip->weights + i * GA__TILE;
        for (int j = strip->low; j < strip->high && straight; j++) {
            item->columns[place + j] += (double)weights[j];
        }
        for (int j = strip->low; j < strip->high && !straight; j++) {
            int64_t at = ga__tile_place(item, place + j), key = real ? real[at] : at;
            if (key >= 0) {
                item->columns[key] += (double)weights[j];
            }
        }
    }
}

static bool wants_rows(const ga__statistics *s)
{
    return s->entropy.data || s->argmax.data || s->max.data || s->class_mass.data || wants_top(s);
}

void ga__tile_tally_add(const ga__tile_item *item, const ga__strip *strip, int64_t row, int64_t place)
{
    if (wants_rows(&item->tiles->statistics)) {
        each(item, strip, row, place, tally);
    } else if (item->columns) {
        add_columns(item, strip, place);
    }
}

/* ---- storing ---- */

static void put(const ga__view *view, const ga__tile_item *item, int64_t r, double value)
{
    if (view->data) {
        ga__view_set(view, 0, item->batch, ga__tile_head(item, r), ga__tile_query(item, r), value);
    }
}

static void store_top(const ga__tile_item *item, int64_t r)
{
    const ga__statistics *s = &item->tiles->statistics;
    int64_t head = ga__tile_head(item, r), query = ga__tile_query(item, r);
    heap h = heap_of(item, r);
    sort_keys(&h);
    for (int64_t c = 0; c < s->wanted->top_k; c++) {
        if (s->top_indices.data) {
            ga__view_set(&s->top_indices, item->batch, head, query, c, c < h.count ? (double)h.key[c] : -1);
        }
        if (s->top_weights.data) {
            ga__view_set(&s->top_weights, item->batch, head, query, c, c < h.count ? (double)h.weight[c] : 0);
        }
    }
}

void ga__tile_tally_store(const ga__tile_item *item)
{
    const ga__statistics *s = &item->tiles->statistics;
    for (int64_t r = 0; r < item->rows; r++) {
        const ga__tile_tally *t = &item->room->tally[r];
        put(&s->entropy, item, r, t->entropy);
        put(&s->argmax, item, r, (double)t->argmax);
        put(&s->max, item, r, t->argmax >= 0 ? t->max : t->nan ? NAN : 0);
        for (int64_t c = 0; s->class_mass.data && c < s->wanted->class_count; c++) {
            ga__view_set(&s->class_mass, item->batch, ga__tile_head(item, r), ga__tile_query(item, r), c,
                         item->room->mass[r * s->wanted->class_count + c]);
        }
        if (wants_top(s)) {
            store_top(item, r);
        }
    }
}

/* ---- post steps by class ---- */

static int32_t class_of(const ga__tile_item *item, int64_t r, int64_t key)
{
    return ga__post_classes(item->tiles->classwise, item->batch, ga__tile_head(item, r))[key];
}

static void add_mass(const ga__tile_item *item, int64_t r, int64_t key, float *weight)
{
    const ga_post *post = item->tiles->classwise;
    item->room->post_mass[r * post->class_count + class_of(item, r, key)] += (double)*weight;
}

static void multiply(const ga__tile_item *item, int64_t r, int64_t key, float *weight)
{
    const ga_post *post = item->tiles->classwise;
    *weight *= item->room->factors[r * post->class_count + class_of(item, r, key)];
}

void ga__tile_post_add(const ga__tile_item *item, const ga__strip *strip, int64_t row, int64_t place)
{
    each(item, strip, row, place, add_mass);
}

void ga__tile_post_factors(const ga__tile_item *item)
{
    const ga_post *post = item->tiles->classwise;
    for (int64_t r = 0; r < item->rows; r++) {
        double factors[8];
        for (int64_t c = 0; c < post->class_count; c++) {
            factors[c] = 1;
        }
        post->factors(post->user, item->batch, ga__tile_head(item, r), ga__tile_query(item, r),
                      item->room->post_mass + r * post->class_count, factors);
        for (int64_t c = 0; c < post->class_count; c++) {
            item->room->factors[r * post->class_count + c] = (float)factors[c];
        }
    }
}

void ga__tile_post_apply(const ga__tile_item *item, const ga__strip *strip, int64_t row, int64_t place)
{
    each(item, strip, row, place, multiply);
}
