/* text_in.h - a text read piece by piece: headers, adjacency lists, lists of integers. */
#ifndef GA_GRAPH_TEXT_IN_H
#define GA_GRAPH_TEXT_IN_H

#include "lib/base/base.h"

typedef struct ga__text_in {
    ga_context *context;
    ga__input *input;
    unsigned char *buffer;
    int64_t at, have, consumed; /* consumed: bytes before the buffer */
    int64_t line;               /* number of the line that `at` lies in, from 1 */
    bool ended;
} ga__text_in;

ga_status ga__text_in_open(ga_context *context, ga__input *input, ga__text_in *text);
void ga__text_in_close(ga__text_in *text);

/* The next byte without taking it; -1 at the end. "\r\n" and "\r" are given as "\n". */
ga_status ga__text_in_peek(ga__text_in *text, int *byte);
/* Takes the byte that was peeked. */
void ga__text_in_take(ga__text_in *text);

/* The rest of the line without its end, which is taken; *size -1 when the text has ended. Valid until the next call.
 * Fails for lines beyond GA__LINE_LIMIT. */
ga_status ga__text_in_line(ga__text_in *text, const unsigned char **line, int64_t *size);

#endif
