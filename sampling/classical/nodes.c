/* nodes.c - node, degree, pagerank: nodes drawn by weights. */
#include "config.h"

#include "sampling/classical/draw.h"
#include "sampling/classical/power.h"

#define TOLERANCE 1e-10 /* of PageRank, in L1 */

static ga_status join_all(ga__draw *d, const int64_t *nodes, int64_t count)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < count; i++) {
        GA_TRY(ga__join(d, (uint32_t)nodes[i], NULL));
    }
done:
    return status;
}

/* n' uniform nodes. */
static ga_status draw_nodes(ga__draw *d)
{
    ga_status status = GA_OK;
    ga__set chosen = { .bits = NULL };
    int64_t *list = NULL;
    GA_TRY(ga__set_open(d->context, d->graph->nodes, d->wanted, &chosen));
    GA_TRY(ga__choose(d, d->graph->nodes, d->wanted, &chosen));
    GA_TRY(GA_NEW(d->context, chosen.count, &list));
    ga__set_list(&chosen, list);
    status = join_all(d, list, chosen.count);
done:
    ga__set_clear(d->context, &chosen);
    ga_free(d->context, list);
    return status;
}
const struct ga__sampler ga__node_sampler = { draw_nodes, false, false };

/* ---- by weight ---- */

typedef double (*weight_fn)(const void *user, int64_t v);

/* Those of positive weight by successive draws; when they run out, uniform ones of weight 0. */
static ga_status draw_weighted(ga__draw *d, weight_fn weight, const void *user)
{
    ga_status status = GA_OK;
    ga__keys keys = { .heap = NULL };
    for (int positive = 1; positive >= 0; positive--) {
        GA_TRY(ga__keys_open(d->context, d->wanted - d->count, &keys));
        for (int64_t v = 0; v < d->graph->nodes; v++) {
            double w = weight(user, v);
            GA_TRY(ga__tick(d));
            if ((w > 0) == positive) {
                ga__keys_offer(&keys, ga__key_of(d, v, positive ? w : 1), v);
            }
        }
        for (int64_t i = 0; i < keys.count; i++) {
            GA_TRY(ga__join(d, (uint32_t)keys.heap[i].item, NULL));
        }
        ga__keys_clear(d->context, &keys);
    }
done:
    ga__keys_clear(d->context, &keys);
    return status;
}

typedef enum side { TOTAL, IN, OUT } side;
typedef struct degrees {
    const ga_graph *graph;
    const uint32_t *in; /* NULL when they do not count */
    bool out;
} degrees;

static double degree_weight(const void *user, int64_t v)
{
    const degrees *w = user;
    return (double)((w->out ? ga__out_degree(w->graph, v) : 0) + (w->in ? w->in[v] : 0));
}

static ga_status draw_degrees(ga__draw *d)
{
    ga_status status = GA_OK;
    side wanted = (side)ga__integer(d, "side");
    uint32_t *in = NULL;
    if (wanted != OUT) {
        GA_TRY(GA_NEW(d->context, d->graph->nodes, &in));
        GA_TRY(ga_graph_degrees(d->context, d->graph, NULL, in));
    }
    degrees weights = { d->graph, in, wanted != IN };
    status = draw_weighted(d, degree_weight, &weights);
done:
    ga_free(d->context, in);
    return status;
}
const struct ga__sampler ga__degree_sampler = { draw_degrees, false, false };

static double rank_weight(const void *user, int64_t v)
{
    return ((const double *)user)[v];
}

static ga_status draw_ranks(ga__draw *d)
{
    ga_status status = GA_OK;
    double *rank = NULL;
    uint32_t *out = NULL;
    int64_t nodes = d->graph->nodes;
    GA_TRY(ga__view_open(d->context, d->graph, GA__IN, &d->view));
    GA_TRY(GA_NEW(d->context, nodes, &rank));
    GA_TRY(GA_NEW(d->context, nodes, &out));
    GA_TRY(ga_graph_degrees(d->context, d->graph, out, NULL));
    ga__links links = { nodes, d->view.transpose.in_offsets, d->view.transpose.in_sources, out, NULL };
    GA_TRY(ga__power(d->context, &links, ga__real(d, "alpha"), TOLERANCE, rank));
    status = draw_weighted(d, rank_weight, rank);
done:
    ga_free(d->context, rank);
    ga_free(d->context, out);
    return status;
}
const struct ga__sampler ga__pagerank_sampler = { draw_ranks, false, false };
