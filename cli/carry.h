/* carry.h - features of nodes that a sample takes over from the nodes it stands for. */
#ifndef GA_CLI_CARRY_H
#define GA_CLI_CARRY_H

#include "cli/session.h"

/* A .npy array or a sparse matrix of one row per node. Zero-initialise. */
typedef struct feature_rows {
    DLTensor *dense; /* owned; NULL = sparse */
    ga_sparse sparse;
} feature_rows;

/* Reads --features, one row for each of the graph's nodes, in the order of ids. Nothing without that option. */
ga_status read_feature_rows(session *s, const ga_graph *graph, feature_rows *rows);
/* Writes rows[donors[0]], rows[donors[1]], ... in the format in which they were read. */
ga_status write_feature_rows(session *s, const feature_rows *rows, const int64_t *donors, int64_t count,
                             const char *path);
void free_feature_rows(session *s, feature_rows *rows);

#endif
