/* superstep.c - a random matching inside every group, and its swaps.
 *
 * All orders of a group's edges are equally likely, whatever order they came in: so the pairs, and the order in which
 * they are swapped, do not depend on the past, and a step from one graph to another is as likely as the step back. Which
 * edges are in a group is fixed by nodes alone, and no swap takes an edge out of it.
 */
#include "config.h"

#include "sampling/rewire/rewiring.h"

typedef struct matching {
    ga__rewiring *r;
    uint64_t number;
    int64_t start, count; /* pairs to execute */
} matching;

/* Edges from one node, or to one node, cannot be swapped. */
static bool stuck(const ga__pair *edge, int64_t count)
{
    bool one_source = true, one_target = true;
    for (int64_t i = 1; i < count && (one_source || one_target); i++) {
        one_source = one_source && edge[i].source == edge[0].source;
        one_target = one_target && edge[i].target == edge[0].target;
    }
    return one_source || one_target;
}

/* One pair less in half of all cases: without that, a group of two or four edges would go round in circles. */
int64_t ga__group_pairs(const ga__rewiring *r, uint64_t superstep, int64_t group, int64_t edges)
{
    uint64_t coin[2];
    ga__random_block(r->seed, GA__RANDOM_SUPERSTEP, ga__group_stream(superstep, group), 2, coin);
    return edges < 2 ? 0 : edges / 2 - (int64_t)(coin[0] & 1);
}

static int64_t swap_group(const void *user, ga__desk *desk, int64_t g)
{
    const matching *s = user;
    ga__rewiring *r = s->r;
    ga__pair *edge = r->slot + r->edge[g];
    int64_t count = r->edge[g + 1] - r->edge[g], all = r->pair[r->groups], accepted = 0;
    /* pairs of the group to be executed: from a to b - 1, and those before c, where the count has come round */
    int64_t pairs = ga__group_pairs(r, s->number, g, count), a = s->start - r->pair[g], b = a + s->count,
            c = b - all;
    a = ga__max(0, a);
    b = ga__min(pairs, b);
    c = ga__min(pairs, c);
    if ((a >= b && c <= 0) || stuck(edge, count) || !ga__desk_fit(desk, count)) {
        return 0;
    }
    ga__desk_shuffle(desk, r->seed, ga__group_stream(s->number, g), edge, count);
    if (!ga__desk_take(desk, edge, count)) {
        return 0;
    }
    if (a < b) {
        accepted += ga__desk_swap(desk, edge, a, b);
    }
    return accepted + (c > 0 ? ga__desk_swap(desk, edge, 0, c) : 0);
}

ga_status ga__superstep(ga__rewiring *r, uint64_t number, int64_t start, int64_t count)
{
    matching s = { .r = r, .number = number, .start = start, .count = count };
    return ga__each_group(r, swap_group, &s, &r->report.accepted);
}
