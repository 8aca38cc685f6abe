/* gprgnn.c - generalised PageRank (Chien et al.): y = sum over t of gamma_t C^t x. */
#include "config.h"

#include "gnn/layer.h"
#include "lib/engine/view.h"

typedef struct state {
    ga__propagation p;
    int64_t k;
    DLTensor *gammas; /* owned by the run: f64 */
    const double *gamma;
    DLTensor *steps; /* (k n, F): C^t x, t < k, where the gradient of edge weights is wanted */
} state;

static ga_status read_gamma(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    const int64_t any = -1;
    ga__view view;
    GA_TRY(ga__fits(run, "gamma", 1, &any));
    GA_TRY(ga__view_of(run->context, "gamma", ga__tensor(run, "gamma"), true, &view));
    if (view.columns < 1) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "gamma: no entries, expected k + 1"));
    }
    s->k = view.columns - 1;
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLFloat, .bits = 64, .lanes = 1 }, s->k + 1,
                            &s->gammas));
    ga__view_load_f64(&view, 0, 0, 0, s->gammas->data);
    s->gamma = s->gammas->data;
done:
    return status;
}

static ga_status keep_steps(ga__layer_run *run, state *s)
{
    int64_t rows = 0;
    if (!ga__mul(s->k, run->nodes, &rows)) {
        return ga__fail(run->context, GA_OVERFLOW, "gprgnn: too many steps");
    }
    return ga__temp(run, rows, run->width, &s->steps);
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    int64_t shape[2];
    DLTensor *room[2] = { NULL, NULL };
    const DLTensor *h = run->x;
    GA_TRY(read_gamma(run, s));
    GA_TRY(ga__make_y(run, run->width));
    GA_TRY(ga__propagation_make(run, &s->p));
    GA_TRY(ga__temp(run, run->nodes, run->width, &room[0]));
    GA_TRY(ga__temp(run, run->nodes, run->width, &room[1]));
    GA_TRY(ga__grad(run, "edge_weight") ? keep_steps(run, s) : GA_OK);
    GA_TRY(ga__axpby(run->context, s->gamma[0], h, 0, run->y));
    for (int64_t t = 0; t < s->k; t++) {
        if (s->steps) {
            DLTensor place = ga__part_of_rows(s->steps, t * run->nodes, run->nodes, shape);
            GA_TRY(ga__axpby(run->context, 1, h, 0, &place));
        }
        GA_TRY(ga__propagate(run, &s->p, h, room[t % 2]));
        h = room[t % 2];
        GA_TRY(ga__axpby(run->context, s->gamma[t + 1], h, 1, run->y));
    }
done:
    return status;
}

/* c_0 = dy, c_(t+1) = C' c_t; dgamma_t = <c_t, x>; dx = sum gamma_t c_t. */
static ga_status input_gradients(ga__layer_run *run, const state *s)
{
    ga_status status = GA_OK;
    DLTensor *room[2] = { NULL, NULL }, *dgamma = ga__grad(run, "gamma"), *dx = run->grad_x;
    const DLTensor *c = run->grad_y;
    ga__view to = { 0 };
    if (!dgamma && !dx) {
        return GA_OK;
    }
    GA_TRY(ga__view_of(run->context, "grad_gamma", dgamma, true, &to));
    GA_TRY(ga__temp(run, run->nodes, run->width, &room[0]));
    GA_TRY(ga__temp(run, run->nodes, run->width, &room[1]));
    for (int64_t t = 0; t <= s->k; t++) {
        double sum = 0;
        if (t > 0) {
            GA_TRY(ga__propagate_backward(run, &s->p, c, room[t % 2], NULL, NULL));
            c = room[t % 2];
        }
        if (dgamma) {
            GA_TRY(ga__dot(run->context, c, run->x, &sum));
            ga__view_set(&to, 0, 0, 0, t, sum);
        }
        if (dx) {
            GA_TRY(ga__axpby(run->context, s->gamma[t], c, t == 0 ? 0 : 1, dx));
        }
    }
done:
    return status;
}

/* g_k = gamma_k dy, g_t = gamma_t dy + C' g_(t+1); dc_e sums <g_(t+1) at the target, (C^t x) at the source>. */
static ga_status weight_gradients(ga__layer_run *run, const state *s)
{
    ga_status status = GA_OK;
    int64_t shape[2], count = run->graph->edges.count;
    DLTensor *g = NULL, *next = NULL, *dc = NULL, *part = NULL;
    if (!s->steps) {
        return GA_OK;
    }
    GA_TRY(ga__temp(run, run->nodes, run->width, &g));
    GA_TRY(ga__temp(run, run->nodes, run->width, &next));
    GA_TRY(ga__temp_numbers(run, run->working, count, &dc));
    GA_TRY(ga__temp_numbers(run, run->working, count, &part));
    GA_TRY(ga__fill_zero(run->context, dc));
    GA_TRY(ga__axpby(run->context, s->gamma[s->k], run->grad_y, 0, g));
    for (int64_t t = s->k - 1; t >= 0; t--) {
        DLTensor h = ga__part_of_rows(s->steps, t * run->nodes, run->nodes, shape);
        GA_TRY(ga__propagate_backward(run, &s->p, g, next, &h, part));
        GA_TRY(ga__axpby(run->context, 1, part, 1, dc));
        GA_TRY(ga__axpby(run->context, 1, next, 0, g));
        GA_TRY(ga__axpby(run->context, s->gamma[t], run->grad_y, 1, g));
    }
    GA_TRY(ga__propagation_weights(run, &s->p, dc));
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = input_gradients(run, run->state);
    return status == GA_OK ? weight_gradients(run, run->state) : status;
}

static const ga_parameter parameters[] = { GA__SELF_LOOPS("add"), GA__DUPLICATES, { .name = NULL } };

static const ga_tensor_slot tensors[] = { { "gamma", "(k+1)", "weights of the powers 0 .. k", false, true },
                                          { "edge_weight", "(m)",
                                            "weights of the edges, instead of the graph's own", true, true },
                                          { .name = NULL } };

static const ga__layer_ops ops = { sizeof(state), true, false, forward, backward };

const ga_layer ga__layer_gprgnn = {
    .name = "gprgnn",
    .summary = "Learned polynomial of the normalised adjacency.",
    .source = "Chien et al., Adaptive Universal Generalized PageRank Graph Neural Network, arXiv 2006.07988",
    .plan = "k weighted sums over edges",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
