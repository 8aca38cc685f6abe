/* content.h - reading what a header announced, without believing it. */
#ifndef GA_LIB_TENSOR_CONTENT_H
#define GA_LIB_TENSOR_CONTENT_H

#include "lib/base/base.h"

typedef struct ga__content {
    ga_context *context;
    ga__input *input;
    const char *name;
    int64_t offset; /* bytes consumed */
} ga__content;

/* Exactly size bytes, or GA_FORMAT: "NAME: ends at byte N, in the middle of its WHAT". */
ga_status ga__content_read(ga__content *content, void *buffer, int64_t size, const char *what);
/* GA_FORMAT when the size of the file is known and less than `bytes` are left. */
ga_status ga__content_expect(ga__content *content, int64_t bytes);
/* Room for `bytes` that grows with what is really there; returns owned data. */
ga_status ga__content_take(ga__content *content, int64_t bytes, unsigned char **data);
/* GA_FORMAT when there is more. */
ga_status ga__content_end(ga__content *content);

#endif
