/* input.h - the parts of an input: raw bytes, gunzip, the ring between two threads. For lib/base and its tests. */
#ifndef GA_LIB_BASE_INPUT_H
#define GA_LIB_BASE_INPUT_H

#include <pthread.h>

#include "lib/base/base.h"

/* ---- raw bytes of a file descriptor ---- */

enum { GA__RAW_ERROR_SIZE = 4608 }; /* a path of any length and some words */

typedef struct ga__raw {
    ga_context *context;
    const char *name;
    int fd;
    bool regular;
    int stop;       /* atomic: set by another thread to end a waiting read */
    int64_t offset; /* of the next byte */
    ga_status status;
    char error
        [GA__RAW_ERROR_SIZE]; /* of status; not the context's error, since the reader may not have come to it yet */
} ga__raw;

/* Keeps the text in raw->error and returns status. */
ga_status ga__raw_fail(ga__raw *raw, ga_status status, const char *format, ...) GA_PRINTF(3, 4);
/* Up to size bytes, 0 only at the end. Retries what can be retried. */
ga_status ga__raw_read(ga__raw *raw, void *buffer, int64_t size, int64_t *got);

/* ---- raw deflate, by either library ---- */

typedef enum ga__inflated {
    GA__INFLATE_MORE, /* used up its input or filled its output */
    GA__INFLATE_END,  /* the stream ended; *in stands behind it */
    GA__INFLATE_BAD,  /* not deflate data; *in stands near the place */
    GA__INFLATE_NOMEM
} ga__inflated;

typedef struct ga__span {
    unsigned char *at, *end;
} ga__span;

typedef struct ga__inflate_engine {
    ga_status (*create)(ga_context *context, void **state);
    void (*destroy)(ga_context *context, void *state);
    void (*reset)(void *state); /* before each stream */
    /* Advances both spans. May step back up to 8 bytes before in->at, when the stream ended there. */
    ga__inflated (*run)(void *state, ga__span *in, ga__span *out);
    uint32_t (*crc)(uint32_t crc, const unsigned char *data, int64_t size);
} ga__inflate_engine;

extern const ga__inflate_engine ga__inflate_zlib;
#ifdef HAVE_ISAL
extern const ga__inflate_engine ga__inflate_isal;
#define GA__INFLATE_DEFAULT (&ga__inflate_isal)
#else
#define GA__INFLATE_DEFAULT (&ga__inflate_zlib)
#endif

/* ---- gzip members ---- */

typedef struct ga__gunzip ga__gunzip;

/* The first have bytes of the file stand in head already. *raw is kept until destroy. */
ga_status ga__gunzip_create(ga__raw *raw, const ga__inflate_engine *engine, bool strict,
                            const unsigned char *head, int64_t have, ga__gunzip **out);
void ga__gunzip_destroy(ga__gunzip *gunzip);
/* Fills buffer; *got < size only at the end. Failures are in raw->error; what came before one is delivered first. */
ga_status ga__gunzip_read(ga__gunzip *gunzip, void *buffer, int64_t size, int64_t *got);
/* Offset of garbage that was ignored after the last member, -1 if there was none. */
int64_t ga__gunzip_garbage(const ga__gunzip *gunzip);

/* ---- gunzip in a thread of its own ---- */

typedef struct ga__ring ga__ring;

/* GA_UNSUPPORTED without a message when no thread could be started: read without one. */
ga_status ga__ring_start(ga_context *context, ga__raw *raw, ga__gunzip *gunzip, ga__ring **out);
void ga__ring_stop(ga__ring *ring);
ga_status ga__ring_read(ga__ring *ring, void *buffer, int64_t size, int64_t *got);

/* ga__input_open with another engine than the default. */
ga_status ga__input_open_by(ga_context *context, const char *path, bool strict,
                            const ga__inflate_engine *engine, ga__input **input);

#endif
