/* output.c - a file that appears whole or not at all. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/context.h"
#include "lib/base/output.h"

enum { BUFFER_SIZE = 1 << 18 };

struct ga__output {
    ga__target target;
    ga__deflate *deflate; /* NULL: not compressed */
    ga_status status;     /* first failure */
    int64_t have;
    unsigned char *buffer;
};

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);
    return size >= tail && strcmp(text + size - tail, end) == 0;
}

ga_status ga__output_open(ga_context *context, const char *path, bool gzip_by_suffix, ga__output **out)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    GA_TRY(GA_NEW_ZERO(context, 1, &output));
    output->target.fd = -1;
    GA_TRY(GA_NEW(context, BUFFER_SIZE, &output->buffer));
    if (gzip_by_suffix && ends_with(path, ".gz")) {
        GA_TRY(ga__deflate_create(context, &output->deflate));
    }
    GA_TRY(ga__target_open(context, path, &output->target));
    *out = output;
    output = NULL;
done:
    ga__output_abort(context, output);
    return status;
}

static void destroy(ga_context *context, ga__output *output)
{
    ga__deflate_destroy(context, output->deflate);
    ga__target_free(context, &output->target);
    ga_free(context, output->buffer);
    ga_free(context, output);
}

void ga__output_abort(ga_context *context, ga__output *output)
{
    if (output) {
        ga__target_drop(context, &output->target);
        destroy(context, output);
    }
}

/* To the file, through the compressor if there is one. */
static ga_status pass_on(ga_context *context, ga__output *output, const void *data, int64_t size)
{
    if (output->deflate) {
        return ga__deflate_write(context, output->deflate, &output->target, data, size, false);
    }
    return ga__target_write(context, &output->target, data, size);
}

static ga_status flush(ga_context *context, ga__output *output)
{
    int64_t size = output->have;
    output->have = 0;
    return size > 0 ? pass_on(context, output, output->buffer, size) : GA_OK;
}

ga_status ga__output_write(ga_context *context, ga__output *output, const void *data, int64_t size)
{
    ga_status status = output->status;
    GA_TRY(status);
    if (size > BUFFER_SIZE - output->have) {
        GA_TRY(flush(context, output));
    }
    if (size >= BUFFER_SIZE) {
        GA_TRY(pass_on(context, output, data, size));
    } else if (size > 0) {
        memcpy(output->buffer + output->have, data, (size_t)size);
        output->have += size;
    }
done:
    output->status = status;
    return status;
}

ga_status ga__output_print(ga_context *context, ga__output *output, const char *format, ...)
{
    ga_status status = GA_OK;
    char small[512], *text = small;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (size >= (int)sizeof small) {
        GA_TRY(ga_alloc(context, (int64_t)size + 1, 1, &text));
        va_start(arguments, format);
        (void)vsnprintf(text, (size_t)size + 1, format, arguments);
        va_end(arguments);
    }
    GA_TRY(ga__output_write(context, output, text, size));
done:
    if (text != small) {
        ga_free(context, text);
    }
    return status;
}

ga_status ga__output_commit(ga_context *context, ga__output *output)
{
    ga_status status = output->status;
    GA_TRY(status);
    GA_TRY(flush(context, output));
    if (output->deflate) {
        GA_TRY(ga__deflate_write(context, output->deflate, &output->target, NULL, 0, true));
    }
    GA_TRY(ga__target_commit(context, &output->target));
done:
    ga__target_drop(context, &output->target);
    destroy(context, output);
    return status;
}
