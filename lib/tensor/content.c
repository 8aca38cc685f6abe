/* content.c - reading what a header announced. */
#include "config.h"

#include "lib/tensor/content.h"

ga_status ga__content_read(ga__content *content, void *buffer, int64_t size, const char *what)
{
    int64_t got = 0;
    ga_status status = ga__input_read(content->context, content->input, buffer, size, &got);
    content->offset += got;
    if (status == GA_OK && got < size) {
        status = ga__fail(content->context, GA_FORMAT, "%s: ends at byte %lld, in the middle of its %s",
                          content->name, (long long)content->offset, what);
    }
    return status;
}

ga_status ga__content_expect(ga__content *content, int64_t bytes)
{
    int fd;
    int64_t size = 0;
    if (ga__input_plain(content->input, &fd, &size) && size - content->offset < bytes) {
        return ga__fail(content->context, GA_FORMAT, "%s: ends at byte %lld, its header expects %lld",
                        content->name, (long long)size, (long long)(content->offset + bytes));
    }
    return GA_OK;
}

ga_status ga__content_take(ga__content *content, int64_t bytes, unsigned char **data)
{
    enum { FIRST = 1 << 24, PIECE = 1 << 22 };
    ga_status status = GA_OK;
    ga_context *context = content->context;
    unsigned char *block = NULL;
    int fd;
    int64_t have = 0, size = 0, room = bytes;
    GA_TRY(ga__content_expect(content, bytes));
    if (!ga__input_plain(content->input, &fd, &size)) {
        room = ga__min(bytes, FIRST);
    }
    GA_TRY(ga_alloc(context, room, 1, &block));
    while (have < bytes) {
        if (have == room) {
            int64_t more = ga__min(bytes - room, room) + room;
            GA_TRY(ga__resize(context, room, more, 1, &block));
            room = more;
        }
        int64_t piece = ga__min(room - have, PIECE);
        GA_TRY(ga__content_read(content, block + have, piece, "data"));
        have += piece;
        GA_TRY(ga__check(context));
        ga__progress(context, "reading", have, bytes);
    }
    *data = block;
    block = NULL;
done:
    ga_free(context, block);
    return status;
}

ga_status ga__content_end(ga__content *content)
{
    unsigned char after;
    int64_t got = 0;
    ga_status status = ga__input_read(content->context, content->input, &after, 1, &got);
    if (status == GA_OK && got > 0) {
        status = ga__fail(content->context, GA_FORMAT, "%s: byte %lld: more data than its header expects",
                          content->name, (long long)content->offset);
    }
    return status;
}
