/* check_base_output.c - outputs: whole or not at all, whatever fails. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/context.h"
#include "tests/unit/check_base_io.h"
#include "tests/unit/support.h"

enum { LINES = 50000 };

static ga_status write_lines(ga_context *context, const char *path)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    GA_TRY(ga__output_open(context, path, true, &output));
    for (int i = 0; i < LINES; i++) {
        GA_TRY(ga__output_print(context, output, "%d\t%d\n", i, i * 7 % 1000));
    }
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    return status;
}

static char *expected_lines(size_t *size)
{
    char *text = malloc(LINES * 32);
    *size = 0;
    for (int i = 0; i < LINES; i++) {
        *size += (size_t)sprintf(text + *size, "%d\t%d\n", i, i * 7 % 1000);
    }
    return text;
}

static void expect_lines(const char *path)
{
    size_t size, found_size;
    char *text = expected_lines(&size), *found = test_slurp(path, &found_size);
    ck_assert_uint_eq(found_size, size);
    ck_assert_int_eq(memcmp(found, text, size), 0);
    free(text);
    free(found);
}

static void expect_text(const char *path, const char *text)
{
    char *found = test_slurp(path, NULL);
    ck_assert_str_eq(found, text);
    free(found);
}

START_TEST(new_and_replaced)
{
    ga_context *context = test_threads_context(1);
    const char *path = test_path("out with blanks \xc3\xa9.txt");
    struct stat facts;
    mode_t mask = umask(027);
    test_ok(context, write_lines(context, path));
    (void)umask(mask);
    expect_lines(path);
    ck_assert_int_eq(stat(path, &facts), 0);
    ck_assert_int_eq(facts.st_mode & 0777, 0640);
    path = test_text_file("old", "old");
    test_ok(context, write_lines(context, path));
    expect_lines(path);
    ck_assert_int_eq(test_folder_entries(), 2);
    ck_assert_int_eq(symlink("old", test_path("link")), 0);
    test_text_file("old", "old");
    test_ok(context, write_lines(context, test_path("link")));
    expect_lines(path);
    ck_assert_int_eq(lstat(test_path("link"), &facts), 0);
    ck_assert(S_ISLNK(facts.st_mode));
    test_context_done(context, NULL);
}
END_TEST

/* A link to nothing yet: the file is made where it points to, also by way of another folder and another link. */
START_TEST(dangling_links)
{
    ga_context *context = test_threads_context(1);
    struct stat facts;
    ck_assert_int_eq(mkdir(test_path("sub"), 0700), 0);
    ck_assert_int_eq(symlink("sub/second", test_path("first")), 0);
    ck_assert_int_eq(symlink("../real", test_path("sub/second")), 0);
    test_ok(context, write_lines(context, test_path("first")));
    expect_lines(test_path("real"));
    ck_assert_int_eq(lstat(test_path("real"), &facts), 0);
    ck_assert(S_ISREG(facts.st_mode));
    ck_assert_int_eq(lstat(test_path("sub/second"), &facts), 0);
    ck_assert(S_ISLNK(facts.st_mode));
    ck_assert_int_eq(test_folder_entries(), 3);
    ck_assert_int_eq(symlink("round", test_path("round")), 0);
    test_status(context, write_lines(context, test_path("round")), GA_IO);
    test_error_has(context, strerror(ELOOP));
    ck_assert_int_eq(test_folder_entries(), 4);
    test_context_done(context, NULL);
}
END_TEST

/* A private file stays private, a protected one as it is. */
START_TEST(modes_of_replaced_files)
{
    ga_context *context = test_threads_context(1);
    const char *path = test_text_file("private", "old");
    struct stat facts;
    mode_t mask = umask(022);
    ck_assert_int_eq(chmod(path, 0600), 0);
    test_ok(context, write_lines(context, path));
    ck_assert_int_eq(stat(path, &facts), 0);
    ck_assert_int_eq(facts.st_mode & 07777, 0600);
    ck_assert_int_eq(chmod(path, 0664), 0);
    test_ok(context, write_lines(context, path));
    ck_assert_int_eq(stat(path, &facts), 0);
    ck_assert_int_eq(facts.st_mode & 07777, 0664);
    (void)umask(mask);
    if (geteuid() != 0) {
        path = test_text_file("protected", "old");
        ck_assert_int_eq(chmod(path, 0444), 0);
        test_status(context, write_lines(context, path), GA_IO);
        test_error_has(context, "Permission denied");
        expect_text(path, "old");
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(large_pieces)
{
    ga_context *context = test_threads_context(1);
    size_t size = 3000000;
    char *data = malloc(size), *found;
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)(i * 31 >> 3);
    }
    ga__output *output = NULL;
    test_ok(context, ga__output_open(context, test_path("large"), false, &output));
    size_t at = 0;
    for (size_t piece = 1; at < size; piece = piece * 3 + 1) {
        piece = piece < size - at ? piece : size - at;
        test_ok(context, ga__output_write(context, output, data + at, (int64_t)piece));
        at += piece;
    }
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    test_ok(context, ga__output_print(context, output, "%s", longer));
    test_ok(context, ga__output_commit(context, output));
    found = test_slurp(test_path("large"), &at);
    ck_assert_uint_eq(at, size + 1999);
    ck_assert_int_eq(memcmp(found, data, size), 0);
    ck_assert_str_eq(found + size, longer);
    free(found);
    free(data);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(gzip)
{
    ga_context *context = test_threads_context(1);
    const char *path = test_path("out.gz");
    size_t size, first, second;
    char *text = expected_lines(&size), *found = malloc(size + 1);
    test_ok(context, write_lines(context, path));
    gzFile file = gzopen(path, "rb");
    ck_assert_int_eq(gzread(file, found, (unsigned)size + 1), (int)size);
    ck_assert_int_eq(memcmp(found, text, size), 0);
    ck_assert_int_eq(gzclose(file), Z_OK);
    char *one = test_slurp(path, &first);
    ck_assert_uint_lt(first, size / 2);
    ck_assert_int_eq(memcmp(one, "\x1f\x8b\x08\0\0\0\0\0", 8), 0); /* no name, no time */
    test_ok(context, write_lines(context, path));
    char *two = test_slurp(path, &second);
    ck_assert_uint_eq(first, second);
    ck_assert_int_eq(memcmp(one, two, first), 0);
    free(one);
    free(two);
    free(text);
    free(found);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(abort_leaves_nothing)
{
    ga_context *context = test_threads_context(1);
    ga__output *output = NULL;
    const char *path = test_text_file("old", "old");
    test_ok(context, ga__output_open(context, path, false, &output));
    test_ok(context, ga__output_print(context, output, "new"));
    ck_assert_int_eq(test_folder_entries(), 2);
    ga__output_abort(context, output);
    ga__output_abort(context, NULL);
    expect_text(path, "old");
    ck_assert_int_eq(test_folder_entries(), 1);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(bad_targets)
{
    ga_context *context = test_threads_context(1);
    static const struct {
        const char *name, *words;
    } cases[] = {
        { ".", "is a directory" },
        { "new/", "is a directory" },
        { "missing/out", "No such file or directory" },
        { "file/out", "Not a directory" },
    };
    test_text_file("file", "");
    for (int i = 0; i < 4; i++) {
        ga__begin(context);
        test_status(context, write_lines(context, test_path(cases[i].name)), GA_IO);
        test_error_has(context, cases[i].words);
        test_error_has(context, test_path(cases[i].name));
    }
    ga__begin(context);
    test_status(context, write_lines(context, ""), GA_IO);
    if (geteuid() != 0) {
        ck_assert_int_eq(mkdir(test_path("locked"), 0500), 0);
        ga__begin(context);
        test_status(context, write_lines(context, test_path("locked/out")), GA_IO);
        test_error_has(context, "Permission denied");
        ck_assert_int_eq(rmdir(test_path("locked")), 0);
    }
    ck_assert_int_eq(test_folder_entries(), 1);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(long_names)
{
    ga_context *context = test_threads_context(1);
    char name[300];
    static const int sizes[] = { 240, 243, 244, 245, 254, 255, 256 };
    for (int i = 0; i < 7; i++) {
        int size = sizes[i];
        memset(name, 'n', sizeof name);
        name[size] = '\0';
        const char *path = test_path(name);
        ga__begin(context);
        test_status(context, write_lines(context, path), size <= NAME_MAX ? GA_OK : GA_IO);
        ck_assert_int_eq(test_folder_entries(), size <= NAME_MAX);
        if (size <= NAME_MAX) {
            expect_lines(path);
            ck_assert_int_eq(unlink(path), 0);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

static void *drain(void *user)
{
    int fd = open(user, O_RDONLY);
    char buffer[4096];
    size_t total = 0;
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;) {
        total += (size_t)got;
    }
    (void)close(fd);
    return (void *)(uintptr_t)total;
}

START_TEST(written_in_place)
{
    ga_context *context = test_threads_context(1);
    const char *path = test_path("fifo");
    struct stat facts;
    pthread_t reader;
    void *total = NULL;
    size_t size;
    free(expected_lines(&size));
    test_ok(context, write_lines(context, "/dev/null"));
    test_status(context, write_lines(context, "/dev/full"), GA_IO);
    test_error_has(context, strerror(ENOSPC));
    ck_assert_int_eq(stat("/dev/null", &facts), 0);
    ck_assert(S_ISCHR(facts.st_mode));
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, drain, (void *)(uintptr_t)path), 0);
    ga__begin(context);
    test_ok(context, write_lines(context, path));
    ck_assert_int_eq(pthread_join(reader, &total), 0);
    ck_assert_uint_eq((uintptr_t)total, size);
    ck_assert_int_eq(stat(path, &facts), 0);
    ck_assert(S_ISFIFO(facts.st_mode));
    test_context_done(context, NULL);
}
END_TEST

/* Standard output goes to fd for the time of one call. */
static ga_status to_stdout(ga_context *context, int fd)
{
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    if (fd >= 0) {
        ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);
    } else {
        (void)close(STDOUT_FILENO);
    }
    ga_status status = write_lines(context, "-");
    bool still_open = fd < 0 || fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
    (void)close(saved);
    ck_assert(still_open);
    return status;
}

START_TEST(standard_output)
{
    ga_context *context = test_threads_context(1);
    const char *path = test_path("stdout");
    int fd = open(path, O_WRONLY | O_CREAT, 0600), ends[2];
    test_ok(context, to_stdout(context, fd));
    (void)close(fd);
    expect_lines(path);
    test_status(context, to_stdout(context, -1), GA_IO);
    test_error_has(context, "standard output: Bad file descriptor");
    fd = open("/dev/full", O_WRONLY);
    ga__begin(context);
    test_status(context, to_stdout(context, fd), GA_IO);
    (void)close(fd);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    (void)close(ends[0]);
    ga__begin(context);
    test_status(context, to_stdout(context, ends[1]), GA_IO);
    test_error_has(context, strerror(EPIPE));
    (void)close(ends[1]);
    (void)signal(SIGPIPE, before);
    test_context_done(context, NULL);
}
END_TEST

/* ---- what fails ---- */

static void each_failure(test_call kind, const char *name, int error)
{
    bool failed = true;
    for (int64_t k = 0; failed; k++) {
        test_hooks hooks;
        test_hooks_init(&hooks);
        hooks.fail_at[kind] = k;
        hooks.error = error;
        hooks.once = true;
        ga_context *context = test_context(&hooks, true);
        const char *path = test_text_file(name, "old");
        ga_status status = write_lines(context, path);
        failed = hooks.calls[kind] > k;
        /* the folder is synced after everything is done */
        bool counts = failed && !(kind == TEST_FSYNC && k == 1);
        ck_assert_int_eq(status, counts ? GA_IO : GA_OK);
        if (counts) {
            test_error_has(context, strerror(error));
            expect_text(path, "old");
        }
        ck_assert_int_eq(test_folder_entries(), 1);
        test_context_done(context, &hooks);
    }
    ck_assert_int_eq(unlink(test_path(name)), 0);
}

START_TEST(every_call_fails)
{
    static const char *names[] = { "out", "out.gz" };
    for (int i = 0; i < 2; i++) {
        each_failure(TEST_WRITE, names[i], ENOSPC);
        each_failure(TEST_FSYNC, names[i], EIO);
        each_failure(TEST_CLOSE, names[i], EDQUOT);
        each_failure(TEST_RENAME, names[i], EACCES);
    }
}
END_TEST

START_TEST(writes_are_retried)
{
    static const char *names[] = { "out", "out.gz" };
    char *clean = NULL, *odd;
    for (int i = 0; i < 2; i++) {
        size_t clean_size, odd_size;
        test_hooks hooks;
        test_hooks_init(&hooks);
        ga_context *context = test_context(&hooks, true);
        test_ok(context, write_lines(context, test_path(names[i])));
        clean = test_slurp(test_path(names[i]), &clean_size);
        hooks.most_bytes = 999;
        hooks.interrupted = true;
        test_ok(context, write_lines(context, test_path(names[i])));
        odd = test_slurp(test_path(names[i]), &odd_size);
        ck_assert_uint_eq(odd_size, clean_size);
        ck_assert_int_eq(memcmp(odd, clean, odd_size), 0);
        free(odd);
        free(clean);
        test_context_done(context, &hooks);
    }
}
END_TEST

START_TEST(file_size_limit)
{
    ga_context *context = test_threads_context(1);
    const char *path = test_text_file("old", "old");
    struct rlimit before, small;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ga_status status = write_lines(context, path);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    ck_assert_int_eq(status, GA_IO);
    test_error_has(context, strerror(EFBIG));
    expect_text(path, "old");
    ck_assert_int_eq(test_folder_entries(), 1);
    test_context_done(context, NULL);
}
END_TEST

static ga_status write_for_memory(ga_context *context, void *user)
{
    ga_status status = write_lines(context, user);
    ck_assert_int_eq(test_exists(user), status == GA_OK);
    ck_assert_int_eq(test_folder_entries(), status == GA_OK);
    (void)unlink(user);
    return status;
}

START_TEST(every_allocation_fails)
{
    char path[1024];
    strcpy(path, test_path("out"));
    ck_assert_int_gt(test_each_allocation(write_for_memory, path, 1), 3);
    strcpy(path, test_path("out.gz"));
    ck_assert_int_gt(test_each_allocation(write_for_memory, path, 1), 6);
}
END_TEST

static int now(void *user)
{
    int *calls = user;
    return --*calls < 0;
}

START_TEST(cancelled)
{
    ga_context *context = test_threads_context(1);
    ga_status status = GA_CANCELLED;
    for (int k = 0; status != GA_OK; k++) {
        int calls = k;
        const char *path = test_text_file("out.gz", "old");
        ga_context_set_cancel(context, now, &calls);
        ga__begin(context);
        status = write_lines(context, path);
        ck_assert(status == GA_OK || status == GA_CANCELLED);
        if (status != GA_OK) {
            expect_text(path, "old");
        }
        ck_assert_int_eq(test_folder_entries(), 1);
    }
    test_context_done(context, NULL);
}
END_TEST

TCase *output_case(void)
{
    TCase *output = tcase_create("output");
    tcase_add_checked_fixture(output, test_folder_make, test_folder_remove);
    tcase_add_test(output, new_and_replaced);
    tcase_add_test(output, dangling_links);
    tcase_add_test(output, modes_of_replaced_files);
    tcase_add_test(output, large_pieces);
    tcase_add_test(output, gzip);
    tcase_add_test(output, abort_leaves_nothing);
    tcase_add_test(output, bad_targets);
    tcase_add_test(output, long_names);
    tcase_add_test(output, written_in_place);
    tcase_add_test(output, standard_output);
    tcase_add_test(output, every_call_fails);
    tcase_add_test(output, writes_are_retried);
    tcase_add_test(output, file_size_limit);
    tcase_add_test(output, every_allocation_fails);
    tcase_add_test(output, cancelled);
    return output;
}
