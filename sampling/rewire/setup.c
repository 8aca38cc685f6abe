/* setup.c - from a graph to slots and classes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/workers.h"
#include "sampling/rewire/rewiring.h"

enum {
    SMALL_GRAPH = 1 << 14, /* edges; below, threads cost more than they bring */
    GROUP = 1 << 12,       /* edges of a group: its table fits the second cache */
    MANY_GROUPS = 1 << 12, /* dealing to more would be slow: better larger ones */
    BLOCK = 1 << 24,       /* edges that are dealt before a look whether to stop */
    MIXED_GROUP = 1 << 13, /* edges of a group of triples */
    FEW_NODES = 32         /* to be left of a class in a group: edges of the same node cannot be swapped */
};

/* ---- classes ---- */

/* Ranks of the distinct degrees. */
static ga_status rank_degrees(ga__rewiring *r, const uint32_t *degree, ga__side *side)
{
    ga_status status = GA_OK;
    uint32_t *rank = NULL, most = 0;
    for (int64_t v = 0; v < r->nodes; v++) {
        most = degree[v] > most ? degree[v] : most;
    }
    GA_TRY(GA_NEW_ZERO(r->context, (int64_t)most + 1, &rank));
    for (int64_t v = 0; v < r->nodes; v++) {
        rank[degree[v]] = 1;
    }
    for (int64_t d = 0; d <= most; d++) {
        uint32_t used = rank[d];
        rank[d] = (uint32_t)side->count;
        side->count += used;
    }
    for (int64_t v = 0; v < r->nodes; v++) {
        side->of_node[v] = rank[degree[v]];
    }
done:
    ga_free(r->context, rank);
    return status;
}

typedef struct labelled {
    int64_t label;
    uint32_t degree, node;
} labelled;

static int compare_labelled(const void *left, const void *right)
{
    const labelled *a = left, *b = right;
    if (a->degree != b->degree) {
        return a->degree < b->degree ? -1 : 1;
    }
    return a->label != b->label ? (a->label < b->label ? -1 : 1) : 0;
}

/* Ranks of the distinct pairs (degree, label). */
static ga_status rank_labelled(ga__rewiring *r, const uint32_t *degree, ga__side *side)
{
    ga_status status = GA_OK;
    labelled *all = NULL;
    GA_TRY(GA_NEW(r->context, r->nodes, &all));
    for (int64_t v = 0; v < r->nodes; v++) {
        all[v] = (labelled){ r->options->labels[v], degree[v], (uint32_t)v };
    }
    qsort(all, (size_t)r->nodes, sizeof *all, compare_labelled);
    for (int64_t i = 0; i < r->nodes; i++) {
        side->count += i == 0 || compare_labelled(&all[i - 1], &all[i]) != 0;
        side->of_node[all[i].node] = (uint32_t)(side->count - 1);
    }
done:
    ga_free(r->context, all);
    return status;
}

/* Groups that a class is cut into. With one class for all, a node with many edges would make up most of its group:
 * larger groups then, as long as some are left for the threads. */
static int64_t groups_of(const ga__rewiring *r, int64_t edges, int64_t nodes, int64_t most)
{
    enum { ENOUGH = 64, SHARE = 4 };
    int64_t size = r->cut > 0 ? r->cut : ga__max(GROUP, r->edges / MANY_GROUPS), groups = edges / size;
    if (r->options->preserve == GA_PRESERVE_DEGREES) {
        groups = ga__min(groups, ga__max(ENOUGH, edges / (SHARE * most)));
    }
    return ga__max(1, ga__min(groups, nodes / r->few_nodes));
}

static ga_status make_classes(ga__rewiring *r, const uint32_t *degree, ga__side *side)
{
    ga_status status = GA_OK;
    int64_t most = 1;
    GA_TRY(GA_NEW(r->context, r->nodes, &side->of_node));
    if (r->options->preserve == GA_PRESERVE_DEGREES || r->nodes == 0) {
        side->count = 1;
        memset(side->of_node, 0, (size_t)r->nodes * sizeof *side->of_node);
    } else {
        GA_TRY(r->options->labels ? rank_labelled(r, degree, side) : rank_degrees(r, degree, side));
    }
    GA_TRY(GA_NEW_ZERO(r->context, side->count + 1, &side->start));
    GA_TRY(GA_NEW_ZERO(r->context, side->count + 1, &side->group));
    GA_TRY(GA_NEW_ZERO(r->context, side->count, &side->nodes));
    for (int64_t v = 0; v < r->nodes; v++) {
        side->start[side->of_node[v] + 1] += degree[v];
        side->nodes[side->of_node[v]] += degree[v] > 0;
        most = ga__max(most, degree[v]);
    }
    for (int64_t c = 0; c < side->count; c++) {
        int64_t groups = groups_of(r, side->start[c + 1], side->nodes[c], most);
        side->start[c + 1] += side->start[c];
        side->group[c + 1] = side->group[c] + groups;
    }
    if (side->group[side->count] >= UINT32_MAX) {
        status = ga__fail(r->context, GA_UNSUPPORTED, "more than 4294967294 classes");
    }
done:
    return status;
}

/* ---- slots ---- */

/* Nodes in order of their out-class, each with its edges. */
static ga_status fill_slots(ga__rewiring *r, const uint32_t *degree)
{
    ga_status status = GA_OK;
    int64_t *next = NULL;
    ga_csr out = ga_graph_out(r->graph);
    GA_TRY(GA_NEW(r->context, r->out.count, &next));
    memcpy(next, r->out.start, (size_t)r->out.count * sizeof *next);
    for (int64_t v = 0; v < r->nodes; v++) {
        int64_t at = next[r->out.of_node[v]];
        next[r->out.of_node[v]] += degree[v];
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            r->slot[at++] = (ga__pair){ (uint32_t)v, out.targets[e] };
        }
        if ((v & 0xfffff) == 0) {
            GA_TRY(ga__check(r->context));
        }
    }
done:
    ga_free(r->context, next);
    return status;
}

ga_status ga__fill_set(ga__rewiring *r)
{
    enum { AHEAD = 16 };
    ga_status status = GA_OK;
    ga__edge_set_destroy(r->context, &r->set);
    GA_TRY(ga__edge_set_create(r->context, r->edges, &r->set));
    for (int64_t e = 0; e < r->edges; e++) {
        if (e + AHEAD < r->edges) {
            __builtin_prefetch(ga__edge_home(&r->set, ga__slot_key(r, (uint32_t)(e + AHEAD))), 1);
        }
        ga__edge_set_insert(&r->set, ga__slot_key(r, (uint32_t)e));
        if ((e & 0xfffff) == 0) {
            GA_TRY(ga__check(r->context));
        }
    }
done:
    return status;
}

/* ---- all of it ---- */

static ga_status make_room(ga__rewiring *r)
{
    ga_status status = GA_OK;
    int64_t groups = ga__max(r->out.group[r->out.count], r->in.group[r->in.count]);
    r->mixed_groups = r->edges / (r->cut > 0 ? r->cut : ga__max(MIXED_GROUP, r->edges / MANY_GROUPS));
    r->mixed_groups = ga__max(1, r->mixed_groups);
    groups = ga__max(groups, r->mixed_groups);
    r->blocks = r->threads > 1 ? ga__min(4 * r->threads, r->edges / (4 * groups)) : 1;
    r->blocks = ga__max(r->blocks, r->edges / BLOCK + 1);
    GA_TRY(GA_NEW(r->context, r->edges, &r->spare));
    ga__advise_large(r->spare, r->edges * (int64_t)sizeof *r->spare);
    r->order = (uint32_t *)r->spare;
    r->place = r->order + r->edges;
    GA_TRY(GA_NEW(r->context, r->nodes, &r->group_of));
    GA_TRY(GA_NEW(r->context, r->blocks * groups, &r->counters));
    GA_TRY(GA_NEW(r->context, groups + 1, &r->edge));
    GA_TRY(GA_NEW(r->context, groups + 1, &r->pair));
    GA_TRY(GA_NEW(r->context, groups, &r->unit));
    GA_TRY(GA_NEW_ZERO(r->context, r->threads, &r->desk));
done:
    return status;
}

ga_status ga__rewiring_setup(ga__rewiring *r)
{
    ga_status status = GA_OK;
    uint32_t *out_degree = NULL, *in_degree = NULL;
    r->nodes = ga_graph_nodes(r->graph);
    r->edges = ga_graph_edges(r->graph);
    r->seed = ga_context_seed(r->context);
    r->few_nodes = r->cut > 0 ? 1 : FEW_NODES;
    r->threads = r->edges < SMALL_GRAPH ? 1 : ga__threads(r->context);
    GA_TRY(GA_NEW(r->context, r->nodes, &out_degree));
    GA_TRY(GA_NEW(r->context, r->nodes, &in_degree));
    GA_TRY(ga_graph_degrees(r->context, r->graph, out_degree, in_degree));
    GA_TRY(make_classes(r, out_degree, &r->out));
    GA_TRY(make_classes(r, in_degree, &r->in));
    GA_TRY(GA_NEW(r->context, r->edges, &r->slot));
    ga__advise_large(r->slot, r->edges * (int64_t)sizeof *r->slot);
    GA_TRY(fill_slots(r, out_degree));
    GA_TRY(make_room(r));
done:
    ga_free(r->context, out_degree);
    ga_free(r->context, in_degree);
    return status;
}

static void clear_side(ga_context *context, ga__side *side)
{
    ga_free(context, side->of_node);
    ga_free(context, side->start);
    ga_free(context, side->group);
    ga_free(context, side->nodes);
    *side = (ga__side){ 0 };
}

void ga__rewiring_clear(ga__rewiring *r)
{
    clear_side(r->context, &r->out);
    clear_side(r->context, &r->in);
    ga__edge_set_destroy(r->context, &r->set);
    for (int i = 0; r->desk && i < r->threads; i++) {
        ga__desk_clear(r->context, &r->desk[i]);
        ga_free(r->context, r->desk[i].class_number);
    }
    void **const blocks[] = { (void **)&r->slot,     (void **)&r->spare, (void **)&r->group_of,
                              (void **)&r->counters, (void **)&r->edge,  (void **)&r->pair,
                              (void **)&r->unit,     (void **)&r->desk };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ga_free(r->context, *blocks[i]);
        *blocks[i] = NULL;
    }
}
