/* dhsa.h - where chunks of keys begin; for dhsa.c and dhsa_cuts.c. */
#ifndef GA_ATTENTION_DHSA_H
#define GA_ATTENTION_DHSA_H

#include "attention/dynamic/selector.h"

/* Chunk c of a batch entry is the keys cut[c] .. cut[c + 1] - 1. */
typedef struct ga__cuts {
    int64_t room;    /* of an entry: keys + 1 */
    int64_t *cut;    /* owned: (batch, room) */
    int64_t *chunks; /* owned: (batch) */
    bool given;      /* by the tensor "boundaries" */
} ga__cuts;

static inline const int64_t *ga__cuts_of(const ga__cuts *cuts, int64_t batch)
{
    return cuts->cut + batch * cuts->room;
}

/* Those of the tensor, else the teacher's. To be freed in any case. */
ga_status ga__cuts_make(const ga__selecting *s, ga__cuts *cuts);
void ga__cuts_free(ga_context *context, ga__cuts *cuts);

#endif
