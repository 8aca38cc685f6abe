/* cores.c - coreness: nodes are taken away in the order of what is left of their degree (Batagelj and Zaversnik, 2003).
 * The three kinds are independent, and each is the work of one thread. */
#include "config.h"

#include "lib/base/workers.h"
#include "sampling/statistics/study.h"

enum { ALL, IN, OUT, SIDES };

/* Nodes sorted by degree; a node moves to the front of its class and joins the one below when its degree falls. */
typedef struct peeling {
    int64_t nodes, most;
    int64_t *degree;        /* becomes the coreness; borrowed */
    int64_t *first;         /* owned: of each degree, its first place, as all below */
    uint32_t *node, *place; /* by place, by node */
} peeling;

typedef struct cores {
    ga__study *study;
    peeling side[SIDES];
    int status;
} cores;

static ga_status sort_nodes(ga_context *context, peeling *p)
{
    ga_status status = GA_OK;
    for (int64_t v = 0; v < p->nodes; v++) {
        p->most = ga__max(p->most, p->degree[v]);
    }
    GA_TRY(GA_NEW_ZERO(context, p->most + 2, &p->first));
    GA_TRY(GA_NEW(context, p->nodes, &p->node));
    GA_TRY(GA_NEW(context, p->nodes, &p->place));
    for (int64_t v = 0; v < p->nodes; v++) {
        p->first[p->degree[v] + 1]++;
    }
    for (int64_t d = 0; d <= p->most; d++) {
        p->first[d + 1] += p->first[d];
    }
    for (int64_t v = 0; v < p->nodes; v++) {
        int64_t at = p->first[p->degree[v]]++;
        p->node[at] = (uint32_t)v;
        p->place[v] = (uint32_t)at;
    }
    for (int64_t d = p->most + 1; d > 0; d--) {
        p->first[d] = p->first[d - 1];
    }
    p->first[0] = 0;
done:
    return status;
}

/* A node of degree above `degree` loses one. */
static inline void lower(peeling *p, uint32_t w, int64_t degree)
{
    if (p->degree[w] <= degree) {
        return;
    }
    int64_t front = p->first[p->degree[w]]++;
    uint32_t other = p->node[front], place = p->place[w];
    p->node[place] = other;
    p->place[other] = place;
    p->node[front] = w;
    p->place[w] = (uint32_t)front;
    p->degree[w]--;
}

static inline void lower_row(peeling *p, ga_csr rows, uint32_t v, int64_t degree)
{
    for (int64_t e = rows.offsets[v]; e < rows.offsets[v + 1]; e++) {
        lower(p, rows.targets[e], degree);
    }
}

/* Taking a node away lowers the in-degree of its targets and the out-degree of its sources. */
static void peel(cores *c, int side)
{
    enum { ASK = 1 << 16 };
    peeling *p = &c->side[side];
    for (int64_t i = 0; i < p->nodes; i++) {
        uint32_t v = p->node[i];
        if (i % ASK == 0 && ga__stopped(c->study->context, &c->status)) {
            return;
        }
        if (side != OUT) {
            lower_row(p, c->study->out, v, p->degree[v]);
        }
        if (side != IN) {
            lower_row(p, c->study->in, v, p->degree[v]);
        }
    }
}

static void peel_sides(void *user, int worker, int64_t from, int64_t to)
{
    (void)worker;
    for (int64_t side = from; side < to; side++) {
        peel(user, (int)side);
    }
}

static ga_status make_sides(cores *c)
{
    static const char *const arrays[SIDES] = { "coreness_all", "coreness_in", "coreness_out" };
    ga_status status = GA_OK;
    ga__study *study = c->study;
    for (int side = 0; side < SIDES; side++) {
        peeling *p = &c->side[side];
        p->nodes = study->nodes;
        GA_TRY(ga__study_integers(study, arrays[side], study->nodes, &p->degree));
        for (int64_t v = 0; v < study->nodes; v++) {
            p->degree[v] = (side == OUT ? 0 : (int64_t)study->in_degree[v]) +
                           (side == IN ? 0 : (int64_t)study->out_degree[v]);
        }
        GA_TRY(sort_nodes(study->context, p));
    }
done:
    return status;
}

ga_status ga__measure_kcore(ga__study *study)
{
    static const char *const names[SIDES] = { "kcore.all", "kcore.in", "kcore.out" };
    ga_status status = GA_OK;
    cores c = { .study = study };
    GA_TRY(ga__study_in(study));
    GA_TRY(ga__study_degrees(study));
    GA_TRY(make_sides(&c));
    GA_TRY(ga__pieces(study->context, SIDES, 1, peel_sides, &c));
    GA_TRY(ga__noted_status(&c.status));
    for (int side = 0; side < SIDES; side++) {
        int64_t most = 0;
        for (int64_t v = 0; v < study->nodes; v++) {
            most = ga__max(most, c.side[side].degree[v]);
        }
        GA_TRY(ga__study_integer(study, names[side], most));
    }
done:
    for (int side = 0; side < SIDES; side++) {
        ga_free(study->context, c.side[side].first);
        ga_free(study->context, c.side[side].node);
        ga_free(study->context, c.side[side].place);
    }
    return status;
}
