/* mersenne.c - MT19937: a linear recurrence of 624 words,
 * x_{k+624} = x_{k+397} + (high bit of x_k, rest of x_{k+1}) A. */
#include "config.h"

#include "lib/base/mersenne.h"

enum { WORDS = GA__MERSENNE_WORDS, MIDDLE = 397 };

void ga__mersenne_seed(ga__mersenne *stream, uint32_t seed)
{
    stream->words[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++) {
        seed = UINT32_C(1812433253) * (seed ^ seed >> 30) + i;
        stream->words[i] = seed;
    }
    stream->used = WORDS;
}

static void refill(ga__mersenne *stream)
{
    uint32_t *x = stream->words;
    for (int i = 0; i < WORDS; i++) {
        uint32_t y = (x[i] & UINT32_C(0x80000000)) | (x[(i + 1) % WORDS] & UINT32_C(0x7fffffff));
        x[i] = x[(i + MIDDLE) % WORDS] ^ y >> 1 ^ (y & 1 ? UINT32_C(0x9908b0df) : 0);
    }
    stream->used = 0;
}

uint32_t ga__mersenne_next(ga__mersenne *stream)
{
    if (stream->used == WORDS) {
        refill(stream);
    }
    uint32_t y = stream->words[stream->used++];
    y ^= y >> 11;
    y ^= y << 7 & UINT32_C(0x9d2c5680);
    y ^= y << 15 & UINT32_C(0xefc60000);
    return y ^ y >> 18;
}

/* Uniform in 0 .. most: words cut to as many bits as `most` has, those beyond it thrown away; 64 bits (the high half first)
 * only where 32 do not reach. */
static uint64_t up_to(ga__mersenne *stream, uint64_t most)
{
    uint64_t mask = most, value;
    for (int shift = 1; shift < 64; shift *= 2) {
        mask |= mask >> shift;
    }
    do {
        value = ga__mersenne_next(stream);
        if (most > UINT32_MAX) {
            value = value << 32 | ga__mersenne_next(stream);
        }
        value &= mask;
    } while (value > most);
    return value;
}

void ga__mersenne_shuffle(ga__mersenne *stream, int64_t *list, int64_t count)
{
    for (int64_t i = count - 1; i > 0; i--) {
        uint64_t j = up_to(stream, (uint64_t)i);
        int64_t kept = list[i];
        list[i] = list[j];
        list[j] = kept;
    }
}
