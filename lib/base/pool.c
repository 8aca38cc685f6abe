/* pool.c - a context's threads.
 *
 * Many calls run several short bodies one after the other. The threads stay between them, asleep, and nobody spins for
 * long: where other programs want the cores too, spinning would cost more than it saves. The calling thread does its
 * share at once; since shares are claimed piece by piece, all of the work may be done before a helper wakes up, and
 * then the body is closed to it.
 */
#include "config.h"

#include "lib/base/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/context.h"

int ga__pool_init(ga__pool *pool)
{
    int error = pthread_mutex_init(&pool->lock, NULL);
    if (error != 0) {
        return error;
    }
    if ((error = pthread_cond_init(&pool->work, NULL)) != 0) {
        goto no_work;
    }
    if ((error = pthread_cond_init(&pool->idle, NULL)) != 0) {
        goto no_idle;
    }
    return 0;
no_idle:
    pthread_cond_destroy(&pool->work);
no_work:
    pthread_mutex_destroy(&pool->lock);
    return error;
}

void ga__pool_end(ga__pool *pool)
{
    if (pool->count == 0 || pool->process == getpid()) { /* in a forked child the lock may be held for ever */
        pthread_mutex_lock(&pool->lock);
        pool->quit = true;
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
        for (int i = 0; i < pool->count; i++) {
            pthread_join(pool->threads[i], NULL);
        }
        pthread_cond_destroy(&pool->idle);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->lock);
    }
    free(pool->threads);
}

int ga__thread_start(const ga_context *context, pthread_t *thread, void *(*function)(void *), void *user)
{
    static const int own[] = { SIGPIPE, SIGXFSZ, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    sigset_t all, before;
    int error = context->hooks.thread ? context->hooks.thread(context->hooks.user) : 0;
    if (error == 0) {
        sigfillset(&all);
        for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
            sigdelset(&all, own[i]);
        }
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(thread, NULL, function, user);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return error;
}

static void *help(void *user)
{
    ga__pool *pool = user;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->quit && pool->open == 0) {
            pthread_cond_wait(&pool->work, &pool->lock);
        }
        if (pool->quit) {
            break;
        }
        ga__worker_fn body = pool->body;
        void *its_user = pool->user;
        int worker = pool->next++;
        pool->open--;
        __atomic_store_n(&pool->inside, pool->inside + 1, __ATOMIC_RELAXED);
        pthread_mutex_unlock(&pool->lock);
        body(its_user, worker);
        pthread_mutex_lock(&pool->lock);
        __atomic_store_n(&pool->inside, pool->inside - 1, __ATOMIC_RELEASE);
        if (pool->inside == 0) {
            pthread_cond_signal(&pool->idle);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Tries to have `wanted` helpers; the lock is held. Returns the errno value that stopped it, once. */
static int grow(ga_context *context, ga__pool *pool, int wanted)
{
    int error = 0;
    if (pool->short_of_threads || wanted <= pool->count) {
        return 0;
    }
    pthread_t *threads =
        realloc(pool->threads, (size_t)wanted * sizeof *threads); /* lives as long as the context */
    if (threads) {
        pool->threads = threads;
        pool->process = getpid();
    }
    while (threads && error == 0 && pool->count < wanted) {
        error = ga__thread_start(context, &pool->threads[pool->count], help, pool);
        pool->count += error == 0;
    }
    error = threads ? error : ENOMEM;
    pool->short_of_threads = error != 0;
    return error;
}

/* Lets helpers in; returns their number. */
static int open_body(ga_context *context, ga__pool *pool, int helpers, ga__worker_fn body, void *user)
{
    pthread_mutex_lock(&pool->lock);
    int error = grow(context, pool, helpers), count = pool->count < helpers ? pool->count : helpers;
    pool->body = body;
    pool->user = user;
    pool->next = 1;
    pool->open = count;
    if (count == 1) {
        pthread_cond_signal(&pool->work);
    } else if (count > 1) {
        pthread_cond_broadcast(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    if (error != 0) {
        ga__tell(context, GA_NOTE, "using %d of %d threads, no more could be started: %s", count + 1,
                 helpers + 1, strerror(error));
    }
    return count;
}

/* Nobody may begin any more; waits for those who did. */
static void close_body(ga__pool *pool)
{
    enum { SPINS = 200 };
    pthread_mutex_lock(&pool->lock);
    pool->open = 0;
    if (pool->inside > 0) {
        pthread_mutex_unlock(&pool->lock);
        for (int i = 0; i < SPINS && __atomic_load_n(&pool->inside, __ATOMIC_ACQUIRE) > 0; i++) {
#if defined __x86_64__ || defined __i386__
            __builtin_ia32_pause();
#endif
        }
        pthread_mutex_lock(&pool->lock);
    }
    while (pool->inside > 0) {
        pthread_cond_wait(&pool->idle, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}

void ga__workers(ga_context *context, int threads, ga__worker_fn body, void *user)
{
    ga__pool *pool = &context->pool;
    bool forked = pool->count > 0 && pool->process != getpid();
    if (threads <= 1 || forked || __atomic_exchange_n(&pool->busy, true, __ATOMIC_ACQUIRE)) {
        body(user, 0);
        return;
    }
    if (open_body(context, pool, threads - 1, body, user) > 0) {
        body(user, 0);
        close_body(pool);
    } else {
        body(user, 0);
    }
    __atomic_store_n(&pool->busy, false, __ATOMIC_RELEASE);
}
