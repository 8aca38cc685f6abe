/* igraph.h - igraph's graphs and file formats; library libgraphattn-igraph, which is GPL as igraph is.
 *
 * While one of these functions works, igraph's handlers of errors, fatal errors and warnings and its attribute table are
 * replaced, for all threads; they are put back before it returns, and igraph's stack of clean-up calls is as it was. Calls
 * from several threads wait for each other; do not call igraph itself meanwhile, nor anything of this header from the
 * context's callbacks. What igraph allocates does not count for the context's limit.
 */
#ifndef GRAPHATTN_IGRAPH_H
#define GRAPHATTN_IGRAPH_H

#include <graphattn/graph.h>
#include <igraph/igraph.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#define GA_IGRAPH_API __attribute__((visibility("default")))
#else
#define GA_IGRAPH_API
#endif

/* For ga_context_set_foreign_formats: GraphML, GML, Pajek, NCOL and LGL are read and written, LEDA is written. Node names
 * that are distinct whole numbers become original ids; others are left out, which a note says, and nodes are numbered in the
 * order of the file. The edge attribute "weight" is the weight. graphattn-formats(5) has the rest. */
GA_IGRAPH_API const ga_foreign_formats *ga_igraph_formats(void);

/* A copy as a directed igraph graph: node v is vertex v, edges are in the order of ga_graph_out, loops and repeated edges as
 * they stand. While igraph_cattribute_table is igraph's table of attributes, vertices get the string attribute "name", the
 * original id, where the graph has ids, and edges the numeric attribute "weight" where it has weights. *to is initialised
 * here and owned by the caller (igraph_destroy). */
GA_IGRAPH_API ga_status ga_graph_to_igraph(ga_context *context, const ga_graph *graph, igraph_t *to);

/* A copy of an igraph graph: vertex v is node v, unless the vertices have distinct whole numbers as "name" or else as "id",
 * which are then the ids, and nodes are in their order. Edges of an undirected graph go both ways, loops once. Loops and
 * repeated edges by the policies, weights from the edge attribute "weight" when weights is set and there is one (GA_INVALID
 * when it is not numeric, GA_OVERFLOW when one is beyond a float). Attributes are seen while igraph_cattribute_table is
 * igraph's table. Returns owned. */
GA_IGRAPH_API ga_status ga_graph_from_igraph(ga_context *context, const igraph_t *from, bool weights,
                                             ga_loops loops, ga_multi multi, ga_graph **graph);

#ifdef __cplusplus
}
#endif

#endif
