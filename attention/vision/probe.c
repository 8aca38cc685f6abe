/* probe.c - learned queries pool tokens, each its own slice of the value (attention-static section 17).
 *
 * a_mn = softmax_n(scale <q_m, x_n>) over the tokens of a batch entry, or of a segment;
 * o_m = sum_n a_mn v_n[m c .. (m + 1) c), v_n = W_V x_n or given. With W_V: o_m = W_m y_m, y_m = sum_n a_mn x_n.
 * Backward, with u_m = W_m' dO_m: da_mn = <u_m, x_n> or <dO_m, slice of v_n>, ds = a (da - <dO_m, o_m>),
 * dq_m = scale sum_n ds x_n, dx_n = sum_m (scale ds q_m + a u_m), dW_m = dO_m y_m', d slice = a dO_m. */
#include "config.h"

#include <string.h>

#include "attention/linear/rows.h"
#include "attention/vision/probe.h"

static const ga_tensor_slot tensors[] = {
    { "w_v", "(Do, D)", "value projection; this or -V", .optional = true, .differentiable = true },
    { "segments", "i64 (N)", "segment of every token; B = 1", .optional = true },
    { .name = NULL },
};

static void close_probe(ga__probe *p)
{
    ga__segments_free(p->context, &p->segments);
    ga_free(p->context, p->ids);
    ga_free(p->context, p->kept);
    ga_free(p->context, p->along);
}

static int64_t count_of(const ga__probe *p, int64_t group)
{
    return p->segmented ? p->segments.offsets[group + 1] - p->segments.offsets[group] : p->tokens;
}

static int64_t token_of(const ga__probe *p, int64_t group, int64_t i)
{
    return p->segmented ? p->segments.order[p->segments.offsets[group] + i] : i;
}

static int64_t batch_of(const ga__probe *p, int64_t group)
{
    return p->segmented ? 0 : group;
}

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* Room of a thread. */
typedef struct space {
    double *q, *x, *y, *v, *o, *u, *dq, *z; /* D, D, D, c, c, D, D, tokens */
} space;

static int64_t room_of(const ga__probe *p)
{
    return 5 * p->dim + 2 * p->width + p->tokens;
}

static space split(const ga__probe *p, double *room)
{
    space s = { .q = room };
    s.x = s.q + p->dim;
    s.y = s.x + p->dim;
    s.u = s.y + p->dim;
    s.dq = s.u + p->dim;
    s.v = s.dq + p->dim;
    s.o = s.v + p->width;
    s.z = s.o + p->width;
    return s;
}

/* s->q, the weights in s->z; returns the lse. */
static double weigh(const ga__probe *p, int64_t group, int64_t m, const space *s)
{
    int64_t n = count_of(p, group), b = batch_of(p, group);
    double most = -INFINITY, sum = 0;
    ga__view_load_f64(&p->q, p->q.batch == 1 ? 0 : b, 0, m, s->q);
    for (int64_t i = 0; i < n; i++) {
        ga__view_load_f64(&p->x, b, 0, token_of(p, group, i), s->x);
        s->z[i] = p->scale * dot(p->dim, s->q, s->x);
        most = s->z[i] > most || isnan(s->z[i]) ? s->z[i] : most;
    }
    for (int64_t i = 0; i < n; i++) {
        s->z[i] = exp(s->z[i] - most);
        sum += s->z[i];
    }
    for (int64_t i = 0; i < n; i++) {
        s->z[i] /= sum;
    }
    return n > 0 ? most + log(sum) : -INFINITY;
}

/* The slice of a value that probe m reads. */
static void load_slice(const ga__probe *p, int64_t b, int64_t token, int64_t m, double *out)
{
    for (int64_t c = 0; c < p->width; c++) {
        out[c] = ga__view_get(&p->v, b, 0, token, m * p->width + c);
    }
}

/* s->o from the weights, and s->y with W_V. */
static void pool(const ga__probe *p, int64_t group, int64_t m, const space *s)
{
    int64_t n = count_of(p, group), b = batch_of(p, group);
    memset(s->y, 0, (size_t)p->dim * sizeof *s->y);
    memset(s->o, 0, (size_t)p->width * sizeof *s->o);
    for (int64_t i = 0; i < n; i++) {
        int64_t token = token_of(p, group, i);
        if (p->w.data) {
            ga__view_load_f64(&p->x, b, 0, token, s->x);
            for (int64_t c = 0; c < p->dim; c++) {
                s->y[c] += s->z[i] * s->x[c];
            }
            continue;
        }
        load_slice(p, b, token, m, s->v);
        for (int64_t c = 0; c < p->width; c++) {
            s->o[c] += s->z[i] * s->v[c];
        }
    }
    for (int64_t c = 0; c < p->width && p->w.data; c++) {
        ga__view_load_f64(&p->w, 0, 0, m * p->width + c, s->x);
        s->o[c] = dot(p->dim, s->x, s->y);
    }
}

static void forward_row(void *user, int64_t group, int64_t h, int64_t m, double *room)
{
    const ga__probe *p = user;
    space s = split(p, room);
    double lse = weigh(p, group, m, &s);
    if (p->lse.data) {
        ga__view_set(&p->lse, 0, group, h, m, lse); /* three axes are (1, batch, heads, queries) to a view */
    }
    if (p->o.data) {
        pool(p, group, m, &s);
        ga__view_store_f64(&p->o, group, h, m, s.o);
    }
}

/* ---- inputs ---- */

static ga_status measure(ga__job *run)
{
    ga_status status = GA_OK;
    ga__view q, k, v;
    if (!run->call->q || !run->call->k) {
        return ga__fail(run->context, GA_INVALID, "probe needs q and k");
    }
    GA_TRY(ga__view_of(run->context, "q", run->call->q, true, &q));
    GA_TRY(ga__view_of(run->context, "k", run->call->k, true, &k));
    GA_TRY(ga__view_of(run->context, "v", run->call->v, true, &v));
    GA_TRY(ga__view_expect(run->context, "k", &k, -1, 1, -1, -1));
    GA_TRY(ga__view_expect(run->context, "q", &q, q.batch == 1 ? 1 : k.batch, 1, -1, k.columns));
    if (v.data) {
        GA_TRY(ga__view_expect(run->context, "v", &v, k.batch, 1, k.rows, -1));
    }
    run->batch = k.batch;
    run->heads = run->kv_heads = 1;
    run->queries = q.rows;
    run->keys = k.rows;
    run->dim = q.columns;
    run->dim_v = v.columns;
done:
    return status;
}

static ga_status take_segments(ga__job *run, ga__probe *p)
{
    ga_status status = GA_OK;
    ga__view view;
    int slot;
    GA_TRY(ga__slot_shaped(run, "segments", 1, &run->keys, &slot));
    p->segmented = slot >= 0;
    if (!p->segmented) {
        goto done;
    }
    GA_TRY(ga__view_of(run->context, "segments", run->slots[slot].given, false, &view));
    if (view.type <= GA__F64) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "segments: integers expected"));
    }
    GA_TRY(GA_NEW(run->context, run->keys, &p->ids));
    for (int64_t i = 0; i < run->keys; i++) {
        p->ids[i] = ga__view_get_integer(&view, 0, 0, i);
    }
    status = ga__segments_make(run->context, "segments", run->keys, p->ids, &p->segments);
done:
    return status;
}

/* To be closed in any case. */
static ga_status open_probe(ga__job *run, ga__probe *p)
{
    ga_status status = GA_OK;
    *p = (ga__probe){ .context = run->context,
                      .probes = run->queries,
                      .tokens = run->keys,
                      .dim = run->dim,
                      .width = run->o_dim,
                      .scale = run->scale };
    GA_TRY(take_segments(run, p));
    p->groups = run->batch;
    GA_TRY(ga__view_of(run->context, "q", run->scan.q, true, &p->q));
    GA_TRY(ga__view_of(run->context, "k", run->scan.k, true, &p->x));
    GA_TRY(ga__view_of(run->context, "v", run->scan.v, true, &p->v));
    status = ga__slot_view(run, ga__slot_find(run, "w_v"), &p->w);
done:
    return status;
}

/* Sizes that depend on the extra tensors. */
static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    ga__probe p = { .context = run->context };
    int w;
    GA_TRY(ga__slot_shaped(run, "w_v", 2, (const int64_t[]){ -1, run->dim }, &w));
    if ((w >= 0) == (run->call->v != NULL)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "probe needs either v or w_v"));
    }
    if (w >= 0) {
        const DLTensor *given = run->slots[w].given;
        run->dim_v = given->ndim > 1 ? given->shape[given->ndim - 2] : 1;
    }
    if (run->queries == 0 || run->dim_v % run->queries != 0 || run->dim_v == 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID,
                        "probe: %lld queries, expected a divisor of the %lld columns of the value",
                        (long long)run->queries, (long long)run->dim_v));
    }
    run->o_heads = 1;
    run->o_dim = run->dim_v / run->queries;
    GA_TRY(take_segments(run, &p));
    if (p.segmented && run->batch != 1) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "probe: segments need a batch of 1, found %lld",
                        (long long)run->batch));
    }
    run->batch = p.segmented ? p.segments.count : run->batch;
done:
    close_probe(&p);
    return status;
}

static ga_status forward(ga__job *run, ga__own_outputs *outputs)
{
    ga_status status = GA_OK;
    ga__probe p;
    GA_TRY(open_probe(run, &p));
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &p.o));
    GA_TRY(ga__view_of(run->context, "lse", outputs->lse, true, &p.lse));
    status = ga__probe_suits_tiles(run, &p)
                 ? ga__probe_tiles(&p)
                 : ga__rows(run, p.groups, 1, p.probes, room_of(&p), forward_row, &p);
done:
    close_probe(&p);
    return status;
}

/* ---- backward ---- */

/* s->u = W_m' dO_m, kept for the tokens; dW_m += dO_m y'. */
static void project_back(const ga__probe *p, int64_t group, int64_t m, const double *grad, double *dw,
                         const space *s)
{
    memset(s->u, 0, (size_t)p->dim * sizeof *s->u);
    for (int64_t c = 0; c < p->width; c++) {
        ga__view_load_f64(&p->w, 0, 0, m * p->width + c, s->x);
        for (int64_t d = 0; d < p->dim; d++) {
            s->u[d] += grad[c] * s->x[d];
            dw[c * p->dim + d] += grad[c] * s->y[d];
        }
    }
    memcpy(p->along + (group * p->probes + m) * p->dim, s->u, (size_t)p->dim * sizeof *s->u);
}

/* d loss / d a of a token; s->x is its row. */
static double weight_gradient(const ga__probe *p, int64_t b, int64_t token, int64_t m, const double *u,
                              const double *grad, const space *s)
{
    if (p->w.data) {
        return dot(p->dim, u, s->x);
    }
    load_slice(p, b, token, m, s->v);
    return dot(p->width, grad, s->v);
}

/* s->dq += what the tokens of a group give; s->z has their weights. */
static void add_query_gradient(const ga__probe *p, int64_t group, int64_t m, const double *grad, double delta,
                               const space *s)
{
    int64_t b = batch_of(p, group);
    for (int64_t i = 0; i < count_of(p, group) && p->dq.data; i++) {
        int64_t token = token_of(p, group, i);
        ga__view_load_f64(&p->x, b, 0, token, s->x);
        double ds = p->scale * s->z[i] * (weight_gradient(p, b, token, m, s->u, grad, s) - delta);
        for (int64_t d = 0; d < p->dim; d++) {
            s->dq[d] += ds * s->x[d];
        }
    }
}

/* Probe m in all groups: lse and delta, u, the gradients of q and W_V. */
static void query_back(void *user, int64_t none, int64_t h, int64_t m, double *room)
{
    ga__probe *p = user;
    space s = split(p, room);
    bool shared = p->q.batch == 1;
    double *grad = room + room_of(p), *dw = grad + p->width;
    (void)none;
    memset(dw, 0, (size_t)(p->width * p->dim) * sizeof *dw);
    memset(s.dq, 0, (size_t)p->dim * sizeof *s.dq);
    for (int64_t group = 0; group < p->groups; group++) {
        double *kept = p->kept + 2 * (group * p->probes + m);
        kept[0] = weigh(p, group, m, &s);
        ga__view_load_f64(&p->grad, group, 0, m, grad);
        pool(p, group, m, &s);
        kept[1] = dot(p->width, grad, s.o);
        if (p->w.data) {
            project_back(p, group, m, grad, dw, &s);
        }
        add_query_gradient(p, group, m, grad, kept[1], &s);
        if (p->dq.data && !shared) {
            ga__view_store_f64(&p->dq, batch_of(p, group), h, m, s.dq);
            memset(s.dq, 0, (size_t)p->dim * sizeof *s.dq);
        }
    }
    if (p->dq.data && shared) {
        ga__view_store_f64(&p->dq, 0, h, m, s.dq);
    }
    for (int64_t c = 0; c < p->width && p->dw.data; c++) {
        ga__view_store_f64(&p->dw, 0, 0, m * p->width + c, dw + c * p->dim);
    }
}

/* A token under all probes: the gradients of its key and value. */
static void token_back(void *user, int64_t b, int64_t h, int64_t token, double *room)
{
    const ga__probe *p = user;
    space s = split(p, room);
    double *grad = room + room_of(p), *dx = s.y;
    int64_t group = p->segmented ? p->ids[token] : b;
    memset(dx, 0, (size_t)p->dim * sizeof *dx);
    ga__view_load_f64(&p->x, b, h, token, s.x);
    for (int64_t m = 0; m < p->probes; m++) {
        int64_t at = group * p->probes + m;
        const double *u = p->w.data ? p->along + at * p->dim : NULL;
        ga__view_load_f64(&p->q, p->q.batch == 1 ? 0 : b, 0, m, s.q);
        ga__view_load_f64(&p->grad, group, 0, m, grad);
        double a = exp(p->scale * dot(p->dim, s.q, s.x) - p->kept[2 * at]);
        double da = weight_gradient(p, b, token, m, u, grad, &s);
        double ds = p->scale * a * (da - p->kept[2 * at + 1]);
        for (int64_t d = 0; d < p->dim; d++) {
            dx[d] += ds * s.q[d] + (u ? a * u[d] : 0);
        }
        for (int64_t c = 0; c < p->width && p->dv.data; c++) {
            ga__view_set(&p->dv, b, 0, token, m * p->width + c, a * grad[c]);
        }
    }
    if (p->dx.data) {
        ga__view_store_f64(&p->dx, b, h, token, dx);
    }
}

static ga_status backward(ga__job *run)
{
    ga_status status = GA_OK;
    ga__probe p;
    int64_t pairs = 0, size = 0;
    GA_TRY(open_probe(run, &p));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &p.grad));
    GA_TRY(ga__slot_grad_view(run, GA__Q, &p.dq));
    GA_TRY(ga__slot_grad_view(run, GA__K, &p.dx));
    GA_TRY(ga__slot_grad_view(run, GA__V, &p.dv));
    GA_TRY(ga__slot_grad_view(run, ga__slot_find(run, "w_v"), &p.dw));
    if (ga__probe_suits_tiles(run, &p)) {
        GA_TRY(ga__probe_tiles_backward(&p));
        goto done;
    }
    if (!ga__mul(p.groups, 2 * p.probes, &pairs) || !ga__mul(pairs, p.dim, &size)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "probe: too many segments"));
    }
    GA_TRY(GA_NEW(run->context, pairs, &p.kept));
    if (p.w.data) {
        GA_TRY(GA_NEW(run->context, size / 2, &p.along));
    }
    GA_TRY(ga__rows(run, 1, 1, p.probes, room_of(&p) + p.width * (p.dim + 1), query_back, &p));
    status = ga__rows(run, p.segmented ? 1 : p.groups, 1, p.tokens, room_of(&p) + p.width, token_back, &p);
done:
    close_probe(&p);
    return status;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    (void)part;
    if (ga__slot_find(run, "q") >= 0) {
        return GA_OK; /* a call computes without it */
    }
    return ga_pattern_full(run->context, run->queries, run->keys, false, &run->pattern);
}

static const ga__pattern_entry row = { .name = "probe", .can = GA_CAN_CROSS, .make = make };

static const ga__variant_ops ops = { .engine = GA__ENGINE_OWN,
                                     .pattern = &row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan,
                                     .measure = measure,
                                     .own_forward = forward,
                                     .own_backward = backward };

const ga_variant ga__probe_variant = {
    .name = "probe",
    .summary = "learned queries pool tokens, each its own slice of the value",
    .source = "Efficient Probing, 2506.10178",
    .family = "static",
    .plan =
        "pattern: dense M x N, or per segment; score: scaled dot, one key head; normaliser: softmax over the tokens "
        "(of a segment); post: value slice per query",
    .outputs = "o, lse",
    .tensors = tensors,
    .can = GA_CAN_CROSS | GA_CAN_BACKWARD | GA_V_OPTIONAL,
    .causality = { .sets = GA_SETS_TWO },
    .ops = &ops,
};
