/* sage.c - GraphSAGE (Hamilton et al.): v = x W_root + A W_neigh + b, A = mean, sum or maximum over neighbours;
 * normalise: y = v / |v|. */
#include "config.h"

#include <math.h>

#include "gnn/layer.h"

typedef struct state {
    ga_reduce reduce;
    bool project_first;
    const DLTensor *x; /* where aggregating comes first */
    DLTensor *aggregate, *argmax;
    DLTensor *v; /* before normalising; NULL without */
} state;

/* Rows no longer than this are 0 when normalised. */
static const double least_norm = 1e-12;

static double norm_of(const double *v, int64_t columns)
{
    double sum = 0;
    for (int64_t c = 0; c < columns; c++) {
        sum += v[c] * v[c];
    }
    return sqrt(sum);
}

static void normalise_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const int64_t *columns = user;
    double norm = norm_of(in[0], *columns);
    (void)row;
    (void)sums;
    for (int64_t c = 0; c < *columns; c++) {
        out[0][c] = norm <= least_norm ? 0 : in[0][c] / norm;
    }
}

/* dv = (dy - y <y, dy>) / |v| */
static void normalise_backward_row(const void *user, int64_t row, double *const *in, double *const *out,
                                   double *sums)
{
    const int64_t *columns = user;
    double norm = norm_of(in[1], *columns), dot = 0;
    (void)row;
    (void)sums;
    for (int64_t c = 0; c < *columns; c++) {
        dot += in[0][c] * in[1][c];
    }
    for (int64_t c = 0; c < *columns; c++) {
        out[0][c] = norm <= least_norm ? 0 : (in[0][c] - in[1][c] * dot / norm / norm) / norm;
    }
}

static ga_status check(ga__layer_run *run, state *s, int64_t *columns)
{
    ga_status status = GA_OK;
    static const ga_reduce reduce[] = { GA_MEAN, GA_SUM, GA_MAX };
    GA_TRY(ga__map_check(run, "weight_root", "bias", columns));
    const int64_t of_neigh[] = { run->width, *columns };
    GA_TRY(ga__fits(run, "weight_neigh", 2, of_neigh));
    s->reduce = reduce[ga__integer(run, "aggregator")];
    s->project_first = s->reduce != GA_MAX && (run->input->sparse || *columns < run->width);
done:
    return status;
}

/* A (x W): a mean or a sum of maps is the map of the mean or sum. */
static ga_status project_first(ga__layer_run *run, state *s, int64_t columns)
{
    ga_status status = GA_OK;
    DLTensor *z = NULL;
    GA_TRY(ga__temp(run, run->nodes, columns, &z));
    GA_TRY(ga__temp(run, run->nodes, columns, &s->aggregate));
    const ga__map maps[] = { { .weight = "weight_root", .bias = "bias", .z = run->y },
                             { .weight = "weight_neigh", .z = z } };
    GA_TRY(ga__map_input(run, maps, 2));
    GA_TRY(ga_spmm(run->context, &run->graph->edges, NULL, z, s->reduce, s->aggregate, NULL));
    status = ga__axpby(run->context, 1, s->aggregate, 1, run->y);
done:
    return status;
}

static ga_status aggregate_first(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    const DLTensor *b = ga__tensor(run, "bias");
    GA_TRY(ga__input_matrix(run, &s->x));
    GA_TRY(ga__temp(run, run->nodes, run->width, &s->aggregate));
    if (s->reduce == GA_MAX) {
        const DLDataType index = { .code = kDLInt, .bits = 64, .lanes = 1 };
        GA_TRY(ga__temp_of(run, index, run->nodes, run->width, &s->argmax));
    }
    GA_TRY(ga_spmm(run->context, &run->graph->edges, NULL, s->x, s->reduce, s->aggregate, s->argmax));
    GA_TRY(ga_gemm(run->context, false, false, 1, s->x, ga__tensor(run, "weight_root"), 0, run->y));
    GA_TRY(ga_gemm(run->context, false, false, 1, s->aggregate, ga__tensor(run, "weight_neigh"), 1, run->y));
    GA_TRY(b ? ga__add_row(run->context, b, run->y) : GA_OK);
done:
    return status;
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    int64_t columns = 0;
    GA_TRY(check(run, s, &columns));
    GA_TRY(ga__make_y(run, columns));
    GA_TRY(s->project_first ? project_first(run, s, columns) : aggregate_first(run, s));
    if (ga__integer(run, "normalise")) {
        GA_TRY(ga__temp(run, run->nodes, columns, &s->v));
        GA_TRY(ga__axpby(run->context, 1, run->y, 0, s->v));
        ga__row_work work = {
            .fn = normalise_row, .user = &columns, .in = { s->v }, .out = { run->y }, .rows = run->nodes
        };
        GA_TRY(ga__each_row(run->context, &work));
    }
done:
    return status;
}

static ga_status project_first_backward(ga__layer_run *run, const state *s, const DLTensor *dv)
{
    ga_status status = GA_OK;
    DLTensor *dz = NULL;
    GA_TRY(ga__temp(run, run->nodes, dv->shape[1], &dz));
    GA_TRY(ga_spmm_backward(run->context, &run->graph->edges, &run->graph->transposed, NULL, NULL, s->reduce,
                            NULL, dv, dz, NULL));
    const ga__map maps[] = { { .weight = "weight_root", .bias = "bias", .dz = dv },
                             { .weight = "weight_neigh", .dz = dz } };
    status = ga__map_input_backward(run, maps, 2);
done:
    return status;
}

static ga_status aggregate_first_backward(ga__layer_run *run, const state *s, const DLTensor *dv)
{
    ga_status status = GA_OK;
    DLTensor *dm = NULL, *dx = NULL;
    GA_TRY(ga__input_gradient_room(run, &dx));
    GA_TRY(dx ? ga__temp(run, run->nodes, run->width, &dm) : GA_OK);
    GA_TRY(ga__linear_backward(run, s->aggregate, dv, "weight_neigh", NULL, 0, dm));
    if (dx) {
        GA_TRY(ga_spmm_backward(run->context, &run->graph->edges, &run->graph->transposed, NULL, s->x,
                                s->reduce, s->argmax, dm, dx, NULL));
    }
    GA_TRY(ga__linear_backward(run, s->x, dv, "weight_root", "bias", 1, dx));
    GA_TRY(dx ? ga__input_gradient(run, dx) : GA_OK);
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    int64_t columns = run->y->shape[1];
    const DLTensor *dv = run->grad_y;
    DLTensor *made = NULL;
    if (s->v) {
        GA_TRY(ga__temp(run, run->nodes, columns, &made));
        ga__row_work work = { .fn = normalise_backward_row,
                              .user = &columns,
                              .in = { dv, s->v },
                              .out = { made },
                              .rows = run->nodes };
        GA_TRY(ga__each_row(run->context, &work));
        dv = made;
    }
    status = s->project_first ? project_first_backward(run, s, dv) : aggregate_first_backward(run, s, dv);
done:
    return status;
}

static const char *const aggregators[] = { "mean", "sum", "max", NULL };

static const ga_parameter parameters[] = { { .name = "aggregator",
                                             .type = GA_PARAMETER_WORD,
                                             .initial = "mean",
                                             .words = aggregators,
                                             GA__ANY,
                                             .help = "what becomes of the neighbours" },
                                           { .name = "normalise",
                                             .type = GA_PARAMETER_BOOL,
                                             .initial = "false",
                                             GA__ANY,
                                             .help = "rows of length 1" },
                                           GA__SELF_LOOPS("keep"),
                                           GA__DUPLICATES,
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = { { "weight_root", "(F, out)", "map of the node itself", false,
                                            true },
                                          { "weight_neigh", "(F, out)", "map of the aggregate", false, true },
                                          { "bias", "(out)", "added to every node", true, true },
                                          { .name = NULL } };

static const ga__layer_ops ops = { sizeof(state), false, true, forward, backward };

const ga_layer ga__layer_sage = {
    .name = "sage",
    .summary = "A map of the node plus a map of the mean, sum or maximum over its neighbours.",
    .source =
        "Hamilton, Ying & Leskovec, Inductive Representation Learning on Large Graphs, arXiv 1706.02216",
    .plan = "mean, sum or maximum over edges; two linear maps, before or after it",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
