/* agnn.c - cosine attention (Thekumparampil et al.): scores beta <x_i / |x_i|, x_j / |x_j|>, softmax, y_i = sum of
 * a_e x_j. With q = beta u and k = u, u the rows of length 1, the gradient of beta is sum over i of <dq_i, u_i>. */
#include "config.h"

#include <math.h>

#include "gnn/passes.h"
#include "lib/engine/view.h"

typedef struct state {
    double beta;
    DLTensor *u, *q, *lse;
    DLTensor *inverse; /* (n): 1 / |x_i|, 0 for rows that have no direction */
    ga_edge_attention problem;
} state;

/* Rows no longer than this have direction 0. */
static const double least_norm = 1e-12;

static void put(DLTensor *numbers, int64_t i, double value)
{
    if (numbers->dtype.bits == 64) {
        ((double *)numbers->data)[i] = value;
    } else {
        ((float *)numbers->data)[i] = (float)value;
    }
}

static double get(const DLTensor *numbers, int64_t i)
{
    return numbers->dtype.bits == 64 ? ((const double *)numbers->data)[i]
                                     : (double)((const float *)numbers->data)[i];
}

/* s->inverse, u and q. */
static ga_status direct(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    DLTensor *squares = NULL;
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLFloat, .bits = 64, .lanes = 1 }, run->nodes,
                            &squares));
    GA_TRY(ga__pass_dots(run->context, run->x, run->x, squares->data));
    for (int64_t i = 0; i < run->nodes; i++) {
        double norm = sqrt(((const double *)squares->data)[i]);
        put(s->inverse, i, norm <= least_norm ? 0 : 1 / norm);
    }
    GA_TRY(ga__pass_mix(run->context, s->inverse, run->x, NULL, NULL, false, s->u));
    status = ga__axpby(run->context, s->beta, s->u, 0, s->q);
done:
    return status;
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    const int64_t one = 1, n = run->nodes, columns = run->width;
    ga__view beta;
    GA_TRY(ga__fits(run, "beta", 1, &one));
    GA_TRY(ga__view_of(run->context, "beta", ga__tensor(run, "beta"), true, &beta));
    s->beta = ga__view_get(&beta, 0, 0, 0, 0);
    GA_TRY(ga__make_y(run, columns));
    GA_TRY(ga__temp(run, n, columns, &s->u));
    GA_TRY(ga__temp(run, n, columns, &s->q));
    GA_TRY(ga__temp(run, n, 1, &s->lse));
    GA_TRY(ga__temp_numbers(run, run->working, n, &s->inverse));
    GA_TRY(direct(run, s));
    s->problem = (ga_edge_attention){ .edges = &run->graph->edges,
                                      .heads = 1,
                                      .score = GA_EDGE_DOT,
                                      .scale = 1,
                                      .q = s->q,
                                      .k = s->u,
                                      .v = run->x,
                                      .normaliser = GA_NORMALISER_INIT };
    GA_TRY(ga__make_map(run, 1));
    status = ga_edge_attention_forward(run->context, &s->problem, run->y, s->lse, NULL, run->map);
done:
    return status;
}

/* du = beta dq + dk, dx = (du - u <u, du>) / |x| + dv. dk becomes du, dv becomes dx. */
static ga_status direct_backward(ga__layer_run *run, const state *s, const DLTensor *dq, DLTensor *dk,
                                 DLTensor *dv)
{
    ga_status status = GA_OK;
    DLTensor *along = NULL, *factor = NULL;
    GA_TRY(
        ga__temp_numbers(run, (DLDataType){ .code = kDLFloat, .bits = 64, .lanes = 1 }, run->nodes, &along));
    GA_TRY(ga__temp_numbers(run, run->working, run->nodes, &factor));
    GA_TRY(ga__axpby(run->context, s->beta, dq, 1, dk));
    GA_TRY(ga__pass_dots(run->context, dk, s->u, along->data));
    for (int64_t i = 0; i < run->nodes; i++) {
        put(factor, i, -((const double *)along->data)[i] * get(s->inverse, i));
    }
    status = ga__pass_mix(run->context, s->inverse, dk, factor, s->u, true, dv);
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    const int64_t n = run->nodes, columns = run->width;
    DLTensor *dq = NULL, *dk = NULL, *dv = run->grad_x, *dbeta = ga__grad(run, "beta");
    double sum = 0;
    GA_TRY(ga__temp(run, n, columns, &dq));
    GA_TRY(dv ? ga__temp(run, n, columns, &dk) : GA_OK);
    ga_edge_gradients g = { .grad_y = run->grad_y, .lse = s->lse, .q = dq, .k = dk, .v = dv };
    GA_TRY(ga_edge_attention_backward(run->context, &s->problem, &run->graph->transposed, &g));
    if (dbeta) {
        GA_TRY(ga__dot(run->context, dq, s->u, &sum));
        GA_TRY(ga__store(run->context, &sum, dbeta));
    }
    GA_TRY(dv ? direct_backward(run, s, dq, dk, dv) : GA_OK);
done:
    return status;
}

static const ga_parameter parameters[] = { GA__SELF_LOOPS("add"), GA__DUPLICATES, { .name = NULL } };

static const ga_tensor_slot tensors[] = { { "beta", "(1)", "factor of the cosine", false, true },
                                          { .name = NULL } };

static const ga__layer_ops ops = { sizeof(state), false, false, forward, backward };

const ga_layer ga__layer_agnn = {
    .name = "agnn",
    .summary = "Cosine attention over neighbours with one trained factor.",
    .source =
        "Thekumparampil et al., Attention-based Graph Neural Network for Semi-supervised Learning, arXiv 1803.03735",
    .plan = "message passing; cosine score; softmax",
    .outputs = "y, map",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
