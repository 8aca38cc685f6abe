/* p_adapter.c - an attention map calibrated by one p-Laplacian step, alone or inside the whole adapter (gnn.md). */
#include "config.h"

#include <string.h>

#include "attention/laplacian/adapter.h"
#include "lib/engine/calibrate/calibrate.h"
#include "attention/linear/rows.h"

enum { FORM_SELF, FORM_CROSS };
static const char *const form_words[] = { [FORM_SELF] = "self", [FORM_CROSS] = "cross", NULL };

static const ga_parameter parameters[] = {
    { "form", GA_PARAMETER_WORD, "self", NULL, "nodes: values alone (Nq = Nk), or queries and values",
      form_words, GA__ANY },
    { "p", GA_PARAMETER_REAL, "1.5", "> 0", "exponent", GA__ABOVE(0) },
    { "mu0", GA_PARAMETER_REAL, "0.1", "> 0", "mu = mu0 (2 + tanh mu_raw)", GA__ABOVE(0) },
    { "source_term", GA_PARAMETER_BOOL, "1", NULL, "adds mu times the query's own node", GA__ANY },
    { "mask_diagonal", GA_PARAMETER_BOOL, "0", NULL,
      "form=self: no edge from a node to itself; set it for p < 2", GA__ANY },
    { "pool", GA_PARAMETER_INT, "0", "0 = none, else >= 1", "form=cross: average the keys to so many",
      GA__FROM(0) },
    { "eps", GA_PARAMETER_REAL, "1e-8", "> 0", "added to A and to every component of V", GA__ABOVE(0) },
    { .name = NULL },
};

#define WEIGHT(name, shape, help) \
    { \
        name, shape, help, .optional = true, .differentiable = true \
    }
static const ga_tensor_slot tensors[] = {
    WEIGHT("p", "(1)", "exponent, in the place of the parameter"),
    WEIGHT("mu_raw", "(1)", "m of mu; absent: 0"),
    WEIGHT("w_out", "(H*d, M)", "all heads of a token to the model's width; with w_down"),
    WEIGHT("b_out", "(M)", "its bias"),
    WEIGHT("w_down", "(M, R)", "to the width of the nodes, R/H a head"),
    WEIGHT("b_down", "(R)", "its bias"),
    WEIGHT("w_gate", "(M, R)", "gate of the adapter; with w_up"),
    WEIGHT("b_gate", "(R)", "its bias"),
    WEIGHT("w_up", "(R, M)", "the way up; needs w_out and w_down"),
    WEIGHT("b_up", "(M)", "its bias"),
    { .name = NULL },
};

typedef struct state {
    ga__adapter adapter;
    int form;
    int p_slot, m_slot; /* -1 = none */
    double p, m, mu0;
} state;

static state *state_of(ga__job *run)
{
    return run->before[0].data;
}

static double mu_of(const state *s)
{
    return s->mu0 * (2 + tanh(s->m));
}

/* ---- the plan ---- */

/* All there is to do stands in forward and backward; the step owns the state. */
static ga_status nothing(ga__job *run, ga__step *step)
{
    (void)run, (void)step;
    return GA_OK;
}

static ga_status check_form(ga__job *run, const state *s)
{
    const ga__part *own = &run->own;
    bool self = s->form == FORM_SELF;
    if (self && run->queries != run->keys) {
        return ga__fail(
            run->context, GA_INVALID,
            "p-adapter: form=self with %lld queries and %lld keys: expected as many queries as keys, "
            "or form=cross",
            (long long)run->queries, (long long)run->keys);
    }
    if (self && ga__part_value(own, "pool")->integer > 0) {
        return ga__part_refuse(own, "pool", "0 with form=self: only form=cross averages its keys");
    }
    if (!self && ga__part_value(own, "mask_diagonal")->integer) {
        return ga__part_refuse(own, "mask_diagonal", "0 with form=cross: only form=self has a diagonal");
    }
    if (!self && run->dim != run->dim_v) {
        return ga__fail(
            run->context, GA_INVALID,
            "p-adapter: form=cross with q of dim %lld and v of dim %lld: expected the same, since both "
            "are nodes",
            (long long)run->dim, (long long)run->dim_v);
    }
    return GA_OK;
}

/* One number in a tensor of one element. */
static ga_status read_number(ga__job *run, const char *name, int *slot, double *value)
{
    static const int64_t one[] = { 1 };
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__slot_shaped(run, name, 1, one, slot));
    if (*slot >= 0) {
        GA_TRY(ga__slot_view(run, *slot, &view));
        *value = ga__view_get(&view, 0, 0, 0, 0);
    }
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    state *s = NULL;
    GA_TRY(GA_NEW_ZERO(run->context, 1, &s));
    ga__step_before(run, (ga__step){ .forward = nothing, .slot = GA__V, .data = s });
    s->form = (int)ga__part_value(&run->own, "form")->integer;
    s->p = ga__part_value(&run->own, "p")->real;
    s->mu0 = ga__part_value(&run->own, "mu0")->real;
    GA_TRY(check_form(run, s));
    GA_TRY(read_number(run, "p", &s->p_slot, &s->p));
    GA_TRY(read_number(run, "mu_raw", &s->m_slot, &s->m));
    if (!(s->p > 0) || isinf(s->p)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "p: %g, expected a number above 0", s->p));
    }
    if (!isfinite(s->m)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "mu_raw: %g, expected a finite number", s->m));
    }
    GA_TRY(ga__adapter_plan(run, &s->adapter));
    run->o_heads = s->adapter.up ? 1 : run->heads;
    run->o_dim = s->adapter.up      ? s->adapter.model
                 : s->adapter.nodes ? s->adapter.reduced / ga__max(run->heads, 1)
                                    : run->dim_v;
done:
    return status;
}

/* ---- forward ---- */

/* Everything but the outputs. In single precision t^(p-4), t >= eps, must not overflow, nor c vanish. */
static ga_status open_calibration(ga__job *run, const state *s, ga__calibration *c)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    const ga__adapter *a = &s->adapter;
    enum { HIGHEST = 6 };
    *c = (ga__calibration){ .self = s->form == FORM_SELF,
                            .causal = run->causal,
                            .source_term = ga__part_value(own, "source_term")->integer,
                            .mask_diagonal = ga__part_value(own, "mask_diagonal")->integer,
                            .pool = ga__part_value(own, "pool")->integer,
                            .scale = run->scale,
                            .p = s->p,
                            .mu = mu_of(s),
                            .eps = ga__part_value(own, "eps")->real };
    c->wide = run->working.bits == 64 || c->eps < 1e-9 || c->p > HIGHEST || c->mu < 1e-30;
    GA_TRY(ga__view_of(run->context, "q", run->problem.q, true, &c->q));
    GA_TRY(ga__view_of(run->context, "k", run->problem.k, true, &c->k));
    if (a->nodes) {
        int64_t width = a->reduced / ga__max(run->heads, 1);
        const ga__slot *slots = run->slots;
        c->nodes_v = ga__adapter_heads(run, slots[a->node[0]].tensor, run->keys, width);
        if (!c->self) {
            c->nodes_q = ga__adapter_heads(run, slots[a->node[1]].tensor, run->queries, width);
        }
    } else {
        GA_TRY(ga__view_of(run->context, "v", run->problem.v, true, &c->nodes_v));
        c->nodes_q = c->q;
    }
done:
    return status;
}

/* Nodes, and the place of F+ where the adapter goes on with it. */
static ga_status make_nodes(ga__job *run, state *s)
{
    ga_status status = GA_OK;
    ga__adapter *a = &s->adapter;
    if (!a->nodes) {
        goto done;
    }
    GA_TRY(ga__adapter_nodes(run, a, 0, run->problem.v));
    if (s->form == FORM_CROSS) {
        GA_TRY(ga__adapter_nodes(run, a, 1, run->problem.q));
    }
    if (a->up) {
        const int64_t values[] = { run->batch, run->heads, run->queries, run->dim_v };
        DLTensor *made = NULL;
        GA_TRY(ga__adapter_matrix(run, "plus", run->batch * run->queries, a->reduced, &a->plus));
        GA_TRY(ga__tensor_new(run, 4, values, &made));
        a->values = ga__slot_make(run, "values", made);
    }
done:
    return status;
}

/* What the engine gives: the map, statistics, P V of the whole adapter, and lse where it is run anyway. */
static ga_status run_engine(ga__job *run, const state *s, const ga_attention_result *result)
{
    ga_attention_result wanted = *result;
    bool values = s->adapter.up && run->o;
    wanted.o = values ? run->slots[s->adapter.values].made : NULL;
    if (!values && !wanted.map && !wanted.statistics && (run->o || !wanted.lse)) {
        return GA_OK;
    }
    return ga_attention_forward(run->context, &run->problem, GA_FAMILY_AUTO, &wanted, NULL);
}

static ga_status forward(ga__job *run, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    state *s = state_of(run);
    const ga__adapter *a = &s->adapter;
    ga__calibration c;
    if (run->o) {
        GA_TRY(make_nodes(run, s));
    }
    GA_TRY(run_engine(run, s, result));
    if (!run->o) {
        goto done;
    }
    GA_TRY(open_calibration(run, s, &c));
    GA_TRY(ga__view_of(run->context, "lse", result->lse, true, &c.lse));
    if (a->up) {
        c.out = ga__adapter_heads(run, run->slots[a->plus].tensor, run->queries, c.nodes_v.columns);
    } else {
        GA_TRY(ga__view_of(run->context, "o", run->o, true, &c.out));
    }
    GA_TRY(ga__calibrate(run->context, &c));
    if (a->up) {
        status = ga__adapter_up(run, &s->adapter, run->o);
    }
done:
    return status;
}

/* ---- backward ---- */

static ga_status zero_gradients(ga__job *run)
{
    ga_status status = GA_OK;
    ga__view unused;
    for (int i = 0; i < run->slot_count; i++) {
        GA_TRY(ga__slot_grad_zero(run, i, &unused));
    }
done:
    return status;
}

/* A second gradient of a slot, added to the first in the end. */
static ga_status more_of(ga__job *run, int slot)
{
    ga__slot *s = &run->slots[slot];
    return s->grad ? ga__tensor_new(run, s->grad->ndim, s->grad->shape, &s->grad_more) : GA_OK;
}

/* From grad_o to that of F+; P V gives its part of the gradients of q, k and v. */
static ga_status up_back(ga__job *run, const state *s, const ga_attention_gradients *gradients,
                         DLTensor *d_plus)
{
    ga_status status = GA_OK;
    const ga__slot *values = &run->slots[s->adapter.values];
    DLTensor *d_values = NULL;
    GA_TRY(ga__tensor_new(run, 4, values->tensor->shape, &d_values));
    GA_TRY(ga__adapter_up_back(run, &s->adapter, run->grad_o, d_plus, d_values));
    for (int i = GA__Q; i <= GA__V; i++) {
        GA_TRY(more_of(run, i));
    }
    ga_attention_gradients g = { .grad_o = d_values,
                                 .o = gradients->lse ? values->tensor : NULL,
                                 .lse = gradients->lse,
                                 .q = run->slots[GA__Q].grad_more,
                                 .k = run->slots[GA__K].grad_more,
                                 .v = run->slots[GA__V].grad_more };
    if (g.q || g.k || g.v) {
        status = ga_attention_backward(run->context, &run->problem, GA_FAMILY_AUTO, &g, NULL);
    }
done:
    ga_tensor_destroy(run->context, d_values);
    return status;
}

/* dp = (1/2) sum dAbar Abar ln t^2 - (2 mu / p^2) dc, dm = (2/p) dc mu0 (1 - tanh^2 m) */
static void numbers_back(ga__job *run, const state *s, const ga__calibration *c)
{
    ga__view view;
    double slope = 1 - tanh(s->m) * tanh(s->m);
    if (ga__slot_grad_view(run, s->p_slot, &view) == GA_OK && view.data) {
        ga__view_set(&view, 0, 0, 0, 0, c->d_p - 2 * c->mu / (s->p * s->p) * c->d_c);
    }
    if (ga__slot_grad_view(run, s->m_slot, &view) == GA_OK && view.data) {
        ga__view_set(&view, 0, 0, 0, 0, 2 / s->p * c->d_c * s->mu0 * slope);
    }
}

/* Where the gradients of the nodes go: matrices of the adapter, or those of v and q. */
static ga_status open_node_gradients(ga__job *run, const state *s, ga__calibration *c, DLTensor *matrix[2])
{
    ga_status status = GA_OK;
    const int64_t tokens[] = { run->keys, run->queries };
    ga__view *to[] = { &c->d_nodes_v, &c->d_nodes_q };
    if (!s->adapter.nodes) {
        GA_TRY(ga__slot_grad_view(run, GA__V, to[0]));
        if (!c->self) {
            GA_TRY(more_of(run, GA__Q));
            GA_TRY(ga__view_of(run->context, "q", run->slots[GA__Q].grad_more, true, to[1]));
        }
        goto done;
    }
    for (int i = 0; i < (c->self ? 1 : 2); i++) {
        GA_TRY(ga__tensor_new(run, 2, run->slots[s->adapter.node[i]].tensor->shape, &matrix[i]));
        *to[i] = ga__adapter_heads(run, matrix[i], tokens[i], c->nodes_v.columns);
    }
done:
    return status;
}

static ga_status backward(ga__job *run, const ga_attention_gradients *gradients)
{
    ga_status status = GA_OK;
    const state *s = state_of(run);
    const ga__adapter *a = &s->adapter;
    DLTensor *d_plus = NULL, *d_nodes[2] = { NULL, NULL };
    ga__calibration c;
    GA_TRY(zero_gradients(run));
    GA_TRY(open_calibration(run, s, &c));
    if (a->up) {
        GA_TRY(ga__tensor_new(run, 2, run->slots[a->plus].tensor->shape, &d_plus));
        GA_TRY(up_back(run, s, gradients, d_plus));
        c.grad = ga__adapter_heads(run, d_plus, run->queries, c.nodes_v.columns);
    } else {
        GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &c.grad));
    }
    GA_TRY(ga__slot_grad_view(run, GA__Q, &c.d_q));
    GA_TRY(ga__slot_grad_view(run, GA__K, &c.d_k));
    GA_TRY(open_node_gradients(run, s, &c, d_nodes));
    c.want_dp = s->p_slot >= 0 && run->slots[s->p_slot].grad;
    GA_TRY(ga__calibrate_back(run->context, &c));
    numbers_back(run, s, &c);
    if (a->nodes) {
        GA_TRY(ga__adapter_nodes_back(run, a, 0, run->problem.v, d_nodes[0], GA__V));
    }
    if (a->nodes && !c.self) {
        GA_TRY(ga__adapter_nodes_back(run, a, 1, run->problem.q, d_nodes[1], GA__Q));
    }
done:
    ga_tensor_destroy(run->context, d_plus);
    ga_tensor_destroy(run->context, d_nodes[0]);
    ga_tensor_destroy(run->context, d_nodes[1]);
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan,
                                     .softmax_only = true,
                                     .forward = forward,
                                     .backward = backward };

const ga_variant ga__p_adapter_variant = {
    .name = "p-adapter",
    .summary = "attention map calibrated by a p-Laplacian step, with or without the adapter around it",
    .source = "p-Laplacian Adaptation for Generative Pre-trained Vision-Language Models, 2312.10613",
    .family = "gnn",
    .plan =
        "pattern: dense or causal; score: scaled dot; normaliser: softmax, then p-Laplacian; post: source term, "
        "gate and up-projection",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD,
    .ops = &ops,
};
