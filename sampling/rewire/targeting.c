/* targeting.c - proposals and bookkeeping of single swaps. */
#include "config.h"

#include <string.h>

#include "sampling/rewire/targeting.h"

enum { TICK = 1 << 10 };

/* Places of order in the order of in-class and node. */
static ga_status list_in_slots(ga__targeting *t)
{
    ga_status status = GA_OK;
    ga__rewiring *r = t->r;
    int64_t *next = NULL;
    GA_TRY(GA_NEW(r->context, ga__max(r->in.count, r->nodes), &next));
    memcpy(next, r->in.start, (size_t)r->in.count * sizeof *next);
    for (int64_t v = 0; v < r->nodes; v++) {
        t->in_first[v] = next[r->in.of_node[v]];
        next[r->in.of_node[v]] += t->in_degree[v];
    }
    memcpy(next, t->in_first, (size_t)r->nodes * sizeof *next);
    for (int64_t e = 0; e < r->edges; e++) {
        int64_t place = next[r->slot[e].target]++;
        r->order[place] = (uint32_t)e;
        r->place[e] = (uint32_t)place;
    }
done:
    ga_free(r->context, next);
    return status;
}

ga_status ga__targeting_create(ga__rewiring *r, uint64_t stage, ga__targeting *t)
{
    ga_status status = GA_OK;
    *t = (ga__targeting){ .r = r, .random = ga__random_at(r->seed, GA__RANDOM_TARGET, stage) };
    t->deadline = r->options->time_limit > 0 ? ga__now() + r->options->time_limit : 0;
    GA_TRY(GA_NEW(r->context, r->nodes, &t->out_first));
    GA_TRY(GA_NEW(r->context, r->nodes, &t->in_first));
    GA_TRY(GA_NEW_ZERO(r->context, r->nodes, &t->out_degree));
    GA_TRY(GA_NEW_ZERO(r->context, r->nodes, &t->in_degree));
    GA_TRY(ga__fill_set(r));
    for (int64_t e = r->edges - 1; e >= 0; e--) {
        t->out_first[r->slot[e].source] = e;
        t->out_degree[r->slot[e].source]++;
        t->in_degree[r->slot[e].target]++;
        t->reciprocal += ga__rewiring_has(r, r->slot[e].target, r->slot[e].source);
    }
    GA_TRY(list_in_slots(t));
done:
    return status;
}

void ga__targeting_destroy(ga__targeting *t)
{
    ga_free(t->r->context, t->out_first);
    ga_free(t->r->context, t->in_first);
    ga_free(t->r->context, t->out_degree);
    ga_free(t->r->context, t->in_degree);
}

ga_status ga__targeting_tick(ga__targeting *t, const char *stage, int64_t done, int64_t budget, bool *stop)
{
    *stop = false;
    if (done % TICK != 0) {
        return GA_OK;
    }
    *stop = t->deadline > 0 && ga__now() > t->deadline;
    ga__progress(t->r->context, stage, done, budget);
    return ga__check(t->r->context);
}

/* ---- an exchange ---- */

bool ga__exchange_legal(const ga__rewiring *r, ga__exchange x)
{
    ga__pair e = r->slot[x.e], f = r->slot[x.f];
    return e.source != f.source && e.target != f.target && e.source != f.target && f.source != e.target &&
           !ga__rewiring_has(r, e.source, f.target) && !ga__rewiring_has(r, f.source, e.target);
}

int64_t ga__exchange_reciprocal(const ga__rewiring *r, ga__exchange x)
{
    ga__pair e = r->slot[x.e], f = r->slot[x.f];
    return 2 * (ga__rewiring_has(r, f.target, e.source) + ga__rewiring_has(r, e.target, f.source) -
                ga__rewiring_has(r, e.target, e.source) - ga__rewiring_has(r, f.target, f.source));
}

void ga__exchange_slots(ga__rewiring *r, ga__exchange x)
{
    uint32_t target = r->slot[x.e].target, place = r->place[x.e];
    r->slot[x.e].target = r->slot[x.f].target;
    r->slot[x.f].target = target;
    r->place[x.e] = r->place[x.f];
    r->place[x.f] = place;
    r->order[r->place[x.e]] = x.e;
    r->order[r->place[x.f]] = x.f;
}

static void set_take(ga__rewiring *r, uint32_t source, uint32_t target, bool add)
{
    uint64_t key = ga__edge_key(source, target);
    if (add) {
        ga__edge_set_insert(&r->set, key);
    } else {
        ga__edge_set_remove(&r->set, key);
    }
}

void ga__exchange_set(ga__rewiring *r, ga__exchange x, bool back)
{
    ga__pair e = r->slot[x.e], f = r->slot[x.f];
    for (int adding = 0; adding < 2; adding++) {
        bool crossed = (adding == 1) != back;
        set_take(r, e.source, crossed ? f.target : e.target, adding == 1);
        set_take(r, f.source, crossed ? e.target : f.target, adding == 1);
    }
}

/* ---- proposals ---- */

ga__exchange ga__random_exchange(ga__targeting *t)
{
    ga__rewiring *r = t->r;
    uint32_t e = (uint32_t)ga__random_below(&t->random, (uint64_t)r->edges);
    bool by_target = (ga__random_next(&t->random) & 1) != 0;
    const ga__side *side = by_target ? &r->in : &r->out;
    uint32_t class = ga__slot_class(r, side, by_target, e);
    int64_t start = side->start[class], size = side->start[class + 1] - start;
    int64_t place = start + (int64_t)ga__random_below(&t->random, (uint64_t)size);
    return (ga__exchange){ e, by_target ? r->order[place] : (uint32_t)place };
}

enum { FIRST_TRIES = 200, SECOND_TRIES = 20 };

/* May the slots (u, x) and (s, v) be exchanged? */
static bool fits(const ga__rewiring *r, uint32_t e, uint32_t f, bool lonely)
{
    ga__pair out = r->slot[e], in = r->slot[f];
    return in.source != out.source && in.source != out.target && out.target != in.target &&
           !ga__rewiring_has(r, in.source, out.target) &&
           !(lonely && ga__rewiring_has(r, in.target, in.source));
}

static uint32_t cyclic(int64_t first, int64_t count, int64_t at)
{
    return (uint32_t)(first + at % count);
}

/* Slots (u, x) with x of v's in-class first, or (s, v) with s of u's out-class first; then any partner that fits. */
static bool search(ga__targeting *t, uint32_t u, uint32_t v, bool lonely, bool out_first, ga__exchange *x)
{
    ga__rewiring *r = t->r;
    int64_t outs = t->out_degree[u], ins = t->in_degree[v];
    int64_t o = (int64_t)ga__random_below(&t->random, (uint64_t)outs);
    int64_t i = (int64_t)ga__random_below(&t->random, (uint64_t)ins);
    int64_t first = ga__min(FIRST_TRIES, out_first ? outs : ins),
            second = ga__min(SECOND_TRIES, out_first ? ins : outs);
    for (int64_t p = 0; p < first; p++) {
        uint32_t e = cyclic(t->out_first[u], outs, o + p), f = r->order[cyclic(t->in_first[v], ins, i + p)];
        bool same = out_first ? r->in.of_node[r->slot[e].target] == r->in.of_node[v]
                              : r->out.of_node[r->slot[f].source] == r->out.of_node[u];
        if (!same || (lonely && out_first && ga__rewiring_has(r, r->slot[e].target, u))) {
            continue;
        }
        for (int64_t q = 0; q < second; q++) {
            if (out_first) {
                f = r->order[cyclic(t->in_first[v], ins, i + q)];
            } else {
                e = cyclic(t->out_first[u], outs, o + q);
            }
            bool taken = lonely && !out_first && ga__rewiring_has(r, r->slot[e].target, u);
            if (!taken && fits(r, e, f, lonely)) {
                *x = (ga__exchange){ e, f };
                return true;
            }
        }
    }
    return false;
}

bool ga__exchange_for(ga__targeting *t, uint32_t u, uint32_t v, bool lonely, ga__exchange *x)
{
    if (t->out_degree[u] == 0 || t->in_degree[v] == 0) {
        return false;
    }
    bool out_first = (ga__random_next(&t->random) & 1) != 0;
    return search(t, u, v, lonely, out_first, x) || search(t, u, v, lonely, !out_first, x);
}
