/* threads.c - how many threads to use. */
#include "config.h"

#include <sched.h>
#include <unistd.h>

#include "lib/base/context.h"

/* The processors that this process may run on. */
int ga_context_max_threads(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return CPU_COUNT(&set);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than a set has room for */
    return online > 0 ? (int)online : 1;
}

void ga__context_force_threads(ga_context *context, int threads)
{
    context->threads = threads;
}

ga_status ga_context_set_threads(ga_context *context, int64_t threads)
{
    int most = ga_context_max_threads();
    ga__begin(context);
    if (threads < 0) {
        return ga__fail(context, GA_INVALID, "number of threads must not be negative, it is %lld",
                        (long long)threads);
    }
    if (threads > most) {
        ga__tell(context, GA_NOTE, "using %d threads, not %lld: that is what this machine has", most,
                 (long long)threads);
    }
    ga__context_force_threads(context, threads == 0 || threads > most ? most : (int)threads);
    return GA_OK;
}

int ga_context_threads(const ga_context *context)
{
    return context->threads;
}

int ga__threads(const ga_context *context)
{
    return context->threads;
}
