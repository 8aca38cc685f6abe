/* agnn.c - cosine attention (Thekumparampil et al.): scores beta <x_i / |x_i|, x_j / |x_j|>, softmax, y_i = sum of
 * a_e x_j. With q = beta u and k = u, u the rows of length 1, the gradient of beta is sum over i of <dq_i, u_i>. */
#include "config.h"

#include <math.h>

#include "gnn/layer.h"
#include "lib/engine/view.h"

typedef struct state {
    int64_t columns;
    double beta;
    DLTensor *u, *q, *lse;
    ga_edge_attention problem;
} state;

/* Rows no longer than this have direction 0. */
static const double least_norm = 1e-12;

static double norm_of(const double *x, int64_t columns)
{
    double sum = 0;
    for (int64_t c = 0; c < columns; c++) {
        sum += x[c] * x[c];
    }
    return sqrt(sum);
}

static void direct_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    double norm = norm_of(in[0], s->columns);
    (void)row;
    (void)sums;
    for (int64_t c = 0; c < s->columns; c++) {
        out[0][c] = norm <= least_norm ? 0 : in[0][c] / norm;
        out[1][c] = s->beta * out[0][c];
    }
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
    s->columns = columns;
    GA_TRY(ga__make_y(run, columns));
    GA_TRY(ga__temp(run, n, columns, &s->u));
    GA_TRY(ga__temp(run, n, columns, &s->q));
    GA_TRY(ga__temp(run, n, 1, &s->lse));
    ga__row_work work = { .fn = direct_row, .user = s, .in = { run->x }, .out = { s->u, s->q }, .rows = n };
    GA_TRY(ga__each_row(run->context, &work));
    s->problem = (ga_edge_attention){ .edges = &run->graph.edges,
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

/* in: x, u, dq, dk, dv; out: dx; sums: <dq, u>. du = beta dq + dk, dx = (du - u <u, du>) / |x| + dv. */
static void backward_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    double norm = norm_of(in[0], s->columns), along = 0;
    (void)row;
    for (int64_t c = 0; c < s->columns; c++) {
        sums[0] += in[2][c] * in[1][c];
        along += (s->beta * in[2][c] + in[3][c]) * in[1][c];
    }
    for (int64_t c = 0; c < s->columns; c++) {
        double du = s->beta * in[2][c] + in[3][c];
        out[0][c] = in[4][c] + (norm <= least_norm ? 0 : (du - in[1][c] * along) / norm);
    }
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    const int64_t n = run->nodes, columns = run->width;
    DLTensor *dq = NULL, *dk = NULL, *dv = NULL, *dx = ga__grad(run, "features"),
             *dbeta = ga__grad(run, "beta");
    double sum = 0;
    GA_TRY(ga__temp(run, n, columns, &dq));
    GA_TRY(ga__temp(run, n, columns, &dk));
    GA_TRY(ga__temp(run, n, columns, &dv));
    ga_edge_gradients g = { .grad_y = run->grad_y, .y = run->y, .lse = s->lse, .q = dq, .k = dk, .v = dv };
    GA_TRY(ga_edge_attention_backward(run->context, &s->problem, &run->graph.transposed, &g));
    ga__row_work work = { .fn = backward_row,
                          .user = s,
                          .in = { run->x, s->u, dq, dk, dv },
                          .out = { dx ? dx : dv },
                          .rows = n,
                          .sum_count = 1,
                          .sums = &sum };
    GA_TRY(ga__each_row(run->context, &work));
    status = dbeta ? ga__store(run->context, &sum, dbeta) : GA_OK;
done:
    return status;
}

static const ga_parameter parameters[] = { GA__SELF_LOOPS("add"), GA__DUPLICATES, { .name = NULL } };

static const ga_tensor_slot tensors[] = { { "beta", "(1)", "factor of the cosine", false, true },
                                          { .name = NULL } };

static const ga__layer_ops ops = { sizeof(state), false, forward, backward };

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
