/* csr_runs.c - edges that come in ascending order to rows: each is copied to its place at once.
 *
 * How many edges of a piece stay is known at once where none is a loop or repeated, which the reader of a file tells;
 * other pieces are gone through before. Offsets are written by the piece that the next row with edges begins in.
 */
#include "config.h"

#include "graph/csr.h"

#include "lib/base/workers.h"

enum { PIECE = 1 << 15 };

typedef struct piece {
    const ga__pair *pairs;
    int64_t count, kept, begin;
    uint64_t previous;            /* the key before; has_previous: there is one */
    int64_t row_before, last_row; /* sources of the last edges that stay, -1 if there are none */
    int64_t loops, duplicates;
    bool has_previous, distinct;
    bool refused, refused_loop;
    uint64_t refused_key;
} piece;

typedef struct placing {
    ga_context *context;
    const ga__csr_policy *policy;
    piece *pieces;
    int64_t count, edges;
    int64_t *offsets;
    uint32_t *targets;
    int64_t next;
    int status;
} placing;

static inline uint64_t key_of(ga__pair pair)
{
    return (uint64_t)pair.source << 32 | pair.target;
}

static inline bool stays(const ga__csr_policy *policy, bool loop, bool again)
{
    return !(loop && policy->loops != GA_LOOPS_KEEP) && !(again && policy->multi != GA_MULTI_KEEP);
}

/* ---- how many stay ---- */

static void refuse(const ga__csr_policy *policy, piece *p, uint64_t key, bool loop, bool again)
{
    bool by_loop = loop && policy->loops == GA_LOOPS_ERROR;
    bool by_repetition =
        again && policy->multi == GA_MULTI_ERROR && !(loop && policy->loops == GA_LOOPS_DROP);
    if (!p->refused && (by_loop || by_repetition)) {
        p->refused = true;
        p->refused_loop = by_loop;
        p->refused_key = key;
    }
}

static void examine(const ga__csr_policy *policy, piece *p)
{
    uint64_t previous = p->previous;
    bool any = p->has_previous;
    p->kept = 0;
    p->last_row = -1;
    for (int64_t i = 0; i < p->count; i++) {
        uint64_t key = key_of(p->pairs[i]);
        bool loop = p->pairs[i].source == p->pairs[i].target, again = any && key == previous;
        any = true;
        previous = key;
        p->loops += loop && !again;
        p->duplicates += !loop && again;
        if (loop || again) {
            refuse(policy, p, key, loop, again);
        }
        if (stays(policy, loop, again)) {
            p->kept++;
            p->last_row = p->pairs[i].source;
        }
    }
}

static void examine_worker(void *user, int worker)
{
    placing *t = user;
    (void)worker;
    for (int64_t i; (i = ga__claim(&t->next)) < t->count && !ga__stopped(t->context, &t->status);) {
        if (!t->pieces[i].distinct) {
            examine(t->policy, &t->pieces[i]);
        }
    }
}

/* ---- to their places ---- */

static inline uint32_t node_of(const placing *t, uint32_t id)
{
    return t->policy->ranks ? ga__rank_of(t->policy->ranks, id) : id;
}

/* The rows behind `row` up to that of the source begin at edge; returns the latter. */
static inline int64_t begin_row(const placing *t, int64_t row, uint32_t source, int64_t edge)
{
    int64_t to = (int64_t)node_of(t, source);
    while (row < to) {
        t->offsets[++row] = edge;
    }
    return row;
}

typedef struct cursor {
    int64_t source, row, edge; /* of the last edge placed, -1: none; where the next one goes */
} cursor;

static inline void put(const placing *t, cursor *at, ga__pair pair)
{
    if (pair.source != at->source) {
        at->source = pair.source;
        at->row = begin_row(t, at->row, pair.source, at->edge);
    }
    t->targets[at->edge++] = node_of(t, pair.target);
}

static void place_some(const placing *t, const piece *p, cursor at)
{
    uint64_t previous = p->previous;
    bool any = p->has_previous;
    for (int64_t i = 0; i < p->count; i++) {
        uint64_t key = key_of(p->pairs[i]);
        bool again = any && key == previous;
        any = true;
        previous = key;
        if (stays(t->policy, p->pairs[i].source == p->pairs[i].target, again)) {
            put(t, &at, p->pairs[i]);
        }
    }
}

static void place(const placing *t, const piece *p)
{
    int64_t source = p->row_before;
    cursor at = { source, source < 0 ? -1 : (int64_t)node_of(t, (uint32_t)source), p->begin };
    if (!p->distinct) {
        place_some(t, p, at);
        return;
    }
    for (int64_t i = 0; i < p->count; i++) {
        put(t, &at, p->pairs[i]);
    }
}

static void place_worker(void *user, int worker)
{
    placing *t = user;
    (void)worker;
    for (int64_t i; (i = ga__claim(&t->next)) < t->count && !ga__stopped(t->context, &t->status);) {
        place(t, &t->pieces[i]);
        ga__progress(t->context, "building", i + 1, t->count);
    }
}

/* ---- all ---- */

static ga_status cut_runs(placing *t, const ga__run *runs, int64_t run_count)
{
    ga_status status = GA_OK;
    int64_t pieces = 0;
    uint64_t last = 0;
    bool any = false;
    for (int64_t i = 0; i < run_count; i++) {
        pieces += (runs[i].count + PIECE - 1) / PIECE;
    }
    GA_TRY(GA_NEW(t->context, pieces, &t->pieces));
    for (int64_t i = 0; i < run_count; i++) {
        for (int64_t begin = 0; begin < runs[i].count; begin += PIECE) {
            int64_t count = ga__min(PIECE, runs[i].count - begin);
            const ga__pair *pairs = runs[i].pairs + begin;
            bool distinct = runs[i].distinct && !(any && key_of(pairs[0]) == last);
            t->pieces[t->count++] = (piece){ .pairs = pairs,
                                             .count = count,
                                             .kept = count,
                                             .previous = last,
                                             .has_previous = any,
                                             .last_row = pairs[count - 1].source,
                                             .distinct = distinct };
            last = key_of(pairs[count - 1]);
            any = true;
        }
    }
done:
    return status;
}

static ga_status run(placing *t, ga__worker_fn body)
{
    t->next = 0;
    ga__workers(t->context, ga__threads_for(t->context, t->count), body, t);
    return ga__noted_status(&t->status);
}

/* Where pieces begin; returns the last row with an edge. */
static int64_t sum_up(placing *t, ga__csr_result *result)
{
    int64_t row = -1;
    for (int64_t i = 0; i < t->count; i++) {
        piece *p = &t->pieces[i];
        p->begin = result->edges;
        p->row_before = row;
        row = p->last_row >= 0 ? p->last_row : row;
        result->listed += p->count;
        result->edges += p->kept;
        result->loops += p->loops;
        result->duplicates += p->duplicates;
        if (p->refused && !result->refused) {
            result->refused = true;
            result->refused_loop = p->refused_loop;
            result->source = (uint32_t)(p->refused_key >> 32);
            result->target = (uint32_t)p->refused_key;
        }
    }
    return row;
}

ga_status ga__csr_from_runs(ga_context *context, int64_t nodes, const ga__run *runs, int64_t run_count,
                            const ga__csr_policy *policy, ga__csr_result *result)
{
    ga_status status = GA_OK;
    placing t = { .context = context, .policy = policy };
    ga__csr_result made = { 0 };
    GA_TRY(cut_runs(&t, runs, run_count));
    GA_TRY(run(&t, examine_worker));
    int64_t row = sum_up(&t, &made);
    if (!made.refused) {
        GA_TRY(GA_NEW(context, nodes + 1, &t.offsets));
        GA_TRY(GA_NEW(context, made.edges, &t.targets));
        ga__advise_large(t.targets, made.edges * (int64_t)sizeof *t.targets);
        ga__advise_large(t.offsets, (nodes + 1) * (int64_t)sizeof *t.offsets);
        GA_TRY(run(&t, place_worker));
        for (row = row < 0 ? -1 : (int64_t)node_of(&t, (uint32_t)row); row < nodes;) {
            t.offsets[++row] = made.edges;
        }
        made.offsets = t.offsets;
        made.targets = t.targets;
        t.offsets = NULL;
        t.targets = NULL;
    } else {
        made.edges = 0;
    }
    *result = made;
done:
    ga_free(context, t.pieces);
    ga_free(context, t.offsets);
    ga_free(context, t.targets);
    return status;
}
