/* edge_attention.c - message passing: ga_edge_attention_forward and _backward on top of passes over edges. */
#include "config.h"

#include <math.h>

#include "lib/base/workers.h"
#include "lib/engine/edge_attention/edge.h"

/* Single-precision copies and scratch of a call. */
typedef struct call {
    ga_context *context;
    ga__edge_problem problem;
    ga__edge_run run; /* forward: own rows are targets */
    float *owned[24];
    int owned_count;
} call;

static ga_status take(call *c, int64_t rows, int64_t columns, float **out)
{
    int64_t count = 0;
    ga_status status = GA_OK;
    *out = NULL;
    if (!ga__mul(rows, columns, &count)) {
        return ga__fail(c->context, GA_OVERFLOW, "edge attention: %lld rows of %lld numbers", (long long)rows,
                        (long long)columns);
    }
    GA_TRY(GA_NEW(c->context, count, out));
    ga__advise_large(*out, count * (int64_t)sizeof **out);
    c->owned[c->owned_count++] = *out;
done:
    return status;
}

static void release(call *c)
{
    for (int i = 0; i < c->owned_count; i++) {
        ga_free(c->context, c->owned[i]);
    }
}

/* The tensor as contiguous f32: its own data or a copy; NULL for none. */
static ga_status flat(call *c, const ga__view *view, const float **out)
{
    ga_status status = GA_OK;
    float *copy = NULL;
    *out = NULL;
    if (!view->data) {
        return GA_OK;
    }
    if (view->type == GA__F32 && (view->rows <= 1 || view->stride_row == view->columns)) {
        *out = view->data;
        return GA_OK;
    }
    GA_TRY(take(c, view->rows, view->columns, &copy));
    for (int64_t row = 0; row < view->rows; row++) {
        ga__view_load_f32(view, 0, 0, row, copy + row * view->columns);
    }
    *out = copy;
done:
    return status;
}

/* ---- 1 / norm of the rows of the cosine ---- */

enum { NORM_UNIT = 1024 };

typedef struct norms {
    ga_context *context;
    const ga__view *x;
    int64_t heads, width, next;
    float *out;
    const call *c;
    int status;
} norms;

static void norm_row(const norms *n, int64_t row)
{
    const char *data = ga__view_row(n->x, 0, 0, row);
    for (int64_t h = 0; h < n->heads; h++) {
        double sum = 0;
        for (int64_t i = h * n->width; i < (h + 1) * n->width; i++) {
            double x = n->x->type == GA__F32    ? ((const float *)(const void *)data)[i]
                       : n->x->type == GA__BF16 ? ga__from_bf16(((const uint16_t *)(const void *)data)[i])
                                                : ga__from_f16(((const uint16_t *)(const void *)data)[i]);
            sum += x * x;
        }
        double norm = sqrt(sum);
        n->out[row * n->heads + h] = norm <= 1e-12 ? 0 : (float)(1 / norm);
    }
}

static void norm_rows(void *user, int worker)
{
    norms *n = user;
    (void)worker;
    for (int64_t u;
         (u = ga__claim(&n->next)) * NORM_UNIT < n->x->rows && !ga__stopped(n->context, &n->status);) {
        for (int64_t row = u * NORM_UNIT; row < ga__min(n->x->rows, (u + 1) * NORM_UNIT); row++) {
            norm_row(n, row);
        }
    }
}

static ga_status inverse_norms(call *c, const ga__view *x, const float **out)
{
    float *to = NULL;
    ga_status status = GA_OK;
    GA_TRY(take(c, x->rows, c->problem.heads, &to));
    norms n = {
        .context = c->context, .x = x, .heads = c->problem.heads, .width = c->problem.width, .out = to
    };
    ga__workers(c->context, ga__threads_for(c->context, (x->rows + NORM_UNIT - 1) / NORM_UNIT), norm_rows,
                &n);
    GA_TRY(ga__noted_status(&n.status));
    *out = to;
done:
    return status;
}

/* ---- the run of a problem ---- */

/* First parameter of the targets: factor of softplus, bias of sigmoid. */
static ga_status row_constants(call *c)
{
    const ga_normaliser *n = &c->problem.given->normaliser;
    const ga_edges *edges = c->problem.edges;
    float *first = NULL;
    ga_status status = GA_OK;
    if (n->kind != GA_SIGMOID && n->kind != GA_SOFTPLUS) {
        return GA_OK;
    }
    GA_TRY(take(c, edges->targets, 1, &first));
    for (int64_t i = 0; i < edges->targets; i++) {
        double count = (double)(edges->offsets[i + 1] - edges->offsets[i]);
        double factor = n->length_scale ? log((double)c->problem.width) * log(count) : 1;
        first[i] = (float)(n->kind == GA_SIGMOID ? n->bias : count > 0 ? factor : 1);
    }
    c->run.row_first = first;
done:
    return status;
}

static bool same_rows(const ga__view *a, const ga__view *b)
{
    return a->data && a->data == b->data && a->type == b->type && a->columns == b->columns &&
           (a->rows <= 1 || a->stride_row == b->stride_row);
}

static ga_status prepare(call *c)
{
    const ga__edge_problem *p = &c->problem;
    const ga_edge_attention *g = p->given;
    ga_status status = GA_OK;
    bool pairs = g->score != GA_EDGE_ADDITIVE && g->score != GA_EDGE_CONSTANT;
    c->run = (ga__edge_run){
        .offsets = p->edges->offsets,
        .ids = p->edges->sources,
        .rows = p->edges->targets,
        .count = p->edges->count,
        .own = { .x = pairs ? p->q.data : NULL, .x_type = p->q.type, .x_stride = p->q.stride_row },
        .other = { .x = pairs ? p->k.data : NULL,
                   .y = p->v.data,
                   .x_type = p->k.type,
                   .y_type = p->v.type,
                   .x_stride = p->k.stride_row,
                   .y_stride = p->v.stride_row },
        .same = pairs && same_rows(&p->k, &p->v),
        .score = g->score,
        .kind = g->normaliser.kind,
        .heads = p->heads,
        .width = pairs ? p->width : 0,
        .width_v = p->width_v,
        .scale = (float)g->scale,
        .slope = (float)g->slope,
        .eps = g->normaliser.eps,
        .p = g->p,
        .guard = g->guard,
        .bias_heads = p->bias_heads,
        .y_factor = 1,
        .lse_stride = p->heads,
        .parameters = GA__EDGE_PARAMETERS,
    };
    GA_TRY(flat(c, &p->att, &c->run.att));
    GA_TRY(flat(c, &p->bias, &c->run.bias));
    GA_TRY(flat(c, &p->mask, &c->run.mask));
    GA_TRY(flat(c, &p->weight, &c->run.edge_weight));
    GA_TRY(flat(c, &p->target_scale, &c->run.own.scale));
    GA_TRY(flat(c, &p->source_scale, &c->run.other.scale));
    GA_TRY(flat(c, &p->r, &c->run.own.part));
    GA_TRY(flat(c, &p->l, &c->run.other.part));
    if (g->score == GA_EDGE_COSINE) {
        GA_TRY(inverse_norms(c, &p->q, &c->run.own.part));
        GA_TRY(inverse_norms(c, &p->k, &c->run.other.part));
    }
    GA_TRY(row_constants(c));
done:
    return status;
}

static ga_status run_pass(call *c, const ga__edge_run *run, ga__edge_mode mode, int64_t hub, double *datt,
                          double *totals)
{
    ga__edge_pass pass = {
        .run = run, .mode = mode, .slices = 1, .hub = hub, .datt = datt, .totals = totals
    };
    return ga__edge_pass_run(c->context, &pass);
}

/* ---- forward ---- */

static ga_status check_outputs(call *c, DLTensor *y, DLTensor *lse, DLTensor *sums, DLTensor *weights,
                               ga__edge_outputs *out, bool *wide)
{
    const ga__edge_problem *p = &c->problem;
    ga_context *context = c->context;
    int64_t targets = p->edges->targets;
    ga_status status = GA_OK;
    if (lse && p->given->normaliser.kind != GA_SOFTMAX) {
        return ga__fail(context, GA_INVALID, "lse: only softmax has it");
    }
    GA_TRY(ga__edge_output(context, "y", y, targets, p->v.columns, &out->y, wide));
    GA_TRY(ga__edge_output(context, "lse", lse, targets, p->heads, &out->lse, wide));
    GA_TRY(ga__edge_output(context, "sums", sums, targets, p->heads, &out->sums, wide));
    GA_TRY(ga__edge_output(context, "weights", weights, p->edges->count, p->heads, &out->map, wide));
done:
    return status;
}

ga_status ga__edge_attention_forward(ga_context *context, const ga_edge_attention *problem, DLTensor *y,
                                     DLTensor *lse, DLTensor *sums, DLTensor *weights, int64_t hub)
{
    call c = { .context = context };
    ga__edge_outputs out = { .y = { 0 } };
    bool wide = false;
    ga_status status = GA_OK;
    GA_TRY(ga__edge_resolve(context, problem, &c.problem));
    GA_TRY(check_outputs(&c, y, lse, sums, weights, &out, &wide));
    if (wide || c.problem.wide) {
        GA_TRY(ga__edge_reference_forward(context, &c.problem, &out));
        goto done;
    }
    GA_TRY(prepare(&c));
    c.run.y = out.y.data;
    c.run.y_out_type = GA__F32;
    c.run.y_out_stride = c.problem.v.columns;
    c.run.lse = out.lse.data;
    c.run.sums = out.sums.data;
    c.run.map = out.map.data;
    GA_TRY(run_pass(&c, &c.run, GA__EDGE_FORWARD, hub, NULL, NULL));
done:
    release(&c);
    return status;
}

ga_status ga_edge_attention_forward(ga_context *context, const ga_edge_attention *problem, DLTensor *y,
                                    DLTensor *lse, DLTensor *sums, DLTensor *weights)
{
    ga__begin(context);
    return ga__edge_attention_forward(context, problem, y, lse, sums, weights, GA__EDGE_HUB);
}

/* ---- backward ---- */

static ga_status read_given(ga_context *context, const char *name, const DLTensor *tensor, int64_t rows,
                            int64_t columns, ga__view *view, bool *wide)
{
    ga_status status = ga__view_of(context, name, tensor, true, view);
    if (status == GA_OK && tensor) {
        status = ga__view_expect(context, name, view, 1, 1, rows, columns);
        *wide = *wide || view->type == GA__F64;
    }
    return status;
}

/* A gradient of something that the problem lacks. */
static ga_status check_wanted(ga_context *context, const char *name, const DLTensor *tensor,
                              const ga__view *input)
{
    return tensor && !input->data
               ? ga__fail(context, GA_INVALID, "gradient of %s: the problem has no %s", name, name)
               : GA_OK;
}

static ga_status check_slopes(call *c, const ga_edge_gradients *g, ga__edge_slopes *s, bool *wide)
{
    const ga__edge_problem *p = &c->problem;
    ga_context *context = c->context;
    int64_t targets = p->edges->targets, sources = p->edges->sources_count, count = p->edges->count;
    bool laplacian = p->given->normaliser.kind == GA_P_LAPLACIAN;
    ga_status status = GA_OK;
    if (!g || !g->grad_y) {
        return ga__fail(context, GA_INVALID, "grad_y: a gradient of the output is needed");
    }
    if ((g->grad_sums || g->p) && !laplacian) {
        return ga__fail(context, GA_INVALID, "gradients of sums and p belong to the p-Laplacian");
    }
    GA_TRY(read_given(context, "grad_y", g->grad_y, targets, p->v.columns, &s->grad_y, wide));
    GA_TRY(read_given(context, "y", g->y, targets, p->v.columns, &s->y, wide));
    if (p->given->normaliser.kind == GA_SOFTMAX) {
        GA_TRY(read_given(context, "lse", g->lse, targets, p->heads, &s->lse, wide));
    }
    GA_TRY(read_given(context, "grad_sums", g->grad_sums, targets, p->heads, &s->grad_sums, wide));
    GA_TRY(check_wanted(context, "q", g->q, &p->q));
    GA_TRY(check_wanted(context, "k", g->k, &p->k));
    GA_TRY(check_wanted(context, "l", g->l, &p->l));
    GA_TRY(check_wanted(context, "r", g->r, &p->r));
    GA_TRY(check_wanted(context, "att", g->att, &p->att));
    GA_TRY(check_wanted(context, "edge_bias", g->edge_bias, &p->bias));
    GA_TRY(ga__edge_output(context, "gradient of q", g->q, targets, p->q.columns, &s->q, wide));
    GA_TRY(ga__edge_output(context, "gradient of k", g->k, sources, p->k.columns, &s->k, wide));
    GA_TRY(ga__edge_output(context, "gradient of v", g->v, sources, p->v.columns, &s->v, wide));
    GA_TRY(ga__edge_output(context, "gradient of l", g->l, sources, p->heads, &s->l, wide));
    GA_TRY(ga__edge_output(context, "gradient of r", g->r, targets, p->heads, &s->r, wide));
    GA_TRY(ga__edge_output(context, "gradient of att", g->att, p->heads, p->width, &s->att, wide));
    GA_TRY(ga__edge_output(context, "gradient of edge_bias", g->edge_bias,
                           p->bias_heads == 1 && p->bias.rows == 1 ? 1 : count, p->bias.columns, &s->bias,
                           wide));
    GA_TRY(ga__edge_output(context, "gradient of p", g->p, 1, 1, &s->p, wide));
done:
    return status;
}

static ga_status check_transposed(ga_context *context, const ga_edges *edges, const ga_transposed *t,
                                  const ga__edge_slopes *s)
{
    if (!s->k.data && !s->v.data && !s->l.data) {
        return GA_OK;
    }
    if (!t || !t->offsets || (edges->count > 0 && (!t->targets || !t->edge))) {
        return ga__fail(context, GA_INVALID, "transposed: gradients of sources need it");
    }
    if (t->offsets[0] != 0 || t->offsets[edges->sources_count] != edges->count) {
        return ga__fail(context, GA_INVALID, "transposed: these are other edges");
    }
    return GA_OK;
}

/* Fills records; y and lse of the forward pass are computed where they are needed and not given. */
static ga_status fill_records(call *c, const ga__edge_slopes *s, ga__edge_run *run, int64_t hub)
{
    const ga__edge_problem *p = &c->problem;
    int64_t targets = p->edges->targets;
    ga_normaliser_kind kind = run->kind;
    ga__edge_run forward = c->run;
    ga_status status = GA_OK;
    const float *given = NULL;
    if (kind == GA_SOFTMAX && s->y.data && s->lse.data) {
        run->y = s->y.data;
        run->y_out_type = s->y.type;
        run->y_out_stride = s->y.stride_row;
        GA_TRY(flat(c, &s->lse, &given));
        run->lse = (float *)(uintptr_t)given; /* read only */
    } else if (kind == GA_SOFTMAX) {
        GA_TRY(take(c, targets, p->v.columns, (float **)&forward.y));
        GA_TRY(take(c, targets, p->heads, &forward.lse));
        run->y = forward.y;
        run->y_out_type = forward.y_out_type = GA__F32;
        run->y_out_stride = forward.y_out_stride = p->v.columns;
        run->lse = forward.lse;
        GA_TRY(run_pass(c, &forward, GA__EDGE_FORWARD, hub, NULL, NULL));
    }
    if (kind == GA_P_LAPLACIAN) {
        GA_TRY(flat(c, &s->grad_sums, &given));
        run->sums = (float *)(uintptr_t)given; /* read only */
    }
    GA_TRY(take(c, targets, GA__EDGE_PARAMETERS * p->heads, &run->record));
    GA_TRY(run_pass(c, run, GA__EDGE_RECORDS, hub, NULL, NULL));
done:
    return status;
}

static ga_status target_pass(call *c, const ga__edge_slopes *s, ga__edge_run run, int64_t hub)
{
    const ga__edge_problem *p = &c->problem;
    ga_status status = GA_OK;
    double *datt = NULL, totals[GA__EDGE_TOTALS];
    run.dx = s->q.data;
    run.dx_stride = p->q.columns;
    run.dpart = s->r.data;
    run.dbias = s->bias.data;
    run.want_att = s->att.data != NULL;
    run.want_x = run.dx || run.want_att;
    run.want_part = run.dpart != NULL;
    run.want_p = s->p.data != NULL;
    if (!run.want_x && !run.want_part && !run.want_p && !run.dbias) {
        return GA_OK;
    }
    if (run.want_att) {
        GA_TRY(GA_NEW(c->context, p->heads * p->width, &datt));
    }
    GA_TRY(run_pass(c, &run, GA__EDGE_BACKWARD, hub, datt, run.want_p ? totals : NULL));
    for (int64_t i = 0; datt && i < p->heads * p->width; i++) {
        ga__view_set(&s->att, 0, 0, i / p->width, i % p->width, datt[i]);
    }
    if (run.want_p) {
        ga__view_set(&s->p, 0, 0, 0, 0, totals[0]);
    }
done:
    ga_free(c->context, datt);
    return status;
}

static ga_status source_pass(call *c, const ga_transposed *transposed, const ga__edge_slopes *s,
                             ga__edge_run run, int64_t hub)
{
    const ga__edge_problem *p = &c->problem;
    ga__edge_side targets = run.own, sources = run.other;
    run.offsets = transposed->offsets;
    run.ids = transposed->targets;
    run.edge = transposed->edge;
    run.rows = p->edges->sources_count;
    run.swapped = true;
    run.same = false;
    run.own = sources;
    run.other = targets;
    run.dx = s->k.data;
    run.dx_stride = p->k.columns;
    run.dy = s->v.data;
    run.dy_stride = p->v.columns;
    run.add_dy = run.dx && run.dx == run.dy; /* one tensor for k and v: their gradients are added */
    run.dpart = s->l.data;
    run.want_x = run.dx != NULL;
    run.want_y = run.dy != NULL;
    run.want_part = run.dpart != NULL;
    return run.want_x || run.want_y || run.want_part ? run_pass(c, &run, GA__EDGE_BACKWARD, hub, NULL, NULL)
                                                     : GA_OK;
}

ga_status ga__edge_attention_backward(ga_context *context, const ga_edge_attention *problem,
                                      const ga_transposed *transposed, const ga_edge_gradients *gradients,
                                      int64_t hub)
{
    call c = { .context = context };
    ga__edge_slopes s = { .grad_y = { 0 } };
    bool wide = false;
    ga_status status = GA_OK;
    GA_TRY(ga__edge_resolve(context, problem, &c.problem));
    GA_TRY(check_slopes(&c, gradients, &s, &wide));
    GA_TRY(check_transposed(context, c.problem.edges, transposed, &s));
    if (wide || c.problem.wide) {
        GA_TRY(ga__edge_reference_backward(context, &c.problem, transposed, &s));
        goto done;
    }
    GA_TRY(prepare(&c));
    ga__edge_run run = c.run;
    run.own.y = s.grad_y.data;
    run.own.y_type = s.grad_y.type;
    run.own.y_stride = s.grad_y.stride_row;
    GA_TRY(fill_records(&c, &s, &run, hub));
    GA_TRY(target_pass(&c, &s, run, hub));
    GA_TRY(source_pass(&c, transposed, &s, run, hub));
done:
    release(&c);
    return status;
}

ga_status ga_edge_attention_backward(ga_context *context, const ga_edge_attention *problem,
                                     const ga_transposed *transposed, const ga_edge_gradients *gradients)
{
    ga__begin(context);
    return ga__edge_attention_backward(context, problem, transposed, gradients, GA__EDGE_HUB);
}
