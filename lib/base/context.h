/* context.h - what a context holds; for lib/base only. */
#ifndef GA_LIB_BASE_CONTEXT_H
#define GA_LIB_BASE_CONTEXT_H

#include <pthread.h>

#include "lib/base/pool.h"

enum { GA__ERROR_SIZE = 4608 }; /* a path of any length and some words */

/* The calling thread sets everything up; what calls change from several threads is atomic or under a lock. */
struct ga_context {
    ga_hooks hooks; /* every member is filled in */
    uint64_t seed;
    int threads; /* wanted, >= 1 */
    int backend; /* a ga_backend: the instruction set that kernels are to use, 0 = the best */
    ga__pool pool;
    int64_t memory_limit;            /* 0 = none */
    int64_t memory_now, memory_peak; /* atomic */
    ga_message_fn message;
    void *message_user;
    ga_progress_fn progress;
    void *progress_user;
    pthread_mutex_t progress_lock; /* held while the callback runs */
    int64_t progress_next; /* atomic: nanoseconds of the monotonic clock before which nothing is reported */
    ga_cancel_fn cancel;
    void *cancel_user;
    const void *foreign_formats; /* graph's: a ga_foreign_formats */
    pthread_mutex_t error_lock;
    bool failed;
    char error[GA__ERROR_SIZE];
    /* set by lib/engine/device, which stands above: the device, NULL = the CPU; what ends it with the context; what frees
     * a tensor's memory on a device (DLPack's type and number) */
    struct ga__device *device;
    void (*device_end)(ga_context *context);
    void (*device_release)(ga_context *context, int type, int number, void *memory);
};

/* The system calls, as hooks (memory.c and system.c). */
void *ga__system_allocate(void *user, size_t alignment, size_t size);
void ga__system_release(void *user, void *block, size_t size);
extern const ga_hooks ga__system_hooks;

/* For tests: sets the number of threads without the cap at the number of cores. */
void ga__context_force_threads(ga_context *context, int threads);

#endif
