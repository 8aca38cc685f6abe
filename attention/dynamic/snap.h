/* snap.h - what snapkv and ada-snapkv share: keys of a prompt judged by its last rows (attention-dynamic A6.4, A6.5). */
#ifndef GA_ATTENTION_SNAP_H
#define GA_ATTENTION_SNAP_H

#include "attention/dynamic/probe_rows.h"

typedef enum ga__snap_reduce { GA__SNAP_MAX, GA__SNAP_MEAN, GA__SNAP_SUM, GA__SNAP_NONE } ga__snap_reduce;

typedef struct ga__snap {
    ga__selecting *s;
    int64_t prompt, budget, window, kernel, sinks; /* prompt: at most the keys */
    int64_t heads;                                 /* of lists */
    ga__snap_reduce reduce;
    bool most;      /* a key counts by its largest probability in the probe rows, not by their sum */
    bool keeps_all; /* the prompt is not over, or not longer than the budget */
    int64_t judged; /* keys below this one are judged */
} ga__snap;

/* Reads the parameters that both have and checks them; heads, reduce, most and judged are the caller's to change. */
ga_status ga__snap_open(ga__selecting *s, ga__snap *snap);
/* Runs body for every head of lists with the probe rows of the prompt; it needs so many doubles and int32_t. */
ga_status ga__snap_run(ga__snap *snap, int64_t values, int64_t numbers, ga__probe_fn body, void *user);
/* Importance of the judged keys for a head of lists: rows reduced, query heads reduced, pooled. scratch: prompt doubles,
 * importance: prompt doubles of which the first `judged` count. */
void ga__snap_importance(const ga__snap *snap, ga__probe_room *room, int64_t batch, int64_t head,
                         double *importance, double *scratch);
/* The selection from lists of kept prompt keys, `most` at most; rows of the prompt are dense, later keys open. Notes
 * "selected". Returns owned. */
ga_status ga__snap_finish(const ga__snap *snap, const int64_t *counts, const int32_t *lists, int64_t most,
                          ga_selection **out);

/* --decode: all tokens so far in every step, and the prompt as a number. */
ga_status ga__snap_decode(ga__job *run, ga__decode *how);

#endif
