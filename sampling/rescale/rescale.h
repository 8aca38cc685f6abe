/* rescale.h - the planner inside: what sample needs beyond ga_rescale. */
#ifndef GA_SAMPLING_RESCALE_H
#define GA_SAMPLING_RESCALE_H

#include "lib/base/sheet.h"
#include "sampling/matrices.h"

/* A planned sample, node by node. Node i takes over from a donor: an original node of DCM cell donor_cell[i] (index
 * into the original's cells). Its classes refer to `matrices`, the rescaled matrices; degrees differ from the donor's
 * only where a node was clipped, balanced or lost edges. Nodes are in ascending order of (donor, copy). */
typedef struct ga__plan {
    ga_matrices *matrices; /* owned: D', J' */
    int64_t nodes;
    int64_t *donor; /* original dense node number; NULL when planned from matrices alone */
    int32_t *donor_cell;
    int32_t *out_class, *in_class; /* these arrays are NULL for a whole ratio of matrices alone */
} ga__plan;

/* The nodes behind the original's DCM cells: node numbers grouped by cell, cell c at first[c] .. first[c+1]-1,
 * ascending inside. NULL when only matrices are known; donors are then numbered in cell order. */
typedef struct ga__cell_nodes {
    const int64_t *first; /* dcm.count + 1 */
    const uint32_t *node;
} ga__cell_nodes;

/* Stages 1 and 2 (spec: DCM rounding, donors, edge balance, JDM objective, cap repair, dropping). Fills report if not
 * NULL. plan's arrays are owned by the caller afterwards (ga__plan_clear). */
ga_status ga__plan_make(ga_context *context, const ga_matrices *original, const ga__cell_nodes *nodes,
                        const ga_rescale_options *options, ga__plan *plan, ga_rescale_report *report);
void ga__plan_clear(ga_context *context, ga__plan *plan);

/* Rows of the report, also for sample's own. */
ga_status ga__rescale_report_rows(ga__sheet *sheet, const ga_rescale_report *report);

#endif
