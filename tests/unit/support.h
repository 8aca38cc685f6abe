/* support.h - what unit tests share: contexts whose hooks fail on demand, temporary folders, running suites. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <graphattn/base.h>

/* ---- hooks that fail ---- */

typedef enum test_call {
    TEST_ALLOCATE,
    TEST_READ,
    TEST_WRITE,
    TEST_FSYNC,
    TEST_CLOSE,
    TEST_RENAME,
    TEST_THREAD,
    TEST_CALLS
} test_call;

/* Counts every call of every kind; fails call number fail_at[kind] (from 0; -1 = never), and all later ones unless
 * once. Atomic, so that threads may share it. */
typedef struct test_hooks {
    int64_t calls[TEST_CALLS], fail_at[TEST_CALLS];
    bool once;
    int error;          /* errno of a failing call; EIO at first, ENOSPC for writes */
    int64_t blocks;     /* allocated now */
    int64_t most_bytes; /* a read or write moves at most so many bytes; 0 = no limit */
    bool interrupted;   /* every second read or write fails with EINTR, every fourth with EAGAIN */
} test_hooks;

/* Sets everything to "never fails". */
void test_hooks_init(test_hooks *hooks);
/* A context with these hooks for memory, and for files and threads too if io. */
ga_context *test_context(test_hooks *hooks, bool io);
/* Checks that nothing is left allocated, and destroys. */
void test_context_done(ga_context *context, test_hooks *hooks);

/* A context without hooks, with exactly so many threads, however many cores there are. */
ga_context *test_threads_context(int threads);
/* The same for a context that exists. */
void test_set_threads(ga_context *context, int threads);

/* Runs call() with the k-th allocation failing, k = 0, 1, 2, ..., until it succeeds: once with only that allocation
 * failing and once with all later ones too. Every other result must be GA_NOMEM with nothing left allocated. call
 * frees what it made. Returns the number of allocations of a successful call. */
typedef ga_status (*test_body)(ga_context *context, void *user);
int64_t test_each_allocation(test_body call, void *user, int threads);

/* The messages of a context, the last one kept in text as "note: ..." or "warning: ...". */
typedef struct test_messages {
    int notes, warnings;
    char text[1024];
} test_messages;
void test_listen(ga_context *context, test_messages *messages);

/* ---- files ---- */

/* A new empty folder; removed with everything in it. One at a time. */
void test_folder_make(void);
void test_folder_remove(void);
/* Path of a file in it; the last sixteen stay valid. */
const char *test_path(const char *name);
const char *test_file(const char *name, const void *data, size_t size);
const char *test_text_file(const char *name, const char *text);
/* Whole content, ended by '\0', to be freed; size may be NULL. */
char *test_slurp(const char *path, size_t *size);
bool test_exists(const char *path);
/* Number of entries in the folder. */
int test_folder_entries(void);
/* Path below $GRAPHATTN_SHARED, NULL when that is not set or the file is missing. */
const char *test_shared(const char *name);

/* ---- running ---- */

/* Without forking, which the threads of a context do not survive. Returns what main returns. */
int test_run(Suite *suite);
/* Checks the status, and shows the context's error when it is another one. */
#define test_status(context, call, expected) \
    do { \
        ga_status test_status_found = (call); \
        ck_assert_msg(test_status_found == (expected), "%s: %s, not %s: %s", #call, \
                      ga_status_name(test_status_found), ga_status_name(expected), \
                      ga_context_error(context)); \
    } while (0)
#define test_ok(context, call) test_status(context, call, GA_OK)
/* The context's error contains the words. */
#define test_error_has(context, words) \
    ck_assert_msg(strstr(ga_context_error(context), (words)) != NULL, "\"%s\" lacks \"%s\"", \
                  ga_context_error(context), (words))

#endif
