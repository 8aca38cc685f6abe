/* gab.h - the layout of a .gab file (graphattn-formats(5)).
 *
 * 256 bytes of header, then the sections that the flags name, in the order of their kinds, each starting at a
 * multiple of 64 and followed by zero bytes up to the next; the file ends with the last of these. Everything is
 * little-endian.
 */
#ifndef GA_GRAPH_GAB_H
#define GA_GRAPH_GAB_H

#include "graph/graph.h"

enum {
    GA__GAB_VERSION = 1,
    GA__GAB_ALIGN = 64,
    GA__GAB_IN = 1, /* flags */
    GA__GAB_WEIGHTS = 2,
    GA__GAB_IDS = 4
};

typedef enum ga__gab_kind {
    GA__GAB_OUT_OFFSETS = 1, /* u64, nodes + 1 */
    GA__GAB_OUT_TARGETS,     /* u32, edges */
    GA__GAB_IN_OFFSETS,
    GA__GAB_IN_SOURCES,
    GA__GAB_WEIGHT_VALUES, /* f32, edges, in the order of the out targets */
    GA__GAB_NODE_IDS,      /* u64, nodes, ascending */
    GA__GAB_KINDS = GA__GAB_NODE_IDS
} ga__gab_kind;

typedef struct ga__gab_section {
    uint32_t kind, crc;
    uint64_t offset, length, reserved; /* bytes */
} ga__gab_section;

typedef struct ga__gab_header {
    char magic[4]; /* "GAB1" */
    uint32_t version;
    uint64_t flags, nodes, edges;
    uint32_t sections;
    uint32_t crc; /* of the header with this field 0 */
    uint64_t reserved[3];
    ga__gab_section section[GA__GAB_KINDS]; /* those not used are zero */
} ga__gab_header;

_Static_assert(sizeof(ga__gab_header) == 256, "the header of a .gab file has 256 bytes");

uint32_t ga__gab_header_crc(const ga__gab_header *header);

/* The section table that belongs to flags, nodes and edges, checksums 0; *size the length of the file. False when a
 * size does not fit. */
bool ga__gab_plan(ga__gab_header *header, int64_t *size);

/* CRC-32C of a followed by b from those of both; size of b. */
uint32_t ga__crc32c_join(uint32_t a, uint32_t b, int64_t size);

/* CRC-32C by several threads. */
ga_status ga__crc32c_parallel(ga_context *context, const void *data, int64_t size, uint32_t *crc);

static inline bool ga__gab_possible(void)
{
    const union {
        uint32_t word;
        unsigned char byte;
    } one = { 1 };
    return one.byte == 1;
}

#endif
