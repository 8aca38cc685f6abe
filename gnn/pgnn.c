/* pgnn.c - p-Laplacian message passing (Fu, Zhao, Bian). With s_i = d_i^-1/2, c = 2 mu / p, from f = f0 repeat k times
 *   tau_e = w_e |s_j f_j - s_i f_i|^2, M_e = w_e tau_e^((p-2)/2), alpha_i = 1 / (s_i^2 sum M_e + c)
 *   f+_i = sum of a_e s_j M_e s_i f_j + c alpha_i f0_i, a_e = alpha_i, or alpha_j with alpha_side=source
 * then the linear map if there is one. With u = s f, the engine sums Y_i = sum of M_e v_j and m_i = sum of M_e: v = u and
 * f+ = alpha s Y + c alpha f0, or v = alpha u and f+ = s Y + c alpha f0. u is rounded once: equal ends have tau = 0. */
#include "config.h"

#include "gnn/layer.h"
#include "lib/engine/view.h"

#include <math.h>

typedef struct state {
    int64_t k, columns;
    double p, mu, c;
    bool source;     /* alpha at the source */
    DLTensor *scale; /* (n): s */
    DLTensor **f;    /* (k + 1): the steps; f[0] is the features */
    DLTensor *u, *y, *sums, *value;
    DLTensor *first; /* f[0] */
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

static ga_status node_scales(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    const ga__messages *m = &run->graph;
    ga__view scale;
    GA_TRY(ga__temp_numbers(run, run->working, run->nodes, &s->scale));
    GA_TRY(ga__view_of(run->context, "scale", s->scale, true, &scale));
    for (int64_t i = 0; i < run->nodes; i++) {
        double degree = 0;
        for (int64_t e = m->edges.offsets[i]; e < m->edges.offsets[i + 1]; e++) {
            degree += m->weights ? m->weights[e] : 1;
        }
        ga__view_set(&scale, 0, 0, 0, i, degree > 0 ? 1 / sqrt(degree) : 0);
    }
done:
    return status;
}

static ga_status edge_weights(ga__layer_run *run, const DLTensor **out)
{
    ga_status status = GA_OK;
    const ga__messages *m = &run->graph;
    DLTensor *weights = NULL;
    ga__view to;
    if (!m->weights) {
        return GA_OK;
    }
    GA_TRY(ga__temp_numbers(run, run->working, m->edges.count, &weights));
    GA_TRY(ga__view_of(run->context, "weights", weights, true, &to));
    for (int64_t e = 0; e < m->edges.count; e++) {
        if (!(m->weights[e] >= 0)) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "edge_weight: %g, pgnn expects no negative weights",
                            m->weights[e]));
        }
        ga__view_set(&to, 0, 0, 0, e, m->weights[e]);
    }
    *out = weights;
done:
    return status;
}

static ga_status prepare(ga__layer_run *run, state *s)
{
    ga_status status = GA_OK;
    int64_t room = 0;
    DLTensor *places = NULL;
    const DLTensor *weights = NULL;
    bool eps = ga__integer(run, "guard");
    s->k = ga__integer(run, "k");
    s->columns = run->width;
    s->source = ga__integer(run, "alpha_side");
    GA_TRY(number_of(run, "p", &s->p));
    GA_TRY(number_of(run, "mu", &s->mu));
    s->c = 2 * s->mu / s->p;
    GA_TRY(node_scales(run, s));
    GA_TRY(edge_weights(run, &weights));
    if (!ga__add(s->k, 1, &room)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "pgnn: %lld steps", (long long)s->k));
    }
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLInt, .bits = 64, .lanes = 1 }, room, &places));
    s->f = places->data;
    GA_TRY(ga__temp(run, run->nodes, run->width, &s->u));
    GA_TRY(ga__temp(run, run->nodes, run->width, &s->y));
    GA_TRY(ga__temp(run, run->nodes, 1, &s->sums));
    if (s->source) {
        GA_TRY(ga__temp(run, run->nodes, run->width, &s->value));
    }
    s->problem = (ga_edge_attention){ .edges = &run->graph.edges,
                                      .heads = 1,
                                      .score = GA_EDGE_DISTANCE,
                                      .scale = 1,
                                      .normaliser = GA_NORMALISER_INIT,
                                      .p = s->p,
                                      .guard = eps ? ga__real(run, "guard_eps") : 0,
                                      .edge_weights = weights };
    s->problem.normaliser.kind = GA_P_LAPLACIAN;
done:
    return status;
}

static double alpha_of(const state *s, double scale, double sum)
{
    return 1 / (scale * scale * sum + s->c);
}

static double scale_at(const state *s, int64_t row)
{
    return s->scale->dtype.bits == 64 ? ((const double *)s->scale->data)[row]
                                      : (double)((const float *)s->scale->data)[row];
}

/* in: f; out: u = s f */
static void scale_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    double scale = scale_at(s, row);
    (void)sums;
    for (int64_t c = 0; c < s->columns; c++) {
        out[0][c] = scale * in[0][c];
    }
}

/* in: sums, u; out: alpha u */
static void value_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    double alpha = alpha_of(s, scale_at(s, row), in[0][0]);
    (void)sums;
    for (int64_t c = 0; c < s->columns; c++) {
        out[0][c] = alpha * in[1][c];
    }
}

/* in: sums, Y, f0; out: f+ */
static void finish_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    double scale = scale_at(s, row), alpha = alpha_of(s, scale, in[0][0]);
    double of_y = s->source ? scale : alpha * scale;
    (void)sums;
    for (int64_t c = 0; c < s->columns; c++) {
        out[0][c] = of_y * in[1][c] + s->c * alpha * in[2][c];
    }
}

/* Sums and Y of a step from f. */
static ga_status step(ga__layer_run *run, state *s, const DLTensor *f)
{
    ga_status status = GA_OK;
    ga__row_work scale = { .fn = scale_row, .user = s, .in = { f }, .out = { s->u }, .rows = run->nodes };
    GA_TRY(ga__each_row(run->context, &scale));
    s->problem.q = s->problem.k = s->problem.v = s->u;
    if (s->source) {
        GA_TRY(ga_edge_attention_forward(run->context, &s->problem, NULL, NULL, s->sums, NULL));
        ga__row_work work = {
            .fn = value_row, .user = s, .in = { s->sums, s->u }, .out = { s->value }, .rows = run->nodes
        };
        GA_TRY(ga__each_row(run->context, &work));
        s->problem.v = s->value;
    }
    status = ga_edge_attention_forward(run->context, &s->problem, s->y, NULL, s->sums, NULL);
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
    GA_TRY(ga__temp(run, run->nodes, run->width, &s->first));
    GA_TRY(ga__axpby(run->context, 1, run->x, 0, s->first));
    s->f[0] = s->first;
    for (int64_t t = 0; t < s->k; t++) {
        if (run->grad_y || t < 2) { /* forward alone needs two in turn */
            GA_TRY(ga__temp(run, run->nodes, run->width, &s->f[t + 1]));
        } else {
            s->f[t + 1] = s->f[t - 1];
        }
        GA_TRY(step(run, s, s->f[t]));
        ga__row_work work = { .fn = finish_row,
                              .user = s,
                              .in = { s->sums, s->y, s->first },
                              .out = { s->f[t + 1] },
                              .rows = run->nodes };
        GA_TRY(ga__each_row(run->context, &work));
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
    const state *s;
    DLTensor *g;          /* gradient of f+ */
    DLTensor *dy, *dsums; /* of Y and of the sums */
    DLTensor *dq, *dk, *dv, *df0;
    DLTensor *dp; /* (1) */
} slope;

/* alpha at the target. in: sums, g, f+, f0, df0; out: dY, dsums, df0; sums: dc.
 * dalpha = <g, f+> / alpha: no pass over edges. */
static void target_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    double scale = scale_at(s, row), alpha = alpha_of(s, scale, in[0][0]), whole = 0, first = 0;
    for (int64_t c = 0; c < s->columns; c++) {
        whole += in[1][c] * in[2][c];
        first += in[1][c] * in[3][c];
    }
    for (int64_t c = 0; c < s->columns; c++) {
        out[0][c] = alpha * scale * in[1][c];
        out[2][c] = in[4][c] + s->c * alpha * in[1][c];
    }
    double dalpha = whole / alpha;
    out[1][0] = -alpha * alpha * scale * scale * dalpha;
    sums[0] += alpha * first - alpha * alpha * dalpha;
}

/* alpha at the source: dY = s g gave dv. in: sums, g, u, f0, df0, dv; out: alpha dv, dsums, df0; sums: dc.
 * dalpha = <dv, u> + c <g, f0>. */
static void source_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    double scale = scale_at(s, row), alpha = alpha_of(s, scale, in[0][0]), of_value = 0, first = 0;
    for (int64_t c = 0; c < s->columns; c++) {
        of_value += in[5][c] * in[2][c];
        first += in[1][c] * in[3][c];
    }
    for (int64_t c = 0; c < s->columns; c++) {
        out[0][c] = alpha * in[5][c];
        out[2][c] = in[4][c] + s->c * alpha * in[1][c];
    }
    double dalpha = of_value + s->c * first;
    out[1][0] = -alpha * alpha * scale * scale * dalpha;
    sums[0] += alpha * first - alpha * alpha * dalpha;
}

/* in: dq, dk, dv, gradients of u; out: of f */
static void join_row(const void *user, int64_t row, double *const *in, double *const *out, double *sums)
{
    const state *s = user;
    double scale = scale_at(s, row);
    (void)sums;
    for (int64_t c = 0; c < s->columns; c++) {
        out[0][c] = scale * (in[0][c] + in[1][c] + in[2][c]);
    }
}

static ga_status edge_gradients(ga__layer_run *run, const slope *d, bool scores, bool values)
{
    ga_edge_gradients g = { .grad_y = d->dy,
                            .grad_sums = scores ? d->dsums : NULL,
                            .q = scores ? d->dq : NULL,
                            .k = scores ? d->dk : NULL,
                            .v = values ? d->dv : NULL,
                            .p = scores ? d->dp : NULL };
    return ga_edge_attention_backward(run->context, &d->s->problem, &run->graph.transposed, &g);
}

/* From the gradient g of f[t + 1] that of f[t]; *dc is added to. */
static ga_status step_backward(ga__layer_run *run, state *s, const slope *d, int64_t t, double *dc)
{
    ga_status status = GA_OK;
    double sum = 0;
    GA_TRY(step(run, s, s->f[t]));
    ga__row_work work = { .fn = target_row,
                          .user = s,
                          .in = { s->sums, d->g, s->f[t + 1], s->first, d->df0, NULL },
                          .out = { d->dy, d->dsums, d->df0 },
                          .rows = run->nodes,
                          .sum_count = 1,
                          .sums = &sum };
    if (s->source) {
        ga__row_work first = {
            .fn = scale_row, .user = s, .in = { d->g }, .out = { d->dy }, .rows = run->nodes
        };
        GA_TRY(ga__each_row(run->context, &first));
        GA_TRY(edge_gradients(run, d, false, true));
        work.fn = source_row;
        work.in[2] = s->u;
        work.in[5] = d->dv;
        work.out[0] = d->dv;
    }
    GA_TRY(ga__each_row(run->context, &work));
    GA_TRY(edge_gradients(run, d, true, !s->source));
    ga__row_work join = {
        .fn = join_row, .user = s, .in = { d->dq, d->dk, d->dv }, .out = { d->g }, .rows = run->nodes
    };
    GA_TRY(ga__each_row(run->context, &join));
    *dc += sum;
done:
    return status;
}

static ga_status open_slope(ga__layer_run *run, const state *s, slope *d)
{
    ga_status status = GA_OK;
    const int64_t n = run->nodes, columns = s->columns;
    DLTensor **const of_rows[] = { &d->g, &d->dy, &d->dq, &d->dk, &d->dv, &d->df0 };
    *d = (slope){ .s = s };
    for (size_t i = 0; i < sizeof of_rows / sizeof *of_rows; i++) {
        GA_TRY(ga__temp(run, n, columns, of_rows[i]));
    }
    GA_TRY(ga__temp(run, n, 1, &d->dsums));
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
    DLTensor *dx = ga__grad(run, "features");
    GA_TRY(open_slope(run, s, &d));
    if (ga__tensor(run, "weight")) {
        GA_TRY(ga__linear_backward(run, s->f[s->k], run->grad_y, "weight", "bias", 0, d.g));
    } else {
        GA_TRY(ga__axpby(run->context, 1, run->grad_y, 0, d.g));
    }
    for (int64_t t = s->k - 1; t >= 0; t--) {
        ga__view part;
        GA_TRY(step_backward(run, s, &d, t, &dc));
        GA_TRY(ga__view_of(run->context, "p", d.dp, true, &part));
        dp += d.dp ? ga__view_get(&part, 0, 0, 0, 0) : 0;
    }
    if (dx) {
        GA_TRY(ga__axpby(run->context, 1, d.g, 0, dx));
        GA_TRY(ga__axpby(run->context, 1, d.df0, 1, dx));
    }
    status = store_numbers(run, s, dp, dc);
done:
    return status;
}

static const char *const sides[] = { "destination", "source", NULL };
static const char *const guards[] = { "zero", "eps", NULL };

static const ga_parameter parameters[] = {
    { .name = "p",
      .type = GA_PARAMETER_REAL,
      .initial = "2",
      .range = "> 0",
      GA__ABOVE(0),
      .help = "exponent" },
    { .name = "mu",
      .type = GA_PARAMETER_REAL,
      .initial = "0.1",
      .range = "> 0",
      GA__ABOVE(0),
      .help = "weight of the source term" },
    { .name = "k", .type = GA_PARAMETER_INT, .initial = "4", .range = ">= 0", GA__FROM(0), .help = "steps" },
    { .name = "alpha_side",
      .type = GA_PARAMETER_WORD,
      .initial = "destination",
      .words = sides,
      GA__ANY,
      .help = "whose alpha scales an edge; source: as in the authors' code" },
    { .name = "guard",
      .type = GA_PARAMETER_WORD,
      .initial = "zero",
      .words = guards,
      GA__ANY,
      .help = "edges of equal ends: by rule, or eps added to every length" },
    { .name = "guard_eps",
      .type = GA_PARAMETER_REAL,
      .initial = "1e-6",
      .range = "> 0",
      GA__ABOVE(0),
      .help = "what guard=eps adds" },
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

static const ga__layer_ops ops = { sizeof(state), true, forward, backward };

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
