/* keep_body.h - bits from Philox 4x32-10 (Salmon et al., SC'11), 64 bits a lane, of which products read the lower half.
 *
 * A round takes (c0, c1, c2, c3) to (high(M1 c2) ^ c1 ^ k0, low(M1 c2), high(M0 c0) ^ c3 ^ k1, low(M0 c0)). A product
 * as it is stands for its lower half; what is above the lower half of a lane is never read.
 */
#include <string.h>

#include "lib/engine/keep/keep.h"

#ifndef GA__ISA
#error "define GA__ISA before including keep_body.h"
#endif

#if GA__ISA == 512

#include <immintrin.h>
#define NAME(x) x##_avx512
enum { LANES = 8 };
typedef __m512i lanes;
#define lanes_all(x) _mm512_set1_epi64((long long)(x))
#define lanes_from(x) _mm512_add_epi64(lanes_all(x), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7))
#define lanes_product(a, b) _mm512_mul_epu32((a), (b))
#define lanes_high(a) _mm512_srli_epi64((a), 32)
#define lanes_xor(a, b, c) _mm512_ternarylogic_epi64((a), (b), (c), 0x96)
/* Bit 2 i: whether the lower half of lane i of a is above the limit; bit 2 i + 1: that of b. */
static inline uint32_t lanes_above(lanes a, lanes b, uint32_t limit)
{
    __m512i pairs = _mm512_mask_blend_epi32(0xaaaa, a, _mm512_slli_epi64(b, 32));
    return _mm512_cmpgt_epu32_mask(pairs, _mm512_set1_epi32((int)limit));
}

#elif GA__ISA == 2

#include <immintrin.h>
#define NAME(x) x##_avx2
enum { LANES = 4 };
typedef __m256i lanes;
#define lanes_all(x) _mm256_set1_epi64x((long long)(x))
#define lanes_from(x) _mm256_add_epi64(lanes_all(x), _mm256_setr_epi64x(0, 1, 2, 3))
#define lanes_product(a, b) _mm256_mul_epu32((a), (b))
#define lanes_high(a) _mm256_srli_epi64((a), 32)
#define lanes_xor(a, b, c) _mm256_xor_si256(_mm256_xor_si256((a), (b)), (c))
static inline uint32_t lanes_above(lanes a, lanes b, uint32_t limit)
{
    const __m256i sign = _mm256_set1_epi32(INT32_MIN); /* there are comparisons of signed numbers alone */
    __m256i pairs = _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa);
    __m256i above = _mm256_cmpgt_epi32(_mm256_xor_si256(pairs, sign),
                                       _mm256_xor_si256(_mm256_set1_epi32((int)limit), sign));
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(above));
}

#else

#define NAME(x) x##_scalar
enum { LANES = 2 };
typedef uint64_t lanes __attribute__((vector_size(16)));
#define lanes_all(x) ((lanes){ (x), (x) })
#define lanes_from(x) ((lanes){ (x), (x) + 1 })
#define lanes_product(a, b) (((a)&UINT32_MAX) * ((b)&UINT32_MAX))
#define lanes_high(a) ((a) >> 32)
#define lanes_xor(a, b, c) ((a) ^ (b) ^ (c))
static inline uint32_t lanes_above(lanes a, lanes b, uint32_t limit)
{
    return (uint32_t)((uint32_t)a[0] > limit) | (uint32_t)((uint32_t)b[0] > limit) << 1 |
           (uint32_t)((uint32_t)a[1] > limit) << 2 | (uint32_t)((uint32_t)b[1] > limit) << 3;
}

#endif

/* Bits 2 i and 2 i + 1 of x at 4 i and 4 i + 1. */
static inline uint32_t apart(uint32_t x)
{
    x = (x | x << 8) & 0x00ff00ffU;
    x = (x | x << 4) & 0x0f0f0f0fU;
    return (x | x << 2) & 0x33333333U;
}

/* Bits of the elements 4 counter .. 4 (counter + LANES) - 1. */
static inline uint32_t bits_of(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t limit)
{
    const lanes m0 = lanes_all(0xD2511F53ULL), m1 = lanes_all(0xCD9E8D57ULL);
    lanes c0 = lanes_from(counter), c1 = lanes_high(c0), c2 = lanes_all(stream), c3 = lanes_high(c2);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        lanes p0 = lanes_product(c0, m0), p1 = lanes_product(c2, m1);
        c0 = lanes_xor(lanes_high(p1), c1, lanes_all((uint64_t)k0));
        c2 = lanes_xor(lanes_high(p0), c3, lanes_all((uint64_t)k1));
        c1 = p1;
        c3 = p0;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    return apart(lanes_above(c0, c1, limit)) | apart(lanes_above(c2, c3, limit)) << 2;
}

static void draw(uint64_t seed, uint64_t stream, int64_t first, int64_t last, uint32_t limit, uint32_t *bits)
{
    for (int64_t w = first; w < last; w++) {
        uint32_t word = 0;
#pragma GCC unroll 4
        for (int part = 0; part < 8 / LANES; part++) {
            uint64_t counter = 8 * (uint64_t)w + (uint64_t)(part * LANES);
            word |= bits_of(seed, stream, counter, limit) << 4 * part * LANES % 32;
        }
        bits[w - first] = word;
    }
}

const ga__keep_ops NAME(ga__keep_ops) = { draw };

#undef NAME
