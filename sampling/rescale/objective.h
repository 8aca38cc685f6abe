/* objective.h - what the JDM is wanted to look like, cell by cell. */
#ifndef GA_SAMPLING_OBJECTIVE_H
#define GA_SAMPLING_OBJECTIVE_H

#include "sampling/flow/flow.h"
#include "sampling/rescale/plan.h"

/* Cells with a reward, sorted: g(x) = 2 min(x, target) + lambda min(x, plan), x within cap. */
typedef struct ga__grid {
    int64_t count;
    int32_t *row, *column;
    double *target;
    int64_t *plan, *cap;
} ga__grid;

/* Ratio times the original's JDM on the sample's classes, and the plan (sorted). Returns owned
 * (ga__grid_clear), also on failure. */
ga_status ga__grid_make(ga_context *context, const ga__draft *draft, const ga__stage *stage,
                        const ga__tally *plan, ga__grid *grid);
void ga__grid_clear(ga_context *context, ga__grid *grid);
/* Sum of g over the cells of a sorted JDM. */
double ga__grid_value(const ga__grid *grid, double lambda, const ga__tally *jdm);

/* The flow problem: nodes are the out-classes, the in-classes and the hub; the first `cells` arcs are cells
 * of the JDM, from out-class to in-class, sorted. Slopes are rewards times scale, negated. */
typedef struct ga__problem {
    const ga__stage *stage;
    const ga__grid *grid;
    double lambda, scale;
    bool hub; /* only rewarded cells are arcs; the hub takes what they do not */
    int64_t arcs, cells, segments;
    int32_t *tail, *head;
    int64_t *first, *width, *slope, *flow;
    int64_t *price; /* of nodes; the hub's is 0 */
} ga__problem;

/* A flow near the best one: units go where they are worth most at prices for both ends, while both ends last.
 * Without a hub it may leave ends unserved. left_out and left_in: stubs on entry, what is left of them on
 * return. The prices found stay with the problem. */
ga_status ga__good_start(ga_context *context, ga__problem *problem, int64_t *left_out, int64_t *left_in);
/* The cheapest flow from a feasible one, like ga__min_cost_flow, when slopes are near their reduced costs (after
 * ga__shift_slopes): only cells that are nearly worth it are looked at. Changes slopes by potentials. */
ga_status ga__solve_sifted(ga_context *context, ga__problem *problem, double deadline,
                           ga__flow_report *report);
/* Adds both ends' prices to all slopes. As rows and columns have fixed sums that adds the same to the cost of
 * every flow, and the solver starts from potentials that are nearly right. */
void ga__shift_slopes(ga__problem *problem);

#endif
