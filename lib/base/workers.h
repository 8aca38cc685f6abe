/* workers.h - running a body on several threads, and what such bodies share. */
#ifndef GA_LIB_BASE_WORKERS_H
#define GA_LIB_BASE_WORKERS_H

#include <pthread.h>

#include "lib/base/base.h"

/* Runs body(user, 0) on the calling thread and body(user, 1), ... on others beside it, at most `threads` in all, and
 * returns when all that began have returned. Bodies share their work by ga__claim: a thread that comes too late, since
 * the machine is busy or no thread could be started, is not waited for. Inside a body it runs body(user, 0) alone. */
typedef void (*ga__worker_fn)(void *user, int worker);
void ga__workers(ga_context *context, int threads, ga__worker_fn body, void *user);

/* The next unclaimed number; *next starts with 0. */
static inline int64_t ga__claim(int64_t *next)
{
    return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
}

/* A status that several threads may set: the first failure stays. */
static inline void ga__note_status(int *shared, ga_status status)
{
    int none = GA_OK;
    if (status != GA_OK) {
        (void)__atomic_compare_exchange_n(shared, &none, (int)status, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
    }
}

static inline ga_status ga__noted_status(const int *shared)
{
    return (ga_status)__atomic_load_n(shared, __ATOMIC_RELAXED);
}

/* Stop now? Asks the cancel callback too and notes its answer. */
bool ga__stopped(ga_context *context, int *shared);

/* Threads worth starting for `items` claimable pieces. */
int ga__threads_for(const ga_context *context, int64_t items);

/* Runs body(user, worker, from, to) over 0 .. items - 1 in pieces of `piece`, on ga__piece_threads() workers at most;
 * asks whether to stop before each. */
typedef void (*ga__piece_fn)(void *user, int worker, int64_t from, int64_t to);
ga_status ga__pieces(ga_context *context, int64_t items, int64_t piece, ga__piece_fn body, void *user);
int ga__piece_threads(const ga_context *context, int64_t items, int64_t piece);

/* Tells the system that a large block will be filled from end to end (large pages). */
void ga__advise_large(void *block, int64_t bytes);

/* offsets[0 .. count]: offsets[i + 1] holds the length of row i and becomes the end of row i; offsets[0] = 0. */
ga_status ga__prefix_sum(ga_context *context, int64_t *offsets, int64_t count);

#endif
