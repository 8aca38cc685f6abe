/* node_data.h - what the commands train, predict and embed have in common. */
#ifndef GA_CLI_NODE_DATA_H
#define GA_CLI_NODE_DATA_H

#include "cli/session.h"

/* The graph of the first operand with --features and --labels. */
typedef struct node_inputs {
    session *session;
    ga_node_data data;
    int64_t nodes; /* rows of the features */
    DLTensor *dense, *targets;
    ga_sparse sparse;
    int64_t *labels;
    edge_file edges;
} node_inputs;

/* Names the files by reads(). */
void reads_node_data(session *s);
ga_status read_node_data(session *s, node_inputs *in);
void free_node_data(session *s, node_inputs *in);
/* A list of nodes, ascending, every one once and below nodes; NULL path gives none. Returns owned. */
ga_status read_node_list(session *s, const char *path, int64_t nodes, int64_t **list, int64_t *count);

/* ---- curves.c ---- */

/* The epochs of a training run. */
typedef struct history {
    ga_epoch *epochs; /* owned */
    int64_t count, room;
} history;
/* Loss and accuracy of training and validation nodes by epoch, as SVG. */
ga_status draw_curves(session *s, const history *h, int64_t best_epoch, const char *metric, const char *path,
                      const char *at);

#endif
