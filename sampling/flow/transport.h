/* transport.h - the state of the cost-scaling method for dense transport problems.
 *
 * Rows send, columns take; every arc is a cell of the table. Prices p belong to nodes; sending one more unit from v to
 * w costs cost + p[v] - p[w] in reduced terms, and so does taking one back, from w to v. A flow is e-optimal when no
 * reduced cost is below -e. Slopes are cut down to 32 bits first: the result is only meant to be near the best.
 */
#ifndef GA_SAMPLING_TRANSPORT_H
#define GA_SAMPLING_TRANSPORT_H

#include "sampling/flow/flow.h"

/* Prices stay within GA__PRICE_RANGE; a cell that can take no more costs GA__NO_WAY. */
enum { GA__NO_WAY = 1 << 29, GA__PRICE_RANGE = 1 << 26 };

/* An arc's flow is `inside` units into this segment, fewer than its width. */
typedef struct ga__flow_at {
    int64_t segment, inside;
} ga__flow_at;

typedef struct ga__transport {
    ga_context *context;
    const ga__network *network;
    const ga__costs *costs;
    const int64_t *stubs; /* of nodes: what rows send and columns take */
    int32_t rows, columns, nodes;
    int cut;                   /* a unit of cost is 2^cut of the slopes' */
    int32_t *slope;            /* of segments, in units */
    int32_t *cost[2];          /* of one unit more, row by row; of one unit less, column by column */
    int32_t *arc;              /* row by row; -1 = no such cell */
    ga__flow_at *at;           /* of arcs */
    int32_t *price;            /* of nodes */
    int64_t *excess;           /* of nodes: what they have too much */
    int shift;                 /* e = 2^shift */
    int32_t *distance, *place; /* of nodes: shortest way from an excess; place in the heap, or a mark */
    int32_t *heap, heap_count;
    int32_t *current, *path;
} ga__transport;

ga_status ga__transport_setup(ga__transport *t);
void ga__transport_free(ga__transport *t);
/* Prices at which the table's rows and columns come near their sums. */
ga_status ga__transport_prices(ga__transport *t);
/* Sets both costs of an arc after its flow changed. */
void ga__transport_rest(ga__transport *t, int64_t arc);

/* One row of costs of a node, and the nodes at its other end: first .. first + count - 1. */
static inline const int32_t *ga__transport_row(const ga__transport *t, int32_t v, int32_t *first,
                                               int32_t *count)
{
    bool row = v < t->rows;
    *first = row ? t->rows : 0;
    *count = row ? t->columns : t->rows;
    return row ? t->cost[0] + (int64_t)v * t->columns : t->cost[1] + (int64_t)(v - t->rows) * t->rows;
}

#endif
