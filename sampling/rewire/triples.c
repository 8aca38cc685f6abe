/* triples.c - rotations of three targets, which connect what exchanges of two cannot.
 *
 * Edges e, f, g get T[e] <- T[f], T[f] <- T[g], T[g] <- T[e]. The degree matrices stay when e, f, g have one out-class,
 * or one in-class, or (mixed) f has e's out-class and g has e's in-class. The inverse of a mixed triple is the mixed
 * triple with pivot f, partner e and g; it is proposed as often, since the sizes of classes never change.
 *
 * As in a superstep, edges are dealt to groups that know all their keys; here a group has pieces of all classes, and
 * the numbers of its edges by out-class and by in-class never change either.
 */
#include "config.h"

#include <string.h>

#include "lib/base/workers.h"
#include "sampling/rewire/rewiring.h"

enum { CHECK_EVERY = 1 << 14 };

/* ---- the edges of a group by class ---- */

/* Classes are numbered as they turn up. */
typedef struct listing {
    uint32_t classes;
    uint32_t *number; /* of an edge's class */
    uint32_t *first;  /* of a class: its first place in list; one more */
    uint32_t *list;   /* edges by class */
} listing;

typedef struct group {
    ga__desk *desk;
    ga__pair *edge;
    int64_t count;
    listing out, in;
    uint32_t *in_place; /* of an edge in in.list: belongs to its target */
} group;

/* class_number is all zeros before and after. */
static void number_classes(const ga__side *side, bool by_target, group *g, listing *x)
{
    uint32_t *class_number = g->desk->class_number, classes = 0, *seen = x->list;
    for (int64_t i = 0; i < g->count; i++) {
        uint32_t class = side->of_node[by_target ? g->edge[i].target : g->edge[i].source];
        if (class_number[class] == 0) {
            seen[classes++] = class;
            class_number[class] = classes;
            x->first[classes] = 0;
        }
        x->number[i] = class_number[class] - 1;
        x->first[class_number[class]]++;
    }
    for (uint32_t c = 0; c < classes; c++) {
        class_number[seen[c]] = 0;
    }
    x->classes = classes;
    x->first[0] = 0;
    for (uint32_t c = 0; c < classes; c++) {
        x->first[c + 1] += x->first[c];
    }
}

/* place: takes the places of edges; next: scratch. */
static void list_classes(const group *g, listing *x, uint32_t *place, uint32_t *next)
{
    memcpy(next, x->first, x->classes * sizeof *next);
    for (int64_t i = 0; i < g->count; i++) {
        uint32_t at = next[x->number[i]]++;
        x->list[at] = (uint32_t)i;
        place[i] = at;
    }
}

static void index_group(const ga__rewiring *r, group *g)
{
    uint32_t *words = g->desk->words, *next = words + 7 * (g->desk->room + 1);
    uint32_t **const parts[] = { &g->out.number, &g->out.first, &g->out.list, &g->in.number,
                                 &g->in.first,   &g->in.list,   &g->in_place };
    for (int i = 0; i < 7; i++) {
        *parts[i] = words + i * (g->desk->room + 1);
    }
    number_classes(&r->out, false, g, &g->out);
    list_classes(g, &g->out, g->in_place, next);
    number_classes(&r->in, true, g, &g->in);
    list_classes(g, &g->in, g->in_place, next);
}

/* ---- proposals ---- */

/* The range is far below 2^64: the bias is below 2^-32. */
static inline uint32_t pick(ga__random *random, uint32_t count)
{
    return (uint32_t)(((unsigned __int128)ga__random_next(random) * count) >> 64);
}

static inline uint32_t pick_like(const listing *x, uint32_t edge, ga__random *random)
{
    uint32_t class = x->number[edge], first = x->first[class];
    return x->list[first + pick(random, x->first[class + 1] - first)];
}

/* Mixed, mixed, one out-class, one in-class. */
static inline void choose(const group *g, ga__random *random, uint32_t edge[3])
{
    uint64_t kind = ga__random_next(random) >> 62;
    edge[0] = pick(random, (uint32_t)g->count);
    edge[1] = pick_like(kind == 3 ? &g->in : &g->out, edge[0], random);
    edge[2] = pick_like(kind == 2 ? &g->out : &g->in, edge[0], random);
}

/* Targets move on, and with them what belongs to a target. */
static inline void turn(uint32_t *word, const uint32_t edge[3])
{
    uint32_t first = word[edge[0]];
    word[edge[0]] = word[edge[1]];
    word[edge[1]] = word[edge[2]];
    word[edge[2]] = first;
}

static bool propose(group *g, ga__random *random)
{
    uint32_t edge[3], target[3];
    choose(g, random, edge);
    for (int i = 0; i < 3; i++) {
        target[i] = g->edge[edge[(i + 1) % 3]].target;
    }
    if (!ga__desk_turn(g->desk, g->edge, g->count, edge, target)) {
        return false;
    }
    turn(g->in.number, edge);
    turn(g->in_place, edge);
    for (int i = 0; i < 3; i++) {
        g->in.list[g->in_place[edge[i]]] = edge[i];
    }
    return true;
}

typedef struct triples {
    ga__rewiring *r;
    uint64_t pass;
    int64_t count;
} triples;

/* Proposals before an edge. */
static int64_t share(const triples *t, int64_t edge)
{
    return (int64_t)((__int128)t->count * edge / t->r->edges);
}

static int64_t turn_group(const void *user, ga__desk *desk, int64_t number)
{
    const triples *t = user;
    ga__rewiring *r = t->r;
    int64_t from = r->edge[number], to = r->edge[number + 1], count = share(t, to) - share(t, from),
            accepted = 0;
    group g = { .desk = desk, .edge = r->slot + from, .count = to - from };
    ga__random random = ga__random_at(r->seed, GA__RANDOM_TRIPLES, t->pass << 32 | (uint64_t)number);
    if (count == 0 || g.count < 3 || !ga__desk_fit(desk, g.count) ||
        !ga__desk_fit_classes(desk, ga__max(r->out.count, r->in.count)) ||
        !ga__desk_take(desk, g.edge, g.count)) {
        return 0;
    }
    index_group(r, &g);
    for (int64_t i = 0; i < count; i++) {
        if (i % CHECK_EVERY == 0 && ga__stopped(r->context, desk->status)) {
            break;
        }
        accepted += propose(&g, &random);
    }
    return accepted;
}

ga_status ga__triples(ga__rewiring *r, int64_t count, uint64_t pass)
{
    ga_status status = GA_OK;
    triples t = { r, pass, count };
    uint64_t coin[2];
    if (count <= 0 || r->edges < 3) {
        return status;
    }
    ga__random_block(r->seed, GA__RANDOM_TRIPLES, pass << 32 | UINT32_MAX, 0, coin);
    GA_TRY(ga__deal_mixed(r, (coin[0] & 1) != 0, pass));
    GA_TRY(ga__each_group(r, turn_group, &t, &r->report.accepted));
done:
    return status;
}
