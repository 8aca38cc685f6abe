/* neighbors.h - graphattn neighbors: what its two files share. */
#ifndef GA_CLI_NEIGHBORS_H
#define GA_CLI_NEIGHBORS_H

#include "cli/session.h"
#include "sampling/classical/table.h"

typedef struct neighbors_job {
    ga_graph *graph;
    int64_t *seeds, *parts, seed_count;
    ga_batches *batches;
    ga__set told;            /* nodes whose norm is written */
    char *name, *final_name; /* one file a batch: room for names */
    int64_t staged;          /* files that do not have their name yet */
} neighbors_job;

/* The file of --return, or NULL. */
const char *law_path(const session *s);
/* A writer of all batches as rows; user is the job. */
ga_status write_rows(session *s, const void *user, const char *path);
/* One file a batch: all are written under other names first and take theirs by the second call. */
ga_status stage_batches(session *s, neighbors_job *j);
ga_status commit_batches(session *s, neighbors_job *j);
/* Removes those that did not. */
void drop_batches(const session *s, neighbors_job *j);

#endif
