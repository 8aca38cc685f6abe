/* check_analyses.c - analyses of maps and heads: closed values, ties, what is not a number, refusals. */
#include "config.h"

#include "tests/unit/check_analyses.h"

/* ---- the closed inputs: Q[i][c] = sin(1 + 0.37 i (c + 1)), K[j][c] = cos(0.5 + 0.23 j (c + 2)) ---- */

enum { N = 48, D = 8 };

static double closed_q(int64_t i, int64_t c)
{
    return sin(1 + 0.37 * (double)(i * (c + 1)));
}

static double closed_k(int64_t j, int64_t c)
{
    return cos(0.5 + 0.23 * (double)(j * (c + 2)));
}

/* Row of the causal map; gain is added to the logits of columns 0 and 10. */
static void closed_row(int64_t i, double gain, double row[N])
{
    double sum = 0;
    for (int64_t j = 0; j < N; j++) {
        row[j] = j == 0 || j == 10 ? gain : 0;
        for (int64_t c = 0; c < D; c++) {
            row[j] += closed_q(i, c) * closed_k(j, c) / sqrt(D);
        }
        row[j] = j <= i ? exp(row[j]) : 0;
        sum += row[j];
    }
    for (int64_t j = 0; j < N; j++) {
        row[j] /= sum;
    }
}

/* ---- sinks ---- */

START_TEST(received_by_its_closed_value)
{
    call c = { .name = "sinks", .causal = true };
    static double map[N][N];
    for (int64_t i = 0; i < N; i++) {
        closed_row(i, 3, map[i]);
    }
    give_reals(&c, "map", 2, (int64_t[]){ N, N }, &map[0][0]);
    set(&c, "method", "received");
    want(&c, "recv");
    want(&c, "sinks");
    test_ok(context, run_in(context, &c));
    ck_assert_double_eq_tol(number(&c, "recv", 0), .395694, 1e-6);
    ck_assert_double_eq_tol(number(&c, "recv", 10), .297184, 1e-6);
    for (int64_t j = 0; j < N; j++) {
        ck_assert_double_eq(number(&c, "sinks", j), j == 0 || j == 10);
    }
    ck_assert_double_eq(reported(&c, "sinks"), 2);
    /* without the mask every row counts */
    free_outputs(context, &c);
    c.causal = false;
    test_ok(context, run_in(context, &c));
    expect_number(&c, "recv", N - 1, map[N - 1][N - 1] / N);
    done(&c);
}
END_TEST

START_TEST(phi_of_a_token)
{
    call c = { .name = "sinks" };
    const double hidden[2][4] = { { 1, -3, 0, 1 }, { 0, 0, 0, 0 } };
    give_reals(&c, "hidden", 2, (int64_t[]){ 2, 4 }, &hidden[0][0]);
    set(&c, "sink_dims", "0,1");
    set(&c, "tau", "1.8");
    want(&c, "phi");
    want(&c, "sinks");
    test_ok(context, run_in(context, &c));
    expect_number(&c, "phi", 0, 3 / sqrt(11.0 / 4 + 1e-6));
    expect_number(&c, "phi", 1, 0);
    ck_assert_double_eq(number(&c, "sinks", 0), 1);
    ck_assert_double_eq(number(&c, "sinks", 1), 0);
    free_outputs(context, &c);
    c.parameters[1].value = "2.5";
    refused(&c, "tau=2.5: expected at most 2");
    c.parameters[1].value = "2"; /* the root itself */
    test_ok(context, run_in(context, &c));
    free_outputs(context, &c);
    c.parameters[0].value = "1,4";
    refused(&c, "sink_dims=1,4: expected channels below 4");
    c.causal = true;
    refused(&c, "causal mask with method=received only");
    c.causal = false;
    c.parameter_count = 0;
    refused(&c, "needs sink_dims");
    set(&c, "method", "received");
    refused(&c, "needs map with method=received");
    c.outputs[0].name = "recv";
    c.parameter_count = 0;
    refused(&c, "gives recv with method=received only");
    done(&c);
}
END_TEST

/* ---- vhd ---- */

static void closed_vhd(call *c)
{
    double a[8][D], b[8][D];
    for (int64_t i = 0; i < 8; i++) {
        for (int64_t k = 0; k < D; k++) {
            a[i][k] = closed_q(i, k);
            b[i][k] = (i == 2 ? 4 : 1) * closed_k(i, k);
        }
    }
    give_reals(c, "with_image", 2, (int64_t[]){ 8, D }, &a[0][0]);
    give_reals(c, "without_image", 2, (int64_t[]){ 8, D }, &b[0][0]);
}

START_TEST(divergence_by_its_closed_value)
{
    static const double vhd[] = { .102139,  1.464507, 6.336493, 2.040707,
                                  2.328923, 2.615437, 2.792379, 2.645907 };
    call c = { .name = "vhd" };
    closed_vhd(&c);
    want(&c, "vhd");
    want(&c, "norm");
    want(&c, "outlier");
    want(&c, "selected");
    want(&c, "token");
    test_ok(context, run_in(context, &c));
    for (int64_t i = 0; i < 8; i++) {
        double square = 0;
        for (int64_t k = 0; k < D; k++) {
            square += (i == 2 ? 16 : 1) * closed_k(i, k) * closed_k(i, k);
        }
        ck_assert_double_eq_tol(number(&c, "vhd", i), vhd[i], 1e-6);
        expect_number(&c, "norm", i, square);
        ck_assert_double_eq(number(&c, "outlier", i), i == 2);
        ck_assert_double_eq(number(&c, "selected", i), i >= 4);
    }
    ck_assert_double_eq_tol(number(&c, "token", 0), 2.792379 + 2.645907, 2e-6);
    ck_assert_double_eq(reported(&c, "outliers"), 1);
    done(&c);
}
END_TEST

/* All heads alike: none is above the median. */
START_TEST(equal_heads_are_not_selected)
{
    call c = { .name = "vhd" };
    const double a[3][2] = { { 1, 0 }, { 0, 1 }, { 1, 0 } }, b[3][2] = { { 0, 0 }, { 0, 0 }, { 0, 0 } };
    give_reals(&c, "with_image", 2, (int64_t[]){ 3, 2 }, &a[0][0]);
    give_reals(&c, "without_image", 2, (int64_t[]){ 3, 2 }, &b[0][0]);
    set(&c, "top_k", "9");
    want(&c, "selected");
    want(&c, "token");
    test_ok(context, run_in(context, &c));
    for (int64_t i = 0; i < 3; i++) {
        ck_assert_double_eq(number(&c, "selected", i), 0);
    }
    expect_number(&c, "token", 0, 3);
    free_outputs(context, &c);
    c.inputs[1].tensor->shape[0] = 2;
    refused(&c, "without_image: shape");
    c.inputs[0].tensor->shape[0] = c.inputs[1].tensor->shape[0] = 0;
    refused(&c, "no head");
    done(&c);
}
END_TEST

/* A head that moves far from a small output is none. */
START_TEST(outliers_are_large_in_both)
{
    call c = { .name = "vhd" };
    const double a[3][2] = { { 9, 0 }, { 0, 1 }, { 1, 0 } }, b[3][2] = { { 0, 0 }, { 1, 1 }, { 1, 1 } };
    give_reals(&c, "with_image", 2, (int64_t[]){ 3, 2 }, &a[0][0]);
    give_reals(&c, "without_image", 2, (int64_t[]){ 3, 2 }, &b[0][0]);
    want(&c, "outlier");
    want(&c, "selected");
    test_ok(context, run_in(context, &c));
    for (int64_t i = 0; i < 3; i++) {
        ck_assert_double_eq(number(&c, "outlier", i), 0);
        ck_assert_double_eq(number(&c, "selected", i), i == 0);
    }
    done(&c);
}
END_TEST

/* ---- cls-streams ---- */

START_TEST(streams_of_tokens)
{
    call c = { .name = "cls-streams" };
    /* quartiles of last: 1 and 2, fence 3.5; ties of first go to the lower index */
    const double first[] = { 5, 4, 5, 1, 4, 0, 0, 0, 0 }, last[] = { 1, 2, 4, 1, 3.4, 1, 2, 1, 1 },
                 received[] = { 0, 0, 0, 0, 0, 0, 0, 0, 7 };
    give_reals(&c, "first", 1, (int64_t[]){ 9 }, first);
    give_reals(&c, "last", 1, (int64_t[]){ 9 }, last);
    set(&c, "local_ratio", "0.34");
    want(&c, "local");
    want(&c, "summary");
    test_ok(context, run_in(context, &c));
    for (int64_t j = 0; j < 9; j++) {
        ck_assert_double_eq(number(&c, "local", j), j == 0 || j == 1);
        ck_assert_double_eq(number(&c, "summary", j), j == 2);
    }
    free_outputs(context, &c);
    set(&c, "spatial_ratio", "0.2");
    refused(&c, "spatial_ratio=0.2: expected 0 without received");
    give_reals(&c, "received", 1, (int64_t[]){ 9 }, received);
    test_ok(context, run_in(context, &c));
    ck_assert_double_eq(number(&c, "local", 8), 1);
    ck_assert_double_eq(reported(&c, "local"), 3);
    free_outputs(context, &c);
    c.inputs[2].tensor->shape[0] = 8;
    refused(&c, "received: shape");
    done(&c);
}
END_TEST

/* ---- carve ---- */

START_TEST(contrast_by_its_closed_value)
{
    static const int64_t kept[] = { 0, 1, 4, 18, 19 };
    call c = { .name = "carve" };
    double question[N], general[N];
    int64_t count = 0;
    closed_row(47, 0, question);
    closed_row(30, 0, general);
    give_reals(&c, "question", 4, (int64_t[]){ 1, 1, 1, 24 }, question + 4);
    give_reals(&c, "general", 4, (int64_t[]){ 1, 1, 1, 24 }, general + 4);
    set(&c, "shape", "1,24");
    set(&c, "components", "5");
    const char *const names[] = { "score", "threshold", "mask", "box", "entropy", "contrast" };
    for (int i = 0; i < 6; i++) {
        want(&c, names[i]);
    }
    test_ok(context, run_in(context, &c));
    expect_number(&c, "score", 18, 0.674280191);
    expect_number(&c, "contrast", 18, 0.674280191);
    expect_number(&c, "threshold", 0, 0.660951746);
    expect_number(&c, "entropy", 0, 2.994764626);
    for (int64_t j = 0; j < 24; j++) {
        bool is = count < 5 && kept[count] == j;
        ck_assert_double_eq(number(&c, "mask", j), is);
        count += is;
    }
    static const double box[] = { 0, 0, 1, 20 };
    for (int i = 0; i < 4; i++) {
        ck_assert_double_eq(number(&c, "box", i), box[i]);
    }
    done(&c);
}
END_TEST

/* Identical maps without a regulariser: constant 1, and everything is kept, whatever the size of the picture. */
START_TEST(identical_maps_keep_everything)
{
    call c = { .name = "carve" };
    const double map[] = { .1, .4, .3, .2, .7, .05 };
    give_reals(&c, "question", 1, (int64_t[]){ 6 }, map);
    give_reals(&c, "general", 1, (int64_t[]){ 6 }, map);
    set(&c, "shape", "2,3");
    set(&c, "lambda", "0");
    set(&c, "out_shape", "7,5");
    want(&c, "score");
    want(&c, "mask");
    test_ok(context, run_in(context, &c));
    for (int64_t i = 0; i < 35; i++) {
        ck_assert_double_eq(number(&c, "score", i), 1);
        ck_assert_double_eq(number(&c, "mask", i), 1);
    }
    ck_assert_double_eq(reported(&c, "components"), 1);
    ck_assert_double_eq(reported(&c, "y1"), 7);
    free_outputs(context, &c);
    /* 0 / 0 is not a number, and nothing is kept */
    memset(c.inputs[0].tensor->data, 0, 8);
    memset(c.inputs[1].tensor->data, 0, 8);
    test_ok(context, run_in(context, &c));
    ck_assert(isnan(reported(&c, "threshold")));
    ck_assert_double_eq(reported(&c, "cells_kept"), 0);
    ck_assert_double_eq(reported(&c, "x1"), 0);
    free_outputs(context, &c);
    c.parameters[0].value = "2,2";
    refused(&c, "shape=2,2: expected a product of 6");
    c.parameters[0].value = "6";
    refused(&c, "shape=6: expected 2 numbers");
    done(&c);
}
END_TEST

/* Quotients; steps weigh 1, 2, ...; the shorter run counts; of two components the one of the larger sum is kept. */
START_TEST(steps_and_components)
{
    call c = { .name = "carve" };
    const double question[2][4] = { { .1, .4, .3, .2 }, { .2, .2, .3, .6 } },
                 general[3][4] = { { .2, .2, .3, .3 }, { .2, .2, .3, .3 }, { 1, 1, 1, 1 } };
    give_reals(&c, "question", 4, (int64_t[]){ 2, 1, 1, 4 }, &question[0][0]);
    give_reals(&c, "general", 4, (int64_t[]){ 3, 1, 1, 4 }, &general[0][0]);
    set(&c, "shape", "1,4");
    set(&c, "lambda", "0");
    set(&c, "time", "all");
    set(&c, "keep", "0.7");
    set(&c, "components", "1");
    want(&c, "score");
    want(&c, "mask");
    test_ok(context, run_in(context, &c));
    static const double score[] = { 2.5, 4, 3, 2.0 / 3 + 4 };
    for (int64_t j = 0; j < 4; j++) {
        expect_number(&c, "score", j, score[j]);
        ck_assert_double_eq(number(&c, "mask", j), j > 0);
    }
    free_outputs(context, &c);
    c.parameters[2].value = "last";
    test_ok(context, run_in(context, &c));
    expect_number(&c, "score", 3, 2);
    free_outputs(context, &c);
    c.parameters[2].value = "first";
    c.parameters[3].value = "0.4";
    test_ok(context, run_in(context, &c));
    expect_number(&c, "score", 1, 2);
    ck_assert_double_eq(number(&c, "mask", 1), 1);
    ck_assert_double_eq(number(&c, "mask", 3), 0);
    done(&c);
}
END_TEST

/* The component of the largest sum, wherever it lies; both when two are asked for. */
START_TEST(largest_components)
{
    call c = { .name = "carve" };
    const double question[] = { 3, 1, 5, 1, 1 }, general[] = { 1, 1, 1, 1, 1 };
    give_reals(&c, "question", 1, (int64_t[]){ 5 }, question);
    give_reals(&c, "general", 1, (int64_t[]){ 5 }, general);
    set(&c, "shape", "1,5");
    set(&c, "keep", "0.4");
    set(&c, "components", "1");
    want(&c, "mask");
    want(&c, "box");
    test_ok(context, run_in(context, &c));
    for (int64_t j = 0; j < 5; j++) {
        ck_assert_double_eq(number(&c, "mask", j), j == 2);
    }
    ck_assert_double_eq(number(&c, "box", 1), 2);
    ck_assert_double_eq(number(&c, "box", 3), 3);
    ck_assert_double_eq(reported(&c, "components"), 2);
    free_outputs(context, &c);
    c.parameters[2].value = "0"; /* at least three */
    test_ok(context, run_in(context, &c));
    ck_assert_double_eq(number(&c, "mask", 0), 1);
    ck_assert_double_eq(reported(&c, "components_kept"), 2);
    done(&c);
}
END_TEST

/* ---- retrieval-score ---- */

START_TEST(copies_of_the_needle)
{
    call c = { .name = "retrieval-score" };
    static const int64_t tokens[] = { 9, 1, 2, 3, 4, 5, 9 }, generated[] = { 1, 2, 3, 1, 4, 5 };
    static const int64_t argmax[][2] = { { 1, 0 }, { 2, 2 }, { 3, 6 }, { 1, 2 }, { 4, 4 }, { 5, 0 } };
    give_integers(&c, "tokens", 7, tokens);
    give_integers(&c, "generated", 6, generated);
    DLTensor *most = give(&c, "argmax", type_i64, 2, (int64_t[]){ 6, 2 });
    memcpy(most->data, argmax, sizeof argmax);
    set(&c, "needle_start", "1");
    set(&c, "needle_end", "6");
    set(&c, "rule", "set");
    set(&c, "threshold", "0.4");
    want(&c, "score");
    want(&c, "retrieval");
    want(&c, "argmax");
    test_ok(context, run_in(context, &c));
    expect_number(&c, "score", 0, 1);
    expect_number(&c, "score", 1, .4);
    ck_assert_double_eq(number(&c, "retrieval", 1), 1);
    ck_assert_double_eq(number(&c, "argmax", 5), 6);
    free_outputs(context, &c);
    c.parameters[2].value = "count";
    test_ok(context, run_in(context, &c));
    expect_number(&c, "score", 0, 1.2);
    free_outputs(context, &c);
    c.parameters[1].value = "8";
    refused(&c, "needle_end=8: expected above needle_start and at most the 7 tokens");
    c.parameters[1].value = "1";
    refused(&c, "needle_end=1");
    c.parameters[1].value = "6";
    ((int64_t *)most->data)[3] = 7;
    refused(&c, "argmax: key 7, expected 0..6");
    c.input_count = 2;
    refused(&c, "needs map or argmax");
    c.input_count = 3;
    done(&c);
}
END_TEST

/* Equal weights: the lower key; NaN is no maximum. */
START_TEST(largest_weights)
{
    call c = { .name = "retrieval-score" };
    static const int64_t tokens[] = { 4, 4, 7 }, generated[] = { 4 };
    const double map[3][3] = { { .2, .4, .4 }, { NAN, .1, .9 }, { NAN, NAN, NAN } };
    give_reals(&c, "map", 3, (int64_t[]){ 1, 3, 3 }, &map[0][0]);
    give_integers(&c, "tokens", 3, tokens);
    give_integers(&c, "generated", 1, generated);
    set(&c, "needle_start", "0");
    set(&c, "needle_end", "3");
    want(&c, "argmax");
    want(&c, "score");
    test_ok(context, run_in(context, &c));
    ck_assert_double_eq(number(&c, "argmax", 0), 1);
    ck_assert_double_eq(number(&c, "argmax", 1), 2);
    ck_assert_double_eq(number(&c, "argmax", 2), 0);
    expect_number(&c, "score", 0, .5); /* one of the ids 4 and 7 */
    expect_number(&c, "score", 1, 0);
    free_outputs(context, &c);
    c.inputs[0].tensor->shape[2] = 2;
    refused(&c, "map: shape");
    done(&c);
}
END_TEST

/* ---- attention-influence ---- */

START_TEST(samples_by_domain)
{
    call c = { .name = "attention-influence" };
    const double base[] = { 2, 0, 1, 2, 2, 0 }, reference[] = { 3, 5, 1.5, 3, 2.6, 1 };
    static const int64_t domain[] = { 5, 5, 5, 5, -1, 8 };
    static const double rank[] = { 0, 3, 1, 2, 0, 0 }; /* three scores of 1/2 */
    give_reals(&c, "base", 1, (int64_t[]){ 6 }, base);
    give_reals(&c, "reference", 1, (int64_t[]){ 6 }, reference);
    give_integers(&c, "domain", 6, domain);
    set(&c, "keep", "0.5");
    want(&c, "score");
    want(&c, "rank");
    want(&c, "selected");
    test_ok(context, run_in(context, &c));
    expect_number(&c, "score", 4, .3);
    ck_assert(isnan(number(&c, "score", 1)));
    for (int64_t i = 0; i < 6; i++) {
        ck_assert_msg(number(&c, "rank", i) == rank[i], "rank %lld is %g", (long long)i,
                      number(&c, "rank", i));
    }
    /* two of domain 5, one of -1; the one of 8 has no score */
    ck_assert_int_eq(c.outputs[2].tensor->shape[0], 3);
    ck_assert_double_eq(number(&c, "selected", 0), 0);
    ck_assert_double_eq(number(&c, "selected", 1), 2);
    ck_assert_double_eq(number(&c, "selected", 2), 4);
    ck_assert_double_eq(reported(&c, "undefined"), 2);
    ck_assert_double_eq(reported(&c, "domains"), 3);
    free_outputs(context, &c);
    c.inputs[2].tensor->shape[0] = 5;
    refused(&c, "domain: shape");
    c.inputs[2].tensor->shape[0] = 6;
    c.input_count = 2;
    test_ok(context, run_in(context, &c));
    ck_assert_double_eq(number(&c, "rank", 4), 3);
    ck_assert_double_eq(number(&c, "rank", 5), 5);
    c.input_count = 3;
    done(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analyses");
    TCase *all = tcase_create("analyses");
    tcase_set_timeout(all, 0);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, received_by_its_closed_value);
    tcase_add_test(all, phi_of_a_token);
    tcase_add_test(all, divergence_by_its_closed_value);
    tcase_add_test(all, equal_heads_are_not_selected);
    tcase_add_test(all, outliers_are_large_in_both);
    tcase_add_test(all, streams_of_tokens);
    tcase_add_test(all, contrast_by_its_closed_value);
    tcase_add_test(all, identical_maps_keep_everything);
    tcase_add_test(all, steps_and_components);
    tcase_add_test(all, largest_components);
    tcase_add_test(all, copies_of_the_needle);
    tcase_add_test(all, largest_weights);
    tcase_add_test(all, samples_by_domain);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
