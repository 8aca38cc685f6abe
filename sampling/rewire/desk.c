/* desk.c - pairing and swapping the edges of a group.
 *
 * An edge is in at most one pair, and what it leaves behind and what it takes are never looked for by their places
 * again: a key that goes is overwritten by one that nobody asks for, a new key takes the free place where the search
 * for it ended. So the table needs room for twice as many keys as there are edges and no other bookkeeping.
 */
#include "config.h"

#include "sampling/rewire/desk.h"

#include <string.h>

#include "lib/base/workers.h"
#include "sampling/rewire/edge_set.h"

#define GONE UINT64_MAX /* the loop of the last possible node */

enum { STRETCH = 1 << 16 }; /* steps between two looks whether to stop */

/* ---- room ---- */

static int bits_for(int64_t edges)
{
    int bits = 4;
    while ((int64_t)1 << bits < 3 * edges) {
        bits++;
    }
    return bits;
}

void ga__desk_clear(ga_context *context, ga__desk *desk)
{
    ga_free(context, desk->table);
    ga_free(context, desk->place);
    ga_free(context, desk->words);
    desk->table = NULL;
    desk->place = desk->words = NULL;
    desk->room = 0;
}

bool ga__desk_fit(ga__desk *desk, int64_t edges)
{
    ga_status status = GA_OK;
    if (bits_for(edges) > 32) {
        status =
            ga__fail(desk->context, GA_UNSUPPORTED, "more than a billion edges whose nodes have one degree");
    } else if (edges > desk->room) {
        int64_t room = edges + edges / 4, places = (int64_t)1 << bits_for(room);
        ga__desk_clear(desk->context, desk);
        GA_TRY(GA_NEW(desk->context, places, &desk->table));
        GA_TRY(GA_NEW(desk->context, room, &desk->place));
        ga__advise_large(desk->table, places * (int64_t)sizeof *desk->table);
        desk->room = room;
    }
done:
    ga__note_status(desk->status, status);
    return status == GA_OK;
}

bool ga__desk_fit_classes(ga__desk *desk, int64_t classes)
{
    ga_status status = GA_OK;
    if (!desk->words) {
        GA_TRY(GA_NEW(desk->context, 8 * (desk->room + 1), &desk->words));
    }
    if (!desk->class_number) {
        GA_TRY(GA_NEW_ZERO(desk->context, classes, &desk->class_number));
    }
done:
    ga__note_status(desk->status, status);
    return status == GA_OK;
}

/* ---- shuffling ---- */

enum { MOST_BLOCKS = 16 };

/* Random words of 16 or 32 bits, cut from blocks of 128. */
typedef struct words {
    uint64_t seed, index, current;
    uint32_t block, blocks; /* blocks: drawn at once */
    int left, at;           /* bits of current; place of the next one */
    uint64_t drawn[2 * MOST_BLOCKS];
} words;

static void draw(words *w)
{
    for (uint32_t i = 0; i < w->blocks; i++) {
        ga__random_block(w->seed, GA__RANDOM_MATCHING, w->index, w->block++, &w->drawn[2 * i]);
    }
    w->at = 0;
}

static inline uint32_t next_word(words *w, int bits)
{
    if (w->left == 0) {
        if (w->at == 2 * (int)w->blocks) {
            draw(w);
        }
        w->current = w->drawn[w->at++];
        w->left = 64;
    }
    uint32_t word = (uint32_t)w->current & (UINT32_MAX >> (32 - bits));
    w->current >>= bits;
    w->left -= bits;
    return word;
}

/* Uniform in 0 .. bound - 1, bound at most 2^bits: multiply and shift, without bias (Lemire 2019). */
static inline uint32_t word_below(words *w, uint32_t bound, int bits)
{
    uint32_t most = UINT32_MAX >> (32 - bits);
    uint64_t product = (uint64_t)next_word(w, bits) * bound;
    if (((uint32_t)product & most) < bound) {
        uint32_t least = ((0 - bound) & most) % bound;
        while (((uint32_t)product & most) < least) {
            product = (uint64_t)next_word(w, bits) * bound;
        }
    }
    return (uint32_t)(product >> bits);
}

static inline void exchange(ga__pair *edge, int64_t i, int64_t j)
{
    ga__pair other = edge[j];
    edge[j] = edge[i];
    edge[i] = other;
}

void ga__desk_shuffle(ga__desk *desk, uint64_t seed, uint64_t index, ga__pair *edge, int64_t count)
{
    words w = { .seed = seed, .index = index };
    w.blocks = (uint32_t)ga__min(MOST_BLOCKS, count / 8 + 1);
    w.at = 2 * (int)w.blocks;
    int64_t i = count - 1;
    for (; i > UINT16_MAX; i--) {
        if (i % STRETCH == 0 && ga__stopped(desk->context, desk->status)) {
            return;
        }
        exchange(edge, i, word_below(&w, (uint32_t)i + 1, 32));
    }
    for (; i > 0; i--) {
        exchange(edge, i, word_below(&w, (uint32_t)i + 1, 16));
    }
}

/* ---- swapping ---- */

static inline uint64_t home(const ga__desk *desk, uint64_t key)
{
    return ga__key_mix(key) >> desk->shift;
}

bool ga__desk_take(ga__desk *desk, const ga__pair *edge, int64_t count)
{
    int bits = bits_for(count);
    uint64_t *table = desk->table, mask = ((uint64_t)1 << bits) - 1;
    desk->mask = mask;
    desk->shift = 64 - bits;
    memset(table, 0, (size_t)(mask + 1) * sizeof *table);
    for (int64_t i = 0; i < count; i++) {
        if (i % STRETCH == 0 && ga__stopped(desk->context, desk->status)) {
            return false;
        }
        uint64_t key = ga__edge_key(edge[i].source, edge[i].target), at = home(desk, key);
        while (table[at] != 0) {
            at = (at + 1) & mask;
        }
        table[at] = key;
        desk->place[i] = (uint32_t)at;
    }
    desk->used = count;
    return true;
}

/* Where a key is, or the free place for it. */
static inline uint64_t find(const ga__desk *desk, uint64_t key)
{
    uint64_t at = home(desk, key);
    while (desk->table[at] != 0 && desk->table[at] != key) {
        at = (at + 1) & desk->mask;
    }
    return at;
}

static inline bool swap_one(ga__desk *desk, ga__pair *e, const uint32_t *place)
{
    uint32_t a = e[0].source, b = e[0].target, x = e[1].source, y = e[1].target;
    if ((a == x) | (b == y) | (a == y) | (x == b)) {
        return false;
    }
    uint64_t first = ga__edge_key(a, y), second = ga__edge_key(x, b);
    uint64_t at = find(desk, first), then = find(desk, second);
    if ((desk->table[at] | desk->table[then]) != 0) {
        return false;
    }
    desk->table[place[0]] = GONE;
    desk->table[place[1]] = GONE;
    desk->table[at] = first;
    while (desk->table[then] != 0) {
        then = (then + 1) & desk->mask;
    }
    desk->table[then] = second;
    e[0].target = y;
    e[1].target = b;
    return true;
}

int64_t ga__desk_swap(ga__desk *desk, ga__pair *edge, int64_t first, int64_t last)
{
    int64_t accepted = 0;
    for (int64_t i = first; i < last; i++) {
        if (i % STRETCH == 0 && ga__stopped(desk->context, desk->status)) {
            break;
        }
        accepted += swap_one(desk, &edge[2 * i], &desk->place[2 * i]);
    }
    return accepted;
}

/* ---- rotating ---- */

bool ga__desk_turn(ga__desk *desk, ga__pair *edge, int64_t count, const uint32_t which[3],
                   const uint32_t target[3])
{
    uint64_t wanted[3], at[3];
    if (which[0] == which[1] || which[1] == which[2] || which[0] == which[2]) {
        return false;
    }
    if (desk->used > 2 * count && !ga__desk_take(desk, edge, count)) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        uint32_t source = edge[which[i]].source;
        wanted[i] = ga__edge_key(source, target[i]);
        if (source == target[i]) {
            return false;
        }
    }
    if (wanted[0] == wanted[1] || wanted[1] == wanted[2] || wanted[0] == wanted[2]) {
        return false;
    }
    for (int i = 0; i < 3; i++) { /* one may want what another has */
        desk->table[desk->place[which[i]]] = GONE;
    }
    for (int i = 0; i < 3; i++) {
        at[i] = find(desk, wanted[i]);
    }
    if ((desk->table[at[0]] | desk->table[at[1]] | desk->table[at[2]]) != 0) {
        for (int i = 0; i < 3; i++) {
            ga__pair own = edge[which[i]];
            desk->table[desk->place[which[i]]] = ga__edge_key(own.source, own.target);
        }
        return false;
    }
    for (int i = 0; i < 3; i++) {
        while (desk->table[at[i]] != 0) {
            at[i] = (at[i] + 1) & desk->mask;
        }
        desk->table[at[i]] = wanted[i];
        desk->place[which[i]] = (uint32_t)at[i];
        edge[which[i]].target = target[i];
    }
    desk->used += 3;
    return true;
}
