/* messages.h - from the lines of a graph file to the edges that messages take. */
#ifndef GA_GNN_MESSAGES_H
#define GA_GNN_MESSAGES_H

#include <graphattn/call.h>
#include <graphattn/engine.h>

#include "lib/base/base.h"

/* Indices of the words of the parameters self_loops and duplicates. */
typedef enum ga__loop_policy { GA__LOOPS_KEEP, GA__LOOPS_ADD, GA__LOOPS_REMOVE } ga__loop_policy;
typedef enum ga__duplicate_policy {
    GA__DUPLICATES_DROP,
    GA__DUPLICATES_KEEP,
    GA__DUPLICATES_SUM
} ga__duplicate_policy;

typedef struct ga__policy {
    bool undirected; /* every line is two edges */
    ga__duplicate_policy duplicates;
    ga__loop_policy loops;
    bool
        lines; /* arc_edge, edge_line and loop_edge are made: features of edges, gradients and maps by lines need them */
} ga__policy;

/* Numbers that depend on the graph alone, made when they are asked for. */
typedef enum ga__graph_kind {
    GA__GRAPH_COEFFICIENTS, /* (count): c_e = w_e s_source s_target */
    GA__GRAPH_SCALES,       /* (nodes): s = D^-1/2 of the weighted in-degree, 0 where D <= 0 */
    GA__GRAPH_WEIGHTS,      /* (count): w; NULL where all are 1 */
    GA__GRAPH_KINDS
} ga__graph_kind;

typedef struct ga__graph_numbers {
    double *degrees; /* (nodes) */
    DLTensor *of[GA__GRAPH_KINDS][2];
} ga__graph_numbers;

/* Edges by target, sorted by source; those of one pair in the order of their lines. Arcs are lines, or with undirected
 * twice as many: 2 l and 2 l + 1 are line l and its reverse. One user at a time: numbers are made on the way. */
typedef struct ga__messages {
    ga_edges edges;
    ga_transposed transposed;
    int64_t lines, arcs;
    int64_t *
        arc_edge; /* (arcs): edge that an arc became or was added to, -1 for none; NULL without policy.lines */
    int64_t
        *edge_line; /* (count): line of an edge (the first of several), -1 for an inserted loop; or NULL */
    int64_t loops;
    int64_t *loop_edge; /* (loops): edges of inserted loops, by node; or NULL */
    double *weights;    /* (count); NULL = 1 each */
    int64_t *offsets;   /* owned, of edges */
    uint32_t *sources;
    ga__graph_numbers *numbers; /* owned */
} ga__messages;

/* weights: one a line, NULL = 1 each. GA_INVALID names file and line of an id that is not below nodes. */
ga_status ga__messages_make(ga_context *context, const ga_edge_rows *rows, const double *weights,
                            int64_t nodes, const ga__policy *policy, ga__messages *messages);
/* From edges that stand in order: offsets (nodes + 1) from 0 up, sources of each target ascending, weights NULL = 1 each.
 * The arrays (of ga_alloc) belong to *messages whatever is returned, and *messages is to be freed. No lines. */
ga_status ga__messages_adopt(ga_context *context, int64_t nodes, int64_t *offsets, uint32_t *sources,
                             double *weights, ga__messages *messages);
void ga__messages_free(ga_context *context, ga__messages *messages);

/* Weighted in-degrees (nodes). Borrowed. */
ga_status ga__graph_degrees(ga_context *context, const ga__messages *messages, const double **degrees);
/* *numbers in double or single precision. Borrowed. */
ga_status ga__graph_numbers_of(ga_context *context, const ga__messages *messages, ga__graph_kind kind,
                               bool wide, const DLTensor **numbers);

#endif
