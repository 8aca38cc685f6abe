/* keep.c - ga_keep_draw: words of bits on several threads. A word depends on its place alone. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/keep/keep.h"

enum {
    UNIT = 1 << 12, /* words of a unit of work: some 50 us */
    SPARE = 2       /* words behind the last element, for loads of 64 bits */
};

int64_t ga_keep_words(int64_t elements)
{
    return elements <= 0 ? SPARE : (elements - 1) / 32 + 1 + SPARE;
}

ga_status ga__keep_check(ga_context *context, const char *name, const ga_keep *keep)
{
    if (keep->bits && !(keep->scale >= 0 && keep->scale <= 3e38)) {
        return ga__fail(context, GA_INVALID, "%s: a finite scale from 0 up expected, not %g", name,
                        keep->scale);
    }
    return GA_OK;
}

typedef struct drawing {
    ga_context *context;
    const ga__keep_ops *ops;
    uint64_t seed, stream;
    uint32_t limit;
    int64_t words, next;
    uint32_t *bits;
    int status;
} drawing;

static void draw_units(void *user, int worker)
{
    drawing *d = user;
    (void)worker;
    for (int64_t u; (u = ga__claim(&d->next)) * UNIT < d->words && !ga__stopped(d->context, &d->status);) {
        int64_t first = u * UNIT, last = ga__min(d->words, first + UNIT);
        d->ops->draw(d->seed, d->stream, first, last, d->limit, d->bits + first);
    }
}

/* Kept are numbers n >= rate 2^32, that is n > limit. False: all are kept, or none. */
static bool limit_of(double rate, uint32_t *limit)
{
    double least = ceil(rate * 0x1p32);
    *limit = least >= 1 && least < 0x1p32 ? (uint32_t)(least - 1) : 0;
    return least >= 1 && least < 0x1p32;
}

ga_status ga_keep_draw(ga_context *context, uint64_t seed, uint64_t stream, int64_t elements, double rate,
                       uint32_t *bits)
{
    ga_status status = GA_OK;
    drawing d = { .context = context,
                  .ops = GA__CHOOSE(context, ga__keep_ops),
                  .seed = seed,
                  .stream = stream,
                  .words = ga_keep_words(elements) - SPARE,
                  .bits = bits };
    ga__begin(context);
    if (!(rate >= 0 && rate < 1)) {
        return ga__fail(context, GA_INVALID, "dropout: a rate from 0 to below 1 expected, not %g", rate);
    }
    if (elements < 0 || !bits) {
        return ga__fail(context, GA_INVALID, "dropout: room for the bits of 0 elements or more expected");
    }
    if (limit_of(rate, &d.limit)) {
        ga__workers(context, ga__threads_for(context, (d.words + UNIT - 1) / UNIT), draw_units, &d);
        GA_TRY(ga__noted_status(&d.status));
    } else {
        memset(bits, rate < 0.5 ? 0xff : 0, (size_t)d.words * sizeof *bits);
    }
    if (elements % 32 != 0) {
        bits[d.words - 1] &= (1U << elements % 32) - 1;
    }
    memset(bits + d.words, 0, SPARE * sizeof *bits);
done:
    return status;
}
