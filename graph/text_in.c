/* text_in.c - a text read piece by piece. */
#include "config.h"

#include "graph/text_in.h"

#include <string.h>

#include "graph/lines.h"

enum { ROOM = GA__LINE_LIMIT + (1 << 16) };

ga_status ga__text_in_open(ga_context *context, ga__input *input, ga__text_in *text)
{
    ga_status status = GA_OK;
    ga__text_in made = { .context = context, .input = input, .line = 1 };
    GA_TRY(ga_alloc(context, ROOM, 1, &made.buffer));
    *text = made;
done:
    return status;
}

void ga__text_in_close(ga__text_in *text)
{
    ga_free(text->context, text->buffer);
    text->buffer = NULL;
}

/* Moves what is left to the front and reads more. */
static ga_status refill(ga__text_in *text)
{
    ga_status status = GA_OK;
    int64_t got = 0, left = text->have - text->at;
    memmove(text->buffer, text->buffer + text->at, (size_t)left);
    text->consumed += text->at;
    text->at = 0;
    text->have = left;
    int64_t wanted = ga__min(ROOM - left, 1 << 16);
    GA_TRY(ga__check(text->context));
    GA_TRY(ga__input_read(text->context, text->input, text->buffer + left, wanted, &got));
    text->have += got;
    text->ended = got < wanted;
done:
    return status;
}

ga_status ga__text_in_peek(ga__text_in *text, int *byte)
{
    ga_status status = GA_OK;
    if (text->have - text->at < 2 && !text->ended) { /* two, to know what follows a "\r" */
        GA_TRY(refill(text));
    }
    if (text->at == text->have) {
        *byte = -1;
        goto done;
    }
    *byte = text->buffer[text->at];
    if (*byte == '\r') {
        if (text->at + 1 < text->have && text->buffer[text->at + 1] == '\n') {
            text->at++;
        }
        *byte = '\n';
    }
done:
    return status;
}

void ga__text_in_take(ga__text_in *text)
{
    unsigned char byte = text->buffer[text->at++];
    text->line += byte == '\n' || byte == '\r';
}

ga_status ga__text_in_line(ga__text_in *text, const unsigned char **line, int64_t *size)
{
    ga_status status = GA_OK;
    const unsigned char *after;
    while (!(after = ga__line_after(text->buffer + text->at, text->buffer + text->have, text->ended)) &&
           !text->ended) {
        if (text->have - text->at > GA__LINE_LIMIT) {
            GA_TRY(ga__fail(text->context, GA_FORMAT, "%s:%lld: line longer than %d bytes",
                            ga__input_name(text->input), (long long)text->line, GA__LINE_LIMIT));
        }
        GA_TRY(refill(text));
    }
    if (text->at == text->have) {
        *size = -1;
        goto done;
    }
    const unsigned char *end = after ? after : text->buffer + text->have;
    *line = text->buffer + text->at;
    text->at = end - text->buffer;
    text->line += after != NULL;
    while (end > *line && (end[-1] == '\n' || end[-1] == '\r')) {
        end--;
    }
    *size = end - *line;
done:
    return status;
}
