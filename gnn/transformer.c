/* transformer.c - scaled dot product on a graph (Shi et al., UniMP): scores <q_i, k_j + e> / sqrt(out), softmax,
 * o_i = sum of a_e (v_j + e); skip r = x W_skip + b_skip: y + r, or beta r + (1 - beta) y with
 * beta = sigma([y; r; y - r] W_gate). */
#include "config.h"

#include <math.h>

#include "gnn/layer.h"
#include "lib/engine/view.h"

typedef struct state {
    int64_t heads, width, columns; /* columns: of y */
    bool concat, gate, skip, edge_terms;
    DLTensor *q, *k, *v, *o, *lse, *joined, *r, *beta;
    double *w_gate; /* (3 columns) */
    ga__carried carried;
    ga_edge_attention problem;
} state;

static ga_status check_gate(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    const int64_t of_gate[] = { 3 * s->columns, 1 };
    const DLTensor *gate = ga__tensor(run, "weight_gate");
    ga__view view;
    DLTensor *room = NULL;
    if (s->gate != (gate != NULL) || (s->gate && !s->skip)) {
        return s->gate
                   ? ga__fail(run->context, GA_INVALID, "transformer: gate needs weight_skip and weight_gate")
                   : ga__fail(run->context, GA_INVALID, "weight_gate: expected with gate=true alone");
    }
    GA_TRY(ga__fits(run, "weight_gate", 2, of_gate));
    GA_TRY(ga__view_of(run->context, "weight_gate", gate, true, &view));
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLFloat, .bits = 64, .lanes = 1 }, 3 * s->columns,
                            &room));
    s->w_gate = room->data;
    for (int64_t i = 0; gate && i < 3 * s->columns; i++) {
        s->w_gate[i] = ga__view_get(&view, 0, 0, i, 0);
    }
done:
    return status;
}

static ga_status check(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    s->heads = ga__integer(run, "heads");
    s->concat = ga__integer(run, "concat");
    s->gate = ga__integer(run, "gate");
    s->skip = ga__tensor(run, "weight_skip") != NULL;
    int64_t all = ga__columns(ga__tensor(run, "weight_query"));
    if (all % s->heads != 0) {
        GA_TRY(ga__part_refuse(&run->part, "heads", "a divisor of the %lld columns of weight_query",
                               (long long)all));
    }
    s->width = all / s->heads;
    s->columns = s->concat ? all : s->width;
    const int64_t of_map[] = { run->width, all }, of_skip[] = { run->width, s->columns };
    GA_TRY(ga__fits(run, "weight_key", 2, of_map));
    GA_TRY(ga__fits(run, "weight_value", 2, of_map));
    GA_TRY(ga__fits(run, "weight_skip", 2, of_skip));
    if (!s->skip && ga__tensor(run, "bias_skip")) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "transformer: bias_skip needs weight_skip"));
    }
    GA_TRY(check_gate(run, s));
    GA_TRY(ga__check_edge_tensors(run, all, NULL, &s->edge_terms));
done:
    return status;
}

/* in: y, r; out: y, beta */
static void gate_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    const double *w = s->w_gate;
    double logit = 0;
    (void)row;
    (void)sums;
    for (int64_t c = 0; c < s->columns; c++) {
        logit +=
            in[0][c] * w[c] + in[1][c] * w[s->columns + c] + (in[0][c] - in[1][c]) * w[2 * s->columns + c];
    }
    double beta = logit >= 0 ? 1 / (1 + exp(-logit)) : exp(logit) / (1 + exp(logit));
    for (int64_t c = 0; c < s->columns; c++) {
        out[0][c] = beta * in[1][c] + (1 - beta) * in[0][c];
    }
    out[1][0] = beta;
}

/* In front of the gate there is a matrix of its own; without one the joined heads are y. */
static ga_status add_skip(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    ga__map map = { .weight = "weight_skip", .bias = "bias_skip", .z = run->y, .add = true };
    if (!s->skip) {
        return GA_OK;
    }
    if (!s->gate) {
        return ga__map_input(run, &map, 1);
    }
    GA_TRY(ga__temp(run, run->nodes, s->columns, &s->r));
    GA_TRY(ga__temp(run, run->nodes, 1, &s->beta));
    map.z = s->r;
    map.add = false;
    GA_TRY(ga__map_input(run, &map, 1));
    ga__row_work work = {
        .fn = gate_row, .user = s, .in = { s->joined, s->r }, .out = { run->y, s->beta }, .rows = run->nodes
    };
    status = ga__each_row(run->context, &work);
done:
    return status;
}

static ga_status make_maps(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    const int64_t all = s->heads * s->width;
    GA_TRY(ga__temp(run, run->nodes, all, &s->q));
    GA_TRY(ga__temp(run, run->nodes, all, &s->k));
    GA_TRY(ga__temp(run, run->nodes, all, &s->v));
    const ga__map maps[] = { { .weight = "weight_query", .bias = "bias_query", .z = s->q },
                             { .weight = "weight_key", .bias = "bias_key", .z = s->k },
                             { .weight = "weight_value", .bias = "bias_value", .z = s->v } };
    status = ga__map_input(run, maps, 3);
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
        return ga__fail(run->context, GA_OVERFLOW, "transformer: too many edges and heads");
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
    GA_TRY(ga__make_y(run, s->columns));
    GA_TRY(make_maps(run, s));
    GA_TRY(ga__temp(run, n, s->heads, &s->lse));
    s->joined = run->y;
    GA_TRY(s->gate ? ga__temp(run, n, s->columns, &s->joined) : GA_OK);
    GA_TRY(ga__heads_room(run, s->heads, s->concat, s->joined, &s->o));
    const DLTensor *k = s->k, *v = s->v;
    if (s->edge_terms) {
        GA_TRY(ga__carry(run, s->k, s->v, true, &s->carried));
        k = s->carried.k;
        v = s->carried.v;
        edges = &s->carried.edges;
    }
    s->problem = (ga_edge_attention){ .edges = edges,
                                      .heads = s->heads,
                                      .score = GA_EDGE_DOT,
                                      .scale = s->width > 0 ? 1 / sqrt((double)s->width) : 1,
                                      .q = s->q,
                                      .k = k,
                                      .v = v,
                                      .normaliser = GA_NORMALISER_INIT };
    GA_TRY(add_noise(run, s));
    GA_TRY(ga__make_map(run, s->heads));
    GA_TRY(ga_edge_attention_forward(run->context, &s->problem, s->o, s->lse, NULL, run->map));
    GA_TRY(ga__join_heads(run, s->o, s->heads, NULL, s->joined));
    status = add_skip(run, s);
done:
    return status;
}

/* in: grad y, y before the gate, r, beta; out: gradients of these y and r; sums: of weight_gate. */
static void gate_backward_row(const void *user, int64_t row, double *const *in, double *const *out,
                              double *sums)
{
    const state *s = user;
    const double *w = s->w_gate, *g = in[0], *y = in[1], *r = in[2];
    double beta = in[3][0], dbeta = 0;
    int64_t n = s->columns;
    (void)row;
    for (int64_t c = 0; c < n; c++) {
        dbeta += g[c] * (r[c] - y[c]);
    }
    double dlogit = dbeta * beta * (1 - beta);
    for (int64_t c = 0; c < n; c++) {
        sums[c] += dlogit * y[c];
        sums[n + c] += dlogit * r[c];
        sums[2 * n + c] += dlogit * (y[c] - r[c]);
        out[0][c] = (1 - beta) * g[c] + dlogit * (w[c] + w[2 * n + c]);
        out[1][c] = beta * g[c] + dlogit * (w[n + c] - w[2 * n + c]);
    }
}

/* *to_y, *to_r: the gradients of the joined heads and of the skip. */
static ga_status gate_backward(ga__layer_run *run, const state *s, const DLTensor **to_y,
                               const DLTensor **to_r)
{
    ga_status status = GA_OK;
    DLTensor *dy = NULL, *dr = NULL, *dgate = ga__grad(run, "weight_gate");
    double *sums = NULL;
    *to_y = *to_r = run->grad_y;
    if (!s->gate) {
        return GA_OK;
    }
    GA_TRY(ga__temp(run, run->nodes, s->columns, &dy));
    GA_TRY(ga__temp(run, run->nodes, s->columns, &dr));
    GA_TRY(GA_NEW(run->context, 3 * s->columns, &sums));
    ga__row_work work = { .fn = gate_backward_row,
                          .user = s,
                          .in = { run->grad_y, s->joined, s->r, s->beta },
                          .out = { dy, dr },
                          .rows = run->nodes,
                          .sum_count = 3 * s->columns,
                          .sums = sums };
    GA_TRY(ga__each_row(run->context, &work));
    GA_TRY(dgate ? ga__store(run->context, sums, dgate) : GA_OK);
    *to_y = dy;
    *to_r = dr;
done:
    ga_free(run->context, sums);
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    const int64_t n = run->nodes, all = s->heads * s->width;
    int64_t sources = s->edge_terms ? run->graph->edges.count : n;
    const DLTensor *grad = NULL, *grad_o = NULL, *dr = NULL;
    DLTensor *dq = NULL, *dk = NULL, *dv = NULL, *to_k = NULL, *to_v = NULL;
    GA_TRY(gate_backward(run, s, &grad, &dr));
    GA_TRY(ga__split_heads(run, grad, s->heads, s->concat, NULL, &grad_o));
    GA_TRY(ga__temp(run, n, all, &dq));
    GA_TRY(ga__temp(run, sources, all, &dk));
    GA_TRY(ga__temp(run, sources, all, &dv));
    ga_edge_gradients g = {
        .grad_y = grad_o, .y = s->o == run->y ? NULL : s->o, .lse = s->lse, .q = dq, .k = dk, .v = dv
    };
    GA_TRY(ga_edge_attention_backward(run->context, &s->problem,
                                      s->edge_terms ? &s->carried.transposed : &run->graph->transposed, &g));
    to_k = dk;
    to_v = dv;
    if (s->edge_terms) {
        GA_TRY(ga__temp(run, n, all, &to_k));
        GA_TRY(ga__temp(run, n, all, &to_v));
        GA_TRY(ga__carry_backward(run, &s->carried, true, dk, dv, to_k, to_v));
    }
    const ga__map maps[] = { { .weight = "weight_query", .bias = "bias_query", .dz = dq },
                             { .weight = "weight_key", .bias = "bias_key", .dz = to_k },
                             { .weight = "weight_value", .bias = "bias_value", .dz = to_v },
                             { .weight = "weight_skip", .bias = "bias_skip", .dz = dr } };
    status = ga__map_input_backward(run, maps, s->skip ? 4 : 3);
done:
    return status;
}

static const ga_parameter parameters[] = { GA__HEADS,
                                           GA__CONCAT,
                                           { .name = "gate",
                                             .type = GA_PARAMETER_BOOL,
                                             .initial = "false",
                                             GA__ANY,
                                             .help = "gated skip; needs weight_skip and weight_gate" },
                                           GA__SELF_LOOPS("keep"),
                                           GA__DUPLICATES,
                                           { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "weight_query", "(F, K)", "map of targets, K = heads * out", false, true },
    { "bias_query", "(K)", "of that map", true, true },
    { "weight_key", "(F, K)", "map of sources for the scores", false, true },
    { "bias_key", "(K)", "of that map", true, true },
    { "weight_value", "(F, K)", "map of sources for the values", false, true },
    { "bias_value", "(K)", "of that map", true, true },
    { "weight_skip", "(F, K) or (F, out)", "map of the node itself, added to the result", true, true },
    { "bias_skip", "(K) or (out)", "of that map", true, true },
    { "weight_gate", "(3 K, 1) or (3 out, 1)", "gate=true: how the result and the skip are mixed", true,
      true },
    { "edge_features", "(m, Fe)", "features of the edges, added to keys and values; with weight_edge", true,
      true },
    { "weight_edge", "(Fe, K)", "their linear map", true, true },
    { .name = NULL }
};

static const ga__layer_ops ops = { sizeof(state), false, true, forward, backward };

const ga_layer ga__layer_transformer = {
    .name = "transformer",
    .summary = "Scaled dot-product attention over neighbours, with a skip that may be gated.",
    .source = "Shi et al., Masked Label Prediction: Unified Message Passing Model, arXiv 2009.03509",
    .plan = "message passing; scaled dot product; softmax; heads side by side or their mean, skip, gate",
    .outputs = "y, map",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
