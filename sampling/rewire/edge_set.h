/* edge_set.h - the set of edges of a graph that is being rewired by single moves.
 *
 * Lines of 64 bytes: a count and seven keys. A key lives in the line that its hash names (its home) or, when that was
 * full, in the next one with room; the home counts its keys that live elsewhere, so that almost every question is
 * answered by one cache line and removing leaves nothing behind. The key 0 is the loop 0 -> 0, which is never an
 * edge: it marks a free place.
 */
#ifndef GA_SAMPLING_REWIRE_EDGE_SET_H
#define GA_SAMPLING_REWIRE_EDGE_SET_H

#include "lib/base/base.h"

enum { GA__SET_LINE = 8 }; /* words */

typedef struct ga__edge_set {
    uint64_t *lines;
    uint64_t count; /* lines */
} ga__edge_set;

/* Room for `edges` keys; empty. */
ga_status ga__edge_set_create(ga_context *context, int64_t edges, ga__edge_set *set);
void ga__edge_set_destroy(ga_context *context, ga__edge_set *set);

static inline uint64_t ga__edge_key(uint32_t source, uint32_t target)
{
    return (uint64_t)source << 32 | target;
}

/* A bijection whose high bits depend on all bits of the key. */
static inline uint64_t ga__key_mix(uint64_t key)
{
    key *= UINT64_C(0x9e3779b97f4a7c15);
    key ^= key >> 32;
    return key * UINT64_C(0xd6e8feb86659fd93);
}

static inline uint64_t *ga__edge_home(const ga__edge_set *set, uint64_t key)
{
    uint64_t line = (uint64_t)(((unsigned __int128)ga__key_mix(key) * set->count) >> 64);
    return set->lines + line * GA__SET_LINE;
}

/* What remains when the home does not settle it. */
bool ga__edge_set_search(const ga__edge_set *set, uint64_t key, const uint64_t *home);
void ga__edge_set_insert_far(ga__edge_set *set, uint64_t key, uint64_t *home);
void ga__edge_set_remove_far(ga__edge_set *set, uint64_t key, uint64_t *home);

static inline bool ga__edge_set_has(const ga__edge_set *set, uint64_t key)
{
    const uint64_t *home = ga__edge_home(set, key);
    bool found = false;
#pragma GCC unroll 7
    for (int i = 1; i < GA__SET_LINE; i++) {
        found |= home[i] == key;
    }
    return found || (home[0] != 0 && ga__edge_set_search(set, key, home));
}

/* Puts key into one of the line's places if there is a free one. */
static inline bool ga__line_take(uint64_t *line, uint64_t key)
{
    for (int i = 1; i < GA__SET_LINE; i++) {
        if (line[i] == 0) {
            line[i] = key;
            return true;
        }
    }
    return false;
}

static inline bool ga__line_drop(uint64_t *line, uint64_t key)
{
    for (int i = 1; i < GA__SET_LINE; i++) {
        if (line[i] == key) {
            line[i] = 0;
            return true;
        }
    }
    return false;
}

/* The key is not there. */
static inline void ga__edge_set_insert(ga__edge_set *set, uint64_t key)
{
    uint64_t *home = ga__edge_home(set, key);
    if (!ga__line_take(home, key)) {
        ga__edge_set_insert_far(set, key, home);
    }
}

/* The key is there. */
static inline void ga__edge_set_remove(ga__edge_set *set, uint64_t key)
{
    uint64_t *home = ga__edge_home(set, key);
    if (!ga__line_drop(home, key)) {
        ga__edge_set_remove_far(set, key, home);
    }
}

#endif
