/* plan.h - what the parts of the planner hand to each other. */
#ifndef GA_SAMPLING_PLAN_H
#define GA_SAMPLING_PLAN_H

#include "sampling/rescale/rescale.h"
#include "sampling/rescale/tally.h"

/* The sampled nodes while their degrees are being settled. Node i comes from cell cell[i] of base's DCM and
 * has its degrees unless out[i] or in[i] says otherwise. base is the original, or the target DCM's matrices.
 * */
typedef struct ga__draft {
    const ga_matrices *original, *base;
    const ga_rescale_options *options;
    double ratio, deadline;
    int64_t nodes, degree_cap;
    int64_t *donor; /* NULL when planned from matrices alone */
    int32_t *cell;
    int64_t *out, *in;
    ga_rescale_report *report;
} ga__draft;

/* Classes of one side of the sample, ascending by (degree, label); stubs = degree * size. label may be NULL.
 * */
typedef struct ga__side {
    int64_t count;
    int64_t *degree, *label, *size, *stubs;
} ga__side;

/* Stage 2's problem: the classes and the DCM that the nodes have now, and the plan for the JDM. */
typedef struct ga__stage {
    ga__side out, in;
    ga__tally dcm;       /* (in, out): nodes */
    ga__tally both;      /* (out, in): the same nodes */
    ga__tally donors;    /* (out, out-class of base): nodes */
    ga__tally jdm;       /* (out, in): edges */
    int64_t *both_first; /* rows of both */
    int64_t edges;
    int32_t *node_out, *node_in;
    ga_loops loops;
    ga_multi multi;
} ga__stage;

/* D' (one entry for every cell of the original's DCM). */
ga_status ga__choose_rounding(ga_context *context, ga__draft *draft, int64_t *entry);
/* Numbers and places for n' nodes from D' (one entry for every cell of base's DCM). */
ga_status ga__draw_donors(ga_context *context, ga__draft *draft, const ga__cell_nodes *nodes,
                          const int64_t *entry);
/* Clips at the degree cap and brings both sides to the same number of edges. */
ga_status ga__balance(ga_context *context, ga__draft *draft);

/* Counts classes and DCM of the draft's nodes. Returns owned (ga__stage_clear), also on failure. */
ga_status ga__stage_count(ga_context *context, const ga__draft *draft, ga__stage *stage);
void ga__stage_clear(ga_context *context, ga__stage *stage);
/* Rank of a class, -1 if there is none. */
int32_t ga__side_find(const ga__side *side, int64_t degree, int64_t label);
/* For every class of `classes` its rank in side or -1, into rank. */
void ga__side_map(const ga__side *side, const ga__classes *classes, int32_t *rank);
/* Most edges that row k may have in every column: into room (in.count). */
void ga__stage_caps(const ga__stage *stage, int64_t k, int64_t *room);

/* The quantile plan with exact marginals, not yet within the caps. */
ga_status ga__quantile_plan(ga_context *context, const ga__draft *draft, const ga__stage *stage,
                            ga__tally *plan);
/* The plan given by the user. */
ga_status ga__given_plan(ga_context *context, const ga_matrices *given, const ga__stage *stage,
                         ga__tally *plan);

/* Cuts the sorted flow down to the caps; *over takes the units lost. */
ga_status ga__cut_to_caps(ga_context *context, const ga__stage *stage, ga__tally *flow, int64_t *over);
/* Adds units to the sorted flow, within the caps, where rows and columns have fewer than they should;
 * *missing takes what could not be placed. reroute: the present flow may move for it, so that nothing more
 * can be placed at all. */
ga_status ga__fill(ga_context *context, const ga__stage *stage, bool reroute, ga__tally *flow,
                   int64_t *missing);
/* Takes the stubs that the flow leaves empty off the nodes; adds to the report. The stage has served its time
 * then. */
ga_status ga__drop(ga_context *context, ga__draft *draft, ga__stage *stage, const ga__tally *flow);

/* The JDM of greatest objective from the feasible plan. */
ga_status ga__best_jdm(ga_context *context, const ga__draft *draft, const ga__stage *stage,
                       const ga__tally *plan, ga__tally *jdm);

/* Figures that compare both pairs of matrices. */
ga_status ga__compare_plan(ga_context *context, const ga_matrices *original, const ga_matrices *rescaled,
                           const ga_rescale_options *options, double ratio, ga_rescale_report *report);

#endif
