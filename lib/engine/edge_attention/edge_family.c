/* edge_family.c - attention on explicit patterns, row by row: every (batch, head) is a slice of a pass over edges. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/engine/attention/attention.h"
#include "lib/engine/edge_attention/edge.h"

/* ---- what it can do ---- */

static bool is_f64(const DLTensor *tensor)
{
    return tensor && tensor->dtype.code == kDLFloat && tensor->dtype.bits == 64;
}

static const char *can_problem(const ga__attention *a)
{
    const ga_pattern *p = a->pattern;
    if (p->source != GA__SOURCE_EXPLICIT || p->real || p->places != p->keys) {
        return "edges do explicit patterns only";
    }
    if (a->wide) {
        return "edges compute in single precision";
    }
    if (a->problem->post && a->problem->post->form != GA_POST_NONE) {
        return "edges have no post steps";
    }
    if (ga__has_columns(a)) {
        return "add terms of a key to the scores";
    }
    return a->table.data ? "edges have no relative tables" : NULL;
}

static const char *can_forward(const ga__attention *a, const ga_attention_result *result)
{
    if (result->map || result->statistics) {
        return "edges give neither maps nor statistics";
    }
    if (is_f64(result->o) || is_f64(result->lse)) {
        return "edges compute in single precision";
    }
    return can_problem(a);
}

static const char *can_backward(const ga__attention *a, const ga_attention_gradients *g)
{
    const DLTensor *all[] = { g->grad_o,       g->q,         g->k, g->v, g->bias, g->edge_bias, g->slopes,
                              g->sigmoid_bias, g->eta_logits };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (is_f64(all[i])) {
            return "edges compute in single precision";
        }
    }
    if (g->head_scale) {
        return "edges have no gradient of head_scale";
    }
    return can_problem(a);
}

/* ---- slices ---- */

typedef struct family {
    ga_context *context;
    const ga__attention *a;
    ga__edge_run run;
    const float *edge_bias, *second; /* copies; second: (batch, heads, queries) */
    int64_t edge_heads;
    void *o; /* (batch, heads, queries, dim_v): written forward, read by records */
    ga__type o_type;
    float *lse, *sums; /* (batch, heads, queries) */
    ga__view grad_o, dbias_dense;
    float *record, *dq, *dk, *dv, *dedge;
    void *owned[16];
    int owned_count;
} family;

static int64_t type_size(ga__type type)
{
    return type == GA__F64 ? 8 : type == GA__F32 ? 4 : 2;
}

/* Features of one (batch, head). */
static const void *slice_rows(const ga__view *view, int64_t batch, int64_t head)
{
    return view->data ? ga__view_row(view, batch, head, 0) : NULL;
}

/* What all passes have in common; targets and sources are the sides to be filled. */
static void select_common(family *f, ga__edge_run *run, int64_t slice, ga__edge_side *targets,
                          ga__edge_side *sources)
{
    const ga__attention *a = f->a;
    int64_t batch = slice / a->heads, head = slice % a->heads;
    targets->x = slice_rows(&a->q, batch, head);
    sources->x = slice_rows(&a->k, batch, head / a->group);
    sources->y = slice_rows(&a->v, batch, head / a->group);
    run->bias = f->edge_bias ? f->edge_bias + (f->edge_heads == 1 ? 0 : head) * a->pattern->given : NULL;
    run->row_second = f->second ? f->second + slice * a->queries : NULL;
    if (a->bias.data) {
        run->dense = a->bias;
        run->dense.data = ga__view_row(&a->bias, 0, a->bias.heads == 1 ? 0 : head, 0);
    }
    run->distance_bias = a->slopes.data != NULL;
    run->distance_slope = run->distance_bias ? (float)ga__view_get(&a->slopes, 0, 0, 0, head) : 0;
    run->y_factor = a->head_scale.data ? (float)ga__view_get(&a->head_scale, 0, 0, 0, head) : 1;
    run->y = f->o ? (char *)f->o + slice * a->queries * a->dim_v * type_size(f->o_type) : NULL;
    run->lse = f->lse ? f->lse + slice * a->queries : NULL;
    run->sums = f->sums ? f->sums + slice * a->queries : NULL;
    run->record = f->record ? f->record + slice * a->queries * run->parameters : NULL;
}

static void select_forward(ga__edge_run *run, int64_t slice, void *user)
{
    select_common(user, run, slice, &run->own, &run->other);
}

/* Records and the pass over targets. */
static void select_targets(ga__edge_run *run, int64_t slice, void *user)
{
    family *f = user;
    const ga__attention *a = f->a;
    int64_t head = slice % a->heads;
    select_common(f, run, slice, &run->own, &run->other);
    run->own.y = slice_rows(&f->grad_o, slice / a->heads, head);
    run->dx = f->dq ? f->dq + slice * a->queries * a->dim : NULL;
    run->dbias = f->dedge ? f->dedge + (f->edge_heads == 1 ? 0 : head) * a->pattern->given : NULL;
    if (f->dbias_dense.data) {
        run->ddense = f->dbias_dense;
        run->ddense.data = ga__view_row(&f->dbias_dense, 0, f->dbias_dense.heads == 1 ? 0 : head, 0);
    }
}

/* The heads of a group follow each other and add to what the first of them wrote. */
static void select_sources(ga__edge_run *run, int64_t slice, void *user)
{
    family *f = user;
    const ga__attention *a = f->a;
    int64_t head = slice % a->heads, at = slice / a->heads * a->kv_heads + head / a->group;
    select_common(f, run, slice, &run->other, &run->own);
    run->other.y = slice_rows(&f->grad_o, slice / a->heads, head);
    run->dx = f->dk ? f->dk + at * a->keys * a->dim : NULL;
    run->dy = f->dv ? f->dv + at * a->keys * a->dim_v : NULL;
    run->add_dx = head % a->group > 0;
    run->add_dy = run->add_dx || (run->dx && run->dx == run->dy);
}

/* ---- preparing ---- */

static ga_status take(family *f, int64_t count, size_t size, void *out)
{
    ga_status status = GA_OK;
    void *block = NULL;
    GA_TRY(ga_alloc(f->context, count, size, &block));
    f->owned[f->owned_count++] = block;
    memcpy(out, &block, sizeof block);
done:
    return status;
}

static void release(family *f)
{
    for (int i = 0; i < f->owned_count; i++) {
        ga_free(f->context, f->owned[i]);
    }
}

static ga_status row_constants(family *f)
{
    const ga__attention *a = f->a;
    ga_normaliser_kind kind = a->normaliser.kind;
    ga_status status = GA_OK;
    float *first = NULL, *second = NULL;
    if (kind == GA_SIGMOID || kind == GA_SOFTPLUS || kind == GA_SOFTPLUS_REWEIGHT) {
        GA_TRY(take(f, a->queries, sizeof *first, &first));
        for (int64_t i = 0; i < a->queries; i++) {
            int64_t n = a->pattern->offsets[i + 1] - a->pattern->offsets[i];
            first[i] = n == 0 ? 1 : (float)(kind == GA_SIGMOID ? ga__row_shift(a, n) : ga__row_factor(a, n));
        }
        f->run.row_first = first;
    }
    if (kind == GA_NORM_ATTENTION) {
        GA_TRY(take(f, a->batch * a->heads * a->queries, sizeof *second, &second));
        for (int64_t s = 0; s < a->batch * a->heads; s++) {
            for (int64_t i = 0; i < a->queries; i++) {
                second[s * a->queries + i] = (float)ga__row_eta(a, s / a->heads, s % a->heads, i);
            }
        }
        f->second = second;
    }
done:
    return status;
}

static ga_status copy_edge_bias(family *f)
{
    const ga__view *bias = &f->a->edge_bias;
    ga_status status = GA_OK;
    float *copy = NULL;
    if (!bias->data) {
        return GA_OK;
    }
    f->edge_heads = bias->rows;
    if (bias->type == GA__F32 && (bias->rows <= 1 || bias->stride_row == bias->columns)) {
        f->edge_bias = bias->data;
        return GA_OK;
    }
    GA_TRY(take(f, bias->rows * bias->columns, sizeof *copy, &copy));
    for (int64_t h = 0; h < bias->rows; h++) {
        ga__view_load_f32(bias, 0, 0, h, copy + h * bias->columns);
    }
    f->edge_bias = copy;
done:
    return status;
}

static ga_status prepare(ga_context *context, const ga__attention *a, family *f)
{
    const ga_pattern *p = a->pattern;
    ga_status status = GA_OK;
    int64_t numbers = 0;
    *f = (family){ .context = context, .a = a };
    f->run = (ga__edge_run){
        .offsets = p->offsets,
        .ids = p->indices,
        .edge = p->edge,
        .rows = p->queries,
        .count = p->queries ? p->offsets[p->queries] : 0,
        .own = { .x_type = a->q.type, .x_stride = a->q.stride_row },
        .other = { .x_type = a->k.type,
                   .y_type = a->v.type,
                   .x_stride = a->k.stride_row,
                   .y_stride = a->v.stride_row },
        .score = GA_EDGE_DOT,
        .kind = a->normaliser.kind,
        .heads = 1,
        .width = a->dim,
        .width_v = a->dim_v,
        .scale = (float)a->scale,
        .softcap = (float)a->softcap,
        .eps = a->normaliser.eps,
        .power = a->normaliser.power,
        .reweight_offset = a->normaliser.offset,
        .free_rows = a->normaliser.free_rows,
        .bias_heads = 1,
        .shift = a->shift,
        .lse_stride = 1,
        .y_out_stride = a->dim_v,
        .parameters =
            a->normaliser.kind == GA_SOFTPLUS_REWEIGHT ? GA__EDGE_MOST_PARAMETERS : GA__EDGE_PARAMETERS,
    };
    if (!ga__mul(a->batch * a->heads, a->queries, &numbers) ||
        !ga__mul(numbers, GA__EDGE_MOST_PARAMETERS + a->dim + a->dim_v, &numbers)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "attention: too many queries, heads and batches"));
    }
    GA_TRY(row_constants(f));
    GA_TRY(copy_edge_bias(f));
done:
    return status;
}

/* Rows of softplus-reweight and inline are not taken apart: their weights need the whole row. */
static int64_t hub_of(const family *f)
{
    return f->run.kind == GA_SOFTPLUS_REWEIGHT ? INT64_MAX : GA__EDGE_HUB;
}

static ga_status run_pass(family *f, const ga__edge_run *run, ga__edge_mode mode,
                          void (*select)(ga__edge_run *, int64_t, void *), double *totals)
{
    ga__edge_pass pass = { .run = run,
                           .mode = mode,
                           .slices = f->a->batch * f->a->heads,
                           .hub = hub_of(f),
                           .select = select,
                           .user = f,
                           .totals = totals };
    return ga__edge_pass_run(f->context, &pass);
}

/* ---- forward ---- */

static ga_status forward(ga_context *context, const ga__attention *a, const ga_attention_result *result)
{
    family f;
    ga__view o, lse;
    ga_status status = GA_OK;
    GA_TRY(prepare(context, a, &f));
    GA_TRY(ga__view_of(context, "o", result->o, true, &o));
    GA_TRY(ga__view_of(context, "lse", result->lse, true, &lse));
    f.o = o.data;
    f.o_type = f.run.y_out_type = o.type;
    f.lse = lse.data;
    GA_TRY(run_pass(&f, &f.run, GA__EDGE_FORWARD, select_forward, NULL));
done:
    release(&f);
    return status;
}

/* ---- backward ---- */

static bool contiguous(const ga__view *view)
{
    int64_t head = view->rows * view->columns, batch = view->heads * head;
    return (view->rows <= 1 || view->stride_row == view->columns) &&
           (view->heads <= 1 || view->stride_head == head) &&
           (view->batch <= 1 || view->stride_batch == batch);
}

/* Whether the kernels for common shapes do it: softmax, nothing but gradients of q, k and v. */
static bool is_direct(family *f, const ga_attention_gradients *g, const ga__edge_run *run)
{
    ga__edge_run probe = *run;
    if (f->a->batch * f->a->heads == 0 || g->bias || g->edge_bias || g->slopes || g->sigmoid_bias ||
        g->eta_logits) {
        return false;
    }
    select_targets(&probe, 0, f);
    return ga__edge_ops_of(f->context)->direct_backward(&probe);
}

/* o and lse of the forward pass where the given ones do not serve. */
static ga_status forward_again(family *f, int64_t rows, bool o, bool lse)
{
    ga__edge_run again = f->run;
    ga_status status = GA_OK;
    if (o) {
        GA_TRY(take(f, rows * f->a->dim_v, sizeof(float), &f->o));
        f->o_type = GA__F32;
    }
    if (lse) {
        GA_TRY(take(f, rows, sizeof(float), (void *)&f->lse));
    }
    again.y_out_type = GA__F32;
    GA_TRY(run_pass(f, &again, GA__EDGE_FORWARD, select_forward, NULL));
done:
    return status;
}

static ga_status fill_records(family *f, const ga_attention_gradients *g, ga__edge_run *run)
{
    const ga__attention *a = f->a;
    ga_normaliser_kind kind = run->kind;
    int64_t rows = a->batch * a->heads * a->queries;
    bool softmax = kind == GA_SOFTMAX;
    bool needs_o = !run->direct && (softmax || kind == GA_SOFTPLUS_REWEIGHT || kind == GA_NORM_ATTENTION);
    ga__view o, lse;
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(f->context, "o", g->o, true, &o));
    GA_TRY(ga__view_of(f->context, "lse", g->lse, true, &lse));
    bool plain = o.data && o.type != GA__F64 && contiguous(&o);
    bool plain_lse = lse.data && lse.type == GA__F32 && contiguous(&lse);
    if ((!needs_o || plain) && (!softmax || plain_lse)) {
        f->o = needs_o ? o.data : NULL;
        f->o_type = needs_o ? o.type : GA__F32;
        f->lse = softmax ? lse.data : NULL;
    } else {
        GA_TRY(forward_again(f, rows, needs_o, softmax));
    }
    run->y_out_type = f->o_type;
    GA_TRY(take(f, rows * run->parameters, sizeof(float), &f->record));
    if (!run->direct) {
        GA_TRY(run_pass(f, run, GA__EDGE_RECORDS, select_targets, NULL));
    }
done:
    return status;
}

/* Gradient of the logits of eta: -<grad o, o> d ln eta. */
static ga_status eta_gradients(family *f, const ga_attention_gradients *g)
{
    const ga__attention *a = f->a;
    ga__view out;
    ga_status status = GA_OK;
    if (!g->eta_logits) {
        return GA_OK;
    }
    GA_TRY(ga__view_of(f->context, "gradient of eta_logits", g->eta_logits, true, &out));
    ga__view o = { .data = f->o,
                   .type = f->o_type,
                   .columns = a->dim_v,
                   .stride_batch = a->heads * a->queries * a->dim_v,
                   .stride_head = a->queries * a->dim_v,
                   .stride_row = a->dim_v };
    for (int64_t s = 0; s < a->batch * a->heads; s++) {
        int64_t b = s / a->heads, h = s % a->heads;
        for (int64_t i = 0; i < a->queries; i++) {
            double sum = 0, logit = ga__view_get(&a->eta, 0, b, h, i), by = 1;
            for (int64_t c = 0; c < a->dim_v; c++) {
                sum += ga__view_get(&f->grad_o, b, h, i, c) * ga__view_get(&o, b, h, i, c);
            }
            double sigmoid = logit >= 0 ? 1 / (1 + exp(-logit)) : exp(logit) / (1 + exp(logit));
            if (a->normaliser.eta == GA_ETA_SOFTPLUS) {
                by = sigmoid * ga__row_eta(a, b, h, i);
            } else if (a->normaliser.eta == GA_ETA_SIGMOID) {
                by = 1 - sigmoid;
            }
            ga__view_set(&out, 0, b, h, i, -sum * by);
        }
    }
done:
    return status;
}

/* An output of any size set to 0; *data: its floats. */
static ga_status open_gradient(ga_context *context, const char *name, const DLTensor *tensor, bool zero,
                               ga__view *view, float **data)
{
    ga_status status = ga__view_of(context, name, tensor, true, view);
    if (status == GA_OK && tensor) {
        *data = view->data;
        if (zero) {
            int64_t count = view->batch * view->heads * view->rows * view->columns;
            memset(view->data, 0, (size_t)count * sizeof(float));
        }
    }
    return status;
}

static ga_status target_pass(family *f, const ga_attention_gradients *g, ga__edge_run run)
{
    const ga__attention *a = f->a;
    int64_t slices = a->batch * a->heads;
    ga__view unused, slopes = { 0 }, shift = { 0 };
    float *floats = NULL;
    double *totals = NULL;
    ga_status status = GA_OK;
    GA_TRY(open_gradient(f->context, "gradient of q", g->q, false, &unused, &f->dq));
    GA_TRY(open_gradient(f->context, "gradient of bias", g->bias, true, &f->dbias_dense, &floats));
    GA_TRY(open_gradient(f->context, "gradient of edge_bias", g->edge_bias, true, &unused, &f->dedge));
    GA_TRY(open_gradient(f->context, "gradient of slopes", g->slopes, true, &slopes, &floats));
    GA_TRY(open_gradient(f->context, "gradient of bias", g->sigmoid_bias, true, &shift, &floats));
    run.want_x = f->dq != NULL;
    run.want_totals = g->slopes || g->sigmoid_bias;
    run.add_dbias = true;
    if (run.want_totals) {
        GA_TRY(take(f, slices * GA__EDGE_TOTALS, sizeof *totals, &totals));
    }
    if (!run.want_x && !run.want_totals && !f->dedge && !f->dbias_dense.data && !run.direct) {
        goto done;
    }
    GA_TRY(run_pass(f, &run, GA__EDGE_BACKWARD, select_targets, totals));
    double shifts = 0;
    for (int64_t h = 0; totals && h < a->heads; h++) {
        double sum = 0;
        for (int64_t b = 0; b < a->batch; b++) {
            const double *t = totals + (b * a->heads + h) * GA__EDGE_TOTALS;
            shifts += t[1];
            sum += t[2];
        }
        if (g->slopes) {
            ga__view_set(&slopes, 0, 0, 0, h, sum);
        }
    }
    if (g->sigmoid_bias) {
        ga__view_set(&shift, 0, 0, 0, 0, shifts);
    }
done:
    return status;
}

static ga_status source_pass(family *f, const ga_attention_gradients *g, ga__edge_run run)
{
    const ga__attention *a = f->a;
    const ga_pattern *p = a->pattern;
    ga_edges edges = { p->queries, p->keys, f->run.count, p->offsets, p->indices };
    ga_transposed t = { NULL, NULL, NULL };
    ga__view unused;
    ga_status status = GA_OK;
    GA_TRY(open_gradient(f->context, "gradient of k", g->k, false, &unused, &f->dk));
    GA_TRY(open_gradient(f->context, "gradient of v", g->v, false, &unused, &f->dv));
    if (!f->dk && !f->dv) {
        goto done;
    }
    GA_TRY(ga_edges_transpose(f->context, &edges, &t));
    for (int64_t e = 0; p->edge && e < edges.count; e++) {
        t.edge[e] = p->edge[t.edge[e]];
    }
    ga__edge_side targets = run.own, sources = run.other;
    run.own = sources;
    run.other = targets;
    run.offsets = t.offsets;
    run.ids = t.targets;
    run.edge = t.edge;
    run.rows = p->keys;
    run.swapped = true;
    run.want_x = f->dk != NULL;
    run.want_y = f->dv != NULL;
    run.dx_stride = a->dim;
    run.dy_stride = a->dim_v;
    GA_TRY(run_pass(f, &run, GA__EDGE_BACKWARD, select_sources, NULL));
done:
    ga_transposed_destroy(f->context, &t);
    return status;
}

static ga_status backward(ga_context *context, const ga__attention *a, const ga_attention_gradients *g)
{
    family f;
    ga_status status = GA_OK;
    GA_TRY(prepare(context, a, &f));
    GA_TRY(ga__view_of(context, "grad_o", g->grad_o, true, &f.grad_o));
    ga__edge_run run = f.run;
    run.own.y_type = f.grad_o.type;
    run.own.y_stride = f.grad_o.stride_row;
    run.dx_stride = a->dim;
    run.direct = is_direct(&f, g, &run);
    run.parameters = run.direct ? GA__EDGE_DIRECT_RECORDS : run.parameters;
    GA_TRY(fill_records(&f, g, &run));
    GA_TRY(eta_gradients(&f, g));
    GA_TRY(target_pass(&f, g, run));
    GA_TRY(source_pass(&f, g, run));
done:
    release(&f);
    return status;
}

const ga__family_ops ga__edges_family = { can_forward, can_backward, forward, backward };
