/* gab.c - what reading and writing .gab files share. */
#include "config.h"

#include "graph/gab.h"

#include <stddef.h>
#include <string.h>

#include "lib/base/workers.h"

uint32_t ga__gab_header_crc(const ga__gab_header *header)
{
    ga__gab_header blank = *header;
    blank.crc = 0;
    return ga__crc32c(0, &blank, sizeof blank);
}

static bool add_section(ga__gab_header *header, ga__gab_kind kind, int64_t count, int64_t each, int64_t *at)
{
    int64_t length, end;
    if (!ga__mul(count, each, &length) || !ga__add(*at, length, &end) ||
        !ga__add(end, GA__GAB_ALIGN - 1, &end)) {
        return false;
    }
    header->section[header->sections++] =
        (ga__gab_section){ .kind = kind, .offset = (uint64_t)*at, .length = (uint64_t)length };
    *at = end / GA__GAB_ALIGN * GA__GAB_ALIGN;
    return true;
}

bool ga__gab_plan(ga__gab_header *header, int64_t *size)
{
    int64_t nodes = (int64_t)header->nodes, edges = (int64_t)header->edges, at = sizeof *header;
    if (nodes < 0 || edges < 0 || nodes == INT64_MAX) {
        return false;
    }
    header->sections = 0;
    memset(header->section, 0, sizeof header->section);
    bool fits = add_section(header, GA__GAB_OUT_OFFSETS, nodes + 1, 8, &at) &&
                add_section(header, GA__GAB_OUT_TARGETS, edges, 4, &at);
    if (header->flags & GA__GAB_IN) {
        fits = fits && add_section(header, GA__GAB_IN_OFFSETS, nodes + 1, 8, &at) &&
               add_section(header, GA__GAB_IN_SOURCES, edges, 4, &at);
    }
    if (header->flags & GA__GAB_WEIGHTS) {
        fits = fits && add_section(header, GA__GAB_WEIGHT_VALUES, edges, 4, &at);
    }
    if (header->flags & GA__GAB_IDS) {
        fits = fits && add_section(header, GA__GAB_NODE_IDS, nodes, 8, &at);
    }
    *size = at;
    return fits;
}

/* ---- checksums ---- */

/* Product of two polynomials over GF(2) modulo that of CRC-32C, bits reflected: bit 31 is x^0. */
static uint32_t times(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1) {
        product ^= a & bit ? b : 0;
        b = b >> 1 ^ (b & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return product;
}

/* Appending `size` bytes multiplies by x^(8 size). */
uint32_t ga__crc32c_join(uint32_t a, uint32_t b, int64_t size)
{
    uint32_t factor = UINT32_C(1) << 31, square = UINT32_C(1) << 23;
    for (; size > 0; size >>= 1) {
        if (size & 1) {
            factor = times(square, factor);
        }
        square = times(square, square);
    }
    return times(factor, a) ^ b;
}

enum { CRC_BLOCK = 1 << 20 };

typedef struct crc_job {
    ga_context *context;
    const char *data;
    int64_t size, next;
    uint32_t *crcs;
    int status;
} crc_job;

static void crc_worker(void *user, int worker)
{
    crc_job *j = user;
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&j->next)) * CRC_BLOCK < j->size && !ga__stopped(j->context, &j->status);) {
        int64_t size = ga__min(CRC_BLOCK, j->size - b * CRC_BLOCK);
        j->crcs[b] = ga__crc32c(0, j->data + b * CRC_BLOCK, (size_t)size);
    }
}

ga_status ga__crc32c_parallel(ga_context *context, const void *data, int64_t size, uint32_t *crc)
{
    ga_status status = GA_OK;
    int64_t blocks = (size + CRC_BLOCK - 1) / CRC_BLOCK;
    crc_job j = { .context = context, .data = data, .size = size };
    uint32_t sum = 0;
    GA_TRY(GA_NEW(context, blocks, &j.crcs));
    ga__workers(context, ga__threads_for(context, blocks), crc_worker, &j);
    GA_TRY(ga__noted_status(&j.status));
    for (int64_t b = 0; b < blocks; b++) {
        sum = ga__crc32c_join(sum, j.crcs[b], ga__min(CRC_BLOCK, size - b * CRC_BLOCK));
    }
    *crc = sum;
done:
    ga_free(context, j.crcs);
    return status;
}
