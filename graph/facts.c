/* facts.c - what rows that came from a file are like, and making them obey the options. */
#include "config.h"

#include "graph/facts.h"

#include <string.h>

#include "lib/base/workers.h"

typedef struct looking {
    ga_context *context;
    int64_t nodes, edges;
    const int64_t *offsets;
    const uint32_t *targets;
    uint32_t *crcs;
    int64_t next;
    int status;
    pthread_mutex_t lock;
    ga__facts facts;
} looking;

int64_t ga__offsets_wrong(const int64_t *offsets, int64_t nodes, int64_t edges)
{
    int64_t wrong = offsets[0] != 0 ? 0 : -1;
    for (int64_t i = 0; i < nodes && wrong < 0; i++) {
        wrong = offsets[i] > offsets[i + 1] ? i : -1;
    }
    return wrong < 0 && offsets[nodes] != edges ? nodes : wrong;
}

/* The first row that starts at or after an edge. */
static int64_t first_row(const int64_t *offsets, int64_t rows, int64_t edge)
{
    int64_t low = 0, high = rows;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (offsets[middle] < edge) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The row's loops and repetitions one by one. */
static void look_closely(const looking *l, int64_t row, ga__facts *found)
{
    for (int64_t e = l->offsets[row]; e < l->offsets[row + 1]; e++) {
        bool again = e > l->offsets[row] && l->targets[e] == l->targets[e - 1], loop = l->targets[e] == row;
        found->loops += loop && !again;
        found->repeated_loops += loop && again;
        found->duplicates += !loop && again;
        if (l->targets[e] >= l->nodes && (found->bad_edge < 0 || e < found->bad_edge)) {
            found->bad_edge = e;
        }
    }
}

static void look_at_rows(const looking *l, int64_t from, int64_t to, ga__facts *found)
{
    const int64_t *offsets = l->offsets;
    for (int64_t row = from; row < to; row++) {
        int64_t begin = offsets[row], end = offsets[row + 1];
        if (begin == end) {
            continue;
        }
        uint32_t previous = l->targets[begin], self = (uint32_t)row;
        bool falls = false, special = previous == self;
        for (int64_t e = begin + 1; e < end; e++) {
            uint32_t target = l->targets[e];
            falls |= target < previous;
            special |= (target == previous) | (target == self);
            previous = target;
        }
        found->sorted = found->sorted && !falls;
        if (special || falls || previous >= l->nodes) {
            look_closely(l, row, found);
        }
    }
}

static void look_worker(void *user, int worker)
{
    looking *l = user;
    ga__facts found = { .sorted = true, .bad_edge = -1 };
    int64_t blocks = l->edges / GA__FACTS_BLOCK + 1;
    (void)worker;
    for (int64_t b; (b = ga__claim(&l->next)) < blocks && !ga__stopped(l->context, &l->status);) {
        int64_t begin = b * GA__FACTS_BLOCK, end = ga__min(l->edges, begin + GA__FACTS_BLOCK);
        int64_t to = b + 1 == blocks ? l->nodes : first_row(l->offsets, l->nodes, end);
        if (l->crcs && begin < end) {
            l->crcs[b] = ga__crc32c(0, l->targets + begin, (size_t)(end - begin) * sizeof *l->targets);
        }
        look_at_rows(l, first_row(l->offsets, l->nodes, begin), to, &found);
    }
    pthread_mutex_lock(&l->lock);
    l->facts.loops += found.loops;
    l->facts.repeated_loops += found.repeated_loops;
    l->facts.duplicates += found.duplicates;
    l->facts.sorted = l->facts.sorted && found.sorted;
    if (found.bad_edge >= 0 && (l->facts.bad_edge < 0 || found.bad_edge < l->facts.bad_edge)) {
        l->facts.bad_edge = found.bad_edge;
    }
    pthread_mutex_unlock(&l->lock);
}

ga_status ga__facts_find(ga_context *context, int64_t nodes, const int64_t *offsets, const uint32_t *targets,
                         uint32_t *crcs, ga__facts *facts)
{
    looking l = { .context = context,
                  .nodes = nodes,
                  .edges = offsets[nodes],
                  .offsets = offsets,
                  .targets = targets,
                  .crcs = crcs,
                  .facts = { .sorted = true, .bad_edge = -1 } };
    pthread_mutex_init(&l.lock, NULL);
    ga__workers(context, ga__threads_for(context, l.edges / GA__FACTS_BLOCK + 1), look_worker, &l);
    pthread_mutex_destroy(&l.lock);
    *facts = l.facts;
    return ga__noted_status(&l.status);
}

ga_status ga__reading_limits(ga__reading *r, int64_t nodes, int64_t edges)
{
    if (nodes < 0 || edges < 0) {
        return ga__fail(r->context, GA_FORMAT, "%s: a header of %lld nodes and %lld edges", r->name,
                        (long long)nodes, (long long)edges);
    }
    if (r->options->max_nodes > 0 && nodes > r->options->max_nodes) {
        return ga__fail(r->context, GA_LIMIT, "%s: %lld nodes are more than --max-nodes %lld", r->name,
                        (long long)nodes, (long long)r->options->max_nodes);
    }
    if (r->options->max_edges > 0 && edges > r->options->max_edges) {
        return ga__fail(r->context, GA_LIMIT, "%s: %lld edges are more than --max-edges %lld", r->name,
                        (long long)edges, (long long)r->options->max_edges);
    }
    if (nodes > INT64_C(4294967296)) {
        return ga__fail(r->context, GA_UNSUPPORTED,
                        "%s: %lld nodes, at most 4294967296 have numbers of 32 bits", r->name,
                        (long long)nodes);
    }
    return GA_OK;
}

/* ---- more nodes ---- */

static ga_status widen_offsets(ga_context *context, const ga_graph *graph, int64_t nodes, int64_t front,
                               int64_t **offsets)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW_ZERO(context, nodes + 1, offsets));
    for (int64_t v = 0; v < graph->nodes; v++) {
        int64_t to = !graph->ids                       ? v
                     : graph->ids[v] < (uint64_t)front ? (int64_t)graph->ids[v]
                                                       : v + nodes - graph->nodes;
        (*offsets)[to + 1] = graph->out_offsets[v + 1] - graph->out_offsets[v];
    }
    status = ga__prefix_sum(context, *offsets, nodes);
done:
    return status;
}

/* Adds isolated nodes; their ids are the smallest unused integers. Those below `front` then are node numbers. */
static ga_status widen(ga_context *context, ga_graph *graph, int64_t nodes)
{
    ga_status status = GA_OK;
    int64_t *offsets = NULL, front = 0, more = nodes - graph->nodes;
    uint32_t *targets = NULL;
    uint64_t *ids = NULL;
    if (graph->ids) {
        GA_TRY(GA_NEW(context, nodes, &ids));
        memcpy(ids, graph->ids, (size_t)graph->nodes * sizeof *ids);
        front = ga__add_declared(ids, graph->nodes, nodes);
        GA_TRY(GA_NEW(context, graph->edges, &targets));
        for (int64_t e = 0; e < graph->edges; e++) {
            uint64_t id = graph->ids[graph->out_targets[e]];
            targets[e] = id < (uint64_t)front ? (uint32_t)id : (uint32_t)(graph->out_targets[e] + more);
        }
    }
    GA_TRY(widen_offsets(context, graph, nodes, front, &offsets));
    ga__graph_free_array(context, graph, graph->out_offsets);
    graph->out_offsets = offsets;
    offsets = NULL;
    if (graph->ids) {
        ga__graph_free_array(context, graph, graph->ids);
        ga__graph_free_array(context, graph, graph->out_targets);
        graph->ids = ids;
        graph->out_targets = targets;
        ids = NULL;
        targets = NULL;
    }
    ga__graph_free_in(context, graph);
    graph->nodes = nodes;
done:
    ga_free(context, offsets);
    ga_free(context, targets);
    ga_free(context, ids);
    return status;
}

static ga_status widen_to_option(ga__reading *r, ga_graph *graph)
{
    int64_t wanted = r->options->nodes;
    if (wanted < 0 || wanted == graph->nodes) {
        return GA_OK;
    }
    if (wanted < graph->nodes) {
        return ga__fail(r->context, GA_INVALID, "--nodes %lld is less than the %lld nodes of %s",
                        (long long)wanted, (long long)graph->nodes, r->name);
    }
    ga_status status = ga__reading_limits(r, wanted, graph->edges);
    return status == GA_OK ? widen(r->context, graph, wanted) : status;
}

/* ---- policies ---- */

static bool obeys(const ga__reading *r, const ga__facts *facts)
{
    bool loops = facts->loops > 0, repeated = facts->duplicates > 0 || facts->repeated_loops > 0;
    return facts->sorted && !r->options->undirected && (!loops || r->options->loops == GA_LOOPS_KEEP) &&
           (!repeated || r->options->multi == GA_MULTI_KEEP);
}

static ga_status rebuild(ga__reading *r, const ga_graph *raw, ga_graph **graph)
{
    ga_status status = GA_OK;
    ga__rows rows = { raw->nodes, raw->out_offsets,      raw->out_targets, raw->weights,
                      false,      r->options->undirected };
    ga__edge_source source = ga__rows_source(&rows);
    ga__csr_policy policy = { r->options->loops, r->options->multi, raw->weights != NULL, NULL };
    ga__csr_result built = { 0 };
    uint64_t *ids = NULL;
    GA_TRY(ga__csr_build(r->context, raw->nodes, &source, &policy, &built));
    if (built.refused) {
        GA_TRY(ga__refused(r->context, r->name, &built, raw->ids));
    }
    if (raw->ids) {
        GA_TRY(GA_NEW(r->context, raw->nodes, &ids));
        memcpy(ids, raw->ids, (size_t)raw->nodes * sizeof *ids);
    }
    r->report.edge_lines = built.listed;
    r->report.loops = built.loops;
    r->report.duplicates = built.duplicates;
    GA_TRY(ga__graph_adopt(r->context, raw->nodes, built.edges, built.offsets, built.targets, ids, graph));
    (*graph)->weights = built.weights;
    built = (ga__csr_result){ 0 };
    ids = NULL;
done:
    ga_free(r->context, built.offsets);
    ga_free(r->context, built.targets);
    ga_free(r->context, built.weights);
    ga_free(r->context, ids);
    return status;
}

ga_status ga__reading_obey(ga__reading *r, ga_graph *raw, const ga__facts *facts)
{
    ga_status status = GA_OK;
    ga_graph *graph = NULL;
    r->report.edge_lines = raw->edges;
    r->report.loops = facts->loops;
    r->report.duplicates = facts->duplicates;
    if (raw->weights && !r->options->weights) {
        ga__graph_free_array(r->context, raw, raw->weights);
        raw->weights = NULL;
    }
    if (obeys(r, facts)) {
        graph = raw;
        raw = NULL;
    } else {
        GA_TRY(rebuild(r, raw, &graph));
    }
    GA_TRY(widen_to_option(r, graph));
    r->graph = graph;
    graph = NULL;
done:
    ga_graph_destroy(r->context, graph);
    ga_graph_destroy(r->context, raw);
    return status;
}

ga_status ga__reading_take(ga__reading *r, ga_graph *raw)
{
    ga_status status = GA_OK;
    ga__facts facts;
    GA_TRY(ga__facts_find(r->context, raw->nodes, raw->out_offsets, raw->out_targets, NULL, &facts));
    if (facts.bad_edge >= 0) {
        GA_TRY(ga__fail(r->context, GA_FORMAT, "%s: edge %lld goes to node %u of %lld", r->name,
                        (long long)facts.bad_edge, raw->out_targets[facts.bad_edge], (long long)raw->nodes));
    }
    status = ga__reading_obey(r, raw, &facts);
    raw = NULL;
done:
    ga_graph_destroy(r->context, raw);
    return status;
}
