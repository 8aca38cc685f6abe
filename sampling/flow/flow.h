/* flow.h - maximum flow and minimum-cost flow on networks with integer capacities, for the planner. */
#ifndef GA_SAMPLING_FLOW_H
#define GA_SAMPLING_FLOW_H

#include "lib/base/base.h"

/* Arcs go from tail to head; nodes are 0 .. nodes - 1. All arrays are borrowed. */
typedef struct ga__network {
    int32_t nodes;
    int64_t arcs;
    const int32_t *tail, *head; /* arcs each */
} ga__network;

/* Maximum flow from source to sink (Dinic). flow: arcs each, a feasible flow on entry (zeros will do), the maximum
 * flow on return; *value its value. Capacities are >= 0. */
ga_status ga__max_flow(ga_context *context, const ga__network *network, const int64_t *capacity,
                       int32_t source, int32_t sink, int64_t *flow, int64_t *value);

/* Convex piecewise linear costs: arc a consists of segments first[a] .. first[a + 1] - 1 in ascending order of slope;
 * segment s takes up to width[s] >= 0 units at slope[s] each. Lower bounds are the caller's to shift away. */
typedef struct ga__costs {
    const int64_t *first; /* arcs + 1 */
    const int64_t *width, *slope;
} ga__costs;

typedef struct ga__flow_report {
    int64_t pivots;
    bool stopped; /* the deadline came first: the flow is feasible, not optimal */
} ga__flow_report;

/* Cheapest flow with the same excess at every node as the flow given (network simplex on convex arcs: a non-tree arc
 * rests on a breakpoint). flow: arcs each, feasible on entry, optimal on return; feasible even when stopped. deadline
 * is in ga__now() seconds, 0 = none. slopes and flows must keep the total cost inside 63 bits (GA_OVERFLOW). The
 * result depends on the input alone. */
ga_status ga__min_cost_flow(ga_context *context, const ga__network *network, const ga__costs *costs,
                            double deadline, int64_t *flow, ga__flow_report *report);

/* A flow near the cheapest one of a transport problem, much faster than the above: arcs lead from nodes below rows to
 * the others, no two between the same pair; widths are above 0. Rows send their stubs, the other nodes take theirs.
 * flow and price (of nodes) are written if *found: then slope + price[tail] - price[head] hardly contradicts the flow
 * anywhere. Not found: the deadline came first, or there is no flow of that kind. */
ga_status ga__near_transport(ga_context *context, const ga__network *network, const ga__costs *costs,
                             int32_t rows, const int64_t *stubs, double deadline, int64_t *flow,
                             int64_t *price, bool *found);

#endif
