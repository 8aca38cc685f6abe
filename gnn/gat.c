/* gat.c - graph attention (Velickovic et al.): z = x W, scores leaky(<z_j, att_src> + <z_i, att_dst> + ...), softmax
 * over the incoming edges, o_i = sum of a_e z_j. */
#include "config.h"

#include "gnn/passes.h"
#include "lib/engine/view.h"

typedef struct state {
    int64_t heads, width;
    bool concat, edge_terms;
    DLTensor *z, *l, *r, *o, *lse; /* z becomes its gradient; o is y where it can be */
    DLTensor *edge_map;            /* (Fe, heads): weight_edge times att_edge */
    DLTensor *edge_bias;           /* (count, heads) */
    ga_edge_attention problem;
} state;

static ga_status check(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    s->heads = ga__integer(run, "heads");
    s->concat = ga__integer(run, "concat");
    int64_t columns = ga__columns(ga__tensor(run, "weight"));
    const int64_t of_weight[] = { run->width, -1 };
    GA_TRY(ga__fits(run, "weight", 2, of_weight));
    if (columns % s->heads != 0) {
        GA_TRY(ga__part_refuse(&run->part, "heads", "a divisor of the %lld columns of weight",
                               (long long)columns));
    }
    s->width = columns / s->heads;
    const int64_t of_att[] = { s->heads, s->width };
    GA_TRY(ga__fits(run, "att_src", 2, of_att));
    GA_TRY(ga__fits(run, "att_dst", 2, of_att));
    GA_TRY(ga__fits(run, "att_edge", 2, of_att));
    GA_TRY(ga__fits(run, "score_bias", 1, &s->heads));
    GA_TRY(ga__check_edge_tensors(run, columns, "att_edge", &s->edge_terms));
done:
    return status;
}

static ga_status add_noise(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    int64_t weights = 0, values = run->nodes * s->heads * s->width; /* fits: z is there */
    if (!run->noise) {
        return GA_OK;
    }
    if (!ga__mul(run->graph->edges.count, s->heads, &weights)) {
        return ga__fail(run->context, GA_OVERFLOW, "gat: too many edges and heads");
    }
    GA_TRY(ga__noise_draw(run, GA__SITE_WEIGHTS, run->noise->weight_rate, weights, &s->problem.keep_weights));
    GA_TRY(ga__noise_draw(run, GA__SITE_VALUES, run->noise->value_rate, values, &s->problem.keep_values));
done:
    return status;
}

/* ---- features of edges: x_e M with M = weight_edge att_edge, by head ---- */

static ga_status make_edge_map(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    ga__view weight, att, map;
    GA_TRY(ga__view_of(run->context, "weight_edge", ga__tensor(run, "weight_edge"), true, &weight));
    GA_TRY(ga__view_of(run->context, "att_edge", ga__tensor(run, "att_edge"), true, &att));
    GA_TRY(ga__temp(run, weight.rows, s->heads, &s->edge_map));
    GA_TRY(ga__view_of(run->context, "map", s->edge_map, true, &map));
    for (int64_t f = 0; f < weight.rows; f++) {
        for (int64_t h = 0; h < s->heads; h++) {
            double sum = 0;
            for (int64_t c = 0; c < s->width; c++) {
                sum += ga__view_get(&weight, 0, 0, f, h * s->width + c) * ga__view_get(&att, 0, 0, h, c);
            }
            ga__view_set(&map, 0, 0, f, h, sum);
        }
    }
done:
    return status;
}

static ga_status add_edge_terms(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    DLTensor *lines = NULL;
    GA_TRY(make_edge_map(run, s));
    GA_TRY(ga__temp(run, run->graph->lines, s->heads, &lines));
    GA_TRY(ga_gemm(run->context, false, false, 1, ga__tensor(run, "edge_features"), s->edge_map, 0, lines));
    GA_TRY(ga__temp(run, run->graph->edges.count, s->heads, &s->edge_bias));
    GA_TRY(ga__lines_to_edges(run, lines, s->edge_bias));
    s->problem.edge_bias = s->edge_bias;
done:
    return status;
}

/* dM to the two matrices that M is made of. */
static ga_status edge_map_backward(ga__layer_run *run, const state *s, const DLTensor *grad_map)
{
    ga_status status = GA_OK;
    ga__view weight, att, map, dweight, datt;
    GA_TRY(ga__view_of(run->context, "weight_edge", ga__tensor(run, "weight_edge"), true, &weight));
    GA_TRY(ga__view_of(run->context, "att_edge", ga__tensor(run, "att_edge"), true, &att));
    GA_TRY(ga__view_of(run->context, "map", grad_map, true, &map));
    GA_TRY(ga__view_of(run->context, "weight_edge", ga__grad(run, "weight_edge"), true, &dweight));
    GA_TRY(ga__view_of(run->context, "att_edge", ga__grad(run, "att_edge"), true, &datt));
    for (int64_t h = 0; h < s->heads; h++) {
        for (int64_t c = 0; c < s->width; c++) {
            double sum = 0;
            for (int64_t f = 0; f < weight.rows; f++) {
                double d = ga__view_get(&map, 0, 0, f, h);
                sum += d * ga__view_get(&weight, 0, 0, f, h * s->width + c);
                if (dweight.data) {
                    ga__view_set(&dweight, 0, 0, f, h * s->width + c, d * ga__view_get(&att, 0, 0, h, c));
                }
            }
            if (datt.data) {
                ga__view_set(&datt, 0, 0, h, c, sum);
            }
        }
    }
done:
    return status;
}

static ga_status edge_terms_backward(ga__layer_run *run, const state *s, DLTensor *by_edge)
{
    ga_status status = GA_OK;
    const DLTensor *features = ga__tensor(run, "edge_features");
    DLTensor *lines = NULL, *grad_map = NULL, *dfeatures = ga__grad(run, "edge_features");
    GA_TRY(ga__temp(run, run->graph->lines, s->heads, &lines));
    GA_TRY(ga__temp(run, s->edge_map->shape[0], s->heads, &grad_map));
    GA_TRY(ga__edges_to_lines(run, by_edge, lines));
    GA_TRY(ga_gemm(run->context, true, false, 1, features, lines, 0, grad_map));
    GA_TRY(edge_map_backward(run, s, grad_map));
    if (dfeatures) {
        GA_TRY(ga_gemm(run->context, false, true, 1, lines, s->edge_map, 0, dfeatures));
    }
done:
    return status;
}

/* ---- forward and backward ---- */

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    const int64_t n = run->nodes;
    const DLTensor *src = ga__tensor(run, "att_src"), *dst = ga__tensor(run, "att_dst");
    GA_TRY(check(run, s));
    GA_TRY(ga__make_y(run, s->concat ? s->heads * s->width : s->width));
    GA_TRY(ga__temp(run, n, s->heads * s->width, &s->z));
    GA_TRY(ga__temp(run, n, s->heads, &s->l));
    GA_TRY(ga__temp(run, n, s->heads, &s->r));
    GA_TRY(ga__temp(run, n, s->heads, &s->lse));
    const ga__map map = { .weight = "weight", .z = s->z };
    GA_TRY(ga__map_input(run, &map, 1));
    GA_TRY(ga__pass_scores(run->context, s->z, src, dst, ga__tensor(run, "score_bias"), s->l, s->r));
    s->problem = (ga_edge_attention){ .edges = &run->graph->edges,
                                      .heads = s->heads,
                                      .score = GA_EDGE_ADDITIVE,
                                      .scale = 1,
                                      .slope = ga__real(run, "negative_slope"),
                                      .l = s->l,
                                      .r = s->r,
                                      .v = s->z,
                                      .att_source = src,
                                      .att_target = dst,
                                      .normaliser = GA_NORMALISER_INIT };
    GA_TRY(s->edge_terms ? add_edge_terms(run, s) : GA_OK);
    GA_TRY(add_noise(run, s));
    GA_TRY(ga__make_map(run, s->heads));
    GA_TRY(ga__heads_room(run, s->heads, s->concat, run->y, &s->o));
    GA_TRY(ga_edge_attention_forward(run->context, &s->problem, s->o, s->lse, NULL, run->map));
    status = ga__join_heads(run, s->o, s->heads, "bias", run->y);
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    const DLTensor *grad_o = NULL;
    DLTensor *dr = NULL, *by_edge = NULL, *dshift = ga__grad(run, "score_bias");
    GA_TRY(ga__split_heads(run, run->grad_y, s->heads, s->concat, "bias", &grad_o));
    GA_TRY(dshift ? ga__temp(run, run->nodes, s->heads, &dr) : GA_OK);
    GA_TRY(s->edge_terms ? ga__temp(run, run->graph->edges.count, s->heads, &by_edge) : GA_OK);
    ga_edge_gradients g = { .grad_y = grad_o,
                            .y = s->o == run->y ? NULL : s->o,
                            .lse = s->lse,
                            .v = s->z,
                            .r = dr,
                            .edge_bias = by_edge,
                            .att_source = ga__grad(run, "att_src"),
                            .att_target = ga__grad(run, "att_dst") };
    GA_TRY(ga_edge_attention_backward(run->context, &s->problem, &run->graph->transposed, &g));
    GA_TRY(dshift ? ga__sum_rows(run->context, 1, dr, dshift) : GA_OK);
    GA_TRY(s->edge_terms ? edge_terms_backward(run, s, by_edge) : GA_OK);
    const ga__map map = { .weight = "weight", .dz = s->z };
    status = ga__map_input_backward(run, &map, 1);
done:
    return status;
}

static const ga_parameter parameters[] = { GA__HEADS,          GA__CONCAT,
                                           GA__NEGATIVE_SLOPE, GA__SELF_LOOPS("add"),
                                           GA__DUPLICATES,     { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "weight", "(F, K)", "linear map, K = heads * out", false, true },
    { "att_src", "(heads, out)", "score of the source", false, true },
    { "att_dst", "(heads, out)", "score of the target", false, true },
    { "bias", "(K) or (out)", "added to every node", true, true },
    { "score_bias", "(heads)", "added to the scores", true, true },
    { "edge_features", "(m, Fe)", "features of the edges; with weight_edge and att_edge", true, true },
    { "weight_edge", "(Fe, K)", "their linear map", true, true },
    { "att_edge", "(heads, out)", "their score", true, true },
    { .name = NULL }
};

static const ga__layer_ops ops = { sizeof(state), false, true, forward, backward };

const ga_layer ga__layer_gat = {
    .name = "gat",
    .summary = "Additive attention over neighbours.",
    .source = "Velickovic et al., Graph Attention Networks, arXiv 1710.10903",
    .plan = "message passing; additive score with LeakyReLU; softmax; heads side by side or their mean, bias",
    .outputs = "y, map",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
