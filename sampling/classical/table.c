/* table.c - sets and maps of numbers that take memory in proportion to what is in them. */
#include "config.h"

#include <stdlib.h>

#include "sampling/classical/table.h"

enum {
    LEAST_ROOM = 64,
    BITS_EACH = 512,       /* a table takes at least that many bits for every member */
    BITS_ALWAYS = 1 << 16, /* sets so small that it does not matter */
};

/* ---- maps ---- */

/* Fibonacci hashing: the high bits of the product depend on all bits of the key. */
static int64_t place_of(const ga__table *table, uint64_t key)
{
    uint64_t mixed = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (int64_t)(mixed >> 20 & (uint64_t)(table->room - 1));
}

/* Where the key is or belongs. */
static ga__entry *entry_of(const ga__table *table, uint64_t key)
{
    int64_t at = place_of(table, key);
    while (table->entries[at].key != key && table->entries[at].key != GA__NO_KEY) {
        at = (at + 1) & (table->room - 1);
    }
    return &table->entries[at];
}

static ga_status grow(ga__table *table)
{
    ga_status status = GA_OK;
    ga__table larger = { .context = table->context, .count = table->count };
    if (!ga__mul(table->room, 2, &larger.room)) {
        GA_TRY(ga__fail(table->context, GA_OVERFLOW, "a table of %lld entries", (long long)table->room));
    }
    larger.room = ga__max(larger.room, LEAST_ROOM);
    GA_TRY(GA_NEW(table->context, larger.room, &larger.entries));
    for (int64_t i = 0; i < larger.room; i++) {
        larger.entries[i].key = GA__NO_KEY;
    }
    for (int64_t i = 0; i < table->room; i++) {
        if (table->entries[i].key != GA__NO_KEY) {
            *entry_of(&larger, table->entries[i].key) = table->entries[i];
        }
    }
    ga_free(table->context, table->entries);
    *table = larger;
done:
    return status;
}

ga_status ga__table_at(ga__table *table, uint64_t key, int64_t initial, int64_t **value)
{
    ga_status status = GA_OK;
    if (2 * table->count >= table->room) {
        GA_TRY(grow(table));
    }
    ga__entry *entry = entry_of(table, key);
    if (entry->key == GA__NO_KEY) {
        *entry = (ga__entry){ key, initial };
        table->count++;
    }
    *value = &entry->value;
done:
    return status;
}

const int64_t *ga__table_find(const ga__table *table, uint64_t key)
{
    if (table->count == 0) {
        return NULL;
    }
    const ga__entry *entry = entry_of(table, key);
    return entry->key == key ? &entry->value : NULL;
}

int64_t *ga__table_known(ga__table *table, uint64_t key)
{
    return &entry_of(table, key)->value;
}

void ga__table_clear(ga__table *table)
{
    ga_free(table->context, table->entries);
    *table = (ga__table){ .context = table->context };
}

/* ---- sets ---- */

ga_status ga__set_open(ga_context *context, int64_t limit, int64_t expected, ga__set *set)
{
    *set = (ga__set){ .table = { .context = context }, .limit = limit };
    bool dense = limit <= BITS_ALWAYS || limit / BITS_EACH <= expected;
    return dense ? GA_NEW_ZERO(context, limit / 64 + 1, &set->bits) : GA_OK;
}

void ga__set_clear(ga_context *context, ga__set *set)
{
    ga_free(context, set->bits);
    set->bits = NULL;
    if (set->table.context) {
        ga__table_clear(&set->table);
    }
    set->count = 0;
}

ga_status ga__set_add(ga__set *set, int64_t x, bool *fresh)
{
    ga_status status = GA_OK;
    bool added;
    if (set->bits) {
        uint64_t bit = UINT64_C(1) << (x & 63);
        added = !(set->bits[x >> 6] & bit);
        set->bits[x >> 6] |= bit;
    } else {
        int64_t *value, before = set->table.count;
        GA_TRY(ga__table_at(&set->table, (uint64_t)x, 0, &value));
        added = set->table.count > before;
    }
    set->count += added;
    if (fresh) {
        *fresh = added;
    }
done:
    return status;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void ga__set_list(const ga__set *set, int64_t *members)
{
    int64_t count = 0;
    for (int64_t word = 0; set->bits && word <= set->limit / 64; word++) {
        for (uint64_t left = set->bits[word]; left; left &= left - 1) {
            members[count++] = word * 64 + __builtin_ctzll(left);
        }
    }
    for (int64_t i = 0; !set->bits && i < set->table.room; i++) {
        if (set->table.entries[i].key != GA__NO_KEY) {
            members[count++] = (int64_t)set->table.entries[i].key;
        }
    }
    if (!set->bits && count > 0) {
        qsort(members, (size_t)count, sizeof *members, compare);
    }
}
