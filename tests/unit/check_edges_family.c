/* check_edges_family.c - attention on explicit patterns: the edge kernels against the plain rows. */
#include "config.h"

#include "tests/unit/check_edges.h"

#include "lib/base/base.h"
#include "lib/engine/attention/attention.h"

typedef struct shape {
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
} shape;

enum { ROOM = 48 };
typedef struct block {
    DLTensor tensor[ROOM];
    int64_t shape[ROOM][4];
    float *data[ROOM];
    int count;
    ga__random random;
} block;

static DLTensor *fresh(block *b, int axes, int64_t x, int64_t y, int64_t z, int64_t w, bool draw)
{
    const int64_t extent[] = { x, y, z, w };
    int at = b->count++;
    int64_t count = 1;
    for (int i = 0; i < axes; i++) {
        b->shape[at][i] = extent[4 - axes + i];
        count *= b->shape[at][i];
    }
    b->data[at] = aligned_alloc(64, ((size_t)count * 4 + 64) / 64 * 64);
    for (int64_t k = 0; k < count; k++) {
        b->data[at][k] = draw ? (float)(2 * ga__random_unit(&b->random) - 1) : 77;
    }
    b->tensor[at] = (DLTensor){ .data = b->data[at],
                                .device = { kDLCPU, 0 },
                                .ndim = axes,
                                .dtype = { kDLFloat, 32, 1 },
                                .shape = b->shape[at] };
    return &b->tensor[at];
}

static int64_t elements(const DLTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) {
        count *= t->shape[i];
    }
    return count;
}

static void same(const char *what, int normaliser, int variant, const DLTensor *found,
                 const DLTensor *expected, double absolute)
{
    const float *a = found->data, *b = expected->data;
    double size = 1;
    for (int64_t k = 0; k < elements(found); k++) {
        size = isfinite(b[k]) ? fmax(size, fabs((double)b[k])) : size;
    }
    for (int64_t k = 0; k < elements(found); k++) {
        if (!net_near((double)a[k], (double)b[k], absolute * size, absolute)) {
            ck_abort_msg("%s: normaliser %d variant %d [%d]: %g, not %g", what, normaliser, variant, (int)k,
                         (double)a[k], (double)b[k]);
        }
    }
}

/* Keys in falling order, so that the pattern sorts them and edges keep their places; row 2 is empty, row 1 long. */
static void make_pattern(ga_context *context, const shape *s, bool causal, ga_pattern **pattern,
                         int64_t *edges)
{
    int64_t *offsets = calloc((size_t)s->queries + 1, sizeof *offsets), at = 0;
    int64_t *indices = calloc((size_t)(s->queries * s->keys) + 1, sizeof *indices);
    for (int64_t i = 0; i < s->queries; i++) {
        for (int64_t j = s->keys - 1; j >= 0; j--) {
            if (i != 2 && (i == 1 || (i * 7 + j * 5) % 3 == 0)) {
                indices[at++] = j;
            }
        }
        offsets[i + 1] = at;
    }
    *edges = at;
    test_ok(context, ga_pattern_csr(context, s->queries, s->keys, offsets, indices, causal, false, pattern));
    free(offsets);
    free(indices);
}

static ga_status run_forward(ga_context *context, const ga_attention *problem, const ga__family_ops *family,
                             DLTensor *o, DLTensor *lse)
{
    ga__attention a;
    ga_attention_result result = { .o = o, .lse = lse };
    ga_status status = ga__attention_resolve(context, problem, &a);
    if (status == GA_OK) {
        ck_assert_ptr_null(family->can_forward(&a, &result));
        status = family->forward(context, &a, &result);
        ga__attention_release(context, &a);
    }
    return status;
}

static ga_status run_backward(ga_context *context, const ga_attention *problem, const ga__family_ops *family,
                              const ga_attention_gradients *gradients)
{
    ga__attention a;
    ga_status status = ga__attention_resolve(context, problem, &a);
    if (status == GA_OK) {
        ck_assert_ptr_null(family->can_backward(&a, gradients));
        status = family->backward(context, &a, gradients);
        ga__attention_release(context, &a);
    }
    return status;
}

static void fill_problem(block *b, const shape *s, int normaliser, int variant, int64_t edges,
                         const ga_pattern *pattern, ga_attention *p)
{
    *p = (ga_attention)GA_ATTENTION_INIT;
    p->q = fresh(b, 4, s->batch, s->heads, s->queries, s->dim, true);
    p->k = fresh(b, 4, s->batch, s->kv_heads, s->keys, s->dim, true);
    p->v = fresh(b, 4, s->batch, s->kv_heads, s->keys, s->dim_v, true);
    p->pattern = pattern;
    p->score.scale = 0.7;
    p->normaliser.kind = (ga_normaliser_kind)normaliser;
    p->normaliser.power = variant % 2 ? 3 : 2.5;
    p->normaliser.eps = normaliser == GA_RELU_L1 ? 0.25 : 1e-5;
    p->normaliser.bias = 0.25;
    p->normaliser.bias_mode = (ga_bias_mode)(variant % 3);
    p->normaliser.eta = (ga_eta)(variant % 3);
    if (normaliser == GA_NORM_ATTENTION) {
        p->normaliser.eta_logits = fresh(b, 3, 1, s->batch, s->heads, s->queries, true);
    }
    if (variant & 1) {
        p->score.edge_bias =
            variant & 2 ? fresh(b, 1, 1, 1, 1, edges, true) : fresh(b, 2, 1, 1, s->heads, edges, true);
        p->score.softcap = 1.5;
    }
    if (variant & 2) {
        p->score.bias = fresh(b, 3, 1, variant & 1 ? s->heads : 1, s->queries, s->keys, true);
        p->score.slopes = fresh(b, 1, 1, 1, 1, s->heads, true);
        p->head_scale = fresh(b, 1, 1, 1, 1, s->heads, true);
    }
}

static void check_problem(ga_context *context, const shape *s, int normaliser, int variant)
{
    block b = { .count = 0,
                .random = ga__random_at(5, GA__RANDOM_TEST, (uint64_t)(variant * 10 + normaliser)) };
    ga_pattern *pattern = NULL;
    int64_t edges = 0;
    ga_attention p;
    make_pattern(context, s, variant % 3 == 1, &pattern, &edges);
    fill_problem(&b, s, normaliser, variant, edges, pattern, &p);
    bool softmax = normaliser == GA_SOFTMAX;
    DLTensor *o[2], *lse[2];
    const ga__family_ops *families[] = { &ga__edges_family, &ga__rows_family };
    for (int i = 0; i < 2; i++) {
        o[i] = fresh(&b, 4, s->batch, s->heads, s->queries, s->dim_v, false);
        lse[i] = fresh(&b, 3, 1, s->batch, s->heads, s->queries, false);
        test_ok(context, run_forward(context, &p, families[i], o[i], softmax ? lse[i] : NULL));
    }
    same("o", normaliser, variant, o[0], o[1], 2e-5);
    same("lse", normaliser, variant, lse[0], lse[1], 1e-5);
    const DLTensor *grad_o = fresh(&b, 4, s->batch, s->heads, s->queries, s->dim_v, true);
    ga_attention_gradients g[2];
    for (int i = 0; i < 2; i++) {
        g[i] = (ga_attention_gradients){ .grad_o = grad_o,
                                         .o = variant & 1 ? o[i] : NULL,
                                         .lse = variant & 1 && softmax ? lse[i] : NULL };
        g[i].q = fresh(&b, 4, s->batch, s->heads, s->queries, s->dim, false);
        g[i].k = fresh(&b, 4, s->batch, s->kv_heads, s->keys, s->dim, false);
        g[i].v = fresh(&b, 4, s->batch, s->kv_heads, s->keys, s->dim_v, false);
        if (p.score.edge_bias) {
            bool one = p.score.edge_bias->ndim == 1;
            g[i].edge_bias = fresh(&b, one ? 1 : 2, 1, 1, one ? 1 : s->heads, edges, false);
        }
        if (p.score.bias) {
            g[i].bias = fresh(&b, 3, 1, p.score.bias->shape[0], s->queries, s->keys, false);
            g[i].slopes = fresh(&b, 1, 1, 1, 1, s->heads, false);
        }
        if (normaliser == GA_SIGMOID) {
            g[i].sigmoid_bias = fresh(&b, 1, 1, 1, 1, 1, false);
        }
        if (normaliser == GA_NORM_ATTENTION) {
            g[i].eta_logits = fresh(&b, 3, 1, s->batch, s->heads, s->queries, false);
        }
        test_ok(context, run_backward(context, &p, families[i], &g[i]));
    }
    const DLTensor *pairs[][2] = { { g[0].q, g[1].q },
                                   { g[0].k, g[1].k },
                                   { g[0].v, g[1].v },
                                   { g[0].edge_bias, g[1].edge_bias },
                                   { g[0].bias, g[1].bias },
                                   { g[0].slopes, g[1].slopes },
                                   { g[0].sigmoid_bias, g[1].sigmoid_bias },
                                   { g[0].eta_logits, g[1].eta_logits } };
    static const char *const names[] = { "q",         "k", "v", "edge_bias", "bias", "slopes", "sigmoid_bias",
                                         "eta_logits" };
    for (int i = 0; i < 8; i++) {
        if (pairs[i][0]) {
            same(names[i], normaliser, variant, pairs[i][0], pairs[i][1],
                 normaliser == GA_SOFTPLUS_REWEIGHT ? 2e-3 : 1e-4);
        }
    }
    ga_pattern_destroy(context, pattern);
    for (int i = 0; i < b.count; i++) {
        free(b.data[i]);
    }
}

START_TEST(test_against_rows)
{
    static const shape shapes[] = { { 2, 4, 2, 7, 23, 8, 5 },
                                    { 1, 1, 1, 40, 40, 16, 16 },
                                    { 1, 3, 3, 5, 37, 17, 33 } };
    ga_context *context = test_threads_context(2);
    static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };
    for (int i = 0; i < 3; i++) {
        if (!ga_backend_available(backends[i])) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, backends[i]));
        for (int k = 0; k < 3; k++) {
            for (int variant = 0; variant < 4; variant++) {
                check_problem(context, &shapes[k], _i, variant);
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

static ga_status family_call(ga_context *context, void *user)
{
    const shape s = { 1, 2, 1, 9, 21, 8, 8 };
    int normaliser = *(const int *)user;
    block b = { .count = 0, .random = ga__random_at(5, GA__RANDOM_TEST, 3) };
    ga_context *plain = test_threads_context(1);
    ga_pattern *pattern = NULL;
    int64_t edges = 0;
    ga_attention p;
    make_pattern(plain, &s, false, &pattern, &edges);
    fill_problem(&b, &s, normaliser, 3, edges, pattern, &p);
    ga_attention_gradients g = { .grad_o = fresh(&b, 4, 1, 2, 9, 8, true) };
    g.q = fresh(&b, 4, 1, 2, 9, 8, false);
    g.k = fresh(&b, 4, 1, 1, 21, 8, false);
    g.v = fresh(&b, 4, 1, 1, 21, 8, false);
    g.slopes = fresh(&b, 1, 1, 1, 1, 2, false);
    ga_status status = run_forward(context, &p, &ga__edges_family, fresh(&b, 4, 1, 2, 9, 8, false), NULL);
    if (status == GA_OK) {
        status = run_backward(context, &p, &ga__edges_family, &g);
    }
    ga_pattern_destroy(plain, pattern);
    ga_context_destroy(plain);
    for (int i = 0; i < b.count; i++) {
        free(b.data[i]);
    }
    return status;
}

START_TEST(test_family_memory)
{
    ck_assert_int_gt(test_each_allocation(family_call, &_i, 2), 4);
}
END_TEST

TCase *edges_family(void)
{
    TCase *family = tcase_create("family");
    tcase_add_loop_test(family, test_against_rows, 0, GA_P_LAPLACIAN);
    tcase_add_loop_test(family, test_family_memory, 0, GA_P_LAPLACIAN);
    tcase_set_timeout(family, 300);
    return family;
}
