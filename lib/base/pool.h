/* pool.h - the threads that a context keeps for its calls; for lib/base only. */
#ifndef GA_LIB_BASE_POOL_H
#define GA_LIB_BASE_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/workers.h"

/* Helpers sleep until a body is open to them. */
typedef struct ga__pool {
    pthread_mutex_t lock; /* guards all below but inside, which is also read without it */
    pthread_cond_t work, idle;
    pthread_t *threads; /* count of them, room for `room` */
    int count, room;
    bool short_of_threads; /* one could not be started: no more are tried */
    bool busy, quit;
    pid_t process; /* that started the threads: a forked child has none of them */
    ga__worker_fn body;
    void *user;
    int open;   /* helpers that may still begin */
    int next;   /* number of the next one */
    int inside; /* helpers at work */
} ga__pool;

/* Returns 0 or an errno value. */
int ga__pool_init(ga__pool *pool);
/* Ends and joins the threads. */
void ga__pool_end(ga__pool *pool);

/* pthread_create, after the hook was asked. Signals are the caller's business and blocked in the new thread, but for
 * those that what it does itself may raise, as writing to a closed pipe. Returns 0 or an errno value. */
int ga__thread_start(const ga_context *context, pthread_t *thread, void *(*function)(void *), void *user);

#endif
