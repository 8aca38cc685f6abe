/* keep.h - dropout bits: drawing them, and reading them where they are used. */
#ifndef GA_LIB_ENGINE_KEEP_H
#define GA_LIB_ENGINE_KEEP_H

#include "lib/engine/isa.h"

/* At least 33 bits from bit `at` on, the lowest first; the bits above them are unspecified. */
static inline uint64_t ga__keep_from(const uint32_t *bits, int64_t at)
{
    const uint32_t *word = bits + (at >> 5);
    return ((uint64_t)word[1] << 32 | word[0]) >> (at & 31);
}
static inline bool ga__kept(const uint32_t *bits, int64_t at)
{
    return bits[at >> 5] >> (at & 31) & 1;
}

/* GA_INVALID unless the scale of bits that are there is a finite number from 0 up; name stands in the message. */
ga_status ga__keep_check(ga_context *context, const char *name, const ga_keep *keep);

typedef struct ga__keep_ops {
    /* Words first .. last - 1 of the stream, whole, to bits[0 ..]: 32 elements each, set where a number is above
     * limit. */
    void (*draw)(uint64_t seed, uint64_t stream, int64_t first, int64_t last, uint32_t limit, uint32_t *bits);
} ga__keep_ops;
extern const ga__keep_ops ga__keep_ops_scalar, ga__keep_ops_avx2, ga__keep_ops_avx512;

#endif
