/* sift.c - the minimum-cost flow of a problem with good prices, over few of its arcs.
 *
 * Most cells are far from worth anything at the prices that are near the best ones. They are left out, the rest
 * is solved, and those which the prices of that solution show to be worth something after all join in the next
 * round. When there are none the flow is optimal for all cells.
 */
#include "config.h"

#include "sampling/flow/simplex.h"
#include "sampling/rescale/objective.h"

/* What a cell may be short of being worth its place, in rewards. ROUNDS: then all cells come in. */
#define SHORT 0.125
enum { ROUNDS = 8 };

typedef struct sieve {
    ga__problem *p;
    int32_t nodes;
    bool *in;
    int64_t arcs, segments; /* that are in */
    int64_t *arc;           /* their numbers */
    int32_t *tail, *head;
    int64_t *first, *width, *slope, *flow;
} sieve;

static void clear(ga_context *context, sieve *v)
{
    ga_free(context, v->arc);
    ga_free(context, v->tail);
    ga_free(context, v->head);
    ga_free(context, v->first);
    ga_free(context, v->width);
    ga_free(context, v->slope);
    ga_free(context, v->flow);
    v->arc = v->first = v->width = v->slope = v->flow = NULL;
    v->tail = v->head = NULL;
}

/* Takes in what has flow, and what costs less than `most`; the number of arcs that are new. */
static int64_t take_in(sieve *v, int64_t most)
{
    const ga__problem *p = v->p;
    int64_t taken = 0;
    for (int64_t a = 0; a < p->arcs; a++) {
        int64_t s = p->first[a];
        if (!v->in[a] && (p->flow[a] > 0 || (s < p->first[a + 1] && p->slope[s] < most))) {
            v->in[a] = true;
            v->arcs++;
            v->segments += p->first[a + 1] - s;
            taken++;
        }
    }
    return taken;
}

static ga_status list(ga_context *context, sieve *v)
{
    ga_status status = GA_OK;
    const ga__problem *p = v->p;
    int64_t arcs = 0, segments = 0;
    GA_TRY(GA_NEW(context, v->arcs, &v->arc));
    GA_TRY(GA_NEW(context, v->arcs, &v->tail));
    GA_TRY(GA_NEW(context, v->arcs, &v->head));
    GA_TRY(GA_NEW(context, v->arcs, &v->flow));
    GA_TRY(GA_NEW(context, v->arcs + 1, &v->first));
    GA_TRY(GA_NEW(context, v->segments, &v->width));
    GA_TRY(GA_NEW(context, v->segments, &v->slope));
    v->first[0] = 0;
    for (int64_t a = 0; a < p->arcs; a++) {
        if (!v->in[a]) {
            continue;
        }
        v->arc[arcs] = a;
        v->tail[arcs] = p->tail[a];
        v->head[arcs] = p->head[a];
        v->flow[arcs] = p->flow[a];
        for (int64_t s = p->first[a]; s < p->first[a + 1]; s++) {
            v->width[segments] = p->width[s];
            v->slope[segments++] = p->slope[s];
        }
        v->first[++arcs] = segments;
    }
done:
    return status;
}

/* The potentials go into all slopes: what is optimal so far is so at potentials 0 then, where the next round
 * starts. */
static void shift(sieve *v, const int64_t *potential)
{
    ga__problem *p = v->p;
    for (int64_t a = 0; a < p->arcs; a++) {
        int64_t by = potential[p->tail[a]] - potential[p->head[a]];
        for (int64_t s = p->first[a]; s < p->first[a + 1]; s++) {
            p->slope[s] += by;
        }
    }
}

static ga_status solve(ga_context *context, sieve *v, double deadline, ga__flow_report *report)
{
    ga_status status = GA_OK;
    ga__network network = { v->nodes, v->arcs, v->tail, v->head };
    ga__costs costs = { v->first, v->width, v->slope };
    ga__simplex simplex = { .context = context, .network = &network, .costs = &costs, .near = true };
    GA_TRY(ga__simplex_start(&simplex, v->flow));
    GA_TRY(ga__simplex_solve(&simplex, deadline, &report->stopped));
    ga__simplex_flow(&simplex, v->flow);
    for (int64_t i = 0; i < v->arcs; i++) {
        v->p->flow[v->arc[i]] = v->flow[i];
    }
    shift(v, simplex.potential);
    report->pivots += simplex.pivots;
done:
    ga__simplex_free(&simplex);
    return status;
}

ga_status ga__solve_sifted(ga_context *context, ga__problem *problem, double deadline,
                           ga__flow_report *report)
{
    ga_status status = GA_OK;
    sieve v = { .p = problem, .nodes = (int32_t)(problem->stage->out.count + problem->stage->in.count + 1) };
    *report = (ga__flow_report){ 0 };
    GA_TRY(GA_NEW_ZERO(context, problem->arcs, &v.in));
    take_in(&v, (int64_t)(SHORT * problem->scale));
    for (int round = 1;; round++) {
        GA_TRY(list(context, &v));
        GA_TRY(solve(context, &v, deadline, report));
        clear(context, &v);
        if (report->stopped || take_in(&v, round < ROUNDS ? 0 : INT64_MAX) == 0) {
            break;
        }
    }
done:
    clear(context, &v);
    ga_free(context, v.in);
    return status;
}
