/* scan_ref.c - linear recurrences token by token in double precision: what everything else is compared
 * with. */
#include "config.h"

#include "lib/engine/scan_attention/backward_body.h"

static bool forward_space(const ga__scan_plan *plan, int64_t *bytes)
{
    return carve_tokens(plan, NULL, NULL, 0, 0, bytes);
}

static void store_query(const ga__scan_plan *p, token_space *s, int64_t b, int64_t h, int64_t row)
{
    double den = p->normalise ? s->num[p->e] : 1;
    bool dead = p->normalise && fabs(den) <= p->eps;
    for (int64_t x = 0; x < p->e; x++) {
        s->num[x] = dead ? 0 : s->num[x] / den;
    }
    ga__view_store_f64(&p->o, b, h, row, s->num);
}

static void read_queries(const ga__scan_plan *p, token_space *s, int64_t b, int64_t g, int64_t row,
                         bool bonus)
{
    for (int64_t r = 0; r < p->ratio && p->o.data && row >= 0 && row < p->queries; r++) {
        read_state(p, s, b, g * p->ratio + r, row, s->state, bonus);
        store_query(p, s, b, g * p->ratio + r, row);
    }
}

static void forward(const ga__scan_plan *p, int64_t item, void *memory, ga_context *context, int *shared)
{
    token_space s = { 0 };
    int64_t bytes, b = item / p->groups, g = item % p->groups, offset = ga__scan_offset(p);
    bool bonus = p->bonus.data != NULL;
    (void)carve_tokens(p, &s, memory, 0, 0, &bytes);
    if (bonus) {
        ga__view_load_f64(&p->bonus, 0, 0, g, s.bonus);
    }
    load_first(p, &s, b, g, &p->initial, s.state);
    for (int64_t row = 0; p->causal && row < p->queries && row + offset < 0; row++) {
        read_queries(p, &s, b, g, row, false);
    }
    for (int64_t t = 0; t < p->keys; t++) {
        if (t % 64 == 0 && ga__stopped(context, shared)) {
            return;
        }
        if (!load_token(p, &s, b, g, t)) {
            ga__note_status(shared, GA_INVALID);
            return;
        }
        if (bonus) {
            read_queries(p, &s, b, g, t - offset, true);
        }
        step(p, &s, b, g, t, s.state, s.state);
        if (p->causal && !bonus) {
            read_queries(p, &s, b, g, t - offset, false);
        }
    }
    for (int64_t row = 0; !p->causal && row < p->queries; row++) {
        read_queries(p, &s, b, g, row, false);
    }
    for (int64_t c = 0; p->state.data && c < p->d; c++) {
        ga__view_store_f64(&p->state, b, g, c, s.state + c * s.ep);
    }
}

const struct ga__scan_op ga__scan_reference = { forward_space, backward_space, forward, backward };
