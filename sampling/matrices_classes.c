/* matrices_classes.c - nodes to classes: ranks of (degree, label), and nodes sorted by class. */
#include "config.h"

#include "graph/csr.h"
#include "lib/base/workers.h"
#include "sampling/matrices.h"

#include <string.h>

enum { NODES_BLOCK = 1 << 15 };

#define ELEMENT uint64_t
#define KEY(e) (e)
#include "graph/csr_sort.h"
#undef ELEMENT
#undef KEY

/* ---- ranks of keys ---- */

/* Distinct keys in ascending order, and how to find the rank of one: by a table over the range of keys where that is
 * no longer than an array of nodes, else by bisection. */
typedef struct ranking {
    uint64_t low;
    int32_t *table;
    uint64_t *keys;
    int64_t count;
} ranking;

/* The keys of nodes: a degree, a label, or the ranks of both as one number. */
typedef struct node_keys {
    const uint32_t *degree;
    const int64_t *label;
    const ranking *degrees, *labels;
} node_keys;

static int64_t rank_by_bisection(const ranking *r, uint64_t key)
{
    int64_t low = 0, high = r->count;
    while (low + 1 < high) {
        int64_t middle = low + (high - low) / 2;
        if (r->keys[middle] <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static inline int64_t rank_of(const ranking *r, uint64_t key)
{
    return r->table ? r->table[key - r->low] : rank_by_bisection(r, key);
}

/* Order of signed numbers as that of unsigned ones. */
static uint64_t label_key(int64_t label)
{
    return (uint64_t)label ^ UINT64_C(1) << 63;
}

static uint64_t labelled_key(const node_keys *k, int64_t node)
{
    if (!k->degree) {
        return label_key(k->label[node]);
    }
    return (uint64_t)rank_of(k->degrees, k->degree[node]) * (uint64_t)k->labels->count +
           (uint64_t)rank_of(k->labels, label_key(k->label[node]));
}

static inline uint64_t key_of(const node_keys *k, int64_t node)
{
    return k->label ? labelled_key(k, node) : k->degree[node];
}

typedef struct ranker {
    ga_context *context;
    const node_keys *keys;
    int64_t nodes, next;
    int status;
    pthread_mutex_t lock;
    uint64_t low, high;
    ranking *ranks;
    int32_t *rank; /* of every node */
} ranker;

static void range_worker(void *user, int worker)
{
    ranker *r = user;
    uint64_t low = UINT64_MAX, high = 0;
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&r->next)) * NODES_BLOCK < r->nodes && !ga__stopped(r->context, &r->status);) {
        int64_t end = ga__min(r->nodes, (b + 1) * NODES_BLOCK);
        for (int64_t v = b * NODES_BLOCK; v < end; v++) {
            uint64_t key = key_of(r->keys, v);
            low = key < low ? key : low;
            high = key > high ? key : high;
        }
    }
    pthread_mutex_lock(&r->lock);
    r->low = low < r->low ? low : r->low;
    r->high = high > r->high ? high : r->high;
    pthread_mutex_unlock(&r->lock);
}

static void mark_worker(void *user, int worker)
{
    ranker *r = user;
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&r->next)) * NODES_BLOCK < r->nodes && !ga__stopped(r->context, &r->status);) {
        int64_t end = ga__min(r->nodes, (b + 1) * NODES_BLOCK);
        for (int64_t v = b * NODES_BLOCK; v < end; v++) {
            int32_t *mark = &r->ranks->table[key_of(r->keys, v) - r->low];
            if (!__atomic_load_n(mark, __ATOMIC_RELAXED)) {
                __atomic_store_n(mark, 1, __ATOMIC_RELAXED);
            }
        }
    }
}

static void rank_worker(void *user, int worker)
{
    ranker *r = user;
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&r->next)) * NODES_BLOCK < r->nodes && !ga__stopped(r->context, &r->status);) {
        int64_t end = ga__min(r->nodes, (b + 1) * NODES_BLOCK);
        for (int64_t v = b * NODES_BLOCK; v < end; v++) {
            r->rank[v] = (int32_t)rank_of(r->ranks, key_of(r->keys, v));
        }
    }
}

static ga_status on_nodes(ranker *r, ga__worker_fn body)
{
    r->next = 0;
    ga__workers(r->context, ga__threads_for(r->context, (r->nodes + NODES_BLOCK - 1) / NODES_BLOCK), body, r);
    return ga__noted_status(&r->status);
}

static ga_status rank_by_table(ranker *r)
{
    ga_status status = GA_OK;
    ranking *ranks = r->ranks;
    int64_t range = (int64_t)(r->high - r->low) + 1;
    GA_TRY(GA_NEW_ZERO(r->context, range, &ranks->table));
    GA_TRY(on_nodes(r, mark_worker));
    for (int64_t i = 0; i < range; i++) {
        ranks->count += ranks->table[i];
    }
    GA_TRY(GA_NEW(r->context, ranks->count, &ranks->keys));
    for (int64_t i = 0, rank = 0; i < range; i++) {
        if (ranks->table[i]) {
            ranks->keys[rank] = r->low + (uint64_t)i;
            ranks->table[i] = (int32_t)rank++;
        }
    }
done:
    return status;
}

static ga_status rank_by_sorting(ranker *r)
{
    ga_status status = GA_OK;
    uint64_t *keys = NULL, *scratch = NULL;
    GA_TRY(GA_NEW(r->context, r->nodes, &keys));
    GA_TRY(GA_NEW(r->context, r->nodes, &scratch));
    for (int64_t v = 0; v < r->nodes; v++) {
        keys[v] = key_of(r->keys, v);
    }
    GA_TRY(ga__check(r->context));
    uint64_t *sorted = sort_unit(keys, r->nodes, scratch);
    int64_t count = 0;
    for (int64_t i = 0; i < r->nodes; i++) {
        if (i == 0 || sorted[i] != sorted[count - 1]) {
            sorted[count++] = sorted[i];
        }
    }
    GA_TRY(GA_NEW(r->context, count, &r->ranks->keys));
    memcpy(r->ranks->keys, sorted, (size_t)count * sizeof *sorted);
    r->ranks->count = count;
done:
    ga_free(r->context, keys);
    ga_free(r->context, scratch);
    return status;
}

/* Ranks of the nodes' keys; rank (of every node) may be NULL. */
static ga_status rank_keys(ga_context *context, int64_t nodes, const node_keys *keys, ranking *ranks,
                           int32_t *rank)
{
    ga_status status = GA_OK;
    ranker r = {
        .context = context, .keys = keys, .nodes = nodes, .low = UINT64_MAX, .ranks = ranks, .rank = rank
    };
    pthread_mutex_init(&r.lock, NULL);
    GA_TRY(on_nodes(&r, range_worker));
    ranks->low = r.low;
    if (nodes == 0) {
        GA_TRY(GA_NEW(context, 0, &ranks->keys));
    } else if (r.high - r.low < (uint64_t)nodes + (1 << 16)) {
        GA_TRY(rank_by_table(&r));
    } else {
        GA_TRY(rank_by_sorting(&r));
    }
    if (ranks->count > INT32_MAX) {
        GA_TRY(ga__fail(context, GA_UNSUPPORTED, "%lld classes of nodes, more than 2^31 - 1",
                        (long long)ranks->count));
    }
    if (rank) {
        GA_TRY(on_nodes(&r, rank_worker));
    }
done:
    pthread_mutex_destroy(&r.lock);
    return status;
}

static void ranking_clear(ga_context *context, ranking *ranks)
{
    ga_free(context, ranks->table);
    ga_free(context, ranks->keys);
}

/* ---- classes ---- */

static ga_status list_classes(ga_context *context, const ranking *both, const ranking *degrees,
                              const ranking *labels, ga__classes *classes)
{
    ga_status status = GA_OK;
    ga__classes made = { .count = both->count };
    GA_TRY(GA_NEW(context, both->count, &made.degree));
    if (labels) {
        GA_TRY(GA_NEW(context, both->count, &made.label));
    }
    for (int64_t i = 0; i < both->count; i++) {
        uint64_t key = both->keys[i];
        if (labels) {
            made.degree[i] = (int64_t)degrees->keys[key / (uint64_t)labels->count];
            made.label[i] = (int64_t)label_key((int64_t)labels->keys[key % (uint64_t)labels->count]);
        } else {
            made.degree[i] = (int64_t)key;
        }
    }
    *classes = made;
    made = (ga__classes){ 0 };
done:
    ga__classes_clear(context, &made);
    return status;
}

ga_status ga__classes_of(ga_context *context, int64_t nodes, const uint32_t *degree, const int64_t *labels,
                         ga__classes *classes, int32_t *rank)
{
    ga_status status = GA_OK;
    ranking by_degree = { 0 }, by_label = { 0 }, by_both = { 0 };
    node_keys of_degree = { .degree = degree }, of_label = { .label = labels };
    node_keys of_both = { degree, labels, &by_degree, &by_label };
    if (!labels) {
        GA_TRY(rank_keys(context, nodes, &of_degree, &by_degree, rank));
        GA_TRY(list_classes(context, &by_degree, NULL, NULL, classes));
    } else {
        GA_TRY(rank_keys(context, nodes, &of_degree, &by_degree, NULL));
        GA_TRY(rank_keys(context, nodes, &of_label, &by_label, NULL));
        GA_TRY(rank_keys(context, nodes, &of_both, &by_both, rank));
        GA_TRY(list_classes(context, &by_both, &by_degree, &by_label, classes));
    }
done:
    ranking_clear(context, &by_degree);
    ranking_clear(context, &by_label);
    ranking_clear(context, &by_both);
    return status;
}

/* ---- nodes by class ---- */

/* Parts of the nodes are counted and placed side by side; a part's places in a class follow those of the part
 * before, so the result is that of one part. */
typedef struct sorter {
    ga_context *context;
    int64_t nodes, classes, parts, next;
    const uint32_t *from;
    const int32_t *class_of;
    uint32_t *to;
    int64_t *places; /* classes for each part */
    bool placing;
    int status;
} sorter;

static void sort_part(sorter *s, int64_t part)
{
    int64_t *places = s->places + part * s->classes;
    int64_t begin = s->nodes / s->parts * part,
            end = part + 1 == s->parts ? s->nodes : begin + s->nodes / s->parts;
    if (!s->placing) {
        memset(places, 0, (size_t)s->classes * sizeof *places);
    }
    for (int64_t i = begin; i < end; i++) {
        uint32_t node = s->from ? s->from[i] : (uint32_t)i;
        int64_t *place = &places[s->class_of[node]];
        if (s->placing) {
            s->to[*place] = node;
        }
        (*place)++;
    }
}

static void sort_worker(void *user, int worker)
{
    sorter *s = user;
    (void)worker;
    for (int64_t part; (part = ga__claim(&s->next)) < s->parts && !ga__stopped(s->context, &s->status);) {
        sort_part(s, part);
    }
}

ga_status ga__sort_by_class(ga_context *context, int64_t nodes, const uint32_t *from, const int32_t *class_of,
                            int64_t classes, uint32_t *to, int64_t *first)
{
    ga_status status = GA_OK;
    int threads = ga__threads_for(context, (nodes + NODES_BLOCK - 1) / NODES_BLOCK);
    sorter s = {
        .context = context, .nodes = nodes, .classes = classes, .from = from, .class_of = class_of, .to = to
    };
    s.parts = ga__max(1, ga__min(threads, nodes / (classes + 1)));
    GA_TRY(GA_NEW(context, s.parts * classes, &s.places));
    ga__workers(context, (int)s.parts, sort_worker, &s);
    GA_TRY(ga__noted_status(&s.status));
    int64_t sum = 0;
    for (int64_t c = 0; c < classes; c++) {
        if (first) {
            first[c] = sum;
        }
        for (int64_t part = 0; part < s.parts; part++) {
            int64_t count = s.places[part * classes + c];
            s.places[part * classes + c] = sum;
            sum += count;
        }
    }
    if (first) {
        first[classes] = sum;
    }
    s.next = 0;
    s.placing = true;
    ga__workers(context, (int)s.parts, sort_worker, &s);
    GA_TRY(ga__noted_status(&s.status));
done:
    ga_free(context, s.places);
    return status;
}
