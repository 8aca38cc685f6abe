/* ids_sparse.c - node numbers for ids spread over a wide range: a hash table of the distinct ids, which are then
 * sorted and numbered. */
#include "config.h"

#include <string.h>

#include "graph/edge_list.h"

#define NOBODY UINT64_MAX /* as an id it is kept beside the slots */

enum { FIRST_SLOTS = 1 << 16, DIGIT = 11 };

typedef struct id_table {
    ga_context *context;
    ga__edge_list *list;
    uint64_t *ids;     /* NOBODY = free slot */
    uint32_t *numbers; /* of the id in the slot; of NOBODY behind the last */
    int64_t slots;
    int has_nobody;
    int64_t used;
    int full; /* too full to go on */
    int64_t next;
    int status;
} id_table;

/* The finaliser of SplitMix64 (Steele, Lea, Flood), spread over the slots. */
static inline int64_t slot_of(const id_table *t, uint64_t id)
{
    id = (id ^ id >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    id = (id ^ id >> 27) * UINT64_C(0x94d049bb133111eb);
    id ^= id >> 31;
    return (int64_t)((unsigned __int128)id * (uint64_t)t->slots >> 64);
}

/* Returns whether the id was new; sets full when the table is at its limit. */
static bool insert(id_table *t, uint64_t id)
{
    int64_t slot = slot_of(t, id);
    if (id == NOBODY) {
        return !__atomic_exchange_n(&t->has_nobody, 1, __ATOMIC_RELAXED);
    }
    for (int64_t tries = 0; tries < t->slots; tries++) {
        uint64_t there = __atomic_load_n(&t->ids[slot], __ATOMIC_RELAXED);
        if (there == NOBODY) {
            if (__atomic_compare_exchange_n(&t->ids[slot], &there, id, false, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED)) {
                return true;
            }
        }
        if (there == id) {
            return false;
        }
        slot = slot + 1 == t->slots ? 0 : slot + 1;
    }
    __atomic_store_n(&t->full, 1, __ATOMIC_RELAXED);
    return false;
}

/* -1 when the id is not there. */
static int64_t find(const id_table *t, uint64_t id)
{
    int64_t slot = slot_of(t, id);
    if (id == NOBODY) {
        return t->has_nobody ? t->slots : -1;
    }
    while (t->ids[slot] != id) {
        if (t->ids[slot] == NOBODY) {
            return -1;
        }
        slot = slot + 1 == t->slots ? 0 : slot + 1;
    }
    return slot;
}

static inline void pair_ids(const ga__segment *s, int64_t i, uint64_t *source, uint64_t *target)
{
    if (s->wide) {
        memcpy(source, &s->wide[2 * i], sizeof *source);
        memcpy(target, &s->wide[2 * i + 1], sizeof *target);
    } else {
        *source = s->narrow[i].source;
        *target = s->narrow[i].target;
    }
}

static void insert_worker(void *user, int worker)
{
    enum { BATCH = 1024 };
    id_table *t = user;
    (void)worker;
    for (int64_t i;
         (i = ga__claim(&t->next)) < t->list->segment_count && !ga__stopped(t->context, &t->status);) {
        const ga__segment *s = &t->list->segments[i];
        for (int64_t j = 0, end; j < s->count && !__atomic_load_n(&t->full, __ATOMIC_RELAXED); j = end) {
            int64_t fresh = 0;
            for (end = ga__min(s->count, j + BATCH); j < end; j++) {
                uint64_t source, target;
                pair_ids(s, j, &source, &target);
                fresh += insert(t, source);
                fresh += insert(t, target);
            }
            if (__atomic_add_fetch(&t->used, fresh, __ATOMIC_RELAXED) > t->slots / 10 * 7) {
                __atomic_store_n(&t->full, 1, __ATOMIC_RELAXED);
            }
        }
    }
}

static ga_status fill_table(id_table *t)
{
    ga_status status = GA_OK;
    t->slots = ga__max(FIRST_SLOTS, t->list->edges / 2);
    do {
        ga_free(t->context, t->ids);
        t->ids = NULL;
        GA_TRY(GA_NEW(t->context, t->slots, &t->ids));
        memset(t->ids, 0xff, (size_t)t->slots * sizeof *t->ids);
        t->used = 0;
        t->has_nobody = 0;
        t->full = 0;
        t->next = 0;
        ga__workers(t->context, ga__threads_for(t->context, t->list->segment_count), insert_worker, t);
        GA_TRY(ga__noted_status(&t->status));
        if (t->full && !ga__mul(t->slots, 2, &t->slots)) {
            GA_TRY(ga__fail(t->context, GA_OVERFLOW, "too many node ids"));
        }
    } while (t->full);
done:
    return status;
}

/* Least significant digit first; digits that do not vary are skipped. */
static ga_status sort_ids(ga_context *context, uint64_t **ids, int64_t count)
{
    ga_status status = GA_OK;
    uint64_t *from = *ids, *to = NULL;
    int64_t *place = NULL;
    GA_TRY(GA_NEW(context, count, &to));
    GA_TRY(GA_NEW(context, 1 << DIGIT, &place));
    for (int shift = 0; shift < 64; shift += DIGIT) {
        GA_TRY(ga__check(context));
        memset(place, 0, sizeof *place << DIGIT);
        for (int64_t i = 0; i < count; i++) {
            place[from[i] >> shift & ((1 << DIGIT) - 1)]++;
        }
        if (count == 0 || place[from[0] >> shift & ((1 << DIGIT) - 1)] == count) {
            continue;
        }
        for (int64_t d = 0, sum = 0; d < 1 << DIGIT; d++) {
            int64_t size = place[d];
            place[d] = sum;
            sum += size;
        }
        for (int64_t i = 0; i < count; i++) {
            to[place[from[i] >> shift & ((1 << DIGIT) - 1)]++] = from[i];
        }
        uint64_t *other = from;
        from = to;
        to = other;
    }
done:
    *ids = from; /* both blocks are ours in any case */
    ga_free(context, place);
    ga_free(context, to);
    return status;
}

int64_t ga__add_declared(uint64_t *ids, int64_t count, int64_t nodes)
{
    int64_t missing = nodes - count, used = 0;
    uint64_t beyond; /* the smallest unused integers are the unused ones below this */
    while (used < count && ids[used] < (uint64_t)(missing + used)) {
        used++;
    }
    beyond = (uint64_t)(missing + used);
    memmove(ids + beyond, ids + used, (size_t)(count - used) * sizeof *ids);
    for (uint64_t i = 0; i < beyond; i++) {
        ids[i] = i;
    }
    return (int64_t)beyond;
}

typedef struct numbering {
    id_table *table;
    const uint64_t *ids;
    int64_t nodes;
} numbering;

enum { NUMBER_BLOCK = 1 << 14 };

/* Numbers go to the slots of their ids. Ids that are only declared have none. */
static void number_worker(void *user, int worker)
{
    numbering *n = user;
    id_table *t = n->table;
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&t->next)) * NUMBER_BLOCK < n->nodes && !ga__stopped(t->context, &t->status);) {
        int64_t end = ga__min(n->nodes, (b + 1) * NUMBER_BLOCK);
        for (int64_t i = b * NUMBER_BLOCK; i < end; i++) {
            int64_t slot = find(t, n->ids[i]);
            if (slot >= 0) {
                t->numbers[slot] = (uint32_t)i;
            }
        }
    }
}

/* Replaces ids by numbers; wide segments become narrow in their own memory, front to back. */
static void rewrite_worker(void *user, int worker)
{
    id_table *t = user;
    (void)worker;
    for (int64_t i;
         (i = ga__claim(&t->next)) < t->list->segment_count && !ga__stopped(t->context, &t->status);) {
        ga__segment *s = &t->list->segments[i];
        char *to = s->wide ? (char *)s->wide : (char *)s->narrow;
        uint64_t previous = 0;
        s->sorted = true;
        s->distinct = true;
        for (int64_t j = 0; j < s->count; j++) {
            uint64_t source, target;
            pair_ids(s, j, &source, &target);
            ga__pair pair = { t->numbers[find(t, source)], t->numbers[find(t, target)] };
            uint64_t key = (uint64_t)pair.source << 32 | pair.target;
            s->sorted = s->sorted && key >= previous;
            s->distinct = s->distinct && key != previous && pair.source != pair.target;
            previous = key;
            memcpy(to + 8 * j, &pair, sizeof pair);
        }
        s->narrow = (ga__pair *)(void *)to;
        s->wide = NULL;
    }
}

ga_status ga__edge_list_compact(ga_context *context, ga__edge_list *list,
                                ga_status (*total)(void *user, int64_t ids, int64_t *nodes), void *user,
                                uint64_t **ids, int64_t *nodes)
{
    ga_status status = GA_OK;
    id_table t = { .context = context, .list = list };
    uint64_t *sorted = NULL;
    int64_t all = 0, count = 0;
    GA_TRY(fill_table(&t));
    GA_TRY(GA_NEW(context, t.used, &sorted));
    for (int64_t slot = 0; slot < t.slots; slot++) {
        if (t.ids[slot] != NOBODY) {
            sorted[count++] = t.ids[slot];
        }
    }
    if (t.has_nobody) {
        sorted[count++] = NOBODY;
    }
    GA_TRY(sort_ids(context, &sorted, count));
    GA_TRY(total(user, count, &all));
    if (all > count) {
        GA_TRY(ga__resize(context, count, all, sizeof *sorted, &sorted));
        (void)ga__add_declared(sorted, count, all);
    }
    GA_TRY(GA_NEW(context, t.slots + 1, &t.numbers));
    numbering n = { &t, sorted, all };
    t.next = 0;
    ga__workers(context, ga__threads(context), number_worker, &n);
    GA_TRY(ga__noted_status(&t.status));
    t.next = 0;
    ga__workers(context, ga__threads_for(context, list->segment_count), rewrite_worker, &t);
    GA_TRY(ga__noted_status(&t.status));
    list->wide = false;
    *ids = sorted;
    *nodes = all;
    sorted = NULL;
done:
    ga_free(context, sorted);
    ga_free(context, t.numbers);
    ga_free(context, t.ids);
    return status;
}
