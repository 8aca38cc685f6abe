/* draw.h - one run of a classical sampler: what was sampled so far, chance, the rules that all methods share.
 *
 * A method draws until it has `wanted` nodes (edges, where its sampler counts edges): ga__join and ga__keep_edge take no
 * more. Everything is drawn by the calling thread from one stream of random numbers, or from numbers of their own for
 * single nodes and edges, so that the sample depends on graph, parameters and seed alone.
 *
 * The stuck rule: a walker that has added nothing for 100 * wanted steps, or has no way on, continues from a uniform
 * node not yet sampled (from the next of the given start nodes, as long as there are such).
 */
#ifndef GA_SAMPLING_CLASSICAL_DRAW_H
#define GA_SAMPLING_CLASSICAL_DRAW_H

#include <graphattn/sampling.h>

#include "lib/tensor/parameters.h"
#include "sampling/classical/view.h"

typedef struct ga__draw {
    ga_context *context;
    const ga_graph *graph;
    const ga__part *part; /* parameters */
    int64_t wanted;
    bool counts_edges;
    bool keeps_edges; /* the sample has the edges that were kept instead of the induced ones */
    ga__view view;    /* opened by the methods that look at neighbours */
    ga__random random;
    uint32_t *members; /* nodes in the order in which they joined */
    int64_t count, room;
    ga__set inside; /* the same as a set */
    ga__set edges;  /* kept edges by number */
    uint32_t *starts;
    int64_t start_count, starts_used;
    const int64_t *stream; /* edges in an order of their own, or NULL; borrowed */
    int64_t stream_count;
    int64_t ticks;
} ga__draw;

/* How a method draws. */
struct ga__sampler {
    ga_status (*draw)(ga__draw *d);
    bool counts_edges;  /* the size wanted is a number of edges; d->inside then need not be kept */
    bool never_induced; /* its edges are its own */
};

/* ---- steps (draw.c) ---- */

/* Enough? */
static inline bool ga__full(const ga__draw *d)
{
    return (d->counts_edges ? d->edges.count : d->count) >= d->wanted;
}
/* Asks now and then whether to stop; once for every step. */
ga_status ga__tick(ga__draw *d);
static inline uint64_t ga__below(ga__draw *d, int64_t bound)
{
    return ga__random_below(&d->random, (uint64_t)bound);
}
/* With probability p. */
static inline bool ga__chance(ga__draw *d, double p)
{
    return ga__random_unit(&d->random) < p;
}
/* A node joins unless it is in or there are enough; fresh may be NULL. */
ga_status ga__join(ga__draw *d, uint32_t v, bool *fresh);
/* An edge is kept unless it is already or there are enough. */
ga_status ga__keep_edge(ga__draw *d, int64_t edge, bool *fresh);
/* The link from v to its neighbour w was used: its edge is kept where traversed edges are wanted. */
ga_status ga__cross(ga__draw *d, uint32_t v, uint32_t w);
/* A uniform node not yet sampled; there must be one. */
uint32_t ga__unsampled(ga__draw *d);
/* The next of the start nodes that is not sampled, else a uniform one; joins. */
ga_status ga__seed(ga__draw *d, uint32_t *v);
/* All start nodes join, or one uniform node when none were given. */
ga_status ga__seed_all(ga__draw *d);
/* The first `count` elements become a uniform selection of all, in uniform order. */
void ga__shuffle(ga__draw *d, uint32_t *nodes, int64_t count, int64_t all);
/* A uniform set of `wanted` numbers below `all` (Floyd). */
ga_status ga__choose(ga__draw *d, int64_t all, int64_t wanted, ga__set *set);
/* Opens d->view by the parameter direction. */
ga_status ga__look(ga__draw *d);
/* A parameter's value. */
static inline double ga__real(const ga__draw *d, const char *name)
{
    return ga__part_value(d->part, name)->real;
}
static inline int64_t ga__integer(const ga__draw *d, const char *name)
{
    return ga__part_value(d->part, name)->integer;
}

/* ---- the stuck rule (stuck.c) ---- */

/* What may still be found. */
typedef enum ga__goal {
    GA__GOAL_NODE,   /* a node not yet sampled */
    GA__GOAL_EDGE,   /* an edge not yet kept */
    GA__GOAL_SAMPLED /* a node that is sampled */
} ga__goal;

/* Counts steps in vain. Before the limit it looks now and then whether anything can be found at all from where the
 * walker stands, at a cost below that of the steps: a walker for which there is nothing left would only take the rest
 * of its steps in vain. */
typedef struct ga__patience {
    int64_t idle;  /* steps in vain in a row; set to 0 after a step that added something */
    int64_t since; /* steps in vain since the last look */
    int64_t cost;  /* links seen by that look */
} ga__patience;

/* A step in vain; *stuck: the stuck rule applies. from: all nodes from which the walker can go on. */
ga_status ga__in_vain(ga__draw *d, ga__patience *patience, ga__goal goal, const uint32_t *from, int64_t count,
                      bool *stuck);

/* ---- several walkers (frontier.c) ---- */

/* Until there are enough edges, or nodes where those count (at most as many as have an edge that is no loop). d->view is
 * open; jump: weight of a jump beside a walker's degree. */
ga_status ga__frontier_walk(ga__draw *d, double jump);

/* ---- the smallest keys (keys.c) ---- */

/* Keeps the items of the smallest keys among those that are offered; ties go to the lower item. */
typedef struct ga__key {
    double key;
    int64_t item;
} ga__key;
typedef struct ga__keys {
    ga__key *heap; /* owned; the largest first */
    int64_t room, count;
} ga__keys;

ga_status ga__keys_open(ga_context *context, int64_t room, ga__keys *keys);
void ga__keys_offer(ga__keys *keys, double key, int64_t item);
void ga__keys_clear(ga_context *context, ga__keys *keys);
/* -log(U) / weight with a U of its own for every item: the items of the smallest keys are those of successive draws
 * without replacement with probabilities proportional to the weights. */
double ga__key_of(const ga__draw *d, int64_t item, double weight);

/* ---- from draws to a graph (build.c) ---- */

/* nodes: ascending originals of the sample's nodes, returned owned. */
ga_status ga__build_sample(ga__draw *d, bool renumber, ga_graph **sample, int64_t **nodes);

/* ---- methods ---- */

extern const struct ga__sampler ga__node_sampler, ga__degree_sampler, ga__pagerank_sampler, ga__edge_sampler,
    ga__node_edge_sampler, ga__hybrid_edge_sampler, ga__ties_sampler, ga__pies_sampler,
    ga__node_neighbour_sampler, ga__random_walk_sampler, ga__restart_walk_sampler, ga__jump_walk_sampler,
    ga__metropolis_walk_sampler, ga__non_backtracking_walk_sampler, ga__circulated_walk_sampler,
    ga__common_neighbour_walk_sampler, ga__loop_erased_walk_sampler, ga__forest_fire_sampler,
    ga__snowball_sampler, ga__bfs_sampler, ga__dfs_sampler, ga__spikyball_sampler, ga__expansion_sampler,
    ga__shortest_path_sampler, ga__diffusion_sampler, ga__frontier_sampler, ga__directed_frontier_sampler,
    ga__ppr_sampler;

/* Method, parameters, size; then the draw. sampler is not NULL. */
ga_status ga__sample_classical(ga_context *context, const ga_graph *graph, const ga_sample_options *options,
                               const ga_method_info *method, ga_graph **sample, int64_t **nodes);
/* Reads the parameters. part has room for those; start nodes are left aside. */
ga_status ga__classical_parameters(ga_context *context, const ga_sample_options *options,
                                   const ga_method_info *method, ga__part *part);

#endif
