/* gunzip_isal.c - raw deflate by ISA-L, about three times as fast as zlib. */
#include "config.h"

#ifdef HAVE_ISAL

#include <limits.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include "lib/base/input.h"

static ga_status create(ga_context *context, void **state)
{
    struct inflate_state *made = NULL;
    ga_status status = ga__alloc_zero(context, 1, sizeof *made, &made);
    if (status == GA_OK) {
        isal_inflate_init(made);
        *state = made;
    }
    return status;
}

static void destroy(ga_context *context, void *state)
{
    ga_free(context, state);
}

static void reset(void *state)
{
    isal_inflate_reset(state);
}

static uint32_t room(const ga__span *span)
{
    ptrdiff_t bytes = span->end - span->at;
    return bytes > INT_MAX ? INT_MAX : (uint32_t)bytes;
}

static ga__inflated run(void *state, ga__span *in, ga__span *out)
{
    struct inflate_state *s = state;
    s->next_in = in->at;
    s->avail_in = room(in);
    s->next_out = out->at;
    s->avail_out = room(out);
    int result = isal_inflate(s);
    in->at = s->next_in;
    out->at = s->next_out;
    if (result < 0) {
        return GA__INFLATE_BAD;
    }
    if (s->block_state != ISAL_BLOCK_FINISH) {
        return GA__INFLATE_MORE;
    }
    in->at -= s->read_in_length / 8; /* whole bytes that it took in advance */
    s->read_in_length = 0;
    return GA__INFLATE_END;
}

static uint32_t crc(uint32_t before, const unsigned char *data, int64_t size)
{
    return crc32_gzip_refl(before, data, (uint64_t)size);
}

const ga__inflate_engine ga__inflate_isal = { create, destroy, reset, run, crc };

#endif
