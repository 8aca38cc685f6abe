/* check_edges_training.h - dropout, gradients through maps and in place; part of check_edges.c. */

static const ga_edge_score softmax_scores[] = { GA_EDGE_DOT, GA_EDGE_ADDITIVE, GA_EDGE_GATV2, GA_EDGE_COSINE,
                                                GA_EDGE_CONSTANT };
enum { SOFTMAX_SCORES = 5 };

/* As many targets as sources; both dropouts, and for the additive score maps. */
static void training_net(net *n, int64_t nodes, int64_t hub, uint64_t seed)
{
    net_init(n, nodes, nodes, hub, seed);
    n->no_mask = true;
    n->maps = true;
    n->drop[0] = 0.6;
    n->drop[1] = 0.4;
}

static void training_fill(net *n, ga_edge_score score, int64_t heads, int64_t width)
{
    n->bias_axes = 0;
    net_fill(n, score, GA_SOFTMAX, heads, width, width);
}

START_TEST(test_dropout_forward)
{
    ga_context *context = test_threads_context(2);
    net n;
    training_net(&n, 23, 45, 51);
    for (int shape = 0; shape < SHAPES + 26; shape++) {
        int heads = shape < SHAPES        ? ga__edge_shapes[shape].heads
                    : shape < SHAPES + 17 ? 1
                                          : shape - SHAPES - 16;
        int width = shape < SHAPES        ? ga__edge_shapes[shape].width
                    : shape < SHAPES + 17 ? shape - SHAPES + 1
                                          : 3 + shape % 2 * 5;
        for (int what = 1; what < 4; what++) {
            n.drop[0] = what & 1 ? 0.6 : 0;
            n.drop[1] = what & 2 ? 0.4 : 0;
            n.no_mask = what < 3 || shape % 2;
            n.shared = what == 2 && softmax_scores[_i] != GA_EDGE_ADDITIVE && _i < 4;
            n.bare = shape % 4 > 0 || shape < 16;
            training_fill(&n, softmax_scores[_i], heads, width);
            check_forward(context, &n, NET_F32, what == 1 ? GA__EDGE_HUB : 16, 4e-5 * sqrt((double)width));
            check_forward(context, &n, NET_F64, GA__EDGE_HUB, 1e-11);
        }
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(test_dropout_differences)
{
    ga_context *context = test_threads_context(1);
    net n;
    training_net(&n, 6, 9, 53);
    for (int variant = 0; variant < 4; variant++) {
        net_slopes s;
        n.no_mask = variant % 2;
        n.bias_axes = variant;
        n.in_place = variant == 3 && softmax_scores[_i] == GA_EDGE_ADDITIVE;
        net_fill(&n, softmax_scores[_i], GA_SOFTMAX, 2, 3, 2);
        test_ok(context, net_backward(context, &n, NET_F64, GA__EDGE_HUB, variant % 3, &s));
        check_differences(&n, &s, variant);
        net_slopes_drop(&s);
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

/* f32 against f64, whatever of the forward pass is given. */
START_TEST(test_dropout_backward)
{
    ga_context *context = test_threads_context(2);
    net n;
    training_net(&n, 23, 45, 55);
    for (int shape = 0; shape < SHAPES + 26; shape++) {
        int heads = shape < SHAPES        ? ga__edge_shapes[shape].heads
                    : shape < SHAPES + 17 ? 1
                                          : shape - SHAPES - 16;
        int width = shape < SHAPES        ? ga__edge_shapes[shape].width
                    : shape < SHAPES + 17 ? shape - SHAPES + 1
                                          : 3 + shape % 2 * 5;
        for (int given = 0; given < 3; given++) {
            n.drop[0] = given == 1 ? 0 : 0.6;
            n.drop[1] = shape % 3 == 0 ? 0 : 0.4;
            n.no_mask = shape % 5 > 0;
            n.maps = shape % 4 > 0;
            n.in_place = given == 2 && softmax_scores[_i] == GA_EDGE_ADDITIVE;
            n.shared = given == 1 && n.drop[1] == 0 && softmax_scores[_i] != GA_EDGE_ADDITIVE && _i < 4;
            training_fill(&n, softmax_scores[_i], heads, width);
            /* A short row has a small norm, by which the cosine divides. */
            double absolute = softmax_scores[_i] == GA_EDGE_COSINE && n.width <= 2 ? 1e-3 : 3e-5;
            check_backward(context, &n, NET_F32, given == 1 ? 16 : GA__EDGE_HUB, given, absolute);
        }
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

static void compare_slopes(const char *what, const net *n, const net_slopes *found,
                           const net_slopes *expected, double absolute)
{
    for (int k = 0; k <= NET_BIAS; k++) {
        int64_t count = net_rows(n, k) * net_columns(n, k);
        if (n->tensor[k] && absolute == 0) {
            ck_assert_msg(equal_bits(found->of[k], expected->of[k], count), "%s: tensor %d", what, k);
        } else if (n->tensor[k]) {
            compare(what, n, GA_BACKEND_AUTO, found->of[k], expected->of[k], count,
                    absolute * size_of(expected->of[k], count));
        }
    }
}

/* Bits that keep everything change nothing; the gradient in the place of v is the same bit for bit; without y the
 * gradients are the same to rounding. */
START_TEST(test_training_laws)
{
    static const int shapes[][2] = { { 8, 8 }, { 1, 7 }, { 1, 16 }, { 4, 16 }, { 8, 3 }, { 3, 5 } };
    ga_context *context = test_threads_context(2);
    net n;
    training_net(&n, 60, 90, 57);
    n.bare = true;
    for (int i = 0; i < 6 * SOFTMAX_SCORES; i++) {
        net_result plain, kept;
        net_slopes expected, found;
        ga_edge_score score = softmax_scores[i % SOFTMAX_SCORES];
        n.drop[0] = n.drop[1] = 0;
        n.keep_all = false;
        n.in_place = false;
        training_fill(&n, score, shapes[i / 5][0], shapes[i / 5][1]);
        test_ok(context, net_forward(context, &n, NET_F32, 16, &plain));
        test_ok(context, net_backward(context, &n, NET_F32, 16, NET_Y_AND_LSE, &expected));
        n.keep_all = true;
        training_fill(&n, score, shapes[i / 5][0], shapes[i / 5][1]);
        ck_assert(n.keep[0] && n.keep[1]);
        test_ok(context, net_forward(context, &n, NET_F32, 16, &kept));
        test_ok(context, net_backward(context, &n, NET_F32, 16, NET_Y_AND_LSE, &found));
        compare_results(&n, GA_BACKEND_AUTO, &kept, &plain, 2e-6);
        compare_slopes("rate 0", &n, &found, &expected, 2e-6);
        net_result_drop(&plain);
        net_result_drop(&kept);
        net_slopes_drop(&expected);
        net_slopes_drop(&found);
        n.drop[0] = n.drop[1] = 0.5;
        training_fill(&n, score, shapes[i / 5][0], shapes[i / 5][1]);
        test_ok(context, net_backward(context, &n, NET_F32, 16, NET_Y_AND_LSE, &expected));
        test_ok(context, net_backward(context, &n, NET_F32, 16, NET_LSE, &found));
        compare_slopes("without y", &n, &found, &expected, 1e-5);
        n.in_place = score == GA_EDGE_ADDITIVE;
        net_slopes_drop(&expected);
        test_ok(context, net_backward(context, &n, NET_F32, 16, NET_LSE, &expected));
        compare_slopes("in place", &n, &found, &expected, 0);
        net_slopes_drop(&expected);
        net_slopes_drop(&found);
    }
    net_drop(&n);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(test_training_threads)
{
    static const int threads[] = { 1, 2, 3, 7 }, shapes[][2] = { { 8, 8 }, { 1, 7 }, { 3, 5 } };
    net n;
    training_net(&n, 400, 900, 59);
    n.bare = true;
    for (int shape = 0; shape < 3; shape++) {
        net_result plain, found;
        net_slopes first, again;
        n.in_place = softmax_scores[_i] == GA_EDGE_ADDITIVE;
        training_fill(&n, softmax_scores[_i], shapes[shape][0], shapes[shape][1]);
        for (int i = 0; i < 4; i++) {
            ga_context *context = test_threads_context(threads[i]);
            test_ok(context, net_forward(context, &n, NET_F32, 64, i ? &found : &plain));
            test_ok(context, net_backward(context, &n, NET_F32, 64, NET_LSE, i ? &again : &first));
            if (i > 0) {
                ck_assert(equal_bits(found.y, plain.y, n.edges.targets * n.heads * n.width_v));
                ck_assert(equal_bits(found.lse, plain.lse, n.edges.targets * n.heads));
                compare_slopes("threads", &n, &again, &first, 0);
                net_result_drop(&found);
                net_slopes_drop(&again);
            }
            test_context_done(context, NULL);
        }
        net_result_drop(&plain);
        net_slopes_drop(&first);
    }
    net_drop(&n);
}
END_TEST

static ga_status train(ga_context *context, void *user)
{
    memory_case *m = user;
    net_slopes s;
    ga_status status = net_backward(context, m->n, m->type, 8, NET_NOTHING, &s);
    net_slopes_drop(&s);
    return status;
}

START_TEST(test_training_memory)
{
    net n;
    training_net(&n, 11, 20, 61);
    n.in_place = softmax_scores[_i] == GA_EDGE_ADDITIVE;
    training_fill(&n, softmax_scores[_i], 8, 8);
    for (int type = NET_F32; type <= NET_F64; type++) {
        memory_case m = { &n, type };
        ck_assert_int_gt(test_each_allocation(train, &m, 2), 2);
    }
    net_drop(&n);
}
END_TEST

START_TEST(test_training_refused)
{
    ga_context *context = test_threads_context(1);
    float data[64] = { 0 }, out[64];
    int64_t shape[4][2], offsets[] = { 0, 1, 3, 3 };
    uint32_t sources[] = { 0, 1, 2 }, bits[8] = { 0 };
    ga_edges edges = { 3, 3, 3, offsets, sources };
    ga_transposed transposed = { offsets, sources, (int64_t[]){ 0, 1, 2 } };
    DLTensor v = flat_tensor(data, shape[0], 3, 8), l = flat_tensor(data, shape[1], 3, 2);
    DLTensor y = flat_tensor(out, shape[2], 3, 8), att = flat_tensor(data, shape[3], 2, 4);
    const ga_edge_attention good = { .edges = &edges,
                                     .heads = 2,
                                     .score = GA_EDGE_ADDITIVE,
                                     .l = &l,
                                     .r = &l,
                                     .v = &v,
                                     .keep_weights = { bits, 2 },
                                     .keep_values = { bits, 2 },
                                     .att_source = &att,
                                     .att_target = &att,
                                     .normaliser = GA_NORMALISER_INIT };
    test_ok(context, ga_edge_attention_forward(context, &good, &y, NULL, NULL, NULL));
#define TRAINING_REFUSED(change, status, words) \
    do { \
        ga_edge_attention p = good; \
        change; \
        test_status(context, ga_edge_attention_forward(context, &p, &y, NULL, NULL, NULL), status); \
        test_error_has(context, words); \
    } while (0)
    TRAINING_REFUSED(p.normaliser.kind = GA_IDENTITY, GA_UNSUPPORTED, "keep_weights");
    TRAINING_REFUSED((p.keep_weights.bits = NULL, p.normaliser.kind = GA_IDENTITY), GA_UNSUPPORTED,
                     "keep_values");
    TRAINING_REFUSED(p.keep_weights.scale = NAN, GA_INVALID, "keep_weights");
    TRAINING_REFUSED(p.keep_values.scale = -1, GA_INVALID, "keep_values");
    TRAINING_REFUSED(p.att_source = &l, GA_INVALID, "att_source");
    TRAINING_REFUSED((p.score = GA_EDGE_DOT, p.q = p.k = &v), GA_INVALID, "att_source");
    ga_edge_attention dot = good;
    dot.score = GA_EDGE_DOT;
    dot.q = dot.k = &v;
    dot.att_source = dot.att_target = NULL;
    ga_edge_gradients g = { .grad_y = &y, .v = &v };
    test_status(context, ga_edge_attention_backward(context, &dot, &transposed, &g), GA_INVALID);
    test_error_has(context, "gradient of v");
    g = (ga_edge_gradients){ .grad_y = &y, .att_source = &att };
    test_status(context, ga_edge_attention_backward(context, &dot, &transposed, &g), GA_INVALID);
    test_error_has(context, "gradient of att_source");
    test_context_done(context, NULL);
}
END_TEST

static TCase *training(void)
{
    TCase *training = tcase_create("training");
    tcase_add_loop_test(training, test_dropout_forward, 0, SOFTMAX_SCORES);
    tcase_add_loop_test(training, test_dropout_differences, 0, SOFTMAX_SCORES);
    tcase_add_loop_test(training, test_dropout_backward, 0, SOFTMAX_SCORES);
    tcase_add_test(training, test_training_laws);
    tcase_add_loop_test(training, test_training_threads, 0, SOFTMAX_SCORES);
    tcase_add_loop_test(training, test_training_memory, 0, SOFTMAX_SCORES);
    tcase_add_test(training, test_training_refused);
    tcase_set_timeout(training, 300);
    return training;
}
