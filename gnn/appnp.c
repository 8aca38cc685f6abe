/* appnp.c - personalised PageRank propagation (Gasteiger et al.): h_(t+1) = (1 - alpha) C h_t + alpha h_0. */
#include "config.h"

#include "gnn/layer.h"

typedef struct state {
    ga__propagation p;
    DLTensor *steps; /* (k n, F): h_0 .. h_(k-1), where the gradient of edge weights is wanted */
} state;

static ga_status keep_steps(ga__layer_run *run, int64_t k, state *s)
{
    int64_t rows = 0;
    if (!ga__mul(k, run->nodes, &rows)) {
        return ga__fail(run->context, GA_OVERFLOW, "appnp: %lld steps of %lld nodes", (long long)k,
                        (long long)run->nodes);
    }
    return ga__temp(run, rows, run->width, &s->steps);
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    int64_t k = ga__integer(run, "k"), shape[2];
    double alpha = ga__real(run, "alpha");
    DLTensor *h = NULL;
    GA_TRY(ga__make_y(run, run->width));
    GA_TRY(ga__propagation_make(run, &s->p));
    GA_TRY(ga__temp(run, run->nodes, run->width, &h));
    GA_TRY(ga__axpby(run->context, 1, run->x, 0, run->y));
    if (ga__grad(run, "edge_weight")) {
        GA_TRY(keep_steps(run, k, s));
    }
    for (int64_t t = 0; t < k; t++) {
        GA_TRY(ga__axpby(run->context, 1, run->y, 0, h));
        if (s->steps) {
            DLTensor place = ga__part_of_rows(s->steps, t * run->nodes, run->nodes, shape);
            GA_TRY(ga__axpby(run->context, 1, h, 0, &place));
        }
        GA_TRY(ga__propagate(run, &s->p, h, run->y));
        GA_TRY(ga__axpby(run->context, alpha, run->x, 1 - alpha, run->y));
    }
done:
    return status;
}

/* g_t, the gradient of h_t: g_k = dy, g_t = (1 - alpha) C' g_(t+1); dx = sum over t > 0 of alpha g_t, and g_0. dc_e sums
 * (1 - alpha) <g_(t+1) at the target, h_t at the source>. */
static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    int64_t k = ga__integer(run, "k"), shape[2], count = run->graph.edges.count;
    double alpha = ga__real(run, "alpha");
    DLTensor *g = NULL, *next = NULL, *dx = NULL, *dc = NULL, *part = NULL, *out = ga__grad(run, "features");
    GA_TRY(ga__temp(run, run->nodes, run->width, &g));
    GA_TRY(ga__temp(run, run->nodes, run->width, &next));
    GA_TRY(ga__temp(run, run->nodes, run->width, &dx));
    GA_TRY(ga__fill_zero(run->context, dx));
    GA_TRY(ga__axpby(run->context, 1, run->grad_y, 0, g));
    if (s->steps) {
        GA_TRY(ga__temp_numbers(run, run->working, count, &dc));
        GA_TRY(ga__temp_numbers(run, run->working, count, &part));
        GA_TRY(ga__fill_zero(run->context, dc));
    }
    for (int64_t t = k - 1; t >= 0; t--) {
        DLTensor h, *from = NULL;
        if (s->steps) {
            h = ga__part_of_rows(s->steps, t * run->nodes, run->nodes, shape);
            from = &h;
        }
        GA_TRY(ga__axpby(run->context, alpha, g, 1, dx));
        GA_TRY(ga__propagate_backward(run, &s->p, g, next, from, part));
        GA_TRY(ga__axpby(run->context, 1 - alpha, next, 0, g));
        if (s->steps) {
            GA_TRY(ga__axpby(run->context, 1 - alpha, part, 1, dc));
        }
    }
    GA_TRY(ga__axpby(run->context, 1, g, 1, dx));
    if (out) {
        GA_TRY(ga__axpby(run->context, 1, dx, 0, out));
    }
    if (s->steps) {
        GA_TRY(ga__propagation_weights(run, &s->p, dc));
    }
done:
    return status;
}

static const ga_parameter parameters[] = {
    { .name = "k", .type = GA_PARAMETER_INT, .initial = "10", .range = ">= 0", GA__FROM(0), .help = "steps" },
    { .name = "alpha",
      .type = GA_PARAMETER_REAL,
      .initial = "0.1",
      .range = "0 to 1",
      GA__WITHIN(0, 1),
      .help = "teleport: share of the features in every step" },
    GA__SELF_LOOPS("add"),
    GA__DUPLICATES,
    { .name = NULL }
};

static const ga_tensor_slot tensors[] = {
    { "edge_weight", "(m)", "weights of the edges, instead of the graph's own", true, true }, { .name = NULL }
};

static const ga__layer_ops ops = { sizeof(state), true, forward, backward };

const ga_layer ga__layer_appnp = {
    .name = "appnp",
    .summary = "Personalised PageRank propagation, without weights of its own.",
    .source = "Gasteiger, Bojchevski & Guennemann, Predict then Propagate, arXiv 1810.05997",
    .plan = "k weighted sums over edges",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
