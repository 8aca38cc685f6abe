/* spikyball.c - layers of candidates drawn by weight.
 *
 * A candidate w is an unsampled neighbour of the last layer (coreball, firecoreball: of all members); its weight is the
 * sum over the links (u, w) of d(u)^a. */
#include "config.h"

#include <math.h>

#include "sampling/classical/draw.h"

typedef enum mode { EDGEBALL, HUBBALL, FIREBALL, COREBALL, FIRECOREBALL } mode;

static const double exponents[] = {
    [EDGEBALL] = 0, [HUBBALL] = 1, [FIREBALL] = -1, [COREBALL] = 0, [FIRECOREBALL] = -1
};

typedef struct candidate {
    uint32_t node;
    double weight;
} candidate;

typedef struct ball {
    ga__draw *d;
    mode mode;
    candidate *list; /* owned, in the order in which they were met; some may be sampled by now */
    int64_t count, room;
    ga__table places; /* of candidates in the list */
    ga__list near;
    int64_t seen;    /* the members from here on are the last layer, and are still to be looked at */
    ga__table layer; /* of members that were looked at: the number of theirs; only where links are kept */
    int64_t layers;
} ball;

static bool is_core(const ball *b)
{
    return b->mode == COREBALL || b->mode == FIRECOREBALL;
}

static ga_status weigh(ball *b, uint32_t w, double weight)
{
    ga_status status = GA_OK;
    int64_t *place;
    GA_TRY(ga__table_at(&b->places, w, b->count, &place));
    if (*place == b->count && b->count == b->room) {
        int64_t room = ga__max(256, 2 * b->room);
        GA_TRY(ga__resize(b->d->context, b->room, room, sizeof *b->list, &b->list));
        b->room = room;
    }
    if (*place == b->count) {
        b->list[b->count++] = (candidate){ w, 0 };
    }
    b->list[*place].weight += weight;
done:
    return status;
}

static ga_status weigh_neighbours(ball *b, uint32_t u)
{
    ga_status status = GA_OK;
    int64_t *layer;
    if (b->d->keeps_edges) {
        GA_TRY(ga__table_at(&b->layer, u, b->layers, &layer));
    }
    GA_TRY(ga__view_list(&b->d->view, u, &b->near));
    double weight = pow((double)b->near.count, exponents[b->mode]);
    for (int64_t i = 0; i < b->near.count; i++) {
        if (!ga__set_has(&b->d->inside, b->near.nodes[i])) {
            GA_TRY(weigh(b, b->near.nodes[i], weight));
        }
    }
done:
    return status;
}

/* The candidates of the next layer; those of members seen before count on in the core modes. */
static ga_status find_candidates(ball *b)
{
    ga_status status = GA_OK;
    int64_t left = 0;
    b->layers++;
    b->count = is_core(b) ? b->count : 0;
    ga__table_clear(&b->places);
    for (int64_t i = 0; i < b->count; i++) { /* sampled ones go */
        int64_t *place;
        if (!ga__set_has(&b->d->inside, b->list[i].node)) {
            b->list[left] = b->list[i];
            GA_TRY(ga__table_at(&b->places, b->list[left].node, left, &place));
            left++;
        }
    }
    b->count = left;
    for (; b->seen < b->d->count; b->seen++) {
        GA_TRY(ga__tick(b->d));
        GA_TRY(weigh_neighbours(b, b->d->members[b->seen]));
    }
done:
    return status;
}

/* The links that gave w its weight. */
static ga_status cross_all(ball *b, uint32_t w)
{
    ga_status status = GA_OK;
    ga__view *view = &b->d->view;
    ga__direction back = view->direction == GA__OUT ? GA__IN : view->direction == GA__IN ? GA__OUT : GA__BOTH;
    GA_TRY(ga__view_transpose(view));
    GA_TRY(ga__view_list_of(view, w, back, &b->near));
    for (int64_t i = 0; i < b->near.count; i++) {
        const int64_t *layer = ga__table_find(&b->layer, b->near.nodes[i]);
        if (layer && (is_core(b) || *layer == b->layers)) {
            GA_TRY(ga__cross(b->d, b->near.nodes[i], w));
        }
    }
done:
    return status;
}

/* ceil(probability * candidates) by successive draws; nothing when there are no candidates. */
static ga_status add_layer(ball *b)
{
    ga_status status = GA_OK;
    ga__draw *d = b->d;
    ga__keys keys = { .heap = NULL };
    double share = ceil(ga__real(d, "probability") * (double)b->count);
    int64_t wanted = ga__min((int64_t)share, d->wanted - d->count);
    GA_TRY(ga__keys_open(d->context, wanted, &keys));
    for (int64_t i = 0; i < b->count; i++) {
        double u = 1 - ga__random_unit(&d->random);
        GA_TRY(ga__tick(d));
        ga__keys_offer(&keys, -log(u) / b->list[i].weight, i);
    }
    for (int64_t i = 0; i < keys.count; i++) {
        uint32_t w = b->list[keys.heap[i].item].node;
        GA_TRY(ga__join(d, w, NULL));
        if (d->keeps_edges) {
            GA_TRY(cross_all(b, w));
        }
    }
done:
    ga__keys_clear(d->context, &keys);
    return status;
}

static ga_status draw_spikyball(ga__draw *d)
{
    ga_status status = GA_OK;
    ball b = { .d = d,
               .mode = (mode)ga__integer(d, "mode"),
               .places = { .context = d->context },
               .layer = { .context = d->context } };
    uint32_t v;
    GA_TRY(ga__look(d));
    GA_TRY(ga__seed_all(d));
    while (!ga__full(d)) {
        GA_TRY(find_candidates(&b));
        if (b.count == 0) {
            GA_TRY(ga__seed(d, &v));
        } else {
            GA_TRY(add_layer(&b));
        }
    }
done:
    ga_free(d->context, b.list);
    ga__table_clear(&b.places);
    ga__table_clear(&b.layer);
    ga__list_clear(d->context, &b.near);
    return status;
}
const struct ga__sampler ga__spikyball_sampler = { draw_spikyball, false, false };
