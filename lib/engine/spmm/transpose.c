/* transpose.c - the same edges by source. */
#include "config.h"

#include <string.h>

#include "lib/engine/spmm/spmm.h"

/* Every worker reads all edges and takes those of its range of sources, in order: a stable counting sort whose result
 * does not depend on how many ranges there are, without a table per worker. */
typedef struct sorting {
    ga_context *context;
    const ga_edges *edges;
    ga_transposed *out;
    int64_t *next_place; /* of a source */
    int64_t ranges, next;
    int status;
} sorting;

enum { BLOCK = 1 << 16 };

static void range_of(const sorting *s, int64_t range, int64_t *from, int64_t *to)
{
    int64_t each = s->edges->sources_count / s->ranges, over = s->edges->sources_count % s->ranges;
    *from = range * each + ga__min(range, over);
    *to = *from + each + (range < over);
}

static void count_worker(void *user, int worker)
{
    sorting *s = user;
    int64_t *degree = s->out->offsets + 1;
    (void)worker;
    for (int64_t r; (r = ga__claim(&s->next)) < s->ranges;) {
        int64_t from, to;
        range_of(s, r, &from, &to);
        for (int64_t block = 0; block < s->edges->count && !ga__stopped(s->context, &s->status);
             block += BLOCK) {
            int64_t end = ga__min(s->edges->count, block + BLOCK);
            for (int64_t e = block; e < end; e++) {
                int64_t source = s->edges->sources[e];
                if (source >= from && source < to) {
                    degree[source]++;
                } else if (source >= s->edges->sources_count) {
                    ga__note_status(&s->status,
                                    ga__fail(s->context, GA_INVALID,
                                             "edges: edge %lld comes from source %lld of %lld", (long long)e,
                                             (long long)source, (long long)s->edges->sources_count));
                    return;
                }
            }
        }
    }
}

static void place_worker(void *user, int worker)
{
    sorting *s = user;
    const ga_edges *edges = s->edges;
    (void)worker;
    for (int64_t r; (r = ga__claim(&s->next)) < s->ranges;) {
        int64_t from, to;
        range_of(s, r, &from, &to);
        for (int64_t i = 0; i < edges->targets; i++) {
            if (i % BLOCK == 0 && ga__stopped(s->context, &s->status)) {
                return;
            }
            for (int64_t e = edges->offsets[i]; e < edges->offsets[i + 1]; e++) {
                int64_t source = edges->sources[e];
                if (source >= from && source < to) {
                    int64_t place = s->next_place[source]++;
                    s->out->targets[place] = (uint32_t)i;
                    s->out->edge[place] = e;
                }
            }
        }
    }
}

/* One block: offsets, places of edges, targets. */
static ga_status take_block(ga_context *context, const ga_edges *edges, ga_transposed *out)
{
    int64_t words = edges->sources_count + 1;
    if (!ga__add(words, edges->count, &words) || !ga__add(words, edges->count / 2 + 1, &words)) {
        return ga__fail(context, GA_OVERFLOW, "edges: %lld edges are too many", (long long)edges->count);
    }
    ga_status status = GA_NEW(context, words, &out->offsets);
    if (status == GA_OK) {
        out->edge = out->offsets + edges->sources_count + 1;
        out->targets = (uint32_t *)(out->edge + edges->count);
        memset(out->offsets, 0, (size_t)(edges->sources_count + 1) * sizeof *out->offsets);
    }
    return status;
}

ga_status ga_edges_transpose(ga_context *context, const ga_edges *edges, ga_transposed *transposed)
{
    ga_status status = GA_OK;
    ga_transposed out = { 0 };
    ga__split split = { 0 };
    sorting s = { .context = context, .edges = edges, .out = &out };
    ga__begin(context);
    GA_TRY(ga__edges_check(context, edges));
    if (edges->targets > (int64_t)UINT32_MAX + 1) {
        status = ga__fail(context, GA_LIMIT, "edges: %lld targets, at most 2^32", (long long)edges->targets);
        goto done;
    }
    GA_TRY(
        ga__split_edges(context, "edges", edges->targets, edges->count, edges->offsets, &split)); /* checks */
    GA_TRY(take_block(context, edges, &out));
    GA_TRY(GA_NEW(context, edges->sources_count, &s.next_place));
    s.ranges = edges->count < BLOCK ? 1 : ga__threads(context);
    ga__workers(context, ga__threads_for(context, s.ranges), count_worker, &s);
    GA_TRY(ga__noted_status(&s.status));
    GA_TRY(ga__prefix_sum(context, out.offsets, edges->sources_count));
    if (edges->sources_count > 0) {
        memcpy(s.next_place, out.offsets, (size_t)edges->sources_count * sizeof *out.offsets);
    }
    s.next = 0;
    ga__workers(context, ga__threads_for(context, s.ranges), place_worker, &s);
    GA_TRY(ga__noted_status(&s.status));
    *transposed = out;
    out = (ga_transposed){ 0 };
done:
    ga_free(context, s.next_place);
    ga__split_free(context, &split);
    ga_transposed_destroy(context, &out);
    return status;
}

void ga_transposed_destroy(ga_context *context, ga_transposed *transposed)
{
    if (transposed) {
        ga_free(context, transposed->offsets);
        *transposed = (ga_transposed){ 0 };
    }
}
