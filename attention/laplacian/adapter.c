/* adapter.c - dense maps of the p-adapter. */
#include "config.h"

#include "attention/laplacian/adapter.h"

#include <string.h>

#include "attention/linear/rows.h"

static const char *const weight_names[GA__DENSE] = { "w_out", "w_down", "w_gate", "w_up" };
static const char *const bias_names[GA__DENSE] = { "b_out", "b_down", "b_gate", "b_up" };

/* ---- the tensors ---- */

/* Extent of an axis of a weight, counted from the last; axes that are missing are 1. */
static int64_t extent(const ga__job *run, int slot, int back)
{
    const DLTensor *t = run->slots[slot].given;
    return t->ndim < back ? 1 : t->shape[t->ndim - back];
}

static ga_status check_together(ga__job *run, const ga__adapter *a)
{
    for (int i = 0; i < GA__DENSE; i++) {
        int other = i ^ 1; /* w_out with w_down, w_gate with w_up */
        if (a->bias[i] >= 0 && a->weight[i] < 0) {
            return ga__fail(run->context, GA_INVALID, "p-adapter: %s needs %s", bias_names[i],
                            weight_names[i]);
        }
        if (a->weight[i] >= 0 && a->weight[other] < 0) {
            return ga__fail(run->context, GA_INVALID, "p-adapter: %s needs %s", weight_names[i],
                            weight_names[other]);
        }
    }
    if (a->up && !a->nodes) {
        return ga__fail(run->context, GA_INVALID, "p-adapter: w_up and w_gate need w_out and w_down");
    }
    return GA_OK;
}

ga_status ga__adapter_plan(ga__job *run, ga__adapter *a)
{
    ga_status status = GA_OK;
    *a = (ga__adapter){
        .hidden = { -1, -1 }, .node = { -1, -1 }, .values = -1, .h = -1, .plus = -1, .gate = -1
    };
    for (int i = 0; i < GA__DENSE; i++) {
        a->weight[i] = ga__slot_find(run, weight_names[i]);
        a->bias[i] = ga__slot_find(run, bias_names[i]);
    }
    a->nodes = a->weight[GA__W_OUT] >= 0 && a->weight[GA__W_DOWN] >= 0;
    a->up = a->weight[GA__W_UP] >= 0 && a->weight[GA__W_GATE] >= 0;
    GA_TRY(check_together(run, a));
    if (!a->nodes) {
        goto done;
    }
    a->model = extent(run, a->weight[GA__W_OUT], 1);
    a->reduced = extent(run, a->weight[GA__W_DOWN], 1);
    int64_t tokens = 0, rows = 0;
    if (!ga__mul(run->heads, run->dim_v, &tokens) ||
        !ga__mul(run->batch, ga__max(run->queries, run->keys), &rows)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "v: too large"));
    }
    const int64_t m = a->model, r = a->reduced,
                  dims[GA__DENSE][2] = { { tokens, m }, { m, r }, { m, r }, { r, m } };
    for (int i = 0; i < GA__DENSE; i++) {
        int unused;
        GA_TRY(ga__slot_shaped(run, weight_names[i], 2, dims[i], &unused));
        GA_TRY(ga__slot_shaped(run, bias_names[i], 1, dims[i] + 1, &unused));
    }
    if (run->heads > 0 && r % run->heads != 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID,
                        "w_down: %lld columns, expected a multiple of the %lld heads of q", (long long)r,
                        (long long)run->heads));
    }
done:
    return status;
}

/* ---- matrices ---- */

ga_status ga__adapter_matrix(ga__job *run, const char *name, int64_t rows, int64_t columns, int *slot)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    const int64_t shape[] = { rows, columns };
    GA_TRY(ga__tensor_new(run, 2, shape, &made));
    *slot = ga__slot_make(run, name, made);
done:
    return status;
}

ga__view ga__adapter_heads(const ga__job *run, const DLTensor *matrix, int64_t tokens, int64_t width)
{
    int64_t pitch = run->heads * width;
    return (ga__view){ .data = matrix->data,
                       .type = matrix->dtype.bits == 64 ? GA__F64 : GA__F32,
                       .batch = run->batch,
                       .heads = run->heads,
                       .rows = tokens,
                       .columns = width,
                       .stride_batch = tokens * pitch,
                       .stride_head = width,
                       .stride_row = pitch };
}

typedef struct copy {
    ga__view from, to;
    bool add; /* to what is there */
} copy;

/* One row of `to`: the heads of `from` that belong to it, summed in order. With fewer heads in `from`, its own. */
static void copy_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const copy *c = user;
    int64_t n = c->to.columns, many = ga__max(1, c->from.heads / c->to.heads),
            first = c->from.heads >= c->to.heads ? h * many : h / (c->to.heads / c->from.heads);
    memset(room, 0, (size_t)n * sizeof *room);
    if (c->add) {
        ga__view_load_f64(&c->to, b, h, r, room);
    }
    for (int64_t head = first; head < first + many; head++) {
        ga__view_load_f64(&c->from, b, head, r, room + n);
        for (int64_t x = 0; x < n; x++) {
            room[x] += room[n + x];
        }
    }
    ga__view_store_f64(&c->to, b, h, r, room);
}

static ga_status copy_heads(ga__job *run, copy *c)
{
    return ga__rows(run, c->to.batch, c->to.heads, c->to.rows, 2 * c->to.columns, copy_row, c);
}

/* The heads of x side by side, (tokens, heads width). Returns owned. */
static ga_status concat(ga__job *run, const DLTensor *x, DLTensor **out)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    copy c = { .add = false };
    GA_TRY(ga__view_of(run->context, "heads", x, true, &c.from));
    const int64_t shape[] = { run->batch * c.from.rows, run->heads * c.from.columns };
    GA_TRY(ga__tensor_new(run, 2, shape, &made));
    c.to = ga__adapter_heads(run, made, c.from.rows, c.from.columns);
    GA_TRY(copy_heads(run, &c));
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* ---- y = x w + b ---- */

typedef struct rows_of {
    ga__view y, x, plus, more; /* matrices or rows; what a body needs of them */
} rows_of;

static void add_bias(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const rows_of *m = user;
    int64_t n = m->y.columns;
    (void)b, (void)h;
    ga__view_load_f64(&m->y, 0, 0, r, room);
    ga__view_load_f64(&m->more, 0, 0, 0, room + n);
    for (int64_t x = 0; x < n; x++) {
        room[x] += room[n + x];
    }
    ga__view_store_f64(&m->y, 0, 0, r, room);
}

static ga_status dense(ga__job *run, const ga__adapter *a, ga__dense which, const DLTensor *x, double beta,
                       DLTensor *y)
{
    ga_status status = GA_OK;
    rows_of m;
    GA_TRY(ga_gemm(run->context, false, false, 1, x, run->slots[a->weight[which]].tensor, beta, y));
    if (a->bias[which] >= 0) {
        GA_TRY(ga__view_of(run->context, "y", y, true, &m.y));
        GA_TRY(ga__slot_view(run, a->bias[which], &m.more));
        status = ga__rows(run, 1, 1, m.y.rows, 2 * m.y.columns, add_bias, &m);
    }
done:
    return status;
}

enum { COLUMNS = 32 }; /* of a bias, summed at a time */

/* Adds the column sums of y to a gradient. */
static void sum_columns(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const rows_of *m = user;
    int64_t first = r * COLUMNS, n = ga__min(COLUMNS, m->y.columns - first);
    (void)b, (void)h;
    for (int64_t x = 0; x < n; x++) {
        room[x] = ga__view_get(&m->more, 0, 0, 0, first + x);
    }
    for (int64_t i = 0; i < m->y.rows; i++) {
        for (int64_t x = 0; x < n; x++) {
            room[x] += ga__view_get(&m->y, 0, 0, i, first + x);
        }
    }
    for (int64_t x = 0; x < n; x++) {
        ga__view_set(&m->more, 0, 0, 0, first + x, room[x]);
    }
}

/* Adds to the gradients of the weight and the bias; dx = dy w^T, or that is added to it. dx NULL: not wanted. */
static ga_status dense_back(ga__job *run, const ga__adapter *a, ga__dense which, const DLTensor *x,
                            const DLTensor *dy, bool add, DLTensor *dx)
{
    ga_status status = GA_OK;
    const ga__slot *weight = &run->slots[a->weight[which]];
    rows_of m;
    if (weight->grad) {
        GA_TRY(ga_gemm(run->context, true, false, 1, x, dy, 1, weight->grad));
    }
    GA_TRY(ga__slot_grad_view(run, a->bias[which], &m.more));
    if (m.more.data) {
        GA_TRY(ga__view_of(run->context, "dy", dy, true, &m.y));
        GA_TRY(ga__rows(run, 1, 1, (m.y.columns + COLUMNS - 1) / COLUMNS, COLUMNS, sum_columns, &m));
    }
    if (dx) {
        GA_TRY(ga_gemm(run->context, false, true, 1, dy, weight->tensor, add, dx));
    }
done:
    return status;
}

/* ---- nodes ---- */

ga_status ga__adapter_nodes(ga__job *run, ga__adapter *a, int which, const DLTensor *x)
{
    ga_status status = GA_OK;
    DLTensor *tokens = NULL;
    int64_t rows = 0;
    GA_TRY(concat(run, x, &tokens));
    rows = tokens->shape[0];
    GA_TRY(ga__adapter_matrix(run, "hidden", rows, a->model, &a->hidden[which]));
    GA_TRY(ga__adapter_matrix(run, "nodes", rows, a->reduced, &a->node[which]));
    DLTensor *hidden = run->slots[a->hidden[which]].made, *node = run->slots[a->node[which]].made;
    GA_TRY(dense(run, a, GA__W_OUT, tokens, 0, hidden));
    status = dense(run, a, GA__W_DOWN, hidden, 0, node);
done:
    ga_tensor_destroy(run->context, tokens);
    return status;
}

ga_status ga__adapter_nodes_back(ga__job *run, const ga__adapter *a, int which, const DLTensor *x,
                                 const DLTensor *d_nodes, int slot)
{
    ga_status status = GA_OK;
    DLTensor *tokens = NULL, *d_hidden = NULL, *d_tokens = NULL;
    const DLTensor *hidden = run->slots[a->hidden[which]].tensor;
    copy c = { .add = true };
    GA_TRY(concat(run, x, &tokens));
    GA_TRY(ga__tensor_new(run, 2, hidden->shape, &d_hidden));
    GA_TRY(dense_back(run, a, GA__W_DOWN, hidden, d_nodes, false, d_hidden));
    GA_TRY(ga__slot_grad_view(run, slot, &c.to));
    if (c.to.data) {
        GA_TRY(ga__tensor_new(run, 2, tokens->shape, &d_tokens));
    }
    GA_TRY(dense_back(run, a, GA__W_OUT, tokens, d_hidden, false, d_tokens));
    if (c.to.data) {
        c.from = ga__adapter_heads(run, d_tokens, c.to.rows, c.to.columns);
        status = copy_heads(run, &c);
    }
done:
    ga_tensor_destroy(run->context, tokens);
    ga_tensor_destroy(run->context, d_hidden);
    ga_tensor_destroy(run->context, d_tokens);
    return status;
}

/* ---- the way up: o = h + (gelu(z) F+) w_up + b_up, z = h w_gate + b_gate ---- */

static double gelu(double x)
{
    return x / 2 * (1 + erf(x * M_SQRT1_2));
}

/* Phi(x) + x phi(x) */
static double gelu_slope(double x)
{
    return (1 + erf(x * M_SQRT1_2)) / 2 + x * exp(-x * x / 2) * (M_SQRT1_2 * M_2_SQRTPI / 2);
}

/* y = gelu(x) F+ */
static void gate_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const rows_of *m = user;
    int64_t n = m->x.columns;
    (void)b, (void)h;
    ga__view_load_f64(&m->x, 0, 0, r, room);
    ga__view_load_f64(&m->plus, 0, 0, r, room + n);
    for (int64_t c = 0; c < n; c++) {
        room[c] = gelu(room[c]) * room[n + c];
    }
    ga__view_store_f64(&m->y, 0, 0, r, room);
}

/* From dy in y: dF+ = dy gelu(x) there, dx = dy F+ gelu'(x) in more. */
static void gate_back_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const rows_of *m = user;
    int64_t n = m->x.columns;
    (void)b, (void)h;
    ga__view_load_f64(&m->x, 0, 0, r, room);
    ga__view_load_f64(&m->plus, 0, 0, r, room + n);
    ga__view_load_f64(&m->y, 0, 0, r, room + 2 * n);
    for (int64_t c = 0; c < n; c++) {
        double x = room[c], dy = room[2 * n + c];
        room[c] = dy * gelu(x);
        room[n + c] *= dy * gelu_slope(x);
    }
    ga__view_store_f64(&m->y, 0, 0, r, room);
    ga__view_store_f64(&m->more, 0, 0, r, room + n);
}

static ga_status open_gate(ga__job *run, const ga__adapter *a, const DLTensor *y, rows_of *m)
{
    ga_status status = GA_OK;
    GA_TRY(ga__slot_view(run, a->gate, &m->x));
    GA_TRY(ga__slot_view(run, a->plus, &m->plus));
    status = ga__view_of(run->context, "y", y, true, &m->y);
done:
    return status;
}

/* gelu(z) F+. Returns owned. */
static ga_status gated(ga__job *run, const ga__adapter *a, DLTensor **out)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    rows_of m;
    GA_TRY(ga__tensor_new(run, 2, run->slots[a->plus].tensor->shape, &made));
    GA_TRY(open_gate(run, a, made, &m));
    GA_TRY(ga__rows(run, 1, 1, m.x.rows, 2 * m.x.columns, gate_row, &m));
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* (B, 1, Nq, M) as a matrix of so many rows; shape has room for two. */
static DLTensor flat(const DLTensor *o, int64_t *shape)
{
    DLTensor m = *o;
    shape[0] = o->shape[0] * o->shape[2];
    shape[1] = o->shape[3];
    m.ndim = 2;
    m.shape = shape;
    m.strides = NULL;
    return m;
}

/* Queries that see no key stand first, if there are any. */
static void clear_blind(const ga__job *run, DLTensor *o)
{
    int64_t n = run->queries, blind = run->keys == 0 ? n : run->causal ? ga__max(0, n - run->keys) : 0;
    size_t row = (size_t)o->shape[3] * (o->dtype.bits / 8);
    for (int64_t b = 0; b < run->batch; b++) {
        memset((char *)o->data + (size_t)(b * n) * row, 0, (size_t)blind * row);
    }
}

ga_status ga__adapter_up(ga__job *run, ga__adapter *a, DLTensor *o)
{
    ga_status status = GA_OK;
    DLTensor *tokens = NULL, *y = NULL;
    int64_t shape[2], rows = run->batch * run->queries;
    DLTensor out = flat(o, shape);
    GA_TRY(concat(run, run->slots[a->values].tensor, &tokens));
    GA_TRY(ga__adapter_matrix(run, "h", rows, a->model, &a->h));
    GA_TRY(ga__adapter_matrix(run, "gate", rows, a->reduced, &a->gate));
    DLTensor *h = run->slots[a->h].made;
    GA_TRY(dense(run, a, GA__W_OUT, tokens, 0, h));
    GA_TRY(dense(run, a, GA__W_GATE, h, 0, run->slots[a->gate].made));
    GA_TRY(gated(run, a, &y));
    memcpy(out.data, h->data, (size_t)(rows * a->model) * (h->dtype.bits / 8));
    GA_TRY(dense(run, a, GA__W_UP, y, 1, &out));
    clear_blind(run, o);
done:
    ga_tensor_destroy(run->context, tokens);
    ga_tensor_destroy(run->context, y);
    return status;
}

ga_status ga__adapter_up_back(ga__job *run, const ga__adapter *a, DLTensor *grad, DLTensor *d_plus,
                              DLTensor *d_values)
{
    ga_status status = GA_OK;
    DLTensor *tokens = NULL, *y = NULL, *d_gate = NULL, *d_tokens = NULL;
    const DLTensor *h = run->slots[a->h].tensor;
    int64_t shape[2];
    DLTensor dh = flat(grad, shape); /* of o = h + ..., and then of h */
    rows_of m;
    copy c = { .add = false };
    clear_blind(run, grad);
    GA_TRY(gated(run, a, &y));
    GA_TRY(dense_back(run, a, GA__W_UP, y, &dh, false, d_plus));
    GA_TRY(ga__tensor_new(run, 2, d_plus->shape, &d_gate));
    GA_TRY(open_gate(run, a, d_plus, &m));
    GA_TRY(ga__view_of(run->context, "gate", d_gate, true, &m.more));
    GA_TRY(ga__rows(run, 1, 1, m.x.rows, 3 * m.x.columns, gate_back_row, &m));
    GA_TRY(dense_back(run, a, GA__W_GATE, h, d_gate, true, &dh));
    GA_TRY(concat(run, run->slots[a->values].tensor, &tokens));
    GA_TRY(ga__tensor_new(run, 2, tokens->shape, &d_tokens));
    GA_TRY(dense_back(run, a, GA__W_OUT, tokens, &dh, false, d_tokens));
    GA_TRY(ga__view_of(run->context, "values", d_values, true, &c.to));
    c.from = ga__adapter_heads(run, d_tokens, c.to.rows, c.to.columns);
    status = copy_heads(run, &c);
done:
    ga_tensor_destroy(run->context, tokens);
    ga_tensor_destroy(run->context, y);
    ga_tensor_destroy(run->context, d_gate);
    ga_tensor_destroy(run->context, d_tokens);
    return status;
}
