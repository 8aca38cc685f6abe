/* workers.c - what bodies that run on several threads share; parallel prefix sums. */
#include "config.h"

#include "lib/base/workers.h"

#include <sys/mman.h>

bool ga__stopped(ga_context *context, int *shared)
{
    if (ga__noted_status(shared) != GA_OK) {
        return true;
    }
    if (ga__cancelled(context)) {
        ga__note_status(shared, ga__check(context));
        return true;
    }
    return false;
}

int ga__threads_for(const ga_context *context, int64_t items)
{
    int threads = ga__threads(context);
    return items < threads ? (items > 1 ? (int)items : 1) : threads;
}

typedef struct pieces {
    ga_context *context;
    int64_t items, piece, next;
    ga__piece_fn body;
    void *user;
    int status;
} pieces;

static void piece_worker(void *user, int worker)
{
    pieces *p = user;
    for (int64_t from; (from = ga__claim(&p->next) * p->piece) < p->items;) {
        if (ga__stopped(p->context, &p->status)) {
            break;
        }
        p->body(p->user, worker, from, ga__min(p->items, from + p->piece));
    }
}

int ga__piece_threads(const ga_context *context, int64_t items, int64_t piece)
{
    return ga__threads_for(context, items / piece + (items % piece > 0));
}

ga_status ga__pieces(ga_context *context, int64_t items, int64_t piece, ga__piece_fn body, void *user)
{
    pieces p = { .context = context, .items = items, .piece = piece, .body = body, .user = user };
    ga__workers(context, ga__piece_threads(context, items, piece), piece_worker, &p);
    return ga__noted_status(&p.status);
}

void ga__advise_large(void *block, int64_t bytes)
{
#ifdef MADV_HUGEPAGE
    enum { PAGE = 4096, LARGE = 1 << 21 };
    if (block && bytes >= 2 * LARGE) {
        /* Whole pages from end to end: blocks side by side can then share large ones. */
        uintptr_t from = (uintptr_t)block & ~(uintptr_t)(PAGE - 1);
        uintptr_t to = ((uintptr_t)block + (uintptr_t)bytes + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* advice only: failing changes nothing */
    }
#else
    (void)block;
    (void)bytes;
#endif
}

enum { SUM_BLOCK = 1 << 16 };

typedef struct sums {
    ga_context *context;
    int64_t *offsets, *totals;
    int64_t count, blocks, next;
    bool adding; /* second pass: add what stands before the block */
    int status;
} sums;

static void sum_block(int64_t *offsets, int64_t from, int64_t to, int64_t running)
{
    for (int64_t i = from; i < to; i++) {
        running += offsets[i + 1];
        offsets[i + 1] = running;
    }
}

static void sum_worker(void *user, int worker)
{
    sums *s = user;
    (void)worker;
    for (int64_t b; (b = ga__claim(&s->next)) < s->blocks && !ga__stopped(s->context, &s->status);) {
        int64_t from = b * SUM_BLOCK, to = ga__min(s->count, from + SUM_BLOCK), total = 0;
        if (s->adding) {
            sum_block(s->offsets, from, to, s->totals[b]);
            continue;
        }
        for (int64_t i = from; i < to; i++) {
            total += s->offsets[i + 1];
        }
        s->totals[b] = total;
    }
}

ga_status ga__prefix_sum(ga_context *context, int64_t *offsets, int64_t count)
{
    ga_status status = GA_OK;
    sums s = {
        .context = context, .offsets = offsets, .count = count, .blocks = (count + SUM_BLOCK - 1) / SUM_BLOCK
    };
    int threads = ga__threads_for(context, s.blocks);
    offsets[0] = 0;
    GA_TRY(GA_NEW(context, s.blocks, &s.totals));
    ga__workers(context, threads, sum_worker, &s);
    GA_TRY(ga__noted_status(&s.status));
    for (int64_t b = 0, running = 0; b < s.blocks; b++) {
        int64_t total = s.totals[b];
        s.totals[b] = running;
        running += total;
    }
    s.next = 0;
    s.adding = true;
    ga__workers(context, threads, sum_worker, &s);
    status = ga__noted_status(&s.status);
done:
    ga_free(context, s.totals);
    return status;
}
