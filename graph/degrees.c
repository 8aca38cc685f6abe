/* degrees.c - degrees and the transpose. */
#include "config.h"

#include <string.h>

#include "graph/csr.h"
#include "lib/base/workers.h"

enum { ROWS_BLOCK = 1 << 14 };

int64_t ga__row_of(const int64_t *offsets, int64_t rows, int64_t edge)
{
    int64_t low = 0, high = rows;
    while (low + 1 < high) {
        int64_t middle = low + (high - low) / 2;
        if (offsets[middle] <= edge) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static int64_t rows_block(void *user, int64_t block, int bits, uint64_t *keys, float *weights)
{
    const ga__rows *r = user;
    int64_t edge = block * ROWS_BLOCK, end = ga__min(r->offsets[r->nodes], edge + ROWS_BLOCK), count = 0;
    for (int64_t row = ga__row_of(r->offsets, r->nodes, edge); edge < end; row++) {
        for (int64_t stop = ga__min(end, r->offsets[row + 1]); edge < stop; edge++) {
            uint64_t source = (uint64_t)row, target = r->targets[edge];
            if (weights) {
                weights[count] = r->weights[edge];
            }
            keys[count++] = r->swap ? target << bits | source : source << bits | target;
            if (r->both && source != target) {
                if (weights) {
                    weights[count] = r->weights[edge];
                }
                keys[count++] = target << bits | source;
            }
        }
    }
    return count;
}

ga__edge_source ga__rows_source(const ga__rows *rows)
{
    int64_t edges = rows->offsets[rows->nodes], each = rows->both ? 2 : 1;
    return (ga__edge_source){ .blocks = (edges + ROWS_BLOCK - 1) / ROWS_BLOCK,
                              .edges = edges * each,
                              .widest = ROWS_BLOCK * each,
                              .largest_id = rows->nodes > 0 ? (uint32_t)(rows->nodes - 1) : 0,
                              .block = rows_block,
                              .user = (void *)(uintptr_t)rows };
}

ga_status ga_graph_in(ga_context *context, ga_graph *graph, ga_csr *in)
{
    ga_status status = GA_OK;
    ga__begin(context);
    if (graph->weights && !graph->in_weights) {
        ga__graph_free_in(context, graph); /* a file's transpose has no weights */
    }
    if (!graph->in_offsets) {
        ga__rows rows = { graph->nodes, graph->out_offsets, graph->out_targets, graph->weights, true, false };
        ga__edge_source source = ga__rows_source(&rows);
        ga__csr_policy policy = { GA_LOOPS_KEEP, GA_MULTI_KEEP, graph->weights != NULL, NULL };
        ga__csr_result built = { 0 };
        GA_TRY(ga__csr_build(context, graph->nodes, &source, &policy, &built));
        graph->in_offsets = built.offsets;
        graph->in_sources = built.targets;
        graph->in_weights = built.weights;
    }
    *in = (ga_csr){ graph->nodes, graph->edges, graph->in_offsets, graph->in_sources, graph->in_weights };
done:
    return status;
}

/* ---- degrees ---- */

/* Threads count in arrays of their own, which are added up by ranges of nodes: counts stay in the cache as long as
 * possible and need neither atomics nor locks. */
enum { COUNT_BLOCK = 1 << 16 };

typedef struct counting {
    ga_context *context;
    const ga_graph *graph;
    const int64_t *offsets; /* count differences of these, if not NULL */
    uint32_t *degrees;
    uint32_t *more; /* arrays of the other threads that count */
    int64_t others;
    int64_t next;
    int status;
} counting;

static void count_worker(void *user, int worker)
{
    counting *c = user;
    const uint32_t *targets = c->graph->out_targets;
    int64_t edges = c->graph->edges, nodes = c->graph->nodes;
    uint32_t *counts = worker == 0 ? c->degrees : c->more + (worker - 1) * nodes;
    for (int64_t b;
         (b = ga__claim(&c->next)) * COUNT_BLOCK < edges && !ga__stopped(c->context, &c->status);) {
        int64_t end = ga__min(edges, (b + 1) * COUNT_BLOCK);
        for (int64_t i = b * COUNT_BLOCK; i < end; i++) {
            counts[targets[i]]++;
        }
    }
}

static void add_worker(void *user, int worker)
{
    counting *c = user;
    int64_t nodes = c->graph->nodes;
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&c->next)) * COUNT_BLOCK < nodes && !ga__stopped(c->context, &c->status);) {
        int64_t end = ga__min(nodes, (b + 1) * COUNT_BLOCK);
        for (int64_t other = 0; other < c->others; other++) {
            const uint32_t *counts = c->more + other * nodes;
            for (int64_t v = b * COUNT_BLOCK; v < end; v++) {
                c->degrees[v] += counts[v];
            }
        }
    }
}

static ga_status too_large(ga_context *context)
{
    return ga__fail(context, GA_UNSUPPORTED, "a degree does not fit 32 bits");
}

static void difference_worker(void *user, int worker)
{
    counting *c = user;
    int64_t nodes = c->graph->nodes;
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&c->next)) * COUNT_BLOCK < nodes && !ga__stopped(c->context, &c->status);) {
        int64_t end = ga__min(nodes, (b + 1) * COUNT_BLOCK);
        int64_t largest = 0;
        for (int64_t v = b * COUNT_BLOCK; v < end; v++) {
            largest = ga__max(largest, c->offsets[v + 1] - c->offsets[v]);
            c->degrees[v] = (uint32_t)(c->offsets[v + 1] - c->offsets[v]);
        }
        if (largest > UINT32_MAX) {
            ga__note_status(&c->status, too_large(c->context));
        }
    }
}

static ga_status differences(ga_context *context, const ga_graph *graph, const int64_t *offsets,
                             uint32_t *degrees)
{
    counting c = { .context = context, .graph = graph, .offsets = offsets, .degrees = degrees };
    ga__workers(context, ga__threads_for(context, (graph->nodes + COUNT_BLOCK - 1) / COUNT_BLOCK),
                difference_worker, &c);
    return ga__noted_status(&c.status);
}

ga_status ga__degrees_check(ga_context *context, const ga_graph *graph, const uint32_t *degrees)
{
    int64_t sum = 0;
    for (int64_t v = 0; graph->edges > UINT32_MAX && v < graph->nodes; v++) {
        sum += degrees[v];
    }
    return graph->edges > UINT32_MAX && sum != graph->edges ? too_large(context) : GA_OK;
}

/* Threads whose arrays cost less than the counting they take over. */
static int counting_threads(const ga_context *context, const ga_graph *graph)
{
    int64_t worth = graph->edges / (2 * ga__max(1, graph->nodes));
    int64_t fit = ga__memory_left(context) / 2 / (4 * ga__max(1, graph->nodes));
    int threads = ga__threads_for(context, (graph->edges + COUNT_BLOCK - 1) / COUNT_BLOCK);
    return (int)ga__max(1, ga__min(threads, ga__min(worth, fit)));
}

static ga_status count_all(ga_context *context, const ga_graph *graph, uint32_t *degrees)
{
    ga_status status = GA_OK;
    counting c = { .context = context, .graph = graph, .degrees = degrees };
    int threads = counting_threads(context, graph);
    c.others = threads - 1;
    if (c.others > 0) {
        GA_TRY(GA_NEW_ZERO(context, c.others * graph->nodes, &c.more));
    }
    ga__advise_large(degrees, graph->nodes * (int64_t)sizeof *degrees);
    memset(degrees, 0, (size_t)graph->nodes * sizeof *degrees);
    ga__workers(context, threads, count_worker, &c);
    GA_TRY(ga__noted_status(&c.status));
    c.next = 0;
    if (c.others > 0) {
        ga__workers(context, threads, add_worker, &c);
    }
    status = ga__noted_status(&c.status);
done:
    ga_free(context, c.more);
    return status;
}

static ga_status count_targets(ga_context *context, const ga_graph *graph, uint32_t *degrees)
{
    ga_status status = count_all(context, graph, degrees);
    return status == GA_OK ? ga__degrees_check(context, graph, degrees) : status;
}

ga_status ga_graph_degrees(ga_context *context, const ga_graph *graph, uint32_t *out_degree,
                           uint32_t *in_degree)
{
    ga_status status = GA_OK;
    ga__begin(context);
    if (out_degree) {
        GA_TRY(differences(context, graph, graph->out_offsets, out_degree));
    }
    if (in_degree && graph->in_offsets) {
        GA_TRY(differences(context, graph, graph->in_offsets, in_degree));
    } else if (in_degree) {
        GA_TRY(count_targets(context, graph, in_degree));
    }
done:
    return status;
}
