/* random.c - Philox 4x32-10 streams.
 *
 * The key is the seed; the counter is (index low, index high, purpose, block), so two streams share a block only if
 * seed, purpose and index agree. When the block number wraps it carries into the upper bits of the purpose's word,
 * which no purpose uses.
 */
#include "config.h"

#include "lib/base/base.h"

#include <Random123/philox.h>
#include <string.h>

static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    philox4x32_ctr_t c = { { counter[0], counter[1], counter[2], counter[3] } };
    philox4x32_key_t k = { { key[0], key[1] } };
    philox4x32_ctr_t bits = philox4x32(c, k);
    out[0] = bits.v[0];
    out[1] = bits.v[1];
    out[2] = bits.v[2];
    out[3] = bits.v[3];
}

ga__random ga__random_at(uint64_t seed, ga__purpose purpose, uint64_t index)
{
    return (ga__random){
        .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
        .counter = { (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)purpose, 0 },
        .used = 4,
    };
}

void ga__random_refill(ga__random *stream)
{
    philox(stream->counter, stream->key, stream->block);
    stream->used = 0;
    if (++stream->counter[3] == 0) {
        stream->counter[2] += 1U << 8;
    }
}

void ga__random_block(uint64_t seed, ga__purpose purpose, uint64_t index, uint32_t block, uint64_t out[2])
{
    ga__random stream = ga__random_at(seed, purpose, index);
    stream.counter[3] = block;
    philox(stream.counter, stream.key, stream.block);
    out[0] = stream.block[0] | (uint64_t)stream.block[1] << 32;
    out[1] = stream.block[2] | (uint64_t)stream.block[3] << 32;
}

/* Few: Floyd's method with a sorted list; else every one in turn with the chance (still wanted) / (still left). */
void ga__random_choose(ga__random *stream, int64_t all, int64_t k, int64_t *chosen)
{
    enum { FEW = 64 };
    int64_t have = 0;
    if (k > FEW) {
        for (int64_t i = 0; have < k; i++) {
            if ((int64_t)ga__random_below(stream, (uint64_t)(all - i)) < k - have) {
                chosen[have++] = i;
            }
        }
        return;
    }
    for (int64_t last = all - k; last < all; last++) {
        int64_t one = (int64_t)ga__random_below(stream, (uint64_t)last + 1), at = 0;
        while (at < have && chosen[at] < one) {
            at++;
        }
        if (at < have && chosen[at] == one) { /* last itself is greater than all there are */
            chosen[have++] = last;
            continue;
        }
        memmove(chosen + at + 1, chosen + at, (size_t)(have - at) * sizeof *chosen);
        chosen[at] = one;
        have++;
    }
}
