/* pagerank.c - PageRank by iteration, the same sums for any number of threads.
 *
 * x(v) = follow * (sum of x(u) / d(u) over the links u -> v + lost * s(v)) + (1 - follow) * s(v), where s is the start
 * distribution, d(u) the number of links of u, and lost the mass of nodes without links. As s takes all that is lost, x is
 * a multiple of the y with y(v) = follow * (sum of y(u) / d(u)) + s(v) (Langville and Meyer, Deeper inside PageRank, 2004,
 * section 5.2), whose iteration ends the sooner the more walks get lost.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/workers.h"
#include "sampling/classical/power.h"

enum { BLOCK = 1024, PHASES = 8 };

typedef struct iteration {
    ga_context *context;
    const ga__links *links;
    double follow;
    double *rank, *share, *next_share; /* y, and y / d before and after a step */
    double *each;                      /* 1 / d, or 0 */
    double *change, *mass;             /* of every block of nodes */
    int64_t blocks, first;             /* first: block of the phase */
} iteration;

static double start_of(const ga__links *links, int64_t v)
{
    return links->start ? links->start[v] : 1 / (double)links->nodes;
}

/* In four sums: one alone would wait for every addition. */
static double gather(const double *share, const uint32_t *sources, int64_t count)
{
    double sum[4] = { 0, 0, 0, 0 };
    int64_t e = 0;
    for (; e + 4 <= count; e += 4) {
        sum[0] += share[sources[e]];
        sum[1] += share[sources[e + 1]];
        sum[2] += share[sources[e + 2]];
        sum[3] += share[sources[e + 3]];
    }
    for (; e < count; e++) {
        sum[0] += share[sources[e]];
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void rank_block(void *user, int worker, int64_t from, int64_t to)
{
    const iteration *p = user;
    const int64_t *offsets = p->links->offsets;
    const uint32_t *sources = p->links->sources;
    double change = 0, mass = 0;
    (void)worker;
    from += p->first * BLOCK;
    to += p->first * BLOCK;
    for (int64_t v = from; v < to; v++) {
        double sum = gather(p->share, sources + offsets[v], offsets[v + 1] - offsets[v]);
        double rank = p->follow * sum + start_of(p->links, v);
        change += fabs(rank - p->rank[v]);
        mass += rank;
        p->rank[v] = rank;
        p->next_share[v] = rank * p->each[v];
    }
    p->change[from / BLOCK] = change;
    p->mass[from / BLOCK] = mass;
}

static double sum_of(const double *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum;
}

/* One step in phases: a phase sees what those before it came to, as in the method of Gauss and Seidel, which takes about
 * half as many steps as that of Jacobi; its own nodes see each other as they were. */
static ga_status step(iteration *p)
{
    ga_status status = GA_OK;
    int64_t each = (p->blocks + PHASES - 1) / PHASES;
    for (p->first = 0; p->first < p->blocks; p->first += each) {
        int64_t from = p->first * BLOCK, to = ga__min(p->links->nodes, from + each * BLOCK);
        GA_TRY(ga__pieces(p->context, to - from, BLOCK, rank_block, p));
        memcpy(p->share + from, p->next_share + from, (size_t)(to - from) * sizeof *p->share);
    }
    status = ga__check(p->context);
done:
    return status;
}

/* The change shrinks by `follow` at least every time until rounding is all that is left of it. */
static ga_status iterate(iteration *p, double tolerance)
{
    ga_status status = GA_OK;
    double change = 2, now = 1, mass = 1;
    int64_t nodes = p->links->nodes;
    for (int64_t v = 0; v < nodes; v++) {
        uint32_t degree = p->links->degree[v];
        p->each[v] = degree ? 1 / (double)degree : 0;
        p->rank[v] = start_of(p->links, v);
        p->share[v] = p->rank[v] * p->each[v];
    }
    while (now > tolerance && !(now >= change && now < 1e-6)) {
        change = now;
        GA_TRY(step(p));
        mass = sum_of(p->mass, p->blocks);
        now = sum_of(p->change, p->blocks) / mass;
    }
    for (int64_t v = 0; v < nodes; v++) {
        p->rank[v] /= mass;
    }
done:
    return status;
}

ga_status ga__power(ga_context *context, const ga__links *links, double follow, double tolerance,
                    double *rank)
{
    ga_status status = GA_OK;
    iteration p = { .context = context, .links = links, .follow = follow, .rank = rank };
    p.blocks = (links->nodes + BLOCK - 1) / BLOCK;
    GA_TRY(GA_NEW(context, links->nodes, &p.share));
    GA_TRY(GA_NEW(context, links->nodes, &p.next_share));
    GA_TRY(GA_NEW(context, links->nodes, &p.each));
    GA_TRY(GA_NEW(context, p.blocks, &p.change));
    GA_TRY(GA_NEW(context, p.blocks, &p.mass));
    status = iterate(&p, tolerance);
done:
    ga_free(context, p.share);
    ga_free(context, p.next_share);
    ga_free(context, p.each);
    ga_free(context, p.change);
    ga_free(context, p.mass);
    return status;
}
