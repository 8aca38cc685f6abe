/* read_sg.c - serialised graphs of the GAP benchmark suite: a byte (directed), the numbers of edges and nodes, the
 * offsets of all rows, the neighbours; for directed graphs the same two arrays of the transpose. */
#include "config.h"

#include <string.h>

#include "graph/facts.h"

enum { HEADER = 17 };

typedef struct sg {
    ga__reading *r;
    bool directed;
    int64_t nodes, edges, at; /* at: bytes read so far */
} sg;

static int64_t little64(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | bytes[i];
    }
    return (int64_t)value;
}

static ga_status read_header(sg *s)
{
    ga_status status = GA_OK;
    unsigned char bytes[HEADER], swapped[16];
    int64_t got;
    GA_TRY(ga__input_read(s->r->context, s->r->input, bytes, HEADER, &got));
    s->at = got;
    if (got < HEADER) {
        GA_TRY(ga__fail(s->r->context, GA_FORMAT, "%s: %lld bytes, the header of a .sg file has %d",
                        s->r->name, (long long)got, HEADER));
    }
    if (bytes[0] > 1) {
        GA_TRY(ga__fail(s->r->context, GA_FORMAT, "%s: byte 0: found %u, expected 0 or 1 (directed)",
                        s->r->name, bytes[0]));
    }
    s->directed = bytes[0] == 1;
    s->edges = little64(bytes + 1);
    s->nodes = little64(bytes + 9);
    for (int i = 0; i < 8; i++) {
        swapped[i] = bytes[8 - i];
        swapped[8 + i] = bytes[16 - i];
    }
    int64_t edges = little64(swapped), nodes = little64(swapped + 8), limit = INT64_C(1) << 40;
    if ((s->edges < 0 || s->edges > limit || s->nodes < 0 || s->nodes > limit) && edges >= 0 &&
        edges <= limit && nodes >= 0 && nodes <= limit) {
        GA_TRY(
            ga__fail(s->r->context, GA_FORMAT, "%s: byte 1: a .sg file of swapped byte order", s->r->name));
    }
    GA_TRY(ga__reading_limits(s->r, s->nodes, s->edges));
    if (s->nodes > INT32_MAX) {
        GA_TRY(ga__fail(s->r->context, GA_FORMAT, "%s: %lld nodes, a .sg file has numbers of 31 bits",
                        s->r->name, (long long)s->nodes));
    }
done:
    return status;
}

/* Before anything is allocated: does the file have the length that its figures ask for? */
static ga_status check_length(const sg *s)
{
    int64_t offsets, neighbours, all;
    int fd;
    int64_t size;
    if (!ga__mul(s->nodes + 1, 8, &offsets) || !ga__mul(s->edges, 4, &neighbours) ||
        !ga__add(offsets, neighbours, &all) || !ga__mul(all, s->directed ? 2 : 1, &all) ||
        !ga__add(all, HEADER, &all)) {
        return ga__fail(s->r->context, GA_FORMAT,
                        "%s: byte 1: %lld edges and %lld nodes, more than a file can hold", s->r->name,
                        (long long)s->edges, (long long)s->nodes);
    }
    if (ga__input_plain(s->r->input, &fd, &size) && size != all) {
        return ga__fail(s->r->context, GA_FORMAT, "%s: %lld bytes, %lld nodes and %lld edges need %lld",
                        s->r->name, (long long)size, (long long)s->nodes, (long long)s->edges,
                        (long long)all);
    }
    return GA_OK;
}

/* An array that grows with the data that is there. */
static ga_status read_array(sg *s, int64_t count, int64_t each, void **array)
{
    enum { FIRST = 1 << 21 };
    ga_status status = GA_OK;
    int64_t room = ga__min(count, FIRST), have = 0, got;
    GA_TRY(ga_alloc(s->r->context, room, (size_t)each, array));
    for (;;) {
        GA_TRY(ga__check(s->r->context));
        GA_TRY(ga__input_read(s->r->context, s->r->input, (char *)*array + have * each, (room - have) * each,
                              &got));
        s->at += got;
        if (got < (room - have) * each) {
            GA_TRY(ga__fail(s->r->context, GA_FORMAT,
                            "%s: ends at byte %lld, %lld nodes and %lld edges need more", s->r->name,
                            (long long)s->at, (long long)s->nodes, (long long)s->edges));
        }
        have = room;
        if (have == count) {
            break;
        }
        room = room > count / 2 ? count : 2 * room;
        GA_TRY(ga__resize(s->r->context, have, room, (size_t)each, array));
    }
done:
    return status;
}

static ga_status read_side(sg *s, int64_t **offsets, uint32_t **targets)
{
    ga_status status = GA_OK;
    int64_t begin = s->at;
    GA_TRY(read_array(s, s->nodes + 1, 8, (void **)offsets));
    for (int64_t i = 0; i <= s->nodes; i++) {
        (*offsets)[i] = little64((const unsigned char *)&(*offsets)[i]);
    }
    int64_t wrong = ga__offsets_wrong(*offsets, s->nodes, s->edges);
    if (wrong >= 0) {
        GA_TRY(ga__fail(s->r->context, GA_FORMAT, "%s: byte %lld: offsets do not ascend from 0 to %lld",
                        s->r->name, (long long)(begin + 8 * wrong), (long long)s->edges));
    }
    begin = s->at;
    GA_TRY(read_array(s, s->edges, 4, (void **)targets));
    for (int64_t i = 0; i < s->edges; i++) {
        const unsigned char *b = (const unsigned char *)&(*targets)[i];
        uint32_t target = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        if (target >= s->nodes) {
            GA_TRY(ga__fail(s->r->context, GA_FORMAT, "%s: byte %lld: neighbour %d of %lld nodes", s->r->name,
                            (long long)(begin + 4 * i), (int)target, (long long)s->nodes));
        }
        (*targets)[i] = target;
    }
done:
    return status;
}

ga_status ga__read_sg(ga__reading *r)
{
    ga_status status = GA_OK;
    sg s = { .r = r };
    int64_t *offsets = NULL, *in_offsets = NULL, got;
    uint32_t *targets = NULL, *in_sources = NULL;
    ga_graph *graph = NULL;
    char extra;
    GA_TRY(read_header(&s));
    GA_TRY(check_length(&s));
    GA_TRY(read_side(&s, &offsets, &targets));
    if (s.directed) { /* checked, then built anew when asked for */
        GA_TRY(read_side(&s, &in_offsets, &in_sources));
    }
    GA_TRY(ga__input_read(r->context, r->input, &extra, 1, &got));
    if (got > 0) {
        GA_TRY(ga__fail(r->context, GA_FORMAT,
                        "%s: byte %lld: more bytes than %lld nodes and %lld edges need", r->name,
                        (long long)s.at, (long long)s.nodes, (long long)s.edges));
    }
    ga_free(r->context, in_offsets);
    ga_free(r->context, in_sources);
    in_offsets = NULL;
    in_sources = NULL;
    r->report.bytes = s.at;
    r->report.declared_nodes = s.nodes;
    GA_TRY(ga__graph_adopt(r->context, s.nodes, s.edges, offsets, targets, NULL, &graph));
    offsets = NULL;
    targets = NULL;
    status = ga__reading_take(r, graph);
done:
    ga_free(r->context, offsets);
    ga_free(r->context, targets);
    ga_free(r->context, in_offsets);
    ga_free(r->context, in_sources);
    return status;
}
