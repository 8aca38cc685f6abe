/* work.c - tensors and calls of the workloads. */
#include "bench/gpu/work.h"

#include <math.h>
#include <string.h>

enum { INPUTS = 5, OUTPUTS = 4 };

struct prepared {
    work w;
    DLTensor *in[INPUTS], *out[OUTPUTS];
    int64_t *offsets;
    uint32_t *sources;
    ga_edges edges;
    ga_pattern *pattern;
    ga_graph *graph;
    ga_matrices *matrices;
};

#define TRY(call) \
    do { \
        if ((status = (call)) != GA_OK) { \
            goto done; \
        } \
    } while (0)

/* ---- numbers ---- */

static uint64_t next(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static double unit(uint64_t *state)
{
    return (double)(next(state) >> 11) * 0x1p-53;
}

static uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static float from_bf16(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static int64_t elements(const DLTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) {
        count *= t->shape[i];
    }
    return count;
}

static void put(const DLTensor *t, int64_t i, float value)
{
    switch (t->dtype.bits) {
    case 16: ((uint16_t *)t->data)[i] = isnan(value) ? 0x7fff : to_bf16(value); break;
    case 32: ((float *)t->data)[i] = value; break;
    default: ((double *)t->data)[i] = (double)value; break;
    }
}

static double get(const DLTensor *t, int64_t i)
{
    switch (t->dtype.bits) {
    case 16: return (double)from_bf16(((const uint16_t *)t->data)[i]);
    case 32: return (double)((const float *)t->data)[i];
    default: return ((const double *)t->data)[i];
    }
}

/* ---- tensors ---- */

typedef enum filling { NOISE, NANS, DECAYS } filling; /* decays: logs between -1 and 0 */

/* The same numbers for every type: as bf16 has them when the work is in bf16. */
static ga_status make(ga_context *context, const work *w, bool precise, bool narrow, filling what,
                      uint64_t number, int ndim, const int64_t *shape, DLTensor **out)
{
    static const DLDataType f64 = { kDLFloat, 64, 1 }, f32 = { kDLFloat, 32, 1 }, bf16 = { kDLBfloat, 16, 1 };
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    uint64_t state = w->seed * 1000 + number;
    TRY(ga_tensor_create(context, precise ? f64 : narrow && w->bf16 ? bf16 : f32, ndim, shape, &made));
    int64_t count = elements(made);
    for (int64_t i = 0; i < count; i++) {
        float value = what == NANS ? NAN : (float)((what == DECAYS ? 1 : 2) * unit(&state) - 1);
        put(made, i, narrow && w->bf16 && what == NOISE ? from_bf16(to_bf16(value)) : value);
    }
    if (ga_context_device(context, NULL) == GA_DEVICE_CPU) {
        *out = made;
        made = NULL;
    } else {
        TRY(ga_tensor_to_device(context, made, out));
    }
done:
    ga_tensor_destroy(context, made);
    return status;
}

/* ---- graphs ---- */

static bool on_graph(const work *w)
{
    return w->nodes > 0;
}

/* In-degrees of very different size, sources spread over all nodes. */
static ga_status make_graph(ga_context *context, const work *w, prepared *p)
{
    ga_status status = GA_OK;
    int64_t n = w->nodes, m = w->edges;
    uint64_t state = w->seed * 1000 + 999;
    double *weight = NULL, sum = 0, part = 0;
    TRY(ga_alloc(context, n, sizeof *weight, &weight));
    TRY(ga_alloc(context, n + 1, sizeof *p->offsets, &p->offsets));
    TRY(ga_alloc(context, m, sizeof *p->sources, &p->sources));
    for (int64_t i = 0; i < n; i++) {
        double u = unit(&state);
        sum += weight[i] = next(&state) % 16 == 0 ? 0 : 1 / sqrt(u + 1e-4);
    }
    p->offsets[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        part += weight[i];
        p->offsets[i + 1] = i + 1 == n ? m : (int64_t)((double)m * (part / sum));
        int64_t length = p->offsets[i + 1] - p->offsets[i];
        for (int64_t k = 0; k < length; k++) {
            double at = ((double)k + unit(&state)) * (double)n / (double)length;
            p->sources[p->offsets[i] + k] = (uint32_t)fmin(at, (double)(n - 1));
        }
    }
    p->edges = (ga_edges){
        .targets = n, .sources_count = n, .count = m, .offsets = p->offsets, .sources = p->sources
    };
done:
    ga_free(context, weight);
    return status;
}

static ga_status graph_tensors(ga_context *context, const work *w, bool precise, prepared *p)
{
    ga_status status = GA_OK;
    int64_t features[] = { w->nodes, w->heads * w->width }, scalars[] = { w->nodes, w->heads };
    int64_t scores[] = { w->edges, w->heads }, maps[] = { w->heads, w->width };
    TRY(make_graph(context, w, p));
    TRY(make(context, w, precise, true, NOISE, 1, 2, features, &p->in[0]));
    TRY(make(context, w, precise, true, NOISE, 2, 2, features, &p->in[1]));
    TRY(make(context, w, precise, false, NOISE, 3, 2, scalars, &p->in[2]));
    TRY(make(context, w, precise, false, NOISE, 4, 2, scalars, &p->in[3]));
    TRY(make(context, w, precise, false, NOISE, 5, 2, maps, &p->in[4]));
    bool sddmm = strcmp(w->op, "sddmm") == 0;
    status = make(context, w, precise, false, NANS, 0, 2, sddmm ? scores : features, &p->out[0]);
done:
    return status;
}

/* ---- counting ---- */

static bool counts(const work *w)
{
    return strcmp(w->op, "jdm") == 0;
}

static ga_status counting_graph(ga_context *context, const work *w, prepared *p)
{
    ga_status status = GA_OK;
    uint32_t *targets = NULL;
    TRY(make_graph(context, w, p));
    TRY(ga_alloc(context, w->edges, sizeof *targets, &targets));
    for (int64_t v = 0; v < w->nodes; v++) {
        for (int64_t e = p->offsets[v]; e < p->offsets[v + 1]; e++) {
            targets[e] = (uint32_t)v;
        }
    }
    TRY(ga_graph_from_edges(context, w->nodes, w->edges, p->sources, targets, NULL, GA_LOOPS_KEEP,
                            GA_MULTI_KEEP, &p->graph));
    status = ga_graph_to_device(context, p->graph);
done:
    ga_free(context, targets);
    return status;
}

static bool same_matrix(ga_matrix_view a, ga_matrix_view b)
{
    size_t cells = (size_t)a.cells;
    return a.rows == b.rows && a.columns == b.columns && a.cells == b.cells && a.total == b.total &&
           memcmp(a.row, b.row, cells * sizeof *a.row) == 0 &&
           memcmp(a.column, b.column, cells * sizeof *a.column) == 0 &&
           memcmp(a.count, b.count, cells * sizeof *a.count) == 0;
}

/* ---- attention ---- */

static ga_status make_pattern(ga_context *context, const work *w, prepared *p)
{
    ga_product_options is = { .axes = 1, .axis = { GA_AXIS_INIT } };
    if (w->window == 0) {
        return ga_pattern_full(context, w->tokens, w->tokens, w->causal, &p->pattern);
    }
    is.axis[0].rule = GA_AXIS_SPAN;
    is.axis[0].query_length = is.axis[0].key_length = w->tokens;
    is.axis[0].left = w->window;
    is.axis[0].right = w->causal ? 0 : w->window;
    return ga_pattern_product(context, &is, &p->pattern);
}

static bool is_backward(const work *w)
{
    return strcmp(w->op, "attention-backward") == 0;
}

static ga_attention problem_of(const prepared *p)
{
    ga_attention is = GA_ATTENTION_INIT;
    is.q = p->in[0];
    is.k = p->in[1];
    is.v = p->in[2];
    is.pattern = p->pattern;
    is.score.scale = 1 / sqrt((double)p->w.width);
    is.normaliser.kind = p->w.sigmoid ? GA_SIGMOID : GA_SOFTMAX;
    return is;
}

static ga_status attention_tensors(ga_context *context, const work *w, bool precise, prepared *p)
{
    ga_status status = GA_OK;
    int64_t shape[] = { w->batch, w->heads, w->tokens, w->width };
    TRY(make_pattern(context, w, p));
    for (uint64_t i = 0; i < 4; i++) { /* q, k, v, the gradient of o */
        TRY(make(context, w, precise, true, NOISE, i + 1, 4, shape, &p->in[i]));
    }
    if (is_backward(w)) {
        for (int i = 0; i < 3; i++) {
            TRY(make(context, w, precise, false, NANS, 0, 4, shape, &p->out[i]));
        }
    } else {
        TRY(make(context, w, precise, true, NANS, 0, 4, shape, &p->out[0]));
    }
done:
    return status;
}

/* ---- recurrences ---- */

static bool scans(const work *w)
{
    return strcmp(w->op, "scan") == 0;
}

static ga_status scan_tensors(ga_context *context, const work *w, bool precise, prepared *p)
{
    ga_status status = GA_OK;
    int64_t shape[] = { w->batch, w->heads, w->tokens, w->width },
            decays[] = { w->batch, w->heads, w->tokens, 1 };
    for (uint64_t i = 0; i < 3; i++) {
        TRY(make(context, w, precise, true, NOISE, i + 1, 4, shape, &p->in[i]));
    }
    TRY(make(context, w, precise, false, DECAYS, 4, 4, decays, &p->in[3]));
    status = make(context, w, precise, false, NANS, 0, 4, shape, &p->out[0]);
done:
    return status;
}

/* ---- calls ---- */

static ga_status prepare(ga_context *context, const work *w, bool precise, prepared **out)
{
    ga_status status = GA_OK;
    prepared *p = NULL;
    TRY(ga_alloc(context, 1, sizeof *p, &p));
    *p = (prepared){ .w = *w };
    status = counts(w)     ? counting_graph(context, w, p)
             : scans(w)    ? scan_tensors(context, w, precise, p)
             : on_graph(w) ? graph_tensors(context, w, precise, p)
                           : attention_tensors(context, w, precise, p);
    if (status == GA_OK) {
        *out = p;
        p = NULL;
    }
done:
    work_destroy(context, p);
    return status;
}

ga_status work_prepare(ga_context *context, const work *w, prepared **out)
{
    return prepare(context, w, false, out);
}

void work_destroy(ga_context *context, prepared *p)
{
    if (p) {
        for (int i = 0; i < INPUTS; i++) {
            ga_tensor_destroy(context, p->in[i]);
        }
        for (int i = 0; i < OUTPUTS; i++) {
            ga_tensor_destroy(context, p->out[i]);
        }
        ga_pattern_destroy(context, p->pattern);
        ga_matrices_destroy(context, p->matrices);
        ga_graph_destroy(context, p->graph);
        ga_free(context, p->offsets);
        ga_free(context, p->sources);
        ga_free(context, p);
    }
}

static ga_status run_edges(ga_context *context, prepared *p)
{
    ga_edge_attention is = {
        .edges = &p->edges, .heads = p->w.heads, .scale = 1, .slope = 0.2, .v = p->in[0]
    };
    is.scale = 1 / sqrt((double)p->w.width);
    if (strcmp(p->w.op, "gat") == 0) {
        is.score = GA_EDGE_ADDITIVE;
        is.l = p->in[2];
        is.r = p->in[3];
    } else {
        bool dot = strcmp(p->w.op, "dot") == 0;
        is.score = dot ? GA_EDGE_DOT : GA_EDGE_GATV2;
        is.q = p->in[1];
        is.k = p->in[0];
        is.att = dot ? NULL : p->in[4];
    }
    return ga_edge_attention_forward(context, &is, p->out[0], NULL, NULL, NULL);
}

ga_status work_run(ga_context *context, prepared *p)
{
    const char *op = p->w.op;
    if (strcmp(op, "spmm") == 0) {
        return ga_spmm(context, &p->edges, NULL, p->in[0], GA_SUM, p->out[0], NULL);
    }
    if (strcmp(op, "sddmm") == 0) {
        return ga_sddmm(context, &p->edges, p->w.heads, p->in[0], p->in[1], p->out[0]);
    }
    if (counts(&p->w)) {
        ga_matrices_destroy(context, p->matrices);
        p->matrices = NULL;
        return ga_matrices_count(context, p->graph, NULL, &p->matrices);
    }
    if (scans(&p->w)) {
        ga_scan is = GA_SCAN_INIT;
        is.q = p->in[0];
        is.k = p->in[1];
        is.v = p->in[2];
        is.log_decay = p->in[3];
        return ga_scan_forward(context, &is, p->out[0], NULL);
    }
    if (on_graph(&p->w)) {
        return run_edges(context, p);
    }
    ga_attention is = problem_of(p);
    if (is_backward(&p->w)) {
        ga_attention_gradients g = { .grad_o = p->in[3], .q = p->out[0], .k = p->out[1], .v = p->out[2] };
        return ga_attention_backward(context, &is, GA_FAMILY_AUTO, &g, NULL);
    }
    ga_attention_result result = { .o = p->out[0] };
    return ga_attention_forward(context, &is, GA_FAMILY_AUTO, &result, NULL);
}

static void compare(const DLTensor *found, const DLTensor *wanted, double *error)
{
    double most = 0, worst = 0;
    int64_t count = elements(wanted);
    for (int64_t i = 0; i < count; i++) {
        double difference = fabs(get(found, i) - get(wanted, i));
        most = fmax(most, fabs(get(wanted, i)));
        if (!(difference <= worst)) {
            worst = difference; /* NaN too, and then it stays */
        }
        if (isnan(worst)) {
            break;
        }
    }
    worst = most > 0 ? worst / most : worst;
    *error = isnan(worst) || worst > *error ? worst : *error;
}

ga_status work_compare(ga_context *device, ga_context *cpu, const work *w, double *error)
{
    ga_status status = GA_OK;
    prepared *found = NULL, *wanted = NULL;
    DLTensor *back = NULL;
    *error = 0;
    TRY(prepare(device, w, false, &found));
    TRY(prepare(cpu, w, true, &wanted));
    TRY(work_run(device, found));
    TRY(work_run(cpu, wanted));
    if (counts(w) && !(same_matrix(ga_matrices_jdm(found->matrices), ga_matrices_jdm(wanted->matrices)) &&
                       same_matrix(ga_matrices_dcm(found->matrices), ga_matrices_dcm(wanted->matrices)))) {
        *error = 1;
    }
    for (int i = 0; i < OUTPUTS && found->out[i] && !isnan(*error); i++) {
        TRY(ga_tensor_to_host(device, found->out[i], &back));
        compare(back, wanted->out[i], error);
        ga_tensor_destroy(device, back);
        back = NULL;
    }
done:
    ga_tensor_destroy(device, back);
    work_destroy(device, found);
    work_destroy(cpu, wanted);
    return status;
}

/* ---- what it takes ---- */

static int64_t visible(const work *w)
{
    int64_t n = w->tokens;
    if (w->window == 0) {
        return w->causal ? n * (n + 1) / 2 : n * n;
    }
    int64_t inside = w->window < n ? w->window : n, pairs = n * (inside + 1) - inside * (inside + 1) / 2;
    return w->causal ? pairs : 2 * pairs - n;
}

int64_t work_bytes(const work *w)
{
    if (counts(w)) {
        return 8 * w->edges + 12 * w->nodes;
    }
    int64_t size = w->bf16 ? 2 : 4, features = w->nodes * w->heads * w->width * size;
    if (strcmp(w->op, "sddmm") == 0) {
        return w->edges * (4 + 4 * w->heads) + 8 * w->nodes + 2 * features;
    }
    if (on_graph(w)) {
        int inputs = strcmp(w->op, "gatv2") == 0 || strcmp(w->op, "dot") == 0 ? 2 : 1;
        return 4 * w->edges + 8 * w->nodes + inputs * features + w->nodes * w->heads * w->width * 4;
    }
    if (scans(w)) {
        return w->batch * w->heads * w->tokens * (w->width * (3 * size + 4) + 4);
    }
    return (is_backward(w) ? 8 : 4) * w->batch * w->heads * w->tokens * w->width * size;
}

int64_t work_flop(const work *w)
{
    if (counts(w)) {
        return 0;
    }
    if (on_graph(w)) {
        return (strcmp(w->op, "gatv2") == 0 || strcmp(w->op, "dot") == 0 ? 4 : 2) * w->edges * w->heads *
               w->width;
    }
    if (scans(w)) {
        return 5 * w->batch * w->heads * w->tokens * w->width * w->width;
    }
    int64_t forward = 4 * w->batch * w->heads * visible(w) * w->width;
    return is_backward(w) ? forward / 2 * 5 : forward;
}
