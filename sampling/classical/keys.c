/* keys.c - the smallest of many random keys. */
#include "config.h"

#include <math.h>

#include "sampling/classical/draw.h"

ga_status ga__keys_open(ga_context *context, int64_t room, ga__keys *keys)
{
    *keys = (ga__keys){ .room = room };
    return GA_NEW(context, room, &keys->heap);
}

void ga__keys_clear(ga_context *context, ga__keys *keys)
{
    ga_free(context, keys->heap);
    *keys = (ga__keys){ .heap = NULL };
}

static bool before(ga__key a, ga__key b)
{
    return a.key < b.key || (a.key == b.key && a.item < b.item);
}

static void rise(ga__key *heap, int64_t at)
{
    ga__key moved = heap[at];
    for (; at > 0 && before(heap[(at - 1) / 2], moved); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = moved;
}

static void sink(ga__key *heap, int64_t count)
{
    ga__key moved = heap[0];
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && before(heap[child], heap[child + 1]);
        if (!before(moved, heap[child])) {
            break;
        }
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

void ga__keys_offer(ga__keys *keys, double key, int64_t item)
{
    ga__key offered = { key, item };
    if (keys->count < keys->room) {
        keys->heap[keys->count] = offered;
        rise(keys->heap, keys->count++);
    } else if (keys->room > 0 && before(offered, keys->heap[0])) {
        keys->heap[0] = offered;
        sink(keys->heap, keys->count);
    }
}

double ga__key_of(const ga__draw *d, int64_t item, double weight)
{
    uint64_t word[2];
    ga__random_block(ga_context_seed(d->context), GA__RANDOM_SAMPLE_KEY, (uint64_t)item, 0, word);
    double u = ((double)(word[0] >> 11) + 0.5) * 0x1p-53; /* in (0, 1) */
    return -log(u) / weight;
}
