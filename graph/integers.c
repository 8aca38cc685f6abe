/* integers.c - text files of one integer a line. */
#include "config.h"

#include "graph/graph.h"
#include "graph/lines.h"
#include "graph/text_in.h"
#include "graph/write.h"

#include <string.h>

/* A sign may be "+", too. */
static bool to_integer(const unsigned char *at, const unsigned char *end, int64_t *value)
{
    bool plus = end - at > 1 && at[0] == '+' && at[1] != '-';
    return ga__parse_i64(at + plus, end, value);
}

static ga_status read_values(ga_context *context, ga__text_in *text, int64_t **values, int64_t *count)
{
    ga_status status = GA_OK;
    int64_t room = 0, size;
    const unsigned char *line = NULL;
    for (;;) {
        int64_t number = text->line, value = 0;
        GA_TRY(ga__text_in_line(text, &line, &size));
        if (size < 0) {
            break;
        }
        const unsigned char *at = line, *end = line + size;
        if (number == 1 && size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
            at += 3; /* byte order mark */
        }
        while (at < end && (*at == ' ' || *at == '\t')) {
            at++;
        }
        while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }
        if (at == end || *at == '#' || *at == '%') {
            continue;
        }
        if (!to_integer(at, end, &value)) {
            char found[64];
            ga__quote(found, sizeof found, at, line + size);
            GA_TRY(ga__fail(context, GA_FORMAT, "%s:%lld: found %s, expected one integer of 64 bits",
                            ga__input_name(text->input), (long long)number, found));
        }
        if (*count == room) {
            int64_t more = room ? 2 * room : 1 << 10;
            GA_TRY(ga__resize(context, room, more, sizeof **values, values));
            room = more;
        }
        (*values)[(*count)++] = value;
    }
done:
    return status;
}

ga_status ga_integers_read(ga_context *context, const char *path, int64_t **values, int64_t *count)
{
    ga_status status = GA_OK;
    ga__input *input = NULL;
    ga__text_in text = { 0 };
    int64_t *read = NULL, size = 0;
    ga__begin(context);
    GA_TRY(ga__input_open(context, path, false, &input));
    GA_TRY(ga__text_in_open(context, input, &text));
    GA_TRY(read_values(context, &text, &read, &size));
    if (!read) {
        GA_TRY(GA_NEW(context, 0, &read));
    }
    *values = read;
    *count = size;
    read = NULL;
done:
    ga_free(context, read);
    if (text.buffer) {
        ga__text_in_close(&text);
    }
    ga__input_close(context, input);
    return status;
}

ga_status ga_integers_write(ga_context *context, const char *path, const int64_t *values, int64_t count)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    ga__begin(context);
    GA_TRY(ga__output_open(context, path, true, &output));
    for (int64_t i = 0; i < count; i++) {
        char text[32], *at = text;
        uint64_t size = values[i] < 0 ? 0 - (uint64_t)values[i] : (uint64_t)values[i];
        if (values[i] < 0) {
            *at++ = '-';
        }
        at = ga__put_number(at, size);
        *at++ = '\n';
        if (i % (1 << 16) == 0) {
            GA_TRY(ga__check(context));
        }
        GA_TRY(ga__output_write(context, output, text, at - text));
    }
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    return status;
}
