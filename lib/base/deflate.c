/* deflate.c - gzip on the way out, by zlib. The same data give the same file: the header has no time and no name. */
#include "config.h"

#include <limits.h>
#include <zlib.h>

#include "lib/base/output.h"

enum { PACKED_SIZE = 1 << 16, LEVEL = 6, GZIP_WINDOW = 15 + 16, MEMORY = 8 };

struct ga__deflate {
    z_stream stream;
    bool ready;
    unsigned char *packed;
};

static void *take(void *context, unsigned count, unsigned size)
{
    void *block = NULL;
    return ga_alloc(context, count, size, &block) == GA_OK ? block : NULL;
}

static void give(void *context, void *block)
{
    ga_free(context, block);
}

ga_status ga__deflate_create(ga_context *context, ga__deflate **out)
{
    ga_status status = GA_OK;
    ga__deflate *d = NULL;
    GA_TRY(GA_NEW_ZERO(context, 1, &d));
    GA_TRY(GA_NEW(context, PACKED_SIZE, &d->packed));
    d->stream.zalloc = take;
    d->stream.zfree = give;
    d->stream.opaque = context;
    if (deflateInit2(&d->stream, LEVEL, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        GA_TRY(ga__fail(context, GA_NOMEM, "out of memory for gzip"));
    }
    d->ready = true;
    *out = d;
    d = NULL;
done:
    ga__deflate_destroy(context, d);
    return status;
}

void ga__deflate_destroy(ga_context *context, ga__deflate *deflate)
{
    if (deflate) {
        if (deflate->ready) {
            (void)deflateEnd(&deflate->stream);
        }
        ga_free(context, deflate->packed);
        ga_free(context, deflate);
    }
}

/* Until the compressor has taken all input of this piece, or written its end. */
static ga_status run(ga_context *context, ga__deflate *d, ga__target *target, int flush)
{
    ga_status status = GA_OK;
    do {
        d->stream.next_out = d->packed;
        d->stream.avail_out = PACKED_SIZE;
        (void)deflate(&d->stream, flush); /* fails only for a broken stream */
        GA_TRY(ga__target_write(context, target, d->packed, PACKED_SIZE - (int64_t)d->stream.avail_out));
        GA_TRY(ga__check(context));
    } while (d->stream.avail_out == 0);
done:
    return status;
}

ga_status ga__deflate_write(ga_context *context, ga__deflate *deflate, ga__target *target, const void *data,
                            int64_t size, bool last)
{
    enum { PIECE = 1 << 20 };
    ga_status status = GA_OK;
    const unsigned char *at = data;
    for (; size > 0; size -= ga__min(size, PIECE)) {
        int64_t piece = ga__min(size, PIECE);
        deflate->stream.next_in = (z_const Bytef *)(uintptr_t)at; /* older zlib takes no const */
        deflate->stream.avail_in = (unsigned)piece;
        GA_TRY(run(context, deflate, target, Z_NO_FLUSH));
        at += piece;
    }
    if (last) {
        GA_TRY(run(context, deflate, target, Z_FINISH));
    }
done:
    return status;
}
