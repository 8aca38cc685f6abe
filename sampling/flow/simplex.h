/* simplex.h - the spanning tree of the network simplex method on convex arcs.
 *
 * Arc a's cost is convex and piecewise linear. An arc outside the tree rests on a breakpoint of its cost, with a slope
 * to the left (what giving a unit back saves) and one to the right (what one more costs). An arc of the tree lies
 * anywhere in one of its segments, whose slope it has. Node number `nodes` is the root; a node without a better
 * connection hangs from it by an artificial arc towards the root. Nothing ever flows there: the excess of every node
 * is settled by the flow we start from and no arc leads away from the root.
 *
 * The tree is strongly feasible: along every tree arc something can still be sent towards the root. Together with the
 * rule for the leaving arc (the last blocking one on the cycle's way from its top) this excludes endless cycling.
 */
#ifndef GA_SAMPLING_SIMPLEX_H
#define GA_SAMPLING_SIMPLEX_H

#include "sampling/flow/flow.h"

#define GA__FAR (INT64_C(1) << 62)
enum { GA__ARTIFICIAL = -1 };

typedef struct ga__branch {
    int32_t parent, size;        /* size: nodes of the subtree */
    int64_t room_up, room_down;  /* what can be sent to the parent and from it within the segment */
    int64_t arc;                 /* between node and parent */
    int32_t child, next, before; /* child: first one; next and before: siblings; -1 = none */
    bool up;                     /* the arc leads to the parent */
} ga__branch;

/* Sums of flow times weights, kept up to date while the flow moves. accept is asked before a change of the flow, with
 * what it would add to the sums, and may refuse it: the arc is then barred from entering until the next
 * ga__simplex_reprice. moved is told after every change and may ask ga__simplex_solve to return. */
enum { GA__WATCHED = 3 };
typedef struct ga__watch {
    const int64_t *weight[GA__WATCHED]; /* by arc */
    int64_t sum[GA__WATCHED];
    bool (*accept)(void *user, const int64_t *change);
    bool (*moved)(void *user);
    void *user;
} ga__watch;

typedef struct ga__simplex {
    ga_context *context;
    const ga__network *network;
    const ga__costs *costs;
    ga__branch *tree;   /* nodes + 1 */
    int64_t *potential; /* nodes + 1: slope + potential[tail] - potential[head] is 0 on the tree */
    /* Of every arc. In the tree: left = -GA__FAR and right = GA__FAR, so that it never enters. */
    int64_t *left, *right; /* slopes beside the breakpoint; -GA__FAR and GA__FAR where the arc ends */
    int64_t *at;           /* flow at the breakpoint; in the tree where the segment starts */
    int64_t *segment;      /* the segment to the right of the breakpoint; in the tree the one it lies in */
    int64_t pivots;
    bool near;        /* look at few arcs at a time: quicker where most of them will not matter */
    ga__watch *watch; /* NULL = none; borrowed */
    int64_t *barred;  /* arcs, when watched: those refused */
    int64_t barred_count;
} ga__simplex;

/* Sets up tree and arcs for a feasible flow. The arcs within a segment that would close a cycle of such arcs are
 * handed to ga__pivot one by one. */
ga_status ga__simplex_start(ga__simplex *s, const int64_t *flow);
void ga__simplex_free(ga__simplex *s);

/* Pivots until the flow is optimal. *stopped: the deadline (ga__now() seconds, 0 = none) or the watch came first. */
ga_status ga__simplex_solve(ga__simplex *s, double deadline, bool *stopped);
/* After the caller changed slopes (keeping them convex): the flow and the tree stay, the potentials follow. */
void ga__simplex_reprice(ga__simplex *s);
/* The potentials alone, from the root's 0 on. */
void ga__simplex_price_tree(ga__simplex *s);
void ga__simplex_flow(const ga__simplex *s, int64_t *flow);

/* An arc that is to enter the tree, and what it can take in its segment. */
typedef struct ga__entering {
    int64_t arc, segment, start; /* start: flow where the segment begins */
    int64_t flow;                /* flow now */
    int64_t room;                /* units until the segment's end in the direction of the change */
    bool increase;
} ga__entering;

/* What a pivot came to; GA__STOP: done, and the watch wants no more. */
typedef enum ga__pivoted { GA__DONE, GA__REFUSED, GA__STOP } ga__pivoted;
/* Sends what the cycle takes; the arc enters unless it is the one that blocks, then it rests on its new breakpoint. */
ga__pivoted ga__pivot(ga__simplex *s, const ga__entering *in);

/* Slopes beside the breakpoint before segment `segment` of arc a, whose flow is at. */
void ga__rest_at(ga__simplex *s, int64_t a, int64_t segment, int64_t at);
/* The arc becomes the connection of a node with its parent. */
void ga__hang(ga__simplex *s, int32_t node, int32_t parent);
void ga__unhang(ga__simplex *s, int32_t node);
/* The node after `node` in the subtree of `top`, parents first; -1 after the last. */
int32_t ga__after(const ga__simplex *s, int32_t node, int32_t top);

#endif
