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
#include "sampling/classical/anderson.h"
#include "sampling/classical/feedback.h"
#include "sampling/classical/power.h"

enum { BLOCK = 1024, PHASES = 8, MIX_EVERY = 6 };

/* The iteration works on the shares z = y / d, all that a step needs of the one before. */
typedef struct iteration {
    ga_context *context;
    const ga__links *links;
    double follow;
    ga__feedback rows;
    double *share, *before; /* of the rows, now and before the last step */
    double *next;           /* of a phase */
    double *all;            /* shares of all nodes */
    double *rank;           /* y */
    double *sums, *masses;  /* of every block */
    int64_t first;          /* block of the phase */
} iteration;

/* In four sums: one alone would wait for every addition. */
static inline double gather(const double *share, const uint32_t *sources, int64_t count)
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

static void share_block(void *user, int worker, int64_t from, int64_t to)
{
    const iteration *p = user;
    const ga__feedback rows = p->rows;
    const double *share = p->share;
    double *next = p->next;
    (void)worker;
    from += p->first * BLOCK;
    to += p->first * BLOCK;
    for (int64_t i = from; i < to; i++) {
        int64_t at = rows.offsets[i];
        next[i] = rows.scale[i] * gather(share, rows.sources + at, rows.offsets[i + 1] - at) + rows.fixed[i];
    }
}

/* One step in phases: a phase sees what those before it came to, as in the method of Gauss and Seidel, which takes about
 * half as many steps as that of Jacobi; its own rows see each other as they were. */
static ga_status step(iteration *p)
{
    ga_status status = GA_OK;
    int64_t blocks = (p->rows.rows + BLOCK - 1) / BLOCK, each = (blocks + PHASES - 1) / PHASES;
    for (p->first = 0; p->first < blocks; p->first += each) {
        int64_t from = p->first * BLOCK, to = ga__min(p->rows.rows, from + each * BLOCK);
        GA_TRY(ga__pieces(p->context, to - from, BLOCK, share_block, p));
        memcpy(p->share + from, p->next + from, (size_t)(to - from) * sizeof *p->share);
    }
    status = ga__check(p->context);
done:
    return status;
}

/* ---- until it ends ---- */

static void start_block(void *user, int worker, int64_t from, int64_t to)
{
    const iteration *p = user;
    (void)worker;
    for (int64_t i = from; i < to; i++) {
        uint32_t v = p->rows.node[i];
        p->share[i] = ga__start_of(p->links, v) / p->links->degree[v];
    }
}

static void change_block(void *user, int worker, int64_t from, int64_t to)
{
    const iteration *p = user;
    double change = 0, mass = 0;
    (void)worker;
    for (int64_t i = from; i < to; i++) {
        double degree = p->links->degree[p->rows.node[i]];
        change += fabs(p->share[i] - p->before[i]) * degree;
        mass += p->share[i] * degree;
    }
    p->sums[from / BLOCK] = change;
    p->masses[from / BLOCK] = mass;
}

static double sum_of(const double *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < (count + BLOCK - 1) / BLOCK; i++) {
        sum += values[i];
    }
    return sum;
}

/* Until a step changes no more than tolerance, or rounding is all that it changes: steps alone, each of which shrinks the
 * change by `follow` at least, made it no less for PATIENCE rounds. Points are mixed, and changes summed, after some of the
 * steps only: that costs more than a step. */
static ga_status iterate(iteration *p, ga__anderson *anderson, double tolerance)
{
    enum { PATIENCE = 3 };
    ga_status status = GA_OK;
    int64_t rows = p->rows.rows;
    double least = INFINITY;
    bool mixing = true;
    GA_TRY(ga__pieces(p->context, rows, BLOCK, start_block, p));
    for (int idle = 0; idle < PATIENCE;) {
        for (int i = 1; i < MIX_EVERY; i++) {
            GA_TRY(step(p));
        }
        memcpy(p->before, p->share, (size_t)rows * sizeof *p->share);
        GA_TRY(step(p));
        GA_TRY(ga__pieces(p->context, rows, BLOCK, change_block, p));
        double change = sum_of(p->sums, rows) / sum_of(p->masses, rows);
        if (!(change > tolerance)) { /* also without rows */
            break;
        }
        idle = change < least ? 0 : idle + 1;
        least = fmin(change, least);
        if (idle == PATIENCE && mixing) {
            mixing = false;
            idle = 0;
        }
        if (mixing) {
            GA_TRY(ga__anderson_next(anderson, p->before, p->share));
            double *point = p->before;
            p->before = p->share;
            p->share = point;
        }
    }
done:
    return status;
}

/* ---- ranks of all nodes ---- */

/* Those without links into them have their start alone, those without links out of them pass nothing on. */
static void outside_block(void *user, int worker, int64_t from, int64_t to)
{
    const iteration *p = user;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        uint32_t degree = p->links->degree[v];
        p->all[v] = degree ? ga__start_of(p->links, v) / degree : 0;
    }
}

static void inside_block(void *user, int worker, int64_t from, int64_t to)
{
    const iteration *p = user;
    (void)worker;
    for (int64_t i = from; i < to; i++) {
        p->all[p->rows.node[i]] = p->share[i];
    }
}

static void rank_block(void *user, int worker, int64_t from, int64_t to)
{
    const iteration *p = user;
    const ga__links *links = p->links;
    double sum = 0;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        int64_t at = links->offsets[v];
        double in = gather(p->all, links->sources + at, links->offsets[v + 1] - at);
        p->rank[v] = p->follow * in + ga__start_of(links, v);
        sum += p->rank[v];
    }
    p->sums[from / BLOCK] = sum;
}

static ga_status rank_all(iteration *p)
{
    ga_status status = GA_OK;
    int64_t nodes = p->links->nodes;
    GA_TRY(ga__pieces(p->context, nodes, BLOCK, outside_block, p));
    GA_TRY(ga__pieces(p->context, p->rows.rows, BLOCK, inside_block, p));
    GA_TRY(ga__pieces(p->context, nodes, BLOCK, rank_block, p));
    double mass = sum_of(p->sums, nodes);
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
    ga__anderson anderson = { .context = context };
    GA_TRY(ga__feedback_find(context, links, follow, &p.rows));
    GA_TRY(ga__anderson_open(context, p.rows.rows, &anderson));
    GA_TRY(GA_NEW(context, p.rows.rows, &p.share));
    GA_TRY(GA_NEW(context, p.rows.rows, &p.before));
    GA_TRY(GA_NEW(context, p.rows.rows, &p.next));
    GA_TRY(GA_NEW(context, links->nodes, &p.all));
    GA_TRY(GA_NEW(context, (links->nodes + BLOCK - 1) / BLOCK, &p.sums));
    GA_TRY(GA_NEW(context, (links->nodes + BLOCK - 1) / BLOCK, &p.masses));
    GA_TRY(iterate(&p, &anderson, tolerance));
    status = rank_all(&p);
done:
    ga__feedback_free(context, &p.rows);
    ga__anderson_close(&anderson);
    ga_free(context, p.share);
    ga_free(context, p.before);
    ga_free(context, p.next);
    ga_free(context, p.all);
    ga_free(context, p.sums);
    ga_free(context, p.masses);
    return status;
}
