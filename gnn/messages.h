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
} ga__policy;

/* Edges by target, sorted by source; those of one pair in the order of their lines. Arcs are lines, or with undirected
 * twice as many: 2 l and 2 l + 1 are line l and its reverse. */
typedef struct ga__messages {
    ga_edges edges;
    ga_transposed transposed;
    int64_t lines, arcs;
    int64_t *arc_edge;  /* (arcs): edge that an arc became or was added to, -1 for none */
    int64_t *edge_line; /* (count): line of an edge (the first of several), -1 for an inserted loop */
    int64_t loops;
    int64_t *loop_edge; /* (loops): edges of inserted loops, by node */
    double *weights;    /* (count); NULL = 1 each */
    int64_t *offsets;   /* owned, of edges */
    uint32_t *sources;
} ga__messages;

/* weights: one a line, NULL = 1 each. GA_INVALID names file and line of an id that is not below nodes. */
ga_status ga__messages_make(ga_context *context, const ga_edge_rows *rows, const double *weights,
                            int64_t nodes, const ga__policy *policy, ga__messages *messages);
void ga__messages_free(ga_context *context, ga__messages *messages);

#endif
