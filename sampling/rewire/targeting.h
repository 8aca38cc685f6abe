/* targeting.h - single swaps towards a goal: what reciprocity and clustering share. One thread. */
#ifndef GA_SAMPLING_REWIRE_TARGETING_H
#define GA_SAMPLING_REWIRE_TARGETING_H

#include "sampling/rewire/rewiring.h"

/* Slots (a, b) and (x, y) that would become (a, y) and (x, b). */
typedef struct ga__exchange {
    uint32_t e, f;
} ga__exchange;

/* Out-slots of a node are a range of slots. In-slots are a range of r->order, which is sorted by in-class and node;
 * a place in it belongs to a target for good, r->place has the place of a slot. */
typedef struct ga__targeting {
    ga__rewiring *r;
    ga__random random;
    int64_t *out_first, *in_first; /* of a node */
    int64_t *out_degree, *in_degree;
    int64_t reciprocal; /* edges whose reverse is an edge */
    double deadline;    /* monotonic seconds; 0 = none */
} ga__targeting;

ga_status ga__targeting_create(ga__rewiring *r, uint64_t stage, ga__targeting *t);
void ga__targeting_destroy(ga__targeting *t);
/* GA_OK; *stop when time is up. To be called before every proposal. */
ga_status ga__targeting_tick(ga__targeting *t, const char *stage, int64_t done, int64_t budget, bool *stop);

bool ga__exchange_legal(const ga__rewiring *r, ga__exchange x);
/* Change of the number of reciprocal edges by a legal exchange. */
int64_t ga__exchange_reciprocal(const ga__rewiring *r, ga__exchange x);
/* Slots and places follow; not the set. */
void ga__exchange_slots(ga__rewiring *r, ga__exchange x);
/* The set follows; back: the other way, before the slots did. */
void ga__exchange_set(ga__rewiring *r, ga__exchange x, bool back);

/* A random slot and one of its out-class or in-class. */
ga__exchange ga__random_exchange(ga__targeting *t);
/* Tries to find an exchange that makes the edge u -> v. lonely: it may only take edges without a reverse. */
bool ga__exchange_for(ga__targeting *t, uint32_t u, uint32_t v, bool lonely, ga__exchange *x);

static inline bool ga__rewiring_has(const ga__rewiring *r, uint32_t source, uint32_t target)
{
    return ga__edge_set_has(&r->set, ga__edge_key(source, target));
}

#endif
