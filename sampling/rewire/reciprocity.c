/* reciprocity.c - swaps towards a share of reciprocal edges. */
#include "config.h"

#include <stdlib.h>

#include "sampling/rewire/targeting.h"

/* A random exchange; when reciprocal edges are wanting, three times of four one that makes the reverse of a random
 * edge. False when there is none to be found. */
static bool propose(ga__targeting *t, int64_t goal, ga__exchange *x)
{
    const ga__rewiring *r = t->r;
    if (goal > t->reciprocal && ga__random_below(&t->random, 4) != 0) {
        ga__pair edge = r->slot[ga__random_below(&t->random, (uint64_t)r->edges)];
        if (!ga__rewiring_has(r, edge.target, edge.source)) {
            return ga__exchange_for(t, edge.target, edge.source, true, x);
        }
    }
    *x = ga__random_exchange(t);
    return true;
}

/* Accepts what does not take the figure farther from the goal. */
static bool attempt(ga__targeting *t, int64_t goal)
{
    ga__exchange x;
    if (!propose(t, goal, &x) || !ga__exchange_legal(t->r, x)) {
        return false;
    }
    int64_t change = ga__exchange_reciprocal(t->r, x);
    if (llabs(t->reciprocal + change - goal) > llabs(t->reciprocal - goal)) {
        return false;
    }
    ga__exchange_set(t->r, x, false);
    ga__exchange_slots(t->r, x);
    t->reciprocal += change;
    return true;
}

ga_status ga__rewire_reciprocity(ga__rewiring *r, int64_t budget)
{
    ga_status status = GA_OK;
    ga__targeting t;
    bool stop = false;
    double edges = (double)r->edges;
    int64_t goal = (int64_t)(r->options->target_reciprocity * edges + 0.5);
    GA_TRY(ga__targeting_create(r, 0, &t));
    r->report.reciprocity_before = r->report.reciprocity = edges > 0 ? (double)t.reciprocal / edges : 0;
    for (int64_t i = 0; r->edges > 1 && i < budget; i++) {
        GA_TRY(ga__targeting_tick(&t, "reciprocity", i, budget, &stop));
        if (stop) {
            break;
        }
        r->report.attempts++;
        r->report.accepted += attempt(&t, goal);
    }
    r->report.reciprocity = edges > 0 ? (double)t.reciprocal / edges : 0;
done:
    ga__targeting_destroy(&t);
    return status;
}
