/* messages.c - the graph that messages take: lines as arcs, sorted by (target, source, line), duplicates and loops by
 * the policy. */
#include "config.h"

#include <string.h>

#include "gnn/messages.h"
#include "lib/base/workers.h"

enum {
    BLOCK = 1 << 16, /* lines or rows between questions whether to stop */
    UNIT = 1 << 10   /* targets */
};

/* Arcs grouped by one of their ends: those of node i end at ends[i] and begin where those of i - 1 end. */
typedef struct groups {
    int64_t *ends;        /* (nodes + 1) */
    uint32_t *ids, *arcs; /* (arcs): the other end; arcs NULL where nobody asks which arc it was */
} groups;

typedef struct builder {
    ga_context *context;
    const ga_edge_rows *rows;
    const double *line_weights;
    const ga__policy *policy;
    ga__messages *m;
    int64_t nodes;
    groups by_source, by_target;
    bool weighted, keyed; /* keyed: arcs are kept */
    bool writing;         /* the second of two passes over targets */
    int64_t ranges, next;
    int64_t bad; /* first line with an id outside, INT64_MAX = none */
    int status;
} builder;

static int64_t first_of(const groups *g, int64_t node)
{
    return node ? g->ends[node - 1] : 0;
}

static int64_t arc_line(const builder *b, int64_t arc)
{
    return b->policy->undirected ? arc / 2 : arc;
}

static double weight_of(const builder *b, int64_t arc)
{
    return b->line_weights ? b->line_weights[arc_line(b, arc)] : 1;
}

/* ---- ids ---- */

static void check_worker(void *user, int worker)
{
    builder *b = user;
    const ga_edge_rows *rows = b->rows;
    (void)worker;
    for (int64_t u; (u = ga__claim(&b->next)) * BLOCK < rows->count;) {
        int64_t last = ga__min(rows->count, (u + 1) * BLOCK), i = u * BLOCK;
        uint64_t nodes = (uint64_t)b->nodes, found = 0;
        for (int64_t k = i; k < last; k++) {
            found |= (uint64_t)((uint64_t)rows->keys[k] >= nodes) |
                     (uint64_t)((uint64_t)rows->queries[k] >= nodes);
        }
        while (found && i < last && (uint64_t)rows->keys[i] < nodes && (uint64_t)rows->queries[i] < nodes) {
            i++;
        }
        int64_t seen = __atomic_load_n(&b->bad, __ATOMIC_RELAXED);
        while (found && i < seen &&
               !__atomic_compare_exchange_n(&b->bad, &seen, i, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        }
    }
}

static ga_status check_ids(builder *b)
{
    const ga_edge_rows *rows = b->rows;
    const char *name = rows->name ? rows->name : "edges";
    b->next = 0;
    b->bad = INT64_MAX;
    ga__workers(b->context, ga__threads_for(b->context, rows->count / BLOCK + 1), check_worker, b);
    int64_t i = b->bad;
    if (i == INT64_MAX) {
        return GA_OK;
    }
    int64_t id = rows->keys[i] < 0 || rows->keys[i] >= b->nodes ? rows->keys[i] : rows->queries[i];
    if (rows->lines) {
        return ga__fail(b->context, GA_INVALID,
                        "%s:%lld: node %lld, expected below %lld, the rows of features", name,
                        (long long)rows->lines[i], (long long)id, (long long)b->nodes);
    }
    return ga__fail(b->context, GA_INVALID,
                    "%s: edge %lld: node %lld, expected below %lld, the rows of features", name, (long long)i,
                    (long long)id, (long long)b->nodes);
}

/* ---- two stable counting sorts, by source and then by target ---- */

/* Every worker reads everything and takes the nodes of its range: no table per worker, and results that do not depend on
 * how many ranges there are. */
static void range_of(const builder *b, int64_t range, int64_t *from, int64_t *size)
{
    int64_t each = b->nodes / b->ranges, over = b->nodes % b->ranges;
    *from = range * each + ga__min(range, over);
    *size = each + (range < over);
}

static void count_worker(void *user, int worker)
{
    builder *b = user;
    const ga_edge_rows *rows = b->rows;
    int64_t *sources = b->by_source.ends + 1, *targets = b->by_target.ends + 1, from, size;
    bool both = b->policy->undirected;
    (void)worker;
    for (int64_t r; (r = ga__claim(&b->next)) < b->ranges;) {
        range_of(b, r, &from, &size);
        for (int64_t i = 0; i < rows->count; i++) {
            if (i % BLOCK == 0 && ga__stopped(b->context, &b->status)) {
                return;
            }
            int64_t s = rows->keys[i], t = rows->queries[i];
            if ((uint64_t)(s - from) < (uint64_t)size) {
                sources[s]++;
                targets[s] += both;
            }
            if ((uint64_t)(t - from) < (uint64_t)size) {
                targets[t]++;
                sources[t] += both;
            }
        }
    }
}

static void place(groups *g, int64_t node, int64_t id, int64_t arc)
{
    int64_t at = g->ends[node]++;
    g->ids[at] = (uint32_t)id;
    if (g->arcs) {
        g->arcs[at] = (uint32_t)arc;
    }
}

static void source_worker(void *user, int worker)
{
    builder *b = user;
    const ga_edge_rows *rows = b->rows;
    int64_t from, size;
    bool both = b->policy->undirected;
    (void)worker;
    for (int64_t r; (r = ga__claim(&b->next)) < b->ranges;) {
        range_of(b, r, &from, &size);
        for (int64_t i = 0; i < rows->count; i++) {
            if (i % BLOCK == 0 && ga__stopped(b->context, &b->status)) {
                return;
            }
            int64_t s = rows->keys[i], t = rows->queries[i];
            if ((uint64_t)(s - from) < (uint64_t)size) {
                place(&b->by_source, s, t, both ? 2 * i : i);
            }
            if (both && (uint64_t)(t - from) < (uint64_t)size) {
                place(&b->by_source, t, s, 2 * i + 1);
            }
        }
    }
}

static void target_worker(void *user, int worker)
{
    builder *b = user;
    const groups *g = &b->by_source;
    int64_t from, size;
    (void)worker;
    for (int64_t r; (r = ga__claim(&b->next)) < b->ranges;) {
        range_of(b, r, &from, &size);
        for (int64_t s = 0; s < b->nodes; s++) {
            if (s % BLOCK == 0 && ga__stopped(b->context, &b->status)) {
                return;
            }
            for (int64_t i = first_of(g, s); i < g->ends[s]; i++) {
                if ((uint64_t)(g->ids[i] - from) < (uint64_t)size) {
                    place(&b->by_target, g->ids[i], s, g->arcs ? g->arcs[i] : 0);
                }
            }
        }
    }
}

static ga_status each_range(builder *b, ga__worker_fn body)
{
    b->next = 0;
    ga__workers(b->context, ga__threads_for(b->context, b->ranges), body, b);
    return ga__noted_status(&b->status);
}

static ga_status open_groups(builder *b, groups *g)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(b->context, b->m->arcs, &g->ids));
    ga__advise_large(g->ids, b->m->arcs * (int64_t)sizeof *g->ids);
    if (b->keyed) {
        GA_TRY(GA_NEW(b->context, b->m->arcs, &g->arcs));
        ga__advise_large(g->arcs, b->m->arcs * (int64_t)sizeof *g->arcs);
    }
done:
    return status;
}

static void free_groups(builder *b, groups *g)
{
    ga_free(b->context, g->ends);
    ga_free(b->context, g->ids);
    ga_free(b->context, g->arcs);
    *g = (groups){ NULL, NULL, NULL };
}

/* by_target: arcs by (target, source, arc). */
static ga_status sort_arcs(builder *b)
{
    ga_status status = GA_OK;
    b->ranges = b->m->arcs < BLOCK ? 1 : ga__min(ga__threads(b->context), ga__max(b->nodes, 1));
    GA_TRY(GA_NEW_ZERO(b->context, b->nodes + 1, &b->by_source.ends));
    GA_TRY(GA_NEW_ZERO(b->context, b->nodes + 1, &b->by_target.ends));
    GA_TRY(each_range(b, count_worker));
    GA_TRY(ga__prefix_sum(b->context, b->by_source.ends, b->nodes));
    GA_TRY(ga__prefix_sum(b->context, b->by_target.ends, b->nodes));
    GA_TRY(open_groups(b, &b->by_source));
    GA_TRY(each_range(b, source_worker));
    GA_TRY(open_groups(b, &b->by_target));
    GA_TRY(each_range(b, target_worker));
done:
    free_groups(b, &b->by_source);
    return status;
}

/* ---- the policy, target by target: once to count, once to write ---- */

static void put_edge(const builder *b, int64_t *at, int64_t source, int64_t line, double weight)
{
    ga__messages *m = b->m;
    if (b->writing) {
        m->sources[*at] = (uint32_t)source;
        if (m->edge_line) {
            m->edge_line[*at] = line;
        }
        if (m->weights) {
            m->weights[*at] = weight;
        }
    }
    ++*at;
}

static void note_arc(const builder *b, int64_t i, int64_t edge)
{
    if (b->writing && b->m->arc_edge) {
        b->m->arc_edge[b->by_target.arcs[i]] = edge;
    }
}

/* Places from .. to - 1 of by_target join one pair of nodes. */
static void put_pair(const builder *b, int64_t target, int64_t from, int64_t to, int64_t *at)
{
    const uint32_t *arcs = b->by_target.arcs;
    int64_t source = b->by_target.ids[from];
    if (source == target && b->policy->loops == GA__LOOPS_REMOVE) {
        return;
    }
    if (b->policy->duplicates == GA__DUPLICATES_KEEP) {
        for (int64_t i = from; i < to; i++) {
            note_arc(b, i, *at);
            put_edge(b, at, source, arcs ? arc_line(b, arcs[i]) : 0, arcs ? weight_of(b, arcs[i]) : 1);
        }
        return;
    }
    double weight = arcs ? weight_of(b, arcs[from]) : 1;
    note_arc(b, from, *at);
    for (int64_t i = from + 1; b->policy->duplicates == GA__DUPLICATES_SUM && i < to; i++) {
        note_arc(b, i, *at);
        weight += weight_of(b, arcs[i]);
    }
    put_edge(b, at, source, arcs ? arc_line(b, arcs[from]) : 0, weight);
}

static void put_target(const builder *b, int64_t target, int64_t *at)
{
    const groups *g = &b->by_target;
    bool missing = b->policy->loops == GA__LOOPS_ADD;
    for (int64_t i = first_of(g, target), end = g->ends[target], next; i < end; i = next) {
        int64_t source = g->ids[i];
        for (next = i + 1; next < end && g->ids[next] == source; next++) {
        }
        if (missing && source > target) {
            put_edge(b, at, target, -1, 1);
        }
        missing = missing && source < target;
        put_pair(b, target, i, next, at);
    }
    if (missing) {
        put_edge(b, at, target, -1, 1);
    }
}

static void put_worker(void *user, int worker)
{
    builder *b = user;
    (void)worker;
    for (int64_t u; (u = ga__claim(&b->next)) * UNIT < b->nodes && !ga__stopped(b->context, &b->status);) {
        for (int64_t i = u * UNIT; i < ga__min(b->nodes, (u + 1) * UNIT); i++) {
            int64_t at = b->writing ? b->m->offsets[i] : 0;
            put_target(b, i, &at);
            if (!b->writing) {
                b->m->offsets[i + 1] = at;
            }
        }
    }
}

static ga_status each_target(builder *b, bool writing)
{
    b->writing = writing;
    b->next = 0;
    ga__workers(b->context, ga__threads_for(b->context, b->nodes / UNIT + 1), put_worker, b);
    return ga__noted_status(&b->status);
}

static ga_status take_lines(builder *b, int64_t count)
{
    ga__messages *m = b->m;
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(b->context, count, &m->edge_line));
    GA_TRY(GA_NEW(b->context, m->arcs, &m->arc_edge));
    memset(m->arc_edge, 0xff, (size_t)m->arcs * sizeof *m->arc_edge); /* -1 */
done:
    return status;
}

static ga_status find_loops(builder *b, int64_t count)
{
    ga__messages *m = b->m;
    ga_status status = GA_OK;
    for (int64_t e = 0; e < count; e++) {
        m->loops += m->edge_line[e] < 0;
    }
    GA_TRY(GA_NEW(b->context, m->loops, &m->loop_edge));
    for (int64_t e = 0, loop = 0; e < count; e++) {
        if (m->edge_line[e] < 0) {
            m->loop_edge[loop++] = e;
        }
    }
done:
    return status;
}

static ga_status put_edges(builder *b)
{
    ga__messages *m = b->m;
    ga_status status = GA_OK;
    int64_t count = 0;
    GA_TRY(GA_NEW_ZERO(b->context, b->nodes + 1, &m->offsets));
    GA_TRY(each_target(b, false));
    GA_TRY(ga__prefix_sum(b->context, m->offsets, b->nodes));
    count = m->offsets[b->nodes];
    GA_TRY(GA_NEW(b->context, count, &m->sources));
    ga__advise_large(m->sources, count * (int64_t)sizeof *m->sources);
    if (b->weighted) {
        GA_TRY(GA_NEW(b->context, count, &m->weights));
    }
    GA_TRY(b->policy->lines ? take_lines(b, count) : GA_OK);
    GA_TRY(each_target(b, true));
    GA_TRY(b->policy->lines ? find_loops(b, count) : GA_OK);
done:
    return status;
}

static ga_status finish(ga_context *context, int64_t nodes, ga__messages *m)
{
    ga_status status = GA_OK;
    m->edges = (ga_edges){ nodes, nodes, m->offsets[nodes], m->offsets, m->sources };
    GA_TRY(GA_NEW_ZERO(context, 1, &m->numbers));
    status = ga_edges_transpose(context, &m->edges, &m->transposed);
done:
    return status;
}

static ga_status check_sizes(builder *b)
{
    const ga_edge_rows *rows = b->rows;
    ga__messages *m = b->m;
    int64_t room = 0;
    if (b->nodes > INT64_C(1) << 32) {
        return ga__fail(b->context, GA_LIMIT, "features: %lld rows, expected at most 2^32",
                        (long long)b->nodes);
    }
    if (rows->count < 0 || !ga__mul(rows->count, b->policy->undirected ? 2 : 1, &m->arcs)) {
        return ga__fail(b->context, GA_INVALID, "edges: %lld of them", (long long)rows->count);
    }
    if (rows->count > 0 && (!rows->keys || !rows->queries)) {
        return ga__fail(b->context, GA_INVALID, "edges: keys and queries expected");
    }
    if (!ga__add(m->arcs, b->nodes, &room)) {
        return ga__fail(b->context, GA_OVERFLOW, "too many edges");
    }
    b->weighted = b->line_weights || b->policy->duplicates == GA__DUPLICATES_SUM;
    b->keyed = b->weighted || b->policy->lines;
    if (b->keyed && m->arcs > INT64_C(1) << 32) {
        return ga__fail(b->context, GA_LIMIT, "edges: %lld, expected at most 2^32 where they carry weights",
                        (long long)m->arcs);
    }
    return GA_OK;
}

ga_status ga__messages_make(ga_context *context, const ga_edge_rows *rows, const double *weights,
                            int64_t nodes, const ga__policy *policy, ga__messages *messages)
{
    ga_status status = GA_OK;
    builder b = { .context = context,
                  .rows = rows,
                  .line_weights = weights,
                  .policy = policy,
                  .m = messages,
                  .nodes = nodes };
    *messages = (ga__messages){ .lines = rows->count };
    GA_TRY(check_sizes(&b));
    GA_TRY(check_ids(&b));
    GA_TRY(sort_arcs(&b));
    GA_TRY(put_edges(&b));
    free_groups(&b, &b.by_target);
    status = finish(context, nodes, messages);
done:
    free_groups(&b, &b.by_target);
    return status;
}

ga_status ga__messages_adopt(ga_context *context, int64_t nodes, int64_t *offsets, uint32_t *sources,
                             double *weights, ga__messages *messages)
{
    *messages = (ga__messages){ .offsets = offsets, .sources = sources, .weights = weights };
    return finish(context, nodes, messages);
}

void ga__messages_free(ga_context *context, ga__messages *m)
{
    for (int i = 0; m->numbers && i < 2 * GA__GRAPH_KINDS; i++) {
        ga_tensor_destroy(context, m->numbers->of[i / 2][i % 2]);
    }
    if (m->numbers) {
        ga_free(context, m->numbers->degrees);
    }
    ga_free(context, m->numbers);
    ga_transposed_destroy(context, &m->transposed);
    ga_free(context, m->arc_edge);
    ga_free(context, m->edge_line);
    ga_free(context, m->loop_edge);
    ga_free(context, m->weights);
    ga_free(context, m->offsets);
    ga_free(context, m->sources);
    *m = (ga__messages){ .lines = 0 };
}
