/* matrices.h - the degree matrices inside, shared by all of sampling/. */
#ifndef GA_SAMPLING_MATRICES_H
#define GA_SAMPLING_MATRICES_H

#include <graphattn/sampling.h>

#include "lib/base/base.h"
#include "lib/engine/count/count_device.h"

/* Classes of one side in ascending order of (degree, label); label is NULL without labels. */
typedef struct ga__classes {
    int64_t count;
    int64_t *degree, *label;
} ga__classes;

/* A sparse matrix over class ranks, cells sorted by (row, column), no cell twice, counts non-zero. */
typedef struct ga__cells {
    int64_t count; /* cells */
    int64_t total; /* sum of entries */
    int32_t *row, *column;
    int64_t *entry;
} ga__cells;

/* dcm: rows are in-classes, columns out-classes. jdm: rows are out-classes, columns in-classes. Every class that
 * occurs in either matrix is listed once, so the ranks of both agree. */
struct ga_matrices {
    ga__classes out, in;
    ga__cells dcm, jdm;
};

/* Makes empty matrices with room for the given numbers of classes and cells. Returns owned. */
ga_status ga__matrices_new(ga_context *context, int64_t out_classes, int64_t in_classes, bool labelled,
                           int64_t dcm_cells, int64_t jdm_cells, ga_matrices **matrices);

/* Number of nodes of every out-class and in-class from the DCM, into caller arrays of out.count and in.count. */
void ga__class_sizes(const ga_matrices *matrices, int64_t *out_size, int64_t *in_size);

/* Classes that an edge has: rows and columns of the JDM with an entry. */
ga_status ga__count_edge_classes(ga_context *context, const ga_matrices *matrices, int64_t *out_classes,
                                 int64_t *in_classes);

/* Entry of the DCM at (in-class, out-class), 0 if absent. Binary search. */
int64_t ga__dcm_at(const ga_matrices *matrices, int32_t in_class, int32_t out_class);

/* What counting finds out about the nodes on its way. */
typedef struct ga__counted {
    ga_matrices *matrices;
    int32_t *out_class, *in_class; /* of every node */
    int64_t *first;                /* dcm.count + 1: where the nodes of a DCM cell start in node */
    uint32_t *node;                /* nodes by (cell, number) */
} ga__counted;

/* ga_matrices_count that keeps these. Everything in counted is owned by the caller (ga__counted_clear). */
ga_status ga__matrices_count(ga_context *context, const ga_graph *graph, const int64_t *labels,
                             ga__counted *counted);
void ga__counted_clear(ga_context *context, ga__counted *counted);

/* Classes of nodes by (degree, label), ascending. rank: takes the class of every node; may be degree itself. Returns
 * owned arrays in classes. */
ga_status ga__classes_of(ga_context *context, int64_t nodes, const uint32_t *degree, const int64_t *labels,
                         ga__classes *classes, int32_t *rank);
void ga__classes_clear(ga_context *context, ga__classes *classes);

/* Stable counting sort by class of the nodes in `from` (NULL: 0 .. nodes - 1) into `to`; first (classes + 1) takes
 * where each class starts, and may be NULL. */
ga_status ga__sort_by_class(ga_context *context, int64_t nodes, const uint32_t *from, const int32_t *class_of,
                            int64_t classes, uint32_t *to, int64_t *first);

/* The cells of the JDM: out_class, in_class of every node, by_out the nodes sorted by out-class, first where each
 * out-class starts in by_out. Fills cells (owned by the caller). */
typedef struct ga__edge_classes {
    const ga_graph *graph;
    int64_t out_classes, in_classes;
    const int32_t *out_class, *in_class;
    const uint32_t *by_out;
    const int64_t *first;
} ga__edge_classes;
/* By a table of all cells for each thread: fast. False when that would be too large. */
bool ga__jdm_table_fits(const ga_context *context, const ga__edge_classes *classes, int *threads);
ga_status ga__jdm_by_table(ga_context *context, const ga__edge_classes *classes, int threads,
                           ga__cells *cells);
/* By one row at a time: for many classes. */
ga_status ga__jdm_by_rows(ga_context *context, const ga__edge_classes *classes, ga__cells *cells);

/* On the context's device, which has the edges. GA_UNSUPPORTED for too many classes. */
ga_status ga__jdm_on_device(ga_context *context, const ga__device_edges *edges,
                            const ga__edge_classes *classes, ga__cells *cells);

ga_status ga__cells_new(ga_context *context, int64_t count, ga__cells *cells);
void ga__cells_clear(ga_context *context, ga__cells *cells);

/* Name of a class in messages: "3", or "3,1" (degree, label). Room for 48. */
const char *ga__class_name(const ga__classes *classes, int64_t class_, char *text);

/* The class (degree, label), or -1. */
int64_t ga__class_at(const ga__classes *classes, int64_t degree, int64_t label);

/* log2 bin of a degree: 0 -> 0, d -> 1 + floor(log2 d). */
static inline int ga__log2_bin(int64_t degree)
{
    return degree > 0 ? 64 - __builtin_clzll((unsigned long long)degree) : 0;
}

#endif
