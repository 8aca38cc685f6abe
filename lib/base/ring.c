/* ring.c - gunzip in a thread of its own, some buffers ahead of the reader. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "lib/base/context.h"
#include "lib/base/input.h"

enum { SLOTS = 4, SLOT_SIZE = 1 << 20 };

struct ga__ring {
    ga_context *context;
    ga__raw *raw;
    ga__gunzip *gunzip;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock: */
    int64_t filled, emptied; /* slots, counted from the start */
    int64_t sizes[SLOTS];
    bool ended, stop;
    ga_status status; /* what the data ended with */
    /* the reader's own: */
    int64_t taken; /* bytes of the slot that is being emptied */
    unsigned char *slots;
};

static void *fill(void *user)
{
    ga__ring *ring = user;
    ga_status status = GA_OK;
    for (bool more = true; more;) {
        pthread_mutex_lock(&ring->lock);
        while (ring->filled - ring->emptied == SLOTS && !ring->stop) {
            pthread_cond_wait(&ring->changed, &ring->lock);
        }
        int64_t slot = ring->filled % SLOTS, got = 0;
        bool stop = ring->stop;
        pthread_mutex_unlock(&ring->lock);
        if (stop) {
            break;
        }
        status = ga__gunzip_read(ring->gunzip, ring->slots + slot * SLOT_SIZE, SLOT_SIZE, &got);
        more = status == GA_OK && got == SLOT_SIZE;
        pthread_mutex_lock(&ring->lock);
        ring->sizes[slot] = got;
        ring->filled++;
        ring->status = status;
        ring->ended = !more;
        pthread_cond_signal(&ring->changed);
        pthread_mutex_unlock(&ring->lock);
    }
    return NULL;
}

static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error == 0) {
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        error = pthread_cond_init(condition, &attributes);
        pthread_condattr_destroy(&attributes);
    }
    return error;
}

ga_status ga__ring_start(ga_context *context, ga__raw *raw, ga__gunzip *gunzip, ga__ring **out)
{
    ga_status status = GA_OK;
    ga__ring *ring = NULL;
    GA_TRY(GA_NEW_ZERO(context, 1, &ring));
    ring->context = context;
    ring->raw = raw;
    ring->gunzip = gunzip;
    GA_TRY(GA_NEW(context, SLOTS * SLOT_SIZE, &ring->slots));
    status = GA_UNSUPPORTED;
    if (pthread_mutex_init(&ring->lock, NULL) != 0) {
        goto done;
    }
    if (init_condition(&ring->changed) != 0) {
        goto no_condition;
    }
    if (ga__thread_start(ring->context, &ring->thread, fill, ring) == 0) {
        *out = ring;
        return GA_OK;
    }
    pthread_cond_destroy(&ring->changed);
no_condition:
    pthread_mutex_destroy(&ring->lock);
done:
    if (ring) {
        ga_free(context, ring->slots);
    }
    ga_free(context, ring);
    return status;
}

void ga__ring_stop(ga__ring *ring)
{
    if (!ring) {
        return;
    }
    __atomic_store_n(&ring->raw->stop, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&ring->lock);
    ring->stop = true;
    pthread_cond_signal(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
    pthread_join(ring->thread, NULL);
    pthread_cond_destroy(&ring->changed);
    pthread_mutex_destroy(&ring->lock);
    ga_context *context = ring->context;
    ga_free(context, ring->slots);
    ga_free(context, ring);
}

/* Waits until a slot is full or the data ended; the size of the slot, or -1 at the end. */
static ga_status wait_for_slot(ga__ring *ring, int64_t *size)
{
    ga_status status = GA_OK;
    pthread_mutex_lock(&ring->lock);
    while (ring->filled == ring->emptied && !ring->ended) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_cond_timedwait(&ring->changed, &ring->lock, &until) == ETIMEDOUT) {
            GA_TRY(ga__check(ring->context));
        }
    }
    if (ring->filled > ring->emptied) {
        *size = ring->sizes[ring->emptied % SLOTS];
    } else {
        *size = -1;
        status = ring->status;
        if (status != GA_OK) {
            (void)ga__fail(ring->context, status, "%s", ring->raw->error);
        }
    }
done:
    pthread_mutex_unlock(&ring->lock);
    return status;
}

static void give_slot_back(ga__ring *ring)
{
    ring->taken = 0;
    pthread_mutex_lock(&ring->lock);
    ring->emptied++;
    pthread_cond_signal(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

ga_status ga__ring_read(ga__ring *ring, void *buffer, int64_t size, int64_t *got)
{
    ga_status status = GA_OK;
    unsigned char *out = buffer;
    int64_t have = 0, full = 0;
    while (have < size) {
        GA_TRY(wait_for_slot(ring, &full));
        if (full < 0) {
            break;
        }
        int64_t bytes = ga__min(size - have, full - ring->taken);
        const unsigned char *slot =
            ring->slots + ring->emptied % SLOTS * SLOT_SIZE; /* only this thread changes it */
        memcpy(out + have, slot + ring->taken, (size_t)bytes);
        have += bytes;
        ring->taken += bytes;
        if (ring->taken == full) {
            give_slot_back(ring);
        }
    }
done:
    *got = have;
    return status;
}
