/* gunzip.c - gzip members (RFC 1952), one after the other; BGZF files are nothing else. */
#include "config.h"

#include <string.h>

#include "lib/base/input.h"

enum { RAW_SIZE = 1 << 18, BEHIND = 8 };

typedef enum phase { HEADER, BODY, TRAILER, ENDED } phase;

struct ga__gunzip {
    ga__raw *raw;
    const ga__inflate_engine *engine;
    void *state;
    bool strict;
    phase phase;
    uint32_t crc;
    uint64_t length; /* of the member's data so far */
    int64_t behind;  /* offset behind the last member */
    int64_t garbage; /* offset of what belongs to no member, -1: none */
    ga__span in;
    unsigned char *buffer; /* the last BEHIND bytes of the piece before, then RAW_SIZE bytes */
};

ga_status ga__gunzip_create(ga__raw *raw, const ga__inflate_engine *engine, bool strict,
                            const unsigned char *head, int64_t have, ga__gunzip **out)
{
    ga_status status = GA_OK;
    ga__gunzip *g = NULL;
    GA_TRY(GA_NEW_ZERO(raw->context, 1, &g));
    g->raw = raw;
    g->engine = engine;
    g->strict = strict;
    g->garbage = -1;
    GA_TRY(GA_NEW(raw->context, BEHIND + RAW_SIZE, &g->buffer));
    memset(g->buffer, 0, BEHIND);
    memcpy(g->buffer + BEHIND, head, (size_t)have);
    g->in = (ga__span){ g->buffer + BEHIND, g->buffer + BEHIND + have };
    GA_TRY(engine->create(raw->context, &g->state));
    *out = g;
    g = NULL;
done:
    ga__gunzip_destroy(g);
    return status;
}

void ga__gunzip_destroy(ga__gunzip *gunzip)
{
    if (!gunzip) {
        return;
    }
    ga_context *context = gunzip->raw->context;
    if (gunzip->state) {
        gunzip->engine->destroy(context, gunzip->state);
    }
    ga_free(context, gunzip->buffer);
    ga_free(context, gunzip);
}

int64_t ga__gunzip_garbage(const ga__gunzip *gunzip)
{
    return gunzip->garbage;
}

/* Offset in the file of the next byte to be looked at. */
static int64_t offset(const ga__gunzip *g)
{
    return g->raw->offset - (g->in.end - g->in.at);
}

static ga_status bad(ga__gunzip *g, int64_t at, const char *what)
{
    return ga__raw_fail(g->raw, GA_FORMAT, "%s: byte %lld: %s", g->raw->name, (long long)at, what);
}

static ga_status cut_short(ga__gunzip *g)
{
    return bad(g, offset(g), "gzip file ends too early, it is truncated");
}

/* Makes sure that there is a byte; *ended when there is none. */
static ga_status refill(ga__gunzip *g, bool *ended)
{
    ga_status status = GA_OK;
    int64_t got = 0;
    *ended = false;
    if (g->in.at < g->in.end) {
        goto done;
    }
    memmove(g->buffer, g->in.end - BEHIND, BEHIND);
    g->in.at = g->in.end = g->buffer + BEHIND;
    GA_TRY(ga__raw_read(g->raw, g->in.at, RAW_SIZE, &got));
    g->in.end += got;
    *ended = got == 0;
done:
    return status;
}

/* The next byte of a header or trailer, which must be there; counted into *sum when that is wanted. */
static ga_status next_byte(ga__gunzip *g, uint32_t *sum, unsigned *byte)
{
    ga_status status = GA_OK;
    bool ended;
    GA_TRY(refill(g, &ended));
    if (ended) {
        GA_TRY(cut_short(g));
    }
    if (sum) {
        *sum = g->engine->crc(*sum, g->in.at, 1);
    }
    *byte = *g->in.at++;
done:
    return status;
}

static ga_status little_endian(ga__gunzip *g, int bytes, uint32_t *sum, uint32_t *value)
{
    ga_status status = GA_OK;
    unsigned byte = 0;
    *value = 0;
    for (int i = 0; i < bytes; i++) {
        GA_TRY(next_byte(g, sum, &byte));
        *value |= (uint32_t)byte << (8 * i);
    }
done:
    return status;
}

static ga_status skip_text(ga__gunzip *g, uint32_t *sum)
{
    ga_status status = GA_OK;
    unsigned byte = 1;
    while (byte != 0) {
        GA_TRY(next_byte(g, sum, &byte));
    }
done:
    return status;
}

/* What follows the two magic bytes. */
static ga_status read_fields(ga__gunzip *g, uint32_t *sum)
{
    enum { CHECKED = 2, EXTRA = 4, NAME = 8, COMMENT = 16, UNKNOWN = 0xe0 };
    ga_status status = GA_OK;
    unsigned method = 0, flags = 0, byte = 0;
    uint32_t value, size;
    GA_TRY(next_byte(g, sum, &method));
    if (method != 8) {
        GA_TRY(bad(g, offset(g) - 1, "gzip with an unknown compression method"));
    }
    GA_TRY(next_byte(g, sum, &flags));
    if (flags & UNKNOWN) {
        GA_TRY(bad(g, offset(g) - 1, "gzip header with unknown flags"));
    }
    for (int i = 0; i < 6; i++) { /* time, level, system */
        GA_TRY(next_byte(g, sum, &byte));
    }
    if (flags & EXTRA) {
        GA_TRY(little_endian(g, 2, sum, &size));
        for (; size > 0; size--) {
            GA_TRY(next_byte(g, sum, &byte));
        }
    }
    if (flags & NAME) {
        GA_TRY(skip_text(g, sum));
    }
    if (flags & COMMENT) {
        GA_TRY(skip_text(g, sum));
    }
    if (flags & CHECKED) {
        uint32_t expected = *sum & 0xffff;
        GA_TRY(little_endian(g, 2, NULL, &value));
        if (value != expected) {
            GA_TRY(bad(g, offset(g) - 2, "gzip header with a wrong checksum"));
        }
    }
done:
    return status;
}

/* Ends the reading at bytes that belong to no member. */
static ga_status garbage(ga__gunzip *g)
{
    g->garbage = g->behind;
    g->phase = ENDED;
    return g->strict ? bad(g, g->behind, "garbage after the end of the gzip data") : GA_OK;
}

/* Zero bytes behind a member are padding, as tapes and block devices have it. */
static void skip_padding(ga__gunzip *g)
{
    while (g->in.at < g->in.end && *g->in.at == 0) {
        g->in.at++;
    }
}

static ga_status read_header(ga__gunzip *g)
{
    ga_status status = GA_OK;
    static const unsigned char magic[] = { 0x1f, 0x8b };
    bool ended = false;
    uint32_t sum = 0;
    GA_TRY(refill(g, &ended));
    skip_padding(g);
    if (ended) {
        g->phase = ENDED;
        goto done;
    }
    if (g->in.at == g->in.end) {
        goto done; /* there may be more padding: the caller comes again */
    }
    for (int i = 0; i < 2; i++) {
        GA_TRY(refill(g, &ended));
        if (ended) {
            GA_TRY(cut_short(g));
        }
        if (*g->in.at != magic[i]) {
            status = garbage(g);
            goto done;
        }
        sum = g->engine->crc(sum, g->in.at++, 1);
    }
    GA_TRY(read_fields(g, &sum));
    g->engine->reset(g->state);
    g->crc = 0;
    g->length = 0;
    g->phase = BODY;
done:
    return status;
}

static ga_status read_body(ga__gunzip *g, ga__span *out)
{
    ga_status status = GA_OK;
    bool ended;
    GA_TRY(refill(g, &ended));
    unsigned char *from = out->at;
    /* Without input the engine may still hold some output back. */
    ga__inflated result = g->engine->run(g->state, &g->in, out);
    g->crc = g->engine->crc(g->crc, from, out->at - from);
    g->length += (uint64_t)(out->at - from);
    switch (result) {
    case GA__INFLATE_MORE:
        if (ended && out->at == from) {
            GA_TRY(cut_short(g));
        }
        break;
    case GA__INFLATE_END: g->phase = TRAILER; break;
    case GA__INFLATE_BAD: GA_TRY(bad(g, offset(g), "damaged gzip data")); break;
    case GA__INFLATE_NOMEM: GA_TRY(ga__raw_fail(g->raw, GA_NOMEM, "out of memory for gunzip")); break;
    }
done:
    return status;
}

static ga_status read_trailer(ga__gunzip *g)
{
    ga_status status = GA_OK;
    uint32_t crc, length;
    GA_TRY(little_endian(g, 4, NULL, &crc));
    if (crc != g->crc) {
        GA_TRY(bad(g, offset(g) - 4, "damaged gzip data, its checksum (CRC-32) is wrong"));
    }
    GA_TRY(little_endian(g, 4, NULL, &length));
    if (length != (uint32_t)g->length) {
        GA_TRY(bad(g, offset(g) - 4, "damaged gzip data, its length is wrong"));
    }
    g->behind = offset(g);
    g->phase = HEADER;
done:
    return status;
}

ga_status ga__gunzip_read(ga__gunzip *g, void *buffer, int64_t size, int64_t *got)
{
    enum {
        PIECE = 1 << 20
    }; /* so that a request to stop is seen, and the checksum finds its data in the cache */
    ga_status status = g->raw->status;
    unsigned char *start = buffer;
    ga__span all = { start, start + size };
    while (status == GA_OK && all.at < all.end && g->phase != ENDED) {
        ga__span piece = { all.at, all.at + ga__min(PIECE, all.end - all.at) };
        switch (g->phase) {
        case HEADER: status = read_header(g); break;
        case BODY: status = read_body(g, &piece); break;
        case TRAILER: status = read_trailer(g); break;
        case ENDED: break;
        }
        all.at = piece.at;
        if (status == GA_OK && ga__cancelled(g->raw->context)) {
            status = ga__raw_fail(g->raw, GA_CANCELLED, "cancelled");
        }
    }
    *got = all.at - start;
    return status;
}
