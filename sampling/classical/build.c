/* build.c - from sampled nodes and edges to a graph with the original's ids and weights. */
#include "config.h"

#include <string.h>

#include "graph/csr.h"
#include "lib/base/workers.h"
#include "sampling/classical/draw.h"

enum { BLOCK = 256 };

/* The place of a node among the sampled ones: set bits below its own, or a table. */
typedef struct places {
    const ga__set *set;
    uint32_t *before; /* owned: members below each word of bits */
    ga__table table;
} places;

static ga_status places_open(ga_context *context, const ga__set *set, const int64_t *members, places *p)
{
    ga_status status = GA_OK;
    *p = (places){ .set = set, .table = { .context = context } };
    if (set->bits) {
        int64_t words = set->limit / 64 + 1, count = 0;
        GA_TRY(GA_NEW(context, words, &p->before));
        for (int64_t i = 0; i < words; i++) {
            p->before[i] = (uint32_t)count;
            count += ga__bit_count(set->bits[i]);
        }
    }
    for (int64_t i = 0; !set->bits && i < set->count; i++) {
        int64_t *at;
        GA_TRY(ga__table_at(&p->table, (uint64_t)members[i], i, &at));
    }
done:
    return status;
}

static void places_clear(ga_context *context, places *p)
{
    ga_free(context, p->before);
    ga__table_clear(&p->table);
}

/* False when the node is not sampled. */
static inline bool place_of(const places *p, uint32_t v, uint32_t *place)
{
    if (p->set->bits) {
        uint64_t word = p->set->bits[v >> 6], bit = UINT64_C(1) << (v & 63);
        *place = p->before[v >> 6] + ga__bit_count(word & (bit - 1));
        return word & bit;
    }
    const int64_t *at = ga__table_find(&p->table, v);
    *place = at ? (uint32_t)*at : 0;
    return at != NULL;
}

/* The sample while it is built. */
typedef struct building {
    ga_context *context;
    const ga_graph *graph;
    places where;
    int64_t count, *members; /* ascending */
    int64_t edges, *offsets;
    uint32_t *targets;
    float *weights; /* NULL when the graph has none */
    bool counting;
    int64_t next;
    int status;
} building;

/* ---- induced edges: counted, then filled in, rows in parallel ---- */

static void induced_row(building *b, int64_t i)
{
    const ga_graph *g = b->graph;
    int64_t v = b->members[i], to = b->counting ? 0 : b->offsets[i];
    uint32_t place;
    for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
        if (!place_of(&b->where, g->out_targets[e], &place)) {
            continue;
        }
        if (!b->counting) {
            b->targets[to] = place;
        }
        if (!b->counting && b->weights) {
            b->weights[to] = g->weights[e];
        }
        to++;
    }
    if (b->counting) {
        b->offsets[i + 1] = to;
    }
}

static void induced_worker(void *user, int worker)
{
    building *b = user;
    (void)worker;
    for (int64_t block; (block = ga__claim(&b->next)) * BLOCK < b->count;) {
        int64_t end = ga__min(b->count, (block + 1) * BLOCK);
        if (ga__stopped(b->context, &b->status)) {
            return;
        }
        for (int64_t i = block * BLOCK; i < end; i++) {
            induced_row(b, i);
        }
    }
}

static ga_status induced_pass(building *b, bool counting)
{
    b->counting = counting;
    b->next = 0;
    ga__workers(b->context, ga__threads_for(b->context, (b->count + BLOCK - 1) / BLOCK), induced_worker, b);
    ga_status status = ga__noted_status(&b->status);
    return status == GA_OK ? ga__check(b->context) : status;
}

static ga_status make_rows(building *b)
{
    ga_status status = GA_OK;
    b->edges = b->offsets[b->count];
    GA_TRY(GA_NEW(b->context, b->edges, &b->targets));
    if (b->graph->weights) {
        GA_TRY(GA_NEW(b->context, b->edges, &b->weights));
    }
done:
    return status;
}

static ga_status induce(building *b)
{
    ga_status status = GA_OK;
    GA_TRY(induced_pass(b, true));
    GA_TRY(ga__prefix_sum(b->context, b->offsets, b->count));
    GA_TRY(make_rows(b));
    status = induced_pass(b, false);
done:
    return status;
}

/* ---- kept edges ---- */

/* The row of an edge at or behind a row. */
static int64_t row_from(const ga_graph *graph, int64_t row, int64_t edge)
{
    for (int near = 0; near < 8; near++, row++) {
        if (edge < graph->out_offsets[row + 1]) {
            return row;
        }
    }
    return ga__row_of(graph->out_offsets, graph->nodes, edge);
}

static ga_status select_edges(building *b, const int64_t *edges, int64_t count)
{
    ga_status status = GA_OK;
    const ga_graph *g = b->graph;
    uint32_t place = 0;
    for (int64_t i = 0, row = 0; i < count; i++) {
        row = row_from(g, row, edges[i]);
        (void)place_of(&b->where, (uint32_t)row, &place);
        b->offsets[place + 1]++;
    }
    GA_TRY(ga__prefix_sum(b->context, b->offsets, b->count));
    GA_TRY(make_rows(b));
    for (int64_t i = 0; i < count; i++) { /* edges ascend, so do rows and targets */
        (void)place_of(&b->where, g->out_targets[edges[i]], &b->targets[i]);
        if (b->weights) {
            b->weights[i] = g->weights[edges[i]];
        }
    }
done:
    return status;
}

/* ---- all ---- */

/* The ends of the kept edges, in place of nodes that joined. */
static ga_status collect_ends(ga__draw *d, const int64_t *edges, int64_t count, ga__set *ends)
{
    ga_status status = GA_OK;
    GA_TRY(ga__set_open(d->context, d->graph->nodes, ga__min(d->graph->nodes, 2 * count), ends));
    for (int64_t i = 0, row = 0; i < count; i++) {
        row = row_from(d->graph, row, edges[i]);
        GA_TRY(ga__set_add(ends, row, NULL));
        GA_TRY(ga__set_add(ends, d->graph->out_targets[edges[i]], NULL));
    }
done:
    return status;
}

static ga_status make_ids(const building *b, uint64_t **ids)
{
    ga_status status = GA_OK;
    uint64_t *made = NULL;
    bool differ = false;
    GA_TRY(GA_NEW(b->context, b->count, &made));
    for (int64_t i = 0; i < b->count; i++) {
        made[i] = b->graph->ids ? b->graph->ids[b->members[i]] : (uint64_t)b->members[i];
        differ |= made[i] != (uint64_t)i;
    }
    *ids = differ ? made : NULL;
    made = differ ? NULL : made;
done:
    ga_free(b->context, made);
    return status;
}

static ga_status finish(building *b, bool renumber, ga_graph **sample)
{
    ga_status status = GA_OK;
    uint64_t *ids = NULL;
    if (!renumber) {
        GA_TRY(make_ids(b, &ids));
    }
    GA_TRY(ga__graph_adopt(b->context, b->count, b->edges, b->offsets, b->targets, ids, sample));
    (*sample)->weights = b->weights;
    b->offsets = NULL;
    b->targets = NULL;
    b->weights = NULL;
    ids = NULL;
done:
    ga_free(b->context, ids);
    return status;
}

ga_status ga__build_sample(ga__draw *d, bool renumber, ga_graph **sample, int64_t **nodes)
{
    ga_status status = GA_OK;
    building b = { .context = d->context, .graph = d->graph, .where.table.context = d->context };
    ga__set ends = { .bits = NULL };
    const ga__set *set = &d->inside;
    int64_t *edges = NULL;
    GA_TRY(GA_NEW(d->context, d->edges.count, &edges));
    ga__set_list(&d->edges, edges);
    if (d->counts_edges) {
        GA_TRY(collect_ends(d, edges, d->edges.count, &ends));
        set = &ends;
    }
    b.count = set->count;
    GA_TRY(GA_NEW(d->context, b.count, &b.members));
    ga__set_list(set, b.members);
    GA_TRY(places_open(d->context, set, b.members, &b.where));
    GA_TRY(GA_NEW_ZERO(d->context, b.count + 1, &b.offsets));
    GA_TRY(d->keeps_edges ? select_edges(&b, edges, d->edges.count) : induce(&b));
    GA_TRY(finish(&b, renumber, sample));
    *nodes = b.members;
    b.members = NULL;
done:
    places_clear(d->context, &b.where);
    ga__set_clear(d->context, &ends);
    ga_free(d->context, b.members);
    ga_free(d->context, b.offsets);
    ga_free(d->context, b.targets);
    ga_free(d->context, b.weights);
    ga_free(d->context, edges);
    return status;
}
