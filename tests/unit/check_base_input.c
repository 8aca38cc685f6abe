/* check_base_input.c - the decompressing input: both engines, all ends and faults. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/context.h"
#include "lib/base/input.h"
#include "tests/unit/check_base_io.h"
#include "tests/unit/support.h"

static const ga__inflate_engine *engines[] = {
    &ga__inflate_zlib,
#ifdef HAVE_ISAL
    &ga__inflate_isal,
#endif
};
enum { ENGINES = sizeof engines / sizeof engines[0] };

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static size_t room_for(size_t size)
{
    size_t room = 64;
    while (room <= size) {
        room *= 2;
    }
    return room;
}

/* Only for bytes that begin as { NULL, 0 }. */
static void append(bytes *b, const void *data, size_t size)
{
    if (!b->data || room_for(b->size + size) != room_for(b->size)) {
        b->data = realloc(b->data, room_for(b->size + size));
        ck_assert_ptr_nonnull(b->data);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* Adds a gzip member; window 31 is gzip. */
static void append_member(bytes *b, const void *data, size_t size, int level)
{
    z_stream z = { .next_in = (z_const Bytef *)(uintptr_t)data, .avail_in = (unsigned)size };
    ck_assert_int_eq(deflateInit2(&z, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, (uLong)size) + 64;
    unsigned char *out = malloc(room);
    ck_assert_ptr_nonnull(out);
    z.next_out = out;
    z.avail_out = (unsigned)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    append(b, out, room - z.avail_out);
    (void)deflateEnd(&z);
    free(out);
}

/* Text that compresses to about a third. */
static bytes some_text(size_t size)
{
    bytes b = { malloc(size + 32), 0 };
    ck_assert_ptr_nonnull(b.data);
    for (uint64_t i = 1; b.size < size; i++) {
        b.size +=
            (size_t)snprintf((char *)b.data + b.size, 32, "%llu\t%llu\n",
                             (unsigned long long)(i * 7919 % 100003), (unsigned long long)(i * i % 99991));
    }
    b.size = size;
    return b;
}

/* Reads all by pieces of the given size. */
static ga_status read_whole(ga_context *context, const char *path, bool strict,
                            const ga__inflate_engine *engine, int64_t piece, bytes *out)
{
    ga__input *input = NULL;
    unsigned char *buffer = malloc((size_t)piece);
    out->data = NULL;
    out->size = 0;
    ga_status status = ga__input_open_by(context, path, strict, engine, &input);
    for (int64_t got = piece; status == GA_OK && got == piece;) {
        status = ga__input_read(context, input, buffer, piece, &got);
        append(out, buffer, (size_t)got);
    }
    ga__input_close(context, input);
    free(buffer);
    return status;
}

static void expect_data(const char *path, const bytes *expected)
{
    static const int64_t pieces[] = { 1 << 20, 65536, 4097, 3000000 };
    for (int e = 0; e < ENGINES; e++) {
        for (int threads = 1; threads <= 2; threads++) {
            for (int p = 0; p < 4; p++) {
                ga_context *context = test_threads_context(threads);
                bytes found;
                test_ok(context, read_whole(context, path, true, engines[e], pieces[p], &found));
                ck_assert_uint_eq(found.size, expected->size);
                ck_assert(found.size == 0 || memcmp(found.data, expected->data, found.size) == 0);
                free(found.data);
                test_context_done(context, NULL);
            }
        }
    }
}

START_TEST(plain_files)
{
    bytes text = some_text(3000001);
    expect_data(test_file("plain", text.data, text.size), &text);
    bytes none = { NULL, 0 };
    expect_data(test_text_file("empty", ""), &none);
    text.size = 1;
    expect_data(test_file("one", text.data, 1), &text);
    free(text.data);
}
END_TEST

START_TEST(members)
{
    bytes text = some_text(5000000), packed = { NULL, 0 }, none = { NULL, 0 };
    append_member(&packed, text.data, 2000000, 6);
    append_member(&packed, "", 0, 6);
    append_member(&packed, text.data + 2000000, 1, 1);
    append_member(&packed, text.data + 2000001, text.size - 2000001, 0); /* stored blocks */
    expect_data(test_file("several.gz", packed.data, packed.size), &text);
    free(packed.data);
    packed = (bytes){ NULL, 0 };
    text.size = 2000000;
    for (size_t at = 0; at < text.size; at += 65280) { /* as BGZF has them, with an empty one at the end */
        append_member(&packed, text.data + at, text.size - at < 65280 ? text.size - at : 65280, 6);
    }
    append_member(&packed, "", 0, 6);
    expect_data(test_file("many", packed.data, packed.size), &text);
    free(packed.data);
    packed = (bytes){ NULL, 0 };
    append_member(&packed, "", 0, 6);
    expect_data(test_file("none.gz", packed.data, packed.size), &none);
    free(packed.data);
    free(text.data);
}
END_TEST

/* All optional header fields at once. */
START_TEST(header_fields)
{
    bytes packed = { NULL, 0 }, member = { NULL, 0 }, text = { (unsigned char *)"hello\n", 6 };
    static const unsigned char start[] = {
        0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 1, 2, 3, 4, 0, 3, 5, 0, 'B', 'C', 1, 0, 9, 'n', 'a', 0, 'c', 0
    };
    append_member(&member, text.data, text.size, 6);
    append(&packed, start, sizeof start);
    unsigned long sum = crc32(0, start, sizeof start);
    unsigned char check[2] = { (unsigned char)sum, (unsigned char)(sum >> 8) };
    append(&packed, check, 2);
    append(&packed, member.data + 10, member.size - 10);
    expect_data(test_file("fields", packed.data, packed.size), &text);
    packed.data[sizeof start] ^= 1;
    ga_context *context = test_threads_context(1);
    bytes found;
    const char *path = test_file("fields", packed.data, packed.size);
    test_status(context, read_whole(context, path, false, engines[0], 100, &found), GA_FORMAT);
    test_error_has(context, "byte 22");
    free(found.data);
    test_context_done(context, NULL);
    free(packed.data);
    free(member.data);
}
END_TEST

static void expect_failure(const char *path, ga_status expected, const char *words)
{
    char first[GA__ERROR_SIZE] = "";
    for (int e = 0; e < ENGINES; e++) {
        for (int threads = 1; threads <= 2; threads++) {
            ga_context *context = test_threads_context(threads);
            bytes found;
            test_status(context, read_whole(context, path, true, engines[e], 1 << 20, &found), expected);
            test_error_has(context, words);
            test_error_has(context, path);
            if (threads == 2) { /* the number of threads must not show */
                ck_assert_str_eq(ga_context_error(context), first);
            }
            (void)snprintf(first, sizeof first, "%s", ga_context_error(context));
            free(found.data);
            test_context_done(context, NULL);
        }
    }
}

START_TEST(truncated_anywhere)
{
    bytes text = some_text(700), packed = { NULL, 0 };
    append_member(&packed, text.data, 350, 6);
    size_t boundary = packed.size;
    append_member(&packed, text.data + 350, 350, 0);
    for (size_t size = 2; size < packed.size; size++) {
        char words[64];
        if (size == boundary) {
            continue;
        }
        (void)snprintf(words, sizeof words, "byte %zu: gzip file ends too early", size);
        expect_failure(test_file("cut.gz", packed.data, size), GA_FORMAT, words);
    }
    free(packed.data);
    free(text.data);
}
END_TEST

/* Larger than one buffer, so that the thread and the last piece are in play. */
START_TEST(truncated_large)
{
    bytes text = some_text(1500000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    for (size_t cut = 1; cut < packed.size - 20; cut = cut * 8 + 1) {
        expect_failure(test_file("cut.gz", packed.data, packed.size - cut), GA_FORMAT, "truncated");
    }
    packed.data[packed.size - 6] ^= 1;
    expect_failure(test_file("crc.gz", packed.data, packed.size), GA_FORMAT, "CRC-32");
    packed.data[packed.size - 6] ^= 1;
    packed.data[packed.size - 1] ^= 1;
    expect_failure(test_file("length.gz", packed.data, packed.size), GA_FORMAT, "length is wrong");
    free(packed.data);
    free(text.data);
}
END_TEST

/* Whatever bit is wrong, wrong data never end with GA_OK. */
START_TEST(flipped_anywhere)
{
    bytes text = some_text(300), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    ga_context *context = test_threads_context(1);
    for (size_t at = 2; at < packed.size * 8; at++) {
        packed.data[at / 8] ^= (unsigned char)(1 << at % 8);
        const char *path = test_file("flip.gz", packed.data, packed.size);
        for (int e = 0; e < ENGINES; e++) {
            bytes found;
            ga__begin(context);
            ga_status status = read_whole(context, path, true, engines[e], 1 << 16, &found);
            bool same = found.size == text.size && memcmp(found.data, text.data, text.size) == 0;
            bool plain = at < 16; /* no gzip any more */
            ck_assert_msg(plain || status == GA_FORMAT || (status == GA_OK && same), "bit %zu: %s", at,
                          ga_status_name(status));
            free(found.data);
        }
        packed.data[at / 8] ^= (unsigned char)(1 << at % 8);
    }
    test_context_done(context, NULL);
    free(packed.data);
    free(text.data);
}
END_TEST

START_TEST(trailing_garbage)
{
    bytes text = some_text(1000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    size_t end = packed.size;
    append(&packed, "\0\0garbage", 9);
    const char *path = test_file("garbage.gz", packed.data, packed.size);
    char words[64];
    (void)snprintf(words, sizeof words, "byte %zu: garbage after the end", end);
    expect_failure(path, GA_FORMAT, words);
    for (int e = 0; e < ENGINES; e++) {
        ga_context *context = test_threads_context(2);
        test_messages heard;
        bytes found;
        test_listen(context, &heard);
        test_ok(context, read_whole(context, path, false, engines[e], 100, &found));
        ck_assert_uint_eq(found.size, text.size);
        ck_assert_int_eq(heard.warnings, 1);
        ck_assert_ptr_nonnull(strstr(heard.text, words));
        free(found.data);
        test_context_done(context, NULL);
    }
    free(packed.data);
    free(text.data);
}
END_TEST

/* Tapes and block devices pad with zeros, also between members. */
START_TEST(zero_padding)
{
    enum { PADDING = 700000 }; /* more than two pieces of the reader's */
    static const char zeros[PADDING];
    bytes text = some_text(1000), packed = { NULL, 0 };
    append_member(&packed, text.data, 600, 6);
    append(&packed, zeros, 511);
    append_member(&packed, text.data + 600, text.size - 600, 6);
    append(&packed, zeros, PADDING);
    expect_data(test_file("padded.gz", packed.data, packed.size), &text);
    append(&packed, "x", 1);
    char words[64];
    (void)snprintf(words, sizeof words, "byte %zu: garbage after the end", packed.size - PADDING - 1);
    expect_failure(test_file("padded.gz", packed.data, packed.size), GA_FORMAT, words);
    free(packed.data);
    free(text.data);
}
END_TEST

START_TEST(unknown_headers)
{
    char head[12] = "\x1f\x8b\x08\x20\0\0\0\0\0\3";
    expect_failure(test_file("flags.gz", head, sizeof head), GA_FORMAT,
                   "byte 3: gzip header with unknown flags");
    head[2] = 7;
    expect_failure(test_file("method.gz", head, sizeof head), GA_FORMAT, "byte 2: gzip with an unknown");
}
END_TEST

/* The error's reason must not fall off behind a path as long as they come. */
START_TEST(long_path_in_message)
{
    char path[4000];
    size_t at = (size_t)snprintf(path, sizeof path, "%s", test_path("."));
    while (at < sizeof path - 20) {
        at += (size_t)snprintf(path + at, sizeof path - at, "/./././././././.");
    }
    (void)snprintf(path + at, sizeof path - at, "/missing");
    expect_failure(path, GA_IO, "No such file or directory");
}
END_TEST

START_TEST(foreign_compression)
{
    bytes inner = { NULL, 0 }, outer = { NULL, 0 };
    append_member(&inner, "text", 4, 6);
    append_member(&outer, inner.data, inner.size, 6);
    expect_failure(test_file("twice.gz", outer.data, outer.size), GA_UNSUPPORTED,
                   "looks like gzip inside gzip");
    expect_failure(test_file("a", "\xfd\x37zXZ\0more", 10), GA_UNSUPPORTED, "looks like xz, not supported");
    expect_failure(test_file("b", "\x28\xb5\x2f\xfdmore", 8), GA_UNSUPPORTED,
                   "looks like zstd, not supported");
    expect_failure(test_file("c", "BZh91AY&SYmore", 14), GA_UNSUPPORTED, "looks like bzip2, not supported");
    free(inner.data);
    free(outer.data);
}
END_TEST

START_TEST(cannot_be_opened)
{
    expect_failure(test_path("missing"), GA_IO, "No such file or directory");
    expect_failure(test_path("."), GA_IO, "is a directory");
    if (geteuid() != 0) {
        const char *path = test_text_file("secret", "1 2\n");
        ck_assert_int_eq(chmod(path, 0), 0);
        expect_failure(path, GA_IO, "Permission denied");
    }
}
END_TEST

/* A quarter of a gigabyte of zeros in a small file passes through little memory. */
START_TEST(bomb)
{
    enum { MEMBERS = 4 };
    bytes zeros = { calloc(1, 1 << 26), 1 << 26 }, member = { NULL, 0 }, packed = { NULL, 0 };
    append_member(&member, zeros.data, zeros.size, 9);
    ck_assert_uint_lt(member.size, zeros.size / 900);
    for (int i = 0; i < MEMBERS; i++) {
        append(&packed, member.data, member.size);
    }
    const char *path = test_file("bomb.gz", packed.data, packed.size);
    for (int threads = 1; threads <= 2; threads++) {
        ga_context *context = test_threads_context(threads);
        ga__input *input = NULL;
        int64_t got = 1, total = 0, peak;
        ga_context_set_memory_limit(context, 6 << 20);
        test_ok(context, ga__input_open(context, path, true, &input));
        while (got > 0) {
            test_ok(context, ga__input_read(context, input, zeros.data, 1 << 20, &got));
            total += got;
        }
        ga__input_close(context, input);
        ck_assert_int_eq(total, (int64_t)MEMBERS << 26);
        ga_context_memory(context, NULL, &peak);
        ck_assert_int_lt(peak, 6 << 20);
        test_context_done(context, NULL);
    }
    free(zeros.data);
    free(member.data);
    free(packed.data);
}
END_TEST

START_TEST(peeking)
{
    bytes text = some_text(200000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    const char *paths[] = { test_file("p", text.data, text.size),
                            test_file("p.gz", packed.data, packed.size) };
    for (int i = 0; i < 4; i++) {
        ga_context *context = test_threads_context(1 + i / 2);
        ga__input *input = NULL;
        const unsigned char *data;
        unsigned char *buffer = malloc(text.size);
        int64_t got, size = 0;
        int fd = -1;
        test_ok(context, ga__input_open(context, paths[i % 2], true, &input));
        ck_assert_int_eq(ga__input_is_gzip(input), i % 2);
        ck_assert_int_eq(ga__input_plain(input, &fd, &size), i % 2 == 0);
        ck_assert_int_eq(size, i % 2 ? 0 : (int64_t)text.size);
        ck_assert_str_eq(ga__input_name(input), paths[i % 2]);
        test_ok(context, ga__input_peek(context, input, 5, &data, &got));
        ck_assert_int_eq(got, 5);
        ck_assert_int_eq(memcmp(data, text.data, 5), 0);
        test_ok(context, ga__input_read(context, input, buffer, 3, &got));
        test_ok(context, ga__input_peek(context, input, 65536, &data, &got));
        ck_assert_int_eq(got, 65536);
        ck_assert_int_eq(memcmp(data, text.data + 3, 65536), 0);
        test_ok(context, ga__input_read(context, input, buffer + 3, (int64_t)text.size - 3, &got));
        ck_assert_int_eq(got, (int64_t)text.size - 3);
        ck_assert_int_eq(memcmp(buffer, text.data, text.size), 0);
        test_ok(context, ga__input_peek(context, input, 10, &data, &got));
        ck_assert_int_eq(got, 0);
        free(buffer);
        ga__input_close(context, input);
        test_context_done(context, NULL);
    }
    free(packed.data);
    free(text.data);
}
END_TEST

/* ---- interruptions, short reads, failures ---- */

START_TEST(reads_are_retried)
{
    bytes text = some_text(150000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    const char *paths[] = { test_file("r", text.data, text.size),
                            test_file("r.gz", packed.data, packed.size) };
    for (int i = 0; i < 2; i++) {
        test_hooks hooks;
        test_hooks_init(&hooks);
        hooks.most_bytes = 777;
        hooks.interrupted = true;
        ga_context *context = test_context(&hooks, true);
        bytes found;
        test_ok(context, read_whole(context, paths[i], true, GA__INFLATE_DEFAULT, 5000, &found));
        ck_assert_uint_eq(found.size, text.size);
        ck_assert_int_eq(memcmp(found.data, text.data, text.size), 0);
        free(found.data);
        test_context_done(context, &hooks);
    }
    free(packed.data);
    free(text.data);
}
END_TEST

START_TEST(every_read_fails)
{
    bytes text = some_text(1500000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    const char *path = test_file("f.gz", packed.data, packed.size);
    for (int threads = 1; threads <= 2; threads++) {
        ga_status status = GA_IO;
        for (int64_t k = 0; status != GA_OK; k++) {
            test_hooks hooks;
            test_hooks_init(&hooks);
            hooks.fail_at[TEST_READ] = k;
            hooks.most_bytes = 100000;
            hooks.once = true;
            ga_context *context = test_context(&hooks, true);
            test_set_threads(context, threads);
            bytes found;
            status = read_whole(context, path, true, GA__INFLATE_DEFAULT, 1 << 16, &found);
            ck_assert_int_eq(status, hooks.calls[TEST_READ] > k ? GA_IO : GA_OK);
            if (status != GA_OK) {
                test_error_has(context, strerror(EIO));
            }
            free(found.data);
            test_context_done(context, &hooks);
        }
    }
    free(packed.data);
    free(text.data);
}
END_TEST

typedef struct opening {
    const char *path;
    const ga__inflate_engine *engine;
} opening;

static ga_status read_for_memory(ga_context *context, void *user)
{
    opening *o = user;
    bytes found;
    ga_status status = read_whole(context, o->path, true, o->engine, 1 << 20, &found);
    free(found.data);
    return status;
}

START_TEST(every_allocation_fails)
{
    bytes text = some_text(1500000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    const char *paths[] = { test_file("m", text.data, text.size),
                            test_file("m.gz", packed.data, packed.size) };
    for (int e = 0; e < ENGINES; e++) {
        for (int i = 0; i < 4; i++) {
            opening o = { paths[i % 2], engines[e] };
            ck_assert_int_gt(test_each_allocation(read_for_memory, &o, 1 + i / 2), 2);
        }
    }
    free(packed.data);
    free(text.data);
}
END_TEST

/* Without a thread to spare the result is the same. */
START_TEST(no_thread_to_gunzip)
{
    bytes text = some_text(1500000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    const char *path = test_file("t.gz", packed.data, packed.size);
    for (int64_t k = 0; k < 2; k++) {
        test_hooks hooks;
        test_hooks_init(&hooks);
        hooks.fail_at[TEST_THREAD] = k;
        ga_context *context = test_context(&hooks, true);
        test_set_threads(context, 2);
        bytes found;
        test_ok(context, read_whole(context, path, true, GA__INFLATE_DEFAULT, 1 << 16, &found));
        ck_assert_uint_eq(found.size, text.size);
        free(found.data);
        test_context_done(context, &hooks);
    }
    free(packed.data);
    free(text.data);
}
END_TEST

/* ---- pipes ---- */

typedef struct feeder {
    int fd;
    const bytes *data;
    size_t piece;
} feeder;

static void *feed(void *user)
{
    feeder *f = user;
    for (size_t at = 0; at < f->data->size;) {
        size_t left = f->data->size - at, piece = left < f->piece ? left : f->piece;
        ssize_t done = write(f->fd, f->data->data + at, piece);
        if (done <= 0) {
            break;
        }
        at += (size_t)done;
        usleep(200);
    }
    (void)close(f->fd);
    return NULL;
}

START_TEST(pipes)
{
    bytes text = some_text(400000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    for (int i = 0; i < 8; i++) {
        int ends[2];
        char path[64];
        pthread_t writer;
        ck_assert_int_eq(pipe(ends), 0);
        if (i >= 4) {
            ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        }
        (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
        feeder f = { ends[1], i % 2 ? &packed : &text, 3001 };
        ck_assert_int_eq(pthread_create(&writer, NULL, feed, &f), 0);
        ga_context *context = test_threads_context(1 + i / 2 % 2);
        bytes found;
        test_ok(context, read_whole(context, path, true, GA__INFLATE_DEFAULT, 70000, &found));
        ck_assert_uint_eq(found.size, text.size);
        ck_assert_int_eq(memcmp(found.data, text.data, text.size), 0);
        free(found.data);
        pthread_join(writer, NULL);
        (void)close(ends[0]);
        test_context_done(context, NULL);
    }
    free(packed.data);
    free(text.data);
}
END_TEST

typedef struct endless {
    int fd;
    int stop; /* atomic */
} endless;

/* A gzip header whose file name never ends. */
static void *feed_endless_name(void *user)
{
    endless *e = user;
    char name[4096];
    memset(name, 'n', sizeof name);
    ssize_t done = write(e->fd, "\x1f\x8b\x08\x08\0\0\0\0\0\3", 10);
    while (done > 0 && !__atomic_load_n(&e->stop, __ATOMIC_RELAXED)) {
        done = write(e->fd, name, sizeof name);
    }
    (void)close(e->fd);
    return NULL;
}

static int after_a_while(void *user);

START_TEST(endless_header)
{
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    for (int threads = 1; threads <= 2; threads++) {
        int ends[2];
        char path[64];
        pthread_t writer;
        bytes found;
        ck_assert_int_eq(pipe(ends), 0);
        (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
        endless e = { ends[1], 0 };
        ck_assert_int_eq(pthread_create(&writer, NULL, feed_endless_name, &e), 0);
        ga_context *context = test_threads_context(threads);
        double start = ga__now(), until = start + 0.05;
        ga_context_set_cancel(context, after_a_while, &until);
        test_status(context, read_whole(context, path, true, GA__INFLATE_DEFAULT, 70000, &found),
                    GA_CANCELLED);
        ck_assert(ga__now() - start < 1.0);
        free(found.data);
        __atomic_store_n(&e.stop, 1, __ATOMIC_RELAXED);
        (void)close(ends[0]);
        pthread_join(writer, NULL);
        test_context_done(context, NULL);
    }
    (void)signal(SIGPIPE, before);
}
END_TEST

static int after_a_while(void *user)
{
    double *until = user;
    return ga__now() > *until;
}

/* Nothing comes, nothing ends: cancelling must get through. */
START_TEST(cancel_while_waiting)
{
    bytes text = some_text(3000000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 6);
    for (int threads = 1; threads <= 2; threads++) {
        int ends[2];
        char path[64];
        bytes found;
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(write(ends[1], packed.data, 60000), 60000);
        (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
        ga_context *context = test_threads_context(threads);
        double start = ga__now(), until = start + 0.2;
        ga_context_set_cancel(context, after_a_while, &until);
        test_status(context, read_whole(context, path, true, GA__INFLATE_DEFAULT, 70000, &found),
                    GA_CANCELLED);
        ck_assert(ga__now() - start < 1.0);
        free(found.data);
        (void)close(ends[0]);
        (void)close(ends[1]);
        test_context_done(context, NULL);
    }
    free(packed.data);
    free(text.data);
}
END_TEST

/* Closing before the end stops the thread. */
START_TEST(closed_early)
{
    bytes text = some_text(9000000), packed = { NULL, 0 };
    append_member(&packed, text.data, text.size, 1);
    const char *path = test_file("early.gz", packed.data, packed.size);
    for (int i = 0; i < 5; i++) {
        ga_context *context = test_threads_context(2);
        ga__input *input = NULL;
        int64_t got;
        test_ok(context, ga__input_open(context, path, true, &input));
        test_ok(context, ga__input_read(context, input, text.data, 1000 * i, &got));
        ga__input_close(context, input);
        test_context_done(context, NULL);
    }
    free(packed.data);
    free(text.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io");
    TCase *input = tcase_create("input");
    tcase_add_checked_fixture(input, test_folder_make, test_folder_remove);
    tcase_add_test(input, plain_files);
    tcase_add_test(input, members);
    tcase_add_test(input, header_fields);
    tcase_add_test(input, truncated_anywhere);
    tcase_add_test(input, truncated_large);
    tcase_add_test(input, flipped_anywhere);
    tcase_add_test(input, trailing_garbage);
    tcase_add_test(input, zero_padding);
    tcase_add_test(input, unknown_headers);
    tcase_add_test(input, long_path_in_message);
    tcase_add_test(input, foreign_compression);
    tcase_add_test(input, cannot_be_opened);
    tcase_add_test(input, bomb);
    tcase_add_test(input, peeking);
    tcase_add_test(input, reads_are_retried);
    tcase_add_test(input, every_read_fails);
    tcase_add_test(input, every_allocation_fails);
    tcase_add_test(input, no_thread_to_gunzip);
    tcase_add_test(input, pipes);
    tcase_add_test(input, endless_header);
    tcase_add_test(input, cancel_while_waiting);
    tcase_add_test(input, closed_early);
    suite_add_tcase(suite, input);
    suite_add_tcase(suite, output_case());
    return test_run(suite);
}
