/* segments.c - tokens by segment, by counting. */
#include "config.h"

#include "attention/vision/segments.h"
#include "lib/base/workers.h"

ga_status ga__segments_make(ga_context *context, const char *name, int64_t tokens, const int64_t *ids,
                            ga__segments *out)
{
    ga_status status = GA_OK;
    int64_t most = -1, room = 0, *next = NULL;
    *out = (ga__segments){ .count = 0 };
    for (int64_t i = 0; i < tokens; i++) {
        if (ids[i] < 0) {
            GA_TRY(ga__fail(context, GA_INVALID, "%s: found %lld at place %lld, expected >= 0", name,
                            (long long)ids[i], (long long)i));
        }
        most = ga__max(most, ids[i]);
    }
    if (!ga__add(most, 2, &room)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "%s: %lld is too large", name, (long long)most));
    }
    out->count = most + 1;
    GA_TRY(GA_NEW_ZERO(context, room, &out->offsets));
    GA_TRY(GA_NEW(context, tokens, &out->order));
    GA_TRY(GA_NEW(context, room, &next));
    for (int64_t i = 0; i < tokens; i++) {
        out->offsets[ids[i] + 1]++;
    }
    GA_TRY(ga__prefix_sum(context, out->offsets, out->count));
    for (int64_t s = 0; s < out->count; s++) {
        next[s] = out->offsets[s];
    }
    for (int64_t i = 0; i < tokens; i++) {
        out->order[next[ids[i]]++] = i;
    }
done:
    ga_free(context, next);
    return status;
}

void ga__segments_free(ga_context *context, ga__segments *segments)
{
    ga_free(context, segments->offsets);
    ga_free(context, segments->order);
    *segments = (ga__segments){ .count = 0 };
}
