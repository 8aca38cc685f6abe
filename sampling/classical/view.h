/* view.h - the neighbours of nodes in one direction or in both, as samplers walk along them.
 *
 * The neighbours of v are the other nodes to which v has an edge (out), from which it has one (in), or either (both, the
 * undirected view); each of them counts once, loops and repeated edges count nothing. Nothing is stored but the transpose
 * where incoming edges are asked for, and degrees in the undirected view once they were counted.
 */
#ifndef GA_SAMPLING_CLASSICAL_VIEW_H
#define GA_SAMPLING_CLASSICAL_VIEW_H

#include "graph/graph.h"
#include "sampling/classical/table.h"

/* The words of the parameter direction, in this order. */
typedef enum ga__direction { GA__OUT, GA__IN, GA__BOTH } ga__direction;

typedef struct ga__view {
    ga_context *context;
    const ga_graph *graph;
    ga__direction direction;
    bool simple; /* no loops, no repeated edges */
    ga_graph
        transpose;     /* its in_offsets and in_sources, where they are needed; owned if the graph has none */
    ga__table degrees; /* both: those counted so far */
} ga__view;

/* Neighbours, ascending; nodes points into the graph or into the buffer. Zero-initialise. */
typedef struct ga__list {
    const uint32_t *nodes;
    int64_t count;
    uint32_t *buffer; /* owned */
    int64_t room;
} ga__list;

ga_status ga__view_open(ga_context *context, const ga_graph *graph, ga__direction direction, ga__view *view);
void ga__view_clear(ga__view *view);
/* Incoming edges, whatever the direction. */
ga_status ga__view_transpose(ga__view *view);

ga_status ga__view_list(ga__view *view, uint32_t v, ga__list *list);
/* The neighbours in another direction, for which the view must have what it needs. */
ga_status ga__view_list_of(ga__view *view, uint32_t v, ga__direction direction, ga__list *list);
/* The same in the list's own buffer, which the caller may change. */
ga_status ga__view_copy(ga__view *view, uint32_t v, ga__direction direction, ga__list *list);
void ga__list_clear(ga_context *context, ga__list *list);
ga_status ga__view_degree(ga__view *view, uint32_t v, int64_t *degree);
/* A uniform neighbour; *found is false when there is none. */
ga_status ga__view_draw(ga__view *view, ga__random *random, uint32_t v, uint32_t *w, bool *found);
/* The number of the edge behind a link of the view: v -> w where that goes along the direction, else w -> v. */
int64_t ga__view_edge(const ga__view *view, uint32_t v, uint32_t w);
/* The first place in an ascending row that is not below x. */
int64_t ga__lower_bound(const uint32_t *row, int64_t count, uint32_t x);

static inline int64_t ga__out_degree(const ga_graph *graph, int64_t v)
{
    return graph->out_offsets[v + 1] - graph->out_offsets[v];
}
static inline int64_t ga__in_degree(const ga__view *view, int64_t v)
{
    return view->transpose.in_offsets[v + 1] - view->transpose.in_offsets[v];
}

#endif
