/* graph.c - any directed graph as the pattern: an edge j -> i lets query i see key j (attention-static section 13).
 *
 * Edges come as a ga_graph, as rows in the order of a file, or as lists by query (indptr, indices). The pattern has them
 * by query; what belongs to an edge follows by run->edge_order. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "attention/plan.h"

#define BY_QUERY \
    { "indptr", "i64 (Nq+1)", "row pointers; with indices", .optional = true }, \
    { \
        "indices", "i64 (E)", "key ids; with indptr", .optional = true \
    }
static const ga_tensor_slot pattern_tensors[] = { BY_QUERY, { .name = NULL } };
static const ga_tensor_slot tensors[] = {
    { "graph", "graph file", "edge source = key, target = query; this or indptr", .optional = true },
    BY_QUERY,
    { "edge_bias", "(E) or (H, E)", "in the order of the file or of indices", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

/* The edges that a call gives, in the caller's order. */
typedef struct edge_source {
    const ga_edge_rows *rows;
    ga_csr out;
    const uint64_t *ids; /* of the graph; NULL = dense */
    const char *name;
    int64_t row, at; /* of the graph: where we are */
} edge_source;

static int64_t id_of(const edge_source *s, int64_t node)
{
    if (!s->ids) {
        return node;
    }
    return s->ids[node] > INT64_MAX ? INT64_MAX : (int64_t)s->ids[node];
}

/* Edge e; called for 0, 1, 2, ... in order. */
static void edge_at(edge_source *s, int64_t e, int64_t *key, int64_t *query)
{
    if (s->rows) {
        *key = s->rows->keys[e];
        *query = s->rows->queries[e];
        return;
    }
    while (s->out.offsets[s->row + 1] <= e) {
        s->row++;
    }
    *key = id_of(s, s->row);
    *query = id_of(s, s->out.targets[e]);
}

static ga_status refuse_edge(const ga__job *run, const ga__part *part, const edge_source *s, int64_t e,
                             const char *what, int64_t found, int64_t limit)
{
    char place[64] = "";
    if (s->rows && s->rows->lines) {
        snprintf(place, sizeof place, ":%lld", (long long)s->rows->lines[e]);
    } else {
        snprintf(place, sizeof place, ": edge %lld", (long long)e);
    }
    return ga__fail(run->context, GA_INVALID, "%s%s: %s%s: %s %lld of %lld", part->kind, part->name,
                    s->name ? s->name : "graph", place, what, (long long)found, (long long)limit);
}

/* Counting sort by query, stable: offsets, keys, and where each entry stood. */
static ga_status sort_edges(ga__job *run, const ga__part *part, edge_source *s, int64_t count,
                            int64_t *offsets, int64_t *indices)
{
    ga_status status = GA_OK;
    edge_source again = *s;
    int64_t key, query;
    for (int64_t e = 0; e < count; e++) {
        edge_at(s, e, &key, &query);
        if (query < 0 || query >= run->queries) {
            GA_TRY(refuse_edge(run, part, s, e, "query", query, run->queries));
        }
        if (key < 0 || key >= run->keys) {
            GA_TRY(refuse_edge(run, part, s, e, "key", key, run->keys));
        }
        offsets[query + 1]++;
    }
    for (int64_t i = 0; i < run->queries; i++) {
        offsets[i + 1] += offsets[i];
    }
    for (int64_t e = 0; e < count; e++) { /* offsets[i] runs through row i ... */
        edge_at(&again, e, &key, &query);
        int64_t at = offsets[query]++;
        indices[at] = key;
        run->edge_order[at] = e;
    }
    memmove(offsets + 1, offsets, (size_t)run->queries * sizeof *offsets); /* ... and has become its end */
    offsets[0] = 0;
done:
    return status;
}

static ga_status make_from_edges(ga__job *run, const ga__part *part, edge_source *s, int64_t count)
{
    ga_status status = GA_OK;
    int64_t *offsets = NULL, *indices = NULL;
    bool merge = ga__slot_find(run, "edge_bias") < 0;
    GA_TRY(GA_NEW_ZERO(run->context, run->queries + 1, &offsets));
    GA_TRY(GA_NEW(run->context, count, &indices));
    GA_TRY(GA_NEW(run->context, count, &run->edge_order));
    GA_TRY(sort_edges(run, part, s, count, offsets, indices));
    run->edge_count = count;
    status = ga_pattern_csr(run->context, run->queries, run->keys, offsets, indices, run->causal, merge,
                            &run->pattern);
done:
    ga_free(run->context, offsets);
    ga_free(run->context, indices);
    return status;
}

/* An integer tensor of one axis as an array. Returns owned. */
static ga_status take_integers(ga__job *run, int slot, int64_t **out, int64_t *count)
{
    ga_status status = GA_OK;
    ga__view view;
    const ga__slot *s = &run->slots[slot];
    GA_TRY(ga__slot_fits(run, slot, false, 1, (const int64_t[]){ -1 }));
    GA_TRY(ga__view_of(run->context, s->name, s->given, false, &view));
    if (view.type != GA__I64 && view.type != GA__I32) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s: expected i64 or i32", s->name));
    }
    GA_TRY(GA_NEW(run->context, view.columns, out));
    for (int64_t i = 0; i < view.columns; i++) {
        (*out)[i] = ga__view_get_integer(&view, 0, 0, i);
    }
    *count = view.columns;
done:
    return status;
}

static ga_status check_lists(const ga__job *run, const ga__part *part, const int64_t *indptr,
                             const int64_t *indices, int64_t count)
{
    bool ascending = indptr[0] == 0 && indptr[run->queries] == count;
    for (int64_t i = 0; i < run->queries; i++) {
        ascending = ascending && indptr[i] <= indptr[i + 1];
    }
    if (!ascending) {
        return ga__fail(run->context, GA_INVALID, "%s%s: indptr: expected 0 .. %lld ascending", part->kind,
                        part->name, (long long)count);
    }
    for (int64_t e = 0; e < count; e++) {
        if (indices[e] < 0 || indices[e] >= run->keys) {
            return ga__fail(run->context, GA_INVALID, "%s%s: indices: edge %lld: key %lld of %lld",
                            part->kind, part->name, (long long)e, (long long)indices[e],
                            (long long)run->keys);
        }
    }
    return GA_OK;
}

static ga_status make_from_lists(ga__job *run, const ga__part *part, int indptr_slot, int indices_slot)
{
    ga_status status = GA_OK;
    int64_t *indptr = NULL, *indices = NULL, rows = 0, count = 0;
    GA_TRY(take_integers(run, indptr_slot, &indptr, &rows));
    GA_TRY(take_integers(run, indices_slot, &indices, &count));
    if (rows != run->queries + 1) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s%s: indptr: %lld values, expected %lld", part->kind,
                        part->name, (long long)rows, (long long)run->queries + 1));
    }
    GA_TRY(check_lists(run, part, indptr, indices, count));
    run->edge_count = count;
    status = ga_pattern_csr(run->context, run->queries, run->keys, indptr, indices, run->causal,
                            ga__slot_find(run, "edge_bias") < 0, &run->pattern);
done:
    ga_free(run->context, indptr);
    ga_free(run->context, indices);
    return status;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    const ga_attend_call *call = run->call;
    int indptr = ga__slot_find(run, "indptr"), indices = ga__slot_find(run, "indices");
    bool lists = indptr >= 0 || indices >= 0;
    if ((call->graph || call->edges) && lists) {
        return ga__fail(run->context, GA_INVALID, "%s%s: either --graph or indptr and indices", part->kind,
                        part->name);
    }
    if (lists) {
        if (indptr < 0 || indices < 0) {
            return ga__fail(run->context, GA_INVALID, "%s%s needs %s", part->kind, part->name,
                            indptr < 0 ? "indptr" : "indices");
        }
        return make_from_lists(run, part, indptr, indices);
    }
    if (!call->graph && !call->edges) {
        return ga__fail(run->context, GA_INVALID, "%s%s needs --graph", part->kind, part->name);
    }
    edge_source s = { .rows = call->edges, .name = call->edges ? call->edges->name : call->graph_name };
    if (call->edges) {
        return make_from_edges(run, part, &s, call->edges->count);
    }
    s.out = ga_graph_out(call->graph);
    s.ids = ga_graph_ids(call->graph);
    return make_from_edges(run, part, &s, s.out.nonzeros);
}

const ga__pattern_entry ga__graph_row = { .name = "graph",
                                          .tensors = pattern_tensors,
                                          .can = GA_CAN_CAUSAL | GA_CAN_CROSS,
                                          .takes_graph = true,
                                          .make = make };

/* ---- the bias of the edges, from the caller's order to that of the pattern and back ---- */

static ga_status reorder(ga__job *run, const DLTensor *from, DLTensor *to, bool back)
{
    ga_status status = GA_OK;
    ga__view in, out;
    GA_TRY(ga__view_of(run->context, "edge_bias", from, true, &in));
    GA_TRY(ga__view_of(run->context, "edge_bias", to, true, &out));
    for (int64_t h = 0; h < in.rows; h++) {
        for (int64_t e = 0; e < in.columns; e++) {
            int64_t old = run->edge_order[e];
            ga__view_set(&out, 0, 0, h, back ? old : e, ga__view_get(&in, 0, 0, h, back ? e : old));
        }
    }
done:
    return status;
}

static ga_status reorder_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    const DLTensor *given = run->slots[step->slot].tensor;
    DLTensor *made = NULL;
    GA_TRY(ga__tensor_new(run, given->ndim, given->shape, &made));
    GA_TRY(reorder(run, given, made, false));
    ga__step_replace(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status reorder_backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    DLTensor *grad = run->slots[step->slot].grad, *made = NULL;
    GA_TRY(ga__tensor_new(run, grad->ndim, grad->shape, &made));
    GA_TRY(reorder(run, grad, made, true));
    run->slots[step->slot].grad = made;
    made = grad;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    int slot = ga__slot_find(run, "edge_bias");
    if (slot < 0) {
        goto done;
    }
    const int64_t dims[] = { run->heads, run->edge_count };
    GA_TRY(ga__bind(run, GA__EDGE_BIAS, "edge_bias", true, 2, dims));
    if (run->edge_order) {
        ga__step_before(run, (ga__step){ reorder_forward, reorder_backward, .slot = slot });
    }
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__graph_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan };

const ga_variant ga__graph_variant = {
    .name = "graph",
    .summary = "any directed graph as the pattern, with edge bias",
    .source = "this project",
    .family = "static",
    .plan = "pattern: lists by query; score: scaled dot + edge bias; normaliser: softmax",
    .outputs = "o, lse, map",
    .tensors = tensors,
    .can =
        GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
