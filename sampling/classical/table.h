/* table.h - sets and maps of numbers that take memory in proportion to what is in them. */
#ifndef GA_SAMPLING_CLASSICAL_TABLE_H
#define GA_SAMPLING_CLASSICAL_TABLE_H

#include "lib/base/base.h"

/* No key of a table. */
#define GA__NO_KEY UINT64_MAX

typedef struct ga__entry {
    uint64_t key;
    int64_t value;
} ga__entry;

/* A map from 64-bit keys to numbers: open addressing, at most half full. Zero-initialise all but context. */
typedef struct ga__table {
    ga_context *context;
    ga__entry *entries;  /* owned */
    int64_t room, count; /* room is a power of two, or 0 */
} ga__table;

/* The value of a key, which is set to initial when the key is new. Valid until the next call. */
ga_status ga__table_at(ga__table *table, uint64_t key, int64_t initial, int64_t **value);
/* NULL when the key is not there. */
const int64_t *ga__table_find(const ga__table *table, uint64_t key);
/* The value of a key that is there, to be changed. */
int64_t *ga__table_known(ga__table *table, uint64_t key);
void ga__table_clear(ga__table *table);

/* A set of numbers below a limit: one bit each where that is not much more than the expected members need, else a
 * table. Memory is O(expected) in either case. */
typedef struct ga__set {
    uint64_t *bits; /* owned; NULL = table */
    ga__table table;
    int64_t limit, count;
} ga__set;

ga_status ga__set_open(ga_context *context, int64_t limit, int64_t expected, ga__set *set);
void ga__set_clear(ga_context *context, ga__set *set);
static inline bool ga__set_has(const ga__set *set, int64_t x)
{
    return set->bits ? set->bits[x >> 6] >> (x & 63) & 1 : ga__table_find(&set->table, (uint64_t)x) != NULL;
}
/* fresh may be NULL. */
ga_status ga__set_add(ga__set *set, int64_t x, bool *fresh);
/* All members, ascending, into room for set->count. */
void ga__set_list(const ga__set *set, int64_t *members);

#endif
