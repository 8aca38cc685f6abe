/* crc32c.c - CRC-32C (Castagnoli, reflected polynomial 0x82f63b78). */
#include "config.h"

#include <string.h>

#include "lib/base/crc32c.h"

enum { TABLES = 8 };

/* tables[k][b]: what byte b followed by k zero bytes adds. Made on the stack for each large block, which takes a few
 * microseconds, so that there is no global state. */
static void make_tables(uint32_t tables[TABLES][256])
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int i = 0; i < 8; i++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
        tables[0][b] = crc;
    }
    for (int k = 1; k < TABLES; k++) {
        for (int b = 0; b < 256; b++) {
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 255];
        }
    }
}

static uint32_t by_halves(uint32_t crc, const unsigned char *data, size_t size)
{
    static const uint32_t half[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ half[crc & 15];
        crc = crc >> 4 ^ half[crc & 15];
    }
    return crc;
}

static uint32_t by_tables(uint32_t crc, const unsigned char *data, size_t size)
{
    uint32_t tables[TABLES][256];
    make_tables(tables);
    for (; size >= 8; size -= 8, data += 8) {
        crc ^= data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
        crc = tables[7][crc & 255] ^ tables[6][crc >> 8 & 255] ^ tables[5][crc >> 16 & 255] ^
              tables[4][crc >> 24] ^ tables[3][data[4]] ^ tables[2][data[5]] ^ tables[1][data[6]] ^
              tables[0][data[7]];
    }
    return by_halves(crc, data, size);
}

uint32_t ga__crc32c_plain(uint32_t crc, const void *data, size_t size)
{
    enum { WORTH_TABLES = 8192 };
    return ~(size < WORTH_TABLES ? by_halves(~crc, data, size) : by_tables(~crc, data, size));
}

#if defined __x86_64__ && defined __GNUC__

#include <immintrin.h>

#define FAST __attribute__((target("sse4.2,pclmul")))

/* Three parts of this size are summed side by side, because one instruction waits for the one before. */
enum { LONG = 4096, SHORT = 256 };
#define LONG_ONCE 0x82f89c77
#define LONG_TWICE 0x54a86326
#define SHORT_ONCE 0xb9e02b86
#define SHORT_TWICE 0xdd7e3b0c

static inline uint64_t word_at(const unsigned char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

FAST static uint32_t in_line(uint32_t crc, const unsigned char *data, size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; size -= 8, data += 8) {
        wide = _mm_crc32_u64(wide, word_at(data));
    }
    crc = (uint32_t)wide;
    for (; size > 0; size--, data++) {
        crc = _mm_crc32_u8(crc, *data);
    }
    return crc;
}

/* crc followed by as many zero bytes as factor stands for: factor is x^(8 * bytes - 33) modulo the polynomial. */
FAST static uint32_t shift(uint32_t crc, uint32_t factor)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)factor), 0);
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

FAST static uint32_t three_parts(uint32_t crc, const unsigned char *data, size_t part, uint32_t once,
                                 uint32_t twice)
{
    uint64_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < part; i += 8) {
        a = _mm_crc32_u64(a, word_at(data + i));
        b = _mm_crc32_u64(b, word_at(data + part + i));
        c = _mm_crc32_u64(c, word_at(data + 2 * part + i));
    }
    return shift((uint32_t)a, twice) ^ shift((uint32_t)b, once) ^ (uint32_t)c;
}

FAST static uint32_t by_instruction(uint32_t crc, const unsigned char *data, size_t size)
{
    for (; size >= 3 * LONG; size -= 3 * LONG, data += 3 * LONG) {
        crc = three_parts(crc, data, LONG, LONG_ONCE, LONG_TWICE);
    }
    for (; size >= 3 * SHORT; size -= 3 * SHORT, data += 3 * SHORT) {
        crc = three_parts(crc, data, SHORT, SHORT_ONCE, SHORT_TWICE);
    }
    return in_line(crc, data, size);
}

uint32_t ga__crc32c(uint32_t crc, const void *data, size_t size)
{
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
        return ~by_instruction(~crc, data, size);
    }
    return ga__crc32c_plain(crc, data, size);
}

#else

uint32_t ga__crc32c(uint32_t crc, const void *data, size_t size)
{
    return ga__crc32c_plain(crc, data, size);
}

#endif
