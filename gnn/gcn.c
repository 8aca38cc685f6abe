/* gcn.c - graph convolution (Kipf & Welling): y = C x W + b. */
#include "config.h"

#include "gnn/layer.h"

typedef struct state {
    ga__propagation p;
    const DLTensor *x; /* where C comes first */
    DLTensor *inner;   /* what the outer of the two products works on: x W, or C x */
    bool project_first;
} state;

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    const DLTensor *b = ga__tensor(run, "bias");
    int64_t columns = 0;
    GA_TRY(ga__map_check(run, "weight", "bias", &columns));
    GA_TRY(ga__make_y(run, columns));
    GA_TRY(ga__propagation_make(run, &s->p));
    s->project_first = run->input->sparse || columns < run->width;
    GA_TRY(ga__temp(run, run->nodes, s->project_first ? columns : run->width, &s->inner));
    if (s->project_first) {
        const ga__map map = { .weight = "weight", .z = s->inner };
        GA_TRY(ga__map_input(run, &map, 1));
        GA_TRY(ga__propagate(run, &s->p, s->inner, run->y));
    } else {
        GA_TRY(ga__input_matrix(run, &s->x));
        GA_TRY(ga__propagate(run, &s->p, s->x, s->inner));
        GA_TRY(ga_gemm(run->context, false, false, 1, s->inner, ga__tensor(run, "weight"), 0, run->y));
    }
    if (b) {
        GA_TRY(ga__add_row(run->context, b, run->y));
    }
done:
    return status;
}

/* grad is the gradient of C (...), of = what C was applied to. */
static ga_status back_through_c(ga__layer_run *run, const state *s, const DLTensor *grad, const DLTensor *of,
                                DLTensor *to)
{
    ga_status status = GA_OK;
    DLTensor *g = NULL;
    bool weights = ga__grad(run, "edge_weight") != NULL;
    if (weights) {
        GA_TRY(ga__temp_numbers(run, run->working, run->graph->edges.count, &g));
    }
    GA_TRY(ga__propagate_backward(run, &s->p, grad, to, weights ? of : NULL, g));
    if (weights) {
        GA_TRY(ga__propagation_weights(run, &s->p, g));
    }
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    DLTensor *dx = NULL, *inner = NULL, *db = ga__grad(run, "bias");
    if (db) {
        GA_TRY(ga__sum_rows(run->context, 1, run->grad_y, db));
    }
    GA_TRY(ga__temp(run, run->nodes, s->inner->shape[1], &inner));
    if (s->project_first) {
        GA_TRY(back_through_c(run, s, run->grad_y, s->inner, inner));
        const ga__map map = { .weight = "weight", .dz = inner };
        GA_TRY(ga__map_input_backward(run, &map, 1));
    } else {
        GA_TRY(ga__input_gradient_room(run, &dx));
        GA_TRY(ga__linear_backward(run, s->inner, run->grad_y, "weight", NULL, 0, inner));
        GA_TRY(back_through_c(run, s, inner, s->x, dx));
        GA_TRY(dx ? ga__input_gradient(run, dx) : GA_OK);
    }
done:
    return status;
}

static const ga_parameter parameters[] = { GA__SELF_LOOPS("add"), GA__DUPLICATES, { .name = NULL } };

static const ga_tensor_slot tensors[] = { { "weight", "(F, out)", "linear map", false, true },
                                          { "bias", "(out)", "added to every node", true, true },
                                          { "edge_weight", "(m)",
                                            "weights of the edges, instead of the graph's own", true, true },
                                          { .name = NULL } };

static const ga__layer_ops ops = { sizeof(state), true, true, forward, backward };

const ga_layer ga__layer_gcn = {
    .name = "gcn",
    .summary = "Symmetrically normalised sum over neighbours.",
    .source =
        "Kipf & Welling, Semi-Supervised Classification with Graph Convolutional Networks, arXiv 1609.02907",
    .plan = "weighted sum over edges; the linear map before or after it, whichever is narrower",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
