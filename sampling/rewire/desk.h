/* desk.h - where a thread pairs and swaps the edges of a group. */
#ifndef GA_SAMPLING_REWIRE_DESK_H
#define GA_SAMPLING_REWIRE_DESK_H

#include "graph/graph.h"
#include "lib/base/base.h"

typedef struct ga__desk {
    ga_context *context;
    int *status;     /* shared by all desks: GA_OK, or why to stop */
    uint64_t *table; /* keys of the group's edges, open addressing; 0: free */
    uint32_t *place; /* of an edge's key in the table, before any swap */
    int64_t room;    /* edges */
    int64_t used;    /* places of the table that are not free */
    uint64_t mask;
    int shift;
    uint32_t *words;        /* for rotations: eight an edge */
    uint32_t *class_number; /* ... and one a class, all zeros */
} ga__desk;

/* Room for `edges`; false, with the status noted, if there is none. */
bool ga__desk_fit(ga__desk *desk, int64_t edges);
/* ... and for rotations. */
bool ga__desk_fit_classes(ga__desk *desk, int64_t classes);
void ga__desk_clear(ga_context *context, ga__desk *desk);

/* A random order, from the stream of the matching's number `index`. */
void ga__desk_shuffle(ga__desk *desk, uint64_t seed, uint64_t index, ga__pair *edge, int64_t count);
/* Takes note of all edges of a group. False: stopped. */
bool ga__desk_take(ga__desk *desk, const ga__pair *edge, int64_t count);
/* Edges 2i and 2i + 1 exchange targets for i = first .. last - 1, one pair after the other, unless that makes a loop
 * or a repeated edge; returns how many did. Every pair once. */
int64_t ga__desk_swap(ga__desk *desk, ga__pair *edge, int64_t first, int64_t last);
/* Three edges get these targets, which are theirs in another order, unless that makes a loop or a repeated edge.
 * `count` edges are in the group. Not after ga__desk_swap. */
bool ga__desk_turn(ga__desk *desk, ga__pair *edge, int64_t count, const uint32_t which[3],
                   const uint32_t target[3]);

#endif
