/* base.h - what every room may use: failing with a message, checked sizes, random streams, threads, files. */
#ifndef GA_LIB_BASE_H
#define GA_LIB_BASE_H

#include <graphattn/base.h>

/* ---- failing and telling ---- */

/* Keeps the formatted text as the context's error and returns status. The first failure wins while several threads
 * fail in one call (cleared by ga__begin). Thread-safe. */
ga_status ga__fail(ga_context *context, ga_status status, const char *format, ...) GA_PRINTF(3, 4);
/* Clears the error text; public entry points start with it. */
void ga__begin(ga_context *context);
/* Passes a line to the message callback, if any. Calling thread only. */
void ga__tell(ga_context *context, ga_severity severity, const char *format, ...) GA_PRINTF(3, 4);

/* `if ((status = call) != GA_OK) goto done;` - functions have one exit called done. */
#define GA_TRY(call) \
    do { \
        if ((status = (call)) != GA_OK) { \
            goto done; \
        } \
    } while (0)

/* ---- sizes ---- */

/* False when the result does not fit. */
static inline bool ga__mul(int64_t a, int64_t b, int64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}
static inline bool ga__add(int64_t a, int64_t b, int64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}
static inline int64_t ga__min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t ga__max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- memory ---- */

/* GA_NEW(context, count, &pointer): room for count elements of *pointer. */
#define GA_NEW(context, count, pointer) ga_alloc((context), (count), sizeof **(pointer), (pointer))
#define GA_NEW_ZERO(context, count, pointer) ga__alloc_zero((context), (count), sizeof **(pointer), (pointer))
ga_status ga__alloc_zero(ga_context *context, int64_t count, size_t size, void *out);
/* Moves a block to room for new_count elements, keeping the first min(old, new) ones; *inout stays valid on failure. */
ga_status ga__resize(ga_context *context, int64_t old_count, int64_t new_count, size_t size, void *inout);
/* Frees memory of a device: DLPack's type and number. */
void ga__release_elsewhere(ga_context *context, int type, int number, void *memory);
/* Bytes that may still be taken under the limit; INT64_MAX without one. */
int64_t ga__memory_left(const ga_context *context);

/* ---- random numbers: Philox 4x32-10 (Salmon et al., SC'11), keyed by (seed, purpose, index) ---- */

typedef enum ga__purpose {
    GA__RANDOM_GENERATE = 1,
    GA__RANDOM_TIES,      /* rounding tie-breaks */
    GA__RANDOM_OFFSET,    /* systematic rounding offsets */
    GA__RANDOM_DONORS,    /* donors of a cell; index = cell */
    GA__RANDOM_QUANTILE,  /* quantile plan; index = row class */
    GA__RANDOM_OUT_ORDER, /* order of an out-class; index = class */
    GA__RANDOM_IN_ORDER,
    GA__RANDOM_LOOPS,     /* loop repair; index = loop */
    GA__RANDOM_SUPERSTEP, /* rewiring; index = superstep or swap */
    GA__RANDOM_TRIPLES,
    GA__RANDOM_TARGET,
    GA__RANDOM_MATCHING,
    GA__RANDOM_BLOCKS,
    GA__RANDOM_TEST,
    GA__RANDOM_WEIGHTS,    /* first weights of a model; index = weight number, element */
    GA__RANDOM_SEEDS,      /* order of training nodes in batches; index = epoch */
    GA__RANDOM_NEIGHBOURS, /* neighbours drawn for a batch; index = epoch, node */
    GA__RANDOM_SAMPLE,     /* draws of a classical sampler */
    GA__RANDOM_SAMPLE_KEY, /* index = node or edge */
    GA__RANDOM_BATCH,      /* keys of mini-batches; index = batch, block = layer */
    GA__RANDOM_BATCH_RUN,  /* keys of the runs that norms are counted from; index = run */
    GA__RANDOM_BATCH_DRAW, /* draws under such a key; index = node */
    GA__RANDOM_PARTS,      /* partition of a graph; index = bisection, level */
    GA__RANDOM_HOPS,       /* nodes from which distances are sampled */
    GA__RANDOM_SPECTRUM,   /* start vectors; index = vector */
} ga__purpose;

typedef struct ga__random {
    uint32_t key[2], counter[4], block[4];
    int used; /* 32-bit words of block already given out */
} ga__random;

/* A stream of its own for every (seed, purpose, index). */
ga__random ga__random_at(uint64_t seed, ga__purpose purpose, uint64_t index);
/* Computes the next block; ga__random_next calls it when the block is used up. */
void ga__random_refill(ga__random *stream);
static inline uint64_t ga__random_next(ga__random *stream)
{
    if (stream->used == 4) {
        ga__random_refill(stream);
    }
    int at = stream->used;
    stream->used += 2;
    return stream->block[at] | (uint64_t)stream->block[at + 1] << 32;
}

/* Uniform in 0 .. bound - 1, without bias; bound > 0. Lemire's method: the high half of a product, drawn again when
 * the low half falls into the part that would favour some results. */
static inline uint64_t ga__random_below(ga__random *stream, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)ga__random_next(stream) * bound;
    if ((uint64_t)product < bound) {
        uint64_t unfair = -bound % bound;
        while ((uint64_t)product < unfair) {
            product = (wide)ga__random_next(stream) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double ga__random_unit(ga__random *stream)
{
    return (double)(ga__random_next(stream) >> 11) * 0x1p-53;
}

/* k of 0 .. all - 1, ascending, every choice equally likely; k <= all. */
void ga__random_choose(ga__random *stream, int64_t all, int64_t k, int64_t *chosen);

/* Stateless: the 128 bits of (seed, purpose, index, block) as two words; for one draw per item in parallel loops. */
void ga__random_block(uint64_t seed, ga__purpose purpose, uint64_t index, uint32_t block, uint64_t out[2]);

/* ---- threads, progress, cancel ---- */

/* Threads wanted, >= 1. */
int ga__threads(const ga_context *context);
/* Asks the cancel callback; any thread. */
bool ga__cancelled(const ga_context *context);
/* Fails with GA_CANCELLED if asked to stop, else GA_OK. */
ga_status ga__check(ga_context *context);
/* Reports progress; any thread, cheap, rate-limited inside. total 0 = unknown. */
void ga__progress(ga_context *context, const char *stage, int64_t done, int64_t total);
/* Monotonic seconds. */
double ga__now(void);

/* ---- input: a decompressing byte stream ---- */

typedef struct ga__input ga__input;

/* Opens path ("-" = standard input), refuses directories, recognises gzip (all members, BGZF; ISA-L where built in,
 * else zlib) by magic number; names xz, zstd, bzip2 and gzip inside gzip as not supported. strict: garbage after the
 * last gzip member is an error instead of a warning. Returns owned. */
ga_status ga__input_open(ga_context *context, const char *path, bool strict, ga__input **input);
void ga__input_close(ga_context *context, ga__input *input);
/* Fills buffer with up to size bytes of decompressed data; *got < size only at the end. One thread at a time, but
 * any thread. Retries EINTR, EAGAIN, short reads. */
ga_status ga__input_read(ga_context *context, ga__input *input, void *buffer, int64_t size, int64_t *got);
/* Puts the first bytes in front again: *data points to up to size bytes without consuming them (size <= 65536). */
ga_status ga__input_peek(ga_context *context, ga__input *input, int64_t size, const unsigned char **data,
                         int64_t *got);
/* The caller reads ahead in a thread of its own: none is started to decompress, unless one is at work already. */
void ga__input_alone(ga__input *input);
/* Name for messages (path or "standard input"). */
const char *ga__input_name(const ga__input *input);
bool ga__input_is_gzip(const ga__input *input);
/* File descriptor and size of a plain regular file opened at offset 0 that can be read with pread by several threads
 * at once; false for pipes and compressed files. */
bool ga__input_plain(const ga__input *input, int *fd, int64_t *size);

/* ---- output: whole or not at all ---- */

typedef struct ga__output ga__output;

/* The descriptor that /dev/stdout, /dev/stderr, /dev/fd/N or /proc/self/fd/N stands for; -1: none of these. */
int ga__descriptor_of(const char *path);
/* path "-" writes to standard output, /dev/fd/N and the like to that descriptor; anything else goes to
 * "PATH.tmp-XXXXXX" in the same folder until commit. A path ending in .gz is compressed when gzip_by_suffix. Where path
 * is a symbolic link, what it points to is replaced or made. A file that is replaced keeps its permissions. Fails for
 * directories, unwritable folders and files that their owner protects. Returns owned. */
ga_status ga__output_open(ga_context *context, const char *path, bool gzip_by_suffix, ga__output **output);
/* Buffered; retries EINTR, EAGAIN, short writes. */
ga_status ga__output_write(ga_context *context, ga__output *output, const void *data, int64_t size);
ga_status ga__output_print(ga_context *context, ga__output *output, const char *format, ...) GA_PRINTF(3, 4);
/* Flush, fsync, close, rename; frees output in every case. On failure the temporary file is removed. */
ga_status ga__output_commit(ga_context *context, ga__output *output);
/* Removes the temporary file and frees; accepts NULL. */
void ga__output_abort(ga_context *context, ga__output *output);

/* Writes 0 .. 20 digits of value at text, returns their number. */
int ga__format_u64(char *text, uint64_t value);
/* Shortest of %.15g, %.16g, %.17g that reads back exactly; "nan", "inf", "-inf"; C locale. text has room for 32. */
int ga__format_double(char *text, double value);
/* Reads a decimal floating-point number in the C locale whatever the process's locale is; false when text (of length
 * size) is no number or overflows. */
bool ga__parse_double(const char *text, int64_t size, double *value);
/* Reads decimal digits behind an optional "-", nothing else; false when text is none of that or does not fit. */
bool ga__parse_i64(const unsigned char *text, const unsigned char *end, int64_t *value);

/* CRC-32C (Castagnoli) of data continued from crc (start with 0); SSE4.2 where the machine has it. */
uint32_t ga__crc32c(uint32_t crc, const void *data, size_t size);

#endif
