/* check_static.c - patterns of the static variants: how many pairs they have, and which of them are the same. */
#include "config.h"

#include <graphattn.h>

#include <math.h>
#include <string.h>

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
    { { "saliency-local", { { "shape", "5,4" }, { "key_shape", "5,4" } } }, false, 20, 20, 20 },
    { { "neighborhood", { { "window", "3" } } }, false, 8, 8, 24 },
    { { "neighborhood", { { "window", "3" } } }, true, 8, 8, 21 },
    { { "neighborhood", { { "window", "4" } } }, false, 8, 8, 32 },
    { { "neighborhood", { { "window", "4" }, { "stride", "4" } } }, false, 10, 10, 40 },
    { { "neighborhood", { { "shape", "4,6,6" }, { "window", "2,3,3" }, { "causal_axes", "1,0,0" } } },
      false,
      144,
      144,
      2268 },
    { { "neighborhood", { { "shape", "4,6,6" }, { "window", "4,3,3" } } }, false, 144, 144, 5184 },
    { { "neighborhood", { { "shape", "4,6,6" }, { "window", "4,3,3" }, { "causal_axes", "1,0,0" } } },
      false,
      144,
      144,
      3240 },
    { { "radial", { { "frames", "64" }, { "tokens_per_frame", "64" }, { "sink", "0" } } },
      false,
      4096,
      4096,
      3867328 },
    { { "shifted-window", { { "shape", "8,8" }, { "window", "4" } } }, false, 64, 64, 576 },
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
    { { "shifted-window", { { "shape", "5,4" }, { "window", "5,4" } } },
      { "full", { { NULL, NULL } } },
      false,
      20 },
    { { "inward-window", { { "shape", "2,3,4" }, { "half_window", "3,2" } } },
      { "full", { { NULL, NULL } } },
      false,
      24 },
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

/* Blocks of every head for (H, n, ell, v): blocks of one token. */
START_TEST(blocks_of_s2_heads)
{
    static const int64_t many[] = { 2768, 2670, 2684, 2698, 2712, 2726, 2740, 2754 };
    static const int64_t few[] = { 63, 52, 55, 59, 63, 52, 55, 136 };
    static const spec wide = { "s2", { { "block", "1" }, { "local_blocks", "16" }, { "stride", "8" } } };
    static const spec dense = {
        "s2", { { "block", "1" }, { "local_blocks", "2" }, { "stride", "4" }, { "dense_heads", "1" } }
    };
    ga_context *context = test_threads_context(1);
    ga_pattern *a = pattern_of(context, &wide, true, 32, 128, 128, NULL);
    ga_pattern *b = pattern_of(context, &dense, true, 8, 16, 16, NULL);
    for (int h = 0; h < 32; h++) {
        ck_assert_int_eq(ga_pattern_nonzeros(a, h), many[h % 8]);
        ck_assert(h >= 8 || ga_pattern_nonzeros(b, h) == few[h]);
    }
    ga_pattern_destroy(context, a);
    ga_pattern_destroy(context, b);
    test_context_done(context, NULL);
}
END_TEST

/* True when every causal pair is seen by some head. */
static bool heads_cover(ga_context *context, int heads)
{
    static const spec s2 = { "s2", { { "block", "1" }, { "local_blocks", "1" }, { "stride", "8" } } };
    enum { TOKENS = 40 };
    ga_pattern *pattern = pattern_of(context, &s2, true, heads, TOKENS, TOKENS, NULL);
    int64_t runs[TOKENS][2];
    bool all = true;
    for (int64_t i = 0; i < TOKENS; i++) {
        bool seen[TOKENS] = { false };
        for (int h = 0; h < heads; h++) {
            for (int64_t r = 0, n = ga_pattern_row_runs(pattern, h, i, runs); r < n; r++) {
                memset(seen + runs[r][0], 1, (size_t)(runs[r][1] - runs[r][0]));
            }
        }
        for (int64_t j = 0; j <= i; j++) {
            all = all && seen[j];
        }
    }
    ga_pattern_destroy(context, pattern);
    return all;
}

START_TEST(heads_of_s2_cover_all_blocks_when_phases_do)
{
    ga_context *context = test_threads_context(1);
    ck_assert(heads_cover(context, 8));
    ck_assert(!heads_cover(context, 4)); /* phases 0, 2, 4, 6 */
    ck_assert(heads_cover(context, 16)); /* phases repeat */
    test_context_done(context, NULL);
}
END_TEST

/* Blocks that are on, of published video shapes: frames x tokens, decay, near, sink. */
START_TEST(blocks_of_radial)
{
    static const struct {
        spec what;
        int64_t tokens, blocks;
    } shapes[] = {
        { { "radial",
            { { "frames", "18" }, { "tokens_per_frame", "3840" }, { "form", "block" }, { "decay", "0.2" } } },
          69120,
          83728 },
        { { "radial",
            { { "frames", "18" },
              { "tokens_per_frame", "3840" },
              { "form", "block" },
              { "decay", "0.2" },
              { "near", "0.5" } } },
          69120,
          76798 },
        { { "radial",
            { { "frames", "30" },
              { "tokens_per_frame", "3840" },
              { "form", "block" },
              { "decay", "0.95" },
              { "sink", "0" } } },
          115200,
          222452 },
    };
    ga_context *context = test_threads_context(2);
    const int64_t tokens = shapes[_i].tokens, side = tokens / 128;
    ga_pattern *pattern = pattern_of(context, &shapes[_i].what, false, 1, tokens, tokens, NULL);
    double sparsity =
        1 - (double)ga_pattern_nonzeros(pattern, 0) / (double)(128 * 128) / (double)(side * side);
    ck_assert_int_eq(ga_pattern_nonzeros(pattern, 0), shapes[_i].blocks * 128 * 128);
    ck_assert(_i != 1 || fabs(sparsity - 0.73663237) < 5e-9);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
}
END_TEST

/* On interior blocks halo is a neighbourhood of window b + 2h and stride b; the first and the last block differ. */
START_TEST(halo_is_a_neighbourhood_inside)
{
    static const spec halo = { "halo", { { "border", "clip" } } };
    static const spec near = { "neighborhood", { { "window", "14" }, { "stride", "8" } } };
    ga_context *context = test_threads_context(1);
    ga_pattern *a = pattern_of(context, &halo, false, 1, 32, 32, NULL);
    ga_pattern *b = pattern_of(context, &near, false, 1, 32, 32, NULL);
    int64_t one[4][2], other[4][2];
    for (int64_t i = 0; i < 32; i++) {
        bool first = i < 8, last = i >= 24;
        ck_assert_int_eq(ga_pattern_row_runs(a, 0, i, one), 1);
        ck_assert_int_eq(ga_pattern_row_runs(b, 0, i, other), 1);
        ck_assert_int_eq(one[0][0], last ? 21 : first ? 0 : i / 8 * 8 - 3);
        ck_assert_int_eq(one[0][1], first ? 11 : last ? 32 : i / 8 * 8 + 11);
        ck_assert_int_eq(other[0][0], last ? 18 : one[0][0]);
        ck_assert_int_eq(other[0][1], first ? 14 : one[0][1]);
    }
    ga_pattern_destroy(context, a);
    ga_pattern_destroy(context, b);
    test_context_done(context, NULL);
}
END_TEST

/* ---- tile visits of neighbourhoods (section 3) ---- */

typedef struct visit {
    int axes;
    int64_t length[3], window[3], stride[3], tile[3];
    double bound, unmasked; /* of the visited ones */
} visit;

static const visit visits[] = {
    { 3, { 30, 48, 80 }, { 18, 24, 24 }, { 1, 1, 1 }, { 2, 8, 8 }, 5.44, 0.17 },
    { 3, { 30, 48, 80 }, { 18, 24, 24 }, { 16, 8, 8 }, { 2, 8, 8 }, 11.11, 1 },
    { 2, { 256, 256 }, { 80, 80 }, { 1, 1 }, { 16, 8 }, 7.51, 0.4955 },
    { 2, { 256, 256 }, { 80, 80 }, { 16, 16 }, { 16, 8 }, 10.24, 1 },
    { 2, { 256, 256 }, { 80, 80 }, { 1, 1 }, { 1, 128 }, 3.2, 0 }, /* raster order */
    { 1, { 32768 }, { 2048 }, { 1 }, { 128 }, 15.11, 0.8893 },
    { 1, { 32768 }, { 2048 }, { 256 }, { 128 }, 16, 1 },
    { 1, { 32768 }, { 2048 }, { 2048 }, { 128 }, 16, 1 },
};

START_TEST(tiles_that_are_visited)
{
    const visit *v = &visits[_i];
    ga_context *context = test_threads_context(1);
    ga_product_options o = { .axes = v->axes, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    ga_tile_visits found = { 0, 0, 0 };
    for (int i = 0; i < v->axes; i++) {
        o.axis[i].rule = GA_AXIS_NEIGHBOUR;
        o.axis[i].query_length = o.axis[i].key_length = v->length[i];
        o.axis[i].window = v->window[i];
        o.axis[i].stride = v->stride[i];
    }
    test_ok(context, ga_pattern_tile_visits(context, &o, v->tile, v->tile, &found));
    ck_assert_double_eq_tol((double)found.pairs / (double)found.visited, v->bound, 0.005);
    ck_assert_double_eq_tol((double)found.unmasked / (double)found.visited, v->unmasked, 0.005);
    o.extra = 1;
    test_status(context, ga_pattern_tile_visits(context, &o, v->tile, v->tile, &found), GA_UNSUPPORTED);
    o.extra = 0;
    test_status(context, ga_pattern_tile_visits(context, &o, (int64_t[]){ 0, 1, 1 }, v->tile, &found),
                GA_INVALID);
    test_context_done(context, NULL);
}
END_TEST

/* Dense, causal, and rows of several runs, which are never without a mask. */
START_TEST(tiles_of_other_axes)
{
    ga_context *context = test_threads_context(1);
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    ga_tile_visits found;
    const int64_t tile[] = { 4 };
    o.axis[0].query_length = o.axis[0].key_length = 10;
    test_ok(context, ga_pattern_tile_visits(context, &o, tile, tile, &found));
    ck_assert_int_eq(found.pairs, 9);
    ck_assert_int_eq(found.visited, 9);
    ck_assert_int_eq(found.unmasked, 9);
    o.causal = true;
    test_ok(context, ga_pattern_tile_visits(context, &o, tile, tile, &found));
    ck_assert_int_eq(found.visited, 6);
    ck_assert_int_eq(found.unmasked, 3);
    o.causal = false;
    o.axis[0].rule = GA_AXIS_NEIGHBOUR;
    o.axis[0].window = 3;
    o.axis[0].dilation = 3;
    test_ok(context, ga_pattern_tile_visits(context, &o, tile, tile, &found));
    ck_assert_int_eq(found.visited, 9);
    ck_assert_int_eq(found.unmasked, 0);
    test_context_done(context, NULL);
}
END_TEST

static ga_status visit_body(ga_context *with, void *user)
{
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    ga_tile_visits found;
    (void)user;
    o.axis[0].query_length = o.axis[0].key_length = 10;
    return ga_pattern_tile_visits(with, &o, (int64_t[]){ 4 }, (int64_t[]){ 4 }, &found);
}

START_TEST(tiles_without_memory)
{
    ck_assert_int_gt(test_each_allocation(visit_body, NULL, 1), 0);
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
    tcase_add_test(all, blocks_of_s2_heads);
    tcase_add_test(all, heads_of_s2_cover_all_blocks_when_phases_do);
    tcase_add_loop_test(all, blocks_of_radial, 0, 3);
    tcase_add_test(all, halo_is_a_neighbourhood_inside);
    tcase_add_loop_test(all, tiles_that_are_visited, 0, sizeof visits / sizeof *visits);
    tcase_add_test(all, tiles_of_other_axes);
    tcase_add_test(all, tiles_without_memory);
    tcase_add_loop_test(all, other_names, 0, sizeof sames / sizeof *sames);
    tcase_add_test(all, moa_is_full);
    tcase_add_test(all, halo_ghosts);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
