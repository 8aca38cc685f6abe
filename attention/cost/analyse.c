/* analyse.c - passes, words and operations of a cascade. */
#include "config.h"

#include <string.h>

#include "attention/cost/cascade.h"

enum { KEYS, QUERIES, UNITS, LEVELS };
static const char level_ranks[] = "mpu";

/* One Einsum while it is analysed. */
typedef struct step {
    int reads[GA__READS], count;
    char iterates[16];
    int level[LEVELS];
    bool depends[LEVELS]; /* on something that iterated the rank */
} step;

static bool has(const char *ranks, char rank)
{
    return ranks && strchr(ranks, rank) != NULL;
}

static void iterate(step *s, const char *ranks)
{
    for (; *ranks; ranks++) {
        size_t length = strlen(s->iterates);
        if (!has(s->iterates, *ranks) && length + 1 < sizeof s->iterates) {
            s->iterates[length] = *ranks;
        }
    }
}

static ga_status link_step(ga_context *context, const ga__plan *plan, int at, step *s)
{
    const ga__einsum *e = &plan->einsums[at];
    *s = (step){ .count = 0 };
    iterate(s, e->ranks);
    for (int k = 0; k < GA__READS && e->reads[k]; k++) {
        int x = 0;
        while (x < at && strcmp(plan->einsums[x].name, e->reads[k]) != 0) {
            x++;
        }
        if (x == at) {
            return ga__fail(context, GA_INTERNAL, "%s: %s reads %s, which is not there", plan->name, e->name,
                            e->reads[k]);
        }
        s->reads[s->count++] = x;
        iterate(s, plan->einsums[x].ranks);
    }
    return GA_OK;
}

/* level(e) along one rank. */
static void raise(const ga__einsum *einsums, step *steps, int at, int which)
{
    step *s = &steps[at];
    char rank = level_ranks[which];
    bool here = has(s->iterates, rank);
    for (int k = 0; k < s->count; k++) {
        const step *x = &steps[s->reads[k]];
        int again = here && !has(einsums[s->reads[k]].ranks, rank) && x->depends[which] &&
                    !has(einsums[at].iterative, rank);
        s->level[which] =
            x->level[which] + again > s->level[which] ? x->level[which] + again : s->level[which];
        s->depends[which] = s->depends[which] || x->depends[which];
    }
    s->depends[which] = s->depends[which] || (s->count > 0 && here);
}

static double size_of(const ga__ranks *r, char rank)
{
    switch (rank) {
    case 'p': return r->queries;
    case 'i': return r->rows;
    case 'm': return r->keys;
    case 'u': return r->units;
    case 'r': return r->probe;
    case 'e': return r->dim;
    case 'f': return r->dim_v;
    default: return r->classes;
    }
}

/* Points that are visited: a key lies in one unit and in one class, and only visible pairs count. */
static double volume(const ga__ranks *r, const char *ranks)
{
    double product = has(ranks, 'p') && has(ranks, 'm') ? r->density : 1;
    for (const char *at = ranks; *at; at++) {
        product *= (*at == 'u' || *at == 'c') && has(ranks, 'm') ? 1 : size_of(r, *at);
    }
    return product;
}

/* Words that are held of an intermediate result: all of a rank, and of those inside it (p, then u, then m), when a later
 * pass over the rank reads it again; else one element of each. */
static double held(const ga__ranks *r, const ga__einsum *e, const bool again[LEVELS])
{
    double words = 1;
    bool queries = again[QUERIES] && has(e->ranks, 'p'),
         units = queries || (again[UNITS] && has(e->ranks, 'u'));
    bool keys = units || (again[KEYS] && has(e->ranks, 'm'));
    for (const char *at = e->ranks; *at; at++) {
        bool one = (*at == 'p' || *at == 'i') ? !queries
                   : *at == 'u'               ? !units
                   : *at == 'm'               ? !keys
                                              : *at == 'r';
        words *= one ? 1 : size_of(r, *at);
    }
    return words;
}

static double live_words(const ga__plan *plan, const step *steps, int count, const ga__ranks *r)
{
    double words = 0;
    for (int x = 0; x < count - 1; x++) {
        bool again[LEVELS] = { false };
        for (int e = x + 1; e < count; e++) {
            for (int k = 0; k < steps[e].count; k++) {
                for (int w = 0; w < LEVELS && steps[e].reads[k] == x; w++) {
                    again[w] = again[w] || steps[e].level[w] > steps[x].level[w];
                }
            }
        }
        words += steps[x].count > 0 ? held(r, &plan->einsums[x], again) : 0;
    }
    return words;
}

/* Passes in which something reads x: different levels. */
static int readings(const step *steps, int count, int x)
{
    int seen[GA__EINSUMS], different = 0;
    for (int e = x + 1; e < count; e++) {
        int code = (steps[e].level[KEYS] * 16 + steps[e].level[QUERIES]) * 16 + steps[e].level[UNITS];
        bool reads = false;
        for (int k = 0; k < steps[e].count; k++) {
            reads = reads || steps[e].reads[k] == x;
        }
        for (int i = 0; i < different; i++) {
            reads = reads && seen[i] != code;
        }
        if (reads) {
            seen[different++] = code;
        }
    }
    return different;
}

static void sum_up(const ga__plan *plan, const step *steps, int count, const ga__ranks *r, ga__passes *passes)
{
    const ga__einsum *einsums = plan->einsums;
    int *const most[LEVELS] = { &passes->keys, &passes->queries, &passes->units };
    *passes = (ga__passes){ .keys = 1, .queries = 1, .units = 1, .live = live_words(plan, steps, count, r) };
    passes->moved = volume(r, einsums[count - 1].ranks);
    for (int x = 0; x < count; x++) {
        for (int w = 0; w < LEVELS; w++) {
            bool here = has(steps[x].iterates, level_ranks[w]);
            *most[w] = here && steps[x].level[w] + 1 > *most[w] ? steps[x].level[w] + 1 : *most[w];
        }
        if (steps[x].count > 0) {
            passes->operations += einsums[x].work * volume(r, steps[x].iterates);
        } else {
            passes->moved +=
                readings(steps, count, x) * volume(r, einsums[x].ranks) / (einsums[x].shared ? r->group : 1);
        }
    }
}

ga_status ga__analyse(ga_context *context, const ga__plan *plan, const ga__ranks *ranks, ga__passes *passes)
{
    ga_status status = GA_OK;
    step steps[GA__EINSUMS];
    int count = 0;
    for (; plan->einsums[count].name; count++) {
        if (count == GA__EINSUMS) {
            GA_TRY(ga__fail(context, GA_INTERNAL, "%s: too many Einsums", plan->name));
        }
        GA_TRY(link_step(context, plan, count, &steps[count]));
        for (int w = 0; w < LEVELS; w++) {
            raise(plan->einsums, steps, count, w);
        }
    }
    sum_up(plan, steps, count, ranks, passes);
done:
    return status;
}
