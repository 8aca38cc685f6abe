/* gunzip_zlib.c - raw deflate by zlib. */
#include "config.h"

#include <limits.h>
#include <zlib.h>

#include "lib/base/input.h"

static void *take(void *context, unsigned count, unsigned size)
{
    void *block = NULL;
    return ga_alloc(context, count, size, &block) == GA_OK ? block : NULL;
}

static void give(void *context, void *block)
{
    ga_free(context, block);
}

static ga_status create(ga_context *context, void **state)
{
    ga_status status = GA_OK;
    z_stream *stream = NULL;
    GA_TRY(ga__alloc_zero(context, 1, sizeof *stream, &stream));
    stream->zalloc = take;
    stream->zfree = give;
    stream->opaque = context;
    if (inflateInit2(stream, -MAX_WBITS) != Z_OK) {
        GA_TRY(ga__fail(context, GA_NOMEM, "out of memory for gunzip"));
    }
    /* An empty dictionary makes zlib allocate its window now and not in the middle of a thread's work. */
    if (inflateSetDictionary(stream, (const Bytef *)"", 0) != Z_OK) {
        (void)inflateEnd(stream);
        GA_TRY(ga__fail(context, GA_NOMEM, "out of memory for gunzip"));
    }
    *state = stream;
    stream = NULL;
done:
    ga_free(context, stream);
    return status;
}

static void destroy(ga_context *context, void *state)
{
    (void)inflateEnd(state);
    ga_free(context, state);
}

static void reset(void *state)
{
    (void)inflateReset(state);
}

static unsigned room(const ga__span *span)
{
    ptrdiff_t bytes = span->end - span->at;
    return bytes > INT_MAX ? INT_MAX : (unsigned)bytes;
}

static ga__inflated run(void *state, ga__span *in, ga__span *out)
{
    z_stream *stream = state;
    stream->next_in = in->at;
    stream->avail_in = room(in);
    stream->next_out = out->at;
    stream->avail_out = room(out);
    int result = inflate(stream, Z_NO_FLUSH);
    in->at = stream->next_in;
    out->at = stream->next_out;
    switch (result) {
    case Z_OK:
    case Z_BUF_ERROR: return GA__INFLATE_MORE;
    case Z_STREAM_END: return GA__INFLATE_END;
    case Z_MEM_ERROR: return GA__INFLATE_NOMEM;
    default: return GA__INFLATE_BAD;
    }
}

static uint32_t crc(uint32_t before, const unsigned char *data, int64_t size)
{
    return (uint32_t)crc32_z(before, data, (size_t)size);
}

const ga__inflate_engine ga__inflate_zlib = { create, destroy, reset, run, crc };
