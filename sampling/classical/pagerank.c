/* pagerank.c - PageRank by power iteration, the same sums for any number of threads.
 *
 * x'(v) = follow * (sum of x(u) / d(u) over the links u -> v + lost * s(v)) + (1 - follow) * s(v), where s is the start
 * distribution, d(u) the number of links of u, and lost the mass of nodes without links.
 */
#include "config.h"

#include <math.h>

#include "lib/base/workers.h"
#include "sampling/classical/power.h"

enum { BLOCK = 4096 };

typedef struct iteration {
    ga_context *context;
    const ga__links *links;
    double follow, base;       /* base: what a node gets besides its links, times s */
    double *rank, *share;      /* x, and x / d */
    double *change, *dangling; /* of every block of nodes */
    int64_t blocks, next;
    int status;
} iteration;

static double start_of(const ga__links *links, int64_t v)
{
    return links->start ? links->start[v] : 1 / (double)links->nodes;
}

/* x / d of a block, and the mass of nodes without links. */
static void share_block(iteration *p, int64_t block)
{
    int64_t end = ga__min(p->links->nodes, (block + 1) * BLOCK);
    double lost = 0;
    for (int64_t v = block * BLOCK; v < end; v++) {
        uint32_t degree = p->links->degree[v];
        p->share[v] = degree ? p->rank[v] / (double)degree : 0;
        lost += degree ? 0 : p->rank[v];
    }
    p->dangling[block] = lost;
}

static void rank_block(iteration *p, int64_t block)
{
    const int64_t *offsets = p->links->offsets;
    const uint32_t *sources = p->links->sources;
    int64_t end = ga__min(p->links->nodes, (block + 1) * BLOCK);
    double change = 0;
    for (int64_t v = block * BLOCK; v < end; v++) {
        double sum = 0;
        for (int64_t e = offsets[v]; e < offsets[v + 1]; e++) {
            sum += p->share[sources[e]];
        }
        double rank = p->follow * sum + p->base * start_of(p->links, v);
        change += fabs(rank - p->rank[v]);
        p->rank[v] = rank;
    }
    p->change[block] = change;
}

static void share_worker(void *user, int worker)
{
    iteration *p = user;
    (void)worker;
    for (int64_t block; (block = ga__claim(&p->next)) < p->blocks && !ga__stopped(p->context, &p->status);) {
        share_block(p, block);
    }
}

static void rank_worker(void *user, int worker)
{
    iteration *p = user;
    (void)worker;
    for (int64_t block; (block = ga__claim(&p->next)) < p->blocks && !ga__stopped(p->context, &p->status);) {
        rank_block(p, block);
    }
}

static ga_status pass(iteration *p, ga__worker_fn body)
{
    p->next = 0;
    ga__workers(p->context, ga__threads_for(p->context, p->blocks), body, p);
    ga_status status = ga__noted_status(&p->status);
    return status == GA_OK ? ga__check(p->context) : status;
}

static double sum_of(const double *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum;
}

/* The change shrinks by `follow` every time until rounding is all that is left of it. */
static ga_status iterate(iteration *p, double tolerance)
{
    ga_status status = GA_OK;
    double change = 2, now = 1;
    for (int64_t v = 0; v < p->links->nodes; v++) {
        p->rank[v] = start_of(p->links, v);
    }
    while (now > tolerance && !(now >= change && now < 1e-6)) {
        change = now;
        GA_TRY(pass(p, share_worker));
        p->base = 1 - p->follow + p->follow * sum_of(p->dangling, p->blocks);
        GA_TRY(pass(p, rank_worker));
        now = sum_of(p->change, p->blocks);
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
    GA_TRY(GA_NEW(context, p.blocks, &p.change));
    GA_TRY(GA_NEW(context, p.blocks, &p.dangling));
    status = iterate(&p, tolerance);
done:
    ga_free(context, p.share);
    ga_free(context, p.change);
    ga_free(context, p.dangling);
    return status;
}
