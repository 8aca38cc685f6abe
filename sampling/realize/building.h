/* building.h - a graph under construction; private to sampling/realize/. */
#ifndef GA_SAMPLING_BUILDING_H
#define GA_SAMPLING_BUILDING_H

#include "sampling/realize/realize.h"

/* The nodes of one side by class, each class in a random order: class c at first[c] .. first[c + 1] - 1. */
typedef struct ga__order {
    int64_t *first;
    uint32_t *node;
} ga__order;

typedef struct ga__building {
    ga_context *context;
    const ga_matrices *m;
    int64_t nodes, edges;
    const int32_t *out_class, *in_class;
    ga_loops loops;
    ga_multi multi;
    ga__order out, in;
    uint32_t *place;       /* of every node in out.node */
    int64_t *row_first;    /* edge slot at which the row of an out-class starts, K + 1 */
    int64_t *cell_first;   /* edge slot at which a cell starts, cells + 1 */
    int64_t *cell_pointer; /* where in its in-class a cell's first target stands */
    uint32_t *slots;       /* targets by (out-class, place, slot); rows of a class are equally long */
    int64_t *offsets;      /* the result */
    uint32_t *targets;
    uint32_t *looped; /* nodes with a loop, ascending */
    int64_t looped_count;
} ga__building;

/* Puts other edges in place of the loops (b->looped) without changing a degree or a cell, so that the graph is simple
 * in the end; with GA_MULTI_KEEP a loop that nothing can replace stays, with a warning. */
ga_status ga__repair_loops(ga__building *b);

#endif
