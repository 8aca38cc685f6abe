/* edge_list.c - edges as they were read, as a source of edges. */
#include "config.h"

#include "graph/edge_list.h"

#include <string.h>

enum { LIST_BLOCK = 1 << 14 };

void ga__edge_list_clear(ga_context *context, ga__edge_list *list)
{
    for (int64_t i = 0; i < list->chunk_count; i++) {
        ga_free(context, list->chunks[i].pairs);
        ga_free(context, list->chunks[i].weights);
    }
    ga_free(context, list->chunks);
    ga_free(context, list->segments);
    *list = (ga__edge_list){ 0 };
}

/* A piece of a segment. */
typedef struct piece {
    const ga__pair *pairs;
    const float *weights;
    int64_t count, chunk;
} piece;

typedef struct list_source {
    ga_context *context;
    ga__edge_list *list;
    piece *pieces;
    bool both;
    pthread_mutex_t lock; /* guards pending and the allocator */
} list_source;

static int64_t list_block(void *user, int64_t block, int bits, uint64_t *keys, float *weights)
{
    const list_source *s = user;
    const piece *p = &s->pieces[block];
    int64_t count = p->count;
    for (int64_t i = 0; i < count; i++) {
        keys[i] = (uint64_t)p->pairs[i].source << bits | p->pairs[i].target;
    }
    if (weights) {
        memcpy(weights, p->weights, (size_t)count * sizeof *weights);
    }
    for (int64_t i = 0; s->both && i < p->count; i++) {
        ga__pair pair = p->pairs[i];
        if (pair.source != pair.target) {
            if (weights) {
                weights[count] = weights[i];
            }
            keys[count++] = (uint64_t)pair.target << bits | pair.source;
        }
    }
    return count;
}

static void list_done(void *user, int64_t block)
{
    list_source *s = user;
    pthread_mutex_lock(&s->lock);
    ga__chunk *chunk = &s->list->chunks[s->pieces[block].chunk];
    if (--chunk->pending == 0) {
        ga_free(s->context, chunk->pairs);
        ga_free(s->context, chunk->weights);
        chunk->pairs = NULL;
        chunk->weights = NULL;
    }
    pthread_mutex_unlock(&s->lock);
}

static ga_status cut_segments(list_source *s, int64_t *count)
{
    ga_status status = GA_OK;
    int64_t pieces = 0;
    for (int64_t i = 0; i < s->list->segment_count; i++) {
        pieces += (s->list->segments[i].count + LIST_BLOCK - 1) / LIST_BLOCK;
    }
    GA_TRY(GA_NEW(s->context, pieces, &s->pieces));
    pieces = 0;
    for (int64_t i = 0; i < s->list->segment_count; i++) {
        const ga__segment *from = &s->list->segments[i];
        for (int64_t begin = 0; begin < from->count; begin += LIST_BLOCK) {
            s->pieces[pieces++] = (piece){ from->narrow + begin, from->weights ? from->weights + begin : NULL,
                                           ga__min(LIST_BLOCK, from->count - begin), from->chunk };
            s->list->chunks[from->chunk].pending++;
        }
    }
    *count = pieces;
done:
    return status;
}

static ga_status build_unsorted(ga_context *context, ga__edge_list *list, const ga__mapping *mapping,
                                bool both, const ga__csr_policy *policy, ga__csr_result *result)
{
    ga_status status = GA_OK;
    list_source s = { .context = context, .list = list, .both = both };
    ga__edge_source source = { .edges = list->edges * (both ? 2 : 1),
                               .widest = LIST_BLOCK * (both ? 2 : 1),
                               .block = list_block,
                               .done = list_done,
                               .user = &s };
    pthread_mutex_init(&s.lock, NULL);
    GA_TRY(cut_segments(&s, &source.blocks));
    source.largest_id = mapping->ranks.bits ? (uint32_t)list->largest
                                            : (uint32_t)(mapping->nodes > 0 ? mapping->nodes - 1 : 0);
    GA_TRY(ga__csr_build(context, mapping->nodes, &source, policy, result));
done:
    ga_free(context, s.pieces);
    pthread_mutex_destroy(&s.lock);
    return status;
}

static uint64_t pair_key(ga__pair pair)
{
    return (uint64_t)pair.source << 32 | pair.target;
}

/* Whether the file lists its edges in ascending order. */
static bool is_sorted(const ga__edge_list *list)
{
    uint64_t last = 0;
    for (int64_t i = 0; i < list->segment_count; i++) {
        const ga__segment *s = &list->segments[i];
        if (s->count == 0) {
            continue;
        }
        if (s->wide || !s->sorted || s->weights || pair_key(s->narrow[0]) < last) {
            return false;
        }
        last = pair_key(s->narrow[s->count - 1]);
    }
    return true;
}

static ga_status build_sorted(ga_context *context, const ga__edge_list *list, const ga__mapping *mapping,
                              const ga__csr_policy *policy, ga__csr_result *result)
{
    ga_status status = GA_OK;
    ga__run *runs = NULL;
    GA_TRY(GA_NEW(context, list->segment_count, &runs));
    for (int64_t i = 0; i < list->segment_count; i++) {
        runs[i] = (ga__run){ list->segments[i].narrow, list->segments[i].count, list->segments[i].distinct };
    }
    GA_TRY(ga__csr_from_runs(context, mapping->nodes, runs, list->segment_count, policy, result));
done:
    ga_free(context, runs);
    return status;
}

ga_status ga__edge_list_build(ga_context *context, ga__edge_list *list, const ga__mapping *mapping, bool both,
                              const ga__csr_policy *policy, ga__csr_result *result)
{
    ga__csr_policy mapped = *policy;
    mapped.ranks = mapping->ranks.bits ? &mapping->ranks : NULL;
    ga_status status = !both && !policy->weights && is_sorted(list)
                           ? build_sorted(context, list, mapping, &mapped, result)
                           : build_unsorted(context, list, mapping, both, &mapped, result);
    ga__edge_list_clear(context, list);
    return status;
}
