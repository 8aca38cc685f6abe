/* edge_gradients.c - message passing: ga_edge_attention_backward on top of passes over edges. */
#include "config.h"

#include "lib/engine/device/device.h"
#include "lib/engine/edge_attention/edge_call.h"

static ga_status read_given(ga_context *context, const char *name, const DLTensor *tensor, int64_t rows,
                            int64_t columns, ga__view *view, bool *wide)
{
    ga_status status = ga__view_anywhere(context, name, tensor, true, view);
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

static ga_status check_slopes(ga__edge_call *c, const ga_edge_gradients *g, ga__edge_slopes *s, bool *wide)
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
    GA_TRY(check_wanted(context, "att_source", g->att_source, &p->att_source));
    GA_TRY(check_wanted(context, "att_target", g->att_target, &p->att_target));
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
    GA_TRY(ga__edge_output(context, "gradient of att_source", g->att_source, p->heads, p->width_v,
                           &s->att_source, wide));
    GA_TRY(ga__edge_output(context, "gradient of att_target", g->att_target, p->heads, p->width_v,
                           &s->att_target, wide));
done:
    return status;
}

static ga_status check_transposed(ga_context *context, const ga_edges *edges, const ga_transposed *t,
                                  const ga__edge_slopes *s)
{
    if (!s->k.data && !s->v.data && !s->l.data && !s->att_source.data && !s->att_target.data) {
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

/* The gradient of v in the place of v. */
static ga_status check_place(ga_context *context, const ga__edge_problem *p, const ga__view *v)
{
    bool alike = p->given->score == GA_EDGE_ADDITIVE && v->type == p->v.type &&
                 (p->v.rows <= 1 || p->v.stride_row == p->v.columns);
    return v->data != p->v.data || p->v.rows * p->v.columns == 0 || alike
               ? GA_OK
               : ga__fail(context, GA_INVALID,
                          "gradient of v: only the additive score may replace v, stored alike");
}

/* What is computed for whom. */
typedef struct wanted {
    bool maps;                      /* v gets the gradient through l and r */
    bool r, l;                      /* gradients of r and l, for the caller or for the maps */
    bool targets, sources, records; /* passes; the third of the records */
} wanted;

/* found: the pass over targets finds what that over sources needs. */
static wanted what_is_wanted(const ga__edge_call *c, const ga__edge_slopes *s, bool found)
{
    const ga__edge_problem *p = &c->problem;
    bool v = s->v.data != NULL;
    wanted w = { .maps = (v && (p->att_source.data || p->att_target.data)) || s->att_source.data ||
                         s->att_target.data };
    w.r = s->r.data || (v && p->att_target.data) || s->att_target.data;
    w.l = s->l.data || (v && p->att_source.data) || s->att_source.data;
    w.targets = s->q.data || s->att.data || w.r || s->p.data || s->bias.data;
    w.sources = v || s->k.data || w.l || w.maps;
    w.records = w.targets || s->k.data || w.l;
    w.targets = w.targets || (found && w.sources);
    return w;
}

/* Fills records; sums of softmax edge by edge where y is not given. */
static ga_status fill_records(ga__edge_call *c, const ga__edge_slopes *s, ga__edge_run *run, int64_t hub)
{
    const ga__edge_problem *p = &c->problem;
    ga_status status = GA_OK;
    const float *given = NULL;
    if (run->kind == GA_SOFTMAX && s->y.data && !run->direct) {
        run->y = s->y.data;
        run->y_out_type = s->y.type;
        run->y_out_stride = s->y.stride_row;
    }
    if (run->kind == GA_P_LAPLACIAN) {
        GA_TRY(ga__edge_flat(c, &s->grad_sums, &given));
        run->sums = (float *)(uintptr_t)given; /* read only */
    }
    if (run->kind == GA_P_LAPLACIAN && run->direct) {
        goto done;
    }
    GA_TRY(ga__edge_take(c, p->edges->targets, run->parameters * p->heads, &run->record));
    if (!run->direct) {
        GA_TRY(ga__edge_run_pass(c, run, GA__EDGE_RECORDS, hub, NULL, 0, NULL));
    }
done:
    return status;
}

static void write_att(const ga__view *to, const double *from, int64_t width)
{
    for (int64_t i = 0; to->data && i < to->rows * to->columns; i++) {
        ga__view_set(to, 0, 0, i / width, i % width, from[i]);
    }
}

/* lse of the forward pass, computed where it is not given. */
static ga_status find_lse(ga__edge_call *c, const ga__edge_slopes *s, ga__edge_run *run, int64_t hub)
{
    ga__edge_run forward = c->run;
    ga_status status = GA_OK;
    const float *given = NULL;
    if (run->kind != GA_SOFTMAX) {
        return GA_OK;
    }
    if (s->lse.data) {
        GA_TRY(ga__edge_flat(c, &s->lse, &given));
        run->lse = (float *)(uintptr_t)given; /* read only */
    } else {
        GA_TRY(ga__edge_take(c, c->problem.edges->targets, c->problem.heads, &forward.lse));
        run->lse = forward.lse;
        GA_TRY(ga__edge_run_pass(c, &forward, GA__EDGE_FORWARD, hub, NULL, 0, NULL));
    }
done:
    return status;
}

/* dr: the gradient of r, for the pass over sources. */
static ga_status target_pass(ga__edge_call *c, const ga__edge_slopes *s, const wanted *w, ga__edge_run run,
                             int64_t hub, const float **dr)
{
    const ga__edge_problem *p = &c->problem;
    ga_status status = GA_OK;
    double *datt = NULL, totals[GA__EDGE_TOTALS];
    run.dx = s->q.data;
    run.dx_stride = p->q.columns;
    run.dpart = s->r.data;
    run.want_att = s->att.data != NULL;
    run.want_x = run.dx || run.want_att;
    run.want_part = w->r;
    run.want_p = s->p.data != NULL;
    if (!w->targets) {
        return GA_OK;
    }
    if (w->r && !run.dpart) {
        GA_TRY(ga__edge_take(c, p->edges->targets, p->heads, &run.dpart));
    }
    if (run.want_att) {
        GA_TRY(GA_NEW(c->context, p->heads * p->width, &datt));
    }
    GA_TRY(ga__edge_run_pass(c, &run, GA__EDGE_BACKWARD, hub, datt, p->heads * p->width,
                             run.want_p ? totals : NULL));
    *dr = run.dpart;
    write_att(&s->att, datt, p->width);
    if (run.want_p) {
        ga__view_set(&s->p, 0, 0, 0, 0, totals[0]);
    }
done:
    ga_free(c->context, datt);
    return status;
}

static ga_status source_pass(ga__edge_call *c, const ga_transposed *transposed, const ga__edge_slopes *s,
                             const wanted *w, ga__edge_run run, int64_t hub)
{
    const ga__edge_problem *p = &c->problem;
    ga__edge_side targets = run.own, sources = run.other;
    ga_status status = GA_OK;
    double *datt = NULL;
    int64_t size = p->heads * p->width_v;
    if (!w->sources) {
        return GA_OK;
    }
    run.offsets = transposed->offsets;
    run.ids = transposed->targets;
    run.edge = transposed->edge;
    run.rows = p->edges->sources_count;
    run.swapped = true;
    run.dbias = NULL;
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
    run.want_part = w->l;
    run.want_att = s->att_source.data || s->att_target.data;
    if (w->maps) {
        GA_TRY(ga__edge_flat(c, &p->att_source, &run.att_source));
        GA_TRY(ga__edge_flat(c, &p->att_target, &run.att_target));
    }
    if (run.want_att) {
        GA_TRY(GA_NEW(c->context, 2 * size, &datt));
    }
    GA_TRY(ga__edge_run_pass(c, &run, GA__EDGE_BACKWARD, hub, datt, 2 * size, NULL));
    if (datt) {
        write_att(&s->att_source, datt, p->width_v);
        write_att(&s->att_target, datt + size, p->width_v);
    }
done:
    ga_free(c->context, datt);
    return status;
}

ga_status ga__edge_attention_backward(ga_context *context, const ga_edge_attention *problem,
                                      const ga_transposed *transposed, const ga_edge_gradients *gradients,
                                      int64_t hub)
{
    ga__edge_call c = { .context = context };
    ga__edge_slopes s = { .grad_y = { 0 } };
    bool wide = false;
    ga_status status = GA_OK;
    GA_TRY(ga__edge_resolve(context, problem, &c.problem));
    GA_TRY(check_slopes(&c, gradients, &s, &wide));
    GA_TRY(check_transposed(context, c.problem.edges, transposed, &s));
    GA_TRY(check_place(context, &c.problem, &s.v));
    if (ga__device_of(context)) {
        GA_TRY(ga__edge_backward_on_device(&c, transposed, &s, wide || c.problem.wide));
        goto done;
    }
    if (wide || c.problem.wide) {
        GA_TRY(ga__edge_reference_backward(context, &c.problem, transposed, &s));
        goto done;
    }
    GA_TRY(ga__edge_prepare(&c));
    ga__edge_run run = c.run;
    run.own.y = s.grad_y.data;
    run.own.y_type = s.grad_y.type;
    run.own.y_stride = s.grad_y.stride_row;
    run.dbias = s.bias.data;
    run.direct = ga__edge_ops_of(context)->direct_backward(&run);
    run.parameters = run.direct ? GA__EDGE_DIRECT_RECORDS : GA__EDGE_PARAMETERS;
    wanted w = what_is_wanted(&c, &s, run.direct && run.kind == GA_SOFTMAX);
    run.no_third = !w.records;
    GA_TRY(find_lse(&c, &s, &run, hub));
    GA_TRY(fill_records(&c, &s, &run, hub));
    GA_TRY(target_pass(&c, &s, &w, run, hub, &run.dr));
    GA_TRY(source_pass(&c, transposed, &s, &w, run, hub));
done:
    ga__edge_release(&c);
    return status;
}

ga_status ga_edge_attention_backward(ga_context *context, const ga_edge_attention *problem,
                                     const ga_transposed *transposed, const ga_edge_gradients *gradients)
{
    ga__begin(context);
    return ga__edge_attention_backward(context, problem, transposed, gradients, GA__EDGE_HUB);
}
