/* clustering.c - swaps towards a transitivity of the undirected view, u ~ v if u -> v or v -> u.
 *
 * Simulated annealing on the distance to the goal; exchanges that change the number of reciprocal edges are not
 * made. To hit a number of triangles exactly is NP-hard in general: best effort within the budget.
 */
#include "config.h"

#include <math.h>

#include "sampling/rewire/targeting.h"

typedef struct clustering {
    ga__targeting t;
    int64_t *degree; /* undirected */
    int64_t triangles;
    double wedges;
} clustering;

static bool near(const ga__rewiring *r, uint32_t u, uint32_t v)
{
    return ga__rewiring_has(r, u, v) || ga__rewiring_has(r, v, u);
}

/* The i-th neighbour of a node: targets, then those sources that are no targets; itself for "none". */
static uint32_t neighbour(const clustering *c, uint32_t v, int64_t i)
{
    const ga__rewiring *r = c->t.r;
    if (i < c->t.out_degree[v]) {
        return r->slot[c->t.out_first[v] + i].target;
    }
    uint32_t source = r->slot[r->order[c->t.in_first[v] + i - c->t.out_degree[v]]].source;
    return ga__rewiring_has(r, v, source) ? v : source;
}

static int64_t listed(const clustering *c, uint32_t v)
{
    return c->t.out_degree[v] + c->t.in_degree[v];
}

/* ---- counting ---- */

/* Every undirected edge once, from the end with fewer neighbours: at most sqrt(2 m) a node. */
static bool points_up(const clustering *c, uint32_t u, uint32_t v)
{
    return c->degree[u] != c->degree[v] ? c->degree[u] < c->degree[v] : u < v;
}

static ga_status list_up(clustering *c, int64_t *first, uint32_t *up)
{
    ga_status status = GA_OK;
    int64_t count = 0;
    for (int64_t v = 0; v < c->t.r->nodes; v++) {
        first[v] = count;
        for (int64_t i = 0; i < listed(c, (uint32_t)v); i++) {
            uint32_t w = neighbour(c, (uint32_t)v, i);
            if (w != v && points_up(c, (uint32_t)v, w)) {
                up[count++] = w;
            }
        }
        if ((v & 0xfff) == 0) {
            GA_TRY(ga__check(c->t.r->context));
        }
    }
    first[c->t.r->nodes] = count;
done:
    return status;
}

static ga_status count_triangles(clustering *c)
{
    ga_status status = GA_OK;
    ga__rewiring *r = c->t.r;
    int64_t *first = NULL;
    uint32_t *up = NULL, *seen = NULL;
    GA_TRY(GA_NEW(r->context, r->nodes + 1, &first));
    GA_TRY(GA_NEW(r->context, r->edges, &up));
    GA_TRY(GA_NEW_ZERO(r->context, r->nodes, &seen));
    GA_TRY(list_up(c, first, up));
    for (int64_t v = 0; v < r->nodes; v++) {
        for (int64_t i = first[v]; i < first[v + 1]; i++) {
            seen[up[i]] = (uint32_t)v + 1;
        }
        for (int64_t i = first[v]; i < first[v + 1]; i++) {
            for (int64_t j = first[up[i]]; j < first[up[i] + 1]; j++) {
                c->triangles += seen[up[j]] == (uint32_t)v + 1;
            }
        }
        if ((v & 0xfff) == 0) {
            GA_TRY(ga__check(r->context));
        }
    }
done:
    ga_free(r->context, first);
    ga_free(r->context, up);
    ga_free(r->context, seen);
    return status;
}

static ga_status count_all(clustering *c)
{
    ga_status status = GA_OK;
    const ga__rewiring *r = c->t.r;
    GA_TRY(GA_NEW_ZERO(r->context, r->nodes, &c->degree));
    for (int64_t v = 0; v < r->nodes; v++) {
        for (int64_t i = 0; i < listed(c, (uint32_t)v); i++) {
            c->degree[v] += neighbour(c, (uint32_t)v, i) != v;
        }
        c->wedges += (double)c->degree[v] * (double)(c->degree[v] - 1) / 2;
    }
    status = count_triangles(c);
done:
    return status;
}

static double transitivity(const clustering *c)
{
    return c->wedges > 0 ? 3 * (double)c->triangles / c->wedges : 0;
}

/* ---- changing ---- */

/* Common neighbours by the set as it is. The lists are those before the exchange x; only its four nodes can have
 * lost or won each other since, and a node's new neighbour is the other one of u and v. */
static int64_t common(const clustering *c, uint32_t u, uint32_t v, ga__exchange x)
{
    const ga__rewiring *r = c->t.r;
    ga__pair e = r->slot[x.e], f = r->slot[x.f];
    int64_t count = 0;
    if (listed(c, u) > listed(c, v)) {
        uint32_t other = u;
        u = v;
        v = other;
    }
    for (int64_t i = 0; i < c->t.out_degree[u] + c->t.in_degree[u]; i++) {
        bool out = i < c->t.out_degree[u];
        int64_t in_place = c->t.in_first[u] + i - c->t.out_degree[u];
        uint32_t w = out ? r->slot[c->t.out_first[u] + i].target : r->slot[r->order[in_place]].source;
        bool touched = w == e.source || w == e.target || w == f.source || w == f.target;
        if (w == v || (touched && !(out ? ga__rewiring_has(r, u, w) : ga__rewiring_has(r, w, u)))) {
            continue;
        }
        if (near(r, w, v) && !(!out && ga__rewiring_has(r, u, w))) {
            count++;
        }
    }
    return count;
}

/* Adds or removes an edge in the set; the change of triangles and degrees if u ~ v comes or goes. */
static void step(clustering *c, ga__exchange x, uint32_t u, uint32_t v, bool add, int64_t *triangles)
{
    ga__rewiring *r = c->t.r;
    uint64_t key = ga__edge_key(u, v);
    int sign = add ? 1 : -1;
    if (add) {
        ga__edge_set_insert(&r->set, key);
    } else {
        ga__edge_set_remove(&r->set, key);
    }
    if (ga__rewiring_has(r, v, u)) {
        return;
    }
    if (triangles) {
        *triangles += sign * common(c, u, v, x);
    }
    c->wedges += add ? (double)(c->degree[u] + c->degree[v]) : -(double)(c->degree[u] + c->degree[v] - 2);
    c->degree[u] += sign;
    c->degree[v] += sign;
}

/* Wedges are whole numbers below 2^53, so there and back gives the same. triangles: NULL on the way back. */
static void exchange(clustering *c, ga__exchange x, bool back, int64_t *triangles)
{
    ga__pair e = c->t.r->slot[x.e], f = c->t.r->slot[x.f];
    for (int adding = 0; adding < 2; adding++) {
        bool crossed = (adding == 1) != back;
        step(c, x, e.source, crossed ? f.target : e.target, adding == 1, triangles);
        step(c, x, f.source, crossed ? e.target : f.target, adding == 1, triangles);
    }
}

/* When triangles are wanting, three times of four an exchange that closes a path u -> w -> v. */
static bool propose(clustering *c, double goal, ga__exchange *x)
{
    ga__targeting *t = &c->t;
    const ga__rewiring *r = t->r;
    if (transitivity(c) < goal && ga__random_below(&t->random, 4) != 0) {
        ga__pair edge = r->slot[ga__random_below(&t->random, (uint64_t)r->edges)];
        uint32_t w = edge.target;
        if (t->out_degree[w] == 0) {
            return false;
        }
        int64_t next = t->out_first[w] + (int64_t)ga__random_below(&t->random, (uint64_t)t->out_degree[w]);
        uint32_t v = r->slot[next].target;
        return v != edge.source && !near(r, edge.source, v) && ga__exchange_for(t, edge.source, v, false, x);
    }
    *x = ga__random_exchange(t);
    return true;
}

/* temperature in units of the goal's figure. */
static bool attempt(clustering *c, double goal, double temperature)
{
    ga__exchange x;
    if (!propose(c, goal, &x) || !ga__exchange_legal(c->t.r, x) || ga__exchange_reciprocal(c->t.r, x) != 0) {
        return false;
    }
    double before = fabs(transitivity(c) - goal), worse;
    int64_t triangles = 0;
    exchange(c, x, false, &triangles);
    c->triangles += triangles;
    worse = fabs(transitivity(c) - goal) - before;
    if (worse > 0 && !(temperature > 0 && ga__random_unit(&c->t.random) < exp(-worse / temperature))) {
        exchange(c, x, true, NULL);
        c->triangles -= triangles;
        return false;
    }
    ga__exchange_slots(c->t.r, x);
    return true;
}

ga_status ga__rewire_transitivity(ga__rewiring *r, int64_t budget)
{
    ga_status status = GA_OK;
    clustering c = { .degree = NULL };
    bool stop = false;
    GA_TRY(ga__targeting_create(r, 1, &c.t));
    GA_TRY(count_all(&c));
    r->report.transitivity_before = transitivity(&c);
    double triangle = c.wedges > 0 ? 3 / c.wedges : 0; /* what one of them counts */
    for (int64_t i = 0; r->edges > 1 && i < budget; i++) {
        GA_TRY(ga__targeting_tick(&c.t, "transitivity", i, budget, &stop));
        if (stop) {
            break;
        }
        double cooling = 1 - (double)i / (double)budget;
        r->report.attempts++;
        r->report.accepted += attempt(&c, r->options->target_transitivity, 2 * triangle * cooling);
    }
    r->report.transitivity = transitivity(&c);
done:
    ga_free(r->context, c.degree);
    ga__targeting_destroy(&c.t);
    return status;
}
