/* check_graph.h - what the graph tests share: a context with counted memory, files made from text. */
#ifndef CHECK_GRAPH_H
#define CHECK_GRAPH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/read.h"

/* Allocator that fails from the k-th call on (or only there), and counts blocks. */
typedef struct meter {
    int64_t calls, fail_at, blocks;
    bool once;
} meter;

static inline void *metered_allocate(void *user, size_t alignment, size_t size)
{
    meter *m = user;
    int64_t call = __atomic_fetch_add(&m->calls, 1, __ATOMIC_RELAXED);
    if (m->fail_at >= 0 && (m->once ? call == m->fail_at : call >= m->fail_at)) {
        return NULL;
    }
    void *block = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (block) {
        __atomic_fetch_add(&m->blocks, 1, __ATOMIC_RELAXED);
    }
    return block;
}

static inline void metered_release(void *user, void *block, size_t size)
{
    meter *m = user;
    (void)size;
    __atomic_fetch_sub(&m->blocks, 1, __ATOMIC_RELAXED);
    free(block);
}

static inline ga_context *metered_context(meter *m)
{
    ga_context *context = NULL;
    ga_hooks hooks = { .user = m, .allocate = metered_allocate, .release = metered_release };
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    ck_assert_int_eq(ga_context_set_hooks(context, &hooks), GA_OK);
    return context;
}

/* The last message that was told. */
static char told[512];
static inline void keep_message(void *user, ga_severity severity, const char *text)
{
    (void)user;
    snprintf(told, sizeof told, "%s: %s", severity == GA_WARNING ? "warning" : "note", text);
}

static inline ga_context *plain_context(int threads)
{
    ga_context *context = NULL;
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    ck_assert_int_eq(ga_context_set_threads(context, threads), GA_OK);
    ga_context_set_messages(context, keep_message, NULL);
    told[0] = '\0';
    return context;
}

static inline void done_with(ga_context *context)
{
    int64_t now = -1;
    ga_context_memory(context, &now, NULL);
    ck_assert_int_eq(now, 0);
    ga_context_destroy(context);
}

static char folder[64];
static inline void make_folder(void)
{
    strcpy(folder, "/tmp/check-graph-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A path in the folder; a few are valid at once. */
static inline const char *in_folder(const char *name)
{
    static char paths[8][160];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline const char *file_of(const char *name, const void *data, size_t size)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static inline const char *text_file(const char *name, const char *text)
{
    return file_of(name, text, strlen(text));
}

static inline char *slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*size + 1);
    ck_assert_uint_eq(fread(data, 1, *size, file), *size);
    data[*size] = '\0';
    fclose(file);
    return data;
}

/* Edges as "0>1 0>2 3>3", original ids. */
static inline const char *edges_of(const ga_graph *graph)
{
    static char text[4096];
    ga_csr out = ga_graph_out(graph);
    const uint64_t *ids = ga_graph_ids(graph);
    size_t at = 0;
    text[0] = '\0';
    for (int64_t v = 0; v < out.rows; v++) {
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            uint64_t source = ids ? ids[v] : (uint64_t)v, target = ids ? ids[out.targets[e]] : out.targets[e];
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%llu>%llu", at ? " " : "",
                                   (unsigned long long)source, (unsigned long long)target);
            ck_assert_uint_lt(at, sizeof text - 64);
        }
    }
    return text;
}

static inline void same_graph(const ga_graph *a, const ga_graph *b)
{
    ck_assert_int_eq(a->nodes, b->nodes);
    ck_assert_int_eq(a->edges, b->edges);
    ck_assert_int_eq(memcmp(a->out_offsets, b->out_offsets, (size_t)(a->nodes + 1) * 8), 0);
    ck_assert(a->edges == 0 || memcmp(a->out_targets, b->out_targets, (size_t)a->edges * 4) == 0);
    ck_assert_int_eq(!a->ids, !b->ids);
    ck_assert(!a->ids || memcmp(a->ids, b->ids, (size_t)a->nodes * 8) == 0);
    ck_assert_int_eq(!a->weights, !b->weights);
    ck_assert(!a->weights || memcmp(a->weights, b->weights, (size_t)a->edges * 4) == 0);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
