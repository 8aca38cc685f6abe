/* facts.h - what rows that came from a file are like, and making them obey the options. */
#ifndef GA_GRAPH_FACTS_H
#define GA_GRAPH_FACTS_H

#include "graph/read.h"

enum { GA__FACTS_BLOCK = 1 << 16 }; /* edges */

typedef struct ga__facts {
    int64_t loops; /* distinct */
    int64_t repeated_loops;
    int64_t duplicates; /* repetitions of other edges */
    bool sorted;        /* rows ascend; else the counts mean nothing */
    int64_t bad_edge;   /* first edge whose target is no node; -1 = none */
} ga__facts;

/* Looks at all rows; offsets must ascend from 0 to edges. crcs: NULL, or takes the CRC-32C of each block of
 * GA__FACTS_BLOCK targets. */
ga_status ga__facts_find(ga_context *context, int64_t nodes, const int64_t *offsets, const uint32_t *targets,
                         uint32_t *crcs, ga__facts *facts);

/* First i with offsets[i] > offsets[i + 1], or offsets[0] != 0, or offsets[nodes] != edges; -1 = none. */
int64_t ga__offsets_wrong(const int64_t *offsets, int64_t nodes, int64_t edges);

/* Fails when a header's figures exceed the options' limits, or cannot be a graph. */
ga_status ga__reading_limits(ga__reading *r, int64_t nodes, int64_t edges);

/* Takes over raw: r->graph becomes it, or what the policies, undirected and nodes make of it. */
ga_status ga__reading_obey(ga__reading *r, ga_graph *raw, const ga__facts *facts);

/* Finds the facts first, and fails for a target that is no node. Takes over raw. */
ga_status ga__reading_take(ga__reading *r, ga_graph *raw);

#endif
