/* cascade.h - attention methods as cascades of Einsums, and what follows from their shape alone: passes, what has to be
 * held, what has to be moved, operations (card C).
 *
 * A rank is a letter: p queries (or blocks of queries, then i their rows), m keys, u units of keys (pages, blocks, chunks,
 * parts), r probe rows, e channels of queries and keys, f channels of values, c classes of keys. An Einsum iterates the
 * ranks of what it makes and of what it reads. One head is described.
 *
 * A pass over a rank is a traversal that must end before any element can be read again. Einsums in order, for every
 * rank r on its own:
 *
 *   level(e) = max over what e reads of level(x) + [e iterates r, x has no r, x depends on something that iterated r, and
 *   e does not run through r iteratively];  passes = 1 + the largest level among the Einsums that iterate r.
 */
#ifndef GA_ATTENTION_CASCADE_H
#define GA_ATTENTION_CASCADE_H

#include "attention/blocks.h"

enum { GA__READS = 5, GA__EINSUMS = 24 };

/* Reads nothing: an input. */
typedef struct ga__einsum {
    const char *name,
        *ranks; /* of what it makes; a row without name ends a cascade, the one before it is the result */
    const char *reads[GA__READS]; /* by name, from rows before it */
    const char *iterative;        /* ranks through which it runs as a recurrence; NULL = none */
    int work;                     /* operations at a point: 2 where it multiplies and adds, 1 otherwise */
    bool shared;                  /* an input that all query heads of a group share */
} ga__einsum;

/* What the registry's variants, the layers and the textbook cascades are made of. */
typedef struct ga__plan {
    const char *name;
    const ga__einsum *einsums;
    bool chosen; /* its keys are chosen by the data */
} ga__plan;

/* Ended by a row without name. */
extern const ga__plan ga__plans[];
/* NULL for an unknown name. */
const ga__plan *ga__plan_find(const char *name);

/* The plan with a change of its map behind the softmax, by the form of the change; NULL for plans of other cascades than
 * streaming softmax. */
const ga__plan *ga__plan_with_post(const ga__plan *plan, ga_post_form form);

/* One of its Einsums has the rank. */
bool ga__plan_ranks(const ga__plan *plan, char rank);

/* Sizes of the ranks of one head. */
typedef struct ga__ranks {
    double queries, rows, keys, units, probe, dim, dim_v, classes;
    double density; /* share of the pairs (p, m) that is visible */
    double group;   /* query heads that share a head of keys */
} ga__ranks;

typedef struct ga__passes {
    int keys, queries, units;
    double live;       /* words between inputs and result that must be held for one query */
    double moved;      /* words of inputs, once for every pass that reads them, and of the result */
    double operations; /* of one head */
} ga__passes;

/* GA_INTERNAL for a row that reads what is not there. */
ga_status ga__analyse(ga_context *context, const ga__plan *plan, const ga__ranks *ranks, ga__passes *passes);

#endif
