/* progress.c - time, progress reports, cancelling. */
#include "config.h"

#include "lib/base/context.h"

#include <time.h>

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double ga__now(void)
{
    return (double)nanoseconds() * 1e-9;
}

bool ga__cancelled(const ga_context *context)
{
    return context->cancel && context->cancel(context->cancel_user) != 0;
}

ga_status ga__check(ga_context *context)
{
    return ga__cancelled(context) ? ga__fail(context, GA_CANCELLED, "cancelled") : GA_OK;
}

void ga__progress(ga_context *context, const char *stage, int64_t done, int64_t total)
{
    enum { INTERVAL = 100000000 };
    if (!context->progress) {
        return;
    }
    int64_t now = nanoseconds();
    /* Whoever finds the callback busy or early goes on with its work. */
    if (now < __atomic_load_n(&context->progress_next, __ATOMIC_RELAXED) ||
        pthread_mutex_trylock(&context->progress_lock) != 0) {
        return;
    }
    if (now >= __atomic_load_n(&context->progress_next, __ATOMIC_RELAXED)) {
        context->progress(context->progress_user, stage, done, total);
        __atomic_store_n(&context->progress_next, nanoseconds() + INTERVAL, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&context->progress_lock);
}
