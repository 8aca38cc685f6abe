/* input.c - a byte stream from a file, decompressed when it is gzip. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/context.h"
#include "lib/base/input.h"

enum { FRONT_SIZE = 65536 };

struct ga__input {
    ga__raw raw;
    char *name;
    bool strict, own_fd, plain, threaded;
    int64_t size; /* of a regular file */
    ga__gunzip *gunzip;
    ga__ring *ring;
    unsigned char *front; /* decompressed bytes that are given out first */
    int64_t front_at, front_end;
};

const char *ga__input_name(const ga__input *input)
{
    return input->name;
}

bool ga__input_is_gzip(const ga__input *input)
{
    return input->gunzip != NULL;
}

bool ga__input_plain(const ga__input *input, int *fd, int64_t *size)
{
    if (input->plain) {
        *fd = input->raw.fd;
        *size = input->size;
    }
    return input->plain;
}

/* ---- opening ---- */

static ga_status open_fd(ga_context *context, ga__input *input, const char *path)
{
    ga_status status = GA_OK;
    struct stat facts;
    if (strcmp(path, "-") == 0) {
        input->raw.fd = STDIN_FILENO;
    } else {
        while ((input->raw.fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 && errno == EINTR) {
            GA_TRY(ga__check(context));
        }
        input->own_fd = input->raw.fd >= 0;
    }
    if (input->raw.fd < 0 || fstat(input->raw.fd, &facts) != 0) {
        GA_TRY(ga__fail(context, GA_IO, "%s: %s", input->name, strerror(errno)));
    }
    if (S_ISDIR(facts.st_mode)) {
        GA_TRY(ga__fail(context, GA_IO, "%s: is a directory", input->name));
    }
    input->raw.regular = S_ISREG(facts.st_mode);
    input->size = input->raw.regular ? facts.st_size : 0;
    /* A caller that reads by position would go round a hook. Files of the kernel's say that they are empty. */
    input->plain = input->size > 0 && lseek(input->raw.fd, 0, SEEK_CUR) == 0 &&
                   context->hooks.read == ga__system_hooks.read;
    if (input->raw.regular) {
        (void)posix_fadvise(input->raw.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
done:
    return status;
}

static const char *foreign_compression(const unsigned char *d, int64_t have)
{
    static const unsigned char xz[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
    if (have >= 6 && memcmp(d, xz, sizeof xz) == 0) {
        return "xz";
    }
    if (have >= 4 && memcmp(d, "\x28\xb5\x2f\xfd", 4) == 0) {
        return "zstd";
    }
    bool digit = have >= 7 && d[3] >= '1' && d[3] <= '9';
    if (digit && memcmp(d, "BZh", 3) == 0 &&
        (memcmp(d + 4, "\x31\x41\x59", 3) == 0 || memcmp(d + 4, "\x17\x72\x45", 3) == 0)) {
        return "bzip2";
    }
    return NULL;
}

static bool looks_like_gzip(const unsigned char *data, int64_t have)
{
    return have >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

static ga_status refuse_foreign(ga_context *context, const ga__input *input, const unsigned char *data,
                                int64_t have)
{
    const char *what = foreign_compression(data, have);
    if (!what && input->gunzip && looks_like_gzip(data, have)) {
        return ga__fail(context, GA_UNSUPPORTED, "%s: looks like gzip inside gzip, not supported",
                        input->name);
    }
    return what ? ga__fail(context, GA_UNSUPPORTED, "%s: looks like %s, not supported", input->name, what)
                : GA_OK;
}

static ga_status raw_failure(ga__input *input)
{
    return ga__fail(input->raw.context, input->raw.status, "%s", input->raw.error);
}

/* Reads the magic number into the front. */
static ga_status read_head(ga__input *input)
{
    enum { HEAD = 8 };
    int64_t got = 1;
    while (input->front_end < HEAD && got > 0) {
        unsigned char *end = input->front + input->front_end;
        if (ga__raw_read(&input->raw, end, FRONT_SIZE - input->front_end, &got) != GA_OK) {
            return raw_failure(input);
        }
        input->front_end += got;
    }
    return GA_OK;
}

static ga_status start_gunzip(ga_context *context, ga__input *input, const ga__inflate_engine *engine)
{
    enum { WORTH_A_THREAD = 1 << 18 };
    ga_status status = GA_OK;
    const unsigned char *data = NULL;
    int64_t got = 0;
    bool large = !input->raw.regular || input->size > WORTH_A_THREAD;
    GA_TRY(ga__gunzip_create(&input->raw, engine, input->strict, input->front, input->front_end,
                             &input->gunzip));
    input->plain = false;
    input->front_end = 0;
    input->threaded = large && ga__threads(context) > 1;
    GA_TRY(ga__input_peek(context, input, 8, &data, &got));
    GA_TRY(refuse_foreign(context, input, data, got));
done:
    return status;
}

ga_status ga__input_open_by(ga_context *context, const char *path, bool strict,
                            const ga__inflate_engine *engine, ga__input **out)
{
    ga_status status = GA_OK;
    ga__input *input = NULL;
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    GA_TRY(GA_NEW_ZERO(context, 1, &input));
    input->raw.fd = -1;
    input->raw.context = context;
    input->strict = strict;
    GA_TRY(GA_NEW(context, (int64_t)strlen(name) + 1, &input->name));
    strcpy(input->name, name);
    input->raw.name = input->name;
    GA_TRY(GA_NEW(context, FRONT_SIZE, &input->front));
    GA_TRY(open_fd(context, input, path));
    GA_TRY(read_head(input));
    GA_TRY(refuse_foreign(context, input, input->front, input->front_end));
    if (looks_like_gzip(input->front, input->front_end)) {
        GA_TRY(start_gunzip(context, input, engine));
    }
    *out = input;
    input = NULL;
done:
    ga__input_close(context, input);
    return status;
}

ga_status ga__input_open(ga_context *context, const char *path, bool strict, ga__input **input)
{
    return ga__input_open_by(context, path, strict, GA__INFLATE_DEFAULT, input);
}

void ga__input_close(ga_context *context, ga__input *input)
{
    if (!input) {
        return;
    }
    ga__ring_stop(input->ring);
    if (input->gunzip && !input->strict && ga__gunzip_garbage(input->gunzip) >= 0) {
        ga__tell(context, GA_WARNING, "%s: byte %lld: garbage after the end of the gzip data is ignored",
                 input->name, (long long)ga__gunzip_garbage(input->gunzip));
    }
    ga__gunzip_destroy(input->gunzip);
    if (input->own_fd) {
        (void)context->hooks.close(context->hooks.user, input->raw.fd);
    }
    ga_free(context, input->front);
    ga_free(context, input->name);
    ga_free(context, input);
}

/* ---- reading ---- */

static ga_status read_raw(ga__input *input, unsigned char *buffer, int64_t size, int64_t *got)
{
    int64_t bytes = 1;
    *got = 0;
    while (*got < size && bytes > 0) {
        if (ga__raw_read(&input->raw, buffer + *got, size - *got, &bytes) != GA_OK) {
            return raw_failure(input);
        }
        *got += bytes;
    }
    return GA_OK;
}

/* Decompressed bytes behind the front. */
static ga_status read_more(ga_context *context, ga__input *input, unsigned char *buffer, int64_t size,
                           int64_t *got, bool ahead)
{
    ga_status status = GA_OK;
    if (!input->gunzip) {
        return read_raw(input, buffer, size, got);
    }
    if (ahead && input->threaded && !input->ring) {
        status = ga__ring_start(context, &input->raw, input->gunzip, &input->ring);
        input->threaded = status == GA_OK;
        if (status != GA_OK && status != GA_UNSUPPORTED) {
            return status;
        }
    }
    if (input->ring) {
        return ga__ring_read(input->ring, buffer, size, got);
    }
    status = ga__gunzip_read(input->gunzip, buffer, size, got);
    return status == GA_OK ? GA_OK : raw_failure(input);
}

void ga__input_alone(ga__input *input)
{
    input->threaded = false;
}

ga_status ga__input_read(ga_context *context, ga__input *input, void *buffer, int64_t size, int64_t *got)
{
    int64_t first = ga__min(size, input->front_end - input->front_at), rest = 0;
    memcpy(buffer, input->front + input->front_at, (size_t)first);
    input->front_at += first;
    ga_status status = GA_OK;
    if (first < size) {
        status = read_more(context, input, (unsigned char *)buffer + first, size - first, &rest, true);
    }
    *got = first + rest;
    return status;
}

ga_status ga__input_peek(ga_context *context, ga__input *input, int64_t size, const unsigned char **data,
                         int64_t *got)
{
    ga_status status = GA_OK;
    int64_t have = input->front_end - input->front_at, more = 0;
    if (have < size) {
        memmove(input->front, input->front + input->front_at, (size_t)have);
        input->front_at = 0;
        input->front_end = have;
        GA_TRY(read_more(context, input, input->front + have, size - have, &more, false));
        input->front_end += more;
    }
    *data = input->front + input->front_at;
    *got = ga__min(size, input->front_end - input->front_at);
done:
    return status;
}
