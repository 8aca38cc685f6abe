/* deal.c - dividing the edges into groups: a stable counting sort, so the outcome does not depend on threads.
 *
 * What is drawn here depends on nodes and superstep alone, never on where edges are, so a move and its reverse find
 * the same groups.
 */
#include "config.h"

#include <string.h>

#include "lib/base/workers.h"
#include "sampling/rewire/rewiring.h"

/* ---- counting sort ---- */

typedef struct sorting {
    ga__rewiring *r;
    const ga__side *side;
    const uint32_t *group_of;
    bool by_target;
    uint64_t word[2][2]; /* of hashes */
    int64_t groups, blocks;
    void (*work)(const struct sorting *s, int64_t block);
    int64_t next;
    int status;
} sorting;

static void worker(void *user, int number)
{
    sorting *s = user;
    (void)number;
    for (int64_t b; (b = ga__claim(&s->next)) < s->blocks && !ga__stopped(s->r->context, &s->status);) {
        s->work(s, b);
    }
}

static ga_status run(sorting *s, void (*work)(const sorting *s, int64_t block))
{
    s->work = work;
    s->next = 0;
    ga__workers(s->r->context, (int)ga__min(s->r->threads, s->blocks), worker, s);
    return ga__noted_status(&s->status);
}

static int64_t block_start(const sorting *s, int64_t block)
{
    return (int64_t)((__int128)s->r->edges * block / s->blocks);
}

static inline uint32_t group_of(const sorting *s, int64_t e)
{
    const ga__pair *slot = &s->r->slot[e];
    return s->group_of[s->by_target ? slot->target : slot->source];
}

static void count_block(const sorting *s, int64_t b)
{
    int64_t *count = s->r->counters + b * s->groups, end = block_start(s, b + 1);
    memset(count, 0, (size_t)s->groups * sizeof *count);
    for (int64_t e = block_start(s, b); e < end; e++) {
        count[group_of(s, e)]++;
    }
}

/* Counters become places: where the first member of a group in a block goes. */
static void place_groups(const sorting *s)
{
    int64_t place = 0;
    for (int64_t g = 0; g < s->groups; g++) {
        s->r->edge[g] = place;
        for (int64_t b = 0; b < s->blocks; b++) {
            int64_t *counter = s->r->counters + b * s->groups + g, members = *counter;
            *counter = place;
            place += members;
        }
    }
    s->r->edge[s->groups] = place;
}

/* What was dealt to the spare list becomes the list. */
static void turn(ga__rewiring *r)
{
    ga__pair *dealt = r->spare;
    r->spare = r->slot;
    r->slot = dealt;
}

static void scatter_block(const sorting *s, int64_t b)
{
    int64_t *place = s->r->counters + b * s->groups, end = block_start(s, b + 1);
    for (int64_t e = block_start(s, b); e < end; e++) {
        s->r->spare[place[group_of(s, e)]++] = s->r->slot[e];
    }
}

static ga_status sort_slots(sorting *s)
{
    ga_status status = GA_OK;
    ga__rewiring *r = s->r;
    GA_TRY(run(s, count_block));
    place_groups(s);
    GA_TRY(run(s, scatter_block));
    turn(r);
    r->groups = s->groups;
    r->pair[0] = 0;
    for (int64_t g = 0; g < r->groups; g++) {
        r->pair[g + 1] = r->pair[g] + (r->edge[g + 1] - r->edge[g] + 1) / 2;
    }
done:
    return status;
}

/* ---- groups ---- */

static inline uint64_t hash_below(const uint64_t word[2], uint64_t value, int64_t bound)
{
    uint64_t mixed = ga__key_mix((value + word[0]) * (word[1] | 1));
    return (mixed >> 32) * (uint64_t)bound >> 32;
}

static void node_range(const sorting *s, int64_t block, int64_t *from, int64_t *to)
{
    *from = (int64_t)((__int128)s->r->nodes * block / s->blocks);
    *to = (int64_t)((__int128)s->r->nodes * (block + 1) / s->blocks);
}

/* A part of the node's class. */
static void name_groups(const sorting *s, int64_t block)
{
    const ga__side *side = s->side;
    int64_t from, to;
    node_range(s, block, &from, &to);
    for (int64_t v = from; v < to; v++) {
        uint32_t class = side->of_node[v];
        int64_t first = side->group[class], many = side->group[class + 1] - first;
        s->r->group_of[v] = (uint32_t)first + (uint32_t)hash_below(s->word[0], (uint64_t)v, many);
    }
}

/* Classes are cut into pieces, which still have partners inside, and pieces are thrown into groups. */
static void name_mixed_groups(const sorting *s, int64_t block)
{
    const ga__side *side = s->side;
    int64_t from, to;
    node_range(s, block, &from, &to);
    for (int64_t v = from; v < to; v++) {
        uint64_t class = side->of_node[v];
        int64_t pieces = ga__max(1, ga__min(s->groups, side->nodes[class] / s->r->few_nodes));
        uint64_t piece = hash_below(s->word[0], (uint64_t)v, pieces);
        s->r->group_of[v] = (uint32_t)hash_below(s->word[1], class << 32 | piece, s->groups);
    }
}

static sorting sorting_for(ga__rewiring *r, bool by_target)
{
    return (
        sorting){ .r = r, .by_target = by_target, .side = by_target ? &r->in : &r->out, .blocks = r->blocks };
}

ga_status ga__deal(ga__rewiring *r, bool by_target, uint64_t superstep)
{
    ga_status status = GA_OK;
    sorting s = sorting_for(r, by_target);
    s.groups = s.side->group[s.side->count];
    s.group_of = s.side->of_node;
    if (s.groups > s.side->count) {
        ga__random_block(r->seed, GA__RANDOM_SUPERSTEP, superstep << 32 | UINT32_MAX, 1, s.word[0]);
        GA_TRY(run(&s, name_groups));
        s.group_of = r->group_of;
    }
    GA_TRY(sort_slots(&s));
done:
    return status;
}

ga_status ga__deal_mixed(ga__rewiring *r, bool by_target, uint64_t pass)
{
    ga_status status = GA_OK;
    sorting s = sorting_for(r, by_target);
    s.groups = r->mixed_groups;
    s.group_of = r->group_of;
    for (uint32_t i = 0; i < 2; i++) {
        ga__random_block(r->seed, GA__RANDOM_TRIPLES, pass << 32 | UINT32_MAX, i + 1, s.word[i]);
    }
    GA_TRY(run(&s, name_mixed_groups));
    GA_TRY(sort_slots(&s));
done:
    return status;
}

/* ---- rows ---- */

static ga_status sort_by_node(ga__rewiring *r, bool by_target, int64_t *next)
{
    enum { CHECK_EVERY = 1 << 22 };
    ga_status status = GA_OK;
    memset(next, 0, (size_t)(r->nodes + 1) * sizeof *next);
    for (int64_t e = 0; e < r->edges; e++) {
        next[(by_target ? r->slot[e].target : r->slot[e].source) + (int64_t)1]++;
    }
    for (int64_t v = 0; v < r->nodes; v++) {
        next[v + 1] += next[v];
    }
    for (int64_t e = 0; e < r->edges; e++) {
        r->spare[next[by_target ? r->slot[e].target : r->slot[e].source]++] = r->slot[e];
        if (e % CHECK_EVERY == 0) {
            GA_TRY(ga__check(r->context));
        }
    }
    turn(r);
done:
    return status;
}

ga_status ga__deal_rows(ga__rewiring *r)
{
    int64_t *next = NULL;
    ga_status status = GA_NEW(r->context, r->nodes + 1, &next);
    for (int by_target = 1; status == GA_OK && by_target >= 0; by_target--) {
        status = sort_by_node(r, by_target == 1, next);
    }
    ga_free(r->context, next);
    return status;
}
