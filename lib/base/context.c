/* context.c - making a context and setting it up. */
#include "config.h"

#include "lib/base/context.h"

#include <stdlib.h>

ga_status ga_context_create(ga_context **context)
{
    ga_context *made = calloc(1, sizeof *made); /* there are no hooks before there is a context */
    if (!made) {
        return GA_NOMEM;
    }
    made->hooks = ga__system_hooks;
    made->seed = 1;
    made->threads = ga_context_max_threads();
    if (pthread_mutex_init(&made->error_lock, NULL) != 0) {
        goto no_lock;
    }
    if (pthread_mutex_init(&made->progress_lock, NULL) != 0) {
        goto no_progress_lock;
    }
    if (ga__pool_init(&made->pool) != 0) {
        goto no_pool;
    }
    *context = made;
    return GA_OK;
no_pool:
    pthread_mutex_destroy(&made->progress_lock);
no_progress_lock:
    pthread_mutex_destroy(&made->error_lock);
no_lock:
    free(made);
    return GA_NOMEM;
}

void ga_context_destroy(ga_context *context)
{
    if (!context) {
        return;
    }
    if (context->device_end) {
        context->device_end(context);
    }
    ga__pool_end(&context->pool);
    pthread_mutex_destroy(&context->error_lock);
    pthread_mutex_destroy(&context->progress_lock);
    free(context);
}

void ga__release_elsewhere(ga_context *context, int type, int number, void *memory)
{
    if (context->device_release) {
        context->device_release(context, type, number, memory);
    }
}

void ga_context_set_seed(ga_context *context, uint64_t seed)
{
    context->seed = seed;
}

uint64_t ga_context_seed(const ga_context *context)
{
    return context->seed;
}

void ga_context_set_messages(ga_context *context, ga_message_fn function, void *user)
{
    context->message = function;
    context->message_user = user;
}

void ga_context_set_progress(ga_context *context, ga_progress_fn function, void *user)
{
    context->progress = function;
    context->progress_user = user;
}

void ga_context_set_cancel(ga_context *context, ga_cancel_fn function, void *user)
{
    context->cancel = function;
    context->cancel_user = user;
}

ga_status ga_context_set_hooks(ga_context *context, const ga_hooks *hooks)
{
    const ga_hooks *own = &ga__system_hooks;
    ga__begin(context);
    if (__atomic_load_n(&context->memory_now, __ATOMIC_RELAXED) != 0) {
        return ga__fail(context, GA_INVALID, "hooks must be set before anything is allocated");
    }
    if (!hooks->allocate != !hooks->release) {
        return ga__fail(context, GA_INVALID, "the hooks allocate and release go together");
    }
    context->hooks = (ga_hooks){
        .user = hooks->user,
        .allocate = hooks->allocate ? hooks->allocate : own->allocate,
        .release = hooks->release ? hooks->release : own->release,
        .read = hooks->read ? hooks->read : own->read,
        .write = hooks->write ? hooks->write : own->write,
        .fsync = hooks->fsync ? hooks->fsync : own->fsync,
        .close = hooks->close ? hooks->close : own->close,
        .rename = hooks->rename ? hooks->rename : own->rename,
        .thread = hooks->thread,
    };
    return GA_OK;
}
