/* check_base.c - context, memory, random numbers, threads, progress, numbers as text, checksums. */
#include "config.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/context.h"
#include "lib/base/crc32c.h"
#include "tests/unit/support.h"

/* ---- context ---- */

START_TEST(statuses_and_version)
{
    for (int s = GA_OK; s <= GA_DEVICE_FAILED; s++) {
        ck_assert_str_ne(ga_status_name((ga_status)s), ga_status_name((ga_status)99));
    }
    ck_assert_str_eq(ga_version(), PACKAGE_VERSION);
    ck_assert_ptr_nonnull(strstr(ga_build_info(), "zlib: "));
    ck_assert_ptr_nonnull(strstr(ga_build_info(), "zlib: "));
    ck_assert_ptr_nonnull(strstr(ga_build_info(), "ISA-L: "));
    ck_assert_ptr_null(strchr(ga_build_info(), '\n'));
}
END_TEST

START_TEST(defaults)
{
    ga_context *context = NULL;
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    ck_assert_uint_eq(ga_context_seed(context), 1);
    ck_assert_int_eq(ga_context_threads(context), ga_context_max_threads());
    ck_assert_str_eq(ga_context_error(context), "");
    ga_context_set_seed(context, UINT64_MAX);
    ck_assert_uint_eq(ga_context_seed(context), UINT64_MAX);
    ga_context_destroy(context);
    ga_context_destroy(NULL);
}
END_TEST

static void *fail_often(void *user)
{
    for (int i = 0; i < 1000; i++) {
        (void)ga__fail(user, GA_IO, "later failure");
    }
    return NULL;
}

START_TEST(first_failure_stays)
{
    ga_context *context = test_threads_context(2);
    pthread_t threads[3];
    ck_assert_int_eq(ga__fail(context, GA_FORMAT, "first %d", 1), GA_FORMAT);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fail_often, context), 0);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_str_eq(ga_context_error(context), "first 1");
    ga__begin(context);
    ck_assert_str_eq(ga_context_error(context), "");
    char longer[5000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    (void)ga__fail(context, GA_IO, "%s", longer);
    ck_assert_uint_eq(strlen(ga_context_error(context)), GA__ERROR_SIZE - 1);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(hooks_come_first)
{
    ga_context *context = test_threads_context(1);
    int *block = NULL;
    ga_hooks none = { 0 };
    test_ok(context, GA_NEW(context, 1, &block));
    test_status(context, ga_context_set_hooks(context, &none), GA_INVALID);
    ga_free(context, block);
    test_ok(context, ga_context_set_hooks(context, &none));
    test_context_done(context, NULL);
}
END_TEST

/* ---- memory ---- */

START_TEST(allocation)
{
    ga_context *context = test_threads_context(1);
    static const int64_t counts[] = { 0, 1, 63, 64, 65, 100000, 3000000 };
    for (int i = 0; i < 7; i++) {
        int32_t *block = NULL;
        int64_t now, peak;
        test_ok(context, GA_NEW(context, counts[i], &block));
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % 64, 0);
        memset(block, 1, (size_t)counts[i] * 4);
        ga_context_memory(context, &now, &peak);
        ck_assert_int_eq(now, counts[i] * 4);
        ck_assert_int_eq(peak, counts[i] * 4);
        ga_free(context, block);
        test_ok(context, GA_NEW_ZERO(context, counts[i], &block));
        int64_t others = 0;
        for (int64_t k = 0; k < counts[i]; k++) {
            others += block[k] != 0;
        }
        ck_assert_int_eq(others, 0);
        ga_free(context, block);
    }
    ga_free(context, NULL);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(sizes_that_overflow)
{
    ga_context *context = test_threads_context(1);
    char *block = (char *)&context, *before = block;
    test_status(context, ga_alloc(context, INT64_MAX, 8, &block), GA_OVERFLOW);
    test_status(context, ga_alloc(context, INT64_MAX, 1, &block), GA_OVERFLOW);
    test_status(context, ga_alloc(context, 2, SIZE_MAX, &block), GA_OVERFLOW);
    test_status(context, ga_alloc(context, -1, 1, &block), GA_INVALID);
#if !defined __SANITIZE_ADDRESS__ && !defined __clang__ /* sanitizers end the program there */
    test_status(context, ga_alloc(context, (int64_t)1 << 56, 8, &block), GA_NOMEM);
#endif
    ck_assert_ptr_eq(block, before);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(memory_limit)
{
    ga_context *context = test_threads_context(1);
    char *one = NULL, *two = NULL;
    ck_assert_int_eq(ga__memory_left(context), INT64_MAX);
    ga_context_set_memory_limit(context, 1000);
    test_ok(context, GA_NEW(context, 600, &one));
    ck_assert_int_eq(ga__memory_left(context), 400);
    test_status(context, GA_NEW(context, 401, &two), GA_LIMIT);
    test_error_has(context, "401");
    test_error_has(context, "1000");
    ck_assert_ptr_null(two);
    test_ok(context, GA_NEW(context, 400, &two));
    ck_assert_int_eq(ga__memory_left(context), 0);
    ga_free(context, one);
    ga_free(context, two);
    int64_t limit = 10000000; /* large blocks grow where they are, but for a sanitizer's */
#if defined __SANITIZE_ADDRESS__
    limit = 15000000;
#endif
    ga_context_set_memory_limit(context, limit);
    test_ok(context, GA_NEW(context, 6000000, &one));
    one[0] = 7;
    test_ok(context, ga__resize(context, 6000000, 9000000, 1, &one));
    ck_assert_int_eq(one[0], 7);
    two = one;
    test_status(context, ga__resize(context, 9000000, limit + 1, 1, &one), GA_LIMIT);
    ck_assert_ptr_eq(one, two);
    ga_free(context, one);
    test_context_done(context, NULL);
}
END_TEST

static ga_status resize_much(ga_context *context, void *user)
{
    static const int64_t counts[] = { 10, 1000, 5, 2000000, 3000000, 1500000, 100, 0, 7 };
    ga_status status = GA_OK;
    int32_t *block = NULL;
    int64_t count = 0;
    (void)user;
    for (int i = 0; i < 9; i++) {
        GA_TRY(ga__resize(context, count, counts[i], sizeof *block, &block));
        int64_t changed = 0;
        for (int64_t k = 0; k < ga__min(count, counts[i]); k++) {
            changed += block[k] != (int32_t)k;
        }
        ck_assert_int_eq(changed, 0);
        count = counts[i];
        for (int64_t k = 0; k < count; k++) {
            block[k] = (int32_t)k;
        }
    }
done:
    ga_free(context, block);
    return status;
}

START_TEST(resizing)
{
    ga_context *context = test_threads_context(1);
    test_ok(context, resize_much(context, NULL));
    test_context_done(context, NULL);
    ck_assert_int_eq(test_each_allocation(resize_much, NULL, 1), 9);
}
END_TEST

static void *allocate_much(void *user)
{
    for (int i = 0; i < 2000; i++) {
        int *block = NULL;
        if (GA_NEW(user, i % 50, &block) == GA_OK) {
            ga_free(user, block);
        }
    }
    return NULL;
}

START_TEST(threads_allocate)
{
    ga_context *context = test_threads_context(2);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, allocate_much, context), 0);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- random numbers ---- */

/* Known answers of Philox 4x32-10 from the authors' kat_vectors. */
START_TEST(philox_known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } vectors[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (int i = 0; i < 3; i++) {
        ga__random stream = { .used = 4 };
        memcpy(stream.counter, vectors[i].counter, sizeof stream.counter);
        memcpy(stream.key, vectors[i].key, sizeof stream.key);
        ga__random_refill(&stream);
        ck_assert_int_eq(memcmp(stream.block, vectors[i].expected, sizeof stream.block), 0);
    }
}
END_TEST

START_TEST(streams_differ)
{
    enum { SEEDS = 3, PURPOSES = 3, INDICES = 4, DRAWS = 8, ALL = SEEDS * PURPOSES * INDICES * DRAWS };
    static const uint64_t seeds[] = { 0, 1, (uint64_t)1 << 32 },
                          indices[] = { 0, 1, (uint64_t)1 << 32, UINT64_MAX };
    uint64_t seen[ALL];
    int count = 0;
    for (int s = 0; s < SEEDS; s++) {
        for (int p = 1; p <= PURPOSES; p++) {
            for (int i = 0; i < INDICES; i++) {
                ga__random stream = ga__random_at(seeds[s], (ga__purpose)p, indices[i]);
                uint64_t pair[2];
                for (int d = 0; d < DRAWS; d++) {
                    ga__random_block(seeds[s], (ga__purpose)p, indices[i], (uint32_t)d / 2, pair);
                    seen[count] = ga__random_next(&stream);
                    ck_assert_uint_eq(seen[count], pair[d % 2]);
                    count++;
                }
            }
        }
    }
    for (int a = 0; a < ALL; a++) {
        for (int b = 0; b < a; b++) {
            ck_assert_uint_ne(seen[a], seen[b]);
        }
    }
}
END_TEST

/* After 2^32 blocks a stream goes on and does not repeat. */
START_TEST(long_streams)
{
    ga__random stream = ga__random_at(5, GA__RANDOM_TEST, 9);
    uint64_t first = ga__random_next(&stream);
    stream = ga__random_at(5, GA__RANDOM_TEST, 9);
    stream.counter[3] = UINT32_MAX;
    (void)ga__random_next(&stream);
    (void)ga__random_next(&stream);
    ck_assert_uint_eq(stream.counter[3], 0);
    ck_assert_uint_ne(ga__random_next(&stream), first);
}
END_TEST

/* Chi-square with wide margins: six standard deviations. */
START_TEST(below_is_uniform)
{
    static const uint64_t bounds[] = { 1, 2, 3, 7, 10, 100 };
    ga__random stream = ga__random_at(1, GA__RANDOM_TEST, 0);
    for (int b = 0; b < 6; b++) {
        enum { DRAWS = 200000 };
        int64_t counts[101] = { 0 };
        double expected = (double)DRAWS / (double)bounds[b], sum = 0;
        for (int i = 0; i < DRAWS; i++) {
            uint64_t value = ga__random_below(&stream, bounds[b]);
            counts[value < bounds[b] ? value : 100]++;
        }
        ck_assert_int_eq(counts[100], 0);
        for (uint64_t v = 0; v < bounds[b]; v++) {
            double off = (double)counts[v] - expected;
            sum += off * off / expected;
        }
        double freedom = (double)bounds[b] - 1;
        ck_assert(sum <= freedom + 6 * sqrt(2 * freedom) + 1e-9);
    }
    /* A third of the range of 64 bits: what multiplication alone would favour shows here. */
    uint64_t large = UINT64_MAX / 3 * 2;
    int64_t low = 0, outside = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t value = ga__random_below(&stream, large);
        outside += value >= large;
        low += value < large / 2;
    }
    ck_assert_int_eq(outside, 0);
    ck_assert(fabs((double)low - 50000) < 6 * sqrt(25000));
}
END_TEST

START_TEST(unit_interval)
{
    ga__random stream = ga__random_at(1, GA__RANDOM_TEST, 1);
    double sum = 0;
    int64_t outside = 0;
    for (int i = 0; i < 100000; i++) {
        double value = ga__random_unit(&stream);
        outside += !(value >= 0 && value < 1);
        sum += value;
    }
    ck_assert_int_eq(outside, 0);
    ck_assert(fabs(sum / 100000 - 0.5) < 6 * sqrt(1.0 / 12 / 100000));
}
END_TEST

/* ---- threads, progress, cancelling ---- */

START_TEST(thread_numbers)
{
    ga_context *context = test_threads_context(1);
    test_messages heard;
    int most = ga_context_max_threads();
    ck_assert_int_ge(most, 1);
    test_listen(context, &heard);
    test_ok(context, ga_context_set_threads(context, 0));
    ck_assert_int_eq(ga_context_threads(context), most);
    test_status(context, ga_context_set_threads(context, -1), GA_INVALID);
    ck_assert_int_eq(ga_context_threads(context), most);
    ck_assert_int_eq(heard.notes, 0);
    test_ok(context, ga_context_set_threads(context, 1000000));
    ck_assert_int_eq(ga_context_threads(context), most);
    ck_assert_int_eq(heard.notes, 1);
    test_ok(context, ga_context_set_threads(context, 1));
    ck_assert_int_eq(ga__threads(context), 1);
    test_context_done(context, NULL);
}
END_TEST

/* Every piece of work is done once, whoever does it. */
typedef struct pieces {
    ga_context *context;
    int64_t next;
    int done[1000];
    int bodies, highest, alone; /* alone: bodies that ran inside another one */
    bool nest;
} pieces;

static void note_inner(void *user, int worker)
{
    (void)__atomic_fetch_add(&((pieces *)user)->alone, worker == 0, __ATOMIC_RELAXED);
}

static void do_pieces(void *user, int worker)
{
    pieces *p = user;
    (void)__atomic_fetch_add(&p->bodies, 1, __ATOMIC_RELAXED);
    if (worker == 0) {
        (void)usleep(2000); /* time for the others to come */
    }
    for (int64_t i; (i = ga__claim(&p->next)) < 1000;) {
        (void)__atomic_fetch_add(&p->done[i], 1, __ATOMIC_RELAXED);
    }
    if (p->nest) {
        ga__workers(p->context, 4, note_inner, p);
    }
}

static int bodies_of(ga_context *context, int threads, bool nest)
{
    pieces p = { .context = context, .nest = nest };
    ga__workers(context, threads, do_pieces, &p);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(p.done[i], 1);
    }
    ck_assert_int_eq(p.alone, nest ? p.bodies : 0);
    ck_assert_int_ge(p.bodies, 1);
    ck_assert_int_le(p.bodies, threads);
    return p.bodies;
}

START_TEST(workers_share)
{
    ga_context *context = test_threads_context(4);
    int most = 0;
    for (int round = 0; round < 200; round++) {
        int bodies = bodies_of(context, 1 + round % 5, round % 3 == 0);
        most = bodies > most ? bodies : most;
    }
    ck_assert_int_gt(most, 1);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(threads_cannot_start)
{
    test_hooks hooks;
    test_messages heard;
    test_hooks_init(&hooks);
    ga_context *context = test_context(&hooks, true);
    test_listen(context, &heard);
    hooks.fail_at[TEST_THREAD] = 0;
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(bodies_of(context, 4, false), 1);
    }
    ck_assert_int_eq(heard.notes, 1);
    ck_assert_ptr_nonnull(strstr(heard.text, "using 1 of 4 threads"));
    test_context_done(context, &hooks);
}
END_TEST

static int limited_process(void)
{
    struct rlimit none = { 0, 0 };
    ga_context *context = NULL;
    pieces p = { .next = 0 };
    if (setrlimit(RLIMIT_NPROC, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0) ||
        ga_context_create(&context) != GA_OK) {
        return 2;
    }
    ga__workers(context, 4, do_pieces, &p);
    ga_context_destroy(context);
    return p.bodies == 1 && p.next >= 1000 ? 0 : 1;
}

/* In a process of its own, since the limit is for good. The superuser has no such limit. */
START_TEST(process_limit)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(limited_process());
    }
    int result = -1;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result));
    ck_assert_int_eq(WEXITSTATUS(result), 0);
}
END_TEST

/* A forked child has the context but none of its threads. */
START_TEST(fork_after_use)
{
    ga_context *context = test_threads_context(4);
    (void)bodies_of(context, 4, false);
    pid_t child = fork();
    if (child == 0) {
        pieces p = { .next = 0 };
        ga__workers(context, 4, do_pieces, &p);
        ga_context_destroy(context);
        _exit(p.bodies == 1 && p.next >= 1000 ? 0 : 1);
    }
    int result = -1;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result));
    ck_assert_int_eq(WEXITSTATUS(result), 0);
    test_context_done(context, NULL);
}
END_TEST

typedef struct reports {
    int64_t calls, inside;
    bool overlapped;
} reports;

static void report(void *user, const char *stage, int64_t done, int64_t total)
{
    reports *r = user;
    ck_assert_str_eq(stage, "testing");
    ck_assert(done <= total);
    if (__atomic_fetch_add(&r->inside, 1, __ATOMIC_SEQ_CST) != 0) {
        r->overlapped = true;
    }
    __atomic_fetch_add(&r->calls, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&r->inside, 1, __ATOMIC_SEQ_CST);
}

static void *make_progress(void *user)
{
    for (double start = ga__now(); ga__now() - start < 0.35;) {
        ga__progress(user, "testing", 1, 2);
    }
    return NULL;
}

START_TEST(progress)
{
    ga_context *context = test_threads_context(2);
    reports r = { 0 };
    pthread_t threads[3];
    ga__progress(context, "testing", 0, 0); /* nobody listens */
    ga_context_set_progress(context, report, &r);
    double start = ga__now();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_progress, context), 0);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_int_ge(r.calls, 2);
    ck_assert((double)r.calls <= (ga__now() - start) * 10 + 1);
    ck_assert(!r.overlapped);
    test_context_done(context, NULL);
}
END_TEST

static int yes(void *user)
{
    return *(int *)user;
}

START_TEST(cancel)
{
    ga_context *context = test_threads_context(1);
    int stop = 0;
    test_ok(context, ga__check(context));
    ga_context_set_cancel(context, yes, &stop);
    ck_assert(!ga__cancelled(context));
    stop = 1;
    ck_assert(ga__cancelled(context));
    test_status(context, ga__check(context), GA_CANCELLED);
    test_context_done(context, NULL);
}
END_TEST

/* ---- numbers as text ---- */

START_TEST(integers)
{
    static const uint64_t values[] = { 0, 9, 10, 12345678901234567890ULL, UINT64_MAX };
    for (int i = 0; i < 5; i++) {
        char text[32], expected[32];
        int size = ga__format_u64(text, values[i]);
        ck_assert_int_eq(size, snprintf(expected, sizeof expected, "%llu", (unsigned long long)values[i]));
        ck_assert_int_eq(memcmp(text, expected, (size_t)size), 0);
    }
}
END_TEST

static void check_double(double value)
{
    char text[32], shortest[40];
    double again = -1;
    int size = ga__format_double(text, value);
    ck_assert_int_eq(size, (int)strlen(text));
    ck_assert(ga__parse_double(text, size, &again));
    ck_assert_msg(memcmp(&again, &value, sizeof value) == 0, "%s", text);
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(shortest, sizeof shortest, "%.*g", digits, value);
        if (strtod(shortest, NULL) == value) {
            break;
        }
    }
    ck_assert_str_eq(text, shortest);
}

static void check_many_doubles(void)
{
    static const double values[] = {
        0.0,  -0.0, 1,    -1,   0.1,  1.0 / 3, 1e15,    999999999999999, 1e15 + 2,   1e16,
        1e21, 1e22, 1e23, 1e-5, 1e-4, DBL_MIN, DBL_MAX, 5e-324,          123456.789, -2.5e-10
    };
    ga__random stream = ga__random_at(1, GA__RANDOM_TEST, 3);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        check_double(values[i]);
    }
    for (int i = 0; i < 5000; i++) {
        uint64_t bits = ga__random_next(&stream);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            check_double(value);
        }
        check_double(ga__random_unit(&stream));
    }
}

START_TEST(doubles)
{
    char text[32];
    check_many_doubles();
    ck_assert_int_eq(ga__format_double(text, (double)NAN), 3);
    ck_assert_str_eq(text, "nan");
    (void)ga__format_double(text, -(double)INFINITY);
    ck_assert_str_eq(text, "-inf");
}
END_TEST

START_TEST(double_texts)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        { "1", 1 },
        { "+1", 1 },
        { "-1.5", -1.5 },
        { ".5", 0.5 },
        { "5.", 5 },
        { "1e3", 1000 },
        { "1E+3", 1000 },
        { "00012", 12 },
        { "0.000", 0 },
        { "1e-400", 0 },
        { "1e-999999999999999999999", 0 },
        { "0e999999", 0 },
        { "2.5e-3", 0.0025 },
        { "4.9e-324", 5e-324 },
        { "inf", INFINITY },
        { "-Infinity", -INFINITY },
        { "INF", INFINITY },
        { "9007199254740993", 9007199254740992.0 },
        { "179769313486231570000e288", DBL_MAX },
    };
    static const char *const bad[] = { "",     "+",     "-",      ".",   "e5",  "1e",      "1e+",
                                       "0x10", "1e400", "-1e400", "1,5", "1 ",  " 1",      "1.2.3",
                                       "infi", "nanx",  "1_0",    "--1", "1d5", "\xd9\xa1" };
    double value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(ga__parse_double(good[i].text, (int64_t)strlen(good[i].text), &value), "%s",
                      good[i].text);
        ck_assert_msg(value == good[i].value, "%s: %.17g", good[i].text, value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        value = 42;
        ck_assert_msg(!ga__parse_double(bad[i], (int64_t)strlen(bad[i]), &value), "%s", bad[i]);
        ck_assert(value == 42);
    }
    ck_assert(ga__parse_double("NaN", 3, &value) && isnan(value));
    ck_assert(ga__parse_double("12345", 3, &value) && value == 123); /* size counts, not a final zero */
}
END_TEST

/* Halfway cases with many digits: the thousandth decides. */
START_TEST(long_double_texts)
{
    char text[2000];
    double value;
    int size = snprintf(text, sizeof text, "9007199254740993.%01000d1", 0); /* just above the middle */
    ck_assert(ga__parse_double(text, size, &value));
    ck_assert(value == 9007199254740994.0);
    text[size - 1] = '0'; /* the middle: to even */
    ck_assert(ga__parse_double(text, size, &value));
    ck_assert(value == 9007199254740992.0);
    memset(text, '0', sizeof text);
    text[1500] = '7';
    ck_assert(ga__parse_double(text, 1501, &value));
    ck_assert(value == 7);
}
END_TEST

START_TEST(comma_locale)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "ps_AF.UTF-8" };
    double value;
    char text[32];
    for (int i = 0; i < 5; i++) {
        if (setlocale(LC_ALL, names[i])) {
            (void)ga__format_double(text, 0.1);
            ck_assert_str_eq(text, "0.1");
            ck_assert(ga__parse_double("12345678901234567.5", 19, &value));
            ck_assert(value == 12345678901234568.0);
            ck_assert(!ga__parse_double("1,5", 3, &value));
        }
    }
    ck_assert_ptr_nonnull(setlocale(LC_ALL, "C"));
}
END_TEST

/* ---- checksum ---- */

START_TEST(crc32c)
{
    enum { SIZE = 40000 };
    unsigned char *data = malloc(SIZE + 8);
    for (int i = 0; i < SIZE + 8; i++) {
        data[i] = (unsigned char)((unsigned)i * 2654435761U >> 11);
    }
    ck_assert_uint_eq(ga__crc32c(0, "123456789", 9), 0xe3069283);
    ck_assert_uint_eq(ga__crc32c_plain(0, "123456789", 9), 0xe3069283);
    ck_assert_uint_eq(ga__crc32c(0, "", 0), 0);
    unsigned char zeros[32] = { 0 };
    ck_assert_uint_eq(ga__crc32c(0, zeros, sizeof zeros), 0x8a9136aa); /* RFC 3720, B.4 */
    for (int size = 0; size < SIZE; size = size < 900 ? size + 1 : size + 977) {
        const unsigned char *from = data + size % 8;
        uint32_t whole = ga__crc32c(0, from, (size_t)size), half = ga__crc32c(0, from, (size_t)size / 2);
        ck_assert_uint_eq(whole, ga__crc32c_plain(0, from, (size_t)size));
        ck_assert_uint_eq(whole, ga__crc32c(half, from + size / 2, (size_t)(size - size / 2)));
        ck_assert_uint_eq(whole, ga__crc32c_plain(half, from + size / 2, (size_t)(size - size / 2)));
    }
    free(data);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
    TCase *made = tcase_create(name);
    suite_add_tcase(suite, made);
    return made;
}

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *context = new_case(suite, "context"), *memory = new_case(suite, "memory");
    TCase *random = new_case(suite, "random"), *threads = new_case(suite, "threads");
    TCase *text = new_case(suite, "text");
    tcase_add_test(context, statuses_and_version);
    tcase_add_test(context, defaults);
    tcase_add_test(context, first_failure_stays);
    tcase_add_test(context, hooks_come_first);
    tcase_add_test(memory, allocation);
    tcase_add_test(memory, sizes_that_overflow);
    tcase_add_test(memory, memory_limit);
    tcase_add_test(memory, resizing);
    tcase_add_test(memory, threads_allocate);
    tcase_add_test(random, philox_known_answers);
    tcase_add_test(random, streams_differ);
    tcase_add_test(random, long_streams);
    tcase_add_test(random, below_is_uniform);
    tcase_add_test(random, unit_interval);
    tcase_add_test(threads, process_limit); /* first: it forks */
    tcase_add_test(threads, thread_numbers);
    tcase_add_test(threads, workers_share);
    tcase_add_test(threads, fork_after_use);
    tcase_add_test(threads, threads_cannot_start);
    tcase_add_test(threads, progress);
    tcase_add_test(threads, cancel);
    tcase_add_test(text, integers);
    tcase_add_test(text, doubles);
    tcase_add_test(text, double_texts);
    tcase_add_test(text, long_double_texts);
    tcase_add_test(text, comma_locale);
    tcase_add_test(text, crc32c);
    return test_run(suite);
}
