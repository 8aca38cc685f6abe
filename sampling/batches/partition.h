/* partition.h - parts of an undirected graph by multilevel bisection (Karypis and Kumar, SIAM J. Sci. Comput. 20, 1998). */
#ifndef GA_SAMPLING_BATCHES_PARTITION_H
#define GA_SAMPLING_BATCHES_PARTITION_H

#include "lib/base/base.h"

/* An undirected graph without loops: each edge stands in the rows of both its ends. */
typedef struct ga__weighted {
    int64_t nodes, weight; /* weight: of all nodes */
    int64_t heaviest;      /* weight of a node */
    int64_t *offsets;      /* owned, as all below */
    uint32_t *targets;
    int64_t *edge_weights; /* NULL = 1 each */
    int64_t *node_weights; /* NULL = 1 each */
    uint32_t *coarse;      /* number of each node in the next coarser graph; NULL = none */
} ga__weighted;

static inline int64_t ga__edge_weight(const ga__weighted *g, int64_t e)
{
    return g->edge_weights ? g->edge_weights[e] : 1;
}
static inline int64_t ga__node_weight(const ga__weighted *g, int64_t v)
{
    return g->node_weights ? g->node_weights[v] : 1;
}
void ga__weighted_clear(ga_context *context, ga__weighted *g);

/* A graph of about half the nodes: pairs of nodes joined by heavy edges, or else by a common neighbour, become one unless
 * that would weigh more than `most`. Sets g->coarse. The order in which nodes choose is the stream's. */
ga_status ga__coarsen(ga_context *context, ga__weighted *g, int64_t most, ga__random *stream,
                      ga__weighted *coarse);

/* Two sides with these weights wanted, of which none must weigh more than its cap. */
typedef struct ga__halves {
    int64_t wanted[2], cap[2];
} ga__halves;

/* Few edges between side 0 and side 1 of every node. Caps are kept if the nodes weigh 1 each. */
ga_status ga__bisect(ga_context *context, ga__weighted *g, const ga__halves *halves, uint64_t number,
                     uint8_t *side);
/* From scratch, for small graphs: the best of several growths. */
ga_status ga__grow(ga_context *context, const ga__weighted *g, const ga__halves *halves, ga__random *stream,
                   uint8_t *side);
/* Better sides from given ones (Fiduccia and Mattheyses, DAC 1982). */
ga_status ga__refine(ga_context *context, const ga__weighted *g, const ga__halves *halves, uint8_t *side);

#endif
