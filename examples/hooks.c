/* hooks.c - an allocator of one's own, messages, progress, and stopping on Ctrl-C: hooks GRAPH
 *
 * cc hooks.c $(pkg-config --cflags --libs libgraphattn) -o hooks
 */
#include <graphattn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static int is_interrupted(void *user)
{
    (void)user;
    return interrupted;
}

/* Several threads may allocate at once. */
typedef struct counters {
    atomic_llong blocks, bytes;
} counters;

static void *allocate(void *user, size_t alignment, size_t size)
{
    counters *c = user;
    void *block = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (block) {
        atomic_fetch_add(&c->blocks, 1);
        atomic_fetch_add(&c->bytes, (long long)size);
    }
    return block;
}

static void release(void *user, void *block, size_t size)
{
    counters *c = user;
    atomic_fetch_add(&c->bytes, -(long long)size);
    free(block);
}

static void show_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    (void)user;
    fprintf(stderr, "\r%s %lld of %lld ", stage, (long long)done, (long long)total);
}

static void show_message(void *user, ga_severity severity, const char *text)
{
    (void)user;
    fprintf(stderr, "%s: %s\n", severity == GA_WARNING ? "warning" : "note", text);
}

static ga_status count(ga_context *context, const char *path)
{
    ga_graph *graph = NULL;
    ga_matrices *matrices = NULL;
    ga_status status = ga_graph_read(context, path, NULL, &graph, NULL);
    if (status == GA_OK) {
        status = ga_matrices_count(context, graph, NULL, &matrices);
    }
    if (status == GA_OK) {
        printf("%lld edges in %lld cells\n", (long long)ga_graph_edges(graph),
               (long long)ga_matrices_jdm(matrices).cells);
    }
    ga_matrices_destroy(context, matrices);
    ga_graph_destroy(context, graph);
    return status;
}

int main(int argc, char **argv)
{
    ga_context *context = NULL;
    counters memory = { 0, 0 };
    ga_hooks hooks = { .user = &memory, .allocate = allocate, .release = release };
    if (argc != 2 || ga_context_create(&context) != GA_OK) {
        fprintf(stderr, "usage: hooks GRAPH\n");
        return 2;
    }
    signal(SIGINT, interrupt);
    ga_context_set_cancel(context, is_interrupted, NULL);
    ga_context_set_progress(context, show_progress, NULL);
    ga_context_set_messages(context, show_message, NULL);
    ga_status status = ga_context_set_hooks(context, &hooks);
    if (status == GA_OK) {
        status = count(context, argv[1]);
    }
    if (status != GA_OK) {
        fprintf(stderr, "hooks: %s: %s\n", ga_status_name(status), ga_context_error(context));
    }
    ga_context_destroy(context);
    printf("%s, %lld bytes left\n", memory.blocks > 0 ? "own allocator used" : "own allocator not used",
           (long long)memory.bytes);
    return status != GA_OK;
}
