/* status.c - names of statuses, version, the error text of a context. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>

#include "lib/base/context.h"

const char *ga_status_name(ga_status status)
{
    switch (status) {
    case GA_OK: return "success";
    case GA_INVALID: return "invalid argument";
    case GA_NOMEM: return "out of memory";
    case GA_LIMIT: return "limit exceeded";
    case GA_OVERFLOW: return "size too large";
    case GA_IO: return "input/output error";
    case GA_FORMAT: return "malformed file";
    case GA_INFEASIBLE: return "not realisable";
    case GA_UNSUPPORTED: return "not supported";
    case GA_CANCELLED: return "cancelled";
    case GA_INTERNAL: return "internal error";
    case GA_DEVICE_FAILED: return "device failed";
    }
    return "unknown status";
}

const char *ga_version(void)
{
    return PACKAGE_VERSION;
}

#if defined __clang__
#define COMPILER "clang " __clang_version__
#elif defined __GNUC__
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "C compiler"
#endif
#ifdef HAVE_ISAL
#define ISAL "yes"
#else
#define ISAL "no"
#endif

const char *ga_build_info(void)
{
    return COMPILER ", zlib: " ZLIB_VERSION ", ISA-L: " ISAL;
}

ga_status ga__fail(ga_context *context, ga_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&context->error_lock);
    if (!context->failed) {
        context->failed = true;
        (void)vsnprintf(context->error, sizeof context->error, format, arguments);
    }
    pthread_mutex_unlock(&context->error_lock);
    va_end(arguments);
    return status;
}

void ga__begin(ga_context *context)
{
    pthread_mutex_lock(&context->error_lock);
    context->failed = false;
    context->error[0] = '\0';
    pthread_mutex_unlock(&context->error_lock);
}

const char *ga_context_error(const ga_context *context)
{
    return context->error;
}

void ga__tell(ga_context *context, ga_severity severity, const char *format, ...)
{
    char text[GA__ERROR_SIZE];
    va_list arguments;
    if (!context->message) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    context->message(context->message_user, severity, text);
}

ga_status ga_context_fail(ga_context *context, ga_status status, const char *text)
{
    ga__begin(context);
    return status == GA_OK ? GA_OK : ga__fail(context, status, "%s", text);
}
