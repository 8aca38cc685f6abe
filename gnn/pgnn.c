/* pgnn.c - p-Laplacian message passing (Fu, Zhao, Bian). With s_i = d_i^-1/2, c = 2 mu / p, from f = f0 repeat k times
 *   tau_e = w_e |s_j f_j - s_i f_i|^2, M_e = w_e tau_e^((p-2)/2), alpha_i = 1 / (s_i^2 sum M_e + c)
 *   f+_i = sum of a_e s_j M_e s_i f_j + c alpha_i f0_i, a_e = alpha_i, or alpha_j with alpha_side=source
 * then the linear map if there is one. With u = s f, the engine sums Y_i = sum of M_e v_j and m_i = sum of M_e: v = u and
 * f+ = alpha s Y + c alpha f0, or v = alpha u and f+ = s Y + c alpha f0. u is rounded once: equal ends have tau = 0. */
#include "config.h"

#include "gnn/passes.h"
#include "lib/engine/view.h"

#include <math.h>

typedef struct state {
    int64_t k;
    double p, mu, c;
    bool source;           /* alpha at the source */
    const DLTensor *scale; /* (n): s; of the graph */
    const DLTensor **f;    /* (k + 1): the steps; f[0] is the features; the data of a tensor */
    DLTensor **sums;       /* (k): row sums of M of every step */
    DLTensor *u, *y, *value;
    DLTensor *factor[2]; /* (n): of the two terms of a row */
    ga_edge_attention problem;
} state;

/* p or mu: the tensor of this name, else the parameter. */
static ga_status number_of(ga__layer_run *run, const char *name, double *value)
{
    ga_status status = GA_OK;
    const int64_t one = 1;
    const DLTensor *tensor = ga__tensor(run, name);
    ga__view view;
    *value = ga__real(run, name);
    if (tensor) {
        GA_TRY(ga__fits(run, name, 1, &one));
        GA_TRY(ga__view_of(run->context, name, tensor, true, &view));
        *value = ga__view_get(&view, 0, 0, 0, 0);
        if (!(*value > 0) || isinf(*value)) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "%s: %g, expected a number above 0", name, *value));
        }
    }
done:
    return status;
}

static ga_status edge_weights(ga__layer_run *run, const DLTensor **out)
{
    const ga__messages *m = run->graph;
    for (int64_t e = 0;
         m->weights && !m->numbers->of[GA__GRAPH_WEIGHTS][run->working.bits == 64] && e < m->edges.count;
         e++) {
        if (!(m->weights[e] >= 0)) {
            return ga__fail(run->context, GA_INVALID, "edge_weight: %g, pgnn expects no negative weights",
                            m->weights[e]);
        }
    }
    return ga__graph_numbers_of(run->context, m, GA__GRAPH_WEIGHTS, run->working.bits == 64, out);
}

/* Lists of the steps and their sums. */
static ga_status open_steps(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    int64_t room = 0;
    DLTensor *places = NULL;
    if (!ga__mul(s->k, 2, &room) || !ga__add(room, 1, &room)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "pgnn: %lld steps", (long long)s->k));
    }
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLInt, .bits = 64, .lanes = 1 }, room, &places));
    s->f = places->data;
    s->sums = (DLTensor **)places->data + s->k + 1;
    s->f[0] = run->x;
    for (int64_t t = 0; t < s->k; t++) {
        DLTensor *f = NULL;
        if (t >= 2 && run->forward_only) { /* two in turn */
            s->f[t + 1] = s->f[t - 1];
            s->sums[t] = s->sums[t - 1];
            continue;
        }
        GA_TRY(ga__temp(run, run->nodes, run->width, &f));
        s->f[t + 1] = f;
        GA_TRY(ga__temp(run, run->nodes, 1, &s->sums[t]));
    }
done:
    return status;
}

static ga_status prepare(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    const DLTensor *weights = NULL;
    bool eps = ga__integer(run, "guard");
    s->k = ga__integer(run, "k");
    s->source = ga__integer(run, "alpha_side");
    GA_TRY(number_of(run, "p", &s->p));
    GA_TRY(number_of(run, "mu", &s->mu));
    s->c = 2 * s->mu / s->p;
    GA_TRY(edge_weights(run, &weights));
    GA_TRY(
        ga__graph_numbers_of(run->context, run->graph, GA__GRAPH_SCALES, run->working.bits == 64, &s->scale));
    GA_TRY(open_steps(run, s));
    GA_TRY(ga__temp(run, run->nodes, run->width, &s->u));
    GA_TRY(ga__temp(run, run->nodes, run->width, &s->y));
    GA_TRY(ga__temp_numbers(run, run->working, run->nodes, &s->factor[0]));
    GA_TRY(ga__temp_numbers(run, run->working, run->nodes, &s->factor[1]));
    if (s->source) {
        GA_TRY(ga__temp(run, run->nodes, run->width, &s->value));
    }
    s->problem = (ga_edge_attention){ .edges = &run->graph->edges,
                                      .heads = 1,
                                      .score = GA_EDGE_DISTANCE,
                                      .scale = 1,
                                      .q = s->u,
                                      .k = s->u,
                                      .v = s->u,
                                      .normaliser = GA_NORMALISER_INIT,
                                      .p = s->p,
                                      .guard = eps ? ga__real(run, "guard_eps") : 0,
                                      .edge_weights = weights };
    s->problem.normaliser.kind = GA_P_LAPLACIAN;
done:
    return status;
}

static double number_at(const DLTensor *numbers, int64_t i)
{
    return numbers->dtype.bits == 64 ? ((const double *)numbers->data)[i]
                                     : (double)((const float *)numbers->data)[i];
}

static void put_number(DLTensor *numbers, int64_t i, double value)
{
    if (numbers->dtype.bits == 64) {
        ((double *)numbers->data)[i] = value;
    } else {
        ((float *)numbers->data)[i] = (float)value;
    }
}

static double alpha_of(const state *s, const DLTensor *sums, int64_t row)
{
    double scale = number_at(s->scale, row);
    return 1 / (scale * scale * number_at(sums, row) + s->c);
}

/* u = s f, and of alpha at the source value = alpha u. */
static ga_status scale_step(ga__layer_run *run, state *s, const DLTensor *f)
{
    return ga__pass_mix(run->context, s->scale, f, NULL, NULL, false, s->u);
}

static ga_status value_step(ga__layer_run *run, state *s, const DLTensor *sums)
{
    for (int64_t i = 0; i < run->nodes; i++) {
        put_number(s->factor[0], i, alpha_of(s, sums, i));
    }
    return ga__pass_mix(run->context, s->factor[0], s->u, NULL, NULL, false, s->value);
}

/* From f[t] to f[t + 1]. */
static ga_status step(ga__layer_run *run, state *s, int64_t t)
{
    ga_status status = GA_OK;
    DLTensor *sums = s->sums[t], *next = (DLTensor *)(uintptr_t)s->f[t + 1]; /* made here, unlike f[0] */
    GA_TRY(scale_step(run, s, s->f[t]));
    s->problem.v = s->u;
    if (s->source) {
        GA_TRY(ga_edge_attention_forward(run->context, &s->problem, NULL, NULL, sums, NULL));
        GA_TRY(value_step(run, s, sums));
        s->problem.v = s->value;
    }
    GA_TRY(ga_edge_attention_forward(run->context, &s->problem, s->y, NULL, sums, NULL));
    for (int64_t i = 0; i < run->nodes; i++) {
        double scale = number_at(s->scale, i), alpha = alpha_of(s, sums, i);
        put_number(s->factor[0], i, s->source ? scale : alpha * scale);
        put_number(s->factor[1], i, s->c * alpha);
    }
    status = ga__pass_mix(run->context, s->factor[0], s->y, s->factor[1], s->f[0], false, next);
done:
    return status;
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    const DLTensor *w = ga__tensor(run, "weight"), *b = ga__tensor(run, "bias");
    const int64_t of_weight[] = { run->width, -1 }, columns = w ? ga__columns(w) : run->width;
    GA_TRY(ga__fits(run, "weight", 2, of_weight));
    GA_TRY(ga__fits(run, "bias", 1, &columns));
    if (b && !w) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "pgnn: bias needs weight"));
    }
    GA_TRY(prepare(run, s));
    GA_TRY(ga__make_y(run, columns));
    for (int64_t t = 0; t < s->k; t++) {
        GA_TRY(step(run, s, t));
    }
    if (w) {
        GA_TRY(ga_gemm(run->context, false, false, 1, s->f[s->k], w, 0, run->y));
        GA_TRY(b ? ga__add_row(run->context, b, run->y) : GA_OK);
    } else {
        GA_TRY(ga__axpby(run->context, 1, s->f[s->k], 0, run->y));
    }
done:
    return status;
}

typedef struct slope {
    DLTensor *g;          /* gradient of f+ */
    DLTensor *dy, *dsums; /* of Y and of the sums */
    DLTensor *dq, *dk, *dv, *df0;
    DLTensor *dots[2]; /* (n) f64 */
    DLTensor *dp;      /* (1) */
} slope;

/* factor[1] = c alpha, dsums, factor[0] = alpha s or alpha, *dc from
 * whole = <g, f+> = alpha dalpha, alpha at the target; or dalpha itself, at the source, and first = <g, f0>. */
static void row_slopes(const ga__layer_run *run, state *s, const slope *d, const DLTensor *sums, double *dc)
{
    const double *whole = d->dots[0]->data, *first = d->dots[1]->data;
    for (int64_t i = 0; i < run->nodes; i++) {
        double scale = number_at(s->scale, i), alpha = alpha_of(s, sums, i);
        double dalpha = s->source ? whole[i] + s->c * first[i] : whole[i] / alpha;
        put_number(s->factor[0], i, s->source ? alpha : alpha * scale);
        put_number(s->factor[1], i, s->c * alpha);
        put_number(d->dsums, i, -alpha * alpha * scale * scale * dalpha);
        *dc += alpha * first[i] - alpha * alpha * dalpha;
    }
}

static ga_status edge_gradients(ga__layer_run *run, const state *s, const slope *d, bool scores, DLTensor *dv)
{
    ga_edge_gradients g = { .grad_y = d->dy,
                            .grad_sums = scores ? d->dsums : NULL,
                            .q = scores ? d->dq : NULL,
                            .k = scores ? d->dk : NULL,
                            .v = dv,
                            .p = scores ? d->dp : NULL };
    return ga_edge_attention_backward(run->context, &s->problem, &run->graph->transposed, &g);
}

/* Alpha at the target: dY = alpha s g; dalpha = <g, f+> / alpha, no pass over edges. */
static ga_status target_backward(ga__layer_run *run, state *s, const slope *d, int64_t t, double *dc)
{
    ga_status status = GA_OK;
    GA_TRY(ga__pass_dots(run->context, d->g, s->f[t + 1], d->dots[0]->data));
    GA_TRY(ga__pass_dots(run->context, d->g, s->f[0], d->dots[1]->data));
    row_slopes(run, s, d, s->sums[t], dc);
    s->problem.v = s->u;
    GA_TRY(ga__pass_mix(run->context, s->factor[0], d->g, NULL, NULL, false, d->dy));
    GA_TRY(ga__pass_mix(run->context, s->factor[1], d->g, NULL, NULL, true, d->df0));
    GA_TRY(edge_gradients(run, s, d, true, d->dk)); /* one tensor: gradients of keys and values are added */
    status = ga__pass_mix(run->context, s->scale, d->dq, s->scale, d->dk, false, d->g);
done:
    return status;
}

/* Alpha at the source: dY = s g gives the gradient dv of the values; dalpha = <dv, u> + c <g, f0>. */
static ga_status source_backward(ga__layer_run *run, state *s, const slope *d, int64_t t, double *dc)
{
    ga_status status = GA_OK;
    GA_TRY(value_step(run, s, s->sums[t]));
    s->problem.v = s->value;
    GA_TRY(ga__pass_mix(run->context, s->scale, d->g, NULL, NULL, false, d->dy));
    GA_TRY(edge_gradients(run, s, d, false, d->dv));
    GA_TRY(ga__pass_dots(run->context, d->dv, s->u, d->dots[0]->data));
    GA_TRY(ga__pass_dots(run->context, d->g, s->f[0], d->dots[1]->data));
    row_slopes(run, s, d, s->sums[t], dc);
    GA_TRY(ga__pass_mix(run->context, s->factor[1], d->g, NULL, NULL, true, d->df0));
    GA_TRY(edge_gradients(run, s, d, true, NULL));
    GA_TRY(ga__pass_mix(run->context, s->factor[0], d->dv, NULL, NULL, true, d->dk));
    status = ga__pass_mix(run->context, s->scale, d->dq, s->scale, d->dk, false, d->g);
done:
    return status;
}

static ga_status open_slope(ga__layer_run *run, const state *s, slope *d)
{
    ga_status status = GA_OK;
    const DLDataType wide = { .code = kDLFloat, .bits = 64, .lanes = 1 };
    DLTensor **const of_rows[] = { &d->g, &d->dy, &d->dq, &d->dk, &d->df0, &d->dv };
    *d = (slope){ .g = NULL };
    for (int i = 0; i < (s->source ? 6 : 5); i++) {
        GA_TRY(ga__temp(run, run->nodes, run->width, of_rows[i]));
    }
    GA_TRY(ga__temp(run, run->nodes, 1, &d->dsums));
    GA_TRY(ga__temp_numbers(run, wide, run->nodes, &d->dots[0]));
    GA_TRY(ga__temp_numbers(run, wide, run->nodes, &d->dots[1]));
    if (ga__grad(run, "p")) {
        GA_TRY(ga__temp_numbers(run, run->working, 1, &d->dp));
    }
    status = ga__fill_zero(run->context, d->df0);
done:
    return status;
}

static ga_status store_numbers(ga__layer_run *run, const state *s, double dp, double dc)
{
    ga_status status = GA_OK;
    double dmu = 2 / s->p * dc;
    DLTensor *to_p = ga__grad(run, "p"), *to_mu = ga__grad(run, "mu");
    dp -= 2 * s->mu / (s->p * s->p) * dc;
    GA_TRY(to_p ? ga__store(run->context, &dp, to_p) : GA_OK);
    GA_TRY(to_mu ? ga__store(run->context, &dmu, to_mu) : GA_OK);
done:
    return status;
}

static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    slope d;
    double dp = 0, dc = 0;
    GA_TRY(open_slope(run, s, &d));
    if (ga__tensor(run, "weight")) {
        GA_TRY(ga__linear_backward(run, s->f[s->k], run->grad_y, "weight", "bias", 0, d.g));
    } else {
        GA_TRY(ga__axpby(run->context, 1, run->grad_y, 0, d.g));
    }
    for (int64_t t = s->k - 1; t >= 0; t--) {
        GA_TRY(scale_step(run, s, s->f[t]));
        GA_TRY((s->source ? source_backward : target_backward)(run, s, &d, t, &dc));
        dp += d.dp ? number_at(d.dp, 0) : 0;
    }
    if (run->grad_x) {
        GA_TRY(ga__axpby(run->context, 1, d.g, 0, run->grad_x));
        GA_TRY(ga__axpby(run->context, 1, d.df0, 1, run->grad_x));
    }
    status = store_numbers(run, s, dp, dc);
done:
    return status;
}

const char *const ga__side_words[] = { "destination", "source", NULL };
const char *const ga__guard_words[] = { "zero", "eps", NULL };

static const ga_parameter parameters[] = {
    GA__POSITIVE("p", "2", "exponent"),
    GA__POSITIVE("mu", "0.1", "weight of the source term"),
    { .name = "k", .type = GA_PARAMETER_INT, .initial = "4", .range = ">= 0", GA__FROM(0), .help = "steps" },
    GA__ALPHA_SIDE,
    GA__GUARD,
    GA__POSITIVE("guard_eps", "1e-6", "what guard=eps adds"),
    GA__SELF_LOOPS("keep"),
    GA__DUPLICATES,
    { .name = NULL }
};

static const ga_tensor_slot tensors[] = {
    { "weight", "(F, out)", "linear map behind the steps; absent: steps alone", true, true },
    { "bias", "(out)", "of that map", true, true },
    { "edge_weight", "(m)", "weights of the edges, instead of the graph's own", true, false },
    { "p", "(1)", "instead of the parameter", true, true },
    { "mu", "(1)", "instead of the parameter", true, true },
    { .name = NULL }
};

static const ga__layer_ops ops = { sizeof(state), true, false, forward, backward };

const ga_layer ga__layer_pgnn = {
    .name = "pgnn",
    .summary = "Steps of the p-Laplacian: weights of edges follow the differences of features.",
    .source = "Fu, Zhao & Bian, p-Laplacian Based Graph Neural Networks, arXiv 2111.07337",
    .plan = "message passing; distance; p-Laplacian, k times; source term; linear map",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
