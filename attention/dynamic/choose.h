/* choose.h - units chosen by scores of queries against their summaries, for every list of a selection.
 *
 * A list of head h (of `heads` lists heads) belongs to a block of queries. It is judged by `rows` rows, which the caller
 * prepares, in the width of the summaries: their dot products with the summaries of the first `reach` units are the
 * scores. Lists are worked on in blocks, so that scores of a few rows are in memory at a time.
 */
#ifndef GA_ATTENTION_CHOOSE_H
#define GA_ATTENTION_CHOOSE_H

#include "attention/dynamic/selector.h"
#include "attention/dynamic/summaries.h"

typedef struct ga__choosing ga__choosing;

/* Scores of one list, and what is kept of them. Numbers are f64 when the call is wide, else f32. */
typedef struct ga__scored {
    int64_t batch, head, list, reach;
    void *scores; /* (rows, reach), rows `step` numbers apart; may be written */
    int64_t step;
    int32_t *units;  /* room for `most` */
    double *scratch; /* of the choosing, at least `most` */
} ga__scored;

struct ga__choosing {
    ga__selecting *s;
    const void *user;
    const ga__summaries *summaries; /* rows of its heads, which divide `heads` */
    int64_t heads, block_query;     /* lists of block_query queries, from the first on */
    int64_t rows, units;            /* rows of a list; units with a summary, at most */
    int64_t most;                   /* that a list keeps, at most */
    int64_t scratch;                /* doubles that keep needs beside */
    /* Writes row `row` of a list. Any thread. */
    void (*prepare)(const ga__choosing *c, int64_t batch, int64_t head, int64_t list, int64_t row, void *to);
    /* Units that the list may see; grows with the list. */
    int64_t (*reach)(const ga__choosing *c, int64_t batch, int64_t list);
    /* Writes the units of a list, ascending, and returns their number. Any thread. */
    int64_t (*keep)(const ga__choosing *c, const ga__scored *scored);
};

/* The selection of all lists. Returns owned. */
ga_status ga__choose_units(ga__choosing *choosing, ga_selection **selection);

/* Keeps units [0, first) and [from, to) and the best others, by the scores of row 0 (ties: the lower unit; NaN never), up to
 * count in all, or the former alone when they are more. Overwrites scores. Returns the number. */
int64_t ga__keep_best(const ga__choosing *choosing, const ga__scored *scored, int64_t first, int64_t from,
                      int64_t to, int64_t count);

/* to = share times the sum of the queries of a list, of heads from .. to_head - 1. */
void ga__sum_queries(const ga__choosing *choosing, int64_t batch, int64_t from, int64_t to_head, int64_t list,
                     double share, void *to);

/* Queries [first, last) of a list. */
static inline int64_t ga__list_first(const ga__choosing *c, int64_t list)
{
    return list * c->block_query;
}
static inline int64_t ga__list_last(const ga__choosing *c, int64_t list)
{
    int64_t first = list * c->block_query;
    return first + ga__min(c->block_query, c->s->queries - first);
}

#endif
