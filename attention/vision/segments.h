/* segments.h - tokens by segment. */
#ifndef GA_ATTENTION_VISION_SEGMENTS_H
#define GA_ATTENTION_VISION_SEGMENTS_H

#include "lib/base/base.h"

/* Tokens order[offsets[s]] .. order[offsets[s + 1] - 1] belong to segment s, ascending; count is the largest id + 1. */
typedef struct ga__segments {
    int64_t count, *offsets, *order; /* owned */
} ga__segments;

/* GA_INVALID "NAME: .." for a negative id. */
ga_status ga__segments_make(ga_context *context, const char *name, int64_t tokens, const int64_t *ids,
                            ga__segments *out);
void ga__segments_free(ga_context *context, ga__segments *segments);

#endif
