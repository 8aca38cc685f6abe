/* csr.c - edges in any order to sorted rows: the order of the stages. */
#include "config.h"

#include "graph/csr.h"

#include <string.h>

#include "graph/csr_build.h"

ga_status ga__build_add_unit(ga__build *b, void *elements, int64_t count, bool uniform)
{
    ga_status status = GA_OK;
    if (b->unit_count == b->unit_room) {
        int64_t room = b->unit_room ? 2 * b->unit_room : 16;
        GA_TRY(ga__resize(b->context, b->unit_room, room, sizeof *b->units, &b->units));
        b->unit_room = room;
    }
    b->units[b->unit_count++] = (ga__unit){ .elements = elements, .count = count, .uniform = uniform };
done:
    return status;
}

ga_status ga__build_add_buffer(ga__build *b, void *buffer)
{
    ga_status status = GA_OK;
    if (b->buffer_count == b->buffer_room) {
        int64_t room = b->buffer_room ? 2 * b->buffer_room : 4;
        GA_TRY(ga__resize(b->context, b->buffer_room, room, sizeof *b->buffers, &b->buffers));
        b->buffer_room = room;
    }
    b->buffers[b->buffer_count++] = buffer;
done:
    return status;
}

void ga__build_refuse(ga__build *b, uint64_t key, bool loop)
{
    pthread_mutex_lock(&b->lock);
    if (!b->refused || key < b->refused_key) {
        b->refused = true;
        b->refused_loop = loop;
        b->refused_key = key;
    }
    pthread_mutex_unlock(&b->lock);
}

static void free_buffers(ga__build *b)
{
    for (int64_t i = 0; i < b->buffer_count; i++) {
        ga_free(b->context, b->buffers[i]);
    }
    b->buffer_count = 0;
}

typedef struct sorting {
    ga__build *b;
    void (*unit)(ga__build *b, ga__unit *unit, void *scratch);
} sorting;

static void unit_worker(void *user, int worker)
{
    sorting *s = user;
    ga__build *b = s->b;
    char *scratch = b->scratch + worker * b->scratch_stride;
    for (int64_t i; (i = ga__claim(&b->next)) < b->unit_count && !ga__stopped(b->context, &b->status);) {
        s->unit(b, &b->units[i], scratch);
        ga__progress(b->context, "building", i + 1, b->unit_count);
    }
}

static ga_status sort_units(ga__build *b, sorting *s, int64_t element_size)
{
    ga_status status = GA_OK;
    int threads = ga__threads_for(b->context, b->unit_count);
    int64_t longest = 0;
    for (int64_t i = 0; i < b->unit_count; i++) {
        longest = b->units[i].uniform ? longest : ga__max(longest, b->units[i].count);
    }
    b->scratch_stride = longest * element_size;
    GA_TRY(ga_alloc(b->context, threads * b->scratch_stride, 1, &b->scratch));
    b->next = 0;
    ga__workers(b->context, threads, unit_worker, s);
    status = ga__noted_status(&b->status);
done:
    ga_free(b->context, b->scratch);
    b->scratch = NULL;
    return status;
}

static void copy_unit(const ga__build *b, const ga__unit *unit)
{
    const ga__ranks *ranks = b->policy->ranks;
    const char *squeezed = unit->elements;
    uint32_t *targets = b->targets + unit->begin;
    int step = b->weights ? 2 : 1;
    if (!ranks && !b->weights) {
        memcpy(targets, squeezed, (size_t)unit->kept * sizeof *targets);
        return;
    }
    for (int64_t i = 0; i < unit->kept; i++) {
        uint32_t target;
        memcpy(&target, squeezed + 4 * step * i, sizeof target);
        targets[i] = ranks ? ga__rank_of(ranks, target) : target;
    }
    for (int64_t i = 0; b->weights && i < unit->kept; i++) {
        memcpy(&b->weights[unit->begin + i], squeezed + 8 * i + 4, sizeof *b->weights);
    }
}

static void copy_worker(void *user, int worker)
{
    ga__build *b = user;
    (void)worker;
    for (int64_t i; (i = ga__claim(&b->next)) < b->unit_count && !ga__stopped(b->context, &b->status);) {
        copy_unit(b, &b->units[i]);
    }
}

static ga_status copy_units(ga__build *b, ga__csr_result *result)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < b->unit_count; i++) {
        b->units[i].begin = result->edges;
        result->edges += b->units[i].kept;
    }
    GA_TRY(GA_NEW(b->context, result->edges, &b->targets));
    ga__advise_large(b->targets, result->edges * (int64_t)sizeof *b->targets);
    if (b->policy->weights) {
        GA_TRY(GA_NEW(b->context, result->edges, &b->weights));
    }
    b->next = 0;
    ga__workers(b->context, ga__threads_for(b->context, b->unit_count), copy_worker, b);
    status = ga__noted_status(&b->status);
done:
    return status;
}

/* Units to the result. */
static ga_status build_rows(ga__build *b, int64_t nodes, sorting *s, int64_t element_size,
                            ga__csr_result *result)
{
    ga_status status = GA_OK;
    ga__csr_result made = { 0 };
    GA_TRY(GA_NEW_ZERO(b->context, nodes + 1, &b->offsets));
    GA_TRY(sort_units(b, s, element_size));
    for (int64_t i = 0; i < b->unit_count; i++) {
        made.listed += b->units[i].count;
    }
    made.loops = b->loops;
    made.duplicates = b->duplicates;
    if (b->refused) {
        made.refused = true;
        made.refused_loop = b->refused_loop;
        made.source = (uint32_t)(b->refused_key >> b->bits);
        made.target = (uint32_t)(b->refused_key & ((UINT64_C(1) << b->bits) - 1));
        *result = made;
        goto done;
    }
    GA_TRY(ga__prefix_sum(b->context, b->offsets, nodes));
    GA_TRY(copy_units(b, &made));
    made.offsets = b->offsets;
    made.targets = b->targets;
    made.weights = b->weights;
    b->offsets = NULL;
    b->targets = NULL;
    b->weights = NULL;
    *result = made;
done:
    return status;
}

static void drop_build(ga__build *b)
{
    free_buffers(b);
    ga_free(b->context, b->buffers);
    ga_free(b->context, b->units);
    ga_free(b->context, b->offsets);
    ga_free(b->context, b->targets);
    ga_free(b->context, b->weights);
    pthread_mutex_destroy(&b->lock);
}

ga_status ga__csr_build(ga_context *context, int64_t nodes, const ga__edge_source *source,
                        const ga__csr_policy *policy, ga__csr_result *result)
{
    ga_status status = GA_OK;
    ga__build b = { .context = context, .policy = policy, .bits = ga__bits(source->largest_id) };
    sorting s = { &b, policy->weights ? ga__unit_weighted : ga__unit_plain };
    b.unit_size = ga__max(GA__UNIT, source->edges / 1024);
    pthread_mutex_init(&b.lock, NULL);
    if (policy->weights) {
        GA_TRY(ga__split_weighted(&b, source));
    } else {
        GA_TRY(ga__split_plain(&b, source));
    }
    GA_TRY(build_rows(&b, nodes, &s, policy->weights ? (int64_t)sizeof(ga__weighted_key) : 8, result));
done:
    drop_build(&b);
    return status;
}

/* ---- pairs that lie in one array ---- */

enum { PAIR_BLOCK = 1 << 14 };

typedef struct pair_array {
    const ga__pair *pairs;
    int64_t count;
} pair_array;

static int64_t pair_block(void *user, int64_t block, int bits, uint64_t *keys, float *weights)
{
    const pair_array *a = user;
    int64_t begin = block * PAIR_BLOCK, count = ga__min(PAIR_BLOCK, a->count - begin);
    (void)weights;
    for (int64_t i = 0; i < count; i++) {
        keys[i] = (uint64_t)a->pairs[begin + i].source << bits | a->pairs[begin + i].target;
    }
    return count;
}

ga_status ga__pairs_to_csr(ga_context *context, int64_t nodes, int64_t count, ga__pair *pairs,
                           int64_t **offsets, uint32_t **targets)
{
    ga_status status = GA_OK;
    pair_array array = { pairs, count };
    ga__edge_source source = { .blocks = (count + PAIR_BLOCK - 1) / PAIR_BLOCK,
                               .edges = count,
                               .widest = PAIR_BLOCK,
                               .largest_id = nodes > 0 ? (uint32_t)(nodes - 1) : 0,
                               .block = pair_block,
                               .user = &array };
    ga__csr_policy policy = { GA_LOOPS_KEEP, GA_MULTI_KEEP, false, NULL };
    ga__csr_result result = { 0 };
    GA_TRY(ga__csr_build(context, nodes, &source, &policy, &result));
    *offsets = result.offsets;
    *targets = result.targets;
done:
    return status;
}
