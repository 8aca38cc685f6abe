/* edge_attention.c - message passing: ga_edge_attention_forward on top of passes over edges. */
#include "config.h"

#include <math.h>

#include "lib/engine/device/device.h"
#include "lib/engine/edge_attention/edge_call.h"

ga_status ga__edge_take(ga__edge_call *c, int64_t rows, int64_t columns, float **out)
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

void ga__edge_release(ga__edge_call *c)
{
    for (int i = 0; i < c->owned_count; i++) {
        ga_free(c->context, c->owned[i]);
    }
}

/* The tensor as contiguous f32: its own data or a copy; NULL for none. */
ga_status ga__edge_flat(ga__edge_call *c, const ga__view *view, const float **out)
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
    GA_TRY(ga__edge_take(c, view->rows, view->columns, &copy));
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
    const ga__edge_call *c;
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

static ga_status inverse_norms(ga__edge_call *c, const ga__view *x, const float **out)
{
    float *to = NULL;
    ga_status status = GA_OK;
    GA_TRY(ga__edge_take(c, x->rows, c->problem.heads, &to));
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
static ga_status row_constants(ga__edge_call *c)
{
    const ga_normaliser *n = &c->problem.given->normaliser;
    const ga_edges *edges = c->problem.edges;
    float *first = NULL;
    ga_status status = GA_OK;
    if (n->kind != GA_SIGMOID && n->kind != GA_SOFTPLUS) {
        return GA_OK;
    }
    GA_TRY(ga__edge_take(c, edges->targets, 1, &first));
    for (int64_t i = 0; i < edges->targets; i++) {
        double count = (double)(edges->offsets[i + 1] - edges->offsets[i]);
        double factor = n->length_scale ? log((double)c->problem.width) * log(count) : 1;
        first[i] = (float)(n->kind == GA_SIGMOID ? n->bias : count > 0 ? factor : 1);
    }
    c->run.row_first = first;
done:
    return status;
}

bool ga__edge_same_rows(const ga__view *a, const ga__view *b)
{
    return a->data && a->data == b->data && a->type == b->type && a->columns == b->columns &&
           (a->rows <= 1 || a->stride_row == b->stride_row);
}

ga_status ga__edge_prepare(ga__edge_call *c)
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
        .same = pairs && !g->keep_values.bits && ga__edge_same_rows(&p->k, &p->v),
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
        .keep_weights = { g->keep_weights.bits, (float)g->keep_weights.scale },
        .keep_values = { g->keep_values.bits, (float)g->keep_values.scale },
    };
    GA_TRY(ga__edge_flat(c, &p->att, &c->run.att));
    GA_TRY(ga__edge_flat(c, &p->bias, &c->run.bias));
    GA_TRY(ga__edge_flat(c, &p->mask, &c->run.mask));
    GA_TRY(ga__edge_flat(c, &p->weight, &c->run.edge_weight));
    GA_TRY(ga__edge_flat(c, &p->target_scale, &c->run.own.scale));
    GA_TRY(ga__edge_flat(c, &p->source_scale, &c->run.other.scale));
    GA_TRY(ga__edge_flat(c, &p->r, &c->run.own.part));
    GA_TRY(ga__edge_flat(c, &p->l, &c->run.other.part));
    if (g->score == GA_EDGE_COSINE) {
        GA_TRY(inverse_norms(c, &p->q, &c->run.own.part));
        c->run.other.part = c->run.own.part;
        if (!ga__edge_same_rows(&p->q, &p->k) || p->q.rows != p->k.rows) {
            GA_TRY(inverse_norms(c, &p->k, &c->run.other.part));
        }
    }
    GA_TRY(row_constants(c));
done:
    return status;
}

ga_status ga__edge_run_pass(ga__edge_call *c, const ga__edge_run *run, ga__edge_mode mode, int64_t hub,
                            double *datt, int64_t att_size, double *totals)
{
    ga__edge_pass pass = { .run = run,
                           .mode = mode,
                           .slices = 1,
                           .hub = hub,
                           .datt = datt,
                           .att_size = att_size,
                           .totals = totals };
    return ga__edge_pass_run(c->context, &pass);
}

/* ---- forward ---- */

static ga_status check_outputs(ga__edge_call *c, DLTensor *y, DLTensor *lse, DLTensor *sums,
                               DLTensor *weights, ga__edge_outputs *out, bool *wide)
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
    ga__edge_call c = { .context = context };
    ga__edge_outputs out = { .y = { 0 } };
    bool wide = false;
    ga_status status = GA_OK;
    GA_TRY(ga__edge_resolve(context, problem, &c.problem));
    GA_TRY(check_outputs(&c, y, lse, sums, weights, &out, &wide));
    if (ga__device_of(context)) {
        GA_TRY(ga__edge_forward_on_device(&c, &out, wide || c.problem.wide));
        goto done;
    }
    if (wide || c.problem.wide) {
        GA_TRY(ga__edge_reference_forward(context, &c.problem, &out));
        goto done;
    }
    GA_TRY(ga__edge_prepare(&c));
    c.run.y = out.y.data;
    c.run.y_out_type = GA__F32;
    c.run.y_out_stride = c.problem.v.columns;
    c.run.lse = out.lse.data;
    c.run.sums = out.sums.data;
    c.run.map = out.map.data;
    GA_TRY(ga__edge_run_pass(&c, &c.run, GA__EDGE_FORWARD, hub, NULL, 0, NULL));
done:
    ga__edge_release(&c);
    return status;
}

ga_status ga_edge_attention_forward(ga_context *context, const ga_edge_attention *problem, DLTensor *y,
                                    DLTensor *lse, DLTensor *sums, DLTensor *weights)
{
    ga__begin(context);
    return ga__edge_attention_forward(context, problem, y, lse, sums, weights, GA__EDGE_HUB);
}
