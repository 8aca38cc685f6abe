/* moa_search.c - heads that take the second of two rules, by branch and bound. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention/vision/moa_plan.h"

/* One problem: goal `aim` is minimised, the others stay at or below their limits. */
typedef struct problem {
    const ga__moa *p;
    int aim;
    double limit[GA__MOA_GOALS]; /* INFINITY = none */
    bool found;
    int64_t unfinished; /* trees */
    ga__moa_choice best;
} problem;

/* Heads in the order of what they gain at the aim by the second rule. */
typedef struct head {
    double gain[GA__MOA_GOALS]; /* loss of the second rule minus that of the first */
    int64_t number;
} head;

typedef struct tree {
    problem *of;
    const int64_t *rule;
    head heads[GA__MOA_HEADS];
    double least[GA__MOA_GOALS][GA__MOA_HEADS + 1]; /* sum of the gains below 0 behind a head */
    uint8_t second[GA__MOA_HEADS];
    int64_t m;
    int64_t steps;
} tree;

/* Nodes of one tree after which its best so far stands; far above what layers of 32 heads need. */
enum { MOST_STEPS = 1 << 22 };

static bool feasible(const ga__moa *p, int64_t a, int64_t b, int64_t m)
{
    for (int i = 0; i < p->length_count; i++) {
        int64_t n = p->lengths[i];
        double blocks = (double)(m * ga__moa_shown(p, b, n) + (p->heads - m) * ga__moa_shown(p, a, n));
        double all = (double)(p->heads * n);
        if (blocks > p->bound * all || blocks < p->least * all) {
            return false;
        }
    }
    return true;
}

static void keep(tree *t, const double *loss)
{
    problem *of = t->of;
    if (of->found && loss[of->aim] >= of->best.loss[of->aim]) {
        return;
    }
    of->found = true;
    memcpy(of->best.rule, t->rule, sizeof of->best.rule);
    memcpy(of->best.second, t->second, sizeof of->best.second);
    memcpy(of->best.loss, loss, sizeof of->best.loss);
}

/* Heads from `at` on are open, `left` of them must take the second rule; loss is that of the decided ones, with the first
 * rule for the open ones. Of the aim, the bound takes the next `left` heads, which are the cheapest. */
static void search(tree *t, int64_t at, int64_t left, const double *loss)
{
    problem *of = t->of;
    const ga__moa *p = of->p;
    double bound = loss[of->aim], next[GA__MOA_GOALS];
    if (left > p->heads - at || ++t->steps > MOST_STEPS) {
        return;
    }
    for (int64_t i = 0; i < left; i++) {
        bound += t->heads[at + i].gain[of->aim];
    }
    if (of->found && bound >= of->best.loss[of->aim]) {
        return;
    }
    for (int g = 0; g < p->goals; g++) {
        if (loss[g] + t->least[g][at] > of->limit[g]) {
            return;
        }
    }
    if (left == 0) {
        for (int g = 0; g < p->goals; g++) {
            if (loss[g] > of->limit[g]) {
                return;
            }
        }
        keep(t, loss);
        return;
    }
    for (int g = 0; g < p->goals; g++) {
        next[g] = loss[g] + t->heads[at].gain[g];
    }
    t->second[t->heads[at].number] = 1;
    search(t, at + 1, left - 1, next);
    t->second[t->heads[at].number] = 0;
    search(t, at + 1, left, loss);
}

static void sort_heads(head *heads, int64_t count, int aim)
{
    for (int64_t i = 1; i < count; i++) { /* stable: ties by number */
        head moved = heads[i];
        int64_t j = i;
        for (; j > 0 && heads[j - 1].gain[aim] > moved.gain[aim]; j--) {
            heads[j] = heads[j - 1];
        }
        heads[j] = moved;
    }
}

/* All numbers of heads with the second of two rules. */
static void try_pair(problem *of, tree *t, int64_t a, int64_t b)
{
    const ga__moa *p = of->p;
    const int64_t rule[] = { a, b };
    double start[GA__MOA_GOALS] = { 0 };
    bool sorted = false;
    t->of = of;
    t->rule = rule;
    t->steps = 0;
    for (int64_t m = a == b ? 0 : 1; m < (a == b ? 1 : p->heads); m++) {
        if (!feasible(p, a, b, m)) {
            continue;
        }
        if (!sorted) {
            for (int64_t h = 0; h < p->heads; h++) {
                t->heads[h].number = h;
                for (int g = 0; g < p->goals; g++) {
                    t->heads[h].gain[g] = p->loss[g][b * p->heads + h] - p->loss[g][a * p->heads + h];
                    start[g] += p->loss[g][a * p->heads + h];
                }
            }
            sort_heads(t->heads, p->heads, of->aim);
            for (int g = 0; g < p->goals; g++) {
                t->least[g][p->heads] = 0;
                for (int64_t h = p->heads - 1; h >= 0; h--) {
                    t->least[g][h] = t->least[g][h + 1] + fmin(t->heads[h].gain[g], 0);
                }
            }
            sorted = true;
        }
        memset(t->second, 0, sizeof t->second);
        search(t, 0, m, start);
    }
}

static ga_status solve(problem *of)
{
    ga_status status = GA_OK;
    tree *t = NULL;
    const ga__moa *p = of->p;
    GA_TRY(GA_NEW_ZERO(p->context, 1, &t));
    for (int64_t a = 0; a < p->count; a++) {
        GA_TRY(ga__check(p->context));
        for (int64_t b = a; b < (p->most_rules > 1 ? p->count : a + 1); b++) {
            try_pair(of, t, a, b);
            of->unfinished += t->steps > MOST_STEPS;
        }
    }
done:
    ga_free(p->context, t);
    return status;
}

/* ---- plans that no other one beats ---- */

/* a is nowhere worse than b. */
static bool covers(const ga__moa *p, const ga__moa_choice *a, const ga__moa_choice *b)
{
    for (int g = 0; g < p->goals; g++) {
        if (a->loss[g] > b->loss[g]) {
            return false;
        }
    }
    return true;
}

static ga_status add_plan(ga__moa *p, const ga__moa_choice *plan)
{
    ga_status status = GA_OK;
    int kept = 0;
    for (int i = 0; i < p->best_count; i++) {
        if (covers(p, &p->best[i], plan)) {
            return GA_OK;
        }
    }
    for (int i = 0; i < p->best_count; i++) {
        if (!covers(p, plan, &p->best[i])) {
            p->best[kept++] = p->best[i];
        }
    }
    p->best_count = kept;
    if (p->best_count == p->best_room) {
        int more = p->best_room ? 2 * p->best_room : 16;
        GA_TRY(ga__resize(p->context, p->best_room, more, sizeof *p->best, &p->best));
        p->best_room = more;
    }
    p->best[p->best_count++] = *plan;
done:
    return status;
}

/* Each goal alone; the ranges of the losses. */
static ga_status solve_alone(ga__moa *p)
{
    ga_status status = GA_OK;
    for (int g = 0; g < p->goals; g++) {
        p->low[g] = INFINITY;
        p->high[g] = 0;
    }
    for (int aim = 0; aim < p->goals; aim++) {
        problem of = { .p = p, .aim = aim, .limit = { INFINITY, INFINITY, INFINITY } };
        GA_TRY(solve(&of));
        p->unfinished += of.unfinished;
        if (!of.found) {
            GA_TRY(
                ga__fail(p->context, GA_INFEASIBLE,
                         "moa-plan: no %lld rules give %lld heads a mean density of %g to %g at all lengths",
                         (long long)p->most_rules, (long long)p->heads, p->least, p->bound));
        }
        for (int g = 0; g < p->goals; g++) {
            p->low[g] = fmin(p->low[g], of.best.loss[g]);
            p->high[g] = fmax(p->high[g], of.best.loss[g]);
        }
        GA_TRY(add_plan(p, &of.best));
    }
done:
    return status;
}

ga_status ga__moa_search(ga__moa *p)
{
    ga_status status = GA_OK;
    GA_TRY(solve_alone(p));
    int64_t combinations = 1;
    for (int g = 1; g < p->goals; g++) {
        combinations *= p->cuts;
    }
    for (int64_t i = 0; i < (p->goals > 1 ? combinations * p->goals : 0); i++) {
        problem of = { .p = p, .aim = (int)(i / combinations), .limit = { INFINITY, INFINITY, INFINITY } };
        int64_t rest = i % combinations;
        for (int g = 0; g < p->goals; g++) {
            if (g != of.aim) {
                double cut = (double)(rest % p->cuts + 1) / (double)p->cuts;
                of.limit[g] = p->low[g] + (p->high[g] - p->low[g]) * cut;
                rest /= p->cuts;
            }
        }
        GA_TRY(solve(&of));
        p->unfinished += of.unfinished;
        if (of.found) {
            GA_TRY(add_plan(p, &of.best));
        }
    }
done:
    return status;
}
