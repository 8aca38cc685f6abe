/* check_device_slopes.h - gradients of message passing on the emulated device; a part of check_device_messages.c. */
static double size_of(const double *p, int64_t count)
{
    double most = 1;
    for (int64_t k = 0; k < count; k++) {
        most = fmax(most, fabs(p[k]));
    }
    return most;
}

static void check_backward(ga_context *context, const net *n, net_type type, int given, double absolute,
                           const char *schedule)
{
    ga_context *cpu = test_threads_context(1);
    net_slopes expected, found;
    net plain = *n;
    plain.in_place = false;
    test_ok(cpu, net_backward(cpu, &plain, NET_F64, GA__EDGE_HUB, NET_NOTHING, &expected));
    test_ok(context, net_backward(context, n, type, GA__EDGE_HUB, given, &found));
    for (int i = 0; i <= NET_BIAS; i++) {
        if (n->tensor[i]) {
            int64_t count = net_rows(n, i) * net_columns(n, i);
            char what[32];
            (void)snprintf(what, sizeof what, "gradient %d", i);
            compare(what, schedule, n, found.of[i], expected.of[i], count,
                    absolute * size_of(expected.of[i], count));
        }
    }
    ck_assert_msg(net_near(found.p, expected.p, absolute * 100, absolute * 100), "p: %g, not %g, %s", found.p,
                  expected.p, schedule);
    net_slopes_drop(&found);
    net_slopes_drop(&expected);
    ga_context_destroy(cpu);
}

START_TEST(backward)
{
    ga_context *context = test_emulated_context();
    formula f = formula_at(_i);
    net n;
    net_init(&n, 11, 13, 45, 21);
    for (int shape = 0; shape < SHAPES; shape++) {
        for (int variant = 0; variant < 2; variant++) {
            n.bias_axes = variant ? 2 : shape % 2;
            n.shared = variant == 1 && has_rows(f.score);
            n.p = variant ? 2.5 : 1.5;
            n.guard = 0.05;
            n.drop[0] = shape % 3 == 1 ? 0.25 : 0;
            n.drop[1] = shape % 3 == 2 ? 0.25 : 0;
            net_fill(&n, f.score, f.kind, ga__edge_shapes[shape].heads, ga__edge_shapes[shape].width,
                     shape % 2 ? 3 : ga__edge_shapes[shape].width);
            /* A short row has a small norm, by which the cosine divides. */
            double absolute = f.score == GA_EDGE_COSINE && n.width == 1 ? 1e-3 : 3e-5;
            check_backward(context, &n, NET_F32, variant, absolute, "default");
        }
    }
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

START_TEST(half_backward)
{
    ga_context *context = test_emulated_context();
    formula f = formula_at(_i);
    net n;
    net_init(&n, 9, 8, 40, 23);
    for (int type = NET_BF16; type <= NET_F16; type++) {
        n.p = 1.5;
        n.guard = 0.1;
        net_fill(&n, f.score, f.kind, 3, type == NET_BF16 ? 16 : 17, 8);
        net_round(&n, type);
        check_backward(context, &n, type, NET_Y_AND_LSE, 5e-5, "default");
    }
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

/* l and r that come from v, whose gradient may take its place. */
START_TEST(backward_maps)
{
    ga_context *context = test_emulated_context();
    net n;
    net_init(&n, 13, 13, 45, 21);
    n.maps = true;
    for (int shape = 0; shape < SHAPES; shape += 2) {
        n.in_place = shape % 4 == 0;
        n.drop[1] = shape % 3 == 0 ? 0.25 : 0;
        net_fill(&n, GA_EDGE_ADDITIVE, GA_SOFTMAX, ga__edge_shapes[shape].heads, ga__edge_shapes[shape].width,
                 ga__edge_shapes[shape].width);
        check_backward(context, &n, NET_F32, NET_LSE, 3e-5, "default");
    }
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

/* Rows that are cut in both directions: the hub's, and that of the source of most of its edges. */
START_TEST(backward_hubs)
{
    ga_context *context = test_emulated_context();
    formula f = formula_at(_i);
    net n;
    net_init(&n, 5, 3, 2 * GA__CHUNK + 700, 3);
    n.p = 1.5;
    n.guard = 0.1;
    n.bias_axes = 2;
    net_fill(&n, f.score, f.kind, 2, 4, 4);
    check_backward(context, &n, NET_F32, NET_NOTHING, 1e-4, "default");
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

static void backward_in(ga_context *context, int number, void *user)
{
    check_backward(context, user, NET_F32, NET_NOTHING, 1e-4, test_schedule_name(number));
}

START_TEST(backward_schedules)
{
    formula f = formula_at(_i);
    net n;
    net_init(&n, 13, 17, 70, 3);
    n.guard = 0.1;
    n.bias_axes = 2;
    net_fill(&n, f.score, f.kind, 3, 8, 8);
    test_each_schedule(backward_in, &n);
    net_drop(&n);
}
END_TEST

static void same_slopes(ga_context *context, int number, void *user)
{
    static net_slopes first;
    const net *n = user;
    net_slopes found;
    test_ok(context, net_backward(context, n, NET_F32, GA__EDGE_HUB, NET_NOTHING, number ? &found : &first));
    for (int i = 0; number > 0 && i <= NET_BIAS; i++) {
        size_t bytes = (size_t)(net_rows(n, i) * net_columns(n, i)) * sizeof(double);
        ck_assert_msg(!n->tensor[i] || memcmp(found.of[i], first.of[i], bytes) == 0, "%s",
                      test_schedule_name(number));
    }
    if (number > 0) {
        net_slopes_drop(&found);
    }
    if (number == 15) {
        net_slopes_drop(&first);
    }
}

START_TEST(slopes_stay)
{
    net n;
    net_init(&n, 4, 3, 2 * GA__CHUNK + 700, 3);
    net_fill(&n, GA_EDGE_GATV2, GA_SOFTMAX, 2, 3, 3);
    test_each_schedule(same_slopes, &n);
    net_drop(&n);
}
END_TEST

/* The weight of a single positive score is 1 whatever the score: its gradient is exactly 0. */
START_TEST(single_weight)
{
    ga_context *context = test_emulated_context();
    net n;
    net_slopes s;
    net_init(&n, 9, 9, 1, 27);
    n.no_mask = true;
    net_fill(&n, GA_EDGE_DOT, GA_SOFTMAX, 3, 17, 17);
    test_ok(context, net_backward(context, &n, NET_F32, GA__EDGE_HUB, NET_NOTHING, &s));
    for (int64_t c = 0; c < 3 * 17; c++) {
        ck_assert_msg(s.of[NET_Q][3 * 17 + c] == 0, "[%d] %g", (int)c, s.of[NET_Q][3 * 17 + c]);
    }
    net_slopes_drop(&s);
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST
