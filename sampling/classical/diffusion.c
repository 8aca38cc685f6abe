/* diffusion.c - diffusion, diffusion_tree: a uniform member brings a uniform neighbour in. */
#include "config.h"

#include "sampling/classical/draw.h"

enum { LOOK_AFTER = 64 };

static ga_status has_unsampled(ga__draw *d, uint32_t v, ga__list *list, bool *has)
{
    ga_status status = ga__view_list(&d->view, v, list);
    *has = false;
    for (int64_t i = 0; status == GA_OK && i < list->count && !*has; i++) {
        *has = !ga__set_has(&d->inside, list->nodes[i]);
    }
    return status;
}

/* Members before *closed have no unsampled neighbour, and never will again. *stuck: none has. */
static ga_status look(ga__draw *d, int64_t *closed, ga__list *list, bool *stuck)
{
    ga_status status = GA_OK;
    bool open = false;
    while (*closed < d->count && !open) {
        GA_TRY(ga__tick(d));
        GA_TRY(has_unsampled(d, d->members[*closed], list, &open));
        *closed += !open;
    }
    *stuck = !open;
done:
    return status;
}

static ga_status spread(ga__draw *d, bool *fresh)
{
    ga_status status = GA_OK;
    uint32_t from = d->members[ga__below(d, d->count)], to;
    bool found;
    *fresh = false;
    GA_TRY(ga__view_draw(&d->view, &d->random, from, &to, &found));
    if (found) {
        GA_TRY(ga__join(d, to, fresh));
    }
    if (*fresh) {
        GA_TRY(ga__cross(d, from, to));
    }
done:
    return status;
}

static ga_status draw_diffusion(ga__draw *d)
{
    ga_status status = GA_OK;
    ga__patience patience = { 0 };
    ga__list list = { .nodes = NULL };
    int64_t closed = 0;
    uint32_t v;
    GA_TRY(ga__look(d));
    GA_TRY(ga__seed_all(d));
    while (!ga__full(d)) {
        bool fresh, stuck = false;
        GA_TRY(ga__tick(d));
        GA_TRY(spread(d, &fresh));
        patience.idle = fresh ? 0 : patience.idle;
        if (!fresh) {
            GA_TRY(ga__in_vain(d, &patience, GA__GOAL_NODE, NULL, 0, &stuck));
        }
        if (!fresh && !stuck && patience.idle % LOOK_AFTER == 0) {
            GA_TRY(look(d, &closed, &list, &stuck));
        }
        if (stuck) {
            GA_TRY(ga__seed(d, &v));
            patience.idle = 0;
        }
    }
done:
    ga__list_clear(d->context, &list);
    return status;
}
const struct ga__sampler ga__diffusion_sampler = { draw_diffusion, false, false };
