/* rewiring.h - the state of a rewiring, shared by the files of this folder.
 *
 * The state is a list of edges, in any order. A superstep takes one side, sources or targets, and divides the list into
 * groups: all edges whose ends on that side lie in a certain set of nodes of one class. Edges of a group are paired at
 * random and pairs exchange their targets one after the other. All keys that matter, (a, b), (x, y) and the wanted
 * (a, y), (x, b), have their end on that side in the set, so a group knows by itself which of them are edges: groups
 * need nothing of each other, and threads take whole groups.
 */
#ifndef GA_SAMPLING_REWIRE_REWIRING_H
#define GA_SAMPLING_REWIRE_REWIRING_H

#include "graph/graph.h"
#include "sampling/rewire/desk.h"
#include "sampling/rewire/edge_set.h"
#include "sampling/rewire/rewire.h"

/* The classes of a side; a class always has the same number of edges. A large one is cut into several groups, by a
 * hash that every superstep draws anew. */
typedef struct ga__side {
    int64_t count;
    uint32_t *of_node; /* class of a node, on this side */
    int64_t *start;    /* count + 1: edges of the classes before */
    int64_t *group;    /* count + 1: groups of the classes before */
    int64_t *nodes;    /* that have edges */
} ga__side;

/* Groups first .. last - 1, which a thread takes at once. */
typedef struct ga__unit {
    uint32_t first, last;
} ga__unit;

typedef struct ga__rewiring {
    ga_context *context;
    const ga_rewire_options *options;
    const ga_graph *graph;
    uint64_t seed;
    int threads; /* 1 for small graphs */
    int64_t nodes, edges;
    int64_t cut; /* edges that a group of a large class has on average; 0: the usual number. For tests */
    int64_t few_nodes; /* of a class that a group has on average, at least */
    ga__side out, in;
    ga__pair *slot;       /* the edges */
    ga__pair *spare;      /* where they go when they are dealt to groups */
    uint32_t *group_of;   /* of a node: its group in this superstep */
    int64_t *counters;    /* of the counting sort: blocks x groups */
    int64_t blocks;       /* of the counting sort */
    int64_t groups;       /* of this superstep */
    int64_t mixed_groups; /* of every ga__deal_mixed */
    int64_t *edge;        /* groups + 1: edges of the groups before */
    int64_t *pair;        /* groups + 1: pairs of the groups before, a single edge counting as one */
    ga__unit *unit;
    ga__desk *desk;   /* one a thread */
    ga__edge_set set; /* only for targets, */
    uint32_t *order;  /* as are the slots by target class, in the spare's memory, */
    uint32_t *place;  /* and the place of a slot there */
    ga_rewire_report report;
} ga__rewiring;

/* deal.c: divides the slots into groups and counts pairs. Depends on seed, superstep and slots alone. */
ga_status ga__deal(ga__rewiring *r, bool by_target, uint64_t superstep);
/* The same with pieces of all classes in every group: edges whose ends on that side lie in a random set of nodes. */
ga_status ga__deal_mixed(ga__rewiring *r, bool by_target, uint64_t pass);
/* Slots in order of source and target. */
ga_status ga__deal_rows(ga__rewiring *r);

/* units.c: runs work(user, desk, group) for all groups on all threads; returns the sum of what it returns. */
typedef int64_t (*ga__group_fn)(const void *user, ga__desk *desk, int64_t group);
ga_status ga__each_group(ga__rewiring *r, ga__group_fn work, const void *user, int64_t *sum);

/* superstep.c: executes `count` pairs from number `start` on, round the end, after ga__deal. */
ga_status ga__superstep(ga__rewiring *r, uint64_t superstep, int64_t start, int64_t count);
/* Pairs of a group with so many edges, and the stream of its order. */
int64_t ga__group_pairs(const ga__rewiring *r, uint64_t superstep, int64_t group, int64_t edges);
static inline uint64_t ga__group_stream(uint64_t superstep, int64_t group)
{
    return superstep << 32 | (uint64_t)group;
}

/* triples.c, triangles.c: proposes `count` rotations of three targets, with classes / with one class for all. */
ga_status ga__triples(ga__rewiring *r, int64_t count, uint64_t pass);
ga_status ga__triangles(ga__rewiring *r, int64_t count, uint64_t pass);

/* reciprocity.c, clustering.c: swaps towards options->target_*. */
ga_status ga__rewire_reciprocity(ga__rewiring *r, int64_t budget);
ga_status ga__rewire_transitivity(ga__rewiring *r, int64_t budget);

/* setup.c: takes the edges of the graph and the classes; ga__rewiring_clear frees what there is. */
ga_status ga__rewiring_setup(ga__rewiring *r);
void ga__rewiring_clear(ga__rewiring *r);
/* The set becomes that of the slots. */
ga_status ga__fill_set(ga__rewiring *r);

/* rewire.c: all supersteps and triples. */
ga_status ga__randomise(ga__rewiring *r, int64_t attempts);

/* The class of a slot on a side. */
static inline uint32_t ga__slot_class(const ga__rewiring *r, const ga__side *side, bool by_target,
                                      int64_t slot)
{
    return side->of_node[by_target ? r->slot[slot].target : r->slot[slot].source];
}

static inline uint64_t ga__slot_key(const ga__rewiring *r, uint32_t slot)
{
    return ga__edge_key(r->slot[slot].source, r->slot[slot].target);
}

#endif
