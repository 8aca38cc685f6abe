/* backward_plan.c - how the tiles' backward pass is cut into parts. */
#include "config.h"

#include "lib/engine/tile_attention/backward_item.h"

enum {
    PARTS = 32,            /* enough to keep many threads busy */
    PART_BYTES = 64 << 20, /* what parts may take for dk and dv of their own, or so many times dk and dv: */
    PART_COPIES = 8
};

typedef struct ranges {
    ga__back *back;
    ga__run *runs; /* most_runs for each thread */
    int64_t next;
} ranges;

/* Places that a block of queries sees, from the first to the last, in blocks. */
static ga__back_range range_of(const ga_pattern *pattern, int64_t head, int64_t block, ga__run *runs)
{
    ga__back_range range = { INT64_MAX, 0 };
    int64_t last = ga__min(pattern->queries, (block + 1) * GA__BACK);
    for (int64_t query = block * GA__BACK; query < last; query++) {
        int64_t count = ga__pattern_row(pattern, head, query, runs);
        if (count > 0) {
            range.first = ga__min(range.first, runs[0].first / GA__BACK);
            range.last = ga__max(range.last, (runs[count - 1].last - 1) / GA__BACK + 1);
        }
    }
    return range;
}

static void range_worker(void *user, int worker)
{
    ranges *r = user;
    ga__back *back = r->back;
    const ga_pattern *pattern = back->a->pattern;
    ga__run *runs = r->runs + worker * pattern->most_runs;
    for (int64_t at; (at = ga__claim(&r->next)) < pattern->heads * back->blocks;) {
        if (ga__stopped(back->context, &back->status)) {
            return;
        }
        back->block_range[at] = range_of(pattern, at / back->blocks, at % back->blocks, runs);
    }
}

static ga_status find_block_ranges(ga__back *back)
{
    ga_status status = GA_OK;
    const ga_pattern *pattern = back->a->pattern;
    ranges r = { .back = back };
    int64_t count = 0, room = 0;
    int threads = 1;
    if (!ga__mul(pattern->heads, back->blocks, &count)) {
        GA_TRY(ga__fail(back->context, GA_OVERFLOW, "attention: too many heads and queries"));
    }
    threads = ga__threads_for(back->context, count / 64);
    if (!ga__mul(pattern->most_runs, threads, &room)) {
        GA_TRY(ga__fail(back->context, GA_OVERFLOW, "attention: too many runs of keys"));
    }
    GA_TRY(GA_NEW(back->context, count, &back->block_range));
    GA_TRY(GA_NEW(back->context, room, &r.runs));
    ga__workers(back->context, threads, range_worker, &r);
    status = ga__noted_status(&back->status);
done:
    ga_free(back->context, r.runs);
    return status;
}

static ga__back_range chunk_range(const ga__back *back, int64_t kv, int64_t chunk, int64_t blocks_per_chunk)
{
    const ga_pattern *pattern = back->a->pattern;
    ga__back_range range = { INT64_MAX, 0 };
    int64_t members = pattern->heads == 1 ? 1 : back->a->group;
    int64_t last = ga__min(back->blocks, (chunk + 1) * blocks_per_chunk);
    for (int64_t m = 0; m < members; m++) {
        int64_t head = ga__pattern_head(pattern, kv * back->a->group + m);
        for (int64_t block = chunk * blocks_per_chunk; block < last; block++) {
            const ga__back_range *seen = &back->block_range[head * back->blocks + block];
            range.first = ga__min(range.first, seen->first);
            range.last = ga__max(range.last, seen->last);
        }
    }
    return range.first < range.last ? range : (ga__back_range){ 0, 0 };
}

/* Blocks of places over all parts of a batch. */
static int64_t count_places(const ga__back *back, int64_t blocks_per_chunk)
{
    int64_t total = 0, chunks = (back->blocks + blocks_per_chunk - 1) / blocks_per_chunk;
    for (int64_t kv = 0; kv < back->a->kv_heads; kv++) {
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            ga__back_range range = chunk_range(back, kv, chunk, blocks_per_chunk);
            total += range.last - range.first;
        }
    }
    return total;
}

/* As many chunks as make PARTS parts, fewer where their dk and dv would take too much room. Under a gradient
 * of a dense bias one part after another adds to the same rows, which leaves less to do at once. */
static void choose_chunks(ga__back *back)
{
    const ga__attention *a = back->a;
    int64_t apart = back->bias.data ? (back->bias.heads == 1 ? 1 : a->kv_heads) : a->batch * a->kv_heads;
    int64_t wanted = ga__max(1, PARTS / ga__max(1, apart)), per = ga__max(1, back->blocks / wanted);
    double bytes = (double)a->batch * (double)(back->stride + back->stride_v) * GA__BACK * sizeof(float);
    double plain = (double)(a->kv_heads * ((a->places + GA__BACK - 1) / GA__BACK)) * bytes;
    double most = plain * PART_COPIES > PART_BYTES ? plain * PART_COPIES : PART_BYTES;
    while (per < back->blocks && (double)count_places(back, per) * bytes > most) {
        per = ga__min(2 * per, back->blocks);
    }
    back->blocks_per_chunk = per;
    back->chunks = (back->blocks + per - 1) / per;
}

ga_status ga__back_plan(ga__back *back)
{
    ga_status status = GA_OK;
    int64_t slots = 0;
    back->blocks = (back->a->queries + GA__BACK - 1) / GA__BACK;
    GA_TRY(find_block_ranges(back));
    choose_chunks(back);
    slots = back->a->kv_heads * back->chunks;
    GA_TRY(GA_NEW(back->context, slots, &back->range));
    GA_TRY(GA_NEW(back->context, slots, &back->start));
    for (int64_t slot = 0; slot < slots; slot++) {
        back->range[slot] =
            chunk_range(back, slot / back->chunks, slot % back->chunks, back->blocks_per_chunk);
        back->start[slot] = back->rows_per_batch;
        back->rows_per_batch += (back->range[slot].last - back->range[slot].first) * GA__BACK;
    }
done:
    return status;
}
