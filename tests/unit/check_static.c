/* check_static.c - patterns of the static variants: how many pairs they have, and which of them are the same. */
#include "config.h"

#include <graphattn.h>

#include <math.h>

#include "tests/unit/support.h"

/* "NAME:k=v,..." of a variant that is a pattern, or "NAME" with parameters of its own. */
typedef struct spec {
    const char *variant;
    ga_named_text set[6];
} spec;

static ga_pattern *pattern_of(ga_context *context, const spec *s, bool causal, int64_t heads, int64_t queries,
                              int64_t keys, double *spans)
{
    ga_pattern *pattern = NULL;
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    int64_t shape[] = { heads, 2 };
    DLTensor tensor = {
        .data = spans, .device = { kDLCPU, 0 }, .ndim = 2, .dtype = { kDLFloat, 64, 1 }, .shape = shape
    };
    ga_named_tensor tensors[] = { { "spans", &tensor } };
    call.parameters = s->set;
    while (call.parameter_count < 6 && s->set[call.parameter_count].name) {
        call.parameter_count++;
    }
    call.tensors = tensors;
    call.tensor_count = spans ? 1 : 0;
    call.causal = causal;
    test_ok(context, ga_attend_pattern(context, s->variant, &call, heads, heads, queries, keys, &pattern));
    return pattern;
}

/* ---- numbers of pairs (attention-static sections 2 to 15) ---- */

typedef struct count {
    spec what;
    bool causal;
    int64_t queries, keys, pairs;
} count;

static const count counts[] = {
    { { "window", { { "window", "31" } } }, false, 100, 100, 2860 },
    { { "window", { { "window", "15" } } }, true, 100, 100, 1395 },
    { { "dina", { { "window", "3" } } }, false, 10, 10, 30 },
    { { "dina", { { "shape", "7,9" }, { "window", "3,5" } } }, false, 63, 63, 945 },
    { { "halo", { { "border", "clip" } } }, false, 32, 32, 400 },
    { { "halo", { { "border", "ghost" } } }, false, 32, 32, 400 },
    { { "halo", { { "shape", "32,32" } } }, false, 1024, 1024, 160000 },
    { { "halo", { { "shape", "8,8" }, { "block", "4" }, { "halo", "1" } } }, false, 64, 64, 1600 },
    { { "maxvit-block", { { "shape", "56,56" } } }, false, 3136, 3136, 153664 },
    { { "maxvit-grid", { { "shape", "56,56" } } }, false, 3136, 3136, 153664 },
    { { "maxvit-block", { { "shape", "14,14" }, { "border", "bias" } } }, false, 196, 196, 9604 },
    { { "shifted-window", { { "shape", "32,32" } } }, false, 1024, 1024, 147456 },
    { { "shifted-window", { { "shape", "32,32" }, { "shift", "0" } } }, false, 1024, 1024, 262144 },
    { { "shifted-window", { { "shape", "32,32" }, { "mask_value", "-100" } } }, false, 1024, 1024, 262144 },
    { { "shifted-window", { { "shape", "64,64" } } }, false, 4096, 4096, 802816 },
    { { "overlap-window", { { "shape", "32,32" } } }, false, 1024, 1024, 409600 },
    { { "overlap-window", { { "shape", "48,48" } } }, false, 2304, 2304, 1048576 },
    { { "overlap-window", { { "shape", "64,64" } } }, false, 4096, 4096, 1982464 },
    { { "inward-window", { { "shape", "2,6,6" }, { "half_window", "1" } } }, false, 72, 72, 1296 },
    { { "radial", { { "frames", "16" }, { "tokens_per_frame", "16" }, { "sink", "0" } } },
      false,
      256,
      256,
      33424 },
    { { "radial", { { "frames", "16" }, { "tokens_per_frame", "64" }, { "sink", "0" } } },
      false,
      1024,
      1024,
      564160 },
    { { "radial", { { "frames", "33" }, { "tokens_per_frame", "100" }, { "sink", "0" } } },
      false,
      3300,
      3300,
      3896960 },
    { { "radial", { { "frames", "4" }, { "tokens_per_frame", "8" } } }, false, 32, 32, 944 },
    { { "s2", { { "block", "2" }, { "local_blocks", "2" } } }, true, 16, 16, 84 },
    { { "saliency-local", { { "shape", "4,4" }, { "key_shape", "12,8" } } }, false, 16, 96, 96 },
};

START_TEST(pairs)
{
    ga_context *context = test_threads_context(1);
    const count *c = &counts[_i];
    ga_pattern *pattern = pattern_of(context, &c->what, c->causal, 1, c->queries, c->keys, NULL);
    ck_assert_msg(ga_pattern_nonzeros(pattern, 0) == c->pairs, "%s: %lld pairs, expected %lld",
                  c->what.variant, (long long)ga_pattern_nonzeros(pattern, 0), (long long)c->pairs);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

/* Tokens and blocks of every head, (H, n, ell, v) = (8, 16, 2, 8), b = 64. */
START_TEST(pairs_of_s2_heads)
{
    static const int64_t want[] = { 176640, 123392, 127488, 135680, 143872, 152064, 160256, 168448 };
    static const spec s2 = { "s2", { { "local_blocks", "2" }, { "stride", "8" } } };
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = pattern_of(context, &s2, true, 8, 1024, 1024, NULL);
    for (int h = 0; h < 8; h++) {
        ck_assert_int_eq(ga_pattern_nonzeros(pattern, h), want[h]);
    }
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

/* Blocks: 952 for N = 4096 and (1024, 0), 5096 for 8192 and (-1024, 0.5), 150 for 2048 and (0, 1/8); a block of the
 * diagonal has half of its pairs. */
START_TEST(pairs_of_moa)
{
    static double spans[][2] = { { 1024, 0 }, { -1024, 0.5 }, { 0, 0.125 } };
    static const int64_t keys[] = { 4096, 8192, 2048 }, blocks[] = { 952, 5096, 150 };
    static const spec moa = { "moa", { { NULL, NULL } } };
    ga_context *context = test_threads_context(1);
    for (int i = 0; i < 3; i++) {
        ga_pattern *pattern = pattern_of(context, &moa, false, 1, keys[i], keys[i], spans[i]);
        ck_assert_int_eq(ga_pattern_nonzeros(pattern, 0),
                         blocks[i] * 4096 - keys[i] / 64 * (4096 - 64 * 65 / 2));
        ga_pattern_destroy(context, pattern);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- the same pattern under another name (section 0.8) ---- */

typedef struct same {
    spec a, b;
    bool causal;
    int64_t tokens;
} same;

static const same sames[] = {
    { { "maxvit-grid", { { "shape", "12,8" }, { "grid", "3,4" } } },
      { "neighborhood", { { "shape", "12,8" }, { "window", "3,4" }, { "dilation", "4,2" } } },
      false,
      96 },
    { { "dina", { { "shape", "12,8" }, { "window", "3,4" } } },
      { "neighborhood", { { "shape", "12,8" }, { "window", "3,4" }, { "dilation", "4,2" } } },
      false,
      96 },
    { { "maxvit-block", { { "shape", "12,8" }, { "window", "3,4" } } },
      { "neighborhood", { { "shape", "12,8" }, { "window", "3,4" }, { "stride", "3,4" } } },
      false,
      96 },
    { { "shifted-window", { { "shape", "12,8" }, { "window", "3,4" }, { "shift", "0" } } },
      { "maxvit-block", { { "shape", "12,8" }, { "window", "3,4" } } },
      false,
      96 },
    { { "inward-window", { { "shape", "2,7,9" }, { "half_window", "2,1" } } },
      { "neighborhood", { { "shape", "2,7,9" }, { "window", "2,5,3" } } },
      false,
      126 },
    { { "overlap-window", { { "shape", "12,8" }, { "window", "4" } } },
      { "halo", { { "shape", "12,8" }, { "block", "4" }, { "halo", "1" } } },
      false,
      96 },
    { { "halo", { { "shape", "7,9" }, { "block", "4" }, { "halo", "0" } } },
      { "maxvit-block", { { "shape", "7,9" }, { "window", "4" }, { "border", "clip" } } },
      false,
      63 },
    { { "halo", { { "block", "20" } } }, { "full", { { NULL, NULL } } }, false, 20 },
    { { "s2", { { "block", "3" }, { "stride", "1" } } }, { "full", { { NULL, NULL } } }, true, 20 },
    { { "radial", { { "frames", "1" }, { "tokens_per_frame", "20" } } },
      { "full", { { NULL, NULL } } },
      false,
      20 },
    { { "window", { { "window", "5" } } }, { "neighborhood", { { "window", "5" } } }, true, 30 },
};

static void compare(ga_context *context, const char *name, const ga_pattern *a, const ga_pattern *b)
{
    int64_t *offsets[2], rows = ga_pattern_queries(a);
    uint32_t *keys[2];
    test_ok(context, ga_pattern_to_csr(context, a, 0, &offsets[0], &keys[0]));
    test_ok(context, ga_pattern_to_csr(context, b, 0, &offsets[1], &keys[1]));
    for (int64_t i = 0; i <= rows; i++) {
        ck_assert_msg(offsets[0][i] == offsets[1][i], "%s: row %lld", name, (long long)i);
    }
    for (int64_t e = 0; e < offsets[0][rows]; e++) {
        ck_assert_msg(keys[0][e] == keys[1][e], "%s: entry %lld", name, (long long)e);
    }
    for (int i = 0; i < 2; i++) {
        ga_free(context, offsets[i]);
        ga_free(context, keys[i]);
    }
}

START_TEST(other_names)
{
    ga_context *context = test_threads_context(1);
    const same *s = &sames[_i];
    ga_pattern *a = pattern_of(context, &s->a, s->causal, 1, s->tokens, s->tokens, NULL);
    ga_pattern *b = pattern_of(context, &s->b, s->causal, 1, s->tokens, s->tokens, NULL);
    compare(context, s->a.variant, a, b);
    ga_pattern_destroy(context, a);
    ga_pattern_destroy(context, b);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(moa_is_full)
{
    static double spans[] = { 0, 1 };
    static const spec moa = { "moa", { { "block", "3" } } }, full = { "full", { { NULL, NULL } } };
    ga_context *context = test_threads_context(1);
    ga_pattern *a = pattern_of(context, &moa, true, 1, 20, 20, spans);
    ga_pattern *b = pattern_of(context, &full, true, 1, 20, 20, NULL);
    compare(context, "moa", a, b);
    ga_pattern_destroy(context, a);
    ga_pattern_destroy(context, b);
    test_context_done(context, NULL);
}
END_TEST

/* ---- halo with ghosts and relative vectors, by its formula ---- */

enum { L = 11, B = 4, H = 2, M = B + 2 * H, D = 3 };

static double number(int i, double t)
{
    return sin(1 + 0.37 * i + 1.7 * t);
}

/* o and lse of query y; ghosts score the relative term and have the value 0. */
static double halo_by_definition(int y, const double *q, const double *k, const double *v, const double *r,
                                 double *o)
{
    double sum = 0;
    for (int c = 0; c < D; c++) {
        o[c] = 0;
    }
    for (int t = 0; t < M; t++) {
        int j = y / B * B - H + t;
        bool ghost = j < 0 || j >= L;
        double z = 0;
        for (int c = 0; c < D; c++) {
            z += q[y * D + c] * (r[(t - y % B + M - 1) * D + c] + (ghost ? 0 : k[j * D + c] / sqrt(D)));
        }
        sum += exp(z);
        for (int c = 0; c < D && !ghost; c++) {
            o[c] += exp(z) * v[j * D + c];
        }
    }
    for (int c = 0; c < D; c++) {
        o[c] /= sum;
    }
    return log(sum);
}

START_TEST(halo_ghosts)
{
    static double q[L * D], k[L * D], v[L * D], r[(2 * M - 1) * D];
    double o[D];
    int64_t shape[] = { L, D }, cells[] = { 2 * M - 1, D };
    ga_context *context = test_threads_context(2);
    DLTensor of_q = {
        .data = q, .device = { kDLCPU, 0 }, .ndim = 2, .dtype = { kDLFloat, 64, 1 }, .shape = shape
    };
    DLTensor of_k = of_q, of_v = of_q, of_r = of_q;
    ga_named_text set[] = { { "block", "4" }, { "halo", "2" } };
    ga_named_tensor tensors[] = { { "rel_0", &of_r } }, wanted[] = { { "o", NULL }, { "lse", NULL } };
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    for (int i = 0; i < L * D; i++) {
        q[i] = number(i, 1), k[i] = number(i, 2), v[i] = number(i, 3);
    }
    for (int i = 0; i < (2 * M - 1) * D; i++) {
        r[i] = number(i, 4);
    }
    of_k.data = k, of_v.data = v, of_r.data = r, of_r.shape = cells;
    call.q = &of_q, call.k = &of_k, call.v = &of_v;
    call.parameters = set, call.parameter_count = 2;
    call.tensors = tensors, call.tensor_count = 1;
    call.f64 = true;
    test_ok(context, ga_attend(context, "halo", &call, wanted, 2));
    for (int y = 0; y < L; y++) {
        double lse = halo_by_definition(y, q, k, v, r, o);
        ck_assert_double_eq_tol(((double *)wanted[1].tensor->data)[y], lse, 1e-12);
        for (int c = 0; c < D; c++) {
            ck_assert_double_eq_tol(((double *)wanted[0].tensor->data)[y * D + c], o[c], 1e-12);
        }
    }
    ga_tensor_destroy(context, wanted[0].tensor);
    ga_tensor_destroy(context, wanted[1].tensor);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("static");
    TCase *all = tcase_create("static");
    tcase_set_timeout(all, 0);
    tcase_add_loop_test(all, pairs, 0, sizeof counts / sizeof *counts);
    tcase_add_test(all, pairs_of_s2_heads);
    tcase_add_test(all, pairs_of_moa);
    tcase_add_loop_test(all, other_names, 0, sizeof sames / sizeof *sames);
    tcase_add_test(all, moa_is_full);
    tcase_add_test(all, halo_ghosts);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
