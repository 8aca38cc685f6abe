/* landmark.h - what the files of landmark attention share (attention-dynamic A1).
 *
 * Block c holds the ordinary keys first[c] .. mark[c] - 1 and its landmark mark[c]; behind the last landmark stands an open
 * block, number `count`. bid(j) = number of landmarks before j. Row p sees the ordinary keys of its own block up to p, and
 * the blocks c < bid(p) that are chosen: cand, whose landmark lies before start(p), and near, the others. */
#ifndef GA_ATTENTION_LANDMARK_H
#define GA_ATTENTION_LANDMARK_H

#include "attention/dynamic/probe_rows.h"

typedef enum ga__landmark_select {
    GA__LANDMARK_TOKEN,
    GA__LANDMARK_SHARED,
    GA__LANDMARK_HEAD
} ga__landmark_select;

typedef struct ga__landmarks {
    ga__selecting *s;
    int64_t keys;          /* that the blocks are of */
    int64_t count;         /* landmarks */
    int64_t *first, *mark; /* owned: (count + 1), (count) */
    bool retrieve;
    int64_t top_k, chunk;
    ga__landmark_select select;
    int64_t width; /* of picks: the most that a row picks of cand */
    int32_t
        *picks; /* owned: (batch, heads, queries, width), ascending, -1 behind the last; NULL = all of cand */
    int64_t *cand; /* owned: (queries): candidates of a row when it picked; NULL = picked now */
} ga__landmarks;

typedef struct ga__span {
    int64_t first, last;
} ga__span;

/* Refuses parameters that do not go together. */
ga_status ga__landmarks_check(const ga__part *part);
/* Blocks from the flags, and what is retrieved. To be closed in any case. */
ga_status ga__landmarks_open(ga__selecting *s, ga__landmarks *m);
void ga__landmarks_close(ga_context *context, ga__landmarks *m);
/* The same picks for more keys: what was no candidate when they were made is near. s: those keys, as many queries. To be
 * closed in any case. */
ga_status ga__landmarks_renew(ga__selecting *s, ga__landmarks *m);
/* The ordinary keys that rows see. Returns owned. */
ga_status ga__landmarks_selection(const ga__landmarks *m, ga_selection **out);

/* Number of landmarks before key j; j = keys counts all. */
int64_t ga__landmarks_before(const ga__landmarks *m, int64_t j);
/* Blocks c < cand of the row at that position are candidates, those up to bid are near. */
int64_t ga__landmarks_cand(const ga__landmarks *m, int64_t position);
static inline bool ga__landmarks_empty(const ga__landmarks *m, int64_t c)
{
    return m->first[c] == m->mark[c];
}
/* Writes the chosen blocks of a row, ascending; room for all landmarks. Returns their number. */
int64_t ga__landmarks_row(const ga__landmarks *m, int64_t batch, int64_t head, int64_t query,
                          int32_t *blocks);

/* Own keys of a row at that position: those of the open part of its block. */
ga__span ga__landmarks_own(const ga__landmarks *m, int64_t position);

/* ---- the attention itself (landmark_tile.c, landmark_backward.c) ---- */

ga_status ga__landmark_forward(ga__job *run, ga__own_outputs *outputs);
ga_status ga__landmark_backward(ga__job *run);

/* ---- of a decoding step (landmark_step.c) ---- */

/* Few queries, and keys and values of f32, bf16 or f16 where they lie. */
typedef struct ga__landmark_step {
    const ga__landmarks *m; /* of these queries and keys, a batch of one */
    ga__keys v;
    ga__view o;   /* (heads, queries, dim_v), or empty */
    ga__view lse; /* (1, 1, heads, queries), or empty */
} ga__landmark_step;

ga_status ga__landmark_attend(const ga__landmark_step *step);

#endif
