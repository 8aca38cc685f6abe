/* support.c - what unit tests share. */
#include "config.h"

#include "tests/unit/support.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/context.h"

/* ---- hooks that fail ---- */

void test_hooks_init(test_hooks *hooks)
{
    memset(hooks, 0, sizeof *hooks);
    for (int i = 0; i < TEST_CALLS; i++) {
        hooks->fail_at[i] = -1;
    }
}

static bool fails(test_hooks *h, test_call kind)
{
    int64_t call = __atomic_fetch_add(&h->calls[kind], 1, __ATOMIC_RELAXED);
    if (h->fail_at[kind] < 0 || (h->once ? call != h->fail_at[kind] : call < h->fail_at[kind])) {
        return false;
    }
    errno = h->error ? h->error : kind == TEST_WRITE ? ENOSPC : EIO;
    return true;
}

static void *allocate(void *user, size_t alignment, size_t size)
{
    test_hooks *h = user;
    void *block = fails(h, TEST_ALLOCATE)
                      ? NULL
                      : aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (block) {
        memset(block, 0x5a, size < 65536 ? size : 65536); /* uninitialised memory must not matter */
        __atomic_fetch_add(&h->blocks, 1, __ATOMIC_RELAXED);
    }
    return block;
}

static void release(void *user, void *block, size_t size)
{
    test_hooks *h = user;
    __atomic_fetch_sub(&h->blocks, 1, __ATOMIC_RELAXED);
    memset(block, 0xa5, size < 65536 ? size : 65536); /* also checks that size is not too large */
    free(block);
}

/* What a call may move, or -1 with errno set. */
static long long allowed(test_hooks *h, test_call kind, size_t size)
{
    if (fails(h, kind)) {
        return -1;
    }
    int64_t call = __atomic_load_n(&h->calls[kind], __ATOMIC_RELAXED);
    if (h->interrupted && call % 2 == 0) {
        errno = call % 4 == 0 ? EAGAIN : EINTR;
        return -1;
    }
    bool less = h->most_bytes > 0 && (size_t)h->most_bytes < size;
    return less ? h->most_bytes : (long long)size;
}

static long long read_some(void *user, int fd, void *buffer, size_t size)
{
    long long most = allowed(user, TEST_READ, size);
    return most < 0 ? -1 : read(fd, buffer, (size_t)most);
}

static long long write_some(void *user, int fd, const void *buffer, size_t size)
{
    long long most = allowed(user, TEST_WRITE, size);
    return most < 0 ? -1 : write(fd, buffer, (size_t)most);
}

static int sync_file(void *user, int fd)
{
    return fails(user, TEST_FSYNC) ? -1 : fsync(fd);
}

static int close_file(void *user, int fd)
{
    int result = close(fd); /* a failing close closes too */
    return fails(user, TEST_CLOSE) ? -1 : result;
}

static int rename_file(void *user, const char *from, const char *to)
{
    return fails(user, TEST_RENAME) ? -1 : rename(from, to);
}

static int start_thread(void *user)
{
    return fails(user, TEST_THREAD) ? EAGAIN : 0;
}

ga_context *test_context(test_hooks *hooks, bool io)
{
    ga_context *context = NULL;
    ga_hooks set = { .user = hooks, .allocate = allocate, .release = release };
    if (io) {
        set.read = read_some;
        set.write = write_some;
        set.fsync = sync_file;
        set.close = close_file;
        set.rename = rename_file;
        set.thread = start_thread;
    }
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    ck_assert_int_eq(ga_context_set_hooks(context, &set), GA_OK);
    return context;
}

void test_context_done(ga_context *context, test_hooks *hooks)
{
    int64_t now = -1;
    ga_context_memory(context, &now, NULL);
    ck_assert_int_eq(now, 0);
    if (hooks) {
        ck_assert_int_eq(hooks->blocks, 0);
    }
    ga_context_destroy(context);
}

ga_context *test_threads_context(int threads)
{
    ga_context *context = NULL;
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    test_set_threads(context, threads);
    return context;
}

void test_set_threads(ga_context *context, int threads)
{
    ga__context_force_threads(context, threads);
}

static int64_t each_allocation(test_body call, void *user, int threads, bool once)
{
    for (int64_t k = 0;; k++) {
        test_hooks hooks;
        test_hooks_init(&hooks);
        hooks.fail_at[TEST_ALLOCATE] = k;
        hooks.once = once;
        ga_context *context = test_context(&hooks, false);
        test_set_threads(context, threads);
        ga_status status = call(context, user);
        bool hit = hooks.calls[TEST_ALLOCATE] > k;
        ck_assert_msg(status == (hit ? GA_NOMEM : GA_OK), "allocation %lld: %s: %s", (long long)k,
                      ga_status_name(status), ga_context_error(context));
        int64_t calls = hooks.calls[TEST_ALLOCATE];
        test_context_done(context, &hooks);
        if (!hit) {
            return calls;
        }
    }
}

int64_t test_each_allocation(test_body call, void *user, int threads)
{
    (void)each_allocation(call, user, threads, true);
    return each_allocation(call, user, threads, false);
}

static void keep_message(void *user, ga_severity severity, const char *text)
{
    test_messages *m = user;
    m->notes += severity == GA_NOTE;
    m->warnings += severity == GA_WARNING;
    (void)snprintf(m->text, sizeof m->text, "%s: %s", severity == GA_NOTE ? "note" : "warning", text);
}

void test_listen(ga_context *context, test_messages *messages)
{
    memset(messages, 0, sizeof *messages);
    ga_context_set_messages(context, keep_message, messages);
}

/* ---- files ---- */

static char folder[256];

void test_folder_make(void)
{
    const char *parent = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/graphattn-test-XXXXXX", parent && *parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

void test_folder_remove(void)
{
    char command[640];
    (void)snprintf(command, sizeof command, "chmod -R u+w '%s' && rm -rf '%s'", folder, folder);
    ck_assert_int_eq(system(command), 0);
}

const char *test_path(const char *name)
{
    static char paths[16][1024];
    static int turn;
    char *path = paths[turn++ % 16];
    ck_assert_int_lt(snprintf(path, sizeof paths[0], "%s/%s", folder, name), (int)sizeof paths[0]);
    return path;
}

const char *test_file(const char *name, const void *data, size_t size)
{
    const char *path = test_path(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

const char *test_text_file(const char *name, const char *text)
{
    return test_file(name, text, strlen(text));
}

char *test_slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(bytes + 1);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(fread(data, 1, bytes, file), bytes);
    data[bytes] = '\0';
    (void)fclose(file);
    if (size) {
        *size = bytes;
    }
    return data;
}

bool test_exists(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

int test_folder_entries(void)
{
    int entries = 0;
    DIR *open_folder = opendir(folder);
    ck_assert_ptr_nonnull(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder));) {
        entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(open_folder);
    return entries;
}

const char *test_shared(const char *name)
{
    static char path[4096];
    const char *shared = getenv("GRAPHATTN_SHARED");
    if (!shared || !*shared) {
        return NULL;
    }
    (void)snprintf(path, sizeof path, "%s/%s", shared, name);
    return test_exists(path) ? path : NULL;
}

/* ---- running ---- */

int test_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
