/* messages.c - the graph that messages take: lines as arcs, sorted by (target, source, line), duplicates and loops by
 * the policy. */
#include "config.h"

#include <string.h>

#include "gnn/messages.h"

typedef struct builder {
    ga_context *context;
    const ga_edge_rows *rows;
    const double *line_weights;
    const ga__policy *policy;
    ga__messages *m;
    int64_t nodes;
    int64_t *order;  /* arcs by (target, source, arc) */
    int64_t *starts; /* (nodes + 1): where the arcs of a target begin in order */
    int64_t count;   /* edges so far */
    bool weighted;
} builder;

static int64_t arc_line(const builder *b, int64_t arc)
{
    return b->policy->undirected ? arc / 2 : arc;
}

static bool reversed(const builder *b, int64_t arc)
{
    return b->policy->undirected && arc % 2 == 1;
}

static int64_t source_of(const builder *b, int64_t arc)
{
    int64_t line = arc_line(b, arc);
    return reversed(b, arc) ? b->rows->queries[line] : b->rows->keys[line];
}

static int64_t target_of(const builder *b, int64_t arc)
{
    int64_t line = arc_line(b, arc);
    return reversed(b, arc) ? b->rows->keys[line] : b->rows->queries[line];
}

static double weight_of(const builder *b, int64_t arc)
{
    return b->line_weights ? b->line_weights[arc_line(b, arc)] : 1;
}

static ga_status check_ids(const builder *b)
{
    const ga_edge_rows *rows = b->rows;
    const char *name = rows->name ? rows->name : "edges";
    for (int64_t i = 0; i < rows->count; i++) {
        int64_t id = rows->keys[i] < 0 || rows->keys[i] >= b->nodes ? rows->keys[i] : rows->queries[i];
        if (id >= 0 && id < b->nodes) {
            continue;
        }
        if (rows->lines) {
            return ga__fail(b->context, GA_INVALID,
                            "%s:%lld: node %lld, expected below %lld, the rows of features", name,
                            (long long)rows->lines[i], (long long)id, (long long)b->nodes);
        }
        return ga__fail(b->context, GA_INVALID,
                        "%s: edge %lld: node %lld, expected below %lld, the rows of features", name,
                        (long long)i, (long long)id, (long long)b->nodes);
    }
    return GA_OK;
}

/* Two stable counting sorts, by source and then by target. */
static ga_status sort_arcs(builder *b)
{
    ga_status status = GA_OK;
    int64_t arcs = b->m->arcs, *by_source = NULL;
    GA_TRY(GA_NEW(b->context, arcs, &b->order));
    GA_TRY(GA_NEW(b->context, arcs, &by_source));
    GA_TRY(GA_NEW(b->context, b->nodes + 2, &b->starts));
    for (int turn = 0; turn < 2; turn++) {
        int64_t (*key)(const builder *, int64_t) = turn ? target_of : source_of;
        int64_t *to = turn ? b->order : by_source;
        memset(b->starts, 0, (size_t)(b->nodes + 2) * sizeof *b->starts);
        for (int64_t a = 0; a < arcs; a++) {
            b->starts[key(b, a) + 2]++;
        }
        for (int64_t i = 0; i <= b->nodes; i++) {
            b->starts[i + 1] += b->starts[i];
        }
        GA_TRY(ga__check(b->context));
        for (int64_t i = 0; i < arcs; i++) {
            int64_t arc = turn ? by_source[i] : i;
            to[b->starts[key(b, arc) + 1]++] = arc;
        }
    }
done:
    ga_free(b->context, by_source);
    return status;
}

static void put_edge(builder *b, int64_t source, int64_t line, double weight)
{
    ga__messages *m = b->m;
    m->sources[b->count] = (uint32_t)source;
    m->edge_line[b->count] = line;
    if (m->weights) {
        m->weights[b->count] = weight;
    }
    b->count++;
}

/* Arcs order[from] .. order[to - 1] join one pair of nodes. */
static void put_pair(builder *b, int64_t from, int64_t to)
{
    ga__duplicate_policy duplicates = b->policy->duplicates;
    int64_t first = b->order[from], source = source_of(b, first);
    if (source == target_of(b, first) && b->policy->loops == GA__LOOPS_REMOVE) {
        return;
    }
    if (duplicates == GA__DUPLICATES_KEEP) {
        for (int64_t i = from; i < to; i++) {
            b->m->arc_edge[b->order[i]] = b->count;
            put_edge(b, source, arc_line(b, b->order[i]), weight_of(b, b->order[i]));
        }
        return;
    }
    double weight = weight_of(b, first);
    b->m->arc_edge[first] = b->count;
    for (int64_t i = from + 1; duplicates == GA__DUPLICATES_SUM && i < to; i++) {
        b->m->arc_edge[b->order[i]] = b->count;
        weight += weight_of(b, b->order[i]);
    }
    put_edge(b, source, arc_line(b, first), weight);
}

static void put_loop(builder *b, int64_t node)
{
    b->m->loop_edge[b->m->loops++] = b->count;
    put_edge(b, node, -1, 1);
}

static void put_target(builder *b, int64_t target)
{
    bool missing = b->policy->loops == GA__LOOPS_ADD;
    for (int64_t i = b->starts[target], end = b->starts[target + 1], next; i < end; i = next) {
        int64_t source = source_of(b, b->order[i]);
        for (next = i + 1; next < end && source_of(b, b->order[next]) == source; next++) {
        }
        if (missing && source > target) {
            put_loop(b, target);
        }
        missing = missing && source < target;
        put_pair(b, i, next);
    }
    if (missing) {
        put_loop(b, target);
    }
    b->m->offsets[target + 1] = b->count;
}

static ga_status take_room(builder *b)
{
    ga__messages *m = b->m;
    int64_t room = 0;
    ga_status status = GA_OK;
    if (!ga__add(m->arcs, b->policy->loops == GA__LOOPS_ADD ? b->nodes : 0, &room)) {
        return ga__fail(b->context, GA_OVERFLOW, "too many edges");
    }
    b->weighted = b->line_weights || b->policy->duplicates == GA__DUPLICATES_SUM;
    GA_TRY(GA_NEW(b->context, b->nodes + 1, &m->offsets));
    GA_TRY(GA_NEW(b->context, room, &m->sources));
    GA_TRY(GA_NEW(b->context, room, &m->edge_line));
    GA_TRY(GA_NEW(b->context, b->policy->loops == GA__LOOPS_ADD ? b->nodes : 0, &m->loop_edge));
    GA_TRY(GA_NEW(b->context, m->arcs, &m->arc_edge));
    if (b->weighted) {
        GA_TRY(GA_NEW(b->context, room, &m->weights));
    }
    memset(m->arc_edge, 0xff, (size_t)m->arcs * sizeof *m->arc_edge); /* -1 */
done:
    return status;
}

ga_status ga__messages_make(ga_context *context, const ga_edge_rows *rows, const double *weights,
                            int64_t nodes, const ga__policy *policy, ga__messages *messages)
{
    ga_status status = GA_OK;
    builder b = { .context = context, .rows = rows, .policy = policy, .m = messages, .nodes = nodes };
    *messages = (ga__messages){ .lines = rows->count };
    b.line_weights = weights;
    if (nodes > INT64_C(1) << 32) {
        return ga__fail(context, GA_LIMIT, "features: %lld rows, expected at most 2^32", (long long)nodes);
    }
    if (rows->count < 0 || !ga__mul(rows->count, policy->undirected ? 2 : 1, &messages->arcs)) {
        return ga__fail(context, GA_INVALID, "edges: %lld of them", (long long)rows->count);
    }
    if (rows->count > 0 && (!rows->keys || !rows->queries)) {
        return ga__fail(context, GA_INVALID, "edges: keys and queries expected");
    }
    GA_TRY(check_ids(&b));
    GA_TRY(sort_arcs(&b));
    GA_TRY(take_room(&b));
    messages->offsets[0] = 0;
    for (int64_t i = 0; i < nodes; i++) {
        put_target(&b, i);
    }
    messages->edges = (ga_edges){ nodes, nodes, b.count, messages->offsets, messages->sources };
    GA_TRY(ga_edges_transpose(context, &messages->edges, &messages->transposed));
done:
    ga_free(context, b.order);
    ga_free(context, b.starts);
    return status;
}

void ga__messages_free(ga_context *context, ga__messages *m)
{
    ga_transposed_destroy(context, &m->transposed);
    ga_free(context, m->arc_edge);
    ga_free(context, m->edge_line);
    ga_free(context, m->loop_edge);
    ga_free(context, m->weights);
    ga_free(context, m->offsets);
    ga_free(context, m->sources);
    *m = (ga__messages){ .lines = 0 };
}
