/* check_edges_laws.h - what holds of message passing whatever the formula; part of check_edges.c. */

static bool equal_bits(const double *a, const double *b, int64_t count)
{
    return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

/* Several units of work, hubs in parts: the bits do not depend on the number of threads. */
START_TEST(test_threads)
{
    static const int threads[] = { 1, 2, 3, 7 };
    net n;
    net_init(&n, 400, 60, 900, 31);
    formula f = formula_at(_i);
    n.guard = 0.05;
    n.bias_axes = 2;
    net_fill(&n, f.score, f.kind, 4, 16, 16);
    net_result first, found;
    net_slopes slopes, again;
    int64_t rows = n.edges.targets * n.heads;
    for (int i = 0; i < 4; i++) {
        ga_context *context = test_threads_context(threads[i]);
        test_ok(context, net_forward(context, &n, NET_F32, 64, i ? &found : &first));
        test_ok(context, net_backward(context, &n, NET_F32, 64, false, i ? &again : &slopes));
        if (i) {
            ck_assert(equal_bits(found.y, first.y, rows * n.width_v));
            ck_assert(equal_bits(found.map, first.map, n.edges.count * n.heads));
            ck_assert(equal_bits(found.sums, first.sums, rows));
            for (int k = 0; k <= NET_BIAS; k++) {
                ck_assert(!n.tensor[k] ||
                          equal_bits(again.of[k], slopes.of[k], net_rows(&n, k) * net_columns(&n, k)));
            }
            ck_assert(equal_bits(&again.p, &slopes.p, 1));
            net_result_drop(&found);
            net_slopes_drop(&again);
        }
        test_context_done(context, NULL);
    }
    net_result_drop(&first);
    net_slopes_drop(&slopes);
    net_drop(&n);
}
END_TEST

static bool sees(const net *n, int64_t target, int64_t source)
{
    for (int64_t e = n->edges.offsets[target]; e < n->edges.offsets[target + 1]; e++) {
        if (n->edges.sources[e] == source) {
            return true;
        }
    }
    return false;
}

/* One source is not a number: only the rows that see it, and no row without edges. */
START_TEST(test_nan_stays)
{
    ga_context *context = test_threads_context(2);
    net n;
    net_init(&n, 40, 50, 45, 33);
    formula f = formula_at(_i);
    net_fill(&n, f.score, f.kind, 3, 17, 17);
    const int64_t bad = 7;
    for (int64_t c = 0; c < n.heads * n.width_v; c++) {
        n.tensor[NET_V][bad * n.heads * n.width_v + c] = NAN;
    }
    for (int64_t c = 0; n.tensor[NET_K] && c < n.heads * n.width; c++) {
        n.tensor[NET_K][bad * n.heads * n.width + c] = NAN;
    }
    for (int b = 0; b < 3; b++) {
        net_result r;
        if (!ga_backend_available(backends[b])) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, backends[b]));
        test_ok(context, net_forward(context, &n, NET_F32, 16, &r));
        for (int64_t i = 0; i < n.edges.targets; i++) {
            for (int64_t c = 0; c < n.heads * n.width_v; c++) {
                double y = r.y[i * n.heads * n.width_v + c];
                bool empty = n.edges.offsets[i] == n.edges.offsets[i + 1];
                if (isnan(y) != sees(&n, i, bad) || (empty && y != 0)) {
                    ck_abort_msg("score %d normaliser %d row %d: %g", f.score, f.kind, (int)i, y);
                }
            }
        }
        net_result_drop(&r);
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* The gradient of one row is not a number: gradients of other targets stay numbers. */
START_TEST(test_nan_gradient_stays)
{
    ga_context *context = test_threads_context(2);
    net n;
    net_slopes s;
    net_init(&n, 40, 50, 45, 35);
    net_fill(&n, GA_EDGE_DOT, GA_SOFTMAX, 4, 16, 16);
    n.grad_y[3 * 64] = NAN;
    test_ok(context, net_backward(context, &n, NET_F32, 16, false, &s));
    for (int64_t i = 0; i < n.edges.targets; i++) {
        for (int64_t c = 0; c < 64; c++) {
            ck_assert(i == 3 || isfinite(s.of[NET_Q][i * 64 + c]));
        }
    }
    for (int64_t j = 0; j < n.edges.sources_count; j++) {
        ck_assert(sees(&n, 3, j) || isfinite(s.of[NET_K][j * 64 + 20]));
    }
    net_slopes_drop(&s);
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* Large scores, and -inf through the bias: softmax neither overflows nor divides by nothing. */
START_TEST(test_extremes)
{
    ga_context *context = test_threads_context(1);
    net n;
    net_init(&n, 12, 9, 40, 37);
    n.bias_axes = 2;
    net_fill(&n, GA_EDGE_CONSTANT, GA_SOFTMAX, 4, 16, 16);
    for (int64_t e = 0; e < n.edges.count; e++) {
        for (int64_t h = 0; h < 4; h++) {
            n.tensor[NET_BIAS][e * 4 + h] = h == 0   ? -INFINITY
                                            : h == 1 ? 1e30
                                            : h == 2 ? -3e4 + (double)e
                                                     : (e % 2 ? -INFINITY : 90);
        }
    }
    for (int b = 0; b < 3; b++) {
        net_result r;
        net_slopes s;
        if (!ga_backend_available(backends[b])) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, backends[b]));
        test_ok(context, net_forward(context, &n, NET_F32, 16, &r));
        test_ok(context, net_backward(context, &n, NET_F32, 16, false, &s));
        for (int64_t i = 0; i < n.edges.targets; i++) {
            ck_assert(r.lse[i * 4] == -INFINITY);
            for (int64_t c = 0; c < 64; c++) {
                ck_assert(isfinite(r.y[i * 64 + c]) && (c >= 16 || r.y[i * 64 + c] == 0));
            }
        }
        for (int64_t k = 0; k < n.edges.sources_count * 64; k++) {
            ck_assert(isfinite(s.of[NET_V][k]));
        }
        net_result_drop(&r);
        net_slopes_drop(&s);
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* Targets in another order give the same rows in that order. */
START_TEST(test_permutation)
{
    ga_context *context = test_threads_context(2);
    net n;
    net_init(&n, 30, 20, 45, 39);
    net_fill(&n, GA_EDGE_GATV2, GA_SOFTMAX, 4, 16, 16);
    net_result before, after;
    test_ok(context, net_forward(context, &n, NET_F32, 16, &before));
    /* Targets reversed: the edges of a row stay in order. */
    int64_t targets = n.edges.targets, at = 0, *offsets = calloc((size_t)targets + 1, sizeof *offsets);
    uint32_t *ids = calloc((size_t)n.edges.count, sizeof *ids);
    double *mask = calloc((size_t)n.edges.count * 4, sizeof *mask),
           *q = calloc((size_t)targets * 64, sizeof *q);
    for (int64_t i = 0; i < targets; i++) {
        int64_t from = targets - 1 - i;
        for (int64_t e = n.edges.offsets[from]; e < n.edges.offsets[from + 1]; e++) {
            memcpy(mask + at * 4, n.tensor[NET_MASK] + e * 4, 4 * sizeof *mask);
            ids[at++] = n.edges.sources[e];
        }
        offsets[i + 1] = at;
        memcpy(q + i * 64, n.tensor[NET_Q] + from * 64, 64 * sizeof *q);
    }
    net turned = n;
    turned.edges.offsets = offsets;
    turned.edges.sources = ids;
    turned.tensor[NET_Q] = q;
    turned.tensor[NET_MASK] = mask;
    test_ok(context, net_forward(context, &turned, NET_F32, 16, &after));
    for (int64_t i = 0; i < targets; i++) {
        ck_assert(equal_bits(before.y + i * 64, after.y + (targets - 1 - i) * 64, 64));
    }
    net_result_drop(&before);
    net_result_drop(&after);
    net_drop(&n);
    free(offsets);
    free(ids);
    free(mask);
    free(q);
    test_context_done(context, NULL);
}
END_TEST

/* ---- memory, arguments ---- */

typedef struct memory_case {
    net *n;
    net_type type;
} memory_case;

static ga_status both_ways(ga_context *context, void *user)
{
    memory_case *m = user;
    net_result r;
    net_slopes s;
    ga_status status = net_forward(context, m->n, m->type, 8, &r);
    net_result_drop(&r);
    if (status == GA_OK) {
        status = net_backward(context, m->n, m->type, 8, false, &s);
        net_slopes_drop(&s);
    }
    return status;
}

START_TEST(test_memory)
{
    net n;
    formula f = formula_at(_i);
    net_init(&n, 11, 8, 20, 41);
    net_fill(&n, f.score, f.kind, 2, 4, 4);
    for (int type = NET_F32; type <= NET_F64; type++) {
        memory_case m = { &n, type };
        ck_assert_int_gt(test_each_allocation(both_ways, &m, 2), 2);
    }
    net_drop(&n);
}
END_TEST

START_TEST(test_no_elements)
{
    static const int64_t sizes[][2] = { { 0, 0 }, { 0, 5 }, { 4, 0 }, { 3, 2 } };
    ga_context *context = test_threads_context(2);
    for (int i = 0; i < 4; i++) {
        for (int type = NET_F32; type <= NET_F64; type++) {
            net n;
            net_result r;
            net_slopes s;
            net_init(&n, sizes[i][0], sizes[i][1], 2, 43);
            net_fill(&n, GA_EDGE_GATV2, GA_SOFTMAX, 2, i == 3 ? 0 : 4, 4);
            test_ok(context, net_forward(context, &n, type, 8, &r));
            test_ok(context, net_backward(context, &n, type, 8, false, &s));
            net_result_drop(&r);
            net_slopes_drop(&s);
            net_drop(&n);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

static DLTensor flat_tensor(float *data, int64_t *shape, int64_t rows, int64_t columns)
{
    shape[0] = rows;
    shape[1] = columns;
    return (DLTensor){
        .data = data, .device = { kDLCPU, 0 }, .ndim = 2, .dtype = { kDLFloat, 32, 1 }, .shape = shape
    };
}

START_TEST(test_bad_arguments)
{
    ga_context *context = test_threads_context(1);
    float data[64] = { 0 }, out[64];
    int64_t shape[4][2], offsets[] = { 0, 1, 3 };
    uint32_t sources[] = { 0, 1, 2 };
    ga_edges edges = { 2, 3, 3, offsets, sources };
    DLTensor q = flat_tensor(data, shape[0], 2, 8), k = flat_tensor(data, shape[1], 3, 8);
    DLTensor y = flat_tensor(out, shape[2], 2, 8), lse = flat_tensor(out, shape[3], 2, 2);
    const ga_edge_attention good = {
        .edges = &edges, .heads = 2, .scale = 1, .q = &q, .k = &k, .v = &k, .normaliser = GA_NORMALISER_INIT
    };
    test_ok(context, ga_edge_attention_forward(context, &good, &y, &lse, NULL, NULL));
    test_status(context, ga_edge_attention_forward(context, NULL, &y, NULL, NULL, NULL), GA_INVALID);
#define REFUSED(change, status, words) \
    do { \
        ga_edge_attention p = good; \
        change; \
        test_status(context, ga_edge_attention_forward(context, &p, &y, &lse, NULL, NULL), status); \
        test_error_has(context, words); \
    } while (0)
    REFUSED(p.edges = NULL, GA_INVALID, "edges");
    REFUSED(p.heads = 0, GA_INVALID, "heads");
    REFUSED(p.heads = 3, GA_INVALID, "v: 8 columns");
    REFUSED(p.q = NULL, GA_INVALID, "q");
    REFUSED(p.k = &q, GA_INVALID, "k");
    REFUSED(p.v = NULL, GA_INVALID, "v");
    REFUSED(p.v = &q, GA_INVALID, "v");
    REFUSED(p.score = GA_EDGE_ADDITIVE, GA_INVALID, "l");
    REFUSED(p.score = GA_EDGE_GATV2, GA_INVALID, "att");
    REFUSED(p.score = GA_EDGE_CONSTANT, GA_INVALID, "edge_bias");
    REFUSED(p.score = GA_EDGE_DISTANCE, GA_INVALID, "p-Laplacian");
    REFUSED(p.score = (ga_edge_score)9, GA_INVALID, "score");
    REFUSED(p.normaliser.kind = GA_P_LAPLACIAN, GA_INVALID, "p-Laplacian");
    REFUSED(p.normaliser.kind = GA_SIGMOID, GA_INVALID, "bias");
    REFUSED(p.normaliser.kind = GA_IDENTITY, GA_INVALID, "lse");
    REFUSED(p.normaliser.kind = GA_INLINE, GA_UNSUPPORTED, "normaliser");
    REFUSED(p.edge_bias = &q, GA_INVALID, "edge_bias");
    REFUSED(p.edge_scale = &q, GA_INVALID, "edge_scale");
    REFUSED(p.node_scale_source = &q, GA_INVALID, "node scales");
    sources[1] = 3;
    REFUSED((void)p, GA_INVALID, "source 3 of 3");
    sources[1] = 1;
    offsets[1] = 4;
    REFUSED((void)p, GA_INVALID, "offsets decrease");
    offsets[1] = 1;
    offsets[2] = 2;
    REFUSED((void)p, GA_INVALID, "offsets");
    offsets[2] = 3;
    shape[2][1] = 7;
    REFUSED((void)p, GA_INVALID, "y: shape");
    shape[2][1] = 8;
    ga_edge_gradients g = { .grad_y = NULL };
    test_status(context, ga_edge_attention_backward(context, &good, NULL, &g), GA_INVALID);
    test_error_has(context, "grad_y");
    g.grad_y = &y;
    g.v = &k;
    test_status(context, ga_edge_attention_backward(context, &good, NULL, &g), GA_INVALID);
    test_error_has(context, "transposed");
    g.v = NULL;
    g.l = &lse;
    test_status(context, ga_edge_attention_backward(context, &good, NULL, &g), GA_INVALID);
    test_error_has(context, "gradient of l");
    test_context_done(context, NULL);
}
END_TEST

static int stop(void *user)
{
    (void)user;
    return 1;
}

START_TEST(test_cancelled)
{
    ga_context *context = test_threads_context(2);
    net n;
    net_result r;
    net_init(&n, 11, 8, 20, 47);
    net_fill(&n, GA_EDGE_DOT, GA_SOFTMAX, 2, 4, 4);
    ga_context_set_cancel(context, stop, NULL);
    for (int type = NET_F32; type <= NET_F64; type++) {
        test_status(context, net_forward(context, &n, type, 8, &r), GA_CANCELLED);
        net_result_drop(&r);
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* The weight of a single positive score is 1 whatever the score: its gradient is exactly 0. */
START_TEST(test_single_weight)
{
    ga_context *context = test_threads_context(2);
    int64_t seen = 0;
    net n;
    net_init(&n, 40, 13, 45, 27);
    net_fill(&n, GA_EDGE_DOT, GA_RELU_L1, 3, 17, 17);
    free(n.tensor[NET_MASK]); /* the map shall show which scores are positive */
    n.tensor[NET_MASK] = NULL;
    for (int b = 0; b < 3; b++) {
        if (!ga_backend_available(backends[b])) {
            continue;
        }
        net_result r;
        net_slopes s;
        test_ok(context, ga_context_set_backend(context, backends[b]));
        test_ok(context, net_forward(context, &n, NET_F32, 16, &r));
        test_ok(context, net_backward(context, &n, NET_F32, 16, false, &s));
        for (int64_t at = 0; at < n.edges.targets * n.heads; at++) {
            int64_t i = at / n.heads, h = at % n.heads, positive = 0;
            for (int64_t e = n.edges.offsets[i]; e < n.edges.offsets[i + 1]; e++) {
                positive += r.sums[at] > n.normaliser.eps && r.map[e * n.heads + h] != 0;
            }
            for (int64_t c = h * n.width; positive == 1 && c < (h + 1) * n.width; c++) {
                double d = s.of[NET_Q][i * n.heads * n.width + c];
                if (d != 0) {
                    ck_abort_msg("row %d head %d: %g", (int)i, (int)h, d);
                }
                seen++;
            }
        }
        net_result_drop(&r);
        net_slopes_drop(&s);
    }
    ck_assert_int_gt(seen, 0);
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* Softmax without biases and masks has kernels of its own; y and lse of their forward pass enter the gradients. */
START_TEST(test_plain_softmax)
{
    static const ga_edge_score scores[] = { GA_EDGE_DOT, GA_EDGE_GATV2, GA_EDGE_ADDITIVE };
    ga_context *context = test_threads_context(2);
    net n;
    net_init(&n, 40, 13, 45, 29);
    for (int shape = 0; shape < SHAPES; shape++) {
        for (int variant = 0; variant < 2; variant++) {
            int width = ga__edge_shapes[shape].width;
            n.bias_axes = 0;
            n.shared = variant == 1 && _i < 2;
            n.no_mask = n.bare = true;
            net_fill(&n, scores[_i], GA_SOFTMAX, ga__edge_shapes[shape].heads, width, width);
            check_forward(context, &n, NET_F32, variant ? 16 : GA__EDGE_HUB, 4e-5 * sqrt((double)width));
            check_backward(context, &n, NET_F32, variant ? 16 : GA__EDGE_HUB, false, 3e-5);
        }
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* So has the p-Laplacian of one head. */
START_TEST(test_plain_laplacian)
{
    static const double powers[] = { 1, 1.5, 2, 2.5, 3.3 };
    ga_context *context = test_threads_context(2);
    net n;
    net_init(&n, 40, 13, 45, 71);
    n.no_mask = n.bare = true;
    for (int width = 1; width <= 65; width += width < 18 ? 1 : 23) {
        for (int variant = 0; variant < 10; variant++) {
            n.p = powers[variant / 2];
            n.guard = variant % 2 ? 0.1 : 0.05;
            n.shared = variant % 3 == 0;
            net_fill(&n, GA_EDGE_DISTANCE, GA_P_LAPLACIAN, 1, width, width);
            double absolute = 1e-5 * sqrt((double)width) * (double)width;
            check_forward(context, &n, NET_F32, variant % 2 ? 16 : GA__EDGE_HUB, absolute);
            check_backward(context, &n, NET_F32, variant % 2 ? GA__EDGE_HUB : 16, NET_NOTHING, 5e-5);
        }
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* Those kernels, too, give the same bits on any number of threads. */
START_TEST(test_plain_threads)
{
    static const ga_edge_score scores[] = { GA_EDGE_DOT, GA_EDGE_GATV2, GA_EDGE_ADDITIVE };
    static const int threads[] = { 1, 2, 3, 7 };
    net n;
    net_slopes first, again;
    net_init(&n, 400, 60, 900, 31);
    n.bias_axes = 0;
    net_fill(&n, scores[_i], GA_SOFTMAX, 4, 16, 16);
    free(n.tensor[NET_MASK]);
    n.tensor[NET_MASK] = NULL;
    for (int i = 0; i < 4; i++) {
        ga_context *context = test_threads_context(threads[i]);
        test_ok(context, net_backward(context, &n, NET_F32, 64, false, i ? &again : &first));
        for (int k = 0; i > 0 && k <= NET_BIAS; k++) {
            ck_assert(!n.tensor[k] ||
                      equal_bits(again.of[k], first.of[k], net_rows(&n, k) * net_columns(&n, k)));
        }
        if (i > 0) {
            net_slopes_drop(&again);
        }
        test_context_done(context, NULL);
    }
    net_slopes_drop(&first);
    net_drop(&n);
}
END_TEST

static TCase *laws(void)
{
    TCase *laws = tcase_create("laws");
    tcase_add_loop_test(laws, test_threads, 0, FORMULAS);
    tcase_add_loop_test(laws, test_nan_stays, 0, FORMULAS);
    tcase_add_test(laws, test_single_weight);
    tcase_add_loop_test(laws, test_plain_softmax, 0, 3);
    tcase_add_test(laws, test_plain_laplacian);
    tcase_add_loop_test(laws, test_plain_threads, 0, 3);
    tcase_add_test(laws, test_nan_gradient_stays);
    tcase_add_test(laws, test_extremes);
    tcase_add_test(laws, test_permutation);
    tcase_add_loop_test(laws, test_memory, 0, FORMULAS);
    tcase_add_test(laws, test_no_elements);
    tcase_add_test(laws, test_bad_arguments);
    tcase_add_test(laws, test_cancelled);
    tcase_set_timeout(laws, 300);
    return laws;
}
