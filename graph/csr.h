/* csr.h - edges in any order to sorted rows. */
#ifndef GA_GRAPH_CSR_H
#define GA_GRAPH_CSR_H

#include "graph/graph.h"

/* The id range compacted: rank of id = number of used ids below it. */
typedef struct ga__ranks {
    uint64_t *bits;   /* one bit per id of the range: used */
    uint32_t *before; /* used ids below each word of bits */
    int64_t words;
} ga__ranks;

static inline uint32_t ga__bit_count(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)((x * UINT64_C(0x0101010101010101)) >> 56);
}

static inline uint32_t ga__rank_of(const ga__ranks *ranks, uint32_t id)
{
    uint64_t below = ranks->bits[id >> 6] & ((UINT64_C(1) << (id & 63)) - 1);
    return ranks->before[id >> 6] + ga__bit_count(below);
}

/* A stretch of edges that lie in memory in ascending order of (source, target). */
typedef struct ga__run {
    const ga__pair *pairs;
    int64_t count;
    bool distinct; /* none is a loop or repeated */
} ga__run;

/* Where edges come from: blocks that can be produced in any order, by any thread, as often as asked, always with the
 * same content. */
typedef struct ga__edge_source {
    int64_t blocks, edges; /* edges: of all blocks together, or more */
    int64_t widest;        /* most edges in a block */
    uint32_t largest_id;
    /* Writes the edges of a block as source << bits | target, and their weights unless weights is NULL; returns their
     * number. bits are those of largest_id. */
    int64_t (*block)(void *user, int64_t block, int bits, uint64_t *keys, float *weights);
    void (*done)(void *user, int64_t block); /* the block will not be asked for again; NULL if nobody cares */
    void *user;
} ga__edge_source;

typedef struct ga__csr_policy {
    ga_loops loops;
    ga_multi multi;
    bool weights;
    const ga__ranks *ranks; /* maps ids to node numbers; NULL: ids are node numbers */
} ga__csr_policy;

typedef struct ga__csr_result {
    int64_t *offsets;
    uint32_t *targets;
    float *weights;
    int64_t listed, edges;     /* before and after the policies */
    int64_t loops, duplicates; /* as ga_read_report has them */
    bool refused;              /* a policy said error: */
    bool refused_loop;         /* ... because of a loop, else of a repetition */
    uint32_t source, target;   /* ... this edge, the first in order, as the source of edges names it */
} ga__csr_result;

/* Sorts, applies the policies and builds; the same result for any number of threads (weights of repeated edges stay
 * in the order of the source, and are added in it). GA_OK with result->refused when a policy refuses: then
 * nothing is owned. Else offsets, targets and weights are owned. */
ga_status ga__csr_build(ga_context *context, int64_t nodes, const ga__edge_source *source,
                        const ga__csr_policy *policy, ga__csr_result *result);
/* The same from runs that are in ascending order one after the other. No weights. */
ga_status ga__csr_from_runs(ga_context *context, int64_t nodes, const ga__run *runs, int64_t run_count,
                            const ga__csr_policy *policy, ga__csr_result *result);

/* The edges of rows as a source of edges: swapped, or each both ways. */
typedef struct ga__rows {
    int64_t nodes;
    const int64_t *offsets;
    const uint32_t *targets;
    const float *weights;
    bool swap, both;
} ga__rows;
ga__edge_source ga__rows_source(const ga__rows *rows);

/* Fails because a policy refused an edge; ids translate it, or NULL. */
ga_status ga__refused(ga_context *context, const char *name, const ga__csr_result *result,
                      const uint64_t *ids);

/* The row that edge `edge` lies in: the last r with offsets[r] <= edge. */
int64_t ga__row_of(const int64_t *offsets, int64_t rows, int64_t edge);

/* Significant bits of x, at least 1. */
static inline int ga__bits(uint64_t x)
{
    return x ? 64 - __builtin_clzll(x) : 1;
}

#endif
