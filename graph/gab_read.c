/* gab_read.c - .gab files: mapped when they are plain files, read into memory when they come from a stream. Every
 * byte is covered by a checksum or must be zero. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "graph/facts.h"
#include "graph/gab.h"
#include "lib/base/workers.h"

typedef struct gab {
    ga__reading *r;
    ga__gab_header header;
    int64_t size; /* of the file as the header has it */
    const unsigned char *map;
} gab;

static ga_status broken(const gab *g, int64_t offset, const char *what)
{
    return ga__fail(g->r->context, GA_FORMAT, "%s: byte %lld: %s", g->r->name, (long long)offset, what);
}

/* ---- header ---- */

static ga_status check_header(gab *g)
{
    const ga__gab_header *h = &g->header;
    if (memcmp(h->magic, "GAB1", 4) != 0) {
        return broken(g, 0,
                      memcmp(h->magic, "1BAG", 4) == 0 ? "a .gab file of swapped byte order"
                                                       : "no .gab file, expected the magic number GAB1");
    }
    if (h->crc != ga__gab_header_crc(h)) {
        return broken(g, 36, "the header's checksum is wrong");
    }
    if (h->version != GA__GAB_VERSION) {
        return ga__fail(g->r->context, GA_UNSUPPORTED, "%s: .gab version %u, this program knows version %d",
                        g->r->name, h->version, GA__GAB_VERSION);
    }
    if (h->flags & ~(uint64_t)(GA__GAB_IN | GA__GAB_WEIGHTS | GA__GAB_IDS)) {
        return broken(g, 8, "unknown flags");
    }
    ga_status status = ga__reading_limits(g->r, (int64_t)h->nodes, (int64_t)h->edges);
    if (status != GA_OK) {
        return status;
    }
    ga__gab_header planned = *h;
    memset(planned.reserved, 0, sizeof planned.reserved);
    if (!ga__gab_plan(&planned, &g->size)) {
        return broken(g, 16, "sizes that no file can have");
    }
    for (int i = 0; i < GA__GAB_KINDS; i++) {
        planned.section[i].crc = h->section[i].crc;
        if (i >= (int)planned.sections) {
            planned.section[i].crc = 0;
        }
    }
    if (memcmp(&planned, h, sizeof planned) != 0) {
        return broken(g, 64, "the section table does not match flags and counts");
    }
    return GA_OK;
}

static const ga__gab_section *section_of(const gab *g, ga__gab_kind kind)
{
    for (uint32_t i = 0; i < g->header.sections; i++) {
        if (g->header.section[i].kind == (uint32_t)kind) {
            return &g->header.section[i];
        }
    }
    return NULL;
}

/* ---- checking what stands in the sections ---- */

static ga_status check_crc(const gab *g, ga__gab_kind kind, uint32_t crc)
{
    const ga__gab_section *s = section_of(g, kind);
    if (crc == s->crc) {
        return GA_OK;
    }
    return ga__fail(g->r->context, GA_FORMAT, "%s: bytes %llu to %llu: checksum of section %d is wrong",
                    g->r->name, (unsigned long long)s->offset, (unsigned long long)(s->offset + s->length),
                    (int)kind);
}

static ga_status check_section(const gab *g, ga__gab_kind kind, const void *data)
{
    ga_status status = GA_OK;
    uint32_t crc = 0;
    if (section_of(g, kind)) {
        GA_TRY(ga__crc32c_parallel(g->r->context, data, (int64_t)section_of(g, kind)->length, &crc));
        status = check_crc(g, kind, crc);
    }
done:
    return status;
}

static ga_status check_offsets(const gab *g, ga__gab_kind kind, const int64_t *offsets)
{
    ga_status status = GA_OK;
    GA_TRY(check_section(g, kind, offsets));
    int64_t wrong = ga__offsets_wrong(offsets, (int64_t)g->header.nodes, (int64_t)g->header.edges);
    if (wrong >= 0) {
        status =
            broken(g, (int64_t)section_of(g, kind)->offset + 8 * wrong, "offsets do not ascend to the edges");
    }
done:
    return status;
}

/* Rows and their checksum in one go. */
static ga_status check_rows(const gab *g, ga__gab_kind kind, const int64_t *offsets, const uint32_t *targets,
                            ga__facts *facts)
{
    ga_status status = GA_OK;
    int64_t edges = (int64_t)g->header.edges;
    uint32_t *crcs = NULL, crc = 0;
    GA_TRY(GA_NEW(g->r->context, edges / GA__FACTS_BLOCK + 1, &crcs));
    GA_TRY(ga__facts_find(g->r->context, (int64_t)g->header.nodes, offsets, targets, crcs, facts));
    for (int64_t at = 0; at < edges; at += GA__FACTS_BLOCK) {
        crc = ga__crc32c_join(crc, crcs[at / GA__FACTS_BLOCK], 4 * ga__min(GA__FACTS_BLOCK, edges - at));
    }
    GA_TRY(check_crc(g, kind, crc));
    if (facts->bad_edge >= 0) {
        GA_TRY(broken(g, (int64_t)section_of(g, kind)->offset + 4 * facts->bad_edge,
                      "an edge to a node beyond the last"));
    }
    if (!facts->sorted) {
        GA_TRY(broken(g, (int64_t)section_of(g, kind)->offset, "rows that do not ascend"));
    }
done:
    ga_free(g->r->context, crcs);
    return status;
}

static ga_status check_values(const gab *g, const ga_graph *graph)
{
    for (int64_t i = 0; graph->ids && i < graph->nodes; i++) {
        if (i > 0 && graph->ids[i] <= graph->ids[i - 1]) {
            return broken(g, (int64_t)section_of(g, GA__GAB_NODE_IDS)->offset + 8 * i,
                          "node ids do not ascend");
        }
    }
    bool look = graph->weights && g->r->options->weights && !g->r->options->allow_nonfinite;
    for (int64_t i = 0; look && i < graph->edges; i++) {
        if (!isfinite(graph->weights[i])) {
            return broken(g, (int64_t)section_of(g, GA__GAB_WEIGHT_VALUES)->offset + 4 * i,
                          "a weight that is not finite (--allow-nonfinite)");
        }
    }
    return GA_OK;
}

static ga_status check_all(const gab *g, const ga_graph *graph, ga__facts *facts)
{
    ga_status status = GA_OK;
    ga__facts in;
    GA_TRY(check_offsets(g, GA__GAB_OUT_OFFSETS, graph->out_offsets));
    GA_TRY(check_rows(g, GA__GAB_OUT_TARGETS, graph->out_offsets, graph->out_targets, facts));
    if (graph->in_offsets) {
        GA_TRY(check_offsets(g, GA__GAB_IN_OFFSETS, graph->in_offsets));
        GA_TRY(check_rows(g, GA__GAB_IN_SOURCES, graph->in_offsets, graph->in_sources, &in));
    }
    GA_TRY(check_section(g, GA__GAB_WEIGHT_VALUES, graph->weights));
    GA_TRY(check_section(g, GA__GAB_NODE_IDS, graph->ids));
    GA_TRY(check_values(g, graph));
done:
    return status;
}

/* ---- mapping a plain file ---- */

static ga_status check_padding(const gab *g)
{
    for (uint32_t i = 0; i < g->header.sections; i++) {
        const ga__gab_section *s = &g->header.section[i];
        int64_t at = (int64_t)(s->offset + s->length);
        int64_t end = i + 1 < g->header.sections ? (int64_t)g->header.section[i + 1].offset : g->size;
        for (; at < end; at++) {
            if (g->map[at] != 0) {
                return broken(g, at, "padding that is not zero");
            }
        }
    }
    return GA_OK;
}

static void *in_map(const gab *g, ga__gab_kind kind)
{
    const ga__gab_section *s = section_of(g, kind);
    if (!s) {
        return NULL;
    }
    return (void *)(uintptr_t)(g->map +
                               (s->length ? s->offset : 0)); /* inside the map even if nothing follows */
}

static void point_into_map(const gab *g, ga_graph *graph)
{
    graph->nodes = (int64_t)g->header.nodes;
    graph->edges = (int64_t)g->header.edges;
    graph->map = (void *)(uintptr_t)g->map;
    graph->map_size = g->size;
    graph->out_offsets = in_map(g, GA__GAB_OUT_OFFSETS);
    graph->out_targets = in_map(g, GA__GAB_OUT_TARGETS);
    graph->in_offsets = in_map(g, GA__GAB_IN_OFFSETS);
    graph->in_sources = in_map(g, GA__GAB_IN_SOURCES);
    graph->weights = in_map(g, GA__GAB_WEIGHT_VALUES);
    graph->ids = in_map(g, GA__GAB_NODE_IDS);
}

/* *mapped false: the system would not; then the file is read. */
static ga_status map_file(gab *g, int fd, int64_t size, ga_graph *graph, bool *mapped)
{
    ga_status status = GA_OK;
    *mapped = false;
    if (size != g->size) {
        GA_TRY(ga__fail(g->r->context, GA_FORMAT, "%s: %lld bytes, its header expects %lld", g->r->name,
                        (long long)size, (long long)g->size));
    }
    void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        goto done;
    }
    g->map = map;
    point_into_map(g, graph); /* from here on destroying the graph unmaps */
    *mapped = true;
    GA_TRY(check_padding(g));
done:
    return status;
}

/* ---- reading a stream ---- */

static ga_status read_exactly(const gab *g, void *data, int64_t size, int64_t offset)
{
    ga_status status = GA_OK;
    int64_t got;
    GA_TRY(ga__input_read(g->r->context, g->r->input, data, size, &got));
    if (got < size) {
        status = ga__fail(g->r->context, GA_FORMAT, "%s: ends at byte %lld, its header expects %lld",
                          g->r->name, (long long)(offset + got), (long long)g->size);
    }
done:
    return status;
}

/* A section with the zeros behind it; the array grows with what is there. */
static ga_status read_section(const gab *g, ga__gab_kind kind, void **array)
{
    enum { FIRST = 1 << 24 };
    ga_status status = GA_OK;
    const ga__gab_section *s = section_of(g, kind);
    unsigned char padding[GA__GAB_ALIGN];
    if (!s) {
        return GA_OK;
    }
    int64_t length = (int64_t)s->length, room = ga__min(length, FIRST), have = 0;
    GA_TRY(ga_alloc(g->r->context, room, 1, array));
    for (;;) {
        GA_TRY(read_exactly(g, (char *)*array + have, room - have, (int64_t)s->offset + have));
        have = room;
        ga__progress(g->r->context, "reading", (int64_t)s->offset + have, g->size);
        GA_TRY(ga__check(g->r->context));
        if (have == length) {
            break;
        }
        room = room > length / 2 ? length : 2 * room;
        GA_TRY(ga__resize(g->r->context, have, room, 1, array));
    }
    int64_t rest = (GA__GAB_ALIGN - length % GA__GAB_ALIGN) % GA__GAB_ALIGN;
    GA_TRY(read_exactly(g, padding, rest, (int64_t)s->offset + length));
    for (int64_t i = 0; i < rest; i++) {
        if (padding[i] != 0) {
            GA_TRY(broken(g, (int64_t)s->offset + length + i, "padding that is not zero"));
        }
    }
done:
    return status;
}

static ga_status read_arrays(const gab *g, ga_graph *graph)
{
    ga_status status = GA_OK;
    void *array[GA__GAB_KINDS + 1] = { NULL };
    char extra;
    int64_t got;
    for (int kind = 1; kind <= GA__GAB_KINDS && status == GA_OK; kind++) {
        status = read_section(g, (ga__gab_kind)kind, &array[kind]);
    }
    graph->nodes = (int64_t)g->header.nodes;
    graph->edges = (int64_t)g->header.edges;
    graph->out_offsets = array[GA__GAB_OUT_OFFSETS];
    graph->out_targets = array[GA__GAB_OUT_TARGETS];
    graph->in_offsets = array[GA__GAB_IN_OFFSETS];
    graph->in_sources = array[GA__GAB_IN_SOURCES];
    graph->weights = array[GA__GAB_WEIGHT_VALUES];
    graph->ids = array[GA__GAB_NODE_IDS];
    GA_TRY(status);
    GA_TRY(ga__input_read(g->r->context, g->r->input, &extra, 1, &got));
    if (got > 0) {
        status = broken(g, g->size, "more bytes than the header expects");
    }
done:
    return status;
}

ga_status ga__read_gab(ga__reading *r)
{
    ga_status status = GA_OK;
    gab g = { .r = r };
    ga_graph *graph = NULL;
    ga__facts facts;
    bool mapped = false;
    int fd;
    int64_t size;
    if (!ga__gab_possible()) {
        GA_TRY(ga__fail(r->context, GA_UNSUPPORTED, "%s: .gab files need a little-endian machine", r->name));
    }
    g.size = sizeof g.header;
    GA_TRY(read_exactly(&g, &g.header, sizeof g.header, 0));
    GA_TRY(check_header(&g));
    GA_TRY(GA_NEW_ZERO(r->context, 1, &graph));
    if (ga__input_plain(r->input, &fd, &size)) {
        GA_TRY(map_file(&g, fd, size, graph, &mapped));
    }
    if (!mapped) {
        GA_TRY(read_arrays(&g, graph));
    }
    GA_TRY(check_all(&g, graph, &facts));
    r->report.bytes = g.size;
    r->report.declared_nodes = graph->nodes;
    status = ga__reading_obey(r, graph, &facts);
    graph = NULL;
done:
    ga_graph_destroy(r->context, graph);
    return status;
}
