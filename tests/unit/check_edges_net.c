/* check_edges_net.c - problems of message passing: making them, the formulas, calling the library. */
#include "config.h"

#include "tests/unit/check_edges.h"

#include "lib/base/base.h"
#include "lib/engine/edge_attention/edge.h"

static double *numbers(int64_t count)
{
    double *p = calloc((size_t)(count > 0 ? count : 1), sizeof *p);
    if (!p) {
        ck_abort_msg("out of memory");
    }
    return p;
}

static double draw(ga__random *random)
{
    return (float)(2 * ga__random_unit(random) - 1);
}

/* ---- graphs ---- */

static void transpose(net *n)
{
    int64_t sources = n->edges.sources_count, count = n->edges.count;
    ga_transposed *t = &n->transposed;
    t->offsets = calloc((size_t)sources + 1, sizeof *t->offsets);
    t->targets = calloc((size_t)count + 1, sizeof *t->targets);
    t->edge = calloc((size_t)count + 1, sizeof *t->edge);
    int64_t at = 0;
    for (int64_t j = 0; j < sources; j++) {
        for (int64_t i = 0; i < n->edges.targets; i++) {
            for (int64_t e = n->edges.offsets[i]; e < n->edges.offsets[i + 1]; e++) {
                if (n->edges.sources[e] == j) {
                    t->targets[at] = (uint32_t)i;
                    t->edge[at++] = e;
                }
            }
        }
        t->offsets[j + 1] = at;
    }
}

void net_init(net *n, int64_t targets, int64_t sources, int64_t hub, uint64_t seed)
{
    memset(n, 0, sizeof *n);
    int64_t *offsets = calloc((size_t)targets + 1, sizeof *offsets);
    uint32_t *ids = calloc((size_t)(targets * 24 + hub + 1), sizeof *ids);
    ga__random random = ga__random_at(seed, GA__RANDOM_TEST, 1);
    int64_t at = 0;
    for (int64_t i = 0; i < targets; i++) {
        int64_t degree = i == 1       ? hub
                         : i % 4 == 2 ? 0
                                      : (int64_t)ga__random_below(&random, i % 3 == 0 ? 24 : 5);
        for (int64_t e = 0; e < degree && sources > 0; e++) {
            /* Source 1 is a hub of the other direction; the last source never comes. */
            uint64_t bound = (uint64_t)(sources > 1 ? sources - 1 : 1);
            uint64_t j = e == 0 && i < sources - 1 ? (uint64_t)i
                         : e % 5 == 1              ? ids[at - 1]
                         : e % 5 == 2              ? 1 % bound
                                                   : ga__random_below(&random, bound);
            ids[at++] = (uint32_t)j;
        }
        offsets[i + 1] = at;
    }
    n->edges = (ga_edges){ targets, sources, at, offsets, ids };
    transpose(n);
}

int64_t net_rows(const net *n, net_name name)
{
    switch (name) {
    case NET_Q:
    case NET_R: return n->edges.targets;
    case NET_K:
    case NET_V:
    case NET_L: return n->edges.sources_count;
    case NET_ATT:
    case NET_ATT_SOURCE:
    case NET_ATT_TARGET: return n->heads;
    case NET_BIAS:
    case NET_MASK:
    case NET_WEIGHT: return n->edges.count;
    case NET_TARGET_SCALE: return n->edges.targets;
    case NET_SOURCE_SCALE: return n->edges.sources_count;
    }
    return 0;
}

int64_t net_columns(const net *n, net_name name)
{
    switch (name) {
    case NET_Q:
    case NET_K: return n->heads * n->width;
    case NET_V: return n->heads * n->width_v;
    case NET_L:
    case NET_R:
    case NET_MASK: return n->heads;
    case NET_ATT: return n->width;
    case NET_ATT_SOURCE:
    case NET_ATT_TARGET: return n->width_v;
    case NET_BIAS: return n->bias_axes == 1 ? 1 : n->heads;
    case NET_WEIGHT:
    case NET_TARGET_SCALE:
    case NET_SOURCE_SCALE: return 1;
    }
    return 0;
}

static bool has(const net *n, net_name name)
{
    bool laplacian = n->normaliser.kind == GA_P_LAPLACIAN;
    switch (name) {
    case NET_Q:
    case NET_K: return n->score != GA_EDGE_ADDITIVE && n->score != GA_EDGE_CONSTANT;
    case NET_V: return true;
    case NET_L:
    case NET_R: return n->score == GA_EDGE_ADDITIVE;
    case NET_ATT: return n->score == GA_EDGE_GATV2;
    case NET_ATT_SOURCE:
    case NET_ATT_TARGET: return n->maps && n->score == GA_EDGE_ADDITIVE;
    case NET_BIAS: return n->bias_axes > 0;
    case NET_MASK: return !n->no_mask;
    case NET_WEIGHT:
    case NET_TARGET_SCALE:
    case NET_SOURCE_SCALE: return laplacian;
    }
    return false;
}

/* Exactly ga_keep_words(count) words, so that a sanitizer sees who reads beyond. */
static void draw_bits(net *n, int of, int64_t count)
{
    ga__random random = ga__random_at(9, GA__RANDOM_TEST, (uint64_t)(of + 2 * count));
    int64_t words = ga_keep_words(count);
    free(n->keep[of]);
    n->keep[of] = NULL;
    if (n->normaliser.kind == GA_SOFTMAX && (n->drop[of] > 0 || n->keep_all)) {
        n->keep[of] = calloc((size_t)words, sizeof(uint32_t));
        for (int64_t i = 0; i < count; i++) {
            bool kept = ga__random_unit(&random) >= n->drop[of];
            n->keep[of][i / 32] |= (uint32_t)kept << i % 32;
        }
    }
}

/* What dropout makes of element i. */
static double kept(const net *n, int of, int64_t i)
{
    return !n->keep[of] ? 1 : n->keep[of][i / 32] >> i % 32 & 1 ? 1 / (1 - n->drop[of]) : 0;
}

void net_fill(net *n, ga_edge_score score, ga_normaliser_kind kind, int64_t heads, int64_t width,
              int64_t width_v)
{
    ga__random random = ga__random_at(7, GA__RANDOM_TEST, (uint64_t)(heads * 1000 + width * 10 + (int)score));
    for (int i = 0; i < NET_TENSORS; i++) {
        free(n->tensor[i]);
        n->tensor[i] = NULL;
    }
    free(n->grad_y);
    free(n->grad_sums);
    n->score = score;
    n->normaliser = (ga_normaliser)GA_NORMALISER_INIT;
    n->normaliser.kind = kind;
    n->normaliser.bias_mode = GA_BIAS_FIXED;
    n->normaliser.bias = -0.25;
    n->normaliser.eps = 0.125;
    n->heads = heads;
    n->width = width;
    n->width_v = n->shared ? width : width_v;
    n->scale = 0.75;
    n->slope = 0.2;
    n->p = n->p > 0 ? n->p : 1.5;
    n->bias_axes = kind == GA_P_LAPLACIAN ? 0 : score == GA_EDGE_CONSTANT ? 2 : n->bias_axes;
    for (int i = 0; i < NET_TENSORS; i++) {
        int64_t count = net_rows(n, i) * net_columns(n, i);
        if (!has(n, i)) {
            continue;
        }
        n->tensor[i] = numbers(count);
        for (int64_t k = 0; k < count; k++) {
            double x = draw(&random);
            n->tensor[i][k] = i == NET_MASK           ? (x > 0.5 ? 0 : 1.25)
                              : i == NET_WEIGHT       ? (float)(x * x + 0.25)
                              : i >= NET_TARGET_SCALE ? (float)(x * x + 0.5)
                                                      : x;
        }
    }
    if (n->shared && n->tensor[NET_K]) {
        memcpy(n->tensor[NET_V], n->tensor[NET_K],
               (size_t)(net_rows(n, NET_V) * net_columns(n, NET_V)) * sizeof(double));
    }
    draw_bits(n, 0, n->edges.count * heads);
    draw_bits(n, 1, n->edges.sources_count * heads * n->width_v);
    n->grad_y = numbers(n->edges.targets * heads * n->width_v);
    n->grad_sums = numbers(n->edges.targets * heads);
    for (int64_t k = 0; k < n->edges.targets * heads * n->width_v; k++) {
        n->grad_y[k] = draw(&random);
    }
    for (int64_t k = 0; k < n->edges.targets * heads; k++) {
        n->grad_sums[k] = kind == GA_P_LAPLACIAN ? draw(&random) : 0;
    }
}

static double rounded(double x, net_type type)
{
    return type == NET_BF16  ? ga__from_bf16(ga__to_bf16((float)x))
           : type == NET_F16 ? ga__from_f16(ga__to_f16((float)x))
                             : x;
}

void net_round(net *n, net_type type)
{
    for (int i = NET_Q; i <= NET_V; i++) {
        for (int64_t k = 0; n->tensor[i] && k < net_rows(n, i) * net_columns(n, i); k++) {
            n->tensor[i][k] = rounded(n->tensor[i][k], type);
        }
    }
}

void net_drop(net *n)
{
    for (int i = 0; i < NET_TENSORS; i++) {
        free(n->tensor[i]);
    }
    free(n->keep[0]);
    free(n->keep[1]);
    free(n->grad_y);
    free(n->grad_sums);
    free((void *)(uintptr_t)n->edges.offsets);
    free((void *)(uintptr_t)n->edges.sources);
    free(n->transposed.offsets);
    free(n->transposed.targets);
    free(n->transposed.edge);
}

/* ---- formulas ---- */

/* l or r of a node: the tensor and what comes from v. */
static double part(const net *n, net_name name, int64_t node, int64_t h)
{
    const double *att = n->tensor[name == NET_L ? NET_ATT_SOURCE : NET_ATT_TARGET];
    double sum = n->tensor[name][node * n->heads + h];
    for (int64_t c = 0; att && c < n->width_v; c++) {
        sum += att[h * n->width_v + c] * n->tensor[NET_V][(node * n->heads + h) * n->width_v + c];
    }
    return sum;
}

static double plain_score(const net *n, int64_t i, int64_t j, int64_t e, int64_t h)
{
    double *const *t = n->tensor, sum = 0, qq = 0, kk = 0, b = 0;
    if (t[NET_BIAS]) {
        b = n->bias_axes == 1 ? t[NET_BIAS][e] : t[NET_BIAS][e * n->heads + h];
    }
    if (n->score == GA_EDGE_ADDITIVE) {
        double u = part(n, NET_L, j, h) + part(n, NET_R, i, h) + b;
        return u > 0 ? u : n->slope * u;
    }
    if (n->score == GA_EDGE_CONSTANT) {
        return b;
    }
    for (int64_t c = 0; c < n->width; c++) {
        double q = t[NET_Q][(i * n->heads + h) * n->width + c],
               k = t[NET_K][(j * n->heads + h) * n->width + c];
        if (n->score == GA_EDGE_GATV2) {
            sum += t[NET_ATT][h * n->width + c] * (q + k > 0 ? q + k : n->slope * (q + k));
        } else if (n->score == GA_EDGE_DISTANCE) {
            sum += pow(t[NET_SOURCE_SCALE][j] * k - t[NET_TARGET_SCALE][i] * q, 2);
        } else {
            sum += q * k;
        }
        qq += q * q;
        kk += k * k;
    }
    switch (n->score) {
    case GA_EDGE_DOT: return n->scale * sum + b;
    case GA_EDGE_COSINE: return (qq > 1e-24 && kk > 1e-24 ? n->scale * sum / sqrt(qq) / sqrt(kk) : 0) + b;
    default: return sum + b;
    }
}

static double plain_weight(const net *n, double s, int64_t e, double degree)
{
    double factor =
        n->normaliser.length_scale
            ? log((double)(n->score == GA_EDGE_ADDITIVE || n->score == GA_EDGE_CONSTANT ? n->width_v
                                                                                        : n->width)) *
                  log(degree)
            : 1;
    double w = n->tensor[NET_WEIGHT] ? n->tensor[NET_WEIGHT][e] : 1;
    double tau = w * s + n->guard * n->guard;
    switch (n->normaliser.kind) {
    case GA_SOFTMAX: return exp(s);
    case GA_SIGMOID: return 1 / (1 + exp(-s - n->normaliser.bias));
    case GA_SOFTPLUS: return fmax(factor * s, 0) + log1p(exp(-fabs(factor * s)));
    case GA_RELU_L1: return s > 0 ? s : 0;
    case GA_P_LAPLACIAN:
        if (n->guard == 0 && tau == 0) {
            return n->p == 2 ? w : 0;
        }
        return w * pow(tau, (n->p - 2) / 2);
    default: return s;
    }
}

void net_plain(const net *n, net_result *r)
{
    int64_t heads = n->heads, width = n->width_v;
    r->y = numbers(n->edges.targets * heads * width);
    r->lse = numbers(n->edges.targets * heads);
    r->sums = numbers(n->edges.targets * heads);
    r->map = numbers(n->edges.count * heads);
    for (int64_t i = 0; i < n->edges.targets; i++) {
        int64_t from = n->edges.offsets[i], to = n->edges.offsets[i + 1];
        for (int64_t h = 0; h < heads; h++) {
            double *w = r->map + h, sum = 0;
            for (int64_t e = from; e < to; e++) {
                double s = plain_score(n, i, n->edges.sources[e], e, h);
                w[e * heads] = plain_weight(n, s, e, (double)(to - from));
                sum += w[e * heads];
            }
            double by = 1;
            if (n->normaliser.kind == GA_SOFTMAX || n->normaliser.kind == GA_SOFTPLUS) {
                by = sum;
            } else if (n->normaliser.kind == GA_RELU_L1) {
                by = fmax(sum, n->normaliser.eps);
            }
            for (int64_t e = from; e < to; e++) {
                int64_t j = n->edges.sources[e];
                w[e * heads] *= (n->tensor[NET_MASK] ? n->tensor[NET_MASK][e * heads + h] : 1) / by;
                w[e * heads] *= kept(n, 0, e * heads + h);
                double t = n->tensor[NET_SOURCE_SCALE] ? n->tensor[NET_SOURCE_SCALE][j] : 1;
                for (int64_t c = 0; c < width; c++) {
                    int64_t at = (j * heads + h) * width + c;
                    r->y[(i * heads + h) * width + c] +=
                        w[e * heads] * t * n->tensor[NET_V][at] * kept(n, 1, at);
                }
            }
            r->sums[i * heads + h] = sum;
            r->lse[i * heads + h] = from == to ? -INFINITY : log(sum);
        }
    }
}

void net_result_drop(net_result *r)
{
    free(r->y);
    free(r->lse);
    free(r->sums);
    free(r->map);
}

/* ---- the library ---- */

typedef struct tensors {
    DLTensor tensor[40];
    int64_t shape[40][2];
    void *data[40];
    int count;
} tensors;

static const int sizes[] = { 4, 8, 2, 2 };

static DLTensor *add(tensors *t, const double *from, int64_t rows, int64_t columns, int axes, net_type type)
{
    static const DLDataType types[] = {
        { kDLFloat, 32, 1 }, { kDLFloat, 64, 1 }, { kDLBfloat, 16, 1 }, { kDLFloat, 16, 1 }
    };
    int at = t->count++;
    int64_t count = rows * columns;
    void *data = aligned_alloc(64, ((size_t)(count * sizes[type]) + 64) / 64 * 64);
    t->data[at] = data;
    for (int64_t k = 0; k < count; k++) {
        double x = from ? from[k] : 12345;
        switch (type) {
        case NET_F32: ((float *)data)[k] = (float)x; break;
        case NET_F64: ((double *)data)[k] = x; break;
        case NET_BF16: ((uint16_t *)data)[k] = ga__to_bf16((float)x); break;
        case NET_F16: ((uint16_t *)data)[k] = ga__to_f16((float)x); break;
        }
    }
    t->shape[at][0] = axes == 1 ? count : rows;
    t->shape[at][1] = columns;
    t->tensor[at] = (DLTensor){
        .data = data, .device = { kDLCPU, 0 }, .ndim = axes, .dtype = types[type], .shape = t->shape[at]
    };
    return &t->tensor[at];
}

static void drop(tensors *t)
{
    for (int i = 0; i < t->count; i++) {
        free(t->data[i]);
    }
}

static void copy_out(const DLTensor *tensor, double *to)
{
    int64_t count = tensor->shape[0] * (tensor->ndim > 1 ? tensor->shape[1] : 1);
    for (int64_t k = 0; k < count; k++) {
        to[k] = tensor->dtype.bits == 64 ? ((double *)tensor->data)[k] : ((float *)tensor->data)[k];
    }
}

static int axes_of(const net *n, net_name name)
{
    return name >= NET_WEIGHT || (name == NET_BIAS && n->bias_axes == 1) ? 1 : 2;
}

static void describe(const net *n, net_type type, tensors *t, ga_edge_attention *problem)
{
    const DLTensor **to[] = { &problem->q,
                              &problem->k,
                              &problem->v,
                              &problem->l,
                              &problem->r,
                              &problem->att,
                              &problem->att_source,
                              &problem->att_target,
                              &problem->edge_bias,
                              &problem->edge_scale,
                              &problem->edge_weights,
                              &problem->node_scale_target,
                              &problem->node_scale_source };
    *problem = (ga_edge_attention){ .edges = &n->edges,
                                    .heads = n->heads,
                                    .score = n->score,
                                    .scale = n->scale,
                                    .slope = n->slope,
                                    .normaliser = n->normaliser,
                                    .p = n->p,
                                    .guard = n->guard };
    for (int of = 0; of < 2; of++) {
        ga_keep *keep = of == 0 ? &problem->keep_weights : &problem->keep_values;
        *keep = (ga_keep){ n->keep[of], 1 / (1 - n->drop[of]) };
    }
    for (int i = 0; i < NET_TENSORS; i++) {
        bool parts = (i == NET_L && n->tensor[NET_ATT_SOURCE]) || (i == NET_R && n->tensor[NET_ATT_TARGET]);
        if (parts) {
            int64_t rows = net_rows(n, i);
            double *sums = numbers(rows * n->heads);
            for (int64_t k = 0; k < rows * n->heads; k++) {
                sums[k] = part(n, i, k / n->heads, k % n->heads);
            }
            *to[i] = add(t, sums, rows, n->heads, 2, type == NET_F64 ? type : NET_F32);
            free(sums);
        } else if (n->tensor[i]) {
            net_type as = i <= NET_V || type == NET_F64 ? type : NET_F32;
            *to[i] = add(t, n->tensor[i], net_rows(n, i), net_columns(n, i), axes_of(n, i), as);
        }
    }
    if (n->shared && problem->k) {
        problem->v = problem->k;
    }
}

ga_status net_forward(ga_context *context, const net *n, net_type type, int64_t hub, net_result *r)
{
    tensors t = { .count = 0 };
    ga_edge_attention problem;
    net_type out = type == NET_F64 ? NET_F64 : NET_F32;
    int64_t targets = n->edges.targets, count = n->edges.count;
    describe(n, type, &t, &problem);
    DLTensor *y = add(&t, NULL, targets, n->heads * n->width_v, 2, out);
    DLTensor *lse = n->normaliser.kind == GA_SOFTMAX ? add(&t, NULL, targets, n->heads, 2, out) : NULL;
    DLTensor *sums = add(&t, NULL, targets, n->heads, 2, out), *map = add(&t, NULL, count, n->heads, 2, out);
    ga__begin(context);
    bool laplacian = n->normaliser.kind == GA_P_LAPLACIAN;
    ga_status status = ga__edge_attention_forward(
        context, &problem, y, lse, n->bare && !laplacian ? NULL : sums, n->bare ? NULL : map, hub);
    r->y = numbers(targets * n->heads * n->width_v);
    r->lse = numbers(targets * n->heads);
    r->sums = numbers(targets * n->heads);
    r->map = numbers(count * n->heads);
    copy_out(y, r->y);
    copy_out(sums, r->sums);
    copy_out(map, r->map);
    if (lse) {
        copy_out(lse, r->lse);
    }
    drop(&t);
    return status;
}

ga_status net_backward(ga_context *context, const net *n, net_type type, int64_t hub, int given,
                       net_slopes *s)
{
    tensors t = { .count = 0 };
    ga_edge_attention problem;
    ga_edge_gradients g = { .q = NULL };
    DLTensor **const to[] = {
        &g.q, &g.k, &g.v, &g.l, &g.r, &g.att, &g.att_source, &g.att_target, &g.edge_bias
    };
    net_type out = type == NET_F64 ? NET_F64 : NET_F32;
    int64_t targets = n->edges.targets;
    ga_status status = GA_OK;
    memset(s, 0, sizeof *s);
    describe(n, type, &t, &problem);
    g.grad_y = add(&t, n->grad_y, targets, n->heads * n->width_v, 2, out);
    if (n->normaliser.kind == GA_P_LAPLACIAN) {
        g.grad_sums = add(&t, n->grad_sums, targets, n->heads, 2, out);
        g.p = add(&t, NULL, 1, 1, 1, out);
    }
    for (int i = 0; i <= NET_BIAS; i++) {
        if (n->tensor[i]) {
            *to[i] = add(&t, NULL, net_rows(n, i), net_columns(n, i), axes_of(n, i), out);
        }
    }
    if (n->in_place) {
        g.v = (DLTensor *)(uintptr_t)problem.v;
    }
    if (given) {
        DLTensor *y = add(&t, NULL, targets, n->heads * n->width_v, 2, out);
        DLTensor *lse = n->normaliser.kind == GA_SOFTMAX ? add(&t, NULL, targets, n->heads, 2, out) : NULL;
        ga__begin(context);
        status = ga__edge_attention_forward(context, &problem, y, lse, NULL, NULL, hub);
        g.y = given == NET_Y_AND_LSE ? y : NULL;
        g.lse = lse;
    }
    if (status == GA_OK) {
        ga__begin(context);
        status = ga__edge_attention_backward(context, &problem, &n->transposed, &g, hub);
    }
    for (int i = 0; i <= NET_BIAS; i++) {
        if (n->tensor[i]) {
            s->of[i] = numbers(net_rows(n, i) * net_columns(n, i));
            copy_out(*to[i], s->of[i]);
        }
    }
    if (g.p) {
        copy_out(g.p, &s->p);
    }
    drop(&t);
    return status;
}

void net_slopes_drop(net_slopes *s)
{
    for (int i = 0; i < NET_TENSORS; i++) {
        free(s->of[i]);
    }
}

bool net_near(double a, double b, double absolute, double relative)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= absolute + relative * fmax(fabs(a), fabs(b));
}
