/* gatv2.c - dynamic graph attention (Brody et al.): scores <att, leaky(z_j + z'_i + e)>, z from weight_src, z' from
 * weight_dst or shared, softmax over the incoming edges, o_i = sum of a_e z_j. */
#include "config.h"

#include "gnn/layer.h"

typedef struct state {
    int64_t heads, width;
    bool concat, edge_terms, shared;
    DLTensor *source, *target, *o, *lse; /* shared: source and target are one */
    ga__carried carried;
    ga_edge_attention problem;
} state;

static ga_status check(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    s->heads = ga__integer(run, "heads");
    s->concat = ga__integer(run, "concat");
    s->shared = !ga__tensor(run, "weight_dst");
    int64_t columns = ga__columns(ga__tensor(run, "weight_src"));
    const int64_t of_dst[] = { run->width, columns };
    if (columns % s->heads != 0) {
        GA_TRY(ga__part_refuse(&run->part, "heads", "a divisor of the %lld columns of weight_src",
                               (long long)columns));
    }
    if (s->shared && ga__tensor(run, "bias_dst")) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "gatv2: bias_dst needs weight_dst"));
    }
    s->width = columns / s->heads;
    const int64_t of_att[] = { s->heads, s->width };
    GA_TRY(ga__fits(run, "weight_dst", 2, of_dst));
    GA_TRY(ga__fits(run, "att", 2, of_att));
    GA_TRY(ga__check_edge_tensors(run, columns, NULL, &s->edge_terms));
done:
    return status;
}

static ga_status make_maps(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    const int64_t columns = s->heads * s->width;
    GA_TRY(ga__temp(run, run->nodes, columns, &s->source));
    s->target = s->source;
    GA_TRY(s->shared ? GA_OK : ga__temp(run, run->nodes, columns, &s->target));
    const ga__map maps[] = { { .weight = "weight_src", .bias = "bias_src", .z = s->source },
                             { .weight = "weight_dst", .bias = "bias_dst", .z = s->target } };
    status = ga__map_input(run, maps, s->shared ? 1 : 2);
done:
    return status;
}

static ga_status add_noise(ga__layer_run *run, state *s)
{
    int64_t weights = 0;
    if (!run->noise) {
        return GA_OK;
    }
    if (!ga__mul(run->graph->edges.count, s->heads, &weights)) {
        return ga__fail(run->context, GA_OVERFLOW, "gatv2: too many edges and heads");
    }
    return ga__noise_draw(run, GA__SITE_WEIGHTS, run->noise->weight_rate, weights, &s->problem.keep_weights);
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    const int64_t n = run->nodes;
    const ga_edges *edges = &run->graph->edges;
    GA_TRY(check(run, s));
    GA_TRY(ga__make_y(run, s->concat ? s->heads * s->width : s->width));
    GA_TRY(make_maps(run, s));
    GA_TRY(ga__temp(run, n, s->heads, &s->lse));
    GA_TRY(ga__heads_room(run, s->heads, s->concat, run->y, &s->o));
    const DLTensor *k = s->source, *v = s->source;
    if (s->edge_terms) {
        GA_TRY(ga__carry(run, s->source, s->source, false, &s->carried));
        k = s->carried.k;
        v = s->carried.v;
        edges = &s->carried.edges;
    }
    s->problem = (ga_edge_attention){ .edges = edges,
                                      .heads = s->heads,
                                      .score = GA_EDGE_GATV2,
                                      .scale = 1,
                                      .slope = ga__real(run, "negative_slope"),
                                      .q = s->target,
                                      .k = k,
                                      .att = ga__tensor(run, "att"),
                                      .v = v,
                                      .normaliser = GA_NORMALISER_INIT };
    GA_TRY(add_noise(run, s));
    GA_TRY(ga__make_map(run, s->heads));
    GA_TRY(ga_edge_attention_forward(run->context, &s->problem, s->o, s->lse, NULL, run->map));
    status = ga__join_heads(run, s->o, s->heads, "bias", run->y);
done:
    return status;
}

static ga_status maps_backward(ga__layer_run *run, const state *s, DLTensor *dsource, const DLTensor *dtarget)
{
    ga_status status = GA_OK;
    if (s->shared) {
        GA_TRY(ga__axpby(run->context, 1, dtarget, 1, dsource));
    }
    const ga__map maps[] = { { .weight = "weight_src", .bias = "bias_src", .dz = dsource },
                             { .weight = "weight_dst", .bias = "bias_dst", .dz = dtarget } };
    status = ga__map_input_backward(run, maps, s->shared ? 1 : 2);
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    const int64_t n = run->nodes, columns = s->heads * s->width;
    int64_t sources = s->edge_terms ? run->graph->edges.count : n;
    const DLTensor *grad_o = NULL;
    DLTensor *dq = NULL, *dk = NULL, *dv = NULL, *to_k = NULL, *to_v = NULL;
    GA_TRY(ga__split_heads(run, run->grad_y, s->heads, s->concat, "bias", &grad_o));
    GA_TRY(ga__temp(run, n, columns, &dq));
    GA_TRY(ga__temp(run, sources, columns, &dk));
    dv = dk; /* one tensor: their gradients are added */
    GA_TRY(s->edge_terms ? ga__temp(run, sources, columns, &dv) : GA_OK);
    ga_edge_gradients g = { .grad_y = grad_o,
                            .y = s->o == run->y ? NULL : s->o,
                            .lse = s->lse,
                            .q = dq,
                            .k = dk,
                            .v = dv,
                            .att = ga__grad(run, "att") };
    GA_TRY(ga_edge_attention_backward(run->context, &s->problem,
                                      s->edge_terms ? &s->carried.transposed : &run->graph->transposed, &g));
    to_k = dk;
    if (s->edge_terms) {
        GA_TRY(ga__temp(run, n, columns, &to_k));
        GA_TRY(ga__temp(run, n, columns, &to_v));
        GA_TRY(ga__carry_backward(run, &s->carried, false, dk, dv, to_k, to_v));
        GA_TRY(ga__axpby(run->context, 1, to_v, 1, to_k));
    }
    status = maps_backward(run, s, to_k, dq);
done:
    return status;
}

static const ga_parameter parameters[] = { GA__HEADS,          GA__CONCAT,
                                           GA__NEGATIVE_SLOPE, GA__SELF_LOOPS("add"),
                                           GA__DUPLICATES,     { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "weight_src", "(F, K)", "linear map of sources, K = heads * out", false, true },
    { "bias_src", "(K)", "of that map", true, true },
    { "weight_dst", "(F, K)", "linear map of targets; absent: that of the sources", true, true },
    { "bias_dst", "(K)", "of that map", true, true },
    { "att", "(heads, out)", "score", false, true },
    { "bias", "(K) or (out)", "added to every node", true, true },
    { "edge_features", "(m, Fe)", "features of the edges; with weight_edge", true, true },
    { "weight_edge", "(Fe, K)", "their linear map", true, true },
    { .name = NULL }
};

static const ga__layer_ops ops = { sizeof(state), false, true, forward, backward };

const ga_layer ga__layer_gatv2 = {
    .name = "gatv2",
    .summary = "Attention whose ranking of neighbours may differ from node to node.",
    .source = "Brody, Alon & Yahav, How Attentive are Graph Attention Networks?, arXiv 2105.14491",
    .plan =
        "message passing; LeakyReLU before the attention vector; softmax; heads side by side or their mean, bias",
    .outputs = "y, map",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
