/* raw.c - bytes of a file descriptor, read again after interruptions. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/context.h"
#include "lib/base/input.h"

ga_status ga__raw_fail(ga__raw *raw, ga_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(raw->error, sizeof raw->error, format, arguments);
    va_end(arguments);
    raw->status = status;
    return status;
}

static ga_status check(ga__raw *raw)
{
    if (__atomic_load_n(&raw->stop, __ATOMIC_RELAXED) || ga__cancelled(raw->context)) {
        return ga__raw_fail(raw, GA_CANCELLED, "cancelled");
    }
    return GA_OK;
}

/* Returns when there is something to read; looks up ten times a second whether it should go on. */
static ga_status wait_for_data(ga__raw *raw)
{
    ga_status status = GA_OK;
    struct pollfd wanted = { .fd = raw->fd, .events = POLLIN };
    while (poll(&wanted, 1, 100) == 0 || (wanted.revents == 0 && errno == EINTR)) {
        GA_TRY(check(raw));
    }
done:
    return status;
}

ga_status ga__raw_read(ga__raw *raw, void *buffer, int64_t size, int64_t *got)
{
    enum { MOST = 1 << 24 }; /* between two looks at the cancel callback */
    const ga_hooks *hooks = &raw->context->hooks;
    ga_status status = GA_OK;
    *got = 0;
    for (;;) {
        GA_TRY(check(raw));
        if (!raw->regular) {
            GA_TRY(wait_for_data(raw));
        }
        long long bytes = hooks->read(hooks->user, raw->fd, buffer, (size_t)ga__min(size, MOST));
        if (bytes >= 0) {
            raw->offset += bytes;
            *got = bytes;
            goto done;
        }
        if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
            GA_TRY(ga__raw_fail(raw, GA_IO, "%s: byte %lld: %s", raw->name, (long long)raw->offset,
                                strerror(errno)));
        }
    }
done:
    return status;
}
