/* walks.c - walkers along links: random, restart, jump, metropolis, non_backtracking, circulated, common_neighbour. */
#include "config.h"

#include <math.h>

#include "sampling/classical/draw.h"

#define NOBODY UINT32_MAX

typedef enum move {
    STAY,
    STEP, /* along a link */
    JUMP,
    LOST /* no way on */
} move;

typedef struct walk {
    ga__draw *d;
    uint32_t at, start;
    uint32_t previous; /* NOBODY behind a jump */
    double p;          /* the method's probability or exponent */
    ga__list here, there;
    int64_t listed; /* the node that `here` belongs to; -1 = none */
    ga__table pairs, used;
    struct circle *circles; /* owned */
    int64_t circle_count, circle_room;
} walk;

typedef ga_status (*step_fn)(walk *w, uint32_t *to, move *how);

static void walk_clear(walk *w)
{
    ga_context *context = w->d->context;
    ga__list_clear(context, &w->here);
    ga__list_clear(context, &w->there);
    ga__table_clear(&w->pairs);
    ga__table_clear(&w->used);
    ga_free(context, w->circles);
}

/* ---- the walk ---- */

static ga_status start_anew(walk *w)
{
    w->previous = NOBODY;
    ga_status status = ga__seed(w->d, &w->at);
    w->start = w->at;
    return status;
}

static ga_status follow(walk *w, uint32_t to, move how)
{
    ga_status status = GA_OK;
    if (how == STEP) {
        GA_TRY(ga__cross(w->d, w->at, to));
        w->previous = w->at;
        w->at = to;
    } else if (how == JUMP) {
        w->previous = NOBODY;
        w->at = to;
    }
done:
    return status;
}

/* bound: the walk stays where links lead from its start (or from where it stands). */
static ga_status walk_on(ga__draw *d, step_fn step, double p, bool bound)
{
    ga_status status = GA_OK;
    walk w = {
        .d = d, .p = p, .listed = -1, .pairs = { .context = d->context }, .used = { .context = d->context }
    };
    ga__patience patience = { 0 };
    GA_TRY(ga__look(d));
    GA_TRY(start_anew(&w));
    while (!ga__full(d)) {
        uint32_t to = w.at;
        move how = STAY;
        bool fresh, stuck;
        GA_TRY(ga__tick(d));
        GA_TRY(step(&w, &to, &how));
        GA_TRY(follow(&w, to, how));
        GA_TRY(ga__join(d, w.at, &fresh));
        stuck = how == LOST;
        if (!fresh && !stuck) {
            /* the start leads to where the walker stands */
            GA_TRY(ga__in_vain(d, &patience, GA__GOAL_NODE, &w.start, bound ? 1 : 0, &stuck));
        }
        if (stuck) {
            GA_TRY(start_anew(&w));
        }
        if (fresh || stuck) {
            patience.idle = 0;
        }
    }
done:
    walk_clear(&w);
    return status;
}

/* ---- random_walk, restart_walk, jump_walk ---- */

static ga_status any_neighbour(walk *w, uint32_t *to, move *how)
{
    bool found;
    ga_status status = ga__view_draw(&w->d->view, &w->d->random, w->at, to, &found);
    *how = found ? STEP : LOST;
    return status;
}

static ga_status draw_random_walk(ga__draw *d)
{
    return walk_on(d, any_neighbour, 0, true);
}
const struct ga__sampler ga__random_walk_sampler = { draw_random_walk, false, false };

static ga_status or_restart(walk *w, uint32_t *to, move *how)
{
    if (ga__chance(w->d, w->p)) {
        *to = w->start;
        *how = JUMP;
        return GA_OK;
    }
    return any_neighbour(w, to, how);
}

static ga_status draw_restart_walk(ga__draw *d)
{
    return walk_on(d, or_restart, ga__real(d, "restart"), true);
}
const struct ga__sampler ga__restart_walk_sampler = { draw_restart_walk, false, false };

static ga_status or_jump(walk *w, uint32_t *to, move *how)
{
    if (ga__chance(w->d, w->p)) {
        *to = (uint32_t)ga__below(w->d, w->d->graph->nodes);
        *how = JUMP;
        return GA_OK;
    }
    return any_neighbour(w, to, how);
}

static ga_status draw_jump_walk(ga__draw *d)
{
    double p = ga__real(d, "jump");
    return walk_on(d, or_jump, p, p == 0);
}
const struct ga__sampler ga__jump_walk_sampler = { draw_jump_walk, false, false };

/* ---- metropolis_walk ---- */

static ga_status metropolis(walk *w, uint32_t *to, move *how)
{
    ga_status status = GA_OK;
    int64_t here, there;
    GA_TRY(any_neighbour(w, to, how));
    if (*how == LOST) {
        goto done;
    }
    GA_TRY(ga__view_degree(&w->d->view, w->at, &here));
    GA_TRY(ga__view_degree(&w->d->view, *to, &there));
    if (there > here && !ga__chance(w->d, pow((double)here / (double)there, w->p))) {
        *how = STAY;
    }
done:
    return status;
}

static ga_status draw_metropolis(ga__draw *d)
{
    return walk_on(d, metropolis, ga__real(d, "alpha"), true);
}
const struct ga__sampler ga__metropolis_walk_sampler = { draw_metropolis, false, false };

/* ---- non_backtracking_walk ---- */

static ga_status onward(walk *w, uint32_t *to, move *how)
{
    ga_status status = GA_OK;
    int64_t degree = 0;
    GA_TRY(any_neighbour(w, to, how));
    if (*how == STEP && *to == w->previous) {
        GA_TRY(ga__view_degree(&w->d->view, w->at, &degree));
    }
    while (degree > 1 && *to == w->previous) {
        GA_TRY(any_neighbour(w, to, how));
    }
done:
    return status;
}

static ga_status draw_onward(ga__draw *d)
{
    return walk_on(d, onward, 0, true);
}
const struct ga__sampler ga__non_backtracking_walk_sampler = { draw_onward, false, false };

/* ---- circulated_walk ---- */

/* Of a pair (previous, current): the neighbours used in this round. One that was used is known by the round in which it
 * was: used[(pair, neighbour)]. An unused one is drawn by rejection, which costs d H(d) draws a round. */
typedef struct circle {
    int64_t round, used, degree;
} circle;

static ga_status circle_at(walk *w, int64_t *number)
{
    ga_status status = GA_OK;
    int64_t *known;
    GA_TRY(ga__table_at(&w->pairs, (uint64_t)w->previous << 32 | w->at, -1, &known));
    if (*known < 0 && w->circle_count == w->circle_room) {
        int64_t room = ga__max(64, 2 * w->circle_room);
        GA_TRY(ga__resize(w->d->context, w->circle_room, room, sizeof *w->circles, &w->circles));
        w->circle_room = room;
    }
    if (*known < 0) {
        *known = w->circle_count;
        circle *c = &w->circles[w->circle_count++];
        *c = (circle){ 1, 0, 0 };
        GA_TRY(ga__view_degree(&w->d->view, w->at, &c->degree));
    }
    *number = *known;
done:
    return status;
}

static ga_status in_turn(walk *w, uint32_t *to, move *how)
{
    ga_status status = GA_OK;
    int64_t number, *round;
    GA_TRY(circle_at(w, &number));
    circle *c = &w->circles[number];
    if (c->used == c->degree) {
        c->used = 0;
        c->round++;
    }
    do {
        GA_TRY(any_neighbour(w, to, how));
        if (*how == LOST) {
            goto done;
        }
        GA_TRY(ga__table_at(&w->used, (uint64_t)number << 32 | *to, 0, &round));
    } while (*round == c->round);
    *round = c->round;
    c->used++;
done:
    return status;
}

static ga_status draw_in_turn(ga__draw *d)
{
    return walk_on(d, in_turn, 0, true);
}
const struct ga__sampler ga__circulated_walk_sampler = { draw_in_turn, false, false };

/* ---- common_neighbour_walk ---- */

/* Elements of the shorter ascending list that are in the longer one. */
static int64_t common(const ga__list *a, const ga__list *b)
{
    const ga__list *few = a->count < b->count ? a : b, *many = few == a ? b : a;
    int64_t count = 0, at = 0;
    for (int64_t i = 0; i < few->count && at < many->count; i++) {
        at += ga__lower_bound(many->nodes + at, many->count - at, few->nodes[i]);
        count += at < many->count && many->nodes[at] == few->nodes[i];
    }
    return count;
}

static ga_status uncommon(walk *w, uint32_t *to, move *how)
{
    ga_status status = GA_OK;
    if (w->listed != w->at) {
        GA_TRY(ga__view_list(&w->d->view, w->at, &w->here));
        w->listed = w->at;
    }
    *how = w->here.count > 0 ? STEP : LOST;
    if (*how == STEP) {
        *to = w->here.nodes[ga__below(w->d, w->here.count)];
        GA_TRY(ga__view_list(&w->d->view, *to, &w->there));
        int64_t least = ga__min(w->here.count, w->there.count);
        double share = least > 0 ? (double)common(&w->here, &w->there) / (double)least : 0;
        *how = ga__chance(w->d, 1 - share) ? STEP : STAY;
    }
done:
    return status;
}

static ga_status draw_uncommon(ga__draw *d)
{
    return walk_on(d, uncommon, 0, true);
}
const struct ga__sampler ga__common_neighbour_walk_sampler = { draw_uncommon, false, false };
