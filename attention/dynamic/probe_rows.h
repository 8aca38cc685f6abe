/* probe_rows.h - a few rows of the softmax map, from which a selector judges keys.
 *
 * P = softmax(scale Q K') of queries first .. first + rows - 1 over the keys below `width` that they see. A head at a
 * time is in memory: rows x width numbers, single precision or double when the call is wide.
 */
#ifndef GA_ATTENTION_PROBE_ROWS_H
#define GA_ATTENTION_PROBE_ROWS_H

#include "attention/dynamic/selector.h"

/* What one thread works with. */
typedef struct ga__probe_room ga__probe_room;

/* Called for every (batch, head); head counts to ga__probe.heads. May run on several threads at once. */
typedef void (*ga__probe_fn)(void *user, ga__probe_room *room, int64_t batch, int64_t head);

typedef struct ga__probe {
    const ga__selecting *s;
    int64_t heads;              /* units of a batch entry: query heads or key heads */
    int64_t first, rows, width; /* first >= 0, first + rows <= queries, width <= keys */
    int64_t values, numbers;    /* doubles and int32_t that the body needs beside */
    ga__probe_fn body;
    void *user;
} ga__probe;

ga_status ga__probe_run(const ga__probe *probe);

/* Computes the rows of a query head; the functions below read them. */
void ga__probe_rows(ga__probe_room *room, int64_t batch, int64_t head);
/* The memory of `values` and `numbers`, anything in it. */
double *ga__probe_values(const ga__probe_room *room);
int32_t *ga__probe_numbers(const ga__probe_room *room);
/* sums_j += sum_r P_rj, j < width. */
void ga__probe_add_columns(const ga__probe_room *room, double *sums);
/* most_j = max(most_j, max_r P_rj). */
void ga__probe_most_columns(const ga__probe_room *room, double *most);
/* sums_o = sum_r P_(r, p(r) - o), o < width, of causal rows of which the last is at position width - 1. */
void ga__probe_diagonals(const ga__probe_room *room, double *sums);

/* The k largest of n numbers, ascending; ties: lower index; NaN never. scratch: k doubles. Returns their number. */
int64_t ga__probe_best(const ga__probe_room *room, const double *x, int64_t n, int64_t k, int32_t *indices,
                       double *scratch);
/* The number of sums of the 1, 2, ... largest numbers that are <= mass, plus 1, at most n. sorted: n doubles. */
int64_t ga__probe_cover(const double *x, int64_t n, double mass, double *sorted);

/* Adds what these rows cost to the selecting: scores, their softmax, two choices out of the sums; k and the rows as traffic. */
void ga__probe_cost(ga__selecting *s, int64_t rows, int64_t width);

/* Indices of heads, of every (batch, head) `most` at most at units + (batch * heads + head) * most, as a note (B, heads, W)
 * padded with -1. */
ga_status ga__probe_note(ga__selecting *s, const char *name, int64_t heads, const int64_t *counts,
                         const int32_t *units, int64_t most);

#endif
