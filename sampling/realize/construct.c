/* construct.c - the closed form: every edge of every cell has its place, whatever was built before.
 *
 * A cell of m edges deals them to the a nodes of its out-class as evenly as possible: m div a to each and one more to
 * the next m mod a, in a cycle that runs on from cell to cell of the row. Its targets go round the b nodes of the
 * in-class, in a cycle that runs on down the column. After T edges of a row the node at place j has had
 * T div a + (j < T mod a), which is where its next one goes.
 */
#include "config.h"

#include <string.h>

#include "graph/csr.h"
#include "lib/base/workers.h"
#include "sampling/realize/building.h"

#define ELEMENT uint32_t
#define KEY(e) ((uint64_t)(e))
#include "graph/csr_sort.h"
#undef ELEMENT
#undef KEY

enum { SLOTS_BLOCK = 1 << 15, ROWS_BLOCK = 1 << 11 };

/* Sorting a row: up to FEW_IN_ROW by insertion, up to MOST_BUCKETS by buckets. */
enum { FEW_IN_ROW = 24, MOST_BUCKETS = 4096, FEW_ALIKE = 32, AHEAD = 8 };

typedef struct work {
    ga__building *b;
    int64_t next, blocks;
    int status;
    pthread_mutex_t lock;
    int64_t room; /* of b->looped */
} work;

static ga_status run(work *w, int64_t blocks, ga__worker_fn body)
{
    w->next = 0;
    w->blocks = blocks;
    ga__workers(w->b->context, ga__threads_for(w->b->context, blocks), body, w);
    return ga__noted_status(&w->status);
}

/* ---- class orders ---- */

static void shuffle(uint32_t *node, int64_t count, ga__random stream)
{
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)ga__random_below(&stream, (uint64_t)i + 1);
        uint32_t other = node[i];
        node[i] = node[j];
        node[j] = other;
    }
}

/* Out-classes, then in-classes. */
static void shuffle_worker(void *user, int worker)
{
    work *w = user;
    ga__building *b = w->b;
    uint64_t seed = ga_context_seed(b->context);
    int64_t outs = b->m->out.count;
    (void)worker;
    for (int64_t c; (c = ga__claim(&w->next)) < w->blocks && !ga__stopped(b->context, &w->status);) {
        bool out = c < outs;
        int64_t class_ = out ? c : c - outs;
        const ga__order *order = out ? &b->out : &b->in;
        int64_t begin = order->first[class_], end = order->first[class_ + 1];
        shuffle(order->node + begin, end - begin,
                ga__random_at(seed, out ? GA__RANDOM_OUT_ORDER : GA__RANDOM_IN_ORDER, (uint64_t)class_));
        for (int64_t i = begin; out && i < end; i++) {
            b->place[order->node[i]] = (uint32_t)i;
        }
    }
}

static ga_status order_side(ga__building *b, const int32_t *class_of, int64_t classes, ga__order *order)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(b->context, classes + 1, &order->first));
    GA_TRY(GA_NEW(b->context, b->nodes, &order->node));
    GA_TRY(ga__sort_by_class(b->context, b->nodes, NULL, class_of, classes, order->node, order->first));
done:
    return status;
}

static ga_status order_nodes(work *w)
{
    ga_status status = GA_OK;
    ga__building *b = w->b;
    GA_TRY(order_side(b, b->out_class, b->m->out.count, &b->out));
    GA_TRY(order_side(b, b->in_class, b->m->in.count, &b->in));
    GA_TRY(GA_NEW(b->context, b->nodes, &b->place));
    GA_TRY(run(w, b->m->out.count + b->m->in.count, shuffle_worker));
done:
    return status;
}

/* ---- where cells start ---- */

static ga_status lay_out(ga__building *b)
{
    ga_status status = GA_OK;
    const ga__cells *jdm = &b->m->jdm;
    int64_t *pointer = NULL, slot = 0, cell = 0;
    GA_TRY(GA_NEW(b->context, b->m->out.count + 1, &b->row_first));
    GA_TRY(GA_NEW(b->context, jdm->count + 1, &b->cell_first));
    GA_TRY(GA_NEW(b->context, jdm->count, &b->cell_pointer));
    GA_TRY(GA_NEW_ZERO(b->context, b->m->in.count, &pointer));
    for (int64_t k = 0; k < b->m->out.count; k++) {
        b->row_first[k] = slot;
        for (; cell < jdm->count && jdm->row[cell] == k; cell++) {
            int32_t l = jdm->column[cell];
            int64_t size = b->in.first[l + 1] - b->in.first[l];
            if (size == 0) {
                GA_TRY(ga__fail(b->context, GA_INTERNAL, "column %d of the JDM has no nodes", l));
            }
            b->cell_first[cell] = slot;
            b->cell_pointer[cell] = pointer[l];
            pointer[l] = (pointer[l] + jdm->entry[cell] % size) % size;
            slot += jdm->entry[cell];
        }
        if (slot - b->row_first[k] != b->m->out.degree[k] * (b->out.first[k + 1] - b->out.first[k])) {
            GA_TRY(ga__fail(b->context, GA_INTERNAL, "row %lld of the JDM does not fit the nodes",
                            (long long)k));
        }
    }
    b->row_first[b->m->out.count] = b->cell_first[jdm->count] = slot;
    b->edges = slot;
done:
    ga_free(b->context, pointer);
    return status;
}

/* ---- edges of cells ---- */

/* The sources of a cell in the order of the cycle: the first `longer` have each + 1 edges of it, the others each. */
typedef struct dealing {
    int64_t each, longer;
} dealing;

static int64_t slot_of(const dealing *d, int64_t source)
{
    return source * d->each + ga__min(source, d->longer);
}

/* The first source whose slots start at or after a slot. */
static int64_t source_at(const dealing *d, int64_t slot)
{
    int64_t split = d->longer * (d->each + 1);
    if (slot <= split) {
        return (slot + d->each) / (d->each + 1);
    }
    return d->longer + (slot - split + d->each - 1) / d->each;
}

/* The edges of those sources whose first slot of the cell is one of from .. to - 1. */
static void deal(const ga__building *b, int64_t cell, int64_t from, int64_t to)
{
    int32_t k = b->m->jdm.row[cell], l = b->m->jdm.column[cell];
    int64_t count = b->m->jdm.entry[cell], degree = b->m->out.degree[k];
    int64_t sources = b->out.first[k + 1] - b->out.first[k], targets = b->in.first[l + 1] - b->in.first[l];
    int64_t before = b->cell_first[cell] - b->row_first[k], rounds = before / sources,
            turn = before % sources;
    const uint32_t *target = b->in.node + b->in.first[l];
    dealing d = { count / sources, count % sources };
    int64_t source = source_at(&d, from), end = source_at(&d, to);
    int64_t at = (b->cell_pointer[cell] + slot_of(&d, source)) % targets, place = turn + source;
    place -= place >= sources ? sources : 0;
    uint32_t *row = b->slots + b->row_first[k] + rounds;
    for (; source < end; source++) {
        uint32_t *slot = row + place * degree + (place < turn);
        for (int64_t i = d.each + (source < d.longer); i > 0; i--) {
            *slot++ = target[at];
            at = at + 1 == targets ? 0 : at + 1;
        }
        place = place + 1 == sources ? 0 : place + 1;
    }
}

static void deal_worker(void *user, int worker)
{
    work *w = user;
    ga__building *b = w->b;
    (void)worker;
    for (int64_t c; (c = ga__claim(&w->next)) < w->blocks && !ga__stopped(b->context, &w->status);) {
        int64_t from = c * SLOTS_BLOCK, to = ga__min(b->edges, from + SLOTS_BLOCK);
        for (int64_t cell = ga__row_of(b->cell_first, b->m->jdm.count, from); from < to; cell++) {
            int64_t first = b->cell_first[cell], stop = ga__min(to, b->cell_first[cell + 1]);
            deal(b, cell, from - first, stop - first);
            from = stop;
        }
        ga__progress(b->context, "constructing", c, w->blocks);
    }
}

/* ---- rows of nodes ---- */

static void lengths_worker(void *user, int worker)
{
    work *w = user;
    ga__building *b = w->b;
    (void)worker;
    for (int64_t c; (c = ga__claim(&w->next)) < w->blocks;) {
        int64_t end = ga__min(b->nodes, (c + 1) * ROWS_BLOCK);
        for (int64_t v = c * ROWS_BLOCK; v < end; v++) {
            b->offsets[v + 1] = b->m->out.degree[b->out_class[v]];
        }
    }
}

static ga_status note_loop(work *w, uint32_t node)
{
    ga_status status = GA_OK;
    ga__building *b = w->b;
    pthread_mutex_lock(&w->lock);
    if (b->looped_count == w->room) {
        int64_t room = w->room ? 2 * w->room : 64;
        GA_TRY(ga__resize(b->context, w->room, room, sizeof *b->looped, &b->looped));
        w->room = room;
    }
    b->looped[b->looped_count++] = node;
done:
    pthread_mutex_unlock(&w->lock);
    return status;
}

static void insert_all(uint32_t *row, int64_t count)
{
    for (int64_t i = 1; i < count; i++) {
        uint32_t e = row[i];
        int64_t j = i;
        for (; j > 0 && row[j - 1] > e; j--) {
            row[j] = row[j - 1];
        }
        row[j] = e;
    }
}

/* Spreads nodes over about as many buckets as there are, by their leading bits, and sorts what is left of disorder.
 * False, with `to` undefined, when many share a bucket. */
static bool sort_by_buckets(const uint32_t *from, uint32_t *to, int64_t count, int bits)
{
    uint32_t place[MOST_BUCKETS];
    int wide = ga__bits((uint64_t)count - 1), shift = bits > wide ? bits - wide : 0;
    uint32_t sum = 0, most = 0;
    memset(place, 0, sizeof *place << wide);
    for (int64_t i = 0; i < count; i++) {
        place[from[i] >> shift]++;
    }
    for (int64_t i = 0; i < INT64_C(1) << wide; i++) {
        uint32_t size = place[i];
        most = size > most ? size : most;
        place[i] = sum;
        sum += size;
    }
    if (most > FEW_ALIKE) {
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        to[place[from[i] >> shift]++] = from[i];
    }
    insert_all(to, count);
    return true;
}

/* Sorts into `to`; `from` is scratch. */
static void sort_row(uint32_t *from, uint32_t *to, int64_t count, int bits)
{
    if (count > FEW_IN_ROW && count <= MOST_BUCKETS && sort_by_buckets(from, to, count, bits)) {
        return;
    }
    const uint32_t *sorted = from;
    if (count > FEW_IN_ROW) {
        sorted = sort_unit(from, count, to);
    } else {
        insert_all(from, count);
    }
    if (sorted != to) {
        memcpy(to, sorted, (size_t)count * sizeof *to);
    }
}

/* Sorts a node's targets from their slots to their place; true if it is among them. */
static bool settle(ga__building *b, int64_t v)
{
    int32_t k = b->out_class[v];
    int64_t degree = b->m->out.degree[k];
    uint32_t *row = b->targets + b->offsets[v];
    uint32_t *from = b->slots + b->row_first[k] + (b->place[v] - b->out.first[k]) * degree;
    bool loop = false;
    sort_row(from, row, degree, ga__bits((uint64_t)b->nodes - 1));
    for (int64_t i = 0; i < degree; i++) {
        loop |= row[i] == (uint32_t)v;
    }
    return loop;
}

static void settle_worker(void *user, int worker)
{
    work *w = user;
    ga__building *b = w->b;
    (void)worker;
    for (int64_t c; (c = ga__claim(&w->next)) < w->blocks && !ga__stopped(b->context, &w->status);) {
        int64_t end = ga__min(b->nodes, (c + 1) * ROWS_BLOCK);
        for (int64_t v = c * ROWS_BLOCK; v < end; v++) {
            if (v + AHEAD < end) {
                int32_t k = b->out_class[v + AHEAD];
                __builtin_prefetch(b->slots + b->row_first[k] +
                                   (b->place[v + AHEAD] - b->out.first[k]) * b->m->out.degree[k]);
            }
            if (settle(b, v) && b->loops != GA_LOOPS_KEEP) {
                ga__note_status(&w->status, note_loop(w, (uint32_t)v));
            }
        }
    }
}

static ga_status make_rows(work *w)
{
    ga_status status = GA_OK;
    ga__building *b = w->b;
    int64_t blocks = (b->nodes + ROWS_BLOCK - 1) / ROWS_BLOCK;
    GA_TRY(GA_NEW(b->context, b->nodes + 1, &b->offsets));
    GA_TRY(GA_NEW(b->context, b->edges, &b->targets));
    GA_TRY(run(w, blocks, lengths_worker));
    GA_TRY(ga__prefix_sum(b->context, b->offsets, b->nodes));
    GA_TRY(run(w, blocks, settle_worker));
done:
    return status;
}

/* In ascending order, whichever thread found them. */
static ga_status sort_looped(ga__building *b)
{
    ga_status status = GA_OK;
    uint32_t *scratch = NULL;
    GA_TRY(GA_NEW(b->context, b->looped_count, &scratch));
    const uint32_t *sorted = b->looped_count ? sort_unit(b->looped, b->looped_count, scratch) : b->looped;
    if (b->looped_count && sorted != b->looped) {
        memcpy(b->looped, sorted, (size_t)b->looped_count * sizeof *sorted);
    }
done:
    ga_free(b->context, scratch);
    return status;
}

/* ---- all ---- */

static void clear(ga__building *b)
{
    void *blocks[] = { b->out.first,  b->out.node,     b->in.first, b->in.node, b->place,   b->row_first,
                       b->cell_first, b->cell_pointer, b->slots,    b->offsets, b->targets, b->looped };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ga_free(b->context, blocks[i]);
    }
}

ga_status ga__construct(ga_context *context, const ga_matrices *matrices, int64_t nodes,
                        const int32_t *out_class, const int32_t *in_class, ga_loops loops, ga_multi multi,
                        ga_graph **graph)
{
    ga_status status = GA_OK;
    ga__building b = { .context = context,
                       .m = matrices,
                       .nodes = nodes,
                       .out_class = out_class,
                       .in_class = in_class,
                       .loops = loops,
                       .multi = multi };
    work w = { .b = &b };
    pthread_mutex_init(&w.lock, NULL);
    GA_TRY(order_nodes(&w));
    GA_TRY(lay_out(&b));
    GA_TRY(GA_NEW(context, b.edges, &b.slots));
    ga__advise_large(b.slots, b.edges * (int64_t)sizeof *b.slots);
    GA_TRY(run(&w, (b.edges + SLOTS_BLOCK - 1) / SLOTS_BLOCK, deal_worker));
    GA_TRY(make_rows(&w));
    ga_free(context, b.slots);
    b.slots = NULL;
    GA_TRY(sort_looped(&b));
    GA_TRY(ga__repair_loops(&b));
    GA_TRY(ga__graph_adopt(context, nodes, b.edges, b.offsets, b.targets, NULL, graph));
    b.offsets = NULL;
    b.targets = NULL;
done:
    pthread_mutex_destroy(&w.lock);
    clear(&b);
    return status;
}
