/* batches.h - mini-batches inside: the iterator, what a thread needs to make a batch, what the methods share.
 *
 * Randomness: every layer of a batch has a key (seed, batch, layer), every draw under it a stream of its own for the target
 * or the node that is drawn, so that a batch is the same whatever was made before and by however many threads.
 */
#ifndef GA_SAMPLING_BATCHES_H
#define GA_SAMPLING_BATCHES_H

#include <graphattn/batches.h>

#include "lib/tensor/parameters.h"
#include "sampling/classical/draw.h"

/* The words of the parameter norm, in this order. */
typedef enum ga__norm { GA__NORM_ROW, GA__NORM_SYM } ga__norm;

/* Which place in the batch a node has: a table, or one number for each node of the graph where that is not much more. */
typedef struct ga__places {
    ga_context *context;
    int64_t limit;   /* nodes of the graph */
    uint32_t *dense; /* owned: 1 + place, 0 = none; NULL = table */
    ga__table table;
} ga__places;

/* A batch in its own memory, which the next one takes over. */
typedef struct ga__made {
    ga_batch batch;
    ga_batch_layer layers[GA__LIST + 1];
    int64_t begin[GA__LIST + 1]; /* first row of each layer */
    int64_t *nodes;              /* owned, as all below */
    int64_t node_count, node_room;
    uint32_t *sources, *targets;
    double *weights, *norms;
    int64_t edges, edge_room, norm_room;
} ga__made;

/* A row of the matrix P: nodes ascending. */
typedef struct ga__norm_row {
    const uint32_t *nodes;
    int64_t count;
    double same; /* the value of all, or */
    const double *values;
} ga__norm_row;

/* What one thread makes batches with. */
typedef struct ga__batch_worker {
    ga_context *context;
    ga_batches *all;
    ga__made *made; /* what it makes now */
    ga__view view;  /* degrees are its own, all else is the iterator's */
    ga__list near;  /* of the target */
    ga__list self;  /* owned buffer: a row with its node */
    double *values; /* owned: of that row */
    int64_t value_room;
    ga__places places;
    int64_t *draws; /* owned */
    int64_t draw_room;
    ga__table found;     /* of a method: nodes to numbers */
    int64_t found_count; /* entries of the arrays below */
    uint32_t *nodes;     /* owned */
    double *mass, *rest; /* owned */
    int64_t found_room;
    uint32_t *queue[2]; /* owned */
    int64_t queue_room[2];
    int64_t rows; /* since the last question whether to stop */
} ga__batch_worker;

struct ga__batch_maker {
    ga_status (*open)(ga_batches *all); /* once; NULL = nothing */
    ga_status (*make)(ga__batch_worker *w, int64_t number);
    ga_status (*law)(ga__batch_worker *w, double **law, int64_t *count); /* NULL = none */
};

struct ga_batches {
    ga_context *context;
    const ga_graph *graph;
    const ga_batch_method *method;
    ga__part part;
    uint64_t seed;
    uint32_t *seeds; /* owned */
    int64_t seed_count, size;
    int64_t count;
    ga__view view;
    bool edge_weights;
    int slot_count;
    ga__batch_worker *workers; /* slot_count, owned, as all below */
    ga__made *slots;
    int64_t first, filled, next; /* batches first .. first + filled - 1 lie in the slots */
    /* of methods */
    double *norms, *sums;         /* fastgcn, saint_node: squared norms of columns; sums[i] = those below i */
    uint32_t *with_out, *with_in; /* saint_edge: nodes that have such edges */
    int64_t out_count, in_count;
    ga__table node_runs, edge_runs; /* saint: runs that met a node, an edge (source << 32 | target) */
    int64_t runs, reachable;        /* saint_mrw: nodes that a batch will have */
    int64_t *part_begin;            /* cluster: nodes of part i are part_nodes[part_begin[i]] .. */
    uint32_t *part_nodes, *part_order;
    int64_t parts, parts_per_batch;
    const int64_t *given_parts; /* during create */
};

/* ---- a batch in the making (made.c) ---- */

/* Room for `wanted` elements in an array that grows by half at least. */
ga_status ga__batch_reserve(ga_context *context, int64_t wanted, size_t size, int64_t *room, void *array);
void ga__batch_begin(ga__batch_worker *w, int64_t number);
/* Sets what the caller will see, and forgets the places. */
void ga__batch_end(ga__batch_worker *w);
ga_status ga__batch_place(ga__batch_worker *w, uint32_t v, uint32_t *place);
/* Rows added from now on are those of a layer. */
void ga__batch_layer(ga__batch_worker *w, int64_t number);
/* A row, with the weight of its edge where those count. */
ga_status ga__batch_row(ga__batch_worker *w, uint32_t source, uint32_t target_place, double weight);
/* The seeds of a batch join. */
ga_status ga__batch_seeds(ga__batch_worker *w, int64_t number);
/* All links between the nodes that joined, as layer 0; nodes are put into ascending order. weight NULL = 1. */
typedef double (*ga__weight_fn)(const ga_batches *all, uint32_t source, uint32_t target);
ga_status ga__batch_induce(ga__batch_worker *w, ga__weight_fn weight);
void ga__made_clear(ga_context *context, ga__made *made);
/* The neighbours of a node in w->near. Asks now and then whether to stop. */
ga_status ga__batch_near(ga__batch_worker *w, uint32_t v);

/* ---- chance ---- */

static inline uint64_t ga__batch_key(const ga_batches *all, ga__purpose purpose, int64_t number,
                                     int64_t layer)
{
    uint64_t word[2];
    ga__random_block(all->seed, purpose, (uint64_t)number, (uint32_t)layer, word);
    return word[0];
}
static inline ga__random ga__batch_stream(uint64_t key, uint64_t node)
{
    return ga__random_at(key, GA__RANDOM_BATCH_DRAW, node);
}
/* A number of its own in [0, 1) for every node. */
static inline double ga__batch_unit(uint64_t key, uint64_t node)
{
    uint64_t word[2];
    ga__random_block(key, GA__RANDOM_BATCH_DRAW, node, 0, word);
    return (double)(word[0] >> 11) * 0x1p-53;
}
/* The item i with sums[i] <= U * sums[count] < sums[i + 1]; its weight is not 0. */
int64_t ga__batch_draw(const double *sums, int64_t count, ga__random *stream);

/* ---- shared by methods ---- */

static inline int64_t ga__batch_integer(const ga_batches *all, const char *name)
{
    return ga__part_value(&all->part, name)->integer;
}
/* Value i of a list; the last stands for all behind it. */
static inline int64_t ga__batch_listed(const ga_batches *all, const char *name, int64_t i)
{
    const ga__value *value = ga__part_value(&all->part, name);
    return value->list[ga__min(i, value->count - 1)];
}
/* Row v of P: 1/d over the neighbours, or 1/sqrt((d(v)+1)(d(u)+1)) over these and v (important.c). */
ga_status ga__batch_norm_row(ga__batch_worker *w, uint32_t v, ga__norm_row *row);
/* all->norms and all->sums: the squared norms of the columns of P. */
ga_status ga__batch_column_norms(ga_batches *all);
/* The same as a law over nodes. */
ga_status ga__batch_column_law(ga__batch_worker *w, double **law, int64_t *count);
/* Number of v among w->found; a new one has mass and rest 0. */
ga_status ga__batch_found(ga__batch_worker *w, uint32_t v, int64_t *number);
void ga__batch_found_clear(ga__batch_worker *w);

extern const struct ga__batch_maker ga__fanout_batches, ga__labor_batches, ga__ladies_batches,
    ga__fastgcn_batches, ga__vrgcn_batches, ga__saint_node_batches, ga__saint_edge_batches,
    ga__saint_walk_batches, ga__saint_mrw_batches, ga__cluster_batches, ga__shadow_batches, ga__ppr_batches;

#endif
